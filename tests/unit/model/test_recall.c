#include "model/recall.h"

#include <criterion/criterion.h>

#include "model/late.h"
#include "model/tables.h"
#include "proto/pack.h"
#include "support/damage.h"
#include "support/late_sites.h"

/* `a` lost what `b` has; the store of `b` is the copy that came back with its vault. */
static struct group group;
static struct site *a, *b;
static struct memkv *copy;
static size_t parts, parts_max, ops, pages, lost_told;
static bool is_cancelled;

static void set_up(void)
{
    group_init(&group, 3, 5);
    a = &group.sites[0];
    b = &group.sites[1];
    site_put(b, "k", "name", "anne");
    site_put(b, "other", "name", "bert");
    group_settle(&group);
    site_put(b, "third", "name", "cloe");
    copy = NULL;
    parts = ops = pages = lost_told = 0;
    parts_max = SIZE_MAX;
    is_cancelled = false;
}

static void tear_down(void)
{
    memkv_free(copy);
    group_deinit(&group);
}

TestSuite(recall, .init = set_up, .fini = tear_down);

static void forget_log(struct site *site)
{
    site_begin(site);
    cr_assert_eq(site_end(site, qn_replica_truncate(site->replica, &group.coll, 100)), QN_OK);
}

static void forget_log_of(struct memkv *store)
{
    struct memkv *own = b->store;
    b->store = store;
    forget_log(b);
    b->store = own;
}

/* The record k of the copy has a bit that fell over. */
static void damage_copy(void)
{
    struct qn_coll_row row;
    struct qn_key at;
    struct qn_span value;
    QN_AUTO_BUF struct qn_buf changed;
    qn_buf_init(&changed, 4096);
    struct qn_kv *kv = memkv_begin(copy);
    cr_assert_eq(qn_coll_row_get(kv, &group.coll, &row), QN_OK);
    qn_key_record(&at, row.number, qn_span_str("k"));
    cr_assert_eq(qn_kv_get(kv, QN_TABLE_REC, qn_key_view(&at), &value), QN_OK);
    qn_buf_append_span(&changed, value);
    changed.data[changed.size - 1] ^= 1;
    cr_assert_eq(qn_kv_put(kv, QN_TABLE_REC, qn_key_view(&at), qn_buf_view(&changed)), QN_OK);
    cr_assert_eq(memkv_commit(copy), QN_OK);
}

/* ---- the walk ---- */

static enum qn_err may_go_on(void *context)
{
    if (is_cancelled)
        return QN_ERR_CLOSED;
    return parts == parts_max ? QN_ERR_LIMIT : QN_OK;
}

static void take_ops(struct qn_span body)
{
    struct qn_ops unpacked = {0};
    struct qn_cursor cursor = qn_cursor(body);
    size_t applied;
    cr_assert_eq(qn_ops_unpack(&cursor, &unpacked), QN_OK);
    site_begin(a);
    cr_assert_eq(qn_replica_apply(a->replica, &group.coll, &unpacked, &applied), QN_OK);
    cr_assert_eq(site_end(a, QN_OK), QN_OK);
    qn_ops_deinit(&unpacked);
}

static void take_page(struct qn_span body, struct qn_span lost)
{
    struct qn_page_result result;
    site_begin(a);
    if (pages == 1)
        cr_assert_eq(qn_replica_late_begin(a->replica, &group.coll, true), QN_OK);
    cr_assert_eq(site_end(a, QN_OK), QN_OK);
    site_begin(a);
    enum qn_err err = qn_replica_page(a->replica, &group.coll, body, lost, &result);
    cr_assert_eq(site_end(a, err), QN_OK, "%s", qn_err_name(err));
}

static void tell(void *context, enum qn_recalled what, const struct qn_coll_id *coll,
                 struct qn_span body, struct qn_span lost)
{
    parts++;
    ops += what == QN_RECALLED_OPS;
    pages += what == QN_RECALLED_PAGE;
    lost_told += lost.size > 0;
    if (what == QN_RECALLED_OPS)
        take_ops(body);
    else
        take_page(body, lost);
}

static enum qn_err recall(bool *ret_has_more)
{
    QN_AUTO_VV struct qn_vv known = {0};
    QN_AUTO_BUF struct qn_buf colls;
    const struct qn_recall_options options = {
        .ops_size = 100, .ops_max = 100, .page_size = 100, .may_go_on = may_go_on, .tell = tell};
    qn_buf_init(&colls, 4096);
    cr_assert_eq(qn_read_cc(memkv_reader(a->store), &group.coll, &known), QN_OK);
    qn_pack_array(&colls, 5);
    qn_pack_bin(&colls, QN_SPAN_OF(group.coll.bytes));
    qn_vv_pack(&known, &colls);
    struct qn_late late = site_info(a).late;
    qn_pack_bin(&colls, qn_span(late.cursor, late.is_passing ? late.cursor_size : 0));
    qn_pack_bin(&colls, qn_span(late.clock.bytes, late.has_clock ? sizeof(late.clock.bytes) : 0));
    qn_pack_bool(&colls, late.is_passing);
    return qn_recall(memkv_reader(copy), &options, qn_buf_view(&colls), ret_has_more);
}

Test(recall, the_log_gives_what_is_missing)
{
    bool has_more = true;
    copy = memkv_clone(b->store);
    cr_assert_eq(recall(&has_more), QN_OK);
    cr_assert_eq(ops, 1);
    cr_assert_eq(pages, 0);
    cr_assert_not(has_more);
    cr_assert_str_eq(site_shown(a, "third", "name"), "cloe");
}

Test(recall, where_it_does_not_reach_back_pages_do)
{
    bool has_more = false;
    forget_log(b);
    copy = memkv_clone(b->store);
    enum qn_err err = recall(&has_more);
    cr_assert_eq(err, QN_OK, "%s", qn_err_name(err));
    cr_assert_gt(pages, 1);
    cr_assert_eq(lost_told, 0);
    cr_assert(has_more, "the next one sees whether that was all");
    cr_assert_str_eq(site_shown(a, "third", "name"), "cloe");
}

Test(recall, what_is_enough_ends_it_for_now_and_what_is_stopped_ends)
{
    bool has_more = false;
    forget_log(b);
    copy = memkv_clone(b->store);
    parts_max = 1;
    cr_assert_eq(recall(&has_more), QN_OK);
    cr_assert(has_more);
    cr_assert_eq(parts, 1);
    is_cancelled = true;
    cr_assert_eq(recall(&has_more), QN_ERR_CLOSED);
}

/* Another site brought all of it while the pass was running. */
Test(recall, a_pass_that_was_begun_goes_on_to_its_end_though_nothing_is_missing_any_more)
{
    bool has_more;
    copy = memkv_clone(b->store);
    forget_log_of(copy);
    parts_max = 1;
    cr_assert_eq(recall(&has_more), QN_OK);
    cr_assert_eq(site_pull(a, b), QN_OK);
    cr_assert(site_info(a).late.is_passing);
    parts_max = SIZE_MAX;
    cr_assert_eq(recall(&has_more), QN_OK);
    cr_assert_not(site_info(a).late.is_late);
}

/* ---- a copy in which a record is damaged ---- */

static void k_is_aside_and_comes_from(struct site *other)
{
    size_t changed;
    cr_assert_eq(site_info(a).damage.damaged, 1);
    cr_assert_eq(site_repair(a, other, "k", QN_REPAIR_TAKE, &changed), QN_OK);
    cr_assert_eq(changed, 1);
}

/* It was damaged where the page was read, and whole here: that it is not in the page says nothing.
 */
Test(recall, what_is_damaged_in_the_copy_is_set_aside_and_not_dropped)
{
    bool has_more;
    forget_log(b);
    copy = memkv_clone(b->store);
    damage_copy();
    cr_assert_eq(recall(&has_more), QN_OK);
    cr_assert_eq(lost_told, 1, "%zu", lost_told);
    k_is_aside_and_comes_from(b);
    cr_assert_str_eq(site_shown(a, "k", "name"), "anne");
    for (bool is_done = false; !is_done;) {
        site_begin(a);
        cr_assert_eq(qn_replica_recount(a->replica, &group.coll, 10, &is_done), QN_OK);
        cr_assert_eq(site_end(a, QN_OK), QN_OK);
    }
    group_settle_late(&group);
    for (size_t i = 0; i < group.count; i++)
        cr_expect_null(site_check(&group.sites[i]));
    cr_expect_null(group_check_equal(&group));
}

/* Nobody else has it any more: what the log of the copy says is kept, and written when it is given
 * up. */
Test(recall, what_operations_in_the_copy_say_of_a_damaged_record_is_kept)
{
    bool has_more;
    size_t changed;
    struct qn_span none = {0};
    forget_log(b);
    site_put(b, "k", "name", "anna");
    copy = memkv_clone(b->store);
    damage_copy();
    cr_assert_eq(recall(&has_more), QN_OK);
    cr_assert_eq(site_info(a).damage.damaged, 1);
    static const uint8_t any_clock[QN_ROOT_SIZE];
    struct qn_repair_item item = {.key = qn_span_str("k"),
                                  .how = QN_REPAIR_ANEW,
                                  .site = a->id,
                                  .copy = {.kind = QN_COPY_NONE, .hash = none}};
    site_begin(a);
    cr_assert_eq(qn_replica_repair(a->replica, &group.coll, any_clock, &item, 1, &changed), QN_OK);
    cr_assert_eq(site_end(a, QN_OK), QN_OK);
    cr_assert_eq(changed, 1);
    cr_assert_str_eq(site_shown(a, "k", "name"), "anna");
}
