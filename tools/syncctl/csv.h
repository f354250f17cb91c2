/* CSV (RFC 4180): quoted cells may hold separators, quotes doubled, and line breaks. */
#pragma once

#include <stdio.h>

#include "base/buf.h"
#include "base/vec.h"

struct ctl_csv_cell {
    size_t at, size; /* within the row's text */
    bool is_quoted;
};

struct ctl_csv {
    FILE *file;
    char separator;  /* ',' or ';' or tab: the first row decides */
    size_t line;     /* where the next row begins, from 1 */
    size_t row_line; /* where the last one began */
    struct qn_buf text;
    QN_VEC(struct ctl_csv_cell) cells;
};

void ctl_csv_init(struct ctl_csv *csv, FILE *file);
void ctl_csv_deinit(struct ctl_csv *csv);
/* The next row that is not empty. QN_ERR_CLOSED: no more. QN_ERR_INVALID: a quote that does not
 * end, or text behind a quoted cell. QN_ERR_LIMIT: longer than a mebibyte. */
enum qn_err QN_CHECKED ctl_csv_next(struct ctl_csv *csv);
struct qn_span ctl_csv_cell(const struct ctl_csv *csv, size_t index);
/* Writes a cell, quoted where it must be; an empty text is quoted, so that it differs from none. */
void ctl_csv_put(FILE *out, struct qn_span text);
