/* A site and a member that does not know its key (docs/protocol.md, 8.11): it was recovered with
 * another one, or the member's store is older than its admission. Whom that member admits may never
 * have met who knows, so nobody but the site itself can tell it. It comes as a guest with its
 * RotateKey or its Admit, which prove themselves, and the entries of the ledger before it. */
#include "core/state.h"
#include "model/ledger_entry.h"

#define TELL_MS       60000 /* one member is told at most so often */
#define TELL_SIZE_MAX (QN_GUEST_FRAME_SIZE_MAX - 256)

/* ---- what is said ---- */

/* The entry gives a site that key. */
static bool gives_key(struct qn_span bytes, const struct qn_public_key *key,
                      struct qn_site_id *ret_site)
{
    struct qn_entry entry;
    if (qn_entry_unpack(bytes, &entry) != QN_OK || !entry.body.is_understood)
        return false;
    if (entry.body.type == QN_BODY_ADMIT && qn_public_key_eq(&entry.body.admit.keys.site, key)) {
        qn_site_id_of(key, ret_site);
        return true;
    }
    if (entry.body.type != QN_BODY_ROTATE_KEY || !qn_public_key_eq(&entry.body.rotate.key, key))
        return false;
    *ret_site = entry.author;
    return true;
}

/* That entry, and as many of those before it as fit: it may build on some of them. */
static void choose(const struct qn_core *core, size_t *ret_first, size_t *ret_end)
{
    size_t end = qn_ledger_count(core->ledger), size = 0;
    struct qn_site_id site;
    while (end > 0 &&
           !gives_key(qn_ledger_entry(core->ledger, end - 1), &core->options.keys.site, &site))
        end--;
    size_t first = end;
    while (first > 0) {
        size += qn_ledger_entry(core->ledger, first - 1).size + 5;
        if (size > TELL_SIZE_MAX)
            break;
        first--;
    }
    *ret_first = first;
    *ret_end = end;
}

static void say(struct qn_core *core, qn_link link)
{
    size_t first, end;
    choose(core, &first, &end);
    struct qn_buf *out = core_message(core, QN_MSG_KEY_TELL, 1);
    qn_pack_array(out, end - first);
    for (size_t i = first; i < end; i++)
        qn_pack_bin(out, qn_ledger_entry(core->ledger, i));
    core_send(core, link);
}

/* ---- when ---- */

/* It is a member with its present key. Who founded the group is known to everybody. */
static bool has_to_tell(const struct qn_core *core)
{
    size_t first, end;
    if (!core_is_member(core) || !core_has_key(core))
        return false;
    choose(core, &first, &end);
    return end > 0;
}

void tell_refused(struct qn_core *core, struct peer *peer)
{
    peer->is_to_be_told =
        !peer->is_to_be_told && core->now_ms >= peer->tell_ms && has_to_tell(core);
    if (peer->is_to_be_told)
        peer->tell_ms = core->now_ms + TELL_MS;
}

bool tell_up(struct qn_core *core, const struct qn_event *event)
{
    qn_vec_each (&core->peers, slot) {
        struct peer *peer = *slot;
        if (!peer->is_to_be_told || peer->dial_token == 0 || peer->dial_token != event->token)
            continue;
        peer->dial_token = 0;
        peer->is_to_be_told = false;
        peer->tell_link = event->link;
        say(core, event->link);
        return true;
    }
    return false;
}

bool tell_down(struct qn_core *core, qn_link link)
{
    qn_vec_each (&core->peers, slot) {
        if (link == 0 || (*slot)->tell_link != link)
            continue;
        (*slot)->tell_link = 0;
        (*slot)->dial_ms = core->now_ms + core_jitter(core, DIAL_FIRST_MS);
        return true;
    }
    return false;
}

/* Whatever the answer is: the next dial as a member shows what came of it. */
bool tell_answered(struct qn_core *core, qn_link link)
{
    qn_vec_each (&core->peers, slot) {
        if (link == 0 || (*slot)->tell_link != link)
            continue;
        core_close(core, link);
        return tell_down(core, link);
    }
    return false;
}

/* ---- the member's side ---- */

/* One of them gives another site the key of this very connection. */
static enum qn_err check(const struct qn_core *core, struct guest *guest, struct qn_cursor entries)
{
    size_t count;
    bool has_key = false;
    QN_TRY(qn_cursor_array(&entries, QN_GUEST_FRAME_SIZE_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        struct qn_span bytes;
        QN_TRY(qn_cursor_bin(&entries, QN_LEDGER_ENTRY_SIZE_MAX, &bytes));
        has_key |= gives_key(bytes, &guest->key, &guest->lost);
    }
    return has_key && !qn_site_id_eq(&guest->lost, &core->site) ? QN_OK : QN_ERR_DENIED;
}

enum qn_err guest_heard_key(struct qn_core *core, struct guest *guest, struct qn_cursor *cursor)
{
    struct qn_span entries;
    QN_TRY(check(core, guest, *cursor));
    QN_TRY(qn_cursor_skip(cursor, 2, &entries));
    struct qn_buf payload;
    qn_buf_init(&payload, QN_GUEST_FRAME_SIZE_MAX);
    qn_buf_append_span(&payload, entries);
    guest->state = GUEST_TELLING;
    core_commit(core, QN_INTENT_LEDGER_MERGE, &payload, PENDING_ADMIT)->link = guest->link;
    return QN_OK;
}

/* What it built on may not be here: whoever has it tells both. Who was withdrawn, and does not know
 * it, goes on telling: nothing new. */
void guest_key_stored(struct qn_core *core, struct guest *guest)
{
    const struct qn_site *site = qn_group_site(qn_ledger_group(core->ledger), &guest->lost);
    bool is_its_key = site != NULL && qn_public_key_eq(&site->keys.site, &guest->key);
    if (!is_its_key)
        core_note(core, "key-not-taken", QN_ERR_HELD, core_site_name(core, &guest->lost));
    else if (site->state == QN_SITE_MEMBER)
        core_note(core, "key-told", QN_OK, core_site_name(core, &guest->lost));
    core_close(core, guest->link);
}
