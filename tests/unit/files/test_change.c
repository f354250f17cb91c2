#include "rig.h"

#include <sys/types.h>
#include <sys/wait.h>

static const int64_t old_ns = INT64_C(1500000000) * 1000000000;

Test(change, a_new_directory)
{
    RIG(rig);
    cr_assert_eq(rig_mkdir(&rig, "d"), QN_OK);
    cr_assert_eq(rig_mkdir(&rig, "d/e"), QN_OK);
    cr_assert_eq(rig_mkdir(&rig, "d"), QN_ERR_EXISTS);
    cr_assert_eq(rig_mkdir(&rig, ""), QN_ERR_EXISTS);
    cr_assert_eq(rig_mkdir(&rig, "none/e"), QN_ERR_STATE);
    cr_assert(rig_exists(&rig, "d/e"));
    rig_make(&rig, "f", "x");
    cr_assert_eq(rig_mkdir(&rig, "f"), QN_ERR_EXISTS);
}

Test(change, a_file_is_removed)
{
    RIG(rig);
    cr_assert_eq(rig_put(&rig, "a", "x"), QN_OK);
    cr_assert_eq(rig_remove(&rig, "a", NULL), QN_OK);
    cr_assert_not(rig_exists(&rig, "a"));
    cr_assert_eq(rig_remove(&rig, "a", NULL), QN_ERR_NOTFOUND);
    cr_assert_eq(rig_remove(&rig, "", NULL), QN_ERR_DENIED);
}

Test(change, removed_only_as_expected)
{
    RIG(rig);
    struct qn_folder_expect tag = {0}, there = {.must_exist = true};
    cr_assert_eq(rig_put(&rig, "a", "x"), QN_OK);
    memcpy(tag.etag, rig.entry.etag, sizeof(tag.etag));
    cr_assert_eq(rig_put(&rig, "a", "y"), QN_OK);
    cr_assert_eq(rig_remove(&rig, "a", &tag), QN_ERR_CONFLICT);
    cr_assert(rig_is(&rig, "a", "y"));
    memcpy(tag.etag, rig.entry.etag, sizeof(tag.etag));
    cr_assert_eq(rig_stat(&rig, "a"), QN_OK);
    memcpy(tag.etag, rig.entry.etag, sizeof(tag.etag));
    cr_assert_eq(rig_remove(&rig, "a", &tag), QN_OK);
    cr_assert_eq(rig_remove(&rig, "a", &there), QN_ERR_CONFLICT);
}

Test(change, a_tree_is_removed)
{
    RIG(rig);
    char path[TMP_PATH_SIZE];
    rig_make_dir(&rig, "d");
    rig_make_dir(&rig, "d/e");
    rig_make_dir(&rig, "d/e/f");
    rig_make(&rig, "d/e/f/a", "x");
    rig_make(&rig, "kept", "x");
    cr_assert_eq(symlink("../kept", rig_at(&rig, "d/link", path)), 0);
    cr_assert_eq(symlink("..", rig_at(&rig, "d/up", path)), 0);
    cr_assert_eq(rig_remove(&rig, "d", NULL), QN_OK);
    cr_assert_not(rig_exists(&rig, "d"));
    cr_assert(rig_is(&rig, "kept", "x")); /* links go, what they point at stays */
    cr_assert_eq(rig_left_over(&rig, ""), 0);
    cr_assert_str_empty(rig.failed);
}

/* As somebody who may not: what could not go is named, and is where it was. */
static int remove_as_nobody(struct rig *rig)
{
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 2;
    if (rig_remove(rig, "d", NULL) != QN_ERR_DENIED)
        return 3;
    if (strcmp(rig->failed, "d/shut/a:denied\n") != 0)
        return 4;
    return rig_exists(rig, "d/shut/a") && !rig_exists(rig, "d/open") ? 0 : 5;
}

Test(change, what_cannot_be_removed_is_told)
{
    if (getuid() != 0)
        cr_skip_test("needs root, to become somebody else");
    RIG(rig);
    char path[TMP_PATH_SIZE];
    rig_make_dir(&rig, "d");
    rig_make_dir(&rig, "d/open");
    rig_make(&rig, "d/open/b", "x");
    rig_make_dir(&rig, "d/shut");
    rig_make(&rig, "d/shut/a", "x");
    cr_assert_eq(chmod(rig.dir.path, 0777), 0);
    cr_assert_eq(chown(rig_at(&rig, "d", path), 65534, 65534), 0);
    cr_assert_eq(chown(rig_at(&rig, "d/open", path), 65534, 65534), 0);
    pid_t child = fork();
    if (child == 0) {
        /* Threads do not come along: a loop and a folder of its own. */
        struct rig own = rig;
        own.loop = new_loop();
        rig_open(&own, rig.dir.path, NULL, false);
        _exit(remove_as_nobody(&own));
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "step %d", WEXITSTATUS(status));
    cr_assert(rig_exists(&rig, "d/shut/a"));
    cr_assert_eq(rig_left_over(&rig, ""), 0);
}

Test(change, rows_go_with_what_they_are_of)
{
    RIG(rig);
    cr_assert_eq(rig_mkdir(&rig, "d"), QN_OK);
    for (int i = 0; i < 300; i++) { /* more than one put takes */
        char name[32];
        snprintf(name, sizeof(name), "d/%03d", i);
        cr_assert_eq(rig_put(&rig, name, name), QN_OK);
    }
    cr_assert_eq(rig_move(&rig, "d", "e", false), QN_OK);
    cr_assert_eq(rig_stat(&rig, "e/000"), QN_OK);
    cr_assert(rig.entry.has_digest); /* it came along */
    cr_assert_eq(rig_stat(&rig, "e/299"), QN_OK);
    cr_assert(rig.entry.has_digest);
    cr_assert_eq(rig_remove(&rig, "e", NULL), QN_OK);
    struct qn_span key, value;
    cr_assert_eq(qn_kv_seek(memkv_reader(fake_local_memkv(rig.rows)), QN_TABLE_LOCAL, SPAN("file/"),
                            &key, &value),
                 QN_ERR_NOTFOUND);
}

Test(change, a_new_time)
{
    RIG(rig);
    char etag[QN_ETAG_SIZE_MAX];
    cr_assert_eq(rig_put(&rig, "a", "x"), QN_OK);
    memcpy(etag, rig.entry.etag, sizeof(etag));
    cr_assert_eq(rig_touch(&rig, "a", old_ns), QN_OK);
    cr_assert_eq(rig.entry.modified_ns, old_ns);
    cr_assert_str_eq(rig.entry.etag, etag); /* the content is the same, and known to be */
    cr_assert_eq(rig_stat(&rig, "a"), QN_OK);
    cr_assert_str_eq(rig.entry.etag, etag);
    cr_assert_eq(rig.entry.modified_ns, old_ns);
    cr_assert_eq(rig_touch(&rig, "none", old_ns), QN_ERR_NOTFOUND);
    cr_assert_eq(rig_mkdir(&rig, "d"), QN_OK);
    cr_assert_eq(rig_touch(&rig, "d", old_ns), QN_OK);
    cr_assert_eq(rig.entry.modified_ns, old_ns);
}

/* A time from before 1970 and a fraction. */
Test(change, odd_times)
{
    RIG(rig);
    rig_make(&rig, "a", "x");
    cr_assert_eq(rig_touch(&rig, "a", -1500000000), QN_OK);
    cr_assert_eq(rig.entry.modified_ns, -1500000000);
}

/* Written by another program in between: the digest is not carried over. */
Test(change, a_new_time_does_not_hide_a_write)
{
    RIG(rig);
    char etag[QN_ETAG_SIZE_MAX];
    cr_assert_eq(rig_put(&rig, "a", "x"), QN_OK);
    memcpy(etag, rig.entry.etag, sizeof(etag));
    rig_make(&rig, "a", "y");
    cr_assert_eq(rig_touch(&rig, "a", old_ns), QN_OK);
    cr_assert_str_neq(rig.entry.etag, etag);
}
