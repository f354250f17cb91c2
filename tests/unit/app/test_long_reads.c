#include <criterion/criterion.h>

#include "app/long_reads.h"
#include "base/limits.h"
#include "base/vec.h"

static QN_VEC(uint64_t) begun;  /* tokens, in order */
static QN_VEC(uint64_t) failed; /* likewise */
static uint64_t ended;          /* the last one */
static enum qn_err begin_err;
static struct qn_long_reads *reads;

static enum qn_err begin(void *context, struct qn_read *take_read)
{
    cr_assert_eq(take_read->pin, take_read->token, "a transaction of its own");
    qn_vec_push(&begun, take_read->token);
    qn_read_free(take_read);
    return begin_err;
}

static void end(void *context, uint64_t pin)
{
    ended = pin;
}

static void fail(void *context, uint64_t token, enum qn_err err)
{
    cr_assert_eq(err, QN_ERR_BUSY);
    qn_vec_push(&failed, token);
}

static void set_up(void)
{
    reads = qn_long_reads_new(
        &(struct qn_long_reads_options){.begin = begin, .end = end, .fail = fail});
}

static void tear_down(void)
{
    qn_long_reads_free(reads);
    qn_vec_free(&begun);
    qn_vec_free(&failed);
}

TestSuite(long_reads, .init = set_up, .fini = tear_down);

static void add(uint64_t token, uint8_t site)
{
    struct qn_read *read = QN_NEW(struct qn_read);
    *read = (struct qn_read){.kind = QN_READ_BUCKET, .token = token, .asker = {.bytes = {site}}};
    qn_long_reads_add(reads, read);
}

/* The one under way ends; the token of the next one, 0: none. */
static uint64_t next(void)
{
    size_t count = begun.count;
    uint64_t token = begun.items[count - 1];
    qn_long_reads_ended(reads, token);
    cr_assert_eq(ended, token);
    return begun.count > count ? begun.items[count] : 0;
}

Test(long_reads, one_at_a_time)
{
    add(1, 1);
    add(2, 1);
    cr_assert_eq(begun.count, 1);
    qn_long_reads_ended(reads, 77); /* of something else */
    cr_assert_eq(begun.count, 1);
    cr_assert_eq(next(), 2);
    cr_assert_eq(next(), 0);
    add(3, 1);
    cr_assert_eq(begun.count, 3);
}

Test(long_reads, sites_that_ask_take_turns)
{
    for (uint64_t token = 10; token < 20; token++)
        add(token, 1);
    add(20, 2);
    add(21, 2);
    add(30, 0);
    cr_assert_eq(begun.items[0], 10);
    cr_assert_eq(next(), 20);
    cr_assert_eq(next(), 30);
    cr_assert_eq(next(), 11);
    cr_assert_eq(next(), 21);
    cr_assert_eq(next(), 12);
}

Test(long_reads, a_site_that_asks_too_much_takes_no_room_of_others)
{
    for (uint64_t token = 1; token <= QN_LONG_READS_MAX + 3; token++)
        add(token, 1); /* the first one is under way */
    cr_assert_eq(failed.count, 2);
    cr_assert_eq(failed.items[0], QN_LONG_READS_MAX + 2);
    add(1000, 2);
    cr_assert_eq(failed.count, 2);
    cr_assert_eq(next(), 1000);
}

Test(long_reads, one_that_cannot_begin_holds_nobody_up)
{
    begin_err = QN_ERR_BUSY;
    add(1, 1);
    cr_assert_eq(failed.count, 1);
    begin_err = QN_OK;
    add(2, 1);
    cr_assert_eq(begun.count, 2);
    cr_assert_eq(failed.count, 1);
}

Test(long_reads, which_they_are)
{
    struct qn_read read = {.kind = QN_READ_FP, .level = 1};
    cr_assert_not(qn_read_is_long(&read), "the sums that are stored");
    read.level = 2;
    cr_assert(qn_read_is_long(&read));
    read.kind = QN_READ_SCRUB;
    cr_assert(qn_read_is_long(&read));
    read.kind = QN_READ_OPS;
    cr_assert_not(qn_read_is_long(&read));
}
