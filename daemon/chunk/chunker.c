#include "chunk/chunker.h"

#include "base/buf.h"
#include "base/mem.h"

/* hash = hash * 2 + gear[byte]: what a byte added is shifted out 64 bytes later, so the hash says
 * what the last WINDOW bytes are, wherever they stand. The top bits see the whole window. */
#define WINDOW 64

/* A cut is where the hash is below a limit: seldom before the chunk has a normal size, often after
 * it, so that sizes vary little (section 3.2.2 of the paper). With one in 2^20 and one in 2^16 the
 * mean is QN_CHUNK_SIZE_AVG; one in 1e13 random chunks reaches QN_CHUNK_SIZE_MAX. */
#define SIZE_NORMAL  (208 * 1024)
#define LIMIT_BEFORE ((uint64_t)1 << (64 - 20))
#define LIMIT_AFTER  ((uint64_t)1 << (64 - 16))

struct qn_chunker {
    uint64_t gear[256];
};

struct qn_chunker *qn_chunker_new(const uint8_t key[32])
{
    struct qn_chunker *chunker = QN_NEW(struct qn_chunker);
    uint8_t bytes[sizeof(chunker->gear)];
    qn_hkdf(qn_span(key, 32), qn_span(NULL, 0), "quoin gear 1", bytes, sizeof(bytes));
    for (size_t i = 0; i < 256; i++)
        chunker->gear[i] = qn_read_u64(bytes + 8 * i);
    qn_wipe(bytes, sizeof(bytes));
    return chunker;
}

void qn_chunker_free(struct qn_chunker *chunker)
{
    if (chunker == NULL)
        return;
    qn_wipe(chunker, sizeof(*chunker));
    qn_free(chunker);
}

/* Goes on from *hash over bytes[at..end); the size up to and with the first byte after which the
 * hash is below `limit`, or 0. This loop is all that chunking costs. */
static size_t find_cut(const uint64_t *gear, const uint8_t *bytes, size_t at, size_t end,
                       uint64_t limit, uint64_t *hash)
{
    uint64_t h = *hash;
#define STEP(k)                                                                                    \
    h = (h << 1) + gear[bytes[at + (k)]];                                                          \
    if (__builtin_expect(h < limit, 0))                                                            \
        return at + (k) + 1;
    for (; end - at >= 8; at += 8) {
        STEP(0)
        STEP(1)
        STEP(2)
        STEP(3)
        STEP(4)
        STEP(5)
        STEP(6)
        STEP(7)
    }
    for (; at < end; at++) {
        STEP(0)
    }
#undef STEP
    *hash = h;
    return 0;
}

size_t qn_chunker_cut(const struct qn_chunker *chunker, struct qn_span bytes, bool is_end)
{
    const uint64_t *gear = chunker->gear;
    size_t end = bytes.size < QN_CHUNK_SIZE_MAX ? bytes.size : QN_CHUNK_SIZE_MAX;
    size_t normal = end < SIZE_NORMAL ? end : SIZE_NORMAL;
    size_t size = 0;
    uint64_t hash = 0;
    if (end > QN_CHUNK_SIZE_MIN) {
        size_t first = QN_CHUNK_SIZE_MIN - 1; /* after this byte the first cut may be */
        for (size_t at = first - (WINDOW - 1); at < first; at++)
            hash = (hash << 1) + gear[bytes.data[at]];
        size = find_cut(gear, bytes.data, first, normal, LIMIT_BEFORE, &hash);
        if (size == 0)
            size = find_cut(gear, bytes.data, normal, end, LIMIT_AFTER, &hash);
    }
    if (size == 0 && (is_end || end == QN_CHUNK_SIZE_MAX))
        size = end;
    return size;
}
