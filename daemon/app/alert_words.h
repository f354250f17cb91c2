/* Alerts in words: one row for each code of docs/control.md, section 4. For syncctl and for mail.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

struct qn_alert_view {
    struct qn_span code, severity, object;
    const char *shown;     /* for the object, when it is translated; NULL: the object itself */
    struct qn_span detail; /* told behind the text; empty: nothing */
    uint64_t count;
    bool has_time;
    uint64_t time_ms, now_ms;
};

/* What is so, and what to do; English if not translated. */
void qn_alert_text(const struct qn_alert_view *alert, bool is_translated, struct qn_buf *out);
void qn_alert_action(const struct qn_alert_view *alert, bool is_translated, struct qn_buf *out);
