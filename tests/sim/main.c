/* sim [--seeds N] [--from S] [--sites N] [--hard] [--jobs J] [--trace] [--bug NAME [--count]]
 *     [--table]
 *
 * Runs N histories. Prints every failing seed with how to run it again; exit status 1 if there is
 * one. With --sites, of groups of so many, as crowd.c has it; with --twice, of machines that go
 * back in time (twice.c); with --hard, with the knots of knots.c, logs that rot and recalled copies
 * (recall.c), as always with a bug. With --bug (test build), a known bug is switched on and the
 * exit status is 0 only if some seed catches it, that is, fails with the bug and passes without it:
 * the first that does is the last that runs, unless all are to be counted. A seed that fails
 * without the bug as well is told, and says nothing of it. --table counts for every bug, in the
 * form in which docs/testing.md has it. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/bugs.h"
#include "sim/world.h"

struct options {
    uint64_t from, seeds;
    bool with_twins, is_hard;
    size_t sites; /* 0: few, by the seed */
    unsigned jobs;
    bool prints, counts, is_table;
    const char *bug;
};

struct tally {
    uint64_t failures, first; /* first: a seed, if there are failures */
    bool has_died;            /* a job: it says nothing of any seed */
};

static const char *const bug_names[QN_BUG_COUNT] = {
    [QN_BUG_NO_DEPENDENCY_CHECK] = "no-dependency-check",
    [QN_BUG_DOT_REUSE] = "dot-reuse",
    [QN_BUG_REMOVE_ALL_FIELDS] = "remove-all-fields",
    [QN_BUG_ACK_BEFORE_COMMIT] = "ack-before-commit",
    [QN_BUG_CLOCK_APART] = "clock-apart",
    [QN_BUG_CLOCK_DROPPED] = "clock-dropped",
    [QN_BUG_LAST_ARRIVAL_WINS] = "last-arrival-wins",
    [QN_BUG_COMPARE_UNEQUAL] = "compare-unequal",
    [QN_BUG_XOR_FINGERPRINT] = "xor-fingerprint",
    [QN_BUG_GAP_ACCEPTED] = "gap-accepted",
    [QN_BUG_HELD_BEFORE_COMMIT] = "held-before-commit",
    [QN_BUG_LOCK_IGNORED] = "lock-ignored",
    [QN_BUG_ROT_MERGED] = "rot-merged",
    [QN_BUG_COPY_UNEQUAL] = "copy-unequal",
    [QN_BUG_PAGE_CLAIMS] = "page-claims",
    [QN_BUG_STALE_PAGE_CLOCK] = "stale-page-clock",
    [QN_BUG_NO_SEGMENTS] = "no-segments",
    [QN_BUG_LATE_SERVES] = "late-serves",
};

/* Mostly a few, since they take less time; up to as many as are all connected to one another. */
static size_t sites_of(uint64_t seed)
{
    struct qn_prng prng = {.state = seed};
    size_t few = 2 + qn_prng_below(&prng, 4);
    return qn_prng_below(&prng, 8) == 0 ? 6 + qn_prng_below(&prng, 4) : few;
}

static uint64_t run_seed(const struct options *options, uint64_t seed, bool prints,
                         char failure[512])
{
    struct sim_world *world = QN_NEW(struct sim_world);
    world_init(world, seed, options->sites > 0 ? options->sites : sites_of(seed), prints);
    world->is_hard = options->is_hard || options->bug != NULL;
    if (options->with_twins)
        twice_run(world);
    else if (options->sites > 0)
        crowd_run(world);
    else
        schedule_run(world);
    snprintf(failure, 512, "%s", world->failure);
    uint64_t trace = world->trace;
    world_deinit(world);
    qn_free(world);
    return trace;
}

/* Every eighth seed runs twice: the same seed is the same history. */
static bool is_good(const struct options *options, uint64_t seed, char failure[512])
{
    char again[512];
    uint64_t trace = run_seed(options, seed, options->prints, failure);
    if (failure[0] == '\0' && seed % 8 == 0 && options->bug == NULL &&
        run_seed(options, seed, false, again) != trace)
        snprintf(failure, 512, "the same seed gave another history");
    return failure[0] == '\0';
}

/* What a failure proves: with the bug switched off the same seed has to pass. */
static bool is_of_bug(const struct options *options, uint64_t seed)
{
    bool is_of_bug = true;
#ifdef QN_WITH_BUGS
    char failure[512];
    uint32_t bugs = qn_bugs;
    qn_bugs = 0;
    run_seed(options, seed, false, failure);
    qn_bugs = bugs;
    is_of_bug = failure[0] == '\0';
    if (!is_of_bug)
        printf("seed %llu fails without a bug: %s\n", (unsigned long long)seed, failure);
    fflush(stdout);
#endif
    return is_of_bug;
}

static void tell(const struct options *options, uint64_t seed, const char *failure)
{
    if (options->bug == NULL)
        printf("seed %llu: %s\n  again: sim_group --from %llu --seeds 1 --sites %zu%s --trace\n",
               (unsigned long long)seed, failure, (unsigned long long)seed, options->sites,
               options->is_hard ? " --hard" : "");
    else if (options->prints)
        printf("seed %llu: %s\n", (unsigned long long)seed, failure);
    fflush(stdout);
}

/* `ended` is shared by the jobs. */
static struct tally run_share(const struct options *options, unsigned job, volatile bool *ended)
{
    struct tally tally = {0};
    for (uint64_t i = job; i < options->seeds && !*ended; i += options->jobs) {
        char failure[512];
        if (is_good(options, options->from + i, failure))
            continue;
        if (options->bug != NULL && !is_of_bug(options, options->from + i))
            continue;
        tell(options, options->from + i, failure);
        if (tally.failures++ == 0)
            tally.first = options->from + i;
        *ended = options->bug != NULL && !options->counts;
    }
    return tally;
}

static void add(struct tally *sum, const struct tally *tally)
{
    if (tally->failures > 0 && (sum->failures == 0 || tally->first < sum->first))
        sum->first = tally->first;
    sum->failures += tally->failures;
    sum->has_died |= tally->has_died;
}

static struct tally run_jobs(const struct options *options)
{
    int ends[2];
    struct tally sum = {0}, mine;
    volatile bool *ended = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    QN_ASSERT(ended != MAP_FAILED && pipe(ends) == 0);
    fflush(stdout);
    for (unsigned job = 0; job < options->jobs; job++) {
        if (options->jobs > 1 && fork() != 0)
            continue;
        mine = run_share(options, job, ended);
        QN_ASSERT(write(ends[1], &mine, sizeof(mine)) == sizeof(mine));
        if (options->jobs > 1)
            _exit(0);
    }
    close(ends[1]);
    for (unsigned job = 0; job < options->jobs; job++) {
        if (read(ends[0], &mine, sizeof(mine)) != sizeof(mine))
            mine = (struct tally){.failures = options->bug == NULL, .has_died = true};
        add(&sum, &mine);
    }
    close(ends[0]);
    while (wait(NULL) > 0)
        ;
    munmap((void *)ended, 1);
    return sum;
}

static bool switch_bug(const char *name)
{
    for (unsigned bug = 0; bug < QN_BUG_COUNT; bug++)
        if (bug_names[bug] != NULL && strcmp(bug_names[bug], name) == 0) {
#ifdef QN_WITH_BUGS
            qn_bugs = 1u << bug;
            return true;
#endif
        }
    return false;
}

static bool parse(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        bool has_more = i + 1 < argc;
        if (strcmp(argv[i], "--trace") == 0)
            options->prints = true;
        else if (strcmp(argv[i], "--count") == 0)
            options->counts = true;
        else if (strcmp(argv[i], "--table") == 0)
            options->counts = options->is_table = true;
        else if (strcmp(argv[i], "--seeds") == 0 && has_more)
            options->seeds = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--from") == 0 && has_more)
            options->from = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--twice") == 0)
            options->with_twins = true;
        else if (strcmp(argv[i], "--hard") == 0)
            options->is_hard = true;
        else if (strcmp(argv[i], "--sites") == 0 && has_more)
            options->sites = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--jobs") == 0 && has_more)
            options->jobs = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--bug") == 0 && has_more)
            options->bug = argv[++i];
        else
            return false;
    }
    return options->jobs > 0 && options->sites <= SIM_SITES_MAX &&
           (options->bug == NULL || switch_bug(options->bug));
}

static int show_bug(const struct options *options)
{
    struct tally tally = run_jobs(options);
    if (tally.failures == 0)
        printf("%s: not caught by %llu seeds\n", options->bug, (unsigned long long)options->seeds);
    else if (!options->counts)
        printf("%s: caught by seed %llu\n", options->bug, (unsigned long long)tally.first);
    else
        printf("%s: caught by %llu of %llu seeds, first by %llu\n", options->bug,
               (unsigned long long)tally.failures, (unsigned long long)options->seeds,
               (unsigned long long)tally.first);
    return tally.failures > 0 && !tally.has_died ? 0 : 1;
}

static int show_table(struct options *options)
{
    int status = 0;
    printf("| bug | of %llu seeds | first |\n|---|---|---|\n", (unsigned long long)options->seeds);
    for (unsigned bug = 0; bug < QN_BUG_COUNT; bug++) {
        options->bug = bug_names[bug];
        if (options->bug == NULL || !switch_bug(options->bug))
            continue;
        struct tally tally = run_jobs(options);
        printf("| %s | %llu | %llu |\n", options->bug, (unsigned long long)tally.failures,
               (unsigned long long)tally.first);
        status |= tally.failures == 0 || tally.has_died;
    }
    return status;
}

int main(int argc, char **argv)
{
    struct options options = {
        .from = 1, .seeds = 100, .jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN)};
    if (!parse(argc, argv, &options)) {
        fprintf(stderr,
                "usage: %s [--seeds N] [--from S] [--sites N] [--jobs J] [--trace] "
                "[--twice] [--hard] [--bug NAME [--count]] [--table]\n",
                argv[0]);
        return 64;
    }
    if (options.is_table)
        return show_table(&options);
    if (options.bug != NULL)
        return show_bug(&options);
    struct tally tally = run_jobs(&options);
    printf("%llu passed, %llu failed\n", (unsigned long long)(options.seeds - tally.failures),
           (unsigned long long)tally.failures);
    return tally.failures == 0 ? 0 : 1;
}
