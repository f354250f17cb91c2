/* What a fire leaves: each snapshot has a copy of the site's store as it was (as app/copies.h makes
 * it), and a holder that has all packs of one gives it back. The site is founded anew, and reads
 * the copy for what nobody gave it yet, by operations or, where the log was cut, by pages. */
#include "core/args.h"
#include "model/recall.h"
#include "proto/pack.h"
#include "sim/world.h"

#define PART_SIZE 300 /* of operations, and of a page */
#define PARTS_MAX 12  /* of one job; more come with the next one */

/* ---- what is left ---- */

static bool is_held_by(const struct sim_site *holder, const struct sim_site *owner,
                       const struct sim_snap *snap)
{
    for (size_t at = 0; at < snap->live.size; at += sizeof(struct qn_digest))
        if (!files_are_good(files_find(holder, &owner->id, snap->live.data + at)))
            return false;
    return snap->live.size > 0;
}

static bool is_held(const struct sim_world *world, const struct sim_site *owner,
                    const struct sim_snap *snap)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (i != owner->index && !oracle_is_withdrawn(world, i) &&
            is_held_by(&world->sites[i], owner, snap))
            return true;
    return false;
}

/* Of an earlier fire's copy, if there is none of this one's, it is still what the holders have. */
void recall_keep(struct sim_world *world, struct sim_site *site)
{
    struct sim_vault *vault = &site->vault;
    for (size_t i = vault->snaps.count; world->is_hard && i-- > 0;) {
        struct sim_snap *snap = &vault->snaps.items[i];
        if (snap->store == NULL || !is_held(world, site, snap))
            continue;
        memkv_free(site->copy);
        site->copy = snap->store;
        snap->store = NULL;
        world_trace(world, "a copy of the store of %s is left", site->name);
        return;
    }
}

/* ---- reading it ---- */

struct recall {
    struct sim_world *world;
    struct sim_site *site;
    size_t parts; /* that may still be told */
};

static void tell_part(void *context, enum qn_recalled what, const struct qn_coll_id *coll,
                      struct qn_span body, struct qn_span lost)
{
    struct recall *recall = context;
    QN_AUTO_BUF struct qn_buf payload;
    qn_buf_init(&payload, body.size + lost.size + 256);
    qn_pack_map(&payload, lost.size > 0 ? 3 : 2);
    qn_pack_cstr(&payload, "coll");
    qn_pack_bin(&payload, QN_SPAN_OF(coll->bytes));
    if (lost.size > 0) {
        qn_pack_cstr(&payload, "lost");
        qn_pack_raw(&payload, lost);
    }
    qn_pack_cstr(&payload, what == QN_RECALLED_OPS ? "ops" : "page");
    qn_pack_bin(&payload, body);
    recall->parts--;
    vault_tell(recall->world, recall->site, what == QN_RECALLED_OPS ? QN_JOB_OPS : QN_JOB_PAGE,
               QN_OK, &payload);
}

static enum qn_err may_go_on(void *context)
{
    return ((const struct recall *)context)->parts == 0 ? QN_ERR_LIMIT : QN_OK;
}

enum qn_err recall_run(struct sim_world *world, struct sim_site *site, struct qn_buf *done)
{
    bool has_more;
    if (site->copy == NULL)
        return world->is_hard ? QN_ERR_NOTFOUND : QN_OK;
    struct recall recall = {
        .world = world, .site = site, .parts = 1 + world_below(world, PARTS_MAX)};
    const struct qn_recall_options options = {.ops_size = PART_SIZE,
                                              .ops_max = 1000,
                                              .page_size = PART_SIZE,
                                              .may_go_on = may_go_on,
                                              .tell = tell_part,
                                              .context = &recall};
    QN_TRY(qn_recall(memkv_reader(site->copy), &options,
                     args_value(qn_buf_view(&site->vault.job->args), "colls"), &has_more));
    qn_pack_map(done, 1);
    qn_pack_cstr(done, "more");
    qn_pack_bool(done, has_more);
    return QN_OK;
}
