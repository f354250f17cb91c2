/* What must hold when nothing is on its way any more (RECORDS 1.7, 4, 5, 11): all sites equal, and
 * nothing lost. */
#include "model/doubt.h"
#include "sim/world.h"

static void ledger_digest(const struct sim_site *site, struct qn_digest *ret_digest)
{
    struct qn_ledger *ledger = qn_ledger_new();
    QN_ASSERT(qn_ledger_load(ledger, memkv_reader(site->disk)) == QN_OK);
    qn_ledger_digest(ledger, ret_digest);
    qn_ledger_free(ledger);
}

static void trace_clock(struct sim_world *world, const struct sim_site *site,
                        const struct qn_vv *cc)
{
    qn_vec_each (&cc->entries, entry)
        world_trace(world, "%s has %02x%02x incarnation %02x%02x up to %llu", site->name,
                    entry->actor.bytes[0], entry->actor.bytes[1], entry->actor.bytes[8],
                    entry->actor.bytes[9], (unsigned long long)entry->ctr);
}

static void equal_to_first(struct sim_world *world, const struct sim_site *reference,
                           struct sim_site *site, const struct qn_coll_id *coll)
{
    struct qn_kv *first = memkv_reader(reference->disk), *kv = memkv_reader(site->disk);
    struct qn_coll_info a, b;
    QN_AUTO_VV struct qn_vv cc_a = {0}, cc_b = {0};
    QN_ASSERT(qn_read_coll(first, coll, &a) == QN_OK && qn_read_coll(kv, coll, &b) == QN_OK);
    QN_ASSERT(qn_read_cc(first, coll, &cc_a) == QN_OK && qn_read_cc(kv, coll, &cc_b) == QN_OK);
    if (!qn_vv_eq(&cc_a, &cc_b)) {
        trace_clock(world, reference, &cc_a);
        trace_clock(world, site, &cc_b);
        world_fail(world, "at rest: %s and %s have different clocks", reference->name, site->name);
    } else if (memcmp(a.root, b.root, QN_ROOT_SIZE) != 0)
        world_fail(world, "at rest: %s and %s differ at equal clocks", reference->name, site->name);
}

/* What a site wrote right before it left, or after it was cast out, may have gone with it. */
static bool is_by_lost(const struct sim_world *world, const struct sim_op *op)
{
    for (size_t i = 0; i < world->site_count; i++)
        if ((oracle_is_withdrawn(world, i) || world->sites[i].is_cast_out) &&
            qn_actor_is_of(&op->op.dot.actor, &world->sites[i].id))
            return true;
    return false;
}

static bool shares(const struct sim_site *site, const struct qn_coll_id *coll)
{
    const struct qn_group *group = qn_core_group(site->core);
    const struct qn_collection *found = qn_group_collection(group, coll);
    return found != NULL && qn_group_shares(group, found, &site->id);
}

bool oracle_is_in(const struct sim_world *world, const struct sim_site *site)
{
    return site->is_up && !oracle_is_withdrawn(world, site->index) && !site->is_cast_out &&
           qn_core_group(site->core) != NULL;
}

static bool is_closed(const struct sim_world *world, const struct qn_coll_id *coll)
{
    return world->colls.count > 2 && qn_coll_id_eq(coll, &world->closed);
}

/* Whoever may not see a collection any more, or does not yet, may have what it alone was told. Who
 * that was when a disk went back is not followed. */
static bool is_with_outsider(struct sim_world *world, const struct sim_op *op)
{
    if (is_closed(world, &op->coll) && world->has_gone_back && world->access_entries > 0)
        return true;
    for (size_t i = 0; i < world->site_count; i++) {
        const struct sim_site *site = &world->sites[i];
        if (is_closed(world, &op->coll) && oracle_is_in(world, site) && !shares(site, &op->coll) &&
            (oracle_has_op(site, op) || qn_actor_is_of(&op->op.dot.actor, &site->id)))
            return true;
    }
    return false;
}

/* It went with a disk, and is in no copy of it that came back with a vault. */
static bool may_be_gone(const struct sim_world *world, const struct sim_op *op)
{
    const struct sim_site *keeper = op->kept_by > 0 ? &world->sites[op->kept_by - 1] : NULL;
    return op->may_be_lost &&
           (keeper == NULL || !oracle_is_in(world, keeper) || !shares(keeper, &op->coll));
}

/* For each site genesis or an admission and its later keys, invitations, and perhaps one
 * withdrawal; of each place that is over a report, and one when all is gone. A site that is not let
 * in, or not any more, must not make the ledger grow by asking, nor a holder by waiting. */
static void ledger_is_small(struct sim_world *world, const struct sim_site *reference)
{
    struct qn_ledger *ledger = qn_ledger_new();
    QN_ASSERT(qn_ledger_load(ledger, memkv_reader(reference->disk)) == QN_OK);
    const struct qn_group *group = qn_ledger_group(ledger);
    size_t expected = group->invites.count + group->sites.count + world->withdrawn.count +
                      group->collections.count + world->place_entries + world->access_entries +
                      2 * group->reports.count;
    qn_vec_each (&group->sites, site)
        expected += site->epochs.count - 1;
    if (qn_ledger_count(ledger) > expected)
        world_fail(world, "at rest: the ledger has %zu entries, not %zu", qn_ledger_count(ledger),
                   expected);
    qn_ledger_free(ledger);
}

/* Its store may be an old copy, and nobody whom it could compare ledgers with can be reached. */
static bool is_in_doubt(const struct sim_site *site)
{
    bool is_in_doubt;
    QN_ASSERT(qn_doubt_get(memkv_reader(site->disk), &is_in_doubt) == QN_OK);
    return is_in_doubt;
}

/* A joining site may have lost its host; one with a kit only waits for a helper that is out itself,
 * or in doubt for ever. */
static void is_still_out(struct sim_world *world, const struct sim_site *site)
{
    const struct sim_site *helper = &world->sites[site->helper];
    if (site->has_kit && !helper->is_cast_out && !is_in_doubt(helper) &&
        !oracle_is_withdrawn(world, helper->index) && qn_core_group(helper->core) != NULL)
        world_fail(world, "at rest: %s was not recovered", site->name);
}

static struct sim_site *first_in(struct sim_world *world)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (oracle_is_in(world, &world->sites[i]))
            return &world->sites[i];
    return NULL;
}

static bool is_late(const struct sim_site *site, const struct qn_coll_id *coll)
{
    struct qn_coll_info info;
    QN_ASSERT(qn_read_coll(memkv_reader(site->disk), coll, &info) == QN_OK);
    return info.late.is_late;
}

/* Who was cast out by a key that nobody knew any more may have told it since (docs/protocol.md
 * 8.11): it is in again where another that is in knows it by its present key. */
static void find_back_in(struct sim_world *world)
{
    for (size_t i = 0; i < world->site_count; i++) {
        struct sim_site *site = &world->sites[i];
        for (size_t k = 0; site->is_cast_out && k < world->site_count; k++) {
            const struct sim_site *other = &world->sites[k];
            bool is_mutual = k != i && oracle_is_in(world, other) &&
                             oracle_knows(other->disk, site) && oracle_knows(site->disk, other);
            site->is_cast_out = !is_mutual;
        }
    }
}

bool oracle_is_late(struct sim_world *world)
{
    find_back_in(world);
    for (size_t i = 0; i < world->site_count; i++)
        qn_vec_each (&world->colls, coll)
            if (oracle_is_in(world, &world->sites[i]) && shares(&world->sites[i], coll) &&
                is_late(&world->sites[i], coll))
                return true;
    return false;
}

/* Another site that has all of a collection. */
static bool has_helper(const struct sim_world *world, const struct sim_site *site,
                       const struct qn_coll_id *coll)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (i != site->index && oracle_is_in(world, &world->sites[i]) &&
            shares(&world->sites[i], coll))
            return true;
    return false;
}

/* Whether all that share a collection, as far as this site knows, are there. */
static bool are_all_in(const struct sim_world *world, const struct sim_site *site,
                       const struct qn_coll_id *coll)
{
    const struct qn_group *group = qn_core_group(site->core);
    const struct qn_collection *found = qn_group_collection(group, coll);
    for (size_t i = 0; i < world->site_count; i++)
        if (found != NULL && !oracle_is_in(world, &world->sites[i]) &&
            qn_group_shares(group, found, &world->sites[i].id))
            return false;
    return true;
}

bool oracle_is_damaged(struct sim_world *world)
{
    find_back_in(world);
    for (size_t i = 0; i < world->site_count; i++)
        qn_vec_each (&world->colls, coll) {
            const struct sim_site *site = &world->sites[i];
            struct qn_coll_info info;
            if (oracle_is_in(world, site) && shares(site, coll) && has_helper(world, site, coll) &&
                qn_read_coll(memkv_reader(site->disk), coll, &info) == QN_OK &&
                info.damage.damaged > 0)
                return true;
        }
    return false;
}

/* Nothing that a clean site has brings on who is late: what it waits for somebody else may have. */
static bool has_nothing_for(struct sim_site *other, const struct sim_site *site,
                            const struct qn_coll_id *coll)
{
    QN_AUTO_VV struct qn_vv mine = {0}, theirs = {0};
    QN_ASSERT(qn_read_cc(memkv_reader(site->disk), coll, &mine) == QN_OK);
    QN_ASSERT(qn_read_cc(memkv_reader(other->disk), coll, &theirs) == QN_OK);
    return is_late(site, coll) && qn_vv_covers(&mine, &theirs);
}

/* Who is late waits for a site that is clean, has no damaged record and has something new, and
 * gives nothing up while a member that may have it is away, nor is a damaged record given up then
 * (docs/records.md, "Rescue", "Integrity"). */
static bool waits_for_member(struct sim_world *world, const struct sim_site *site,
                             const struct qn_coll_id *coll)
{
    if (are_all_in(world, site, coll))
        return false;
    for (size_t i = 0; i < world->site_count; i++) {
        struct sim_site *other = &world->sites[i];
        struct qn_coll_info info;
        if (oracle_is_in(world, other) && shares(other, coll) &&
            qn_read_coll(memkv_reader(other->disk), coll, &info) == QN_OK && !info.late.is_late &&
            info.damage.damaged == 0 && !has_nothing_for(other, site, coll))
            return false;
    }
    return true;
}

/* Of a collection that waits for somebody a site may lack what is in nobody's log any more. */
static void nothing_is_lost(struct sim_world *world, const struct sim_site *site)
{
    qn_vec_each (&world->ops, op)
        if (shares(site, &op->coll) && !may_be_gone(world, op) && !is_by_lost(world, op) &&
            !oracle_has_op(site, op) && !is_with_outsider(world, op) &&
            !waits_for_member(world, site, &op->coll)) {
            world_fail(world,
                       "at rest: %s lacks an operation that was durable, %02x%02x %llu in %02x%02x",
                       site->name, op->op.dot.actor.bytes[0], op->op.dot.actor.bytes[8],
                       (unsigned long long)op->op.dot.ctr, op->coll.bytes[0], op->coll.bytes[1]);
            return;
        }
}

static void coll_at_rest(struct sim_world *world, struct sim_site *site,
                         const struct qn_coll_id *coll)
{
    const struct sim_site *reference = NULL;
    struct qn_coll_info info;
    for (size_t i = 0; i < world->site_count && reference == NULL; i++)
        if (oracle_is_in(world, &world->sites[i]) && shares(&world->sites[i], coll) &&
            !waits_for_member(world, &world->sites[i], coll))
            reference = &world->sites[i];
    bool is_agreed = !is_closed(world, coll) || !world->may_fork; /* who shares it */
    is_agreed &= !waits_for_member(world, site, coll);
    if (shares(site, coll) && is_agreed && is_late(site, coll)) /* invariant 11 */
        world_fail(world, "at rest: %s is late in %02x%02x", site->name, coll->bytes[0],
                   coll->bytes[1]);
    if (shares(site, coll) && is_agreed)
        equal_to_first(world, reference, site, coll);
    bool was_rotten = site->is_rotten; /* nothing is given up while a member could have it */
    site->is_rotten &=
        !shares(site, coll) || !has_helper(world, site, coll) || !are_all_in(world, site, coll);
    if (qn_read_coll(memkv_reader(site->disk), coll, &info) == QN_OK)
        oracle_check_coll(world, site, coll);
    if (shares(site, coll) && !world->has_twins)
        oracle_check_log(world, site, coll);
    site->is_rotten = was_rotten;
}

static void site_at_rest(struct sim_world *world, const struct sim_site *reference,
                         struct sim_site *site)
{
    struct qn_digest ledger, other;
    ledger_digest(reference, &ledger);
    ledger_digest(site, &other);
    if (!qn_digest_eq(&ledger, &other) && !world->may_fork)
        world_fail(world, "at rest: %s and %s have different ledgers", reference->name, site->name);
    qn_vec_each (&world->colls, coll)
        coll_at_rest(world, site, coll);
    nothing_is_lost(world, site);
    vault_at_rest(world, site);
    if (!world->may_fork)
        custody_at_rest(world, site);
}

/* Whom only somebody cast out knows was let in by it, and is out with it. */
static void find_let_in_by_cast_out(struct sim_world *world)
{
    for (size_t i = 0; i < world->site_count; i++) {
        struct sim_site *site = &world->sites[i];
        bool is_known = false, is_of_lost = false;
        for (size_t k = 0; k < world->site_count; k++) {
            const struct sim_site *other = &world->sites[k];
            if (k == i || !oracle_is_in(world, site) || !oracle_knows(other->disk, site))
                continue;
            is_of_lost |= other->is_cast_out && oracle_knows(site->disk, other);
            is_known |= oracle_is_in(world, other);
        }
        site->is_cast_out |= is_of_lost && !is_known;
    }
}

void oracle_at_rest(struct sim_world *world)
{
    world->is_over = true;
    find_back_in(world);
    find_let_in_by_cast_out(world);
    const struct sim_site *reference = first_in(world);
    if (reference == NULL && world->withdrawn.count == 0)
        world_fail(world, "at rest: no site is in the group");
    if (reference != NULL)
        ledger_is_small(world, reference);
    for (size_t i = 0; i < world->site_count; i++) {
        struct sim_site *site = &world->sites[i];
        for (size_t other = 0; other < world->site_count; other++)
            if (other != i && oracle_is_in(world, site) &&
                oracle_is_in(world, &world->sites[other]))
                trail_at_rest(world, site, &world->sites[other]);
        if (oracle_is_in(world, site))
            site_at_rest(world, reference, site);
        else if (site->is_up && !oracle_is_withdrawn(world, i) && !site->is_cast_out)
            is_still_out(world, site);
    }
}
