/* Inside core: the arguments of a request, a canonical map with text keys. */
#pragma once

#include "base/span.h"
#include "proto/cursor.h"

/* Whether it is a map whose keys all stand in `allowed` (separated by one space each). */
bool args_are_only(struct qn_span args, const char *allowed);
/* The packed value of a key; an empty span if it is absent or nil. */
struct qn_span args_value(struct qn_span args, const char *key);
/* False if absent, of another type, or over the limit. */
bool args_text(struct qn_span args, const char *key, size_t size_max, struct qn_span *ret_text);
bool args_u64(struct qn_span args, const char *key, uint64_t *ret_value);
