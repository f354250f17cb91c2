/* Of which alerts the IT person was told by mail, so that nobody is told twice: one mail when an
 * alert begins, a reminder while it lasts, one word when all is well again. Pure: no clock, no
 * file.
 *
 *   alert comes ── waits (MAIL_WAIT_MS, by its kind) ── told ── told again after remind_ms
 *        └─ gone before that: nobody hears of it           └─ gone: forgotten MAIL_CALM_MS later,
 * so that one that flutters is the same one all that were told of are forgotten ── "all is well"
 *
 * Hints are no alerts here. Not more than a burst of QN_MAIL_BURST mails, then one for each
 * QN_MAIL_EVERY_MS: what comes meanwhile is in the next one. Times: wall clock, ms.
 */
#pragma once

#include "core/core.h"

#define QN_MAIL_ALERTS_MAX 256 /* remembered at a time; others wait */
#define QN_MAIL_BURST      4
#define QN_MAIL_EVERY_MS   ((uint64_t)15 * 60 * 1000)
#define QN_MAIL_CALM_MS    ((uint64_t)10 * 60 * 1000)
#define QN_MAIL_SIZE_MAX   ((size_t)128 * 1024) /* of the book, packed */

struct qn_mail_entry {
    char code[32];
    char object[160];
    uint64_t since_ms;
    uint64_t told_ms; /* 0: not yet */
    uint64_t gone_ms; /* 0: it is there */
};

struct qn_mail_book {
    QN_VEC(struct qn_mail_entry) entries;
    bool owes_calm;     /* somebody was told of something, and not that all is well again */
    uint64_t tokens_ms; /* the burst: how much of it was used, in ms, as of tokens_at_ms */
    uint64_t tokens_at_ms;
};

/* What a mail is to say: the numbers in the list of alerts. */
struct qn_mail_plan {
    bool is_due;
    bool is_calm;                       /* that all is well again; then nothing else */
    QN_VEC(size_t) fresh, again, known; /* begun; a reminder; told of before */
};

void qn_mail_book_deinit(struct qn_mail_book *book);
void qn_mail_plan_deinit(struct qn_mail_plan *plan);
/* Compares with what is so now. Nothing is taken for told: qn_mail_book_sent says so. */
void qn_mail_book_look(struct qn_mail_book *book, const struct qn_alert *alerts, size_t count,
                       uint64_t now_ms, uint64_t remind_ms, struct qn_mail_plan *ret_plan);
/* The mail of the last plan left. */
void qn_mail_book_sent(struct qn_mail_book *book, const struct qn_alert *alerts,
                       const struct qn_mail_plan *plan, uint64_t now_ms);
void qn_mail_book_pack(const struct qn_mail_book *book, struct qn_buf *out);
/* QN_ERR_INVALID, QN_ERR_LIMIT: damaged; the book is empty then. */
enum qn_err QN_CHECKED qn_mail_book_unpack(struct qn_span packed, struct qn_mail_book *ret_book);
