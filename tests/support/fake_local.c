#include "support/fake_local.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/vec.h"

struct kept_row {
    uint8_t *key, *value;
    size_t key_size, value_size;
    bool is_gone;
};

struct put {
    QN_VEC(struct kept_row) rows;
    void (*done)(void *context, enum qn_err err);
    void *context;
    enum qn_err err; /* refused when it came */
};

struct fake_local {
    struct qn_local door;
    struct memkv *memkv;
    QN_VEC(struct put) waiting;
    enum qn_err next_err;
    uint64_t commits;
};

static void free_put(struct put *put)
{
    qn_vec_each (&put->rows, row) {
        qn_free(row->key);
        qn_free(row->value);
    }
    qn_vec_free(&put->rows);
}

static enum qn_err check(const struct qn_local_row *rows, size_t count)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].key.size == 0 || rows[i].key.size > QN_LOCAL_KEY_SIZE_MAX)
            return QN_ERR_INVALID;
        if (!rows[i].is_gone && rows[i].value.size > QN_LOCAL_ROW_SIZE_MAX)
            return QN_ERR_LIMIT;
        total += rows[i].key.size + (rows[i].is_gone ? 0 : rows[i].value.size);
    }
    return total > QN_LOCAL_PUT_SIZE_MAX ? QN_ERR_LIMIT : QN_OK;
}

static void put(void *context, const struct qn_local_row *rows, size_t count,
                void (*done)(void *done_context, enum qn_err err), void *done_context)
{
    struct fake_local *fake = context;
    struct put put = {.done = done, .context = done_context, .err = check(rows, count)};
    for (size_t i = 0; i < count && put.err == QN_OK; i++) {
        struct kept_row *row = qn_vec_push_slot(&put.rows);
        *row = (struct kept_row){.key_size = rows[i].key.size, .is_gone = rows[i].is_gone};
        row->key = qn_memdup(rows[i].key.data, rows[i].key.size);
        if (!row->is_gone && rows[i].value.size > 0)
            row->value = qn_memdup(rows[i].value.data, rows[i].value.size);
        row->value_size = row->is_gone ? 0 : rows[i].value.size;
    }
    qn_vec_push(&fake->waiting, put);
}

static enum qn_err write_rows(struct qn_kv *kv, const struct put *put)
{
    qn_vec_each (&put->rows, row) {
        struct qn_span key = qn_span(row->key, row->key_size);
        enum qn_err err =
            row->is_gone ? qn_kv_del(kv, QN_TABLE_LOCAL, key)
                         : qn_kv_put(kv, QN_TABLE_LOCAL, key, qn_span(row->value, row->value_size));
        if (err != QN_OK && !(row->is_gone && err == QN_ERR_NOTFOUND))
            return err;
    }
    return QN_OK;
}

static enum qn_err write_put(struct fake_local *fake, const struct put *put)
{
    enum qn_err err = put->err != QN_OK ? put->err : fake->next_err;
    fake->next_err = put->err != QN_OK ? fake->next_err : QN_OK;
    if (err != QN_OK)
        return err;
    err = write_rows(memkv_begin(fake->memkv), put);
    if (err != QN_OK)
        memkv_abort(fake->memkv);
    else
        err = memkv_commit(fake->memkv);
    if (err == QN_OK) {
        memkv_sync(fake->memkv);
        fake->commits++;
    }
    return err;
}

size_t fake_local_turn(struct fake_local *fake)
{
    size_t count = fake->waiting.count;
    for (size_t i = 0; i < count; i++) {
        struct put put = fake->waiting.items[0];
        qn_vec_remove(&fake->waiting, 0);
        enum qn_err err = write_put(fake, &put);
        free_put(&put);
        put.done(put.context, err);
    }
    return count;
}

static enum qn_err read(void *context, struct qn_span prefix, struct qn_span from,
                        bool (*each)(void *each_context, struct qn_span key, struct qn_span value),
                        void *each_context)
{
    struct fake_local *fake = context;
    struct qn_kv *kv = memkv_reader(fake->memkv);
    uint8_t at[QN_LOCAL_KEY_SIZE_MAX + 1] = {0};
    struct qn_span start = qn_span_cmp(from, prefix) > 0 ? from : prefix;
    size_t size = start.size > 0 ? start.size : 1;
    QN_ASSERT(start.size <= sizeof(at));
    memcpy(at, start.data, start.size);
    for (;;) {
        struct qn_span key, value;
        enum qn_err err = qn_kv_seek(kv, QN_TABLE_LOCAL, qn_span(at, size), &key, &value);
        if (err != QN_OK || !qn_span_has_prefix(key, prefix))
            return err == QN_ERR_NOTFOUND ? QN_OK : err;
        memcpy(at, key.data, key.size);
        at[key.size] = 0;
        size = key.size + 1;
        if (!each(each_context, key, value))
            return QN_OK;
    }
}

struct fake_local *fake_local_new(void)
{
    struct fake_local *fake = QN_NEW(struct fake_local);
    fake->door = (struct qn_local){.put = put, .read = read, .context = fake};
    fake->memkv = memkv_new();
    return fake;
}

void fake_local_crash(struct fake_local *fake)
{
    qn_vec_each (&fake->waiting, waiting)
        free_put(waiting);
    fake->waiting.count = 0;
    memkv_crash(fake->memkv);
}

void fake_local_free(struct fake_local *fake)
{
    if (fake == NULL)
        return;
    fake_local_crash(fake);
    qn_vec_free(&fake->waiting);
    memkv_free(fake->memkv);
    qn_free(fake);
}

const struct qn_local *fake_local_door(struct fake_local *fake)
{
    return &fake->door;
}

void fake_local_fail(struct fake_local *fake, enum qn_err err)
{
    fake->next_err = err;
}

size_t fake_local_waiting(const struct fake_local *fake)
{
    return fake->waiting.count;
}

uint64_t fake_local_commits(const struct fake_local *fake)
{
    return fake->commits;
}

struct memkv *fake_local_memkv(struct fake_local *fake)
{
    return fake->memkv;
}
