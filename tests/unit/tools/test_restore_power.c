/* What a restore makes of a target in which an earlier one was ended by a power cut. */
#include "restore_fixture.h"
#include "syncctl/restore_private.h"

#define MARK ".quoin-restore.unfinished"

/* The names and times are there, the bytes are not; and the machine was started again. */
static void tear(const struct fixture *f, const char *name, off_t size)
{
    struct stat status = status_of(f, name);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, status.st_mtim};
    cr_assert(truncate(at(f, name), 0) == 0);
    cr_assert(truncate(at(f, name), size) == 0);
    cr_assert(utimensat(AT_FDCWD, at(f, name), times, 0) == 0);
}

static void start_machine_again(const struct fixture *f)
{
    int fd = open(at(f, MARK), O_WRONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && pwrite(fd, "zz", 2, 0) == 2);
    close(fd);
}

static void put_three(struct fixture *f)
{
    put_folder(f, "a");
    put_file(f, "a/x", "one");
    put_file(f, "a/y", "two");
    put_link(f, QN_ENTRY_HARDLINK, "a/z", "a/y");
}

static void lose_power(struct fixture *f)
{
    begin(f);
    put_three(f);
    stop(f);
    tear(f, "a/x", 3);
    tear(f, "a/y", 0);
    start_machine_again(f);
}

Test(restore_power, what_a_power_cut_left_is_written_again)
{
    FIXTURE;
    lose_power(&f);
    for (int run = 0; run < 2; run++) { /* it is not trusted either when that is interrupted, too */
        begin(&f);
        put_three(&f);
        run == 0 ? stop(&f) : finish(&f);
    }
    cr_assert_str_eq(f.issues, "");
    expect_text(&f, "a/x", "one");
    expect_text(&f, "a/y", "two");
    cr_assert_eq(status_of(&f, "a/y").st_ino, status_of(&f, "a/z").st_ino);
    cr_assert_eq(f.counts.files, 2);
    cr_assert_eq(f.counts.same, 0);
    cr_assert_eq(count_names(&f, ""), 1, "the mark is gone");
}

Test(restore_power, after_a_power_cut_what_others_made_is_not_touched)
{
    FIXTURE;
    lose_power(&f);
    make_text(&f, "a/w", "mine");
    make_text(&f, "a/x", "my");
    begin(&f);
    put_folder(&f, "a");
    put_file(&f, "a/w", "theirs");
    put_file(&f, "a/x", "one");
    finish(&f);
    cr_assert_str_eq(f.issues, "EXISTS a/w\nEXISTS a/x\n");
    expect_text(&f, "a/w", "mine");
    expect_text(&f, "a/x", "my");
}

/* It did not write again all that was left. */
Test(restore_power, a_restore_of_something_else_does_not_end_the_doubt)
{
    FIXTURE;
    lose_power(&f);
    f.options.what = qn_span_str("only a/x");
    begin(&f);
    put_file(&f, "a/x", "one");
    finish(&f);
    expect_text(&f, "a/x", "one");
    f.options.what = qn_span_str("");
    for (int run = 0; run < 2; run++) {
        begin(&f);
        put_three(&f);
        finish(&f);
        cr_assert_eq(f.counts.files, 2);
    }
    expect_text(&f, "a/y", "two");
    cr_assert(is_there(&f, MARK), "it cannot be known what else was left");
}

Test(restore_power, a_mark_that_is_none_is_distrusted)
{
    static const char *const texts[] = {"", "x", "\n\n\n", " "};
    for (size_t i = 0; i < 4; i++) {
        FIXTURE;
        begin(&f);
        put_three(&f);
        stop(&f);
        cr_assert(unlink(at(&f, MARK)) == 0);
        make_text(&f, MARK, texts[i]);
        begin(&f);
        put_three(&f);
        finish(&f);
        cr_assert_eq(f.counts.files, 2);
    }
}

/* What the disk told while it was written back, at the end or where the restore is given up: not of
 * which file. */
static void lose_a_write(struct fixture *f, bool is_finished)
{
    begin(f);
    put_three(f);
    f->restore->places.flusher.error = EIO;
    if (is_finished)
        cr_assert_eq(ctl_restore_finish(f->restore), QN_ERR_IO);
    stop(f);
    tear(f, "a/x", 3);
    begin(f);
    put_three(f);
    finish(f);
    cr_assert_str_eq(f->issues, "");
    expect_text(f, "a/x", "one");
    cr_assert_eq(f->counts.files, 2, "nothing was trusted");
    cr_assert_eq(count_names(f, ""), 1, "the mark is gone");
}

Test(restore_power, what_the_disk_did_not_keep_is_written_again)
{
    FIXTURE;
    lose_a_write(&f, true);
}

Test(restore_power, also_if_the_restore_was_given_up)
{
    FIXTURE;
    lose_a_write(&f, false);
}

Test(restore_power, a_disk_that_fails_on_the_way_ends_the_restore)
{
    FIXTURE;
    enum qn_err err = QN_OK;
    char name[16];
    begin(&f);
    f.restore->places.flusher.error = EIO;
    for (int i = 0; i <= CTL_FLUSH_COUNT_MAX && err == QN_OK; i++) {
        snprintf(name, sizeof(name), "%04d", i);
        struct qn_entry entry = entry_of(QN_ENTRY_FILE, name);
        entry.size = 1;
        put_entry(&f, &entry);
        cr_assert(ctl_restore_bytes(f.restore, (const uint8_t *)"x", 1) == QN_OK);
        err = ctl_restore_entry_end(f.restore, QN_OK);
    }
    cr_assert_eq(err, QN_ERR_IO);
    cr_assert_str_eq(f.issues, "DISK \n");
    stop(&f);
}
