/* A site whose store may be an old copy writes nothing into the ledger before it was told that it
 * forgot nothing (docs/protocol.md 7.7). */
#include <criterion/criterion.h>

#include "model/doubt.h"
#include "support/core_rig.h"

static struct rig rig;

static void setup(void)
{
    rig_init(&rig, 1);
    struct qn_kv *kv = memkv_begin(rig.disk);
    cr_assert_eq(qn_doubt_put(kv, true), QN_OK);
    cr_assert_eq(memkv_commit(rig.disk), QN_OK);
    rig_start(&rig);
}

static void teardown(void)
{
    rig_deinit(&rig);
}

TestSuite(doubt, .init = setup, .fini = teardown);

/* The code of the refusal; NULL: the entry is on its way to the store. */
static const char *invite(void)
{
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, 256);
    qn_pack_map(&args, 2);
    qn_pack_cstr(&args, "expires_s");
    qn_pack_u64(&args, 3600);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, "new");
    rig_forget(&rig);
    rig_request(&rig, "site.invite", &args);
    cr_assert_eq(rig.intents.count, rig.code == NULL ? 1 : 0);
    return rig.code;
}

Test(doubt, it_has_a_code_of_its_own_and_outlives_a_restart)
{
    cr_assert_str_eq(invite(), "in-doubt");
    rig_start(&rig);
    cr_assert_str_eq(invite(), "in-doubt");
}

Test(doubt, equal_ledgers_end_it_for_good)
{
    rig_link(&rig);
    rig_commit(&rig);
    cr_assert_null(invite());
    rig_start(&rig);
    cr_assert_null(invite());
}

static void heads(uint64_t own_count)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_LEDGER_HEADS, 2);
    qn_pack_array(&out, 2);
    qn_pack_bin(&out, QN_SPAN_OF(rig.world.sites[0].id.bytes));
    qn_pack_u64(&out, own_count);
    qn_pack_bool(&out, false);
    rig_frame(&rig, &out);
}

/* The peer's ledger has entries of ours that this store has not, or has them not. */
Test(doubt, heads_with_more_of_its_own_entries_do_not_end_it)
{
    struct qn_buf body;
    world_invite_body(&rig.world, 9, UINT64_MAX, &body);
    cr_assert_eq(world_append(&rig.world, 0, &body), QN_OK);
    qn_buf_deinit(&body);
    rig_link(&rig);
    heads(1000);
    cr_assert_str_eq(invite(), "in-doubt");
    heads(2);
    cr_assert_null(invite());
}

/* ---- by hand ---- */

static const char *trust(const char *name)
{
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, 256);
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, name);
    rig_forget(&rig);
    rig_request(&rig, "site.trust", &args);
    return rig.code;
}

Test(doubt, its_own_name_ends_it_for_good_where_nobody_is_left)
{
    const char *name = rig.world.sites[0].name;
    cr_assert_str_eq(trust("another"), "not-this-site");
    cr_assert_str_eq(invite(), "in-doubt");
    size_t replies = rig.replies;
    cr_assert_null(trust(name));
    cr_assert_eq(rig.replies, replies, "before it is durable");
    rig_commit(&rig);
    cr_assert_eq(rig.replies, replies + 1);
    cr_assert_null(invite());
    rig_commit(&rig);
    rig_start(&rig);
    cr_assert_null(invite());
    rig_commit(&rig);
    cr_assert_null(trust(name), "once more is fine");
}

/* What was said by hand counts once it is durable, also if who said it hung up meanwhile. */
Test(doubt, trust_that_could_not_be_stored_is_none)
{
    const char *name = rig.world.sites[0].name;
    cr_assert_null(trust(name));
    rig_fail_commit(&rig, QN_ERR_NOSPACE);
    cr_assert_not_null(rig.code);
    cr_assert_str_eq(invite(), "in-doubt");
    cr_assert_null(trust(name));
    cr_assert_eq(rig.intents.count, 1);
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_REQUEST_GONE, .token = 1});
    rig_commit(&rig);
    cr_assert_null(invite());
}

Test(doubt, a_member_that_is_connected_is_asked_instead)
{
    struct qn_buf body;
    world_invite_body(&rig.world, 9, UINT64_MAX, &body);
    cr_assert_eq(world_append(&rig.world, 0, &body), QN_OK); /* only the peer has it */
    qn_buf_deinit(&body);
    rig_link(&rig);
    cr_assert_str_eq(trust(rig.world.sites[0].name), "site-online");
    cr_assert_str_eq(invite(), "in-doubt");
}

static bool has_alert(void)
{
    struct qn_health health = {0};
    struct qn_alert *alerts;
    bool has_it = false;
    size_t count = qn_core_alerts(rig.core, &health, &alerts);
    for (size_t i = 0; i < count; i++)
        has_it |= strcmp(alerts[i].code, "in-doubt") == 0;
    qn_free(alerts);
    return has_it;
}

Test(doubt, it_is_an_alert_once_nobody_came_for_a_while)
{
    cr_assert_not(has_alert());
    rig_wait(&rig, 600000);
    cr_assert(has_alert());
    cr_assert_null(trust(rig.world.sites[0].name));
    rig_commit(&rig);
    cr_assert_not(has_alert());
}
