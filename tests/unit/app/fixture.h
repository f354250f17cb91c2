/* A site in one process, without a network: store, core, driver and control socket in a folder of
 * its own. The founder of a group of one.
 */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "app/control.h"
#include "proto/pack.h"
#include "support/tmp_dir.h"
#include "support/turns.h"

struct site {
    struct tmp_dir dir;
    struct qn_loop *loop;
    struct qn_signer *signer;
    struct qn_store *store;
    struct qn_applier *applier;
    struct qn_core *core;
    struct qn_net *net;
    struct qn_log log;
    struct qn_local_rows *local;
    struct qn_driver *driver;
    struct qn_control *control;
    struct qn_buf genesis;
    char socket_path[TMP_PATH_SIZE], kit_path[TMP_PATH_SIZE];
    bool control_closed, net_closed, has_stopped;
    enum qn_err fatal;
};

static const uint8_t site_seed[QN_SEED_SIZE] = {1, 2, 3};

static inline uint64_t site_wall_ms(void *context)
{
    return qn_os_wall_ms();
}

static inline uint64_t site_entropy(void *context)
{
    return 4711;
}

static inline void site_on_reply(void *context, uint64_t request, const struct qn_effect *reply)
{
    struct site *site = context;
    qn_control_reply(site->control, request, reply);
}

static inline void site_on_fatal(void *context, enum qn_err err)
{
    ((struct site *)context)->fatal = err;
}

static inline void site_on_stopped(void *context)
{
    ((struct site *)context)->has_stopped = true;
}

static inline void site_open_store(struct site *site)
{
    char path[TMP_PATH_SIZE];
    struct qn_site_id id;
    cr_assert_eq(
        qn_store_open(&(struct qn_store_options){.path = tmp_dir_at(&site->dir, "store", path),
                                                 .map_size = 64 << 20,
                                                 .wall_ms = site_wall_ms,
                                                 .entropy = site_entropy},
                      &site->store),
        QN_OK);
    cr_assert_eq(qn_signer_new(site_seed, &site->signer), QN_OK);
    qn_site_id_of(qn_signer_public(site->signer), &id);
    site->applier = qn_applier_new(&id, site->signer);
}

static inline void site_open_core(struct site *site, const struct qn_code *join)
{
    struct qn_site_keys keys = {.site = *qn_signer_public(site->signer)};
    struct qn_site_id id;
    qn_site_id_of(&keys.site, &id);
    struct qn_body_genesis genesis = {.group_name = qn_span_str("lot"),
                                      .site_name = qn_span_str("pradines"),
                                      .legal_entity = qn_span_str(""),
                                      .keys = keys};
    struct qn_digest group;
    qn_buf_init(&site->genesis, QN_LEDGER_ENTRY_SIZE_MAX);
    if (join == NULL)
        cr_assert_eq(
            qn_genesis_compose(site->signer, &genesis, (qn_hlc)1 << 16, &site->genesis, &group),
            QN_OK);
    site->core = qn_core_new(&(struct qn_core_options){.site = id,
                                                       .signer = site->signer,
                                                       .keys = keys,
                                                       .name = "pradines",
                                                       .legal_entity = "",
                                                       .version = "1",
                                                       .genesis = qn_buf_view(&site->genesis),
                                                       .join = join,
                                                       .seed = 1});
    struct qn_kv *kv;
    cr_assert_eq(qn_store_read_begin(site->store, &kv), QN_OK);
    cr_assert_eq(qn_applier_load(site->applier, kv), QN_OK);
    cr_assert_eq(qn_core_load(site->core, kv), QN_OK);
    qn_store_read_end(site->store);
}

static inline void site_start(struct site *site)
{
    struct qn_net_options net = {
        .seed = site_seed, .callbacks = qn_driver_net_callbacks(), .context = &site->driver};
    cr_assert_eq(qn_net_new(site->loop, &net, &site->net), QN_OK);
    site->local = qn_local_rows_new(site->loop, site->store);
    site->driver = qn_driver_new(
        &(struct qn_driver_options){.loop = site->loop,
                                    .net = site->net,
                                    .store = site->store,
                                    .core = site->core,
                                    .log = &site->log,
                                    .local = site->local,
                                    .kit_path = tmp_dir_at(&site->dir, "kit", site->kit_path),
                                    .on_reply = site_on_reply,
                                    .on_fatal = site_on_fatal,
                                    .on_stopped = site_on_stopped,
                                    .context = site});
    cr_assert_eq(qn_store_start(site->store, site->applier, qn_driver_wake, site->driver), QN_OK);
    struct qn_control_options control = {
        .loop = site->loop,
        .path = tmp_dir_at(&site->dir, "control.sock", site->socket_path),
        .group = "",
        .log = &site->log};
    cr_assert_eq(qn_control_new(&control, &site->control), QN_OK);
    qn_driver_start(site->driver);
    cr_assert_eq(qn_control_start(site->control, site->driver), QN_OK);
}

static inline void site_init_with(struct site *site, const struct qn_code *join)
{
    *site = (struct site){0};
    tmp_dir_init(&site->dir);
    qn_log_init(&site->log, QN_LOG_ERROR, qn_os_boot_ms);
    site->loop = new_loop();
    site_open_store(site);
    site_open_core(site, join);
    site_start(site);
    if (join == NULL)
        turn_until(site->loop, qn_core_group(site->core) != NULL);
}

static inline void site_init(struct site *site)
{
    site_init_with(site, NULL);
}

static inline void site_control_closed(void *context)
{
    ((struct site *)context)->control_closed = true;
}

static inline void site_net_closed(void *context)
{
    ((struct site *)context)->net_closed = true;
}

static inline void site_deinit(struct site *site)
{
    qn_driver_stop(site->driver);
    turn_until(site->loop, site->has_stopped);
    qn_control_close(site->control, site_control_closed, site);
    qn_net_close(site->net, site_net_closed, site);
    turn_until(site->loop, site->control_closed && site->net_closed);
    qn_local_rows_free(site->local);
    qn_store_close(site->store);
    qn_driver_free(site->driver);
    free_loop(site->loop);
    qn_core_free(site->core);
    qn_applier_free(site->applier);
    qn_signer_free(site->signer);
    qn_buf_deinit(&site->genesis);
    tmp_dir_deinit(&site->dir);
}
#define AUTO_SITE __attribute__((cleanup(site_deinit)))

/* ---- a client ---- */

struct client {
    struct site *site;
    int fd;
    struct qn_buf in;
    uint64_t next_id;
};

static inline void client_init(struct client *client, struct site *site)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *client = (struct client){.site = site};
    qn_buf_init(&client->in, 64 << 20);
    strcpy(address.sun_path, site->socket_path);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(connect(client->fd, (struct sockaddr *)&address, sizeof(address)), 0);
    fcntl(client->fd, F_SETFL, O_NONBLOCK);
}

static inline void client_deinit(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    qn_buf_deinit(&client->in);
}
#define AUTO_CLIENT __attribute__((cleanup(client_deinit)))

/* Bytes that the socket takes at once, or while the loop turns. */
static inline void client_put(struct client *client, const void *data, size_t size)
{
    const uint8_t *at = data;
    int turns = TURNS_MAX;
    while (size > 0 && turns-- > 0) {
        ssize_t count = send(client->fd, at, size, MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN)
            return; /* closed: the test looks at that */
        at += count < 0 ? 0 : count;
        size -= count < 0 ? 0 : (size_t)count;
        qn_loop_turn(client->site->loop);
    }
    cr_assert_eq(size, 0, "it is not read");
}

static inline void client_put_frame(struct client *client, const struct qn_buf *body)
{
    uint8_t head[4];
    qn_write_u32(head, (uint32_t)body->size);
    client_put(client, head, sizeof(head));
    client_put(client, body->data, body->size);
}

/* `args`: a packed map; NULL: an empty one. */
static inline void pack_request(struct qn_buf *out, uint64_t id, const char *command,
                                const struct qn_buf *args)
{
    qn_pack_map(out, 3);
    qn_pack_cstr(out, "args");
    if (args == NULL)
        qn_pack_map(out, 0);
    else
        qn_pack_raw(out, qn_buf_view(args));
    qn_pack_cstr(out, "cmd");
    qn_pack_cstr(out, command);
    qn_pack_cstr(out, "id");
    qn_pack_u64(out, id);
}

static inline uint64_t client_ask(struct client *client, const char *command,
                                  const struct qn_buf *args)
{
    QN_AUTO_BUF struct qn_buf body;
    qn_buf_init(&body, QN_CONTROL_FRAME_SIZE_MAX);
    pack_request(&body, ++client->next_id, command, args);
    client_put_frame(client, &body);
    return client->next_id;
}

/* Reads what there is; false at the end of the connection. */
static inline bool client_pull(struct client *client)
{
    static char chunk[65536];
    ssize_t count = recv(client->fd, chunk, sizeof(chunk), 0);
    if (count > 0)
        qn_buf_append(&client->in, chunk, (size_t)count);
    return count > 0 || (count < 0 && errno == EAGAIN);
}

static inline bool client_is_closed(struct client *client)
{
    return !client_pull(client);
}

static inline bool client_has_frame(struct client *client)
{
    client_pull(client);
    return client->in.size >= 4 && client->in.size >= 4 + (size_t)qn_read_u32(client->in.data);
}

struct answer {
    uint64_t id;
    char type[8], code[32], object[160];
    struct qn_buf data;
};

static inline void answer_deinit(struct answer *answer)
{
    qn_buf_deinit(&answer->data);
}
#define AUTO_ANSWER __attribute__((cleanup(answer_deinit)))

static inline void take_member(struct answer *answer, struct qn_span key, struct qn_span value)
{
    struct qn_cursor cursor = qn_cursor(value);
    struct qn_span text = {0};
    if (qn_span_eq_str(key, "id")) {
        cr_assert_eq(qn_cursor_u64(&cursor, &answer->id), QN_OK);
        return;
    }
    if (qn_span_eq_str(key, "data")) {
        qn_buf_append_span(&answer->data, value);
        return;
    }
    char *out = qn_span_eq_str(key, "type")     ? answer->type
                : qn_span_eq_str(key, "code")   ? answer->code
                : qn_span_eq_str(key, "object") ? answer->object
                                                : NULL;
    cr_assert_eq(qn_cursor_str(&cursor, 160, &text), QN_OK);
    if (out != NULL)
        memcpy(out, text.data, text.size);
}

/* The next answer, while the loop turns. */
static inline void client_take(struct client *client, struct answer *answer)
{
    *answer = (struct answer){0};
    qn_buf_init(&answer->data, QN_CONTROL_FRAME_SIZE_MAX);
    turn_until(client->site->loop, client_has_frame(client));
    size_t size = qn_read_u32(client->in.data), count;
    struct qn_cursor cursor = qn_cursor(qn_span(client->in.data + 4, size));
    cr_assert_eq(qn_cursor_map(&cursor, 8, &count), QN_OK);
    for (size_t i = 0; i < count; i++) {
        struct qn_span key, value;
        cr_assert_eq(qn_cursor_str(&cursor, 16, &key), QN_OK);
        cr_assert_eq(qn_cursor_skip(&cursor, 64, &value), QN_OK);
        take_member(answer, key, value);
    }
    cr_assert_eq(qn_cursor_finish(&cursor), QN_OK);
    qn_buf_consume(&client->in, 4 + size);
}

/* One request whose one answer is an end, or an error with that code. */
static inline void client_do(struct client *client, const char *command, const struct qn_buf *args,
                             const char *code)
{
    AUTO_ANSWER struct answer answer;
    uint64_t id = client_ask(client, command, args);
    client_take(client, &answer);
    cr_assert_eq(answer.id, id);
    cr_assert_str_eq(answer.code, code, "%s: %s %s", command, answer.code, answer.object);
    cr_assert_str_eq(answer.type, code[0] == '\0' ? "end" : "error");
}

/* ---- arguments: a map of texts, NULL at the end, keys in order ---- */

static inline void pack_texts(struct qn_buf *out, const char *const *texts)
{
    size_t count = 0;
    while (texts[count] != NULL)
        count++;
    qn_buf_init(out, QN_CONTROL_FRAME_SIZE_MAX);
    qn_pack_map(out, count / 2);
    for (size_t i = 0; i < count; i++)
        qn_pack_cstr(out, texts[i]);
}
#define ARGS(name, ...)                                                                            \
    QN_AUTO_BUF struct qn_buf name;                                                                \
    pack_texts(&name, (const char *const[]){__VA_ARGS__, NULL})

static inline void make_collection(struct client *client, const char *name)
{
    ARGS(args, "name", name);
    client_do(client, "collection.create", &args, "");
}

static inline void put_record(struct client *client, const char *collection, const char *key,
                              const char *value)
{
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, QN_CONTROL_FRAME_SIZE_MAX);
    qn_pack_map(&args, 3);
    qn_pack_cstr(&args, "collection");
    qn_pack_cstr(&args, collection);
    qn_pack_cstr(&args, "fields");
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "f");
    qn_pack_cstr(&args, value);
    qn_pack_cstr(&args, "key");
    qn_pack_cstr(&args, key);
    client_do(client, "record.put", &args, "");
}

static inline bool holds(const struct qn_buf *buf, const char *text)
{
    return buf->size > 0 && memmem(buf->data, buf->size, text, strlen(text)) != NULL;
}
