/* A site that runs twice: its state folder, or its whole machine, was copied, and both are at work
 * (RECORDS 1.5). Each of the two has an incarnation of its own, so nothing is lost; but they take
 * turns where one site writes under one incarnation at a time, and one site has one link: they push
 * each other's links out, or the second one is refused again and again while the first one speaks.
 * Two of one incarnation are found by their chains (fork.c). Who sees it tells both of them.
 *
 * A restored site changes its incarnation once. What comes late of the old one may mix with the new
 * one for a moment, while links catch up: so turns count only at a distance. A site that lost its
 * link dials before the other end knows: so a refusal counts only once the refused site's old link
 * has brought something, a while later. Two sites that dial each other at once have one link too
 * many: so it does not count while the old link is a new one. */
#include "core/twin.h"

#define TURNS_MIN      3
#define TURN_MS        5000 /* between two that count */
#define TURNS_SPAN_MS  3600000
#define PUSHES_MIN     8
#define PUSHES_SPAN_MS 120000
#define TOLD_MS        3600000
#define REFUSED_MS     5000 /* what was on its way when a link was lost is there by then */
#define REFUSALS_MIN   3

static void tell(struct qn_core *core, qn_link link)
{
    core_message(core, QN_MSG_TWIN, 0);
    core_send(core, link);
}

void twin_tell(struct qn_core *core, const struct peer *peer, qn_link link)
{
    if (twin_is_told(core, peer->twin_ms))
        tell(core, link);
}

/* Its word: another member could make an alarm of nothing, and cannot do any harm by it. */
void twin_heard(struct qn_core *core)
{
    if (!twin_is_told(core, core->twin_ms))
        core_note(core, "cloned", QN_ERR_STATE, core->name);
    core->twin_ms = core->wall_ms;
}

void twin_found(struct qn_core *core, const uint8_t prefix[QN_ACTOR_PREFIX_SIZE])
{
    const struct qn_group *group = qn_ledger_group(core->ledger);
    if (group == NULL)
        return;
    qn_vec_each (&group->sites, site) {
        if (memcmp(site->id.bytes, prefix, QN_ACTOR_PREFIX_SIZE) != 0)
            continue;
        struct peer *peer = core_peer(core, &site->id);
        uint64_t *twin_ms = qn_site_id_eq(&site->id, &core->site) ? &core->twin_ms
                            : peer != NULL                        ? &peer->twin_ms
                                                                  : NULL;
        if (twin_ms != NULL && *twin_ms + TOLD_MS <= core->wall_ms)
            core_note(core, "cloned", QN_ERR_STATE, site->name);
        if (twin_ms != NULL)
            *twin_ms = core->wall_ms;
        if (peer_is_connected(peer))
            tell(core, peer->session->link);
    }
}

static struct turns *turns_of(struct coll *coll, const struct qn_actor *actor)
{
    qn_vec_each (&coll->turns, turns)
        if (memcmp(turns->last.bytes, actor->bytes, QN_ACTOR_PREFIX_SIZE) == 0)
            return turns;
    struct turns *turns = qn_vec_push_slot(&coll->turns);
    *turns = (struct turns){.last = *actor};
    return turns;
}

static void moved(struct qn_core *core, struct coll *coll, const struct qn_actor *actor)
{
    struct turns *turns = turns_of(coll, actor);
    if (qn_actor_cmp(&turns->last, actor) == 0)
        return;
    bool is_back = qn_actor_cmp(&turns->before, actor) == 0;
    turns->before = turns->last;
    turns->last = *actor;
    if (!is_back) /* a machine that is restored over and over never writes as it did before */
        return;
    if (turns->count > 0 && core->now_ms < turns->at_ms + TURN_MS)
        return;
    if (turns->count == 0 || core->now_ms > turns->since_ms + TURNS_SPAN_MS) {
        turns->count = 0;
        turns->since_ms = core->now_ms;
    }
    turns->at_ms = core->now_ms;
    if (++turns->count >= TURNS_MIN)
        twin_found(core, actor->bytes);
}

void twin_look(struct qn_core *core, struct coll *coll, const struct qn_vv *cc)
{
    qn_vec_each (&cc->entries, entry)
        if (entry->ctr > qn_vv_get(&coll->cc, &entry->actor))
            moved(core, coll, &entry->actor);
}

void twin_pushed(struct qn_core *core, struct peer *peer)
{
    if (peer->pushes == 0 || core->now_ms > peer->pushed_ms + PUSHES_SPAN_MS) {
        peer->pushes = 0;
        peer->pushed_ms = core->now_ms;
    }
    if (++peer->pushes >= PUSHES_MIN)
        twin_found(core, peer->site.bytes);
}

void twin_refused(struct qn_core *core, struct peer *peer)
{
    if (peer->refused_ms == 0 && core->now_ms >= peer->session->up_ms + REFUSED_MS)
        peer->refused_ms = core->now_ms;
}

void twin_spoke(struct qn_core *core, struct peer *peer)
{
    if (peer->refused_ms == 0 || core->now_ms < peer->refused_ms + REFUSED_MS)
        return;
    if (peer->refusals == 0 || core->now_ms > peer->refusals_ms + TURNS_SPAN_MS) {
        peer->refusals = 0;
        peer->refusals_ms = core->now_ms;
    }
    peer->refused_ms = 0;
    if (++peer->refusals >= REFUSALS_MIN)
        twin_found(core, peer->site.bytes);
}

bool twin_is_told(const struct qn_core *core, uint64_t twin_ms)
{
    return twin_ms > 0 && core->wall_ms < twin_ms + TOLD_MS;
}

uint64_t twin_forgotten(const struct qn_core *core)
{
    uint64_t missing = 0;
    qn_vec_each (&core->colls, coll) {
        struct qn_vv own = {0};
        qn_vec_each (&(*coll)->known, known)
            qn_vec_each (&(*known)->clock.entries, entry)
                if (qn_actor_is_of(&entry->actor, &core->site))
                    qn_vv_raise(&own, &entry->actor, entry->ctr);
        missing += (*coll)->is_shared ? qn_vv_missing(&(*coll)->cc, &own) : 0;
        qn_vv_deinit(&own);
    }
    return missing;
}
