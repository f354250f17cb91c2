/* JSON to canonical msgpack values. */
#pragma once

#include <jansson.h>

#include "base/buf.h"

/* One JSON value from text. NULL: `*ret_reason` says why, in jansson's English words. Texts may
 * hold U+0000; names that stand twice in an object are refused. */
json_t *ctl_json_parse(struct qn_span text, json_error_t *ret_reason);
/* Map keys sorted bytewise, integers as int64, other numbers as doubles. */
void ctl_json_pack(json_t *value, struct qn_buf *out);
