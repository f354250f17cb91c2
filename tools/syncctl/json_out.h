/* Canonical msgpack to JSON, streamed: never more than one item in memory.
 *
 * UTF-8 as it is; only control characters, `"` and `\` are escaped. Doubles have the fewest digits
 * that read back equal, and always a point or an exponent. Equal items give equal bytes.
 */
#pragma once

#include <stdio.h>

#include "base/span.h"

enum ctl_shape_kind {
    CTL_VALUE,    /* any value, as it is */
    CTL_LIST,     /* the same, but an empty list if it is missing */
    CTL_MAP,      /* the same, but an empty object if it is missing */
    CTL_TIME,     /* milliseconds since 1970 as RFC 3339, or null */
    CTL_OBJECT,   /* an object of the inner shape, or null */
    CTL_OBJECTS,  /* a list of such */
    CTL_BY_FIELD, /* a map of lists of such; left out if missing */
};

/* The members of a known object in the order in which CLI.md shows them; others are left out. */
struct ctl_shape {
    const char *key; /* NULL ends the list */
    enum ctl_shape_kind kind;
    const struct ctl_shape *inner;
    const char *from; /* its key in the answer, if that is another one */
};

void ctl_json_value(FILE *out, struct qn_span packed);
void ctl_json_object(FILE *out, struct qn_span map, const struct ctl_shape *shape);
/* The same without the braces. */
void ctl_json_members(FILE *out, struct qn_span map, const struct ctl_shape *shape);
void ctl_json_text(FILE *out, struct qn_span text);
void ctl_json_time(FILE *out, bool is_known, uint64_t time_ms);

/* "[", items between commas and lines, "]". */
struct ctl_json_list {
    FILE *out;
    size_t count;
};
void ctl_json_list_next(struct ctl_json_list *list); /* before each item */
void ctl_json_list_end(struct ctl_json_list *list);

extern const struct ctl_shape ctl_serve_shape[], ctl_authority_shape[];
extern const struct ctl_shape ctl_status_shape[], ctl_site_shape[], ctl_collection_shape[],
    ctl_collection_show_shape[], ctl_record_shape[], ctl_conflicts_shape[], ctl_trash_shape[],
    ctl_history_shape[], ctl_hit_shape[], ctl_invite_shape[], ctl_conflict_shape[],
    ctl_verify_shape[], ctl_plan_shape[], ctl_snapshot_shape[], ctl_held_shape[];
extern const struct ctl_shape ctl_user_shape[], ctl_app_password_shape[], ctl_audit_shape[];
