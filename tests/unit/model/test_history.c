#include <criterion/criterion.h>
#include <stdio.h>

#include "base/limits.h"
#include "model/history.h"

#include "support/sites.h"
#include "support/span.h"

static size_t count_past(struct site *site, const char *key)
{
    QN_AUTO_BUF struct qn_buf position = {0};
    struct qn_past past;
    size_t count = 0;
    while (qn_read_past(memkv_reader(site->store), &site->group->coll, qn_span_str(key), &position,
                        &past) == QN_OK)
        count++;
    return count;
}

Test(history, keeps_what_was_replaced_oldest_first)
{
    struct group group;
    QN_AUTO_BUF struct qn_buf position = {0};
    struct qn_past past;
    group_init(&group, 1, 1);
    struct site *site = &group.sites[0];
    cr_assert_eq(site_put(site, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_put(site, "k", "f", "2"), QN_OK);
    cr_assert_eq(site_put(site, "k", "f", "3"), QN_OK);
    cr_assert_eq(site_put(site, "kk", "f", "1"), QN_OK);
    struct qn_kv *kv = memkv_reader(site->store);
    cr_assert_eq(qn_read_past(kv, &group.coll, SPAN("k"), &position, &past), QN_OK);
    assert_span_eq(past.field, SPAN("f"));
    assert_span_eq(past.pair.value, SPAN("\xa1"
                                         "1"));
    assert_span_eq(past.pair.user, SPAN("ana"));
    cr_assert_eq(past.pair.dot.ctr, 1);
    cr_assert_eq(past.replaced_by.ctr, 2);
    assert_span_eq(past.replaced_user, SPAN("ana"));
    cr_assert_gt(past.replaced_hlc, past.pair.hlc);
    cr_assert_eq(qn_read_past(kv, &group.coll, SPAN("k"), &position, &past), QN_OK);
    assert_span_eq(past.pair.value, SPAN("\xa1"
                                         "2"));
    cr_assert_eq(qn_read_past(kv, &group.coll, SPAN("k"), &position, &past), QN_ERR_NOTFOUND);
    group_deinit(&group);
}

Test(history, goes_with_the_record_also_at_other_sites)
{
    struct group group;
    group_init(&group, 2, 1);
    struct site *a = &group.sites[0], *b = &group.sites[1];
    cr_assert_eq(site_put(a, "k", "f", "1"), QN_OK);
    cr_assert_eq(site_put(a, "k", "f", "2"), QN_OK);
    cr_assert_eq(site_put(a, "k2", "f", "1"), QN_OK);
    cr_assert_eq(site_put(a, "k2", "f", "2"), QN_OK);
    cr_assert_eq(site_pull(b, a), QN_OK);
    cr_assert_eq(count_past(b, "k"), 1);
    cr_assert_eq(site_do(a, QN_OP_ERASE, "k"), QN_OK);
    cr_assert_eq(site_pull(b, a), QN_OK);
    cr_assert_eq(count_past(a, "k"), 0);
    cr_assert_eq(count_past(b, "k"), 0);
    cr_assert_eq(count_past(b, "k2"), 1);
    cr_assert_eq(site_state(b, "k"), QN_RECORD_NONE);
    group_deinit(&group);
}

/* --- retention --- */

#define DAY_MS (UINT64_C(24) * 3600 * 1000)

static size_t forget(struct site *site, uint64_t before_ms)
{
    QN_AUTO_BUF struct qn_buf position;
    size_t dropped = 0, all = 0;
    qn_buf_init(&position, QN_KV_KEY_SIZE_MAX);
    do {
        struct qn_kv *kv = memkv_begin(site->store);
        cr_assert_eq(qn_history_forget(kv, before_ms, &position, &dropped), QN_OK);
        cr_assert_eq(memkv_commit(site->store), QN_OK);
        all += dropped;
    } while (position.size > 0);
    return all;
}

Test(history, what_was_replaced_long_ago_is_forgotten)
{
    struct group group;
    group_init(&group, 1, 1);
    struct site *site = &group.sites[0];
    cr_assert_eq(site_put(site, "a", "f", "1"), QN_OK);
    cr_assert_eq(site_put(site, "a", "f", "2"), QN_OK);
    cr_assert_eq(site_put(site, "b", "f", "1"), QN_OK);
    uint64_t then = group.wall_ms += DAY_MS;
    cr_assert_eq(site_put(site, "a", "f", "3"), QN_OK);
    cr_assert_eq(site_put(site, "b", "f", "2"), QN_OK);
    cr_assert_eq(count_past(site, "a"), 2);
    cr_assert_eq(forget(site, then), 1, "the one that was replaced before");
    cr_assert_eq(count_past(site, "a"), 1);
    cr_assert_eq(count_past(site, "b"), 1, "written before, but shown until then");
    cr_assert_null(site_check(site));
    cr_assert_eq(forget(site, UINT64_MAX), 2);
    cr_assert_eq(memkv_count(site->store, QN_TABLE_HIST), 0);
    cr_assert_eq(forget(site, UINT64_MAX), 0);
    group_deinit(&group);
}

Test(history, forgetting_is_bounded)
{
    struct group group;
    QN_AUTO_BUF struct qn_buf position;
    size_t dropped;
    qn_buf_init(&position, QN_KV_KEY_SIZE_MAX);
    group_init(&group, 1, 1);
    struct site *site = &group.sites[0];
    for (int i = 0; i < QN_TXN_OPS_MAX + 11; i++) {
        char value[12];
        snprintf(value, sizeof(value), "%d", i);
        cr_assert_eq(site_put(site, "k", "f", value), QN_OK);
    }
    struct qn_kv *kv = memkv_begin(site->store);
    cr_assert_eq(qn_history_forget(kv, UINT64_MAX, &position, &dropped), QN_OK);
    cr_assert_eq(memkv_commit(site->store), QN_OK);
    cr_assert_eq(dropped, QN_TXN_OPS_MAX);
    cr_assert_gt(position.size, 0);
    cr_assert_eq(forget(site, UINT64_MAX), 10);
    group_deinit(&group);
}
