/* Sessions of the page: a random cookie, kept here as its digest only; gone after 30 minutes
 * without a request, after 12 hours in any case, when the person's password, second factor or state
 * changes, and with the daemon. Bounded: the oldest of a person's goes for a new one, and of all.
 *
 * Pure: time is monotonic ms. The token against foreign pages (CSRF) follows from the cookie, which
 * a foreign page cannot read.
 */
#pragma once

#include "base/buf.h"
#include "crypto/digest.h"
#include "people/account.h"

#define QN_SESSION_IDLE_MS     (30 * 60 * 1000)
#define QN_SESSION_TIME_MAX_MS (12 * 3600 * 1000)
#define QN_SESSION_SECRET_SIZE 32
#define QN_SESSION_TEXT_SIZE   (2 * QN_SESSION_SECRET_SIZE) /* in hexadecimal, cookie and token */

struct qn_sessions;

struct qn_sessions *qn_sessions_new(void);
void qn_sessions_free(struct qn_sessions *sessions);

/* `secret` is random. Gives the cookie's value, QN_SESSION_TEXT_SIZE letters and a zero. */
void qn_session_start(struct qn_sessions *sessions, const struct qn_account *account,
                      const uint8_t secret[QN_SESSION_SECRET_SIZE], uint64_t now_ms,
                      char ret_cookie[QN_SESSION_TEXT_SIZE + 1]);
/* Whose session it is, and it counts as used now. QN_ERR_NOTFOUND: nobody's, or over. */
enum qn_err QN_CHECKED qn_session_find(struct qn_sessions *sessions, const struct qn_people *people,
                                       struct qn_span cookie, uint64_t now_ms,
                                       const struct qn_account **ret_account);
void qn_session_end(struct qn_sessions *sessions, struct qn_span cookie);
size_t qn_sessions_count(const struct qn_sessions *sessions);

/* The token that goes with a cookie; QN_SESSION_TEXT_SIZE letters and a zero. */
void qn_session_token(struct qn_span cookie, char ret_token[QN_SESSION_TEXT_SIZE + 1]);
bool qn_session_is_token(struct qn_span cookie, struct qn_span token);
