/* Being late: becoming it, asking one source at a time for pages, and being it no more. */
#include "core/call.h"
#include "core/late.h"
#include "core/recover.h"
#include "model/bugs.h"

#define SILENCE_MS 30000 /* then another source is asked */
#define RETRY_MS   2000  /* a source that has no pages now is asked again */
#define IDLE_MS    30000 /* without any clean site */

void late_free(struct coll *coll)
{
    qn_free(coll->pass);
    coll->pass = NULL;
}

/* ---- who can bring what ---- */

unsigned late_own_flags(const struct coll *coll)
{
    bool is_late = coll->info.late.is_late && !QN_BUG(QN_BUG_LATE_SERVES);
    return QN_CLOCK_PAGES | (is_late ? QN_CLOCK_LATE : 0u);
}

static const struct qn_vv *clock_of(const struct peer *peer, const struct share *share)
{
    return &coll_known(share->coll, &peer->site)->clock;
}

static bool is_clean(const struct share *share)
{
    return share->has_clock && share->knows_pages && !share->is_late_there;
}

/* Of use is who has something that is not here; and, to bring a pass to its end, who has all that
 * is here: pages of a site that has less would end it with nothing. */
static bool has_pages(const struct peer *peer, const struct share *share)
{
    const struct qn_vv *theirs = clock_of(peer, share), *ours = &share->coll->cc;
    return is_clean(share) && (!qn_vv_covers(ours, theirs) || qn_vv_covers(theirs, ours));
}

bool late_takes_pages(const struct qn_core *core, const struct coll *coll)
{
    qn_vec_each (&core->peers, slot) {
        const struct share *share = peer_share(*slot, &coll->id);
        if (coll->info.late.is_passing && share != NULL && has_pages(*slot, share))
            return true;
    }
    return false;
}

bool late_needs(const struct peer *peer)
{
    if (peer->session == NULL)
        return false;
    qn_vec_each (&peer->session->shares, share) {
        const struct page_pass *pass = (*share)->coll->pass;
        if ((*share)->source != NULL || (pass != NULL && pass->link == peer->session->link))
            return true;
    }
    return false;
}

/* What is here is another thing than it was: their logs may reach back to it. */
void late_forgive(struct qn_core *core, struct coll *coll)
{
    qn_vec_each (&core->peers, slot) {
        struct share *share = peer_share(*slot, &coll->id);
        if (share != NULL)
            share->is_short = false;
    }
}

void late_heard_flags(struct qn_core *core, struct peer *peer, struct share *share, uint64_t flags)
{
    bool is_late = (flags & QN_CLOCK_LATE) != 0;
    if (share->is_late_there && !is_late) /* it has more to give than before */
        share->is_short = false;
    share->is_late_there = is_late;
    share->knows_pages |= (flags & QN_CLOCK_PAGES) != 0;
    if (!(flags & QN_CLOCK_SHORT))
        return;
    share->is_short = true;
    if (share->coll->grant == peer->session->link) {
        share->coll->grant = 0;
        coll_grant_next(core, share->coll);
    }
}

/* ---- becoming late ---- */

/* Two sites whose logs are short for each other: the one with the lower identity serves first, and
 * becomes late of the other when that has all. */
static bool must_wait(const struct qn_core *core, const struct peer *peer,
                      const struct share *share)
{
    return share->is_beyond && qn_site_id_cmp(&core->site, &peer->site) < 0;
}

/* Whether it may become late, or the source: not while that is being stored, nor at once again if
 * it could not be. */
static bool may_change(const struct qn_core *core, const struct coll *coll)
{
    return !coll->is_becoming_late && core->now_ms >= coll->late_retry_ms;
}

/* A log is short, and no other link has operations for us: only pages help. */
static bool needs_pages(const struct qn_core *core, const struct coll *coll)
{
    bool has_source = false;
    if (coll->grant != 0 || !may_change(core, coll))
        return false;
    qn_vec_each (&core->peers, slot) {
        const struct share *share = peer_share(*slot, &coll->id);
        has_source |= share != NULL && share->is_short && has_pages(*slot, share) &&
                      !must_wait(core, *slot, share);
    }
    return has_source;
}

static bool is_sole(const struct qn_core *core, const struct coll *coll)
{
    qn_vec_each (&core->peers, peer)
        if (core_shares(core, coll, &(*peer)->site))
            return false;
    return true;
}

/* They became late of each other at once. Whoever has no page yet can be the source after all: the
 * one with the lower identity, or any if that one cannot for a while. So can who was late of a
 * member that has left. */
static bool should_be_source(const struct qn_core *core, const struct coll *coll)
{
    const struct qn_late *late = &coll->info.late;
    size_t others = 0, lower = 0;
    if (late->segs > 0 || late->cursor_size > 0 || coll->pages_count > 0 || !may_change(core, coll))
        return false;
    qn_vec_each (&core->peers, slot) {
        const struct share *share = peer_share(*slot, &coll->id);
        if (share == NULL || !share->has_clock || !share->is_late_there)
            continue;
        others++;
        lower += qn_site_id_cmp(&(*slot)->site, &core->site) < 0;
    }
    if (others == 0)
        return is_sole(core, coll);
    return lower == 0 || core->now_ms >= coll->pass->idle_ms + lower * IDLE_MS;
}

static void cancel(struct qn_core *core, struct coll *coll)
{
    struct qn_buf payload;
    qn_buf_init(&payload, 64);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, QN_SPAN_OF(coll->id.bytes));
    core_commit(core, QN_INTENT_LATE_CANCEL, &payload, PENDING_LATE)->coll = coll->id;
    coll->is_becoming_late = true;
}

static void pack_intent(const struct coll *coll, bool may_drop, struct qn_buf *ret_payload)
{
    qn_buf_init(ret_payload, 64);
    qn_pack_array(ret_payload, 2);
    qn_pack_bin(ret_payload, QN_SPAN_OF(coll->id.bytes));
    qn_pack_bool(ret_payload, may_drop);
}

static void become_late(struct qn_core *core, struct coll *coll)
{
    struct qn_buf payload;
    pack_intent(coll, false, &payload);
    core_commit(core, QN_INTENT_LATE, &payload, PENDING_LATE)->coll = coll->id;
    coll->is_becoming_late = true;
}

/* ---- one source at a time ---- */

static struct page_pass *pass_of(struct coll *coll)
{
    if (coll->pass == NULL)
        coll->pass = QN_NEW(struct page_pass);
    return coll->pass;
}

/* Whether it is to be asked now: whoever has none now, later. */
static bool may_ask(const struct qn_core *core, const struct share *share, uint64_t *retry_ms)
{
    if (share->no_pages_ms <= core->now_ms)
        return true;
    *retry_ms = share->no_pages_ms < *retry_ms ? share->no_pages_ms : *retry_ms;
    return false;
}

/* Somebody who is connected has what is not here, though it gives none now: it is late itself, or
 * was asked a moment ago. A pass that ended with the pages of another one would be for nothing, and
 * the next one begin at once. */
static bool is_worth_waiting(const struct qn_core *core, const struct coll *coll)
{
    qn_vec_each (&core->peers, slot) {
        const struct share *share = peer_share(*slot, &coll->id);
        if (share != NULL && share->has_clock && share->knows_pages &&
            !qn_vv_covers(&coll->cc, clock_of(*slot, share)))
            return true;
    }
    return false;
}

/* Whoever has most that is not here. With nobody like that for a while, any clean site: what it has
 * is enough to say that nothing else is missing. */
static struct peer *best_source(const struct qn_core *core, const struct coll *coll,
                                uint64_t *ret_retry_ms)
{
    struct peer *best = NULL;
    uint64_t most = 0, idle_ms = coll->pass->idle_ms;
    bool takes_any = idle_ms != 0 && core->now_ms >= idle_ms + IDLE_MS;
    *ret_retry_ms = UINT64_MAX;
    qn_vec_each (&core->peers, slot) {
        const struct share *share = peer_share(*slot, &coll->id);
        if (share == NULL || !(has_pages(*slot, share) || (takes_any && is_clean(share))) ||
            !may_ask(core, share, ret_retry_ms))
            continue;
        uint64_t missing = qn_vv_missing(&coll->cc, clock_of(*slot, share));
        best = best == NULL || missing > most ? *slot : best;
        most = missing > most ? missing : most;
    }
    return most == 0 && !takes_any && is_worth_waiting(core, coll) ? NULL : best;
}

static void ask(struct qn_core *core, struct coll *coll, const struct peer *peer)
{
    struct page_pass *pass = coll->pass;
    pass->link = peer->session->link;
    pass->number = core_token(core);
    pass->next_seq = 0;
    pass->heard_ms = pass->rate_at_ms = core->now_ms;
    pass->idle_ms = 0;
    pass->rate = pass->rate_bytes = 0;
    const struct qn_late *late = &coll->info.late;
    pass->is_whole |= late->cursor_size == 0;
    pass->records = late->cursor_size == 0 ? 0 : pass->records;
    struct qn_buf *out = core_message(core, QN_MSG_NEEDPAGES, 4);
    qn_pack_bin(out, QN_SPAN_OF(coll->id.bytes));
    qn_pack_u64(out, pass->number);
    qn_pack_bin(out, qn_span(late->cursor, late->cursor_size));
    qn_pack_bin(out, qn_span(late->clock.bytes, late->has_clock ? sizeof(late->clock.bytes) : 0));
    core_send(core, pass->link);
}

void late_leave_source(struct qn_core *core, struct page_pass *pass, uint64_t retry_ms)
{
    pass->link = 0;
    pass->number = 0;
    pass->retry_ms = retry_ms;
    core_wake(core, retry_ms);
}

void late_source_has_none(struct qn_core *core, struct share *share, struct page_pass *pass)
{
    share->no_pages_ms = core->now_ms + core_jitter(core, RETRY_MS);
    late_leave_source(core, pass, core->now_ms);
}

void late_session_ends(struct qn_core *core, struct share *share, qn_link link)
{
    struct page_pass *pass = share->coll->pass;
    pages_end(core, share);
    if (pass != NULL && pass->link == link)
        late_leave_source(core, pass, core->now_ms);
}

static void find_source(struct qn_core *core, struct coll *coll)
{
    uint64_t retry_ms;
    struct page_pass *pass = coll->pass;
    const struct peer *peer = best_source(core, coll, &retry_ms);
    if (peer != NULL) {
        ask(core, coll, peer);
        return;
    }
    core_wake(core, retry_ms);
    pass->idle_ms = pass->idle_ms == 0 ? core->now_ms : pass->idle_ms;
    core_wake(core, core->now_ms + IDLE_MS);
    if (retry_ms == UINT64_MAX && should_be_source(core, coll)) /* nobody is clean */
        cancel(core, coll);
}

static void pass_tick(struct qn_core *core, struct coll *coll)
{
    struct page_pass *pass = pass_of(coll);
    struct peer *peer = pass->link == 0 ? NULL : core_peer_of_link(core, pass->link);
    if (pass->is_stopped || recover_brings_pages(core, coll))
        return;
    if (peer != NULL && core->now_ms >= pass->heard_ms + SILENCE_MS)
        late_source_has_none(core, session_share(peer->session, &coll->id), pass);
    if (pass->link != 0)
        core_wake(core, pass->heard_ms + SILENCE_MS);
    else if (core->now_ms < pass->retry_ms)
        core_wake(core, pass->retry_ms);
    else if (coll->pages_count == 0) /* else where it stands is not known yet */
        find_source(core, coll);
}

/* The others are told at once: who is late is not asked for what it cannot give. What was held for
 * two chains may go on. */
static void say_mode(struct qn_core *core, struct coll *coll)
{
    coll->said_late = coll->info.late.is_late;
    qn_vec_each (&core->peers, slot) {
        struct share *share = peer_share(*slot, &coll->id);
        if (share == NULL)
            continue;
        share_say_clock(core, *slot, share, 0);
        if (coll->is_forked_late && !coll->said_late)
            inbox_retry(core, *slot, share);
    }
}

static void coll_tick(struct qn_core *core, struct coll *coll)
{
    if (coll->said_late != coll->info.late.is_late)
        say_mode(core, coll);
    rescue_tick(core, coll);
    if (core->now_ms < coll->late_retry_ms)
        core_wake(core, coll->late_retry_ms);
    if (coll->info.late.is_passing)
        pass_tick(core, coll);
    else if (needs_pages(core, coll))
        become_late(core, coll);
}

void late_tick(struct qn_core *core)
{
    qn_vec_each (&core->colls, coll)
        if ((*coll)->is_shared)
            coll_tick(core, *coll);
}

/* ---- being late no more ---- */

/* No pages are wanted any more: what the sources wrote since, and what is missing to be clean,
 * comes from their logs. */
void late_coll_moved(struct qn_core *core, struct coll *coll)
{
    if (coll->info.late.is_passing || coll->pass == NULL)
        return;
    if (coll->pass->bytes > 0)
        core_note(core, "caught-up", QN_OK, coll->shown);
    late_free(coll);
    late_forgive(core, coll);
    say_mode(core, coll);
    coll_grant_next(core, coll);
}

/* People have looked: what the pass takes away was deleted elsewhere. */
void call_collection_resume(const struct call *call)
{
    struct coll *coll = call_collection(call);
    struct qn_buf payload;
    if (coll == NULL)
        return;
    if (!coll->info.late.is_passing) {
        call_fail(call, QN_ERR_STATE, "not-late", qn_span_str(coll->shown));
        return;
    }
    pass_of(coll)->is_stopped = false;
    pass_of(coll)->retry_ms = call->core->now_ms + RETRY_MS; /* behind the commit */
    pack_intent(coll, true, &payload);
    call_commit(call, QN_INTENT_LATE, &payload, qn_span_str(coll->shown));
}
