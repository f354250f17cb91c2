/* A site and a member that does not know its key (docs/protocol.md, 8.11): it was recovered with
 * another one, or the member's store is older than its admission. Whom that member admits may never
 * have met who knows, so nobody but the site itself can tell it. It comes as a guest with its
 * RotateKey or its Admit, which prove themselves, and the entries of the ledger before it. */
#include "core/state.h"
#include "model/ledger_entry.h"

#define TELL_MS       60000          /* one member is told at most so often */
#define SPREAD_MS     (10 * TELL_MS) /* in that time the news of an admission comes by others */
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

/* Entries of the ledger that go with the one that gives the key. */
struct window {
    size_t first, end, key;
};

static bool find_key(const struct qn_core *core, size_t *ret_index)
{
    struct qn_site_id site;
    for (size_t i = qn_ledger_count(core->ledger); i > 0; i--)
        if (gives_key(qn_ledger_entry(core->ledger, i - 1), &core->options.keys.site, &site)) {
            *ret_index = i - 1;
            return true;
        }
    return false;
}

static size_t told_size(const struct qn_core *core, size_t index)
{
    return qn_ledger_entry(core->ledger, index).size + 5;
}

/* Right before it, where what it builds on is likely. */
static struct window window_before(const struct qn_core *core, size_t key)
{
    struct window window = {key, key, key};
    size_t size = told_size(core, key);
    while (window.first > 0 && size + told_size(core, window.first - 1) <= TELL_SIZE_MAX)
        size += told_size(core, --window.first);
    return window;
}

/* One that fits into no frame is left out. */
static struct window window_from(const struct qn_core *core, size_t key, size_t first)
{
    struct window window = {first, first, key};
    size_t size = told_size(core, key);
    while (window.end < key && size + told_size(core, window.end) <= TELL_SIZE_MAX)
        size += told_size(core, window.end++);
    if (window.end == first && window.end < key)
        window.first = ++window.end;
    return window;
}

/* If that did not do, all of the ledger from its beginning, a frame each time, and so on. */
static struct window next_window(const struct qn_core *core, struct peer *peer, size_t key)
{
    bool is_first = peer->tell_next == 0 || peer->tell_next > key;
    struct window window =
        is_first ? window_before(core, key) : window_from(core, key, peer->tell_next - 1);
    peer->tell_next = (is_first ? 0 : window.end) + 1;
    return window;
}

static void say(struct qn_core *core, struct peer *peer, qn_link link)
{
    size_t key = 0;
    bool has_key = find_key(core, &key);
    QN_ASSERT(has_key); /* tell_refused found it, and no entry ever goes */
    struct window window = next_window(core, peer, key);
    struct qn_buf *out = core_message(core, QN_MSG_KEY_TELL, 1);
    qn_pack_array(out, window.end - window.first + 1);
    for (size_t i = window.first; i < window.end; i++)
        qn_pack_bin(out, qn_ledger_entry(core->ledger, i));
    qn_pack_bin(out, qn_ledger_entry(core->ledger, key));
    core_send(core, link);
}

/* ---- when ---- */

/* It is a member with its present key. Who founded the group is known to everybody. */
static bool has_to_tell(const struct qn_core *core)
{
    size_t key;
    return core_is_member(core) && core_has_key(core) && find_key(core, &key);
}

static bool has_rotated(const struct qn_core *core)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_site *self = group == NULL ? NULL : qn_group_site(group, &core->site);
    return self != NULL && self->epochs.count > 1;
}

void tell_refused(struct qn_core *core, struct peer *peer)
{
    if (peer->tell_ms == 0) /* the first time since it was connected */
        peer->tell_ms = core->now_ms + (has_rotated(core) ? 0 : SPREAD_MS);
    bool is_time = !peer->is_to_be_told && core->now_ms >= peer->tell_ms;
    if (is_time)
        peer->tell_ms = core->now_ms + TELL_MS;
    peer->is_to_be_told = is_time && has_to_tell(core);
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
        say(core, *slot, event->link);
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

/* The machine that a recovered site was before does not know that it was replaced, and comes again
 * and again. */
static bool is_replaced(const struct qn_core *core, const struct guest *guest)
{
    const struct qn_site *site = qn_group_site(qn_ledger_group(core->ledger), &guest->lost);
    for (size_t i = 0; site != NULL && i + 1 < site->epochs.count; i++)
        if (qn_public_key_eq(&site->epochs.items[i], &guest->key))
            return true;
    return false;
}

enum qn_err guest_heard_key(struct qn_core *core, struct guest *guest, struct qn_cursor *cursor)
{
    struct qn_span entries;
    QN_TRY(check(core, guest, *cursor));
    QN_TRY(qn_cursor_skip(cursor, 2, &entries));
    if (is_replaced(core, guest)) {
        core_close(core, guest->link);
        return QN_OK;
    }
    struct qn_buf payload;
    qn_buf_init(&payload, QN_GUEST_FRAME_SIZE_MAX);
    qn_buf_append_span(&payload, entries);
    guest->state = GUEST_TELLING;
    core_commit(core, QN_INTENT_LEDGER_MERGE, &payload, PENDING_ADMIT)->link = guest->link;
    return QN_OK;
}

/* What it builds on may not be here: that comes with the next ones. Who was withdrawn, and does not
 * know it, goes on telling: nothing new. */
void guest_key_stored(struct qn_core *core, struct guest *guest, enum qn_err err)
{
    const struct qn_site *site = qn_group_site(qn_ledger_group(core->ledger), &guest->lost);
    const char *name = core_site_name(core, &guest->lost);
    bool is_its_key = site != NULL && qn_public_key_eq(&site->keys.site, &guest->key);
    if (qn_err_is_fatal(err))
        core_note(core, "commit-failed", err, name);
    else if (!is_its_key)
        core_note(core, "key-not-taken", QN_ERR_HELD, name);
    else if (site->state == QN_SITE_MEMBER)
        core_note(core, "key-told", QN_OK, name);
    core_close(core, guest->link);
}
