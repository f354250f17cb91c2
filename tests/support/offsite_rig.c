#include "support/offsite_rig.h"

#include <stdlib.h>

#include "base/search.h"
#include "model/book.h"
#include "model/fingerprint.h"

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
    qn_buf_init(&snap->sealed, 1024);
    qn_buf_printf(&snap->sealed, "sealed snapshot %zu", rig->snap_count);
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

static enum qn_err read_pack(const struct own_pack *pack, const struct qn_file_work *work,
                             struct qn_file_result *result)
{
    result->size = pack->bytes.size;
    if (work->offset > pack->bytes.size || work->size > pack->bytes.size - work->offset)
        return QN_ERR_INVALID;
    qn_buf_append(&result->bytes, pack->bytes.data + work->offset,
                  work->size == 0 ? pack->bytes.size : work->size);
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
    const struct own_pack *pack = own_pack(rig, work->name.bytes);
    if (pack == NULL || pack->is_gone)
        return QN_ERR_NOTFOUND;
    if (work->kind == QN_FILE_READ)
        return read_pack(pack, work, result);
    if (work->kind == QN_FILE_PROOF)
        return prove(pack, work, result);
    QN_ASSERT(work->kind == QN_FILE_SCRUB);
    return pack->is_rotten ? QN_ERR_SIGNATURE : QN_OK;
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

/* ---- the holder: what it says ---- */

void offsite_rig_say(struct offsite_rig *rig, struct qn_buf *take_bytes)
{
    QN_ASSERT(qn_buf_status(take_bytes) == QN_OK);
    rig_step(&rig->rig, (struct qn_event){.kind = QN_EVENT_FRAME,
                                          .link = RIG_BULK,
                                          .frame = qn_buf_view(take_bytes)});
    qn_buf_deinit(take_bytes);
}

static struct qn_digest digest_of(struct qn_cursor *fields)
{
    struct qn_digest digest;
    QN_ASSERT(qn_cursor_bytes(fields, digest.bytes, sizeof(digest.bytes)) == QN_OK);
    return digest;
}

static uint64_t number_of(struct qn_cursor *fields)
{
    uint64_t value;
    QN_ASSERT(qn_cursor_u64(fields, &value) == QN_OK);
    return value;
}

static struct qn_span bytes_of(struct qn_cursor *fields)
{
    struct qn_span bytes;
    QN_ASSERT(qn_cursor_bin(fields, SIZE_MAX, &bytes) == QN_OK);
    return bytes;
}

static struct held_part *part_of(struct offsite_rig *rig, const struct qn_digest *name)
{
    qn_vec_each (&rig->parts, part)
        if (qn_digest_eq(&part->name, name))
            return part;
    return NULL;
}

bool offsite_rig_holds(struct offsite_rig *rig, const struct qn_digest *name)
{
    const struct held_part *part = part_of(rig, name);
    return part != NULL && part->is_whole && !part->is_rotten;
}

static struct held_part *make_part(struct offsite_rig *rig, const struct qn_digest *name,
                                   uint64_t size)
{
    struct held_part *part = qn_vec_push_slot(&rig->parts);
    *part = (struct held_part){.name = *name, .size = size};
    qn_buf_init(&part->bytes, QN_PACK_SIZE_MAX);
    return part;
}

static void add_leaf(struct qn_digest *sum, const struct qn_digest *name)
{
    struct qn_digest leaf;
    QN_DIGEST(&leaf, qn_digest_view(name));
    qn_sum_add(sum->bytes, leaf.bytes);
}

static void on_ask(struct offsite_rig *rig, struct qn_cursor *fields)
{
    struct qn_digest packs = digest_of(fields), lists = digest_of(fields), mine[2] = {0};
    struct qn_buf out;
    rig->expected_ms = number_of(fields);
    rig->expect_count++;
    qn_vec_each (&rig->parts, part)
        if (part->is_whole)
            add_leaf(&mine[0], &part->name);
    qn_vec_each (&rig->lists, list)
        if (!list->is_forgotten)
            add_leaf(&mine[1], &list->id);
    if (rig->lies.refuses) {
        rig_message(&out, QN_MSG_VAULT_REFUSED, 1);
        qn_pack_cstr(&out, "denied");
        offsite_rig_say(rig, &out);
        return;
    }
    bool is_equal = qn_digest_eq(&packs, &mine[0]) && !rig->lies.endless_names;
    rig_message(&out, QN_MSG_VAULT_STATE, 8);
    qn_pack_bool(&out, rig->lies.equal || is_equal);
    qn_pack_bool(&out, rig->lies.equal || qn_digest_eq(&lists, &mine[1]));
    for (int i = 0; i < 5; i++)
        qn_pack_u64(&out, 1000);
    qn_pack_u64(&out, rig->key_epoch);
    offsite_rig_say(rig, &out);
}

static void gather_names(struct offsite_rig *rig, uint64_t what, struct qn_buf *out)
{
    qn_vec_each (&rig->parts, part)
        if (what == 0 && part->is_whole)
            qn_buf_append_span(out, qn_digest_view(&part->name));
    qn_vec_each (&rig->lists, list)
        if (what == 1 && !list->is_forgotten)
            qn_buf_append_span(out, qn_digest_view(&list->id));
    if (out->size > 0)
        qsort(out->data, out->size / QN_DIGEST_SIZE, QN_DIGEST_SIZE, by_name);
}

static void say_endless(struct offsite_rig *rig, uint64_t what, const struct qn_digest *after)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_NAMES, 3);
    qn_pack_u64(&out, what);
    qn_pack_bool(&out, false);
    QN_AUTO_BUF struct qn_buf names;
    struct qn_digest name = *after;
    qn_buf_init(&names, BULK_NAMES_MAX * QN_DIGEST_SIZE);
    for (size_t i = 0; i < BULK_NAMES_MAX; i++) {
        qn_write_u64(name.bytes, qn_read_u64(name.bytes) + 1);
        qn_buf_append_span(&names, qn_digest_view(&name));
    }
    qn_pack_bin(&out, qn_buf_view(&names));
    offsite_rig_say(rig, &out);
}

#define PAGE 5 /* names */

static void on_names_ask(struct offsite_rig *rig, struct qn_cursor *fields)
{
    uint64_t what = number_of(fields);
    struct qn_digest after = {0};
    bool has_after = qn_cursor_nil(fields) != QN_OK;
    if (has_after)
        after = digest_of(fields);
    if (rig->lies.endless_names) {
        say_endless(rig, what, &after);
        return;
    }
    QN_AUTO_BUF struct qn_buf names;
    struct qn_buf out;
    qn_buf_init(&names, 1024 * 1024);
    gather_names(rig, what, &names);
    while (has_after && names.size > 0 && by_name(names.data, after.bytes) <= 0)
        qn_buf_consume(&names, QN_DIGEST_SIZE);
    bool is_last = names.size <= PAGE * QN_DIGEST_SIZE;
    rig_message(&out, QN_MSG_NAMES, 3);
    qn_pack_u64(&out, what);
    qn_pack_bool(&out, is_last);
    qn_pack_bin(&out, qn_span(names.data, is_last ? names.size : PAGE * QN_DIGEST_SIZE));
    offsite_rig_say(rig, &out);
}

static uint64_t offer_answer(struct offsite_rig *rig, const struct qn_digest *name)
{
    if (offsite_rig_holds(rig, name))
        return QN_OFFER_HERE;
    if (rig->lies.offers_good > 0) {
        rig->lies.offers_good--;
        return QN_OFFER_WANTED;
    }
    return rig->lies.offer;
}

static void on_offer(struct offsite_rig *rig, struct qn_cursor *fields)
{
    size_t count;
    struct qn_span lease = bytes_of(fields);
    struct qn_buf out;
    QN_ASSERT(lease.size == 16);
    QN_ASSERT(qn_cursor_array(fields, 2 * BULK_OFFERS_MAX, &count) == QN_OK);
    rig_message(&out, QN_MSG_PACK_OFFERED, 1);
    qn_pack_array(&out, count / 2 * 3);
    for (size_t i = 0; i < count; i += 2) {
        struct qn_digest name = digest_of(fields);
        uint64_t size = number_of(fields), answer = offer_answer(rig, &name);
        struct held_part *part = part_of(rig, &name);
        if (part == NULL && answer == QN_OFFER_WANTED)
            part = make_part(rig, &name, size);
        if (part != NULL && part->is_rotten) {
            part->is_rotten = part->is_whole = false;
            qn_buf_reset(&part->bytes);
        }
        name.bytes[0] ^= rig->lies.foreign_offer;
        qn_pack_bin(&out, qn_digest_view(&name));
        qn_pack_u64(&out, answer);
        qn_pack_u64(&out, answer == QN_OFFER_WANTED ? part->bytes.size : 0);
    }
    offsite_rig_say(rig, &out);
}

static void say_ack(struct offsite_rig *rig, const struct qn_digest *name, uint64_t offset,
                    bool is_whole)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_PACK_ACK, 4);
    qn_pack_bin(&out, qn_digest_view(name));
    qn_pack_u64(&out, offset);
    qn_pack_bool(&out, is_whole);
    qn_pack_u64(&out, 0);
    offsite_rig_say(rig, &out);
}

static void on_put(struct offsite_rig *rig, struct qn_cursor *fields)
{
    struct qn_digest name = digest_of(fields), found;
    uint64_t size = number_of(fields), offset = number_of(fields);
    struct qn_span bytes = bytes_of(fields);
    struct held_part *part = part_of(rig, &name);
    bool fits = part != NULL && !part->is_whole && part->size == size &&
                offset == part->bytes.size; /* only what is wanted, in order */
    QN_ASSERT(bytes.size <= BULK_PIECE && (fits || rig->lies.is_mad));
    if (!fits)
        return;
    qn_buf_append_span(&part->bytes, bytes);
    rig->put_bytes += bytes.size;
    if (part->bytes.size == size) {
        QN_DIGEST(&found, qn_buf_view(&part->bytes));
        QN_ASSERT(qn_digest_eq(&found, &name));
        part->is_whole = true;
    }
    if (rig->lies.foreign_ack)
        name.bytes[3] ^= 1;
    say_ack(rig, &name, rig->lies.early_whole ? size : part->bytes.size + rig->lies.too_far,
            part->is_whole || rig->lies.early_whole);
}

/* ---- lists ---- */

static struct held_list_row *list_of(struct offsite_rig *rig, const struct qn_digest *id)
{
    qn_vec_each (&rig->lists, list)
        if (qn_digest_eq(&list->id, id))
            return list;
    return NULL;
}

static void say_list(struct offsite_rig *rig, const struct qn_digest *id, const char *code,
                     struct qn_span missing)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_LIST_ACK, 4);
    qn_pack_bin(&out, qn_digest_view(id));
    code == NULL ? qn_pack_nil(&out) : qn_pack_cstr(&out, code);
    qn_pack_u64(&out, WORLD_START_MS);
    qn_pack_bin(&out, missing);
    offsite_rig_say(rig, &out);
}

static bool has_name(struct qn_span names, const uint8_t *name)
{
    for (size_t at = 0; at < names.size; at += QN_DIGEST_SIZE)
        if (memcmp(names.data + at, name, QN_DIGEST_SIZE) == 0)
            return true;
    return false;
}

/* Base without `removed`, with `added`. */
static void merge_names(struct qn_span base, struct qn_span removed, struct qn_span added,
                        struct qn_buf *out)
{
    for (size_t at = 0; at < removed.size; at += QN_DIGEST_SIZE)
        QN_ASSERT(has_name(base, removed.data + at));
    for (size_t at = 0; at < base.size; at += QN_DIGEST_SIZE)
        if (!has_name(removed, base.data + at))
            qn_buf_append(out, base.data + at, QN_DIGEST_SIZE);
    qn_buf_append_span(out, added);
    if (out->size > 0)
        qsort(out->data, out->size / QN_DIGEST_SIZE, QN_DIGEST_SIZE, by_name);
}

struct list_message {
    struct qn_list_head head;
    struct qn_span sealed, removed, added;
    bool has_base;
    struct qn_digest base;
};

static void read_list(struct offsite_rig *rig, const struct qn_digest *id,
                      struct list_message *message)
{
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&rig->list));
    struct qn_digest found;
    struct qn_signature signature;
    size_t count;
    QN_ASSERT(qn_cursor_array(&cursor, 8, &count) == QN_OK && count == 8);
    message->head.snapshot = digest_of(&cursor);
    message->head.names = digest_of(&cursor);
    message->head.name_count = (uint32_t)number_of(&cursor);
    QN_ASSERT(qn_cursor_bytes(&cursor, signature.bytes, sizeof(signature.bytes)) == QN_OK);
    message->sealed = bytes_of(&cursor);
    message->has_base = qn_cursor_nil(&cursor) != QN_OK;
    if (message->has_base)
        message->base = digest_of(&cursor);
    message->removed = bytes_of(&cursor);
    message->added = bytes_of(&cursor);
    qn_list_id(&message->head, &found);
    QN_ASSERT(qn_digest_eq(&found, id));
    QN_ASSERT(qn_verify(&rig->rig.world.sites[0].keys.site, "quoin list 1", qn_digest_view(id),
                        &signature) == QN_OK);
    QN_DIGEST(&found, message->sealed);
    QN_ASSERT(qn_digest_eq(&found, &message->head.snapshot));
}

static void whole_list(struct offsite_rig *rig, const struct qn_digest *id)
{
    struct list_message message = {0};
    struct qn_digest digest;
    QN_AUTO_BUF struct qn_buf names, missing;
    qn_buf_init(&names, 1024 * 1024);
    qn_buf_init(&missing, 1024 * 1024);
    read_list(rig, id, &message);
    const struct held_list_row *base =
        message.has_base && !rig->lies.no_base ? list_of(rig, &message.base) : NULL;
    if (message.has_base && base == NULL) {
        say_list(rig, id, "base", qn_span(NULL, 0));
        return;
    }
    merge_names(base == NULL ? qn_span(NULL, 0) : qn_buf_view(&base->names), message.removed,
                message.added, &names);
    QN_DIGEST(&digest, qn_buf_view(&names));
    QN_ASSERT(qn_digest_eq(&digest, &message.head.names));
    for (size_t at = 0; at < names.size; at += QN_DIGEST_SIZE) {
        memcpy(digest.bytes, names.data + at, QN_DIGEST_SIZE);
        if (!offsite_rig_holds(rig, &digest))
            qn_buf_append_span(&missing, qn_digest_view(&digest));
    }
    if (missing.size > 0) {
        say_list(rig, id, "missing", qn_buf_view(&missing));
        return;
    }
    struct held_list_row *list = qn_vec_push_slot(&rig->lists);
    *list = (struct held_list_row){.id = *id, .snapshot = message.head.snapshot, .names = names};
    names = (struct qn_buf){0};
    say_list(rig, id, NULL, qn_span(NULL, 0));
}

static void on_list(struct offsite_rig *rig, struct qn_cursor *fields)
{
    struct qn_digest id = digest_of(fields);
    uint64_t piece = number_of(fields), pieces = number_of(fields);
    struct qn_span bytes = bytes_of(fields);
    QN_ASSERT(bytes.size > 0 && bytes.size <= BULK_LIST_PIECE && piece < pieces && pieces <= 9);
    if (piece == 0)
        qn_buf_reset(&rig->list);
    qn_buf_append_span(&rig->list, bytes);
    rig->list_bytes += bytes.size;
    if (piece + 1 < pieces)
        return;
    if (rig->lies.list_code != NULL)
        say_list(rig, &id, rig->lies.list_code,
                 rig->pack_count > 0 && strcmp(rig->lies.list_code, "missing") == 0
                     ? qn_digest_view(&rig->packs[0].name)
                     : qn_span(NULL, 0));
    else
        whole_list(rig, &id);
}

static void on_forget(struct offsite_rig *rig, struct qn_cursor *fields)
{
    struct qn_span ids = bytes_of(fields);
    struct qn_signature signature;
    struct qn_buf out;
    QN_ASSERT(qn_cursor_bytes(fields, signature.bytes, sizeof(signature.bytes)) == QN_OK);
    QN_ASSERT(qn_verify(&rig->rig.world.sites[0].keys.site, "quoin forget 1", ids, &signature) ==
              QN_OK);
    for (size_t at = 0; at < ids.size; at += QN_DIGEST_SIZE) {
        struct qn_digest id;
        memcpy(id.bytes, ids.data + at, sizeof(id.bytes));
        struct held_list_row *list = list_of(rig, &id);
        if (list != NULL)
            list->is_forgotten = true;
    }
    rig_message(&out, QN_MSG_LIST_FORGOT, 1);
    qn_pack_bin(&out, rig->lies.foreign_forgot ? qn_digest_view(&rig->packs[0].name) : ids);
    offsite_rig_say(rig, &out);
}

/* ---- proof ---- */

static void add_value(struct offsite_rig *rig, const uint8_t prefix[8], struct qn_span key,
                      struct qn_buf *values)
{
    static const uint8_t none[PROOF_VALUE];
    qn_vec_each (&rig->parts, part) {
        struct qn_digest own, mac;
        if (memcmp(part->name.bytes, prefix, 8) != 0 || !part->is_whole)
            continue;
        qn_hmac(key, qn_digest_view(&part->name), &own);
        qn_hmac(qn_digest_view(&own), qn_buf_view(&part->bytes), &mac);
        mac.bytes[0] ^= part->is_rotten;
        qn_buf_append(values, mac.bytes, PROOF_VALUE);
        return;
    }
    qn_buf_append(values, none, sizeof(none));
}

static void on_proof(struct offsite_rig *rig, struct qn_cursor *fields)
{
    uint64_t request = number_of(fields);
    struct qn_span key = bytes_of(fields), prefixes = bytes_of(fields);
    struct qn_digest digest;
    struct qn_buf out;
    QN_AUTO_BUF struct qn_buf values;
    qn_buf_init(&values, 1024 * 1024);
    rig->proofs_asked++;
    if (rig->lies.silent_proof)
        return;
    for (size_t at = 0; at < prefixes.size; at += 8)
        add_value(rig, prefixes.data + at, key, &values);
    QN_DIGEST(&digest, qn_buf_view(&values));
    digest.bytes[7] ^= rig->lies.wrong_proof;
    rig_message(&out, QN_MSG_PROOF, 3);
    qn_pack_u64(&out, request);
    qn_pack_nil(&out);
    qn_pack_bin(&out, qn_digest_view(&digest));
    offsite_rig_say(rig, &out);
}

static void on_key(struct offsite_rig *rig, struct qn_cursor *fields)
{
    struct qn_buf out;
    rig->key_epoch = number_of(fields);
    QN_ASSERT(qn_span_eq_str(bytes_of(fields), "sealed"));
    rig_message(&out, QN_MSG_KEY_ACK, 1);
    qn_pack_u64(&out, rig->key_epoch);
    offsite_rig_say(rig, &out);
}

static void hear(struct offsite_rig *rig, struct qn_span frame)
{
    struct qn_cursor fields = qn_cursor(frame);
    size_t count;
    QN_ASSERT(qn_cursor_array(&fields, 64, &count) == QN_OK);
    switch ((int)number_of(&fields)) { /* of all messages, those of an owner */
    case QN_MSG_VAULT_ASK:
        on_ask(rig, &fields);
        break;
    case QN_MSG_NAMES_ASK:
        on_names_ask(rig, &fields);
        break;
    case QN_MSG_PACK_OFFER:
        on_offer(rig, &fields);
        break;
    case QN_MSG_PACK_PUT:
        on_put(rig, &fields);
        break;
    case QN_MSG_LIST_PUT:
        on_list(rig, &fields);
        break;
    case QN_MSG_LIST_FORGET:
        on_forget(rig, &fields);
        break;
    case QN_MSG_PROOF_ASK:
        on_proof(rig, &fields);
        break;
    case QN_MSG_KEY_PUT:
        on_key(rig, &fields);
        break;
    }
}

static void run_frame(struct offsite_rig *rig)
{
    struct qn_buf frame = rig->rig.bulk_frames.items[0];
    qn_vec_remove(&rig->rig.bulk_frames, 0);
    if (rig->is_up)
        hear(rig, qn_buf_view(&frame));
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

static void accept_place(struct offsite_rig *rig)
{
    struct rig *inner = &rig->rig;
    struct qn_buf body = {0}, entry = {0}, payload;
    world_accept_body(&inner->world, inner->core->ledger, 0, 1, 1ull << 40, 30, &body);
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
    accept_place(rig);
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
