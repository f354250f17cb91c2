/* Answers that are lists: one JSON array of objects, or a table. */
#pragma once

#include "json_out.h"
#include "screen.h"
#include "wire.h"

struct ctl_listing {
    const struct ctl_shape *shape; /* of one item, for JSON */
    size_t columns;
    const char *const *heads;                                /* translated */
    void (*add)(struct ctl_grid *grid, struct qn_span item); /* one row */
    bool is_batched;                                         /* data are lists of items */
};

/* Runs the request and prints what comes; JSON is streamed. */
int ctl_list(struct ctl *ctl, const char *cmd, const struct qn_buf *args,
             const struct ctl_listing *listing);
/* The same; afterwards `on_end` gets what the end of the answer carries. */
int ctl_list_and(struct ctl *ctl, const char *cmd, const struct qn_buf *args,
                 const struct ctl_listing *listing,
                 void (*on_end)(struct ctl *ctl, struct qn_span end));
/* Packs --limit (nil if it was not given); CTL_USAGE, said, if it is no number. */
int ctl_arg_limit(struct ctl *ctl, struct qn_buf *args);
/* One object: JSON of the shape, or lines "name: value" of its members. */
int ctl_show(struct ctl *ctl, const char *cmd, const struct qn_buf *args,
             const struct ctl_shape *shape);
/* A request whose end carries nothing that is shown: {"done":true} or a message. */
int ctl_do(struct ctl *ctl, const char *cmd, const struct qn_buf *args, const char *message);

/* Seconds of "30m", "24h", "7d", at most a year; 0: it is none, which was said. */
uint64_t ctl_expires_s(struct ctl *ctl, const char *text);

/* Cells. */
void ctl_add_text(struct ctl_grid *grid, struct qn_span map, const char *key); /* "-" if empty */
void ctl_add_state(struct ctl_grid *grid, struct qn_span map);
void ctl_add_time(struct ctl_grid *grid, struct qn_span map, const char *key);
void ctl_add_number(struct ctl_grid *grid, struct qn_span map, const char *key);
void ctl_add_names(struct ctl_grid *grid, struct qn_span map, const char *key); /* a,b,c */
/* A value as people read it: text as it is, anything else as JSON. */
void ctl_append_value(struct qn_buf *out, struct qn_span packed);
