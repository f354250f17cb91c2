#include "support/local_rows.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/vec.h"

struct row {
    size_t key_size, value_size;
    uint8_t bytes[];
};

struct told {
    void (*done)(void *context, enum qn_err err);
    void *context;
};

struct local_rows {
    struct qn_local local;
    struct qn_timer *timer;
    QN_VEC(struct row *) rows; /* by key */
    QN_VEC(struct told) told;
};

static struct qn_span key_of(const struct row *row)
{
    return qn_span(row->bytes, row->key_size);
}

static size_t find(const struct local_rows *rows, struct qn_span key, bool *ret_is_there)
{
    size_t low = 0, high = rows->rows.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (qn_span_cmp(key_of(rows->rows.items[middle]), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret_is_there = low < rows->rows.count && qn_span_eq(key_of(rows->rows.items[low]), key);
    return low;
}

static void put_one(struct local_rows *rows, const struct qn_local_row *put)
{
    bool is_there;
    size_t at = find(rows, put->key, &is_there);
    if (is_there) {
        qn_free(rows->rows.items[at]);
        qn_vec_remove(&rows->rows, at);
    }
    if (put->is_gone)
        return;
    struct row *row = qn_alloc(sizeof(*row) + put->key.size + put->value.size);
    row->key_size = put->key.size;
    row->value_size = put->value.size;
    memcpy(row->bytes, put->key.data, put->key.size);
    if (put->value.size > 0)
        memcpy(row->bytes + put->key.size, put->value.data, put->value.size);
    *qn_vec_insert_slot(&rows->rows, at) = row;
}

static void put(void *context, const struct qn_local_row *put_rows, size_t count,
                void (*done)(void *, enum qn_err), void *done_context)
{
    struct local_rows *rows = context;
    for (size_t i = 0; i < count; i++)
        put_one(rows, &put_rows[i]);
    qn_vec_push(&rows->told, ((struct told){done, done_context}));
    qn_timer_set(rows->timer, 0);
}

static enum qn_err read_rows(void *context, struct qn_span prefix, struct qn_span from,
                             bool (*each)(void *, struct qn_span, struct qn_span),
                             void *each_context)
{
    struct local_rows *rows = context;
    bool is_there;
    for (size_t at = find(rows, from, &is_there); at < rows->rows.count; at++) {
        const struct row *row = rows->rows.items[at];
        if (!qn_span_has_prefix(key_of(row), prefix) ||
            !each(each_context, key_of(row), qn_span(row->bytes + row->key_size, row->value_size)))
            break;
    }
    return QN_OK;
}

static void tell(void *context)
{
    struct local_rows *rows = context;
    size_t count = rows->told.count;
    for (size_t i = 0; i < count; i++) {
        struct told told = rows->told.items[i]; /* the call may put again */
        told.done(told.context, QN_OK);
    }
    memmove(rows->told.items, rows->told.items + count,
            (rows->told.count - count) * sizeof(*rows->told.items));
    rows->told.count -= count;
    if (rows->told.count > 0)
        qn_timer_set(rows->timer, 0);
}

struct local_rows *local_rows_new(struct qn_loop *loop)
{
    struct local_rows *rows = QN_NEW(struct local_rows);
    rows->local = (struct qn_local){.put = put, .read = read_rows, .context = rows};
    rows->timer = qn_timer_new(loop, tell, rows);
    return rows;
}

void local_rows_free(struct local_rows *rows)
{
    qn_timer_free(rows->timer);
    qn_vec_each (&rows->rows, row)
        qn_free(*row);
    qn_vec_free(&rows->rows);
    qn_vec_free(&rows->told);
    qn_free(rows);
}

const struct qn_local *local_rows_local(const struct local_rows *rows)
{
    return &rows->local;
}
