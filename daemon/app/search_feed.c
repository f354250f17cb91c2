#include "base/text.h"
#include "app/search_feed.h"

#include <stdio.h>

#include "app/search_text.h"
#include "base/vec.h"
#include "model/replica_read.h"
#include "os/os.h"
#include "proto/pack.h"

#define SLICE_RECORDS                                                                              \
    1024 /* of one transaction of the index: the more, the less is merged in it                    \
          */
#define SLICE_WISHED (1024 * 1024) /* bytes from which on no more records are added */
#define SLICE_SIZE   (SLICE_WISHED + QN_SEARCH_TEXT_SIZE_MAX + QN_KEY_SIZE_MAX)
#define PAUSE_MS     100   /* from a commit to a look: many commits are one */
#define RETRY_MS     60000 /* after a full disk or the like */
#define BUSY_MS      20    /* until another feed's batch is in */

struct source {
    struct qn_coll_id coll;
    uint64_t next_seq, round;
    char key[QN_KEY_SIZE_MAX + 1]; /* the last one read, while all records are read */
    size_t key_size;
    bool is_reading_all, is_loaded, is_done;
};

struct source_list {
    struct source *items;
    size_t count, capacity;
};

struct item_place {
    size_t name_end, text_end;
    bool is_gone;
};

struct qn_search_feed {
    struct qn_search_feed_options options;
    struct qn_search *search;
    struct qn_timer *timer;
    struct source_list sources; /* in the order of the core's collections */
    struct source next;         /* of the source at `at`, once the batch is in */
    size_t at;
    struct qn_buf bytes; /* names and texts of the batch */
    QN_VEC(struct item_place) places;
    QN_VEC(struct qn_search_item) items;
    struct qn_buf position;
    char scope[QN_SEARCH_COLL_SCOPE_SIZE];
    struct qn_search_batch batch;
    void (*renewed)(void *context);
    void *context;
    bool is_putting, is_dirty, is_failing, has_swept;
};

void qn_search_coll_scope(const struct qn_coll_id *coll, char out[QN_SEARCH_COLL_SCOPE_SIZE])
{
    memcpy(out, "c/", 2);
    qn_text_hex(QN_SPAN_OF(coll->bytes), out + 2);
}

/* ---- where a feed stands ---- */

static void start_over(struct source *source, uint64_t order_head)
{
    source->next_seq = order_head + 1;
    source->round++;
    source->key_size = 0;
    source->is_reading_all = true;
}

static void pack_position(const struct source *source, struct qn_buf *out)
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
static enum qn_err read_slice(struct qn_search_feed *feed, struct qn_kv *kv)
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

/* ---- a batch ---- */

static void fill_batch(struct qn_search_feed *feed)
{
    const struct source *source = &feed->sources.items[feed->at];
    size_t begin = 0;
    feed->items.count = 0;
    qn_vec_each (&feed->places, place) {
        const uint8_t *bytes = feed->bytes.data;
        qn_vec_push(&feed->items,
                    ((struct qn_search_item){
                        .name = qn_span(bytes + begin, place->name_end - begin),
                        .text = qn_span(bytes + place->name_end, place->text_end - place->name_end),
                        .is_gone = place->is_gone}));
        begin = place->text_end;
    }
    qn_search_coll_scope(&source->coll, feed->scope);
    pack_position(&feed->next, &feed->position);
    feed->batch = (struct qn_search_batch){.scope = qn_span_str(feed->scope),
                                           .items = feed->items.items,
                                           .count = feed->items.count,
                                           .position = qn_buf_view(&feed->position),
                                           .round = feed->next.round,
                                           .ends_round = source->is_reading_all &&
                                                         !feed->next.is_reading_all};
}

static void wait_and_retry(struct qn_search_feed *feed, enum qn_err err)
{
    if (err == QN_ERR_BUSY) {
        qn_timer_set(feed->timer, BUSY_MS);
        return;
    }
    if (!feed->is_failing)
        qn_log(feed->options.log, QN_LOG_WARNING,
               "the search index cannot be written (%s); it is tried again in %d s",
               qn_err_name(err), RETRY_MS / 1000);
    feed->is_failing = feed->is_dirty = true;
    qn_timer_set(feed->timer, RETRY_MS);
}

static void begin_again(struct qn_search_feed *feed)
{
    qn_log(feed->options.log, QN_LOG_WARNING, "the search index was damaged and is made again");
    feed->sources.count = 0;
    feed->has_swept = false;
    feed->is_dirty = true;
}

static void tell_renewed(struct qn_search_feed *feed)
{
    begin_again(feed);
    if (feed->renewed != NULL)
        feed->renewed(feed->context);
}

static void on_put(void *context, enum qn_err err)
{
    struct qn_search_feed *feed = context;
    feed->is_putting = false;
    if (err == QN_ERR_CORRUPT) {
        tell_renewed(feed);
    } else if (err != QN_OK) {
        wait_and_retry(feed, err);
        return;
    } else if (feed->at < feed->sources.count) {
        feed->sources.items[feed->at] = feed->next;
    }
    feed->is_failing = false;
    qn_timer_set(feed->timer, 0);
}

/* ---- which collections ---- */

static struct source *find_source(struct qn_search_feed *feed, const struct qn_coll_id *coll)
{
    qn_vec_each (&feed->sources, source)
        if (qn_coll_id_eq(&source->coll, coll))
            return source;
    return NULL;
}

static void refresh_sources(struct qn_search_feed *feed)
{
    struct qn_coll_view *views;
    struct source_list fresh = {0};
    size_t count = qn_core_collections(feed->options.core, &views);
    for (size_t i = 0; i < count; i++) {
        struct source *known = find_source(feed, &views[i].id);
        qn_vec_push(&fresh, known != NULL ? *known : ((struct source){.coll = views[i].id}));
        fresh.items[i].is_done = false;
    }
    qn_free(views);
    if (fresh.count < feed->sources.count)
        feed->has_swept = false;
    qn_vec_free(&feed->sources);
    feed->sources = fresh;
    feed->at = 0;
}

struct stray {
    struct qn_search_feed *feed;
    char scope[QN_SEARCH_COLL_SCOPE_SIZE]; /* "" : none */
};

static void find_stray(void *context, struct qn_span scope)
{
    struct stray *stray = context;
    char known[QN_SEARCH_COLL_SCOPE_SIZE];
    if (!qn_span_has_prefix(scope, qn_span_str("c/")) || scope.size >= sizeof(stray->scope))
        return;
    qn_vec_each (&stray->feed->sources, source) {
        qn_search_coll_scope(&source->coll, known);
        if (qn_span_eq_str(scope, known))
            return;
    }
    snprintf(stray->scope, sizeof(stray->scope), "%.*s", (int)scope.size, (const char *)scope.data);
}

static void on_dropped(void *context, enum qn_err err)
{
    struct qn_search_feed *feed = context;
    feed->is_putting = false;
    if (err == QN_ERR_CORRUPT)
        tell_renewed(feed);
    if (err != QN_OK && err != QN_ERR_CORRUPT)
        wait_and_retry(feed, err);
    else
        qn_timer_set(feed->timer, 0);
}

/* A collection that this site no longer shares is found no more. True: something is under way, or
 * has to wait. */
static bool drop_stray(struct qn_search_feed *feed)
{
    struct stray stray = {.feed = feed};
    if (feed->has_swept || qn_core_group(feed->options.core) == NULL)
        return false;
    enum qn_err err = qn_search_scopes(feed->search, find_stray, &stray);
    feed->has_swept = err == QN_OK && stray.scope[0] == '\0';
    if (err == QN_ERR_BUSY)
        wait_and_retry(feed, err);
    if (err != QN_OK || feed->has_swept)
        return err == QN_ERR_BUSY;
    feed->is_putting =
        qn_search_drop(feed->search, qn_span_str(stray.scope), on_dropped, feed) == QN_OK;
    return feed->is_putting;
}

/* ---- the feed ---- */

/* The next source with something new; false if all are done. */
static bool next_slice(struct qn_search_feed *feed, enum qn_err *ret_err)
{
    struct qn_kv *kv;
    *ret_err = qn_store_read_begin(feed->options.store, &kv);
    if (*ret_err != QN_OK)
        return true;
    for (; feed->at < feed->sources.count && *ret_err == QN_OK; feed->at++) {
        if (feed->sources.items[feed->at].is_done)
            continue;
        *ret_err = read_slice(feed, kv);
        if (*ret_err != QN_OK || !feed->sources.items[feed->at].is_done)
            break;
    }
    qn_store_read_end(feed->options.store);
    return *ret_err != QN_OK || feed->at < feed->sources.count;
}

static void on_timer(void *context)
{
    struct qn_search_feed *feed = context;
    enum qn_err err;
    if (feed->is_putting)
        return;
    if (feed->is_dirty)
        refresh_sources(feed);
    feed->is_dirty = false;
    if (drop_stray(feed) || !next_slice(feed, &err))
        return;
    if (err == QN_OK) {
        fill_batch(feed);
        err = qn_search_put(feed->search, &feed->batch, on_put, feed);
        feed->is_putting = err == QN_OK;
    }
    if (err != QN_OK)
        wait_and_retry(feed, err);
}

void qn_search_feed_wake(struct qn_search_feed *feed)
{
    if (feed->is_dirty || feed->is_failing)
        return;
    feed->is_dirty = true;
    if (!feed->is_putting)
        qn_timer_set(feed->timer, PAUSE_MS);
}

bool qn_search_feed_is_behind(const struct qn_search_feed *feed)
{
    qn_vec_each (&feed->sources, source)
        if (!source->is_loaded || source->is_reading_all)
            return true;
    return false;
}

void qn_search_feed_renew(struct qn_search_feed *feed)
{
    begin_again(feed);
    if (!feed->is_putting)
        qn_timer_set(feed->timer, 0);
}

void qn_search_feed_on_renewed(struct qn_search_feed *feed, void (*renewed)(void *context),
                               void *context)
{
    feed->renewed = renewed;
    feed->context = context;
}

struct qn_search *qn_search_feed_search(struct qn_search_feed *feed)
{
    return feed->search;
}

/* ---- life ---- */

enum qn_err qn_search_feed_new(const struct qn_search_feed_options *options,
                               struct qn_search_feed **ret_feed)
{
    char path[4096];
    bool is_new;
    struct qn_search *search;
    snprintf(path, sizeof(path), "%s/search", options->state_dir);
    QN_TRY(qn_os_make_dir(path, 0700));
    if ((size_t)snprintf(path, sizeof(path), "%s/search/index.db", options->state_dir) >=
        sizeof(path))
        return QN_ERR_LIMIT;
    QN_TRY(qn_search_new(options->loop, path, &search, &is_new));
    struct qn_search_feed *feed = QN_NEW(struct qn_search_feed);
    feed->options = *options;
    feed->search = search;
    feed->is_dirty = true;
    qn_buf_init(&feed->bytes, SLICE_SIZE);
    qn_buf_init(&feed->position, 512);
    feed->timer = qn_timer_new(options->loop, on_timer, feed);
    qn_timer_set(feed->timer, PAUSE_MS);
    *ret_feed = feed;
    return QN_OK;
}

void qn_search_feed_free(struct qn_search_feed *feed)
{
    if (feed == NULL)
        return;
    qn_search_free(feed->search);
    qn_timer_free(feed->timer);
    qn_vec_free(&feed->sources);
    qn_vec_free(&feed->places);
    qn_vec_free(&feed->items);
    qn_buf_deinit(&feed->bytes);
    qn_buf_deinit(&feed->position);
    qn_free(feed);
}
