/* What goes wrong with whole machines and with the group: clocks that are set, machines that sleep
 * for weeks, disks that fail in the middle of a transaction, access that is granted and withdrawn.
 */
#include "proto/pack.h"
#include "sim/world.h"

#define HOUR_MS 3600000ll
#define DAY_MS  (24 * HOUR_MS)

/* ---- clocks ---- */

/* A battery is empty, somebody types the wrong day, or time comes back from a server. */
static void set_clock(struct sim_world *world, struct sim_site *site)
{
    static const int64_t ranges[] = {10 * 60000, 36 * HOUR_MS};
    int64_t range = ranges[world_below(world, 2)];
    site->wall_skew_ms =
        world_chance(world, 300) ? 0 : (int64_t)world_below(world, 2 * (uint64_t)range) - range;
    world_trace(world, "%s has its clock off by %lld s", site->name,
                (long long)(site->wall_skew_ms / 1000));
}

static void sleep_long(struct sim_world *world)
{
    static const uint64_t most[] = {HOUR_MS, 2 * DAY_MS, 45 * DAY_MS};
    world_leap(world, world_below(world, most[world_below(world, 3)]));
}

/* ---- disks ---- */

/* Fails the transaction that is open at its Nth change, or its end: before anything of it is
 * there, or, as when the answer of a sync is lost, after all of it is. */
void trouble_begin(struct sim_world *world, struct sim_site *site, bool is_of_ledger)
{
    if (world->is_calm)
        return;
    if (world_chance(world, is_of_ledger ? 150 : 15))
        memkv_fail_put(site->disk, 1 + world_below(world, 30), QN_ERR_NOSPACE);
    else if (world->has_trouble && world_chance(world, 8))
        memkv_fail_put(site->disk, 1 + world_below(world, 60), QN_ERR_IO);
    else if (world->has_trouble && world_chance(world, 5))
        memkv_fail_commit(site->disk, world_chance(world, 500) ? QN_ERR_IO : QN_ERR_NOSPACE);
}

enum qn_err trouble_end(struct sim_world *world, struct sim_site *site, enum qn_err err)
{
    memkv_fail_put(site->disk, 0, QN_OK);
    memkv_fail_commit(site->disk, QN_OK);
    if (err == QN_OK && !world->is_calm && world->has_trouble && world_chance(world, 5))
        err = QN_ERR_IO;
    site->has_failed = err == QN_ERR_IO;
    return err;
}

/* ---- access ---- */

void trouble_access(struct sim_world *world)
{
    struct sim_site *creator = &world->sites[world->closed_by];
    struct qn_buf args;
    if (!creator->is_up || world->has_short_logs)
        return;
    qn_buf_init(&args, QN_CODE_SIZE_MAX);
    qn_pack_map(&args, 2);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, SIM_CLOSED);
    qn_pack_cstr(&args, "site");
    qn_pack_cstr(&args, world->sites[world_below(world, world->site_count)].name);
    site_request(world, creator, ++world->next_request,
                 world_chance(world, 600) ? "collection.grant" : "collection.ungrant", &args);
    qn_buf_deinit(&args);
    world->access_entries++;
}

void trouble_hits(struct sim_world *world, struct sim_site *site)
{
    uint64_t dice = world_below(world, 100);
    if (dice < 40)
        set_clock(world, site);
    else if (dice < 50)
        sleep_long(world);
    else
        trouble_access(world);
}
