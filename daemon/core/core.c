#include "core/core.h"
#include "core/presence.h"

#include <stdio.h>

#include "core/hold.h"
#include "core/integrity.h"
#include "core/late.h"
#include "core/recover.h"
#include "core/trail.h"
#include "core/twin.h"
#include "model/doubt.h"

struct qn_core *qn_core_new(const struct qn_core_options *options)
{
    struct qn_core *core = QN_NEW(struct qn_core);
    core->options = *options;
    snprintf(core->name, sizeof(core->name), "%s", options->name);
    snprintf(core->entity, sizeof(core->entity), "%s", options->legal_entity);
    snprintf(core->version, sizeof(core->version), "%s", options->version);
    for (size_t i = 0; i < options->address_count && i < QN_ADDRESSES_MAX; i++)
        snprintf(core->addresses[i], sizeof(core->addresses[i]), "%s", options->addresses[i]);
    qn_buf_init(&core->genesis, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_buf_append_span(&core->genesis, options->genesis);
    qn_buf_init(&core->frame, QN_FRAME_SIZE_MAX);
    qn_buf_init(&core->own_announcement, QN_ANNOUNCEMENT_SIZE_MAX);
    core->site = options->site;
    qn_core_set_sealed_key(core, options->sealed_key, options->key_epoch);
    if (options->recovery != NULL)
        core->recovery.stage = options->sealed_key.size > 0 ? RECOVERY_VAULT : RECOVERY_KEY;
    core->ledger = qn_ledger_new();
    core->prng.state = options->seed;
    core->backup = backup_new();
    core->custodian = custodian_new();
    core->scrubbing.at = QN_NEW(struct qn_scrub);
    qn_core_set_rate(core, options->rate);
    qn_core_set_log_caps(core, &options->log);
    qn_core_set_history_days(core, options->history_days);
    if (options->join != NULL)
        core->joining.code = *options->join;
    core->joining.is_active = options->join != NULL;
    return core;
}

void qn_core_set_sealed_key(struct qn_core *core, struct qn_span sealed, uint64_t epoch)
{
    QN_ASSERT(sealed.size <= sizeof(core->sealed_key));
    if (sealed.size > 0)
        memcpy(core->sealed_key, sealed.data, sealed.size);
    core->options.sealed_key = qn_span(core->sealed_key, sealed.size);
    core->options.key_epoch = epoch;
}

static void free_tables(struct qn_core *core)
{
    qn_vec_each (&core->peers, peer)
        peer_free(*peer);
    qn_vec_each (&core->colls, coll)
        coll_free(*coll);
    qn_vec_each (&core->guests, guest)
        qn_free(*guest);
    qn_vec_each (&core->verifies, verify)
        verify_free(*verify);
    qn_vec_each (&core->pending, pending)
        qn_buf_deinit(&pending->data);
    trail_asks_free(core);
    sweeps_free(core);
    qn_vec_each (&core->early, early)
        qn_buf_deinit(early);
    qn_vec_free(&core->early);
    qn_vec_free(&core->peers);
    qn_vec_free(&core->colls);
    qn_vec_free(&core->guests);
    qn_vec_free(&core->verifies);
    qn_vec_free(&core->pending);
    qn_vec_free(&core->admitted);
}

void qn_core_free(struct qn_core *core)
{
    if (core == NULL)
        return;
    free_tables(core);
    join_free(&core->joining);
    backup_free(core->backup);
    custodian_free(core->custodian);
    recovery_free(&core->recovery);
    qn_ledger_free(core->ledger);
    qn_free(core->scrubbing.at);
    qn_buf_deinit(&core->genesis);
    qn_buf_deinit(&core->frame);
    qn_buf_deinit(&core->own_announcement);
    presence_free(&core->presence);
    qn_free(core);
}

/* ---- taking over what the store holds ---- */

static enum qn_err load_known(struct coll *coll, struct qn_kv *kv)
{
    struct qn_site_id after;
    const struct qn_site_id *from = NULL;
    for (;;) {
        struct qn_site_id site;
        QN_AUTO_VV struct qn_vv clock = {0};
        uint64_t heard_ms;
        enum qn_err err = qn_peer_clock_next(kv, &coll->id, from, &site, &clock, &heard_ms);
        if (err == QN_ERR_NOTFOUND)
            return QN_OK;
        QN_TRY(err);
        struct known *known = coll_known(coll, &site);
        qn_vv_copy(&known->clock, &clock);
        known->heard_ms = heard_ms;
        after = site;
        from = &after;
    }
}

static enum qn_err load_coll(struct qn_core *core, struct coll *coll, struct qn_kv *kv)
{
    struct qn_coll_info info;
    QN_AUTO_VV struct qn_vv cc = {0};
    QN_TRY(qn_read_coll(kv, &coll->id, &info));
    QN_TRY(qn_read_cc(kv, &coll->id, &cc));
    coll_update(coll, &info, &cc);
    coll->said_late = info.late.is_late;
    presence_moved(core, coll);
    QN_TRY(rescue_load(coll, kv));
    return load_known(coll, kv);
}

/* What is stored of collections that this site has no part in now: it may be granted one again. */
static enum qn_err find_left_colls(struct qn_core *core, struct qn_kv *kv)
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    if (group == NULL)
        return QN_OK;
    qn_vec_each (&group->collections, collection) {
        QN_AUTO_VV struct qn_vv cc = {0};
        if (core_coll(core, &collection->id) != NULL)
            continue;
        QN_TRY(qn_read_cc(kv, &collection->id, &cc));
        if (cc.entries.count > 0)
            core_coll_make(core, &collection->id);
    }
    return QN_OK;
}

static enum qn_err load_peer(struct qn_core *core, struct peer *peer, struct qn_kv *kv)
{
    struct qn_span announcement;
    uint64_t contact_ms;
    QN_TRY(trail_load(peer, kv));
    enum qn_err err = qn_site_contact_get(kv, &peer->site, &announcement, &contact_ms);
    if (err == QN_ERR_NOTFOUND)
        return QN_OK;
    QN_TRY(err);
    peer->contact_ms = contact_ms;
    if (announcement.size > 0)
        peer_announced(core, announcement, 0);
    peer->is_contact_dirty = false;
    return QN_OK;
}

enum qn_err qn_core_load(struct qn_core *core, struct qn_kv *kv)
{
    QN_ASSERT(!core->is_started);
    QN_TRY(qn_ledger_load(core->ledger, kv));
    QN_TRY(qn_doubt_get(kv, &core->is_in_doubt));
    QN_TRY(qn_read_own_actor(kv, &core->site, &core->actor));
    core_refresh_colls(core);
    QN_TRY(find_left_colls(core, kv));
    core_refresh_colls(core); /* those, too, may be readable */
    core_refresh_peers(core);
    qn_vec_each (&core->colls, coll)
        QN_TRY(load_coll(core, *coll, kv));
    core_name_colls(core);
    qn_vec_each (&core->peers, peer)
        QN_TRY(load_peer(core, *peer, kv));
    return backup_load(core, kv);
}

/* ---- one step ---- */

static void start(struct qn_core *core)
{
    core->is_started = true;
    core->started_ms = core->now_ms;
    core->persist_ms = core->now_ms;
    forget_start(core);
    cut_log_start(core);
    if (core_was_admitted(core)) /* once: a site that left needs a new invitation */
        core->joining.is_active = false;
    if (core->genesis.size > 0 && qn_ledger_count(core->ledger) == 0) {
        struct qn_buf payload;
        qn_buf_init(&payload, QN_LEDGER_ENTRY_SIZE_MAX + 16);
        qn_pack_array(&payload, 1);
        qn_pack_bin(&payload, qn_buf_view(&core->genesis));
        core_commit(core, QN_INTENT_LEDGER_MERGE, &payload, PENDING_QUIET);
    }
    if (core->joining.is_active)
        join_start(core);
    core_refresh_admitted(core);
    backup_start(core);
}

static void link_up(struct qn_core *core, const struct qn_event *event)
{
    switch (event->link_kind) {
    case QN_LINK_MEMBER:
        peers_link_up(core, event);
        break;
    case QN_LINK_GUEST:
        if (event->is_dialled && !tell_up(core, event))
            join_up(core, event);
        else if (event->is_dialled)
            break;
        else
            guest_up(core, event);
        break;
    case QN_LINK_BULK:
        bulk_up(core, event);
        break;
    }
}

static void link_down(struct qn_core *core, const struct qn_event *event)
{
    struct bulk *bulk = bulk_of_link(core, event->link);
    if (core->joining.link == event->link)
        join_down(core);
    else if (core_guest(core, event->link) != NULL)
        guest_down(core, event->link);
    else if (tell_down(core, event->link))
        return;
    else if (bulk != NULL)
        bulk_down(core, bulk, event->err);
    else
        peers_link_down(core, event);
}

static void dial_failed(struct qn_core *core, const struct qn_event *event)
{
    if (core->joining.dial_token == event->token)
        join_dial_failed(core);
    else if (!bulk_dial_failed(core, event))
        peers_dial_failed(core, event);
}

static void frame_arrived(struct qn_core *core, const struct qn_event *event)
{
    struct guest *guest = core_guest(core, event->link);
    struct peer *peer = core_peer_of_link(core, event->link);
    struct bulk *bulk = bulk_of_link(core, event->link);
    if (guest != NULL)
        guest_frame(core, guest, event->frame);
    else if (core->joining.link == event->link)
        join_frame(core, event->frame);
    else if (tell_answered(core, event->link))
        return;
    else if (bulk != NULL)
        bulk_frame(core, bulk, event->frame);
    else if (peer != NULL)
        session_frame(core, peer, event->frame);
}

static void outcome_arrived(struct qn_core *core, const struct qn_outcome *outcome)
{
    struct pending pending;
    if (!core_pending_take(core, outcome->token, &pending))
        return;
    plans_committed(core, outcome->token, outcome->err);
    if (outcome->kind == QN_INTENT_TRUST && outcome->err == QN_OK)
        core->is_in_doubt = false; /* also if who said so has gone */
    switch (pending.kind) {
    case PENDING_REPLY:
        request_outcome(core, &pending, outcome);
        break;
    case PENDING_APPLY:
        inbox_outcome(core, &pending, outcome);
        break;
    case PENDING_MERGE:
        group_merge_outcome(core, &pending, outcome);
        break;
    case PENDING_ADMIT:
        guest_outcome(core, &pending, outcome);
        break;
    case PENDING_JOIN:
        join_outcome(core, outcome);
        break;
    case PENDING_BOOK:
        backup_outcome(core, &pending, outcome);
        break;
    case PENDING_RENEW:
        core->has_renewed = outcome->err == QN_OK; /* else the next claim counts */
        break;
    case PENDING_OFFSITE:
    case PENDING_HOLD:
    case PENDING_FETCH:
    case PENDING_CUSTODY:
        bulk_outcome(core, &pending, outcome);
        break;
    case PENDING_RECOVER:
        recover_outcome(core, &pending, outcome);
        break;
    case PENDING_INTEGRITY:
        integrity_outcome(core, &pending, outcome);
        break;
    case PENDING_TRAIL:
        trail_outcome(core, &pending, outcome);
        break;
    case PENDING_FORK:
        fork_outcome(core, &pending, outcome);
        break;
    case PENDING_CUT:
        cut_log_outcome(core, &pending, outcome);
        break;
    case PENDING_FORGET:
        forget_outcome(core, outcome);
        break;
    case PENDING_SWEEP:
        sweep_outcome(core, &pending, outcome);
        break;
    case PENDING_QUIET:
        if (outcome->err != QN_OK)
            core_note(core, "commit-failed", outcome->err, "");
        break;
    case PENDING_LATE:
        late_outcome(core, &pending, outcome);
        break;
    case PENDING_READ:
    case PENDING_PAGE:
    case PENDING_VERIFY:
        QN_ASSERT(false); /* no intent has such a token */
    }
    qn_buf_deinit(&pending.data);
}

static void update_colls(struct qn_core *core, const struct qn_commit *commit)
{
    bool is_renamed = false;
    qn_vec_each (&commit->changes, change) {
        struct coll *coll = core_coll_make(core, &change->coll);
        is_renamed |= strcmp((char *)coll->info.name, (char *)change->info.name) != 0;
        twin_look(core, coll, &change->cc);
        coll->has_moved = !qn_vv_eq(&coll->cc, &change->cc);
        coll_update(coll, &change->info, &change->cc);
        presence_moved(core, coll);
        cut_log_grew(core, coll);
    }
    if (is_renamed)
        core_name_colls(core);
    if (commit->changes.count > 0)
        core->actor = commit->actor;
}

static qn_link merge_link(const struct qn_core *core, uint64_t token)
{
    qn_vec_each (&core->pending, pending)
        if (pending->kind == PENDING_MERGE && pending->token == token)
            return pending->link;
    return 0;
}

/* The one link that all new ledger entries of a commit came from, and need not go to; 0: there are
 * several, or this site wrote some itself. */
static qn_link source_of(const struct qn_core *core, const struct qn_commit *commit)
{
    qn_link source = 0;
    qn_vec_each (&commit->outcomes, outcome) {
        bool is_own =
            outcome->kind == QN_INTENT_LEDGER_APPEND || outcome->kind == QN_INTENT_COLL_CREATE;
        qn_link link = merge_link(core, outcome->token);
        if (is_own || (source != 0 && link != 0 && link != source))
            return 0;
        source = link != 0 ? link : source;
    }
    return source;
}

/* A collection moved: what was held may go on, what is new is sent. Pages move no clock till the
 * last one comes. */
static void coll_moved(struct qn_core *core, const struct qn_coll_id *id)
{
    struct coll *coll = core_coll(core, id);
    late_coll_moved(core, coll);
    if (!coll->has_moved)
        return;
    qn_vec_each (&core->peers, peer) {
        struct share *share = peer_share(*peer, id);
        if (share == NULL)
            continue;
        inbox_retry(core, *peer, share);
        share->owes_clock = true;
        outbox_pump(core, *peer, share);
    }
}

/* The ledger moved: operations of sites that were unknown may go on. */
static void retry_all(struct qn_core *core)
{
    qn_vec_each (&core->peers, peer)
        if ((*peer)->session != NULL)
            qn_vec_each (&(*peer)->session->shares, share)
                inbox_retry(core, *peer, *share);
}

/* Outcomes come before what follows from the commit: one of them may be a message that was held in
 * the very transaction that brought what it waits for. */
static void commit_done(struct qn_core *core, const struct qn_commit *commit)
{
    update_colls(core, commit);
    if (commit->entries.size > 0)
        group_changed(core, qn_buf_view(&commit->entries), source_of(core, commit));
    qn_vec_each (&commit->outcomes, outcome)
        outcome_arrived(core, outcome);
    if (commit->entries.size > 0)
        retry_all(core);
    qn_vec_each (&commit->changes, change)
        coll_moved(core, &change->coll);
}

static void read_done(struct qn_core *core, struct qn_read_result *result)
{
    struct pending pending;
    if (!core_pending_take(core, result->token, &pending))
        return;
    if (pending.kind == PENDING_READ)
        outbox_read_done(core, &pending, result);
    else if (pending.kind == PENDING_PAGE)
        pages_read_done(core, &pending, result);
    else if (pending.kind == PENDING_BOOK)
        backup_read_done(core, result);
    else if (pending.kind == PENDING_TRAIL)
        trail_read_done(core, &pending, result);
    else if (pending.kind == PENDING_FORK)
        fork_read_done(core, &pending, result);
    else if (pending.kind == PENDING_VERIFY)
        verify_read_done(core, &pending, result);
    else if (pending.kind == PENDING_INTEGRITY)
        integrity_read_done(core, &pending, result);
    else
        bulk_read_done(core, &pending, result);
    qn_buf_deinit(&pending.data);
}

/* Everything that is due; and, after every event, the next deadline. */
static void run_deadlines(struct qn_core *core)
{
    join_tick(core);
    group_tick(core);
    reach_tick(core);
    neighbours_tick(core);
    peers_tick(core);
    qn_vec_each (&core->peers, peer)
        if ((*peer)->session != NULL)
            session_tick(core, *peer);
    scrub_tick(core);
    qn_vec_each (&core->colls, coll)
        repair_tick(core, *coll);
    late_tick(core);
    verify_tick(core);
    presence_tick(core);
    trail_tick(core);
    backup_tick(core);
    recover_tick(core); /* behind what compares the book with the vault */
    bulk_tick(core);
    forget_tick(core);
    cut_log_tick(core);
    core_wake(core, core_persist(core, false));
}

static void dispatch(struct qn_core *core, const struct qn_event *event)
{
    switch (event->kind) {
    case QN_EVENT_START:
        start(core);
        break;
    case QN_EVENT_TICK:
        break;
    case QN_EVENT_LINK_UP:
        link_up(core, event);
        break;
    case QN_EVENT_LINK_DOWN:
        link_down(core, event);
        break;
    case QN_EVENT_DIAL_FAILED:
        dial_failed(core, event);
        break;
    case QN_EVENT_FRAME:
        frame_arrived(core, event);
        break;
    case QN_EVENT_COMMIT:
        commit_done(core, event->commit);
        break;
    case QN_EVENT_READ:
        read_done(core, event->read);
        break;
    case QN_EVENT_REQUEST:
        request_start(core, event);
        break;
    case QN_EVENT_JOB:
        backup_news(core, event->job);
        break;
    case QN_EVENT_FILE:
        bulk_file_done(core, event->file);
        break;
    case QN_EVENT_CALL:
        reach_call(core, &event->key);
        break;
    case QN_EVENT_REQUEST_GONE:
        request_gone(core, event->token);
        break;
    case QN_EVENT_STOP:
        core_persist(core, true);
        break;
    }
}

void qn_core_step(struct qn_core *core, const struct qn_event *event, struct qn_update *update)
{
    update_reset(update);
    core->update = update;
    core->now_ms = event->mono_ms;
    core->wall_ms = event->wall_ms;
    core->backup->offset_s = event->offset_s;
    dispatch(core, event);
    run_deadlines(core);
    core->update = NULL;
}
