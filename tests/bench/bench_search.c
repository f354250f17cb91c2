/* Searching among many records:
 *
 *     bench_search [--records N] [--questions N] [--folder PATH]
 *
 * Records with names as uneven as those of people, places that many share, a number of their own.
 * Questions as people type them: a name, its beginning, two words, words that are everywhere. One
 * line of JSON: feeding, size, and the time of a question with 20 hits, of all and of each kind. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"
#include "search/index.h"

#define SURNAMES   20000
#define FIRSTNAMES 400
#define TOWNS      60
#define NAME_SIZE  24
#define BATCH      1024
#define HITS       20

enum kind { NAME, BEGINNING, TWO_NAMES, WITH_COMMON, COMMON, NUMBER, KIND_COUNT };

static const char *const kind_names[] = {"name",        "beginning", "two_names",
                                         "with_common", "common",    "number"};

struct bench {
    size_t records, questions;
    const char *folder;
    char dir[256], path[300];
    struct qn_fts *fts;
    struct qn_prng prng;
    char surnames[SURNAMES][NAME_SIZE], firstnames[FIRSTNAMES][NAME_SIZE], towns[TOWNS][NAME_SIZE];
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static size_t below(struct bench *bench, size_t limit)
{
    return (size_t)(qn_prng_next(&bench->prng) % limit);
}

/* Low numbers far more often: as names are. */
static size_t uneven(struct bench *bench, size_t limit)
{
    size_t bound = 1 + below(bench, limit);
    return below(bench, 1 + below(bench, bound));
}

static void make_name(struct bench *bench, char out[NAME_SIZE])
{
    static const char *const syllables[] = {
        "la",  "com", "bé",  "ra",   "vay", "ssi", "ère", "del", "mas", "œu",  "vrard", "ca",
        "zal", "ou",  "gui", "ness", "fon", "tan", "el",  "bor", "ie",  "cas", "tel",   "nau"};
    size_t count = 2 + below(bench, 3), used = 0;
    for (size_t i = 0; i < count; i++)
        used += (size_t)snprintf(out + used, NAME_SIZE - used, "%s",
                                 syllables[below(bench, sizeof(syllables) / sizeof(*syllables))]);
}

static void make_names(struct bench *bench)
{
    for (size_t i = 0; i < SURNAMES; i++)
        make_name(bench, bench->surnames[i]);
    for (size_t i = 0; i < FIRSTNAMES; i++)
        make_name(bench, bench->firstnames[i]);
    for (size_t i = 0; i < TOWNS; i++)
        make_name(bench, bench->towns[i]);
}

/* ---- feeding ---- */

struct record {
    char key[24], text[400];
};

static void make_record(struct bench *bench, size_t number, struct record *out)
{
    snprintf(out->key, sizeof(out->key), "R-%07zu", number);
    snprintf(
        out->text, sizeof(out->text),
        "nom: %s\nprénom: %s\ncommune: %s\nchambre: %zu\nrégime: %s\nnotes: préfère la fenêtre, "
        "visite de %s le jeudi\ntéléphone: 05 65 %02zu %02zu %02zu",
        bench->surnames[uneven(bench, SURNAMES)], bench->firstnames[uneven(bench, FIRSTNAMES)],
        bench->towns[uneven(bench, TOWNS)], below(bench, 300),
        below(bench, 3) == 0 ? "sans sel" : "normal", bench->firstnames[uneven(bench, FIRSTNAMES)],
        below(bench, 100), below(bench, 100), below(bench, 100));
}

static void feed(struct bench *bench)
{
    static struct record records[BATCH];
    static struct qn_search_item items[BATCH];
    for (size_t done = 0; done < bench->records;) {
        struct qn_search_batch batch = {.scope = qn_span_str("c/residents"), .items = items};
        for (; batch.count < BATCH && done < bench->records; batch.count++, done++) {
            make_record(bench, done, &records[batch.count]);
            items[batch.count] =
                (struct qn_search_item){.name = qn_span_str(records[batch.count].key),
                                        .text = qn_span_str(records[batch.count].text)};
        }
        QN_ASSERT(qn_fts_put(bench->fts, &batch) == QN_OK);
    }
}

/* ---- asking ---- */

/* Whole characters: the name's first three. */
static int beginning_of(const char *name)
{
    int size = 0, letters = 0;
    while (name[size] != '\0' && letters < 4)
        letters += ((uint8_t)name[size++] & 0xc0) != 0x80;
    return letters == 4 ? size - 1 : size;
}

static void make_question(struct bench *bench, enum kind kind, char out[128])
{
    const char *surname = bench->surnames[uneven(bench, SURNAMES)];
    const char *firstname = bench->firstnames[uneven(bench, FIRSTNAMES)];
    switch (kind) {
    case NAME:
        snprintf(out, 128, "%s", surname);
        break;
    case BEGINNING:
        snprintf(out, 128, "%.*s", beginning_of(surname), surname);
        break;
    case TWO_NAMES:
        snprintf(out, 128, "%s %s", firstname, surname);
        break;
    case WITH_COMMON:
        snprintf(out, 128, "%s sans sel", surname);
        break;
    case COMMON:
        snprintf(out, 128, "sel normal visite"); /* no record has all: the longest way to none */
        break;
    case NUMBER:
        snprintf(out, 128, "05-65-%02zu-%02zu", below(bench, 100), below(bench, 100));
        break;
    case KIND_COUNT:
        break;
    }
}

static void count_hit(void *context, const struct qn_index_hit *hit)
{
    ++*(size_t *)context;
}

static double ask(struct bench *bench, enum kind kind, size_t *ret_hits)
{
    char typed[128];
    struct qn_search_words words;
    struct qn_span scope = qn_span_str("c/residents");
    make_question(bench, kind, typed);
    uint64_t start = now_ns();
    QN_ASSERT(qn_search_words_read(qn_span_str(typed), &words) == QN_OK);
    QN_ASSERT(qn_fts_find(bench->fts, &words, &scope, 1, HITS, count_hit, ret_hits) == QN_OK);
    return (double)(now_ns() - start) / 1e6;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void print_times(const char *name, double *times, size_t count, size_t hits)
{
    qsort(times, count, sizeof(*times), compare);
    printf(", \"%s\": {\"p50_ms\": %.2f, \"p95_ms\": %.2f, \"max_ms\": %.2f, \"hits\": %zu}", name,
           times[count / 2], times[count * 95 / 100], times[count - 1], hits);
}

static void ask_all(struct bench *bench)
{
    double *all = qn_alloc(bench->questions * KIND_COUNT * sizeof(*all));
    double *times = qn_alloc(bench->questions * sizeof(*times));
    size_t all_hits = 0;
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        size_t hits = 0;
        for (size_t i = 0; i < bench->questions; i++)
            all[(size_t)kind * bench->questions + i] = times[i] =
                ask(bench, (enum kind)kind, &hits);
        print_times(kind_names[kind], times, bench->questions, hits);
        all_hits += hits;
    }
    print_times("all", all, bench->questions * KIND_COUNT, all_hits);
    qn_free(all);
    qn_free(times);
}

/* ---- life ---- */

static void open_index(struct bench *bench)
{
    bool is_new;
    snprintf(bench->dir, sizeof(bench->dir), "%s/bench-search-XXXXXX", bench->folder);
    QN_ASSERT(mkdtemp(bench->dir) != NULL);
    snprintf(bench->path, sizeof(bench->path), "%s/index.db", bench->dir);
    QN_ASSERT(qn_fts_open(bench->path, true, &bench->fts, &is_new) == QN_OK && is_new);
}

static uint64_t close_index(struct bench *bench)
{
    struct stat status;
    qn_fts_close(bench->fts); /* folds the log into the file */
    QN_ASSERT(stat(bench->path, &status) == 0);
    unlink(bench->path);
    rmdir(bench->dir);
    return (uint64_t)status.st_size;
}

static bool parse_arguments(struct bench *bench, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--records") == 0)
            bench->records = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--questions") == 0)
            bench->questions = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--folder") == 0)
            bench->folder = argv[i + 1];
        else
            return false;
    }
    return argc % 2 == 1 && bench->records > 0 && bench->questions > 0;
}

int main(int argc, char **argv)
{
    static struct bench bench = {.records = 1000000, .questions = 200, .folder = ".", .prng = {1}};
    if (!parse_arguments(&bench, argc, argv)) {
        fprintf(stderr, "bench_search [--records N] [--questions N] [--folder PATH]\n");
        return 2;
    }
    make_names(&bench);
    open_index(&bench);
    uint64_t start = now_ns();
    feed(&bench);
    double seconds = (double)(now_ns() - start) / 1e9;
    printf("{\"bench\": \"search\", \"records\": %zu, \"feed_s\": %.1f, \"feed_per_s\": %.0f",
           bench.records, seconds, (double)bench.records / seconds);
    ask_all(&bench);
    printf(", \"index_bytes\": %llu}\n", (unsigned long long)close_index(&bench));
    return 0;
}
