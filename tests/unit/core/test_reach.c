/* Calls between sites that serve folders: one that cannot be dialled is asked to dial. */
#include <criterion/criterion.h>

#include "core/state.h"
#include "support/core_rig.h"

static struct rig rig;

static struct peer *peer(void)
{
    return rig.core->peers.items[0];
}

static void start(void)
{
    rig_init(&rig, 2);
    rig_start(&rig);
    rig_link(&rig);
    rig_commit(&rig);
    rig_forget(&rig);
}

static void stop(void)
{
    rig_deinit(&rig);
}

TestSuite(reach, .init = start, .fini = stop);

/* The second collection becomes a folder of that site's. */
static void make_folder(const struct qn_site_id *home)
{
    struct coll *coll = rig.core->colls.items[1];
    coll->info.is_folder = true;
    coll->info.home = *home;
}

static void call(const struct qn_public_key *key)
{
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_CALL, .key = *key});
}

static void be_called(size_t times)
{
    for (size_t i = 0; i < times; i++) {
        struct qn_buf out;
        rig_message(&out, QN_MSG_WEB_CALL, 0);
        rig_frame(&rig, &out);
    }
}

/* ---- calling ---- */

Test(reach, a_call_is_one_message_on_the_first_connection)
{
    call(&peer()->key);
    cr_assert_eq(rig_count(&rig, QN_MSG_WEB_CALL), 1);
    call(&peer()->key);
    cr_assert_eq(rig_count(&rig, QN_MSG_WEB_CALL), 2);
}

Test(reach, who_is_not_connected_or_no_member_is_not_called)
{
    struct qn_public_key nobody = {{1, 2, 3}}, key = peer()->key;
    call(&nobody);
    cr_assert_eq(rig_count(&rig, QN_MSG_WEB_CALL), 0);
    rig_step(&rig,
             (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_LINK, .err = QN_ERR_CLOSED});
    call(&key);
    cr_assert_eq(rig_count(&rig, QN_MSG_WEB_CALL), 0);
}

Test(reach, a_site_without_an_address_can_be_called_while_it_is_connected)
{
    struct qn_reach reach;
    struct qn_span name = qn_span_str(core_site_name(rig.core, &peer()->site));
    peer()->said.address_count = 0;
    peer()->hint[0] = '\0';
    peer()->session->is_dialled = false;
    cr_assert(qn_core_reach(rig.core, name, &reach));
    cr_assert_eq(reach.count, 0);
    cr_assert(reach.can_be_called && reach.has_dialled);
    cr_assert(qn_public_key_eq(&reach.key, &peer()->key));
    rig_step(&rig,
             (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_LINK, .err = QN_ERR_CLOSED});
    cr_assert_not(qn_core_reach(rig.core, name, &reach), "then there is no way to it");
    strcpy(peer()->hint, "192.0.2.1:8404");
    cr_assert(qn_core_reach(rig.core, name, &reach));
    cr_assert_str_eq(reach.addresses[0], "192.0.2.1:8404");
    cr_assert_not(reach.can_be_called || reach.has_dialled);
}

/* ---- being called ---- */

Test(reach, who_has_a_part_in_a_folder_of_this_site_is_dialled)
{
    make_folder(&rig.core->site);
    be_called(1);
    cr_assert_eq(rig.called, 1);
    cr_assert(qn_public_key_eq(&rig.called_key, &peer()->key));
    cr_assert_not(rig.has_closed);
}

Test(reach, a_call_for_nothing_is_passed_over)
{
    be_called(1);
    cr_assert_eq(rig.called, 0, "there is no folder");
    make_folder(&peer()->site);
    be_called(1);
    cr_assert_eq(rig.called, 0, "it is at the other site");
    cr_assert_not(rig.has_closed, "it may come to share one");
}

Test(reach, a_site_that_calls_all_the_time_is_dialled_so_often_and_no_more)
{
    make_folder(&rig.core->site);
    be_called(2000);
    cr_assert_eq(rig.called, 32);
    cr_assert_not(rig.has_closed);
    rig_wait(&rig, 6000);
    be_called(1);
    cr_assert_eq(rig.called, 32);
    rig_wait(&rig, 3000);
    be_called(1);
    cr_assert_eq(rig.called, 33);
}
