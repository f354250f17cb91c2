/* sim [--seeds N] [--from S] [--sites N] [--jobs J] [--trace] [--bug NAME]
 *
 * Runs N histories. Prints every failing seed with how to run it again; exit status 1 if there is
 * one. With --sites, of groups of so many, as crowd.c has it. With --bug (test build), a known bug
 * is switched on and the exit status is 0 only if some seed catches it. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/bugs.h"
#include "sim/world.h"

struct options {
    uint64_t from, seeds;
    size_t sites; /* 0: few, by the seed */
    unsigned jobs;
    bool prints;
    const char *bug;
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

static uint64_t run_seed(const struct options *options, uint64_t seed, bool prints,
                         char failure[512])
{
    struct sim_world *world = QN_NEW(struct sim_world);
    struct qn_prng prng = {.state = seed};
    world_init(world, seed, options->sites > 0 ? options->sites : 2 + qn_prng_below(&prng, 4),
               prints);
    if (options->sites > 0)
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
static size_t run_share(const struct options *options, unsigned job)
{
    size_t failures = 0;
    for (uint64_t i = job; i < options->seeds; i += options->jobs) {
        uint64_t seed = options->from + i;
        char failure[512], again[512];
        uint64_t trace = run_seed(options, seed, options->prints, failure);
        if (failure[0] == '\0' && seed % 8 == 0 && options->bug == NULL &&
            run_seed(options, seed, false, again) != trace)
            snprintf(failure, sizeof(failure), "the same seed gave another history");
        if (failure[0] == '\0')
            continue;
        failures++;
        if (options->bug == NULL)
            printf("seed %llu: %s\n  again: sim_group --from %llu --seeds 1 --sites %zu --trace\n",
                   (unsigned long long)seed, failure, (unsigned long long)seed, options->sites);
        else if (options->prints)
            printf("seed %llu: %s\n", (unsigned long long)seed, failure);
        fflush(stdout);
    }
    return failures;
}

static size_t run_jobs(const struct options *options)
{
    int ends[2];
    size_t failures = 0;
    if (options->jobs == 1)
        return run_share(options, 0);
    QN_ASSERT(pipe(ends) == 0);
    fflush(stdout);
    for (unsigned job = 0; job < options->jobs; job++) {
        if (fork() != 0)
            continue;
        size_t mine = run_share(options, job);
        QN_ASSERT(write(ends[1], &mine, sizeof(mine)) == sizeof(mine));
        _exit(0);
    }
    close(ends[1]);
    for (unsigned job = 0; job < options->jobs; job++) {
        size_t theirs;
        if (read(ends[0], &theirs, sizeof(theirs)) != sizeof(theirs))
            theirs = 1; /* a child died */
        failures += theirs;
    }
    close(ends[0]);
    while (wait(NULL) > 0)
        ;
    return failures;
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
        else if (strcmp(argv[i], "--seeds") == 0 && has_more)
            options->seeds = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--from") == 0 && has_more)
            options->from = strtoull(argv[++i], NULL, 10);
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

int main(int argc, char **argv)
{
    struct options options = {
        .from = 1, .seeds = 100, .jobs = (unsigned)sysconf(_SC_NPROCESSORS_ONLN)};
    if (!parse(argc, argv, &options)) {
        fprintf(stderr,
                "usage: %s [--seeds N] [--from S] [--sites N] [--jobs J] [--trace] "
                "[--bug NAME]\n",
                argv[0]);
        return 64;
    }
    size_t failures = run_jobs(&options);
    if (options.bug != NULL) {
        printf("%s: caught by %zu of %llu seeds\n", options.bug, failures,
               (unsigned long long)options.seeds);
        return failures > 0 ? 0 : 1;
    }
    printf("%llu passed, %zu failed\n", (unsigned long long)(options.seeds - failures), failures);
    return failures == 0 ? 0 : 1;
}
