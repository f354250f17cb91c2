#include "core/bulk.h"

#include "core/fetch.h"
#include "core/hold.h"
#include "core/offsite.h"

/* Both ends at work at once: a window of packs, the data that the other asked for, a list. More
 * than net queues would end the connection. */
_Static_assert(BULK_WINDOW_MAX + BULK_REQUESTS_MAX * BULK_READ_MAX + 4 * BULK_LIST_PIECE <
                   QN_NET_QUEUE_MAX,
               "bulk fills net's queue");

struct bulk *bulk_of(struct qn_core *core, const struct qn_site_id *site)
{
    struct peer *peer = core_peer(core, site);
    return peer == NULL ? NULL : peer->bulk;
}

struct bulk *bulk_of_link(struct qn_core *core, qn_link link)
{
    qn_vec_each (&core->peers, peer)
        if (link != 0 && (*peer)->bulk->link == link && !(*peer)->bulk->is_narrow)
            return (*peer)->bulk;
    return NULL;
}

struct bulk *bulk_new(struct peer *peer)
{
    struct bulk *bulk = QN_NEW(struct bulk);
    bulk->peer = peer;
    bulk->offsite = offsite_new();
    bulk->hold = hold_new();
    bulk->fetch = fetch_new();
    return bulk;
}

void bulk_free(struct bulk *bulk)
{
    if (bulk == NULL)
        return;
    offsite_free(bulk->offsite);
    hold_free(bulk->hold);
    fetch_free(bulk->fetch);
    qn_free(bulk);
}

void bulk_want(struct qn_core *core, struct bulk *bulk)
{
    bulk->is_wanted = true;
}

void bulk_want_little(struct qn_core *core, struct bulk *bulk)
{
    bulk->is_little_wanted = true;
}

void bulk_used(struct qn_core *core, struct bulk *bulk)
{
    bulk->used_ms = core->now_ms;
}

bool bulk_is_up(const struct bulk *bulk)
{
    return bulk->link != 0 && bulk->has_hello;
}

bool bulk_is_wide(const struct bulk *bulk)
{
    return bulk_is_up(bulk) && !bulk->is_narrow;
}

/* A part may still be saying something when the connection has just ended. */
void bulk_send(struct qn_core *core, struct bulk *bulk)
{
    if (bulk->link == 0)
        return;
    QN_ASSERT(!bulk->is_narrow || core->frame.size <= BULK_NARROW_FRAME);
    core_send(core, bulk->is_narrow ? bulk->peer->session->link : bulk->link);
    bulk_used(core, bulk);
}

/* ---- up and down ---- */

static void dial_later(struct qn_core *core, struct bulk *bulk)
{
    uint64_t delay = DIAL_FIRST_MS, delay_max = bulk->is_bad ? BULK_DIAL_BAD_MS : DIAL_MAX_MS;
    for (unsigned i = 0; i < bulk->failures && delay < delay_max; i++)
        delay *= 2;
    bulk->dial_token = 0;
    bulk->dial_ms = core->now_ms + core_jitter(core, delay < delay_max ? delay : delay_max);
}

static void say_hello(struct qn_core *core, struct bulk *bulk)
{
    struct qn_buf *out = core_message(core, QN_MSG_BULK_HELLO, 3);
    qn_pack_u64(out, QN_PROTOCOL_VERSION_MIN);
    qn_pack_u64(out, QN_PROTOCOL_VERSION);
    qn_pack_bin(out, QN_SPAN_OF(qn_ledger_group(core->ledger)->id.bytes));
    bulk_send(core, bulk);
}

static void connected(struct qn_core *core, struct bulk *bulk, const struct qn_event *event)
{
    bulk->link = event->link;
    bulk->is_dialled = event->is_dialled;
    bulk->has_hello = false;
    bulk->up_ms = core->now_ms;
    bulk->called_ms = 0;
    bulk->is_called = false;
    bulk->has_failed_dials = false;
    say_hello(core, bulk);
}

static void hang_up(struct qn_core *core, struct bulk *bulk, enum qn_err err)
{
    core_close(core, bulk->link);
    bulk_down(core, bulk, err);
}

void bulk_hang_up(struct qn_core *core, struct bulk *bulk, enum qn_err err)
{
    if (bulk->is_narrow)
        peer_hang_up(core, bulk->peer);
    else
        hang_up(core, bulk, err);
}

/* ---- on the first connection ---- */

/* Every time another name: an answer that an earlier time waited for is not taken for one of this.
 */
static void go_narrow(struct qn_core *core, struct bulk *bulk)
{
    bulk->link = 1ull << 63 | core_token(core);
    bulk->is_narrow = bulk->has_hello = true;
    bulk->is_little_wanted = false;
    bulk->up_ms = bulk->used_ms = core->now_ms;
    offsite_up(core, bulk);
    hold_up(core, bulk);
    core_wake(core, core->now_ms);
}

static void end_narrow(struct qn_core *core, struct bulk *bulk)
{
    bulk->link = 0;
    bulk->has_hello = false;
    offsite_down(core, bulk);
    hold_down(core, bulk);
    bulk->is_narrow = false;
}

void bulk_session_ends(struct qn_core *core, struct peer *peer)
{
    if (peer->bulk->is_narrow)
        end_narrow(core, peer->bulk);
}

/* ---- the second connection ---- */

void bulk_up(struct qn_core *core, const struct qn_event *event)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_site *site = group == NULL ? NULL : qn_group_site_by_key(group, &event->key);
    struct bulk *bulk = site == NULL ? NULL : bulk_of(core, &site->id);
    if (bulk == NULL || !core_is_member(core)) {
        core_close(core, event->link);
        return;
    }
    if (event->is_dialled && bulk->dial_token == event->token)
        bulk->dial_token = 0;
    if (bulk->is_narrow)
        end_narrow(core, bulk);
    if (bulk->link != 0 && peer_keeps_old(core, bulk->peer, bulk->is_dialled, event->is_dialled)) {
        core_close(core, event->link);
        return;
    }
    if (bulk->link != 0)
        hang_up(core, bulk, QN_OK);
    connected(core, bulk, event);
}

/* One that behaved for a minute is trusted again. */
static void forgive(const struct qn_core *core, struct bulk *bulk)
{
    if (!bulk->has_hello || core->now_ms < bulk->up_ms + BULK_IDLE_MS)
        return;
    bulk->is_bad = false;
    bulk->failures = 0;
}

void bulk_down(struct qn_core *core, struct bulk *bulk, enum qn_err err)
{
    bool was_up = bulk_is_up(bulk);
    forgive(core, bulk);
    bulk->link = 0;
    bulk->has_hello = false;
    if (was_up) {
        offsite_down(core, bulk);
        hold_down(core, bulk);
        fetch_down(core, bulk);
    } else if (err != QN_OK) {
        bulk->failures++; /* it ends before it begins */
    }
    dial_later(core, bulk);
}

void bulk_bad(struct qn_core *core, struct bulk *bulk, const char *code, enum qn_err err)
{
    if (bulk->link == 0)
        return;
    core_note(core, code, err, core_site_name(core, &bulk->peer->site));
    hang_up(core, bulk, QN_OK);
    bulk->is_bad = true;
    bulk->failures++;
    dial_later(core, bulk);
}

/* ---- dialling ---- */

/* A refusal is of the protocol or of the key: neither passes soon. */
bool bulk_dial_failed(struct qn_core *core, const struct qn_event *event)
{
    qn_vec_each (&core->peers, slot) {
        struct bulk *bulk = (*slot)->bulk;
        if (event->token == 0 || bulk->dial_token != event->token)
            continue;
        bulk->failures++;
        bulk->address_next++;
        bulk->is_bad |= event->err == QN_ERR_DENIED || event->err == QN_ERR_UNSUPPORTED;
        bulk->has_failed_dials = true;
        dial_later(core, bulk);
        if (bulk->is_narrow) /* the other end may have seen it, and passed over the first one */
            offsite_in_doubt(core, bulk);
        return true;
    }
    return false;
}

/* One dial for each call. If we were waiting for theirs, it need not be waited for any more. */
void bulk_called(struct qn_core *core, struct peer *peer)
{
    struct bulk *bulk = peer->bulk;
    bulk->is_called = true;
    if (bulk->called_ms != 0)
        bulk->dial_ms = core->now_ms;
    bulk->called_ms = 0;
}

static void call(struct qn_core *core, struct bulk *bulk)
{
    core_message(core, QN_MSG_BULK_CALL, 0);
    core_send(core, bulk->peer->session->link);
    bulk->called_ms = core->now_ms;
    bulk->called_link = bulk->peer->session->link;
    bulk->has_failed_dials = false;
    bulk->dial_ms = core->now_ms + BULK_CALL_MS;
}

static void dial(struct qn_core *core, struct bulk *bulk, const char *address)
{
    const struct qn_site *site = qn_group_site(qn_ledger_group(core->ledger), &bulk->peer->site);
    if (site == NULL)
        return;
    bulk->dial_token = core_token(core);
    core_dial(core, bulk->dial_token, address, QN_LINK_BULK, &site->keys.site);
}

/* Who dialled the first connection knows an address that works, so it dials this one too; the other
 * calls. A call that is not answered in time, and a dial that fails, are followed by the other way.
 */
static void connect_now(struct qn_core *core, struct bulk *bulk)
{
    struct peer *peer = bulk->peer;
    char address[QN_ADDRESS_SIZE_MAX + 1];
    bool has_address = peer_address(peer, peer->address_next + bulk->address_next, address);
    bool was_called_in_vain = bulk->called_ms != 0;
    bool is_ours_to_dial = peer->session->is_dialled && !bulk->has_failed_dials;
    bulk->called_ms = 0;
    if (has_address && (is_ours_to_dial || bulk->is_called || was_called_in_vain))
        dial(core, bulk, address);
    else if (bulk->is_wanted)
        call(core, bulk);
    bulk->is_called = false;
}

/* A first connection that was replaced, or broke, may have taken the call with it. */
static void call_again(struct qn_core *core, struct bulk *bulk)
{
    if (bulk->called_ms == 0 || bulk->called_link == bulk->peer->session->link)
        return;
    bulk->called_ms = 0;
    bulk->dial_ms = core->now_ms;
}

static void tick_unconnected(struct qn_core *core, struct bulk *bulk)
{
    bool is_reachable = peer_is_connected(bulk->peer) && core_is_member(core);
    bool is_wanted = bulk->is_wanted || bulk->is_called;
    if (!is_reachable || bulk->dial_token != 0)
        return;
    if (!is_wanted && bulk->is_little_wanted && bulk->link == 0)
        go_narrow(core, bulk);
    if (!is_wanted)
        return;
    call_again(core, bulk);
    if (core->now_ms >= bulk->dial_ms)
        connect_now(core, bulk);
    else
        core_wake(core, bulk->dial_ms);
}

/* ---- ending ---- */

static bool is_busy(const struct qn_core *core, const struct bulk *bulk)
{
    return bulk->has_hello && (offsite_is_busy(core, bulk) || hold_is_busy(core, bulk) ||
                               (!bulk->is_narrow && fetch_is_busy(core, bulk)));
}

static void tick_connected(struct qn_core *core, struct bulk *bulk)
{
    uint64_t end_ms = bulk->used_ms + (is_busy(core, bulk) ? BULK_STALL_MS : BULK_IDLE_MS);
    if (core->now_ms < end_ms) {
        core_wake(core, end_ms);
        return;
    }
    if (!bulk->has_hello)
        bulk->failures++;
    if (bulk->is_narrow)
        end_narrow(core, bulk);
    else
        hang_up(core, bulk, QN_OK);
}

static void tick_parts(struct qn_core *core, struct bulk *bulk)
{
    offsite_tick(core, bulk);
    hold_tick(core, bulk);
    fetch_tick(core, bulk);
}

void bulk_tick(struct qn_core *core)
{
    if (!core->is_started || qn_ledger_group(core->ledger) == NULL)
        return;
    hold_tick_all(core);
    qn_vec_each (&core->peers, peer) {
        tick_parts(core, (*peer)->bulk);
        if ((*peer)->bulk->link != 0)
            tick_connected(core, (*peer)->bulk);
        if ((*peer)->bulk->link == 0 || (*peer)->bulk->is_narrow)
            tick_unconnected(core, (*peer)->bulk);
    }
}

/* ---- frames ---- */

static enum qn_err heard_hello(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    uint64_t version_min, version_max;
    struct qn_digest group_id;
    if (bulk->has_hello)
        return QN_ERR_STATE;
    QN_TRY(qn_cursor_u64(fields, &version_min));
    QN_TRY(qn_cursor_u64(fields, &version_max));
    QN_TRY(qn_cursor_bytes(fields, group_id.bytes, sizeof(group_id.bytes)));
    if (version_min > QN_PROTOCOL_VERSION || version_max < QN_PROTOCOL_VERSION_MIN)
        return QN_ERR_UNSUPPORTED;
    if (!qn_digest_eq(&group_id, &qn_ledger_group(core->ledger)->id))
        return QN_ERR_DENIED;
    bulk->has_hello = true;
    bulk->is_wanted = bulk->is_little_wanted = false; /* a part that has work says so again */
    if (!bulk->is_bad)
        bulk->failures = 0;
    offsite_up(core, bulk);
    hold_up(core, bulk);
    fetch_up(core, bulk);
    return QN_OK;
}

/* Both parts of this site that ask hear of it; each takes the position that the fields had. */
static enum qn_err heard_refusal(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    struct qn_cursor again = *fields;
    QN_TRY(offsite_frame(core, bulk, QN_MSG_VAULT_REFUSED, fields));
    return bulk_is_wide(bulk) ? fetch_frame(core, bulk, QN_MSG_VAULT_REFUSED, &again) : QN_OK;
}

static enum qn_err dispatch(struct qn_core *core, struct bulk *bulk, uint64_t number,
                            struct qn_cursor *fields)
{
    if (number == QN_MSG_BULK_HELLO)
        return heard_hello(core, bulk, fields);
    if (!bulk->has_hello)
        return QN_ERR_STATE;
    switch (number) {
    case QN_MSG_VAULT_ASK:
    case QN_MSG_NAMES_ASK:
    case QN_MSG_PACK_OFFER:
    case QN_MSG_PACK_PUT:
    case QN_MSG_LIST_PUT:
    case QN_MSG_LIST_FORGET:
    case QN_MSG_PACK_GET:
    case QN_MSG_LIST_GET:
    case QN_MSG_PROOF_ASK:
    case QN_MSG_KEY_PUT:
        return hold_frame(core, bulk, (enum qn_message)number, fields);
    case QN_MSG_VAULT_STATE:
    case QN_MSG_NAMES:
    case QN_MSG_PACK_OFFERED:
    case QN_MSG_PACK_ACK:
    case QN_MSG_LIST_ACK:
    case QN_MSG_LIST_FORGOT:
    case QN_MSG_PROOF:
    case QN_MSG_KEY_ACK:
    case QN_MSG_PACK_BAD:
        return offsite_frame(core, bulk, (enum qn_message)number, fields);
    case QN_MSG_PACK_DATA:
    case QN_MSG_LIST_DATA:
        return fetch_frame(core, bulk, (enum qn_message)number, fields);
    case QN_MSG_VAULT_REFUSED:
        return heard_refusal(core, bulk, fields);
    default:
        return QN_OK; /* of a newer version */
    }
}

void bulk_frame(struct qn_core *core, struct bulk *bulk, struct qn_span frame)
{
    struct qn_cursor cursor = qn_cursor(frame);
    size_t count;
    uint64_t number;
    bulk_used(core, bulk);
    enum qn_err err = qn_cursor_array(&cursor, 64, &count);
    if (err == QN_OK)
        err = qn_cursor_u64(&cursor, &number);
    if (err == QN_OK)
        err = dispatch(core, bulk, number, &cursor);
    if (err != QN_OK)
        bulk_bad(core, bulk, "bad-frame", err);
}

/* ---- on the first connection ---- */

bool bulk_is_message(uint64_t number)
{
    return number >= QN_MSG_VAULT_ASK && number <= QN_MSG_PACK_OFFERED;
}

static bool is_for_holder(uint64_t number)
{
    return number == QN_MSG_VAULT_ASK || number == QN_MSG_LIST_PUT ||
           number == QN_MSG_LIST_FORGET || number == QN_MSG_PROOF_ASK || number == QN_MSG_KEY_PUT;
}

static bool is_for_owner(uint64_t number)
{
    return number == QN_MSG_VAULT_STATE || number == QN_MSG_VAULT_REFUSED ||
           number == QN_MSG_LIST_ACK || number == QN_MSG_LIST_FORGOT || number == QN_MSG_PROOF ||
           number == QN_MSG_KEY_ACK;
}

/* Who asks here has no second connection. A young one it may just not know of yet, and will ask
 * there again; an old one has ended at its side. */
enum qn_err bulk_narrow_frame(struct qn_core *core, struct peer *peer, uint64_t number,
                              struct qn_cursor *fields)
{
    struct bulk *bulk = peer->bulk;
    if (!is_for_holder(number) && !is_for_owner(number))
        return QN_ERR_STATE;
    if (!core_is_member(core))
        return QN_OK;
    if (is_for_holder(number) && bulk->link != 0 && !bulk->is_narrow &&
        core->now_ms >= bulk->up_ms + BULK_YOUNG_MS)
        hang_up(core, bulk, QN_OK);
    if (is_for_holder(number) && bulk->link == 0)
        go_narrow(core, bulk);
    if (!bulk->is_narrow)
        return QN_OK; /* an answer that nobody waits for any more */
    bulk_used(core, bulk);
    return dispatch(core, bulk, number, fields);
}
