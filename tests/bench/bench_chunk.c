/* How fast one thread turns files into packs, step by step and all in a row:
 *
 *     bench_chunk [--mib SIZE] [--file PATH] [--runs N]
 *
 * Of the file's first SIZE MiB, or of as much made-up text; noise is as much that does not shrink.
 * The best of N runs, in GB of input (10^9 bytes) a second of one core. One line of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"
#include "chunk/chunker.h"
#include "chunk/pack.h"

#define PACK_GOAL ((size_t)8 * 1024 * 1024)

struct bench {
    struct qn_span input;
    struct qn_vault_keys keys;
    struct qn_chunker *chunker;
    struct qn_mac *mac;
    struct qn_squeezer *squeezer;
    struct qn_packer *packer;
    struct qn_buf squeezed;
    QN_VEC(struct qn_span) chunks;
    unsigned runs;
    size_t stored, packs;
};

/* Of the processor, so that what else runs on the machine counts less. */
static double now_s(void)
{
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void cut(struct bench *bench)
{
    struct qn_span rest = bench->input;
    bench->chunks.count = 0;
    while (rest.size > 0) {
        size_t size = qn_chunker_cut(bench->chunker, rest, true);
        qn_vec_push(&bench->chunks, qn_span(rest.data, size));
        rest = qn_span_from(rest, size);
    }
}

static void name(struct bench *bench)
{
    struct qn_digest digest;
    qn_vec_each (&bench->chunks, chunk)
        qn_mac_of(bench->mac, *chunk, &digest);
}

static bool squeeze_one(struct bench *bench, struct qn_span chunk)
{
    bool is_smaller = false;
    qn_buf_reset(&bench->squeezed);
    QN_ASSERT(qn_squeeze(bench->squeezer, chunk, &bench->squeezed, &is_smaller) == QN_OK);
    return is_smaller;
}

static void squeeze(struct bench *bench)
{
    bench->stored = 0;
    qn_vec_each (&bench->chunks, chunk)
        bench->stored += squeeze_one(bench, *chunk) ? bench->squeezed.size : chunk->size;
}

static void start_pack(struct bench *bench)
{
    uint8_t salt[32] = {0};
    qn_write_u64(salt, bench->packs++);
    qn_packer_start(bench->packer, QN_PACK_DATA, salt);
}

static void finish_pack(struct bench *bench)
{
    struct qn_span bytes;
    struct qn_pack_name pack_name;
    const struct qn_blob *blobs;
    size_t count;
    QN_ASSERT(qn_packer_finish(bench->packer, &bytes, &pack_name, &blobs, &count) == QN_OK);
}

static void pack_one(struct bench *bench, const struct qn_chunk_id *id, struct qn_span stored,
                     size_t raw_size, bool finishes)
{
    struct qn_blob blob;
    if (!qn_packer_has_room(bench->packer, stored.size)) {
        if (finishes)
            finish_pack(bench);
        start_pack(bench);
    }
    QN_ASSERT(qn_packer_add(bench->packer, QN_BLOB_DATA, id, stored, raw_size,
                            stored.size < raw_size, &blob) == QN_OK);
}

static void seal(struct bench *bench)
{
    static const struct qn_chunk_id id;
    start_pack(bench);
    qn_vec_each (&bench->chunks, chunk)
        pack_one(bench, &id, *chunk, chunk->size, false);
}

static void chain(struct bench *bench)
{
    cut(bench);
    start_pack(bench);
    qn_vec_each (&bench->chunks, chunk) {
        struct qn_digest digest;
        struct qn_chunk_id id;
        qn_mac_of(bench->mac, *chunk, &digest);
        memcpy(id.bytes, digest.bytes, sizeof(id.bytes));
        struct qn_span stored = squeeze_one(bench, *chunk) ? qn_buf_view(&bench->squeezed) : *chunk;
        pack_one(bench, &id, stored, chunk->size, true);
    }
    finish_pack(bench);
}

static double gb_per_s(struct bench *bench, void (*step)(struct bench *bench))
{
    double best = 0;
    for (unsigned i = 0; i < bench->runs; i++) {
        double start = now_s();
        step(bench);
        double figure = (double)bench->input.size / 1e9 / (now_s() - start);
        best = figure > best ? figure : best;
    }
    return best;
}

static double at_level(struct bench *bench, int level, void (*step)(struct bench *bench))
{
    qn_squeezer_free(bench->squeezer);
    bench->squeezer = qn_squeezer_new(level);
    return gb_per_s(bench, step);
}

static void measure(struct bench *bench, const char *what, struct qn_span input)
{
    bench->input = input;
    printf("\"%s\": {\"cut\": %.2f, ", what, gb_per_s(bench, cut));
    printf("\"mean_chunk_bytes\": %zu, ", input.size / bench->chunks.count);
    printf("\"id\": %.2f, \"seal\": %.2f, ", gb_per_s(bench, name), gb_per_s(bench, seal));
    for (int level = 1; level <= 3; level += 2) {
        double squeezed = at_level(bench, level, squeeze);
        printf("\"squeeze_%d\": %.2f, \"ratio_%d\": %.3f, ", level, squeezed, level,
               (double)bench->stored / (double)input.size);
    }
    printf("\"chain_1\": %.2f, ", at_level(bench, 1, chain));
    printf("\"chain_3\": %.2f}", at_level(bench, 3, chain));
}

/* Lines as of a list of people: words from a small stock, and numbers. */
static void make_text(uint8_t *out, size_t size, struct qn_prng *prng)
{
    static const char *const words[] = {
        "resident", "room",   "medication", "Marchand", "morning", "evening", "appointment",
        "Dr",       "visit",  "family",     "note",     "weight",  "blood",   "pressure",
        "lunch",    "Lefort", "breakfast",  "physio",   "nurse",   "signed",  "2026-11-"};
    size_t count = sizeof(words) / sizeof(words[0]);
    for (size_t at = 0; at < size;) {
        char line[64];
        int length =
            snprintf(line, sizeof(line), "%s %s %u;%c", words[qn_prng_below(prng, count)],
                     words[qn_prng_below(prng, count)], (unsigned)qn_prng_below(prng, 100000),
                     qn_prng_below(prng, 4) == 0 ? '\n' : ' ');
        size_t taken = (size_t)length < size - at ? (size_t)length : size - at;
        memcpy(out + at, line, taken);
        at += taken;
    }
}

static void make_noise(uint8_t *out, size_t size, struct qn_prng *prng)
{
    for (size_t at = 0; at + 8 <= size; at += 8)
        qn_write_u64(out + at, qn_prng_next(prng));
}

static size_t read_input(const char *path, uint8_t *out, size_t size)
{
    FILE *file = fopen(path, "rb");
    QN_ASSERT(file != NULL);
    size = fread(out, 1, size, file);
    fclose(file);
    QN_ASSERT(size > 0);
    return size;
}

static bool parse_arguments(int argc, char **argv, size_t *mib, unsigned *runs, const char **path)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--mib") == 0)
            *mib = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--runs") == 0)
            *runs = (unsigned)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--file") == 0)
            *path = argv[i + 1];
        else
            return false;
    }
    return argc % 2 == 1 && *mib > 0 && *mib <= 4096 && *runs > 0;
}

static void make_bench(struct bench *bench)
{
    static const uint8_t master[QN_MASTER_KEY_SIZE] = {1};
    qn_vault_keys_init(&bench->keys, master, 1);
    bench->chunker = qn_chunker_new(bench->keys.chunker);
    bench->mac = qn_mac_new(QN_SPAN_OF(bench->keys.id));
    bench->packer = qn_packer_new(&bench->keys, PACK_GOAL);
    qn_buf_init(&bench->squeezed, QN_CHUNK_SIZE_MAX);
}

static void destroy_bench(struct bench *bench)
{
    qn_chunker_free(bench->chunker);
    qn_mac_free(bench->mac);
    qn_squeezer_free(bench->squeezer);
    qn_packer_free(bench->packer);
    qn_buf_deinit(&bench->squeezed);
    qn_vec_free(&bench->chunks);
    qn_vault_keys_deinit(&bench->keys);
}

int main(int argc, char **argv)
{
    size_t mib = 256;
    const char *path = NULL;
    struct qn_prng prng = {.state = 1};
    struct bench bench = {.runs = 3};
    if (!parse_arguments(argc, argv, &mib, &bench.runs, &path)) {
        fprintf(stderr, "bench_chunk [--mib SIZE] [--file PATH] [--runs N]\n");
        return 2;
    }
    size_t size = mib << 20, noise_size = size;
    uint8_t *input = qn_alloc(size);
    make_bench(&bench);
    if (path != NULL)
        size = read_input(path, input, size);
    else
        make_text(input, size, &prng);
    printf("{\"bench\": \"chunk\", \"unit\": \"GB/s\", \"mib\": %zu, ", size >> 20);
    measure(&bench, "text", qn_span(input, size));
    make_noise(input, noise_size, &prng);
    printf(", ");
    measure(&bench, "noise", qn_span(input, noise_size));
    printf("}\n");
    destroy_bench(&bench);
    qn_free(input);
    return 0;
}
