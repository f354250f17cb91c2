/* A record that is damaged at all sites: what each of them has left of it. */
#include <criterion/criterion.h>

#include "model/repair.h"
#include "proto/pack.h"
#include "support/damage.h"

static struct group group;
static struct site *a, *b, *c;

static void set_up(void)
{
    group_of_three(&group);
    a = &group.sites[0];
    b = &group.sites[1];
    c = &group.sites[2];
}

static void tear_down(void)
{
    group_deinit(&group);
}

TestSuite(left, .init = set_up, .fini = tear_down);

/* What is left of k at a site where it is damaged. */
static void read_left(struct site *from, struct qn_buf *copies, struct qn_copy_left *ret_left)
{
    QN_AUTO_BUF struct qn_buf keys;
    struct qn_span skipped;
    size_t count;
    qn_buf_init(&keys, 64);
    qn_pack_array(&keys, 1);
    qn_pack_cstr(&keys, "k");
    cr_assert_eq(qn_read_copies(memkv_reader(from->store), &group.coll, qn_buf_view(&keys), true,
                                1 << 19, copies),
                 QN_OK);
    struct qn_cursor cursor = qn_cursor(qn_buf_view(copies));
    cr_assert_eq(qn_cursor_skip(&cursor, 1, &skipped), QN_OK);
    cr_assert_eq(qn_cursor_skip(&cursor, 2, &skipped), QN_OK);
    cr_assert_eq(qn_cursor_array(&cursor, 3, &count), QN_OK);
    cr_assert_eq(count, 3);
    cr_assert_eq(qn_copy_left_unpack(&cursor, ret_left), QN_OK);
    cr_assert_eq(qn_cursor_finish(&cursor), QN_OK);
}

/* `site` gives k up, with what is left of it at another one. */
static void give_up_with(struct site *site, struct site *from)
{
    static const uint8_t any_clock[QN_ROOT_SIZE];
    struct qn_copy_left left;
    size_t changed;
    QN_AUTO_BUF struct qn_buf copies;
    qn_buf_init(&copies, 1 << 20);
    read_left(from, &copies, &left);
    struct qn_repair_item items[2] = {
        {.key = left.key, .how = QN_REPAIR_ANEW, .site = from->id, .copy = {.record = left.said}},
        {.key = left.key,
         .how = QN_REPAIR_ANEW_SEEN,
         .site = from->id,
         .copy = {.record = left.seen}}};
    site_begin(site);
    cr_assert_eq(qn_replica_repair(site->replica, &group.coll, any_clock, items, 2, &changed),
                 QN_OK);
    cr_assert_eq(site_end(site, QN_OK), QN_OK);
    cr_assert_eq(changed, 1);
    qn_copy_left_deinit(&left);
}

static void forget_log(struct site *site)
{
    site_begin(site);
    cr_assert_eq(site_end(site, qn_replica_truncate(site->replica, &group.coll, 100)), QN_OK);
}

static void others_take_it_from(struct site *site)
{
    size_t changed;
    group_settle(&group);
    for (size_t i = 0; i < group.count; i++)
        if (site_damage(&group.sites[i]).damaged > 0)
            cr_assert_eq(site_repair(&group.sites[i], site, "k", QN_REPAIR_TAKE, &changed), QN_OK);
    for (size_t i = 0; i < group.count; i++)
        site_recount(&group.sites[i]);
    group_is_well(&group);
}

Test(left, of_a_record_that_is_damaged_everywhere_one_site_writes_what_another_one_has_left)
{
    for (size_t i = 0; i < group.count; i++)
        site_flip(&group.sites[i], QN_TABLE_REC, 0, 1); /* no row can be read at all */
    forget_log(a);
    forget_log(c);
    site_scrub(a);
    site_scrub(b);
    site_scrub(c);
    give_up_with(a, b);
    cr_assert_str_eq(site_shown(a, "k", "name"), "anne");
    cr_assert_str_eq(site_shown(a, "k", "room"), "12");
    others_take_it_from(a);
}

Test(left, what_operations_say_anywhere_counts_before_what_damaged_rows_say)
{
    size_t size = site_entry_size(a, QN_TABLE_REC, 0);
    site_flip(a, QN_TABLE_REC, 0, size - 1); /* the last letter of a value */
    site_flip(b, QN_TABLE_REC, 0, 1);
    forget_log(a);
    site_scrub(a);
    site_scrub(b);
    site_scrub(c);
    give_up_with(a, b);
    cr_assert_str_eq(site_shown(a, "k", "name"), "anne");
    cr_assert_str_eq(site_shown(a, "k", "room"), "12");
}

/* Before it is set aside, and after. */
Test(left, what_a_damaged_row_says_is_left_where_no_log_has_it)
{
    struct qn_copy_left left;
    forget_log(b);
    site_flip(b, QN_TABLE_REC, 0, 4); /* its hash: all of it can be read */
    for (int round = 0; round < 2; round++) {
        QN_AUTO_BUF struct qn_buf copies;
        qn_buf_init(&copies, 1 << 20);
        read_left(b, &copies, &left);
        cr_expect_eq(left.said.fields.count, 0);
        cr_expect_eq(left.seen.fields.count, 2);
        qn_copy_left_deinit(&left);
        site_scrub(b);
    }
    site_flip(a, QN_TABLE_REC, 0, 1);
    forget_log(a);
    site_scrub(a);
    give_up_with(a, b);
    cr_assert_str_eq(site_shown(a, "k", "name"), "anne");
    cr_assert_str_eq(site_shown(a, "k", "room"), "12");
}

Test(left, what_is_left_of_a_record_is_what_operations_did_not_remove)
{
    struct qn_copy_left left;
    QN_AUTO_BUF struct qn_buf copies;
    qn_buf_init(&copies, 1 << 20);
    site_put(b, "k", "room", "13");
    site_flip(b, QN_TABLE_REC, 0, 30);
    site_scrub(b);
    read_left(b, &copies, &left);
    const struct qn_field *room = qn_record_field(&left.said, qn_span_str("room"));
    cr_assert_not_null(room);
    cr_assert_eq(room->pairs.count, 1);
    cr_assert(qn_span_eq(room->pairs.items[0].value, qn_span("\xa2"
                                                             "13",
                                                             3)));
    qn_copy_left_deinit(&left);
}
