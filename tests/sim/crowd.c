/* A group of many sites: some cannot be dialled, many fall silent and come back, lines are cut.
 * Those that are there agree within seconds, also while the others are away; everybody knows who is
 * there; nobody keeps more connections than a few; and who has no part in a collection hears
 * nothing of it. */
#include <stdio.h>

#include "core/presence.h"
#include "proto/frame.h"
#include "sim/world.h"

#define COLL_ALL      "residents"
#define COLL_FEW      "few"
#define SPREAD_MS     1200 /* until a write is at all that can have it; the slowest frame takes 400 */
#define HEAL_MS       30000 /* until the rings are closed again: a dial fails after 20 ms here */
#define SETTLE_MS     20000 /* until everybody knows who is there, and how far */
#define RECONNECT_MAX 1600  /* bytes, in both directions, with two collections */
#define SPARE_MS      180000
#define LINKS_MAX     14 /* of one site, after a while */
#define STEPS_MAX     40000000
#define HIDDEN        200 /* per mille */
#define DOWN_MIN      300 /* per mille */
#define DOWN_MAX      800

static const struct qn_coll_id *coll_of(const struct sim_world *world, const char *name)
{
    for (size_t i = 0; i < world->site_count; i++) {
        const struct sim_site *site = &world->sites[i];
        const struct qn_coll_id *id =
            site->is_up ? qn_core_collection(site->core, qn_span_str(name)) : NULL;
        if (id != NULL)
            return id;
    }
    return NULL;
}

static bool takes_part(const struct sim_site *site, const char *name)
{
    return site->is_up && qn_core_collection(site->core, qn_span_str(name)) != NULL;
}

static struct sim_site *some_site(struct sim_world *world, const char *coll)
{
    for (;;) {
        struct sim_site *site = &world->sites[world_below(world, world->site_count)];
        if (takes_part(site, coll))
            return site;
    }
}

static bool is_equal(const struct sim_world *world, const char *name)
{
    const struct coll *first = NULL;
    for (size_t i = 0; i < world->site_count; i++) {
        if (!takes_part(&world->sites[i], name))
            continue;
        const struct coll *coll = core_coll_named(world->sites[i].core, qn_span_str(name));
        if (first != NULL && memcmp(first->cc_hash, coll->cc_hash, QN_ROOT_SIZE) != 0)
            return false;
        first = coll;
    }
    return true;
}

static uint64_t most(const struct sim_world *world, const char *name)
{
    uint64_t total = 0;
    for (size_t i = 0; i < world->site_count; i++) {
        if (!takes_part(&world->sites[i], name))
            continue;
        const struct coll *coll = core_coll_named(world->sites[i].core, qn_span_str(name));
        total = coll->state.total > total ? coll->state.total : total;
    }
    return total;
}

/* Writes, and looks how long it takes. */
static void spread(struct sim_world *world, const char *coll, size_t writes, const char *when)
{
    uint64_t before = most(world, coll);
    for (size_t i = 0; i < writes; i++) {
        schedule_put(world, some_site(world, coll), coll);
        world_run(world, world->now_ms + world_below(world, 50));
    }
    uint64_t last_ms = world->now_ms;
    world_run(world, world->now_ms + 100); /* it is written by then */
    while (world->failure[0] == '\0' && !is_equal(world, coll)) {
        if (world->now_ms - last_ms > SPREAD_MS)
            world_fail(world, "%s: %s does not get around within %d ms", when, coll, SPREAD_MS);
        world_run(world, world->now_ms + 50);
    }
    if (most(world, coll) != before + writes)
        world_fail(world, "%s: not every write was made", when);
    if (world->prints)
        printf("%s: %s was everywhere after %llu ms\n", when, coll,
               (unsigned long long)(world->now_ms - last_ms));
}

/* ---- what everybody shows ---- */

static void look_at_one(struct sim_world *world, const struct sim_site *site, const char *when)
{
    for (size_t i = 0; i < world->site_count && world->failure[0] == '\0'; i++) {
        const struct sim_site *other = &world->sites[i];
        const struct peer *peer = core_peer(site->core, &other->id);
        if (peer != NULL && peer_is_online(peer) != other->is_up)
            world_fail(world, "%s: %s thinks that %s is %s", when, site->name, other->name,
                       other->is_up ? "away" : "there");
    }
}

/* By what status says: nobody that is there is behind. */
static void look_at_status(struct sim_world *world, const struct sim_site *site)
{
    QN_AUTO_BUF struct qn_buf shown;
    const struct coll *coll = core_coll_named(site->core, qn_span_str(COLL_ALL));
    static const char in_sync[] = "in_sync\xc3";
    qn_buf_init(&shown, QN_FRAME_SIZE_MAX);
    view_coll(site->core, coll, false, &shown);
    if (memmem(shown.data, shown.size, in_sync, sizeof(in_sync) - 1) == NULL)
        world_fail(world, "at rest: %s shows somebody behind", site->name);
}

static void look(struct sim_world *world, const char *when)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (world->sites[i].is_up)
            look_at_one(world, &world->sites[i], when);
}

static size_t count_links(const struct sim_site *site)
{
    size_t count = 0;
    qn_vec_each (&site->core->peers, peer)
        count += (*peer)->session != NULL;
    return count;
}

static void count_all_links(struct sim_world *world)
{
    size_t all = 0, most = 0;
    for (size_t i = 0; i < world->site_count; i++) {
        size_t count = count_links(&world->sites[i]);
        all += count;
        most = count > most ? count : most;
    }
    if (world->prints)
        printf("%zu connections, at most %zu of one site\n", all / 2, most);
    bool is_large = world->site_count > QN_MESH_FULL_MAX;
    if (is_large && (most > LINKS_MAX || all > 8 * world->site_count))
        world_fail(world, "%zu connections, and %zu of one site, are too many", all / 2, most);
}

static bool is_pair(const struct sim_world *world, size_t a, size_t b)
{
    const size_t *pair = world->pair;
    return (pair[0] == a && pair[1] == b) || (pair[0] == b && pair[1] == a);
}

void crowd_said(struct sim_world *world, const struct sim_site *from, const struct sim_site *to,
                struct qn_span frame)
{
    if (is_pair(world, from->index, to->index))
        world->pair_bytes += QN_FRAME_HEAD_SIZE + frame.size;
    struct qn_cursor cursor = qn_cursor(frame);
    const struct qn_coll_id *few = coll_of(world, COLL_FEW);
    size_t count;
    uint64_t number;
    if (few == NULL || !to->is_up || takes_part(to, COLL_FEW) ||
        qn_cursor_array(&cursor, 64, &count) != QN_OK || qn_cursor_u64(&cursor, &number) != QN_OK)
        return;
    const struct qn_collection *c = qn_group_collection(qn_core_group(to->core), few);
    bool is_member = c == NULL || qn_group_shares(qn_core_group(to->core), c, &to->id);
    bool is_ledger = number == QN_MSG_LEDGER || number == QN_MSG_LEDGER_HEADS;
    if (!is_member && !is_ledger && memmem(frame.data, frame.size, few->bytes, 4) != NULL)
        world_fail(world, "%s is told of a collection that it has no part in", to->name);
}

/* ---- through one other site ---- */

/* Any that is connected to it; itself if there is none. */
static size_t some_neighbour(struct sim_world *world, const struct sim_site *site)
{
    size_t from = world_below(world, world->site_count);
    for (size_t i = 0; i < world->site_count; i++) {
        size_t other = (from + i) % world->site_count;
        if (peer_is_connected(core_peer(site->core, &world->sites[other].id)))
            return other;
    }
    world_fail(world, "%s is not connected", site->name);
    return site->index;
}

/* One member hears and is heard through another one only: nobody else reaches it. */
static void through_one(struct sim_world *world)
{
    struct sim_site *site = &world->sites[1 + world_below(world, world->site_count - 1)];
    size_t through = some_neighbour(world, site);
    for (size_t i = 0; i < world->site_count; i++)
        if (i != through)
            world->is_blocked[i][site->index] = world->is_blocked[site->index][i] = true;
    world_run(world, world->now_ms + SPARE_MS); /* a silent line is noticed by the next beacon */
    world_trace(world, "%s hears through %s", site->name, world->sites[through].name);
    if (count_links(site) != 1)
        world_fail(world, "%s has %zu connections", site->name, count_links(site));
    for (size_t i = 0; i < 3 && world->failure[0] == '\0'; i++) {
        schedule_put(world, site, COLL_ALL);
        world_run(world, world->now_ms + 200);
        spread(world, COLL_ALL, 3, "through one other");
    }
    memset(world->is_blocked, 0, sizeof(world->is_blocked));
    world_run(world, world->now_ms + HEAL_MS);
}

/* ---- what a reconnect costs ---- */

static struct sim_link *some_link(struct sim_world *world)
{
    size_t count = world->links.count, from = world_below(world, count);
    for (size_t i = 0; i < count; i++) {
        struct sim_link *link = world->links.items[(from + i) % count];
        if (link->is_up && link->kind == QN_LINK_MEMBER)
            return link;
    }
    return NULL;
}

/* Nothing was written since the connection ended: all of it is beyond the operations. */
static void reconnect(struct sim_world *world)
{
    struct sim_link *link = some_link(world);
    if (link == NULL)
        return;
    world->pair[0] = link->end[0];
    world->pair[1] = link->end[1];
    world->pair_bytes = 0;
    network_break(world, link);
    world_run(world, world->now_ms + 10000);
    world_trace(world, "a reconnect of %zu and %zu took %zu bytes", world->pair[0], world->pair[1],
                world->pair_bytes);
    if (world->pair_bytes > RECONNECT_MAX) /* 0: neither end needs it any more */
        world_fail(world, "a reconnect took %zu bytes", world->pair_bytes);
    world->pair[0] = world->pair[1] = 0;
}

/* ---- what happens ---- */

static void set_up(struct sim_world *world)
{
    bool members[SIM_SITES_MAX] = {false};
    world->is_calm = true;
    world->steps_max = STEPS_MAX;
    site_start(world, &world->sites[0]);
    world_run(world, world->now_ms + 200);
    for (size_t i = 1; i < world->site_count && world->failure[0] == '\0'; i++) {
        world->sites[i].is_hidden = world_chance(world, HIDDEN);
        world->sites[i].is_walled = world_chance(world, HIDDEN);
        schedule_join(world, &world->sites[i]);
        members[i] = world_chance(world, 400);
    }
    schedule_wait_for_members(world, world->site_count);
    if (world->failure[0] != '\0')
        return;
    members[1] = members[2] = true;
    world_run(world, world->now_ms + 5000);
    schedule_create(world, &world->sites[0], COLL_ALL, NULL);
    schedule_create(world, &world->sites[1], COLL_FEW, members);
    world_run(world, world->now_ms + 5000);
    const struct qn_coll_id *all = coll_of(world, COLL_ALL);
    if (all == NULL || coll_of(world, COLL_FEW) == NULL)
        world_fail(world, "the collections were not made");
    else
        qn_vec_push(&world->colls, *all);
}

/* The first one stays: it can be dialled, so that those that cannot still meet. */
static void some_go(struct sim_world *world)
{
    unsigned share = DOWN_MIN + (unsigned)world_below(world, DOWN_MAX - DOWN_MIN);
    world_trace(world, "%u per mille go", share);
    for (size_t i = 1; i < world->site_count; i++)
        if (world->sites[i].is_up && world_chance(world, share))
            site_crash(world, &world->sites[i]);
}

static void some_lines_go(struct sim_world *world)
{
    for (size_t i = 0; i < world->site_count; i++) {
        size_t from = world_below(world, world->site_count);
        size_t to = world_below(world, world->site_count);
        world->is_blocked[from][to] = world->is_blocked[to][from] = from != to;
    }
}

static void come_back(struct sim_world *world)
{
    while (world->failure[0] == '\0') {
        size_t down = 0;
        for (size_t i = 0; i < world->site_count; i++)
            down += !world->sites[i].is_up;
        if (down == 0)
            return;
        size_t i = world_below(world, world->site_count);
        if (world->sites[i].is_up)
            schedule_put(world, some_site(world, COLL_ALL), COLL_ALL);
        else
            site_start(world, &world->sites[i]);
        world_run(world, world->now_ms + world_below(world, 100));
    }
}

/* A site may have been cast out of the few that can reach it by cuts: those come last. */
static void trouble(struct sim_world *world)
{
    some_go(world);
    world_run(world, world->now_ms + HEAL_MS);
    spread(world, COLL_ALL, 10, "with many away");
    world_run(world, world->now_ms + SETTLE_MS);
    look(world, "with many away");
    world->is_calm = false;
    some_lines_go(world);
    for (size_t i = 0; i < world->site_count && world->failure[0] == '\0'; i++) {
        if (coll_of(world, COLL_FEW) != NULL) /* somebody who has it is there */
            schedule_put(world, some_site(world, COLL_FEW), COLL_FEW);
        schedule_put(world, some_site(world, COLL_ALL), COLL_ALL);
        world_run(world, world->now_ms + world_below(world, 300));
    }
    come_back(world);
}

static void calm_down(struct sim_world *world)
{
    world->is_calm = true;
    memset(world->is_blocked, 0, sizeof(world->is_blocked));
    world_run(world, world->now_ms + 15000);
    for (size_t i = 0; i < 2 && world->failure[0] == '\0'; i++)
        if (!is_equal(world, i == 0 ? COLL_ALL : COLL_FEW))
            world_fail(world, "15 s after the last is back, not all are equal");
    world_run(world, world->now_ms + 60000);
    look(world, "at rest");
    for (size_t i = 0; i < world->site_count && world->failure[0] == '\0'; i++)
        look_at_status(world, &world->sites[i]);
}

void crowd_run(struct sim_world *world)
{
    set_up(world);
    if (world->failure[0] == '\0')
        spread(world, COLL_ALL, 10, "at first");
    if (world->failure[0] == '\0')
        spread(world, COLL_FEW, 5, "at first");
    world_run(world, world->now_ms + SPARE_MS);
    if (world->failure[0] == '\0')
        count_all_links(world);
    if (world->failure[0] == '\0')
        look(world, "at first");
    if (world->failure[0] == '\0')
        through_one(world);
    if (world->failure[0] == '\0')
        trouble(world);
    if (world->failure[0] == '\0')
        calm_down(world);
    for (size_t i = 0; i < 5 && world->failure[0] == '\0'; i++)
        reconnect(world);
    if (world->failure[0] == '\0')
        oracle_at_rest(world);
}
