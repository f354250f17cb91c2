#include <criterion/criterion.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "os/os.h"
#include "support/span.h"
#include "support/tmp_dir.h"

struct fixture {
    struct tmp_dir dir;
    struct qn_buf content;
    char path[TMP_PATH_SIZE];
};

static void fixture_init(struct fixture *f, const char *name)
{
    tmp_dir_init(&f->dir);
    qn_buf_init(&f->content, 1 << 20);
    tmp_dir_at(&f->dir, name, f->path);
}

static void fixture_deinit(struct fixture *f)
{
    qn_buf_deinit(&f->content);
    tmp_dir_deinit(&f->dir);
}
#define FIXTURE(name)                                                                              \
    __attribute__((cleanup(fixture_deinit))) struct fixture f;                                     \
    fixture_init(&f, name)

static unsigned mode_of(const char *path)
{
    struct stat status;
    cr_assert_eq(lstat(path, &status), 0, "%s", path);
    return status.st_mode & 07777;
}

static bool is_there(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

Test(file, what_was_written_is_read)
{
    FIXTURE("a");
    cr_assert_eq(qn_os_replace_file(f.path, SPAN("one\0two"), 0600), QN_OK);
    cr_assert_eq(qn_os_read_file(f.path, 7, &f.content), QN_OK);
    assert_buf_eq(&f.content, "one\0two");
}

Test(file, reading_appends)
{
    FIXTURE("a");
    qn_buf_append_str(&f.content, "before ");
    cr_assert_eq(qn_os_replace_file(f.path, SPAN("after"), 0600), QN_OK);
    cr_assert_eq(qn_os_read_file(f.path, 100, &f.content), QN_OK);
    assert_buf_eq(&f.content, "before after");
}

Test(file, empty_and_large_ones)
{
    FIXTURE("a");
    static uint8_t large[300001];
    memset(large, 'x', sizeof(large));
    cr_assert_eq(qn_os_replace_file(f.path, SPAN(""), 0600), QN_OK);
    cr_assert_eq(qn_os_read_file(f.path, 0, &f.content), QN_OK);
    cr_assert_eq(f.content.size, 0);
    cr_assert_eq(qn_os_replace_file(f.path, QN_SPAN_OF(large), 0600), QN_OK);
    cr_assert_eq(qn_os_read_file(f.path, sizeof(large), &f.content), QN_OK);
    cr_assert(qn_span_eq(qn_buf_view(&f.content), QN_SPAN_OF(large)));
}

Test(file, too_long_leaves_the_buffer_alone)
{
    FIXTURE("a");
    qn_buf_append_str(&f.content, "kept");
    cr_assert_eq(qn_os_replace_file(f.path, SPAN("12345678"), 0600), QN_OK);
    cr_assert_eq(qn_os_read_file(f.path, 7, &f.content), QN_ERR_LIMIT);
    assert_buf_eq(&f.content, "kept");
    struct qn_buf small;
    qn_buf_init(&small, 7);
    cr_assert_eq(qn_os_read_file(f.path, 8, &small), QN_ERR_LIMIT);
    cr_assert_eq(small.size, 0);
    qn_buf_deinit(&small);
}

Test(file, files_without_a_size_are_read)
{
    FIXTURE("a");
    cr_assert_eq(qn_os_read_file("/proc/self/status", 1 << 20, &f.content), QN_OK);
    cr_assert_gt(f.content.size, 100);
}

Test(file, missing)
{
    FIXTURE("a");
    cr_assert_eq(qn_os_read_file(f.path, 10, &f.content), QN_ERR_NOTFOUND);
    tmp_dir_at(&f.dir, "no/such", f.path);
    cr_assert_eq(qn_os_read_file(f.path, 10, &f.content), QN_ERR_NOTFOUND);
    cr_assert_eq(qn_os_replace_file(f.path, SPAN("x"), 0600), QN_ERR_NOTFOUND);
}

Test(file, links_and_special_files_are_refused)
{
    FIXTURE("special");
    cr_assert_eq(symlink("/proc/self/status", f.path), 0);
    cr_assert_eq(qn_os_read_file(f.path, 1 << 20, &f.content), QN_ERR_DENIED);
    cr_assert_eq(unlink(f.path), 0);
    cr_assert_eq(mkfifo(f.path, 0600), 0);
    cr_assert_eq(qn_os_read_file(f.path, 10, &f.content), QN_ERR_DENIED);
    cr_assert_eq(qn_os_read_file(f.dir.path, 10, &f.content), QN_ERR_DENIED);
    cr_assert_eq(qn_os_read_file("/dev/null", 10, &f.content), QN_ERR_DENIED);
}

Test(file, replacing_gives_a_new_file_with_the_mode_asked_for)
{
    FIXTURE("a");
    umask(0077);
    cr_assert_eq(qn_os_replace_file(f.path, SPAN("first"), 0644), QN_OK);
    cr_assert_eq(mode_of(f.path), 0644);
    int old = open(f.path, O_RDONLY);
    cr_assert_eq(qn_os_replace_file(f.path, SPAN("second"), 0600), QN_OK);
    cr_assert_eq(mode_of(f.path), 0600);
    char text[8] = "";
    cr_assert_eq(read(old, text, sizeof(text)), 5, "a reader of the old file is not disturbed");
    cr_assert_str_eq(text, "first");
    close(old);
}

Test(file, replacing_a_link_leaves_its_target)
{
    FIXTURE("link");
    char target[TMP_PATH_SIZE];
    tmp_dir_at(&f.dir, "target", target);
    cr_assert_eq(qn_os_replace_file(target, SPAN("old"), 0600), QN_OK);
    cr_assert_eq(symlink(target, f.path), 0);
    cr_assert_eq(qn_os_replace_file(f.path, SPAN("new"), 0600), QN_OK);
    cr_assert_eq(qn_os_read_file(target, 10, &f.content), QN_OK);
    assert_buf_eq(&f.content, "old");
}

Test(file, what_a_crash_left_is_not_in_the_way)
{
    FIXTURE("a");
    char orphan[TMP_PATH_SIZE], victim[TMP_PATH_SIZE];
    tmp_dir_at(&f.dir, "victim", victim);
    cr_assert_eq(symlink(victim, tmp_dir_at(&f.dir, "a.new", orphan)), 0);
    cr_assert_eq(qn_os_replace_file(f.path, SPAN("x"), 0600), QN_OK);
    cr_assert_not(is_there(orphan));
    cr_assert_not(is_there(victim));
}

Test(file, a_failed_replacement_keeps_the_old_and_leaves_nothing)
{
    FIXTURE("a");
    char orphan[TMP_PATH_SIZE];
    cr_assert_eq(mkdir(f.path, 0700), 0);
    cr_assert_neq(qn_os_replace_file(f.path, SPAN("x"), 0600), QN_OK);
    cr_assert_not(is_there(tmp_dir_at(&f.dir, "a.new", orphan)));
    cr_assert(is_there(f.path));
}

Test(file, a_relative_path_without_a_folder)
{
    FIXTURE("a");
    cr_assert_eq(chdir(f.dir.path), 0);
    cr_assert_eq(qn_os_replace_file("a", SPAN("x"), 0600), QN_OK);
    cr_assert_eq(qn_os_read_file(f.path, 10, &f.content), QN_OK);
    assert_buf_eq(&f.content, "x");
}

Test(file, names_that_cannot_be)
{
    FIXTURE("a");
    char name[300];
    memset(name, 'n', sizeof(name));
    name[253] = '\0'; /* fits, but not with the ".new" behind it */
    tmp_dir_at(&f.dir, name, f.path);
    cr_assert_eq(qn_os_replace_file(f.path, SPAN("x"), 0600), QN_ERR_LIMIT);
    cr_assert_eq(qn_os_replace_file("", SPAN("x"), 0600), QN_ERR_INVALID);
    cr_assert_eq(qn_os_replace_file("/", SPAN("x"), 0600), QN_ERR_INVALID);
}

Test(dir, is_made_once)
{
    FIXTURE("d/");
    umask(0077);
    cr_assert_eq(qn_os_make_dir(f.path, 0750), QN_OK);
    cr_assert_eq(mode_of(f.path), 0750);
    cr_assert_eq(qn_os_make_dir(f.path, 0700), QN_OK, "it exists: fine");
    cr_assert_eq(mode_of(f.path), 0750, "and stays as it is");
    cr_assert_eq(qn_os_sync_dir(f.path), QN_OK);
}

Test(dir, is_not_made_over_a_file_or_without_a_parent)
{
    FIXTURE("a");
    cr_assert_eq(qn_os_replace_file(f.path, SPAN("x"), 0600), QN_OK);
    cr_assert_eq(qn_os_make_dir(f.path, 0700), QN_ERR_EXISTS);
    tmp_dir_at(&f.dir, "b/c", f.path);
    cr_assert_eq(qn_os_make_dir(f.path, 0700), QN_ERR_NOTFOUND);
}
