/* Records that are damaged here, or that differ from those of another site: all sites that are
 * linked and share the collection are asked for their copies, and what the answers come to goes to
 * the store, which takes it only at the clock that the copies were read at. */
#include "core/call.h"
#include "core/integrity.h"

static void forget(struct coll *coll)
{
    struct repairing *repairing = coll->care.repairing;
    if (repairing == NULL)
        return;
    qn_vec_each (&repairing->votes, vote)
        qn_buf_deinit(&vote->copies);
    qn_vec_free(&repairing->votes);
    qn_buf_deinit(&repairing->keys);
    qn_free(repairing);
    coll->care.repairing = NULL;
}

void repair_free(struct coll *coll)
{
    forget(coll);
    qn_buf_deinit(&coll->care.suspects);
    qn_buf_deinit(&coll->care.after);
}

void repair_soon(struct coll *coll)
{
    coll->care.repair_ms = 0;
}

void repair_suspect(struct qn_core *core, struct coll *coll, struct qn_span keys, size_t count)
{
    struct care *care = &coll->care;
    if (care->suspect_count > 0 || count == 0)
        return; /* the rest comes to light at the next comparison */
    if (care->suspects.size_max == 0)
        qn_buf_init(&care->suspects, QN_CONTROL_FRAME_SIZE_MAX);
    qn_buf_reset(&care->suspects);
    qn_buf_append_span(&care->suspects, keys);
    care->suspect_count = count;
    care->repair_ms = core->now_ms;
    core_note(core, "fingerprint", QN_ERR_CORRUPT, coll->shown);
}

/* ---- asking ---- */

static bool gives_up(const struct qn_core *core, const struct coll *coll)
{
    uint64_t since_ms = coll->care.hopeless_ms;
    if (core->now_ms < coll->care.give_up_ms)
        return true;
    return since_ms != 0 && core->now_ms >= since_ms + GIVE_UP_MS;
}

/* What is left of records is asked for only when they would be given up: logs are read for it. */
static struct repairing *begin(const struct qn_core *core, struct coll *coll, bool of_suspects)
{
    struct repairing *repairing = QN_NEW(struct repairing);
    repairing->of_suspects = of_suspects;
    repairing->with_left = !of_suspects && gives_up(core, coll);
    qn_buf_init(&repairing->keys, QN_COPIES_MAX * (QN_KEY_SIZE_MAX + 8));
    coll->care.repairing = repairing;
    return repairing;
}

static void add_vote(struct repairing *repairing, const struct qn_site_id *site)
{
    struct vote *vote = qn_vec_push_slot(&repairing->votes);
    *vote = (struct vote){.site = *site};
    qn_buf_init(&vote->copies, QN_FRAME_SIZE_MAX);
}

static void read_own(struct qn_core *core, struct coll *coll)
{
    struct qn_read *read = QN_NEW(struct qn_read);
    *read = (struct qn_read){.kind = QN_READ_COPIES, .coll = coll->id};
    qn_buf_init(&read->names, QN_FRAME_SIZE_MAX);
    qn_buf_append_span(&read->names, qn_buf_view(&coll->care.repairing->keys));
    struct pending *pending = core_read_later(core, read, PENDING_INTEGRITY);
    pending->level = INTEGRITY_OWN;
    pending->coll = coll->id;
}

static void ask(struct qn_core *core, struct coll *coll)
{
    struct repairing *repairing = coll->care.repairing;
    add_vote(repairing, &core->site);
    read_own(core, coll);
    qn_vec_each (&core->peers, peer) {
        if (peer_share(*peer, &coll->id) == NULL)
            continue;
        add_vote(repairing, &(*peer)->site);
        struct qn_buf *out = core_message(core, QN_MSG_WANT, repairing->with_left ? 3 : 2);
        qn_pack_bin(out, QN_SPAN_OF(coll->id.bytes));
        qn_pack_raw(out, qn_buf_view(&repairing->keys));
        if (repairing->with_left)
            qn_pack_bool(out, true);
        core_send(core, (*peer)->session->link);
    }
    repairing->deadline_ms =
        core->now_ms + (repairing->with_left ? REPAIR_LEFT_WAIT_MS : REPAIR_WAIT_MS);
}

static void ask_suspects(struct qn_core *core, struct coll *coll)
{
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&coll->care.suspects));
    struct repairing *repairing = begin(core, coll, true);
    struct qn_span key;
    size_t count = coll->care.suspect_count;
    count = count < QN_COPIES_MAX ? count : QN_COPIES_MAX;
    qn_pack_array(&repairing->keys, count);
    for (size_t i = 0; i < count; i++)
        if (qn_cursor_str(&cursor, QN_KEY_SIZE_MAX, &key) == QN_OK)
            qn_pack_str(&repairing->keys, key);
    ask(core, coll);
}

/* Those behind the ones that were asked for last: some may be beyond help. */
static void read_aside(struct qn_core *core, struct coll *coll)
{
    struct qn_read *read = QN_NEW(struct qn_read);
    struct repairing *repairing = begin(core, coll, false);
    *read = (struct qn_read){.kind = QN_READ_ASIDE,
                             .coll = coll->id,
                             .size_wish = repairing->with_left ? LEFT_KEYS_MAX : QN_COPIES_MAX};
    qn_buf_init(&read->names, QN_KEY_SIZE_MAX);
    qn_buf_append_span(&read->names, qn_buf_view(&coll->care.after));
    repairing->deadline_ms = UINT64_MAX;
    struct pending *pending = core_read_later(core, read, PENDING_INTEGRITY);
    pending->level = INTEGRITY_ASIDE;
    pending->coll = coll->id;
}

static void retry(struct qn_core *core, struct coll *coll, uint64_t delay_ms)
{
    forget(coll);
    coll->care.repair_ms = core->now_ms + core_jitter(core, delay_ms);
}

static void take_aside(struct qn_core *core, struct coll *coll, const struct qn_read_result *result)
{
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&result->body));
    struct qn_span key = {0};
    size_t count = 0;
    if (result->err != QN_OK || qn_cursor_array(&cursor, QN_COPIES_MAX, &count) != QN_OK)
        count = 0;
    for (size_t i = 0; i < count; i++)
        if (qn_cursor_str(&cursor, QN_KEY_SIZE_MAX, &key) != QN_OK)
            count = 0;
    if (coll->care.after.size_max == 0)
        qn_buf_init(&coll->care.after, QN_KEY_SIZE_MAX);
    bool was_behind = coll->care.after.size > 0;
    qn_buf_reset(&coll->care.after);
    if (count == 0) { /* the end: from the beginning, at once or later */
        retry(core, coll, was_behind ? 0 : REPAIR_RETRY_MS);
        return;
    }
    qn_buf_append_span(&coll->care.after, key);
    qn_buf_append_span(&coll->care.repairing->keys, qn_buf_view(&result->body));
    ask(core, coll);
}

/* ---- deciding ---- */

static void drop_suspects(struct coll *coll)
{
    qn_buf_reset(&coll->care.suspects);
    coll->care.suspect_count = 0;
}

/* Whether every member of the collection has said what it has; of those that are there, if a person
 * said that the others will not come back. */
static bool have_all_answered(const struct qn_core *core, const struct coll *coll)
{
    size_t members = 1, answers = 0;
    qn_vec_each (&core->peers, peer)
        members += core_shares(core, coll, &(*peer)->site);
    qn_vec_each (&coll->care.repairing->votes, vote)
        answers += vote->has_answered;
    if (core->now_ms < coll->care.give_up_ms)
        return answers == coll->care.repairing->votes.count;
    return answers == members;
}

/* A record that nobody has whole: the wait for one who has it begins, goes on or is over. */
static void note_hope(const struct qn_core *core, struct coll *coll)
{
    struct care *care = &coll->care;
    if (care->repairing->of_suspects)
        return;
    care->waits_for_away = care->repairing->is_waiting;
    if (!care->repairing->has_all)
        return;
    if (!care->repairing->is_hopeless)
        care->hopeless_ms = 0;
    else if (care->hopeless_ms == 0)
        care->hopeless_ms = core->now_ms;
}

static uint64_t pause_after(const struct repairing *repairing, enum qn_err err)
{
    return err == QN_ERR_HELD && !repairing->is_hopeless ? REPAIR_AGAIN_MS : REPAIR_RETRY_MS;
}

static void decide(struct qn_core *core, struct coll *coll)
{
    struct qn_buf payload;
    size_t count = 0;
    qn_buf_init(&payload, 5 * QN_FRAME_SIZE_MAX);
    coll->care.repairing->has_all = have_all_answered(core, coll);
    enum qn_err err = repair_choose(core, coll, coll->care.repairing, &payload, &count);
    note_hope(core, coll);
    /* One dot with two contents is one way to this, and this site may have used it twice. */
    if (err == QN_OK && coll->care.repairing->diverges)
        share_renew(core);
    if (err == QN_OK && count > 0) {
        coll->care.repairing->is_committing = true;
        if (coll->care.repairing->has_given_up)
            core_note(core, "given-up", QN_OK, coll->shown);
        struct pending *pending = core_commit(core, QN_INTENT_REPAIR, &payload, PENDING_INTEGRITY);
        pending->level = INTEGRITY_REPAIR;
        pending->coll = coll->id;
        return;
    }
    qn_buf_deinit(&payload);
    /* There is nothing to do, or nobody can help; of suspects what is damaged is waited for as
     * such. */
    if (err == QN_OK || coll->care.repairing->is_hopeless)
        drop_suspects(coll);
    retry(core, coll, pause_after(coll->care.repairing, err));
}

static void decide_if_complete(struct qn_core *core, struct coll *coll)
{
    struct repairing *repairing = coll->care.repairing;
    bool is_complete = repairing->votes.count > 0 && !repairing->is_committing;
    qn_vec_each (&repairing->votes, vote)
        is_complete &= vote->has_answered;
    if (is_complete)
        decide(core, coll);
}

/* ---- what comes back ---- */

static void take_copies(struct qn_core *core, struct coll *coll, const struct qn_site_id *site,
                        struct qn_span copies)
{
    struct repairing *repairing = coll->care.repairing;
    if (repairing == NULL)
        return;
    qn_vec_each (&repairing->votes, vote) {
        if (vote->has_answered || !qn_site_id_eq(&vote->site, site))
            continue;
        qn_buf_append_span(&vote->copies, copies);
        vote->has_answered = true;
    }
    decide_if_complete(core, coll);
}

void repair_heard(struct qn_core *core, struct peer *peer, struct share *share,
                  struct qn_span copies)
{
    take_copies(core, share->coll, &peer->site, copies);
}

/* Who asks may have found a difference, which it may be this site's to settle: nobody would tell it
 * else. */
static void look_as_well(struct qn_core *core, struct peer *peer, struct coll *coll)
{
    if (core->now_ms < coll->care.look_ms)
        return;
    coll->care.look_ms = core->now_ms + core_jitter(core, COMPARE_MS);
    verify_look(core, peer, coll);
}

/* One answer at a time: whoever asks again before it came is not answered, and asks later. */
void repair_asked(struct qn_core *core, struct peer *peer, struct share *share, struct qn_span keys,
                  bool with_left)
{
    if (share->is_answering)
        return;
    share->is_answering = true;
    look_as_well(core, peer, share->coll);
    struct qn_read *read = QN_NEW(struct qn_read);
    *read = (struct qn_read){.kind = QN_READ_COPIES,
                             .coll = share->coll->id,
                             .asker = peer->site,
                             .with_left = with_left};
    qn_buf_init(&read->names, QN_FRAME_SIZE_MAX);
    qn_buf_append_span(&read->names, keys);
    struct pending *pending = core_read_later(core, read, PENDING_INTEGRITY);
    pending->level = INTEGRITY_ANSWER;
    pending->with_left = with_left;
    pending->link = peer->session->link;
    pending->coll = share->coll->id;
}

static void answer(struct qn_core *core, const struct pending *pending,
                   const struct qn_read_result *result)
{
    struct peer *peer = core_peer_of_link(core, pending->link);
    struct share *share = peer_share(peer, &pending->coll);
    if (share == NULL)
        return;
    share->is_answering = false;
    if (result->err != QN_OK)
        return;
    struct qn_buf *out = core_message(core, QN_MSG_COPIES, pending->with_left ? 4 : 3);
    qn_pack_bin(out, QN_SPAN_OF(pending->coll.bytes));
    qn_pack_raw(out, qn_buf_view(&result->body));
    core_send(core, peer->session->link);
}

void repair_read_done(struct qn_core *core, const struct pending *pending,
                      const struct qn_read_result *result)
{
    struct coll *coll = core_coll(core, &pending->coll);
    if (pending->level == INTEGRITY_ANSWER)
        answer(core, pending, result);
    else if (coll == NULL || coll->care.repairing == NULL)
        return;
    else if (pending->level == INTEGRITY_ASIDE)
        take_aside(core, coll, result);
    else if (result->err == QN_OK)
        take_copies(core, coll, &core->site, qn_buf_view(&result->body));
    else
        retry(core, coll, REPAIR_RETRY_MS);
}

/* Those that were asked for first are settled; what is left of them is found again. */
static void drop_asked(struct coll *coll)
{
    struct care *care = &coll->care;
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&care->suspects));
    struct qn_span key;
    size_t count = care->suspect_count < QN_COPIES_MAX ? care->suspect_count : QN_COPIES_MAX;
    for (size_t i = 0; i < count; i++)
        if (qn_cursor_str(&cursor, QN_KEY_SIZE_MAX, &key) != QN_OK)
            break;
    care->suspect_count -= count;
    qn_buf_consume(&care->suspects, cursor.at);
}

static void repaired(struct qn_core *core, struct coll *coll, const struct qn_outcome *outcome)
{
    if (coll->care.repairing == NULL)
        return;
    bool of_suspects = coll->care.repairing->of_suspects;
    if (outcome->err == QN_OK && of_suspects)
        drop_asked(coll);
    coll->care.compare_ms = core->now_ms;
    if (outcome->err == QN_OK && outcome->changed > 0) {
        core_note(core, "repaired", QN_OK, coll->shown);
        retry(core, coll, 0);
    } else if (outcome->err == QN_ERR_HELD) {
        retry(core, coll, REPAIR_AGAIN_MS);
    } else {
        if (outcome->err != QN_OK)
            core_note(core, "bad-copy", outcome->err, coll->shown);
        retry(core, coll, REPAIR_RETRY_MS);
    }
}

void repair_outcome(struct qn_core *core, const struct pending *pending,
                    const struct qn_outcome *outcome)
{
    struct coll *coll = core_coll(core, &pending->coll);
    if (coll == NULL)
        return;
    if (pending->level == INTEGRITY_COUNT)
        recount_outcome(core, coll, outcome);
    else
        repaired(core, coll, outcome);
}

/* Whoever is away and has it whole after all keeps its values when it is back (docs/records.md). */
void call_collection_give_up(const struct call *call)
{
    struct coll *coll = call_collection(call);
    if (coll == NULL)
        return;
    if (!coll->care.waits_for_away) {
        call_fail(call, QN_ERR_STATE, "not-waiting", qn_span_str(coll->shown));
        return;
    }
    coll->care.give_up_ms = call->core->now_ms + GIVES_UP_MS;
    repair_soon(coll);
    core_reply_end(call->core, call->id, NULL);
}

/* ---- time ---- */

static bool has_helper(const struct qn_core *core, const struct coll *coll)
{
    qn_vec_each (&core->peers, peer)
        if (peer_is_connected(*peer) && peer_share(*peer, &coll->id) != NULL)
            return true;
    return false;
}

static void compare(struct qn_core *core, struct coll *coll)
{
    if (!coll_differs(coll))
        return;
    if (core->now_ms >= coll->care.compare_ms) {
        coll->care.compare_ms = core->now_ms + core_jitter(core, COMPARE_MS);
        verify_again(core, coll);
    }
    core_wake(core, coll->care.compare_ms);
}

void repair_tick(struct qn_core *core, struct coll *coll)
{
    struct care *care = &coll->care;
    if (!coll->is_shared)
        return;
    compare(core, coll);
    if ((coll->info.damage.is_uncounted || care->wants_count) && !care->is_counting)
        recount_begin(core, coll);
    if (care->repairing != NULL) {
        bool is_late = core->now_ms >= care->repairing->deadline_ms;
        if (is_late && !care->repairing->is_committing)
            decide(core, coll);
        else if (care->repairing->deadline_ms != UINT64_MAX && !care->repairing->is_committing)
            core_wake(core, care->repairing->deadline_ms);
        return;
    }
    bool is_needed = coll->info.damage.damaged > 0 || care->suspect_count > 0;
    if (!is_needed || !has_helper(core, coll) || coll->info.late.is_late)
        return;
    if (core->now_ms < care->repair_ms)
        core_wake(core, care->repair_ms);
    else if (care->suspect_count > 0)
        ask_suspects(core, coll);
    else
        read_aside(core, coll);
}

void integrity_read_done(struct qn_core *core, const struct pending *pending,
                         const struct qn_read_result *result)
{
    if (pending->level == INTEGRITY_SCRUB)
        scrub_read_done(core, pending, result);
    else if (pending->level == INTEGRITY_VERIFY)
        verify_incidents_done(core, pending, result);
    else
        repair_read_done(core, pending, result);
}

void integrity_outcome(struct qn_core *core, const struct pending *pending,
                       const struct qn_outcome *outcome)
{
    if (pending->level == INTEGRITY_MEND || pending->level == INTEGRITY_SCRUBBED)
        scrub_outcome(core, pending, outcome);
    else
        repair_outcome(core, pending, outcome);
}
