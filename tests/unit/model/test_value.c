#include <criterion/criterion.h>
#include <math.h>

#include "base/limits.h"
#include "model/value.h"
#include "proto/pack.h"
#include "support/span.h"

#define check(literal) qn_value_check(SPAN(literal))

Test(value, accepts_each_type)
{
    cr_assert_eq(check("\xc0"), QN_OK);
    cr_assert_eq(check("\xc3"), QN_OK);
    cr_assert_eq(check("\x05"), QN_OK);
    cr_assert_eq(check("\xff"), QN_OK);
    cr_assert_eq(check("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), QN_OK);
    cr_assert_eq(check("\xd3\x80\0\0\0\0\0\0\0"), QN_OK);
    cr_assert_eq(check("\xcb\x3f\xf8\0\0\0\0\0\0"), QN_OK);
    cr_assert_eq(check("\xa2hi"), QN_OK);
    cr_assert_eq(check("\x92\x01\xa1x"), QN_OK);
    cr_assert_eq(check("\x82\xa1"
                       "a\x01\xa1"
                       "b\x80"),
                 QN_OK);
}

Test(value, refuses_other_types_and_forms)
{
    cr_assert_eq(check(""), QN_ERR_INVALID);
    cr_assert_eq(check("\xc4\x01x"), QN_ERR_INVALID);
    cr_assert_eq(check("\xcc\x05"), QN_ERR_INVALID);
    cr_assert_eq(check("\xc0\xc0"), QN_ERR_INVALID);
    cr_assert_eq(check("\xa2\xff\xfe"), QN_ERR_INVALID);
    cr_assert_eq(check("\x92\x01"), QN_ERR_INVALID);
    cr_assert_eq(check("\xca\x3f\x80\0\0"), QN_ERR_INVALID);
}

Test(value, refuses_numbers_that_are_none)
{
    cr_assert_eq(check("\xcb\x7f\xf0\0\0\0\0\0\0"), QN_ERR_INVALID);
    cr_assert_eq(check("\xcb\x7f\xf8\0\0\0\0\0\0"), QN_ERR_INVALID);
    cr_assert_eq(check("\x91\xcb\xff\xf0\0\0\0\0\0\0"), QN_ERR_INVALID);
}

Test(value, keys_of_maps_are_text_and_ascend)
{
    cr_assert_eq(check("\x82\xa1"
                       "b\x01\xa1"
                       "a\x01"),
                 QN_ERR_INVALID);
    cr_assert_eq(check("\x82\xa1"
                       "a\x01\xa1"
                       "a\x01"),
                 QN_ERR_INVALID);
    cr_assert_eq(check("\x81\x01\x01"), QN_ERR_INVALID);
    cr_assert_eq(check("\x82\xa1"
                       "a\x01\xa2"
                       "aa\x01"),
                 QN_OK);
}

static enum qn_err check_nested(size_t levels)
{
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 1000);
    for (size_t i = 0; i < levels; i++)
        qn_pack_array(&out, 1);
    qn_pack_nil(&out);
    return qn_value_check(qn_buf_view(&out));
}

Test(value, depth_and_size_are_bounded)
{
    cr_assert_eq(check_nested(QN_VALUE_DEPTH_MAX), QN_OK);
    cr_assert_eq(check_nested(QN_VALUE_DEPTH_MAX + 1), QN_ERR_LIMIT);
    QN_AUTO_BUF struct qn_buf out;
    QN_AUTO_FREE char *text = qn_alloc(QN_VALUE_SIZE_MAX);
    memset(text, 'x', QN_VALUE_SIZE_MAX);
    qn_buf_init(&out, 2 * QN_VALUE_SIZE_MAX);
    qn_pack_str(&out, qn_span(text, QN_VALUE_SIZE_MAX - 3));
    cr_assert_eq(qn_value_check(qn_buf_view(&out)), QN_OK);
    qn_buf_reset(&out);
    qn_pack_str(&out, qn_span(text, QN_VALUE_SIZE_MAX - 2));
    cr_assert_eq(qn_value_check(qn_buf_view(&out)), QN_ERR_LIMIT);
}
