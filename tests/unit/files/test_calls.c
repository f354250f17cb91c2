#include "rig.h"

#include <linux/magic.h>
#include <pthread.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define MANY 5000

struct many {
    size_t done, limits, closed;
};

static void on_one(void *context, enum qn_err err, const struct qn_entry_info *entry)
{
    struct many *many = context;
    (void)entry;
    many->done++;
    many->limits += err == QN_ERR_LIMIT;
    many->closed += err == QN_ERR_CLOSED;
}

Test(calls, are_bounded)
{
    RIG(rig);
    struct many many = {0};
    rig_make(&rig, "a", "x");
    for (size_t i = 0; i < MANY; i++)
        rig.folder->ops->stat(rig.folder, SPAN("a"), on_one, &many);
    cr_assert_eq(many.done, 0); /* never from inside */
    for (int i = 0; i < TURNS_MAX && many.done < MANY; i++)
        rig_turn(&rig);
    cr_assert_eq(many.done, MANY);
    cr_assert_eq(many.limits, MANY - 4096);
    cr_assert_eq(rig_stat(&rig, "a"), QN_OK); /* and is itself again */
}

Test(calls, that_wait_are_cancelled)
{
    RIG(rig);
    struct many many = {0};
    struct qn_folder_call *calls[100];
    for (size_t i = 0; i < 100; i++) /* another form of the name is looked for by a job */
        calls[i] = rig.folder->ops->stat(rig.folder, SPAN("\xc3\xa9"), on_one, &many);
    for (size_t i = 0; i < 100; i++)
        rig.folder->ops->cancel(calls[i]);
    cr_assert_eq(many.done, 0);
    for (int i = 0; i < TURNS_MAX && many.done < 100; i++)
        rig_turn(&rig);
    cr_assert_eq(many.done, 100);
    cr_assert_geq(many.closed, 97); /* three ran already */
}

/* What was in memory had its turn when it was asked. */
Test(calls, that_are_cancelled_too_late_are_told_once)
{
    RIG(rig);
    struct many many = {0};
    rig_make(&rig, "a", "x");
    for (size_t i = 0; i < 100; i++)
        rig.folder->ops->cancel(rig.folder->ops->stat(rig.folder, SPAN("a"), on_one, &many));
    cr_assert_eq(many.done, 0);
    for (int i = 0; i < 1000; i++)
        rig_turn(&rig);
    cr_assert_eq(many.done, 100);
}

static void on_open(void *context, enum qn_err err, struct qn_folder_file *file,
                    const struct qn_entry_info *entry)
{
    struct rig *rig = context;
    (void)entry;
    rig->file = file;
    rig_on_done(context, err);
}

Test(calls, open_files_are_bounded)
{
    RIG(rig);
    struct qn_folder_file *files[2048];
    rig_make(&rig, "a", "x");
    size_t count = 0;
    for (; count < 2048; count++) {
        rig.folder->ops->open(rig.folder, SPAN("a"), on_open, &rig);
        rig_wait(&rig);
        if (rig.err != QN_OK)
            break; /* the process may have fewer descriptors: that is LIMIT too */
        files[count] = rig.file;
    }
    rig.folder->ops->open(rig.folder, SPAN("a"), on_open, &rig);
    rig_wait(&rig);
    cr_assert_eq(rig.err, QN_ERR_LIMIT);
    for (size_t i = 0; i < count; i++)
        rig.folder->ops->close(files[i]);
    cr_assert_eq(rig_get(&rig, "a"), QN_OK);
}

static void on_read(void *context, enum qn_err err, struct qn_span bytes)
{
    struct rig *rig = context;
    qn_buf_append_span(&rig->text, bytes);
    rig_on_done(context, err);
}

static void open_one(struct rig *rig, const char *name)
{
    rig->folder->ops->open(rig->folder, qn_span_str(name), on_open, rig);
    rig_wait(rig);
    cr_assert_eq(rig->err, QN_OK);
}

static void read_one(struct rig *rig, uint64_t offset, size_t size)
{
    qn_buf_reset(&rig->text);
    rig->folder->ops->read(rig->file, offset, size, on_read, rig);
    rig_wait(rig);
    cr_assert_eq(rig->err, QN_OK);
}

Test(calls, a_small_file_is_read_with_its_open)
{
    RIG(rig);
    char path[TMP_PATH_SIZE];
    rig_make(&rig, "a", "hello");
    open_one(&rig, "a");
    cr_assert_eq(truncate(rig_at(&rig, "a", path), 1), 0);
    read_one(&rig, 0, 5);
    assert_buf_eq(&rig.text, "hello");
    read_one(&rig, 0, 5); /* again: as it is now */
    assert_buf_eq(&rig.text, "h");
    rig.folder->ops->close(rig.file);
}

Test(calls, a_small_file_is_read_in_pieces)
{
    RIG(rig);
    rig_make(&rig, "a", "hello");
    open_one(&rig, "a");
    read_one(&rig, 1, 3);
    assert_buf_eq(&rig.text, "ell");
    read_one(&rig, 0, 3);
    assert_buf_eq(&rig.text, "hel");
    read_one(&rig, 0, 100);
    assert_buf_eq(&rig.text, "hello");
    rig.folder->ops->close(rig.file);
}

/* ---- without the pool ---- */

#define POOL_SIZE_MAX 1024 /* of libuv's */

struct pool {
    pthread_mutex_t gate;
    size_t count, done;
};

static void wait_at_gate(void *context)
{
    struct pool *pool = context;
    pthread_mutex_lock(&pool->gate);
    pthread_mutex_unlock(&pool->gate);
}

static void passed(void *context)
{
    ((struct pool *)context)->done++;
}

/* Every thread of the pool waits from here on. */
static void block(struct rig *rig, struct pool *pool)
{
    cr_assert_eq(pthread_mutex_init(&pool->gate, NULL), 0);
    pthread_mutex_lock(&pool->gate);
    while (pool->count < POOL_SIZE_MAX &&
           qn_loop_job(rig->loop, wait_at_gate, passed, pool) == QN_OK)
        pool->count++;
    cr_assert_gt(pool->count, 4);
}

static void unblock(struct rig *rig, struct pool *pool)
{
    pthread_mutex_unlock(&pool->gate);
    for (int i = 0; i < TURNS_MAX && pool->done < pool->count; i++)
        rig_turn(rig);
    cr_assert_eq(pool->done, pool->count);
}

/* File systems whose names and contents can be asked for without waiting. */
static bool is_quick(const struct rig *rig)
{
    struct statfs status;
    cr_assert_eq(statfs(rig->dir.path, &status), 0);
    return status.f_type == EXT4_SUPER_MAGIC || status.f_type == XFS_SUPER_MAGIC ||
           status.f_type == BTRFS_SUPER_MAGIC;
}

/* A read that the file system need not note. */
static void make_read_before(struct rig *rig, const char *name, const char *text)
{
    char path[TMP_PATH_SIZE];
    struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_OMIT}};
    cr_assert_eq(clock_gettime(CLOCK_REALTIME, &times[0]), 0);
    times[0].tv_sec += 60;
    rig_make(rig, name, text);
    cr_assert_eq(utimensat(AT_FDCWD, rig_at(rig, name, path), times, 0), 0);
}

Test(calls, what_is_in_memory_takes_no_job)
{
    RIG(rig);
    struct pool pool = {0};
    if (!is_quick(&rig))
        cr_skip_test("the file system is none of those");
    rig_make_dir(&rig, "d");
    make_read_before(&rig, "d/a", "hello");
    block(&rig, &pool);
    cr_assert_eq(rig_stat(&rig, "d/a"), QN_OK);
    cr_assert_eq(rig.entry.size, 5);
    cr_assert_eq(rig_stat(&rig, ""), QN_OK);
    cr_assert(rig.entry.is_directory);
    open_one(&rig, "d/a");
    read_one(&rig, 0, 5);
    assert_buf_eq(&rig.text, "hello");
    rig.folder->ops->close(rig.file);
    unblock(&rig, &pool);
}

/* What file managers ask for beside each file; and what was made since is found. */
Test(calls, what_is_known_to_be_missing_takes_no_job)
{
    RIG(rig);
    struct pool pool = {0};
    if (!is_quick(&rig))
        cr_skip_test("the file system is none of those");
    rig_make_dir(&rig, "d");
    cr_assert_eq(rig_stat(&rig, "d/._a"), QN_ERR_NOTFOUND); /* the kernel looks once */
    block(&rig, &pool);
    cr_assert_eq(rig_stat(&rig, "d/._a"), QN_ERR_NOTFOUND);
    cr_assert_eq(rig_get(&rig, "d/._a"), QN_ERR_NOTFOUND);
    make_read_before(&rig, "d/._a", "made behind its back");
    cr_assert_eq(rig_stat(&rig, "d/._a"), QN_OK);
    unblock(&rig, &pool);
    cr_assert_eq(rig_get(&rig, "d/._a"), QN_OK);
}

/* A folder that is gone, or another one in its place, is found without the pool too. */
Test(calls, what_is_in_memory_is_of_this_folder)
{
    RIG(rig);
    char old[TMP_PATH_SIZE], path[TMP_PATH_SIZE], moved[TMP_PATH_SIZE];
    rig_make_dir(&rig, "root");
    make_read_before(&rig, "root/a", "hello");
    rig_at(&rig, "root", path);
    rig_at(&rig, "moved", moved);
    struct qn_folder *whole = rig.folder;
    rig_open(&rig, path, NULL, false);
    cr_assert_eq(rig_get(&rig, "a"), QN_OK);
    cr_assert_eq(rename(path, moved), 0);
    cr_assert_eq(rig_get(&rig, "a"), QN_ERR_CLOSED);
    cr_assert_eq(mkdir(path, 0755), 0);
    make_read_before(&rig, "root/a", "foreign");
    cr_assert_eq(rig_stat(&rig, "a"), QN_ERR_CLOSED);
    cr_assert_eq(rig_get(&rig, "a"), QN_ERR_CLOSED);
    cr_assert_eq(unlink(rig_at(&rig, "root/a", old)), 0);
    cr_assert_eq(rmdir(path), 0);
    cr_assert_eq(symlink(moved, path), 0); /* the same directory, by another way */
    cr_assert_eq(rig_get(&rig, "a"), QN_OK);
    qn_folder_free(rig.folder);
    rig.folder = whole;
}

Test(calls, a_file_is_closed_while_it_is_read)
{
    RIG(rig);
    rig_make(&rig, "a", "x");
    rig.folder->ops->open(rig.folder, SPAN("a"), on_open, &rig);
    rig_wait(&rig);
    rig.folder->ops->read(rig.file, 0, 10, on_read, &rig);
    rig.folder->ops->close(rig.file);
    rig_wait(&rig);
    cr_assert_eq(rig.err, QN_OK);
}

/* A tree that is removed does not hold up what is quick. */
Test(calls, quick_ones_pass_long_ones)
{
    RIG(rig);
    struct many many = {0};
    rig_make_dir(&rig, "d");
    rig_make(&rig, "a", "x");
    for (int i = 0; i < 6; i++) {
        char name[32];
        snprintf(name, sizeof(name), "copy%d", i);
        struct qn_folder_target to = {.folder = rig.folder, .path = qn_span_str(name)};
        rig.folder->ops->copy(rig.folder, SPAN("d"), &to, NULL, rig_on_done, &rig);
    }
    rig.folder->ops->stat(rig.folder, SPAN("a"), on_one, &many);
    for (int i = 0; i < TURNS_MAX && many.done == 0; i++)
        rig_turn(&rig);
    cr_assert_eq(many.done, 1);
    cr_assert_not(rig_exists(&rig, "copy5"), "the last copy was made before a look");
    for (int i = 0; i < TURNS_MAX && !rig_exists(&rig, "copy5"); i++)
        rig_turn(&rig);
    cr_assert(rig_exists(&rig, "copy5"));
    for (int i = 0; i < 1000; i++)
        rig_turn(&rig);
}

/* ---- who holds a folder ---- */

static size_t freed;

static void count_free(struct qn_folder *folder)
{
    freed++;
}

Test(calls, a_folder_goes_with_its_owner_and_its_last_user)
{
    static const struct qn_folder_ops ops = {.free = count_free};
    struct qn_folder folder = {.ops = &ops};
    qn_folder_hold(&folder);
    qn_folder_hold(&folder);
    qn_folder_release(&folder);
    qn_folder_retire(&folder);
    cr_assert_eq(freed, 0);
    qn_folder_release(&folder);
    cr_assert_eq(freed, 1);
    folder = (struct qn_folder){.ops = &ops};
    qn_folder_hold(&folder);
    qn_folder_release(&folder);
    cr_assert_eq(freed, 1, "its owner has it still");
    qn_folder_retire(&folder);
    cr_assert_eq(freed, 2);
}

Test(calls, a_retired_folder_works_until_it_is_let_go)
{
    RIG(rig);
    struct qn_folder *folder = rig.folder;
    qn_folder_hold(folder);
    qn_folder_retire(folder);
    rig_make(&rig, "a", "x");
    cr_assert_eq(rig_stat(&rig, "a"), QN_OK);
    struct many many = {0};
    folder->ops->stat(folder, SPAN("a"), on_one, &many);
    qn_folder_release(folder);
    for (int i = 0; i < TURNS_MAX && many.done == 0; i++)
        rig_turn(&rig);
    cr_assert_eq(many.done, 1, "what was under way is told");
    rig_open(&rig, rig.dir.path, NULL, true);
}
