#include "app/across.h"

#include "base/mem.h"
#include "serve/serve.h"

/* A site that is being connected to, one of its addresses after the other. */
struct calling {
    uint64_t token, net_token; /* of serve; of the present dial */
    struct qn_public_key key;
    char site[QN_NAME_SIZE_MAX + 1];
    char addresses[QN_ADDRESSES_MAX][QN_ADDRESS_SIZE_MAX + 1];
    size_t count, next;
};

struct qn_across {
    struct qn_driver *driver;
    struct qn_net *net;
    struct qn_log *log;
    struct qn_serve *serve;
    QN_VEC(struct calling) calls;
    uint64_t last_token;
};

/* ---- what serve asks ---- */

bool qn_across_elsewhere(const struct qn_across *across, struct qn_span folder,
                         const char **ret_site, bool *ret_is_online)
{
    struct qn_folder_home home;
    if (!qn_core_folder_home(qn_driver_core(across->driver), folder, &home) || home.is_here)
        return false;
    *ret_site = home.site;
    *ret_is_online = home.is_online;
    return true;
}

const char *qn_across_member(const struct qn_across *across, const struct qn_public_key *key)
{
    return qn_core_member_of_key(qn_driver_core(across->driver), key);
}

bool qn_across_shares(const struct qn_across *across, const struct qn_public_key *key,
                      struct qn_span folder)
{
    return qn_core_key_shares(qn_driver_core(across->driver), key, folder);
}

/* ---- connections ---- */

static void dial_next(struct qn_across *across, struct calling *calling)
{
    const char *address = calling->addresses[calling->next++];
    calling->net_token = QN_DRIVER_WEB | ++across->last_token;
    qn_net_dial(across->net, address, QN_NET_WEB, &calling->key, calling->net_token);
}

bool qn_across_dial(struct qn_across *across, const char *site, uint64_t token)
{
    struct calling calling = {.token = token};
    calling.count = qn_core_reach(qn_driver_core(across->driver), qn_span_str(site), &calling.key,
                                  calling.addresses, QN_ADDRESSES_MAX);
    if (calling.count == 0)
        return false;
    strncpy(calling.site, site, QN_NAME_SIZE_MAX);
    qn_vec_push(&across->calls, calling);
    dial_next(across, &across->calls.items[across->calls.count - 1]);
    return true;
}

static size_t find(const struct qn_across *across, uint64_t net_token)
{
    size_t at = 0;
    while (at < across->calls.count && across->calls.items[at].net_token != net_token)
        at++;
    return at;
}

static void on_dial_failed(void *context, uint64_t net_token, const char *detail)
{
    struct qn_across *across = context;
    size_t at = find(across, net_token);
    if (at == across->calls.count)
        return;
    struct calling *calling = &across->calls.items[at];
    qn_log(across->log, QN_LOG_DEBUG, "%s cannot be reached at %s for its folders: %s",
           calling->site, calling->addresses[calling->next - 1], detail);
    if (calling->next < calling->count) {
        dial_next(across, calling);
        return;
    }
    uint64_t token = calling->token;
    qn_vec_remove(&across->calls, at);
    qn_serve_dialled(across->serve, token, NULL);
}

static void on_up(void *context, struct qn_stream *take_stream, uint64_t net_token,
                  const struct qn_public_key *key)
{
    struct qn_across *across = context;
    if (net_token == 0) {
        qn_serve_take_peer(across->serve, take_stream, key);
        return;
    }
    size_t at = find(across, net_token);
    uint64_t token = at < across->calls.count ? across->calls.items[at].token : 0;
    if (at < across->calls.count)
        qn_vec_remove(&across->calls, at);
    qn_serve_dialled(across->serve, token, take_stream); /* 0 is nobody's */
}

/* ---- life ---- */

struct qn_across *qn_across_new(struct qn_driver *driver, struct qn_net *net, struct qn_log *log)
{
    struct qn_across *across = QN_NEW(struct qn_across);
    *across = (struct qn_across){.driver = driver, .net = net, .log = log};
    return across;
}

void qn_across_set_serve(struct qn_across *across, struct qn_serve *serve)
{
    const struct qn_driver_web web = {on_up, on_dial_failed, across};
    across->serve = serve;
    qn_driver_set_web(across->driver, &web);
}

void qn_across_free(struct qn_across *across)
{
    static const struct qn_driver_web none;
    if (across == NULL)
        return;
    qn_driver_set_web(across->driver, &none);
    qn_vec_free(&across->calls);
    qn_free(across);
}
