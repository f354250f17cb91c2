/* How fast the store makes writes durable, with an applier that does nothing but put them:
 *
 *     bench_store [--seconds S] [--folder PATH] [--value BYTES]
 *
 * single: the next write is submitted when the last one is durable. grouped: so many are on their
 * way at any time. Latencies are from submission to collection. One line of JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/prng.h"
#include "os/os.h"
#include "store/store.h"
#include "support/fake_applier.h"

#define WINDOW      2000
#define SAMPLES_MAX ((size_t)1 << 22)

struct bench {
    double seconds;
    const char *folder;
    size_t value_size;
    char path[256];
    struct qn_store *store;
    struct fake *fake;
    struct qn_prng prng;
    sem_t notified;
    uint64_t *sent_ns; /* by token */
    uint64_t *latency_ns;
    size_t submitted, collected, transactions;
};

struct figures {
    double writes_per_s, p50_ms, p99_ms, writes_per_txn;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void notify(void *context)
{
    struct bench *bench = context;
    sem_post(&bench->notified);
}

static uint64_t random_number(void *context)
{
    return 4711;
}

static uint64_t wall_ms(void *context)
{
    return qn_os_wall_ms();
}

/* Keys are random, as those of records are: the worst case for the pages that a commit writes. */
static void submit_one(struct bench *bench)
{
    uint8_t key[24] = {0}, value[4096] = {0};
    qn_write_u64(key, qn_prng_next(&bench->prng));
    bench->sent_ns[bench->submitted] = now_ns();
    QN_ASSERT(qn_store_submit(bench->store, fake_put(bench->submitted, QN_SPAN_OF(key),
                                                     qn_span(value, bench->value_size))) == QN_OK);
    bench->submitted++;
}

static void collect(struct bench *bench)
{
    while (sem_wait(&bench->notified) != 0)
        QN_ASSERT(errno == EINTR);
    uint64_t now = now_ns();
    struct qn_commit *next;
    for (struct qn_commit *it = qn_store_collect(bench->store); it != NULL; it = next) {
        qn_vec_each (&it->outcomes, outcome) {
            QN_ASSERT(outcome->err == QN_OK);
            bench->latency_ns[bench->collected++] = now - bench->sent_ns[outcome->token];
        }
        bench->transactions++;
        next = it->next;
        qn_commit_free(it);
    }
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static struct figures evaluate(struct bench *bench, uint64_t elapsed_ns)
{
    size_t count = bench->collected;
    QN_ASSERT(count > 0);
    qsort(bench->latency_ns, count, sizeof(uint64_t), compare);
    return (struct figures){
        .writes_per_s = (double)count * 1e9 / (double)elapsed_ns,
        .p50_ms = (double)bench->latency_ns[count / 2] / 1e6,
        .p99_ms = (double)bench->latency_ns[count * 99 / 100] / 1e6,
        .writes_per_txn = (double)count / (double)bench->transactions,
    };
}

static struct figures run(struct bench *bench, size_t window)
{
    uint64_t start = now_ns(), end = start + (uint64_t)(bench->seconds * 1e9);
    bench->submitted = bench->collected = bench->transactions = 0;
    while (now_ns() < end && bench->submitted + window < SAMPLES_MAX) {
        while (bench->submitted - bench->collected < window)
            submit_one(bench);
        collect(bench);
    }
    while (bench->collected < bench->submitted)
        collect(bench);
    return evaluate(bench, now_ns() - start);
}

static void open_store(struct bench *bench)
{
    snprintf(bench->path, sizeof(bench->path), "%s/bench-store-XXXXXX", bench->folder);
    QN_ASSERT(mkdtemp(bench->path) != NULL);
    const struct qn_store_options options = {.path = bench->path,
                                             .map_size = (size_t)4 << 30,
                                             .wall_ms = wall_ms,
                                             .entropy = random_number};
    QN_ASSERT(qn_store_open(&options, &bench->store) == QN_OK);
    bench->fake = fake_new();
    sem_init(&bench->notified, 0, 0);
    bench->sent_ns = qn_alloc(SAMPLES_MAX * sizeof(uint64_t));
    bench->latency_ns = qn_alloc(SAMPLES_MAX * sizeof(uint64_t));
    QN_ASSERT(qn_store_start(bench->store, fake_applier(bench->fake), notify, bench) == QN_OK);
}

static void close_store(struct bench *bench)
{
    static const char *const names[] = {"data.mdb", "lock.mdb", "lock.quoin"};
    qn_store_close(bench->store);
    fake_free(bench->fake);
    qn_free(bench->sent_ns);
    qn_free(bench->latency_ns);
    sem_destroy(&bench->notified);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[300];
        snprintf(path, sizeof(path), "%s/%s", bench->path, names[i]);
        unlink(path);
    }
    rmdir(bench->path);
}

static void print_figures(const char *name, const struct figures *figures)
{
    printf("\"%s\": {\"writes_per_s\": %.0f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
           "\"writes_per_txn\": %.1f}, ",
           name, figures->writes_per_s, figures->p50_ms, figures->p99_ms, figures->writes_per_txn);
}

static bool parse_arguments(struct bench *bench, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0)
            bench->seconds = strtod(argv[i + 1], NULL);
        else if (strcmp(argv[i], "--folder") == 0)
            bench->folder = argv[i + 1];
        else if (strcmp(argv[i], "--value") == 0)
            bench->value_size = strtoul(argv[i + 1], NULL, 10);
        else
            return false;
    }
    return argc % 2 == 1 && bench->seconds > 0 && bench->value_size <= 4096;
}

int main(int argc, char **argv)
{
    struct bench bench = {.seconds = 3, .folder = ".", .value_size = 200, .prng = {1}};
    if (!parse_arguments(&bench, argc, argv)) {
        fprintf(stderr, "bench_store [--seconds S] [--folder PATH] [--value BYTES]\n");
        return 2;
    }
    open_store(&bench);
    struct figures single = run(&bench, 1);
    struct figures grouped = run(&bench, WINDOW);
    struct qn_store_health health;
    struct rusage usage;
    qn_store_health(bench.store, &health);
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"bench\": \"store\", \"value_bytes\": %zu, ", bench.value_size);
    print_figures("single", &single);
    print_figures("grouped", &grouped);
    printf("\"window\": %d, \"map_used_bytes\": %llu, \"rss_max_kib\": %ld}\n", WINDOW,
           (unsigned long long)health.map_used, usage.ru_maxrss);
    close_store(&bench);
    return 0;
}
