/* The report of `syncctl status`, from the daemon's map. */
#pragma once

#include <stdio.h>

#include "ctl.h"

struct ctl_report {
    FILE *out;
    bool has_colour, is_brief; /* brief: only what is wrong */
    uint64_t now_ms;
};

void ctl_report_print(const struct ctl_report *report, struct qn_span status);
void ctl_report_json(FILE *out, struct qn_span status);
/* status_backup.c: backups, and what is held for others. */
void ctl_report_backups(const struct ctl_report *report, struct qn_span status);
int ctl_report_exit(struct qn_span status);
/* "online" and so on, translated. */
const char *ctl_state_word(struct qn_span state);
