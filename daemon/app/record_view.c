#include "app/record_view.h"

#include <stdlib.h>

#include "proto/pack.h"

static bool is_trash(const struct qn_field *field)
{
    return qn_span_eq_str(field->name, QN_FIELD_TRASH);
}

static void pack_site_time(const struct qn_core *core, const struct qn_pair *pair,
                           struct qn_buf *out)
{
    qn_pack_cstr(out, "site");
    qn_pack_cstr(out, qn_core_actor_name(core, &pair->dot.actor));
    qn_pack_cstr(out, "time");
    qn_pack_u64(out, qn_hlc_ms(pair->hlc));
}

static int by_clock(const void *a, const void *b)
{
    const struct qn_pair *x = *(const struct qn_pair *const *)a;
    const struct qn_pair *y = *(const struct qn_pair *const *)b;
    if (x->hlc != y->hlc)
        return x->hlc < y->hlc ? 1 : -1;
    return qn_actor_cmp(&y->dot.actor, &x->dot.actor);
}

/* The pairs of a field, the shown one first; owned by the caller. */
static const struct qn_pair **sort_pairs(const struct qn_field *field)
{
    const struct qn_pair **sorted = qn_alloc(field->pairs.count * sizeof(*sorted));
    for (size_t i = 0; i < field->pairs.count; i++)
        sorted[i] = &field->pairs.items[i];
    qsort(sorted, field->pairs.count, sizeof(*sorted), by_clock);
    return sorted;
}

static void pack_values(const struct qn_core *core, const struct qn_field *field,
                        struct qn_buf *out)
{
    QN_AUTO_FREE const struct qn_pair **sorted = sort_pairs(field);
    qn_pack_array(out, field->pairs.count);
    for (size_t i = 0; i < field->pairs.count; i++) {
        qn_pack_map(out, 3);
        pack_site_time(core, sorted[i], out);
        qn_pack_cstr(out, "value");
        qn_pack_raw(out, sorted[i]->value);
    }
}

static const struct qn_pair *latest_edit(const struct qn_record *record)
{
    const struct qn_pair *latest = NULL;
    qn_vec_each (&record->fields, field) {
        const struct qn_pair *shown = is_trash(field) ? NULL : qn_field_shown(field);
        if (shown != NULL && (latest == NULL || by_clock(&shown, &latest) < 0))
            latest = shown;
    }
    return latest;
}

static void pack_side(const struct qn_core *core, const struct qn_pair *pair, bool is_trashed,
                      struct qn_buf *out)
{
    qn_pack_map(out, 3);
    pack_site_time(core, pair, out);
    qn_pack_cstr(out, "value");
    qn_pack_bool(out, is_trashed);
}

/* Deleted at one site, edited at another: the latest edit, which is shown, and the deletions. */
static void pack_contest(const struct qn_core *core, const struct qn_record *record,
                         const struct qn_field *trash, struct qn_buf *out)
{
    const struct qn_pair *edit = latest_edit(record);
    QN_AUTO_FREE const struct qn_pair **sorted = sort_pairs(trash);
    qn_pack_array(out, trash->pairs.count + (edit != NULL));
    if (edit != NULL)
        pack_side(core, edit, false, out);
    for (size_t i = 0; i < trash->pairs.count; i++)
        pack_side(core, sorted[i], true, out);
}

static bool conflicts(const struct qn_field *field, bool is_contested)
{
    return is_trash(field) ? is_contested : qn_field_has_conflict(field);
}

static size_t count_conflicts(const struct qn_record *record, bool is_contested)
{
    size_t count = 0;
    qn_vec_each (&record->fields, field)
        count += conflicts(field, is_contested);
    return count;
}

static void pack_conflicts(const struct qn_core *core, const struct qn_record *record,
                           bool is_contested, size_t count, struct qn_buf *out)
{
    qn_pack_cstr(out, "conflicts");
    qn_pack_map(out, count);
    qn_vec_each (&record->fields, field) {
        if (!conflicts(field, is_contested))
            continue;
        qn_pack_str(out, field->name);
        if (is_trash(field))
            pack_contest(core, record, field, out);
        else
            pack_values(core, field, out);
    }
}

static void pack_fields(const struct qn_record *record, struct qn_buf *out)
{
    size_t count = 0;
    qn_vec_each (&record->fields, field)
        count += !is_trash(field);
    qn_pack_cstr(out, "fields");
    qn_pack_map(out, count);
    qn_vec_each (&record->fields, field) {
        if (is_trash(field))
            continue;
        qn_pack_str(out, field->name);
        qn_pack_raw(out, qn_field_shown(field)->value);
    }
}

void qn_view_record(const struct qn_core *core, const char *collection, struct qn_span key,
                    const struct qn_record *record, bool with_version, struct qn_buf *out)
{
    bool is_contested = qn_record_state(record) == QN_RECORD_CONTESTED;
    size_t count = count_conflicts(record, is_contested);
    bool is_incomplete = qn_core_is_incomplete(core, qn_span_str(collection));
    qn_pack_map(out, 4 + (size_t)(count > 0) + (size_t)is_incomplete + (size_t)with_version);
    qn_pack_cstr(out, "collection");
    qn_pack_cstr(out, collection);
    if (count > 0)
        pack_conflicts(core, record, is_contested, count, out);
    pack_fields(record, out);
    if (is_incomplete) {
        qn_pack_cstr(out, "incomplete");
        qn_pack_bool(out, true);
    }
    qn_pack_cstr(out, "key");
    qn_pack_str(out, key);
    qn_pack_cstr(out, "updated");
    qn_pack_map(out, 2);
    pack_site_time(core, qn_record_latest(record), out);
    if (with_version) {
        uint8_t hash[QN_STATE_HASH_SIZE];
        qn_record_hash(record, false, hash);
        qn_pack_cstr(out, "version");
        qn_pack_bin(out, QN_SPAN_OF(hash));
    }
}

void qn_view_trashed(const struct qn_core *core, struct qn_span key, const struct qn_record *record,
                     struct qn_buf *out)
{
    const struct qn_field *trash = qn_record_field(record, qn_span_str(QN_FIELD_TRASH));
    qn_pack_map(out, 3);
    qn_pack_cstr(out, "key");
    qn_pack_str(out, key);
    pack_site_time(core, qn_field_shown(trash), out);
}

void qn_view_conflict_fields(const struct qn_record *record, struct qn_buf *out)
{
    bool is_contested = qn_record_state(record) == QN_RECORD_CONTESTED;
    qn_pack_array(out, count_conflicts(record, is_contested));
    qn_vec_each (&record->fields, field)
        if (conflicts(field, is_contested))
            qn_pack_str(out, field->name);
}
