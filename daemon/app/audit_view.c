#include "app/audit_view.h"

#include "base/limits.h"
#include "base/mem.h"
#include "people/audit.h"
#include "proto/pack.h"

#define SLICE_ROWS 500 /* looked at in one turn of the loop */
#define SLICE_SIZE (128 * 1024)

struct qn_audit_view {
    struct qn_audit_view_options options;
    char user[QN_PERSON_SIZE_MAX + 1];
    uint8_t at[QN_KV_KEY_SIZE_MAX + 1]; /* the next row is not before it */
    size_t at_size;
    bool is_placed;
};

static void go_to(struct qn_audit_view *view, struct qn_span key, bool is_behind)
{
    memcpy(view->at, key.data, key.size);
    view->at[key.size] = 0;
    view->at_size = key.size + (is_behind ? 1 : 0);
}

struct qn_audit_view *qn_audit_view_new(const struct qn_audit_view_options *options)
{
    struct qn_audit_view *view = QN_NEW(struct qn_audit_view);
    view->options = *options;
    if (options->user.size > 0 && options->user.size <= QN_PERSON_SIZE_MAX)
        memcpy(view->user, options->user.data, options->user.size);
    view->options.user = qn_span_str(view->user);
    go_to(view, qn_span_str(options->is_raw ? QN_AUDIT_PREFIX : QN_AUDIT_ENTRY_PREFIX), false);
    return view;
}

void qn_audit_view_free(struct qn_audit_view *view)
{
    qn_free(view);
}

/* The next row with that prefix; QN_ERR_NOTFOUND. */
static enum qn_err next_row(struct qn_audit_view *view, struct qn_kv *kv, const char *prefix,
                            struct qn_span *ret_key, struct qn_span *ret_value)
{
    QN_TRY(qn_kv_seek(kv, QN_TABLE_LOCAL, qn_span(view->at, view->at_size), ret_key, ret_value));
    if (!qn_span_has_prefix(*ret_key, qn_span_str(prefix)))
        return QN_ERR_NOTFOUND;
    go_to(view, *ret_key, true);
    return QN_OK;
}

/* Checkpoints tell up to which entry everything is older: hours of a year, so a walk is short. */
static enum qn_err find_start(struct qn_audit_view *view, struct qn_kv *kv)
{
    uint64_t seq = view->options.after_seq;
    struct qn_span key, value;
    enum qn_err err = QN_OK;
    go_to(view, qn_span_str(QN_AUDIT_CHECKPOINT_PREFIX), false);
    for (;;) {
        struct qn_audit_checkpoint checkpoint;
        err = next_row(view, kv, QN_AUDIT_CHECKPOINT_PREFIX, &key, &value);
        if (err != QN_OK || qn_audit_checkpoint_unpack(value, &checkpoint) != QN_OK ||
            checkpoint.wall_ms >= view->options.since_ms)
            break;
        seq = checkpoint.seq > seq ? checkpoint.seq : seq;
    }
    QN_AUTO_BUF struct qn_buf start;
    qn_buf_init(&start, QN_KV_KEY_SIZE_MAX);
    qn_audit_key(QN_AUDIT_ENTRY_PREFIX, seq + 1, &start);
    go_to(view, qn_buf_view(&start), false);
    view->is_placed = true;
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

static void pack_member(struct qn_buf *out, const char *key, struct qn_span text)
{
    qn_pack_cstr(out, key);
    qn_pack_str(out, text);
}

static void pack_entry(const struct qn_audit_entry *entry, struct qn_buf *out)
{
    qn_pack_map(out, 9);
    pack_member(out, "action", entry->action);
    pack_member(out, "actor", entry->actor);
    pack_member(out, "address", entry->address);
    pack_member(out, "device", entry->device);
    pack_member(out, "object", entry->object);
    pack_member(out, "result", entry->result);
    qn_pack_cstr(out, "seq");
    qn_pack_u64(out, entry->seq);
    pack_member(out, "site", entry->site);
    qn_pack_cstr(out, "time");
    qn_pack_u64(out, entry->wall_ms);
}

/* A damaged row is not shown: `log verify` says that it is one. */
static bool add_entry(const struct qn_audit_view *view, struct qn_span value, struct qn_buf *out)
{
    const struct qn_audit_view_options *o = &view->options;
    struct qn_audit_entry entry;
    if (qn_audit_entry_unpack(value, &entry) != QN_OK || entry.wall_ms < o->since_ms ||
        (o->user.size > 0 && !qn_span_eq(entry.actor, o->user)))
        return false;
    pack_entry(&entry, out);
    return true;
}

static bool add_raw(struct qn_span key, struct qn_span value, struct qn_buf *out)
{
    qn_pack_array(out, 2);
    qn_pack_bin(out, key);
    qn_pack_bin(out, value);
    return true;
}

enum qn_err qn_audit_view_next(struct qn_audit_view *view, struct qn_kv *kv, struct qn_buf *out,
                               bool *ret_is_end)
{
    bool is_raw = view->options.is_raw;
    const char *prefix = is_raw ? QN_AUDIT_PREFIX : QN_AUDIT_ENTRY_PREFIX;
    QN_AUTO_BUF struct qn_buf items;
    size_t count = 0;
    enum qn_err err = QN_OK;
    qn_buf_init(&items, QN_CONTROL_FRAME_SIZE_MAX / 2);
    if (!is_raw && !view->is_placed)
        QN_TRY(find_start(view, kv));
    for (size_t i = 0; i < SLICE_ROWS && items.size < SLICE_SIZE && err == QN_OK; i++) {
        struct qn_span key, value;
        err = next_row(view, kv, prefix, &key, &value);
        if (err == QN_OK)
            count += is_raw ? add_raw(key, value, &items) : add_entry(view, value, &items);
    }
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        return err;
    *ret_is_end = err == QN_ERR_NOTFOUND && count == 0;
    if (count > 0) {
        qn_pack_array(out, count);
        qn_buf_append_span(out, qn_buf_view(&items));
    }
    QN_TRY(qn_buf_status(&items));
    return qn_buf_status(out);
}
