/* The If header (RFC 4918, section 10.4): lists of conditions, each for one resource.
 *
 *   If: <http://h/a> (<urn:uuid:1> ["e"]) (Not <DAV:no-lock>)
 *
 * The header holds if one of its lists does, a list if all of its conditions do. A lock token that
 * stands anywhere in it counts as submitted, whatever the judgement. Everything borrows from the
 * field. Pure; thread: any.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

#define QN_DAV_LISTS_MAX      32
#define QN_DAV_CONDITIONS_MAX 128

struct qn_dav_condition {
    struct qn_span text; /* an etag with its quotes (and W/), or a state token without < and > */
    bool is_etag, is_not;
};

struct qn_dav_list {
    struct qn_span resource; /* the URL as it stands there; empty: the request's own */
    size_t first, count;     /* of the conditions */
};

struct qn_dav_if {
    struct qn_dav_list lists[QN_DAV_LISTS_MAX];
    struct qn_dav_condition conditions[QN_DAV_CONDITIONS_MAX];
    size_t list_count, condition_count;
};

/* QN_ERR_INVALID: not the grammar of 10.4.2. QN_ERR_LIMIT: too many lists or conditions. */
enum qn_err QN_CHECKED qn_dav_if_read(struct qn_span field, struct qn_dav_if *ret_if);

/* Does this etag or state token match that resource now? Its `is_not` is not the callee's. */
typedef bool (*qn_dav_match_fn)(void *context, struct qn_span resource,
                                const struct qn_dav_condition *condition);
bool qn_dav_if_holds(const struct qn_dav_if *given, qn_dav_match_fn matches, void *context);
bool qn_dav_if_submits(const struct qn_dav_if *given, struct qn_span token);
