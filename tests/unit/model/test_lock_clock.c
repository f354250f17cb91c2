/* Lock time under machines that are switched off, clocks that are moved and peers that lie. */
#include <criterion/criterion.h>

#include "base/limits.h"
#include "base/prng.h"
#include "model/lock_clock.h"
#include "support/memkv.h"

#define HOUR     3600000u
#define DAY      (24u * HOUR)
#define YEAR     (365ull * DAY)
#define START_MS 1700000000000u

/* A machine with a true time, which only the test knows. */
struct machine {
    struct qn_lock_clock clock;
    uint64_t true_ms, boot_at_ms, boots;
    int64_t wall_error_ms, witness_error_ms;
    uint64_t witnesses;
};

static struct qn_clock_reading look(const struct machine *m)
{
    struct qn_clock_reading reading = {
        .boot_ms = m->true_ms - m->boot_at_ms,
        .wall_ms = START_MS + m->true_ms + (uint64_t)m->wall_error_ms,
        .witness_ms = START_MS + m->true_ms + (uint64_t)m->witness_error_ms,
        .witness_count = m->witnesses,
    };
    memcpy(reading.boot.bytes, &m->boots, sizeof(m->boots));
    return reading;
}

static void read_clock(struct machine *m)
{
    uint64_t before = m->clock.lock_ms;
    struct qn_clock_reading reading = look(m);
    qn_lock_clock_read(&m->clock, &reading);
    cr_assert_geq(m->clock.lock_ms, before, "lock time went back");
}

static struct machine machine(void)
{
    struct machine m = {.boots = 1};
    struct qn_clock_reading reading = look(&m);
    qn_lock_clock_start(&m.clock, &reading);
    return m;
}

static uint64_t passed(const struct machine *m)
{
    return m->clock.lock_ms - START_MS;
}

static void run(struct machine *m, uint64_t ms)
{
    m->true_ms += ms;
    read_clock(m);
}

static void power_off(struct machine *m, uint64_t ms)
{
    m->true_ms += ms;
    m->boots++;
    m->boot_at_ms = m->true_ms;
    read_clock(m);
}

Test(lock_clock, it_runs_as_the_boot_clock_does)
{
    struct machine m = machine();
    for (int i = 0; i < 100; i++)
        run(&m, HOUR);
    cr_assert_eq(passed(&m), 100 * HOUR);
}

Test(lock_clock, a_wall_clock_moved_ten_years_changes_nothing)
{
    for (int sign = -1; sign <= 1; sign += 2) {
        struct machine m = machine();
        run(&m, HOUR);
        m.wall_error_ms = sign * (int64_t)(10 * YEAR);
        run(&m, HOUR);
        m.wall_error_ms = 0;
        run(&m, HOUR);
        cr_assert_eq(passed(&m), 3 * HOUR);
    }
}

Test(lock_clock, a_short_power_off_counts_at_once)
{
    struct machine m = machine();
    power_off(&m, 5 * HOUR);
    cr_assert_eq(passed(&m), 5 * HOUR);
    run(&m, HOUR);
    cr_assert_eq(passed(&m), 6 * HOUR);
}

Test(lock_clock, a_long_power_off_counts_a_day_until_witnesses_confirm_it)
{
    struct machine m = machine();
    m.witnesses = 3;
    run(&m, HOUR);
    m.witnesses = 0;
    power_off(&m, 40 * (uint64_t)DAY);
    cr_assert_eq(passed(&m), HOUR + DAY);
    m.witnesses = QN_LOCK_WITNESSES_MIN - 1;
    run(&m, HOUR);
    cr_assert_eq(passed(&m), DAY + 2 * HOUR);
    m.witnesses = QN_LOCK_WITNESSES_MIN;
    run(&m, HOUR);
    cr_assert_eq(passed(&m), 40 * (uint64_t)DAY + 3 * HOUR);
    cr_assert_eq(m.clock.unproven_ms, 0);
}

Test(lock_clock, the_time_since_boot_needs_no_witness)
{
    struct machine m = machine();
    m.boots++;
    m.boot_at_ms = m.true_ms + HOUR;
    m.true_ms += HOUR + 60 * (uint64_t)DAY; /* it ran two months without this program */
    read_clock(&m);
    cr_assert_eq(passed(&m), HOUR + 60 * (uint64_t)DAY);
}

Test(lock_clock, reboots_with_a_clock_set_ahead_gain_one_day_in_all)
{
    struct machine m = machine();
    for (int i = 0; i < 5000; i++) {
        m.wall_error_ms += YEAR;
        power_off(&m, 1000);
    }
    cr_assert_leq(passed(&m), m.true_ms + QN_LOCK_UNPROVEN_MAX_MS);
    cr_assert_geq(passed(&m), m.true_ms - 5000u * 1000u);
}

Test(lock_clock, witnesses_that_know_better_take_back_no_time_but_count_it)
{
    struct machine m = machine();
    m.witnesses = 3;
    run(&m, HOUR);
    for (int i = 0; i < 50; i++) {
        m.wall_error_ms += YEAR;
        power_off(&m, 1000);
        run(&m, HOUR);
    }
    cr_assert_leq(passed(&m), m.true_ms + QN_LOCK_UNPROVEN_MAX_MS);
    m.wall_error_ms = 0;
    uint64_t ahead = passed(&m) - m.true_ms;
    power_off(&m, 2 * DAY); /* no wall clock went forward in it: it counts for nothing */
    run(&m, HOUR);
    power_off(&m, 3 * DAY);
    cr_assert_leq(passed(&m), m.true_ms + ahead);
}

Test(lock_clock, witnesses_alone_move_nothing)
{
    struct machine m = machine();
    m.witnesses = 5;
    run(&m, HOUR);
    m.witness_error_ms = 10 * YEAR; /* all of them lie */
    run(&m, HOUR);
    power_off(&m, HOUR);
    run(&m, HOUR);
    cr_assert_eq(passed(&m), 4 * HOUR);
    m.witness_error_ms = -(int64_t)(10 * YEAR);
    run(&m, HOUR);
    cr_assert_eq(passed(&m), 5 * HOUR);
}

Test(lock_clock, a_claim_that_witnesses_refuted_is_not_kept_for_later)
{
    struct machine m = machine();
    m.witnesses = 3;
    run(&m, HOUR);
    m.wall_error_ms = 10 * YEAR;
    power_off(&m, 1000);
    run(&m, HOUR);
    m.witness_error_ms = 10 * YEAR;
    run(&m, HOUR);
    cr_assert_leq(passed(&m), m.true_ms + QN_LOCK_UNPROVEN_MAX_MS);
}

Test(lock_clock, a_boot_clock_that_goes_back_stands)
{
    struct machine m = machine();
    run(&m, DAY);
    struct qn_clock_reading reading = look(&m);
    reading.boot_ms = 5; /* a virtual machine set back */
    qn_lock_clock_read(&m.clock, &reading);
    cr_assert_eq(passed(&m), DAY);
}

Test(lock_clock, extreme_readings_do_not_wrap)
{
    struct machine m = machine();
    struct qn_clock_reading reading = {.boot = {{9}},
                                       .boot_ms = UINT64_MAX,
                                       .wall_ms = UINT64_MAX,
                                       .witness_ms = UINT64_MAX,
                                       .witness_count = UINT64_MAX};
    for (int i = 0; i < 3; i++) {
        uint64_t before = m.clock.lock_ms;
        reading.boot.bytes[1]++;
        qn_lock_clock_read(&m.clock, &reading);
        cr_assert_geq(m.clock.lock_ms, before);
    }
}

/* Whatever happens to clocks and power, honest witnesses or none: never more than a day ahead. */
Test(lock_clock, it_is_never_more_than_a_day_ahead_of_the_truth)
{
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct qn_prng prng = {.state = seed};
        struct machine m = machine();
        for (int i = 0; i < 300; i++) {
            m.witnesses = qn_prng_below(&prng, 5);
            if (qn_prng_below(&prng, 4) == 0)
                m.wall_error_ms = (int64_t)qn_prng_below(&prng, 20 * YEAR) - (int64_t)(10 * YEAR);
            uint64_t ms = qn_prng_below(&prng, qn_prng_below(&prng, 2) == 0 ? HOUR : 40ull * DAY);
            if (qn_prng_below(&prng, 3) == 0)
                power_off(&m, ms);
            else
                run(&m, ms);
            cr_assert_leq(passed(&m), m.true_ms + QN_LOCK_UNPROVEN_MAX_MS, "seed %lu step %d", seed,
                          i);
        }
    }
}

Test(lock_clock, the_lower_median_needs_half_of_the_liars)
{
    cr_assert_eq(qn_median_low((uint64_t[]){7}, 1), 7);
    cr_assert_eq(qn_median_low((uint64_t[]){900, 7}, 2), 7);
    cr_assert_eq(qn_median_low((uint64_t[]){900, 7, 8}, 3), 8);
    cr_assert_eq(qn_median_low((uint64_t[]){900, 901, 8, 7}, 4), 8);
}

Test(lock_clock, it_is_stored_whole)
{
    struct memkv *memkv = memkv_new();
    struct qn_kv *kv = memkv_begin(memkv);
    uint64_t now;
    cr_assert_eq(qn_lock_now(kv, &now), QN_ERR_STATE);
    struct machine m = machine();
    struct qn_clock_reading reading = look(&m);
    cr_assert_eq(qn_lock_clock_tick(kv, &reading), QN_OK);
    m.witnesses = 3;
    for (int i = 0; i < 5; i++) {
        m.wall_error_ms += YEAR;
        power_off(&m, HOUR + (uint64_t)i);
        reading = look(&m);
        cr_assert_eq(qn_lock_clock_tick(kv, &reading), QN_OK);
    }
    struct qn_lock_clock stored;
    cr_assert_eq(qn_lock_clock_get(kv, &stored), QN_OK);
    cr_assert_eq(memcmp(&stored, &m.clock, sizeof(stored)), 0);
    cr_assert_eq(qn_lock_now(kv, &now), QN_OK);
    cr_assert_eq(now, m.clock.lock_ms);
    struct qn_span key = qn_span_str("model.lock");
    cr_assert_eq(qn_kv_put(kv, QN_TABLE_META, key, qn_span("\1abc", 4)), QN_OK);
    cr_assert_eq(qn_lock_now(kv, &now), QN_ERR_CORRUPT);
    cr_assert_eq(qn_lock_clock_tick(kv, &reading), QN_ERR_CORRUPT);
    memkv_abort(memkv);
    memkv_free(memkv);
}
