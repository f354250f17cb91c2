/* What is known of another site's audit trail: bounded, and a proof of a contradiction stays. */
#include <criterion/criterion.h>

#include "model/trail.h"
#include "support/memkv.h"
#include "support/span.h"

#define START ((uint64_t)1800000000000)
#define HOUR  ((uint64_t)3600 * 1000)
#define DAY   (24 * HOUR)

static struct memkv *disk;
static const struct qn_site_id luzech = {{1}}, cajarc = {{2}};

static void set_up(void)
{
    disk = memkv_new();
}

static void tear_down(void)
{
    memkv_free(disk);
}
TestSuite(trail, .init = set_up, .fini = tear_down);

static enum qn_err keep(const struct qn_site_id *site, uint64_t seq, uint8_t hash, uint64_t ms)
{
    struct qn_trail_point told = {
        .seq = seq, .hash = {{hash}}, .checkpoint = SPAN("signed by that site")};
    enum qn_err err = qn_trail_keep(memkv_begin(disk), site, &told, ms);
    cr_assert_eq(memkv_commit(disk), QN_OK);
    return err;
}

static size_t count_of(const struct qn_site_id *site)
{
    struct qn_trail_point point = {0};
    size_t count = 0;
    while (qn_trail_next(memkv_reader(disk), site, point.place, &point) == QN_OK)
        count++;
    return count;
}

static uint64_t contradicted(const struct qn_site_id *site)
{
    uint64_t ms = 1;
    cr_assert_eq(qn_trail_contradicted(memkv_reader(disk), site, &ms), QN_OK);
    return ms;
}

Test(trail, what_was_told_comes_back_newest_first)
{
    struct qn_trail_point point = {0};
    cr_assert_eq(keep(&luzech, 10, 1, START), QN_OK);
    cr_assert_eq(keep(&luzech, 20, 2, START + HOUR), QN_OK);
    cr_assert_eq(keep(&cajarc, 5, 3, START), QN_OK);
    cr_assert_eq(qn_trail_next(memkv_reader(disk), &luzech, 0, &point), QN_OK);
    cr_assert_eq(point.seq, 20);
    cr_assert_eq(point.received_ms, START + HOUR);
    cr_assert_eq(point.hash.bytes[0], 2);
    assert_span_eq(point.checkpoint, SPAN("signed by that site"));
    cr_assert_eq(qn_trail_next(memkv_reader(disk), &luzech, point.place, &point), QN_OK);
    cr_assert_eq(point.seq, 10);
    cr_assert_eq(qn_trail_next(memkv_reader(disk), &luzech, point.place, &point), QN_ERR_NOTFOUND);
    cr_assert_eq(contradicted(&luzech), 0);
}

Test(trail, the_same_again_is_nothing_new)
{
    cr_assert_eq(keep(&luzech, 10, 1, START), QN_OK);
    cr_assert_eq(keep(&luzech, 10, 1, START + DAY), QN_OK);
    cr_assert_eq(count_of(&luzech), 1);
    cr_assert_eq(contradicted(&luzech), 0);
}

Test(trail, a_shorter_one_and_another_hash_are_contradictions_and_both_stay)
{
    cr_assert_eq(keep(&luzech, 10, 1, START), QN_OK);
    cr_assert_eq(keep(&luzech, 10, 2, START + HOUR), QN_OK);
    cr_assert_eq(contradicted(&luzech), START + HOUR);
    cr_assert_eq(keep(&cajarc, 10, 1, START), QN_OK);
    cr_assert_eq(keep(&cajarc, 9, 1, START + DAY), QN_OK);
    cr_assert_eq(contradicted(&cajarc), START + DAY);
    cr_assert_eq(count_of(&luzech), 2);
    cr_assert_eq(count_of(&cajarc), 2);
}

Test(trail, of_a_year_the_last_of_each_day_stays_and_of_a_week_all)
{
    for (uint64_t hour = 0; hour < 399 * 24; hour++)
        cr_assert_eq(keep(&luzech, hour + 1, 1, START + hour * HOUR), QN_OK, "%lu", hour);
    size_t count = count_of(&luzech);
    cr_assert_geq(count, 392 + 7 * 24);
    cr_assert_leq(count, 394 + 7 * 24);
}

Test(trail, what_is_old_goes_but_for_the_newest)
{
    cr_assert_eq(keep(&luzech, 1, 1, START), QN_OK);
    cr_assert_eq(keep(&luzech, 2, 1, START + HOUR), QN_OK);
    cr_assert_eq(keep(&luzech, 3, 1, START + 500 * DAY), QN_OK);
    cr_assert_eq(keep(&luzech, 4, 1, START + 500 * DAY + HOUR), QN_OK);
    cr_assert_eq(count_of(&luzech), 2);
}

Test(trail, a_proof_is_not_thinned)
{
    cr_assert_eq(keep(&luzech, 50, 1, START), QN_OK);
    cr_assert_eq(keep(&luzech, 20, 1, START + HOUR), QN_OK);
    for (uint64_t i = 0; i < 5; i++)
        cr_assert_eq(keep(&luzech, 100 + i, 1, START + (2 + i) * HOUR), QN_OK);
    cr_assert_eq(keep(&luzech, 200, 1, START + 100 * DAY), QN_OK);
    cr_assert_eq(keep(&luzech, 201, 1, START + 101 * DAY), QN_OK);
    cr_assert_eq(contradicted(&luzech), START + HOUR);
    cr_assert_eq(count_of(&luzech), 5); /* the pair, the last of that day, and two */
}

Test(trail, a_flood_pushes_nothing_out)
{
    cr_assert_eq(keep(&luzech, 1, 1, START), QN_OK);
    for (uint64_t i = 1; i < QN_TRAIL_POINTS_MAX; i++)
        cr_assert_eq(keep(&luzech, 1 + i, 1, START + i), QN_OK);
    cr_assert_eq(keep(&luzech, 5000, 1, START + 5000), QN_ERR_LIMIT);
    cr_assert_eq(count_of(&luzech), QN_TRAIL_POINTS_MAX);
    cr_assert_eq(keep(&luzech, 5000, 1, START + 9 * DAY), QN_OK);
    cr_assert_eq(count_of(&luzech), 2);
}
