/* JSON to canonical msgpack values, with jansson. Pure. */
#pragma once

#include <jansson.h>

#include "base/buf.h"

/* One JSON value from text; the caller's (json_decref). NULL: `*ret_reason` says why. Texts may
 * hold U+0000; names that stand twice in an object are refused. */
json_t *qn_json_parse(struct qn_span text, json_error_t *ret_reason);
/* Whether lists and objects stand in each other at most `depth_max` deep, as far as the brackets
 * tell, before anything is made of the text. */
bool qn_json_is_shallow(struct qn_span text, size_t depth_max);
/* Map keys sorted bytewise, integers as int64, other numbers as doubles. */
void qn_json_pack(json_t *value, struct qn_buf *out);
