/* Alerts in words: one row for each code of docs/control.md, section 4. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

struct ctl_alert {
    struct qn_span code, severity, object;
    uint64_t count;
    bool has_time;
    uint64_t time_ms, now_ms;
};

/* What is so, and what to do; English if not translated. */
void ctl_alert_text(const struct ctl_alert *alert, bool is_translated, struct qn_buf *out);
void ctl_alert_action(const struct ctl_alert *alert, bool is_translated, struct qn_buf *out);
