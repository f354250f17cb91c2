/* Situations that need several things at once, which chance alone brings about too seldom: a crash
 * between a commit and its answer, a write while a record is being repaired, a pass of pages whose
 * source moves on or goes away in the middle. Everything in them may happen anywhere; here it is
 * put together, and the seed still says who, when and how. */
#include "sim/world.h"

#define SETTLE_MS  4000  /* all are connected again, mostly */
#define MEET_MS    12000 /* until somebody who was cut off is late, and has a page; at most */
#define BEHIND_MIN 3     /* operations that somebody lacks, at least */

/* ---- who and what ---- */

static bool is_ready(const struct sim_site *site)
{
    return site->is_up && !site->is_cast_out && qn_core_group(site->core) != NULL;
}

/* Another one that is there; NULL: there is none. */
static struct sim_site *other_than(struct sim_world *world, const struct sim_site *a,
                                   const struct sim_site *b)
{
    size_t first = world_below(world, world->site_count);
    for (size_t i = 0; i < world->site_count; i++) {
        struct sim_site *site = &world->sites[(first + i) % world->site_count];
        if (site != a && site != b && is_ready(site) && !oracle_is_withdrawn(world, site->index))
            return site;
    }
    return NULL;
}

/* As it is called where it is known. */
static bool name_of(const struct sim_site *site, const struct qn_coll_id *coll,
                    struct qn_coll_info *info)
{
    return qn_read_coll(memkv_reader(site->disk), coll, info) == QN_OK && info->name[0] != '\0';
}

static void block(struct sim_world *world, const struct sim_site *a, const struct sim_site *b,
                  bool is_blocked)
{
    world->is_blocked[a->index][b->index] = world->is_blocked[b->index][a->index] = is_blocked;
}

static void block_all(struct sim_world *world, const struct sim_site *site, bool is_blocked)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (i != site->index)
            block(world, site, &world->sites[i], is_blocked);
}

static void break_links(struct sim_world *world, const struct sim_site *site)
{
    for (size_t i = 0; i < world->links.count; i++) {
        struct sim_link *link = world->links.items[i];
        if (link->end[0] == site->index || link->end[1] == site->index)
            network_break(world, link);
    }
}

static void pass(struct sim_world *world, uint64_t ms)
{
    world_run(world, world->now_ms + ms);
}

/* ---- a crash in the middle ---- */

void knot_crash(struct sim_world *world, struct sim_site *site)
{
    if (world_chance(world, 500))
        schedule_put(world, site, schedule_coll(world));
    for (int i = 0; i < 20 && site->is_up && site->undelivered == NULL; i++)
        pass(world, 1);
    if (site->is_up)
        site_crash(world, site);
}

/* ---- a repair that is overtaken ---- */

static bool is_found(const struct sim_site *site, const struct qn_coll_id *coll)
{
    struct qn_coll_info info;
    return qn_read_coll(memkv_reader(site->disk), coll, &info) == QN_OK && info.damage.damaged > 0;
}

/* One site answers at once and then writes; what the other one answered is still on its way. */
static void overtake(struct sim_world *world, struct sim_site *site, struct sim_site *writer,
                     const struct qn_coll_id *id, const char *coll, const char *key)
{
    const struct sim_site *slow = other_than(world, site, writer);
    schedule_scrub(world, site);
    if (slow != NULL)
        world->is_blocked[slow->index][site->index] = true;
    for (int i = 0; i < 200 && !is_found(site, id); i++)
        pass(world, 5);
    pass(world, 40 + world_below(world, 60));
    for (int i = 0; i < 2 && writer->is_up; i++) {
        schedule_put_key(world, writer, coll, key);
        pass(world, world_below(world, 60));
    }
    if (slow != NULL)
        world->is_blocked[slow->index][site->index] = false;
    pass(world, 300);
}

void knot_rot(struct sim_world *world, struct sim_site *site)
{
    struct sim_site *writer = other_than(world, site, NULL);
    struct qn_coll_info info;
    struct qn_coll_id coll;
    char key[QN_KEY_SIZE_MAX + 1];
    memset(world->is_blocked, 0, sizeof(world->is_blocked));
    pass(world, SETTLE_MS);
    if (writer == NULL || !is_ready(site) || !is_ready(writer) ||
        !rot_record(world, site, &coll, key) || !name_of(site, &coll, &info))
        return;
    site_forget(world, site, &coll, info.order_head);
    overtake(world, site, writer, &coll, (const char *)info.name, key);
}

/* ---- a pass that is cut ---- */

struct behind {                             /* of one collection */
    struct sim_site *late, *source, *third; /* third: as far behind as the late one; or NULL */
    struct qn_coll_id coll;
    const char *name;
};

static void write_some(struct sim_world *world, const struct behind *behind, struct sim_site *site,
                       size_t count)
{
    for (size_t i = 0; i < count && site->is_up; i++) {
        schedule_put(world, site, behind->name);
        pass(world, 20 + world_below(world, 20));
    }
}

/* All that are not connected any more have written, and no log has it. */
static void fall_behind(struct sim_world *world, const struct behind *behind)
{
    struct sim_site *const all[] = {behind->late, behind->source, behind->third};
    for (size_t i = 0; i < 3; i += 2)
        if (all[i] != NULL) {
            block_all(world, all[i], true);
            break_links(world, all[i]);
        }
    write_some(world, behind, behind->source, BEHIND_MIN + world_below(world, 5));
    write_some(world, behind, behind->late, world_below(world, 3));
    if (behind->third != NULL)
        write_some(world, behind, behind->third, world_below(world, 3));
    for (size_t i = 0; i < 3; i++)
        for (int tries = 0; all[i] != NULL && tries < 20; tries++) {
            if (all[i]->is_up && site_forget(world, all[i], &behind->coll, UINT64_MAX))
                break;
            pass(world, 5);
        }
}

static bool has_some_pages(const struct behind *behind)
{
    struct qn_coll_info info;
    return behind->late->is_up &&
           qn_read_coll(memkv_reader(behind->late->disk), &behind->coll, &info) == QN_OK &&
           info.late.is_passing && info.late.cursor_size > 0;
}

static bool meet(struct sim_world *world, const struct behind *behind)
{
    block(world, behind->late, behind->source, false);
    for (int i = 0; i < MEET_MS / 2 && world->failure[0] == '\0'; i++) {
        if (has_some_pages(behind))
            return true;
        pass(world, 2);
    }
    return false;
}

/* The source goes on writing, on a connection that breaks: the next pages are of another moment. */
static void move_on(struct sim_world *world, const struct behind *behind)
{
    break_links(world, behind->late);
    write_some(world, behind, behind->source, 2 + world_below(world, 3));
    pass(world, 1500);
}

/* The source is gone, and another one that is behind finds the late one. */
static void be_asked(struct sim_world *world, const struct behind *behind)
{
    block(world, behind->late, behind->source, true);
    break_links(world, behind->late);
    if (behind->third != NULL) {
        block(world, behind->late, behind->third, false);
        pass(world, SETTLE_MS);
        write_some(world, behind, behind->third, 1);
    }
}

static void lose_source(struct sim_world *world, const struct behind *behind)
{
    if (behind->source->is_up)
        site_crash(world, behind->source);
    pass(world, world_below(world, 2000));
}

void knot_behind(struct sim_world *world, struct sim_site *site)
{
    struct behind behind = {.late = site, .coll = *schedule_open_coll(world)};
    struct qn_coll_info info;
    behind.source = other_than(world, site, NULL);
    behind.third = other_than(world, site, behind.source);
    if (behind.source == NULL || !name_of(behind.source, &behind.coll, &info))
        return;
    behind.name = (const char *)info.name;
    memset(world->is_blocked, 0, sizeof(world->is_blocked));
    fall_behind(world, &behind);
    if (meet(world, &behind)) {
        uint64_t dice = world_below(world, 100);
        if (dice < 45)
            move_on(world, &behind);
        else if (dice < 85)
            be_asked(world, &behind);
        else
            lose_source(world, &behind);
    }
    memset(world->is_blocked, 0, sizeof(world->is_blocked));
}
