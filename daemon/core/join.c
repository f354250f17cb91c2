/* Being let in: the joining side of the guest protocol (docs/protocol.md, section 8), which a site
 * that is recovered goes through as well (recover.c has what differs).
 * Nothing that the other side says is believed before the ledger is verified against the group id
 * in the code and the other side's TLS key is found in it. */
#include <stdio.h>

#include "core/state.h"

#define REFUSED_RETRY_MS 60000

void join_free(struct joining *joining)
{
    qn_signer_free(joining->invite_signer);
    qn_ledger_free(joining->ledger);
    qn_buf_deinit(&joining->announcements);
    qn_wipe(&joining->code, sizeof(joining->code));
}

void join_start(struct qn_core *core)
{
    struct joining *joining = &core->joining;
    qn_buf_init(&joining->announcements, QN_FRAME_SIZE_MAX);
    joining->recovery = core->options.recovery;
    if (joining->recovery == NULL &&
        qn_code_signer(&joining->code, &joining->invite_signer) != QN_OK)
        core_note(core, "join-refused", QN_ERR_CRYPTO, "");
    joining->dial_ms = core->now_ms;
}

static void again_later(struct qn_core *core, uint64_t delay_ms)
{
    struct joining *joining = &core->joining;
    qn_ledger_free(joining->ledger);
    joining->ledger = NULL;
    joining->link = 0;
    joining->dial_token = 0;
    joining->dial_ms = core->now_ms + core_jitter(core, delay_ms);
}

void join_dial_failed(struct qn_core *core)
{
    struct joining *joining = &core->joining;
    joining->failures++;
    joining->address_next++;
    uint64_t delay = (uint64_t)DIAL_FIRST_MS << (joining->failures < 5 ? joining->failures : 5);
    again_later(core, delay);
}

/* A site that was stopped right after it joined knows nobody's address but those in the code. */
static bool is_stranded(const struct qn_core *core)
{
    if (core->joining.is_active || !core_is_member(core))
        return false;
    qn_vec_each (&core->peers, peer)
        if ((*peer)->session != NULL || (*peer)->said.address_count > 0)
            return false;
    return core->peers.count > 0;
}

static bool may_dial(const struct qn_core *core, bool is_stray)
{
    const struct joining *joining = &core->joining;
    bool has_proof = joining->invite_signer != NULL || joining->recovery != NULL;
    return (is_stray || (joining->is_active && has_proof && !joining->is_stopped)) &&
           joining->dial_token == 0 && joining->link == 0 && joining->token == 0 &&
           joining->code.address_count > 0;
}

void join_tick(struct qn_core *core)
{
    struct joining *joining = &core->joining;
    bool is_stray = is_stranded(core);
    if (!may_dial(core, is_stray))
        return;
    if (core->now_ms < joining->dial_ms) {
        core_wake(core, joining->dial_ms);
        return;
    }
    joining->address_used = joining->address_next % joining->code.address_count;
    joining->dial_token = core_token(core);
    core_dial(core, joining->dial_token, joining->code.addresses[joining->address_used],
              is_stray ? QN_LINK_MEMBER : QN_LINK_GUEST, NULL);
}

static enum qn_err say_hello(struct qn_core *core, const struct qn_event *event)
{
    struct joining *joining = &core->joining;
    struct qn_signature signature;
    if (joining->recovery != NULL)
        return recover_say_hello(core, event->exporter);
    QN_TRY(qn_signer_sign(joining->invite_signer, "quoin guest 1", QN_SPAN_OF(event->exporter),
                          &signature));
    struct qn_buf *out = core_message(core, QN_MSG_GUEST_HELLO, 3);
    qn_pack_u64(out, QN_PROTOCOL_VERSION);
    qn_pack_bin(out, QN_SPAN_OF(qn_signer_public(joining->invite_signer)->bytes));
    qn_pack_bin(out, QN_SPAN_OF(signature.bytes));
    core_send(core, joining->link);
    return QN_OK;
}

void join_up(struct qn_core *core, const struct qn_event *event)
{
    struct joining *joining = &core->joining;
    if (!joining->is_active || event->token != joining->dial_token) {
        core_close(core, event->link);
        return;
    }
    joining->dial_token = 0;
    joining->link = event->link;
    joining->peer_key = event->key;
    joining->ledger = qn_ledger_new();
    if (say_hello(core, event) != QN_OK)
        core_close(core, event->link);
}

void join_down(struct qn_core *core)
{
    struct joining *joining = &core->joining;
    if (joining->refused[0] != '\0')
        again_later(core, REFUSED_RETRY_MS);
    else
        join_dial_failed(core);
}

static enum qn_err add_entries(struct joining *joining, struct qn_cursor *cursor)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, QN_LEDGER_ENTRIES_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        struct qn_span entry;
        bool is_new;
        QN_TRY(qn_cursor_bin(cursor, QN_LEDGER_ENTRY_SIZE_MAX, &entry));
        QN_TRY(qn_ledger_add(joining->ledger, entry, &is_new));
    }
    const struct qn_group *group = qn_ledger_group(joining->ledger);
    static const uint8_t unknown[QN_GROUP_PREFIX_SIZE]; /* a kit may not know its group */
    const uint8_t *wanted = joining->code.group_prefix;
    bool is_any = joining->recovery != NULL && memcmp(wanted, unknown, sizeof(unknown)) == 0;
    bool is_ours =
        group != NULL && (is_any || memcmp(group->id.bytes, wanted, QN_GROUP_PREFIX_SIZE) == 0);
    return is_ours ? QN_OK : QN_ERR_DENIED;
}

static void say_join(struct qn_core *core, const struct qn_body_admit *admit)
{
    struct qn_buf *out = core_message(core, QN_MSG_GUEST_JOIN, 7);
    qn_pack_bin(out, QN_SPAN_OF(admit->keys.site.bytes));
    qn_pack_bin(out, QN_SPAN_OF(admit->keys.recovery_sign.bytes));
    qn_pack_bin(out, QN_SPAN_OF(admit->keys.recovery_seal.bytes));
    qn_pack_str(out, admit->name);
    qn_pack_str(out, admit->legal_entity);
    qn_pack_bin(out, QN_SPAN_OF(admit->by_invite.bytes));
    qn_pack_bin(out, QN_SPAN_OF(admit->by_site.bytes));
    core_send(core, core->joining.link);
}

static enum qn_err ask_to_join(struct qn_core *core)
{
    struct joining *joining = &core->joining;
    const struct qn_group *group = qn_ledger_group(joining->ledger);
    const struct qn_site *peer = qn_group_site_by_key(group, &joining->peer_key);
    if (peer == NULL || peer->state != QN_SITE_MEMBER)
        return QN_ERR_DENIED;
    struct qn_body_admit admit = {.invite_key = *qn_signer_public(joining->invite_signer),
                                  .keys = core->options.keys,
                                  .name = qn_span_str(core->name),
                                  .legal_entity = qn_span_str(core->entity)};
    QN_TRY(qn_admit_sign(&group->id, joining->invite_signer, core->options.signer, &admit));
    say_join(core, &admit);
    return QN_OK;
}

static enum qn_err heard_ledger(struct qn_core *core, struct qn_cursor *cursor)
{
    uint64_t next, total;
    QN_TRY(add_entries(&core->joining, cursor));
    QN_TRY(qn_cursor_u64(cursor, &next));
    QN_TRY(qn_cursor_u64(cursor, &total));
    if (next != qn_ledger_count(core->joining.ledger))
        return QN_ERR_INVALID;
    if (next >= total)
        return core->joining.recovery != NULL ? recover_ask(core) : ask_to_join(core);
    struct qn_buf *out = core_message(core, QN_MSG_GUEST_NEXT, 1);
    qn_pack_u64(out, next);
    core_send(core, core->joining.link);
    return QN_OK;
}

/* Only what is in the store counts: the ledger as received is committed whole. */
void join_store(struct qn_core *core)
{
    struct joining *joining = &core->joining;
    struct qn_buf payload;
    qn_buf_init(&payload, QN_LEDGER_SIZE_MAX); /* a ledger never holds more */
    size_t count = qn_ledger_count(joining->ledger);
    qn_pack_array(&payload, count);
    for (size_t i = 0; i < count; i++)
        qn_pack_bin(&payload, qn_ledger_entry(joining->ledger, i));
    joining->token = core_commit(core, QN_INTENT_LEDGER_MERGE, &payload, PENDING_JOIN)->token;
}

static enum qn_err heard_admitted(struct qn_core *core, struct qn_cursor *cursor)
{
    struct joining *joining = &core->joining;
    struct qn_span announcements;
    QN_TRY(add_entries(joining, cursor));
    QN_TRY(qn_cursor_skip(cursor, 2, &announcements));
    const struct qn_site *self = qn_group_site(qn_ledger_group(joining->ledger), &core->site);
    if (self == NULL || self->state != QN_SITE_MEMBER ||
        !qn_public_key_eq(&self->keys.site, &core->options.keys.site))
        return QN_ERR_DENIED;
    qn_buf_reset(&joining->announcements);
    qn_buf_append_span(&joining->announcements, announcements);
    join_store(core);
    return QN_OK;
}

/* The peer that let us in is dialled at the address that worked, until it announces others. */
static void take_announcements(struct qn_core *core)
{
    struct joining *joining = &core->joining;
    const struct qn_site *peer =
        qn_group_site_by_key(qn_ledger_group(core->ledger), &joining->peer_key);
    struct peer *known = peer == NULL ? NULL : core_peer(core, &peer->id);
    if (known != NULL)
        snprintf(known->hint, sizeof(known->hint), "%s",
                 joining->code.addresses[joining->address_used]);
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&joining->announcements));
    size_t count;
    if (qn_cursor_array(&cursor, QN_SITES_MAX, &count) != QN_OK)
        return;
    for (size_t i = 0; i < count; i++) {
        struct qn_span announcement;
        if (qn_cursor_bin(&cursor, QN_ANNOUNCEMENT_SIZE_MAX, &announcement) != QN_OK)
            return;
        peer_announced(core, announcement, 0);
    }
}

void join_outcome(struct qn_core *core, const struct qn_outcome *outcome)
{
    struct joining *joining = &core->joining;
    joining->token = 0;
    bool is_recovery = joining->recovery != NULL;
    if (outcome->err != QN_OK) {
        core_note(core, is_recovery ? "recover-failed" : "join-failed", outcome->err, "");
        again_later(core, RETRY_COMMIT_MS);
        return;
    }
    joining->is_active = false;
    take_announcements(core);
    core_persist(core, true);
    core_note(core, is_recovery ? "recovered" : "joined", QN_OK,
              qn_ledger_group(core->ledger)->name);
    if (joining->link != 0)
        core_close(core, joining->link);
    joining->link = 0;
}

static void note_refusal(struct qn_core *core)
{
    const struct joining *joining = &core->joining;
    core_note(core, joining->recovery != NULL ? "recover-refused" : "join-refused", QN_ERR_DENIED,
              joining->refused);
}

void join_stop(struct qn_core *core, const char *code)
{
    struct joining *joining = &core->joining;
    snprintf(joining->refused, sizeof(joining->refused), "%s", code);
    joining->is_stopped = true;
    note_refusal(core);
    core_close(core, joining->link);
    again_later(core, REFUSED_RETRY_MS);
}

static enum qn_err heard_refused(struct qn_core *core, struct qn_cursor *cursor)
{
    struct joining *joining = &core->joining;
    struct qn_span code;
    QN_TRY(qn_cursor_str(cursor, sizeof(joining->refused) - 1, &code));
    snprintf(joining->refused, sizeof(joining->refused), "%.*s", (int)code.size, code.data);
    note_refusal(core);
    core_close(core, joining->link);
    again_later(core, REFUSED_RETRY_MS);
    return QN_OK;
}

static enum qn_err dispatch(struct qn_core *core, struct qn_span frame)
{
    struct qn_cursor cursor = qn_cursor(frame);
    size_t count;
    uint64_t number;
    QN_TRY(qn_cursor_array(&cursor, 64, &count));
    QN_TRY(qn_cursor_u64(&cursor, &number));
    if (core->joining.token != 0)
        return QN_OK; /* admitted already, and being stored */
    if (number == QN_MSG_GUEST_LEDGER)
        return heard_ledger(core, &cursor);
    if (number == QN_MSG_GUEST_ADMITTED)
        return heard_admitted(core, &cursor);
    if (number == QN_MSG_GUEST_REFUSED)
        return heard_refused(core, &cursor);
    return QN_OK;
}

void join_frame(struct qn_core *core, struct qn_span frame)
{
    enum qn_err err = dispatch(core, frame);
    if (err == QN_OK)
        return;
    bool is_recovery = core->joining.recovery != NULL;
    core_note(core, is_recovery ? "recover-failed" : "join-failed", err,
              core->joining.code.addresses[core->joining.address_used]);
    snprintf(core->joining.refused, sizeof(core->joining.refused), "%s",
             is_recovery ? "recover-group" : "wrong-group");
    core_close(core, core->joining.link);
    again_later(core, REFUSED_RETRY_MS);
}
