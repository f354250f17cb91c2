#include "app/files.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/text.h"
#include "os/os.h"
#include "chunk/snapshot.h"
#include "vault/pool.h"

struct holding { /* the pool of one owner */
    struct qn_site_id owner;
    struct qn_pool *pool;
};

/* One piece of work on its way. Work on a name that is busy waits in `waiting`. */
struct work {
    struct qn_files *files;
    struct qn_file_work *what;
    struct qn_pool *pool;
    struct qn_file_result result;
};

struct qn_files {
    struct qn_files_options options;
    char *state_dir;
    struct qn_site_id site;
    QN_VEC(struct holding) holdings;
    QN_VEC(struct work *) running, waiting;
    bool is_ending;
};

/* ---- pools ---- */

static void pool_path(const struct qn_files *files, const struct qn_site_id *owner, char out[4096])
{
    char hex[2 * QN_DIGEST_SIZE + 1];
    if (qn_site_id_eq(owner, &files->site)) {
        snprintf(out, 4096, "%s/vault/packs", files->state_dir);
        return;
    }
    qn_text_hex(QN_SPAN_OF(owner->bytes), hex);
    snprintf(out, 4096, "%s/held/%s", files->state_dir, hex);
}

/* The folders above the pool, then the pool. */
static enum qn_err open_pool(struct qn_files *files, const struct qn_site_id *owner,
                             struct qn_pool **ret_pool)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", files->state_dir,
             qn_site_id_eq(owner, &files->site) ? "vault" : "held");
    QN_TRY(qn_os_make_dir(path, 0700));
    pool_path(files, owner, path);
    if (qn_site_id_eq(owner, &files->site)) /* the vault's: jobs have it open */
        return qn_pool_open_reader(path, ret_pool);
    return qn_pool_open(path, ret_pool);
}

static enum qn_err pool_of(struct qn_files *files, const struct qn_site_id *owner,
                           struct qn_pool **ret_pool)
{
    qn_vec_each (&files->holdings, holding)
        if (qn_site_id_eq(&holding->owner, owner)) {
            *ret_pool = holding->pool;
            return QN_OK;
        }
    QN_TRY(open_pool(files, owner, ret_pool));
    qn_vec_push(&files->holdings, ((struct holding){.owner = *owner, .pool = *ret_pool}));
    return QN_OK;
}

/* ---- on the pool's threads ---- */

/* What the disk does not give (EIO), or gives otherwise than it was: all of it is read, and if it
 * is damaged put aside, as by a scrub. */
static enum qn_err judge(struct work *work)
{
    enum qn_err err = qn_pool_scrub(work->pool, &work->what->name, 0);
    return err == QN_OK ? QN_ERR_BUSY : err;
}

/* What this site's own vault has is judged by its jobs, which can put it right. */
static bool is_held(const struct work *work)
{
    return !qn_site_id_eq(&work->what->owner, &work->files->site);
}

static enum qn_err do_read(struct work *work)
{
    const struct qn_file_work *what = work->what;
    struct qn_file_result *result = &work->result;
    size_t size;
    QN_TRY(qn_pool_size(work->pool, &what->name, &size));
    result->size = size;
    size_t wanted = what->size == 0 ? size : what->size;
    if (what->offset > size || wanted > size - what->offset || wanted > QN_PACK_SIZE_MAX)
        return QN_ERR_INVALID;
    result->bytes.data = qn_alloc(wanted == 0 ? 1 : wanted);
    result->bytes.capacity = result->bytes.size_max = wanted;
    result->bytes.size = wanted;
    enum qn_err err =
        qn_pool_read(work->pool, &what->name, what->offset, wanted, result->bytes.data);
    return err == QN_ERR_IO && is_held(work) ? judge(work) : err;
}

/* Of content that is not what the name says nothing is proven. */
static enum qn_err do_proof(struct work *work)
{
    struct qn_digest mac, digest;
    size_t size;
    QN_TRY(qn_pool_size(work->pool, &work->what->name, &size));
    if (size > QN_PACK_SIZE_MAX)
        return QN_ERR_LIMIT;
    uint8_t *bytes = qn_alloc(size == 0 ? 1 : size);
    enum qn_err err = qn_pool_read(work->pool, &work->what->name, 0, size, bytes);
    if (err == QN_OK) {
        qn_hmac(qn_buf_view(&work->what->bytes), qn_span(bytes, size), &mac);
        QN_DIGEST(&digest, qn_span(bytes, size));
    }
    qn_free(bytes);
    if (err == QN_OK && memcmp(digest.bytes, work->what->name.bytes, sizeof(digest.bytes)) != 0)
        return judge(work);
    if (err == QN_ERR_IO && is_held(work))
        return judge(work);
    if (err == QN_OK)
        qn_buf_append_span(&work->result.bytes, qn_digest_view(&mac));
    return err;
}

/* A snapshot and its list of packs, two files that the vault wrote durably. */
static enum qn_err do_snapshot(struct work *work)
{
    char path[4096];
    QN_AUTO_BUF struct qn_buf hex, sealed, live;
    qn_buf_init(&hex, 128);
    qn_buf_init(&sealed, QN_SNAPSHOT_SIZE_MAX);
    qn_buf_init(&live, QN_LIVE_SIZE_MAX);
    qn_text_append_hex(&hex, QN_SPAN_OF(work->what->name.bytes));
    qn_buf_append_u8(&hex, 0);
    snprintf(path, sizeof(path), "%s/vault/snapshots/%s", work->files->state_dir,
             (const char *)hex.data);
    QN_TRY(qn_os_read_file(path, QN_SNAPSHOT_SIZE_MAX, &sealed));
    snprintf(path, sizeof(path), "%s/vault/snapshots/%s.live", work->files->state_dir,
             (const char *)hex.data);
    QN_TRY(qn_os_read_file(path, QN_LIVE_SIZE_MAX, &live));
    qn_buf_append_u32(&work->result.bytes, (uint32_t)sealed.size);
    qn_buf_append_span(&work->result.bytes, qn_buf_view(&sealed));
    qn_buf_append_span(&work->result.bytes, qn_buf_view(&live));
    return qn_buf_status(&work->result.bytes);
}

static enum qn_err do_append(struct work *work)
{
    const struct qn_file_work *what = work->what;
    enum qn_err err =
        qn_pool_part_append(work->pool, &what->name, what->offset, qn_buf_view(&what->bytes),
                            what->total, &work->result.is_whole);
    work->result.free_bytes = qn_pool_free_bytes(work->pool);
    return err;
}

static enum qn_err do_part_size(struct work *work)
{
    size_t size = 0;
    enum qn_err err = qn_pool_part_size(work->pool, &work->what->name, &size);
    work->result.size = size;
    work->result.free_bytes = qn_pool_free_bytes(work->pool);
    return err;
}

/* What is told to be gone does not come back with a power cut. */
static enum qn_err do_remove(struct work *work)
{
    QN_TRY(qn_pool_part_remove(work->pool, &work->what->name));
    QN_TRY(qn_pool_remove(work->pool, &work->what->name));
    return qn_pool_sync(work->pool);
}

/* No file has the name that is all zero, so that is before the first. */
static enum qn_err do_list(struct work *work)
{
    const struct qn_file_work *what = work->what;
    size_t count = 0;
    if (what->size > QN_HELD_SWEEP_PACKS_MAX)
        return QN_ERR_LIMIT;
    QN_AUTO_FREE struct qn_pack_name *names = qn_alloc(QN_HELD_SWEEP_PACKS_MAX * sizeof(names[0]));
    QN_TRY(qn_pool_list(work->pool, &what->name, (size_t)what->size, names, &count));
    qn_buf_append(&work->result.bytes, names, count * sizeof(names[0]));
    return qn_buf_status(&work->result.bytes);
}

static enum qn_err do_kind(struct work *work)
{
    switch (work->what->kind) {
    case QN_FILE_PART_SIZE:
        return do_part_size(work);
    case QN_FILE_APPEND:
        return do_append(work);
    case QN_FILE_READ:
        return do_read(work);
    case QN_FILE_REMOVE:
        return do_remove(work);
    case QN_FILE_SCRUB:
        return qn_pool_scrub(work->pool, &work->what->name, work->files->options.scrub_rate);
    case QN_FILE_SNAPSHOT:
        return do_snapshot(work);
    case QN_FILE_PROOF:
        return do_proof(work);
    case QN_FILE_SWEEP:
        return qn_pool_part_sweep(work->pool, work->what->size);
    case QN_FILE_LIST:
        return do_list(work);
    }
    return QN_ERR_INVALID;
}

static void on_pool(void *context)
{
    struct work *work = context;
    if (work->result.err == QN_OK)
        work->result.err = do_kind(work);
}

/* ---- on the loop ---- */

static void run(struct work *work);

static void work_free(struct work *work)
{
    qn_file_work_free(work->what);
    qn_file_result_deinit(&work->result);
    qn_free(work);
}

static void files_gone(struct qn_files *files)
{
    qn_vec_each (&files->holdings, holding)
        qn_pool_close(holding->pool);
    qn_vec_free(&files->holdings);
    qn_vec_free(&files->running);
    qn_vec_free(&files->waiting);
    qn_free(files->state_dir);
    qn_free(files);
}

static bool is_same_file(const struct work *a, const struct work *b)
{
    return qn_site_id_eq(&a->what->owner, &b->what->owner) &&
           memcmp(&a->what->name, &b->what->name, sizeof(a->what->name)) == 0;
}

static bool is_busy(const struct qn_files *files, const struct work *work)
{
    qn_vec_each (&files->running, other)
        if (is_same_file(*other, work))
            return true;
    return false;
}

/* The next one that waited for this file. */
static void wake_next(struct qn_files *files, const struct work *done)
{
    for (size_t i = 0; i < files->waiting.count; i++) {
        struct work *next = files->waiting.items[i];
        if (!is_same_file(next, done))
            continue;
        qn_vec_remove(&files->waiting, i);
        run(next);
        return;
    }
}

static void on_done(void *context)
{
    struct work *work = context;
    struct qn_files *files = work->files;
    for (size_t i = 0; i < files->running.count; i++)
        if (files->running.items[i] == work) {
            qn_vec_remove(&files->running, i);
            break;
        }
    if (!files->is_ending) {
        wake_next(files, work);
        files->options.on_result(files->options.context, &work->result);
    }
    work_free(work);
    if (files->is_ending && files->running.count == 0)
        files_gone(files);
}

static void run(struct work *work)
{
    qn_vec_push(&work->files->running, work);
    enum qn_err err = qn_loop_job(work->files->options.loop, on_pool, on_done, work);
    QN_ASSERT(err == QN_OK); /* the core bounds its file work far below QN_LOOP_JOBS_MAX */
}

struct qn_files *qn_files_new(const struct qn_files_options *options)
{
    struct qn_files *files = QN_NEW(struct qn_files);
    files->options = *options;
    files->state_dir = qn_memdup(options->state_dir, strlen(options->state_dir) + 1);
    files->site = *options->site;
    return files;
}

void qn_files_start(struct qn_files *files, struct qn_file_work *take_work)
{
    struct work *work = QN_NEW(struct work);
    work->files = files;
    work->what = take_work;
    work->result.token = take_work->token;
    qn_buf_init(&work->result.bytes, QN_PACK_SIZE_MAX);
    work->result.err = pool_of(files, &take_work->owner, &work->pool);
    if (is_busy(files, work))
        qn_vec_push(&files->waiting, work);
    else
        run(work);
}

void qn_files_free(struct qn_files *files)
{
    if (files == NULL)
        return;
    files->is_ending = true;
    qn_vec_each (&files->waiting, work)
        work_free(*work);
    files->waiting.count = 0;
    if (files->running.count == 0)
        files_gone(files);
}
