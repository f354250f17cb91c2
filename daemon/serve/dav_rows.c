/* Locks and dead properties as rows of base/local.h, and how they follow their resources. */
#include "serve/dav_private.h"

#define BATCH_ROWS_MAX 256
#define BATCH_SIZE     ((size_t)192 * 1024) /* wished; the last row may be a large one */
#define BATCH_SIZE_MAX (BATCH_SIZE + 3 * QN_LOCAL_ROW_SIZE_MAX)

/* ---- loading ---- */

struct loading {
    struct qn_dav *dav;
    enum qn_err err; /* of the first row that cannot be read */
};

static bool load_lock(void *context, struct qn_span key, struct qn_span value)
{
    struct loading *loading = context;
    enum qn_err err = qn_dav_locks_load(loading->dav->locks, key, value, dav_wall_ms(loading->dav));
    loading->err = loading->err != QN_OK ? loading->err : err;
    return true;
}

static bool count_row(void *context, struct qn_span key, struct qn_span value)
{
    struct loading *loading = context;
    loading->dav->dead_size += key.size + value.size;
    return true;
}

enum qn_err dav_rows_load(struct qn_dav *dav)
{
    const struct qn_local *local = dav->options.host->local;
    struct loading loading = {.dav = dav, .err = QN_OK};
    struct qn_span locks = qn_span_str(QN_DAV_LOCK_ROW_PREFIX);
    struct qn_span dead = qn_span_str(QN_DAV_DEAD_ROW_PREFIX);
    QN_TRY(local->read(local->context, locks, locks, load_lock, &loading));
    QN_TRY(local->read(local->context, dead, dead, count_row, &loading));
    return loading.err;
}

/* ---- one row ---- */

struct getting_row {
    struct qn_buf *row;
    struct qn_span key;
    bool is_found;
};

static bool take_row(void *context, struct qn_span key, struct qn_span value)
{
    struct getting_row *get = context;
    get->is_found = qn_span_eq(key, get->key);
    if (get->is_found)
        qn_buf_append_span(get->row, value);
    return false; /* the first one is the key's own, or there is none */
}

void dav_dead_get(const struct qn_dav *dav, struct qn_span path, struct qn_buf *row,
                  struct qn_dav_dead *ret_dead)
{
    const struct qn_local *local = dav->options.host->local;
    QN_AUTO_BUF struct qn_buf key;
    struct qn_span row_path;
    qn_buf_init(&key, QN_LOCAL_KEY_SIZE_MAX);
    qn_dav_dead_key(path, &key);
    qn_buf_reset(row);
    ret_dead->count = 0;
    struct getting_row get = {.row = row, .key = qn_buf_view(&key)};
    if (local->read(local->context, get.key, get.key, take_row, &get) != QN_OK || !get.is_found)
        return;
    if (qn_dav_dead_read(qn_buf_view(row), &row_path, ret_dead) != QN_OK ||
        !qn_span_eq(row_path, path))
        ret_dead->count = 0;
}

void dav_put(struct dav_request *dav, struct dav_rows rows, void (*done)(void *, enum qn_err))
{
    const struct qn_local *local = dav->dav->options.host->local;
    dav_wait(dav, NULL);
    local->put(local->context, rows.rows, rows.count, done, dav);
}

/* ---- rows follow ---- */

/* A batch: rows as offsets into `bytes`, since it grows. */
struct batch_row {
    size_t key, key_size, value_size; /* the value stands behind the key */
    bool is_gone;
};
struct following {
    struct qn_dav *dav;
    struct dav_rows_job job;
    enum dav_rows_change change; /* what is done now: what `to` had goes, or the job's */
    struct qn_span from;
    struct qn_buf bytes, cursor; /* the key from which to read on */
    struct batch_row rows[BATCH_ROWS_MAX];
    size_t count;
    uint64_t added, removed; /* bytes of properties in the batch */
    bool is_full;
};

static void follow_free(struct following *follow)
{
    qn_buf_deinit(&follow->bytes);
    qn_buf_deinit(&follow->cursor);
    qn_free(follow);
}

static struct batch_row *batch_start(struct following *follow)
{
    struct batch_row *row = &follow->rows[follow->count++];
    *row = (struct batch_row){.key = follow->bytes.size};
    return row;
}

static void batch_end_key(struct following *follow, struct batch_row *row)
{
    row->key_size = follow->bytes.size - row->key;
}

/* Two rows may be added for each that is looked at. */
static bool batch_is_full(const struct following *follow)
{
    return follow->count + 2 > BATCH_ROWS_MAX || follow->bytes.size > BATCH_SIZE;
}

static void add_gone(struct following *follow, struct qn_span key, size_t value_size)
{
    struct batch_row *row = batch_start(follow);
    qn_buf_append_span(&follow->bytes, key);
    batch_end_key(follow, row);
    row->is_gone = true;
    follow->removed += key.size + value_size;
}

/* "FROM/x" becomes "TO/x". What is over the limit of all properties stays behind. */
static void add_moved(struct following *follow, struct qn_span path, const struct qn_dav_dead *dead)
{
    QN_AUTO_BUF struct qn_buf target;
    qn_buf_init(&target, 2 * DAV_PATH_SIZE_MAX);
    qn_buf_append_span(&target, follow->job.to);
    qn_buf_append_span(&target, qn_span_from(path, follow->from.size));
    size_t before = follow->bytes.size;
    struct batch_row *row = batch_start(follow);
    qn_dav_dead_key(qn_buf_view(&target), &follow->bytes);
    batch_end_key(follow, row);
    enum qn_err err = qn_dav_dead_write(dead, qn_buf_view(&target), &follow->bytes);
    row->value_size = follow->bytes.size - row->key - row->key_size;
    uint64_t size = row->key_size + row->value_size;
    if (err == QN_OK && follow->dav->dead_size + follow->added + size <= DAV_DEAD_SIZE_MAX) {
        follow->added += size;
        return;
    }
    qn_buf_truncate(&follow->bytes, before);
    follow->count--;
}

static bool take_dead(void *context, struct qn_span key, struct qn_span value)
{
    struct following *follow = context;
    struct qn_span path;
    struct qn_dav_dead dead;
    qn_buf_reset(&follow->cursor);
    qn_buf_append_span(&follow->cursor, key);
    follow->is_full = batch_is_full(follow);
    if (follow->is_full)
        return false;
    bool is_ours = qn_dav_dead_read(value, &path, &dead) == QN_OK &&
                   qn_dav_dead_is_within(path, follow->from) &&
                   (follow->change == DAV_ROWS_DELETE || !follow->job.is_shallow ||
                    path.size == follow->from.size);
    if (is_ours && follow->change != DAV_ROWS_DELETE)
        add_moved(follow, path, &dead);
    if (is_ours && follow->change != DAV_ROWS_COPY)
        add_gone(follow, key, value.size);
    return true;
}

/* A lock does not go with its resource. It counts no more from here on, so that the next batch goes
 * on behind it; should its row stay because the store is full, it is back after a restart. */
static void take_locks(struct following *follow)
{
    struct qn_dav *dav = follow->dav;
    const struct qn_dav_lock *lock;
    while (follow->change != DAV_ROWS_COPY && !batch_is_full(follow) &&
           (lock = qn_dav_locks_within(dav->locks, follow->from, dav_wall_ms(dav), NULL)) != NULL) {
        struct batch_row *row = batch_start(follow);
        qn_dav_lock_key(qn_span_str(lock->token), &follow->bytes);
        batch_end_key(follow, row);
        row->is_gone = true;
        qn_dav_locks_remove(dav->locks, qn_span_str(lock->token));
    }
}

static void follow_step(struct following *follow);

static void follow_begin(struct following *follow, enum dav_rows_change change, struct qn_span from)
{
    follow->change = change;
    follow->from = from;
    qn_buf_reset(&follow->cursor);
    qn_dav_dead_key_prefix(from, &follow->cursor);
    follow_step(follow);
}

static void follow_end(struct following *follow, enum qn_err err)
{
    struct qn_dav *dav = follow->dav;
    struct dav_rows_job job = follow->job;
    if (err == QN_OK && follow->change != job.change) {
        follow_begin(follow, job.change, job.from);
        return;
    }
    follow_free(follow);
    job.done(job.context, err);
    dav_leave(dav);
}

static void on_batch(void *context, enum qn_err err)
{
    struct following *follow = context;
    struct qn_dav *dav = follow->dav;
    if (err == QN_OK) {
        dav->dead_size += follow->added;
        dav->dead_size -= follow->removed < dav->dead_size ? follow->removed : dav->dead_size;
    }
    if (err == QN_OK && follow->is_full)
        follow_step(follow);
    else
        follow_end(follow, err);
}

static void put_batch(struct following *follow)
{
    const struct qn_local *local = follow->dav->options.host->local;
    struct qn_local_row rows[BATCH_ROWS_MAX];
    for (size_t i = 0; i < follow->count; i++) {
        const struct batch_row *row = &follow->rows[i];
        const uint8_t *at = follow->bytes.data + row->key;
        rows[i] = (struct qn_local_row){.key = qn_span(at, row->key_size),
                                        .value = qn_span(at + row->key_size, row->value_size),
                                        .is_gone = row->is_gone};
    }
    local->put(local->context, rows, follow->count, on_batch, follow);
}

static void follow_step(struct following *follow)
{
    const struct qn_local *local = follow->dav->options.host->local;
    QN_AUTO_BUF struct qn_buf prefix;
    follow->count = 0;
    follow->added = follow->removed = 0;
    qn_buf_reset(&follow->bytes);
    take_locks(follow);
    qn_buf_init(&prefix, QN_LOCAL_KEY_SIZE_MAX);
    qn_dav_dead_key_prefix(follow->from, &prefix);
    follow->is_full = batch_is_full(follow); /* of locks alone */
    enum qn_err err = QN_OK;
    if (!follow->is_full)
        err = local->read(local->context, qn_buf_view(&prefix), qn_buf_view(&follow->cursor),
                          take_dead, follow);
    if (err != QN_OK || follow->count == 0)
        follow_end(follow, err);
    else
        put_batch(follow);
}

void dav_rows_follow(struct qn_dav *dav, const struct dav_rows_job *job)
{
    struct following *follow = QN_NEW(struct following);
    follow->dav = dav;
    follow->job = *job;
    dav->request_count++;
    qn_buf_init(&follow->bytes, BATCH_SIZE_MAX);
    qn_buf_init(&follow->cursor, QN_LOCAL_KEY_SIZE_MAX);
    follow_begin(follow, DAV_ROWS_DELETE, job->change == DAV_ROWS_DELETE ? job->from : job->to);
}

void qn_dav_follow(struct qn_dav *dav, enum qn_dav_moved change, struct qn_span from,
                   struct qn_span to, void (*done)(void *context, enum qn_err err), void *context)
{
    static const enum dav_rows_change changes[] = {[QN_DAV_REMOVED] = DAV_ROWS_DELETE,
                                                   [QN_DAV_COPIED] = DAV_ROWS_COPY,
                                                   [QN_DAV_MOVED] = DAV_ROWS_MOVE};
    struct dav_rows_job job = {
        .change = changes[change], .from = from, .to = to, .done = done, .context = context};
    if (dav == NULL)
        done(context, QN_OK);
    else
        dav_rows_follow(dav, &job);
}
