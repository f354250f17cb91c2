#include "rig.h"

#include <time.h>

Test(list, names_of_files_and_directories_only)
{
    RIG(rig);
    char path[TMP_PATH_SIZE];
    rig_make(&rig, "b", "x");
    rig_make_dir(&rig, "a");
    rig_make(&rig, "a/below", "x");
    rig_make(&rig, ".quoin-folder", "x");
    rig_make(&rig, "\xe9.txt", "Latin 1");
    rig_make(&rig, "new\nline", "x");
    cr_assert_eq(symlink("b", rig_at(&rig, "link", path)), 0);
    cr_assert_eq(mkfifo(rig_at(&rig, "pipe", path), 0600), 0);
    cr_assert_eq(rig_list(&rig, ""), QN_OK);
    assert_buf_eq(&rig.text, "a\nb\n");
    cr_assert_eq(rig_list(&rig, "a"), QN_OK);
    assert_buf_eq(&rig.text, "below\n");
    cr_assert_eq(rig_list(&rig, "b"), QN_ERR_STATE);
    cr_assert_eq(rig_list(&rig, "none"), QN_ERR_NOTFOUND);
    cr_assert_eq(rig_list(&rig, "link"), QN_ERR_DENIED);
}

Test(list, an_empty_one_ends)
{
    RIG(rig);
    cr_assert_eq(rig_list(&rig, ""), QN_OK);
    cr_assert_eq(rig.text.size, 0);
    cr_assert_eq(rig.part_count, 1);
}

Test(list, one_name_for_one_normal_form)
{
    RIG(rig);
    rig_make(&rig, "\xc3\xa9", "composed");
    rig_make(&rig, "e\xcc\x81", "apart");
    rig_make(&rig, "a\xcc\x80", "apart");
    cr_assert_eq(rig_list(&rig, ""), QN_OK);
    assert_buf_eq(&rig.text, "\xc3\xa0\n\xc3\xa9\n");
    cr_assert_eq(rig_get(&rig, "\xc3\xa9"), QN_OK);
    assert_buf_eq(&rig.text, "composed");
}

static void make_many(const struct rig *rig, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char name[32], path[TMP_PATH_SIZE];
        snprintf(name, sizeof(name), "file-%05u.txt", i);
        int fd = open(rig_at(rig, name, path), O_WRONLY | O_CREAT | O_EXCL, 0644);
        cr_assert_geq(fd, 0);
        close(fd);
    }
}

/* In parts of a bounded size. How long it takes is printed, and only bounded so that a test that
 * became quadratic fails: a busy machine is no fault. */
Test(list, ten_thousand)
{
    RIG(rig);
    struct timespec before, after;
    make_many(&rig, 10000);
    clock_gettime(CLOCK_MONOTONIC, &before);
    cr_assert_eq(rig_list(&rig, ""), QN_OK);
    clock_gettime(CLOCK_MONOTONIC, &after);
    double ms = (double)(after.tv_sec - before.tv_sec) * 1e3 +
                (double)(after.tv_nsec - before.tv_nsec) / 1e6;
    fprintf(stderr, "10,000 names listed in %.1f ms\n", ms);
    cr_assert_lt(ms, 5000);
    cr_assert_eq(rig.text.size, 10000 * strlen("file-00000.txt\n"));
    cr_assert_leq(rig.part_max, 512);
    cr_assert_geq(rig.part_count, 10000 / 512);
}

struct half {
    struct rig *rig;
    struct qn_folder_call *call;
    size_t parts;
    bool cancels_inside;
};

static void on_half(void *context, enum qn_err err, const struct qn_entry_info *entries,
                    size_t count, bool is_end)
{
    struct half *half = context;
    (void)entries;
    half->parts++;
    if (half->parts == 1 && half->cancels_inside)
        half->rig->folder->ops->cancel(half->call);
    half->rig->err = err;
    half->rig->is_done = true;
    cr_assert_eq(is_end, err != QN_OK || count == 0);
}

static void cancel_after_a_part(bool cancels_inside)
{
    RIG(rig);
    struct half half = {.rig = &rig, .cancels_inside = cancels_inside};
    make_many(&rig, 600);
    half.call = rig.folder->ops->list(rig.folder, SPAN(""), on_half, &half);
    rig_wait(&rig);
    if (!cancels_inside)
        rig.folder->ops->cancel(half.call);
    cr_assert_eq(half.parts, 1); /* never from inside the call */
    rig_wait(&rig);
    cr_assert_eq(rig.err, QN_ERR_CLOSED);
    cr_assert_eq(half.parts, 2);
}

Test(list, is_cancelled_between_two_parts)
{
    cancel_after_a_part(false);
}

Test(list, is_cancelled_inside_a_part)
{
    cancel_after_a_part(true);
}
