#include "vault/ahead.h"

#include <stdlib.h>

#include "base/assert.h"
#include "vault/entry_copy.h"

enum event_kind { EVENT_ENTRY, EVENT_CHUNK, EVENT_HOLE, EVENT_END };

struct event {
    enum event_kind kind;
    enum qn_err err; /* EVENT_END */
    size_t at;       /* EVENT_ENTRY: in entries; EVENT_CHUNK: in fetches, by place */
    uint64_t size;   /* EVENT_HOLE */
};

/* Chunks next to one another in a pack. */
struct run {
    size_t first, count; /* of `sorted` */
};

struct batch {
    QN_VEC(struct event) events;
    QN_VEC(struct qn_entry_copy) entries; /* kept for their memory: entry_count are in use */
    size_t entry_count;
    QN_VEC(struct qn_fetch) fetches;
    QN_VEC(struct qn_fetch) sorted; /* the same, in the order of the packs */
    QN_VEC(size_t) places;          /* of a sorted one among `fetches` */
    QN_VEC(struct run) runs;
    size_t runs_taken, runs_done;
    uint8_t *raw;
    size_t raw_used;
};

struct qn_ahead {
    struct qn_vault *vault;
    struct qn_ahead_sink sink;
    struct qn_fetcher *fetcher;
    struct batch batches[QN_AHEAD_BATCHES]; /* a ring: submitted ones, then the one being filled */
    size_t first, submitted;
    pthread_mutex_t mutex;
    pthread_cond_t for_workers, for_owner;
    bool is_ending;
    struct {
        struct qn_ahead *ahead;
        pthread_t thread;
    } workers[QN_VAULT_WORKERS_MAX];
    unsigned worker_count;
};

/* ---- workers ---- */

static struct batch *batch_at(struct qn_ahead *ahead, size_t i)
{
    return &ahead->batches[(ahead->first + i) % QN_AHEAD_BATCHES];
}

static struct batch *batch_with_work(struct qn_ahead *ahead)
{
    for (size_t i = 0; i < ahead->submitted; i++) {
        struct batch *batch = batch_at(ahead, i);
        if (batch->runs_taken < batch->runs.count)
            return batch;
    }
    return NULL;
}

static struct batch *take_run(struct qn_ahead *ahead, struct run *ret_run)
{
    struct batch *batch = NULL;
    pthread_mutex_lock(&ahead->mutex);
    while (!ahead->is_ending && (batch = batch_with_work(ahead)) == NULL)
        pthread_cond_wait(&ahead->for_workers, &ahead->mutex);
    if (ahead->is_ending)
        batch = NULL;
    if (batch != NULL)
        *ret_run = batch->runs.items[batch->runs_taken++];
    pthread_mutex_unlock(&ahead->mutex);
    return batch;
}

static void *work(void *context)
{
    struct qn_ahead *ahead = context;
    struct qn_fetcher *fetcher = qn_fetcher_new(ahead->vault);
    struct batch *batch;
    struct run run;
    while ((batch = take_run(ahead, &run)) != NULL) {
        qn_fetch_run(fetcher, &batch->sorted.items[run.first], run.count);
        qn_fetcher_rest(fetcher);
        pthread_mutex_lock(&ahead->mutex);
        batch->runs_done++;
        pthread_cond_signal(&ahead->for_owner);
        pthread_mutex_unlock(&ahead->mutex);
    }
    qn_fetcher_free(fetcher);
    return NULL;
}

/* ---- life ---- */

struct qn_ahead *qn_ahead_new(struct qn_vault *vault, const struct qn_ahead_sink *sink)
{
    struct qn_ahead *ahead = QN_NEW(struct qn_ahead);
    ahead->vault = vault;
    ahead->sink = *sink;
    ahead->fetcher = qn_fetcher_new(vault);
    pthread_mutex_init(&ahead->mutex, NULL);
    pthread_cond_init(&ahead->for_workers, NULL);
    pthread_cond_init(&ahead->for_owner, NULL);
    ahead->worker_count = vault->readers;
    for (unsigned i = 0; i < ahead->worker_count; i++)
        QN_ASSERT(pthread_create(&ahead->workers[i].thread, NULL, work, ahead) == 0);
    return ahead;
}

static void free_batch(struct batch *batch)
{
    qn_vec_each (&batch->entries, it)
        qn_entry_copy_deinit(it);
    qn_vec_free(&batch->entries);
    qn_vec_free(&batch->events);
    qn_vec_free(&batch->fetches);
    qn_vec_free(&batch->sorted);
    qn_vec_free(&batch->places);
    qn_vec_free(&batch->runs);
    qn_free(batch->raw);
}

void qn_ahead_free(struct qn_ahead *ahead)
{
    if (ahead == NULL)
        return;
    pthread_mutex_lock(&ahead->mutex);
    ahead->is_ending = true;
    pthread_cond_broadcast(&ahead->for_workers);
    pthread_mutex_unlock(&ahead->mutex);
    for (unsigned i = 0; i < ahead->worker_count; i++)
        pthread_join(ahead->workers[i].thread, NULL);
    for (size_t i = 0; i < QN_AHEAD_BATCHES; i++)
        free_batch(&ahead->batches[i]);
    qn_fetcher_free(ahead->fetcher);
    pthread_mutex_destroy(&ahead->mutex);
    pthread_cond_destroy(&ahead->for_workers);
    pthread_cond_destroy(&ahead->for_owner);
    qn_free(ahead);
}

struct qn_fetcher *qn_ahead_fetcher(struct qn_ahead *ahead)
{
    return ahead->fetcher;
}

/* ---- submitting ---- */

static int by_place(const void *a, const void *b, void *context)
{
    const struct qn_fetch *fetches = context;
    const struct qn_index_row *x = &fetches[*(const size_t *)a].row;
    const struct qn_index_row *y = &fetches[*(const size_t *)b].row;
    if (x->pack != y->pack)
        return x->pack < y->pack ? -1 : 1;
    return (x->blob.offset > y->blob.offset) - (x->blob.offset < y->blob.offset);
}

static bool is_next_to(const struct batch *batch, const struct run *run,
                       const struct qn_index_row *row)
{
    const struct qn_index_row *first = &batch->sorted.items[run->first].row;
    const struct qn_index_row *last = &batch->sorted.items[run->first + run->count - 1].row;
    if (first->pack != row->pack)
        return false;
    size_t end = last->blob.offset + qn_blob_span_size(&last->blob);
    size_t gap = row->blob.offset > end ? row->blob.offset - end : 0;
    size_t size = row->blob.offset + qn_blob_span_size(&row->blob) - first->blob.offset;
    return gap <= QN_FETCH_GAP_MAX && size <= QN_FETCH_RANGE_MAX;
}

static void add_to_runs(struct batch *batch, size_t place)
{
    const struct qn_fetch *fetch = &batch->fetches.items[place];
    struct run *last = batch->runs.count > 0 ? &batch->runs.items[batch->runs.count - 1] : NULL;
    bool continues = last != NULL && is_next_to(batch, last, &fetch->row);
    qn_vec_push(&batch->sorted, *fetch);
    if (continues)
        last->count++;
    else
        qn_vec_push(&batch->runs, ((struct run){.first = batch->sorted.count - 1, .count = 1}));
}

/* What the index could not find is not fetched. */
static void sort_batch(struct batch *batch)
{
    for (size_t i = 0; i < batch->fetches.count; i++) {
        if (batch->fetches.items[i].err == QN_OK)
            qn_vec_push(&batch->places, i);
    }
    if (batch->places.count > 0)
        qsort_r(batch->places.items, batch->places.count, sizeof(size_t), by_place,
                batch->fetches.items);
    for (size_t i = 0; i < batch->places.count; i++)
        add_to_runs(batch, batch->places.items[i]);
}

static void submit(struct qn_ahead *ahead)
{
    sort_batch(batch_at(ahead, ahead->submitted));
    pthread_mutex_lock(&ahead->mutex);
    ahead->submitted++;
    pthread_cond_broadcast(&ahead->for_workers);
    pthread_mutex_unlock(&ahead->mutex);
    qn_fetcher_rest(ahead->fetcher);
}

/* ---- handing out ---- */

static void wait_for(struct qn_ahead *ahead, struct batch *batch)
{
    pthread_mutex_lock(&ahead->mutex);
    while (batch->runs_done < batch->runs.count)
        pthread_cond_wait(&ahead->for_owner, &ahead->mutex);
    pthread_mutex_unlock(&ahead->mutex);
    for (size_t i = 0; i < batch->sorted.count; i++)
        batch->fetches.items[batch->places.items[i]].err = batch->sorted.items[i].err;
}

static enum qn_err hand_out(struct qn_ahead *ahead, const struct batch *batch,
                            const struct event *event)
{
    const struct qn_ahead_sink *sink = &ahead->sink;
    const struct qn_fetch *fetch;
    switch (event->kind) {
    case EVENT_ENTRY:
        return sink->on_entry(sink->context, &batch->entries.items[event->at].entry);
    case EVENT_CHUNK:
        fetch = &batch->fetches.items[event->at];
        return sink->on_bytes(sink->context, fetch->err == QN_OK ? fetch->out : NULL, event->size,
                              fetch->err);
    case EVENT_HOLE:
        return sink->on_bytes(sink->context, NULL, event->size, QN_OK);
    case EVENT_END:
        return sink->on_end(sink->context, event->err);
    }
    return QN_ERR_STATE;
}

static void clear(struct batch *batch)
{
    batch->events.count = batch->fetches.count = batch->sorted.count = 0;
    batch->places.count = batch->runs.count = 0;
    batch->entry_count = batch->runs_taken = batch->runs_done = batch->raw_used = 0;
}

static enum qn_err deliver(struct qn_ahead *ahead)
{
    struct batch *batch = batch_at(ahead, 0);
    wait_for(ahead, batch);
    enum qn_err err = QN_OK;
    for (size_t i = 0; i < batch->events.count && err == QN_OK; i++)
        err = hand_out(ahead, batch, &batch->events.items[i]);
    pthread_mutex_lock(&ahead->mutex);
    ahead->first = (ahead->first + 1) % QN_AHEAD_BATCHES;
    ahead->submitted--;
    pthread_mutex_unlock(&ahead->mutex);
    clear(batch); /* workers do not see it any more */
    return err;
}

/* Room for one more event and so many raw bytes in the batch that is being filled. */
static enum qn_err make_room(struct qn_ahead *ahead, size_t raw_size, struct batch **ret_batch)
{
    struct batch *batch = batch_at(ahead, ahead->submitted);
    bool is_full =
        batch->events.count >= QN_AHEAD_EVENTS_MAX || raw_size > QN_AHEAD_SIZE - batch->raw_used;
    if (is_full) {
        submit(ahead);
        if (ahead->submitted == QN_AHEAD_BATCHES)
            QN_TRY(deliver(ahead));
        batch = batch_at(ahead, ahead->submitted);
    }
    *ret_batch = batch;
    return QN_OK;
}

/* ---- what goes in ---- */

enum qn_err qn_ahead_entry(struct qn_ahead *ahead, const struct qn_entry *entry)
{
    struct batch *batch;
    QN_TRY(make_room(ahead, 0, &batch));
    if (batch->entry_count == batch->entries.count)
        qn_vec_push(&batch->entries, ((struct qn_entry_copy){0}));
    QN_TRY(qn_entry_copy_set(&batch->entries.items[batch->entry_count], entry));
    qn_vec_push(&batch->events, ((struct event){.kind = EVENT_ENTRY, .at = batch->entry_count++}));
    return QN_OK;
}

static void find_chunk(struct qn_ahead *ahead, struct batch *batch,
                       const struct qn_content_item *item)
{
    struct qn_fetch fetch = {0};
    fetch.err = qn_fetch_find(ahead->fetcher, QN_BLOB_DATA, &item->id, item->size, &fetch.row);
    if (batch->raw == NULL)
        batch->raw = qn_alloc(QN_AHEAD_SIZE);
    fetch.out = batch->raw + batch->raw_used;
    batch->raw_used += (size_t)item->size;
    qn_vec_push(&batch->fetches, fetch);
}

enum qn_err qn_ahead_item(struct qn_ahead *ahead, const struct qn_content_item *item)
{
    struct batch *batch;
    struct event event = {.kind = EVENT_HOLE, .size = item->size};
    if (!item->is_hole && item->size > QN_BLOB_SIZE_MAX)
        return QN_ERR_CORRUPT;
    QN_TRY(make_room(ahead, item->is_hole ? 0 : (size_t)item->size, &batch));
    if (!item->is_hole) {
        event.kind = EVENT_CHUNK;
        event.at = batch->fetches.count;
        find_chunk(ahead, batch, item);
    }
    qn_vec_push(&batch->events, event);
    return QN_OK;
}

enum qn_err qn_ahead_end(struct qn_ahead *ahead, enum qn_err err)
{
    struct batch *batch;
    QN_TRY(make_room(ahead, 0, &batch));
    qn_vec_push(&batch->events, ((struct event){.kind = EVENT_END, .err = err}));
    return QN_OK;
}

enum qn_err qn_ahead_finish(struct qn_ahead *ahead)
{
    submit(ahead);
    while (ahead->submitted > 0)
        QN_TRY(deliver(ahead));
    return QN_OK;
}
