/* File work on real packs: what becomes of one that the disk does not give. */
#include <errno.h>
#include <sys/syscall.h>

#include "app/files.h"
#include "support/span.h"
#include "support/tmp_dir.h"
#include "support/turns.h"

static bool is_sector_bad; /* while nothing of the pool runs */

/* Instead of the C library's. */
ssize_t pread(int fd, void *buf, size_t size, off_t offset)
{
    if (!is_sector_bad)
        return syscall(SYS_pread64, fd, buf, size, offset);
    errno = EIO;
    return -1;
}

struct fixture {
    struct tmp_dir dir;
    struct qn_loop *loop;
    struct qn_files *files;
    struct qn_site_id self, owner;
    struct qn_pack_name name;
    bool is_done;
    enum qn_err err;
};

static void on_result(void *context, struct qn_file_result *result)
{
    struct fixture *f = context;
    f->err = result->err;
    f->is_done = true;
}

static void begin(struct fixture *f)
{
    struct qn_digest digest;
    *f = (struct fixture){.self = {{1}}, .owner = {{2}}};
    tmp_dir_init(&f->dir);
    f->loop = new_loop();
    f->files = qn_files_new(&(struct qn_files_options){.loop = f->loop,
                                                       .state_dir = f->dir.path,
                                                       .site = &f->self,
                                                       .on_result = on_result,
                                                       .context = f});
    QN_DIGEST(&digest, SPAN("content"));
    memcpy(f->name.bytes, digest.bytes, sizeof(f->name.bytes));
}

static void end(struct fixture *f)
{
    is_sector_bad = false;
    qn_files_free(f->files);
    free_loop(f->loop);
    tmp_dir_deinit(&f->dir);
}

#define FIXTURE                                                                                    \
    __attribute__((cleanup(end))) struct fixture f;                                                \
    begin(&f)

static enum qn_err work(struct fixture *f, enum qn_file_kind kind, struct qn_span bytes)
{
    struct qn_file_work *work = QN_NEW(struct qn_file_work);
    *work = (struct qn_file_work){
        .kind = kind, .owner = f->owner, .name = f->name, .total = bytes.size};
    qn_buf_init(&work->bytes, 64);
    qn_buf_append_span(&work->bytes, bytes);
    f->is_done = false;
    qn_files_start(f->files, work);
    turn_until(f->loop, f->is_done);
    return f->err;
}

/* The first reader finds it, not only the scrub a month later; then it can come again. */
static void assert_found_by(enum qn_file_kind kind, struct qn_span bytes)
{
    FIXTURE;
    cr_assert_eq(work(&f, QN_FILE_APPEND, SPAN("content")), QN_OK);
    cr_assert_eq(work(&f, kind, bytes), QN_OK);
    is_sector_bad = true;
    cr_assert_eq(work(&f, kind, bytes), QN_ERR_CORRUPT);
    is_sector_bad = false;
    cr_assert_eq(work(&f, kind, bytes), QN_ERR_NOTFOUND, "it is put aside");
    cr_assert_eq(work(&f, QN_FILE_APPEND, SPAN("content")), QN_OK);
    cr_assert_eq(work(&f, kind, bytes), QN_OK);
}

Test(files, a_bad_sector_is_damage_for_a_challenge)
{
    assert_found_by(QN_FILE_PROOF, SPAN("a key of thirty-two bytes, or so"));
}

Test(files, a_bad_sector_is_damage_for_whoever_reads_back)
{
    assert_found_by(QN_FILE_READ, SPAN(""));
}

Test(files, a_bad_sector_is_damage_for_a_scrub)
{
    assert_found_by(QN_FILE_SCRUB, SPAN(""));
}
