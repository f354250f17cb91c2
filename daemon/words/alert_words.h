/* Alerts in words: one row for each code of docs/control.md, section 4. For syncctl, for mail and
 * for the page. Pure.
 */
#pragma once

#include <stdbool.h>

#include "words/tongue.h"

struct qn_alert_view {
    struct qn_span code, severity, object;
    const char *shown;     /* for the object, when it has words; NULL: the object itself */
    struct qn_span detail; /* told behind the text; empty: nothing */
    uint64_t count;
    bool has_time;
    uint64_t time_ms, now_ms; /* since 1970; now 0: the time is told as it is, in UTC */
};

/* Its object is the code of an error (error_words.h), the cause. */
bool qn_alert_is_refusal(const struct qn_alert_view *alert);
/* What is so, and what to do. */
void qn_alert_text(const struct qn_alert_view *alert, const struct qn_tongue *tongue,
                   struct qn_buf *out);
void qn_alert_action(const struct qn_alert_view *alert, const struct qn_tongue *tongue,
                     struct qn_buf *out);
