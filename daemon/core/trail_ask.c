/* What others keep of this site's trail, for `syncctl log verify`; and answering who asks. */
#include "core/trail.h"
#include "people/audit.h"

#define READ_ARGS_SIZE (QN_DIGEST_SIZE + 16)

/* ---- answering ---- */

/* One read of a connection at a time: what is asked meanwhile is asked again. */
void trail_asked(struct qn_core *core, struct peer *peer, uint64_t after, uint64_t count)
{
    if (peer->trail.is_reading)
        return;
    struct qn_read *read = QN_NEW(struct qn_read);
    read->kind = QN_READ_TRAIL;
    qn_buf_init(&read->names, READ_ARGS_SIZE);
    qn_buf_append_span(&read->names, QN_SPAN_OF(peer->site.bytes));
    qn_buf_append_u64(&read->names, after);
    qn_buf_append_u64(&read->names, count);
    struct pending *pending = core_read_later(core, read, PENDING_TRAIL);
    pending->link = peer->session->link;
    pending->seq = after;
    peer->trail.is_reading = true;
}

static void pack_point(const struct qn_trail_point *point, struct qn_buf *out)
{
    qn_pack_u64(out, point->place);
    qn_pack_u64(out, point->received_ms);
    qn_pack_bin(out, point->checkpoint);
}

enum qn_err trail_read(struct qn_kv *kv, struct qn_span args, struct qn_buf *out)
{
    struct qn_site_id site;
    struct qn_trail_point point;
    QN_AUTO_BUF struct qn_buf points;
    size_t count = 0;
    uint64_t wanted;
    enum qn_err err = QN_OK;
    qn_buf_init(&points, TRAIL_PAGE_POINTS * (QN_TRAIL_CHECKPOINT_SIZE_MAX + 32));
    if (args.size != READ_ARGS_SIZE)
        return QN_ERR_INVALID;
    memcpy(site.bytes, args.data, sizeof(site.bytes));
    point.place = qn_read_u64(args.data + sizeof(site.bytes));
    wanted = qn_read_u64(args.data + sizeof(site.bytes) + 8);
    if (wanted == 0 || wanted > TRAIL_PAGE_POINTS)
        wanted = TRAIL_PAGE_POINTS;
    while (count < wanted && err == QN_OK) {
        err = qn_trail_next(kv, &site, point.place, &point);
        if (err != QN_OK)
            break;
        pack_point(&point, &points);
        count++;
    }
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        return err;
    qn_pack_array(out, 3 * count);
    qn_pack_raw(out, qn_buf_view(&points));
    qn_pack_bool(out, err == QN_ERR_NOTFOUND);
    return qn_buf_status(&points);
}

void trail_read_done(struct qn_core *core, const struct pending *pending,
                     const struct qn_read_result *result)
{
    struct peer *peer = core_peer_of_link(core, pending->link);
    if (peer == NULL)
        return;
    peer->trail.is_reading = false;
    if (result->err != QN_OK) {
        core_note(core, "read-failed", result->err, "");
        return;
    }
    struct qn_buf *out = core_message(core, QN_MSG_TRAIL_HELD, 3);
    qn_pack_u64(out, pending->seq);
    qn_pack_raw(out, qn_buf_view(&result->body));
    core_send(core, pending->link);
}

/* ---- asking ---- */

static void free_ask(struct trail_ask *ask)
{
    qn_vec_free(&ask->tasks);
    qn_free(ask);
}

void trail_asks_free(struct qn_core *core)
{
    qn_vec_each (&core->trail_asks, ask)
        free_ask(*ask);
    qn_vec_free(&core->trail_asks);
}

void trail_ask_gone(struct qn_core *core, uint64_t request)
{
    for (size_t i = core->trail_asks.count; i-- > 0;)
        if (core->trail_asks.items[i]->request == request) {
            free_ask(core->trail_asks.items[i]);
            qn_vec_remove(&core->trail_asks, i);
        }
}

/* A site alone, and one that is in no group yet, has no witnesses. In a large group they are those
 * that it has a connection with. */
void trail_ask_start(struct qn_core *core, uint64_t request, uint64_t points)
{
    struct trail_ask *ask = QN_NEW(struct trail_ask);
    ask->request = request;
    ask->points_max =
        points == 0 || points > QN_TRAIL_POINTS_MAX ? QN_TRAIL_POINTS_MAX + 1 : (size_t)points;
    ask->grace_ms = core->now_ms + TRAIL_ASK_GRACE_MS;
    ask->end_ms = core->now_ms + TRAIL_ASK_END_MS;
    qn_vec_each (&core->peers, peer)
        if (!core->is_mesh || (*peer)->is_neighbour || (*peer)->session != NULL)
            qn_vec_push(&ask->tasks, ((struct trail_task){.site = (*peer)->site}));
    qn_vec_push(&core->trail_asks, ask);
}

static void reply(struct qn_core *core, const struct trail_ask *ask, const struct qn_site_id *id,
                  const char *state, size_t count, struct qn_span points)
{
    QN_AUTO_BUF struct qn_buf data;
    qn_buf_init(&data, QN_CONTROL_FRAME_SIZE_MAX / 2);
    qn_pack_map(&data, 3);
    qn_pack_cstr(&data, "points");
    qn_pack_array(&data, count);
    qn_pack_raw(&data, points);
    qn_pack_cstr(&data, "site");
    qn_pack_cstr(&data, core_site_name(core, id));
    qn_pack_cstr(&data, "state");
    qn_pack_cstr(&data, state);
    core_reply_data(core, ask->request, &data);
}

/* The points of an answer as a request gets them: [received ms, checkpoint], ... */
static enum qn_err read_points(struct qn_cursor *cursor, size_t *ret_count, uint64_t *ret_last,
                               struct qn_buf *out)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, 3 * TRAIL_PAGE_POINTS, &count));
    if (count % 3 != 0)
        return QN_ERR_INVALID;
    for (size_t i = 0; i < count / 3; i++) {
        uint64_t place, received_ms;
        struct qn_span checkpoint;
        QN_TRY(qn_cursor_u64(cursor, &place));
        QN_TRY(qn_cursor_u64(cursor, &received_ms));
        QN_TRY(qn_cursor_bin(cursor, QN_TRAIL_CHECKPOINT_SIZE_MAX, &checkpoint));
        if (place <= *ret_last)
            return QN_ERR_INVALID;
        *ret_last = place;
        qn_pack_array(out, 2);
        qn_pack_u64(out, received_ms);
        qn_pack_bin(out, checkpoint);
    }
    *ret_count = count / 3;
    return qn_buf_status(out);
}

static void take_page(struct qn_core *core, const struct trail_ask *ask, struct trail_task *task,
                      size_t count, uint64_t last, bool is_last, struct qn_span points)
{
    reply(core, ask, &task->site, "answered", count, points);
    task->points += count;
    task->after = last;
    task->ask_ms = 0;
    task->is_done = is_last || count == 0 || task->points >= ask->points_max;
}

enum qn_err trail_heard_held(struct qn_core *core, struct peer *peer, struct qn_cursor *cursor)
{
    uint64_t after, last;
    size_t count;
    bool is_last;
    QN_AUTO_BUF struct qn_buf points;
    qn_buf_init(&points, QN_CONTROL_FRAME_SIZE_MAX / 4);
    QN_TRY(qn_cursor_u64(cursor, &after));
    last = after;
    QN_TRY(read_points(cursor, &count, &last, &points));
    QN_TRY(qn_cursor_bool(cursor, &is_last));
    qn_vec_each (&core->trail_asks, ask)
        qn_vec_each (&(*ask)->tasks, task)
            if (!task->is_done && task->after == after && qn_site_id_eq(&task->site, &peer->site))
                take_page(core, *ask, task, count, last, is_last, qn_buf_view(&points));
    return QN_OK;
}

static void say_ask(struct qn_core *core, const struct peer *peer, const struct trail_ask *ask,
                    struct trail_task *task)
{
    struct qn_buf *out = core_message(core, QN_MSG_TRAIL_ASK, 2);
    qn_pack_u64(out, task->after);
    qn_pack_u64(out, ask->points_max - task->points);
    core_send(core, peer->session->link);
    task->ask_ms = core->now_ms + TRAIL_ASK_MS;
}

/* True while there is something to wait for. */
static bool run_task(struct qn_core *core, const struct trail_ask *ask, struct trail_task *task)
{
    const struct peer *peer = core_peer(core, &task->site);
    if (task->is_done)
        return false;
    if (!peer_is_connected(peer)) {
        task->ask_ms = 0;
        core_wake(core, ask->grace_ms);
        return core->now_ms < ask->grace_ms;
    }
    if (core->now_ms >= task->ask_ms)
        say_ask(core, peer, ask, task);
    core_wake(core, task->ask_ms);
    return true;
}

static void finish(struct qn_core *core, const struct trail_ask *ask)
{
    qn_vec_each (&ask->tasks, task) {
        const struct peer *peer = core_peer(core, &task->site);
        bool is_linked = peer_is_connected(peer);
        if (!task->is_done)
            reply(core, ask, &task->site, is_linked ? "silent" : "unreachable", 0,
                  qn_span(NULL, 0));
    }
    core_reply_end(core, ask->request, NULL);
    trail_ask_gone(core, ask->request);
}

void trail_ask_tick(struct qn_core *core)
{
    for (size_t i = core->trail_asks.count; i-- > 0;) {
        struct trail_ask *ask = core->trail_asks.items[i];
        bool is_waiting = false;
        qn_vec_each (&ask->tasks, task)
            is_waiting |= run_task(core, ask, task);
        if (!is_waiting || core->now_ms >= ask->end_ms)
            finish(core, ask);
        else
            core_wake(core, ask->end_ms);
    }
}
