/* What a holder does for all owners together: it reads the lock clock, reads packs to see whether
 * they are whole (scrub), and lets go of what nothing holds (custodian_sweep.c). One pack is
 * scrubbed at a time, when its turn in the month has come. */
#include "core/hold_impl.h"

struct custodian *custodian_new(void)
{
    return QN_NEW(struct custodian);
}

void custodian_free(struct custodian *custodian)
{
    if (custodian == NULL)
        return;
    custodian_sweep_deinit(&custodian->sweep);
    qn_vec_free(&custodian->owners);
    qn_free(custodian);
}

struct pending *custodian_mark(struct pending *pending, const struct qn_site_id *owner,
                               enum custodian_what what)
{
    if (owner != NULL)
        pending->site = *owner;
    pending->seq = what;
    return pending;
}

/* ---- who is known ---- */

static const struct custody_owner *owner_of(const struct custodian *custodian,
                                            const struct qn_site_id *site)
{
    qn_vec_each (&custodian->owners, owner)
        if (qn_site_id_eq(&owner->site, site))
            return owner;
    return NULL;
}

static bool has_accepted(const struct qn_core *core, const struct qn_site_id *owner)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    const struct qn_place *place = group == NULL ? NULL : qn_group_place(group, owner, &core->site);
    return place != NULL && place->state == QN_PLACE_ACCEPTED;
}

bool custodian_knows(const struct qn_core *core, const struct qn_site_id *owner)
{
    const struct custody_owner *held = owner_of(core->custodian, owner);
    return has_accepted(core, owner) || (held != NULL && held->has_anything);
}

void custodian_has(struct qn_core *core, const struct qn_site_id *owner)
{
    const struct custody_owner *held = owner_of(core->custodian, owner);
    if (held == NULL || !held->has_anything)
        custodian_read(core);
}

static bool is_holder(const struct qn_core *core)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    if (core->custodian->owners.count > 0)
        return true;
    qn_vec_each (&group->places, place)
        if (qn_site_id_eq(&place->holder, &core->site) && place->state == QN_PLACE_ACCEPTED)
            return true;
    return false;
}

void custodian_calm(struct qn_core *core, const struct qn_site_id *owner)
{
    struct qn_buf payload;
    if (owner_of(core->custodian, owner) == NULL)
        return;
    qn_buf_init(&payload, 256);
    qn_pack_array(&payload, 2);
    qn_pack_bin(&payload, QN_SPAN_OF(owner->bytes));
    qn_pack_u64(&payload, QN_HELD_ALARM_EXPECT | QN_HELD_ALARM_QUOTA | QN_HELD_ALARM_ROOM);
    custodian_clock(core);
    custodian_mark(core_commit(core, QN_INTENT_HELD_CALM, &payload, PENDING_CUSTODY), owner,
                   CUSTODIAN_CALM);
}

/* ---- the lock clock ---- */

/* What other sites' clocks show now: as they said it last, plus what passed since by the clock that
 * nobody sets. This site's own wall clock has no part in it. */
static size_t ask_witnesses(const struct qn_core *core, uint64_t values[QN_SITES_MAX])
{
    size_t count = 0;
    qn_vec_each (&core->peers, slot) {
        const struct peer *peer = *slot;
        if (!peer_is_connected(peer) || count == QN_SITES_MAX)
            continue;
        values[count++] = peer->said_wall_ms + (core->now_ms - peer->said_at_ms);
    }
    return count;
}

static void read_clock(struct qn_core *core)
{
    uint64_t values[QN_SITES_MAX];
    size_t count = ask_witnesses(core, values);
    struct qn_buf payload;
    qn_buf_init(&payload, 256);
    qn_pack_array(&payload, 5);
    qn_pack_bin(&payload, qn_digest_view(&core->options.boot));
    qn_pack_u64(&payload, core->now_ms);
    qn_pack_u64(&payload, core->wall_ms);
    qn_pack_u64(&payload, count == 0 ? 0 : qn_median_low(values, count));
    qn_pack_u64(&payload, count);
    core->custodian->clock_ms = core->now_ms;
    custodian_mark(core_commit(core, QN_INTENT_LOCK_CLOCK, &payload, PENDING_CUSTODY), NULL,
                   CUSTODIAN_CLOCK);
}

void custodian_clock(struct qn_core *core)
{
    uint64_t clock_ms = core->custodian->clock_ms;
    if (clock_ms == 0 || core->now_ms >= clock_ms + CUSTODIAN_MS)
        read_clock(core);
}

static void clock_was_read(struct qn_core *core, enum qn_err err)
{
    if (err != QN_OK) {
        core->custodian->clock_ms = 0;
        core_note(core, "commit-failed", err, "lock clock");
        return;
    }
    custodian_read(core);
    book_touch(core); /* whether a backup is overdue is a question of time */
}

/* ---- what is held ---- */

void custodian_read(struct qn_core *core)
{
    static const struct qn_site_id nobody;
    struct custodian *custodian = core->custodian;
    if (custodian->is_reading)
        return;
    struct qn_read *read = QN_NEW(struct qn_read);
    read->kind = QN_READ_HELD;
    hold_read_args(HOLD_READ_ALL, &nobody, 2, &read->names);
    custodian->is_reading = true;
    custodian_mark(core_read_later(core, read, PENDING_CUSTODY), NULL, CUSTODIAN_READ);
}

static enum qn_err take_owner(struct qn_cursor *cursor, struct custody_owner *owner)
{
    size_t count;
    uint64_t size;
    QN_TRY(qn_cursor_array(cursor, 6, &count));
    QN_TRY(qn_cursor_bytes(cursor, owner->site.bytes, sizeof(owner->site.bytes)));
    QN_TRY(qn_cursor_bool(cursor, &owner->has_anything));
    QN_TRY(qn_cursor_u64(cursor, &owner->bad_count));
    QN_TRY(hold_take_after(cursor, &owner->next, &owner->has_next));
    QN_TRY(qn_cursor_u64(cursor, &size));
    return qn_cursor_u64(cursor, &owner->next_due_ms);
}

static enum qn_err take_owners(struct custodian *custodian, struct qn_span body)
{
    struct qn_cursor cursor = qn_cursor(body);
    custodian->owners.count = 0;
    QN_TRY(qn_cursor_u64(&cursor, &custodian->lock_ms));
    while (!qn_cursor_is_end(&cursor) && custodian->owners.count < QN_SITES_MAX) {
        struct custody_owner owner = {0};
        QN_TRY(take_owner(&cursor, &owner));
        qn_vec_push(&custodian->owners, owner);
    }
    return QN_OK;
}

/* ---- scrubbing ---- */

static const struct custody_owner *most_due(const struct custodian *custodian)
{
    const struct custody_owner *most = NULL;
    qn_vec_each (&custodian->owners, owner)
        if (owner->has_next && owner->next_due_ms <= custodian->lock_ms &&
            (most == NULL || owner->next_due_ms < most->next_due_ms))
            most = owner;
    return most;
}

static void start_file(struct qn_core *core, enum qn_file_kind kind,
                       const struct custody_owner *owner, enum custodian_what what)
{
    struct qn_file_work *work = QN_NEW(struct qn_file_work);
    *work = (struct qn_file_work){.kind = kind, .owner = owner->site};
    memcpy(work->name.bytes, owner->next.bytes, sizeof(work->name.bytes));
    struct pending *pending =
        custodian_mark(core_file(core, work, PENDING_CUSTODY), &owner->site, what);
    qn_buf_init(&pending->data, QN_DIGEST_SIZE);
    qn_buf_append_span(&pending->data, qn_digest_view(&owner->next));
}

static void scrub_next(struct qn_core *core)
{
    struct custodian *custodian = core->custodian;
    const struct custody_owner *owner = most_due(custodian);
    if (owner == NULL || custodian->is_scrubbing || core->now_ms < custodian->scrub_ms)
        return;
    custodian->is_scrubbing = true;
    start_file(core, QN_FILE_SCRUB, owner, CUSTODIAN_SCRUB);
}

static struct pending *store_scrubbed(struct qn_core *core, const struct qn_site_id *owner,
                                      struct qn_span pack, bool is_good, enum custodian_what what)
{
    struct qn_buf payload;
    qn_buf_init(&payload, 256);
    qn_pack_array(&payload, 3);
    qn_pack_bin(&payload, QN_SPAN_OF(owner->bytes));
    qn_pack_bin(&payload, pack);
    qn_pack_bool(&payload, is_good);
    custodian_clock(core);
    return custodian_mark(core_commit(core, QN_INTENT_HELD_SCRUBBED, &payload, PENDING_CUSTODY),
                          owner, what);
}

void custodian_found_bad(struct qn_core *core, const struct qn_site_id *owner,
                         const struct qn_digest *pack)
{
    (void)store_scrubbed(core, owner, qn_digest_view(pack), false, CUSTODIAN_FOUND);
}

/* The owner learns it from the answer to its challenge. */
static void found_was_stored(struct qn_core *core, enum qn_err err)
{
    bool left_meanwhile = err == QN_ERR_BUSY || err == QN_ERR_NOTFOUND;
    if (err == QN_OK)
        core_note(core, "held-pack-damaged", QN_ERR_CORRUPT, "");
    else if (!left_meanwhile)
        core_note(core, "commit-failed", err, "challenge");
    book_touch(core);
    custodian_read(core);
}

/* A sector that cannot be read is among it: app/files.c makes that CORRUPT. */
bool custodian_is_bad(enum qn_err err)
{
    return err == QN_ERR_CORRUPT || err == QN_ERR_NOTFOUND;
}

/* What could not be read for another reason than its content is tried again; the turn stays its. */
static void scrubbed(struct qn_core *core, const struct pending *pending, enum qn_err err)
{
    struct custodian *custodian = core->custodian;
    if (err != QN_OK && !custodian_is_bad(err)) {
        core_note(core, "held-file-failed", err, "scrub");
        custodian->is_scrubbing = false;
        custodian->scrub_ms = core->now_ms + CUSTODIAN_MS;
        return;
    }
    struct pending *commit = store_scrubbed(core, &pending->site, qn_buf_view(&pending->data),
                                            err == QN_OK, CUSTODIAN_SCRUBBED);
    commit->level = err != QN_OK;
    qn_buf_init(&commit->data, QN_DIGEST_SIZE);
    qn_buf_append_span(&commit->data, qn_buf_view(&pending->data));
}

/* On a second connection that stands the owner hears of it; else by what it asks first on the next
 * one, so there shall be one. */
static void tell_owner(struct qn_core *core, struct bulk *bulk, const struct qn_buf *pack)
{
    if (!bulk_is_wide(bulk)) {
        bulk_want(core, bulk);
        return;
    }
    qn_pack_bin(core_message(core, QN_MSG_PACK_BAD, 1), qn_buf_view(pack));
    bulk_send(core, bulk);
}

static void scrub_was_stored(struct qn_core *core, const struct pending *pending, enum qn_err err)
{
    struct bulk *bulk = bulk_of(core, &pending->site);
    bool was_bad = pending->level != 0;
    core->custodian->is_scrubbing = false;
    if (err != QN_OK && err != QN_ERR_BUSY && err != QN_ERR_NOTFOUND) { /* it left meanwhile */
        core_note(core, "commit-failed", err, "scrub");
        core->custodian->scrub_ms = core->now_ms + CUSTODIAN_MS;
    }
    if (err == QN_OK && was_bad) {
        core_note(core, "held-pack-damaged", QN_ERR_CORRUPT, "");
        if (bulk != NULL)
            tell_owner(core, bulk, &pending->data);
        book_touch(core);
    }
    custodian_read(core);
}

/* The clock is read as soon as it is known that somebody relies on it. */
static void tick(struct qn_core *core)
{
    struct custodian *custodian = core->custodian;
    custodian->tick_ms = core->now_ms + CUSTODIAN_MS;
    if (custodian->sweep_ms == 0) /* what a crash left over; not at once, others start too */
        custodian->sweep_ms = core->now_ms + core_jitter(core, CUSTODIAN_SWEEP_MS / 12);
    if (!custodian->has_read)
        custodian_read(core);
    else if (is_holder(core))
        custodian_clock(core);
}

/* ---- events ---- */

void custodian_outcome(struct qn_core *core, const struct pending *pending,
                       const struct qn_outcome *outcome)
{
    switch ((int)pending->seq) { /* those that are commits */
    case CUSTODIAN_CLOCK:
        clock_was_read(core, outcome->err);
        break;
    case CUSTODIAN_SCRUBBED:
        scrub_was_stored(core, pending, outcome->err);
        break;
    case CUSTODIAN_FOUND:
        found_was_stored(core, outcome->err);
        break;
    case CUSTODIAN_SWEEP:
        custodian_swept(core, outcome);
        break;
    case CUSTODIAN_UNLINKED:
        custodian_unlinked(core, outcome->err);
        break;
    case CUSTODIAN_STRAYS:
        custodian_strays(core, outcome);
        break;
    case CUSTODIAN_REPORTED:
        custodian_reported(core, outcome->err);
        break;
    case CUSTODIAN_CALM:
        if (outcome->err != QN_OK)
            core_note(core, "commit-failed", outcome->err, "alarms");
        book_touch(core);
        break;
    }
}

void custodian_read_done(struct qn_core *core, const struct pending *pending,
                         const struct qn_read_result *result)
{
    struct custodian *custodian = core->custodian;
    if (pending->seq != CUSTODIAN_READ) {
        custodian_report_read(core, pending, result);
        return;
    }
    custodian->is_reading = false;
    enum qn_err err = result->err;
    if (err == QN_OK)
        err = take_owners(custodian, qn_buf_view(&result->body));
    if (err != QN_OK) {
        core_note(core, "read-failed", err, "held");
        return;
    }
    bool is_first = !custodian->has_read;
    custodian->has_read = true;
    if (is_first)
        tick(core);
    scrub_next(core);
    custodian_report_tick(core);
}

void custodian_file_done(struct qn_core *core, const struct pending *pending,
                         const struct qn_file_result *result)
{
    if (pending->seq == CUSTODIAN_SCRUB)
        scrubbed(core, pending, result->err);
    else if (pending->seq == CUSTODIAN_LISTED)
        custodian_listed(core, result);
    else
        custodian_removed(core, pending, result->err);
}

void hold_tick_all(struct qn_core *core)
{
    struct custodian *custodian = core->custodian;
    if (core->now_ms >= custodian->tick_ms)
        tick(core);
    core_wake(core, custodian->tick_ms);
    custodian_sweep_tick(core);
    custodian_report_tick(core);
}
