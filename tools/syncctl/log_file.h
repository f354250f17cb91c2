/* The audit trail as a file, for somebody who has to see it elsewhere (docs/audit.md 6): lines of
 * JSON, with the rows as they are, so that the proof needs no daemon and no site.
 */
#pragma once

#include "ctl.h"

/* Writes it to standard output. */
int ctl_export_trail(struct ctl *ctl);

struct ctl_trail_file {
    /* The first line, once. Texts in hexadecimal are bytes already. */
    int (*on_head)(void *context, struct qn_span id, const struct qn_span *keys, size_t key_count,
                   uint64_t exported_ms);
    int (*on_witness)(void *context, struct qn_span site, uint64_t received_ms,
                      struct qn_span checkpoint);
    int (*on_row)(void *context, struct qn_span key, struct qn_span value);
    void *context;
};

/* Reads it; `path` is for messages. Anything but CTL_DONE ends it; a file that is none was told. */
int ctl_read_trail_of(struct ctl *ctl, const char *path, FILE *file,
                      const struct ctl_trail_file *sink);
/* The same of the file at that path; "-": standard input. */
int ctl_read_trail(struct ctl *ctl, const char *path, const struct ctl_trail_file *sink);
/* Prints its entries as `log` does. */
int ctl_show_trail(struct ctl *ctl, const char *path);
