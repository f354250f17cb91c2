/* The owner on the first connection: what a holder passed over is said again. */
#include <criterion/criterion.h>

#include "support/offsite_rig.h"

#define KIB   1024
#define RESTS 100000 /* units within which all comes to rest */

static struct offsite_rig rig;

static void start(void)
{
    offsite_rig_init(&rig);
}

static void stop(void)
{
    offsite_rig_deinit(&rig);
}

TestSuite(narrow, .init = start, .fini = stop, .timeout = 120);

static void rest(void)
{
    cr_assert(offsite_rig_run(&rig, RESTS, 5000), "it never comes to rest");
}

static size_t sent(enum qn_message number)
{
    return rig_count(&rig.rig, number);
}

/* Everything is there, and the second connection has gone. */
static void send_first(void)
{
    offsite_rig_backup(&rig, 5, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    cr_assert(offsite_rig_is_complete(&rig, 0));
    offsite_rig_cut(&rig);
    rest();
    rig.hears_first = true;
}

static void until_passed_over(uint64_t step_ms)
{
    for (int i = 0; i < 100000 && rig.deaf > 0; i++)
        if (!offsite_rig_unit(&rig))
            rig_wait(&rig.rig, step_ms);
    cr_assert_eq(rig.deaf, 0);
}

/* The holder passes over one such message; it is said again within seconds. */
static void pass_over(enum qn_message number)
{
    until_passed_over(500);
    size_t before = sent(number);
    uint64_t before_ms = rig.rig.now_ms;
    while (sent(number) == before && rig.rig.now_ms < before_ms + 3600000)
        if (!offsite_rig_unit(&rig))
            rig_wait(&rig.rig, 500);
    cr_assert_leq(rig.rig.now_ms - before_ms, 20000, "%d: %lu ms", (int)number,
                  rig.rig.now_ms - before_ms);
    rest();
    cr_assert_not(rig.rig.has_closed);
}

static void be_deaf(enum qn_message number, size_t count)
{
    rig.deaf_to = number;
    rig.deaf = count;
}

/* A holder passes over what it is asked there while it believes in a second connection. */
Test(narrow, what_was_passed_over_on_the_first_is_said_again_within_seconds)
{
    static const enum qn_message passed_over[] = {QN_MSG_VAULT_ASK, QN_MSG_LIST_PUT};
    send_first();
    for (size_t i = 0; i < 2; i++) {
        be_deaf(passed_over[i], 1);
        offsite_rig_backup(&rig, 0, 0, true);
        pass_over(passed_over[i]);
        cr_assert(offsite_rig_is_complete(&rig, i + 1));
        rig_wait(&rig.rig, 2 * BULK_IDLE_MS);
        rest();
    }
}

Test(narrow, a_forget_that_was_passed_over_is_said_again)
{
    send_first();
    offsite_rig_backup(&rig, 0, 0, true);
    rest();
    be_deaf(QN_MSG_LIST_FORGET, 1);
    offsite_rig_forget_first(&rig);
    offsite_rig_backup(&rig, 0, 0, true);
    pass_over(QN_MSG_LIST_FORGET);
    cr_assert(rig.lists.items[0].is_forgotten);
}

/* One that answers nothing is asked ever more rarely, not every few seconds for ever. */
Test(narrow, one_that_hears_nothing_on_the_first_is_asked_ever_more_rarely)
{
    send_first();
    size_t asked = sent(QN_MSG_VAULT_ASK);
    be_deaf(QN_MSG_VAULT_ASK, 1000);
    offsite_rig_backup(&rig, 0, 0, true);
    for (uint64_t end_ms = rig.rig.now_ms + 600000; rig.rig.now_ms < end_ms;)
        if (!offsite_rig_unit(&rig))
            rig_wait(&rig.rig, 1000);
    asked = sent(QN_MSG_VAULT_ASK) - asked;
    cr_assert(asked >= 4 && asked <= 8, "%zu", asked);
}

/* A dial that comes to nothing here may have been a connection there. */
Test(narrow, a_challenge_is_said_again_after_a_dial_that_failed)
{
    send_first();
    size_t asked = sent(QN_MSG_PROOF_ASK);
    be_deaf(QN_MSG_PROOF_ASK, 1);
    until_passed_over(10000);
    struct bulk *bulk = rig.rig.core->peers.items[0]->bulk;
    cr_assert_eq(sent(QN_MSG_PROOF_ASK), asked + 1);
    cr_assert(bulk->is_narrow);
    bulk->dial_token = 1ull << 40;
    rig_step(&rig.rig, (struct qn_event){.kind = QN_EVENT_DIAL_FAILED,
                                         .token = bulk->dial_token,
                                         .err = QN_ERR_CLOSED});
    rest();
    cr_assert_eq(sent(QN_MSG_PROOF_ASK), asked + 2);
    cr_assert_eq(offsite_rig_proof(&rig).started_ms, 0, "the round is over");
    cr_assert_eq(offsite_rig_proof(&rig).bad, 0);
    cr_assert_not(rig.rig.has_closed);
}
