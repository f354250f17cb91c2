#include "reader/wire.h"

#include "proto/cursor.h"
#include "proto/pack.h"

#define NODE_ITEMS    15
#define NODE_SIZE_MAX 128 /* packed, without name and target */
#define HEAD_SIZE_MAX 32

/* ---- requests ---- */

void qn_reader_request_pack(const struct qn_reader_request *request, struct qn_buf *out)
{
    qn_pack_array(out, 3);
    qn_pack_u64(out, request->op);
    qn_pack_u64(out, request->number);
    qn_pack_bin(out, request->name);
}

static bool is_path(struct qn_span name)
{
    return name.size > 0 && name.size < QN_SOURCE_PATH_MAX && name.data[0] == '/' &&
           memchr(name.data, 0, name.size) == NULL;
}

static bool fits(const struct qn_reader_request *request)
{
    switch (request->op) {
    case QN_READER_HELLO:
        return request->name.size == 0;
    case QN_READER_TOP:
        return request->number == 0 && is_path(request->name);
    case QN_READER_MORE:
        return request->number <= QN_SOURCE_DEPTH_MAX && request->name.size == 0;
    case QN_READER_ENTER:
    case QN_READER_LOOK:
    case QN_READER_OPEN:
    case QN_READER_XATTRS:
        if (request->number == 0)
            return request->name.size == 0;
        return request->number <= QN_SOURCE_DEPTH_MAX && qn_name_is_valid(request->name);
    }
    return false;
}

static enum qn_err read_u32(struct qn_cursor *cursor, uint32_t max, uint32_t *ret_value)
{
    uint64_t value;
    QN_TRY(qn_cursor_u64(cursor, &value));
    if (value > max)
        return QN_ERR_INVALID;
    *ret_value = (uint32_t)value;
    return QN_OK;
}

enum qn_err qn_reader_request_read(struct qn_span bytes, struct qn_reader_request *ret_request)
{
    struct qn_cursor cursor = qn_cursor(bytes);
    struct qn_reader_request request = {0};
    size_t count;
    uint32_t op;
    QN_TRY(qn_cursor_array(&cursor, 3, &count));
    if (count != 3)
        return QN_ERR_INVALID;
    QN_TRY(read_u32(&cursor, QN_READER_XATTRS, &op));
    QN_TRY(read_u32(&cursor, UINT32_MAX, &request.number));
    QN_TRY(qn_cursor_bin(&cursor, QN_SOURCE_PATH_MAX, &request.name));
    QN_TRY(qn_cursor_finish(&cursor));
    request.op = (enum qn_reader_op)op;
    if (!fits(&request))
        return QN_ERR_INVALID;
    *ret_request = request;
    return QN_OK;
}

/* ---- answers, written ---- */

void qn_reader_error_pack(int error, struct qn_buf *out)
{
    qn_pack_array(out, 1);
    qn_pack_u64(out, (uint64_t)error);
}

void qn_reader_version_pack(struct qn_buf *out)
{
    qn_pack_array(out, 2);
    qn_pack_u64(out, 0);
    qn_pack_u64(out, QN_READER_VERSION);
}

void qn_reader_xattrs_pack(int error, struct qn_span xattrs, struct qn_buf *out)
{
    qn_pack_array(out, 2);
    qn_pack_u64(out, (uint64_t)error);
    qn_pack_bin(out, xattrs);
}

static void pack_node(const struct qn_batch *batch, const struct qn_node *node, struct qn_buf *out)
{
    qn_pack_array(out, node->error != 0 ? 2 : NODE_ITEMS);
    qn_pack_bin(out, qn_batch_name(batch, node));
    if (node->error != 0) {
        qn_pack_u64(out, (uint64_t)node->error);
        return;
    }
    qn_pack_u64(out, node->mode);
    qn_pack_u64(out, node->uid);
    qn_pack_u64(out, node->gid);
    qn_pack_u64(out, node->nlink);
    qn_pack_u64(out, node->rdev_major);
    qn_pack_u64(out, node->rdev_minor);
    qn_pack_u64(out, node->inode);
    qn_pack_u64(out, node->device);
    qn_pack_u64(out, node->size);
    qn_pack_i64(out, node->mtime_s);
    qn_pack_u64(out, node->mtime_ns);
    qn_pack_i64(out, node->ctime_s);
    qn_pack_u64(out, node->ctime_ns);
    qn_pack_bin(out, qn_batch_target(batch, node));
}

/* How many nodes from `at` on fit into one message. */
static size_t count_fitting(const struct qn_batch *batch, size_t at)
{
    size_t count = 0, size = HEAD_SIZE_MAX;
    for (; at + count < batch->nodes.count; count++) {
        const struct qn_node *node = &batch->nodes.items[at + count];
        size += NODE_SIZE_MAX + node->name_size + node->target_size;
        if (size > QN_READER_ANSWER_SIZE_MAX)
            break;
    }
    return count;
}

void qn_reader_batch_pack(const struct qn_batch *batch, size_t *at, struct qn_buf *out)
{
    size_t count = count_fitting(batch, *at);
    qn_pack_array(out, 5);
    qn_pack_u64(out, 0);
    qn_pack_bool(out, batch->is_cache);
    qn_pack_bool(out, batch->is_end);
    qn_pack_bool(out, *at + count == batch->nodes.count);
    qn_pack_array(out, count);
    for (size_t i = 0; i < count; i++)
        pack_node(batch, &batch->nodes.items[*at + i], out);
    *at += count;
}

/* ---- answers, read ---- */

/* Stands behind the errno afterwards; *ret_rest items follow. */
static enum qn_err read_head(struct qn_cursor *cursor, size_t items_max, int *ret_error,
                             size_t *ret_rest)
{
    size_t count;
    uint32_t error;
    QN_TRY(qn_cursor_array(cursor, items_max, &count));
    if (count == 0)
        return QN_ERR_INVALID;
    QN_TRY(read_u32(cursor, QN_READER_ERRNO_MAX, &error));
    *ret_error = (int)error;
    *ret_rest = count - 1;
    return QN_OK;
}

enum qn_err qn_reader_done_read(struct qn_span bytes, int *ret_error)
{
    struct qn_cursor cursor = qn_cursor(bytes);
    size_t rest;
    int error;
    QN_TRY(read_head(&cursor, 1, &error, &rest));
    QN_TRY(qn_cursor_finish(&cursor));
    *ret_error = error;
    return QN_OK;
}

enum qn_err qn_reader_version_read(struct qn_span bytes, int *ret_error, uint32_t *ret_version)
{
    struct qn_cursor cursor = qn_cursor(bytes);
    size_t rest;
    int error;
    uint32_t version = 0;
    QN_TRY(read_head(&cursor, 2, &error, &rest));
    if (rest == 0 && error == 0)
        return QN_ERR_INVALID;
    if (rest == 1)
        QN_TRY(read_u32(&cursor, UINT32_MAX, &version));
    QN_TRY(qn_cursor_finish(&cursor));
    *ret_error = error;
    *ret_version = version;
    return QN_OK;
}

enum qn_err qn_reader_xattrs_read(struct qn_span bytes, int *ret_error, struct qn_span *ret_xattrs)
{
    struct qn_cursor cursor = qn_cursor(bytes);
    struct qn_span xattrs = qn_span(NULL, 0);
    size_t rest;
    int error;
    QN_TRY(read_head(&cursor, 2, &error, &rest));
    if (rest == 0 && error == 0)
        return QN_ERR_INVALID;
    if (rest == 1)
        QN_TRY(qn_cursor_bin(&cursor, QN_SOURCE_XATTR_SIZE_MAX, &xattrs));
    QN_TRY(qn_cursor_finish(&cursor));
    *ret_error = error;
    *ret_xattrs = xattrs;
    return QN_OK;
}

#define NS_MAX 999999999u

static enum qn_err read_status(struct qn_cursor *cursor, struct qn_node *node)
{
    QN_TRY(read_u32(cursor, 0xffff, &node->mode));
    QN_TRY(read_u32(cursor, UINT32_MAX, &node->uid));
    QN_TRY(read_u32(cursor, UINT32_MAX, &node->gid));
    QN_TRY(read_u32(cursor, UINT32_MAX, &node->nlink));
    QN_TRY(read_u32(cursor, UINT32_MAX, &node->rdev_major));
    QN_TRY(read_u32(cursor, UINT32_MAX, &node->rdev_minor));
    QN_TRY(qn_cursor_u64(cursor, &node->inode));
    QN_TRY(qn_cursor_u64(cursor, &node->device));
    QN_TRY(qn_cursor_u64(cursor, &node->size));
    QN_TRY(qn_cursor_i64(cursor, &node->mtime_s));
    QN_TRY(read_u32(cursor, NS_MAX, &node->mtime_ns));
    QN_TRY(qn_cursor_i64(cursor, &node->ctime_s));
    return read_u32(cursor, NS_MAX, &node->ctime_ns);
}

static enum qn_err read_error(struct qn_cursor *cursor, struct qn_node *node)
{
    uint32_t error;
    QN_TRY(read_u32(cursor, QN_READER_ERRNO_MAX, &error));
    node->error = (int)error;
    return error == 0 ? QN_ERR_INVALID : QN_OK;
}

static enum qn_err read_node(struct qn_cursor *cursor, struct qn_batch *batch)
{
    struct qn_span name, target;
    struct qn_node status = {0};
    size_t count;
    QN_TRY(qn_cursor_array(cursor, NODE_ITEMS, &count));
    QN_TRY(qn_cursor_bin(cursor, QN_NAME_BYTES_MAX, &name));
    if (!qn_name_is_valid(name) && !qn_span_eq_str(name, ".")) /* "/" is called so */
        return QN_ERR_INVALID;
    if (count == 2) {
        QN_TRY(read_error(cursor, &status));
        qn_batch_add(batch, name)->error = status.error;
        return QN_OK;
    }
    if (count != NODE_ITEMS)
        return QN_ERR_INVALID;
    QN_TRY(read_status(cursor, &status));
    QN_TRY(qn_cursor_bin(cursor, QN_SOURCE_TARGET_MAX, &target));
    struct qn_node *node = qn_batch_add(batch, name);
    status.name_at = node->name_at;
    status.name_size = node->name_size;
    *node = status;
    if (target.size > 0)
        qn_batch_set_target(batch, node, target);
    return QN_OK;
}

enum qn_err qn_reader_batch_read(struct qn_span bytes, struct qn_batch *batch, int *ret_error,
                                 bool *ret_is_whole)
{
    struct qn_cursor cursor = qn_cursor(bytes);
    size_t rest, count;
    int error;
    QN_TRY(read_head(&cursor, 5, &error, &rest));
    if (error != 0 && rest == 0) {
        *ret_error = error;
        *ret_is_whole = true;
        return qn_cursor_finish(&cursor);
    }
    if (error != 0 || rest != 4)
        return QN_ERR_INVALID;
    QN_TRY(qn_cursor_bool(&cursor, &batch->is_cache));
    QN_TRY(qn_cursor_bool(&cursor, &batch->is_end));
    QN_TRY(qn_cursor_bool(&cursor, ret_is_whole));
    QN_TRY(qn_cursor_array(&cursor, QN_BATCH_NODES_MAX - batch->nodes.count, &count));
    if (count == 0 && !*ret_is_whole)
        return QN_ERR_INVALID;
    for (size_t i = 0; i < count; i++)
        QN_TRY(read_node(&cursor, batch));
    *ret_error = 0;
    return qn_cursor_finish(&cursor);
}
