#include "chunk/squeeze.h"

#include <zstd.h>
#include <zstd_errors.h>

#include "base/assert.h"
#include "base/mem.h"

#define TRY_SIZE_MIN   64 /* a smaller input would not pay for the frame around it */
#define SAMPLE_COUNT   4
#define SAMPLE_SIZE    4096
#define COUNTED_SIZE   1024 /* of each sample: whose bytes are counted */
#define PROBE_SIZE     (SAMPLE_COUNT * SAMPLE_SIZE)
#define PROBE_SIZE_MIN (2 * PROBE_SIZE) /* a smaller input is tried as a whole */

struct qn_squeezer {
    ZSTD_CCtx *full;  /* at the wished level */
    ZSTD_CCtx *quick; /* at level 1, for the probe; the same one when the wished level is 1 */
    ZSTD_DCtx *back;
    uint8_t samples[PROBE_SIZE], probed[PROBE_SIZE];
};

static ZSTD_CCtx *context_of(int level)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    QN_ASSERT(context != NULL);
    QN_ASSERT(!ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)));
    /* The size stands in the blob's header, and the seal is the checksum. */
    QN_ASSERT(!ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0)));
    return context;
}

struct qn_squeezer *qn_squeezer_new(int level)
{
    QN_ASSERT(level >= 1 && level <= 19);
    struct qn_squeezer *squeezer = QN_NEW(struct qn_squeezer);
    squeezer->full = context_of(level);
    squeezer->quick = level > 1 ? context_of(1) : squeezer->full;
    squeezer->back = ZSTD_createDCtx();
    QN_ASSERT(squeezer->back != NULL);
    return squeezer;
}

void qn_squeezer_free(struct qn_squeezer *squeezer)
{
    if (squeezer == NULL)
        return;
    if (squeezer->quick != squeezer->full)
        ZSTD_freeCCtx(squeezer->quick);
    ZSTD_freeCCtx(squeezer->full);
    ZSTD_freeDCtx(squeezer->back);
    qn_free(squeezer);
}

/* What a form that is worth having takes at most: 3 % less. */
static size_t worth_size(size_t raw_size)
{
    return raw_size - raw_size / 32 - 1;
}

/* Size of the compressed form in `out`, or 0 if it would be larger than out_size. */
static size_t compress(ZSTD_CCtx *context, struct qn_span raw, uint8_t *out, size_t out_size)
{
    size_t size = ZSTD_compress2(context, out, out_size, raw.data, raw.size);
    if (!ZSTD_isError(size))
        return size;
    QN_ASSERT(ZSTD_getErrorCode(size) == ZSTD_error_dstSize_tooSmall);
    return 0;
}

static void take_samples(struct qn_squeezer *squeezer, struct qn_span raw)
{
    size_t step = (raw.size - SAMPLE_SIZE) / (SAMPLE_COUNT - 1);
    for (size_t i = 0; i < SAMPLE_COUNT; i++)
        memcpy(squeezer->samples + i * SAMPLE_SIZE, raw.data + i * step, SAMPLE_SIZE);
}

/* Two bytes drawn at random are equal four times as often as in noise: then even a code for single
 * bytes saves more than is asked for (at least 5 %: one byte value that is that frequent). */
static bool is_uneven(const uint8_t *samples)
{
    uint32_t counts[256] = {0};
    uint64_t pairs = 0;
    const uint64_t n = SAMPLE_COUNT * COUNTED_SIZE;
    for (size_t i = 0; i < SAMPLE_COUNT; i++)
        for (size_t j = 0; j < COUNTED_SIZE; j++)
            counts[samples[i * SAMPLE_SIZE + j]]++;
    for (size_t i = 0; i < 256; i++)
        pairs += (uint64_t)counts[i] * counts[i];
    return pairs > 4 * n * n / 256;
}

static bool is_promising(struct qn_squeezer *squeezer, struct qn_span raw)
{
    take_samples(squeezer, raw);
    return is_uneven(squeezer->samples) || compress(squeezer->quick, QN_SPAN_OF(squeezer->samples),
                                                    squeezer->probed, worth_size(PROBE_SIZE)) > 0;
}

enum qn_err qn_squeeze(struct qn_squeezer *squeezer, struct qn_span raw, struct qn_buf *out,
                       bool *ret_is_smaller)
{
    size_t size = 0;
    bool is_tried =
        raw.size < PROBE_SIZE_MIN ? raw.size >= TRY_SIZE_MIN : is_promising(squeezer, raw);
    if (is_tried) {
        uint8_t *room = qn_buf_reserve(out, worth_size(raw.size));
        if (room == NULL)
            return QN_ERR_LIMIT;
        size = compress(squeezer->full, raw, room, worth_size(raw.size));
        out->size += size;
    }
    *ret_is_smaller = size > 0;
    return QN_OK;
}

enum qn_err qn_unsqueeze(struct qn_squeezer *squeezer, struct qn_span packed, uint8_t *out,
                         size_t raw_size)
{
    size_t size = ZSTD_decompressDCtx(squeezer->back, out, raw_size, packed.data, packed.size);
    return !ZSTD_isError(size) && size == raw_size ? QN_OK : QN_ERR_CORRUPT;
}
