#include "chunk/squeeze.h"

#include <zstd.h>
#include <zstd_errors.h>

#include "base/assert.h"
#include "base/mem.h"

#define TRY_SIZE_MIN   64   /* a smaller input would not pay for the frame around it */
#define PROBE_SIZE_MIN 8192 /* a smaller input is tried as a whole */
#define SAMPLE_COUNT   4
#define SAMPLE_SHARE   16   /* each is so much of the input, */
#define SAMPLE_SIZE    4096 /* at most */

/* What repeats is searched as the wished level does it, or quickly and only where it is long. Where
 * words or rows repeat (prose, logs, dumps), short matches are poor bargains: without them the
 * result is smaller, and comes sooner. Programs and pictures are the other way round. */
enum search { SEARCH_NONE, SEARCH_LEVEL, SEARCH_LONG, SEARCH_LONGER };

#define LONG_LEVEL_MAX   3 /* higher levels weigh matches by themselves */
#define LONG_MATCH_MIN   6 /* bytes */
#define LONGER_MATCH_MIN 7
#define LONG_HASH_LOG    18
/* Of the samples' size at the level. In the whole, long matches gain more: a bit more is enough. */
#define LONG_PERMILLE 1004

/* Of samples that shrink as well as others did a short while ago, only that is tried: they are of
 * the same kind, and what was best for those is best for them. */
#define KINDS         4
#define KIND_PERMILLE 20 /* of the samples: so much more or less is the same */
#define KIND_USES_MAX 16 /* then everything is tried again */

struct kind {
    enum search search; /* SEARCH_NONE: free */
    size_t samples_size, permille, uses;
};

struct context {
    ZSTD_CCtx *zstd;
    int level;
    enum search search; /* what it is set to */
};

/* zstd gives the memory of a context back when what it is used for is much smaller, and takes it
 * anew for the next large one: samples have a context of their own. */
struct qn_squeezer {
    struct context whole, sample;
    ZSTD_DCtx *back;
    struct kind kinds[KINDS];
    size_t next_kind; /* that is forgotten for a new one */
    uint8_t samples[SAMPLE_COUNT * SAMPLE_SIZE], probed[SAMPLE_COUNT * SAMPLE_SIZE];
};

static void set(struct context *context, ZSTD_cParameter parameter, int value)
{
    QN_ASSERT(!ZSTD_isError(ZSTD_CCtx_setParameter(context->zstd, parameter, value)));
}

/* 0 is what zstd would choose. */
static void set_search(struct context *context, enum search search)
{
    if (context->search == search)
        return;
    bool is_long = search != SEARCH_LEVEL;
    int match_min = search == SEARCH_LONG ? LONG_MATCH_MIN : LONGER_MATCH_MIN;
    set(context, ZSTD_c_compressionLevel, is_long ? 1 : context->level);
    set(context, ZSTD_c_strategy, is_long ? ZSTD_fast : 0);
    set(context, ZSTD_c_minMatch, is_long ? match_min : 0);
    set(context, ZSTD_c_hashLog, is_long ? LONG_HASH_LOG : 0);
    context->search = search;
}

static void context_init(struct context *context, int level)
{
    *context = (struct context){.zstd = ZSTD_createCCtx(), .level = level};
    QN_ASSERT(context->zstd != NULL);
    /* The size stands in the blob's header, and the seal is the checksum. */
    set(context, ZSTD_c_contentSizeFlag, 0);
}

struct qn_squeezer *qn_squeezer_new(int level)
{
    QN_ASSERT(level >= 1 && level <= 19);
    struct qn_squeezer *squeezer = QN_NEW(struct qn_squeezer);
    context_init(&squeezer->whole, level);
    context_init(&squeezer->sample, level);
    squeezer->back = ZSTD_createDCtx();
    QN_ASSERT(squeezer->back != NULL);
    return squeezer;
}

void qn_squeezer_free(struct qn_squeezer *squeezer)
{
    if (squeezer == NULL)
        return;
    ZSTD_freeCCtx(squeezer->whole.zstd);
    ZSTD_freeCCtx(squeezer->sample.zstd);
    ZSTD_freeDCtx(squeezer->back);
    qn_free(squeezer);
}

/* What a form that is worth having takes at most: 3 % less. */
static size_t worth_size(size_t raw_size)
{
    return raw_size - raw_size / 32 - 1;
}

/* Size of the compressed form in `out`, or 0 if it would be larger than out_size. */
static size_t compress(struct context *context, enum search search, struct qn_span raw,
                       uint8_t *out, size_t out_size)
{
    set_search(context, search);
    size_t size = ZSTD_compress2(context->zstd, out, out_size, raw.data, raw.size);
    if (!ZSTD_isError(size))
        return size;
    QN_ASSERT(ZSTD_getErrorCode(size) == ZSTD_error_dstSize_tooSmall);
    return 0;
}

static struct qn_span take_samples(struct qn_squeezer *squeezer, struct qn_span raw)
{
    size_t share = raw.size / SAMPLE_SHARE, size = share < SAMPLE_SIZE ? share : SAMPLE_SIZE;
    size_t step = (raw.size - size) / (SAMPLE_COUNT - 1);
    for (size_t i = 0; i < SAMPLE_COUNT; i++)
        memcpy(squeezer->samples + i * size, raw.data + i * step, size);
    return qn_span(squeezer->samples, SAMPLE_COUNT * size);
}

static size_t try_samples(struct qn_squeezer *squeezer, enum search search, struct qn_span samples)
{
    return compress(&squeezer->sample, search, samples, squeezer->probed, worth_size(samples.size));
}

/* ---- kinds of content ---- */

static size_t permille_of(size_t size, struct qn_span samples)
{
    return size * 1000 / samples.size;
}

/* Samples of small inputs shrink less: they are compared with such of about the same size. */
static bool is_of_kind(const struct kind *kind, struct qn_span samples, size_t permille)
{
    bool is_close =
        permille + KIND_PERMILLE >= kind->permille && permille <= kind->permille + KIND_PERMILLE;
    bool is_alike =
        samples.size * 4 <= kind->samples_size * 5 && kind->samples_size * 4 <= samples.size * 5;
    return kind->search != SEARCH_NONE && is_close && is_alike;
}

static struct kind *find_kind(struct qn_squeezer *squeezer, struct qn_span samples, size_t permille)
{
    for (size_t i = 0; i < KINDS; i++)
        if (is_of_kind(&squeezer->kinds[i], samples, permille))
            return &squeezer->kinds[i];
    return NULL;
}

static void remember(struct qn_squeezer *squeezer, struct qn_span samples, size_t permille,
                     enum search search)
{
    struct kind *kind = find_kind(squeezer, samples, permille);
    if (kind == NULL)
        kind = &squeezer->kinds[squeezer->next_kind++ % KINDS];
    *kind = (struct kind){.search = search, .samples_size = samples.size, .permille = permille};
}

/* ---- choosing ---- */

static bool is_long_better(size_t with_long, size_t with_level)
{
    return with_level == 0 || with_long * 1000 <= with_level * LONG_PERMILLE;
}

static enum search try_others(struct qn_squeezer *squeezer, struct qn_span samples,
                              size_t with_long)
{
    size_t with_level = try_samples(squeezer, SEARCH_LEVEL, samples);
    if (!is_long_better(with_long, with_level))
        return SEARCH_LEVEL;
    size_t with_longer = try_samples(squeezer, SEARCH_LONGER, samples);
    return with_longer > 0 && with_longer < with_long ? SEARCH_LONGER : SEARCH_LONG;
}

static enum search probe_level(struct qn_squeezer *squeezer, struct qn_span samples)
{
    return try_samples(squeezer, SEARCH_LEVEL, samples) > 0 ? SEARCH_LEVEL : SEARCH_NONE;
}

/* How the samples say that it should be tried; SEARCH_NONE: it does not shrink. */
static enum search probe(struct qn_squeezer *squeezer, struct qn_span raw)
{
    struct qn_span samples = take_samples(squeezer, raw);
    size_t with_long = 0;
    if (squeezer->whole.level <= LONG_LEVEL_MAX)
        with_long = try_samples(squeezer, SEARCH_LONG, samples);
    if (with_long == 0)
        return probe_level(squeezer, samples);
    size_t permille = permille_of(with_long, samples);
    struct kind *kind = find_kind(squeezer, samples, permille);
    if (kind != NULL && kind->uses++ < KIND_USES_MAX)
        return kind->search;
    enum search search = try_others(squeezer, samples, with_long);
    remember(squeezer, samples, permille, search);
    return search;
}

static enum search choose(struct qn_squeezer *squeezer, struct qn_span raw)
{
    if (raw.size >= PROBE_SIZE_MIN)
        return probe(squeezer, raw);
    return raw.size >= TRY_SIZE_MIN ? SEARCH_LEVEL : SEARCH_NONE;
}

enum qn_err qn_squeeze(struct qn_squeezer *squeezer, struct qn_span raw, struct qn_buf *out,
                       bool *ret_is_smaller)
{
    size_t size = 0;
    enum search search = choose(squeezer, raw);
    if (search != SEARCH_NONE) {
        uint8_t *room = qn_buf_reserve(out, worth_size(raw.size));
        if (room == NULL)
            return QN_ERR_LIMIT;
        size = compress(&squeezer->whole, search, raw, room, worth_size(raw.size));
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
