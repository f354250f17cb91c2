#include "core/hold_impl.h"

struct hold *hold_new(void)
{
    return QN_NEW(struct hold);
}

static void free_offers(struct hold *hold)
{
    qn_vec_each (&hold->offers, offer)
        qn_free(*offer);
    hold->offers.count = 0;
}

void hold_free(struct hold *hold)
{
    if (hold == NULL)
        return;
    free_offers(hold);
    hold_packs_down(hold);
    hold_list_reset(&hold->list);
    hold_requests_down(hold);
    qn_vec_free(&hold->offers);
    qn_vec_free(&hold->packs);
    qn_vec_free(&hold->pieces);
    qn_vec_free(&hold->parts);
    qn_vec_free(&hold->requests);
    qn_free(hold);
}

void hold_up(struct qn_core *core, struct bulk *bulk)
{
    bulk->hold->is_state_asked = bulk->hold->is_asked_again = false;
    bulk->hold->names_asked = 0;
}

/* What is on its way to the disk or into the store ends by itself; nobody is told. */
void hold_down(struct qn_core *core, struct bulk *bulk)
{
    struct hold *hold = bulk->hold;
    free_offers(hold);
    hold_packs_down(hold);
    hold_list_reset(&hold->list);
    hold_requests_down(hold);
    hold->sizes = hold->commits = hold->reads = 0;
    hold->has_lease = false;
}

bool hold_is_busy(const struct qn_core *core, const struct bulk *bulk)
{
    const struct hold *hold = bulk->hold;
    return hold->offers.count > 0 || hold->pieces.count > 0 || hold->files > 0 ||
           hold->commits > 0 || hold->requests.count > 0 || hold->list.is_running ||
           hold->is_state_asked || hold->names_asked > 0;
}

/* Everything is a consequence of an event: nothing of one owner is due by itself. */
void hold_tick(struct qn_core *core, struct bulk *bulk) {}

/* ---- what the other files use ---- */

void hold_payload(const struct bulk *bulk, size_t count, struct qn_buf *ret_payload)
{
    qn_buf_init(ret_payload, QN_FRAME_SIZE_MAX);
    qn_pack_array(ret_payload, count);
    qn_pack_bin(ret_payload, QN_SPAN_OF(bulk->peer->site.bytes));
}

struct pending *hold_commit(struct qn_core *core, struct bulk *bulk, enum qn_intent_kind kind,
                            struct qn_buf *take_payload, uint64_t tag)
{
    custodian_clock(core);
    if (bulk->link != 0) /* else its outcome is nobody's */
        bulk->hold->commits++;
    return bulk_commit(core, bulk, kind, take_payload, PENDING_HOLD, tag);
}

void hold_file(struct qn_core *core, struct bulk *bulk, const struct hold_file *file, uint64_t tag)
{
    struct qn_file_work *work = QN_NEW(struct qn_file_work);
    *work = (struct qn_file_work){.kind = file->kind,
                                  .owner = bulk->peer->site,
                                  .offset = file->offset,
                                  .size = file->size,
                                  .total = file->total};
    memcpy(work->name.bytes, file->name.bytes, sizeof(work->name.bytes));
    if (file->take_bytes != NULL)
        work->bytes = (struct qn_buf){.data = file->take_bytes,
                                      .size = file->bytes_size,
                                      .capacity = file->bytes_size,
                                      .size_max = file->bytes_size};
    bulk_file(core, bulk, work, PENDING_HOLD, tag);
    bulk->hold->files++;
}

bool hold_has_file_slot(const struct hold *hold)
{
    return hold->files < HOLD_FILES_MAX;
}

/* No pack has this name: what comes back is the state of the disk. */
void hold_ask_room(struct qn_core *core, struct bulk *bulk, uint64_t tag)
{
    hold_file(core, bulk, &(struct hold_file){.kind = QN_FILE_PART_SIZE}, tag);
}

uint64_t hold_room(const struct qn_core *core, const struct hold *hold)
{
    uint64_t floor = core->options.disk_bytes / QN_HELD_FLOOR_SHARE;
    if (floor > QN_HELD_FLOOR_MAX)
        floor = QN_HELD_FLOOR_MAX;
    return hold->free_bytes > floor ? hold->free_bytes - floor : 0;
}

enum qn_offer hold_refusal(enum qn_err err)
{
    switch ((int)err) { /* the rest is this site's trouble */
    case QN_ERR_LIMIT:
        return QN_OFFER_QUOTA;
    case QN_ERR_DENIED:
        return QN_OFFER_DENIED;
    case QN_ERR_EXISTS:
        return QN_OFFER_SIZE;
    case QN_ERR_NOSPACE:
        return QN_OFFER_ROOM;
    }
    return QN_OFFER_LATER;
}

/* ---- VAULT_ASK, NAMES_ASK ---- */

static void commit_expectation(struct qn_core *core, struct bulk *bulk, uint64_t interval_ms)
{
    struct qn_buf payload;
    hold_payload(bulk, 2, &payload);
    qn_pack_u64(&payload, interval_ms);
    hold_commit(core, bulk, QN_INTENT_HELD_EXPECT, &payload, hold_tag(HOLD_QUIET, 0));
}

static void read_state(struct qn_core *core, struct bulk *bulk)
{
    struct qn_buf args;
    hold_read_args(HOLD_READ_STATE, &bulk->peer->site, 4, &args);
    qn_pack_bin(&args, qn_digest_view(&bulk->hold->pack_sum));
    qn_pack_bin(&args, qn_digest_view(&bulk->hold->list_sum));
    bulk_read(core, bulk, QN_READ_HELD, &args, PENDING_HOLD, hold_tag(HOLD_ASK_STATE, 0));
}

static enum qn_err heard_ask(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    struct hold *hold = bulk->hold;
    uint64_t interval_ms;
    if (hold->is_state_asked && !bulk->is_narrow)
        return QN_ERR_STATE;
    QN_TRY(qn_cursor_bytes(fields, hold->pack_sum.bytes, sizeof(hold->pack_sum.bytes)));
    QN_TRY(qn_cursor_bytes(fields, hold->list_sum.bytes, sizeof(hold->list_sum.bytes)));
    QN_TRY(qn_cursor_u64(fields, &interval_ms));
    commit_expectation(core, bulk, interval_ms);
    hold->is_asked_again = hold->is_state_asked;
    if (hold->is_asked_again) /* on the first connection: one answer, to what was asked last */
        return QN_OK;
    hold->is_state_asked = true;
    if (hold_has_file_slot(hold))
        hold_ask_room(core, bulk, hold_tag(HOLD_ASK_ROOM, 0));
    else
        read_state(core, bulk);
    return QN_OK;
}

static enum qn_err say_state(struct qn_core *core, struct bulk *bulk, struct qn_span state)
{
    struct qn_cursor cursor = qn_cursor(state);
    bool packs_are_equal, lists_are_equal;
    uint64_t numbers[5]; /* quota, used, packs, lists, epoch */
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, 7, &count));
    QN_TRY(qn_cursor_bool(&cursor, &packs_are_equal));
    QN_TRY(qn_cursor_bool(&cursor, &lists_are_equal));
    for (size_t i = 0; i < 5; i++)
        QN_TRY(qn_cursor_u64(&cursor, &numbers[i]));
    struct qn_buf *out = core_message(core, QN_MSG_VAULT_STATE, 8);
    qn_pack_bool(out, packs_are_equal);
    qn_pack_bool(out, lists_are_equal);
    qn_pack_u64(out, numbers[0]);
    qn_pack_u64(out, numbers[1]);
    qn_pack_u64(out, hold_room(core, bulk->hold));
    for (size_t i = 2; i < 5; i++)
        qn_pack_u64(out, numbers[i]);
    bulk_send(core, bulk);
    return QN_OK;
}

static enum qn_err heard_names_ask(struct qn_core *core, struct bulk *bulk,
                                   struct qn_cursor *fields)
{
    uint64_t what;
    struct qn_digest after;
    bool has_after;
    struct qn_buf args;
    QN_TRY(qn_cursor_u64(fields, &what));
    QN_TRY(hold_take_after(fields, &after, &has_after));
    if (what > 1)
        return QN_ERR_INVALID;
    if (bulk->hold->names_asked >= BULK_REQUESTS_MAX)
        return QN_ERR_LIMIT;
    hold_read_args(what == 0 ? HOLD_READ_PACK_NAMES : HOLD_READ_LIST_NAMES, &bulk->peer->site, 3,
                   &args);
    hold_pack_after(&args, has_after ? &after : NULL);
    bulk->hold->names_asked++;
    bulk_read(core, bulk, QN_READ_HELD, &args, PENDING_HOLD, hold_tag(HOLD_NAMES_ASKED, what));
    return QN_OK;
}

static enum qn_err say_names(struct qn_core *core, struct bulk *bulk, uint64_t what,
                             struct qn_span found)
{
    struct qn_cursor cursor = qn_cursor(found);
    bool is_last;
    struct qn_span names;
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, 2, &count));
    QN_TRY(qn_cursor_bool(&cursor, &is_last));
    QN_TRY(qn_cursor_bin(&cursor, BULK_NAMES_MAX * QN_DIGEST_SIZE, &names));
    struct qn_buf *out = core_message(core, QN_MSG_NAMES, 3);
    qn_pack_u64(out, what);
    qn_pack_bool(out, is_last);
    qn_pack_bin(out, names);
    bulk_send(core, bulk);
    return QN_OK;
}

/* ---- LIST_FORGET, KEY_PUT ---- */

static const struct qn_public_key *owner_key(const struct qn_core *core, const struct bulk *bulk)
{
    const struct qn_site *site = qn_group_site(qn_ledger_group(core->ledger), &bulk->peer->site);
    return site == NULL ? NULL : &site->keys.site;
}

static enum qn_err heard_forget(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    struct qn_span lists;
    struct qn_signature signature;
    struct qn_buf payload;
    const struct qn_public_key *key = owner_key(core, bulk);
    QN_TRY(qn_cursor_bin(fields, BULK_OFFERS_MAX * QN_DIGEST_SIZE, &lists));
    QN_TRY(qn_cursor_bytes(fields, signature.bytes, sizeof(signature.bytes)));
    if (lists.size == 0 || lists.size % QN_DIGEST_SIZE != 0 || key == NULL)
        return QN_ERR_INVALID;
    QN_TRY(qn_verify(key, "quoin forget 1", lists, &signature));
    hold_payload(bulk, 2, &payload);
    qn_pack_bin(&payload, lists);
    struct pending *pending =
        hold_commit(core, bulk, QN_INTENT_HELD_FORGET, &payload, hold_tag(HOLD_FORGOT, 0));
    qn_buf_init(&pending->data, lists.size);
    qn_buf_append_span(&pending->data, lists);
    return QN_OK;
}

/* An error is not answered: the owner asks again on the next connection. */
static void say_forgot(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                       enum qn_err err)
{
    if (err != QN_OK) {
        core_note(core, "commit-failed", err, "forget");
        return;
    }
    struct qn_buf *out = core_message(core, QN_MSG_LIST_FORGOT, 1);
    qn_pack_bin(out, qn_buf_view(&pending->data));
    bulk_send(core, bulk);
    custodian_sweep_soon(core);
    book_touch(core);
}

static enum qn_err heard_key(struct qn_core *core, struct bulk *bulk, struct qn_cursor *fields)
{
    uint64_t epoch;
    struct qn_span sealed;
    struct qn_buf payload;
    QN_TRY(qn_cursor_u64(fields, &epoch));
    QN_TRY(qn_cursor_bin(fields, QN_HELD_KEY_SIZE_MAX, &sealed));
    if (epoch == 0 || epoch > UINT32_MAX || sealed.size == 0)
        return QN_ERR_INVALID;
    hold_payload(bulk, 3, &payload);
    qn_pack_u64(&payload, epoch);
    qn_pack_bin(&payload, sealed);
    hold_commit(core, bulk, QN_INTENT_HELD_KEY, &payload, hold_tag(HOLD_KEPT_KEY, epoch));
    return QN_OK;
}

static void say_kept_key(struct qn_core *core, struct bulk *bulk, uint64_t epoch, enum qn_err err)
{
    struct qn_buf *out = core_message(core, QN_MSG_KEY_ACK, 2);
    qn_pack_u64(out, epoch);
    qn_pack_u64(out, err == QN_OK ? QN_OFFER_WANTED : hold_refusal(err));
    bulk_send(core, bulk);
    if (err != QN_OK)
        core_note(core, "held-key-refused", err, "");
}

/* ---- events ---- */

static enum qn_err heard(struct qn_core *core, struct bulk *bulk, enum qn_message number,
                         struct qn_cursor *fields)
{
    switch ((int)number) { /* of all messages, an owner's */
    case QN_MSG_VAULT_ASK:
        return heard_ask(core, bulk, fields);
    case QN_MSG_NAMES_ASK:
        return heard_names_ask(core, bulk, fields);
    case QN_MSG_PACK_OFFER:
        return hold_heard_offer(core, bulk, fields);
    case QN_MSG_PACK_PUT:
        return hold_heard_put(core, bulk, fields);
    case QN_MSG_LIST_PUT:
        return hold_heard_list(core, bulk, fields);
    case QN_MSG_LIST_FORGET:
        return heard_forget(core, bulk, fields);
    case QN_MSG_KEY_PUT:
        return heard_key(core, bulk, fields);
    case QN_MSG_PACK_GET:
    case QN_MSG_LIST_GET:
    case QN_MSG_PROOF_ASK:
        return hold_heard_request(core, bulk, number, fields);
    }
    return QN_ERR_UNSUPPORTED;
}

enum qn_err hold_frame(struct qn_core *core, struct bulk *bulk, enum qn_message number,
                       struct qn_cursor *fields)
{
    if (!custodian_knows(core, &bulk->peer->site)) {
        peer_asks_foreign(core, bulk->peer);
        qn_pack_cstr(core_message(core, QN_MSG_VAULT_REFUSED, 1), "denied");
        bulk_send(core, bulk);
        return QN_OK;
    }
    if (bulk->hold->commits >= HOLD_COMMITS_MAX)
        return QN_ERR_LIMIT;
    return heard(core, bulk, number, fields);
}

static void list_outcome(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                         const struct qn_outcome *outcome)
{
    hold_list_outcome(core, bulk, (enum hold_what)(pending->seq & 0xff), pending->seq >> 8,
                      outcome);
}

void hold_outcome(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                  const struct qn_outcome *outcome)
{
    enum hold_what what = (enum hold_what)(pending->seq & 0xff);
    bool is_of_link = pending->link == bulk->link && bulk->link != 0;
    if (is_of_link)
        bulk->hold->commits--;
    if (what == HOLD_STORED) /* also what an earlier connection brought */
        hold_stored(core, bulk, pending->seq >> 8, outcome->err);
    if (!is_of_link)
        return;
    if (what == HOLD_OFFER_DECIDED)
        hold_offer_decided(core, bulk, pending->seq >> 8, outcome);
    else if (what == HOLD_FORGOT)
        say_forgot(core, bulk, pending, outcome->err);
    else if (what == HOLD_KEPT_KEY)
        say_kept_key(core, bulk, pending->seq >> 8, outcome->err);
    else if (what == HOLD_LIST_BEGUN || what == HOLD_LIST_NAMES || what == HOLD_LIST_DONE)
        list_outcome(core, bulk, pending, outcome);
}

static enum qn_err take_read(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                             const struct qn_read_result *result)
{
    struct hold *hold = bulk->hold;
    switch ((int)(pending->seq & 0xff)) { /* those that are reads */
    case HOLD_ASK_STATE:
        hold->is_state_asked = hold->is_asked_again;
        QN_TRY(result->err);
        if (hold->is_asked_again) {
            hold->is_asked_again = false;
            read_state(core, bulk);
            return QN_OK;
        }
        return say_state(core, bulk, qn_buf_view(&result->body));
    case HOLD_NAMES_ASKED:
        hold->names_asked--;
        QN_TRY(result->err);
        return say_names(core, bulk, pending->seq >> 8, qn_buf_view(&result->body));
    case HOLD_LIST_BASE:
        hold_list_base(core, bulk, pending->seq >> 8, result);
        return QN_OK;
    case HOLD_REQUEST_READ:
        hold_request_read(core, bulk, pending->seq >> 8, result);
        return QN_OK;
    }
    return QN_OK;
}

/* What cannot be read is this site's trouble: the connection ends without a reproach, and the owner
 * asks again. */
void hold_read_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                    struct qn_read_result *result)
{
    if (pending->link != bulk->link || bulk->link == 0)
        return;
    enum qn_err err = take_read(core, bulk, pending, result);
    if (err == QN_OK)
        return;
    core_note(core, "read-failed", err, "held");
    bulk_hang_up(core, bulk, err);
}

static void file_done_of_link(struct qn_core *core, struct bulk *bulk, uint64_t tag,
                              const struct qn_file_result *result)
{
    switch ((int)(tag & 0xff)) { /* those that are file work */
    case HOLD_ASK_ROOM:
        read_state(core, bulk);
        break;
    case HOLD_OFFER_ROOM:
        hold_offer_room(core, bulk, tag >> 8);
        break;
    case HOLD_OFFER_SIZE:
        hold_offer_measured(core, bulk, tag >> 8, result);
        break;
    case HOLD_REQUEST_FILE:
        hold_request_file(core, bulk, tag >> 8, result);
        break;
    }
}

void hold_file_done(struct qn_core *core, struct bulk *bulk, const struct pending *pending,
                    struct qn_file_result *result)
{
    struct hold *hold = bulk->hold;
    enum hold_what what = (enum hold_what)(pending->seq & 0xff);
    bool is_of_link = pending->link == bulk->link && bulk->link != 0;
    if (hold->files > 0) /* else of a peer that was a member before */
        hold->files--;
    bool tells_room = what == HOLD_ASK_ROOM || what == HOLD_OFFER_ROOM || what == HOLD_APPENDED;
    if (tells_room && result->err == QN_OK)
        hold->free_bytes = result->free_bytes;
    if (what == HOLD_APPENDED)
        hold_appended(core, bulk, pending->seq >> 8, result);
    else if (what == HOLD_REMOVED)
        hold_removed(core, bulk, pending->seq >> 8);
    else if (is_of_link)
        file_done_of_link(core, bulk, pending->seq, result);
    hold_pack_pump(core, bulk);
    if (bulk->link == 0)
        return;
    hold_offer_pump(core, bulk);
    hold_request_pump(core, bulk);
}
