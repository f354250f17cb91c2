#include "reader/server.h"

#include <errno.h>
#include <unistd.h>

#include "base/mem.h"
#include "reader/lister.h"

struct qn_reader {
    struct qn_reader_allowed allowed;
    struct qn_source *lister;
    bool is_greeted;
    bool is_only_looked_at; /* the top lies above what is allowed */
    struct qn_batch batch;
    struct qn_buf xattrs, answer;
    qn_reader_send_fn send; /* of the request in hand */
    void *context;
};

struct qn_reader *qn_reader_new(const struct qn_reader_allowed *allowed)
{
    struct qn_reader *reader = QN_NEW(struct qn_reader);
    reader->allowed = *allowed;
    for (size_t i = 0; i < allowed->count; i++)
        reader->allowed.paths[i] = qn_strdup(allowed->paths[i]);
    reader->lister = qn_lister_new(NULL);
    qn_batch_init(&reader->batch);
    qn_buf_init(&reader->xattrs, QN_SOURCE_XATTR_SIZE_MAX);
    qn_buf_init(&reader->answer, QN_READER_ANSWER_SIZE_MAX);
    return reader;
}

static void free_path(const char *path)
{
    union {
        const char *constant;
        char *owned;
    } cast = {.constant = path}; /* qn_reader_new copied it */
    qn_free(cast.owned);
}

void qn_reader_free(struct qn_reader *reader)
{
    if (reader == NULL)
        return;
    for (size_t i = 0; i < reader->allowed.count; i++)
        free_path(reader->allowed.paths[i]);
    qn_source_free(reader->lister);
    qn_batch_deinit(&reader->batch);
    qn_buf_deinit(&reader->xattrs);
    qn_buf_deinit(&reader->answer);
    qn_free(reader);
}

/* ---- what is allowed ---- */

static bool is_at_or_below(struct qn_span path, struct qn_span folder)
{
    if (folder.size == 1) /* "/" */
        return true;
    return qn_span_has_prefix(path, folder) &&
           (path.size == folder.size || path.data[folder.size] == '/');
}

enum qn_reader_access qn_reader_access(const struct qn_reader_allowed *allowed, struct qn_span path)
{
    enum qn_reader_access access = QN_READER_REFUSED;
    for (size_t i = 0; i < allowed->count; i++) {
        struct qn_span folder = qn_span_str(allowed->paths[i]);
        if (is_at_or_below(path, folder))
            return QN_READER_ALLOWED;
        if (is_at_or_below(folder, path))
            access = QN_READER_ABOVE;
    }
    return access;
}

/* ---- answers ---- */

static enum qn_err say(struct qn_reader *reader, int passed)
{
    if (qn_buf_status(&reader->answer) != QN_OK) {
        qn_buf_reset(&reader->answer);
        qn_reader_error_pack(EMSGSIZE, &reader->answer);
    }
    int error = reader->send(reader->context, qn_buf_view(&reader->answer), passed);
    qn_buf_reset(&reader->answer);
    return error == 0 ? QN_OK : QN_ERR_CLOSED;
}

static enum qn_err say_error(struct qn_reader *reader, int error)
{
    qn_reader_error_pack(error, &reader->answer);
    return say(reader, -1);
}

static enum qn_err say_batch(struct qn_reader *reader, int error)
{
    size_t at = 0;
    if (error != 0)
        return say_error(reader, error);
    do {
        qn_reader_batch_pack(&reader->batch, &at, &reader->answer);
        QN_TRY(say(reader, -1));
    } while (at < reader->batch.nodes.count);
    return QN_OK;
}

static enum qn_err greet(struct qn_reader *reader, uint32_t version)
{
    if (version != QN_READER_VERSION)
        return say_error(reader, EOPNOTSUPP);
    reader->is_greeted = true;
    qn_reader_version_pack(&reader->answer);
    return say(reader, -1);
}

/* Paths and names come with a length; the verbs of a source want a zero byte behind them. */
static void copy(char out[QN_SOURCE_PATH_MAX], struct qn_span name)
{
    memcpy(out, name.data, name.size);
    out[name.size] = '\0';
}

static enum qn_err answer_top(struct qn_reader *reader, struct qn_span path)
{
    char text[QN_SOURCE_PATH_MAX];
    enum qn_reader_access access = qn_reader_access(&reader->allowed, path);
    reader->is_only_looked_at = true;
    if (access == QN_READER_REFUSED)
        return say_error(reader, EPERM);
    copy(text, path);
    int error = reader->lister->ops->top(reader->lister, text, &reader->batch);
    reader->is_only_looked_at = access != QN_READER_ALLOWED;
    return say_batch(reader, error);
}

static enum qn_err answer_open(struct qn_reader *reader, size_t depth, const char *name)
{
    int fd, error = reader->lister->ops->open(reader->lister, depth, name, &fd);
    if (error != 0)
        return say_error(reader, error);
    qn_reader_error_pack(0, &reader->answer);
    enum qn_err err = say(reader, fd);
    close(fd);
    return err;
}

static enum qn_err answer_xattrs(struct qn_reader *reader, size_t depth, const char *name)
{
    qn_buf_reset(&reader->xattrs);
    int error = reader->lister->ops->xattrs(reader->lister, depth, name, &reader->xattrs);
    if (error != 0 && error != E2BIG)
        return say_error(reader, error);
    qn_reader_xattrs_pack(error, qn_buf_view(&reader->xattrs), &reader->answer);
    return say(reader, -1);
}

static enum qn_err answer_inside(struct qn_reader *reader, const struct qn_reader_request *request)
{
    const struct qn_source_ops *ops = reader->lister->ops;
    char name[QN_SOURCE_PATH_MAX];
    copy(name, request->name);
    switch (request->op) {
    case QN_READER_ENTER:
        return say_batch(reader, ops->enter(reader->lister, request->number, name, &reader->batch));
    case QN_READER_MORE:
        return say_batch(reader, ops->more(reader->lister, request->number, &reader->batch));
    case QN_READER_LOOK:
        return say_batch(reader, ops->look(reader->lister, request->number, name, &reader->batch));
    case QN_READER_OPEN:
        return answer_open(reader, request->number, name);
    case QN_READER_XATTRS:
        return answer_xattrs(reader, request->number, name);
    case QN_READER_HELLO:
    case QN_READER_TOP:
        break;
    }
    return QN_ERR_INVALID;
}

static bool goes_in(enum qn_reader_op op)
{
    return op == QN_READER_ENTER || op == QN_READER_MORE || op == QN_READER_OPEN;
}

enum qn_err qn_reader_answer(struct qn_reader *reader, struct qn_span bytes, qn_reader_send_fn send,
                             void *context)
{
    struct qn_reader_request request;
    QN_TRY(qn_reader_request_read(bytes, &request));
    if ((request.op == QN_READER_HELLO) == reader->is_greeted)
        return QN_ERR_INVALID;
    reader->send = send;
    reader->context = context;
    if (request.op == QN_READER_HELLO)
        return greet(reader, request.number);
    if (request.op == QN_READER_TOP)
        return answer_top(reader, request.name);
    if (reader->is_only_looked_at && goes_in(request.op))
        return say_error(reader, EPERM);
    return answer_inside(reader, &request);
}

static int send_to_socket(void *context, struct qn_span message, int passed)
{
    return qn_reader_send(*(const int *)context, message, passed);
}

enum qn_err qn_reader_serve(int socket, const struct qn_reader_allowed *allowed)
{
    struct qn_reader *reader = qn_reader_new(allowed);
    uint8_t request[QN_READER_REQUEST_SIZE_MAX];
    enum qn_err err = QN_OK;
    while (err == QN_OK) {
        size_t size;
        int error = qn_reader_receive(socket, request, sizeof(request), &size, NULL);
        if (error != 0)
            err = error == EMSGSIZE ? QN_ERR_INVALID : QN_ERR_CLOSED;
        else
            err = qn_reader_answer(reader, qn_span(request, size), send_to_socket, &socket);
    }
    qn_reader_free(reader);
    return err == QN_ERR_CLOSED ? QN_OK : err;
}
