#include <stdio.h>

#include "proto/pack.h"
#include "sim/world.h"

#define ACTIONS_MIN 40
#define ACTIONS_MAX 140
#define KEYS        "abcdefg"

static const char *const colls[] = {"residents", "stock", SIM_CLOSED};

/* ---- requests ---- */

static void start_args(struct qn_buf *args, size_t count)
{
    qn_buf_init(args, QN_CODE_SIZE_MAX);
    qn_pack_map(args, count);
}

static void text(struct qn_buf *args, const char *key, const char *value)
{
    qn_pack_cstr(args, key);
    qn_pack_cstr(args, value);
}

static void request(struct sim_world *world, struct sim_site *site, const char *command,
                    struct qn_buf *args)
{
    site_request(world, site, ++world->next_request, command, args);
    qn_buf_deinit(args);
}

static const char *random_key(struct sim_world *world)
{
    static char key[2];
    key[0] = KEYS[world_below(world, sizeof(KEYS) - 1)];
    return key;
}

const char *schedule_coll(struct sim_world *world)
{
    return colls[world_chance(world, 150) ? 2 : world_below(world, 2)];
}

const struct qn_coll_id *schedule_open_coll(struct sim_world *world)
{
    size_t first = world_below(world, world->colls.count);
    const struct qn_coll_id *coll = &world->colls.items[first];
    return qn_coll_id_eq(coll, &world->closed)
               ? &world->colls.items[(first + 1) % world->colls.count]
               : coll;
}

static const char *random_field(struct sim_world *world)
{
    static const char *const fields[] = {"x", "y", "z"};
    return fields[world_below(world, 3)];
}

void schedule_put_key(struct sim_world *world, struct sim_site *site, const char *coll,
                      const char *key)
{
    struct qn_buf args;
    uint64_t value = 100000 + ++world->next_value;
    start_args(&args, 3);
    text(&args, "collection", coll);
    qn_pack_cstr(&args, "fields");
    if (world_chance(world, 500)) {
        qn_pack_map(&args, 1);
        qn_pack_cstr(&args, random_field(world));
        qn_pack_u64(&args, value);
    } else {
        qn_pack_map(&args, 2);
        qn_pack_cstr(&args, "x");
        qn_pack_u64(&args, value);
        qn_pack_cstr(&args, "y");
        qn_pack_u64(&args, value);
    }
    text(&args, "key", key);
    qn_vec_push(&world->acks, ((struct sim_ack){.site = site->index,
                                                .request = world->next_request + 1,
                                                .value = value,
                                                .is_open = true}));
    request(world, site, "record.put", &args);
}

void schedule_put(struct sim_world *world, struct sim_site *site, const char *coll)
{
    schedule_put_key(world, site, coll, random_key(world));
}

static void change(struct sim_world *world, struct sim_site *site, const char *command)
{
    struct qn_buf args;
    start_args(&args, 2);
    text(&args, "collection", schedule_coll(world));
    text(&args, "key", random_key(world));
    request(world, site, command, &args);
}

static void empty_trash(struct sim_world *world, struct sim_site *site)
{
    struct qn_buf args;
    start_args(&args, 1);
    text(&args, "collection", schedule_coll(world));
    request(world, site, "record.empty-trash", &args);
}

static void resolve(struct sim_world *world, struct sim_site *site)
{
    struct qn_buf args;
    const char *coll = schedule_coll(world);
    start_args(&args, 4);
    text(&args, "collection", coll);
    text(&args, "field", world_chance(world, 200) ? "_trash" : random_field(world));
    text(&args, "key", random_key(world));
    text(&args, "take", world->sites[world_below(world, world->site_count)].name);
    request(world, site, "conflict.resolve", &args);
}

static void verify(struct sim_world *world, struct sim_site *site)
{
    struct qn_buf args;
    start_args(&args, 1);
    qn_pack_cstr(&args, "timeout_ms");
    qn_pack_u64(&args, 20000);
    request(world, site, "verify", &args);
}

void schedule_scrub(struct sim_world *world, struct sim_site *site)
{
    struct qn_buf args;
    start_args(&args, 2);
    qn_pack_cstr(&args, "scrub");
    qn_pack_bool(&args, true);
    qn_pack_cstr(&args, "timeout_ms");
    qn_pack_u64(&args, 20000);
    request(world, site, "verify", &args);
}

void schedule_create(struct sim_world *world, struct sim_site *site, const char *name,
                     const bool *members)
{
    struct qn_buf args;
    size_t count = 0;
    start_args(&args, 2);
    qn_pack_cstr(&args, "members");
    for (size_t i = 0; members != NULL && i < world->site_count; i++)
        count += members[i];
    if (members == NULL)
        qn_pack_nil(&args);
    else
        qn_pack_array(&args, count);
    for (size_t i = 0; members != NULL && i < world->site_count; i++)
        if (members[i])
            qn_pack_cstr(&args, world->sites[i].name);
    text(&args, "name", name);
    request(world, site, "collection.create", &args);
}

/* ---- backups ---- */

static const char *const plans[] = {"house", "mail"};

static void plan_command(struct sim_world *world, struct sim_site *site, const char *command)
{
    struct qn_buf args;
    start_args(&args, 1);
    text(&args, "name", plans[world_below(world, 2)]);
    request(world, site, command, &args);
}

/* One or two of the others. */
static void copies(struct sim_world *world, const struct sim_site *site, struct qn_buf *args)
{
    size_t count = 1 + (world->site_count > 2 && world_chance(world, 500));
    size_t first = 1 + world_below(world, world->site_count - 1);
    qn_pack_cstr(args, "copies");
    qn_pack_array(args, count);
    for (size_t i = 0; i < count; i++) {
        size_t step = 1 + (first - 1 + i) % (world->site_count - 1);
        qn_pack_cstr(args, world->sites[(site->index + step) % world->site_count].name);
    }
    world->has_copies = true;
    /* Asked for, and accepted; and again, if of two plans of one moment the later one asked for a
     * shorter lock. */
    world->place_entries += 4 * count;
}

static void create_plan(struct sim_world *world, struct sim_site *site)
{
    static const char *const schedules[] = {"manual", "every 1m", "hourly"};
    struct qn_buf args;
    bool has_copies = world_chance(world, 700);
    start_args(&args, has_copies ? 6 : 4);
    if (has_copies)
        copies(world, site, &args);
    text(&args, "keep", world_chance(world, 500) ? "last 2" : "7d,5w");
    if (has_copies) {
        qn_pack_cstr(&args, "lock_days");
        qn_pack_u64(&args, 20 + world_below(world, 3) * 20);
    }
    text(&args, "name", plans[world_below(world, 2)]);
    qn_pack_cstr(&args, "paths");
    qn_pack_array(&args, 1);
    qn_pack_bin(&args, qn_span_str("/srv"));
    text(&args, "schedule", schedules[world_below(world, 3)]);
    request(world, site, "backup.create", &args);
}

static void backup(struct sim_world *world, struct sim_site *site)
{
    uint64_t dice = world_below(world, 100);
    if (dice < 35)
        create_plan(world, site);
    else if (dice < 75)
        plan_command(world, site, "backup.run");
    else if (dice < 85)
        plan_command(world, site, "backup.stop");
    else if (dice < 95)
        plan_command(world, site, "backup.forget");
    else
        plan_command(world, site, "backup.delete");
}

/* ---- setting up ---- */

static bool is_member(const struct sim_site *site)
{
    const struct qn_group *group = site->is_up ? qn_core_group(site->core) : NULL;
    const struct qn_site *self = group == NULL ? NULL : qn_group_site(group, &site->id);
    return self != NULL && self->state == QN_SITE_MEMBER;
}

static void invite(struct sim_world *world, struct sim_site *site)
{
    struct qn_buf args;
    world->code_text[0] = '\0';
    start_args(&args, 2);
    qn_pack_cstr(&args, "expires_s");
    qn_pack_u64(&args, 86400);
    text(&args, "name", site->name);
    request(world, &world->sites[0], "site.invite", &args);
    for (int i = 0; i < 50 && world->code_text[0] == '\0'; i++)
        world_run(world, world->now_ms + 50);
    site->has_code = qn_code_parse(qn_span_str(world->code_text), &site->code) == QN_OK;
    if (!site->has_code && world->is_calm)
        world_fail(world, "no invitation for %s", site->name);
}

void schedule_join(struct sim_world *world, struct sim_site *site)
{
    if (world->sites[0].is_up)
        invite(world, site);
    if (site->has_code && world->failure[0] == '\0')
        site_start(world, site);
}

void schedule_wait_for_members(struct sim_world *world, size_t count)
{
    for (int i = 0; i < 400 && world->failure[0] == '\0'; i++) {
        size_t members = 0;
        for (size_t s = 0; s < count; s++)
            members += is_member(&world->sites[s]);
        if (members == count)
            return;
        world_run(world, world->now_ms + 100);
    }
    world_fail(world, "not all sites joined");
}

static void learn_colls(struct sim_world *world)
{
    const struct qn_group *group = qn_core_group(world->sites[0].core);
    qn_vec_each (&group->collections, collection) {
        qn_vec_push(&world->colls, collection->id);
        if (!collection->is_for_all)
            world->closed = collection->id;
    }
}

/* One that its creator alone shares at first, or with some. */
static void create_closed(struct sim_world *world, size_t early)
{
    bool members[SIM_SITES_MAX] = {false};
    world->closed_by = world_below(world, early);
    members[world->closed_by] = true;
    for (size_t i = 0; i < early; i++)
        members[i] |= world_chance(world, 500);
    schedule_create(world, &world->sites[world->closed_by], SIM_CLOSED, members);
}

static size_t set_up(struct sim_world *world)
{
    size_t early =
        world->site_count > 2 ? world->site_count - world_below(world, 2) : world->site_count;
    world->is_calm = true;
    site_start(world, &world->sites[0]);
    world_run(world, world->now_ms + 200);
    for (size_t i = 1; i < early; i++)
        schedule_join(world, &world->sites[i]);
    schedule_wait_for_members(world, early);
    if (world->failure[0] != '\0')
        return early;
    schedule_create(world, &world->sites[0], colls[0], NULL);
    schedule_create(world, &world->sites[early - 1], colls[1], NULL);
    create_closed(world, early);
    world_run(world, world->now_ms + 3000);
    learn_colls(world);
    world->is_calm = false;
    return early;
}

/* ---- trouble ---- */

static void cut(struct sim_world *world, bool is_cut)
{
    size_t from = world_below(world, world->site_count), to = world_below(world, world->site_count);
    if (from == to)
        return;
    bool both = world_chance(world, 600);
    world_trace(world, "%s %zu %s %zu", is_cut ? "cut" : "heal", from, both ? "<->" : "->", to);
    world->is_blocked[from][to] = is_cut;
    if (both)
        world->is_blocked[to][from] = is_cut;
}

static void break_some_link(struct sim_world *world)
{
    if (world->links.count > 0)
        network_break(world, world->links.items[world_below(world, world->links.count)]);
}

static void take_image(struct sim_world *world, struct sim_site *site)
{
    if (!is_member(site) || site->undelivered != NULL || site->has_rotten_log)
        return;
    world_trace(world, "%s is copied", site->name);
    memkv_free(site->image);
    site->image = memkv_clone(site->disk);
}

/* A site leaves only while it can say so; what nobody else has by then goes with it. */
static void withdraw(struct sim_world *world, struct sim_site *site)
{
    if (site->index == 0 || !is_member(site) || world->withdrawn.count > 0 || world->site_count < 3)
        return;
    struct qn_buf args;
    start_args(&args, 1);
    text(&args, "name", site->name);
    request(world, site, "site.withdraw", &args);
    oracle_before_loss(world, site);
    qn_vec_push(&world->withdrawn, site->index);
}

static bool has_left(const struct sim_world *world, const struct sim_site *site)
{
    qn_vec_each (&world->withdrawn, index)
        if (*index == site->index)
            return true;
    return false;
}

/* A disk is full for a while, or a bit of what is held falls over. */
static void disturb_disk(struct sim_world *world, struct sim_site *site)
{
    if (world_chance(world, 300))
        site_rot(world, site);
    else if (world_chance(world, 500))
        files_rot(world, site);
    else
        site->files.is_full = !site->files.is_full && world_chance(world, 500);
}

/* One that is not back yet asks this one: if it forgot its ledger now, it could be in doubt for
 * ever. Or any at all, with `helper` NULL. */
static bool is_awaited(const struct sim_world *world, const struct sim_site *helper)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (world->sites[i].has_kit && (helper == NULL || world->sites[i].helper == helper->index))
            return true;
    return false;
}

/* Somebody takes the kit out of the safe, and the address of a site that is there. One after the
 * other: of two that ask each other neither comes back. */
static void burn(struct sim_world *world, struct sim_site *site)
{
    struct sim_site *helper = &world->sites[world_below(world, world->site_count)];
    if (helper == site || !is_member(helper) || helper->is_cast_out || site->is_cast_out ||
        has_left(world, helper) || is_awaited(world, NULL) || !oracle_may_help(world, site, helper))
        return;
    site_burn(world, site, helper);
}

/* As if a person there wanted a folder of another site's. */
static void call(struct sim_world *world, struct sim_site *site, uint64_t dice)
{
    const struct sim_site *other = &world->sites[dice % world->site_count];
    const struct qn_group *group = qn_core_group(site->core);
    const struct qn_site *member = group == NULL ? NULL : qn_group_site(group, &other->id);
    if (member != NULL)
        site_step(world, site, &(struct qn_event){.kind = QN_EVENT_CALL, .key = member->keys.site});
}

static void knot(struct sim_world *world, struct sim_site *site)
{
    if (world_chance(world, 500))
        knot_rot(world, site);
    else
        knot_behind(world, site);
}

static void act_up(struct sim_world *world, struct sim_site *site, uint64_t dice)
{
    if (world->has_trouble && world_chance(world, 60))
        trouble_hits(world, site);
    else if (world->is_hard && world_chance(world, 24))
        knot(world, site);
    else if (dice < 360)
        schedule_put(world, site, schedule_coll(world));
    else if (dice < 400)
        disturb_disk(world, site);
    else if (dice < 480)
        backup(world, site);
    else if (dice < 540)
        change(world, site, "record.delete");
    else if (dice < 570)
        change(world, site, "record.restore");
    else if (dice < 578)
        empty_trash(world, site);
    else if (dice < 600)
        change(world, site, "record.erase");
    else if (dice < 635)
        resolve(world, site);
    else if (dice < 640)
        verify(world, site);
    else if (dice < 720)
        cut(world, true);
    else if (dice < 830)
        cut(world, false);
    else if (dice < 880)
        break_some_link(world);
    else if (dice < 905 || (dice < 930 && !world->is_hard))
        site_crash(world, site);
    else if (dice < 930)
        knot_crash(world, site);
    else if (dice < 960)
        take_image(world, site);
    else if (dice < 972)
        withdraw(world, site);
    else if (dice < 985 && !world->has_short_logs)
        site_truncate(world, site);
    else if (dice < 990)
        call(world, site, dice);
    else
        world_run(world, world->now_ms + world_below(world, 3000));
}

static void act(struct sim_world *world, size_t early)
{
    if (world->has_short_logs && world_chance(world, 250)) {
        struct sim_site *forgets = &world->sites[world_below(world, world->site_count)];
        if (is_member(forgets))
            site_truncate(world, forgets);
    }
    struct sim_site *site = &world->sites[world_below(world, world->site_count)];
    uint64_t dice = world_below(world, 1000);
    if (site->index >= early && !site->has_code) {
        if (dice < 200 && world->sites[0].is_up && is_member(&world->sites[0]))
            schedule_join(world, site);
    } else if (has_left(world, site)) {
        if (dice < 200 && site->is_up)
            site_crash(world, site);
        else if (dice < 400 && !site->is_up)
            site_start(world, site); /* it still has its code, and must not come back by it */
    } else if (!site->is_up) {
        if (dice < 300 && site->image != NULL && !is_awaited(world, site))
            site_restore_image(world, site);
        else if (dice > 850)
            burn(world, site);
        if (dice < 600)
            site_start(world, site);
    } else if (is_member(site)) {
        act_up(world, site, dice);
    }
}

/* ---- coming to rest ---- */

/* Some plans run every minute for ever: what they change is on its way for a moment. */
static bool is_busy(const struct sim_world *world)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (world->sites[i].vault.job != NULL ||
            world->now_ms - world->sites[i].vault.busy_ms < 5000)
            return true;
    return false;
}

/* Until a holder that was full is asked again; and, if something rotted, for a round of scrubbing.
 */
static void let_time_pass(struct sim_world *world)
{
    size_t days = world->rotten > 0 ? 33 : 0; /* each is read in 30 days, also what came last */
    for (size_t i = 0; i < days && world->failure[0] == '\0'; i += 3) {
        world_leap(world, 3ull * 24 * 3600 * 1000);
        world_run(world, world->now_ms + 20000);
    }
    world->is_scrubbed = days > 0;
    world_leap(world, 25ull * 3600 * 1000); /* a holder that was restored is asked once a day */
    world_run(world, world->now_ms + 60000);
    for (size_t i = 0; i < 2; i++) {
        world_leap(world, 11 * 60000);
        world_run(world, world->now_ms + 60000);
    }
}

/* Each site reads all that it has, and those that are well help the one that is not. */
static void find_rot(struct sim_world *world)
{
    for (int round = 0; round < 2 && world->flips > 0; round++) {
        for (size_t i = 0; i < world->site_count; i++)
            if (world->sites[i].is_up)
                schedule_scrub(world, &world->sites[i]);
        world_run(world, world->now_ms + 70000);
    }
}

/* Passes end within minutes; what nobody can send any more is written anew after a day. */
static void wait_for_late(struct sim_world *world)
{
    for (int i = 0; i < 6 && world->failure[0] == '\0' && oracle_is_late(world); i++) {
        world_run(world, world->now_ms + 90000);
        if (!oracle_is_late(world))
            return;
        world_leap(world, 25ull * 3600 * 1000);
        world_run(world, world->now_ms + 90000);
    }
}

/* What is whole nowhere is given up after a day. */
static void wait_for_damaged(struct sim_world *world)
{
    for (int i = 0; i < 3 && world->failure[0] == '\0' && oracle_is_damaged(world); i++) {
        world_run(world, world->now_ms + 150000);
        world_leap(world, 25ull * 3600 * 1000);
        world_run(world, world->now_ms + 150000);
    }
}

static void start_all(struct sim_world *world, size_t early)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (!world->sites[i].is_up && (i < early || world->sites[i].has_code))
            site_start(world, &world->sites[i]);
}

static void calm_down(struct sim_world *world, size_t early)
{
    world->is_calm = true;
    memset(world->is_blocked, 0, sizeof(world->is_blocked));
    for (size_t i = 0; i < world->site_count; i++)
        world->sites[i].files.is_full = false;
    start_all(world, early);
    world_trace(world, "calm");
    world_run(world, world->now_ms + 2000);
    start_all(world, early); /* whose store failed last is told so only now */
    world_run(world, world->now_ms + 90000);
    if (world->has_copies)
        let_time_pass(world);
    find_rot(world); /* whoever has damaged records serves no pages */
    wait_for_late(world);
    find_rot(world);
    wait_for_damaged(world);
    for (int i = 0; i < 200 && world->failure[0] == '\0' && is_busy(world); i++)
        world_run(world, world->now_ms + 500);
}

/* Of two sites that are in: what one lacks costs no more than it has to. */
static void measure(struct sim_world *world)
{
    size_t back = world_below(world, world->site_count),
           source = world_below(world, world->site_count);
    if (back != source && oracle_is_in(world, &world->sites[back]) &&
        oracle_is_in(world, &world->sites[source]) && !world->may_fork)
        thrift_measure(world, back, source);
}

void schedule_run(struct sim_world *world)
{
    size_t early = set_up(world);
    world->has_trouble = world_chance(world, 600);
    world->has_short_logs = world_chance(world, 400);
    size_t actions = ACTIONS_MIN + world_below(world, ACTIONS_MAX - ACTIONS_MIN);
    for (size_t i = 0; i < actions && world->failure[0] == '\0'; i++) {
        act(world, early);
        world_run(world, world->now_ms + world_below(world, world_chance(world, 100) ? 4000 : 120));
    }
    if (world->failure[0] == '\0')
        calm_down(world, early);
    if (world->failure[0] == '\0')
        oracle_at_rest(world);
    if (world->failure[0] == '\0' && world_chance(world, 300))
        measure(world);
    custody_tell(world);
}
