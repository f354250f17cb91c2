#include "rig.h"

static const uint8_t mark[QN_FOLDER_MARK_SIZE] = {1, 2, 3}, other[QN_FOLDER_MARK_SIZE] = {4};

/* The folder is "root" in the rig's directory. */
static void init(struct rig *rig, bool is_marked)
{
    static char path[TMP_PATH_SIZE];
    rig_init(rig);
    qn_folder_free(rig->folder);
    rig_make_dir(rig, "root");
    rig_at(rig, "root", path);
    if (is_marked)
        cr_assert_eq(qn_folder_mark(path, mark), QN_OK);
    rig_open(rig, path, is_marked ? mark : NULL, true);
}
#define ROOT_RIG(name, is_marked)                                                                  \
    __attribute__((cleanup(rig_deinit))) struct rig name;                                          \
    init(&name, is_marked)

static void rename_in(const struct rig *rig, const char *from, const char *to)
{
    char a[TMP_PATH_SIZE], b[TMP_PATH_SIZE];
    cr_assert_eq(rename(rig_at(rig, from, a), rig_at(rig, to, b)), 0);
}

static void everything_is_refused(struct rig *rig)
{
    cr_assert_eq(rig_stat(rig, "a"), QN_ERR_CLOSED);
    cr_assert_eq(rig_list(rig, ""), QN_ERR_CLOSED);
    cr_assert_eq(rig_put(rig, "b", "x"), QN_ERR_CLOSED);
    cr_assert_eq(rig_mkdir(rig, "d"), QN_ERR_CLOSED);
    cr_assert_eq(rig_remove(rig, "a", NULL), QN_ERR_CLOSED);
    cr_assert_eq(rig_copy(rig, "a", "c", false), QN_ERR_CLOSED);
    cr_assert_eq(rig_move(rig, "a", "c", false), QN_ERR_CLOSED);
    cr_assert_eq(rig_touch(rig, "a", 0), QN_ERR_CLOSED);
}

Test(root, gone_and_back)
{
    ROOT_RIG(rig, false);
    rig_make(&rig, "root/a", "x");
    rename_in(&rig, "root", "away");
    everything_is_refused(&rig);
    rename_in(&rig, "away", "root");
    cr_assert_eq(rig_get(&rig, "a"), QN_OK);
}

/* A disk that is not mounted leaves an empty directory. */
Test(root, another_one_in_its_place)
{
    ROOT_RIG(rig, false);
    rig_make(&rig, "root/a", "x");
    rename_in(&rig, "root", "away");
    rig_make_dir(&rig, "root");
    rig_make(&rig, "root/a", "not ours");
    everything_is_refused(&rig);
    cr_assert(rig_is(&rig, "root/a", "not ours"));
    cr_assert_not(rig_exists(&rig, "root/b"));
    cr_assert_not(rig_exists(&rig, "away/b"));
}

Test(root, an_upload_that_was_under_way)
{
    ROOT_RIG(rig, true);
    cr_assert_eq(rig_begin(&rig, "a", 0), QN_OK);
    rename_in(&rig, "root", "away");
    rig_make_dir(&rig, "root");
    cr_assert_eq(rig_write(&rig, SPAN("x")), QN_OK);
    cr_assert_eq(rig_commit(&rig, NULL, INT64_MIN), QN_ERR_CLOSED);
    cr_assert_not(rig_exists(&rig, "root/a"));
    cr_assert_not(rig_exists(&rig, "away/a"));
    cr_assert_eq(rig_left_over(&rig, "away"), 0);
}

Test(root, the_mark_makes_another_directory_the_folder)
{
    ROOT_RIG(rig, true);
    char path[TMP_PATH_SIZE];
    rename_in(&rig, "root", "away");
    rig_make_dir(&rig, "root");
    everything_is_refused(&rig);
    cr_assert_eq(qn_folder_mark(rig_at(&rig, "root", path), other), QN_OK);
    everything_is_refused(&rig);
    rename_in(&rig, "root", "others");
    rig_make_dir(&rig, "root");
    cr_assert_eq(qn_folder_mark(rig_at(&rig, "root", path), mark), QN_OK); /* restored */
    rig_make(&rig, "root/a", "restored");
    cr_assert_eq(rig_get(&rig, "a"), QN_OK);
    assert_buf_eq(&rig.text, "restored");
}

Test(root, not_there_at_the_start)
{
    RIG(rig);
    char path[TMP_PATH_SIZE];
    qn_folder_free(rig.folder);
    rig_open(&rig, rig_at(&rig, "later", path), mark, true);
    cr_assert_eq(rig_list(&rig, ""), QN_ERR_CLOSED);
    rig_make_dir(&rig, "later");
    cr_assert_eq(rig_list(&rig, ""), QN_ERR_CLOSED);
    cr_assert_eq(qn_folder_mark(path, mark), QN_OK);
    cr_assert_eq(rig_list(&rig, ""), QN_OK);
}

Test(root, marks)
{
    RIG(rig);
    char path[TMP_PATH_SIZE];
    cr_assert_eq(qn_folder_check(rig.dir.path, mark), QN_ERR_CLOSED);
    cr_assert_eq(qn_folder_mark(rig.dir.path, mark), QN_OK);
    cr_assert_eq(qn_folder_mark(rig.dir.path, mark), QN_OK);
    cr_assert_eq(qn_folder_mark(rig.dir.path, other), QN_ERR_EXISTS);
    cr_assert_eq(qn_folder_check(rig.dir.path, mark), QN_OK);
    cr_assert_eq(qn_folder_check(rig.dir.path, other), QN_ERR_CLOSED);
    cr_assert_eq(qn_folder_unmark(rig.dir.path, other), QN_OK); /* not its own: stays */
    cr_assert_eq(qn_folder_check(rig.dir.path, mark), QN_OK);
    cr_assert_eq(qn_folder_unmark(rig.dir.path, mark), QN_OK);
    cr_assert_eq(qn_folder_check(rig.dir.path, mark), QN_ERR_CLOSED);
    cr_assert_eq(qn_folder_mark(rig_at(&rig, "none", path), mark), QN_ERR_NOTFOUND);
    rig_make(&rig, ".quoin-folder", "broken");
    cr_assert_eq(qn_folder_check(rig.dir.path, mark), QN_ERR_CLOSED);
}
