/* Requests and answers: building arguments, waiting for the answer, reading its maps. */
#pragma once

#include "ctl.h"
#include "base/buf.h"
#include "proto/items.h"

/* Arguments: a map is begun with its count, and filled in ascending order of the keys. */
void ctl_args_init(struct qn_buf *args, size_t count);
void ctl_arg_str(struct qn_buf *args, const char *key, const char *value); /* NULL: nil */
void ctl_arg_u64(struct qn_buf *args, const char *key, uint64_t value);
void ctl_arg_nil(struct qn_buf *args, const char *key);
void ctl_arg_raw(struct qn_buf *args, const char *key, struct qn_span packed);

/* "a,b,c" as a list of names; the number of them, 0 (and nothing packed) if one is empty. */
size_t ctl_pack_names(const char *text, struct qn_buf *out);

/* Gets every data item; CTL_DONE to go on. */
typedef int ctl_on_data(void *context, struct qn_span item);

struct ctl_sink {
    ctl_on_data *on_data; /* NULL: data is ignored */
    void *context;
    struct qn_buf *end; /* what the end carries; NULL: not wanted */
    bool waits_for_ever;
    unsigned extra_s; /* waited beyond --timeout */
};

/* One request and all its answers. Not CTL_DONE: it failed, and that was said. */
int ctl_call(struct ctl *ctl, const char *cmd, const struct qn_buf *args,
             const struct ctl_sink *sink);
/* Once for all requests; under waits_for_ever only --timeout bounds how long a send may take. */
int ctl_connect(struct ctl *ctl, bool waits_for_ever);
/* Says that the line to the daemon failed. */
int ctl_fail_line(const struct ctl *ctl, enum qn_err err);

/* Reading maps: proto/items.h, under the names that it has here. */
#define ctl_walk_next qn_items_next
#define ctl_walk      qn_items
#define ctl_map_find  qn_map_find
#define ctl_map_text  qn_map_text
#define ctl_map_u64   qn_map_u64
#define ctl_map_bool  qn_map_bool
#define ctl_map_time  qn_map_has_u64
#define ctl_text_of   qn_text_of
#define ctl_u64_of    qn_u64_of
#define ctl_count     qn_item_count
