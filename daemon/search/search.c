#include "search/search.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/vec.h"

struct question {
    struct qn_search_words words;
    struct qn_buf scopes; /* joined; */
    QN_VEC(size_t) ends;  /* where each ends */
    size_t limit;
    qn_search_found_fn found;
    void *context;
};

struct hit_place { /* in `bytes` of the answer */
    size_t scope_end, name_end, line_end;
};

struct asking {
    struct question *question;
    struct qn_buf bytes;
    QN_VEC(struct hit_place) places;
    enum qn_err err;
};

struct putting {
    const struct qn_search_batch *batch; /* NULL: drop */
    struct qn_buf scope;
    void (*done)(void *context, enum qn_err err);
    void *context;
    enum qn_err err;
};

struct qn_search {
    struct qn_loop *loop;
    char *path;
    struct qn_fts *writer,
        *reader; /* each in the hands of its job, while that runs; reader NULL: to be opened */
    struct putting putting;
    struct asking asking;
    QN_VEC(struct question *) waiting;
    bool is_putting, is_asking, is_ending;
};

static void question_free(struct question *question)
{
    if (question == NULL)
        return;
    qn_buf_deinit(&question->scopes);
    qn_vec_free(&question->ends);
    qn_free(question);
}

/* ---- feeding ---- */

/* On the pool. */
static void reopen(struct qn_search *search)
{
    bool is_new;
    qn_fts_close(search->writer);
    search->writer = NULL;
    if (qn_fts_open(search->path, true, &search->writer, &is_new) != QN_OK)
        search->writer = NULL; /* tried again with the next put */
}

static void put_work(void *context)
{
    struct qn_search *search = context;
    struct putting *putting = &search->putting;
    if (search->writer == NULL)
        reopen(search);
    if (search->writer == NULL)
        putting->err = QN_ERR_IO;
    else if (putting->batch != NULL)
        putting->err = qn_fts_put(search->writer, putting->batch);
    else
        putting->err = qn_fts_drop(search->writer, qn_buf_view(&putting->scope));
    if (putting->err == QN_ERR_CORRUPT)
        reopen(search);
}

static void put_done(void *context)
{
    struct qn_search *search = context;
    struct putting putting = search->putting;
    search->is_putting = false;
    qn_buf_deinit(&putting.scope);
    if (!search->is_ending)
        putting.done(putting.context, putting.err);
}

static enum qn_err put(struct qn_search *search, struct putting putting)
{
    if (search->is_putting)
        return QN_ERR_BUSY;
    search->putting = putting;
    search->is_putting = true;
    enum qn_err err = qn_loop_job(search->loop, put_work, put_done, search);
    if (err != QN_OK)
        search->is_putting = false;
    return err;
}

enum qn_err qn_search_put(struct qn_search *search, const struct qn_search_batch *batch,
                          void (*done)(void *context, enum qn_err err), void *context)
{
    return put(search, (struct putting){.batch = batch, .done = done, .context = context});
}

enum qn_err qn_search_drop(struct qn_search *search, struct qn_span scope,
                           void (*done)(void *context, enum qn_err err), void *context)
{
    struct putting putting = {.done = done, .context = context};
    qn_buf_init(&putting.scope, QN_SEARCH_SCOPE_SIZE_MAX);
    qn_buf_append_span(&putting.scope, scope);
    enum qn_err err = put(search, putting);
    if (err != QN_OK)
        qn_buf_deinit(&putting.scope);
    return err;
}

enum qn_err qn_search_position(struct qn_search *search, struct qn_span scope, struct qn_buf *out)
{
    if (search->is_putting)
        return QN_ERR_BUSY;
    return search->writer == NULL ? QN_OK : qn_fts_position(search->writer, scope, out);
}

enum qn_err qn_search_scopes(struct qn_search *search,
                             void (*each)(void *context, struct qn_span scope), void *context)
{
    if (search->is_putting)
        return QN_ERR_BUSY;
    return search->writer == NULL ? QN_OK : qn_fts_scopes(search->writer, each, context);
}

/* ---- asking ---- */

static void keep_hit(void *context, const struct qn_index_hit *hit)
{
    struct asking *asking = context;
    struct hit_place place;
    qn_buf_append_span(&asking->bytes, hit->scope);
    place.scope_end = asking->bytes.size;
    qn_buf_append_span(&asking->bytes, hit->name);
    place.name_end = asking->bytes.size;
    qn_search_line(hit->text, &asking->question->words, &asking->bytes);
    place.line_end = asking->bytes.size;
    qn_vec_push(&asking->places, place);
}

static enum qn_err find(struct qn_search *search, struct asking *asking)
{
    struct question *question = asking->question;
    struct qn_span scopes[QN_SEARCH_SCOPES_MAX];
    bool is_new;
    if (search->reader == NULL)
        QN_TRY(qn_fts_open(search->path, false, &search->reader, &is_new));
    for (size_t i = 0, begin = 0; i < question->ends.count; begin = question->ends.items[i++])
        scopes[i] = qn_span(question->scopes.data + begin, question->ends.items[i] - begin);
    return qn_fts_find(search->reader, &question->words, scopes, question->ends.count,
                       question->limit, keep_hit, asking);
}

static void ask_work(void *context)
{
    struct qn_search *search = context;
    search->asking.err = find(search, &search->asking);
    if (search->asking.err != QN_OK) {
        qn_fts_close(search->reader); /* the writer may have made the file anew */
        search->reader = NULL;
    }
}

static enum qn_err ask_next(struct qn_search *search);

static void tell(struct asking *asking)
{
    QN_AUTO_FREE struct qn_search_hit *hits =
        qn_alloc_zero((asking->places.count + 1) * sizeof(*hits));
    size_t begin = 0;
    for (size_t i = 0; i < asking->places.count; i++) {
        const struct hit_place *place = &asking->places.items[i];
        const uint8_t *bytes = asking->bytes.data;
        hits[i].scope = qn_span(bytes + begin, place->scope_end - begin);
        hits[i].name = qn_span(bytes + place->scope_end, place->name_end - place->scope_end);
        hits[i].line = qn_span(bytes + place->name_end, place->line_end - place->name_end);
        begin = place->line_end;
    }
    struct qn_search_answer answer = {.hits = hits, .count = asking->places.count};
    asking->question->found(asking->question->context, asking->err, &answer);
}

static void refuse_waiting(struct qn_search *search, enum qn_err err)
{
    while (search->waiting.count > 0) {
        struct question *question = search->waiting.items[0];
        qn_vec_remove(&search->waiting, 0);
        tell(&(struct asking){.question = question, .err = err});
        question_free(question);
    }
}

static void ask_done(void *context)
{
    struct qn_search *search = context;
    struct asking asking = search->asking;
    search->is_asking = false;
    if (!search->is_ending && ask_next(search) != QN_OK)
        refuse_waiting(search, QN_ERR_BUSY);
    tell(&asking);
    question_free(asking.question);
    qn_buf_deinit(&asking.bytes);
    qn_vec_free(&asking.places);
}

static enum qn_err ask_next(struct qn_search *search)
{
    if (search->is_asking || search->waiting.count == 0)
        return QN_OK;
    search->asking = (struct asking){.question = search->waiting.items[0]};
    qn_buf_init(&search->asking.bytes, 1024 * 1024);
    if (qn_loop_job(search->loop, ask_work, ask_done, search) != QN_OK) {
        qn_buf_deinit(&search->asking.bytes);
        return QN_ERR_BUSY;
    }
    qn_vec_remove(&search->waiting, 0);
    search->is_asking = true;
    return QN_OK;
}

static struct question *question_new(const struct qn_span *scopes, size_t count)
{
    struct question *question = QN_NEW(struct question);
    qn_buf_init(&question->scopes, QN_SEARCH_SCOPES_MAX * QN_SEARCH_SCOPE_SIZE_MAX);
    for (size_t i = 0; i < count; i++) {
        qn_buf_append_span(&question->scopes, scopes[i]);
        qn_vec_push(&question->ends, question->scopes.size);
    }
    return question;
}

enum qn_err qn_search_ask(struct qn_search *search, struct qn_span typed,
                          const struct qn_span *scopes, size_t scope_count, size_t limit,
                          qn_search_found_fn found, void *context)
{
    struct qn_search_words words;
    QN_TRY(qn_search_words_read(typed, &words));
    if (scope_count > QN_SEARCH_SCOPES_MAX)
        return QN_ERR_LIMIT;
    if (search->waiting.count >= QN_SEARCH_QUEUE_MAX)
        return QN_ERR_BUSY;
    struct question *question = question_new(scopes, scope_count);
    question->words = words;
    question->limit = limit > QN_SEARCH_LIMIT_MAX ? QN_SEARCH_LIMIT_MAX : limit;
    question->found = found;
    question->context = context;
    qn_vec_push(&search->waiting, question);
    enum qn_err err = ask_next(search);
    if (err != QN_OK) { /* nothing is under way that would go on with it */
        search->waiting.count--;
        question_free(question);
    }
    return err;
}

/* ---- life ---- */

enum qn_err qn_search_new(struct qn_loop *loop, const char *path, struct qn_search **ret_search,
                          bool *ret_is_new)
{
    struct qn_fts *writer;
    QN_TRY(qn_fts_open(path, true, &writer, ret_is_new));
    struct qn_search *search = QN_NEW(struct qn_search);
    *search = (struct qn_search){.loop = loop, .path = qn_strdup(path), .writer = writer};
    *ret_search = search;
    return QN_OK;
}

void qn_search_free(struct qn_search *search)
{
    if (search == NULL)
        return;
    search->is_ending = true;
    while (search->is_putting || search->is_asking)
        qn_loop_wait(search->loop);
    refuse_waiting(search, QN_ERR_CLOSED);
    qn_vec_free(&search->waiting);
    qn_fts_close(search->writer);
    qn_fts_close(search->reader);
    qn_free(search->path);
    qn_free(search);
}
