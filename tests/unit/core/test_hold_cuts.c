/* An owner that brings a backup, cut off after each single thing that the holder does, or while the
 * holder's machine loses its power: it begins again, and in the end all of it is there, sent once.
 */
#include <criterion/criterion.h>

#include "support/hold_rig.h"

#define PACKS     3
#define PACK_SIZE (160u * 1024) /* three pieces */

static struct hold_rig hold;

TestSuite(hold_cuts);

static void init_list(struct rig_list *list)
{
    rig_list_init(list, 1, (uint64_t[]){0, 1, 2}, PACKS, PACK_SIZE);
}

/* Everything from the beginning, as far as the connection goes; what was acknowledged is durable.
 */
static bool bring(struct hold_rig *rig)
{
    struct rig_list list;
    struct qn_digest zero = {0};
    bool is_whole = false;
    init_list(&list);
    say_ask(rig, &zero, &zero, RIG_DAY_MS);
    hold_rig_settle(rig);
    say_key(rig, 1, "sealed");
    hold_rig_settle(rig);
    for (uint64_t i = 0; i < PACKS && !rig->is_cut; i++) {
        uint64_t answer = send_pack(rig, i, PACK_SIZE);
        if (answer == QN_OFFER_HERE || answer == QN_OFFER_WANTED)
            cr_assert(rig_has_pack(rig, RIG_OWNER, i, PACK_SIZE), "pack %lu", i);
    }
    if (!rig->is_cut) {
        struct list_answer answer = send_list(rig, &list, NULL);
        is_whole = answer.code[0] == '\0';
        if (is_whole)
            cr_assert_gt(answer.until_ms, 0);
    }
    rig_list_deinit(&list);
    return is_whole;
}

static void cr_complete(void)
{
    struct rig_list list;
    struct qn_held_list row;
    const struct qn_site_id *owner = &hold.rig.world.sites[RIG_OWNER].id;
    struct qn_kv *kv = memkv_reader(hold.rig.disk);
    init_list(&list);
    for (uint64_t i = 0; i < PACKS; i++)
        cr_assert(rig_has_pack(&hold, RIG_OWNER, i, PACK_SIZE));
    cr_assert_eq(qn_held_list_get(kv, owner, &list.id, &row), QN_OK);
    cr_assert(row.is_whole);
    cr_assert_eq(rig_held(&hold, RIG_OWNER).used_bytes,
                 PACKS * PACK_SIZE + PACKS * 32 + list.sealed.size);
    cr_assert_eq(hold.files.items.count, PACKS);
    rig_list_deinit(&list);
}

/* How many steps it takes without a cut. */
static size_t steps_needed(void)
{
    hold_rig_init(&hold, RIG_QUOTA, 30);
    hold.steps = 0;
    cr_assert(bring(&hold));
    cr_complete();
    size_t steps = hold.steps;
    hold_rig_deinit(&hold);
    return steps;
}

static void cut_after(size_t steps, bool is_crash)
{
    hold_rig_init(&hold, RIG_QUOTA, 30);
    hold.steps = 0;
    hold.steps_max = steps;
    bring(&hold);
    hold.steps_max = 0;
    size_t sent = hold.files.appended;
    if (is_crash)
        hold_rig_restart(&hold, steps % 2 == 0);
    else
        hold_rig_reconnect(&hold);
    hold.is_cut = false;
    cr_assert(bring(&hold), "after %zu steps", steps);
    cr_complete();
    cr_assert_not(hold.rig.has_closed_bulk);
    if (!is_crash)
        cr_assert_eq(hold.files.appended, PACKS * PACK_SIZE, "%zu, then %zu", sent,
                     hold.files.appended);
    hold_rig_deinit(&hold);
}

Test(hold_cuts, the_connection_is_cut_anywhere)
{
    size_t steps = steps_needed();
    cr_assert_gt(steps, 20);
    for (size_t i = 1; i <= steps; i++)
        cut_after(i, false);
}

Test(hold_cuts, the_machine_loses_its_power_anywhere)
{
    size_t steps = steps_needed();
    for (size_t i = 1; i <= steps; i++)
        cut_after(i, true);
}

/* In the middle of it everything that was asked for is lost, as with a kill. */
Test(hold_cuts, the_daemon_is_killed_with_work_on_its_way)
{
    for (size_t after = 0; after < 12; after++) {
        struct rig_pack pack;
        hold_rig_init(&hold, RIG_QUOTA, 30);
        rig_pack_init(&pack, 0, PACK_SIZE);
        say_offer(&hold, 1, &(struct offered){.name = pack.name, .size = PACK_SIZE}, 1);
        hold_rig_settle(&hold);
        for (size_t at = 0; at < PACK_SIZE; at += 64 * 1024)
            say_put(&hold, &pack, at, PACK_SIZE - at < 64 * 1024 ? PACK_SIZE - at : 64 * 1024);
        for (size_t i = 0; i < after && hold.rig.files.count > 0; i++) {
            hold_rig_file(&hold, 0);
        }
        hold_rig_restart(&hold, false); /* a whole file may have no row now */
        cr_assert(bring(&hold), "%zu", after);
        cr_complete();
        rig_pack_deinit(&pack);
        hold_rig_deinit(&hold);
    }
}

/* The line is back before the disk has done what came over the old one. */
Test(hold_cuts, an_offer_waits_for_what_an_earlier_connection_began)
{
    struct rig_pack pack;
    struct qn_cursor cursor;
    struct qn_digest name;
    uint64_t answer, have;
    size_t count;
    hold_rig_init(&hold, RIG_QUOTA, 30);
    rig_pack_init(&pack, 0, PACK_SIZE);
    say_offer(&hold, 1, &(struct offered){.name = pack.name, .size = PACK_SIZE}, 1);
    hold_rig_settle(&hold);
    say_put(&hold, &pack, 0, 64 * 1024);
    cr_assert_eq(hold.rig.files.count, 1);
    rig_bulk_down(&hold.rig);
    rig_bulk(&hold.rig);
    say_offer(&hold, 1, &(struct offered){.name = pack.name, .size = PACK_SIZE}, 1);
    while (hold.rig.files.count > 1) /* the disk takes its time with the first one */
        hold_rig_file(&hold, 1);
    rig_commit(&hold.rig);
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_PACK_OFFERED, 1, &cursor));
    cr_assert_eq(qn_cursor_array(&cursor, 3, &count), QN_OK);
    cr_assert_eq(qn_cursor_bytes(&cursor, name.bytes, 32), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &answer), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &have), QN_OK);
    cr_assert_eq(answer, QN_OFFER_WANTED, "%lu", answer);
    cr_assert_eq(have, 64 * 1024);
    cr_assert_not(heard(&hold, QN_MSG_PACK_ACK, 0, &cursor), "of another connection");
    rig_pack_deinit(&pack);
    hold_rig_deinit(&hold);
}
