/* Somebody swaps a directory and a link out of the folder while all kinds of accesses run: nothing
 * outside is ever read, changed or made.
 */
#include <dirent.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/file.h>

#include "rig.h"

#define ROUNDS 1500

struct swapper {
    char dir[TMP_PATH_SIZE], link[TMP_PATH_SIZE];
    atomic_bool stops;
    atomic_ulong swaps;
};

static void *swap(void *context)
{
    struct swapper *swapper = context;
    while (!atomic_load(&swapper->stops)) {
        renameat2(AT_FDCWD, swapper->dir, AT_FDCWD, swapper->link, RENAME_EXCHANGE);
        atomic_fetch_add(&swapper->swaps, 1);
    }
    return NULL;
}

struct race {
    struct rig rig;
    struct swapper swapper;
    pthread_t thread;
};

/* "in/x" is the folder's directory or a link to "outside", in turn. */
static void race_init(struct race *race)
{
    char target[TMP_PATH_SIZE], root[TMP_PATH_SIZE];
    rig_init(&race->rig);
    qn_folder_free(race->rig.folder);
    rig_make_dir(&race->rig, "in");
    rig_make_dir(&race->rig, "in/x");
    rig_make(&race->rig, "in/x/secret", "inside");
    rig_make_dir(&race->rig, "outside");
    rig_make(&race->rig, "outside/secret", "OUTSIDE");
    rig_at(&race->rig, "in/x", race->swapper.dir);
    rig_at(&race->rig, "in/y", race->swapper.link);
    cr_assert_eq(symlink(rig_at(&race->rig, "outside", target), race->swapper.link), 0);
    rig_open(&race->rig, rig_at(&race->rig, "in", root), NULL, true);
    atomic_init(&race->swapper.stops, false);
    atomic_init(&race->swapper.swaps, 0);
    cr_assert_eq(pthread_create(&race->thread, NULL, swap, &race->swapper), 0);
}

static void race_end(struct race *race)
{
    atomic_store(&race->swapper.stops, true);
    cr_assert_eq(pthread_join(race->thread, NULL), 0);
    cr_assert_gt(atomic_load(&race->swapper.swaps), 1000);
}

static size_t count_names(const char *path)
{
    size_t count = 0;
    DIR *stream = opendir(path);
    cr_assert_not_null(stream);
    while (readdir(stream) != NULL)
        count++;
    closedir(stream);
    return count - 2;
}

static void one_round(struct rig *rig, size_t *hits)
{
    if (rig_get(rig, "x/secret") == QN_OK) {
        assert_buf_eq(&rig->text, "inside");
        (*hits)++;
    }
    if (rig_list(rig, "x") == QN_OK)
        cr_assert_not(rig->text.size > 0 && memmem(rig->text.data, rig->text.size, "OUT", 3));
    (void)rig_put(rig, "x/new", "mine");
    (void)rig_mkdir(rig, "x/dir");
    (void)rig_copy(rig, "x", "copy", true);
    (void)rig_copy(rig, "x/secret", "x/twin", true);
    (void)rig_move(rig, "x/twin", "x/moved", true);
    (void)rig_touch(rig, "x/moved", 1000000000);
    (void)rig_remove(rig, "x/dir", NULL);
    (void)rig_remove(rig, "x/new", NULL);
}

Test(race, links_that_come_and_go)
{
    struct race race;
    char outside[TMP_PATH_SIZE];
    size_t hits = 0;
    race_init(&race);
    struct stat before, after;
    rig_at(&race.rig, "outside", outside);
    cr_assert_eq(stat(outside, &before), 0);
    for (int i = 0; i < ROUNDS; i++)
        one_round(&race.rig, &hits);
    race_end(&race);
    cr_assert_gt(hits, 0); /* the directory was met as well */
    cr_assert(rig_is(&race.rig, "outside/secret", "OUTSIDE"));
    cr_assert_eq(count_names(outside), 1);
    cr_assert_eq(stat(outside, &after), 0);
    cr_assert_eq(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    cr_assert_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    rig_deinit(&race.rig);
}

/* ---- a sweep ---- */

struct sweeper {
    struct rig *rig;
    atomic_bool stops;
};

/* As sweep.c does: what nobody holds goes. */
static void sweep_name(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        (void)!unlinkat(dir, name, AT_REMOVEDIR);
    if (fd >= 0)
        close(fd);
}

static void *sweep(void *context)
{
    struct sweeper *sweeper = context;
    int dir = open(sweeper->rig->dir.path, O_RDONLY | O_DIRECTORY);
    while (!atomic_load(&sweeper->stops)) {
        DIR *stream = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY));
        for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
            if (strncmp(entry->d_name, ".quoin-upload-", 14) == 0)
                sweep_name(dir, entry->d_name);
        closedir(stream);
    }
    close(dir);
    return NULL;
}

/* The sweep of the start may come between the making of a hidden directory and its lock. */
Test(race, a_sweep_takes_no_copy_away)
{
    RIG(rig);
    struct sweeper sweeper = {.rig = &rig};
    pthread_t thread;
    rig_make_dir(&rig, "d");
    rig_make(&rig, "d/a", "text");
    cr_assert_eq(pthread_create(&thread, NULL, sweep, &sweeper), 0);
    for (int i = 0; i < 200; i++)
        cr_assert_eq(rig_copy(&rig, "d", "c", true), QN_OK, "copy %d: %s", i, rig.failed);
    atomic_store(&sweeper.stops, true);
    pthread_join(thread, NULL);
    cr_assert(rig_is(&rig, "c/a", "text"));
}
