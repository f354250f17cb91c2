#include "app/search_feed.h"

#include <stdio.h>

#include "app/search_feed_impl.h"
#include "base/text.h"
#include "os/os.h"
#include "proto/pack.h"

#define PAUSE_MS 100   /* from a commit to a look: many commits are one */
#define RETRY_MS 60000 /* after a full disk or the like */
#define BUSY_MS  20    /* until another feed's batch is in */

void qn_search_coll_scope(const struct qn_coll_id *coll, char out[QN_SEARCH_COLL_SCOPE_SIZE])
{
    memcpy(out, "c/", 2);
    qn_text_hex(QN_SPAN_OF(coll->bytes), out + 2);
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
    slice_pack_position(&feed->next, &feed->position);
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
        *ret_err = slice_read(feed, kv);
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
