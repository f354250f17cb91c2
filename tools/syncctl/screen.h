/* What people read: safe text, times, aligned columns, a progress line. */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/vec.h"

/* Text from outside: control characters are shown as \u001b, bytes that are no UTF-8 as \xff, so
 * that it cannot steer a terminal. */
void ctl_put_text(FILE *out, struct qn_span text);
void ctl_put_raw(FILE *out, struct qn_span bytes); /* known to be safe */
void ctl_append_text(struct qn_buf *out, struct qn_span text);

char *ctl_dup_text(struct qn_span text); /* ends with a zero; free with qn_free */

/* RFC 3339, UTC, milliseconds. */
void ctl_append_time(struct qn_buf *out, uint64_t time_ms);
/* "5 minutes ago", translated. */
void ctl_append_ago(struct qn_buf *out, uint64_t now_ms, uint64_t time_ms);

/* A table: aligned under a heading, or (is_plain) cells between tabs and no heading. */
struct ctl_grid {
    size_t columns;
    QN_VEC(char *) cells; /* row by row, the heading first */
};

#define CTL_GRID_COLUMNS_MAX 12

void ctl_grid_init(struct ctl_grid *grid, size_t columns);
void ctl_grid_add(struct ctl_grid *grid, struct qn_span cell);
void ctl_grid_add_str(struct ctl_grid *grid, const char *cell);
void ctl_grid_print(const struct ctl_grid *grid, FILE *out, const char *indent, bool is_plain);
void ctl_grid_deinit(struct ctl_grid *grid);

/* One line on a terminal, for work that lasts more than a second. */
struct ctl_progress {
    FILE *out;      /* NULL: none */
    uint64_t total; /* 0: not known */
    uint64_t started_ms, shown_ms;
    bool is_shown;
};

uint64_t ctl_now_ms(void); /* since 1970 */
void ctl_progress_begin(struct ctl_progress *progress, FILE *out, uint64_t total);
void ctl_progress_show(struct ctl_progress *progress, uint64_t done);
/* The same for bytes, with the rate that whoever does the work says; "2 minutes left". */
struct ctl_work_done {
    const char *what;           /* translated */
    uint64_t done, total, rate; /* bytes; total 0: not known; rate a second */
};
void ctl_progress_bytes(struct ctl_progress *progress, const struct ctl_work_done *work);
void ctl_progress_end(struct ctl_progress *progress);
/* "1.5 GiB" of bytes. */
void ctl_append_size(struct qn_buf *out, uint64_t bytes);
