#include "core/offsite_impl.h"

struct offsite *offsite_new(void)
{
    struct offsite *offsite = QN_NEW(struct offsite);
    qn_buf_init(&offsite->names.page, BULK_NAMES_MAX * QN_DIGEST_SIZE);
    qn_buf_init(&offsite->lists.packed, LIST_PACKED_MAX);
    qn_buf_init(&offsite->lists.forgets, BULK_OFFERS_MAX * QN_DIGEST_SIZE);
    offsite->is_dirty = true;
    return offsite;
}

void offsite_free(struct offsite *offsite)
{
    if (offsite == NULL)
        return;
    qn_buf_deinit(&offsite->names.page);
    packs_free(&offsite->packs);
    lists_free(&offsite->lists);
    proofs_free(&offsite->proofs);
    qn_free(offsite);
}

const char *holder_name(const struct qn_core *core, const struct bulk *bulk)
{
    return core_site_name(core, &bulk->peer->site);
}

/* ---- what the other files ask for ---- */

struct qn_buf copy_read(const struct bulk *bulk, enum copy_read what, size_t field_count)
{
    struct qn_buf args;
    qn_buf_init(&args, QN_FRAME_SIZE_MAX);
    qn_pack_array(&args, 2 + field_count);
    qn_pack_u64(&args, what);
    qn_pack_bin(&args, QN_SPAN_OF(holder_of(bulk)->bytes));
    return args;
}

void read_copy(struct qn_core *core, struct bulk *bulk, struct qn_buf *take_args, enum tag tag)
{
    bulk_read(core, bulk, QN_READ_COPY, take_args, PENDING_OFFSITE, tag_of(tag, 0));
}

struct qn_buf copy_intent(const struct bulk *bulk, size_t field_count)
{
    struct qn_buf payload;
    qn_buf_init(&payload, QN_FRAME_SIZE_MAX);
    qn_pack_array(&payload, 1 + field_count);
    qn_pack_bin(&payload, QN_SPAN_OF(holder_of(bulk)->bytes));
    return payload;
}

void commit_copy(struct qn_core *core, struct bulk *bulk, enum qn_intent_kind kind,
                 struct qn_buf *take_payload, enum tag tag)
{
    bulk_commit(core, bulk, kind, take_payload, PENDING_OFFSITE, tag_of(tag, 0));
}

void commit_lost(struct qn_core *core, struct bulk *bulk, struct qn_span names, enum tag tag)
{
    struct qn_buf payload = copy_intent(bulk, 1);
    qn_pack_bin(&payload, names);
    commit_copy(core, bulk, QN_INTENT_COPY_LOST, &payload, tag);
}

void own_file(struct qn_core *core, struct bulk *bulk, const struct qn_file_work *what,
              struct qn_span bytes, uint64_t tag)
{
    struct qn_file_work *work = QN_NEW(struct qn_file_work);
    *work = *what;
    work->owner = core->site;
    qn_buf_init(&work->bytes, bytes.size);
    qn_buf_append_span(&work->bytes, bytes);
    bulk->offsite->files++;
    bulk_file(core, bulk, work, PENDING_OFFSITE, tag);
}

bool may_read_file(const struct bulk *bulk)
{
    return bulk->offsite->files < FILE_WORK_MAX;
}

enum qn_err read_digest(struct qn_cursor *cursor, struct qn_digest *ret_digest)
{
    return qn_cursor_bytes(cursor, ret_digest->bytes, sizeof(ret_digest->bytes));
}

enum qn_err read_joined(struct qn_cursor *cursor, size_t count_max, struct qn_span *ret_names)
{
    QN_TRY(qn_cursor_bin(cursor, count_max * QN_DIGEST_SIZE, ret_names));
    return ret_names->size % QN_DIGEST_SIZE == 0 ? QN_OK : QN_ERR_INVALID;
}

/* ---- the connection ---- */

void offsite_drop(struct offsite *offsite)
{
    names_end(offsite);
    packs_end(offsite);
    lists_end(offsite);
    proofs_end(offsite);
    offsite->stage = STAGE_OFF;
}

static void begin(struct qn_core *core, struct bulk *bulk)
{
    struct offsite *offsite = bulk->offsite;
    offsite->stage = STAGE_LOOK;
    offsite->is_key_asked = false;
    offsite->asks = 0;
    offsite->look_token = 0; /* one from before has another link; its sums may be old */
    offsite->is_dirty = true;
    offsite->look_ms = core->now_ms;
}

void offsite_up(struct qn_core *core, struct bulk *bulk)
{
    struct offsite *offsite = bulk->offsite;
    offsite_drop(offsite);
    offsite->link = bulk->link;
    offsite->is_stopped = offsite->needs_more = false;
    offsite->told_bad = 0;
    offsite->waits_ms = 0;
    offsite->repeats = 0;
}

static bool is_idle(const struct offsite *offsite)
{
    return packs_are_idle(offsite) && lists_are_idle(offsite) && proofs_are_idle(offsite);
}

/* The book has nothing that was not seen. */
static bool is_looked_at(const struct offsite *offsite)
{
    return !offsite->is_dirty && offsite->look_token == 0;
}

/* What was left though nothing was under way could not be done: not at once again, but when the
 * holder said. What came since the book was looked into was not tried. */
void offsite_down(struct qn_core *core, struct bulk *bulk)
{
    struct offsite *offsite = bulk->offsite;
    uint64_t again_ms = offsite->packs.rescan_ms;
    if (offsite->stage == STAGE_OPEN && is_idle(offsite) && is_looked_at(offsite))
        offsite->want_ms = again_ms != 0 ? again_ms : core->now_ms + FULL_MS;
    offsite_drop(offsite);
    offsite->link = 0;
    offsite->look_token = 0;
    offsite->is_dirty = true;
    offsite->needs_more = false;
}

static void stop(struct qn_core *core, struct bulk *bulk)
{
    struct offsite *offsite = bulk->offsite;
    offsite_drop(offsite);
    offsite->is_stopped = true;
    offsite->want_ms = core->now_ms + FULL_MS;
    offsite->heard_ms = core->now_ms;
}

void offsite_open(struct qn_core *core, struct bulk *bulk)
{
    struct offsite *offsite = bulk->offsite;
    offsite->stage = STAGE_OPEN;
    packs_start(core, bulk);
    offsite->lists.needs_list = offsite->role == ROLE_SEND;
    offsite->lists.needs_forget = true;
}

static enum qn_err heard_state(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    struct offsite *offsite = bulk->offsite;
    bool packs_equal, lists_equal;
    uint64_t quota, used, room, pack_count, list_count, epoch;
    if (offsite->asks == 0)
        return bulk->is_narrow ? QN_OK : QN_ERR_STATE; /* it was asked again */
    offsite->asks--;
    QN_TRY(qn_cursor_bool(fields, &packs_equal));
    QN_TRY(qn_cursor_bool(fields, &lists_equal));
    QN_TRY(qn_cursor_u64(fields, &quota));
    QN_TRY(qn_cursor_u64(fields, &used));
    QN_TRY(qn_cursor_u64(fields, &room));
    QN_TRY(qn_cursor_u64(fields, &pack_count));
    QN_TRY(qn_cursor_u64(fields, &list_count));
    QN_TRY(qn_cursor_u64(fields, &epoch));
    offsite->holder_epoch = epoch;
    offsite->heard_ms = core->now_ms;
    if (offsite->stage == STAGE_ASKED)
        names_start(core, bulk, packs_equal || offsite->role != ROLE_SEND, lists_equal);
    return QN_OK;
}

static enum qn_err heard_refusal(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    struct qn_span code;
    QN_TRY(qn_cursor_str(fields, 64, &code));
    core_note(core, "copies-refused", QN_ERR_DENIED, holder_name(core, bulk));
    stop(core, bulk);
    return QN_OK;
}

static enum qn_err heard_key(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    uint64_t epoch, code;
    QN_TRY(qn_cursor_u64(fields, &epoch));
    QN_TRY(qn_cursor_u64(fields, &code));
    if (!bulk->offsite->is_key_asked || epoch != core->options.key_epoch)
        return QN_ERR_INVALID;
    if (code == QN_OFFER_WANTED)
        bulk->offsite->holder_epoch = epoch;
    else /* said again on the next connection */
        core_note(core, "key-refused", QN_ERR_DENIED, holder_name(core, bulk));
    return QN_OK;
}

/* Before the packs: without it they are of no use to a site that lost everything. */
static void tick_key(struct qn_core *core, struct bulk *bulk)
{
    struct offsite *offsite = bulk->offsite;
    if (offsite->is_key_asked || core->options.sealed_key.size == 0 || offsite->role != ROLE_SEND ||
        offsite->holder_epoch >= core->options.key_epoch)
        return;
    offsite->is_key_asked = true;
    struct qn_buf *out = core_message(core, QN_MSG_KEY_PUT, 2);
    qn_pack_u64(out, core->options.key_epoch);
    qn_pack_bin(out, core->options.sealed_key);
    bulk_send(core, bulk);
}

/* Its scrub found them: they are sent again at once. What is too much waits for the comparison. */
static enum qn_err heard_bad(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    struct offsite *offsite = bulk->offsite;
    struct qn_span names;
    QN_TRY(read_joined(fields, BULK_OFFERS_MAX, &names));
    size_t count = names.size / QN_DIGEST_SIZE;
    if (count == 0)
        return QN_ERR_INVALID;
    if (offsite->role != ROLE_SEND || offsite->told_bad + count > TOLD_BAD_MAX)
        return QN_OK;
    offsite->told_bad += count;
    core_note(core, "copy-differs", QN_ERR_CORRUPT, holder_name(core, bulk));
    commit_lost(core, bulk, names, TAG_BAD);
    return QN_OK;
}

static enum qn_err dispatch(struct qn_core *core, struct bulk *bulk, enum qn_message number,
                            struct qn_cursor *fields)
{
    switch ((int)number) { /* of all messages, those of a holder */
    case QN_MSG_VAULT_STATE:
        return heard_state(core, bulk, fields);
    case QN_MSG_VAULT_REFUSED:
        return heard_refusal(core, bulk, fields);
    case QN_MSG_NAMES:
        return names_frame(core, bulk, fields);
    case QN_MSG_PACK_OFFERED:
        return packs_offered(core, bulk, fields);
    case QN_MSG_PACK_ACK:
        return packs_acked(core, bulk, fields);
    case QN_MSG_LIST_ACK:
        return lists_acked(core, bulk, fields);
    case QN_MSG_LIST_FORGOT:
        return forgets_done(core, bulk, fields);
    case QN_MSG_PROOF:
        return proofs_answer(core, bulk, fields);
    case QN_MSG_KEY_ACK:
        return heard_key(core, bulk, fields);
    case QN_MSG_PACK_BAD:
        return heard_bad(core, bulk, fields);
    }
    return QN_ERR_UNSUPPORTED;
}

/* An answer to what this site does not want any more is passed over; so is, on the first
 * connection, one to what was asked before this began anew there (protocol 10.11). */
enum qn_err offsite_frame(struct qn_core *core, struct bulk *bulk, enum qn_message number,
                          struct qn_cursor *fields)
{
    enum qn_err early = bulk->is_narrow ? QN_OK : QN_ERR_STATE;
    bool is_at_any_time =
        number == QN_MSG_VAULT_STATE || number == QN_MSG_VAULT_REFUSED || number == QN_MSG_PACK_BAD;
    switch (bulk->offsite->stage) {
    case STAGE_OFF:
    case STAGE_LOOK:
        return QN_OK;
    case STAGE_ASKED:
        return is_at_any_time ? dispatch(core, bulk, number, fields) : early;
    case STAGE_NAMES:
        return is_at_any_time || number == QN_MSG_NAMES ? dispatch(core, bulk, number, fields)
                                                        : early;
    case STAGE_OPEN:
        return number == QN_MSG_NAMES ? early : dispatch(core, bulk, number, fields);
    }
    return QN_ERR_STATE;
}

/* ---- what was asked of the edges ---- */

void offsite_outcome(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                     const struct qn_outcome *outcome)
{
    enum tag tag = (enum tag)(pending->seq >> 32);
    book_touch(core);
    if (outcome->err != QN_OK)
        core_note(core, "book-failed", outcome->err, holder_name(core, bulk));
    if (tag == TAG_LISTED)
        waiters_look(core);
    if (!is_present(bulk->offsite, pending->link))
        return;
    if (tag == TAG_FIXED)
        names_fixed(core, bulk, outcome);
    else if (tag == TAG_ACKS)
        packs_committed(core, bulk, outcome);
    else if (tag == TAG_LISTED || tag == TAG_MISSING)
        lists_committed(core, bulk, tag, outcome);
    else if (tag == TAG_FORGOTTEN)
        forgets_committed(core, bulk, outcome);
    else if (tag == TAG_PROVEN)
        proofs_committed(core, bulk, outcome);
    else if (tag == TAG_BAD)
        packs_look(bulk->offsite, true);
}

void offsite_read_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                       struct qn_read_result *result)
{
    enum tag tag = (enum tag)(pending->seq >> 32);
    struct offsite *offsite = bulk->offsite;
    if (tag == TAG_LOOK && pending->token == offsite->look_token)
        offsite_looked(core, bulk, result);
    if (tag == TAG_LOOK || !is_present(offsite, pending->link))
        return;
    if (tag == TAG_COMPARE)
        names_compared(core, bulk, result);
    else if (tag == TAG_SCAN)
        packs_scanned(core, bulk, result);
    else if (tag == TAG_NEXT_LIST)
        lists_read_done(core, bulk, result);
    else if (tag == TAG_FORGETS)
        forgets_read_done(core, bulk, result);
    else if (tag == TAG_CHALLENGE)
        proofs_read_done(core, bulk, result);
}

void offsite_file_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                       struct qn_file_result *result)
{
    enum tag tag = (enum tag)(pending->seq >> 32);
    uint32_t number = (uint32_t)pending->seq;
    if (bulk->offsite->files > 0)
        bulk->offsite->files--;
    if (!is_present(bulk->offsite, pending->link))
        return;
    if (tag == TAG_PIECE)
        packs_piece(core, bulk, number, result);
    else if (tag == TAG_SNAPSHOT || tag == TAG_BASE)
        lists_file_done(core, bulk, tag, result);
    else if (tag == TAG_SUSPECT)
        packs_suspect_read(core, bulk, result->err);
    else if (tag == TAG_VALUE || tag == TAG_OWN)
        proofs_file_done(core, bulk, tag, number, result);
}

/* ---- what is due ---- */

static bool has_work(struct qn_core *core, const struct bulk *bulk)
{
    const struct offsite *offsite = bulk->offsite;
    if (offsite->role != ROLE_SEND)
        return offsite->has_forget;
    return (offsite->has_packs && core->now_ms >= offsite->packs.blocked_ms) || offsite->has_list ||
           offsite->has_forget || proofs_are_due(core, bulk);
}

/* Unconnected: for work, and now and then to hear what became of the packs. */
static void want(struct qn_core *core, struct bulk *bulk)
{
    struct offsite *offsite = bulk->offsite;
    uint64_t ask_ms = offsite->heard_ms == 0 ? 0 : offsite->heard_ms + ASK_EVERY_MS;
    if (!has_work(core, bulk) && (offsite->role != ROLE_SEND || core->now_ms < ask_ms)) {
        if (offsite->role == ROLE_SEND)
            core_wake(core, ask_ms);
        if (offsite->has_packs && core->now_ms < offsite->packs.blocked_ms)
            core_wake(core, offsite->packs.blocked_ms);
    } else if (core->now_ms < offsite->want_ms) {
        core_wake(core, offsite->want_ms);
    } else if (offsite->has_packs && core->now_ms >= offsite->packs.blocked_ms) {
        bulk_want(core, bulk);
    } else {
        bulk_want_little(core, bulk);
    }
}

/* One that is busy for weeks is heard once a day, too: nothing new begins, and when all that is
 * under way has landed the sums are compared anew. */
bool offsite_is_ending(const struct qn_core *core, const struct bulk *bulk)
{
    const struct offsite *offsite = bulk->offsite;
    return offsite->role == ROLE_SEND && core->now_ms >= offsite->heard_ms + ASK_EVERY_MS;
}

static bool has_landed(const struct offsite *offsite)
{
    const struct packs *packs = &offsite->packs;
    return offsite->asks == 0 && packs->queue.count == 0 && !packs->is_scanning &&
           packs->acks.count == 0 && packs->acking.count == 0 &&
           offsite->lists.state == LIST_NONE && !offsite->lists.is_forgetting &&
           !offsite->lists.has_asked_forget && offsite->lists.forget_commits == 0 &&
           proofs_are_idle(offsite);
}

void offsite_compare_anew(struct qn_core *core, struct bulk *bulk)
{
    offsite_drop(bulk->offsite);
    begin(core, bulk);
}

static bool has_packs_to_send(const struct qn_core *core, const struct offsite *offsite)
{
    return offsite->role == ROLE_SEND && offsite->has_packs &&
           core->now_ms >= offsite->packs.blocked_ms;
}

static void tick_open(struct qn_core *core, struct bulk *bulk)
{
    uint64_t end_ms = bulk->offsite->heard_ms + ASK_EVERY_MS;
    if (offsite_is_ending(core, bulk) && has_landed(bulk->offsite)) {
        offsite_compare_anew(core, bulk);
        return;
    }
    if (core->now_ms < end_ms) /* else what has to land is an event */
        core_wake(core, end_ms);
    if (bulk->is_narrow && has_packs_to_send(core, bulk->offsite)) {
        offsite_needs_more(core, bulk);
        return;
    }
    tick_key(core, bulk);
    packs_tick(core, bulk);
    lists_tick(core, bulk);
    forgets_tick(core, bulk);
    proofs_tick(core, bulk);
}

void offsite_tick(struct qn_core *core, struct bulk *bulk)
{
    struct offsite *offsite = bulk->offsite;
    if (offsite->is_dirty || !offsite->is_role_known)
        offsite_refresh_role(core, bulk);
    demand_tick(core, bulk);
    if (offsite->role == ROLE_NONE) {
        offsite->is_dirty = false; /* until plans or ledger move */
        return;
    }
    bool is_up = bulk_is_up(bulk) && bulk->link == offsite->link;
    if (is_up && offsite->stage == STAGE_OFF && !offsite->needs_more &&
        (!offsite->is_stopped || core->now_ms >= offsite->want_ms))
        begin(core, bulk);
    offsite_look(core, bulk);
    if (is_up && bulk->is_narrow)
        offsite_tick_narrow(core, bulk);
    if (is_up && offsite->stage == STAGE_OPEN)
        tick_open(core, bulk);
    if (!is_up)
        want(core, bulk);
}

bool offsite_is_busy(const struct qn_core *core, const struct bulk *bulk)
{
    const struct offsite *offsite = bulk->offsite;
    uint64_t again_ms = offsite->packs.rescan_ms;
    bool is_again_soon = again_ms != 0 && again_ms <= core->now_ms + LATER_MS;
    return offsite->stage != STAGE_OFF &&
           (offsite->stage != STAGE_OPEN || !is_idle(offsite) || is_again_soon);
}

/* ---- what is shown ---- */

uint64_t offsite_bytes_left(const struct bulk *bulk)
{
    return packs_left(bulk->offsite);
}

bool offsite_is_full(const struct bulk *bulk)
{
    return bulk->offsite->role == ROLE_SEND && bulk->offsite->packs.is_full;
}

uint64_t offsite_bad_packs(const struct bulk *bulk)
{
    return bulk->offsite->role == ROLE_SEND ? bulk->offsite->unread_packs : 0;
}
