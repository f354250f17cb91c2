#include "core/bulk.h"
#include "support/hold_rig.h"

#include <stdlib.h>

/* ---- life ---- */

static void pack_ledger(struct hold_rig *hold, struct qn_buf *ret_payload)
{
    const struct qn_ledger *ledger = hold->rig.world.ledger;
    qn_buf_init(ret_payload, QN_LEDGER_SIZE_MAX);
    qn_pack_array(ret_payload, qn_ledger_count(ledger));
    for (size_t i = 0; i < qn_ledger_count(ledger); i++)
        qn_pack_bin(ret_payload, qn_ledger_entry(ledger, i));
}

static void append(struct hold_rig *hold, size_t author, struct qn_buf *take_body)
{
    QN_ASSERT(world_append(&hold->rig.world, author, take_body) == QN_OK);
    qn_buf_deinit(take_body);
}

static void agree_in_ledger(struct hold_rig *hold, size_t owner, uint64_t quota, uint64_t lock_days)
{
    struct world *world = &hold->rig.world;
    struct qn_buf body;
    world_place_body(world, 0, quota, lock_days, &body);
    append(hold, owner, &body);
    if (quota == 0)
        return;
    world_accept_body(world, world->ledger, owner, 0, quota, lock_days, &body);
    append(hold, 0, &body);
}

static void link_up(struct hold_rig *hold)
{
    hold->rig.boot.bytes[1] = 9;
    rig_start(&hold->rig);
    hold_rig_settle(hold);
    rig_link(&hold->rig);
    rig_bulk(&hold->rig);
    hold_rig_settle(hold);
    rig_forget(&hold->rig);
}

void hold_rig_init(struct hold_rig *hold, uint64_t quota, uint64_t lock_days)
{
    struct qn_buf payload;
    *hold = (struct hold_rig){.files.free_bytes = 1ull << 40};
    rig_init(&hold->rig, 1);
    hold->rig.disk_bytes = 1ull << 40;
    world_join(&hold->rig.world, RIG_OTHER, 0);
    agree_in_ledger(hold, RIG_OWNER, quota, lock_days);
    agree_in_ledger(hold, RIG_OTHER, quota, lock_days);
    pack_ledger(hold, &payload);
    rig_write(&hold->rig, qn_intent_new(QN_INTENT_LEDGER_MERGE, 1, &payload));
    link_up(hold);
}

void hold_rig_deinit(struct hold_rig *hold)
{
    fake_files_deinit(&hold->files);
    rig_deinit(&hold->rig);
}

/* A machine that was off counts from zero again; the rig's clock only goes on, which is what the
 * other case needs. So a reboot is told by the boot's id alone: what it claims is too much. */
void hold_rig_restart(struct hold_rig *hold, bool is_reboot)
{
    hold->rig.boot.bytes[0] += is_reboot;
    fake_files_crash(&hold->files);
    rig_forget(&hold->rig);
    link_up(hold);
}

void hold_rig_agree(struct hold_rig *hold, size_t owner, uint64_t quota, uint64_t lock_days)
{
    struct qn_buf payload;
    agree_in_ledger(hold, owner, quota, lock_days);
    pack_ledger(hold, &payload);
    qn_vec_push(&hold->rig.intents, qn_intent_new(QN_INTENT_LEDGER_MERGE, UINT64_MAX, &payload));
    hold_rig_settle(hold);
}

/* Work on one file is carried out in order, as the driver does it. */
static size_t first_of_file(const struct rig *rig, size_t at)
{
    const struct qn_file_work *work = rig->files.items[at];
    for (size_t i = 0; i < at; i++)
        if (memcmp(&rig->files.items[i]->name, &work->name, sizeof(work->name)) == 0)
            return i;
    return at;
}

void hold_rig_file(struct hold_rig *hold, size_t at)
{
    struct rig *rig = &hold->rig;
    struct qn_file_result result;
    if (rig->files.count == 0)
        return;
    at = first_of_file(rig, at % rig->files.count);
    struct qn_file_work *work = rig->files.items[at];
    qn_vec_remove(&rig->files, at);
    fake_files_run(&hold->files, work, &result);
    qn_file_work_free(work);
    rig_file(rig, &result);
}

static void run_read(struct rig *rig)
{
    struct qn_read *read = rig->reads.items[0];
    struct qn_read_result result;
    qn_vec_remove(&rig->reads, 0);
    qn_core_read(memkv_reader(rig->disk), read, &result);
    rig_step(rig, (struct qn_event){.kind = QN_EVENT_READ, .read = &result});
    qn_read_result_deinit(&result);
    qn_read_free(read);
}

void hold_rig_settle(struct hold_rig *hold)
{
    struct rig *rig = &hold->rig;
    while (rig->reads.count + rig->files.count + rig->intents.count > 0) {
        if (rig->reads.count > 0)
            run_read(rig);
        else if (rig->files.count > 0)
            hold_rig_file(hold, 0);
        else
            rig_commit(rig);
        if (++hold->steps == hold->steps_max) {
            hold->is_cut = true;
            rig_bulk_down(rig);
        }
    }
}

void hold_rig_pass(struct hold_rig *hold, uint64_t ms)
{
    rig_wait(&hold->rig, ms);
    hold_rig_settle(hold);
    for (int i = 0; i < 40; i++) {
        rig_wait(&hold->rig, i < 20 ? 1000 : 30000);
        hold_rig_settle(hold);
    }
}

void hold_rig_reconnect(struct hold_rig *hold)
{
    rig_bulk_down(&hold->rig);
    rig_forget(&hold->rig);
    rig_bulk(&hold->rig);
    hold_rig_settle(hold);
    rig_forget(&hold->rig);
    hold->is_cut = false;
}

/* ---- packs ---- */

static void fill(uint64_t number, size_t size, struct qn_buf *out)
{
    qn_buf_init(out, size);
    uint8_t *bytes = qn_buf_reserve(out, size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((uint8_t)(number >> (i % 8) * 8) ^ (uint8_t)(i * 31 >> 3));
    out->size = size;
}

void rig_pack_init(struct rig_pack *pack, uint64_t number, size_t size)
{
    fill(number, size, &pack->bytes);
    QN_DIGEST(&pack->name, qn_buf_view(&pack->bytes));
}

void rig_pack_deinit(struct rig_pack *pack)
{
    qn_buf_deinit(&pack->bytes);
}

struct qn_digest rig_pack_name(uint64_t number, size_t size)
{
    struct rig_pack pack;
    rig_pack_init(&pack, number, size);
    rig_pack_deinit(&pack);
    return pack.name;
}

/* ---- messages ---- */

static void say(struct hold_rig *hold, struct qn_buf *take_frame)
{
    rig_bulk_frame(&hold->rig, take_frame);
}

static void pack_maybe(struct qn_buf *out, const struct qn_digest *name)
{
    if (name == NULL)
        qn_pack_nil(out);
    else
        qn_pack_bin(out, qn_digest_view(name));
}

void say_ask(struct hold_rig *hold, const struct qn_digest *packs, const struct qn_digest *lists,
             uint64_t interval_ms)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_VAULT_ASK, 3);
    qn_pack_bin(&out, qn_digest_view(packs));
    qn_pack_bin(&out, qn_digest_view(lists));
    qn_pack_u64(&out, interval_ms);
    say(hold, &out);
}

void say_names_ask(struct hold_rig *hold, uint64_t what, const struct qn_digest *after)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_NAMES_ASK, 2);
    qn_pack_u64(&out, what);
    pack_maybe(&out, after);
    say(hold, &out);
}

void say_offer(struct hold_rig *hold, uint8_t lease, const struct offered *packs, size_t count)
{
    struct qn_buf out;
    uint8_t id[16] = {lease};
    rig_message(&out, QN_MSG_PACK_OFFER, 2);
    qn_pack_bin(&out, QN_SPAN_OF(id));
    qn_pack_array(&out, 2 * count);
    for (size_t i = 0; i < count; i++) {
        qn_pack_bin(&out, qn_digest_view(&packs[i].name));
        qn_pack_u64(&out, packs[i].size);
    }
    say(hold, &out);
}

void say_put(struct hold_rig *hold, const struct rig_pack *pack, uint64_t offset, size_t size)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_PACK_PUT, 4);
    qn_pack_bin(&out, qn_digest_view(&pack->name));
    qn_pack_u64(&out, pack->bytes.size);
    qn_pack_u64(&out, offset);
    qn_pack_bin(&out, qn_span(pack->bytes.data + offset, size));
    say(hold, &out);
}

void say_get(struct hold_rig *hold, uint64_t request, const struct qn_digest *name, uint64_t offset,
             uint64_t size)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_PACK_GET, 4);
    qn_pack_u64(&out, request);
    qn_pack_bin(&out, qn_digest_view(name));
    qn_pack_u64(&out, offset);
    qn_pack_u64(&out, size);
    say(hold, &out);
}

void say_list_get(struct hold_rig *hold, uint64_t request, uint64_t what,
                  const struct qn_digest *id, const struct qn_digest *after)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_LIST_GET, 4);
    qn_pack_u64(&out, request);
    qn_pack_u64(&out, what);
    pack_maybe(&out, id);
    pack_maybe(&out, after);
    say(hold, &out);
}

void say_proof_ask(struct hold_rig *hold, uint64_t request, const uint8_t key[32],
                   const struct qn_digest *names, size_t count)
{
    struct qn_buf out;
    QN_AUTO_BUF struct qn_buf prefixes;
    qn_buf_init(&prefixes, BULK_PROOF_PREFIX * count);
    for (size_t i = 0; i < count; i++)
        qn_buf_append(&prefixes, names[i].bytes, BULK_PROOF_PREFIX);
    rig_message(&out, QN_MSG_PROOF_ASK, 3);
    qn_pack_u64(&out, request);
    qn_pack_bin(&out, qn_span(key, 32));
    qn_pack_bin(&out, qn_buf_view(&prefixes));
    say(hold, &out);
}

void say_forget(struct hold_rig *hold, const struct qn_digest *lists, size_t count)
{
    struct qn_buf out;
    struct qn_signature signature;
    struct qn_span ids = qn_span(lists, count * sizeof(lists[0]));
    QN_ASSERT(qn_signer_sign(hold->rig.world.sites[RIG_OWNER].signer, "quoin forget 1", ids,
                             &signature) == QN_OK);
    rig_message(&out, QN_MSG_LIST_FORGET, 2);
    qn_pack_bin(&out, ids);
    qn_pack_bin(&out, QN_SPAN_OF(signature.bytes));
    say(hold, &out);
}

void say_key(struct hold_rig *hold, uint64_t epoch, const char *sealed)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_KEY_PUT, 2);
    qn_pack_u64(&out, epoch);
    qn_pack_bin(&out, qn_span_str(sealed));
    say(hold, &out);
}

/* ---- lists ---- */

static int order_of_names(const void *a, const void *b)
{
    return memcmp(a, b, QN_DIGEST_SIZE);
}

void rig_list_init(struct rig_list *list, uint64_t snapshot, const uint64_t *packs, size_t count,
                   size_t pack_size)
{
    *list = (struct rig_list){.head.name_count = (uint32_t)count};
    fill(snapshot, 200, &list->sealed);
    qn_buf_init(&list->names, count * QN_DIGEST_SIZE);
    for (size_t i = 0; i < count; i++) {
        struct qn_digest name = rig_pack_name(packs[i], pack_size);
        qn_buf_append_span(&list->names, qn_digest_view(&name));
    }
    if (count > 0)
        qsort(list->names.data, count, QN_DIGEST_SIZE, order_of_names);
    QN_DIGEST(&list->head.snapshot, qn_buf_view(&list->sealed));
    QN_DIGEST(&list->head.names, qn_buf_view(&list->names));
    qn_list_id(&list->head, &list->id);
}

void rig_list_deinit(struct rig_list *list)
{
    qn_buf_deinit(&list->sealed);
    qn_buf_deinit(&list->names);
}

static bool has_name(const struct rig_list *list, const uint8_t *name)
{
    return list->names.size > 0 && bsearch(name, list->names.data, list->head.name_count,
                                           QN_DIGEST_SIZE, order_of_names) != NULL;
}

/* The names of `a` that are not in `b`. */
static void pack_difference(const struct rig_list *a, const struct rig_list *b, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf names;
    qn_buf_init(&names, a == NULL ? 0 : a->names.size);
    for (size_t at = 0; a != NULL && at < a->names.size; at += QN_DIGEST_SIZE)
        if (b == NULL || !has_name(b, a->names.data + at))
            qn_buf_append(&names, a->names.data + at, QN_DIGEST_SIZE);
    qn_pack_bin(out, qn_buf_view(&names));
}

static void pack_list(struct hold_rig *hold, const struct rig_list *list,
                      const struct rig_list *base, struct qn_buf *out)
{
    struct qn_signature signature;
    QN_ASSERT(qn_signer_sign(hold->rig.world.sites[RIG_OWNER].signer, "quoin list 1",
                             qn_digest_view(&list->id), &signature) == QN_OK);
    qn_buf_init(out, 4 * QN_FRAME_SIZE_MAX);
    qn_pack_array(out, 8);
    qn_pack_bin(out, qn_digest_view(&list->head.snapshot));
    qn_pack_bin(out, qn_digest_view(&list->head.names));
    qn_pack_u64(out, list->head.name_count);
    qn_pack_bin(out, QN_SPAN_OF(signature.bytes));
    qn_pack_bin(out, qn_buf_view(&list->sealed));
    pack_maybe(out, base == NULL ? NULL : &base->id);
    pack_difference(base, list, out);
    pack_difference(list, base, out);
}

void say_list(struct hold_rig *hold, const struct rig_list *list, const struct rig_list *base,
              size_t piece_size)
{
    QN_AUTO_BUF struct qn_buf packed;
    pack_list(hold, list, base, &packed);
    size_t pieces = (packed.size + piece_size - 1) / piece_size;
    for (size_t i = 0; i < pieces; i++) {
        struct qn_buf out;
        struct qn_span left = qn_span_from(qn_buf_view(&packed), i * piece_size);
        rig_message(&out, QN_MSG_LIST_PUT, 4);
        qn_pack_bin(&out, qn_digest_view(&list->id));
        qn_pack_u64(&out, i);
        qn_pack_u64(&out, pieces);
        qn_pack_bin(&out, qn_span(left.data, left.size < piece_size ? left.size : piece_size));
        say(hold, &out);
    }
}

/* ---- answers ---- */

bool heard(const struct hold_rig *hold, enum qn_message number, size_t index,
           struct qn_cursor *ret_fields)
{
    qn_vec_each (&hold->rig.frames, frame) {
        struct qn_cursor cursor = qn_cursor(qn_buf_view(frame));
        size_t count;
        uint64_t found;
        QN_ASSERT(qn_cursor_array(&cursor, 64, &count) == QN_OK);
        QN_ASSERT(qn_cursor_u64(&cursor, &found) == QN_OK);
        if (found != number || index-- > 0)
            continue;
        *ret_fields = cursor;
        return true;
    }
    return false;
}

static bool take_offered(const struct hold_rig *hold, uint64_t *ret_answer, uint64_t *ret_have)
{
    struct qn_cursor cursor;
    struct qn_digest name;
    size_t count;
    if (!heard(hold, QN_MSG_PACK_OFFERED, 0, &cursor))
        return false;
    QN_ASSERT(qn_cursor_array(&cursor, 3, &count) == QN_OK && count == 3);
    QN_ASSERT(qn_cursor_bytes(&cursor, name.bytes, sizeof(name.bytes)) == QN_OK);
    QN_ASSERT(qn_cursor_u64(&cursor, ret_answer) == QN_OK);
    QN_ASSERT(qn_cursor_u64(&cursor, ret_have) == QN_OK);
    return true;
}

static uint64_t last_ack(const struct hold_rig *hold, uint64_t size)
{
    struct qn_cursor cursor;
    uint64_t answer = UINT64_MAX, offset = 0;
    bool is_whole = false;
    for (size_t i = 0; heard(hold, QN_MSG_PACK_ACK, i, &cursor); i++) {
        struct qn_digest name;
        QN_ASSERT(qn_cursor_bytes(&cursor, name.bytes, sizeof(name.bytes)) == QN_OK);
        QN_ASSERT(qn_cursor_u64(&cursor, &offset) == QN_OK);
        QN_ASSERT(qn_cursor_bool(&cursor, &is_whole) == QN_OK);
        QN_ASSERT(qn_cursor_u64(&cursor, &answer) == QN_OK);
    }
    QN_ASSERT(answer != QN_OFFER_WANTED || is_whole == (offset == size));
    return answer == QN_OFFER_WANTED && !is_whole ? UINT64_MAX : answer;
}

uint64_t send_pack(struct hold_rig *hold, uint64_t number, size_t size)
{
    struct rig_pack pack;
    uint64_t answer, have;
    rig_pack_init(&pack, number, size);
    rig_forget(&hold->rig);
    say_offer(hold, 1, &(struct offered){.name = pack.name, .size = size}, 1);
    hold_rig_settle(hold);
    if (!take_offered(hold, &answer, &have))
        answer = UINT64_MAX;
    if (answer == QN_OFFER_WANTED) {
        for (size_t at = have; at < size && !hold->is_cut; at += 64 * 1024)
            say_put(hold, &pack, at, size - at < 64 * 1024 ? size - at : 64 * 1024);
        hold_rig_settle(hold);
        answer = last_ack(hold, size);
    }
    rig_pack_deinit(&pack);
    return answer;
}

struct list_answer send_list(struct hold_rig *hold, const struct rig_list *list,
                             const struct rig_list *base)
{
    struct list_answer answer = {.code = "-"};
    struct qn_cursor cursor;
    struct qn_digest id;
    struct qn_span code = {0}, missing;
    rig_forget(&hold->rig);
    say_list(hold, list, base, 256 * 1024);
    hold_rig_settle(hold);
    if (!heard(hold, QN_MSG_LIST_ACK, 0, &cursor))
        return answer;
    QN_ASSERT(qn_cursor_bytes(&cursor, id.bytes, sizeof(id.bytes)) == QN_OK);
    QN_ASSERT(qn_digest_eq(&id, &list->id));
    if (qn_cursor_nil(&cursor) != QN_OK)
        QN_ASSERT(qn_cursor_str(&cursor, 15, &code) == QN_OK);
    memset(answer.code, 0, sizeof(answer.code));
    if (code.size > 0)
        memcpy(answer.code, code.data, code.size);
    QN_ASSERT(qn_cursor_u64(&cursor, &answer.until_ms) == QN_OK);
    QN_ASSERT(qn_cursor_bin(&cursor, QN_FRAME_SIZE_MAX, &missing) == QN_OK);
    answer.missing = missing.size / QN_DIGEST_SIZE;
    if (missing.size > 0)
        memcpy(answer.first_missing.bytes, missing.data, QN_DIGEST_SIZE);
    return answer;
}

/* ---- what is held ---- */

struct qn_held rig_held(struct hold_rig *hold, size_t owner)
{
    struct qn_held held = {0};
    enum qn_err err =
        qn_held_get(memkv_reader(hold->rig.disk), &hold->rig.world.sites[owner].id, &held);
    QN_ASSERT(err == QN_OK || err == QN_ERR_NOTFOUND);
    return held;
}

bool rig_has_file(struct hold_rig *hold, size_t owner, uint64_t number, size_t size)
{
    struct qn_digest name = rig_pack_name(number, size);
    const struct fake_file *file =
        fake_files_find(&hold->files, &hold->rig.world.sites[owner].id, &name);
    return file != NULL && file->is_whole;
}

bool rig_has_pack(struct hold_rig *hold, size_t owner, uint64_t number, size_t size)
{
    struct qn_digest name = rig_pack_name(number, size);
    struct qn_held_pack pack;
    enum qn_err err = qn_held_pack_get(memkv_reader(hold->rig.disk),
                                       &hold->rig.world.sites[owner].id, &name, &pack);
    return err == QN_OK && !pack.is_bad && !pack.is_condemned && pack.size == size &&
           rig_has_file(hold, owner, number, size);
}

uint64_t rig_lock_ms(struct hold_rig *hold)
{
    uint64_t now_ms;
    QN_ASSERT(qn_lock_now(memkv_reader(hold->rig.disk), &now_ms) == QN_OK);
    return now_ms;
}
