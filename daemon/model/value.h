/* The value of a field: canonical msgpack of one of nil, boolean, integer (64 bits), decimal (IEEE
 * 754 double, finite), text (UTF-8), list, map with text keys in strictly ascending byte order.
 *
 * At most QN_VALUE_SIZE_MAX bytes and QN_VALUE_DEPTH_MAX levels. Equal values have equal bytes.
 */
#pragma once

#include "base/err.h"
#include "base/span.h"

/* QN_ERR_INVALID: not such a value. QN_ERR_LIMIT: too large or too deep. */
enum qn_err QN_CHECKED qn_value_check(struct qn_span value);
