#include <criterion/criterion.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "os/os.h"
#include "support/span.h"
#include "support/tmp_dir.h"

struct fixture {
    struct tmp_dir dir;
    char path[TMP_PATH_SIZE];
    struct qn_buf found;
};

static void fixture_init(struct fixture *f, const char *name)
{
    tmp_dir_init(&f->dir);
    tmp_dir_at(&f->dir, name, f->path);
    qn_buf_init(&f->found, 4096);
    unsetenv("RUNTIME_DIRECTORY");
    unsetenv("XDG_RUNTIME_DIR");
}

static void fixture_deinit(struct fixture *f)
{
    qn_buf_deinit(&f->found);
    tmp_dir_deinit(&f->dir);
}
#define FIXTURE(name)                                                                              \
    __attribute__((cleanup(fixture_deinit))) struct fixture f;                                     \
    fixture_init(&f, name)

Test(runtime_dir, is_the_first_one_of_the_service_manager)
{
    FIXTURE("run");
    char both[2 * TMP_PATH_SIZE];
    struct stat status;
    snprintf(both, sizeof(both), "%s:/somewhere/else", f.path);
    setenv("RUNTIME_DIRECTORY", both, 1);
    cr_assert_eq(qn_os_runtime_dir(f.dir.path, &f.found), QN_OK);
    cr_assert(qn_span_eq_str(qn_buf_view(&f.found), f.path));
    cr_assert_eq(stat(f.path, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0700);
}

/* Where /run is not ours to write in, the second choice is the user's folder. Whichever it is, it
 * depends on nothing but the real path of the state folder. */
static void find_named(struct fixture *f, const char *state, struct qn_buf *found)
{
    setenv("XDG_RUNTIME_DIR", f->dir.path, 1);
    cr_assert_eq(qn_os_runtime_dir(state, found), QN_OK);
    cr_assert_not_null(memmem(found->data, found->size, "/quoin-", 7));
}

static void remove_found(struct qn_buf *found)
{
    qn_buf_append_u8(found, 0);
    rmdir((const char *)found->data);
}

Test(runtime_dir, has_one_name_for_all_names_of_a_state_folder)
{
    FIXTURE("state");
    QN_AUTO_BUF struct qn_buf again;
    char other[TMP_PATH_SIZE];
    qn_buf_init(&again, 4096);
    cr_assert_eq(mkdir(f.path, 0700), 0);
    find_named(&f, f.path, &f.found);
    find_named(&f, tmp_dir_at(&f.dir, ".//state/", other), &again);
    cr_assert(qn_span_eq(qn_buf_view(&f.found), qn_buf_view(&again)));
    qn_buf_reset(&again);
    find_named(&f, f.dir.path, &again);
    cr_assert_not(qn_span_eq(qn_buf_view(&f.found), qn_buf_view(&again)));
    remove_found(&f.found);
    remove_found(&again);
}

Test(runtime_dir, is_refused_when_others_may_write_in_it)
{
    FIXTURE("run");
    cr_assert_eq(mkdir(f.path, 0700), 0);
    cr_assert_eq(chmod(f.path, 0777), 0);
    setenv("RUNTIME_DIRECTORY", f.path, 1);
    enum qn_err err = qn_os_runtime_dir(f.dir.path, &f.found);
    cr_assert_not(qn_span_eq_str(qn_buf_view(&f.found), f.path));
    if (err == QN_OK)
        remove_found(&f.found);
}

Test(runtime_dir, needs_the_state_folder)
{
    FIXTURE("none");
    cr_assert_eq(qn_os_runtime_dir(f.path, &f.found), QN_ERR_NOTFOUND);
    cr_assert_eq(f.found.size, 0);
}

Test(watermark, starts_at_zero_grows_and_survives_the_process)
{
    FIXTURE("mark");
    struct qn_os_watermark *mark = NULL;
    struct stat status;
    cr_assert_eq(qn_os_watermark_open(f.path, &mark), QN_OK);
    cr_assert_eq(qn_os_watermark_get(mark), 0);
    qn_os_watermark_set(mark, 42);
    qn_os_watermark_set(mark, 41);
    cr_assert_eq(qn_os_watermark_get(mark), 42, "it never goes back");
    qn_os_watermark_free(mark);
    cr_assert_eq(qn_os_watermark_open(f.path, &mark), QN_OK);
    cr_assert_eq(qn_os_watermark_get(mark), 42);
    qn_os_watermark_free(mark);
    qn_os_watermark_free(NULL);
    cr_assert_eq(stat(f.path, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0600);
    cr_assert_eq(status.st_size, 8);
}

Test(watermark, follows_no_link_and_needs_its_folder)
{
    FIXTURE("mark");
    struct qn_os_watermark *mark = NULL;
    cr_assert_eq(symlink("elsewhere", f.path), 0);
    cr_assert_eq(qn_os_watermark_open(f.path, &mark), QN_ERR_DENIED);
    tmp_dir_at(&f.dir, "no/mark", f.path);
    cr_assert_eq(qn_os_watermark_open(f.path, &mark), QN_ERR_NOTFOUND);
    cr_assert_null(mark);
}
