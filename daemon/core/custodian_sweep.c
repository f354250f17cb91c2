/* Letting go, owner by owner: a step of the sweep condemns packs, their files are removed, then
 * their rows go. A crash between two of them is made good by the next sweep. Steps keep a distance,
 * so that a sweep of many packs does not delay anybody.
 *
 * The first sweep after a start goes through the files, too: one that was durable before a crash,
 * and whose row was not, is of no use to anybody, and its owner sends it again. */
#include "core/hold_impl.h"

#define SWEEP_PACKS   256 /* looked at in one step */
#define DAY_MS        (24ull * 3600 * 1000)
#define SWEEP_SOON_MS 60000

void custodian_sweep_deinit(struct custodian_sweep *sweep)
{
    qn_buf_deinit(&sweep->names);
    qn_buf_deinit(&sweep->gone);
    *sweep = (struct custodian_sweep){0};
}

void custodian_sweep_soon(struct qn_core *core)
{
    struct custodian *custodian = core->custodian;
    uint64_t soon_ms = core->now_ms + SWEEP_SOON_MS;
    if (custodian->sweep_ms == 0 || soon_ms < custodian->sweep_ms)
        custodian->sweep_ms = soon_ms;
}

static void begin_payload(const struct custodian_sweep *sweep, size_t count, struct qn_buf *out)
{
    qn_buf_init(out, QN_HELD_SWEEP_PACKS_MAX * QN_DIGEST_SIZE + 256);
    qn_pack_array(out, count);
    qn_pack_bin(out, QN_SPAN_OF(sweep->owner.bytes));
}

static void step_later(struct qn_core *core)
{
    struct custodian_sweep *sweep = &core->custodian->sweep;
    sweep->is_waiting = false;
    sweep->step_ms = core->now_ms + CUSTODIAN_STEP_MS;
}

static void give_up(struct qn_core *core, enum qn_err err)
{
    core_note(core, "sweep-failed", err, "");
    custodian_sweep_deinit(&core->custodian->sweep);
}

/* ---- a step ---- */

static void condemn(struct qn_core *core)
{
    struct custodian_sweep *sweep = &core->custodian->sweep;
    struct qn_buf payload;
    begin_payload(sweep, 3, &payload);
    qn_pack_bin(&payload, qn_digest_view(&sweep->after));
    qn_pack_u64(&payload, SWEEP_PACKS);
    sweep->is_waiting = true;
    custodian_clock(core);
    custodian_mark(core_commit(core, QN_INTENT_HELD_SWEEP, &payload, PENDING_CUSTODY),
                   &sweep->owner, CUSTODIAN_SWEEP);
}

static void say_unlinked(struct qn_core *core)
{
    struct custodian_sweep *sweep = &core->custodian->sweep;
    struct qn_buf payload;
    begin_payload(sweep, 2, &payload);
    qn_pack_bin(&payload, qn_buf_view(&sweep->gone));
    custodian_clock(core);
    custodian_mark(core_commit(core, QN_INTENT_HELD_UNLINKED, &payload, PENDING_CUSTODY),
                   &sweep->owner, CUSTODIAN_UNLINKED);
}

/* A pack that is just arriving (a damaged one that is sent again) keeps its file until the store
 * has refused it: then it is the next sweep's. */
static bool is_arriving(struct qn_core *core, const struct qn_digest *name)
{
    struct bulk *bulk = bulk_of(core, &core->custodian->sweep.owner);
    return bulk != NULL && hold_pack_named(bulk->hold, name) != NULL;
}

static void remove_one(struct qn_core *core, const struct qn_digest *name)
{
    struct custodian_sweep *sweep = &core->custodian->sweep;
    struct qn_file_work *work = QN_NEW(struct qn_file_work);
    *work = (struct qn_file_work){.kind = QN_FILE_REMOVE, .owner = sweep->owner};
    memcpy(work->name.bytes, name->bytes, sizeof(work->name.bytes));
    struct pending *pending =
        custodian_mark(core_file(core, work, PENDING_CUSTODY), &sweep->owner, CUSTODIAN_REMOVED);
    qn_buf_init(&pending->data, QN_DIGEST_SIZE);
    qn_buf_append_span(&pending->data, qn_digest_view(name));
    sweep->removing++;
}

static void remove_files(struct qn_core *core)
{
    struct custodian_sweep *sweep = &core->custodian->sweep;
    for (; sweep->next < sweep->names.size && sweep->removing < CUSTODIAN_REMOVES;
         sweep->next += QN_DIGEST_SIZE) {
        struct qn_digest name;
        memcpy(name.bytes, sweep->names.data + sweep->next, sizeof(name.bytes));
        if (!is_arriving(core, &name))
            remove_one(core, &name);
    }
    if (sweep->removing > 0)
        return;
    if (sweep->gone.size > 0)
        say_unlinked(core);
    else
        step_later(core);
}

static enum qn_err take_swept(struct custodian_sweep *sweep, const struct qn_outcome *outcome)
{
    struct qn_cursor cursor = qn_cursor(qn_span(outcome->answer, outcome->answer_size));
    struct qn_span names;
    size_t count;
    QN_TRY(outcome->err);
    QN_TRY(qn_cursor_array(&cursor, 3, &count));
    QN_TRY(qn_cursor_bin(&cursor, QN_HELD_SWEEP_PACKS_MAX * QN_DIGEST_SIZE, &names));
    QN_TRY(qn_cursor_bytes(&cursor, sweep->after.bytes, sizeof(sweep->after.bytes)));
    QN_TRY(qn_cursor_bool(&cursor, &sweep->is_end));
    qn_buf_reset(&sweep->names);
    qn_buf_reset(&sweep->gone);
    qn_buf_append_span(&sweep->names, names);
    sweep->next = 0;
    return QN_OK;
}

void custodian_swept(struct qn_core *core, const struct qn_outcome *outcome)
{
    enum qn_err err = take_swept(&core->custodian->sweep, outcome);
    if (err == QN_ERR_NOTFOUND) /* nothing was ever agreed */
        core->custodian->sweep.is_end = true;
    if (err != QN_OK && err != QN_ERR_NOTFOUND) {
        give_up(core, err);
        return;
    }
    remove_files(core);
}

void custodian_removed(struct qn_core *core, const struct pending *pending, enum qn_err err)
{
    struct custodian_sweep *sweep = &core->custodian->sweep;
    if (pending->seq == CUSTODIAN_PARTS) {
        if (err != QN_OK)
            core_note(core, "held-file-failed", err, "parts");
        return;
    }
    sweep->removing--;
    if (err == QN_OK && !sweep->is_at_strays) /* those have no row */
        qn_buf_append_span(&sweep->gone, qn_buf_view(&pending->data));
    else if (err != QN_OK)
        core_note(core, "held-file-failed", err, "sweep");
    remove_files(core);
}

void custodian_unlinked(struct qn_core *core, enum qn_err err)
{
    if (err != QN_OK)
        core_note(core, "commit-failed", err, "sweep"); /* the next sweep finds them again */
    book_touch(core);
    step_later(core);
}

/* ---- files without a row ---- */

static void list_files(struct qn_core *core)
{
    struct custodian_sweep *sweep = &core->custodian->sweep;
    struct qn_file_work *work = QN_NEW(struct qn_file_work);
    *work = (struct qn_file_work){
        .kind = QN_FILE_LIST, .owner = sweep->owner, .size = QN_HELD_SWEEP_PACKS_MAX};
    memcpy(work->name.bytes, sweep->after.bytes, sizeof(work->name.bytes));
    sweep->is_waiting = true;
    custodian_mark(core_file(core, work, PENDING_CUSTODY), &sweep->owner, CUSTODIAN_LISTED);
}

/* Asked of the writer, not read: what it stored before is told before. */
void custodian_listed(struct qn_core *core, const struct qn_file_result *result)
{
    struct custodian_sweep *sweep = &core->custodian->sweep;
    struct qn_span names = qn_buf_view(&result->bytes);
    struct qn_buf payload;
    bool is_right =
        names.size % QN_DIGEST_SIZE == 0 && names.size <= QN_HELD_SWEEP_PACKS_MAX * QN_DIGEST_SIZE;
    sweep->is_strays_end = true;
    if (result->err != QN_OK || !is_right || names.size == 0) {
        if (result->err != QN_OK)
            core_note(core, "held-file-failed", result->err, "files");
        step_later(core);
        return;
    }
    sweep->is_strays_end = names.size < QN_HELD_SWEEP_PACKS_MAX * QN_DIGEST_SIZE;
    memcpy(sweep->after.bytes, names.data + names.size - QN_DIGEST_SIZE, QN_DIGEST_SIZE);
    begin_payload(sweep, 2, &payload);
    qn_pack_bin(&payload, names);
    custodian_clock(core);
    custodian_mark(core_commit(core, QN_INTENT_HELD_STRAYS, &payload, PENDING_CUSTODY),
                   &sweep->owner, CUSTODIAN_STRAYS);
}

/* One that is arriving, or whose row is on its way, is passed over (is_arriving). Whatever is done
 * with a file of that name from now on is done after its removal. */
void custodian_strays(struct qn_core *core, const struct qn_outcome *outcome)
{
    struct custodian_sweep *sweep = &core->custodian->sweep;
    struct qn_cursor cursor = qn_cursor(qn_span(outcome->answer, outcome->answer_size));
    struct qn_span names = {0};
    size_t count;
    enum qn_err err = outcome->err;
    if (err == QN_OK)
        err = qn_cursor_array(&cursor, 1, &count);
    if (err == QN_OK)
        err = qn_cursor_bin(&cursor, QN_HELD_SWEEP_PACKS_MAX * QN_DIGEST_SIZE, &names);
    if (err != QN_OK) {
        give_up(core, err);
        return;
    }
    qn_buf_reset(&sweep->names);
    qn_buf_reset(&sweep->gone);
    qn_buf_append_span(&sweep->names, names);
    sweep->next = 0;
    remove_files(core);
}

/* Whether there is more of them to look at. */
static bool goes_on_with_files(struct qn_core *core)
{
    struct custodian_sweep *sweep = &core->custodian->sweep;
    if (!sweep->has_owner || !sweep->seeks_strays || sweep->is_strays_end)
        return false;
    if (!sweep->is_at_strays)
        sweep->after = (struct qn_digest){0};
    sweep->is_at_strays = true;
    list_files(core);
    return true;
}

/* ---- from owner to owner ---- */

static void sweep_parts(struct qn_core *core)
{
    struct custodian_sweep *sweep = &core->custodian->sweep;
    struct qn_file_work *work = QN_NEW(struct qn_file_work);
    *work = (struct qn_file_work){
        .kind = QN_FILE_SWEEP, .owner = sweep->owner, .size = QN_HELD_PART_DAYS * DAY_MS};
    custodian_mark(core_file(core, work, PENDING_CUSTODY), &sweep->owner, CUSTODIAN_PARTS);
}

/* The owner behind the present one; owners ascend. */
static bool next_owner(struct custodian *custodian)
{
    struct custodian_sweep *sweep = &custodian->sweep;
    qn_vec_each (&custodian->owners, owner) {
        if (sweep->has_owner && qn_site_id_cmp(&owner->site, &sweep->owner) <= 0)
            continue;
        sweep->owner = owner->site;
        sweep->has_owner = true;
        sweep->is_end = sweep->is_at_strays = sweep->is_strays_end = false;
        sweep->after = (struct qn_digest){0};
        return true;
    }
    return false;
}

static void start(struct qn_core *core)
{
    struct custodian *custodian = core->custodian;
    custodian->sweep_ms = core->now_ms + core_jitter(core, CUSTODIAN_SWEEP_MS);
    custodian_sweep_deinit(&custodian->sweep);
    qn_buf_init(&custodian->sweep.names, QN_HELD_SWEEP_PACKS_MAX * QN_DIGEST_SIZE);
    qn_buf_init(&custodian->sweep.gone, QN_HELD_SWEEP_PACKS_MAX * QN_DIGEST_SIZE);
    custodian->sweep.is_end = true; /* of nothing: the first owner is next */
    custodian->sweep.is_active = true;
    custodian->sweep.seeks_strays = !custodian->has_sought && !core->is_in_doubt;
}

static void go_on(struct qn_core *core)
{
    struct custodian_sweep *sweep = &core->custodian->sweep;
    if (sweep->is_end) {
        if (goes_on_with_files(core))
            return;
        if (sweep->has_owner)
            sweep_parts(core);
        if (!next_owner(core->custodian)) {
            core->custodian->has_sought |= sweep->seeks_strays;
            custodian_sweep_deinit(sweep);
            return;
        }
    }
    condemn(core);
}

void custodian_sweep_tick(struct qn_core *core)
{
    struct custodian *custodian = core->custodian;
    struct custodian_sweep *sweep = &custodian->sweep;
    if (!custodian->has_read || custodian->owners.count == 0)
        return;
    if (!sweep->is_active && core->now_ms >= custodian->sweep_ms)
        start(core);
    if (sweep->is_active && !sweep->is_waiting && core->now_ms >= sweep->step_ms)
        go_on(core);
    if (!sweep->is_active)
        core_wake(core, custodian->sweep_ms);
    else if (!sweep->is_waiting)
        core_wake(core, sweep->step_ms);
}
