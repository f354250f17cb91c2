#include "support/offsite_rig.h"

#include <stdlib.h>

#include "model/book.h"

struct offsite *offsite_rig_state(struct offsite_rig *rig)
{
    return rig->rig.core->peers.items[0]->bulk->offsite;
}

static const struct qn_site_id *holder(const struct offsite_rig *rig)
{
    return &rig->rig.world.sites[1].id;
}

/* ---- the made-up vault ---- */

static struct own_pack *own_pack(struct offsite_rig *rig, const uint8_t name[QN_DIGEST_SIZE])
{
    for (size_t i = 0; i < rig->pack_count; i++)
        if (memcmp(rig->packs[i].name.bytes, name, QN_DIGEST_SIZE) == 0)
            return &rig->packs[i];
    return NULL;
}

static void make_pack(struct offsite_rig *rig, size_t size)
{
    QN_ASSERT(rig->pack_count < OFFSITE_PACKS_MAX);
    struct own_pack *pack = &rig->packs[rig->pack_count];
    struct qn_prng prng = {.state = ++rig->pack_count};
    qn_buf_init(&pack->bytes, size);
    for (size_t i = 0; i < size; i++)
        qn_buf_append_u8(&pack->bytes, (uint8_t)qn_prng_next(&prng));
    QN_DIGEST(&pack->name, qn_buf_view(&pack->bytes));
}

static int by_name(const void *a, const void *b)
{
    return memcmp(a, b, QN_DIGEST_SIZE);
}

static struct own_snapshot *make_snapshot(struct offsite_rig *rig)
{
    QN_ASSERT(rig->snap_count < OFFSITE_SNAPS_MAX);
    struct own_snapshot *snap = &rig->snaps[rig->snap_count++];
    qn_buf_init(&snap->sealed, QN_HELD_SEALED_SIZE_MAX);
    qn_buf_printf(&snap->sealed, "sealed snapshot %zu", rig->snap_count);
    while (snap->sealed.size < rig->sealed_size)
        qn_buf_append_u8(&snap->sealed, 's');
    QN_DIGEST(&snap->name, qn_buf_view(&snap->sealed));
    qn_buf_init(&snap->live, OFFSITE_PACKS_MAX * QN_DIGEST_SIZE);
    for (size_t i = 0; i < rig->pack_count; i++)
        if (!rig->packs[i].is_gone)
            qn_buf_append_span(&snap->live, qn_digest_view(&rig->packs[i].name));
    if (snap->live.size > 0)
        qsort(snap->live.data, snap->live.size / QN_DIGEST_SIZE, QN_DIGEST_SIZE, by_name);
    return snap;
}

static enum qn_err read_snapshot(struct offsite_rig *rig, const struct qn_file_work *work,
                                 struct qn_file_result *result)
{
    for (size_t i = 0; i < rig->snap_count; i++) {
        const struct own_snapshot *snap = &rig->snaps[i];
        if (memcmp(snap->name.bytes, work->name.bytes, QN_DIGEST_SIZE) != 0)
            continue;
        qn_buf_append_u32(&result->bytes, (uint32_t)snap->sealed.size);
        qn_buf_append_span(&result->bytes, qn_buf_view(&snap->sealed));
        qn_buf_append_span(&result->bytes, qn_buf_view(&snap->live));
        return QN_OK;
    }
    return QN_ERR_NOTFOUND;
}

static enum qn_err read_pack(struct own_pack *pack, const struct qn_file_work *work,
                             struct qn_file_result *result)
{
    result->size = pack->bytes.size;
    if (pack->busy_reads > 0) {
        pack->busy_reads--;
        return QN_ERR_BUSY;
    }
    if (work->offset > pack->bytes.size || work->size > pack->bytes.size - work->offset)
        return QN_ERR_INVALID;
    qn_buf_append(&result->bytes, pack->bytes.data + work->offset,
                  work->size == 0 ? pack->bytes.size : work->size);
    if (pack->is_rotten)
        result->bytes.data[0] ^= 1;
    return QN_OK;
}

static enum qn_err prove(const struct own_pack *pack, const struct qn_file_work *work,
                         struct qn_file_result *result)
{
    struct qn_digest mac;
    qn_hmac(qn_buf_view(&work->bytes), qn_buf_view(&pack->bytes), &mac);
    mac.bytes[0] ^= pack->is_rotten;
    qn_buf_append_span(&result->bytes, qn_digest_view(&mac));
    return QN_OK;
}

static enum qn_err do_file(struct offsite_rig *rig, const struct qn_file_work *work,
                           struct qn_file_result *result)
{
    QN_ASSERT(qn_site_id_eq(&work->owner, &rig->rig.world.sites[0].id));
    if (work->kind == QN_FILE_SNAPSHOT)
        return read_snapshot(rig, work, result);
    struct own_pack *pack = own_pack(rig, work->name.bytes);
    if (pack == NULL || pack->is_gone)
        return QN_ERR_NOTFOUND;
    if (work->kind == QN_FILE_READ)
        return read_pack(pack, work, result);
    if (work->kind == QN_FILE_PROOF)
        return prove(pack, work, result);
    QN_ASSERT(work->kind == QN_FILE_SCRUB);
    return pack->is_rotten ? QN_ERR_CORRUPT : QN_OK;
}

static void run_file(struct offsite_rig *rig)
{
    struct qn_file_work *work = rig->rig.files.items[0];
    struct qn_file_result result = {.token = work->token};
    qn_vec_remove(&rig->rig.files, 0);
    qn_buf_init(&result.bytes, QN_PACK_SIZE_MAX);
    result.err = do_file(rig, work, &result);
    rig_step(&rig->rig, (struct qn_event){.kind = QN_EVENT_FILE, .file = &result});
    qn_file_result_deinit(&result);
    qn_file_work_free(work);
}

static bool is_passed_over(struct offsite_rig *rig, struct qn_span frame)
{
    struct qn_cursor cursor = qn_cursor(frame);
    size_t count;
    uint64_t number;
    QN_ASSERT(qn_cursor_array(&cursor, 64, &count) == QN_OK);
    QN_ASSERT(qn_cursor_u64(&cursor, &number) == QN_OK);
    if (rig->deaf == 0 || number != rig->deaf_to)
        return false;
    rig->deaf--;
    return true;
}

static void run_frame(struct offsite_rig *rig)
{
    struct qn_buf frame = rig->rig.bulk_frames.items[0];
    qn_vec_remove(&rig->rig.bulk_frames, 0);
    bool is_on_first = rig->hears_first && rig->rig.core->peers.items[0]->bulk->is_narrow;
    if (rig->is_up || (is_on_first && !is_passed_over(rig, qn_buf_view(&frame))))
        offsite_holder_hear(rig, qn_buf_view(&frame));
    qn_buf_deinit(&frame);
}

/* ---- what goes on ---- */

static void run_read(struct offsite_rig *rig)
{
    struct qn_read *read = rig->rig.reads.items[0];
    struct qn_read_result result;
    qn_vec_remove(&rig->rig.reads, 0);
    qn_core_read(memkv_reader(rig->rig.disk), read, &result);
    rig_step(&rig->rig, (struct qn_event){.kind = QN_EVENT_READ, .read = &result});
    qn_read_result_deinit(&result);
    qn_read_free(read);
}

static bool unit(struct offsite_rig *rig)
{
    struct rig *inner = &rig->rig;
    if (inner->reads.count > 0)
        run_read(rig);
    else if (inner->intents.count > 0)
        rig_commit(inner);
    else if (inner->files.count > 0)
        run_file(rig);
    else if (inner->bulk_frames.count > 0)
        run_frame(rig);
    else
        return false;
    return true;
}

static void lose_connection(struct offsite_rig *rig)
{
    if (!rig->rig.has_closed_bulk)
        return;
    rig->is_up = rig->rig.has_closed_bulk = false;
    qn_vec_each (&rig->rig.bulk_frames, frame)
        qn_buf_deinit(frame);
    rig->rig.bulk_frames.count = 0;
}

bool offsite_rig_unit(struct offsite_rig *rig)
{
    if (!unit(rig))
        return false;
    rig->units++;
    rig->rig.now_ms += rig->lag_ms;
    lose_connection(rig);
    return true;
}

bool offsite_rig_run(struct offsite_rig *rig, size_t units_max, uint64_t ms)
{
    for (uint64_t end_ms = rig->rig.now_ms + ms; units_max > 0;) {
        if (offsite_rig_unit(rig)) {
            units_max--;
            end_ms = rig->rig.now_ms + ms;
            continue;
        }
        uint64_t deadline_ms = rig->rig.update.deadline_ms;
        if (deadline_ms > end_ms || rig->rig.now_ms >= end_ms)
            return true;
        rig_wait(&rig->rig, deadline_ms > rig->rig.now_ms ? deadline_ms - rig->rig.now_ms : 0);
        lose_connection(rig);
    }
    return false;
}

void offsite_rig_up(struct offsite_rig *rig)
{
    struct qn_buf out;
    rig_step(&rig->rig, (struct qn_event){.kind = QN_EVENT_LINK_UP,
                                          .link_kind = QN_LINK_BULK,
                                          .link = RIG_BULK,
                                          .key = rig->rig.world.sites[1].keys.site});
    rig->is_up = true;
    rig->rig.has_closed_bulk = false;
    rig_message(&out, QN_MSG_BULK_HELLO, 3);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION_MIN);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION);
    qn_pack_bin(&out, QN_SPAN_OF(rig->rig.world.group.bytes));
    offsite_rig_say(rig, &out);
}

void offsite_rig_cut(struct offsite_rig *rig)
{
    rig->rig.has_closed_bulk = true;
    bool was_up = rig->is_up;
    lose_connection(rig);
    if (was_up)
        rig_step(
            &rig->rig,
            (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_BULK, .err = QN_ERR_CLOSED});
}

/* ---- the owner's runs ---- */

static void settle(struct offsite_rig *rig)
{
    QN_ASSERT(offsite_rig_run(rig, 100000, 0));
}

static void request(struct offsite_rig *rig, const char *command, const char *flag)
{
    struct qn_buf args;
    qn_buf_init(&args, 1024);
    qn_pack_map(&args, flag == NULL ? 1 : 2);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, "house");
    if (flag != NULL) {
        qn_pack_cstr(&args, flag);
        qn_pack_bool(&args, true);
    }
    rig_request(&rig->rig, command, &args);
    qn_buf_deinit(&args);
}

void offsite_rig_begin_run(struct offsite_rig *rig)
{
    request(rig, "backup.run", "wait");
    QN_ASSERT(rig->rig.job->kind == QN_JOB_BACKUP);
}

void offsite_rig_store(struct offsite_rig *rig, size_t count, size_t size)
{
    QN_AUTO_BUF struct qn_buf rows, payload;
    qn_buf_init(&rows, count * PACK_ROW_SIZE);
    qn_buf_init(&payload, count * PACK_ROW_SIZE + 64);
    for (size_t i = 0; i < count; i++) {
        make_pack(rig, size);
        qn_buf_append_span(&rows, qn_digest_view(&rig->packs[rig->pack_count - 1].name));
        qn_buf_append_u32(&rows, (uint32_t)size);
        qn_buf_append_u8(&rows, QN_PACK_DATA);
    }
    qn_pack_map(&payload, 1);
    qn_pack_cstr(&payload, "packs");
    qn_pack_bin(&payload, qn_buf_view(&rows));
    rig_job(&rig->rig, QN_JOB_PACKS, QN_OK, &payload);
}

static void pack_number(struct qn_buf *out, const char *key, uint64_t value)
{
    qn_pack_cstr(out, key);
    qn_pack_u64(out, value);
}

void offsite_rig_snapshot(struct offsite_rig *rig)
{
    const struct own_snapshot *snap = make_snapshot(rig);
    QN_AUTO_BUF struct qn_buf payload;
    qn_buf_init(&payload, 64 * 1024);
    qn_pack_map(&payload, 8);
    pack_number(&payload, "bytes", 1);
    pack_number(&payload, "bytes_stored", 1);
    pack_number(&payload, "files", 1);
    qn_pack_cstr(&payload, "live");
    qn_pack_bin(&payload, qn_buf_view(&snap->live));
    qn_pack_cstr(&payload, "name");
    qn_pack_bin(&payload, qn_digest_view(&snap->name));
    qn_pack_cstr(&payload, "partial");
    qn_pack_bool(&payload, false);
    qn_pack_cstr(&payload, "plan");
    qn_pack_cstr(&payload, "house");
    pack_number(&payload, "time", WORLD_START_MS + rig->rig.now_ms);
    rig_job(&rig->rig, QN_JOB_SNAPSHOT, QN_OK, &payload);
}

void offsite_rig_end_run(struct offsite_rig *rig)
{
    QN_AUTO_BUF struct qn_buf payload;
    qn_buf_init(&payload, 1024);
    qn_pack_map(&payload, rig->snap_count > 0 ? 1 : 0);
    if (rig->snap_count > 0) {
        qn_pack_cstr(&payload, "name");
        qn_pack_bin(&payload, qn_digest_view(&rig->snaps[rig->snap_count - 1].name));
    }
    rig_job(&rig->rig, QN_JOB_DONE, QN_OK, &payload);
}

void offsite_rig_backup(struct offsite_rig *rig, size_t count, size_t size, bool has_snapshot)
{
    offsite_rig_begin_run(rig);
    offsite_rig_store(rig, count, size);
    if (has_snapshot)
        offsite_rig_snapshot(rig);
    offsite_rig_end_run(rig);
    if (rig->is_up)
        return;
    settle(rig);
}

void offsite_rig_forget_first(struct offsite_rig *rig)
{
    struct qn_buf payload;
    qn_buf_init(&payload, 64);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, qn_digest_view(&rig->snaps[0].name));
    rig_write(&rig->rig, qn_intent_new(QN_INTENT_OWN_SNAP_GONE, UINT64_MAX, &payload));
}

/* ---- the book ---- */

struct qn_copy offsite_rig_copy(struct offsite_rig *rig)
{
    struct qn_copy copy;
    QN_ASSERT(qn_book_copy_get(memkv_reader(rig->rig.disk), holder(rig), &copy) == QN_OK);
    return copy;
}

struct qn_proof offsite_rig_proof(struct offsite_rig *rig)
{
    struct qn_proof proof;
    QN_ASSERT(qn_book_proof_get(memkv_reader(rig->rig.disk), holder(rig), &proof) == QN_OK);
    return proof;
}

bool offsite_rig_is_complete(struct offsite_rig *rig, size_t snapshot)
{
    struct qn_own_snap snap;
    enum qn_copy_state state;
    struct qn_kv *kv = memkv_reader(rig->rig.disk);
    QN_ASSERT(qn_book_snap_get(kv, &rig->snaps[snapshot].name, &snap) == QN_OK);
    QN_ASSERT(qn_book_copy_state(kv, holder(rig), &snap, &state) == QN_OK);
    return state == QN_COPY_COMPLETE;
}

/* ---- life ---- */

static void make_plan(struct offsite_rig *rig)
{
    struct qn_buf args;
    qn_buf_init(&args, 1024);
    qn_pack_map(&args, 5);
    qn_pack_cstr(&args, "copies");
    qn_pack_array(&args, 1);
    qn_pack_cstr(&args, rig->rig.world.sites[1].name);
    qn_pack_cstr(&args, "lock_days");
    qn_pack_u64(&args, 30);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, "house");
    qn_pack_cstr(&args, "paths");
    qn_pack_array(&args, 1);
    qn_pack_bin(&args, qn_span_str("/srv"));
    qn_pack_cstr(&args, "schedule");
    qn_pack_cstr(&args, "daily 02:00");
    rig_request(&rig->rig, "backup.create", &args);
    qn_buf_deinit(&args);
}

void offsite_rig_accept(struct offsite_rig *rig, uint64_t quota)
{
    struct rig *inner = &rig->rig;
    struct qn_buf body = {0}, entry = {0}, payload;
    world_accept_body(&inner->world, inner->core->ledger, 0, 1, quota, 30, &body);
    QN_ASSERT(world_write(&inner->world, inner->core->ledger, 1, &body, &entry) == QN_OK);
    qn_buf_init(&payload, 8192);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, qn_buf_view(&entry));
    qn_vec_push(&inner->intents, qn_intent_new(QN_INTENT_LEDGER_MERGE, UINT64_MAX, &payload));
    rig_commit(inner);
    qn_buf_deinit(&body);
    qn_buf_deinit(&entry);
}

void offsite_rig_init(struct offsite_rig *rig)
{
    *rig = (struct offsite_rig){0};
    qn_buf_init(&rig->list, 4 * 1024 * 1024);
    rig_init(&rig->rig, 1);
    rig_start(&rig->rig);
    rig_link(&rig->rig);
    settle(rig);
    rig_job(&rig->rig, QN_JOB_DONE, QN_OK, NULL); /* the catalog */
    settle(rig);
    make_plan(rig);
    settle(rig);
    offsite_rig_accept(rig, 1ull << 40);
    settle(rig);
    rig->rig.note = NULL;
}

void offsite_rig_deinit(struct offsite_rig *rig)
{
    for (size_t i = 0; i < rig->pack_count; i++)
        qn_buf_deinit(&rig->packs[i].bytes);
    for (size_t i = 0; i < rig->snap_count; i++) {
        qn_buf_deinit(&rig->snaps[i].sealed);
        qn_buf_deinit(&rig->snaps[i].live);
    }
    qn_vec_each (&rig->parts, part)
        qn_buf_deinit(&part->bytes);
    qn_vec_each (&rig->lists, list)
        qn_buf_deinit(&list->names);
    qn_vec_free(&rig->parts);
    qn_vec_free(&rig->lists);
    qn_buf_deinit(&rig->list);
    rig_deinit(&rig->rig);
}
