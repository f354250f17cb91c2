#include <criterion/criterion.h>
#include <signal.h>
#include <sys/wait.h>

#include "os/os.h"
#include "support/tmp_dir.h"

Test(lock, has_one_holder)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    char path[TMP_PATH_SIZE];
    struct qn_os_lock *lock = NULL, *second = NULL;
    tmp_dir_init(&dir);
    tmp_dir_at(&dir, "lock", path);
    cr_assert_eq(qn_os_lock_take(path, &lock), QN_OK);
    cr_assert_eq(qn_os_lock_take(path, &second), QN_ERR_BUSY);
    cr_assert_null(second);
    qn_os_lock_free(lock);
    cr_assert_eq(qn_os_lock_take(path, &second), QN_OK);
    qn_os_lock_free(second);
    qn_os_lock_free(NULL);
}

/* Takes the lock, says so, and waits to be killed. */
static pid_t spawn_holder(const char *path)
{
    int pipe_fds[2];
    cr_assert_eq(pipe(pipe_fds), 0);
    pid_t child = fork();
    if (child == 0) {
        struct qn_os_lock *lock;
        char done = qn_os_lock_take(path, &lock) == QN_OK ? 'y' : 'n';
        if (write(pipe_fds[1], &done, 1) == 1)
            pause();
        _exit(1);
    }
    char done = 'n';
    cr_assert_eq(read(pipe_fds[0], &done, 1), 1);
    cr_assert_eq(done, 'y');
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return child;
}

Test(lock, of_a_killed_process_is_free)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    char path[TMP_PATH_SIZE];
    struct qn_os_lock *lock = NULL;
    tmp_dir_init(&dir);
    tmp_dir_at(&dir, "lock", path);
    pid_t child = spawn_holder(path);
    cr_assert_eq(qn_os_lock_take(path, &lock), QN_ERR_BUSY);
    kill(child, SIGKILL);
    cr_assert_eq(waitpid(child, NULL, 0), child);
    cr_assert_eq(qn_os_lock_take(path, &lock), QN_OK);
    qn_os_lock_free(lock);
}

Test(lock, follows_no_link)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    char path[TMP_PATH_SIZE];
    struct qn_os_lock *lock = NULL;
    tmp_dir_init(&dir);
    cr_assert_eq(symlink("elsewhere", tmp_dir_at(&dir, "lock", path)), 0);
    cr_assert_eq(qn_os_lock_take(path, &lock), QN_ERR_DENIED);
}
