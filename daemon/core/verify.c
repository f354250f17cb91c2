/* Comparing collections with other sites: the request `verify`, and answering a peer's audit.
 *
 * A task (collection, site) asks for the peer's state until both clocks are equal. Equal roots:
 * done. Else it descends (verify_descend.c). */
#include "core/integrity.h"

#define OWN_MAX        4 /* at a time, that nobody asked for */
#define OWN_TIMEOUT_MS 60000

static void task_free(struct verify_task *task)
{
    if (task->descent != NULL) {
        qn_buf_deinit(&task->descent->my_keys);
        qn_buf_deinit(&task->descent->their_keys);
        qn_free(task->descent);
    }
    qn_buf_deinit(&task->keys);
    qn_free(task);
}

void verify_free(struct verify *verify)
{
    qn_vec_each (&verify->tasks, task)
        task_free(*task);
    qn_vec_free(&verify->tasks);
    qn_buf_deinit(&verify->incidents);
    qn_free(verify);
}

void verify_gone(struct qn_core *core, uint64_t request)
{
    core->is_presence_stale = true;
    for (size_t i = core->verifies.count; i-- > 0;)
        if (!core->verifies.items[i]->is_own && core->verifies.items[i]->request == request) {
            verify_free(core->verifies.items[i]);
            qn_vec_remove(&core->verifies, i);
        }
}

static struct verify_task *add_task(struct verify *verify, const struct coll *coll,
                                    const struct peer *peer)
{
    struct verify_task *task = QN_NEW(struct verify_task);
    task->coll = coll->id;
    task->site = peer->site;
    qn_buf_init(&task->keys, QN_CONTROL_FRAME_SIZE_MAX / 2);
    qn_vec_push(&verify->tasks, task);
    return task;
}

void verify_start(struct qn_core *core, uint64_t request, struct coll *only, bool with_scrub,
                  uint64_t timeout_ms)
{
    struct verify *verify = QN_NEW(struct verify);
    verify->request = request;
    verify->deadline_ms = core->now_ms + timeout_ms;
    verify->grace_ms = core->now_ms + (core->is_mesh ? VERIFY_CALL_MS : VERIFY_GRACE_MS);
    core->is_presence_stale = true;
    verify->with_scrub = with_scrub;
    verify->has_only = only != NULL;
    if (only != NULL)
        verify->only = only->id;
    qn_vec_each (&core->colls, coll)
        if (with_scrub && (only == NULL || only == *coll) && (*coll)->is_shared)
            scrub_want(core, *coll);
    qn_vec_each (&core->colls, coll)
        qn_vec_each (&core->peers, peer)
            if ((only == NULL || only == *coll) && (*coll)->is_shared &&
                core_shares(core, *coll, &(*peer)->site))
                add_task(verify, *coll, *peer);
    qn_vec_push(&core->verifies, verify);
}

/* ---- asking ---- */

static void ask_state(struct qn_core *core, struct peer *peer, struct verify_task *task)
{
    struct qn_buf *out = core_message(core, QN_MSG_STATE_ASK, 1);
    qn_pack_bin(out, QN_SPAN_OF(task->coll.bytes));
    core_send(core, peer->session->link);
    task->ask_ms = core->now_ms + VERIFY_ASK_MS;
}

static bool is_running(const struct qn_core *core, const struct coll *coll,
                       const struct qn_site_id *site, size_t *count)
{
    bool is_found = false;
    qn_vec_each (&core->verifies, verify) {
        *count += (*verify)->is_own;
        qn_vec_each (&(*verify)->tasks, task)
            is_found |= (*task)->stage != VERIFY_DONE && qn_coll_id_eq(&(*task)->coll, &coll->id) &&
                        qn_site_id_eq(&(*task)->site, site);
    }
    return is_found;
}

static struct verify_task *start_own(struct qn_core *core, struct peer *peer, struct coll *coll)
{
    size_t count = 0;
    if (is_running(core, coll, &peer->site, &count) || count >= OWN_MAX)
        return NULL; /* the next contact compares again */
    struct verify *verify = QN_NEW(struct verify);
    verify->is_own = true;
    verify->deadline_ms = core->now_ms + OWN_TIMEOUT_MS;
    verify->grace_ms = core->now_ms;
    qn_vec_push(&core->verifies, verify);
    return add_task(verify, coll, peer);
}

void verify_differs(struct qn_core *core, struct peer *peer, struct coll *coll)
{
    struct verify_task *task = start_own(core, peer, coll);
    if (task != NULL)
        verify_descend(core, peer, task);
}

void verify_look(struct qn_core *core, struct peer *peer, struct coll *coll)
{
    (void)start_own(core, peer, coll);
}

void verify_again(struct qn_core *core, struct coll *coll)
{
    qn_vec_each (&coll->known, known) {
        struct peer *peer = (*known)->differs ? core_peer(core, &(*known)->site) : NULL;
        if (peer_is_connected(peer) && peer_share(peer, &coll->id) != NULL)
            (void)start_own(core, peer, coll);
    }
}

void verify_heard_state(struct qn_core *core, struct peer *peer, const struct qn_coll_id *id,
                        const uint8_t *hash, const uint8_t *root, bool is_late)
{
    struct coll *coll = core_coll(core, id);
    bool is_equal = memcmp(hash, coll->cc_hash, QN_ROOT_SIZE) == 0;
    verify_each_task(core, id, &peer->site, slot)
    {
        struct verify_task *task = *slot;
        task->is_incomplete = coll->info.late.is_late || is_late;
        if (task->stage != VERIFY_ASK || !is_equal || task->is_incomplete)
            continue;
        if (coll->info.damage.is_uncounted || coll->info.late.is_late)
            continue;
        if (memcmp(root, coll->info.root, QN_ROOT_SIZE) != 0) {
            verify_descend(core, peer, task);
            continue;
        }
        task->stage = VERIFY_DONE;
        task->result = VERIFY_IDENTICAL;
        coll_known(coll, &peer->site)->differs = false;
    }
}

bool verify_wants(const struct qn_core *core, const struct qn_site_id *site)
{
    qn_vec_each (&core->verifies, verify)
        qn_vec_each (&(*verify)->tasks, task)
            if ((*task)->stage != VERIFY_DONE && qn_site_id_eq(&(*task)->site, site))
                return true;
    return false;
}

static bool run_task(struct qn_core *core, struct verify_task *task, uint64_t grace_ms)
{
    struct peer *peer = core_peer(core, &task->site);
    if (task->stage == VERIFY_DONE)
        return false;
    if (peer == NULL || peer->session == NULL) {
        task->stage = VERIFY_ASK; /* a lost link starts it over */
        task->result = VERIFY_UNREACHABLE;
        bool is_waited_for = core->now_ms < grace_ms;
        if (is_waited_for)
            core_wake(core, grace_ms);
        return is_waited_for;
    }
    task->result = VERIFY_BEHIND;
    if (task->stage == VERIFY_ASK && core->now_ms >= task->ask_ms)
        ask_state(core, peer, task);
    core_wake(core, task->ask_ms > core->now_ms ? task->ask_ms : core->now_ms + VERIFY_ASK_MS);
    return true;
}

/* What is read here first may change what there is to compare. */
static bool waits_for_scrub(struct qn_core *core, struct verify *verify)
{
    bool is_waiting = false;
    qn_vec_each (&core->colls, coll)
        is_waiting |= verify->with_scrub && (*coll)->is_shared && scrub_is_wanted(core, *coll);
    if (is_waiting)
        verify->grace_ms = core->now_ms + VERIFY_GRACE_MS;
    else
        verify->with_scrub = false;
    return is_waiting;
}

void verify_tick(struct qn_core *core)
{
    for (size_t i = core->verifies.count; i-- > 0;) {
        struct verify *verify = core->verifies.items[i];
        bool is_waiting = waits_for_scrub(core, verify);
        if (is_waiting && core->now_ms < verify->deadline_ms) {
            core_wake(core, verify->deadline_ms);
            continue;
        }
        qn_vec_each (&verify->tasks, task)
            is_waiting |= run_task(core, *task, verify->grace_ms);
        if ((!is_waiting || core->now_ms >= verify->deadline_ms) &&
            !verify_waits_for_incidents(core, verify))
            verify_finish(core, verify);
        else
            core_wake(core, verify->deadline_ms);
    }
}
