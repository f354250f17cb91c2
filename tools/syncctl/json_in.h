/* JSON to canonical msgpack values. */
#pragma once

#include <jansson.h>

#include "base/buf.h"

/* One JSON value from text. NULL: `*ret_reason` says why, for ctl_json_explain(). Texts may
 * hold U+0000; names that stand twice in an object are refused. */
json_t *ctl_json_parse(struct qn_span text, json_error_t *ret_reason);
/* Appends why it was refused, translated, in at most a few hundred bytes. */
void ctl_json_explain(struct qn_span text, const json_error_t *reason, struct qn_buf *out);
/* Map keys sorted bytewise, integers as int64, other numbers as doubles. */
void ctl_json_pack(json_t *value, struct qn_buf *out);
