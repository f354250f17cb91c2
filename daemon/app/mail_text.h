/* A mail about alerts, as bytes for sendmail -t -i: RFC 5322 with MIME, all of it ASCII lines of at
 * most 76 letters; what it says is UTF-8, in the language of the process. Pure.
 */
#pragma once

#include "app/mail_book.h"

#define QN_MAIL_TEXT_SIZE_MAX ((size_t)1024 * 1024)

struct qn_mail_letter {
    const char *to, *from; /* addresses that were checked; from "": none */
    const char *site;
    uint64_t now_ms;
    int32_t offset_s; /* local time minus UTC */
};

void qn_mail_compose(const struct qn_mail_letter *letter, const struct qn_alert *alerts,
                     const struct qn_mail_plan *plan, struct qn_buf *out);
/* Inside, for tests: text as the value of a head line (RFC 2047), folded; a body (RFC 2045). */
void qn_mail_append_words(struct qn_buf *out, struct qn_span text);
void qn_mail_append_quoted(struct qn_buf *out, struct qn_span text);
