#include <stdio.h>

#include "core/bulk.h"
#include "core/fetch.h"
#include "core/presence.h"
#include "core/twin.h"

#define FOREIGN_MS   3600000
#define FOREIGN_FREE 64

struct peer *core_peer(const struct qn_core *core, const struct qn_site_id *site)
{
    qn_vec_each (&core->peers, slot)
        if (qn_site_id_eq(&(*slot)->site, site))
            return *slot;
    return NULL;
}

struct peer *core_peer_of_link(const struct qn_core *core, qn_link link)
{
    qn_vec_each (&core->peers, slot)
        if ((*slot)->session != NULL && (*slot)->session->link == link)
            return *slot;
    return NULL;
}

void peer_free(struct peer *peer)
{
    if (peer->session != NULL) {
        qn_vec_each (&peer->session->shares, share)
            share_free(*share);
        qn_vec_free(&peer->session->shares);
        qn_buf_deinit(&peer->session->chains);
        qn_free(peer->session);
    }
    bulk_free(peer->bulk);
    presence_free(&peer->presence);
    qn_free(peer->announcement);
    qn_free(peer);
}

static void forget_peer(struct qn_core *core, size_t index)
{
    struct peer *peer = core->peers.items[index];
    if (peer->session != NULL) {
        core_close(core, peer->session->link);
        session_end(core, peer);
    }
    if (peer->bulk->link != 0) {
        core_close(core, peer->bulk->link);
        bulk_down(core, peer->bulk, QN_OK);
    }
    fetch_lost(core, peer->bulk);
    peer_free(peer);
    qn_vec_remove(&core->peers, index);
}

/* What was known of a key that a RotateKey replaced. An address may still be good. */
static void take_key(struct qn_core *core, struct peer *peer, const struct qn_public_key *key)
{
    if (peer->session != NULL) {
        core_close(core, peer->session->link);
        session_end(core, peer);
    }
    if (peer->said.address_count > 0)
        snprintf(peer->hint, sizeof(peer->hint), "%.*s", (int)peer->said.addresses[0].size,
                 peer->said.addresses[0].data);
    qn_free(peer->announcement);
    peer->announcement = NULL;
    peer->announcement_size = 0;
    peer->said = (struct qn_announcement){0};
    peer->is_contact_dirty = true;
    peer->key = *key;
}

/* What came before the entry that brings its key (keep_early). */
static void try_early(struct qn_core *core)
{
    for (size_t left = core->early.count; left > 0; left--) {
        struct qn_buf announcement = core->early.items[0];
        qn_vec_remove(&core->early, 0);
        peer_announced(core, qn_buf_view(&announcement), 0); /* which may keep it once more */
        qn_buf_deinit(&announcement);
    }
}

/* One peer for every other member; none for who left. A site that left itself keeps them, to tell
 * each of them, until it is refused: that proves that they know. */
void core_refresh_peers(struct qn_core *core)
{
    core->are_neighbours_stale = true;
    const struct qn_group *group = qn_ledger_group(core->ledger);
    if (group == NULL)
        return;
    qn_vec_each (&group->sites, site) {
        bool is_member = site->state == QN_SITE_MEMBER && !qn_site_id_eq(&site->id, &core->site);
        struct peer *known = core_peer(core, &site->id);
        if (known != NULL && !qn_public_key_eq(&known->key, &site->keys.site))
            take_key(core, known, &site->keys.site);
        if (!is_member || known != NULL)
            continue;
        struct peer *peer = QN_NEW(struct peer);
        peer->site = site->id;
        peer->bulk = bulk_new(peer);
        peer->key = site->keys.site;
        qn_vec_push(&core->peers, peer);
    }
    for (size_t i = core->peers.count; i-- > 0;) {
        const struct qn_site *site = qn_group_site(group, &core->peers.items[i]->site);
        if (site == NULL || site->state != QN_SITE_MEMBER || !core_was_admitted(core))
            forget_peer(core, i);
    }
    try_early(core);
}

/* ---- announcements: who can be reached where ---- */

/* Announcements and entries of the ledger come in any order, and the former are said once in a
 * connection. One per site, the oldest goes for a new one: who says so may be anybody. */
static void keep_early(struct qn_core *core, const struct qn_announcement *said,
                       struct qn_span announcement)
{
    for (size_t i = core->early.count; i-- > 0;) {
        struct qn_announcement other;
        bool is_of_site =
            qn_announcement_unpack(qn_buf_view(&core->early.items[i]), &other) == QN_OK &&
            qn_site_id_eq(&other.site, &said->site);
        if (!is_of_site && (i > 0 || core->early.count < QN_SITES_MAX))
            continue;
        qn_buf_deinit(&core->early.items[i]);
        qn_vec_remove(&core->early, i);
    }
    struct qn_buf *early = qn_vec_push_slot(&core->early);
    qn_buf_init(early, announcement.size);
    qn_buf_append_span(early, announcement);
}

/* Not everybody is connected to the site itself: in a large group, or because it knows no address
 * of who knows none of it. */
static void pass_on(struct qn_core *core, const struct peer *about, bool is_first, qn_link source)
{
    if (!core->is_mesh && !is_first)
        return; /* it tells all others itself */
    qn_vec_each (&core->peers, slot) {
        const struct session *session = (*slot)->session;
        if (*slot == about || !peer_is_connected(*slot) || session->link == source)
            continue;
        struct qn_buf *out = core_message(core, QN_MSG_ANNOUNCE, 1);
        qn_pack_array(out, 1);
        qn_pack_bin(out, qn_span(about->announcement, about->announcement_size));
        core_send(core, session->link);
    }
}

static void take_announcement(struct qn_core *core, struct peer *peer, struct qn_span announcement,
                              qn_link source)
{
    bool is_first = peer->announcement == NULL;
    qn_free(peer->announcement);
    peer->announcement = qn_memdup(announcement.data, announcement.size);
    peer->announcement_size = announcement.size;
    QN_ASSERT(qn_announcement_unpack(qn_span(peer->announcement, announcement.size), &peer->said) ==
              QN_OK);
    peer->address_next = 0;
    peer->is_contact_dirty = true;
    if (peer->session == NULL && peer->dial_token == 0)
        peer->dial_ms = core->now_ms;
    core->are_neighbours_stale = true;
    pass_on(core, peer, is_first, source);
}

/* This site's own, from before it was started anew, by a clock that was ahead: what it says now has
 * to count for newer. */
static void heard_own(struct qn_core *core, const struct qn_announcement *said)
{
    if (said->hlc <= core->own_hlc || said->hlc == UINT64_MAX ||
        qn_announcement_verify(said, &core->options.keys.site) != QN_OK)
        return;
    core->own_hlc = said->hlc + 1;
    qn_buf_reset(&core->own_announcement);
    qn_vec_each (&core->peers, slot) {
        if (!peer_is_connected(*slot))
            continue;
        struct qn_buf *out = core_message(core, QN_MSG_ANNOUNCE, 1);
        qn_pack_array(out, 1);
        core_pack_own_announcement(core, out);
        core_send(core, (*slot)->session->link);
    }
}

void peer_announced(struct qn_core *core, struct qn_span announcement, qn_link source)
{
    struct qn_announcement said;
    if (qn_announcement_unpack(announcement, &said) != QN_OK)
        return;
    struct peer *peer = core_peer(core, &said.site);
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_site *site = group == NULL ? NULL : qn_group_site(group, &said.site);
    if (qn_site_id_eq(&said.site, &core->site))
        heard_own(core, &said);
    if (qn_site_id_eq(&said.site, &core->site) ||
        (peer != NULL && peer->announcement != NULL && said.hlc <= peer->said.hlc))
        return;
    if (site == NULL || qn_announcement_verify(&said, &site->keys.site) != QN_OK)
        keep_early(core, &said, announcement);
    else if (peer != NULL)
        take_announcement(core, peer, announcement, source);
}

void peer_announced_itself(struct qn_core *core, struct peer *peer, struct qn_span announcement)
{
    struct qn_announcement said;
    peer_announced(core, announcement, peer->session->link);
    bool is_old = qn_announcement_unpack(announcement, &said) == QN_OK &&
                  peer->announcement != NULL && said.hlc < peer->said.hlc;
    if (!is_old)
        return;
    struct qn_buf *out = core_message(core, QN_MSG_ANNOUNCE, 1);
    qn_pack_array(out, 1);
    qn_pack_bin(out, qn_span(peer->announcement, peer->announcement_size));
    core_send(core, peer->session->link);
}

static void make_own_announcement(struct qn_core *core)
{
    if (core->own_hlc == 0)
        core->own_hlc = core->wall_ms << 16;
    struct qn_announcement own = {.site = core->site,
                                  .hlc = core->own_hlc,
                                  .address_count = core->options.address_count,
                                  .version = qn_span_str(core->version)};
    for (size_t i = 0; i < own.address_count; i++)
        own.addresses[i] = qn_span_str(core->addresses[i]);
    if (qn_announcement_sign(&own, core->options.signer, &core->own_announcement) != QN_OK)
        qn_buf_reset(&core->own_announcement);
}

/* The same as long as the site runs: what others pass on to each other is passed on once. */
void core_pack_own_announcement(struct qn_core *core, struct qn_buf *out)
{
    if (core->own_announcement.size == 0)
        make_own_announcement(core);
    if (core->own_announcement.size > 0)
        qn_pack_bin(out, qn_buf_view(&core->own_announcement));
    else
        qn_pack_nil(out);
}

/* [announcement, ...] of all peers that have one, and our own. */
void core_pack_announcements(struct qn_core *core, struct qn_buf *out)
{
    size_t count = 1;
    qn_vec_each (&core->peers, peer)
        count += (*peer)->announcement != NULL;
    qn_pack_array(out, count);
    core_pack_own_announcement(core, out);
    qn_vec_each (&core->peers, peer)
        if ((*peer)->announcement != NULL)
            qn_pack_bin(out, qn_span((*peer)->announcement, (*peer)->announcement_size));
}

/* ---- links ---- */

void peer_heard(struct qn_core *core, struct peer *peer)
{
    peer->contact_ms = core->wall_ms;
    peer->is_contact_dirty = true;
}

static void dial_later(struct qn_core *core, struct peer *peer)
{
    uint64_t delay = DIAL_FIRST_MS;
    for (unsigned i = 0; i < peer->failures && delay < DIAL_MAX_MS; i++)
        delay *= 2;
    if (delay > DIAL_MAX_MS)
        delay = DIAL_MAX_MS;
    peer->dial_token = 0;
    peer->dial_ms = core->now_ms + core_jitter(core, delay);
}

bool peer_keeps_old(const struct qn_core *core, const struct peer *peer, bool old_is_dialled,
                    bool new_is_dialled)
{
    bool we_are_smaller = qn_site_id_cmp(&core->site, &peer->site) < 0;
    return old_is_dialled != new_is_dialled && old_is_dialled == we_are_smaller;
}

void peers_link_up(struct qn_core *core, const struct qn_event *event)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_site *site = group == NULL ? NULL : qn_group_site_by_key(group, &event->key);
    struct peer *peer = site == NULL ? NULL : core_peer(core, &site->id);
    bool is_stray = event->is_dialled && core->joining.dial_token == event->token;
    if (is_stray)
        core->joining.dial_token = 0;
    if (is_stray && peer == NULL) /* the address in the code is of a site that left */
        join_dial_failed(core);
    if (peer == NULL) {
        core_close(core, event->link);
        return;
    }
    if (event->is_dialled && peer->dial_token == event->token)
        peer->dial_token = 0;
    if (peer->session == NULL && !neighbours_have_room(core, peer)) {
        core_close(core, event->link);
        return;
    }
    if (peer->session != NULL &&
        peer_keeps_old(core, peer, peer->session->is_dialled, event->is_dialled)) {
        twin_refused(core, peer);
        session_refuse(core, peer, event->link);
        return;
    }
    if (peer->session != NULL) {
        if (!peer->session->is_dialled && !event->is_dialled)
            twin_pushed(core, peer);
        core_close(core, peer->session->link);
        session_end(core, peer);
    }
    session_start(core, peer, event->link, event->is_dialled);
}

void peers_link_down(struct qn_core *core, const struct qn_event *event)
{
    struct peer *peer = core_peer_of_link(core, event->link);
    if (peer == NULL)
        return;
    bool was_dialled = peer->session->is_dialled;
    session_end(core, peer);
    dial_later(core, peer);
    if (core->is_mesh && !was_dialled) /* two at once would cost a whole first flight more */
        peer->dial_ms += DIAL_SECOND_MS;
    core_persist(core, true);
}

void peers_dial_failed(struct qn_core *core, const struct qn_event *event)
{
    qn_vec_each (&core->peers, slot)
        if ((*slot)->dial_token == event->token) {
            (*slot)->failures++;
            (*slot)->address_next++;
            core->are_neighbours_stale = true;
            (*slot)->knows_we_left = !core_is_member(core) && event->err == QN_ERR_DENIED;
            if (event->err == QN_ERR_DENIED)
                tell_refused(core, *slot);
            else
                (*slot)->is_to_be_told = false;
            dial_later(core, *slot);
        }
}

void peer_hang_up(struct qn_core *core, struct peer *peer)
{
    core_close(core, peer->session->link);
    session_end(core, peer);
    dial_later(core, peer);
}

void peer_bad(struct qn_core *core, struct peer *peer, const char *code, enum qn_err err)
{
    core_note(core, code, err, core_site_name(core, &peer->site));
    peer->is_bad = true;
    peer->failures++;
    peer_hang_up(core, peer);
}

void peer_asks_foreign(struct qn_core *core, struct peer *peer)
{
    if (core->now_ms >= peer->foreign_until_ms) {
        peer->foreign = 0;
        peer->foreign_until_ms = core->now_ms + FOREIGN_MS;
    }
    if (peer->foreign < FOREIGN_FREE)
        peer->foreign++;
    else
        core_note(core, "asked-foreign", QN_ERR_DENIED, core_site_name(core, &peer->site));
}

bool peer_address(const struct peer *peer, size_t number, char ret_address[QN_ADDRESS_SIZE_MAX + 1])
{
    size_t count = peer->said.address_count;
    if (count == 0) {
        strcpy(ret_address, peer->hint);
        return peer->hint[0] != '\0';
    }
    struct qn_span address = peer->said.addresses[number % count];
    memcpy(ret_address, address.data, address.size);
    ret_address[address.size] = '\0';
    return true;
}

bool peer_has_address(const struct peer *peer)
{
    return peer->said.address_count > 0 || peer->hint[0] != '\0';
}

static void dial(struct qn_core *core, struct peer *peer)
{
    char address[QN_ADDRESS_SIZE_MAX + 1];
    const struct qn_site *site = qn_group_site(qn_ledger_group(core->ledger), &peer->site);
    if (site == NULL || !peer_address(peer, peer->address_next, address))
        return;
    peer->dial_token = core_token(core);
    core_dial(core, peer->dial_token, address, peer->is_to_be_told ? QN_LINK_GUEST : QN_LINK_MEMBER,
              &site->keys.site);
}

static bool can_be_dialled(const struct peer *peer)
{
    return peer->session == NULL && peer->dial_token == 0 && peer->tell_link == 0 &&
           peer_has_address(peer);
}

void peers_tick(struct qn_core *core)
{
    if (!core_was_admitted(core))
        return;
    qn_vec_each (&core->peers, slot) {
        struct peer *peer = *slot;
        if (!can_be_dialled(peer) || peer->knows_we_left || !peer_is_wanted(core, peer))
            continue;
        if (core->now_ms >= peer->dial_ms)
            dial(core, peer);
        else
            core_wake(core, peer->dial_ms);
    }
}
