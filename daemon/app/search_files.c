#include "app/search_files.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/vec.h"
#include "files/names.h"

#define SOON_MS  3000 /* from a change to a look: many changes are one */
#define EVERY_MS (3600 * 1000)
#define PAUSE_MS 5     /* behind a directory */
#define RETRY_MS 60000 /* after a full disk or the like */
#define BUSY_MS  50
#define REST     2 /* times as long as a look took, the folder is left alone: for the disk's sake */
#define NEVER_MS UINT64_MAX

/* A folder whose directory is here. */
struct source {
    struct qn_coll_id id;
    struct qn_folder *folder;
    char scope[QN_SEARCH_FOLDER_SCOPE_SIZE];
    struct qn_crawl_position position;
    uint64_t all_ms, changes_ms; /* when to look at all of it; at what changed. NEVER_MS: not */
    uint64_t rest_ms;            /* not before */
    QN_VEC(char *) changes;      /* paths; none is in another */
    bool is_loaded;              /* `position` is what the index says */
    bool is_gone;                /* its directory, when it was last looked at */
    bool has_left_out;           /* it was said that it is too large */
};

struct qn_search_files {
    struct qn_search_files_options options;
    struct qn_timer *timer;
    QN_VEC(struct source) sources;
    struct qn_search_crawl *crawl; /* of the source `id`, which may be away by now */
    struct qn_coll_id id;
    bool crawls_all;
    uint64_t began_ms;
    void (*renewed)(void *context);
    void *context;
    bool is_started, has_swept, is_dropping, is_failing, is_ending;
};

void qn_search_folder_scope(const struct qn_coll_id *folder, char out[QN_SEARCH_COLL_SCOPE_SIZE])
{
    qn_search_coll_scope(folder, out);
    out[0] = 'f';
}

static uint64_t now(const struct qn_search_files *files)
{
    return qn_loop_now_ms(files->options.loop);
}

static bool is_busy(const struct qn_search_files *files)
{
    return files->crawl != NULL || files->is_dropping;
}

/* What is under way wakes the timer itself when it ends. */
static void wake(struct qn_search_files *files, uint64_t delay_ms)
{
    if (files->is_started && !is_busy(files) && !files->is_ending)
        qn_timer_set(files->timer, delay_ms);
}

/* ---- sources ---- */

static struct source *find_id(struct qn_search_files *files, const struct qn_coll_id *id)
{
    qn_vec_each (&files->sources, source)
        if (qn_coll_id_eq(&source->id, id))
            return source;
    return NULL;
}

static struct source *find_folder(struct qn_search_files *files, const struct qn_folder *folder)
{
    qn_vec_each (&files->sources, source)
        if (source->folder == folder)
            return source;
    return NULL;
}

static void forget_changes(struct source *source)
{
    qn_vec_each (&source->changes, path)
        qn_free(*path);
    qn_vec_free(&source->changes);
    source->changes_ms = NEVER_MS;
}

/* ---- what changed ---- */

static bool is_covered(const struct source *source, struct qn_span path)
{
    qn_vec_each (&source->changes, other)
        if (qn_name_is_within(path, qn_span_str(*other)))
            return true;
    return false;
}

/* Ends `above` where it is no longer above `path`; at last it is "", the folder. */
static void rise(char *above, struct qn_span path)
{
    while (!qn_name_is_within(path, qn_span_str(above))) {
        char *slash = strrchr(above, '/');
        *(slash == NULL ? above : slash) = '\0';
    }
}

static void make_one(struct source *source)
{
    char *above = source->changes.items[0];
    for (size_t i = 1; i < source->changes.count; i++) {
        rise(above, qn_span_str(source->changes.items[i]));
        qn_free(source->changes.items[i]);
    }
    source->changes.count = 1;
}

static void add_change(struct source *source, struct qn_span path)
{
    if (is_covered(source, path))
        return;
    for (size_t i = source->changes.count; i-- > 0;)
        if (qn_name_is_within(qn_span_str(source->changes.items[i]), path)) {
            qn_free(source->changes.items[i]);
            qn_vec_remove(&source->changes, i);
        }
    char *copy = qn_alloc(path.size + 1);
    memcpy(copy, path.data, path.size);
    copy[path.size] = '\0';
    qn_vec_push(&source->changes, copy);
    if (source->changes.count > QN_SEARCH_CHANGES_MAX)
        make_one(source);
}

static void on_changed(void *context, struct qn_folder *folder, struct qn_span path)
{
    struct qn_search_files *files = context;
    struct source *source = find_folder(files, folder);
    if (source == NULL || memchr(path.data, '\0', path.size) != NULL)
        return;
    add_change(source, path);
    if (source->changes_ms != NEVER_MS)
        return;
    source->changes_ms = now(files) + files->options.soon_ms;
    wake(files, 0); /* which finds out how long to wait */
}

/* ---- folders come and go ---- */

static void on_here(void *context, const struct qn_coll_id *id, struct qn_folder *folder)
{
    struct qn_search_files *files = context;
    struct source *source = find_id(files, id);
    if (source == NULL) {
        source = qn_vec_push_slot(&files->sources);
        *source = (struct source){.id = *id, .changes_ms = NEVER_MS};
        qn_search_folder_scope(id, source->scope);
    }
    if (files->crawl != NULL && qn_coll_id_eq(&files->id, id) && source->folder != folder)
        qn_search_crawl_cancel(files->crawl); /* it is elsewhere now */
    source->folder = folder;
    source->is_gone = false;
    source->all_ms = now(files);
    forget_changes(source);
    wake(files, 0);
}

static void on_detached(void *context, const struct qn_coll_id *id)
{
    struct qn_search_files *files = context;
    for (size_t i = 0; i < files->sources.count; i++)
        if (qn_coll_id_eq(&files->sources.items[i].id, id)) {
            forget_changes(&files->sources.items[i]);
            qn_vec_remove(&files->sources, i);
            break;
        }
    if (files->crawl != NULL && qn_coll_id_eq(&files->id, id))
        qn_search_crawl_cancel(files->crawl);
    files->has_swept = false;
    wake(files, 0);
}

void qn_search_files_watch(struct qn_search_files *files, struct qn_folders_watch *ret_watch)
{
    *ret_watch = (struct qn_folders_watch){
        .here = on_here, .detached = on_detached, .changed = on_changed, .context = files};
}

/* ---- scopes of folders that are not here ---- */

struct stray {
    struct qn_search_files *files;
    char scope[QN_SEARCH_FOLDER_SCOPE_SIZE]; /* "": none */
};

static void find_stray(void *context, struct qn_span scope)
{
    struct stray *stray = context;
    if (!qn_span_has_prefix(scope, qn_span_str("f/")) || scope.size >= sizeof(stray->scope))
        return;
    qn_vec_each (&stray->files->sources, source)
        if (qn_span_eq_str(scope, source->scope))
            return;
    snprintf(stray->scope, sizeof(stray->scope), "%.*s", (int)scope.size, (const char *)scope.data);
}

/* Found by one of our own batches. */
static void tell_renewed(struct qn_search_files *files)
{
    qn_search_files_renew(files);
    if (files->renewed != NULL)
        files->renewed(files->context);
}

static void on_dropped(void *context, enum qn_err err)
{
    struct qn_search_files *files = context;
    files->is_dropping = false;
    if (err == QN_ERR_CORRUPT)
        tell_renewed(files);
    wake(files, err == QN_OK || err == QN_ERR_CORRUPT ? 0 : RETRY_MS);
}

/* QN_ERR_NOTFOUND: there is none. */
static enum qn_err drop_stray(struct qn_search_files *files)
{
    struct stray stray = {.files = files};
    if (files->has_swept)
        return QN_ERR_NOTFOUND;
    QN_TRY(qn_search_scopes(files->options.search, find_stray, &stray));
    files->has_swept = stray.scope[0] == '\0';
    if (files->has_swept)
        return QN_ERR_NOTFOUND;
    files->is_dropping = true;
    enum qn_err err =
        qn_search_drop(files->options.search, qn_span_str(stray.scope), on_dropped, files);
    files->is_dropping = err == QN_OK;
    return err;
}

/* ---- a look ---- */

/* One that is not understood begins anew. */
static enum qn_err load(struct qn_search_files *files, struct source *source)
{
    QN_AUTO_BUF struct qn_buf packed;
    qn_buf_init(&packed, 512);
    QN_TRY(qn_search_position(files->options.search, qn_span_str(source->scope), &packed));
    source->is_loaded = true;
    if (qn_crawl_position_read(qn_buf_view(&packed), &source->position) != QN_OK)
        source->position = (struct qn_crawl_position){0};
    return QN_OK;
}

static enum qn_err load_all(struct qn_search_files *files)
{
    qn_vec_each (&files->sources, source)
        if (!source->is_loaded)
            QN_TRY(load(files, source));
    return QN_OK;
}

static uint64_t due_ms(const struct source *source)
{
    uint64_t due = source->all_ms < source->changes_ms ? source->all_ms : source->changes_ms;
    return due < source->rest_ms ? source->rest_ms : due;
}

static struct source *next_source(struct qn_search_files *files)
{
    struct source *next = NULL;
    qn_vec_each (&files->sources, source)
        if (next == NULL || due_ms(source) < due_ms(next))
            next = source;
    return next;
}

static void say_failure(struct qn_search_files *files, enum qn_err err)
{
    if (!files->is_failing)
        qn_log(files->options.log, QN_LOG_WARNING,
               "names of files cannot be put into the search index (%s); it is tried again in %d s",
               qn_err_name(err), RETRY_MS / 1000);
    files->is_failing = true;
}

static void say_left_out(struct qn_search_files *files, struct source *source, size_t left_out)
{
    if (left_out > 0 && !source->has_left_out)
        qn_log(files->options.log, QN_LOG_WARNING,
               "a folder has too many directories for the search: what is in %zu of them is not "
               "found",
               left_out);
    source->has_left_out = left_out > 0;
}

static void take_result(struct qn_search_files *files, struct source *source, enum qn_err err)
{
    uint64_t took_ms = now(files) - files->began_ms;
    source->rest_ms = now(files) + REST * took_ms;
    source->position.round++; /* as the index has it, or further */
    source->is_gone = err == QN_ERR_CLOSED;
    if (err == QN_OK) {
        source->position.is_complete |= files->crawls_all;
        files->is_failing = false;
        return;
    }
    if (err != QN_ERR_CLOSED)
        say_failure(files, err);
    if (source->all_ms > now(files) + RETRY_MS)
        source->all_ms = now(files) + RETRY_MS;
}

static void on_crawled(void *context, enum qn_err err, size_t left_out)
{
    struct qn_search_files *files = context;
    struct source *source = find_id(files, &files->id);
    files->crawl = NULL;
    if (files->is_ending)
        return;
    if (err == QN_ERR_CORRUPT) {
        tell_renewed(files);
    } else if (source != NULL) {
        take_result(files, source, err);
        if (err == QN_OK && files->crawls_all)
            say_left_out(files, source, left_out);
    }
    wake(files, 0);
}

static void look(struct qn_search_files *files, struct source *source, const char *below)
{
    files->id = source->id;
    files->crawls_all = below[0] == '\0';
    files->began_ms = now(files);
    files->crawl =
        qn_search_crawl_new(&(struct qn_search_crawl_options){.loop = files->options.loop,
                                                              .search = files->options.search,
                                                              .folder = source->folder,
                                                              .scope = qn_span_str(source->scope),
                                                              .below = qn_span_str(below),
                                                              .position = source->position,
                                                              .pause_ms = files->options.pause_ms,
                                                              .done = on_crawled,
                                                              .context = files});
}

/* All of it, which is also what changed; or the last of the changes. */
static void look_at(struct qn_search_files *files, struct source *source)
{
    if (source->all_ms <= now(files)) {
        forget_changes(source);
        source->all_ms = now(files) + files->options.every_ms;
        look(files, source, "");
        return;
    }
    char *path = source->changes.items[--source->changes.count];
    if (source->changes.count == 0)
        source->changes_ms = NEVER_MS;
    look(files, source, path);
    qn_free(path);
}

static void on_timer(void *context)
{
    struct qn_search_files *files = context;
    if (is_busy(files) || files->is_ending)
        return;
    enum qn_err err = drop_stray(files);
    if (err == QN_OK)
        return;
    if (err == QN_ERR_NOTFOUND)
        err = load_all(files);
    if (err != QN_OK) {
        qn_timer_set(files->timer, err == QN_ERR_BUSY ? BUSY_MS : RETRY_MS);
        return;
    }
    struct source *source = next_source(files);
    if (source != NULL && due_ms(source) <= now(files))
        look_at(files, source);
    else if (source != NULL)
        qn_timer_set(files->timer, due_ms(source) - now(files));
}

/* ---- the index ---- */

void qn_search_files_renew(struct qn_search_files *files)
{
    qn_vec_each (&files->sources, source) {
        source->is_loaded = false;
        source->position = (struct qn_crawl_position){0};
        source->all_ms = now(files);
        source->rest_ms = 0;
    }
    if (files->crawl != NULL)
        qn_search_crawl_cancel(files->crawl);
    wake(files, 0);
}

void qn_search_files_on_renewed(struct qn_search_files *files, void (*renewed)(void *context),
                                void *context)
{
    files->renewed = renewed;
    files->context = context;
}

bool qn_search_files_is_behind(const struct qn_search_files *files)
{
    qn_vec_each (&files->sources, source)
        if (!source->is_gone && !source->position.is_complete)
            return true;
    return false;
}

/* ---- life ---- */

struct qn_search_files *qn_search_files_new(const struct qn_search_files_options *options)
{
    struct qn_search_files *files = QN_NEW(struct qn_search_files);
    files->options = *options;
    if (options->soon_ms == 0)
        files->options.soon_ms = SOON_MS;
    if (options->every_ms == 0)
        files->options.every_ms = EVERY_MS;
    if (options->pause_ms == 0)
        files->options.pause_ms = PAUSE_MS;
    files->timer = qn_timer_new(options->loop, on_timer, files);
    return files;
}

void qn_search_files_start(struct qn_search_files *files)
{
    files->is_started = true;
    qn_timer_set(files->timer, 0);
}

void qn_search_files_free(struct qn_search_files *files)
{
    if (files == NULL)
        return;
    files->is_ending = true;
    if (files->crawl != NULL)
        qn_search_crawl_cancel(files->crawl);
    while (is_busy(files))
        qn_loop_wait(files->options.loop);
    qn_timer_free(files->timer);
    qn_vec_each (&files->sources, source)
        forget_changes(source);
    qn_vec_free(&files->sources);
    qn_free(files);
}
