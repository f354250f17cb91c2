/* Who is a member and knows whom, and what is lost with a disk that goes back or burns: that is
 * nobody's fault, and the oracle must not ask for it. */
#include "model/peers.h"
#include "sim/world.h"

static bool has_op(struct memkv *disk, const struct sim_op *op)
{
    QN_AUTO_VV struct qn_vv cc = {0};
    return qn_read_cc(memkv_reader(disk), &op->coll, &cc) == QN_OK && qn_vv_has(&cc, &op->op.dot);
}

bool oracle_has_op(const struct sim_site *site, const struct sim_op *op)
{
    return has_op(site->disk, op);
}

bool oracle_is_withdrawn(const struct sim_world *world, size_t site)
{
    qn_vec_each (&world->withdrawn, index)
        if (*index == site)
            return true;
    return false;
}

struct qn_ledger *oracle_ledger_of(struct memkv *disk)
{
    struct qn_ledger *ledger = qn_ledger_new();
    QN_ASSERT(qn_ledger_load(ledger, memkv_reader(disk)) == QN_OK);
    return ledger;
}

/* Read anew when it changed; for a disk is asked about often. */
static const struct qn_group *group_of(const struct sim_site *site)
{
    struct sim_read *read = site->read;
    uint64_t changes = memkv_changes(site->disk, QN_TABLE_LEDGER);
    if (read->disk != site->disk || read->changes != changes) {
        qn_ledger_free(read->ledger);
        *read = (struct sim_read){oracle_ledger_of(site->disk), site->disk, changes};
    }
    return qn_ledger_group(read->ledger);
}

void oracle_disk_goes(struct sim_site *site)
{
    qn_ledger_free(site->read->ledger);
    *site->read = (struct sim_read){0};
}

bool oracle_can_give(const struct sim_world *world, const struct sim_site *site,
                     const struct qn_coll_id *coll)
{
    if (site->is_cast_out || oracle_is_withdrawn(world, site->index))
        return false;
    const struct qn_group *group = group_of(site);
    const struct qn_collection *found = group == NULL ? NULL : qn_group_collection(group, coll);
    return found != NULL && qn_group_shares(group, found, &site->id);
}

bool oracle_knows(struct memkv *disk, const struct sim_site *site)
{
    struct qn_ledger *ledger = oracle_ledger_of(disk);
    const struct qn_group *group = qn_ledger_group(ledger);
    const struct qn_site *found = group == NULL ? NULL : qn_group_site(group, &site->id);
    bool is_known = found != NULL && found->state == QN_SITE_MEMBER &&
                    qn_public_key_eq(&found->keys.site, &site->keys.site);
    qn_ledger_free(ledger);
    return is_known;
}

static bool covers(const struct qn_ledger *ledger, struct memkv *disk,
                   const struct qn_site_id *site)
{
    QN_AUTO_BUF struct qn_buf heads;
    struct qn_ledger *other = oracle_ledger_of(disk);
    bool does_cover = false;
    qn_buf_init(&heads, QN_FRAME_SIZE_MAX);
    qn_ledger_pack_heads(other, &heads);
    QN_ASSERT(qn_ledger_covers(ledger, qn_cursor(qn_buf_view(&heads)), site, &does_cover) == QN_OK);
    qn_ledger_free(other);
    return does_cover;
}

static bool knows_address(struct memkv *disk, const struct sim_site *site)
{
    struct qn_span announcement;
    uint64_t contact_ms;
    return qn_site_contact_get(memkv_reader(disk), &site->id, &announcement, &contact_ms) ==
               QN_OK &&
           announcement.size > 0;
}

/* The new machine learns from the helper where the others are, and tells them its key. Who is
 * dialled by nobody hears of it from nobody. */
static bool can_be_told(struct sim_site *helper, struct sim_site *other)
{
    return oracle_knows(helper->disk, other) && knows_address(helper->disk, other);
}

bool oracle_may_help(struct sim_world *world, const struct sim_site *site, struct sim_site *helper)
{
    struct qn_ledger *ledger = oracle_ledger_of(helper->disk);
    bool may_help = oracle_knows(helper->disk, site);
    for (size_t i = 0; i < world->site_count; i++) {
        struct sim_site *other = &world->sites[i];
        may_help &= other->queue.count == 0 && other->undelivered == NULL;
        if (other == site || other == helper)
            continue;
        may_help &= covers(ledger, other->disk, &site->id);
        may_help &= !oracle_knows(other->disk, other) || can_be_told(helper, other);
    }
    qn_ledger_free(ledger);
    return may_help;
}

/* Whoever let a site in, or back, may forget it before a third site has heard of it: nobody admits
 * it any more, and it has to be invited, or recovered, again. */
static void find_cast_out(struct sim_world *world, const struct sim_site *site)
{
    for (size_t i = 0; i < world->site_count; i++) {
        struct sim_site *lost = &world->sites[i];
        if (i == site->index || !oracle_knows(lost->disk, lost) || oracle_knows(site->image, lost))
            continue;
        bool is_known = false;
        for (size_t k = 0; k < world->site_count; k++)
            is_known |= k != i && k != site->index && !oracle_is_withdrawn(world, k) &&
                        oracle_knows(world->sites[k].disk, lost);
        lost->is_cast_out |= !is_known;
    }
}

void oracle_before_loss(struct sim_world *world, struct sim_site *site)
{
    qn_vec_each (&world->ops, op) {
        bool is_elsewhere = false;
        for (size_t i = 0; i < world->site_count; i++)
            is_elsewhere |= i != site->index && !oracle_is_withdrawn(world, i) &&
                            !world->sites[i].is_cast_out && oracle_has_op(&world->sites[i], op);
        op->may_be_lost |= !is_elsewhere;
        op->kept_by = op->kept_by == site->index + 1 ? 0 : op->kept_by;
    }
}

/* One that was late gives no pages. */
static bool is_whole_copy(struct memkv *copy, const struct qn_coll_id *coll)
{
    struct qn_coll_info info;
    return copy != NULL && qn_read_coll(memkv_reader(copy), coll, &info) == QN_OK &&
           !info.late.is_late;
}

/* What burns is back with the copy of the store, if the site itself comes back. */
static void find_kept(struct sim_world *world, const struct sim_site *site)
{
    qn_vec_each (&world->ops, op)
        if (op->may_be_lost && is_whole_copy(site->copy, &op->coll) && has_op(site->copy, op))
            op->kept_by = site->index + 1;
}

static bool is_anywhere(const struct sim_world *world, const struct sim_op *op)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (!oracle_is_withdrawn(world, i) && !world->sites[i].is_cast_out &&
            oracle_has_op(&world->sites[i], op))
            return true;
    return false;
}

/* Pages told what an operation had removed, and it was lost itself before anybody else had it. */
bool loss_excuses(const struct sim_world *world, const struct qn_coll_id *coll, struct qn_span key,
                  struct qn_span field, const struct qn_dot *dot)
{
    qn_vec_each (&world->ops, op)
        if (op->may_be_lost && qn_coll_id_eq(&op->coll, coll) && qn_span_eq(op->op.key, key))
            qn_vec_each (&op->op.removed, removed)
                if (qn_dot_cmp(&removed->dot, dot) == 0 && qn_span_eq(removed->field, field) &&
                    !is_anywhere(world, op))
                    return true;
    return false;
}

static bool has_entry(struct memkv *disk, struct qn_span entry)
{
    struct qn_ledger *ledger = oracle_ledger_of(disk);
    bool is_there = false;
    for (size_t i = 0; i < qn_ledger_count(ledger); i++)
        is_there |= qn_span_eq(qn_ledger_entry(ledger, i), entry);
    qn_ledger_free(ledger);
    return is_there;
}

/* An entry that an image does not have, and that some know and others do not: its author may
 * compare ledgers with one that does not, and write another in its place. That is for people to
 * sort out (docs/protocol.md 7.7). */
static void find_fork(struct sim_world *world, const struct sim_site *site)
{
    struct qn_ledger *ledger = oracle_ledger_of(site->disk);
    for (size_t i = 0; i < qn_ledger_count(ledger); i++) {
        struct qn_span entry = qn_ledger_entry(ledger, i);
        size_t known = 0;
        for (size_t k = 0; k < world->site_count; k++)
            known += k != site->index && has_entry(world->sites[k].disk, entry);
        if (!has_entry(site->image, entry) && known < world->site_count - 1)
            world->may_fork = true;
    }
    qn_ledger_free(ledger);
}

static void look_again(struct sim_world *world, const struct sim_site *site)
{
    world->has_gone_back = true;
    qn_vec_each (&world->seen, seen) /* the disk will know less: look at all of it again */
        if ((*seen)->site == site->index) {
            qn_vv_deinit(&(*seen)->vv);
            (*seen)->vv = (struct qn_vv){0};
        }
}

void oracle_before_restore(struct sim_world *world, struct sim_site *site)
{
    find_fork(world, site);
    find_cast_out(world, site);
    oracle_before_loss(world, site);
    look_again(world, site);
}

void oracle_before_burn(struct sim_world *world, struct sim_site *site)
{
    oracle_before_loss(world, site);
    find_kept(world, site);
    look_again(world, site);
}
