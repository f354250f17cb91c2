#include "app/across.h"

#include "base/mem.h"
#include "serve/serve.h"
#include "stream/stream.h"

/* A site that is being connected to: it is called, or its addresses are dialled, one after the
 * other. */
struct calling {
    uint64_t token;     /* of serve; 0: that site called, and will be the one that asks */
    uint64_t net_token; /* of the present dial; 0: it was called */
    struct qn_reach reach;
    char site[QN_NAME_SIZE_MAX + 1];
    size_t next; /* address */
    bool was_called;
    uint64_t deadline_ms; /* of the call */
};

struct qn_across {
    struct qn_loop *loop;
    struct qn_driver *driver;
    struct qn_net *net;
    struct qn_log *log;
    struct qn_serve *serve;
    struct qn_timer *timer; /* of calls */
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
    const char *address = calling->reach.addresses[calling->next++];
    enum qn_net_kind kind = calling->token == 0 ? QN_NET_WEB_BACK : QN_NET_WEB;
    calling->net_token = QN_DRIVER_WEB | ++across->last_token;
    qn_net_dial(across->net, address, kind, &calling->reach.key, calling->net_token);
}

static void set_timer(struct qn_across *across, uint64_t now_ms)
{
    uint64_t next_ms = UINT64_MAX;
    qn_vec_each (&across->calls, calling)
        if (calling->net_token == 0 && calling->deadline_ms < next_ms)
            next_ms = calling->deadline_ms;
    if (next_ms != UINT64_MAX)
        qn_timer_set(across->timer, next_ms > now_ms ? next_ms - now_ms : 0);
}

/* Last in whatever it is called from: the step may bring others' calls. */
static void call(struct qn_across *across, struct calling *calling)
{
    struct qn_public_key key = calling->reach.key;
    calling->net_token = 0;
    calling->was_called = true;
    uint64_t now_ms = qn_loop_now_ms(across->loop);
    calling->deadline_ms =
        now_ms + (calling->reach.is_far ? QN_WEB_FAR_CALL_TIME_MAX_MS : QN_WEB_CALL_TIME_MAX_MS);
    set_timer(across, now_ms);
    qn_driver_call(across->driver, &key);
}

/* Who dialled the first connection may be one that cannot be dialled: it is called first, any other
 * when no address leads there. False: nothing is left to try. */
static bool go_on(struct qn_across *across, struct calling *calling)
{
    const struct qn_reach *reach = &calling->reach;
    bool has_address = calling->next < reach->count;
    bool may_call = calling->token != 0 && reach->can_be_called && !calling->was_called;
    if (may_call && (reach->has_dialled || !has_address))
        call(across, calling);
    else if (has_address)
        dial_next(across, calling);
    else
        return false;
    return true;
}

static bool begin(struct qn_across *across, const char *site, uint64_t token)
{
    struct calling calling = {.token = token};
    if (!qn_core_reach(qn_driver_core(across->driver), qn_span_str(site), &calling.reach))
        return false;
    strncpy(calling.site, site, QN_NAME_SIZE_MAX);
    qn_vec_push(&across->calls, calling);
    if (go_on(across, &across->calls.items[across->calls.count - 1]))
        return true;
    across->calls.count--;
    return false;
}

bool qn_across_dial(struct qn_across *across, const char *site, uint64_t token)
{
    return begin(across, site, token);
}

static void go_on_or_fail(struct qn_across *across, size_t at)
{
    uint64_t token = across->calls.items[at].token;
    if (go_on(across, &across->calls.items[at]))
        return;
    qn_vec_remove(&across->calls, at);
    if (token != 0)
        qn_serve_dialled(across->serve, token, NULL);
}

/* The first call that was not answered in time; the count if there is none. */
static size_t find_late(const struct qn_across *across, uint64_t now_ms)
{
    size_t at = 0;
    while (at < across->calls.count &&
           (across->calls.items[at].net_token != 0 || now_ms < across->calls.items[at].deadline_ms))
        at++;
    return at;
}

static void on_timer(void *context)
{
    struct qn_across *across = context;
    uint64_t now_ms = qn_loop_now_ms(across->loop);
    size_t at;
    while ((at = find_late(across, now_ms)) < across->calls.count) {
        qn_log(across->log, QN_LOG_DEBUG, "%s was called for its folders and does not dial",
               across->calls.items[at].site);
        go_on_or_fail(across, at);
    }
    set_timer(across, now_ms);
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
    const struct calling *calling = &across->calls.items[at];
    qn_log(across->log, QN_LOG_DEBUG, "%s cannot be reached at %s for %s folders: %s",
           calling->site, calling->reach.addresses[calling->next - 1],
           calling->token == 0 ? "this site's" : "its", detail);
    go_on_or_fail(across, at);
}

/* Ends a try; its token for serve. */
static uint64_t take(struct qn_across *across, size_t at)
{
    uint64_t token = across->calls.items[at].token;
    qn_vec_remove(&across->calls, at);
    return token;
}

/* One that was not called is nobody's. A call may be answered after its time, when the site is
 * being dialled already: then that dial is nobody's. */
static void take_back(struct qn_across *across, struct qn_stream *take_stream,
                      const struct qn_public_key *key)
{
    size_t at = 0;
    while (at < across->calls.count && !(across->calls.items[at].was_called &&
                                         qn_public_key_eq(&across->calls.items[at].reach.key, key)))
        at++;
    if (at < across->calls.count) {
        qn_serve_dialled(across->serve, take(across, at), take_stream);
        return;
    }
    qn_log(across->log, QN_LOG_DEBUG, "a site dials back that was not called");
    qn_stream_abort(take_stream);
}

static void take_dialled(struct qn_across *across, struct qn_stream *take_stream,
                         uint64_t net_token, const struct qn_net_peer *peer)
{
    size_t at = find(across, net_token);
    uint64_t token = at < across->calls.count ? take(across, at) : 0;
    if (peer->kind == QN_NET_WEB_BACK)
        qn_serve_take_peer(across->serve, take_stream, &peer->key);
    else
        qn_serve_dialled(across->serve, token, take_stream); /* 0 is nobody's */
}

static void on_up(void *context, struct qn_stream *take_stream, uint64_t net_token,
                  const struct qn_net_peer *peer)
{
    struct qn_across *across = context;
    if (net_token != 0)
        take_dialled(across, take_stream, net_token, peer);
    else if (peer->kind == QN_NET_WEB_BACK)
        take_back(across, take_stream, &peer->key);
    else
        qn_serve_take_peer(across->serve, take_stream, &peer->key);
}

/* ---- calls of others ---- */

static bool may_be_dialled(const struct qn_across *across, const char *site)
{
    size_t count = 0;
    qn_vec_each (&across->calls, calling)
        count += calling->token == 0 && strcmp(calling->site, site) == 0;
    return count < QN_WEB_LINES_MAX;
}

static void on_called(void *context, const struct qn_public_key *key)
{
    struct qn_across *across = context;
    const char *site = qn_across_member(across, key);
    if (site == NULL || !may_be_dialled(across, site))
        return;
    if (!begin(across, site, 0))
        qn_log(across->log, QN_LOG_DEBUG, "%s calls, and no address of it is known", site);
}

/* ---- life ---- */

struct qn_across *qn_across_new(struct qn_loop *loop, struct qn_driver *driver, struct qn_net *net,
                                struct qn_log *log)
{
    struct qn_across *across = QN_NEW(struct qn_across);
    *across = (struct qn_across){.loop = loop, .driver = driver, .net = net, .log = log};
    across->timer = qn_timer_new(loop, on_timer, across);
    return across;
}

void qn_across_set_serve(struct qn_across *across, struct qn_serve *serve)
{
    const struct qn_driver_web web = {on_up, on_dial_failed, on_called, across};
    across->serve = serve;
    qn_driver_set_web(across->driver, &web);
}

void qn_across_free(struct qn_across *across)
{
    static const struct qn_driver_web none;
    if (across == NULL)
        return;
    qn_driver_set_web(across->driver, &none);
    qn_timer_free(across->timer);
    qn_vec_free(&across->calls);
    qn_free(across);
}
