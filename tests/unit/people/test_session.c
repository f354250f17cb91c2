#include "people/session.h"

#include <criterion/criterion.h>

#include "people/account.h"
#include "support/span.h"

/* A door whose rows are one account. */
static bool is_disabled, is_gone;
static uint8_t salt;

static enum qn_err read(void *context, struct qn_span prefix, struct qn_span from,
                        bool (*each)(void *each_context, struct qn_span key, struct qn_span value),
                        void *each_context)
{
    struct qn_account account = {.name = "anne", .is_disabled = is_disabled, .has_password = true};
    QN_AUTO_BUF struct qn_buf row;
    account.verifier.cost = QN_SCRYPT_COST;
    account.verifier.salt[0] = salt;
    qn_buf_init(&row, QN_ACCOUNT_ROW_SIZE_MAX);
    qn_account_pack(&account, &row);
    if (!is_gone)
        each(each_context, SPAN("user/anne"), qn_buf_view(&row));
    return QN_OK;
}

static const struct qn_local local = {.read = read};
static struct qn_people *people;
static struct qn_sessions *sessions;

static void set_up(void)
{
    is_disabled = is_gone = false;
    salt = 1;
    people = qn_people_new(&local);
    cr_assert_eq(qn_people_load(people), QN_OK);
    sessions = qn_sessions_new();
}

static void tear_down(void)
{
    qn_sessions_free(sessions);
    qn_people_free(people);
}
TestSuite(session, .init = set_up, .fini = tear_down);

static void start(unsigned number, uint64_t now_ms, char cookie[QN_SESSION_TEXT_SIZE + 1])
{
    uint8_t secret[QN_SESSION_SECRET_SIZE] = {0};
    qn_write_u32(secret, number);
    qn_session_start(sessions, qn_people_find(people, SPAN("anne")), secret, now_ms, cookie);
}

static enum qn_err find(const char *cookie, uint64_t now_ms)
{
    const struct qn_account *account;
    return qn_session_find(sessions, people, qn_span_str(cookie), now_ms, &account);
}

Test(session, idle_and_whole_time)
{
    char cookie[QN_SESSION_TEXT_SIZE + 1];
    uint64_t now = 1000;
    start(1, now, cookie);
    cr_assert_eq(find(cookie, now + QN_SESSION_IDLE_MS - 1), QN_OK);
    cr_assert_eq(find(cookie, now + 2 * QN_SESSION_IDLE_MS - 2), QN_OK);
    cr_assert_eq(find(cookie, now + 3 * QN_SESSION_IDLE_MS - 2), QN_ERR_NOTFOUND);
    start(2, now, cookie);
    uint64_t at = now;
    while (at + QN_SESSION_IDLE_MS / 2 < now + QN_SESSION_TIME_MAX_MS) {
        at += QN_SESSION_IDLE_MS / 2;
        cr_assert_eq(find(cookie, at), QN_OK);
    }
    cr_assert_eq(find(cookie, now + QN_SESSION_TIME_MAX_MS), QN_ERR_NOTFOUND);
}

Test(session, others_cookies_are_nobodys)
{
    char cookie[QN_SESSION_TEXT_SIZE + 1];
    start(1, 5, cookie);
    cr_assert_eq(find("", 5), QN_ERR_NOTFOUND);
    cookie[3] = cookie[3] == '0' ? '1' : '0';
    cr_assert_eq(find(cookie, 5), QN_ERR_NOTFOUND);
}

/* As after `syncctl user disable`, `password`, `remove`. */
Test(session, ends_with_what_it_was_proven_by)
{
    char cookie[QN_SESSION_TEXT_SIZE + 1];
    start(1, 5, cookie);
    cr_assert_eq(qn_people_load(people), QN_OK); /* the same again: nothing changed */
    cr_assert_eq(find(cookie, 5), QN_OK);
    salt = 2;
    cr_assert_eq(qn_people_load(people), QN_OK);
    cr_assert_eq(find(cookie, 5), QN_ERR_NOTFOUND);
    start(2, 5, cookie);
    is_disabled = true;
    cr_assert_eq(qn_people_load(people), QN_OK);
    cr_assert_eq(find(cookie, 5), QN_ERR_NOTFOUND);
    cr_assert_eq(qn_sessions_count(sessions), 0);
}

Test(session, the_oldest_goes)
{
    char cookies[QN_SESSIONS_PER_PERSON_MAX + 1][QN_SESSION_TEXT_SIZE + 1];
    for (unsigned i = 0; i <= QN_SESSIONS_PER_PERSON_MAX; i++)
        start(i, 5 + i, cookies[i]);
    cr_assert_eq(qn_sessions_count(sessions), QN_SESSIONS_PER_PERSON_MAX);
    cr_assert_eq(find(cookies[0], 50), QN_ERR_NOTFOUND);
    for (unsigned i = 1; i <= QN_SESSIONS_PER_PERSON_MAX; i++)
        cr_assert_eq(find(cookies[i], 50), QN_OK);
    qn_session_end(sessions, qn_span_str(cookies[3]));
    cr_assert_eq(find(cookies[3], 50), QN_ERR_NOTFOUND);
}

Test(session, token_against_foreign_pages)
{
    char cookie[QN_SESSION_TEXT_SIZE + 1], other[QN_SESSION_TEXT_SIZE + 1];
    char token[QN_SESSION_TEXT_SIZE + 1];
    start(1, 5, cookie);
    start(2, 5, other);
    qn_session_token(qn_span_str(cookie), token);
    cr_assert_str_neq(token, cookie);
    cr_assert(qn_session_is_token(qn_span_str(cookie), qn_span_str(token)));
    cr_assert_not(qn_session_is_token(qn_span_str(other), qn_span_str(token)));
    cr_assert_not(qn_session_is_token(qn_span_str(cookie), SPAN("")));
}
