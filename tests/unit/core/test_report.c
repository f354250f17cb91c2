/* What a holder says in the ledger of what it holds, when an agreement is over (docs/ledger.md,
 * "Reports"). */
#include <criterion/criterion.h>

#include "core/bulk.h"
#include "core/state.h"
#include "support/hold_rig.h"

#define PACKS     8
#define LOCK_DAYS 2

static struct hold_rig hold;

static void setup(void)
{
    hold_rig_init(&hold, RIG_QUOTA, LOCK_DAYS);
}

static void teardown(void)
{
    hold_rig_deinit(&hold);
}

TestSuite(report, .init = setup, .fini = teardown);

static void send_backup(void)
{
    struct rig_list list;
    for (uint64_t i = 0; i < PACKS; i++)
        cr_assert_eq(send_pack(&hold, i, RIG_PACK), QN_OFFER_WANTED);
    rig_list_init(&list, 1, (uint64_t[]){0, 5}, 2, RIG_PACK);
    cr_assert_str_eq(send_list(&hold, &list, NULL).code, "");
    rig_list_deinit(&list);
}

/* What this site wrote by itself is known to the world, where the next entries are made. */
static void learn(void)
{
    (void)world_pull(hold.rig.world.ledger, hold.rig.core->ledger, QN_LEDGER_SIZE_MAX);
}

static void owner_ends_it(void)
{
    learn();
    hold_rig_agree(&hold, RIG_OWNER, 0, LOCK_DAYS);
    hold_rig_settle(&hold);
}

static const struct qn_report *report_of(size_t owner)
{
    const struct qn_site_id *ids[] = {&hold.rig.world.sites[0].id, &hold.rig.world.sites[owner].id};
    return qn_group_report(qn_core_group(hold.rig.core), ids[0], ids[1]);
}

static size_t entry_count(void)
{
    return qn_ledger_count(hold.rig.core->ledger);
}

static void pass_days(int days)
{
    for (int day = 0; day < days; day++)
        hold_rig_pass(&hold, RIG_DAY_MS);
}

static void says_what_is_held(void)
{
    const struct qn_report *report = report_of(RIG_OWNER);
    struct qn_held held = rig_held(&hold, RIG_OWNER);
    uint64_t wall_ms = hold.rig.core->wall_ms;
    cr_assert_not_null(report);
    cr_assert_eq(report->said.packs, PACKS);
    cr_assert_eq(report->said.bad_packs, 0);
    cr_assert_eq(report->said.snapshots, 1);
    cr_assert_eq(report->said.bytes, held.used_bytes);
    cr_assert_eq(report->said.destroyed_packs, 0);
    cr_assert_gt(report->said.locked_until_ms, wall_ms);
    cr_assert_leq(report->said.locked_until_ms, wall_ms + LOCK_DAYS * RIG_DAY_MS);
}

Test(report, nothing_is_said_while_the_agreement_stands)
{
    size_t before = entry_count();
    send_backup();
    pass_days(3);
    cr_assert_eq(entry_count(), before);
    cr_assert_null(report_of(RIG_OWNER));
}

Test(report, nor_where_nothing_was_held)
{
    owner_ends_it();
    size_t before = entry_count();
    pass_days(3);
    cr_assert_eq(entry_count(), before);
}

Test(report, its_end_is_said_once)
{
    send_backup();
    owner_ends_it();
    says_what_is_held();
    size_t before = entry_count();
    pass_days(3);
    cr_assert_eq(entry_count(), before);
}

Test(report, and_once_more_when_nothing_is_left)
{
    send_backup();
    owner_ends_it();
    size_t before = entry_count();
    pass_days(40); /* the writer's lease is over, too */
    const struct qn_report *report = report_of(RIG_OWNER);
    cr_assert_eq(hold.files.items.count, 0);
    cr_assert_eq(entry_count(), before + 1);
    cr_assert_eq(report->said.packs, 0);
    cr_assert_eq(report->said.snapshots, 0);
    cr_assert_eq(report->said.bytes, 0);
    cr_assert_eq(report->said.locked_until_ms, 0);
    cr_assert_eq(report->said.destroyed_packs, PACKS);
    cr_assert_eq(report->said.destroyed_bytes, PACKS * RIG_PACK);
    pass_days(3);
    cr_assert_eq(entry_count(), before + 1);
}

/* The rows are condemned and the files are still there: that is no destruction. */
Test(report, not_before_the_files_are_gone)
{
    send_backup();
    owner_ends_it();
    hold.files.remove_err = QN_ERR_IO;
    pass_days(40);
    cr_assert_eq(rig_held(&hold, RIG_OWNER).pack_count, 0);
    cr_assert_eq(report_of(RIG_OWNER)->said.packs, PACKS);
    hold.files.remove_err = QN_OK;
    pass_days(2);
    cr_assert_eq(report_of(RIG_OWNER)->said.packs, 0);
    cr_assert_eq(report_of(RIG_OWNER)->said.destroyed_packs, PACKS);
}

Test(report, an_agreement_made_anew_counts_anew)
{
    send_backup();
    owner_ends_it();
    pass_days(40);
    learn();
    hold_rig_agree(&hold, RIG_OWNER, RIG_QUOTA, LOCK_DAYS);
    hold_rig_reconnect(&hold);
    send_backup();
    owner_ends_it();
    hold_rig_pass(&hold, 120000);
    says_what_is_held();
}

/* What the owner writes comes in, and nothing that follows from it is carried out. */
static void owner_writes(struct qn_buf *take_body)
{
    struct rig *rig = &hold.rig;
    struct qn_buf body = *take_body, entry, payload;
    bool is_new;
    learn();
    cr_assert_eq(world_write(&rig->world, rig->world.ledger, RIG_OWNER, &body, &entry), QN_OK);
    cr_assert_eq(qn_ledger_add(rig->world.ledger, qn_buf_view(&entry), &is_new), QN_OK);
    qn_buf_init(&payload, QN_LEDGER_SIZE_MAX);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, qn_buf_view(&entry));
    qn_vec_push(&rig->intents, qn_intent_new(QN_INTENT_LEDGER_MERGE, UINT64_MAX, &payload));
    rig_commit(rig);
    qn_buf_deinit(&body);
    qn_buf_deinit(&entry);
}

static void owner_just_ends_it(void)
{
    struct qn_buf body;
    world_place_body(&hold.rig.world, 0, 0, LOCK_DAYS, &body);
    owner_writes(&body);
}

Test(report, a_read_that_fails_is_tried_again)
{
    send_backup();
    owner_just_ends_it();
    rig_read_all(&hold.rig, QN_ERR_IO);
    cr_assert_null(report_of(RIG_OWNER));
    hold_rig_pass(&hold, 180000);
    says_what_is_held();
}

Test(report, a_commit_that_fails_is_tried_again)
{
    send_backup();
    owner_just_ends_it();
    rig_read_all(&hold.rig, QN_OK);
    cr_assert_gt(hold.rig.intents.count, 0);
    rig_fail_commit(&hold.rig, QN_ERR_NOSPACE);
    cr_assert_null(report_of(RIG_OWNER));
    hold_rig_pass(&hold, 180000);
    says_what_is_held();
}

static void withdraw(void)
{
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, 256);
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, hold.rig.world.sites[0].name);
    rig_request(&hold.rig, "site.withdraw", &args);
    hold_rig_settle(&hold);
}

static enum qn_site_state own_state(void)
{
    return qn_group_site(qn_core_group(hold.rig.core), &hold.rig.world.sites[0].id)->state;
}

Test(report, a_site_that_withdraws_says_before_what_it_holds)
{
    send_backup();
    size_t before = entry_count(), replies = hold.rig.replies;
    withdraw();
    cr_assert_eq(hold.rig.replies, replies + 1);
    cr_assert_null(hold.rig.code);
    cr_assert_eq(own_state(), QN_SITE_WITHDRAWN);
    cr_assert_eq(entry_count(), before + 2);
    says_what_is_held();
    pass_days(3);
    cr_assert_eq(entry_count(), before + 2);
}

Test(report, and_afterwards_when_it_is_gone)
{
    send_backup();
    withdraw();
    size_t before = entry_count();
    pass_days(40);
    cr_assert_eq(entry_count(), before + 1);
    cr_assert_eq(report_of(RIG_OWNER)->said.destroyed_packs, PACKS);
    cr_assert_eq(own_state(), QN_SITE_WITHDRAWN);
}

Test(report, a_site_that_holds_nothing_just_withdraws)
{
    size_t before = entry_count();
    withdraw();
    cr_assert_eq(own_state(), QN_SITE_WITHDRAWN);
    cr_assert_eq(entry_count(), before + 1);
}

Test(report, who_cannot_read_what_it_holds_stays)
{
    send_backup();
    struct rig *rig = &hold.rig;
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, 256);
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, rig->world.sites[0].name);
    rig_request(rig, "site.withdraw", &args);
    rig_read_all(rig, QN_ERR_IO);
    cr_assert_str_eq(rig->code, "store-failed");
    hold_rig_settle(&hold);
    cr_assert_eq(own_state(), QN_SITE_MEMBER);
    rig->code = NULL;
    withdraw();
    cr_assert_eq(own_state(), QN_SITE_WITHDRAWN);
}

/* ---- what is on paper ---- */

static bool has_alert(const char *code)
{
    struct qn_health health = {.wall_ms = WORLD_START_MS + hold.rig.now_ms};
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, QN_FRAME_SIZE_MAX);
    qn_core_status(hold.rig.core, &health, &out);
    return memmem(out.data, out.size, code, strlen(code)) != NULL;
}

static const struct qn_place *place(void)
{
    return qn_group_place(qn_core_group(hold.rig.core), &hold.rig.world.sites[RIG_OWNER].id,
                          &hold.rig.world.sites[0].id);
}

static void agree_on_paper(uint64_t until_ms)
{
    struct qn_buf body;
    struct qn_body_place asked = {.holder = hold.rig.world.sites[0].id,
                                  .quota_bytes = RIG_QUOTA,
                                  .lock_days = LOCK_DAYS,
                                  .agreement = qn_span_str("GHT 12"),
                                  .agreement_until_ms = until_ms};
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_place_pack(&hold.rig.world.group, &asked, &body);
    owner_writes(&body);
    hold_rig_settle(&hold);
    hold_rig_pass(&hold, 60000);
}

Test(report, the_end_of_what_is_on_paper_is_told_sixty_days_before)
{
    uint64_t quota = place()->quota_bytes;
    agree_on_paper(WORLD_START_MS + hold.rig.now_ms + 100 * RIG_DAY_MS);
    cr_assert_eq(place()->state, QN_PLACE_ACCEPTED);
    cr_assert_eq(place()->quota_bytes, quota); /* the entities differ: it waits for a person */
    cr_assert_str_eq(place()->agreement, "GHT 12");
    pass_days(39);
    cr_assert_not(has_alert("agreement-ends"));
    pass_days(2);
    cr_assert(has_alert("agreement-ends"));
    pass_days(70); /* it is over, and holds on until somebody says otherwise */
    cr_assert(has_alert("agreement-ends"));
    cr_assert_eq(place()->state, QN_PLACE_ACCEPTED);
    agree_on_paper(WORLD_START_MS + hold.rig.now_ms + 400 * RIG_DAY_MS);
    cr_assert_not(has_alert("agreement-ends"));
}
