/* Backup plans and what became of their runs. */
#include "base/text.h"
#include "model/book_impl.h"
#include "proto/pack.h"

#define TAG_PLAN    'p'
#define TAG_RUNS    'r'
#define RUNS_FORMAT 1
#define ITEM_COUNT  8

/* ---- bytes ---- */

void qn_plan_deinit(struct qn_plan *plan)
{
    qn_vec_free(&plan->paths);
    qn_vec_free(&plan->excludes);
    qn_vec_free(&plan->copies);
}

void qn_plan_pack(const struct qn_plan *plan, struct qn_buf *out)
{
    qn_pack_array(out, ITEM_COUNT);
    qn_pack_str(out, plan->name);
    qn_pack_array(out, plan->paths.count);
    qn_vec_each (&plan->paths, path)
        qn_pack_bin(out, *path);
    qn_pack_array(out, plan->excludes.count);
    qn_vec_each (&plan->excludes, line)
        qn_pack_bin(out, *line);
    qn_pack_str(out, plan->schedule);
    qn_pack_str(out, plan->keep);
    qn_pack_array(out, plan->copies.count);
    qn_vec_each (&plan->copies, holder)
        qn_pack_bin(out, QN_SPAN_OF(holder->bytes));
    qn_pack_u64(out, plan->lock_days);
    qn_pack_u64(out, plan->created_ms);
}

static enum qn_err read_path(struct qn_cursor *cursor, struct qn_span *ret_path)
{
    QN_TRY(qn_cursor_bin(cursor, QN_PLAN_PATH_SIZE_MAX, ret_path));
    bool is_path = ret_path->size > 0 && ret_path->data[0] == '/' &&
                   memchr(ret_path->data, 0, ret_path->size) == NULL;
    return is_path ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_paths(struct qn_cursor *cursor, struct qn_plan *plan)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, QN_PLAN_PATHS_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        struct qn_span path;
        QN_TRY(read_path(cursor, &path));
        qn_vec_push(&plan->paths, path);
    }
    return QN_OK;
}

static enum qn_err read_excludes(struct qn_cursor *cursor, struct qn_plan *plan)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, QN_PLAN_EXCLUDES_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        struct qn_span line;
        QN_TRY(qn_cursor_bin(cursor, QN_PLAN_PATH_SIZE_MAX, &line));
        qn_vec_push(&plan->excludes, line);
    }
    return QN_OK;
}

static enum qn_err read_copies(struct qn_cursor *cursor, struct qn_plan *plan)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, QN_COPIES_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        struct qn_site_id holder;
        QN_TRY(qn_cursor_bytes(cursor, holder.bytes, sizeof(holder.bytes)));
        if (i > 0 && qn_site_id_cmp(&plan->copies.items[i - 1], &holder) >= 0)
            return QN_ERR_INVALID;
        qn_vec_push(&plan->copies, holder);
    }
    return QN_OK;
}

static enum qn_err read_plan(struct qn_cursor *cursor, struct qn_plan *plan)
{
    size_t count;
    uint64_t lock_days;
    QN_TRY(qn_cursor_array(cursor, ITEM_COUNT, &count));
    if (count != ITEM_COUNT)
        return QN_ERR_INVALID;
    QN_TRY(qn_cursor_str(cursor, QN_NAME_SIZE_MAX, &plan->name));
    if (!qn_text_is_name(plan->name))
        return QN_ERR_INVALID;
    QN_TRY(read_paths(cursor, plan));
    QN_TRY(read_excludes(cursor, plan));
    QN_TRY(qn_cursor_str(cursor, QN_PLAN_TEXT_SIZE_MAX, &plan->schedule));
    QN_TRY(qn_cursor_str(cursor, QN_PLAN_TEXT_SIZE_MAX, &plan->keep));
    QN_TRY(read_copies(cursor, plan));
    QN_TRY(qn_cursor_u64(cursor, &lock_days));
    if (lock_days > QN_LOCK_DAYS_MAX)
        return QN_ERR_LIMIT;
    plan->lock_days = (uint32_t)lock_days;
    QN_TRY(qn_cursor_u64(cursor, &plan->created_ms));
    return qn_cursor_finish(cursor);
}

enum qn_err qn_plan_unpack(struct qn_span bytes, struct qn_plan *ret_plan)
{
    if (bytes.size > QN_PLAN_SIZE_MAX)
        return QN_ERR_LIMIT;
    struct qn_plan plan = {0};
    struct qn_cursor cursor = qn_cursor(bytes);
    enum qn_err err = read_plan(&cursor, &plan);
    if (err == QN_OK)
        *ret_plan = plan;
    else
        qn_plan_deinit(&plan);
    return err;
}

/* ---- the table ---- */

static enum qn_err count_plans(struct qn_kv *kv, size_t *ret_count)
{
    struct qn_key key;
    struct qn_span found, value;
    size_t count = 0;
    struct qn_span at = qn_key_tagged(&key, TAG_PLAN, qn_span(NULL, 0));
    enum qn_err err;
    while ((err = qn_kv_seek(kv, QN_TABLE_PLAN, at, &found, &value)) == QN_OK &&
           found.data[0] == TAG_PLAN) {
        qn_key_copy(&key, found);
        at = qn_key_next(&key);
        count++;
    }
    *ret_count = count;
    return qn_may_miss(err);
}

static enum qn_err put_plan(struct qn_kv *kv, struct qn_span name, struct qn_span packed)
{
    struct qn_key key;
    struct qn_span old;
    size_t count;
    qn_key_tagged(&key, TAG_PLAN, name);
    enum qn_err err = qn_kv_get(kv, QN_TABLE_PLAN, qn_key_view(&key), &old);
    QN_TRY(qn_may_miss(err));
    QN_TRY(count_plans(kv, &count));
    if (err == QN_ERR_NOTFOUND && count >= QN_PLANS_MAX)
        return QN_ERR_LIMIT;
    return qn_kv_put(kv, QN_TABLE_PLAN, qn_key_view(&key), packed);
}

enum qn_err qn_book_plan_put(struct qn_kv *kv, struct qn_span packed)
{
    struct qn_plan plan;
    QN_TRY(qn_plan_unpack(packed, &plan));
    enum qn_err err = put_plan(kv, plan.name, packed);
    qn_plan_deinit(&plan);
    return err;
}

/* Names that no plan has are not looked for: a key would have no room for them. */
static enum qn_err check_name(struct qn_span name)
{
    return qn_text_is_name(name) ? QN_OK : QN_ERR_NOTFOUND;
}

enum qn_err qn_book_plan_remove(struct qn_kv *kv, struct qn_span name)
{
    struct qn_key key;
    QN_TRY(check_name(name));
    QN_TRY(qn_kv_del(kv, QN_TABLE_PLAN, qn_key_tagged(&key, TAG_PLAN, name)));
    QN_TRY(qn_may_miss(qn_kv_del(kv, QN_TABLE_PLAN, qn_key_tagged(&key, QN_TAG_DRILL, name))));
    return qn_may_miss(qn_kv_del(kv, QN_TABLE_PLAN, qn_key_tagged(&key, TAG_RUNS, name)));
}

enum qn_err qn_book_plan_get(struct qn_kv *kv, struct qn_span name, struct qn_span *ret_packed)
{
    struct qn_key key;
    QN_TRY(check_name(name));
    return qn_kv_get(kv, QN_TABLE_PLAN, qn_key_tagged(&key, TAG_PLAN, name), ret_packed);
}

enum qn_err qn_book_plan_next(struct qn_kv *kv, struct qn_span after, struct qn_span *ret_packed)
{
    struct qn_key key;
    struct qn_span found, packed;
    if (after.size > QN_NAME_SIZE_MAX)
        return QN_ERR_NOTFOUND;
    qn_key_tagged(&key, TAG_PLAN, after);
    struct qn_span at = after.size > 0 ? qn_key_next(&key) : qn_key_view(&key);
    QN_TRY(qn_kv_seek(kv, QN_TABLE_PLAN, at, &found, &packed));
    if (found.data[0] != TAG_PLAN)
        return QN_ERR_NOTFOUND;
    *ret_packed = packed;
    return QN_OK;
}

/* ---- runs ---- */

/* Errors are stored by name: their numbers are not promised to anybody. */
static void write_err(struct qn_buf *row, enum qn_err err)
{
    struct qn_span name = qn_span_str(qn_err_name(err));
    qn_buf_append_u8(row, (uint8_t)name.size);
    qn_buf_append_span(row, name);
}

static enum qn_err read_err(struct qn_fixed *fixed)
{
    char name[UINT8_MAX + 1];
    size_t size = qn_fixed_u8(fixed);
    for (size_t i = 0; i < size; i++)
        name[i] = (char)qn_fixed_u8(fixed);
    name[size] = 0;
    return qn_err_from_name(name);
}

static enum qn_err read_runs(struct qn_span row, struct qn_plan_runs *ret_runs)
{
    struct qn_fixed fixed = qn_fixed(row, RUNS_FORMAT);
    struct qn_plan_runs runs = {.start_ms = qn_fixed_u64(&fixed)};
    runs.success_ms = qn_fixed_u64(&fixed);
    runs.attempt_ms = qn_fixed_u64(&fixed);
    runs.attempt_err = read_err(&fixed);
    runs.attempt_files_failed = qn_fixed_u64(&fixed);
    runs.drill_ms = qn_fixed_u64(&fixed);
    runs.drill_err = read_err(&fixed);
    runs.drill_files = qn_fixed_u64(&fixed);
    runs.drill_bytes = qn_fixed_u64(&fixed);
    QN_TRY(qn_fixed_end(&fixed));
    *ret_runs = runs;
    return QN_OK;
}

enum qn_err qn_book_runs_get(struct qn_kv *kv, struct qn_span name, struct qn_plan_runs *ret_runs)
{
    struct qn_key key;
    struct qn_span row;
    QN_TRY(qn_book_plan_get(kv, name, &row));
    enum qn_err err = qn_kv_get(kv, QN_TABLE_PLAN, qn_key_tagged(&key, TAG_RUNS, name), &row);
    if (err == QN_OK)
        return read_runs(row, ret_runs);
    QN_TRY(qn_may_miss(err));
    *ret_runs = (struct qn_plan_runs){0};
    return QN_OK;
}

static enum qn_err put_runs(struct qn_kv *kv, struct qn_span name, const struct qn_plan_runs *runs)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_BOOK_ROW_MAX);
    qn_buf_append_u8(&row, RUNS_FORMAT);
    qn_buf_append_u64(&row, runs->start_ms);
    qn_buf_append_u64(&row, runs->success_ms);
    qn_buf_append_u64(&row, runs->attempt_ms);
    write_err(&row, runs->attempt_err);
    qn_buf_append_u64(&row, runs->attempt_files_failed);
    qn_buf_append_u64(&row, runs->drill_ms);
    write_err(&row, runs->drill_err);
    qn_buf_append_u64(&row, runs->drill_files);
    qn_buf_append_u64(&row, runs->drill_bytes);
    QN_TRY(qn_buf_status(&row));
    struct qn_key key;
    return qn_kv_put(kv, QN_TABLE_PLAN, qn_key_tagged(&key, TAG_RUNS, name), qn_buf_view(&row));
}

enum qn_err qn_book_started(struct qn_kv *kv, struct qn_span name, uint64_t now_ms)
{
    struct qn_plan_runs runs;
    QN_TRY(qn_book_runs_get(kv, name, &runs));
    runs.start_ms = now_ms;
    return put_runs(kv, name, &runs);
}

enum qn_err qn_book_ended(struct qn_kv *kv, struct qn_span name, uint64_t now_ms, enum qn_err err,
                          uint64_t files_failed)
{
    struct qn_plan_runs runs;
    QN_TRY(qn_book_runs_get(kv, name, &runs));
    runs.attempt_ms = now_ms;
    runs.attempt_err = err;
    runs.attempt_files_failed = files_failed;
    if (err == QN_OK)
        runs.success_ms = now_ms;
    return put_runs(kv, name, &runs);
}

enum qn_err qn_book_drilled(struct qn_kv *kv, struct qn_span name, uint64_t now_ms, enum qn_err err,
                            uint64_t files, uint64_t bytes)
{
    struct qn_plan_runs runs;
    QN_TRY(qn_book_runs_get(kv, name, &runs));
    runs.drill_ms = now_ms;
    runs.drill_err = err;
    runs.drill_files = files;
    runs.drill_bytes = bytes;
    return put_runs(kv, name, &runs);
}
