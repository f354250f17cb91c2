#include <criterion/criterion.h>

#include "chunk/chunker.h"
#include "support/packs.h"
#include "support/span.h"

static struct qn_chunker *chunker_of(uint8_t first)
{
    struct qn_vault_keys keys;
    packs_keys(&keys, first, 7);
    return qn_chunker_new(keys.chunker);
}

/* Computed with another implementation, in Python: splitmix64 from seed 1, big-endian. */
Test(chunker, fixed_vector)
{
    static const size_t wanted[] = {89139,  243969, 251607, 261397, 220400,
                                    238358, 213339, 219036, 338284, 21623};
    struct qn_chunker *chunker = chunker_of(0);
    struct qn_prng prng = {.state = 1};
    QN_AUTO_FREE uint8_t *bytes = qn_alloc(2 << 20);
    packs_fill(&prng, bytes, 2 << 20);
    struct qn_span rest = qn_span(bytes, 2 << 20);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        size_t size = qn_chunker_cut(chunker, rest, true);
        cr_assert_eq(size, wanted[i], "chunk %zu: %zu", i, size);
        rest = qn_span_from(rest, size);
    }
    cr_assert_eq(rest.size, 0);
    qn_chunker_free(chunker);
    qn_chunker_free(NULL);
}

static size_t cut_from(const struct qn_chunker *chunker, const uint8_t *bytes, size_t end,
                       size_t size)
{
    return qn_chunker_cut(chunker, qn_span(bytes + end - size, (2 << 20) - end + size), true);
}

/* The ends of the first two chunks of the vector, seen from beginnings that put them at the limits:
 * the one (below 2^44) at the first legal size, which sees a whole window too, and before it; the
 * other (below 2^48 only) at the size from which on that is enough, and before it. */
Test(chunker, a_place_counts_from_exactly_its_size_on)
{
    const size_t seldom = 89139, often = 89139 + 243969, normal = 208 * 1024;
    struct qn_chunker *chunker = chunker_of(0);
    struct qn_prng prng = {.state = 1};
    QN_AUTO_FREE uint8_t *bytes = qn_alloc(2 << 20);
    packs_fill(&prng, bytes, 2 << 20);
    for (size_t size = QN_CHUNK_SIZE_MIN; size < QN_CHUNK_SIZE_MIN + 70; size++)
        cr_assert_eq(cut_from(chunker, bytes, seldom, size), size);
    cr_assert_gt(cut_from(chunker, bytes, seldom, QN_CHUNK_SIZE_MIN - 1), QN_CHUNK_SIZE_MIN);
    cr_assert_eq(cut_from(chunker, bytes, often, normal + 1), normal + 1);
    cr_assert_gt(cut_from(chunker, bytes, often, normal), normal + 1);
    qn_chunker_free(chunker);
}

Test(chunker, a_small_file_is_one_chunk)
{
    struct qn_chunker *chunker = chunker_of(0);
    QN_AUTO_FREE uint8_t *bytes = qn_alloc_zero(QN_CHUNK_SIZE_MIN);
    static const size_t sizes[] = {1, 100, QN_CHUNK_SIZE_MIN - 1, QN_CHUNK_SIZE_MIN};
    for (size_t i = 0; i < 4; i++) {
        cr_assert_eq(qn_chunker_cut(chunker, qn_span(bytes, sizes[i]), true), sizes[i]);
        cr_assert_eq(qn_chunker_cut(chunker, qn_span(bytes, sizes[i]), false), 0);
    }
    cr_assert_eq(qn_chunker_cut(chunker, qn_span(NULL, 0), true), 0);
    cr_assert_eq(qn_chunker_cut(chunker, qn_span(NULL, 0), false), 0);
    qn_chunker_free(chunker);
}

/* Of equal bytes every window is the same, so that no cut is found, or one at once. */
Test(chunker, equal_bytes_make_equal_chunks_of_a_legal_size)
{
    struct qn_chunker *chunker = chunker_of(0);
    QN_AUTO_FREE uint8_t *bytes = qn_alloc(3 * QN_CHUNK_SIZE_MAX);
    size_t largest = 0;
    for (unsigned value = 0; value < 256; value++) {
        memset(bytes, (int)value, QN_CHUNK_SIZE_MAX);
        size_t size = qn_chunker_cut(chunker, qn_span(bytes, QN_CHUNK_SIZE_MAX), false);
        cr_assert(size == QN_CHUNK_SIZE_MIN || size == QN_CHUNK_SIZE_MAX, "%u: %zu", value, size);
        largest = size > largest ? size : largest;
    }
    cr_assert_eq(largest, QN_CHUNK_SIZE_MAX);
    qn_chunker_free(chunker);
}

Test(chunker, another_key_cuts_elsewhere)
{
    struct qn_chunker *one = chunker_of(0), *other = chunker_of(1);
    struct qn_prng prng = {.state = 1};
    QN_AUTO_FREE uint8_t *bytes = qn_alloc(QN_CHUNK_SIZE_MAX);
    packs_fill(&prng, bytes, QN_CHUNK_SIZE_MAX);
    struct qn_span all = qn_span(bytes, QN_CHUNK_SIZE_MAX);
    cr_assert_neq(qn_chunker_cut(one, all, true), qn_chunker_cut(other, all, true));
    qn_chunker_free(one);
    qn_chunker_free(other);
}
