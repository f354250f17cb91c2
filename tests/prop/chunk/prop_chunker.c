/* Laws of cutting, for files of several makes. */
#include <criterion/criterion.h>

#include "chunk/chunker.h"
#include "support/packs.h"

#define FILE_SIZE ((size_t)6 * 1024 * 1024)

typedef QN_VEC(size_t) size_vec;

static struct qn_chunker *chunker_of(void)
{
    struct qn_vault_keys keys;
    packs_keys(&keys, 0, 7);
    return qn_chunker_new(keys.chunker);
}

/* By seed: noise, digits, or noise with long runs of one byte. */
static void fill(uint64_t seed, uint8_t *out, size_t size)
{
    struct qn_prng prng = {.state = seed};
    packs_fill(&prng, out, size);
    if (seed % 3 == 1)
        for (size_t i = 0; i < size; i++)
            out[i] = (uint8_t)('0' + out[i] % 10);
    if (seed % 3 != 2)
        return;
    for (int i = 0; i < 4; i++) {
        size_t at = qn_prng_below(&prng, size), length = qn_prng_below(&prng, size - at);
        memset(out + at, (int)qn_prng_below(&prng, 256), length / 3);
    }
}

/* Ends of all chunks. */
static void cuts_of(const struct qn_chunker *chunker, struct qn_span bytes, size_vec *out)
{
    out->count = 0;
    for (size_t at = 0; at < bytes.size;) {
        at += qn_chunker_cut(chunker, qn_span_from(bytes, at), true);
        qn_vec_push(out, at);
    }
}

/* The same through a window into which the file comes in pieces of up to piece_max. */
static void cuts_in_pieces(const struct qn_chunker *chunker, struct qn_span bytes, uint64_t seed,
                           size_t piece_max, size_vec *out)
{
    struct qn_prng prng = {.state = seed};
    size_t begin = 0, end = 0;
    out->count = 0;
    while (begin < bytes.size) {
        struct qn_span window = qn_span(bytes.data + begin, end - begin);
        size_t size = qn_chunker_cut(chunker, window, end == bytes.size);
        if (size == 0) {
            cr_assert_lt(window.size, QN_CHUNK_SIZE_MAX, "seed %lu", (unsigned long)seed);
            size_t piece = 1 + qn_prng_below(&prng, piece_max);
            end += piece < bytes.size - end ? piece : bytes.size - end;
            continue;
        }
        begin += size;
        qn_vec_push(out, begin);
    }
}

Test(chunker, chunks_cover_the_file_and_have_legal_sizes)
{
    struct qn_chunker *chunker = chunker_of();
    QN_AUTO_FREE uint8_t *bytes = qn_alloc(FILE_SIZE);
    size_vec cuts = {0};
    for (uint64_t seed = 0; seed < 6; seed++) {
        size_t before = 0, size = FILE_SIZE - seed * 12345;
        fill(seed, bytes, size);
        cuts_of(chunker, qn_span(bytes, size), &cuts);
        qn_vec_each (&cuts, end) {
            size_t chunk = *end - before;
            cr_assert(chunk <= QN_CHUNK_SIZE_MAX, "seed %lu: %zu", (unsigned long)seed, chunk);
            cr_assert(chunk >= QN_CHUNK_SIZE_MIN || (*end == size && chunk > 0), "seed %lu: %zu",
                      (unsigned long)seed, chunk);
            before = *end;
        }
        cr_assert_eq(before, size);
    }
    qn_vec_free(&cuts);
    qn_chunker_free(chunker);
}

Test(chunker, a_cut_does_not_depend_on_how_the_bytes_come_in)
{
    static const size_t pieces[] = {30 * 1024, 300 * 1024, 5 * 1024 * 1024};
    struct qn_chunker *chunker = chunker_of();
    QN_AUTO_FREE uint8_t *bytes = qn_alloc(FILE_SIZE);
    size_vec whole = {0}, cuts = {0};
    for (uint64_t seed = 0; seed < 3; seed++) {
        fill(seed, bytes, FILE_SIZE);
        cuts_of(chunker, qn_span(bytes, FILE_SIZE), &whole);
        for (size_t i = 0; i < 3; i++) {
            cuts_in_pieces(chunker, qn_span(bytes, FILE_SIZE), seed, pieces[i], &cuts);
            cr_assert(cuts.count == whole.count &&
                          memcmp(cuts.items, whole.items, cuts.count * sizeof(size_t)) == 0,
                      "seed %lu, pieces of up to %zu", (unsigned long)seed, pieces[i]);
        }
    }
    qn_vec_free(&whole);
    qn_vec_free(&cuts);
    qn_chunker_free(chunker);
}

Test(chunker, the_mean_is_what_it_is_said_to_be)
{
    struct qn_chunker *chunker = chunker_of();
    const size_t size = (size_t)64 << 20;
    QN_AUTO_FREE uint8_t *bytes = qn_alloc(size);
    struct qn_prng prng = {.state = 1};
    size_vec cuts = {0};
    packs_fill(&prng, bytes, size);
    cuts_of(chunker, qn_span(bytes, size), &cuts);
    size_t mean = size / cuts.count;
    cr_assert(mean > QN_CHUNK_SIZE_AVG * 95 / 100 && mean < QN_CHUNK_SIZE_AVG * 105 / 100, "%zu",
              mean);
    qn_vec_free(&cuts);
    qn_chunker_free(chunker);
}

static bool has(const size_vec *sorted, size_t value)
{
    qn_vec_each (sorted, it)
        if (*it == value)
            return true;
    return false;
}

/* Cuts of the changed file that the old one does not have, where it was or `shift` further on. */
static size_t new_cuts(const size_vec *old, const size_vec *changed, size_t at, size_t shift)
{
    size_t count = 0;
    qn_vec_each (changed, cut)
        count += !has(old, *cut <= at ? *cut : *cut - shift);
    return count;
}

Test(chunker, an_insertion_moves_few_cuts)
{
    struct qn_chunker *chunker = chunker_of();
    QN_AUTO_FREE uint8_t *bytes = qn_alloc(FILE_SIZE), *changed = qn_alloc(FILE_SIZE + 1000);
    size_vec old = {0}, cuts = {0};
    size_t worst = 0, sum = 0;
    fill(0, bytes, FILE_SIZE);
    cuts_of(chunker, qn_span(bytes, FILE_SIZE), &old);
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct qn_prng prng = {.state = seed};
        size_t at = qn_prng_below(&prng, FILE_SIZE), shift = 1 + qn_prng_below(&prng, 1000);
        memcpy(changed, bytes, at);
        packs_fill(&prng, changed + at, shift);
        memcpy(changed + at + shift, bytes + at, FILE_SIZE - at);
        cuts_of(chunker, qn_span(changed, FILE_SIZE + shift), &cuts);
        size_t count = new_cuts(&old, &cuts, at, shift);
        worst = count > worst ? count : worst;
        sum += count;
    }
    cr_assert(worst <= 6 && sum <= 2 * 12, "worst %zu, sum %zu of 12", worst, sum);
    qn_vec_free(&old);
    qn_vec_free(&cuts);
    qn_chunker_free(chunker);
}
