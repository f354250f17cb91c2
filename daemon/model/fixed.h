/* Rows of fixed size: a format byte, then fields one behind the other. Written with the appends of
 * base/buf.h, read with these. A row that is too short or too long is found out at the end, so that
 * a run of reads needs one check. For the rooms of model only.
 */
#pragma once

#include "base/buf.h"
#include "crypto/digest.h"

struct qn_fixed {
    struct qn_span left;
    bool is_bad;
};

/* Checks the format byte. */
struct qn_fixed qn_fixed(struct qn_span row, uint8_t format);
uint8_t qn_fixed_u8(struct qn_fixed *fixed);
uint32_t qn_fixed_u32(struct qn_fixed *fixed);
uint64_t qn_fixed_u64(struct qn_fixed *fixed);
struct qn_digest qn_fixed_digest(struct qn_fixed *fixed);
/* What is left, for a row that ends with bytes of its own. */
struct qn_span qn_fixed_rest(struct qn_fixed *fixed);
/* QN_ERR_CORRUPT unless the row had exactly what was read. */
enum qn_err QN_CHECKED qn_fixed_end(const struct qn_fixed *fixed);
