/* The only place that logs. One line a fault: what, which object, why, what happens next. To
 * standard error, with the priority that the journal understands when it listens. English. Loop
 * thread.
 */
#pragma once

#include "app/config.h"
#include "base/err.h"

struct qn_log {
    enum qn_log_level level;
    bool is_journal; /* $JOURNAL_STREAM: lines begin with <priority> */
    uint64_t (*now_ms)(void);
    struct {
        const char *code;
        uint64_t next_ms, suppressed;
    } recent[32]; /* codes said lately: each at most once in 10 s */
};

void qn_log_init(struct qn_log *log, enum qn_log_level level, uint64_t (*now_ms)(void));
__attribute__((format(printf, 3, 4))) void qn_log(struct qn_log *log, enum qn_log_level level,
                                                  const char *format, ...);
/* A note of the core (its code, see log.c) about an object. */
void qn_log_note(struct qn_log *log, const char *code, enum qn_err err, const char *object);
