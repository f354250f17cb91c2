/* The open folders, and whether their directories are there. */
#include "app/folders_impl.h"

#include <stdlib.h>

#include "app/service.h"
#include "base/mem.h"
#include "base/text.h"

#define LOOK_EVERY_MS ((uint64_t)60 * 1000)
#define ROW_PREFIX    "folder/"

/* ---- jobs ---- */

struct job {
    struct qn_folders *folders;
    void (*work)(void *context);
    void (*done)(void *context);
    void *context;
};

static void job_work(void *context)
{
    struct job *job = context;
    job->work(job->context);
}

static void job_done(void *context)
{
    struct job *job = context;
    job->folders->job_count--;
    job->done(job->context);
    qn_free(job);
}

bool folders_job(struct qn_folders *folders, void (*work)(void *context),
                 void (*done)(void *context), void *context)
{
    struct job *job = QN_NEW(struct job);
    *job = (struct job){.folders = folders, .work = work, .done = done, .context = context};
    if (qn_loop_job(folders->options.loop, job_work, job_done, job) != QN_OK) {
        qn_free(job);
        return false;
    }
    folders->job_count++;
    return true;
}

/* ---- what is open ---- */

struct home *folders_home(struct qn_folders *folders, const struct qn_coll_id *id)
{
    qn_vec_each (&folders->homes, home)
        if (qn_coll_id_eq(&home->id, id))
            return home;
    return NULL;
}

static void on_changed(void *context, struct qn_folder *folder, struct qn_span path)
{
    const struct qn_folders_watch *watch = &((struct qn_folders *)context)->watch;
    if (watch->changed != NULL)
        watch->changed(watch->context, folder, path);
}

static void tell_here(const struct qn_folders *folders, const struct home *home)
{
    if (folders->watch.here != NULL)
        folders->watch.here(folders->watch.context, &home->id, home->folder);
}

void qn_folders_watch(struct qn_folders *folders, const struct qn_folders_watch *watch)
{
    folders->watch = watch == NULL ? (struct qn_folders_watch){0} : *watch;
    qn_vec_each (&folders->homes, home)
        tell_here(folders, home);
}

static struct qn_folder *open_folder(struct qn_folders *folders, const struct qn_coll_id *id,
                                     const char *path)
{
    QN_AUTO_BUF struct qn_buf name;
    qn_buf_init(&name, 2 * QN_COLL_ID_SIZE);
    qn_text_append_hex(&name, QN_SPAN_OF(id->bytes));
    return qn_folder_local_new(&(struct qn_folder_local_options){
        .loop = folders->options.loop,
        .path = path,
        .name = qn_buf_view(&name), /* of its rows: the name that people see may change */
        .mark = id->bytes,
        .local = folders->options.local,
        .changed = on_changed,
        .changed_context = folders,
    });
}

/* Whoever holds it goes on, as far as the old directory is still the folder. */
static void retire(struct home *home)
{
    qn_folder_retire(home->folder);
    qn_free(home->path);
    home->folder = NULL;
    home->path = NULL;
}

void folders_put_home(struct qn_folders *folders, const struct qn_coll_id *id, const char *path)
{
    struct home *home = folders_home(folders, id);
    if (home != NULL && strcmp(home->path, path) == 0) {
        home->is_gone = false;
        tell_here(folders, home); /* another disk may be there now */
        return;
    }
    if (home != NULL)
        retire(home);
    else
        home = qn_vec_push_slot(&folders->homes);
    *home = (struct home){.id = *id, .path = qn_strdup(path)};
    home->folder = open_folder(folders, id, path);
    tell_here(folders, home);
}

void folders_drop_home(struct qn_folders *folders, const struct qn_coll_id *id)
{
    for (size_t i = 0; i < folders->homes.count; i++)
        if (qn_coll_id_eq(&folders->homes.items[i].id, id)) {
            retire(&folders->homes.items[i]);
            qn_vec_remove(&folders->homes, i);
            if (folders->watch.detached != NULL)
                folders->watch.detached(folders->watch.context, id);
            return;
        }
}

/* The folder of that name that this site shares; false: none. */
static bool find_view(const struct qn_folders *folders, struct qn_span name,
                      struct qn_coll_id *ret_id)
{
    const struct qn_core *core = qn_driver_core(folders->driver);
    const struct qn_coll_id *id =
        qn_core_is_folder(core, name) ? qn_core_collection(core, name) : NULL;
    if (id != NULL)
        *ret_id = *id;
    return id != NULL;
}

struct qn_folder *qn_folders_open(struct qn_folders *folders, struct qn_span name)
{
    struct qn_coll_id id;
    const struct home *home = find_view(folders, name, &id) ? folders_home(folders, &id) : NULL;
    return home == NULL ? NULL : home->folder;
}

void qn_folders_each(struct qn_folders *folders, void (*each)(void *context, struct qn_span name),
                     void *context)
{
    struct qn_folder_view *views;
    size_t count = qn_core_folders(qn_driver_core(folders->driver), &views);
    for (size_t i = 0; i < count; i++)
        if (!views[i].is_here || folders_home(folders, &views[i].id) != NULL)
            each(context, qn_span_str(views[i].name));
    qn_free(views);
}

/* ---- are they there? ---- */

struct look {
    struct qn_folders *folders;
    QN_VEC(struct line) lines;
};

static void look_work(void *context)
{
    struct look *look = context;
    qn_vec_each (&look->lines, line)
        line->err = qn_folder_check(line->path, line->id.bytes);
}

static void look_done(void *context)
{
    struct look *look = context;
    qn_vec_each (&look->lines, line) {
        const struct home *home = folders_home(look->folders, &line->id);
        if (home != NULL && strcmp(home->path, line->path) == 0)
            folders_set_gone(look->folders, &line->id, line->err != QN_OK);
        qn_free(line->path);
    }
    qn_vec_free(&look->lines);
    if (!atomic_load(&look->folders->stops))
        qn_timer_set(look->folders->timer, LOOK_EVERY_MS);
    qn_free(look);
}

static void on_timer(void *context)
{
    struct qn_folders *folders = context;
    struct look *look = QN_NEW(struct look);
    look->folders = folders;
    qn_vec_each (&folders->homes, home)
        qn_vec_push(&look->lines, ((struct line){.id = home->id, .path = qn_strdup(home->path)}));
    if (folders_job(folders, look_work, look_done, look))
        return;
    qn_vec_each (&look->lines, line)
        qn_free(line->path);
    qn_vec_free(&look->lines);
    qn_free(look);
    qn_timer_set(folders->timer, LOOK_EVERY_MS);
}

void folders_set_gone(struct qn_folders *folders, const struct qn_coll_id *id, bool is_gone)
{
    struct home *home = folders_home(folders, id);
    if (home == NULL || home->is_gone == is_gone)
        return;
    home->is_gone = is_gone;
    if (is_gone)
        qn_log(folders->options.log, QN_LOG_ERROR,
               "the directory %s of a folder is gone, or is another one; the folder is offered "
               "again when it is back, or attached elsewhere",
               home->path);
    else
        qn_log(folders->options.log, QN_LOG_INFO, "the directory %s of a folder is back",
               home->path);
    if (!is_gone)
        tell_here(folders, home);
}

void qn_folders_health(struct qn_folders *folders, struct qn_health *health)
{
    struct qn_folder_view *views;
    size_t count = qn_core_folders(qn_driver_core(folders->driver), &views);
    folders->gone.count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct home *home = folders_home(folders, &views[i].id);
        if (!views[i].is_here || (home != NULL && !home->is_gone))
            continue;
        qn_vec_push(
            &folders->gone,
            ((struct qn_folder_gone){.id = views[i].id, .path = home == NULL ? "" : home->path}));
    }
    qn_free(views);
    health->folders_gone = folders->gone.items;
    health->folders_gone_count = folders->gone.count;
}

/* ---- life ---- */

static bool read_row(void *context, struct qn_span key, struct qn_span value)
{
    struct qn_folders *folders = context;
    struct qn_coll_id id;
    QN_AUTO_BUF struct qn_buf bytes;
    char path[FOLDER_PATH_SIZE_MAX + 1];
    qn_buf_init(&bytes, sizeof(id.bytes));
    if (qn_text_parse_hex(qn_span_from(key, strlen(ROW_PREFIX)), &bytes) != QN_OK ||
        bytes.size != sizeof(id.bytes) || value.size == 0 || value.size >= sizeof(path))
        return true; /* not a row of ours */
    memcpy(id.bytes, bytes.data, sizeof(id.bytes));
    memcpy(path, value.data, value.size);
    path[value.size] = '\0';
    folders_put_home(folders, &id, path);
    return true;
}

struct qn_folders *qn_folders_new(const struct qn_folders_options *options)
{
    struct qn_folders *folders = QN_NEW(struct qn_folders);
    folders->options = *options;
    folders->timer = qn_timer_new(options->loop, on_timer, folders);
    return folders;
}

void qn_folders_start(struct qn_folders *folders, struct qn_driver *driver)
{
    const struct qn_local *local = folders->options.local;
    struct qn_span prefix = qn_span_str(ROW_PREFIX);
    folders->driver = driver;
    qn_driver_add_service(driver, &(struct qn_service){.takes = folder_orders_take,
                                                       .start = folder_orders_start,
                                                       .context = folders});
    enum qn_err err = local->read(local->context, prefix, prefix, read_row, folders);
    if (err != QN_OK)
        qn_log(folders->options.log, QN_LOG_ERROR,
               "where the folders of this site are could not be read (%s); they are not offered",
               qn_err_name(err));
    qn_timer_set(folders->timer, 0);
}

void qn_folders_free(struct qn_folders *folders)
{
    if (folders == NULL)
        return;
    atomic_store(&folders->stops, true);
    qn_timer_stop(folders->timer);
    while (folders->job_count > 0)
        qn_loop_wait(folders->options.loop);
    qn_timer_free(folders->timer);
    while (folders->orders.count > 0)
        folder_order_free(folders->orders.items[0]);
    qn_vec_each (&folders->homes, home) {
        qn_folder_free(home->folder);
        qn_free(home->path);
    }
    qn_vec_free(&folders->homes);
    qn_vec_free(&folders->orders);
    qn_vec_free(&folders->gone);
    qn_free(folders);
}
