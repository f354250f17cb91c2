/* The holder of offsite_rig.h: what it says to each message of an owner, after docs/protocol.md 10.
 */
#include <stdlib.h>

#include "model/fingerprint.h"
#include "support/offsite_rig.h"

#define PAGE 5 /* names */

static int by_name(const void *a, const void *b)
{
    return memcmp(a, b, QN_DIGEST_SIZE);
}

/* ---- the holder: what it says ---- */

void offsite_rig_say(struct offsite_rig *rig, struct qn_buf *take_bytes)
{
    QN_ASSERT(qn_buf_status(take_bytes) == QN_OK);
    rig_step(&rig->rig, (struct qn_event){.kind = QN_EVENT_FRAME,
                                          .link = rig->is_up ? RIG_BULK : RIG_LINK,
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

bool offsite_rig_has_all(struct offsite_rig *rig)
{
    for (size_t i = 0; i < rig->pack_count; i++)
        if (!rig->packs[i].is_gone && !offsite_rig_holds(rig, &rig->packs[i].name))
            return false;
    return true;
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
                    bool is_whole, uint64_t code)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_PACK_ACK, 4);
    qn_pack_bin(&out, qn_digest_view(name));
    qn_pack_u64(&out, offset);
    qn_pack_bool(&out, is_whole);
    qn_pack_u64(&out, code);
    offsite_rig_say(rig, &out);
}

static bool is_right(const struct held_part *part)
{
    struct qn_digest found;
    QN_DIGEST(&found, qn_buf_view(&part->bytes));
    return qn_digest_eq(&found, &part->name);
}

static void on_put(struct offsite_rig *rig, struct qn_cursor *fields)
{
    struct qn_digest name = digest_of(fields);
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
    if (part->bytes.size == size && !is_right(part)) {
        qn_buf_reset(&part->bytes);
        say_ack(rig, &name, 0, false, QN_OFFER_LATER);
        return;
    }
    part->is_whole = part->bytes.size == size;
    if (rig->lies.foreign_ack)
        name.bytes[3] ^= 1;
    say_ack(rig, &name, rig->lies.early_whole ? size : part->bytes.size + rig->lies.too_far,
            part->is_whole || rig->lies.early_whole, 0);
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
        if (memcmp(part->name.bytes, prefix, BULK_PROOF_PREFIX) != 0 || !part->is_whole)
            continue;
        qn_hmac(key, qn_digest_view(&part->name), &own);
        qn_hmac(qn_digest_view(&own), qn_buf_view(&part->bytes), &mac);
        mac.bytes[0] ^= part->is_rotten;
        qn_buf_append(values, mac.bytes, PROOF_VALUE);
        return;
    }
    qn_buf_append(values, none, sizeof(none));
}

static void say_busy(struct offsite_rig *rig, uint64_t request)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_PROOF, 4);
    qn_pack_u64(&out, request);
    qn_pack_cstr(&out, "busy");
    qn_pack_bin(&out, qn_span(NULL, 0));
    qn_pack_u64(&out, rig->lies.busy_ms);
    offsite_rig_say(rig, &out);
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
    if (rig->lies.busy_ms > 0) {
        say_busy(rig, request);
        return;
    }
    for (size_t at = 0; at < prefixes.size; at += BULK_PROOF_PREFIX)
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
    uint64_t epoch = number_of(fields);
    QN_ASSERT(qn_span_eq_str(bytes_of(fields), "sealed"));
    rig->keys_heard++;
    if (!rig->lies.refuses_key)
        rig->key_epoch = epoch;
    rig_message(&out, QN_MSG_KEY_ACK, 2);
    qn_pack_u64(&out, epoch);
    qn_pack_u64(&out, rig->lies.refuses_key ? QN_OFFER_QUOTA : QN_OFFER_WANTED);
    offsite_rig_say(rig, &out);
}

void offsite_holder_hear(struct offsite_rig *rig, struct qn_span frame)
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
