/* Who holds whose vault (docs/ledger.md, "Places"). */
#include <criterion/criterion.h>

#include "base/prng.h"
#include "support/ledger_world.h"

enum { OWNER = 1, HOLDER = 2, OTHER = 3 };

static struct world world;

static void setup(void)
{
    world_init(&world);
    for (size_t site = OWNER; site <= OTHER; site++)
        world_join(&world, site, 0);
}

static void teardown(void)
{
    world_deinit(&world);
}

TestSuite(ledger_places, .init = setup, .fini = teardown);

static const struct qn_place *place(void)
{
    return qn_group_place(qn_ledger_group(world.ledger), &world.sites[OWNER].id,
                          &world.sites[HOLDER].id);
}

static enum qn_err append(size_t author, struct qn_buf *body)
{
    enum qn_err err = world_append(&world, author, body);
    qn_buf_deinit(body);
    return err;
}

static void propose(uint64_t quota, uint64_t days)
{
    struct qn_buf body;
    world_place_body(&world, HOLDER, quota, days, &body);
    cr_assert_eq(append(OWNER, &body), QN_OK);
}

static enum qn_err answer(uint64_t quota, uint64_t days)
{
    struct qn_buf body;
    world_accept_body(&world, world.ledger, OWNER, HOLDER, quota, days, &body);
    return append(HOLDER, &body);
}

static void withdraw(size_t site)
{
    struct qn_buf body;
    world_withdraw_body(&world, world.ledger, site, &body);
    cr_assert_eq(append(site, &body), QN_OK);
}

static void cr_state(enum qn_place_state state, uint64_t quota, uint32_t days, bool is_pending)
{
    cr_assert_not_null(place());
    cr_assert_eq(place()->state, state, "state %d", place()->state);
    cr_assert_eq(place()->quota_bytes, quota);
    cr_assert_eq(place()->lock_days, days);
    cr_assert_eq(place()->is_pending, is_pending);
}

Test(ledger_places, a_proposal_promises_nothing)
{
    cr_assert_null(place());
    propose(1000, 30);
    cr_state(QN_PLACE_PROPOSED, 0, 0, true);
    cr_assert_eq(place()->asked_quota_bytes, 1000);
    cr_assert_eq(place()->asked_lock_days, 30);
    cr_assert_str_eq(place()->agreement, "convention 2024-3");
}

Test(ledger_places, the_holder_promises_what_it_says_and_never_more)
{
    propose(1000, 30);
    cr_assert_eq(answer(1001, 30), QN_ERR_INVALID);
    cr_assert_eq(answer(1000, 31), QN_ERR_INVALID);
    cr_assert_eq(answer(800, 20), QN_OK);
    cr_state(QN_PLACE_ACCEPTED, 800, 20, false);
}

Test(ledger_places, a_replacement_changes_nothing_before_it_is_answered)
{
    propose(1000, 30);
    cr_assert_eq(answer(1000, 30), QN_OK);
    propose(50, 0); /* with stolen keys: no lock any more */
    cr_state(QN_PLACE_ACCEPTED, 1000, 30, true);
    cr_assert_eq(place()->asked_lock_days, 0);
    cr_assert_eq(answer(50, 0), QN_OK);
    cr_state(QN_PLACE_ACCEPTED, 50, 0, false);
}

Test(ledger_places, either_ends_it)
{
    propose(1000, 30);
    cr_assert_eq(answer(1000, 30), QN_OK);
    cr_assert_eq(answer(0, 0), QN_OK);
    cr_state(QN_PLACE_ENDED, 0, 0, false);
    cr_assert_eq(answer(900, 30), QN_OK);
    cr_state(QN_PLACE_ACCEPTED, 900, 30, false);
    propose(0, 0);
    cr_state(QN_PLACE_ENDED, 0, 0, false);
}

Test(ledger_places, a_refusal_ends_a_proposal_until_the_next)
{
    propose(1000, 30);
    cr_assert_eq(answer(0, 0), QN_OK);
    cr_state(QN_PLACE_ENDED, 0, 0, false);
    propose(500, 30);
    cr_state(QN_PLACE_PROPOSED, 0, 0, true);
}

Test(ledger_places, what_was_promised_before_an_end_does_not_hold_after_it)
{
    struct qn_buf late;
    propose(1000, 30);
    world_accept_body(&world, world.ledger, OWNER, HOLDER, 1000, 30, &late);
    propose(0, 0);
    propose(700, 7);
    cr_assert_eq(append(HOLDER, &late), QN_OK);
    cr_state(QN_PLACE_PROPOSED, 0, 0, true);
    cr_assert_eq(answer(700, 7), QN_OK);
    cr_state(QN_PLACE_ACCEPTED, 700, 7, false);
}

Test(ledger_places, only_the_holder_that_was_asked_answers)
{
    propose(1000, 30);
    struct qn_buf body;
    world_accept_body(&world, world.ledger, OWNER, HOLDER, 1000, 30, &body);
    cr_assert_eq(append(OTHER, &body), QN_ERR_DENIED);
    cr_state(QN_PLACE_PROPOSED, 0, 0, true);
}

Test(ledger_places, an_answer_waits_for_its_place_and_names_a_place)
{
    struct qn_buf body;
    struct qn_body_place_accept accept = {.place = {{7}}, .quota_bytes = 1};
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_place_accept_pack(&world.group, &accept, &body);
    cr_assert_eq(append(HOLDER, &body), QN_ERR_HELD);
    accept.place = world.group;
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_place_accept_pack(&world.group, &accept, &body);
    cr_assert_eq(append(HOLDER, &body), QN_ERR_INVALID);
}

Test(ledger_places, nobody_holds_for_himself_and_no_lock_is_for_ever)
{
    struct qn_buf body;
    world_place_body(&world, OWNER, 1000, 30, &body);
    cr_assert_eq(append(OWNER, &body), QN_ERR_INVALID);
    world_place_body(&world, HOLDER, 1000, QN_LOCK_DAYS_MAX + 1, &body);
    cr_assert_eq(append(OWNER, &body), QN_ERR_LIMIT);
    world_place_body(&world, HOLDER, 1000, QN_LOCK_DAYS_MAX, &body);
    cr_assert_eq(append(OWNER, &body), QN_OK);
}

Test(ledger_places, a_withdrawal_of_either_ends_it_for_good)
{
    propose(1000, 30);
    cr_assert_eq(answer(1000, 30), QN_OK);
    withdraw(OWNER);
    cr_state(QN_PLACE_ENDED, 0, 0, false);
    struct qn_buf body;
    world_invite_body(&world, 50, world.now_ms + WORLD_HOUR_MS, &body);
    cr_assert_eq(append(0, &body), QN_OK);
    world_admit_body(&world, 50, OWNER, &body);
    cr_assert_eq(append(0, &body), QN_OK);
    cr_state(QN_PLACE_ENDED, 0, 0, false); /* back, and has to ask again */
    propose(10, 1);
    cr_state(QN_PLACE_PROPOSED, 0, 0, true);
}

Test(ledger_places, a_holder_that_leaves_promises_nothing)
{
    propose(1000, 30);
    cr_assert_eq(answer(1000, 30), QN_OK);
    withdraw(HOLDER);
    cr_state(QN_PLACE_ENDED, 0, 0, false);
}

Test(ledger_places, places_are_sorted_and_found)
{
    for (size_t owner = 0; owner <= OTHER; owner++) {
        for (size_t holder = 0; holder <= OTHER; holder++) {
            struct qn_buf body;
            world_place_body(&world, holder, 100 * owner + holder + 1, 1, &body);
            cr_assert_eq(append(owner, &body), owner == holder ? QN_ERR_INVALID : QN_OK);
        }
    }
    const struct qn_group *group = qn_ledger_group(world.ledger);
    cr_assert_eq(group->places.count, 12);
    for (size_t owner = 0; owner <= OTHER; owner++) {
        for (size_t holder = 0; holder <= OTHER; holder++) {
            const struct qn_place *found =
                qn_group_place(group, &world.sites[owner].id, &world.sites[holder].id);
            cr_assert_eq(found == NULL, owner == holder);
            if (found != NULL)
                cr_assert_eq(found->asked_quota_bytes, 100 * owner + holder + 1);
        }
    }
}

Test(ledger_places, the_state_does_not_depend_on_the_order_of_arrival)
{
    propose(1000, 30);
    cr_assert_eq(answer(900, 30), QN_OK);
    propose(0, 0);
    propose(2000, 60);
    cr_assert_eq(answer(2000, 60), QN_OK);
    propose(3000, 60);
    QN_AUTO_BUF struct qn_buf expected = {0};
    world_print(world.ledger, &expected);
    size_t count = qn_ledger_count(world.ledger);
    struct qn_span entries[64];
    struct qn_prng prng = {.state = 11};
    for (size_t i = 0; i < count; i++)
        entries[i] = qn_ledger_entry(world.ledger, i);
    for (int round = 0; round < 30; round++) {
        for (size_t i = count; i > 1; i--) {
            size_t j = qn_prng_below(&prng, i);
            struct qn_span swapped = entries[i - 1];
            entries[i - 1] = entries[j];
            entries[j] = swapped;
        }
        struct qn_ledger *copy = qn_ledger_new();
        QN_AUTO_BUF struct qn_buf state = {0};
        cr_assert_eq(world_add_all(copy, entries, count), 0);
        world_print(copy, &state);
        cr_assert(qn_span_eq(qn_buf_view(&state), qn_buf_view(&expected)));
        qn_ledger_free(copy);
    }
}

Test(ledger_places, one_legal_entity_may_hold_for_itself)
{
    const struct qn_site_id *founder = &world.sites[0].id, *owner = &world.sites[OWNER].id;
    const struct qn_site_id *holder = &world.sites[HOLDER].id;
    const struct qn_group *group = qn_ledger_group(world.ledger);
    cr_assert(qn_group_may_hold(group, owner, holder));
    cr_assert_not(qn_group_may_hold(group, owner, owner));
    cr_assert_not(qn_group_may_hold(group, owner, founder)); /* another entity */
    cr_assert_not(qn_group_may_hold(group, owner, &world.sites[9].id));
    struct qn_buf body;
    world_describe_body(&world, "", &body);
    cr_assert_eq(append(OWNER, &body), QN_OK);
    cr_assert(qn_group_may_hold(qn_ledger_group(world.ledger), owner, founder));
    withdraw(HOLDER);
    cr_assert_not(qn_group_may_hold(qn_ledger_group(world.ledger), owner, holder));
}

/* ---- what is on paper ---- */

static void propose_with_agreement(const char *reference, uint64_t until_ms)
{
    struct qn_buf body;
    struct qn_body_place asked = {.holder = world.sites[HOLDER].id,
                                  .quota_bytes = 100,
                                  .lock_days = 30,
                                  .agreement = qn_span_str(reference),
                                  .agreement_until_ms = until_ms};
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_place_pack(&world.group, &asked, &body);
    cr_assert_eq(append(OWNER, &body), QN_OK);
}

Test(ledger_places, an_agreement_has_a_reference_and_may_have_an_end)
{
    propose_with_agreement("GHT 2026/12", 1800000000000u);
    cr_assert_eq(answer(100, 30), QN_OK);
    cr_assert_str_eq(place()->agreement, "GHT 2026/12");
    cr_assert_eq(place()->agreement_until_ms, 1800000000000u);
    propose_with_agreement("GHT 2027/1", 0);
    cr_assert_str_eq(place()->agreement, "GHT 2027/1");
    cr_assert_eq(place()->agreement_until_ms, 0);
    cr_assert_eq(place()->state, QN_PLACE_ACCEPTED); /* the holder's word stands meanwhile */
}

Test(ledger_places, without_an_end_it_is_what_an_earlier_release_writes)
{
    struct qn_buf ours, theirs;
    struct qn_body_place asked = {
        .holder = world.sites[HOLDER].id, .quota_bytes = 100, .lock_days = 30};
    qn_buf_init(&ours, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_place_pack(&world.group, &asked, &ours);
    asked.agreement_until_ms = 1;
    qn_buf_init(&theirs, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_place_pack(&world.group, &asked, &theirs);
    cr_assert_eq(theirs.size, ours.size + sizeof("until") + 1);
    qn_buf_deinit(&ours);
    qn_buf_deinit(&theirs);
}

/* ---- reports ---- */

static const struct qn_report *report_of(size_t holder, size_t owner)
{
    return qn_group_report(qn_ledger_group(world.ledger), &world.sites[holder].id,
                           &world.sites[owner].id);
}

static void report(size_t owner, size_t holder, uint64_t packs)
{
    struct qn_buf body;
    world_report_body(&world, world.ledger, owner, holder, packs, &body);
    cr_assert_eq(world_append(&world, holder, &body), QN_OK);
    qn_buf_deinit(&body);
}

Test(ledger_places, the_last_report_of_a_holder_stands)
{
    cr_assert_null(report_of(2, 1));
    report(1, 2, 12);
    report(1, 0, 5);
    report(0, 2, 6);
    cr_assert_eq(report_of(2, 1)->said.packs, 12);
    cr_assert_eq(report_of(2, 1)->said.bytes, 12000);
    cr_assert_gt(report_of(2, 1)->at_ms, WORLD_START_MS);
    report(1, 2, 0);
    cr_assert_eq(report_of(2, 1)->said.packs, 0);
    cr_assert_eq(report_of(2, 1)->said.destroyed_packs, 7);
    cr_assert_eq(report_of(0, 1)->said.packs, 5);
    cr_assert_eq(report_of(2, 0)->said.packs, 6);
    cr_assert_eq(qn_ledger_group(world.ledger)->reports.count, 3);
}

Test(ledger_places, a_site_that_left_still_reports)
{
    struct qn_buf body;
    report(1, 2, 12);
    world_withdraw_body(&world, world.ledger, 2, &body);
    cr_assert_eq(world_append(&world, 2, &body), QN_OK);
    qn_buf_deinit(&body);
    cr_assert_eq(report_of(2, 1)->said.packs, 12);
    report(1, 2, 0);
    cr_assert_eq(report_of(2, 1)->said.destroyed_packs, 7);
}

Test(ledger_places, reports_are_the_same_in_any_order)
{
    struct qn_span entries[64];
    QN_AUTO_BUF struct qn_buf a = {0}, b = {0};
    report(1, 2, 12);
    report(1, 0, 5);
    report(1, 2, 0);
    size_t count = qn_ledger_count(world.ledger);
    cr_assert_lt(count, 64);
    for (size_t i = 0; i < count; i++)
        entries[i] = qn_ledger_entry(world.ledger, count - 1 - i);
    struct qn_ledger *copy = qn_ledger_new();
    cr_assert_eq(world_add_all(copy, entries, count), 0);
    world_print(copy, &a);
    world_print(world.ledger, &b);
    cr_assert(qn_span_eq(qn_buf_view(&a), qn_buf_view(&b)));
    qn_ledger_free(copy);
}
