#include <criterion/criterion.h>

#include "base/limits.h"
#include "model/clock.h"
#include "proto/pack.h"
#include "support/span.h"

static struct qn_actor actor(uint8_t number)
{
    struct qn_actor made = {{number}};
    return made;
}

static void set(struct qn_vv *vv, uint8_t number, uint64_t ctr)
{
    struct qn_actor of = actor(number);
    qn_vv_set(vv, &of, ctr);
}

static uint64_t get(const struct qn_vv *vv, uint8_t number)
{
    struct qn_actor of = actor(number);
    return qn_vv_get(vv, &of);
}

Test(actor, is_of_the_site_that_it_was_made_for)
{
    struct qn_site_id site = {{1, 2, 3, 4, 5, 6, 7, 8, 9}}, other = {{1, 2, 3, 4, 5, 6, 7, 9}};
    struct qn_actor made;
    qn_actor_make(&site, 0x0102030405060708, &made);
    assert_span_eq(QN_SPAN_OF(made.bytes), SPAN("\1\2\3\4\5\6\7\10\1\2\3\4\5\6\7\10"));
    cr_assert(qn_actor_is_of(&made, &site));
    cr_assert(!qn_actor_is_of(&made, &other));
}

Test(dot, order_is_by_actor_then_counter)
{
    struct qn_dot a = {actor(1), 9}, b = {actor(2), 1}, c = {actor(2), 2};
    cr_assert_lt(qn_dot_cmp(&a, &b), 0);
    cr_assert_lt(qn_dot_cmp(&b, &c), 0);
    cr_assert_gt(qn_dot_cmp(&c, &a), 0);
    cr_assert_eq(qn_dot_cmp(&c, &c), 0);
}

Test(vv, set_get_raise_remove)
{
    QN_AUTO_VV struct qn_vv vv = {0};
    set(&vv, 5, 3);
    set(&vv, 1, 2);
    set(&vv, 3, 1);
    cr_assert_eq(get(&vv, 1), 2);
    cr_assert_eq(get(&vv, 3), 1);
    cr_assert_eq(get(&vv, 5), 3);
    cr_assert_eq(get(&vv, 4), 0);
    struct qn_actor five = actor(5);
    qn_vv_raise(&vv, &five, 2);
    cr_assert_eq(get(&vv, 5), 3);
    qn_vv_raise(&vv, &five, 4);
    cr_assert_eq(get(&vv, 5), 4);
    set(&vv, 3, 0);
    cr_assert_eq(vv.entries.count, 2);
    set(&vv, 9, 0);
    cr_assert_eq(vv.entries.count, 2);
}

Test(vv, join_covers_missing)
{
    QN_AUTO_VV struct qn_vv a = {0}, b = {0}, copy = {0};
    set(&a, 1, 5);
    set(&b, 1, 3);
    set(&b, 2, 4);
    cr_assert(!qn_vv_covers(&a, &b) && !qn_vv_covers(&b, &a));
    cr_assert_eq(qn_vv_missing(&a, &b), 4);
    cr_assert_eq(qn_vv_missing(&b, &a), 2);
    qn_vv_copy(&copy, &a);
    qn_vv_join(&copy, &b);
    cr_assert(qn_vv_covers(&copy, &a) && qn_vv_covers(&copy, &b));
    cr_assert(!qn_vv_eq(&copy, &a));
    qn_vv_join(&a, &b);
    cr_assert(qn_vv_eq(&copy, &a));
    struct qn_dot known = {actor(2), 4}, unknown = {actor(2), 5};
    cr_assert(qn_vv_has(&a, &known) && !qn_vv_has(&a, &unknown));
}

Test(vv, missing_does_not_overflow)
{
    QN_AUTO_VV struct qn_vv none = {0}, huge = {0};
    set(&huge, 1, UINT64_MAX);
    set(&huge, 2, UINT64_MAX);
    cr_assert_eq(qn_vv_missing(&none, &huge), UINT64_MAX);
}

Test(vv, packs_and_unpacks)
{
    QN_AUTO_VV struct qn_vv vv = {0}, back = {0};
    QN_AUTO_BUF struct qn_buf out;
    struct qn_digest one, two;
    qn_buf_init(&out, 1000);
    set(&vv, 2, 300);
    set(&vv, 1, 1);
    qn_vv_pack(&vv, &out);
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&out));
    cr_assert_eq(qn_vv_unpack(&cursor, &back), QN_OK);
    cr_assert_eq(qn_cursor_finish(&cursor), QN_OK);
    cr_assert(qn_vv_eq(&vv, &back));
    qn_vv_digest(&vv, &one);
    QN_DIGEST(&two, qn_buf_view(&out));
    cr_assert(qn_digest_eq(&one, &two));
}

static enum qn_err unpack(const uint8_t *actors, const uint64_t *ctrs, size_t count, size_t extra)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_vv vv;
    qn_buf_init(&out, 1 << 20);
    qn_pack_array(&out, 2 * count + extra);
    for (size_t i = 0; i < count; i++) {
        struct qn_actor of = actor(actors[i]);
        qn_pack_bin(&out, QN_SPAN_OF(of.bytes));
        qn_pack_u64(&out, ctrs[i]);
    }
    for (size_t i = 0; i < extra; i++)
        qn_pack_nil(&out);
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&out));
    enum qn_err err = qn_vv_unpack(&cursor, &vv);
    if (err == QN_OK)
        qn_vv_deinit(&vv);
    else
        cr_assert_eq(cursor.at, 0);
    return err;
}

Test(vv, refuses_what_is_not_canonical)
{
    cr_assert_eq(unpack((uint8_t[]){1, 2}, (uint64_t[]){1, 1}, 2, 0), QN_OK);
    cr_assert_eq(unpack((uint8_t[]){2, 1}, (uint64_t[]){1, 1}, 2, 0), QN_ERR_INVALID);
    cr_assert_eq(unpack((uint8_t[]){1, 1}, (uint64_t[]){1, 2}, 2, 0), QN_ERR_INVALID);
    cr_assert_eq(unpack((uint8_t[]){1}, (uint64_t[]){0}, 1, 0), QN_ERR_INVALID);
    cr_assert_eq(unpack((uint8_t[]){1}, (uint64_t[]){1}, 1, 1), QN_ERR_INVALID);
    cr_assert_eq(unpack(NULL, NULL, 0, 2 * QN_CLOCK_ACTORS_MAX + 1), QN_ERR_LIMIT);
}

Test(hlc, next_is_above_last_and_at_the_wall_clock)
{
    cr_assert_eq(qn_hlc_next(0, 1000), UINT64_C(1000) << 16);
    cr_assert_eq(qn_hlc_next(UINT64_C(1000) << 16, 1000), (UINT64_C(1000) << 16) + 1);
    cr_assert_eq(qn_hlc_next(UINT64_C(2000) << 16, 1000), (UINT64_C(2000) << 16) + 1);
    cr_assert_eq(qn_hlc_ms(qn_hlc_next(0, UINT64_MAX)), (UINT64_C(1) << 48) - 1);
}

Test(hlc, seen_follows_others_but_not_a_wrong_clock)
{
    bool is_skewed;
    qn_hlc last = UINT64_C(1000) << 16, near = (uint64_t)(1000 + QN_CLOCK_SKEW_MAX_MS) << 16;
    cr_assert_eq(qn_hlc_seen(last, near, 1000, &is_skewed), near);
    cr_assert(!is_skewed);
    cr_assert_eq(qn_hlc_seen(last, near + 65536, 1000, &is_skewed), last);
    cr_assert(is_skewed);
    cr_assert_eq(qn_hlc_seen(last, 5, 1000, &is_skewed), last);
    cr_assert(!is_skewed);
}
