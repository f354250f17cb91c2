#include "model/fixed.h"

static const uint8_t *take(struct qn_fixed *fixed, size_t size)
{
    static const uint8_t nothing[QN_DIGEST_SIZE] = {0};
    if (fixed->is_bad || fixed->left.size < size) {
        fixed->is_bad = true;
        return nothing;
    }
    const uint8_t *bytes = fixed->left.data;
    fixed->left = qn_span_from(fixed->left, size);
    return bytes;
}

struct qn_fixed qn_fixed(struct qn_span row, uint8_t format)
{
    struct qn_fixed fixed = {.left = row};
    if (qn_fixed_u8(&fixed) != format)
        fixed.is_bad = true;
    return fixed;
}

uint8_t qn_fixed_u8(struct qn_fixed *fixed)
{
    return take(fixed, 1)[0];
}

uint32_t qn_fixed_u32(struct qn_fixed *fixed)
{
    return qn_read_u32(take(fixed, 4));
}

uint64_t qn_fixed_u64(struct qn_fixed *fixed)
{
    return qn_read_u64(take(fixed, 8));
}

struct qn_digest qn_fixed_digest(struct qn_fixed *fixed)
{
    struct qn_digest digest;
    memcpy(digest.bytes, take(fixed, sizeof(digest.bytes)), sizeof(digest.bytes));
    return digest;
}

struct qn_span qn_fixed_rest(struct qn_fixed *fixed)
{
    struct qn_span rest = fixed->left;
    fixed->left = qn_span(NULL, 0);
    return rest;
}

enum qn_err qn_fixed_end(const struct qn_fixed *fixed)
{
    return fixed->is_bad || fixed->left.size > 0 ? QN_ERR_CORRUPT : QN_OK;
}
