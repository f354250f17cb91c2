/* Invariant 12: a site that lacks d operations of a collection gets them for their bytes, 1 KiB,
 * and 8 bytes each (RECORDS 1.7). Measured once a history, when all is at rest: one site stops,
 * another one writes, and the first is back with that one alone to hear from. Counted, both ways,
 * is what the session begins with (HELLO, heads of ledgers), and of that collection its row of
 * COLLS, its clocks, operations with all that is around them, and acknowledgements. The rows of
 * other collections are not for what is lacking: each costs 41 bytes at every contact. Nor are
 * incarnations beyond the first five in the clock: each machine that was restored adds one for
 * good.
 */
#include "base/limits.h"
#include "proto/cursor.h"
#include "proto/message.h"
#include "sim/world.h"

#define COLL      "residents"
#define PUTS_MAX  120
#define SPENT_MAX 1024 /* beside the operations */
#define SPENT_OP  8    /* of each */
#define ACTORS    5    /* in a clock, which are part of that; */
#define ACTOR     21   /* bytes of each further one */

/* The rows of other collections in COLLS. */
static size_t size_of_others(const struct sim_thrift *thrift, struct qn_cursor cursor)
{
    size_t count, size = 0;
    if (qn_cursor_array(&cursor, 3 * QN_COLLECTIONS_MAX, &count) != QN_OK)
        return 0;
    for (; count >= 3; count -= 3) {
        uint8_t prefix[4];
        struct qn_span row;
        struct qn_cursor at = cursor;
        if (qn_cursor_skip(&cursor, 3, &row) != QN_OK ||
            qn_cursor_bytes(&at, prefix, sizeof(prefix)) != QN_OK)
            break;
        size += memcmp(prefix, thrift->coll.bytes, sizeof(prefix)) == 0 ? 0 : row.size;
    }
    return size;
}

/* What the session costs, and what is said of that collection. Of two connections that are made at
 * the same time the last one counts; and of the clocks there one, for what was heard on the first
 * one tells both ends that theirs differ, and each says its own. */
void thrift_said(struct sim_world *world, uint64_t link, size_t from, size_t to,
                 struct qn_span frame)
{
    struct sim_thrift *thrift = &world->thrift;
    struct qn_cursor cursor = qn_cursor(frame);
    struct qn_coll_id coll;
    uint64_t number;
    size_t count;
    bool is_between = (from == thrift->back && to == thrift->source) ||
                      (from == thrift->source && to == thrift->back);
    if (!thrift->is_counting || !is_between || qn_cursor_array(&cursor, 64, &count) != QN_OK ||
        qn_cursor_u64(&cursor, &number) != QN_OK)
        return;
    thrift->is_second |= link > thrift->link && thrift->link > 0;
    thrift->bytes = link > thrift->link ? 0 : thrift->bytes;
    thrift->link = link > thrift->link ? link : thrift->link;
    if (link < thrift->link)
        return;
    if (number == QN_MSG_HELLO || number == QN_MSG_LEDGER_HEADS)
        thrift->bytes += frame.size;
    if (number == QN_MSG_COLLS)
        thrift->bytes += frame.size - size_of_others(thrift, cursor);
    if (number == QN_MSG_CLOCK && thrift->is_second && from == thrift->back)
        return;
    bool is_of_coll = number == QN_MSG_CLOCK || number == QN_MSG_OPS || number == QN_MSG_ACK ||
                      number == QN_MSG_LIVE;
    if (is_of_coll && qn_cursor_bytes(&cursor, coll.bytes, sizeof(coll.bytes)) == QN_OK &&
        qn_coll_id_eq(&coll, &thrift->coll))
        thrift->bytes += frame.size;
}

static const struct qn_coll_id *find_coll(struct sim_world *world)
{
    const struct qn_coll_id *first = &world->colls.items[0];
    qn_vec_each (&world->colls, coll) {
        struct qn_coll_info info;
        for (size_t i = 0; i < world->site_count; i++)
            if (qn_read_coll(memkv_reader(world->sites[i].disk), coll, &info) == QN_OK &&
                strcmp((const char *)info.name, COLL) == 0)
                first = coll;
    }
    return first;
}

static bool has_all(struct sim_world *world)
{
    QN_AUTO_VV struct qn_vv back = {0}, source = {0};
    const struct sim_thrift *thrift = &world->thrift;
    const struct qn_coll_id *coll = &thrift->coll;
    return qn_read_cc(memkv_reader(world->sites[thrift->back].disk), coll, &back) == QN_OK &&
           qn_read_cc(memkv_reader(world->sites[thrift->source].disk), coll, &source) == QN_OK &&
           qn_vv_covers(&back, &source);
}

static void write_some(struct sim_world *world, struct sim_site *site, size_t count)
{
    for (size_t i = 0; i < count && world->failure[0] == '\0'; i++) {
        schedule_put(world, site, COLL);
        world_run(world, world->now_ms + 60);
    }
    world_run(world, world->now_ms + 1000);
}

static void meet_alone(struct sim_world *world)
{
    const struct sim_thrift *thrift = &world->thrift;
    for (size_t i = 0; i < world->site_count; i++)
        if (i != thrift->back && i != thrift->source)
            world->is_blocked[i][thrift->back] = world->is_blocked[thrift->back][i] = true;
    site_start(world, &world->sites[thrift->back]);
    for (int i = 0; i < 600 && world->failure[0] == '\0' && !has_all(world); i++)
        world_run(world, world->now_ms + 50);
    world_run(world, world->now_ms + 500); /* what is acknowledged, and said behind it */
    memset(world->is_blocked, 0, sizeof(world->is_blocked));
}

static uint64_t spent_on_actors(struct sim_world *world)
{
    QN_AUTO_VV struct qn_vv cc = {0};
    struct memkv *disk = world->sites[world->thrift.source].disk;
    QN_ASSERT(qn_read_cc(memkv_reader(disk), &world->thrift.coll, &cc) == QN_OK);
    return cc.entries.count > ACTORS ? ACTOR * (cc.entries.count - ACTORS) : 0;
}

void thrift_measure(struct sim_world *world, size_t back, size_t source)
{
    struct sim_thrift *thrift = &world->thrift;
    size_t first = world->ops.count, count = 0;
    uint64_t payload = 0;
    *thrift = (struct sim_thrift){
        .back = back, .source = source, .coll = *find_coll(world), .is_counting = true};
    site_crash(world, &world->sites[back]);
    write_some(world, &world->sites[source], 1 + world_below(world, PUTS_MAX));
    meet_alone(world);
    thrift->is_counting = false;
    for (size_t i = first; i < world->ops.count; i++)
        if (qn_coll_id_eq(&world->ops.items[i].coll, &thrift->coll)) {
            payload += world->ops.items[i].size;
            count++;
        }
    uint64_t most = payload + SPENT_MAX + SPENT_OP * count + spent_on_actors(world);
    world_trace(world, "%zu operations of %llu bytes cost %llu", count, (unsigned long long)payload,
                (unsigned long long)thrift->bytes);
    if (world->failure[0] == '\0' && !has_all(world))
        world_fail(world, "site%zu did not get what it lacked", back);
    else if (thrift->bytes > most)
        world_fail(world, "%zu operations of %llu bytes cost %llu, at most %llu", count,
                   (unsigned long long)payload, (unsigned long long)thrift->bytes,
                   (unsigned long long)most);
}
