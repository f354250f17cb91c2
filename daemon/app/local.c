#include "app/local.h"

#include "base/assert.h"
#include "base/limits.h"
#include "proto/pack.h"

#define KEY_NEXT_SIZE (QN_LOCAL_KEY_SIZE_MAX + 1)
/* An array's header, and a key's and a value's in front of each. */
#define PAYLOAD_SIZE_MAX (8 + QN_LOCAL_PUT_SIZE_MAX * 8)

struct wait {
    void (*done)(void *context, enum qn_err err);
    void *context;
    uint64_t token;
    enum qn_err err; /* of those that the store did not take */
};

struct qn_local_rows {
    struct qn_local door;
    struct qn_store *store;
    struct qn_mailbox *mailbox;
    uint64_t last_token;
    bool is_closing;
    QN_VEC(struct wait) waiting; /* in the order of submission; at most QN_WRITER_QUEUE_MAX */
    size_t answered;             /* of them, at the front */
    QN_VEC(struct wait) refused; /* that the store did not take */
};

/* ---- put ---- */

static size_t size_of(const struct qn_local_row *rows, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count && size <= QN_LOCAL_PUT_SIZE_MAX; i++)
        size += rows[i].key.size + (rows[i].is_gone ? 0 : rows[i].value.size);
    return size;
}

static void pack_rows(struct qn_buf *out, const struct qn_local_row *rows, size_t count)
{
    qn_pack_array(out, 2 * count);
    for (size_t i = 0; i < count; i++) {
        qn_pack_bin(out, rows[i].key);
        if (rows[i].is_gone)
            qn_pack_nil(out);
        else
            qn_pack_bin(out, rows[i].value);
    }
}

static enum qn_err submit(struct qn_local_rows *rows, const struct qn_local_row *items,
                          size_t count, uint64_t token)
{
    if (count > QN_LOCAL_PUT_SIZE_MAX || size_of(items, count) > QN_LOCAL_PUT_SIZE_MAX)
        return QN_ERR_LIMIT;
    struct qn_buf payload;
    qn_buf_init(&payload, PAYLOAD_SIZE_MAX);
    pack_rows(&payload, items, count);
    struct qn_intent *intent = qn_intent_new(QN_INTENT_LOCAL, token, &payload);
    intent->op_count = count > 0 ? count : 1;
    enum qn_err err = qn_store_submit(rows->store, intent);
    return err == QN_ERR_STATE ? QN_ERR_IO : err;
}

static void put(void *context, const struct qn_local_row *items, size_t count,
                void (*done)(void *context, enum qn_err err), void *done_context)
{
    struct qn_local_rows *rows = context;
    struct wait wait = {.done = done, .context = done_context, .token = ++rows->last_token};
    wait.err = rows->is_closing ? QN_ERR_CLOSED : submit(rows, items, count, wait.token);
    if (wait.err == QN_OK) {
        qn_vec_push(&rows->waiting, wait);
        return;
    }
    qn_vec_push(&rows->refused, wait);
    qn_mailbox_post(rows->mailbox);
}

/* ---- what became of it ---- */

static void on_refused(void *context)
{
    struct qn_local_rows *rows = context;
    size_t count = rows->refused.count; /* those that come meanwhile have a turn of their own */
    for (size_t i = 0; i < count; i++) {
        struct wait wait = rows->refused.items[i];
        wait.done(wait.context, wait.err);
    }
    memmove(rows->refused.items, rows->refused.items + count,
            (rows->refused.count - count) * sizeof(*rows->refused.items));
    rows->refused.count -= count;
}

static void answer(struct qn_local_rows *rows, const struct qn_outcome *outcome)
{
    QN_ASSERT(rows->answered < rows->waiting.count);
    struct wait wait = rows->waiting.items[rows->answered++];
    QN_ASSERT(wait.token == outcome->token); /* the store keeps the order of submission */
    wait.done(wait.context, outcome->err);
}

static void forget_answered(struct qn_local_rows *rows)
{
    size_t left = rows->waiting.count - rows->answered;
    if (rows->answered == 0)
        return;
    memmove(rows->waiting.items, rows->waiting.items + rows->answered,
            left * sizeof(*rows->waiting.items));
    rows->waiting.count = left;
    rows->answered = 0;
}

bool qn_local_rows_commit(struct qn_local_rows *rows, struct qn_commit *commit)
{
    size_t kept = 0, count = commit->outcomes.count;
    for (size_t i = 0; i < count; i++) {
        struct qn_outcome *outcome = &commit->outcomes.items[i];
        if (outcome->kind == QN_INTENT_LOCAL)
            answer(rows, outcome);
        else
            commit->outcomes.items[kept++] = *outcome;
    }
    commit->outcomes.count = kept;
    forget_answered(rows);
    return kept > 0 || count == 0;
}

/* ---- read ---- */

static enum qn_err read_rows(struct qn_kv *kv, struct qn_span prefix, struct qn_span from,
                             bool (*each)(void *context, struct qn_span key, struct qn_span value),
                             void *each_context)
{
    uint8_t at[KEY_NEXT_SIZE];
    size_t size = from.size;
    memcpy(at, from.data, size);
    for (;;) {
        struct qn_span key, value;
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_LOCAL, qn_span(at, size), &key, &value);
        if (err == QN_ERR_NOTFOUND || (err == QN_OK && !qn_span_has_prefix(key, prefix)))
            return QN_OK;
        QN_TRY(err);
        if (key.size > QN_LOCAL_KEY_SIZE_MAX)
            return QN_ERR_CORRUPT;
        if (!each(each_context, key, value))
            return QN_OK;
        memcpy(at, key.data, key.size);
        at[key.size] = 0;
        size = key.size + 1;
    }
}

static enum qn_err read(void *context, struct qn_span prefix, struct qn_span from,
                        bool (*each)(void *each_context, struct qn_span key, struct qn_span value),
                        void *each_context)
{
    struct qn_local_rows *rows = context;
    struct qn_span start = qn_span_cmp(from, prefix) > 0 ? from : prefix;
    struct qn_kv *kv;
    if (start.size == 0)
        start = qn_span("", 1);
    if (start.size > KEY_NEXT_SIZE)
        return QN_ERR_LIMIT;
    QN_TRY(qn_store_read_begin(rows->store, &kv));
    enum qn_err err = read_rows(kv, prefix, start, each, each_context);
    qn_store_read_end(rows->store);
    return err;
}

/* ---- life ---- */

struct qn_local_rows *qn_local_rows_new(struct qn_loop *loop, struct qn_store *store)
{
    struct qn_local_rows *rows = QN_NEW(struct qn_local_rows);
    rows->door = (struct qn_local){.put = put, .read = read, .context = rows};
    rows->store = store;
    rows->mailbox = qn_mailbox_new(loop, on_refused, rows);
    return rows;
}

static void tell_closed(const struct wait *wait)
{
    struct wait copy = *wait;
    copy.done(copy.context, QN_ERR_CLOSED);
}

void qn_local_rows_free(struct qn_local_rows *rows)
{
    if (rows == NULL)
        return;
    rows->is_closing = true;
    for (size_t i = rows->answered; i < rows->waiting.count; i++)
        tell_closed(&rows->waiting.items[i]);
    for (size_t i = 0; i < rows->refused.count; i++) /* it grows while it is walked */
        tell_closed(&rows->refused.items[i]);
    qn_vec_free(&rows->waiting);
    qn_vec_free(&rows->refused);
    qn_mailbox_free(rows->mailbox);
    qn_free(rows);
}

const struct qn_local *qn_local_rows_door(const struct qn_local_rows *rows)
{
    return &rows->door;
}
