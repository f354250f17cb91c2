#include "core/hold.h"
#include "core/offsite.h"
#include "core/presence.h"

bool core_is_member(const struct qn_core *core)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_site *self = group == NULL ? NULL : qn_group_site(group, &core->site);
    return self != NULL && self->state == QN_SITE_MEMBER;
}

bool core_was_admitted(const struct qn_core *core)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    return group != NULL && qn_group_site(group, &core->site) != NULL;
}

bool core_has_key(const struct qn_core *core)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_site *self = group == NULL ? NULL : qn_group_site(group, &core->site);
    return self != NULL && self->state == QN_SITE_MEMBER &&
           qn_public_key_eq(&self->keys.site, &core->options.keys.site);
}

/* Also one that left: it may have been a thief who left in its name (guest_recover.c). */
static bool has_other_site(const struct qn_core *core, const struct qn_group *group)
{
    qn_vec_each (&group->sites, site)
        if (!qn_site_id_eq(&site->id, &core->site))
            return true;
    return false;
}

/* Guests are let in for good while there is a site that may lose everything and come back with
 * its kit (docs/protocol.md 8.7). Before that: while an invitation could still be used, or was used
 * a moment ago, for a joining site that lost our answer comes again. */
static void refresh_guests(struct qn_core *core, const struct qn_group *group)
{
    core->guests_until_ms = 0;
    core->allows_guests = core_has_key(core) && has_other_site(core, group);
    if (core->allows_guests || !core_has_key(core))
        return;
    qn_vec_each (&group->invites, invite)
        if (!invite->is_revoked && invite->expiry_ms > core->guests_until_ms)
            core->guests_until_ms = invite->expiry_ms;
    core->allows_guests = core->guests_until_ms > core->wall_ms;
}

void core_refresh_admitted(struct qn_core *core)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    core->admitted.count = 0;
    if (group != NULL) {
        refresh_guests(core, group);
        qn_vec_each (&group->sites, site)
            if (site->state == QN_SITE_MEMBER && !qn_site_id_eq(&site->id, &core->site) &&
                core_was_admitted(core))
                qn_vec_push(&core->admitted, site->keys.site);
    }
    core_admit(core);
}

void group_tick(struct qn_core *core)
{
    if (!core->allows_guests || core->guests_until_ms == 0)
        return;
    if (core->wall_ms >= core->guests_until_ms)
        core_refresh_admitted(core);
    else
        core_wake(core, core->now_ms + (core->guests_until_ms - core->wall_ms));
}

bool core_may_append(const struct qn_core *core)
{
    return !core->is_in_doubt || core->peers.count == 0;
}

void group_pack_trust(struct qn_buf *ret_payload)
{
    qn_buf_init(ret_payload, 16);
    qn_pack_array(ret_payload, 0);
}

/* That is so whether or not it can be stored. */
void group_compared(struct qn_core *core)
{
    if (!core->is_in_doubt)
        return;
    core->is_in_doubt = false;
    struct qn_buf payload;
    group_pack_trust(&payload);
    core_commit(core, QN_INTENT_TRUST, &payload, PENDING_QUIET);
}

const struct peer *group_online_peer(const struct qn_core *core)
{
    qn_vec_each (&core->peers, peer)
        if (peer_is_connected(*peer))
            return *peer;
    return NULL;
}

static void add_entries(struct qn_core *core, struct qn_span entries)
{
    struct qn_cursor cursor = qn_cursor(entries);
    size_t count;
    QN_ASSERT(qn_cursor_array(&cursor, QN_LEDGER_ENTRIES_MAX, &count) == QN_OK);
    for (size_t i = 0; i < count; i++) {
        struct qn_span entry;
        bool is_new;
        QN_ASSERT(qn_cursor_bin(&cursor, QN_LEDGER_ENTRY_SIZE_MAX, &entry) == QN_OK);
        QN_ASSERT(qn_ledger_add(core->ledger, entry, &is_new) == QN_OK); /* the writer took it */
    }
}

static void forward(struct qn_core *core, struct peer *peer, struct qn_span entries)
{
    if (entries.size > LEDGER_CHUNK) { /* more than a message: by heads, in chunks */
        group_say_heads(core, peer->session->link, true);
        return;
    }
    struct qn_buf *out = core_message(core, QN_MSG_LEDGER, 1);
    qn_pack_raw(out, entries);
    core_send(core, peer->session->link);
}

/* New entries are in the store: everybody else gets them, and what follows from them is done. A
 * peer whose HELLO is still on its way gets them by comparing, behind what else it lacks: it would
 * hang up on who says that it left, and never hear the rest. */
void group_changed(struct qn_core *core, struct qn_span entries, qn_link source)
{
    add_entries(core, entries);
    qn_vec_each (&core->peers, slot)
        if (peer_is_connected(*slot) && (*slot)->session->link != source)
            forward(core, *slot, entries);
    core_refresh_colls(core);
    core_refresh_peers(core);
    core_refresh_admitted(core);
    qn_vec_each (&core->peers, slot)
        if ((*slot)->session != NULL)
            session_refresh_shares(core, *slot);
    qn_vec_each (&core->colls, coll)
        coll_grant_next(core, *coll);
    core->are_neighbours_stale = core->is_presence_stale = true;
    presence_again(core);
    core->backup->is_place_seen = false;
    offsite_touch(core);
    custodian_ledger_changed(core);
}

void group_say_heads(struct qn_core *core, qn_link link, bool wants_answer)
{
    struct qn_buf *out = core_message(core, QN_MSG_LEDGER_HEADS, 2);
    qn_ledger_pack_heads(core->ledger, out);
    qn_pack_bool(out, wants_answer);
    core_send(core, link);
}

static bool wants_heads(const struct qn_core *core, const struct session *session)
{
    return core->is_in_doubt || session->keys == KEYS_ASKED;
}

bool group_may_lack_key(struct qn_core *core, struct peer *peer)
{
    struct session *session = peer->session;
    if (session->keys == KEYS_SETTLED)
        return false;
    if (session->keys == KEYS_TRUSTED) {
        session->keys = KEYS_ASKED;
        group_say_heads(core, session->link, true);
    }
    return true;
}

static void settle_keys(struct qn_core *core, struct peer *peer, struct qn_cursor heads)
{
    bool covers;
    if (peer->session->keys != KEYS_ASKED ||
        qn_ledger_covers(core->ledger, heads, NULL, &covers) != QN_OK || !covers)
        return;
    peer->session->keys = KEYS_SETTLED;
    qn_vec_each (&peer->session->shares, share)
        inbox_retry(core, peer, *share);
}

void group_heard_heads(struct qn_core *core, struct peer *peer, struct qn_cursor *heads,
                       bool wants_answer)
{
    QN_AUTO_BUF struct qn_buf entries;
    size_t count;
    bool has_our_own = false;
    struct qn_cursor again = *heads;
    qn_buf_init(&entries, LEDGER_CHUNK + QN_LEDGER_ENTRY_SIZE_MAX + 16);
    enum qn_err err = qn_ledger_pack_missing(core->ledger, heads, LEDGER_CHUNK, &entries, &count);
    if (err != QN_OK) {
        peer_bad(core, peer, "bad-heads", err);
        return;
    }
    if (qn_ledger_covers(core->ledger, again, &core->site, &has_our_own) == QN_OK && has_our_own)
        group_compared(core);
    if (count > 0) {
        struct qn_buf *out = core_message(core, QN_MSG_LEDGER, 1);
        qn_pack_raw(out, qn_buf_view(&entries));
        core_send(core, peer->session->link);
    }
    if (wants_answer)
        group_say_heads(core, peer->session->link, false);
    settle_keys(core, peer, again);
}

/* What comes faster than it can be stored is dropped, and asked for when there is room. */
void group_heard_entries(struct qn_core *core, struct session *session, struct qn_span entries)
{
    struct qn_buf payload;
    if (session->merge_count >= MERGES_MAX) {
        session->has_dropped_entries = true;
        return;
    }
    session->merge_count++;
    if (session->keys == KEYS_SETTLED)
        session->keys = KEYS_TRUSTED;
    qn_buf_init(&payload, QN_FRAME_SIZE_MAX);
    qn_buf_append_span(&payload, entries);
    core_commit(core, QN_INTENT_LEDGER_MERGE, &payload, PENDING_MERGE)->link = session->link;
}

static void merge_ended(struct qn_core *core, struct session *session)
{
    session->merge_count--;
    if (!session->has_dropped_entries || session->merge_count > 0)
        return;
    session->has_dropped_entries = false;
    group_say_heads(core, session->link, wants_heads(core, session));
}

/* What moved us on may have more behind it. What is held is asked for in order, but only once
 * without moving: it may build on an entry that we never take (docs/protocol.md 7.5). */
static void ask_for_more(struct qn_core *core, struct peer *peer, const struct qn_outcome *outcome)
{
    struct session *session = peer->session;
    bool has_moved = outcome->changed > 0;
    bool asks_once = outcome->err == QN_ERR_HELD && !session->has_asked_heads;
    if (has_moved || asks_once)
        group_say_heads(core, session->link, wants_heads(core, session));
    if (has_moved || asks_once)
        session->has_asked_heads = !has_moved;
}

void group_merge_outcome(struct qn_core *core, const struct pending *pending,
                         const struct qn_outcome *outcome)
{
    struct peer *peer = core_peer_of_link(core, pending->link);
    if (peer == NULL)
        return;
    merge_ended(core, peer->session);
    switch (outcome->err) {
    case QN_ERR_EXISTS: /* by its author; who passed it on has seen the other one first */
        core_note(core, "equivocation", outcome->err, "");
        ask_for_more(core, peer, outcome);
        break;
    case QN_OK: /* there may be more than one chunk of them */
    case QN_ERR_HELD:
    case QN_ERR_UNSUPPORTED:
        ask_for_more(core, peer, outcome);
        break;
    case QN_ERR_INVALID:
    case QN_ERR_SIGNATURE:
    case QN_ERR_DENIED:
    case QN_ERR_EXPIRED:
    case QN_ERR_LIMIT:
        peer_bad(core, peer, "bad-ledger", outcome->err);
        break;
    default: /* this site's store: what was sent is asked for again */
        core_note(core, "commit-failed", outcome->err, "ledger");
        peer->session->heads_ms = core->now_ms + RETRY_COMMIT_MS;
    }
}
