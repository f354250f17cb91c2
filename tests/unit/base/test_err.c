#include <criterion/criterion.h>

#include "base/err.h"

static enum qn_err pass_on(enum qn_err err)
{
    QN_TRY(err);
    return QN_ERR_STATE;
}

Test(err, every_name_reads_back)
{
    for (int i = QN_OK; i <= QN_ERR_DAMAGED; i++) {
        enum qn_err err = (enum qn_err)i;
        cr_assert_not_null(qn_err_name(err));
        cr_assert_eq(qn_err_from_name(qn_err_name(err)), err, "%s", qn_err_name(err));
    }
}

Test(err, no_name_is_missing_or_used_twice)
{
    for (int i = QN_OK; i <= QN_ERR_DAMAGED; i++)
        for (int k = i + 1; k <= QN_ERR_DAMAGED; k++)
            cr_assert_str_neq(qn_err_name((enum qn_err)i), qn_err_name((enum qn_err)k));
}

Test(err, a_code_beyond_the_last_has_a_name_too)
{
    cr_assert_str_eq(qn_err_name((enum qn_err)(QN_ERR_DAMAGED + 1)), "unknown");
    cr_assert_str_eq(qn_err_name((enum qn_err)9999), "unknown");
}

Test(err, an_unknown_name_is_invalid)
{
    cr_assert_eq(qn_err_from_name("no such error"), QN_ERR_INVALID);
    cr_assert_eq(qn_err_from_name(""), QN_ERR_INVALID);
}

Test(err, try_returns_only_errors)
{
    cr_assert_eq(pass_on(QN_OK), QN_ERR_STATE);
    cr_assert_eq(pass_on(QN_ERR_IO), QN_ERR_IO);
}
