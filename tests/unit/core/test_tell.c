/* A site that a member does not know: it tells its admission itself (docs/protocol.md 8.11). */
#include <criterion/criterion.h>

#include "support/core_rig.h"

#define OTHER 2 /* admitted, and this site's store is from before that */

static struct rig rig;

static void setup(void)
{
    rig_init(&rig, 1);
    rig_start(&rig);
    world_join(&rig.world, OTHER, 1);
    rig_forget(&rig);
}

static void teardown(void)
{
    rig_deinit(&rig);
}

TestSuite(tell, .init = setup, .fini = teardown);

/* Entries of a ledger, and the last one. */
static void tell_part(const struct qn_ledger *ledger, size_t first, size_t end)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_KEY_TELL, 1);
    qn_pack_array(&out, end - first + 1);
    for (size_t i = first; i < end; i++)
        qn_pack_bin(&out, qn_ledger_entry(ledger, i));
    qn_pack_bin(&out, qn_ledger_entry(ledger, qn_ledger_count(ledger) - 1));
    rig_frame(&rig, &out);
}

static void tell(const struct qn_ledger *ledger, size_t first)
{
    tell_part(ledger, first, qn_ledger_count(ledger) - 1);
}

static void hang_up(void)
{
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_LINK});
    rig_forget(&rig);
}

static const struct qn_site *other(void)
{
    return qn_group_site(qn_core_group(rig.core), &rig.world.sites[OTHER].id);
}

Test(tell, who_is_not_known_shows_its_admission)
{
    rig_guest(&rig, rig.world.sites[OTHER].signer);
    tell(rig.world.ledger, 0);
    cr_assert_eq(rig.frames.count, 0, "nothing of the group is told");
    rig_commit(&rig);
    cr_assert_str_eq(rig.note, "key-told");
    cr_assert(rig.has_closed);
    cr_assert_not_null(other());
    cr_assert_eq(other()->state, QN_SITE_MEMBER);
}

Test(tell, the_admission_of_another_site_opens_nothing)
{
    rig_guest(&rig, rig.world.sites[OTHER + 1].signer);
    tell(rig.world.ledger, 0);
    cr_assert_str_eq(rig.note, "bad-guest");
    cr_assert(rig.has_closed);
    cr_assert_eq(rig.intents.count, 0);
    cr_assert_null(other());
}

/* Without the invitation the admission cannot be checked. */
Test(tell, an_admission_that_builds_on_what_is_not_here_waits)
{
    rig_guest(&rig, rig.world.sites[OTHER].signer);
    tell(rig.world.ledger, qn_ledger_count(rig.world.ledger) - 1);
    rig_commit(&rig);
    cr_assert_str_eq(rig.note, "key-not-taken");
    cr_assert_null(other());
}

Test(tell, who_was_withdrawn_stays_so)
{
    struct qn_buf body;
    rig_guest(&rig, rig.world.sites[OTHER].signer);
    tell(rig.world.ledger, 0);
    rig_commit(&rig);
    world_withdraw_body(&rig.world, rig.world.ledger, OTHER, &body);
    cr_assert_eq(world_append(&rig.world, OTHER, &body), QN_OK);
    qn_buf_deinit(&body);
    hang_up();
    rig_guest(&rig, rig.world.sites[OTHER].signer);
    tell(rig.world.ledger, 0);
    rig_commit(&rig);
    cr_assert_null(rig.note, "%s", rig.note);
    cr_assert(rig.has_closed);
    cr_assert_eq(other()->state, QN_SITE_WITHDRAWN);
}

/* As whoever tells does: from the beginning, a part each time. */
Test(tell, what_does_not_fit_into_one_frame_comes_in_parts)
{
    size_t count = qn_ledger_count(rig.world.ledger);
    for (size_t i = 0; i + 1 < count; i++) {
        rig_guest(&rig, rig.world.sites[OTHER].signer);
        tell_part(rig.world.ledger, i, i + 1);
        rig_commit(&rig);
        hang_up();
    }
    cr_assert_not_null(other());
}

Test(tell, a_full_disk_is_not_what_does_not_fit)
{
    rig_guest(&rig, rig.world.sites[OTHER].signer);
    tell(rig.world.ledger, 0);
    rig_fail_commit(&rig, QN_ERR_NOSPACE);
    cr_assert_str_eq(rig.note, "commit-failed");
    cr_assert(rig.has_closed);
}

/* It was recovered elsewhere, and does not know it. */
Test(tell, the_machine_that_a_site_was_before_is_not_heard)
{
    struct qn_buf body;
    struct qn_signer *before = world_signer("site", OTHER);
    world_rotate_body(&rig.world, rig.world.ledger, OTHER, 1, true, &body);
    world_set_key(&rig.world, OTHER, 1);
    cr_assert_eq(world_append(&rig.world, OTHER, &body), QN_OK);
    qn_buf_deinit(&body);
    rig_guest(&rig, rig.world.sites[OTHER].signer);
    tell(rig.world.ledger, 0);
    rig_commit(&rig);
    cr_assert_str_eq(rig.note, "key-told");
    hang_up();
    rig_guest(&rig, before);
    tell(rig.world.ledger, 0);
    cr_assert_eq(rig.intents.count, 0);
    cr_assert_null(rig.note);
    cr_assert(rig.has_closed);
    qn_signer_free(before);
}
