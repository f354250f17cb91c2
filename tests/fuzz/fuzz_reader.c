/* A hostile client of the reading unit: whatever it asks, it gets files below the one folder that
 * is allowed, and answers that its own side of the house can read. Input: requests, each behind its
 * size as one byte. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reader/server.h"
#include "support/fuzz.h"

static char root[64]; /* ROOT/open is allowed, ROOT/secret is not */

static void make(const char *name, bool is_dir)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    if (is_dir) {
        FUZZ_CHECK(mkdir(path, 0700) == 0);
        return;
    }
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    FUZZ_CHECK(fd >= 0);
    close(fd);
}

static void remove_tree(void)
{
    static const char *const names[] = {"open/f", "open/l", "open/d/g", "open/d", "open", "secret"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", root, names[i]);
        remove(path);
    }
    rmdir(root);
}

/* Below a path of a fixed length, which the corpus knows. */
static void make_tree(void)
{
    char link_path[128];
    snprintf(root, sizeof(root), "/tmp/quoin-fuzz-reader.%07d", getpid());
    FUZZ_CHECK(mkdir(root, 0700) == 0);
    make("open", true);
    make("open/f", false);
    make("open/d", true);
    make("open/d/g", false);
    make("secret", false);
    snprintf(link_path, sizeof(link_path), "%s/open/l", root);
    FUZZ_CHECK(symlink("../secret", link_path) == 0);
    atexit(remove_tree);
}

static int on_send(void *context, struct qn_span message, int passed)
{
    char name[64], path[256] = "", allowed[128];
    (void)context;
    FUZZ_CHECK(message.size > 0 && message.size <= QN_READER_ANSWER_SIZE_MAX);
    if (passed < 0)
        return 0;
    snprintf(name, sizeof(name), "/proc/self/fd/%d", passed);
    snprintf(allowed, sizeof(allowed), "%s/open/", root);
    FUZZ_CHECK(readlink(name, path, sizeof(path) - 1) > 0);
    FUZZ_CHECK(strncmp(path, allowed, strlen(allowed)) == 0);
    FUZZ_CHECK((fcntl(passed, F_GETFL) & O_ACCMODE) == O_RDONLY);
    return 0;
}

/* What can be read is written again as the same bytes: there is one form of each request. */
static void check_form(struct qn_span bytes)
{
    struct qn_reader_request request;
    QN_AUTO_BUF struct qn_buf again;
    qn_buf_init(&again, QN_READER_REQUEST_SIZE_MAX);
    if (qn_reader_request_read(bytes, &request) != QN_OK)
        return;
    qn_reader_request_pack(&request, &again);
    FUZZ_CHECK(qn_span_eq(bytes, qn_buf_view(&again)));
}

static void ask(struct qn_reader *reader, struct qn_span bytes)
{
    check_form(bytes);
    (void)!qn_reader_answer(reader, bytes, on_send, NULL);
}

static void ask_top(struct qn_reader *reader, const char *path)
{
    struct qn_reader_request request = {.op = QN_READER_TOP, .name = qn_span_str(path)};
    QN_AUTO_BUF struct qn_buf bytes;
    qn_buf_init(&bytes, QN_READER_REQUEST_SIZE_MAX);
    qn_reader_request_pack(&request, &bytes);
    ask(reader, qn_buf_view(&bytes));
}

/* As answers too: nothing that a client reads is trusted either. */
static void read_as_answer(struct qn_span bytes)
{
    struct qn_batch batch;
    bool is_whole;
    int error;
    struct qn_span xattrs;
    uint32_t version;
    qn_batch_init(&batch);
    if (qn_reader_batch_read(bytes, &batch, &error, &is_whole) == QN_OK)
        FUZZ_CHECK(batch.nodes.count <= QN_BATCH_NODES_MAX);
    if (qn_reader_xattrs_read(bytes, &error, &xattrs) == QN_OK)
        FUZZ_CHECK(xattrs.size <= QN_SOURCE_XATTR_SIZE_MAX);
    (void)!qn_reader_version_read(bytes, &error, &version);
    (void)!qn_reader_done_read(bytes, &error);
    qn_batch_deinit(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char allowed[128];
    if (root[0] == '\0')
        make_tree();
    snprintf(allowed, sizeof(allowed), "%s/open", root);
    struct qn_reader_allowed folders = {.paths = {allowed}, .count = 1};
    struct qn_reader *reader = qn_reader_new(&folders);
    ask(reader, qn_span("\x93\x00\x01\xc4\x00", 5));
    ask_top(reader, allowed);
    for (size_t at = 0; at < size;) {
        size_t length = data[at++];
        if (length > size - at)
            length = size - at;
        ask(reader, qn_span(data + at, length));
        at += length;
    }
    qn_reader_free(reader);
    read_as_answer(qn_span(data, size));
    return 0;
}
