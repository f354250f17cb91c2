/* What a holder does by itself: it reads the lock clock, scrubs, sweeps, and says when a backup is
 * overdue. */
#include <criterion/criterion.h>

#include "core/bulk.h"
#include "core/state.h"
#include "support/hold_rig.h"

#define PACKS 8

static struct hold_rig hold;

static void setup(void)
{
    hold_rig_init(&hold, RIG_QUOTA, 2);
}

static void teardown(void)
{
    hold_rig_deinit(&hold);
}

TestSuite(hold_time, .init = setup, .fini = teardown);

static void send_packs(void)
{
    for (uint64_t i = 0; i < PACKS; i++)
        cr_assert_eq(send_pack(&hold, i, RIG_PACK), QN_OFFER_WANTED);
}

static size_t count_packs(void)
{
    size_t count = 0;
    for (uint64_t i = 0; i < PACKS; i++)
        count += rig_has_pack(&hold, RIG_OWNER, i, RIG_PACK);
    return count;
}

static struct fake_file *file_of(uint64_t number)
{
    struct qn_digest name = rig_pack_name(number, RIG_PACK);
    return fake_files_find(&hold.files, &hold.rig.world.sites[RIG_OWNER].id, &name);
}

/* ---- the clock ---- */

static const struct qn_intent *clock_intent(void)
{
    qn_vec_each (&hold.rig.intents, intent)
        if ((*intent)->kind == QN_INTENT_LOCK_CLOCK)
            return *intent;
    return NULL;
}

Test(hold_time, the_clock_is_read_before_anybody_relies_on_it)
{
    uint64_t first_ms = rig_lock_ms(&hold); /* an agreement is enough */
    rig_wait(&hold.rig, 61000);
    cr_assert_not_null(clock_intent());
    hold_rig_settle(&hold);
    cr_assert_geq(rig_lock_ms(&hold) - first_ms, 61000);
    cr_assert_leq(rig_lock_ms(&hold) - first_ms, 62000);
}

static uint64_t witness_ms(void)
{
    struct qn_digest boot;
    uint64_t numbers[4]; /* boot, wall, witness, how many */
    size_t count;
    const struct qn_intent *intent = clock_intent();
    cr_assert_not_null(intent);
    struct qn_cursor cursor = qn_cursor(qn_span(intent->payload, intent->size));
    cr_assert_eq(qn_cursor_array(&cursor, 5, &count), QN_OK);
    cr_assert_eq(qn_cursor_bytes(&cursor, boot.bytes, 32), QN_OK);
    for (size_t i = 0; i < 4; i++)
        cr_assert_eq(qn_cursor_u64(&cursor, &numbers[i]), QN_OK);
    cr_assert_eq(numbers[3], 1);
    return numbers[2];
}

/* A peer's clock is what it said and what passed since: were it the difference to the own wall
 * clock, whoever sets that would move all witnesses. */
Test(hold_time, witnesses_do_not_move_with_the_own_wall_clock)
{
    rig_wait(&hold.rig, 61000);
    uint64_t before_ms = witness_ms();
    hold_rig_settle(&hold);
    hold.rig.wall_ahead_ms = 10 * 365 * (int64_t)RIG_DAY_MS;
    rig_wait(&hold.rig, 61000);
    cr_assert_geq(witness_ms() - before_ms, 61000);
    cr_assert_leq(witness_ms() - before_ms, 63000);
}

Test(hold_time, a_clock_that_could_not_be_stored_is_read_again)
{
    uint64_t before_ms = rig_lock_ms(&hold);
    rig_wait(&hold.rig, 61000);
    rig_fail_commit(&hold.rig, QN_ERR_NOSPACE);
    hold_rig_reconnect(&hold); /* nothing moved for a minute */
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_WANTED, "it is read before that");
    cr_assert_gt(rig_lock_ms(&hold), before_ms);
}

/* ---- scrubbing ---- */

Test(hold_time, a_month_of_scrubs_finds_what_rots)
{
    hold_rig_agree(&hold, RIG_OWNER, RIG_QUOTA, 60);
    send_packs();
    uint64_t good = rig_held(&hold, RIG_OWNER).good_count;
    file_of(5)->bytes.data[3] ^= 1;
    struct qn_digest gone = rig_pack_name(2, RIG_PACK);
    fake_files_find(&hold.files, &hold.rig.world.sites[RIG_OWNER].id, &gone)->is_whole = false;
    for (int day = 0; day < 31; day++)
        hold_rig_pass(&hold, RIG_DAY_MS);
    struct qn_held held = rig_held(&hold, RIG_OWNER);
    cr_assert_eq(good, PACKS);
    cr_assert_eq(held.bad_count, 2);
    cr_assert_eq(held.good_count, PACKS - 2);
    cr_assert((held.alarms & QN_HELD_ALARM_BAD) != 0);
}

/* By name where a second connection stands; without one there is to be one. */
Test(hold_time, an_owner_hears_at_once_what_rotted)
{
    struct qn_cursor cursor;
    struct qn_digest name = rig_pack_name(5, RIG_PACK);
    struct qn_span told;
    send_packs();
    file_of(5)->bytes.data[3] ^= 1;
    while (rig_held(&hold, RIG_OWNER).bad_count == 0) {
        rig_forget(&hold.rig);
        say_names_ask(&hold, 0, NULL); /* so that it stands */
        rig_wait(&hold.rig, 50000);
        hold_rig_settle(&hold);
    }
    cr_assert(heard(&hold, QN_MSG_PACK_BAD, 0, &cursor));
    cr_assert_eq(qn_cursor_bin(&cursor, 1024, &told), QN_OK);
    cr_assert(qn_span_eq(told, qn_digest_view(&name)));
    cr_assert_not(heard(&hold, QN_MSG_PACK_BAD, 1, &cursor));
}

Test(hold_time, an_owner_without_a_connection_is_to_have_one)
{
    struct qn_cursor cursor;
    send_packs();
    file_of(5)->bytes.data[3] ^= 1;
    rig_bulk_down(&hold.rig);
    for (int day = 0; day < 31 && rig_held(&hold, RIG_OWNER).bad_count == 0; day++)
        hold_rig_pass(&hold, RIG_DAY_MS);
    cr_assert_eq(rig_held(&hold, RIG_OWNER).bad_count, 1);
    cr_assert_not(heard(&hold, QN_MSG_PACK_BAD, 0, &cursor));
    cr_assert(bulk_of(hold.rig.core, &hold.rig.world.sites[RIG_OWNER].id)->is_wanted);
}

Test(hold_time, what_rotted_is_sent_again)
{
    struct rig_list list;
    send_packs();
    rig_list_init(&list, 1, (uint64_t[]){0, 5}, 2, RIG_PACK);
    cr_assert_str_eq(send_list(&hold, &list, NULL).code, "");
    struct qn_digest sum = rig_held(&hold, RIG_OWNER).sum;
    file_of(5)->bytes.data[3] ^= 1;
    for (int day = 0; day < 31; day++)
        hold_rig_pass(&hold, RIG_DAY_MS);
    struct qn_digest then = rig_held(&hold, RIG_OWNER).sum;
    cr_assert_not(qn_digest_eq(&then, &sum));
    hold_rig_reconnect(&hold);
    cr_assert_eq(send_pack(&hold, 5, RIG_PACK), QN_OFFER_WANTED);
    cr_assert(rig_has_pack(&hold, RIG_OWNER, 5, RIG_PACK));
    cr_assert_eq(rig_held(&hold, RIG_OWNER).bad_count, 0);
    cr_assert_eq(rig_held(&hold, RIG_OWNER).alarms & QN_HELD_ALARM_BAD, 0);
    rig_list_deinit(&list);
}

/* ---- sweeping ---- */

Test(hold_time, what_nothing_holds_goes_with_its_file)
{
    struct rig_list list;
    send_packs();
    rig_list_init(&list, 1, (uint64_t[]){0, 5}, 2, RIG_PACK);
    cr_assert_str_eq(send_list(&hold, &list, NULL).code, "");
    for (int day = 0; day < 40; day++) /* the lease is over, too */
        hold_rig_pass(&hold, RIG_DAY_MS);
    cr_assert_eq(count_packs(), 2);
    cr_assert_eq(hold.files.items.count, 2);
    cr_assert_eq(rig_held(&hold, RIG_OWNER).pack_count, 2);
    hold_rig_reconnect(&hold);
    say_forget(&hold, &list.id, 1);
    hold_rig_settle(&hold);
    hold_rig_pass(&hold, 120000); /* soon, not in an hour */
    cr_assert_eq(hold.files.items.count, 0);
    cr_assert_eq(rig_held(&hold, RIG_OWNER).used_bytes, 0);
    rig_list_deinit(&list);
}

/* Files that could not be removed, and rows that could not be deleted, are found again; nobody puts
 * a file in their place meanwhile. */
Test(hold_time, a_sweep_that_was_cut_off_goes_on)
{
    send_packs();
    hold.files.remove_err = QN_ERR_IO;
    for (int day = 0; day < 40; day++)
        hold_rig_pass(&hold, RIG_DAY_MS);
    cr_assert_eq(hold.files.items.count, PACKS);
    cr_assert_eq(memkv_count(hold.rig.disk, QN_TABLE_HELD_PACK), PACKS);
    hold_rig_restart(&hold, false);
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_LATER);
    hold.files.remove_err = QN_OK;
    hold_rig_pass(&hold, 3600000);
    cr_assert_eq(hold.files.items.count, 0);
    cr_assert_eq(memkv_count(hold.rig.disk, QN_TABLE_HELD_PACK), 0);
    hold_rig_reconnect(&hold);
    cr_assert_eq(send_pack(&hold, 1, RIG_PACK), QN_OFFER_WANTED);
}

Test(hold_time, a_crash_between_file_and_row)
{
    send_packs();
    hold.files.remove_err = QN_ERR_IO;
    for (int day = 0; day < 40; day++)
        hold_rig_pass(&hold, RIG_DAY_MS);
    for (size_t i = hold.files.items.count; i-- > 0;) { /* as if all had been unlinked */
        qn_buf_deinit(&hold.files.items.items[i].bytes);
        hold.files.items.count--;
    }
    hold.files.remove_err = QN_OK;
    hold_rig_restart(&hold, false);
    hold_rig_pass(&hold, 3600000);
    cr_assert_eq(memkv_count(hold.rig.disk, QN_TABLE_HELD_PACK), 0);
}

/* A file that was durable, and whose row was not. */
static void add_stray(void)
{
    struct fake_file *file = qn_vec_push_slot(&hold.files.items);
    *file = (struct fake_file){.owner = hold.rig.world.sites[RIG_OWNER].id, .is_whole = true};
    qn_buf_init(&file->bytes, 16);
    qn_buf_append_u64(&file->bytes, 1);
    memset(file->name.bytes, 0x77, sizeof(file->name.bytes));
}

Test(hold_time, a_file_without_a_row_goes_after_a_start)
{
    send_packs();
    add_stray();
    hold_rig_restart(&hold, false);
    hold_rig_pass(&hold, 3600000);
    cr_assert_eq(hold.files.items.count, PACKS, "and no other");
    cr_assert_eq(rig_held(&hold, RIG_OWNER).good_count, PACKS);
}

Test(hold_time, a_file_whose_row_could_not_be_stored_goes)
{
    struct rig_pack pack;
    struct qn_file_result result;
    send_packs();
    hold_rig_pass(&hold, 3600000); /* the first sweep is over */
    hold_rig_reconnect(&hold);
    rig_pack_init(&pack, PACKS + 1, RIG_PACK);
    say_offer(&hold, 1, &(struct offered){.name = pack.name, .size = RIG_PACK}, 1);
    hold_rig_settle(&hold);
    say_put(&hold, &pack, 0, RIG_PACK);
    fake_files_run(&hold.files, hold.rig.files.items[0], &result);
    rig_file(&hold.rig, &result);
    rig_fail_commit(&hold.rig, QN_ERR_NOSPACE);
    cr_assert_eq(hold.files.items.count, PACKS + 1);
    hold_rig_reconnect(&hold);
    hold_rig_pass(&hold, 2ull * 3600000);
    cr_assert_eq(hold.files.items.count, PACKS);
    rig_pack_deinit(&pack);
}

Test(hold_time, a_file_without_a_row_stays_while_the_store_is_in_doubt)
{
    send_packs();
    add_stray();
    hold_rig_restart(&hold, false);
    hold.rig.core->is_in_doubt = true; /* it may be an old one: who knows what it forgot */
    hold_rig_pass(&hold, 3600000);
    cr_assert_eq(hold.files.items.count, PACKS + 1);
    hold.rig.core->is_in_doubt = false;
    hold_rig_pass(&hold, 2ull * 3600000);
    cr_assert_eq(hold.files.items.count, PACKS);
}

Test(hold_time, parts_that_nobody_finishes_go)
{
    struct rig_pack pack;
    rig_pack_init(&pack, 1, 2000);
    say_offer(&hold, 1, &(struct offered){.name = pack.name, .size = 2000}, 1);
    hold_rig_settle(&hold);
    say_put(&hold, &pack, 0, 1000);
    hold_rig_settle(&hold);
    hold_rig_pass(&hold, 2 * 3600000);
    cr_assert_eq(fake_files_parts(&hold.files), 1);
    hold.files.are_parts_old = true;
    hold_rig_pass(&hold, 2 * 3600000);
    cr_assert_eq(fake_files_parts(&hold.files), 0);
    rig_pack_deinit(&pack);
}

static void mark_bad(const struct qn_digest *name)
{
    struct qn_buf payload;
    qn_buf_init(&payload, 256);
    qn_pack_array(&payload, 3);
    qn_pack_bin(&payload, QN_SPAN_OF(hold.rig.world.sites[RIG_OWNER].id.bytes));
    qn_pack_bin(&payload, qn_digest_view(name));
    qn_pack_bool(&payload, false);
    rig_write(&hold.rig, qn_intent_new(QN_INTENT_HELD_SCRUBBED, 1, &payload));
}

/* Both ends at once: its last list is forgotten while a damaged pack is on its way again. Nobody
 * removes the new file for the old row, or keeps it without one. */
Test(hold_time, a_pack_is_let_go_while_it_arrives)
{
    enum { SIZE = 100 * 1024, FIRST = 64 * 1024 };
    struct rig_pack pack;
    struct rig_list list;
    struct qn_digest zero = {0};
    rig_pack_init(&pack, 1, SIZE);
    rig_list_init(&list, 1, (uint64_t[]){1}, 1, SIZE);
    hold_rig_agree(&hold, RIG_OWNER, RIG_QUOTA, 0);
    cr_assert_eq(send_pack(&hold, 1, SIZE), QN_OFFER_WANTED);
    cr_assert_str_eq(send_list(&hold, &list, NULL).code, "");
    for (int day = 0; day < 31; day++)
        hold_rig_pass(&hold, RIG_DAY_MS);
    mark_bad(&pack.name);
    hold_rig_reconnect(&hold);
    say_offer(&hold, 2, &(struct offered){.name = pack.name, .size = SIZE}, 1);
    hold_rig_settle(&hold);
    say_put(&hold, &pack, 0, FIRST);
    say_forget(&hold, &list.id, 1);
    hold_rig_settle(&hold);
    for (int i = 0; i < 6; i++) { /* the sweep comes in a minute; the line must not fall asleep */
        rig_wait(&hold.rig, 20000);
        say_ask(&hold, &zero, &zero, 0);
        hold_rig_settle(&hold);
    }
    struct fake_file *part =
        fake_files_find(&hold.files, &hold.rig.world.sites[RIG_OWNER].id, &pack.name);
    cr_assert_not_null(part, "it arrives");
    cr_assert_eq(part->bytes.size, FIRST);
    cr_assert_eq(rig_held(&hold, RIG_OWNER).pack_count, 0, "and the old one is condemned");
    say_put(&hold, &pack, FIRST, SIZE - FIRST);
    hold_rig_settle(&hold);
    cr_assert_eq(hold.files.items.count, 0);
    hold_rig_pass(&hold, 2 * 3600000);
    hold_rig_reconnect(&hold);
    cr_assert_eq(send_pack(&hold, 1, SIZE), QN_OFFER_WANTED);
    cr_assert(rig_has_pack(&hold, RIG_OWNER, 1, SIZE));
    rig_list_deinit(&list);
    rig_pack_deinit(&pack);
}

/* What is sent stays as long as its sender is at work, whatever the locks are. */
Test(hold_time, a_lease_keeps_what_no_list_names_yet)
{
    hold_rig_agree(&hold, RIG_OWNER, RIG_QUOTA, 0);
    send_packs();
    for (int day = 0; day < 29; day++)
        hold_rig_pass(&hold, RIG_DAY_MS);
    cr_assert_eq(count_packs(), PACKS);
    for (int day = 0; day < 3; day++)
        hold_rig_pass(&hold, RIG_DAY_MS);
    cr_assert_eq(count_packs(), 0);
}

/* ---- being missed ---- */

static void accept_again(void)
{
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, 256);
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "owner");
    qn_pack_cstr(&args, "site-1");
    rig_request(&hold.rig, "holder.accept", &args);
    hold_rig_settle(&hold);
}

static bool has_alert(const char *code)
{
    struct qn_health health = {.wall_ms = WORLD_START_MS + hold.rig.now_ms};
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, QN_FRAME_SIZE_MAX);
    qn_core_status(hold.rig.core, &health, &out);
    return memmem(out.data, out.size, code, strlen(code)) != NULL;
}

Test(hold_time, a_backup_that_does_not_come_is_missed)
{
    struct qn_digest zero = {0};
    struct rig_list list;
    send_packs();
    rig_list_init(&list, 1, (uint64_t[]){0, 1}, 2, RIG_PACK);
    cr_assert_str_eq(send_list(&hold, &list, NULL).code, "");
    say_ask(&hold, &zero, &zero, RIG_DAY_MS);
    hold_rig_settle(&hold);
    hold_rig_pass(&hold, RIG_DAY_MS);
    cr_assert_not(has_alert("held-late"));
    hold_rig_pass(&hold, RIG_DAY_MS / 2);
    cr_assert(has_alert("held-late"));
    rig_list_deinit(&list);
}

Test(hold_time, who_wants_to_be_missed_later_is_shown_until_somebody_looked)
{
    struct qn_digest zero = {0};
    say_ask(&hold, &zero, &zero, RIG_DAY_MS);
    hold_rig_settle(&hold);
    cr_assert_not(has_alert("held-expect"));
    say_ask(&hold, &zero, &zero, 0);
    hold_rig_settle(&hold);
    hold_rig_pass(&hold, 60000);
    cr_assert(has_alert("held-expect"));
    accept_again();
    cr_assert_null(hold.rig.code, "%s", hold.rig.code);
    hold_rig_pass(&hold, 60000);
    cr_assert_not(has_alert("held-expect"));
}
