/* Machines that go back to an image while nothing on them says so, and write on under the
 * incarnation that they had: dots are used twice, in runs of any lengths, of which the others have
 * seen one or the other. All that was written is there in the end, at all sites, and they are
 * equal.
 *
 * The oracle of single operations has no say here: it goes by dots. */
#include <stdio.h>

#include "core/state.h"
#include "proto/pack.h"
#include "sim/world.h"

#define COLL       "residents"
#define ROUNDS     3
#define WRITES_MAX 4
#define SPREAD_MS  3000

struct twice {
    struct sim_world *world;
    QN_VEC(uint64_t) written; /* numbers of records, each with a key of its own */
};

static struct qn_span key_of(uint64_t number, char text[24])
{
    snprintf(text, 24, "r%llu", (unsigned long long)number);
    return qn_span_str(text);
}

static void put(struct twice *twice, struct sim_site *site, uint64_t number, const char *field)
{
    struct qn_buf args;
    char text[24];
    qn_buf_init(&args, 1024);
    qn_pack_map(&args, 3);
    qn_pack_cstr(&args, "collection");
    qn_pack_cstr(&args, COLL);
    qn_pack_cstr(&args, "fields");
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, field);
    qn_pack_u64(&args, number);
    qn_pack_cstr(&args, "key");
    qn_pack_str(&args, key_of(number, text));
    site_request(twice->world, site, ++twice->world->next_request, "record.put", &args);
    qn_buf_deinit(&args);
}

/* Each in a commit of its own, or some together. */
static void write_some(struct twice *twice, struct sim_site *site)
{
    struct sim_world *world = twice->world;
    size_t count = 1 + world_below(world, WRITES_MAX);
    for (size_t i = 0; i < count && world->failure[0] == '\0'; i++) {
        uint64_t number = ++world->next_value;
        put(twice, site, number, "x");
        qn_vec_push(&twice->written, number);
        if (twice->written.count > 1 && world_chance(world, 300))
            put(twice, site, twice->written.items[world_below(world, twice->written.count - 1)],
                "y");
        if (world_chance(world, 600))
            world_run(world, world->now_ms + world_below(world, 60));
    }
    world_run(world, world->now_ms + 100);
}

static bool has_record(const struct sim_site *site, uint64_t number);

/* What nobody else has goes with the disk. */
static void forget_alone(struct twice *twice, const struct sim_site *site)
{
    for (size_t at = twice->written.count; at > 0; at--) {
        bool is_known = false;
        for (size_t i = 0; i < twice->world->site_count; i++)
            is_known |= i != site->index &&
                        has_record(&twice->world->sites[i], twice->written.items[at - 1]);
        if (!is_known)
            qn_vec_remove(&twice->written, at - 1);
    }
}

/* ---- what happens ---- */

static void block(struct sim_world *world, size_t site, size_t other, bool is_blocked)
{
    world->is_blocked[site][other] = world->is_blocked[other][site] = is_blocked;
}

/* One half hears the first run, the other one the second. */
static void go_back(struct twice *twice, struct sim_site *site)
{
    struct sim_world *world = twice->world;
    bool is_first[SIM_SITES_MAX];
    for (size_t i = 0; i < world->site_count; i++) {
        is_first[i] = world_chance(world, 500);
        block(world, site->index, i, i != site->index && !is_first[i]);
    }
    size_t some = (site->index + 1) % world->site_count;
    is_first[some] = true;
    block(world, site->index, some, false);
    struct memkv *image = memkv_clone(site->disk);
    write_some(twice, site);
    world_run(world, world->now_ms + SPREAD_MS);
    site_crash(world, site);
    forget_alone(twice, site);
    world_trace(world, "%s goes back, and does not know", site->name);
    memkv_free(site->disk);
    site->disk = image;
    for (size_t i = 0; i < world->site_count; i++)
        block(world, site->index, i, i != site->index && is_first[i]);
    site_start(world, site);
    world_run(world, world->now_ms + world_below(world, 500));
    write_some(twice, site);
    world_run(world, world->now_ms + world_below(world, SPREAD_MS));
    memset(world->is_blocked, 0, sizeof(world->is_blocked));
}

/* One of them ends while the two runs are being joined. */
static void stumble(struct sim_world *world)
{
    struct sim_site *site = &world->sites[world_below(world, world->site_count)];
    world_run(world, world->now_ms + world_below(world, 400));
    if (world->failure[0] != '\0' || !site->is_up)
        return;
    site_crash(world, site);
    world_run(world, world->now_ms + world_below(world, 2000));
    site_start(world, site);
}

static void break_all(struct sim_world *world)
{
    for (size_t i = world->links.count; i-- > 0;)
        network_break(world, world->links.items[i]);
}

static bool set_up(struct sim_world *world)
{
    world->is_calm = world->has_twins = true;
    site_start(world, &world->sites[0]);
    world_run(world, world->now_ms + 200);
    for (size_t i = 1; i < world->site_count; i++)
        schedule_join(world, &world->sites[i]);
    schedule_wait_for_members(world, world->site_count);
    if (world->failure[0] != '\0')
        return false;
    schedule_create(world, &world->sites[0], COLL, NULL);
    world_run(world, world->now_ms + SPREAD_MS);
    return true;
}

/* ---- what must hold ---- */

static bool has_record(const struct sim_site *site, uint64_t number)
{
    const struct coll *coll = core_coll_named(site->core, qn_span_str(COLL));
    QN_AUTO_RECORD struct qn_record record = {0};
    char text[24];
    return coll != NULL &&
           qn_read_record(memkv_reader(site->disk), &coll->id, key_of(number, text), &record) ==
               QN_OK &&
           qn_record_field(&record, qn_span_str("x")) != NULL;
}

static void check_site(struct twice *twice, const struct sim_site *site, const struct coll *first)
{
    const struct coll *coll = core_coll_named(site->core, qn_span_str(COLL));
    if (coll == NULL || memcmp(coll->cc_hash, first->cc_hash, QN_ROOT_SIZE) != 0 ||
        memcmp(coll->info.root, first->info.root, QN_ROOT_SIZE) != 0)
        world_fail(twice->world, "%s is not equal in the end", site->name);
    qn_vec_each (&twice->written, number)
        if (!has_record(site, *number))
            world_fail(twice->world, "%s lost record %llu", site->name,
                       (unsigned long long)*number);
}

static void check(struct twice *twice)
{
    struct sim_world *world = twice->world;
    const struct coll *first = core_coll_named(world->sites[0].core, qn_span_str(COLL));
    for (size_t i = 0; i < world->site_count && world->failure[0] == '\0'; i++)
        check_site(twice, &world->sites[i], first);
}

void twice_run(struct sim_world *world)
{
    struct twice twice = {.world = world};
    bool is_set_up = set_up(world);
    for (size_t i = 0; is_set_up && i < ROUNDS && world->failure[0] == '\0'; i++) {
        write_some(&twice, &world->sites[world_below(world, world->site_count)]);
        world_run(world, world->now_ms + SPREAD_MS);
        go_back(&twice, &world->sites[world_below(world, world->site_count)]);
        while (world->failure[0] == '\0' && world_chance(world, 300))
            stumble(world);
        write_some(&twice, &world->sites[world_below(world, world->site_count)]);
        world_run(world, world->now_ms + 60000);
    }
    for (int i = 0; i < 4 && world->failure[0] == '\0'; i++) {
        break_all(world); /* fingerprints are compared as connections begin */
        world_run(world, world->now_ms + 120000);
    }
    if (is_set_up)
        check(&twice);
    qn_vec_free(&twice.written);
}
