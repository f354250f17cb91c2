/* File work in memory: the own vault's packs and snapshots, and the pools that a site keeps for
 * others.
 *
 * As app/files.c does it, work on one file runs in the order of asking, on different ones in any. A
 * disk keeps whole files; of what is arriving a power cut may take the end, or leave it wrong. Work
 * that is on its way when a site crashes was done or was not. */
#include <stdio.h>

#include "sim/world.h"

struct sim_work {
    struct qn_file_work *what;
    struct qn_file_result result;
    uint64_t told_ms;
    bool is_done;
};

/* ---- the pools ---- */

struct sim_file *files_find(const struct sim_site *site, const struct qn_site_id *owner,
                            const uint8_t *name)
{
    qn_vec_each (&site->files.held, slot)
        if (qn_site_id_eq(&(*slot)->owner, owner) &&
            memcmp((*slot)->name.bytes, name, sizeof((*slot)->name.bytes)) == 0)
            return *slot;
    return NULL;
}

static void file_free(struct sim_file *file)
{
    qn_buf_deinit(&file->bytes);
    qn_buf_deinit(&file->part);
    qn_free(file);
}

static struct sim_file *file_make(struct sim_site *site, const struct qn_file_work *what)
{
    struct sim_file *file = files_find(site, &what->owner, what->name.bytes);
    if (file != NULL)
        return file;
    file = QN_NEW(struct sim_file);
    file->owner = what->owner;
    memcpy(file->name.bytes, what->name.bytes, sizeof(file->name.bytes));
    qn_buf_init(&file->bytes, QN_PACK_SIZE_MAX);
    qn_buf_init(&file->part, QN_PACK_SIZE_MAX);
    qn_vec_push(&site->files.held, file);
    return file;
}

static void file_remove(struct sim_site *site, struct sim_file *file)
{
    for (size_t i = 0; i < site->files.held.count; i++)
        if (site->files.held.items[i] == file) {
            qn_vec_remove(&site->files.held, i);
            file_free(file);
            return;
        }
}

bool files_are_good(const struct sim_file *file)
{
    struct qn_digest digest;
    if (file == NULL || !file->is_whole)
        return false;
    QN_DIGEST(&digest, qn_buf_view(&file->bytes));
    return qn_digest_eq(&digest, &file->name);
}

/* The bytes of a whole file, of either kind of pool. */
static enum qn_err bytes_of(const struct sim_site *site, const struct qn_file_work *what,
                            struct qn_span *ret_bytes)
{
    if (qn_site_id_eq(&what->owner, &site->id)) {
        qn_vec_each (&site->vault.packs, pack)
            if (memcmp(pack->name.bytes, what->name.bytes, sizeof(pack->name.bytes)) == 0) {
                *ret_bytes = qn_buf_view(&pack->bytes);
                return QN_OK;
            }
        return QN_ERR_NOTFOUND;
    }
    const struct sim_file *file = files_find(site, &what->owner, what->name.bytes);
    if (file == NULL || !file->is_whole)
        return QN_ERR_NOTFOUND;
    *ret_bytes = qn_buf_view(&file->bytes);
    return QN_OK;
}

/* ---- the kinds of work ---- */

static enum qn_err do_append(struct sim_world *world, struct sim_site *site,
                             const struct qn_file_work *what, struct qn_file_result *result)
{
    struct sim_file *file = file_make(site, what);
    struct qn_digest digest;
    if (what->total > QN_PACK_SIZE_MAX || what->offset > what->total ||
        what->bytes.size > what->total - what->offset)
        return QN_ERR_LIMIT;
    if (file->part.size != what->offset)
        return QN_ERR_STATE;
    if (site->files.is_full)
        return QN_ERR_NOSPACE;
    qn_buf_append_span(&file->part, qn_buf_view(&what->bytes));
    file->grown_ms = world->now_ms;
    if (file->part.size < what->total)
        return QN_OK;
    QN_DIGEST(&digest, qn_buf_view(&file->part));
    bool is_right = qn_digest_eq(&digest, &file->name);
    if (is_right) {
        qn_buf_reset(&file->bytes);
        qn_buf_append_span(&file->bytes, qn_buf_view(&file->part));
        file->is_whole = result->is_whole = true;
        file->is_rotten = false;
        world->packs_held++;
    }
    qn_buf_reset(&file->part);
    return is_right ? QN_OK : QN_ERR_SIGNATURE;
}

static enum qn_err do_read(const struct sim_site *site, const struct qn_file_work *what,
                           struct qn_file_result *result)
{
    struct qn_span bytes;
    QN_TRY(bytes_of(site, what, &bytes));
    result->size = bytes.size;
    size_t wanted = what->size == 0 ? bytes.size : what->size;
    if (what->offset > bytes.size || wanted > bytes.size - what->offset)
        return QN_ERR_INVALID;
    qn_buf_append(&result->bytes, bytes.data + what->offset, wanted);
    return QN_OK;
}

static enum qn_err do_scrub(struct sim_world *world, struct sim_site *site,
                            const struct qn_file_work *what)
{
    struct sim_file *file = files_find(site, &what->owner, what->name.bytes);
    if (qn_site_id_eq(&what->owner, &site->id))
        return QN_OK;
    if (file == NULL || !file->is_whole)
        return QN_ERR_NOTFOUND;
    if (files_are_good(file))
        return QN_OK;
    world_trace(world, "%s scrub finds a bad pack", site->name);
    file->is_whole = false; /* it is moved away */
    qn_buf_reset(&file->bytes);
    return QN_ERR_CORRUPT;
}

static enum qn_err do_remove(struct sim_site *site, const struct qn_file_work *what)
{
    struct sim_file *file = files_find(site, &what->owner, what->name.bytes);
    if (file != NULL)
        file_remove(site, file);
    return QN_OK;
}

static enum qn_err do_snapshot(const struct sim_site *site, const struct qn_file_work *what,
                               struct qn_file_result *result)
{
    qn_vec_each (&site->vault.snaps, snap) {
        if (memcmp(snap->name.bytes, what->name.bytes, sizeof(snap->name.bytes)) != 0)
            continue;
        qn_buf_append_u32(&result->bytes, (uint32_t)snap->sealed.size);
        qn_buf_append_span(&result->bytes, qn_buf_view(&snap->sealed));
        qn_buf_append_span(&result->bytes, qn_buf_view(&snap->live));
        return QN_OK;
    }
    return QN_ERR_NOTFOUND;
}

static enum qn_err do_proof(const struct sim_site *site, const struct qn_file_work *what,
                            struct qn_file_result *result)
{
    struct qn_span bytes;
    struct qn_digest mac;
    QN_TRY(bytes_of(site, what, &bytes));
    qn_hmac(qn_buf_view(&what->bytes), bytes, &mac);
    qn_buf_append_span(&result->bytes, qn_digest_view(&mac));
    return QN_OK;
}

/* Parts that did not grow for so long. */
static void sweep(const struct sim_world *world, struct sim_site *site,
                  const struct qn_file_work *what)
{
    qn_vec_each (&site->files.held, slot)
        if (qn_site_id_eq(&(*slot)->owner, &what->owner) &&
            world->now_ms - (*slot)->grown_ms >= what->size)
            qn_buf_reset(&(*slot)->part);
}

/* Behind a name, ascending. */
static void list(const struct sim_site *site, const struct qn_file_work *what,
                 struct qn_file_result *result)
{
    struct qn_digest after, best;
    memcpy(after.bytes, what->name.bytes, sizeof(after.bytes));
    for (size_t count = 0; count < what->size; count++, after = best) {
        bool is_found = false;
        qn_vec_each (&site->files.held, slot) {
            const struct sim_file *file = *slot;
            if (!file->is_whole || !qn_site_id_eq(&file->owner, &what->owner) ||
                memcmp(file->name.bytes, after.bytes, sizeof(after.bytes)) <= 0 ||
                (is_found && memcmp(file->name.bytes, best.bytes, sizeof(best.bytes)) >= 0))
                continue;
            best = file->name;
            is_found = true;
        }
        if (!is_found)
            return;
        qn_buf_append_span(&result->bytes, qn_digest_view(&best));
    }
}

static enum qn_err do_kind(struct sim_world *world, struct sim_site *site,
                           const struct qn_file_work *what, struct qn_file_result *result)
{
    const struct sim_file *file;
    result->free_bytes = site->files.is_full ? 0 : 1ull << 40;
    switch (what->kind) {
    case QN_FILE_PART_SIZE:
        file = files_find(site, &what->owner, what->name.bytes);
        result->size = file == NULL ? 0 : file->part.size;
        return QN_OK;
    case QN_FILE_APPEND:
        return do_append(world, site, what, result);
    case QN_FILE_READ:
        return do_read(site, what, result);
    case QN_FILE_REMOVE:
        return do_remove(site, what);
    case QN_FILE_SCRUB:
        return do_scrub(world, site, what);
    case QN_FILE_SNAPSHOT:
        return do_snapshot(site, what, result);
    case QN_FILE_PROOF:
        return do_proof(site, what, result);
    case QN_FILE_SWEEP:
        sweep(world, site, what);
        return QN_OK;
    case QN_FILE_LIST:
        list(site, what, result);
        return QN_OK;
    }
    return QN_ERR_INVALID;
}

/* ---- work on its way ---- */

static void work_free(struct sim_work *work)
{
    qn_file_work_free(work->what);
    qn_file_result_deinit(&work->result);
    qn_free(work);
}

/* Not before earlier work on the same file has been told. */
static uint64_t begin_after(const struct sim_site *site, const struct qn_file_work *what)
{
    uint64_t after_ms = 0;
    qn_vec_each (&site->files.works, slot)
        if (qn_site_id_eq(&(*slot)->what->owner, &what->owner) &&
            memcmp(&(*slot)->what->name, &what->name, sizeof(what->name)) == 0 &&
            (*slot)->told_ms > after_ms)
            after_ms = (*slot)->told_ms;
    return after_ms;
}

static void push(struct sim_world *world, const struct sim_site *site, uint64_t at_ms,
                 uint64_t token)
{
    world_push(world, (struct sim_event){.at_ms = at_ms,
                                         .kind = SIM_FILE,
                                         .site = site->index,
                                         .life = site->life,
                                         .token = token});
}

#define WORKS_MAX 512 /* the driver asserts a bound; the core must stay far below it */

void files_start(struct sim_world *world, struct sim_site *site, struct qn_file_work *take_work)
{
    struct sim_work *work = QN_NEW(struct sim_work);
    uint64_t done_ms = begin_after(site, take_work);
    done_ms = (done_ms > world->now_ms ? done_ms : world->now_ms) + world_below(world, 8);
    work->what = take_work;
    work->told_ms = done_ms + world_below(world, world_chance(world, 50) ? 100 : 4);
    work->result.token = take_work->token;
    qn_buf_init(&work->result.bytes, QN_PACK_SIZE_MAX);
    qn_vec_push(&site->files.works, work);
    if (site->files.works.count > WORKS_MAX)
        world_fail(world, "%s: more than %d pieces of file work", site->name, WORKS_MAX);
    push(world, site, done_ms, take_work->token);
    push(world, site, work->told_ms, take_work->token);
}

static void run_work(struct sim_world *world, struct sim_site *site, struct sim_work *work)
{
    struct qn_file_result *result = &work->result;
    work->is_done = true;
    if (!world->is_calm && world_chance(world, 5))
        result->err = QN_ERR_IO;
    else
        result->err = do_kind(world, site, work->what, result);
}

void files_event(struct sim_world *world, struct sim_site *site, uint64_t token)
{
    for (size_t i = 0; i < site->files.works.count; i++) {
        struct sim_work *work = site->files.works.items[i];
        if (work->what->token != token)
            continue;
        if (!work->is_done) {
            run_work(world, site, work);
            return;
        }
        qn_vec_remove(&site->files.works, i);
        struct qn_event event = {.kind = QN_EVENT_FILE, .file = &work->result};
        site_step(world, site, &event);
        work_free(work);
        return;
    }
}

static void drop_works(struct sim_site *site)
{
    qn_vec_each (&site->files.works, work)
        work_free(*work);
    site->files.works.count = 0;
}

/* Of a part that a power cut met some of the end is gone, or is not what was written. */
static void cut_part(struct sim_world *world, struct sim_file *file)
{
    if (file->part.size == 0)
        return;
    file->part.size -= world_below(world, file->part.size + 1);
    if (file->part.size > 0 && world_chance(world, 200))
        file->part.data[file->part.size - 1] ^= 0x55;
}

void files_crash(struct sim_world *world, struct sim_site *site)
{
    drop_works(site);
    if (!world_chance(world, 500))
        return; /* the daemon was killed, the machine goes on */
    site->is_off = true;
    qn_vec_each (&site->files.held, file)
        cut_part(world, *file);
}

void files_deinit(struct sim_site *site)
{
    drop_works(site);
    qn_vec_each (&site->files.held, file)
        file_free(*file);
    qn_vec_free(&site->files.works);
    qn_vec_free(&site->files.held);
}

/* A bit of a held file falls over. */
void files_rot(struct sim_world *world, struct sim_site *site)
{
    if (site->files.held.count == 0)
        return;
    struct sim_file *file = site->files.held.items[world_below(world, site->files.held.count)];
    if (!file->is_whole || file->is_rotten || file->bytes.size == 0)
        return;
    world_trace(world, "%s a held pack rots", site->name);
    file->bytes.data[world_below(world, file->bytes.size)] ^= 4;
    file->is_rotten = true;
    world->rotten++;
}
