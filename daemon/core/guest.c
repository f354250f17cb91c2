/* Letting others in: the inviting side of the guest protocol (docs/protocol.md, section 8).
 * A guest proves that it knows the invitation's secret, or has a member's kit (guest_recover.c),
 * before it learns anything of the group. */
#include "core/state.h"

struct guest *core_guest(const struct qn_core *core, qn_link link)
{
    qn_vec_each (&core->guests, slot)
        if ((*slot)->link == link)
            return *slot;
    return NULL;
}

void guest_up(struct qn_core *core, const struct qn_event *event)
{
    if (!core->allows_guests || core->guests.count >= QN_GUEST_SLOTS_MAX) {
        core_close(core, event->link);
        return;
    }
    struct guest *guest = QN_NEW(struct guest);
    guest->link = event->link;
    guest->key = event->key;
    memcpy(guest->exporter, event->exporter, sizeof(guest->exporter));
    qn_vec_push(&core->guests, guest);
}

void guest_down(struct qn_core *core, qn_link link)
{
    for (size_t i = 0; i < core->guests.count; i++) {
        if (core->guests.items[i]->link != link)
            continue;
        qn_free(core->guests.items[i]);
        qn_vec_remove(&core->guests, i);
        return;
    }
}

void guest_refuse(struct qn_core *core, struct guest *guest, const char *code)
{
    struct qn_buf *out = core_message(core, QN_MSG_GUEST_REFUSED, 1);
    qn_pack_cstr(out, code);
    core_send(core, guest->link);
    core_note(core, code, QN_ERR_DENIED, "guest");
    core_close(core, guest->link);
}

void guest_say_ledger(struct qn_core *core, struct guest *guest, size_t from)
{
    size_t total = qn_ledger_count(core->ledger), count = 0, size = 0;
    while (from + count < total) {
        size += qn_ledger_entry(core->ledger, from + count).size + 3;
        if (size > GUEST_CHUNK && count > 0)
            break;
        count++;
    }
    struct qn_buf *out = core_message(core, QN_MSG_GUEST_LEDGER, 3);
    qn_pack_array(out, count);
    for (size_t i = 0; i < count; i++)
        qn_pack_bin(out, qn_ledger_entry(core->ledger, from + i));
    qn_pack_u64(out, from + count);
    qn_pack_u64(out, total);
    core_send(core, guest->link);
    guest->sent = from + count;
}

/* Why the invitation does not let this guest in; NULL if it does. A member that lost our answer
 * comes again with an invitation that is used; a site that left needs a new one. */
static const char *why_not(const struct qn_core *core, const struct guest *guest)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_invite *invite = qn_group_invite(group, &guest->invite_key);
    const struct qn_site *self = qn_group_site_by_key(group, &guest->key);
    bool is_member = self != NULL && self->state == QN_SITE_MEMBER;
    if (invite == NULL)
        return "invitation-unknown";
    if (invite->is_used)
        return is_member && qn_site_id_eq(&invite->used_by, &self->id) ? NULL : "invitation-used";
    if (qn_invite_is_open(invite, core->wall_ms))
        return NULL;
    return invite->is_revoked ? "invitation-revoked" : "invitation-expired";
}

static enum qn_err heard_hello(struct qn_core *core, struct guest *guest, struct qn_cursor *cursor)
{
    uint64_t version;
    struct qn_signature signature;
    QN_TRY(qn_cursor_u64(cursor, &version));
    QN_TRY(qn_cursor_bytes(cursor, guest->invite_key.bytes, sizeof(guest->invite_key.bytes)));
    QN_TRY(qn_cursor_bytes(cursor, signature.bytes, sizeof(signature.bytes)));
    QN_TRY(qn_verify(&guest->invite_key, "quoin guest 1", QN_SPAN_OF(guest->exporter), &signature));
    const char *refusal = why_not(core, guest);
    if (refusal != NULL) {
        guest_refuse(core, guest, refusal);
    } else {
        guest->state = GUEST_PROVEN;
        guest_say_ledger(core, guest, 0);
    }
    return QN_OK;
}

static void say_admitted(struct qn_core *core, struct guest *guest)
{
    size_t total = qn_ledger_count(core->ledger), from = guest->sent;
    struct qn_buf *out = core_message(core, QN_MSG_GUEST_ADMITTED, 2);
    qn_pack_array(out, total - from);
    for (size_t i = from; i < total; i++)
        qn_pack_bin(out, qn_ledger_entry(core->ledger, i));
    core_pack_announcements(core, out);
    core_send(core, guest->link);
}

static enum qn_err read_admit(struct qn_cursor *cursor, const struct guest *guest,
                              struct qn_body_admit *admit)
{
    *admit = (struct qn_body_admit){.invite_key = guest->invite_key};
    struct qn_site_keys *keys = &admit->keys;
    QN_TRY(qn_cursor_bytes(cursor, keys->site.bytes, QN_KEY_SIZE));
    QN_TRY(qn_cursor_bytes(cursor, keys->recovery_sign.bytes, QN_KEY_SIZE));
    QN_TRY(qn_cursor_bytes(cursor, keys->recovery_seal.bytes, QN_KEY_SIZE));
    QN_TRY(qn_cursor_str(cursor, QN_NAME_SIZE_MAX, &admit->name));
    QN_TRY(qn_cursor_str(cursor, QN_ENTITY_SIZE_MAX, &admit->legal_entity));
    QN_TRY(qn_cursor_bytes(cursor, admit->by_invite.bytes, QN_SIGNATURE_SIZE));
    QN_TRY(qn_cursor_bytes(cursor, admit->by_site.bytes, QN_SIGNATURE_SIZE));
    return qn_public_key_eq(&keys->site, &guest->key) ? QN_OK : QN_ERR_DENIED;
}

static void admit(struct qn_core *core, struct guest *guest, const struct qn_body_admit *body)
{
    QN_AUTO_BUF struct qn_buf packed;
    qn_buf_init(&packed, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_admit_pack(&qn_ledger_group(core->ledger)->id, body, &packed);
    struct qn_buf payload;
    qn_buf_init(&payload, QN_LEDGER_ENTRY_SIZE_MAX + 16);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, qn_buf_view(&packed));
    guest->state = GUEST_ADMITTING;
    core_commit(core, QN_INTENT_LEDGER_APPEND, &payload, PENDING_ADMIT)->link = guest->link;
}

/* Whoever has a site's first key and an invitation could come as that site, with a kit of his own.
 * The ledger would not take it for the site's kit (docs/ledger.md, "Keys"); it is not written. */
static bool has_its_kit(const struct qn_group *group, const struct qn_site_keys *keys)
{
    struct qn_site_id id;
    qn_site_id_of(&keys->site, &id);
    const struct qn_site *known = qn_group_site(group, &id);
    return known == NULL || (qn_public_key_eq(&known->keys.recovery_sign, &keys->recovery_sign) &&
                             qn_public_key_eq(&known->keys.recovery_seal, &keys->recovery_seal));
}

static enum qn_err heard_join(struct qn_core *core, struct guest *guest, struct qn_cursor *cursor)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    struct qn_body_admit body;
    QN_TRY(read_admit(cursor, guest, &body));
    QN_TRY(qn_admit_verify(&group->id, &body));
    const struct qn_site *namesake = qn_group_site_named(group, body.name);
    const struct qn_site *self = qn_group_site_by_key(group, &body.keys.site);
    const char *refusal = why_not(core, guest); /* it may have been used or revoked meanwhile */
    if (refusal != NULL)
        guest_refuse(core, guest, refusal);
    else if (!has_its_kit(group, &body.keys))
        guest_refuse(core, guest, "kit-differs");
    else if (!qn_text_is_name(body.name))
        guest_refuse(core, guest, "bad-name");
    else if (namesake != NULL && namesake->state == QN_SITE_MEMBER && namesake != self)
        guest_refuse(core, guest, "site-name-taken");
    else if (self != NULL && self->state == QN_SITE_MEMBER)
        say_admitted(core, guest); /* it lost our answer */
    else if (!core_may_append(core))
        guest_refuse(core, guest, "in-doubt");
    else
        admit(core, guest, &body);
    return QN_OK;
}

void guest_outcome(struct qn_core *core, const struct pending *pending,
                   const struct qn_outcome *outcome)
{
    struct guest *guest = core_guest(core, pending->link);
    if (guest == NULL)
        return;
    if (guest->state == GUEST_TELLING)
        guest_key_stored(core, guest, outcome->err);
    else if (outcome->err == QN_OK)
        say_admitted(core, guest);
    else if (guest->is_recovery)
        guest_refuse(core, guest, guest_rotate_refusal(outcome->err));
    else
        guest_refuse(core, guest, qn_err_is_fatal(outcome->err) ? "busy" : "invitation-used");
}

static enum qn_err dispatch(struct qn_core *core, struct guest *guest, struct qn_span frame)
{
    struct qn_cursor cursor = qn_cursor(frame);
    size_t count;
    uint64_t number, index;
    QN_TRY(qn_cursor_array(&cursor, 64, &count));
    QN_TRY(qn_cursor_u64(&cursor, &number));
    if (number == QN_MSG_GUEST_HELLO && guest->state == GUEST_NEW)
        return heard_hello(core, guest, &cursor);
    if (number == QN_MSG_GUEST_NEXT && guest->state == GUEST_PROVEN) {
        QN_TRY(qn_cursor_u64(&cursor, &index));
        if (index != guest->sent || index >= qn_ledger_count(core->ledger))
            return QN_ERR_INVALID;
        guest_say_ledger(core, guest, index);
        return QN_OK;
    }
    if (number == QN_MSG_GUEST_JOIN && guest->state == GUEST_PROVEN && !guest->is_recovery)
        return heard_join(core, guest, &cursor);
    if (number == QN_MSG_RECOVER_HELLO && guest->state == GUEST_NEW)
        return guest_heard_recover(core, guest, &cursor);
    if (number == QN_MSG_KEY_TELL && guest->state == GUEST_NEW)
        return guest_heard_key(core, guest, &cursor);
    if (number == QN_MSG_RECOVER_ROTATE && guest->state == GUEST_PROVEN && guest->is_recovery)
        return guest_heard_rotate(core, guest, &cursor);
    return QN_ERR_STATE;
}

void guest_frame(struct qn_core *core, struct guest *guest, struct qn_span frame)
{
    enum qn_err err = dispatch(core, guest, frame);
    if (err == QN_OK)
        return;
    core_note(core, "bad-guest", err, "");
    core_close(core, guest->link);
}
