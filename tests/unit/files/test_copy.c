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
    rig.folder->ops->copy(rig.folder, SPAN("d"), SPAN("c"), false, true, NULL, rig_on_done, &rig);
    rig_wait(&rig);
    cr_assert_eq(rig.err, QN_OK);
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
