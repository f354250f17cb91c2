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
