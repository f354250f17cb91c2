/* A site changes its key, and attacks on that (docs/ledger.md, "Keys"). */
#include <criterion/criterion.h>

#include "model/ledger_entry.h"
#include "support/ledger_world.h"

enum { SITE = 1, OTHER = 2 };

static struct world world;

static void setup(void)
{
    world_init(&world);
    world_join(&world, SITE, 0);
    world_join(&world, OTHER, 0);
}

static void teardown(void)
{
    world_deinit(&world);
}

TestSuite(ledger_rotate, .init = setup, .fini = teardown);

static enum qn_err append(size_t author, struct qn_buf *body)
{
    enum qn_err err = world_append(&world, author, body);
    qn_buf_deinit(body);
    return err;
}

static void rotate(size_t site, uint64_t epoch, bool is_by_recovery)
{
    struct qn_buf body;
    world_rotate_body(&world, world.ledger, site, epoch, is_by_recovery, &body);
    world_set_key(&world, site, epoch);
    cr_assert_eq(append(site, &body), QN_OK);
}

static enum qn_err speak(size_t site)
{
    struct qn_buf body;
    world_describe_body(&world, "EHPAD", &body);
    return append(site, &body);
}

static const struct qn_site *state_of(size_t site)
{
    return qn_group_site(qn_ledger_group(world.ledger), &world.sites[site].id);
}

/* An entry that its author makes by hand. */
static enum qn_err add_by_hand(size_t author, uint64_t epoch, const struct qn_signer *signer,
                               struct qn_buf *body)
{
    QN_AUTO_BUF struct qn_buf good = {0}, forged = {0};
    struct qn_entry entry;
    struct qn_digest hash;
    qn_buf_init(&forged, QN_LEDGER_ENTRY_SIZE_MAX);
    struct qn_signer *present = world.sites[author].signer;
    struct qn_buf filler;
    world_describe_body(&world, "EHPAD", &filler);
    cr_assert_eq(world_write(&world, world.ledger, author, &filler, &good), QN_OK);
    cr_assert_eq(qn_entry_unpack(qn_buf_view(&good), &entry), QN_OK);
    entry.body_bytes = qn_buf_view(body);
    entry.epoch = epoch;
    cr_assert_eq(qn_entry_compose(&entry, signer != NULL ? signer : present, &forged, &hash),
                 QN_OK);
    bool is_new;
    enum qn_err err = qn_ledger_add(world.ledger, qn_buf_view(&forged), &is_new);
    qn_buf_deinit(&filler);
    qn_buf_deinit(body);
    return err;
}

Test(ledger_rotate, the_identity_stays_and_the_key_changes)
{
    struct qn_public_key first = world.sites[SITE].keys.site;
    cr_assert_eq(speak(SITE), QN_OK);
    rotate(SITE, 1, false);
    const struct qn_site *site = state_of(SITE);
    cr_assert_eq(site->state, QN_SITE_MEMBER);
    cr_assert(qn_public_key_eq(&site->keys.site, qn_signer_public(world.sites[SITE].signer)));
    cr_assert_eq(site->epochs.count, 2);
    cr_assert(qn_public_key_eq(&site->epochs.items[0], &first));
    cr_assert_eq(qn_group_site_by_key(qn_ledger_group(world.ledger), &site->keys.site), site);
    cr_assert_null(qn_group_site_by_key(qn_ledger_group(world.ledger), &first));
    cr_assert_eq(speak(SITE), QN_OK);
}

Test(ledger_rotate, the_founder_changes_its_key_and_still_invites)
{
    rotate(0, 1, true);
    world_join(&world, 3, 0);
    cr_assert_eq(state_of(3)->state, QN_SITE_MEMBER);
}

static void is_refused_a_key(uint64_t epoch, bool is_by_recovery)
{
    struct qn_buf body;
    world_rotate_body(&world, world.ledger, SITE, epoch, is_by_recovery, &body);
    world_set_key(&world, SITE, epoch);
    cr_assert_eq(append(SITE, &body), QN_ERR_LIMIT);
    world_set_key(&world, SITE, epoch - 1);
}

Test(ledger_rotate, keys_change_again_and_again_and_the_last_changes_are_for_the_kit)
{
    const uint64_t own_max = QN_SITE_KEYS_MAX - QN_SITE_KEYS_KIT;
    for (uint64_t epoch = 1; epoch < own_max; epoch++)
        rotate(SITE, epoch, epoch % 2 == 0);
    is_refused_a_key(own_max, false);
    for (uint64_t epoch = own_max; epoch < QN_SITE_KEYS_MAX; epoch++)
        rotate(SITE, epoch, true);
    cr_assert_eq(state_of(SITE)->epochs.count, QN_SITE_KEYS_MAX);
    is_refused_a_key(QN_SITE_KEYS_MAX, true);
}

/* Of each membership that it has. */
static void withdraw(void)
{
    for (size_t left = state_of(SITE)->memberships.count; left > 0; left--) {
        struct qn_buf body;
        cr_assert_eq(state_of(SITE)->memberships.count, left);
        world_withdraw_body(&world, world.ledger, SITE, &body);
        cr_assert_eq(append(SITE, &body), QN_OK);
    }
    cr_assert_eq(state_of(SITE)->state, QN_SITE_WITHDRAWN);
}

Test(ledger_rotate, the_kit_brings_a_site_back_that_a_thief_withdrew)
{
    struct qn_buf body;
    world_create_body(&world, 1, NULL, 0, true, &body);
    cr_assert_eq(append(SITE, &body), QN_OK);
    cr_assert_eq(speak(SITE), QN_OK);
    withdraw();
    rotate(SITE, 1, true);
    cr_assert_eq(state_of(SITE)->state, QN_SITE_MEMBER);
    cr_assert_str_eq(state_of(SITE)->legal_entity, "EHPAD");
    cr_assert_eq(qn_ledger_group(world.ledger)->collections.count, 1);
    world_join(&world, 3, SITE); /* what it signs counts again */
    cr_assert_eq(state_of(3)->state, QN_SITE_MEMBER);
    withdraw(); /* and it may leave again, for good if nobody uses the kit */
}

Test(ledger_rotate, the_key_alone_does_not)
{
    withdraw();
    rotate(SITE, 1, false);
    cr_assert_eq(state_of(SITE)->state, QN_SITE_WITHDRAWN);
}

Test(ledger_rotate, who_was_admitted_anew_has_both_memberships_by_the_kit)
{
    struct qn_buf body;
    withdraw();
    world_invite_body(&world, 60, world.now_ms + WORLD_HOUR_MS, &body);
    cr_assert_eq(append(0, &body), QN_OK);
    world_admit_body(&world, 60, SITE, &body);
    cr_assert_eq(append(OTHER, &body), QN_OK);
    rotate(SITE, 1, true);
    cr_assert_eq(state_of(SITE)->state, QN_SITE_MEMBER);
    cr_assert_eq(state_of(SITE)->memberships.count, 2);
    withdraw();
}

Test(ledger_rotate, a_stolen_old_key_signs_nothing_any_more)
{
    struct qn_signer *stolen = world_signer("site", SITE);
    rotate(SITE, 1, true);
    struct qn_buf body;
    world_describe_body(&world, "Voleurs SA", &body);
    cr_assert_eq(add_by_hand(SITE, 0, stolen, &body), QN_ERR_INVALID);
    world_describe_body(&world, "Voleurs SA", &body);
    cr_assert_eq(add_by_hand(SITE, 1, stolen, &body), QN_ERR_SIGNATURE);
    world_describe_body(&world, "Voleurs SA", &body);
    cr_assert_eq(add_by_hand(SITE, 2, stolen, &body), QN_ERR_HELD);
    qn_signer_free(stolen);
}

Test(ledger_rotate, the_recovery_key_takes_back_what_a_thief_rotated)
{
    rotate(SITE, 1, false); /* the thief, with the stolen first key */
    rotate(SITE, 2, true);  /* the owner, with the kit */
    cr_assert_eq(speak(SITE), QN_OK);
    cr_assert_eq(state_of(SITE)->epochs.count, 3);
}

Test(ledger_rotate, nobody_else_proves_it)
{
    struct qn_body_rotate_key rotate = {.admission = state_of(SITE)->admission};
    struct qn_signer *fresh = world_signer("site", 1000 + SITE);
    rotate.key = *qn_signer_public(fresh);
    cr_assert_eq(
        qn_rotate_sign(world.ledger, &world.sites[SITE].id, world.sites[OTHER].signer, &rotate),
        QN_ERR_DENIED);
    cr_assert_eq(qn_rotate_sign(world.ledger, &world.sites[9].id, fresh, &rotate), QN_ERR_NOTFOUND);
    /* A proof for another key, and no proof at all. */
    struct qn_body_rotate_key stolen = rotate;
    cr_assert_eq(
        qn_rotate_sign(world.ledger, &world.sites[SITE].id, world.sites[SITE].signer, &stolen),
        QN_OK);
    struct qn_signer *third = world_signer("site", 2000 + SITE);
    stolen.key = *qn_signer_public(third);
    struct qn_buf body;
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_rotate_key_pack(&world.group, &stolen, &body);
    cr_assert_eq(add_by_hand(SITE, 1, third, &body), QN_ERR_SIGNATURE);
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_rotate_key_pack(&world.group, &rotate, &body);
    cr_assert_eq(add_by_hand(SITE, 1, fresh, &body), QN_ERR_SIGNATURE);
    cr_assert_eq(state_of(SITE)->epochs.count, 1);
    qn_signer_free(third);
    qn_signer_free(fresh);
}

Test(ledger_rotate, it_is_signed_by_the_key_that_it_brings)
{
    struct qn_buf body;
    world_rotate_body(&world, world.ledger, SITE, 1, false, &body);
    cr_assert_eq(add_by_hand(SITE, 1, NULL, &body), QN_ERR_SIGNATURE);
    world_rotate_body(&world, world.ledger, SITE, 1, false, &body);
    cr_assert_eq(add_by_hand(SITE, 0, NULL, &body), QN_ERR_INVALID);
}

Test(ledger_rotate, no_key_comes_back)
{
    rotate(SITE, 1, false);
    struct qn_buf body;
    world_rotate_body(&world, world.ledger, SITE, 0, false, &body);
    world_set_key(&world, SITE, 0);
    cr_assert_eq(append(SITE, &body), QN_ERR_INVALID);
}

/* ---- a thief has the site admitted once more, with a kit of his own ---- */

static void invite(uint64_t number)
{
    struct qn_buf body;
    world_invite_body(&world, number, world.now_ms + WORLD_HOUR_MS, &body);
    cr_assert_eq(append(0, &body), QN_OK);
}

/* What the first key of the site and an invitation suffice for. */
static enum qn_err admit_with_foreign_kit(uint64_t number, size_t site, size_t author)
{
    struct qn_signer *first = world_signer("site", site), *by = world_signer("invite", number);
    struct qn_signer *evil = world_signer("evil", 1);
    struct qn_body_admit admit = {.invite_key = *qn_signer_public(by),
                                  .keys = world.sites[site].keys,
                                  .name = qn_span_str(world.sites[site].name)};
    struct qn_buf body;
    admit.keys.recovery_sign = *qn_signer_public(evil);
    cr_assert_eq(qn_admit_sign(&world.group, by, first, &admit), QN_OK);
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_admit_pack(&world.group, &admit, &body);
    enum qn_err err = append(author, &body);
    qn_signer_free(first);
    qn_signer_free(by);
    qn_signer_free(evil);
    return err;
}

static struct qn_digest last_entry(void)
{
    struct qn_entry entry;
    size_t last = qn_ledger_count(world.ledger) - 1;
    cr_assert_eq(qn_entry_unpack(qn_ledger_entry(world.ledger, last), &entry), QN_OK);
    return entry.hash;
}

/* A RotateKey to the next key of `site`, proven by the foreign kit, that names that admission. */
static enum qn_err rotate_with_foreign_kit(size_t site, uint64_t epoch,
                                           const struct qn_digest *admission)
{
    struct qn_signer *evil = world_signer("evil", 1),
                     *next = world_signer("site", 1000 * epoch + 9);
    struct qn_body_rotate_key rotate = {
        .admission = *admission, .key = *qn_signer_public(next), .is_by_recovery = true};
    struct qn_buf body;
    /* Where it would be refused the proof is left out: the admission is looked at first. */
    (void)!qn_rotate_sign(world.ledger, &world.sites[site].id, evil, &rotate);
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_rotate_key_pack(&world.group, &rotate, &body);
    enum qn_err err = add_by_hand(site, epoch, next, &body);
    qn_signer_free(evil);
    qn_signer_free(next);
    return err;
}

static bool has_own_kit(size_t site)
{
    const struct qn_site_keys *keys = &world.sites[site].keys;
    return qn_public_key_eq(&state_of(site)->keys.recovery_sign, &keys->recovery_sign) &&
           qn_public_key_eq(&state_of(site)->keys.recovery_seal, &keys->recovery_seal);
}

Test(ledger_rotate, a_later_admission_brings_no_other_recovery_key)
{
    rotate(SITE, 1, true);
    invite(50);
    cr_assert_eq(admit_with_foreign_kit(50, SITE, OTHER), QN_OK);
    struct qn_digest foreign = last_entry();
    cr_assert(has_own_kit(SITE));
    cr_assert_eq(rotate_with_foreign_kit(SITE, 2, &foreign), QN_ERR_INVALID);
}

Test(ledger_rotate, nor_before_the_site_ever_changed_its_key)
{
    invite(50);
    cr_assert_eq(admit_with_foreign_kit(50, SITE, OTHER), QN_OK);
    cr_assert(has_own_kit(SITE));
    withdraw();
    cr_assert(has_own_kit(SITE));
    rotate(SITE, 1, true);
    cr_assert_eq(state_of(SITE)->state, QN_SITE_MEMBER);
    cr_assert_eq(state_of(SITE)->memberships.count, 1); /* its own */
}

Test(ledger_rotate, the_administrator_that_admits_itself_anew_keeps_the_kit_of_genesis)
{
    invite(50);
    cr_assert_eq(admit_with_foreign_kit(50, 0, 0), QN_OK);
    struct qn_digest foreign = last_entry();
    cr_assert(has_own_kit(0));
    cr_assert_eq(rotate_with_foreign_kit(0, 1, &foreign), QN_OK); /* as every release takes it */
    cr_assert(has_own_kit(0));
    rotate(0, 2, true);
    cr_assert_eq(rotate_with_foreign_kit(0, 3, &foreign), QN_ERR_INVALID);
    cr_assert_eq(state_of(0)->state, QN_SITE_MEMBER);
}

Test(ledger_rotate, the_kit_takes_back_what_a_foreign_one_did)
{
    invite(50);
    cr_assert_eq(admit_with_foreign_kit(50, SITE, OTHER), QN_OK);
    struct qn_digest foreign = last_entry();
    cr_assert_eq(rotate_with_foreign_kit(SITE, 1, &foreign), QN_OK);
    cr_assert(has_own_kit(SITE));
    rotate(SITE, 2, true);
    cr_assert_eq(rotate_with_foreign_kit(SITE, 3, &foreign), QN_ERR_INVALID);
    cr_assert_eq(speak(SITE), QN_OK);
}

Test(ledger_rotate, a_withdrawal_before_a_foreign_kit_is_undone_too)
{
    withdraw();
    invite(50);
    cr_assert_eq(admit_with_foreign_kit(50, SITE, OTHER), QN_OK);
    struct qn_digest foreign = last_entry();
    cr_assert_eq(rotate_with_foreign_kit(SITE, 1, &foreign), QN_OK);
    rotate(SITE, 2, true);
    cr_assert_eq(state_of(SITE)->state, QN_SITE_MEMBER);
    cr_assert(has_own_kit(SITE));
}

/* An old invitation that was never used would be the earlier one, and a site that never wrote
 * anything may still refer to what was seen then. */
Test(ledger_rotate, what_a_site_says_of_itself_goes_behind_what_others_say)
{
    invite(50);
    world_join(&world, 3, 0);
    cr_assert_eq(admit_with_foreign_kit(50, 3, 3), QN_OK);
    struct qn_digest foreign = last_entry();
    cr_assert(has_own_kit(3));
    cr_assert_eq(rotate_with_foreign_kit(3, 1, &foreign), QN_OK);
    cr_assert(has_own_kit(3));
}

Test(ledger_rotate, another_admission_with_the_same_kit_may_stay_named)
{
    withdraw();
    invite(60);
    struct qn_buf body;
    world_admit_body(&world, 60, SITE, &body);
    cr_assert_eq(append(OTHER, &body), QN_OK);
    struct qn_digest later = last_entry();
    struct qn_signer *next = world_signer("site", 1000 + SITE);
    struct qn_body_rotate_key named = {.admission = later, .key = *qn_signer_public(next)};
    cr_assert_eq(
        qn_rotate_sign(world.ledger, &world.sites[SITE].id, world.sites[SITE].signer, &named),
        QN_OK);
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_rotate_key_pack(&world.group, &named, &body);
    cr_assert_eq(add_by_hand(SITE, 1, next, &body), QN_OK);
    cr_assert(qn_digest_eq(&state_of(SITE)->recovery_admission, &later));
    qn_signer_free(next);
}

static void is_the_same_in_reverse(void)
{
    size_t count = qn_ledger_count(world.ledger);
    struct qn_span entries[32];
    for (size_t i = 0; i < count; i++)
        entries[i] = qn_ledger_entry(world.ledger, count - 1 - i);
    struct qn_ledger *copy = qn_ledger_new();
    cr_assert_eq(world_add_all(copy, entries, count), 0);
    QN_AUTO_BUF struct qn_buf a = {0}, b = {0};
    world_print(copy, &a);
    world_print(world.ledger, &b);
    cr_assert(qn_span_eq(qn_buf_view(&a), qn_buf_view(&b)));
    qn_ledger_free(copy);
}

Test(ledger_rotate, foreign_kits_in_any_order_give_the_same_state)
{
    invite(50);
    cr_assert_eq(admit_with_foreign_kit(50, SITE, OTHER), QN_OK);
    struct qn_digest foreign = last_entry();
    cr_assert_eq(rotate_with_foreign_kit(SITE, 1, &foreign), QN_OK);
    rotate(SITE, 2, true);
    is_the_same_in_reverse();
}

Test(ledger_rotate, the_chain_arrives_in_any_order)
{
    rotate(SITE, 1, false);
    cr_assert_eq(speak(SITE), QN_OK);
    rotate(SITE, 2, true);
    cr_assert_eq(speak(SITE), QN_OK);
    is_the_same_in_reverse();
}
