/* What a client of the reading unit can ask, and in which order. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "reader/server.h"
#include "support/tmp_dir.h"

struct asked {
    struct qn_reader *reader;
    uint8_t answer[QN_READER_ANSWER_SIZE_MAX]; /* the last message */
    size_t size, messages;
    bool has_passed;
};

static int on_send(void *context, struct qn_span message, int passed)
{
    struct asked *asked = context;
    cr_assert(message.size <= sizeof(asked->answer));
    memcpy(asked->answer, message.data, message.size);
    asked->size = message.size;
    asked->messages++;
    asked->has_passed = passed >= 0;
    return 0;
}

static enum qn_err ask(struct asked *asked, enum qn_reader_op op, uint32_t number, const char *name)
{
    struct qn_reader_request request = {.op = op, .number = number, .name = qn_span_str(name)};
    QN_AUTO_BUF struct qn_buf bytes;
    qn_buf_init(&bytes, 8192);
    qn_reader_request_pack(&request, &bytes);
    asked->messages = 0;
    return qn_reader_answer(asked->reader, qn_buf_view(&bytes), on_send, asked);
}

/* The errno of the answer. */
static int ask_for(struct asked *asked, enum qn_reader_op op, uint32_t number, const char *name)
{
    struct qn_batch batch;
    bool is_whole;
    int error = -1;
    uint32_t version;
    struct qn_span xattrs;
    cr_assert(ask(asked, op, number, name) == QN_OK);
    struct qn_span answer = qn_span(asked->answer, asked->size);
    qn_batch_init(&batch);
    if (op == QN_READER_HELLO)
        cr_assert(qn_reader_version_read(answer, &error, &version) == QN_OK);
    else if (op == QN_READER_OPEN)
        cr_assert(qn_reader_done_read(answer, &error) == QN_OK);
    else if (op == QN_READER_XATTRS)
        cr_assert(qn_reader_xattrs_read(answer, &error, &xattrs) == QN_OK);
    else
        cr_assert(qn_reader_batch_read(answer, &batch, &error, &is_whole) == QN_OK);
    qn_batch_deinit(&batch);
    return error;
}

static void begin(struct asked *asked, const char *allowed)
{
    struct qn_reader_allowed folders = {.paths = {allowed}, .count = 1};
    *asked = (struct asked){.reader = qn_reader_new(&folders)};
}

static void end(struct asked *asked)
{
    qn_reader_free(asked->reader);
}
#define AUTO_ASKED __attribute__((cleanup(end)))

Test(reader_server, the_greeting_comes_first_and_once)
{
    AUTO_ASKED struct asked asked;
    begin(&asked, "/srv");
    cr_assert(ask(&asked, QN_READER_TOP, 0, "/srv") == QN_ERR_INVALID);
    cr_assert_eq(ask_for(&asked, QN_READER_HELLO, 2, ""), EOPNOTSUPP);
    cr_assert(ask(&asked, QN_READER_TOP, 0, "/srv") == QN_ERR_INVALID);
    cr_assert_eq(ask_for(&asked, QN_READER_HELLO, 1, ""), 0);
    cr_assert(ask(&asked, QN_READER_HELLO, 1, "") == QN_ERR_INVALID);
}

Test(reader_server, a_folder_above_is_looked_at_only)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    AUTO_ASKED struct asked asked;
    char allowed[TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    cr_assert(mkdir(tmp_dir_at(&dir, "a", allowed), 0700) == 0);
    begin(&asked, allowed);
    cr_assert_eq(ask_for(&asked, QN_READER_HELLO, 1, ""), 0);
    cr_assert_eq(ask_for(&asked, QN_READER_TOP, 0, dir.path), 0);
    cr_assert_eq(ask_for(&asked, QN_READER_LOOK, 0, ""), 0);
    cr_assert_eq(ask_for(&asked, QN_READER_XATTRS, 0, ""), 0);
    cr_assert_eq(ask_for(&asked, QN_READER_ENTER, 0, ""), EPERM);
    cr_assert_eq(ask_for(&asked, QN_READER_OPEN, 0, ""), EPERM);
    cr_assert_eq(ask_for(&asked, QN_READER_MORE, 1, ""), EPERM);
    cr_assert_eq(ask_for(&asked, QN_READER_TOP, 0, allowed), 0);
    cr_assert_eq(ask_for(&asked, QN_READER_ENTER, 0, ""), 0);
}

/* A refused or failed top leaves nothing of the one before it. */
Test(reader_server, nothing_stays_open_behind_another_top)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    AUTO_ASKED struct asked asked;
    tmp_dir_init(&dir);
    begin(&asked, dir.path);
    cr_assert_eq(ask_for(&asked, QN_READER_HELLO, 1, ""), 0);
    cr_assert_eq(ask_for(&asked, QN_READER_ENTER, 0, ""), EINVAL); /* no top */
    cr_assert_eq(ask_for(&asked, QN_READER_TOP, 0, dir.path), 0);
    cr_assert_eq(ask_for(&asked, QN_READER_ENTER, 0, ""), 0);
    cr_assert_eq(ask_for(&asked, QN_READER_TOP, 0, "/etc/shadow"), EPERM);
    cr_assert_eq(ask_for(&asked, QN_READER_OPEN, 0, ""), EPERM);
    cr_assert_eq(ask_for(&asked, QN_READER_ENTER, 0, ""), EPERM);
}

Test(reader_server, only_regular_files_are_passed)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    AUTO_ASKED struct asked asked;
    char path[TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    cr_assert(mkdir(tmp_dir_at(&dir, "d", path), 0700) == 0);
    cr_assert(mkfifo(tmp_dir_at(&dir, "p", path), 0600) == 0);
    cr_assert(symlink("/etc/passwd", tmp_dir_at(&dir, "l", path)) == 0);
    close(open(tmp_dir_at(&dir, "f", path), O_CREAT | O_WRONLY, 0600));
    begin(&asked, dir.path);
    cr_assert_eq(ask_for(&asked, QN_READER_HELLO, 1, ""), 0);
    cr_assert_eq(ask_for(&asked, QN_READER_TOP, 0, dir.path), 0);
    cr_assert_eq(ask_for(&asked, QN_READER_OPEN, 0, ""), ESTALE);
    cr_assert_eq(ask_for(&asked, QN_READER_ENTER, 0, ""), 0);
    for (const char *name = "dpl"; *name != '\0'; name++) {
        cr_assert_eq(ask_for(&asked, QN_READER_OPEN, 1, (char[]){*name, '\0'}), ESTALE);
        cr_assert(!asked.has_passed);
    }
    cr_assert_eq(ask_for(&asked, QN_READER_OPEN, 1, "f"), 0);
    cr_assert(asked.has_passed);
}

static enum qn_reader_access access_to(const char *allowed, const char *path)
{
    struct qn_reader_allowed folders = {.paths = {"/other/place", allowed}, .count = 2};
    return qn_reader_access(&folders, qn_span_str(path));
}

Test(reader_server, what_is_allowed)
{
    cr_assert_eq(access_to("/srv", "/srv"), QN_READER_ALLOWED);
    cr_assert_eq(access_to("/srv", "/srv/x/y"), QN_READER_ALLOWED);
    cr_assert_eq(access_to("/srv", "/srvx"), QN_READER_REFUSED);
    cr_assert_eq(access_to("/srv", "/sr"), QN_READER_REFUSED);
    cr_assert_eq(access_to("/srv/data", "/srv"), QN_READER_ABOVE);
    cr_assert_eq(access_to("/srv/data", "/"), QN_READER_ABOVE);
    cr_assert_eq(access_to("/srv/data", "/srv/dat"), QN_READER_REFUSED);
    cr_assert_eq(access_to("/", "/"), QN_READER_ALLOWED);
    cr_assert_eq(access_to("/", "/etc"), QN_READER_ALLOWED);
    cr_assert_eq(access_to("/srv", "/etc"), QN_READER_REFUSED);
}

Test(reader_server, requests_that_are_none)
{
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"", 0},
        {"\x92\x00\x01", 3},              /* no name */
        {"\x93\x07\x00\xc4\x00", 5},      /* no such operation */
        {"\x93\x00\x01\xc4\x00\x00", 6},  /* something behind it */
        {"\x93\x01\x00\xc4\x01x", 6},     /* a top that is not absolute */
        {"\x93\x01\x00\xc4\x02/\x00", 7}, /* a zero byte */
        {"\x93\x02\x01\xc4\x02..", 7},    /* a name that leads out */
        {"\x93\x02\x01\xc4\x03"
         "a/b",
         8}, /* a path for a name */
        {"\x93\x02\x00\xc4\x01"
         "a",
         6}, /* a name for the top */
        {"\x93\x05\xcd\x08\x01\xc4\x01"
         "a",
         8}, /* too deep */
        {"\x93\x02\x01\xa1"
         "a",
         5}, /* text for bytes */
    };
    struct qn_reader_request request;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert(qn_reader_request_read(qn_span(bad[i].bytes, bad[i].size), &request) != QN_OK,
                  "%zu", i);
}
