/* The crawl, driven by its timer:
 *
 *   step ──┬── enough names, or nothing is left ── put ── on_put ── step | finish
 *          ├── a directory is open ── more ── on_part ── step
 *          └── the next directory ── list ── on_part ── (pause) ── step
 */
#include "app/search_crawl.h"

#include <limits.h>

#include "base/vec.h"
#include "dav/names.h"
#include "proto/cursor.h"
#include "proto/pack.h"

#define PART_ITEMS 512 /* a listing has at most as many at once (folder.h) */
#define BUSY_MS    50  /* until the index is asked again */
#define PATH_SIZE  (PATH_MAX + NAME_MAX)

struct qn_search_crawl {
    struct qn_search_crawl_options options;
    struct qn_timer *timer;
    struct qn_buf scope, below, position;
    struct qn_buf waiting;   /* directories: each path, then its size (u32); the last is the next */
    struct qn_buf directory; /* that is looked at */
    struct qn_folder_call *call;
    struct qn_buf names;
    QN_VEC(size_t) ends; /* of names in `names` */
    QN_VEC(struct qn_search_item) items;
    struct qn_search_batch batch;
    size_t left_out;
    bool is_begun, is_putting, is_ending;
    enum qn_err err;
};

/* ---- where a feed stands ---- */

static void pack_position(const struct qn_crawl_position *position, struct qn_buf *out)
{
    qn_buf_reset(out);
    qn_pack_array(out, 2);
    qn_pack_u64(out, position->round);
    qn_pack_bool(out, position->is_complete);
}

enum qn_err qn_crawl_position_read(struct qn_span packed, struct qn_crawl_position *ret_position)
{
    struct qn_cursor cursor = qn_cursor(packed);
    struct qn_crawl_position position;
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, 2, &count));
    QN_TRY(qn_cursor_u64(&cursor, &position.round));
    QN_TRY(qn_cursor_bool(&cursor, &position.is_complete));
    QN_TRY(qn_cursor_finish(&cursor));
    *ret_position = position;
    return QN_OK;
}

/* ---- its end ---- */

static void crawl_free(struct qn_search_crawl *crawl)
{
    qn_timer_free(crawl->timer);
    qn_folder_release(crawl->options.folder);
    qn_buf_deinit(&crawl->scope);
    qn_buf_deinit(&crawl->below);
    qn_buf_deinit(&crawl->position);
    qn_buf_deinit(&crawl->waiting);
    qn_buf_deinit(&crawl->directory);
    qn_buf_deinit(&crawl->names);
    qn_vec_free(&crawl->ends);
    qn_vec_free(&crawl->items);
    qn_free(crawl);
}

static void finish(struct qn_search_crawl *crawl)
{
    const struct qn_search_crawl_options options = crawl->options;
    enum qn_err err = crawl->err;
    size_t left_out = crawl->left_out;
    crawl_free(crawl);
    options.done(options.context, err, left_out);
}

/* What is under way ends first; then the timer finishes. */
static void end(struct qn_search_crawl *crawl, enum qn_err err)
{
    if (crawl->is_ending)
        return;
    crawl->is_ending = true;
    crawl->err = err;
    if (crawl->call != NULL)
        crawl->options.folder->ops->cancel(crawl->call);
    qn_timer_set(crawl->timer, 0);
}

/* ---- directories that wait ---- */

static void push_directory(struct qn_search_crawl *crawl, struct qn_span path)
{
    if (crawl->waiting.size + path.size + sizeof(uint32_t) > QN_CRAWL_WAITING_SIZE_MAX) {
        crawl->left_out++;
        return;
    }
    qn_buf_append_span(&crawl->waiting, path);
    qn_buf_append_u32(&crawl->waiting, (uint32_t)path.size);
}

static bool pop_directory(struct qn_search_crawl *crawl)
{
    struct qn_buf *waiting = &crawl->waiting;
    if (waiting->size == 0)
        return false;
    size_t end = waiting->size - sizeof(uint32_t);
    size_t begin = end - qn_read_u32(waiting->data + end);
    qn_buf_reset(&crawl->directory);
    qn_buf_append(&crawl->directory, waiting->data + begin, end - begin);
    qn_buf_truncate(waiting, begin);
    return true;
}

/* ---- what is found ---- */

static void add_file(struct qn_search_crawl *crawl, struct qn_span path)
{
    qn_buf_append_span(&crawl->names, path);
    qn_vec_push(&crawl->ends, crawl->names.size);
}

static void add_entry(struct qn_search_crawl *crawl, const struct qn_entry_info *entry)
{
    QN_AUTO_BUF struct qn_buf path;
    qn_buf_init(&path, PATH_SIZE);
    qn_buf_append_span(&path, qn_buf_view(&crawl->directory));
    if (path.size > 0)
        qn_buf_append_u8(&path, '/');
    qn_buf_append_span(&path, entry->name);
    if (qn_buf_status(&path) != QN_OK)
        return; /* nobody can ask for it either */
    if (entry->is_directory)
        push_directory(crawl, qn_buf_view(&path));
    else
        add_file(crawl, qn_buf_view(&path));
}

/* It went, or may not be read: what was below it is not there for anybody. That must not be so of
 * the folder as a whole. */
static bool is_nothing(const struct qn_search_crawl *crawl, enum qn_err err)
{
    bool is_missing = err == QN_ERR_NOTFOUND || err == QN_ERR_DENIED || err == QN_ERR_STATE;
    return is_missing && crawl->directory.size > 0;
}

static void on_part(void *context, enum qn_err err, const struct qn_entry_info *entries,
                    size_t count, bool is_end)
{
    struct qn_search_crawl *crawl = context;
    if (is_end)
        crawl->call = NULL;
    if (crawl->is_ending) {
        qn_timer_set(crawl->timer, 0);
        return;
    }
    if (err != QN_OK && !is_nothing(crawl, err)) {
        end(crawl, err);
        return;
    }
    for (size_t i = 0; i < count; i++)
        if (!qn_dav_name_is_litter(entries[i].name))
            add_entry(crawl, &entries[i]);
    qn_timer_set(crawl->timer, is_end ? crawl->options.pause_ms : 0);
}

/* What stands at the path that was asked for. */
static void on_entry(void *context, enum qn_err err, const struct qn_entry_info *entry)
{
    struct qn_search_crawl *crawl = context;
    crawl->call = NULL;
    if (!crawl->is_ending && err != QN_OK && !is_nothing(crawl, err)) {
        end(crawl, err);
        return;
    }
    if (err == QN_OK && entry->is_directory)
        push_directory(crawl, qn_buf_view(&crawl->below));
    else if (err == QN_OK)
        add_file(crawl, qn_buf_view(&crawl->below));
    qn_timer_set(crawl->timer, 0);
}

/* Is one of the names of a path litter? */
static bool is_in_litter(struct qn_span path)
{
    for (size_t begin = 0, at = 0; at <= path.size; at++)
        if (at == path.size || path.data[at] == '/') {
            if (qn_dav_name_is_litter(qn_span(path.data + begin, at - begin)))
                return true;
            begin = at + 1;
        }
    return false;
}

static void begin(struct qn_search_crawl *crawl)
{
    struct qn_span below = qn_buf_view(&crawl->below);
    struct qn_folder *folder = crawl->options.folder;
    crawl->is_begun = true;
    qn_buf_append_span(&crawl->directory, below);
    if (below.size == 0)
        push_directory(crawl, below);
    if (below.size == 0 || is_in_litter(below))
        qn_timer_set(crawl->timer, 0);
    else
        crawl->call = folder->ops->stat(folder, below, on_entry, crawl);
}

/* ---- into the index ---- */

static void on_put(void *context, enum qn_err err)
{
    struct qn_search_crawl *crawl = context;
    crawl->is_putting = false;
    if (err != QN_OK || crawl->batch.ends_round)
        end(crawl, err);
    qn_buf_reset(&crawl->names);
    crawl->ends.count = 0;
    qn_timer_set(crawl->timer, 0);
}

static void fill_batch(struct qn_search_crawl *crawl, bool is_last)
{
    struct qn_crawl_position position = crawl->options.position;
    position.round++;
    position.is_complete |= is_last && crawl->below.size == 0;
    pack_position(&position, &crawl->position);
    crawl->items.count = 0;
    for (size_t i = 0, at = 0; i < crawl->ends.count; at = crawl->ends.items[i++]) {
        struct qn_span name = qn_span(crawl->names.data + at, crawl->ends.items[i] - at);
        qn_vec_push(&crawl->items, ((struct qn_search_item){.name = name}));
    }
    crawl->batch = (struct qn_search_batch){.scope = qn_buf_view(&crawl->scope),
                                            .items = crawl->items.items,
                                            .count = crawl->items.count,
                                            .position = qn_buf_view(&crawl->position),
                                            .round = position.round,
                                            .ends_round = is_last,
                                            .below = qn_buf_view(&crawl->below)};
}

static void put(struct qn_search_crawl *crawl, bool is_last)
{
    enum qn_err err = qn_buf_status(&crawl->names);
    fill_batch(crawl, is_last);
    if (err == QN_OK)
        err = qn_search_put(crawl->options.search, &crawl->batch, on_put, crawl);
    crawl->is_putting = err == QN_OK;
    if (err == QN_ERR_BUSY || err == QN_ERR_LIMIT)
        qn_timer_set(crawl->timer, BUSY_MS);
    else if (err != QN_OK)
        end(crawl, err);
}

/* ---- its steps ---- */

static void step(struct qn_search_crawl *crawl)
{
    struct qn_folder *folder = crawl->options.folder;
    if (!crawl->is_begun)
        begin(crawl);
    else if (crawl->ends.count >= PART_ITEMS)
        put(crawl, false);
    else if (crawl->call != NULL)
        folder->ops->more(crawl->call);
    else if (pop_directory(crawl))
        crawl->call = folder->ops->list(folder, qn_buf_view(&crawl->directory), on_part, crawl);
    else
        put(crawl, true);
}

static void on_timer(void *context)
{
    struct qn_search_crawl *crawl = context;
    if (crawl->is_putting)
        return;
    if (!crawl->is_ending)
        step(crawl);
    else if (crawl->call == NULL)
        finish(crawl);
}

struct qn_search_crawl *qn_search_crawl_new(const struct qn_search_crawl_options *options)
{
    struct qn_search_crawl *crawl = QN_NEW(struct qn_search_crawl);
    crawl->options = *options;
    qn_folder_hold(options->folder);
    qn_buf_init(&crawl->scope, QN_SEARCH_SCOPE_SIZE_MAX);
    qn_buf_append_span(&crawl->scope, options->scope);
    qn_buf_init(&crawl->below, PATH_SIZE);
    qn_buf_append_span(&crawl->below, options->below);
    qn_buf_init(&crawl->position, 64);
    qn_buf_init(&crawl->waiting, QN_CRAWL_WAITING_SIZE_MAX);
    qn_buf_init(&crawl->directory, PATH_SIZE);
    qn_buf_init(&crawl->names, (size_t)2 * PART_ITEMS * PATH_SIZE);
    crawl->timer = qn_timer_new(options->loop, on_timer, crawl);
    qn_timer_set(crawl->timer, 0);
    return crawl;
}

void qn_search_crawl_cancel(struct qn_search_crawl *crawl)
{
    end(crawl, QN_ERR_CLOSED);
}
