#include "model/ledger_body.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/text.h"
#include "proto/pack.h"

#define VERSION 1

/* ---- writing: field names ascend ---- */

static void begin(struct qn_buf *out, enum qn_body_type type, bool is_critical,
                  const struct qn_digest *group, size_t field_count)
{
    qn_pack_array(out, 5);
    qn_pack_u64(out, type);
    qn_pack_u64(out, VERSION);
    qn_pack_bool(out, is_critical);
    if (group == NULL)
        qn_pack_nil(out);
    else
        qn_pack_bin(out, qn_digest_view(group));
    qn_pack_map(out, field_count);
}

static void field_bin(struct qn_buf *out, const char *name, struct qn_span bytes)
{
    qn_pack_cstr(out, name);
    qn_pack_bin(out, bytes);
}

static void field_str(struct qn_buf *out, const char *name, struct qn_span text)
{
    qn_pack_cstr(out, name);
    qn_pack_str(out, text);
}

void qn_body_genesis_pack(const struct qn_body_genesis *body, struct qn_buf *out)
{
    begin(out, QN_BODY_GENESIS, true, NULL, 7);
    field_str(out, "entity", body->legal_entity);
    field_str(out, "group", body->group_name);
    field_bin(out, "key", QN_SPAN_OF(body->keys.site.bytes));
    field_str(out, "name", body->site_name);
    field_bin(out, "nonce", QN_SPAN_OF(body->nonce));
    field_bin(out, "seal", QN_SPAN_OF(body->keys.recovery_seal.bytes));
    field_bin(out, "sign", QN_SPAN_OF(body->keys.recovery_sign.bytes));
}

void qn_body_invite_pack(const struct qn_digest *group, const struct qn_body_invite *body,
                         struct qn_buf *out)
{
    begin(out, QN_BODY_INVITE, true, group, 3);
    qn_pack_cstr(out, "expiry");
    qn_pack_u64(out, body->expiry_ms);
    field_bin(out, "key", QN_SPAN_OF(body->invite_key.bytes));
    field_str(out, "label", body->label);
}

void qn_body_revoke_invite_pack(const struct qn_digest *group,
                                const struct qn_public_key *invite_key, struct qn_buf *out)
{
    begin(out, QN_BODY_REVOKE_INVITE, true, group, 1);
    field_bin(out, "key", QN_SPAN_OF(invite_key->bytes));
}

void qn_body_admit_pack(const struct qn_digest *group, const struct qn_body_admit *body,
                        struct qn_buf *out)
{
    begin(out, QN_BODY_ADMIT, true, group, 8);
    field_bin(out, "by_invite", QN_SPAN_OF(body->by_invite.bytes));
    field_bin(out, "by_site", QN_SPAN_OF(body->by_site.bytes));
    field_str(out, "entity", body->legal_entity);
    field_bin(out, "invite", QN_SPAN_OF(body->invite_key.bytes));
    field_bin(out, "key", QN_SPAN_OF(body->keys.site.bytes));
    field_str(out, "name", body->name);
    field_bin(out, "seal", QN_SPAN_OF(body->keys.recovery_seal.bytes));
    field_bin(out, "sign", QN_SPAN_OF(body->keys.recovery_sign.bytes));
}

static int compare_ids(const void *a, const void *b)
{
    return qn_site_id_cmp(a, b);
}

static void pack_members(const struct qn_body_create_collection *body, struct qn_buf *out)
{
    QN_ASSERT(body->member_count <= QN_SITES_MAX);
    struct qn_site_id ids[QN_SITES_MAX];
    size_t count = 0;
    if (body->member_count > 0) {
        memcpy(ids, body->members, body->member_count * sizeof(ids[0]));
        qsort(ids, body->member_count, sizeof(ids[0]), compare_ids);
    }
    for (size_t i = 0; i < body->member_count; i++)
        if (count == 0 || !qn_site_id_eq(&ids[i], &ids[count - 1]))
            ids[count++] = ids[i];
    qn_pack_array(out, count);
    for (size_t i = 0; i < count; i++)
        qn_pack_bin(out, QN_SPAN_OF(ids[i].bytes));
}

void qn_body_create_collection_pack(const struct qn_digest *group,
                                    const struct qn_body_create_collection *body,
                                    struct qn_buf *out)
{
    begin(out, QN_BODY_CREATE_COLLECTION, true, group, 2);
    field_bin(out, "coll", QN_SPAN_OF(body->coll.bytes));
    qn_pack_cstr(out, "members");
    if (body->is_for_all)
        qn_pack_nil(out);
    else
        pack_members(body, out);
}

void qn_body_grant_pack(const struct qn_digest *group, enum qn_body_type type,
                        const struct qn_body_grant *body, struct qn_buf *out)
{
    QN_ASSERT(type == QN_BODY_GRANT || type == QN_BODY_UNGRANT);
    begin(out, type, true, group, 2);
    field_bin(out, "coll", QN_SPAN_OF(body->coll.bytes));
    field_bin(out, "site", QN_SPAN_OF(body->site.bytes));
}

void qn_body_close_collection_pack(const struct qn_digest *group, const struct qn_coll_id *coll,
                                   struct qn_buf *out)
{
    begin(out, QN_BODY_CLOSE_COLLECTION, true, group, 1);
    field_bin(out, "coll", QN_SPAN_OF(coll->bytes));
}

void qn_body_withdraw_pack(const struct qn_digest *group, const struct qn_digest *admission,
                           struct qn_buf *out)
{
    begin(out, QN_BODY_WITHDRAW, true, group, 1);
    field_bin(out, "admission", qn_digest_view(admission));
}

void qn_body_describe_pack(const struct qn_digest *group, struct qn_span legal_entity,
                           struct qn_buf *out)
{
    begin(out, QN_BODY_DESCRIBE, false, group, 1);
    field_str(out, "entity", legal_entity);
}

static void field_u64(struct qn_buf *out, const char *name, uint64_t value)
{
    qn_pack_cstr(out, name);
    qn_pack_u64(out, value);
}

void qn_body_place_pack(const struct qn_digest *group, const struct qn_body_place *body,
                        struct qn_buf *out)
{
    bool has_end = body->agreement_until_ms > 0;
    begin(out, QN_BODY_PLACE, false, group, has_end ? 5 : 4);
    field_str(out, "agreement", body->agreement);
    field_bin(out, "holder", QN_SPAN_OF(body->holder.bytes));
    field_u64(out, "lock", body->lock_days);
    field_u64(out, "quota", body->quota_bytes);
    if (has_end)
        field_u64(out, "until", body->agreement_until_ms);
}

void qn_body_place_accept_pack(const struct qn_digest *group,
                               const struct qn_body_place_accept *body, struct qn_buf *out)
{
    begin(out, QN_BODY_PLACE_ACCEPT, false, group, 3);
    field_u64(out, "lock", body->lock_days);
    field_bin(out, "place", qn_digest_view(&body->place));
    field_u64(out, "quota", body->quota_bytes);
}

void qn_body_rotate_key_pack(const struct qn_digest *group, const struct qn_body_rotate_key *body,
                             struct qn_buf *out)
{
    begin(out, QN_BODY_ROTATE_KEY, true, group, 4);
    field_bin(out, "admission", qn_digest_view(&body->admission));
    field_bin(out, "key", QN_SPAN_OF(body->key.bytes));
    field_bin(out, "proof", QN_SPAN_OF(body->proof.bytes));
    qn_pack_cstr(out, "recovery");
    qn_pack_bool(out, body->is_by_recovery);
}

void qn_body_report_pack(const struct qn_digest *group, const struct qn_body_report *body,
                         struct qn_buf *out)
{
    begin(out, QN_BODY_REPORT, false, group, 9);
    field_u64(out, "bad", body->bad_packs);
    field_u64(out, "bytes", body->bytes);
    field_u64(out, "gone_bytes", body->destroyed_bytes);
    field_u64(out, "gone_packs", body->destroyed_packs);
    field_u64(out, "locked", body->locked_until_ms);
    field_bin(out, "owner", QN_SPAN_OF(body->owner.bytes));
    field_u64(out, "packs", body->packs);
    field_bin(out, "place", qn_digest_view(&body->place));
    field_u64(out, "snapshots", body->snapshots);
}

/* ---- reading ---- */

/* Walks a map whose keys ascend strictly; what lies between the fields asked for is passed over, so
 * that a newer version may add fields. */
struct fields {
    struct qn_cursor cursor;
    size_t left;
    struct qn_span last;
};

static enum qn_err fields_begin(struct qn_cursor *cursor, struct fields *ret_fields)
{
    struct fields fields = {0};
    QN_TRY(qn_cursor_map(cursor, QN_LEDGER_FIELDS_MAX, &fields.left));
    fields.cursor = *cursor;
    *ret_fields = fields;
    return QN_OK;
}

static enum qn_err fields_key(struct fields *fields, struct qn_span *ret_key)
{
    struct qn_span key;
    QN_TRY(qn_cursor_str(&fields->cursor, QN_FIELD_SIZE_MAX, &key));
    if (fields->last.data != NULL && qn_span_cmp(key, fields->last) <= 0)
        return QN_ERR_INVALID;
    fields->last = key;
    fields->left--;
    *ret_key = key;
    return QN_OK;
}

static enum qn_err fields_skip(struct fields *fields)
{
    struct qn_span item;
    return qn_cursor_skip(&fields->cursor, QN_LEDGER_DEPTH_MAX, &item);
}

/* Leaves the cursor before the value of that field. */
/* One that an earlier release does not write; behind all that must be there. */
static enum qn_err fields_look(struct fields *fields, const char *name, bool *ret_is_there)
{
    *ret_is_there = false;
    while (fields->left > 0) {
        struct qn_span key;
        QN_TRY(fields_key(fields, &key));
        *ret_is_there = qn_span_eq_str(key, name);
        if (*ret_is_there)
            return QN_OK;
        QN_TRY(fields_skip(fields));
    }
    return QN_OK;
}

static enum qn_err fields_find(struct fields *fields, const char *name)
{
    bool is_there;
    QN_TRY(fields_look(fields, name, &is_there));
    return is_there ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err fields_end(struct fields *fields)
{
    while (fields->left > 0) {
        struct qn_span key;
        QN_TRY(fields_key(fields, &key));
        QN_TRY(fields_skip(fields));
    }
    return qn_cursor_finish(&fields->cursor);
}

static enum qn_err get_bytes(struct fields *fields, const char *name, void *out, size_t size)
{
    QN_TRY(fields_find(fields, name));
    return qn_cursor_bytes(&fields->cursor, out, size);
}

#define GET(fields, name, object)                                                                  \
    get_bytes((fields), (name), (object).bytes, sizeof((object).bytes))

static enum qn_err get_text(struct fields *fields, const char *name, size_t size_max,
                            struct qn_span *ret_text)
{
    QN_TRY(fields_find(fields, name));
    QN_TRY(qn_cursor_str(&fields->cursor, size_max, ret_text));
    return qn_text_is_printable(*ret_text) ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err get_name(struct fields *fields, const char *name, struct qn_span *ret_name)
{
    QN_TRY(get_text(fields, name, QN_NAME_SIZE_MAX, ret_name));
    return qn_text_is_name(*ret_name) ? QN_OK : QN_ERR_INVALID;
}

/* A group's name may hold spaces, but not at its ends: it is copied by hand. */
static enum qn_err get_group_name(struct fields *fields, struct qn_span *ret_name)
{
    struct qn_span name;
    QN_TRY(get_text(fields, "group", QN_NAME_SIZE_MAX, &name));
    if (name.size == 0 || name.data[0] == ' ' || name.data[name.size - 1] == ' ')
        return QN_ERR_INVALID;
    *ret_name = name;
    return QN_OK;
}

static enum qn_err read_genesis(struct fields *fields, struct qn_body_genesis *body)
{
    QN_TRY(get_text(fields, "entity", QN_ENTITY_SIZE_MAX, &body->legal_entity));
    QN_TRY(get_group_name(fields, &body->group_name));
    QN_TRY(GET(fields, "key", body->keys.site));
    QN_TRY(get_name(fields, "name", &body->site_name));
    QN_TRY(get_bytes(fields, "nonce", body->nonce, sizeof(body->nonce)));
    QN_TRY(GET(fields, "seal", body->keys.recovery_seal));
    return GET(fields, "sign", body->keys.recovery_sign);
}

static enum qn_err read_invite(struct fields *fields, struct qn_body_invite *body)
{
    QN_TRY(fields_find(fields, "expiry"));
    QN_TRY(qn_cursor_u64(&fields->cursor, &body->expiry_ms));
    QN_TRY(GET(fields, "key", body->invite_key));
    return get_text(fields, "label", QN_NAME_SIZE_MAX, &body->label);
}

static enum qn_err read_admit(struct fields *fields, struct qn_body_admit *body)
{
    QN_TRY(GET(fields, "by_invite", body->by_invite));
    QN_TRY(GET(fields, "by_site", body->by_site));
    QN_TRY(get_text(fields, "entity", QN_ENTITY_SIZE_MAX, &body->legal_entity));
    QN_TRY(GET(fields, "invite", body->invite_key));
    QN_TRY(GET(fields, "key", body->keys.site));
    QN_TRY(get_name(fields, "name", &body->name));
    QN_TRY(GET(fields, "seal", body->keys.recovery_seal));
    return GET(fields, "sign", body->keys.recovery_sign);
}

static enum qn_err read_members(struct qn_cursor *cursor, struct qn_body_members *body)
{
    QN_TRY(qn_cursor_array(cursor, QN_SITES_MAX, &body->count));
    size_t start = cursor->at;
    struct qn_site_id last, id;
    for (size_t i = 0; i < body->count; i++) {
        QN_TRY(qn_cursor_bytes(cursor, id.bytes, sizeof(id.bytes)));
        if (i > 0 && qn_site_id_cmp(&last, &id) >= 0)
            return QN_ERR_INVALID;
        last = id;
    }
    body->packed = qn_span(cursor->input.data + start, cursor->at - start);
    return QN_OK;
}

static enum qn_err read_create(struct fields *fields, struct qn_body_members *body)
{
    QN_TRY(GET(fields, "coll", body->coll));
    QN_TRY(fields_find(fields, "members"));
    body->is_for_all = qn_cursor_peek(&fields->cursor) == QN_ITEM_NIL;
    if (body->is_for_all)
        return qn_cursor_nil(&fields->cursor);
    return read_members(&fields->cursor, body);
}

static enum qn_err read_grant(struct fields *fields, struct qn_body_grant *body)
{
    QN_TRY(GET(fields, "coll", body->coll));
    return GET(fields, "site", body->site);
}

static enum qn_err get_u64(struct fields *fields, const char *name, uint64_t *ret_value)
{
    QN_TRY(fields_find(fields, name));
    return qn_cursor_u64(&fields->cursor, ret_value);
}

static enum qn_err get_lock_days(struct fields *fields, uint64_t *ret_days)
{
    QN_TRY(get_u64(fields, "lock", ret_days));
    return *ret_days <= QN_LOCK_DAYS_MAX ? QN_OK : QN_ERR_LIMIT;
}

static enum qn_err read_place(struct fields *fields, struct qn_body_place *body)
{
    QN_TRY(get_text(fields, "agreement", QN_AGREEMENT_SIZE_MAX, &body->agreement));
    QN_TRY(GET(fields, "holder", body->holder));
    QN_TRY(get_lock_days(fields, &body->lock_days));
    QN_TRY(get_u64(fields, "quota", &body->quota_bytes));
    bool has_end;
    QN_TRY(fields_look(fields, "until", &has_end));
    return has_end ? qn_cursor_u64(&fields->cursor, &body->agreement_until_ms) : QN_OK;
}

static enum qn_err read_accept(struct fields *fields, struct qn_body_place_accept *body)
{
    QN_TRY(get_lock_days(fields, &body->lock_days));
    QN_TRY(GET(fields, "place", body->place));
    return get_u64(fields, "quota", &body->quota_bytes);
}

static enum qn_err read_report(struct fields *fields, struct qn_body_report *body)
{
    QN_TRY(get_u64(fields, "bad", &body->bad_packs));
    QN_TRY(get_u64(fields, "bytes", &body->bytes));
    QN_TRY(get_u64(fields, "gone_bytes", &body->destroyed_bytes));
    QN_TRY(get_u64(fields, "gone_packs", &body->destroyed_packs));
    QN_TRY(get_u64(fields, "locked", &body->locked_until_ms));
    QN_TRY(GET(fields, "owner", body->owner));
    QN_TRY(get_u64(fields, "packs", &body->packs));
    QN_TRY(GET(fields, "place", body->place));
    return get_u64(fields, "snapshots", &body->snapshots);
}

static enum qn_err read_rotate(struct fields *fields, struct qn_body_rotate_key *body)
{
    QN_TRY(GET(fields, "admission", body->admission));
    QN_TRY(GET(fields, "key", body->key));
    QN_TRY(GET(fields, "proof", body->proof));
    QN_TRY(fields_find(fields, "recovery"));
    return qn_cursor_bool(&fields->cursor, &body->is_by_recovery);
}

/* What this version knows of the type; *ret_is_known is false for reserved and for newer types. */
static enum qn_err read_fields(struct fields *fields, struct qn_body *body, bool *ret_is_known)
{
    *ret_is_known = true;
    switch (body->type) {
    case QN_BODY_GENESIS:
        return read_genesis(fields, &body->genesis);
    case QN_BODY_INVITE:
        return read_invite(fields, &body->invite);
    case QN_BODY_REVOKE_INVITE:
        return GET(fields, "key", body->revoked);
    case QN_BODY_ADMIT:
        return read_admit(fields, &body->admit);
    case QN_BODY_CREATE_COLLECTION:
        return read_create(fields, &body->create);
    case QN_BODY_GRANT:
    case QN_BODY_UNGRANT:
        return read_grant(fields, &body->grant);
    case QN_BODY_CLOSE_COLLECTION:
        return GET(fields, "coll", body->grant.coll);
    case QN_BODY_PLACE:
        return read_place(fields, &body->place);
    case QN_BODY_PLACE_ACCEPT:
        return read_accept(fields, &body->accept);
    case QN_BODY_ROTATE_KEY:
        return read_rotate(fields, &body->rotate);
    case QN_BODY_WITHDRAW:
        return GET(fields, "admission", body->admission);
    case QN_BODY_REPORT:
        return read_report(fields, &body->report);
    case QN_BODY_DESCRIBE:
        return get_text(fields, "entity", QN_ENTITY_SIZE_MAX, &body->legal_entity);
    default: /* a number from outside, not an enumeration */
        *ret_is_known = false;
        return QN_OK;
    }
}

static enum qn_err read_group(struct qn_cursor *cursor, struct qn_body *body)
{
    body->has_group = qn_cursor_peek(cursor) != QN_ITEM_NIL;
    if (body->has_group)
        return qn_cursor_bytes(cursor, body->group.bytes, sizeof(body->group.bytes));
    return qn_cursor_nil(cursor);
}

enum qn_err qn_body_unpack(struct qn_span bytes, struct qn_body *ret_body)
{
    struct qn_body body = {0};
    struct qn_cursor cursor = qn_cursor(bytes);
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, 5, &count));
    if (count != 5)
        return QN_ERR_INVALID;
    QN_TRY(qn_cursor_u64(&cursor, &body.type));
    QN_TRY(qn_cursor_u64(&cursor, &body.version));
    QN_TRY(qn_cursor_bool(&cursor, &body.is_critical));
    QN_TRY(read_group(&cursor, &body));
    if (body.type == 0 || body.version == 0 || body.has_group == (body.type == QN_BODY_GENESIS))
        return QN_ERR_INVALID;
    struct fields fields;
    QN_TRY(fields_begin(&cursor, &fields));
    if (body.version == VERSION)
        QN_TRY(read_fields(&fields, &body, &body.is_understood));
    QN_TRY(fields_end(&fields));
    *ret_body = body;
    return QN_OK;
}
