/* PROPPATCH: all changes or none (RFC 4918, 9.2). Those of one resource go one after the other,
 * each from the row that the one before left: two that read the same would lose one's properties.
 * Dead properties are one row. The only live ones that can be set are the times that clients copy
 * along: they are the file's own. */
#include "serve/dav_private.h"

struct patching {
    struct qn_dav_changes changes;
    unsigned statuses[QN_DAV_ASKED_MAX];
    struct qn_dav_dead dead;
    struct qn_buf old, key, row;
    bool sets_time;
    bool is_waiting; /* for one that came before */
    int64_t modified_ns;
};

static void free_patching(struct dav_request *dav)
{
    struct patching *patch = dav->own;
    qn_buf_deinit(&patch->old);
    qn_buf_deinit(&patch->key);
    qn_buf_deinit(&patch->row);
    qn_free(patch);
}

static void answer(struct dav_request *dav)
{
    const struct patching *patch = dav->own;
    QN_AUTO_BUF struct qn_buf body, href;
    qn_buf_init(&body, 4 * QN_DAV_TEXT_SIZE_MAX);
    qn_buf_init(&href, 4 * DAV_PATH_SIZE_MAX);
    dav_href(&href, qn_buf_view(&dav->path), dav->info.is_directory);
    qn_dav_multistatus_start(&body);
    qn_dav_multistatus_changes(&body, qn_buf_view(&href), &patch->changes, patch->statuses);
    qn_dav_multistatus_end(&body);
    dav_note(dav, 207);
    dav_xml_answer(dav, 207, &body);
}

/* One that failed makes all others depend on it. */
static void fail_at(struct patching *patch, size_t at, unsigned status)
{
    for (size_t i = 0; i < patch->changes.count; i++)
        patch->statuses[i] = i == at ? status : 424;
}

/* ---- one after the other ---- */

static void run(struct dav_request *dav);

static bool is_of_same(const struct dav_request *a, const struct dav_request *b)
{
    return qn_span_eq(qn_buf_view(&a->path), qn_buf_view(&b->path));
}

/* What this one wrote, or did not, stands: the next one of that resource goes on. */
static void leave(struct dav_request *dav)
{
    struct qn_dav *all = dav->dav;
    struct dav_request *next = NULL;
    for (size_t i = all->patching.count; i-- > 0;) {
        struct dav_request *other = all->patching.items[i];
        if (other == dav)
            qn_vec_remove(&all->patching, i);
        else if (is_of_same(other, dav))
            next = other; /* the first of them */
    }
    if (next == NULL || !((struct patching *)next->own)->is_waiting)
        return;
    ((struct patching *)next->own)->is_waiting = false;
    if (dav_resume(next)) /* it is held */
        run(next);
}

/* Answered, or nobody is there any more. */
static void finish(struct dav_request *dav)
{
    leave(dav);
    dav_release(dav);
}

/* ---- each change ---- */

/* Seconds for ownCloud's clients, a date of HTTP for the others. */
static unsigned set_time(struct patching *patch, const struct qn_dav_change *change)
{
    struct qn_span text = qn_dav_trim(change->value);
    if (change->is_removal)
        return 403;
    if (change->name.live == QN_DAV_LASTMODIFIED &&
        qn_dav_mtime_read(text, &patch->modified_ns) == QN_OK) {
        patch->sets_time = true;
        return 200;
    }
    if (qn_dav_date_read(text, &patch->modified_ns) != QN_OK)
        return 409;
    patch->sets_time = true;
    return 200;
}

static unsigned change_dead(struct patching *patch, const struct qn_dav_change *change)
{
    struct qn_dav_dead_property property = {.ns = change->name.ns,
                                            .name = change->name.name,
                                            .lang = change->lang,
                                            .value = change->value};
    if (!change->is_removal)
        return qn_dav_dead_set(&patch->dead, &property) == QN_OK ? 200 : 507;
    qn_dav_dead_remove(&patch->dead, change->name.ns, change->name.name);
    return 200;
}

static unsigned apply(struct patching *patch, const struct qn_dav_change *change)
{
    switch (change->name.live) {
    case QN_DAV_DEAD:
        return change_dead(patch, change);
    case QN_DAV_GETLASTMODIFIED:
    case QN_DAV_WIN32_MODIFIED:
    case QN_DAV_LASTMODIFIED:
        return set_time(patch, change);
    default:
        return 403; /* computed */
    }
}

static bool apply_all(struct patching *patch)
{
    for (size_t i = 0; i < patch->changes.count; i++) {
        patch->statuses[i] = apply(patch, &patch->changes.items[i]);
        if (patch->statuses[i] != 200) {
            fail_at(patch, i, patch->statuses[i]);
            return false;
        }
    }
    return true;
}

/* ---- storing ---- */

static void fail_all(struct dav_request *dav, unsigned status)
{
    struct patching *patch = dav->own;
    for (size_t i = 0; i < patch->changes.count; i++)
        patch->statuses[i] = status;
    answer(dav);
}

static void on_time(void *context, enum qn_err err, const struct qn_entry_info *entry)
{
    struct dav_request *dav = context;
    if (!dav_resume(dav))
        return;
    if (err == QN_OK)
        answer(dav);
    else
        fail_all(dav, dav_status_of(err));
    finish(dav);
}

static void set_time_now(struct dav_request *dav)
{
    struct patching *patch = dav->own;
    if (patch->sets_time) {
        dav_wait(dav, dav->folder->ops->set_modified(dav->folder, dav->inner, patch->modified_ns,
                                                     on_time, dav));
        return;
    }
    answer(dav);
    finish(dav);
}

static void on_put(void *context, enum qn_err err)
{
    struct dav_request *dav = context;
    if (!dav_resume(dav))
        return;
    struct patching *patch = dav->own;
    if (err != QN_OK) {
        fail_all(dav, dav_status_of(err));
        finish(dav);
        return;
    }
    dav->dav->dead_size += patch->dead.count > 0 ? patch->key.size + patch->row.size : 0;
    uint64_t old = patch->old.size > 0 ? patch->key.size + patch->old.size : 0;
    dav->dav->dead_size -= old < dav->dav->dead_size ? old : dav->dav->dead_size;
    set_time_now(dav);
}

static bool changes_dead(const struct patching *patch)
{
    for (size_t i = 0; i < patch->changes.count; i++)
        if (patch->changes.items[i].name.live == QN_DAV_DEAD)
            return true;
    return false;
}

static void store(struct dav_request *dav)
{
    struct patching *patch = dav->own;
    struct qn_span path = qn_buf_view(&dav->path);
    bool is_gone = patch->dead.count == 0;
    qn_dav_dead_key(path, &patch->key);
    if (!is_gone && (qn_dav_dead_write(&patch->dead, path, &patch->row) != QN_OK ||
                     dav->dav->dead_size + patch->row.size > DAV_DEAD_SIZE_MAX)) {
        fail_all(dav, 507);
        finish(dav);
        return;
    }
    struct qn_local_row row = {
        .key = qn_buf_view(&patch->key), .value = qn_buf_view(&patch->row), .is_gone = is_gone};
    if (changes_dead(patch))
        dav_put(dav, (struct dav_rows){&row, 1}, on_put);
    else
        set_time_now(dav);
}

static void run(struct dav_request *dav)
{
    struct patching *patch = dav->own;
    dav_dead_get(dav->dav, qn_buf_view(&dav->path), &patch->old, &patch->dead);
    if (apply_all(patch)) {
        store(dav);
        return;
    }
    answer(dav);
    finish(dav);
}

/* In its place; held from here on, so that those behind it do not wait for ever. */
static void take_place(struct dav_request *dav)
{
    struct patching *patch = dav->own;
    qn_vec_each (&dav->dav->patching, other)
        patch->is_waiting |= is_of_same(*other, dav);
    qn_vec_push(&dav->dav->patching, dav);
    dav_hold(dav);
    if (patch->is_waiting)
        dav_wait(dav, NULL);
    else
        run(dav);
}

static void go(struct dav_request *dav)
{
    struct patching *patch = QN_NEW(struct patching);
    qn_buf_init(&patch->old, QN_LOCAL_ROW_SIZE_MAX);
    qn_buf_init(&patch->key, QN_LOCAL_KEY_SIZE_MAX);
    qn_buf_init(&patch->row, 2 * QN_LOCAL_ROW_SIZE_MAX);
    dav->own = patch;
    dav->free_own = free_patching;
    if (!dav->exists) {
        dav_refuse(dav, 404);
        return;
    }
    enum qn_err err = qn_dav_changes_read(dav->xml, &patch->changes);
    if (err != QN_OK) {
        dav_refuse(dav, err == QN_ERR_LIMIT ? 413 : 400);
        return;
    }
    take_place(dav);
}

const struct dav_method dav_patch = {.method = QN_HTTP_PROPPATCH,
                                     .action = "write",
                                     .is_write = true,
                                     .takes_xml = true,
                                     .value_depth = QN_DAV_PROPPATCH_VALUES,
                                     .go = go};
