/* A memory vault: what a site's packs and snapshots are, and the jobs that make them, step by step
 * in virtual time. It survives crashes as a disk does: what was told as durable is there. */
#include <stdio.h>
#include <stdlib.h>

#include "core/args.h"
#include "core/backup.h"
#include "proto/pack.h"
#include "sim/world.h"

#define PACK_ROW_SIZE 37

static void snap_deinit(struct sim_snap *snap)
{
    qn_buf_deinit(&snap->live);
    qn_buf_deinit(&snap->sealed);
    memkv_free(snap->store);
}

void vault_deinit(struct sim_vault *vault)
{
    qn_vec_each (&vault->snaps, snap)
        snap_deinit(snap);
    qn_vec_each (&vault->packs, pack)
        qn_buf_deinit(&pack->bytes);
    qn_vec_free(&vault->snaps);
    qn_vec_free(&vault->packs);
    qn_job_free(vault->job);
    vault->job = NULL;
}

/* Now and then so much later that packs are told to the book, and sent, while the job goes on. */
static void later(struct sim_world *world, struct sim_site *site)
{
    uint64_t most_ms = world_chance(world, 20) ? 3 * PACKS_EVERY_MS : 60;
    world_push(world, (struct sim_event){.at_ms = world->now_ms + 1 + world_below(world, most_ms),
                                         .kind = SIM_JOB,
                                         .site = site->index,
                                         .life = site->life});
}

void vault_start(struct sim_world *world, struct sim_site *site, struct qn_job *take_job)
{
    struct sim_vault *vault = &site->vault;
    if (vault->job != NULL)
        world_fail(world, "%s: two jobs at once", site->name);
    qn_job_free(vault->job);
    vault->job = take_job;
    vault->steps_left = take_job->kind == QN_JOB_BACKUP ? 1 + world_below(world, 4) : 1;
    vault->is_stopped = false;
    vault->run_first = vault->packs.count;
    world_trace(world, "%s job %d", site->name, (int)take_job->kind);
    later(world, site);
}

void vault_stop(struct sim_site *site, uint64_t token)
{
    if (site->vault.job != NULL && site->vault.job->token == token)
        site->vault.is_stopped = true;
}

void vault_crash(struct sim_vault *vault)
{
    qn_job_free(vault->job);
    vault->job = NULL;
}

/* ---- news ---- */

void vault_tell(struct sim_world *world, struct sim_site *site, enum qn_job_news news,
                enum qn_err err, const struct qn_buf *payload)
{
    struct qn_job_event job = {
        .token = site->vault.job->token, .news = news, .err = err, .payload = qn_buf_view(payload)};
    struct qn_event event = {.kind = QN_EVENT_JOB, .job = &job};
    site_step(world, site, &event);
}

static void tell_packs(struct sim_world *world, struct sim_site *site, size_t from, size_t count)
{
    QN_AUTO_BUF struct qn_buf rows, payload;
    qn_buf_init(&rows, 1 << 20);
    qn_buf_init(&payload, 1 << 20);
    for (size_t i = from; i < from + count; i++) {
        qn_buf_append(&rows, site->vault.packs.items[i].name.bytes, sizeof(struct qn_digest));
        qn_buf_append_u32(&rows, (uint32_t)site->vault.packs.items[i].bytes.size);
        qn_buf_append_u8(&rows, QN_PACK_DATA);
    }
    qn_pack_map(&payload, 1);
    qn_pack_cstr(&payload, "packs");
    qn_pack_bin(&payload, qn_buf_view(&rows));
    vault_tell(world, site, QN_JOB_PACKS, QN_OK, &payload);
}

static void put_u64(struct qn_buf *out, const char *key, uint64_t value)
{
    qn_pack_cstr(out, key);
    qn_pack_u64(out, value);
}

static void tell_snap(struct sim_world *world, struct sim_site *site, const struct sim_snap *snap)
{
    QN_AUTO_BUF struct qn_buf payload;
    qn_buf_init(&payload, 1 << 20);
    qn_pack_map(&payload, 8);
    put_u64(&payload, "bytes", 1000);
    put_u64(&payload, "bytes_stored", 500);
    put_u64(&payload, "files", 10);
    qn_pack_cstr(&payload, "live");
    qn_pack_bin(&payload, qn_buf_view(&snap->live));
    qn_pack_cstr(&payload, "name");
    qn_pack_bin(&payload, qn_digest_view(&snap->name));
    qn_pack_cstr(&payload, "partial");
    qn_pack_bool(&payload, false);
    qn_pack_cstr(&payload, "plan");
    qn_pack_cstr(&payload, snap->plan);
    put_u64(&payload, "time", snap->time_ms);
    vault_tell(world, site, QN_JOB_SNAPSHOT, QN_OK, &payload);
}

/* ---- the kinds of jobs ---- */

static void random_content(struct sim_world *world, size_t size, struct qn_buf *ret_bytes,
                           struct qn_digest *ret_name)
{
    qn_buf_init(ret_bytes, size + 8);
    for (size_t i = 0; i < size; i += 8)
        qn_buf_append_u64(ret_bytes, qn_prng_next(&world->prng));
    ret_bytes->size = size;
    QN_DIGEST(ret_name, qn_buf_view(ret_bytes));
}

static void make_pack(struct sim_world *world, struct sim_site *site)
{
    struct sim_pack pack;
    size_t size_max = world_chance(world, 100) ? 300000 : 20000;
    random_content(world, 100 + world_below(world, size_max), &pack.bytes, &pack.name);
    qn_vec_push(&site->vault.packs, pack);
    tell_packs(world, site, site->vault.packs.count - 1, 1);
}

static int by_name(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct qn_digest));
}

/* It needs what this run made, and some of what was there. */
static void make_live(struct sim_world *world, struct sim_vault *vault, struct sim_snap *snap)
{
    qn_buf_init(&snap->live, 1 << 20);
    for (size_t i = 0; i < vault->packs.count; i++)
        if (i >= vault->run_first || world_chance(world, 600))
            qn_buf_append(&snap->live, vault->packs.items[i].name.bytes, sizeof(struct qn_digest));
    if (snap->live.size > 0)
        qsort(snap->live.data, snap->live.size / sizeof(struct qn_digest), sizeof(struct qn_digest),
              by_name);
}

static void make_snap(struct sim_world *world, struct sim_site *site, struct qn_buf *done)
{
    struct sim_vault *vault = &site->vault;
    struct qn_span plan = qn_span_str("?");
    struct sim_snap snap = {.time_ms = world->now_ms + 1764000000000u};
    (void)args_text(qn_buf_view(&vault->job->args), "plan", QN_NAME_SIZE_MAX, &plan);
    snprintf(snap.plan, sizeof(snap.plan), "%.*s", (int)plan.size, (const char *)plan.data);
    random_content(world, 60 + world_below(world, 400), &snap.sealed, &snap.name);
    make_live(world, vault, &snap);
    snap.store = world->is_hard ? memkv_clone_durable(site->disk) : NULL;
    qn_vec_push(&vault->snaps, snap);
    tell_snap(world, site, &snap);
    qn_pack_map(done, 2);
    put_u64(done, "errors", 0);
    qn_pack_cstr(done, "name");
    qn_pack_bin(done, qn_digest_view(&snap.name));
}

static void catalog(struct sim_world *world, struct sim_site *site)
{
    struct sim_vault *vault = &site->vault;
    for (size_t at = 0; at < vault->packs.count; at += 10)
        tell_packs(world, site, at, vault->packs.count - at < 10 ? vault->packs.count - at : 10);
    qn_vec_each (&vault->snaps, snap)
        tell_snap(world, site, snap);
}

static bool is_live(const struct sim_vault *vault, const struct qn_digest *name)
{
    qn_vec_each (&vault->snaps, snap)
        for (size_t at = 0; at < snap->live.size; at += sizeof(*name))
            if (memcmp(snap->live.data + at, name->bytes, sizeof(*name)) == 0)
                return true;
    return false;
}

static void forget(struct sim_vault *vault, const uint8_t *name)
{
    for (size_t i = vault->snaps.count; i-- > 0;)
        if (memcmp(vault->snaps.items[i].name.bytes, name, sizeof(struct qn_digest)) == 0) {
            snap_deinit(&vault->snaps.items[i]);
            qn_vec_remove(&vault->snaps, i);
        }
}

static void prune(struct sim_vault *vault)
{
    struct qn_cursor cursor = qn_cursor(args_value(qn_buf_view(&vault->job->args), "forget"));
    size_t count;
    QN_ASSERT(qn_cursor_array(&cursor, 65536, &count) == QN_OK);
    for (size_t i = 0; i < count; i++) {
        struct qn_digest name;
        QN_ASSERT(qn_cursor_bytes(&cursor, name.bytes, sizeof(name.bytes)) == QN_OK);
        forget(vault, name.bytes);
    }
    for (size_t i = vault->packs.count; i-- > 0;)
        if (!is_live(vault, &vault->packs.items[i].name)) {
            qn_buf_deinit(&vault->packs.items[i].bytes);
            qn_vec_remove(&vault->packs, i);
        }
}

static void finish(struct sim_world *world, struct sim_site *site)
{
    struct sim_vault *vault = &site->vault;
    QN_AUTO_BUF struct qn_buf done;
    enum qn_err err = vault->is_stopped ? QN_ERR_CLOSED : QN_OK;
    qn_buf_init(&done, 4096);
    if (!world->is_calm && err == QN_OK && world_chance(world, 30))
        err = QN_ERR_NOSPACE;
    if (err == QN_OK && vault->job->kind == QN_JOB_BACKUP)
        make_snap(world, site, &done);
    else if (err == QN_OK && vault->job->kind == QN_JOB_CATALOG)
        catalog(world, site);
    else if (err == QN_OK && vault->job->kind == QN_JOB_PRUNE)
        prune(vault);
    else if (err == QN_OK && vault->job->kind == QN_JOB_RECALL)
        err = recall_run(world, site, &done);
    if (done.size == 0)
        qn_pack_map(&done, 0);
    struct qn_job *job = vault->job; /* the core may start the next one from inside */
    struct qn_job_event event = {
        .token = job->token, .news = QN_JOB_DONE, .err = err, .payload = qn_buf_view(&done)};
    struct qn_event e = {.kind = QN_EVENT_JOB, .job = &event};
    vault->job = NULL;
    site_step(world, site, &e);
    qn_job_free(job);
}

void vault_step(struct sim_world *world, struct sim_site *site)
{
    struct sim_vault *vault = &site->vault;
    if (vault->job == NULL)
        return;
    vault->busy_ms = world->now_ms;
    if (vault->steps_left == 0 || vault->is_stopped) {
        finish(world, site);
        return;
    }
    vault->steps_left--;
    if (vault->job->kind == QN_JOB_BACKUP)
        make_pack(world, site);
    later(world, site);
}

/* ---- at rest: the book says what the vault has ---- */

static void check_packs(struct sim_world *world, struct sim_site *site, struct qn_kv *kv)
{
    struct qn_own_totals totals;
    QN_ASSERT(qn_book_totals(kv, &totals) == QN_OK);
    if (totals.packs != site->vault.packs.count)
        world_fail(world, "at rest: %s has %zu packs, its book %llu", site->name,
                   site->vault.packs.count, (unsigned long long)totals.packs);
    qn_vec_each (&site->vault.packs, pack) {
        struct qn_own_pack row;
        if (qn_book_pack_get(kv, &pack->name, &row) != QN_OK)
            world_fail(world, "at rest: a pack of %s is not in its book", site->name);
    }
}

void vault_at_rest(struct sim_world *world, struct sim_site *site)
{
    struct qn_kv *kv = memkv_reader(site->disk);
    struct qn_own_totals totals;
    check_packs(world, site, kv);
    QN_ASSERT(qn_book_totals(kv, &totals) == QN_OK);
    if (totals.snapshots != site->vault.snaps.count)
        world_fail(world, "at rest: %s has %zu snapshots, its book %llu", site->name,
                   site->vault.snaps.count, (unsigned long long)totals.snapshots);
    qn_vec_each (&site->vault.snaps, snap) {
        struct qn_own_snap row;
        if (qn_book_snap_get(kv, &snap->name, &row) != QN_OK)
            world_fail(world, "at rest: a snapshot of %s is not in its book", site->name);
    }
    if (site->vault.job != NULL)
        world_fail(world, "at rest: %s still has a job", site->name);
}
