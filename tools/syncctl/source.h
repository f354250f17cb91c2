/* A file of records, JSON Lines or CSV, one after the other. */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "csv.h"

enum ctl_format {
    CTL_JSONL,
    CTL_CSV,
};

struct ctl_source {
    FILE *file;
    enum ctl_format format;
    const char *key_field;
    struct ctl_csv csv;
    QN_VEC(char *) names; /* the first row of CSV */
    char *line;
    size_t line_capacity;
    size_t number;      /* of the line where the last record began, from 1 */
    uint64_t skipped;   /* records that had no field beside the key */
    char problem[1024]; /* translated; of the last error */
};

/* False for an unknown word. NULL: by the name of the file, else JSON Lines. */
bool ctl_format_parse(const char *word, const char *path, enum ctl_format *ret_format);

/* Begins at the first byte of the file. QN_ERR_INVALID: see `problem`. */
enum qn_err QN_CHECKED ctl_source_open(struct ctl_source *source, FILE *file,
                                       enum ctl_format format, const char *key_field);
void ctl_source_close(struct ctl_source *source); /* leaves the file open */
/* Appends the next record that has a field, as the packed list [key, fields]. QN_ERR_CLOSED: no
 * more. QN_ERR_INVALID: `number` and `problem` tell. */
enum qn_err QN_CHECKED ctl_source_next(struct ctl_source *source, struct qn_buf *out);
