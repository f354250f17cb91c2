/* A disk that runs full, for real: a small file system of its own, where one may be mounted. */
#include <sched.h>
#include <sys/mount.h>

#include "rig.h"

struct full {
    struct rig rig;
    bool is_mounted;
    char path[TMP_PATH_SIZE];
};

/* In a mount namespace of this process, made before it has threads: what ends it ends the mount. */
static bool has_own_mounts(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void full_init(struct full *full)
{
    bool may_mount = has_own_mounts();
    rig_init(&full->rig);
    rig_make_dir(&full->rig, "disk");
    rig_at(&full->rig, "disk", full->path);
    full->is_mounted = may_mount && mount("tmpfs", full->path, "tmpfs", 0, "size=512k") == 0;
    if (!full->is_mounted)
        return;
    qn_folder_free(full->rig.folder);
    rig_open(&full->rig, full->path, NULL, true);
}

static void full_deinit(struct full *full)
{
    qn_folder_free(full->rig.folder);
    for (int i = 0; i < TURNS_MAX && qn_loop_turn(full->rig.loop); i++)
        sched_yield();
    if (full->is_mounted)
        cr_assert_eq(umount(full->path), 0); /* nothing was left open on it */
    full->rig.folder = NULL;
    rig_deinit(&full->rig);
}

Test(full, an_upload_that_does_not_fit)
{
    struct full full;
    full_init(&full);
    if (!full.is_mounted) {
        full_deinit(&full);
        cr_skip_test("may not mount");
    }
    struct rig *rig = &full.rig;
    static uint8_t piece[64 * 1024];
    cr_assert_eq(rig_put(rig, "old", "as it was"), QN_OK);
    cr_assert_eq(rig_begin(rig, "old", UINT64_MAX), QN_OK);
    enum qn_err err = QN_OK;
    int pieces = 0;
    for (; err == QN_OK && pieces < 100; pieces++)
        err = rig_write(rig, QN_SPAN_OF(piece));
    cr_assert_eq(err, QN_ERR_NOSPACE);
    cr_assert_gt(pieces, 2);
    cr_assert_eq(rig_write(rig, SPAN("x")), QN_ERR_NOSPACE); /* it cannot become whole */
    cr_assert_eq(rig_commit(rig, NULL, INT64_MIN), QN_ERR_NOSPACE);
    cr_assert_eq(rig_get(rig, "old"), QN_OK);
    assert_buf_eq(&rig->text, "as it was");
    cr_assert_eq(rig_list(rig, ""), QN_OK);
    assert_buf_eq(&rig->text, "old\n");
    cr_assert_eq(rig_put(rig, "new", "there is room again"), QN_OK);
    cr_assert_eq(rig_begin(rig, "huge", 1 << 20), QN_ERR_NOSPACE); /* said before the first byte */
    full_deinit(&full);
}

Test(full, a_copy_that_does_not_fit)
{
    struct full full;
    full_init(&full);
    if (!full.is_mounted) {
        full_deinit(&full);
        cr_skip_test("may not mount");
    }
    struct rig *rig = &full.rig;
    static uint8_t piece[100 * 1024];
    cr_assert_eq(rig_mkdir(rig, "d"), QN_OK);
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof(name), "d/%d", i);
        cr_assert_eq(rig_begin(rig, name, UINT64_MAX), QN_OK);
        cr_assert_eq(rig_write(rig, QN_SPAN_OF(piece)), QN_OK);
        cr_assert_eq(rig_commit(rig, NULL, INT64_MIN), QN_OK);
    }
    cr_assert_eq(rig_copy(rig, "d", "e", false), QN_ERR_NOSPACE);
    cr_assert_eq(rig_list(rig, ""), QN_OK);
    assert_buf_eq(&rig->text, "d\n");                           /* not half of it */
    cr_assert_eq(rig_begin(rig, "fits", sizeof(piece)), QN_OK); /* and its room is free */
    rig->folder->ops->abort(rig->upload);
    full_deinit(&full);
}

/* What another file system is below the folder is not entered. */
Test(full, mounts_below_are_not_entered)
{
    struct full full;
    full_init(&full);
    if (!full.is_mounted) {
        full_deinit(&full);
        cr_skip_test("may not mount");
    }
    struct rig *rig = &full.rig;
    qn_folder_free(rig->folder);
    rig_make(rig, "disk/a", "x");
    rig_open(rig, rig->dir.path, NULL, true);
    cr_assert_eq(rig_get(rig, "disk/a"), QN_ERR_DENIED);
    cr_assert_eq(rig_list(rig, "disk"), QN_ERR_DENIED);
    cr_assert_eq(rig_list(rig, ""), QN_OK);
    cr_assert_eq(rig->text.size, 0);
    cr_assert_eq(rig_put(rig, "disk/b", "x"), QN_ERR_DENIED);
    cr_assert_eq(rig_remove(rig, "disk", NULL), QN_ERR_DENIED);
    cr_assert(rig_is(rig, "disk/a", "x"));
    full_deinit(&full);
}
