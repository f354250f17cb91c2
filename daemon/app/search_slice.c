/* What is read of a collection for one batch: all its records, slice after slice, then what
 * changed. */
#include <string.h>

#include "app/search_feed_impl.h"
#include "app/search_text.h"
#include "proto/pack.h"

/* ---- where a feed stands ---- */

static void start_over(struct source *source, uint64_t order_head)
{
    source->next_seq = order_head + 1;
    source->round++;
    source->key_size = 0;
    source->is_reading_all = true;
}

void slice_pack_position(const struct source *source, struct qn_buf *out)
{
    qn_buf_reset(out);
    qn_pack_array(out, 3);
    qn_pack_u64(out, source->next_seq);
    qn_pack_u64(out, source->round);
    if (source->is_reading_all)
        qn_pack_str(out, qn_span(source->key, source->key_size));
    else
        qn_pack_nil(out);
}

static enum qn_err read_position(struct qn_span packed, struct source *source)
{
    struct qn_cursor cursor = qn_cursor(packed);
    struct qn_span key;
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, 3, &count));
    QN_TRY(qn_cursor_u64(&cursor, &source->next_seq));
    QN_TRY(qn_cursor_u64(&cursor, &source->round));
    source->is_reading_all = qn_cursor_str(&cursor, QN_KEY_SIZE_MAX, &key) == QN_OK;
    if (!source->is_reading_all)
        return qn_cursor_nil(&cursor);
    source->key_size = key.size;
    memcpy(source->key, key.data, key.size);
    return QN_OK;
}

/* An index without a position, or with one that is no longer understood: everything is read. */
static enum qn_err load(struct qn_search_feed *feed, struct source *source, struct qn_kv *kv)
{
    QN_AUTO_BUF struct qn_buf packed;
    struct qn_coll_info info;
    qn_buf_init(&packed, 1024);
    qn_search_coll_scope(&source->coll, feed->scope);
    QN_TRY(qn_search_position(feed->search, qn_span_str(feed->scope), &packed));
    if (packed.size == 0 || read_position(qn_buf_view(&packed), source) != QN_OK) {
        QN_TRY(qn_read_coll(kv, &source->coll, &info));
        start_over(source, info.order_head);
    }
    source->is_loaded = true;
    return QN_OK;
}

/* ---- a slice ---- */

static void add_item(struct qn_search_feed *feed, struct qn_span key,
                     const struct qn_record *record)
{
    struct item_place place = {.is_gone = record == NULL};
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, QN_SEARCH_TEXT_SIZE_MAX);
    qn_buf_append_span(&feed->bytes, key);
    place.name_end = feed->bytes.size;
    if (record != NULL)
        qn_search_text(record, &text);
    qn_buf_append_span(&feed->bytes, qn_buf_view(&text));
    place.text_end = feed->bytes.size;
    qn_vec_push(&feed->places, place);
}

static bool is_found(const struct qn_record *record)
{
    return qn_record_is_live(qn_record_state(record));
}

static enum qn_err read_all_slice(struct qn_search_feed *feed, struct qn_kv *kv)
{
    struct source *next = &feed->next;
    for (size_t i = 0; i < SLICE_RECORDS && feed->bytes.size < SLICE_WISHED; i++) {
        QN_AUTO_RECORD struct qn_record record = {0};
        struct qn_span key, after = qn_span(next->key, next->key_size);
        enum qn_err err = qn_read_next(kv, &next->coll, after, qn_span(NULL, 0), &key, &record);
        next->is_reading_all = err != QN_ERR_NOTFOUND;
        if (err == QN_ERR_NOTFOUND)
            return QN_OK;
        QN_TRY(err);
        if (!qn_span_eq_str(key, QN_KEY_COLLECTION) && is_found(&record))
            add_item(feed, key, &record);
        next->key_size = key.size;
        memcpy(next->key, key.data, key.size);
    }
    return QN_OK;
}

struct changes {
    QN_VEC(size_t) ends; /* of keys in `keys` */
    struct qn_buf keys;
};

static void add_change(void *context, struct qn_span key)
{
    struct changes *changes = context;
    qn_buf_append_span(&changes->keys, key);
    qn_vec_push(&changes->ends, changes->keys.size);
}

static enum qn_err add_changed(struct qn_search_feed *feed, struct qn_kv *kv, struct qn_span key)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    if (qn_span_eq_str(key, QN_KEY_COLLECTION))
        return QN_OK;
    enum qn_err err = qn_read_record(kv, &feed->next.coll, key, &record);
    if (err == QN_ERR_DAMAGED)
        return QN_OK; /* found by what it was before */
    if (err != QN_OK && err != QN_ERR_NOTFOUND)
        return err;
    add_item(feed, key, err == QN_OK && is_found(&record) ? &record : NULL);
    return QN_OK;
}

/* As many as there is room for; the rest is of the next slice. */
static enum qn_err add_changes(struct qn_search_feed *feed, struct qn_kv *kv,
                               const struct changes *changes)
{
    uint64_t left = changes->ends.count;
    for (size_t begin = 0; left > 0 && feed->bytes.size < SLICE_WISHED; left--) {
        size_t end = changes->ends.items[changes->ends.count - left];
        QN_TRY(add_changed(feed, kv, qn_span(changes->keys.data + begin, end - begin)));
        begin = end;
    }
    feed->next.next_seq -= left;
    return QN_OK;
}

static enum qn_err read_changes_slice(struct qn_search_feed *feed, struct qn_kv *kv)
{
    struct source *next = &feed->next;
    struct changes changes = {0};
    struct qn_coll_info info;
    qn_buf_init(&changes.keys, SLICE_RECORDS * QN_KEY_SIZE_MAX);
    enum qn_err err = qn_read_changes(kv, &next->coll, next->next_seq, SLICE_RECORDS, add_change,
                                      &changes, &next->next_seq);
    if (err == QN_OK)
        err = add_changes(feed, kv, &changes);
    qn_buf_deinit(&changes.keys);
    qn_vec_free(&changes.ends);
    if (err != QN_ERR_HELD)
        return err;
    QN_TRY(qn_read_coll(kv, &next->coll, &info));
    start_over(next, info.order_head);
    return QN_OK;
}

static bool is_same_place(const struct source *a, const struct source *b)
{
    return a->next_seq == b->next_seq && a->round == b->round &&
           a->is_reading_all == b->is_reading_all && a->key_size == b->key_size;
}

/* Fills the batch from the source at `at`; one that is done gives nothing. */
enum qn_err slice_read(struct qn_search_feed *feed, struct qn_kv *kv)
{
    struct source *source = &feed->sources.items[feed->at];
    qn_buf_reset(&feed->bytes);
    feed->places.count = 0;
    if (!source->is_loaded)
        QN_TRY(load(feed, source, kv));
    feed->next = *source;
    QN_TRY(source->is_reading_all ? read_all_slice(feed, kv) : read_changes_slice(feed, kv));
    QN_TRY(qn_buf_status(&feed->bytes));
    source->is_done = is_same_place(source, &feed->next) && !source->is_reading_all;
    return QN_OK;
}
