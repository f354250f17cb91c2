/* The table of docs/custody.md, by messages: whoever has the owner's machine, its keys and any
 * clock of its own asks this holder for everything that there is to ask for. What must survive is
 * the backup of the day before. Each attack may be the last thing that happens to it. */
#include <criterion/criterion.h>

#include "support/hold_rig.h"

#define PACKS 12
#define QUOTA (30 * RIG_PACK)

static struct hold_rig hold;
static struct rig_list backup;

static void setup(void)
{
    uint64_t packs[PACKS];
    hold_rig_init(&hold, QUOTA, 30);
    for (uint64_t i = 0; i < PACKS; i++) {
        packs[i] = i;
        cr_assert_eq(send_pack(&hold, i, RIG_PACK), QN_OFFER_WANTED);
    }
    rig_list_init(&backup, 1, packs, PACKS, RIG_PACK);
    cr_assert_str_eq(send_list(&hold, &backup, NULL).code, "");
    hold_rig_pass(&hold, RIG_DAY_MS);
    hold_rig_reconnect(&hold);
}

static void teardown(void)
{
    rig_list_deinit(&backup);
    hold_rig_deinit(&hold);
}

TestSuite(hold_attacks, .init = setup, .fini = teardown);

static void cr_safe(void)
{
    const struct qn_site_id *owner = &hold.rig.world.sites[RIG_OWNER].id;
    struct qn_kv *kv = memkv_reader(hold.rig.disk);
    struct qn_held_list row;
    struct qn_span sealed;
    for (uint64_t i = 0; i < PACKS; i++)
        cr_assert(rig_has_pack(&hold, RIG_OWNER, i, RIG_PACK), "pack %lu", i);
    cr_assert_eq(qn_held_list_get(kv, owner, &backup.id, &row), QN_OK);
    cr_assert(row.is_whole);
    cr_assert_eq(qn_held_list_sealed(kv, owner, &backup.id, &sealed), QN_OK);
    cr_assert(qn_span_eq(sealed, qn_buf_view(&backup.sealed)));
}

static size_t count_packs(void)
{
    size_t count = 0;
    for (uint64_t i = 0; i < PACKS; i++)
        count += rig_has_file(&hold, RIG_OWNER, i, RIG_PACK);
    return count;
}

/* Sweeps run every hour all the time. */
static void cr_safe_until_the_end(bool is_let_go)
{
    cr_safe();
    for (int day = 0; day < 27; day++)
        hold_rig_pass(&hold, RIG_DAY_MS);
    cr_safe();
    for (int day = 0; day < 4; day++)
        hold_rig_pass(&hold, RIG_DAY_MS);
    cr_assert_eq(count_packs(), is_let_go ? 0 : PACKS, "%zu", count_packs());
}

static void forget_backup(void)
{
    struct qn_cursor cursor;
    rig_forget(&hold.rig);
    say_forget(&hold, &backup.id, 1);
    hold_rig_settle(&hold);
    cr_assert(heard(&hold, QN_MSG_LIST_FORGOT, 0, &cursor));
}

Test(hold_attacks, deletion)
{
    for (int i = 0; i < 20; i++)
        forget_backup();
    cr_safe_until_the_end(true);
}

Test(hold_attacks, an_honest_backup_stays_for_good)
{
    cr_safe_until_the_end(false);
}

Test(hold_attacks, the_end_of_the_agreement)
{
    hold_rig_agree(&hold, RIG_OWNER, 0, 0);
    cr_assert_eq(send_pack(&hold, 100, RIG_PACK), QN_OFFER_DENIED);
    cr_assert_str_eq(send_list(&hold, &backup, NULL).code, "denied");
    cr_safe_until_the_end(true);
}

/* The holder agrees by itself to what is asked, within its share. */
Test(hold_attacks, an_agreement_without_a_lock)
{
    hold_rig_agree(&hold, RIG_OWNER, QUOTA, 0);
    forget_backup();
    cr_safe_until_the_end(true);
}

Test(hold_attacks, storing_it_again_under_a_shorter_lock)
{
    hold_rig_agree(&hold, RIG_OWNER, QUOTA, 1);
    for (uint64_t i = 0; i < PACKS; i++)
        cr_assert_eq(send_pack(&hold, i, RIG_PACK), QN_OFFER_HERE);
    cr_assert_str_eq(send_list(&hold, &backup, NULL).code, "");
    forget_backup();
    cr_safe_until_the_end(true);
}

/* A snapshot's own date is sealed: nobody here can read it, and nobody asks. */
Test(hold_attacks, back_dated_and_future_dated_snapshots)
{
    for (uint64_t i = 0; i < 3; i++) {
        struct rig_list forged;
        rig_list_init(&forged, 631152000000u + i * 2000000000000u, (uint64_t[]){i}, 1, RIG_PACK);
        struct list_answer answer = send_list(&hold, &forged, NULL);
        cr_assert_str_eq(answer.code, "");
        uint64_t wall_ms = WORLD_START_MS + hold.rig.now_ms;
        cr_assert_leq(answer.until_ms, wall_ms + 30 * RIG_DAY_MS);
        cr_assert_gt(answer.until_ms, wall_ms + 29 * RIG_DAY_MS);
        say_forget(&hold, &forged.id, 1);
        hold_rig_settle(&hold);
        rig_list_deinit(&forged);
    }
    cr_safe_until_the_end(false);
}

/* Other bytes under the name of a pack that is here: it is not even wanted. */
Test(hold_attacks, overwriting_a_pack)
{
    struct rig_pack pack;
    rig_pack_init(&pack, 3, RIG_PACK);
    pack.bytes.data[0] ^= 0xff;
    cr_assert_eq(send_pack(&hold, 3, RIG_PACK), QN_OFFER_HERE);
    say_put(&hold, &pack, 0, RIG_PACK);
    cr_assert(hold.rig.has_closed_bulk);
    hold_rig_reconnect(&hold);
    say_offer(&hold, 1, &(struct offered){.name = pack.name, .size = RIG_PACK / 2}, 1);
    hold_rig_settle(&hold);
    say_put(&hold, &pack, 0, RIG_PACK / 2);
    cr_assert(hold.rig.has_closed_bulk);
    hold_rig_reconnect(&hold);
    rig_pack_deinit(&pack);
    cr_safe_until_the_end(false);
}

/* The id of a list is of its content: the same snapshot with other names is another list. */
Test(hold_attacks, a_poorer_list_of_the_same_snapshot)
{
    struct rig_list poor;
    rig_list_init(&poor, 1, (uint64_t[]){0}, 1, RIG_PACK);
    cr_assert_str_eq(send_list(&hold, &poor, NULL).code, "");
    cr_assert_eq(rig_held(&hold, RIG_OWNER).list_count, 2);
    rig_list_deinit(&poor);
    cr_safe_until_the_end(false);
}

/* A list may not count on what is damaged, gone, or somebody else's. */
Test(hold_attacks, referring_to_what_is_not_there)
{
    struct rig_list list;
    struct qn_site_id other = hold.rig.world.sites[RIG_OTHER].id;
    struct qn_custody_terms terms = {.quota_bytes = QUOTA, .lock_days = 30};
    struct qn_digest name = rig_pack_name(500, RIG_PACK);
    struct qn_kv *kv = memkv_begin(hold.rig.disk);
    cr_assert_eq(qn_custody_agree(kv, &other, &terms), QN_OK);
    cr_assert_eq(qn_custody_stored(kv, &other, &name, RIG_PACK), QN_OK);
    cr_assert_eq(memkv_commit(hold.rig.disk), QN_OK);
    rig_list_init(&list, 2, (uint64_t[]){0, 500}, 2, RIG_PACK);
    struct list_answer answer = send_list(&hold, &list, NULL);
    cr_assert_str_eq(answer.code, "missing");
    cr_assert_eq(answer.missing, 1);
    cr_assert(qn_digest_eq(&answer.first_missing, &name));
    rig_list_deinit(&list);
    cr_safe_until_the_end(false);
}

Test(hold_attacks, a_flood_of_packs)
{
    uint64_t answer = QN_OFFER_WANTED;
    for (uint64_t i = 1000; answer == QN_OFFER_WANTED; i++)
        answer = send_pack(&hold, i, RIG_PACK);
    cr_assert_eq(answer, QN_OFFER_QUOTA);
    struct qn_held held = rig_held(&hold, RIG_OWNER);
    cr_assert_leq(held.used_bytes, QUOTA);
    cr_assert((held.alarms & QN_HELD_ALARM_QUOTA) != 0);
    cr_safe_until_the_end(false);
}

Test(hold_attacks, a_flood_of_lists)
{
    struct list_answer answer = {0};
    for (uint64_t i = 1000; answer.code[0] == '\0'; i++) {
        struct rig_list list;
        rig_list_init(&list, i, (uint64_t[]){0, 1, 2}, 3, RIG_PACK);
        answer = send_list(&hold, &list, NULL);
        rig_list_deinit(&list);
    }
    cr_assert_str_eq(answer.code, "quota");
    cr_assert_leq(rig_held(&hold, RIG_OWNER).used_bytes, QUOTA);
    cr_safe_until_the_end(false);
}

/* Its people are told, and only they can take that back. */
Test(hold_attacks, expect_nothing_from_me)
{
    struct qn_digest zero = {0};
    for (int i = 0; i < 2; i++) {
        say_ask(&hold, &zero, &zero, i == 0 ? RIG_DAY_MS : 0);
        hold_rig_settle(&hold);
    }
    cr_assert((rig_held(&hold, RIG_OWNER).alarms & QN_HELD_ALARM_EXPECT) != 0);
    say_ask(&hold, &zero, &zero, RIG_DAY_MS);
    hold_rig_settle(&hold);
    cr_assert((rig_held(&hold, RIG_OWNER).alarms & QN_HELD_ALARM_EXPECT) != 0);
    cr_safe_until_the_end(false);
}

Test(hold_attacks, a_key_over_the_real_one)
{
    uint32_t epoch;
    struct qn_span sealed;
    say_key(&hold, 1, "the real one");
    hold_rig_settle(&hold);
    say_key(&hold, 1, "rubbish");
    for (uint64_t i = 2; i <= QN_HELD_KEYS_MAX + 20; i++) {
        say_key(&hold, i, "rubbish");
        hold_rig_settle(&hold);
    }
    cr_assert_eq(qn_held_key_next(memkv_reader(hold.rig.disk), &hold.rig.world.sites[RIG_OWNER].id,
                                  0, &epoch, &sealed),
                 QN_OK);
    cr_assert(qn_span_eq_str(sealed, "the real one"));
    cr_assert((rig_held(&hold, RIG_OWNER).alarms & QN_HELD_ALARM_QUOTA) != 0);
}

/* ---- the holder's own clock ---- */

Test(hold_attacks, the_wall_clock_is_moved_ten_years)
{
    forget_backup();
    uint64_t before_ms = rig_lock_ms(&hold);
    hold.rig.wall_ahead_ms = 10 * 365 * (int64_t)RIG_DAY_MS;
    hold_rig_pass(&hold, 3600000);
    hold.rig.wall_ahead_ms = -20 * 365 * (int64_t)RIG_DAY_MS;
    hold_rig_pass(&hold, 3600000);
    cr_assert_lt(rig_lock_ms(&hold) - before_ms, 3 * 3600000);
    hold.rig.wall_ahead_ms = 0;
    cr_safe_until_the_end(true);
}

/* What is left of a boot that never was is the allowance of a day, and the time since boot, which
 * the rig cannot make small: so the locks here are long. */
Test(hold_attacks, reboots_into_another_year)
{
    forget_backup();
    uint64_t before_ms = rig_lock_ms(&hold);
    for (int i = 0; i < 5; i++) {
        hold.rig.wall_ahead_ms += 2 * 365 * (int64_t)RIG_DAY_MS;
        hold_rig_restart(&hold, true);
        hold_rig_pass(&hold, 60000);
    }
    uint64_t most_ms = 5 * hold.rig.now_ms + QN_LOCK_UNPROVEN_MAX_MS + 3600000;
    cr_assert_leq(rig_lock_ms(&hold) - before_ms, most_ms);
    cr_safe();
}

/* Everything at once, with all keys, the restart of the holder in between. */
Test(hold_attacks, an_owner_with_all_its_keys)
{
    struct qn_digest zero = {0};
    say_ask(&hold, &zero, &zero, 0);
    hold_rig_settle(&hold);
    forget_backup();
    hold_rig_agree(&hold, RIG_OWNER, 0, 0);
    hold_rig_agree(&hold, RIG_OWNER, 1, 0);
    forget_backup();
    hold_rig_restart(&hold, false);
    hold_rig_agree(&hold, RIG_OWNER, QUOTA, 0);
    for (uint64_t i = 0; i < PACKS; i++)
        send_pack(&hold, i, RIG_PACK);
    forget_backup();
    hold_rig_agree(&hold, RIG_OWNER, 0, 0);
    cr_safe_until_the_end(true);
}
