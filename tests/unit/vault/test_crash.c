/* Jobs that are killed at any point: whatever was committed stays whole, and nobody has to repair
 * anything. QN_CRASH_ROUNDS sets how often (100). Where exactly a round dies differs from run to
 * run; what has to hold does not.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "support/span.h"
#include "world.h"

#define FILES       60
#define OPEN_MS_MAX 1000 /* after a kill */

static void mutate(struct world *w)
{
    char name[64];
    for (int i = 0; i < 10; i++) {
        uint64_t file = qn_prng_below(&w->prng, FILES);
        snprintf(name, sizeof(name), "d%d/f%d", (int)(file / 20), (int)file);
        world_random_file(w, name, qn_prng_below(&w->prng, 60000));
    }
    world_random_file(w, "large", 1500000 + qn_prng_below(&w->prng, 100000));
}

static void forget_oldest(struct world *w, size_t kept)
{
    qn_snapshot_vec snapshots = {0};
    cr_assert_eq(qn_vault_snapshots(w->vault, NULL, NULL, NULL, &snapshots), QN_OK);
    for (size_t i = 0; i + kept < snapshots.count; i++)
        cr_assert_eq(qn_vault_forget(w->vault, &snapshots.items[i].name), QN_OK);
    qn_snapshots_deinit(&snapshots);
}

/* What a child does until it is killed. */
static void work(struct world *w)
{
    world_open(w);
    for (;;) {
        mutate(w);
        world_backup(w, NULL);
        world_restore(w);
        forget_oldest(w, 3);
        world_prune(w, qn_prng_below(&w->prng, 2) == 0 ? 0 : 10);
    }
}

static void run_and_kill(struct world *w, uint64_t seed)
{
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        w->prng.state = seed;
        work(w);
        _exit(1);
    }
    uint64_t wait_us = 1000 + qn_prng_below(&w->prng, 50000 + qn_prng_below(&w->prng, 550000));
    struct timespec wait = {.tv_sec = (time_t)(wait_us / 1000000),
                            .tv_nsec = (long)(wait_us % 1000000) * 1000};
    nanosleep(&wait, NULL);
    int status;
    kill(child, SIGKILL);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child ended by itself");
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void check_clean(struct world *w)
{
    struct qn_verify_counts counts = world_verify(w, true);
    cr_assert_eq(counts.bad_packs, 0);
    cr_assert_eq(counts.bad_chunks, 0);
    cr_assert_eq(counts.missing_chunks, 0);
    cr_assert_eq(w->report_count, 0, "%s %s", w->what[0], w->paths[0]);
}

/* A kill does not make an index useless. */
static void check_index_was_kept(struct world *w)
{
    char path[TMP_PATH_SIZE];
    cr_assert_neq(access(tmp_dir_at(&w->dir, "vault/index.bad", path), F_OK), 0);
}

static void check_backup(struct world *w)
{
    world_backup(w, NULL);
    w->report_count = 0; /* a file that was being written is not to be had as it was */
    world_restore(w);
    world_check_restored(w);
}

/* Nothing is left that no snapshot and no index knows of. */
static void check_no_leftovers(struct world *w)
{
    struct qn_vault_sizes sizes;
    world_prune(w, 0);
    world_prune(w, 0);
    world_prune(w, 0);
    qn_vault_sizes(w->vault, &sizes);
    cr_assert_eq(world_count_packs(w), sizes.packs);
    qn_snapshot_vec snapshots = {0};
    cr_assert_eq(qn_vault_snapshots(w->vault, NULL, NULL, NULL, &snapshots), QN_OK);
    for (size_t i = 0; i < snapshots.count; i++)
        cr_assert_eq(qn_vault_forget(w->vault, &snapshots.items[i].name), QN_OK);
    qn_snapshots_deinit(&snapshots);
    world_prune(w, 0);
    world_prune(w, 0);
    cr_assert_eq(world_count_packs(w), 0);
}

Test(crash, whatever_was_committed_stays_whole, .timeout = 0)
{
    WORLD;
    const char *text = getenv("QN_CRASH_ROUNDS");
    int rounds = text == NULL ? 100 : atoi(text);
    uint64_t open_ms_max = 0;
    world_fill(&w, FILES);
    world_random_file(&w, "large", 3000000);
    world_close(&w);
    for (int i = 0; i < rounds; i++) {
        run_and_kill(&w, (uint64_t)i);
        uint64_t start_ms = now_ms();
        world_open(&w);
        uint64_t open_ms = now_ms() - start_ms;
        open_ms_max = open_ms > open_ms_max ? open_ms : open_ms_max;
        check_clean(&w);
        check_index_was_kept(&w);
        if (i % 5 == 4)
            check_backup(&w);
        if (i + 1 < rounds)
            world_close(&w);
    }
    fprintf(stderr, "opened within %llu ms after each of %d kills\n",
            (unsigned long long)open_ms_max, rounds);
    if (text != NULL) /* a measurement: not on a machine that is busy with all tests */
        cr_assert_leq(open_ms_max, OPEN_MS_MAX);
    check_no_leftovers(&w);
}
