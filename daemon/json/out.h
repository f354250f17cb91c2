/* Canonical msgpack to JSON, appended to a buffer: its maximum bounds what a hostile value may grow
 * to (six times its size, at most). Pure.
 *
 * UTF-8 as it is; only control characters, `"` and `\` are escaped. Doubles have the fewest digits
 * that read back equal, and always a point or an exponent. Equal items give equal bytes.
 */
#pragma once

#include "base/buf.h"

enum qn_json_kind {
    QN_JSON_VALUE,    /* any value, as it is */
    QN_JSON_LIST,     /* the same, but an empty list if it is missing */
    QN_JSON_MAP,      /* the same, but an empty object if it is missing */
    QN_JSON_TIME,     /* milliseconds since 1970 as RFC 3339, or null */
    QN_JSON_OBJECT,   /* an object of the inner shape, or null */
    QN_JSON_OBJECTS,  /* a list of such */
    QN_JSON_BY_FIELD, /* a map of lists of such; left out if missing */
    QN_JSON_MARK,     /* any value, as it is; left out if missing */
};

/* The members of a known object in the order in which the manual shows them; others are left out.
 */
struct qn_json_shape {
    const char *key; /* NULL ends the list */
    enum qn_json_kind kind;
    const struct qn_json_shape *inner;
    const char *from; /* its key in the answer, if that is another one */
};

void qn_json_value(struct qn_buf *out, struct qn_span packed);
void qn_json_object(struct qn_buf *out, struct qn_span map, const struct qn_json_shape *shape);
/* The same without the braces. */
void qn_json_members(struct qn_buf *out, struct qn_span map, const struct qn_json_shape *shape);
void qn_json_text(struct qn_buf *out, struct qn_span text);
void qn_json_time(struct qn_buf *out, bool is_known, uint64_t time_ms);

/* shapes.c */
extern const struct qn_json_shape qn_json_folder[], qn_json_odd_name[], qn_json_collection_list[];
extern const struct qn_json_shape qn_json_collection[], qn_json_status[], qn_json_site[],
    qn_json_collection_show[], qn_json_record[], qn_json_conflicts[], qn_json_trash[],
    qn_json_emptied[], qn_json_history[], qn_json_invite[], qn_json_conflict[], qn_json_verify[],
    qn_json_incident[], qn_json_plan[], qn_json_snapshot[], qn_json_held[], qn_json_app_password[],
    qn_json_user[], qn_json_audit[], qn_json_serve[], qn_json_authority[], qn_json_hit[],
    qn_json_verified[], qn_json_report[];
