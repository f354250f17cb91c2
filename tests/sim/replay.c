/* Invariant 6: what was applied once changes nothing when it comes again. Operations and pages that
 * a site took are given to its store anew, any time later, and the store must stay as it is. */
#include "model/intents.h"
#include "model/tables.h"
#include "sim/world.h"

#define KEPT_MAX 12

struct sim_taken {
    struct qn_intent *intent;
    uint32_t pass; /* PAGE: of the collection then; a page may be a part of another one */
};

static uint32_t pass_of(struct sim_site *site, const struct qn_intent *intent)
{
    struct qn_coll_id coll;
    struct qn_coll_row row;
    struct qn_cursor cursor = qn_cursor(qn_span(intent->payload, intent->size));
    QN_ASSERT(qn_intent_array(&cursor, intent->kind == QN_INTENT_PAGE ? 3 : 2) == QN_OK &&
              qn_cursor_bytes(&cursor, coll.bytes, sizeof(coll.bytes)) == QN_OK &&
              qn_coll_row_get(memkv_reader(site->disk), &coll, &row) == QN_OK);
    return row.pass;
}

static struct qn_intent *copy(const struct qn_intent *intent)
{
    struct qn_buf payload;
    qn_buf_init(&payload, intent->size);
    qn_buf_append(&payload, intent->payload, intent->size);
    return qn_intent_new(intent->kind, UINT64_MAX, &payload);
}

static void drop(struct sim_site *site, size_t index)
{
    qn_intent_free(site->taken.items[index].intent);
    qn_vec_remove(&site->taken, index);
}

/* A page may be a part of the next pass, too. */
static void drop_pages(struct sim_site *site)
{
    for (size_t i = site->taken.count; i-- > 0;)
        if (site->taken.items[i].intent->kind == QN_INTENT_PAGE)
            drop(site, i);
}

void replay_keep(struct sim_site *site, const struct qn_intent *intent)
{
    if (intent->kind == QN_INTENT_LATE || intent->kind == QN_INTENT_RESCUE)
        drop_pages(site);
    if (intent->kind != QN_INTENT_APPLY && intent->kind != QN_INTENT_PAGE)
        return;
    if (site->taken.count == KEPT_MAX)
        drop(site, 0);
    qn_vec_push(&site->taken,
                ((struct sim_taken){.intent = copy(intent), .pass = pass_of(site, intent)}));
}

void replay_forget(struct sim_site *site)
{
    while (site->taken.count > 0)
        drop(site, site->taken.count - 1);
    qn_vec_free(&site->taken);
}

void replay_some(struct sim_world *world, struct sim_site *site)
{
    if (world->has_twins || site->taken.count == 0 || !world_chance(world, 60))
        return;
    size_t index = world_below(world, site->taken.count);
    struct sim_taken *taken = &site->taken.items[index];
    if (taken->intent->kind == QN_INTENT_PAGE && pass_of(site, taken->intent) != taken->pass) {
        drop(site, index);
        return;
    }
    struct memkv *before = memkv_clone(site->disk);
    struct qn_commit *commit = qn_commit_new();
    enum qn_err err = site_transact(world, site, &taken->intent, 1, 0, commit);
    qn_applier_done(site->applier, commit, err);
    if (err != QN_OK || !memkv_is_equal(before, site->disk))
        world_fail(world, "%s: %s that came again changed something (%s)", site->name,
                   taken->intent->kind == QN_INTENT_PAGE ? "a page" : "operations",
                   qn_err_name(err));
    qn_commit_free(commit);
    memkv_free(before);
}
