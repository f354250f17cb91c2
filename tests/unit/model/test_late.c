/* Late and new sites: passes, segments, what is served meanwhile, rescue (docs/records.md). */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/limits.h"
#include "model/tables.h"
#include "proto/pack.h"
#include "support/late_sites.h"

#define must(expression) cr_assert_eq((expression), QN_OK, "%s", #expression)

static struct group group;
static struct site *const a = &group.sites[0], *const b = &group.sites[1];

static void init(void)
{
    group_init(&group, 2, 1);
}

static void fini(void)
{
    group_deinit(&group);
}

TestSuite(late, .init = init, .fini = fini);

static void put_many(struct site *site, int count)
{
    char key[16];
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "k%04d", i);
        must(site_put(site, key, "name", "somebody"));
    }
}

Test(late, a_new_site_is_brought_up_by_pages)
{
    put_many(a, 50);
    cr_assert_gt(site_pull_pass(b, a, 600), 5);
    cr_assert_not(site_info(b).late.is_late);
    cr_assert_null(group_check_equal(&group));
    cr_assert_null(site_check(b));
    must(site_put(a, "k0001", "name", "else"));
    must(site_pull(b, a));
    cr_assert_str_eq(site_shown(b, "k0001", "name"), "else");
}

Test(late, neighbours_with_one_clock_are_one_segment_and_it_travels_once)
{
    struct qn_page_result result;
    QN_AUTO_BUF struct qn_buf first = {0}, second = {0};
    put_many(a, 20);
    must(site_begin_pass(b));
    must(site_read_page(a, b, 1, &first));
    must(site_take_page(b, qn_buf_view(&first), &result));
    must(site_read_page(a, b, 1, &second));
    must(site_take_page(b, qn_buf_view(&second), &result));
    cr_assert_eq(site_info(b).late.segs, 1);
    cr_assert_lt(second.size + 60, first.size);
}

Test(late, a_late_site_serves_what_its_log_reaches_and_else_its_own_operations)
{
    struct qn_page_result result;
    QN_AUTO_BUF struct qn_buf body = {0};
    struct messages messages = {0};
    put_many(a, 3);
    must(site_pull(b, a));
    must(site_begin_pass(b));
    must(site_put(b, "own", "name", "mine"));
    cr_assert_eq(site_read_page(b, a, 1, &body), QN_ERR_HELD);
    site_wipe(a);
    site_collect(b, a, &messages);
    cr_assert_eq(messages.list.count, 4);
    messages_free(&messages);
    site_begin(b);
    must(site_end(b, qn_replica_truncate(b->replica, &group.coll, 1)));
    site_collect(b, a, &messages);
    cr_assert_eq(messages.list.count, 1);
    messages_free(&messages);
    cr_assert_eq(site_pull_page(b, b, 1, &result), QN_ERR_HELD);
}

Test(late, followers_of_the_changes_read_everything_again)
{
    uint64_t next;
    put_many(a, 3);
    site_pull_pass(b, a, QN_PAGE_SIZE);
    struct qn_kv *kv = memkv_reader(b->store);
    uint64_t head = site_info(b).order_head;
    cr_assert_eq(qn_read_changes(kv, &group.coll, 1, 9, NULL, NULL, &next), QN_ERR_HELD);
    must(qn_read_changes(kv, &group.coll, head + 1, 9, NULL, NULL, &next));
    cr_assert_eq(next, head + 1);
}

static void put_large(struct site *site, const char *field, char fill)
{
    static char value[60000];
    memset(value, fill, sizeof(value) - 1);
    must(site_put(site, "large", field, value));
}

Test(late, a_record_that_is_larger_than_a_page_is_split)
{
    char field[16];
    must(site_put(a, "before", "name", "x"));
    for (int i = 0; i < 40; i++) {
        snprintf(field, sizeof(field), "f%02d", i);
        put_large(a, field, (char)('a' + i % 26));
    }
    put_large(b, "f07", 'z'); /* and it is there already, in part */
    must(site_put(a, "zero", "name", "x"));
    cr_assert_gt(site_pull_pass(b, a, QN_PAGE_SIZE), 3);
    must(site_pull(a, b));
    cr_assert_null(group_check_equal(&group));
    cr_assert_null(site_check_oracle(b));
}

/* --- hostile sources --- */

/* A page of all keys with no records, under the clock that `site` has. */
static void compose(struct site *site, void (*spoil)(struct qn_page_heads *heads),
                    const char *record, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf real = {0};
    struct qn_page page;
    must(site_read_page(site, b, QN_PAGE_SIZE, &real));
    must(qn_page_unpack(qn_buf_view(&real), &page));
    if (spoil != NULL)
        spoil(&page.heads);
    qn_buf_init(out, QN_PAGE_SIZE_MAX);
    qn_pack_array(out, 7);
    qn_pack_nil(out);
    qn_pack_bool(out, true);
    qn_page_heads_pack(&page.heads, out);
    qn_pack_u64(out, 0);
    qn_pack_bin(out, QN_SPAN_OF(page.heads.list.items[0].at.actor.bytes));
    qn_pack_array(out, 1);
    qn_pack_cstr(out, "name");
    qn_pack_array(out, record != NULL);
    if (record != NULL) { /* of a dot that the clock does not cover */
        qn_pack_array(out, 3);
        qn_pack_cstr(out, record);
        qn_pack_array(out, 4);
        for (uint64_t stamp[] = {0, 999, 0, 0}, i = 0; i < 4; i++)
            qn_pack_u64(out, stamp[i]);
        qn_pack_array(out, 3);
        for (int i = 0; i < 3; i++)
            qn_pack_u64(out, 0);
    }
    qn_page_deinit(&page);
}

static enum qn_err take(void (*spoil)(struct qn_page_heads *heads), const char *record)
{
    QN_AUTO_BUF struct qn_buf body = {0};
    struct qn_page_result result;
    struct memkv *before = memkv_clone(b->store);
    compose(a, spoil, record, &body);
    enum qn_err err = site_take_page(b, qn_buf_view(&body), &result);
    cr_assert(err == QN_OK || memkv_is_equal(before, b->store), "a refused page changed something");
    memkv_free(before);
    return err;
}

static void inflate(struct qn_page_heads *heads)
{
    heads->list.items[0].at.ctr++;
}

static void rename_site(struct qn_page_heads *heads)
{
    heads->list.items[0].at.actor.bytes[0] ^= 1;
}

static void forge(struct qn_page_heads *heads)
{
    heads->list.items[0].hash.bytes[5] ^= 1;
}

Test(late, a_clock_counts_as_far_as_it_is_signed)
{
    put_many(a, 3);
    must(site_begin_pass(b));
    cr_assert_eq(take(inflate, NULL), QN_ERR_SIGNATURE);
    cr_assert_eq(take(forge, NULL), QN_ERR_SIGNATURE);
    cr_assert_eq(take(rename_site, NULL), QN_ERR_HELD);
    cr_assert_eq(take(NULL, "k"), QN_ERR_INVALID);
    cr_assert_eq(take(NULL, NULL), QN_OK);
}

Test(late, pages_that_do_not_fit_are_refused)
{
    QN_AUTO_BUF struct qn_buf first = {0}, named = {0};
    struct qn_page_result result;
    put_many(a, 20);
    must(site_begin_pass(b));
    must(site_read_page(a, b, 1, &first));
    must(site_take_page(b, qn_buf_view(&first), &result));
    must(site_read_page(a, b, 1, &named));
    site_wipe(b);
    cr_assert_eq(site_take_page(b, qn_buf_view(&named), &result), QN_ERR_STATE, "no pass");
    must(site_begin_pass(b));
    cr_assert_eq(site_take_page(b, qn_buf_view(&named), &result), QN_ERR_STATE, "not the next one");
    first.data[0] ^= 1;
    cr_assert_eq(site_take_page(b, qn_buf_view(&first), &result), QN_ERR_INVALID);
}

Test(late, a_source_that_leaves_out_too_much_is_stopped)
{
    put_many(a, 150);
    must(site_pull(b, a));
    must(site_begin_pass(b));
    cr_assert_eq(take(NULL, NULL), QN_ERR_CONFLICT);
    cr_assert_eq(site_info(b).rows, 150);
    site_begin(b);
    must(site_end(b, qn_replica_late_begin(b->replica, &group.coll, true)));
    must(take(NULL, NULL));
    cr_assert_eq(site_info(b).rows, 0);
    cr_assert_eq(memkv_count(b->store, QN_TABLE_HIST), 150, "what went is kept");
}

Test(late, a_damaged_record_is_in_no_page)
{
    QN_AUTO_BUF struct qn_buf page = {0}, row;
    struct qn_span key, value;
    struct qn_key at;
    qn_buf_init(&row, 4096);
    put_many(a, 3);
    must(qn_kv_seek(memkv_reader(a->store), QN_TABLE_REC, qn_span("", 1), &key, &value));
    qn_key_copy(&at, key);
    qn_buf_append_span(&row, value);
    row.data[row.size - 1] ^= 1; /* of the value: the row can be read */
    struct qn_kv *kv = memkv_begin(a->store);
    must(qn_kv_put(kv, QN_TABLE_REC, qn_key_view(&at), qn_buf_view(&row)));
    must(memkv_commit(a->store));
    must(site_begin_pass(b));
    cr_assert_eq(site_read_page(a, b, 600, &page), QN_ERR_DAMAGED);
}

/* --- rescue --- */

Test(late, what_was_lost_with_its_writer_is_rescued)
{
    struct qn_page_result result;
    size_t rescued;
    put_many(a, 20);
    must(site_put(b, "k0001", "name", "other"));
    must(site_begin_pass(b));
    must(site_pull_page(b, a, 1200, &result));
    site_wipe(a); /* nobody will ever have its operations */
    must(site_put(b, "k0000", "name", "newer"));
    must(site_rescue(b, &rescued));
    cr_assert_gt(rescued, 0);
    cr_assert_eq(site_info(b).late.segs, 0, "cc covers what is left");
    site_pull_pass(b, a, QN_PAGE_SIZE);
    cr_assert_not(site_info(b).late.is_late);
    cr_assert_null(site_check(b));
    must(site_pull(a, b));
    cr_assert_str_eq(site_shown(a, "k0000", "name"), "newer");
    cr_assert_null(group_check_equal(&group));
}
