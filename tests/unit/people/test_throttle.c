/* Brute force, simulated: from one and from 200 addresses, with and without IPv6 prefixes to spare,
 * while people come in to work. */
#include "people/throttle.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/prng.h"
#include "support/span.h"

#define SECOND ((uint64_t)1000)
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static struct qn_throttle *throttle;

static void set_up(void)
{
    static const uint8_t key[QN_THROTTLE_KEY_SIZE] = {1, 2, 3};
    throttle = qn_throttle_new(key);
}

static void tear_down(void)
{
    qn_throttle_free(throttle);
}
TestSuite(throttle, .init = set_up, .fini = tear_down);

static struct qn_guess guess_of(const char *name, unsigned address)
{
    struct qn_guess guess = {.name = qn_span_str(name), .is_account = true};
    uint8_t bytes[16] = {[10] = 0xff, [11] = 0xff};
    qn_write_u32(bytes + 12, address);
    qn_source_of(bytes, &guess.source);
    return guess;
}

static bool try(const struct qn_guess *guess, uint64_t now)
{
    uint64_t wait = 0;
    enum qn_err err = qn_throttle_ask(throttle, guess, now, &wait);
    cr_assert((err == QN_OK && wait == 0) || (err == QN_ERR_BUSY && wait > 0));
    return err == QN_OK;
}

/* A right password: how long it takes until it is let in. */
static uint64_t come_in(const struct qn_guess *guess, uint64_t now)
{
    uint64_t start = now, wait;
    while (qn_throttle_ask(throttle, guess, now, &wait) != QN_OK)
        now += wait;
    qn_throttle_right(throttle, guess, now);
    return now - start;
}

#define STEP (3 * MINUTE)

/* Each of `count` addresses tries each step, for `duration`; `visit` comes then. */
static size_t attack(unsigned count, uint64_t start, uint64_t duration, void (*visit)(uint64_t now))
{
    size_t made = 0;
    for (uint64_t now = start; now < start + duration; now += STEP) {
        for (unsigned i = 0; i < count; i++) {
            struct qn_guess guess = guess_of("anne", 1000 + i);
            made += try(&guess, now);
        }
        if (visit != NULL)
            visit(now);
    }
    return made;
}

static uint64_t worst_known, worst_other;

/* Anne from where she was before; Paul, whom nobody attacks, from wherever. */
static void people_come(uint64_t now)
{
    struct qn_guess anne = guess_of("anne", 7), paul = guess_of("paul", 8);
    uint64_t a = come_in(&anne, now), b = come_in(&paul, now);
    worst_known = a > worst_known ? a : worst_known;
    worst_other = b > worst_other ? b : worst_other;
}

static void attack_while_people_come(unsigned addresses)
{
    struct qn_guess anne = guess_of("anne", 7);
    worst_known = worst_other = 0;
    cr_assert_eq(come_in(&anne, 5), 0);
    size_t made = attack(addresses, DAY, DAY, people_come);
    cr_assert_leq(made, QN_THROTTLE_DAY_MAX);
    cr_assert_gt(made, 0);
    cr_assert_eq(worst_known, 0, "anne waited %lu ms", (unsigned long)worst_known);
    cr_assert_eq(worst_other, 0, "paul waited %lu ms", (unsigned long)worst_other);
}

Test(throttle, one_address)
{
    attack_while_people_come(1);
}

Test(throttle, two_hundred_addresses)
{
    attack_while_people_come(200);
}

/* One address cannot even use up the strangers' share: a new device gets in meanwhile. */
Test(throttle, new_device_during_an_attack_from_one_address)
{
    attack(1, DAY, 12 * HOUR, NULL);
    struct qn_guess device = guess_of("anne", 99);
    cr_assert_eq(come_in(&device, DAY + 12 * HOUR), 0);
}

/* And 200 can, but nobody stays out for longer than one refill once they stop. */
Test(throttle, no_permanent_lock_out)
{
    attack(200, DAY, DAY, NULL);
    struct qn_guess device = guess_of("anne", 99);
    cr_assert_leq(come_in(&device, 2 * DAY), 30 * MINUTE);
    cr_assert_eq(come_in(&device, 2 * DAY + HOUR), 0);
}

/* Any 24 hours, whatever is known: not more than 100, also with the share of known devices. */
Test(throttle, a_hundred_a_day_from_everywhere)
{
    struct qn_guess known = guess_of("anne", 7);
    size_t made = 0;
    cr_assert_eq(come_in(&known, 5), 0);
    for (uint64_t now = DAY; now < 2 * DAY; now += STEP) {
        for (unsigned i = 0; i < 50; i++) {
            struct qn_guess guess = guess_of("anne", 1000 + i);
            made += try(&guess, now);
        }
        made += try(&known, now);
    }
    cr_assert_leq(made, QN_THROTTLE_DAY_MAX);
    cr_assert_gt(made, 60);
}

/* A botnet with a prefix for every guess pushes others out of the tables, not over the limit. */
Test(throttle, endless_sources)
{
    struct qn_guess known = guess_of("anne", 7);
    size_t made = 0;
    cr_assert_eq(come_in(&known, 5), 0);
    for (unsigned i = 0; i < 30000; i++) {
        struct qn_guess guess = guess_of("anne", 100000 + i);
        made += try(&guess, DAY + i * 2800);
    }
    cr_assert_leq(made, QN_THROTTLE_DAY_MAX);
    cr_assert_eq(come_in(&known, 2 * DAY), 0);
}

/* Mistyping three times costs nothing, then it doubles, and right is right. */
Test(throttle, delays_double)
{
    struct qn_guess device = guess_of("anne", 1);
    uint64_t now = DAY, wait, last = 0;
    for (int i = 0; i < 4; i++)
        cr_assert(try(&device, now));
    cr_assert_not(try(&device, now));
    cr_assert(try(&device, now + SECOND));
    cr_assert_eq(qn_throttle_ask(throttle, &device, now + SECOND, &wait), QN_ERR_BUSY);
    for (int i = 0; i < 12; i++) {
        while (qn_throttle_ask(throttle, &device, now, &wait) != QN_OK)
            now += wait;
        cr_assert_geq(now, last);
        last = now;
    }
    qn_throttle_right(throttle, &device, now);
    cr_assert(try(&device, now));
}

Test(throttle, names_that_nobody_has_cost_the_same)
{
    size_t known = 0, unknown = 0;
    for (uint64_t now = DAY; now < 2 * DAY; now += 5 * STEP)
        for (unsigned i = 0; i < 20; i++) {
            struct qn_guess a = guess_of("anne", 1000 + i), b = guess_of("nobody", 3000 + i);
            b.is_account = false;
            known += try(&a, now);
            unknown += try(&b, now);
        }
    cr_assert_eq(known, unknown);
}

/* Trying thousands of names does not wash out what is known of an account. */
Test(throttle, many_names)
{
    for (uint64_t now = DAY; now < DAY + HOUR; now += 10 * SECOND) {
        struct qn_guess guess = guess_of("anne", (unsigned)now);
        (void)try(&guess, now);
    }
    for (unsigned i = 0; i < 20000; i++) {
        char name[16];
        snprintf(name, sizeof(name), "n%u", i);
        struct qn_guess guess = guess_of(name, i);
        guess.is_account = false;
        (void)try(&guess, DAY + HOUR);
    }
    struct qn_guess guess = guess_of("anne", 77);
    cr_assert_not(try(&guess, DAY + HOUR));
}

Test(throttle, undo_gives_back)
{
    struct qn_guess device = guess_of("anne", 1);
    for (int i = 0; i < 1000; i++) {
        cr_assert(try(&device, DAY));
        qn_throttle_undo(throttle, &device, DAY);
    }
}

Test(throttle, a_reset_account_starts_afresh)
{
    struct qn_guess anne = guess_of("anne", 1), bert = guess_of("bert", 2);
    while (try(&anne, DAY))
        ;
    while (try(&bert, DAY))
        ;
    qn_throttle_reset(throttle, SPAN("anne"));
    cr_assert(try(&anne, DAY));
    cr_assert_not(try(&bert, DAY));
}

Test(throttle, a_device_with_its_cookie_is_known_anywhere)
{
    attack(200, DAY, HOUR, NULL);
    struct qn_guess device = guess_of("anne", 99);
    cr_assert_not(try(&device, DAY + HOUR - STEP));
    cr_assert_not(qn_throttle_is_known(throttle, &device, DAY + HOUR - STEP));
    device.is_known_device = true;
    cr_assert(qn_throttle_is_known(throttle, &device, DAY + HOUR - STEP));
    cr_assert(try(&device, DAY + HOUR - STEP));
}

Test(throttle, prefixes)
{
    uint8_t a[16] = {0x20, 1, 13, 0xb8, 0, 0, 0, 1, 9, 9},
            b[16] = {0x20, 1, 13, 0xb8, 0, 0, 0, 1, 8};
    struct qn_source x, y;
    qn_source_of(a, &x);
    qn_source_of(b, &y);
    cr_assert_eq(memcmp(&x, &y, sizeof(x)), 0);
    b[7] = 2;
    qn_source_of(b, &y);
    cr_assert_neq(memcmp(&x, &y, sizeof(x)), 0);
    uint8_t c[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1}, d[16];
    memcpy(d, c, 16);
    d[15] = 2;
    qn_source_of(c, &x);
    qn_source_of(d, &y);
    cr_assert_neq(memcmp(&x, &y, sizeof(x)), 0);
}
