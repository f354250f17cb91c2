/* What a stranger sends at the door: a cookie and its token, a code of a second factor, a password,
 * a name. The first byte says which; none of it is ever taken for the right one. */
#include "people/account.h"
#include "people/one_time.h"
#include "people/password.h"
#include "people/session.h"
#include "support/fuzz.h"

static void try_cookie(struct qn_span text)
{
    const struct qn_account *found;
    const uint8_t secret[QN_SESSION_SECRET_SIZE] = {1};
    char cookie[QN_SESSION_TEXT_SIZE + 1], token[QN_SESSION_TEXT_SIZE + 1];
    struct qn_account anne = {.name = "anne"};
    struct qn_people *people = qn_people_new(NULL);
    struct qn_sessions *sessions = qn_sessions_new();
    qn_session_start(sessions, &anne, secret, 1000, cookie);
    FUZZ_CHECK(qn_session_find(sessions, people, text, 2000, &found) == QN_ERR_NOTFOUND);
    qn_session_token(qn_span_str(cookie), token);
    FUZZ_CHECK(qn_session_is_token(qn_span_str(cookie), qn_span_str(token)));
    FUZZ_CHECK(!qn_session_is_token(qn_span_str(cookie), text) || qn_span_eq_str(text, token));
    (void)qn_session_is_token(text, text);
    size_t before = qn_sessions_count(sessions);
    qn_session_end(sessions, text);
    FUZZ_CHECK(qn_sessions_count(sessions) == before || qn_span_eq_str(text, cookie));
    qn_sessions_free(sessions);
    qn_people_free(people);
}

/* Six digits and nothing else can be a code. */
static void try_code(struct qn_span text)
{
    static const uint8_t secret[QN_TOTP_SECRET_SIZE] = {7};
    uint64_t step;
    if (qn_totp_check(secret, text, UINT64_C(1700000000000), 0, &step) != QN_OK)
        return;
    FUZZ_CHECK(text.size >= QN_TOTP_DIGITS);
    unsigned code = 0;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] >= '0' && text.data[i] <= '9')
            code = 10 * code + (text.data[i] - '0');
    FUZZ_CHECK(qn_totp_code(secret, step) == code);
}

static void try_password(struct qn_span text)
{
    static const char *const names[] = {"anne", "pradines", NULL};
    enum qn_password_fault fault = qn_password_judge(text, names, QN_PASSWORD_BITS_THROTTLED);
    FUZZ_CHECK((qn_password_fault_code(fault) == NULL) == (fault == QN_PASSWORD_GOOD));
    FUZZ_CHECK(fault != QN_PASSWORD_GOOD || text.size <= QN_PASSWORD_SIZE_MAX);
}

static void try_name(struct qn_span text)
{
    if (qn_account_is_name(text))
        FUZZ_CHECK(text.size <= QN_USER_SIZE_MAX && memchr(text.data, ':', text.size) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(struct qn_span) = {try_cookie, try_code, try_password, try_name};
    if (size > 0)
        tries[data[0] % 4](qn_span(data + 1, size - 1));
    return 0;
}
