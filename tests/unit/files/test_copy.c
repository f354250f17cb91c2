#include "files/tree.h"
#include "rig.h"

static void make_tree(const struct rig *rig)
{
    char path[TMP_PATH_SIZE];
    rig_make_dir(rig, "d");
    rig_make_dir(rig, "d/e");
    rig_make(rig, "d/a", "of d");
    rig_make(rig, "d/e/b", "of e");
    cr_assert_eq(symlink("a", rig_at(rig, "d/link", path)), 0);
}

static int64_t set_time(const struct rig *rig, const char *name, time_t seconds)
{
    char path[TMP_PATH_SIZE];
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = seconds, .tv_nsec = 7}};
    cr_assert_eq(utimensat(AT_FDCWD, rig_at(rig, name, path), times, 0), 0);
    return (int64_t)seconds * 1000000000 + 7;
}

Test(copy, a_file)
{
    RIG(rig);
    char etag[QN_ETAG_SIZE_MAX];
    cr_assert_eq(rig_put(&rig, "a", "text"), QN_OK);
    memcpy(etag, rig.entry.etag, sizeof(etag));
    int64_t time = rig.entry.modified_ns;
    cr_assert_eq(rig_copy(&rig, "a", "b", false), QN_OK);
    cr_assert(rig_is(&rig, "a", "text") && rig_is(&rig, "b", "text"));
    cr_assert_eq(rig_stat(&rig, "b"), QN_OK);
    cr_assert_str_eq(rig.entry.etag, etag); /* its digest is known */
    cr_assert_eq(rig.entry.modified_ns, time);
    cr_assert_eq(rig_copy(&rig, "a", "b", false), QN_ERR_EXISTS);
    cr_assert_eq(rig_put(&rig, "a", "other"), QN_OK);
    cr_assert_eq(rig_copy(&rig, "a", "b", true), QN_OK);
    cr_assert(rig_is(&rig, "b", "other"));
    cr_assert_eq(rig_copy(&rig, "none", "b", true), QN_ERR_NOTFOUND);
    cr_assert_eq(rig_copy(&rig, "a", "none/b", true), QN_ERR_STATE);
    cr_assert_eq(rig_left_over(&rig, ""), 0);
}

Test(copy, a_tree)
{
    RIG(rig);
    make_tree(&rig);
    int64_t file_time = set_time(&rig, "d/e/b", 1400000000);
    int64_t dir_time = set_time(&rig, "d/e", 1300000000);
    cr_assert_eq(rig_copy(&rig, "d", "c", false), QN_OK);
    cr_assert(rig_is(&rig, "c/a", "of d") && rig_is(&rig, "c/e/b", "of e"));
    cr_assert_not(rig_exists(&rig, "c/link"));
    cr_assert_eq(rig_stat(&rig, "c/e/b"), QN_OK);
    cr_assert_eq(rig.entry.modified_ns, file_time);
    cr_assert_eq(rig_stat(&rig, "c/e"), QN_OK);
    cr_assert_eq(rig.entry.modified_ns, dir_time);
}

Test(copy, only_the_directory)
{
    RIG(rig);
    make_tree(&rig);
    struct qn_folder_target to = {.folder = rig.folder, .path = SPAN("c"), .is_shallow = true};
    cr_assert_eq(rig_copy_to(&rig, "d", &to), QN_OK);
    cr_assert_eq(rig_list(&rig, "c"), QN_OK);
    cr_assert_eq(rig.text.size, 0);
}

Test(copy, what_was_there_goes)
{
    RIG(rig);
    make_tree(&rig);
    rig_make_dir(&rig, "c");
    rig_make(&rig, "c/old", "x");
    rig_make(&rig, "f", "x");
    cr_assert_eq(rig_copy(&rig, "d", "c", true), QN_OK); /* tree over tree */
    cr_assert(rig_is(&rig, "c/a", "of d"));
    cr_assert_not(rig_exists(&rig, "c/old"));
    cr_assert_eq(rig_copy(&rig, "d", "f", true), QN_OK); /* tree over file */
    cr_assert(rig_is(&rig, "f/a", "of d"));
    rig_make(&rig, "g", "a file");
    cr_assert_eq(rig_copy(&rig, "g", "c", true), QN_OK); /* file over tree */
    cr_assert(rig_is(&rig, "c", "a file"));
    cr_assert_eq(rig_left_over(&rig, ""), 0);
}

Test(copy, not_into_itself)
{
    RIG(rig);
    make_tree(&rig);
    const char *pairs[][2] = {{"d", "d"}, {"d", "d/e/x"}, {"d/e", "d"}, {"", "c"}, {"d", ""}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        cr_assert_eq(rig_copy(&rig, pairs[i][0], pairs[i][1], true), QN_ERR_STATE, "%zu", i);
        cr_assert_eq(rig_move(&rig, pairs[i][0], pairs[i][1], true), QN_ERR_STATE, "%zu", i);
    }
    cr_assert(rig_is(&rig, "d/a", "of d") && rig_is(&rig, "d/e/b", "of e"));
}

Test(copy, a_file_is_moved)
{
    RIG(rig);
    char etag[QN_ETAG_SIZE_MAX];
    cr_assert_eq(rig_put(&rig, "a", "text"), QN_OK);
    memcpy(etag, rig.entry.etag, sizeof(etag));
    cr_assert_eq(rig_move(&rig, "a", "b", false), QN_OK);
    cr_assert_not(rig_exists(&rig, "a"));
    cr_assert(rig_is(&rig, "b", "text"));
    cr_assert_eq(rig_stat(&rig, "b"), QN_OK);
    cr_assert_str_eq(rig.entry.etag, etag);
    cr_assert_eq(rig_put(&rig, "a", "new"), QN_OK);
    cr_assert_eq(rig_move(&rig, "a", "b", false), QN_ERR_EXISTS);
    cr_assert(rig_is(&rig, "b", "text"));
    cr_assert_eq(rig_move(&rig, "a", "b", true), QN_OK);
    cr_assert(rig_is(&rig, "b", "new"));
    cr_assert_eq(rig_move(&rig, "none", "c", true), QN_ERR_NOTFOUND);
    cr_assert_eq(rig_move(&rig, "b", "none/c", true), QN_ERR_STATE);
}

Test(copy, a_tree_is_moved_over_another)
{
    RIG(rig);
    make_tree(&rig);
    rig_make_dir(&rig, "c");
    rig_make(&rig, "c/old", "x");
    cr_assert_eq(rig_move(&rig, "d", "c", false), QN_ERR_EXISTS);
    cr_assert_eq(rig_move(&rig, "d", "c", true), QN_OK);
    cr_assert(rig_is(&rig, "c/e/b", "of e"));
    cr_assert_not(rig_exists(&rig, "d"));
    cr_assert_not(rig_exists(&rig, "c/old"));
    rig_make(&rig, "f", "x");
    cr_assert_eq(rig_move(&rig, "f", "c", true), QN_OK);
    cr_assert(rig_is(&rig, "c", "x"));
    cr_assert_not(rig_exists(&rig, "f"));
}

/* Another name for the same file: "A" to "a" on a file system that tells them apart. */
Test(copy, only_the_case_changes)
{
    RIG(rig);
    rig_make(&rig, "Name", "x");
    cr_assert_eq(rig_move(&rig, "Name", "name", false), QN_OK);
    cr_assert(rig_is(&rig, "name", "x"));
}

Test(copy, a_large_file_whole)
{
    RIG(rig);
    size_t size = 3 << 20;
    char *text = malloc(size + 1);
    for (size_t i = 0; i < size; i++)
        text[i] = (char)('a' + i % 23);
    text[size] = '\0';
    rig_make(&rig, "large", text);
    cr_assert_eq(rig_copy(&rig, "large", "twin", false), QN_OK);
    cr_assert_eq(rig_get(&rig, "twin"), QN_OK);
    cr_assert(qn_span_eq_str(qn_buf_view(&rig.text), text));
    free(text);
}

/* ---- two folders ---- */

/* The second one in `dir`, with the same rows. */
static struct qn_folder *open_second(struct rig *rig, const char *path)
{
    return qn_folder_local_new(
        &(struct qn_folder_local_options){.loop = rig->loop,
                                          .path = path,
                                          .name = SPAN("second"),
                                          .local = fake_local_door(rig->rows)});
}

/* Beside the rig's folder, or on another file system. */
static void start_second(struct tmp_dir *dir, const char *base)
{
    if (base == NULL) {
        tmp_dir_init(dir);
        return;
    }
    snprintf(dir->path, sizeof(dir->path), "%s/quoin-test-XXXXXX", base);
    cr_assert_not_null(mkdtemp(dir->path));
}

static bool second_is(const struct tmp_dir *dir, const char *name, const char *content)
{
    char path[TMP_PATH_SIZE], text[64] = "";
    FILE *file = fopen(tmp_dir_at(dir, name, path), "r");
    if (file == NULL)
        return false;
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    return size == strlen(content) && memcmp(text, content, size) == 0;
}

static void between_two_folders(const char *base)
{
    RIG(rig);
    struct tmp_dir dir;
    start_second(&dir, base);
    struct qn_folder *second = open_second(&rig, dir.path);
    struct qn_folder_target to = {.folder = second, .path = SPAN("a")};
    rig_make_dir(&rig, "d");
    cr_assert_eq(rig_put(&rig, "d/x", "deep"), QN_OK);
    cr_assert_eq(rig_put(&rig, "a", "one"), QN_OK);
    cr_assert_eq(rig_copy_to(&rig, "a", &to), QN_OK);
    cr_assert(second_is(&dir, "a", "one") && rig_is(&rig, "a", "one"));
    rig_make(&rig, "a", "two");
    cr_assert_eq(rig_move_to(&rig, "a", &to), QN_ERR_EXISTS);
    cr_assert(second_is(&dir, "a", "one") && rig_is(&rig, "a", "two"));
    to.overwrites = true;
    cr_assert_eq(rig_move_to(&rig, "a", &to), QN_OK);
    cr_assert(second_is(&dir, "a", "two") && !rig_exists(&rig, "a"));
    cr_assert_eq(rig_move_to(&rig, "d", &to), QN_OK, "a tree in the place of a file");
    cr_assert(second_is(&dir, "a/x", "deep") && !rig_exists(&rig, "d"));
    to.path = SPAN("none/x");
    rig_make(&rig, "b", "x");
    cr_assert_eq(rig_move_to(&rig, "b", &to), QN_ERR_STATE);
    to.path = SPAN("../b");
    cr_assert_eq(rig_move_to(&rig, "b", &to), QN_ERR_DENIED);
    cr_assert(rig_is(&rig, "b", "x"));
    qn_folder_free(second);
    for (int i = 0; i < 1000; i++)
        rig_turn(&rig);
    tmp_dir_deinit(&dir);
}

Test(copy, between_two_folders)
{
    between_two_folders(NULL);
}

/* 0: there is no other one here that can be written. */
static bool has_other_file_system(void)
{
    struct stat here, there;
    const char *base = getenv("TMPDIR");
    return stat(base ? base : "/tmp", &here) == 0 && stat("/dev/shm", &there) == 0 &&
           here.st_dev != there.st_dev && access("/dev/shm", W_OK) == 0;
}

Test(copy, between_two_file_systems)
{
    if (has_other_file_system())
        between_two_folders("/dev/shm");
}

/* Links are not copied: so they are not removed either, nor what holds them. */
Test(copy, what_is_not_copied_to_another_file_system_stays)
{
    if (!has_other_file_system())
        return;
    RIG(rig);
    struct tmp_dir dir;
    char link[TMP_PATH_SIZE];
    start_second(&dir, "/dev/shm");
    struct qn_folder *second = open_second(&rig, dir.path);
    struct qn_folder_target to = {.folder = second, .path = SPAN("d")};
    rig_make_dir(&rig, "d");
    rig_make(&rig, "d/a", "one");
    cr_assert_eq(symlink("/etc/passwd", tmp_dir_at(&rig.dir, "d/link", link)), 0);
    cr_assert_eq(rig_move_to(&rig, "d", &to), QN_ERR_DENIED);
    cr_assert_str_neq(rig.failed, "");
    cr_assert(second_is(&dir, "d/a", "one"), "%s", rig.failed);
    cr_assert(!rig_exists(&rig, "d/a"), "%s", rig.failed);
    cr_assert(rig_exists(&rig, "d/link"));
    qn_folder_free(second);
    for (int i = 0; i < 1000; i++)
        rig_turn(&rig);
    tmp_dir_deinit(&dir);
}

/* What somebody wrote while a move was copying stays: he was told that it is there. */
Test(copy, what_was_changed_while_it_was_moved_stays)
{
    RIG(rig);
    struct tree_report report;
    pthread_mutex_t change = PTHREAD_MUTEX_INITIALIZER;
    struct tree_moved moved = {.report = &report, .change = &change};
    rig_make_dir(&rig, "d");
    rig_make_dir(&rig, "d/deep");
    rig_make(&rig, "d/old", "as it was");
    rig_make(&rig, "d/deep/old", "as it was");
    rig_make(&rig, "d/changed", "before");
    tree_report_init(&report, NULL, SPAN("d"));
    tree_moved_begin(&moved);
    rig_make(&rig, "d/changed", "after");
    rig_make(&rig, "d/new", "new");
    rig_make_dir(&rig, "d/made");
    int root = open(rig.dir.path, O_RDONLY | O_DIRECTORY);
    cr_assert_geq(root, 0);
    tree_remove_moved(root, "d", &moved);
    close(root);
    cr_assert_eq(report.err, QN_ERR_BUSY);
    cr_assert_eq(report.failures.count, 3);
    cr_assert(rig_is(&rig, "d/changed", "after") && rig_is(&rig, "d/new", "new"));
    cr_assert(rig_exists(&rig, "d/made") && !rig_exists(&rig, "d/old"));
    cr_assert_not(rig_exists(&rig, "d/deep"));
    tree_report_deinit(&report);
}

Test(copy, nothing_is_old_by_a_clock_that_was_set_back)
{
    RIG(rig);
    struct tree_report report;
    pthread_mutex_t change = PTHREAD_MUTEX_INITIALIZER;
    struct tree_moved moved = {.report = &report, .change = &change};
    rig_make(&rig, "a", "x");
    tree_report_init(&report, NULL, SPAN("a"));
    tree_moved_begin(&moved);
    moved.apart_ns += INT64_C(3600) * 1000000000; /* as if it had been an hour ahead then */
    int root = open(rig.dir.path, O_RDONLY | O_DIRECTORY);
    tree_remove_moved(root, "a", &moved);
    close(root);
    cr_assert_eq(report.err, QN_ERR_BUSY);
    cr_assert(rig_exists(&rig, "a"));
    tree_report_deinit(&report);
}
