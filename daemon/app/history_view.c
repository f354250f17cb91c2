#include "app/history_view.h"

#include <stdlib.h>

#include "proto/pack.h"

#define ENTRIES_MAX 256
#define SLICE_MAX   (256 * 1024)
#define PLACE_MAX   1024

/* Where a value stands in the order of a history: clock, writer, field. */
struct when {
    qn_hlc hlc;
    struct qn_dot dot;
    struct qn_span field;
};

struct present {
    struct when when;
    const struct qn_pair *pair;
};

struct qn_history {
    struct qn_buf place; /* among the replaced values, as qn_read_past knows it */
    struct when last;    /* the last present value that was given; its field is in `field` */
    struct qn_buf field;
    bool has_last, has_any;
};

struct qn_history *qn_history_view_new(void)
{
    struct qn_history *history = QN_NEW(struct qn_history);
    qn_buf_init(&history->place, PLACE_MAX);
    qn_buf_init(&history->field, QN_FIELD_SIZE_MAX);
    return history;
}

void qn_history_view_free(struct qn_history *history)
{
    if (history == NULL)
        return;
    qn_buf_deinit(&history->place);
    qn_buf_deinit(&history->field);
    qn_free(history);
}

static int compare(const struct when *a, const struct when *b)
{
    if (a->hlc != b->hlc)
        return a->hlc < b->hlc ? -1 : 1;
    int order = qn_dot_cmp(&a->dot, &b->dot);
    return order != 0 ? order : qn_span_cmp(a->field, b->field);
}

static int by_when(const void *a, const void *b)
{
    return compare(&((const struct present *)a)->when, &((const struct present *)b)->when);
}

/* ---- one entry ---- */

static void pack_when(const struct qn_core *core, const struct qn_dot *dot, qn_hlc hlc,
                      struct qn_span user, struct qn_buf *out)
{
    qn_pack_cstr(out, "site");
    qn_pack_cstr(out, qn_core_actor_name(core, &dot->actor));
    qn_pack_cstr(out, "time");
    qn_pack_u64(out, qn_hlc_ms(hlc));
    qn_pack_cstr(out, "user");
    qn_pack_str(out, user);
}

static void pack_entry(const struct qn_core *core, const struct qn_past *past, bool is_replaced,
                       struct qn_buf *out)
{
    qn_pack_map(out, 6);
    qn_pack_cstr(out, "field");
    qn_pack_str(out, past->field);
    qn_pack_cstr(out, "replaced");
    if (is_replaced) {
        qn_pack_map(out, 3);
        pack_when(core, &past->replaced_by, past->replaced_hlc, past->replaced_user, out);
    } else {
        qn_pack_nil(out);
    }
    pack_when(core, &past->pair.dot, past->pair.hlc, past->pair.user, out);
    qn_pack_cstr(out, "value");
    if (qn_span_eq_str(past->field, QN_FIELD_TRASH))
        qn_pack_bool(out, true);
    else
        qn_pack_raw(out, past->pair.value);
}

/* ---- a slice ---- */

struct slice {
    struct qn_history *history;
    const struct qn_core *core;
    struct qn_kv *kv;
    const struct qn_coll_id *coll;
    struct qn_span key;
    struct qn_record record;
    QN_VEC(struct present) present; /* sorted */
    size_t present_next;
    bool has_past; /* `past` is read and not given yet; `before` is the place in front of it */
    struct qn_past past;
    struct qn_buf before;
};

static enum qn_err read_present(struct slice *slice)
{
    const struct qn_history *history = slice->history;
    enum qn_err err = qn_read_record(slice->kv, slice->coll, slice->key, &slice->record);
    if (err == QN_ERR_NOTFOUND)
        return QN_OK;
    QN_TRY(err);
    qn_vec_each (&slice->record.fields, field)
        qn_vec_each (&field->pairs, pair) {
            struct when when = {pair->hlc, pair->dot, field->name};
            if (!history->has_last || compare(&when, &history->last) > 0)
                qn_vec_push(&slice->present, ((struct present){when, pair}));
        }
    if (slice->present.count > 0)
        qsort(slice->present.items, slice->present.count, sizeof(struct present), by_when);
    return QN_OK;
}

static enum qn_err read_past(struct slice *slice)
{
    struct qn_buf *place = &slice->history->place;
    qn_buf_reset(&slice->before);
    qn_buf_append_span(&slice->before, qn_buf_view(place));
    enum qn_err err = qn_read_past(slice->kv, slice->coll, slice->key, place, &slice->past);
    slice->has_past = err == QN_OK;
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

static bool is_past_next(const struct slice *slice)
{
    if (!slice->has_past || slice->present_next == slice->present.count)
        return slice->has_past;
    struct when when = {slice->past.pair.hlc, slice->past.pair.dot, slice->past.field};
    return compare(&when, &slice->present.items[slice->present_next].when) < 0;
}

static void give_present(struct slice *slice, struct qn_buf *out)
{
    struct qn_history *history = slice->history;
    const struct present *present = &slice->present.items[slice->present_next++];
    struct qn_past entry = {.field = present->when.field, .pair = *present->pair};
    pack_entry(slice->core, &entry, false, out);
    qn_buf_reset(&history->field);
    qn_buf_append_span(&history->field, present->when.field);
    history->last = present->when;
    history->last.field = qn_buf_view(&history->field);
    history->has_last = true;
}

static enum qn_err fill(struct slice *slice, struct qn_buf *out, size_t *ret_count)
{
    size_t count = 0;
    QN_TRY(read_present(slice));
    QN_TRY(read_past(slice));
    while (count < ENTRIES_MAX && out->size < SLICE_MAX &&
           (slice->has_past || slice->present_next < slice->present.count)) {
        if (is_past_next(slice)) {
            pack_entry(slice->core, &slice->past, true, out);
            QN_TRY(read_past(slice));
        } else {
            give_present(slice, out);
        }
        count++;
    }
    if (slice->has_past) { /* it opens the next slice */
        qn_buf_reset(&slice->history->place);
        qn_buf_append_span(&slice->history->place, qn_buf_view(&slice->before));
    }
    *ret_count = count;
    return qn_buf_status(out);
}

enum qn_err qn_history_view_next(struct qn_history *history, const struct qn_core *core,
                                 struct qn_kv *kv, const struct qn_coll_id *coll,
                                 struct qn_span key, struct qn_buf *out, bool *ret_is_end)
{
    struct slice slice = {.history = history, .core = core, .kv = kv, .coll = coll, .key = key};
    size_t count = 0;
    qn_buf_init(&slice.before, PLACE_MAX);
    enum qn_err err = fill(&slice, out, &count);
    qn_record_deinit(&slice.record);
    qn_vec_free(&slice.present);
    qn_buf_deinit(&slice.before);
    QN_TRY(err);
    *ret_is_end = count == 0;
    history->has_any |= count > 0;
    return history->has_any ? QN_OK : QN_ERR_NOTFOUND;
}
