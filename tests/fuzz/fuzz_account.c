/* The row of an account: what is read is written back as something that is read as the same. And
 * what is asked of an account that came from any row. */
#include "people/account.h"
#include "people/verifier.h"
#include "support/fuzz.h"

#define KEY QN_ACCOUNT_PREFIX "anne"

static void pack(const struct qn_account *account, struct qn_buf *out)
{
    qn_buf_init(out, QN_ACCOUNT_ROW_SIZE_MAX);
    qn_account_pack(account, out);
    FUZZ_CHECK(qn_buf_status(out) == QN_OK);
}

static void ask(const struct qn_account *account)
{
    for (size_t i = 0; i < account->apps.count; i++) {
        struct qn_span label = qn_span_str(account->apps.items[i].label);
        FUZZ_CHECK(qn_account_app(account, label) == &account->apps.items[i]);
    }
    for (size_t i = 0; i < account->grants.count; i++) {
        const struct qn_grant *grant = &account->grants.items[i];
        FUZZ_CHECK(qn_account_granted(account, grant->thing, qn_span_str(grant->name)) == grant);
    }
    FUZZ_CHECK(qn_account_match_app(account, qn_span_str("no password of a device")) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_account account, again;
    if (qn_account_unpack(qn_span_str(KEY), qn_span(data, size), &account) != QN_OK)
        return 0;
    QN_AUTO_BUF struct qn_buf first, second;
    pack(&account, &first);
    FUZZ_CHECK(qn_account_unpack(qn_span_str(KEY), qn_buf_view(&first), &again) == QN_OK);
    pack(&again, &second);
    FUZZ_CHECK(qn_span_eq(qn_buf_view(&first), qn_buf_view(&second)));
    ask(&account);
    qn_account_deinit(&account);
    qn_account_deinit(&again);
    return 0;
}
