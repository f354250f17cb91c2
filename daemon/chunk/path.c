#include "chunk/path.h"

#include "base/assert.h"

size_t qn_path_shared(struct qn_span a, struct qn_span b)
{
    size_t most = a.size < b.size ? a.size : b.size, at = 0;
    while (at + 8 <= most && memcmp(a.data + at, b.data + at, 8) == 0)
        at += 8;
    while (at < most && a.data[at] == b.data[at])
        at++;
    return at;
}

/* What a byte counts in the order. */
static int rank_of(uint8_t byte)
{
    return byte == '/' ? 0 : byte;
}

int qn_path_cmp(struct qn_span a, struct qn_span b)
{
    size_t common = qn_path_shared(a, b);
    if (common < a.size && common < b.size)
        return rank_of(a.data[common]) - rank_of(b.data[common]);
    return (a.size > b.size) - (a.size < b.size);
}

bool qn_path_is_below(struct qn_span path, struct qn_span dir)
{
    if (dir.size == 0)
        return true;
    return qn_span_has_prefix(path, dir) && (path.size == dir.size || path.data[dir.size] == '/');
}

static bool is_dots(struct qn_span bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        if (bytes.data[i] != '.')
            return false;
    return true;
}

/* A component in two parts. */
static bool is_component(struct qn_span head, struct qn_span tail)
{
    size_t size = head.size + tail.size;
    return size > 2 || (size > 0 && !(is_dots(head) && is_dots(tail)));
}

static struct qn_span component_at(struct qn_span path, size_t at)
{
    const uint8_t *end = memchr(path.data + at, '/', path.size - at);
    return qn_span(path.data + at, end != NULL ? (size_t)(end - path.data) - at : path.size - at);
}

/* What stands behind the last '/'. */
static struct qn_span open_component(struct qn_span prefix)
{
    const uint8_t *slash = prefix.size == 0 ? NULL : memrchr(prefix.data, '/', prefix.size);
    return slash == NULL ? prefix : qn_span_from(prefix, (size_t)(slash - prefix.data) + 1);
}

/* Whether prefix | rest is a path, given that `prefix` is the beginning of one. */
static bool is_valid_behind(struct qn_span prefix, struct qn_span rest)
{
    if (rest.size == 0 || prefix.size + rest.size > QN_PATH_SIZE_MAX)
        return false;
    if (memchr(rest.data, 0, rest.size) != NULL)
        return false;
    struct qn_span head = open_component(prefix);
    for (size_t at = 0; at <= rest.size;) {
        if (at == rest.size)
            return false; /* it ends with '/' */
        struct qn_span component = component_at(rest, at);
        if (!is_component(head, component))
            return false;
        head = qn_span(NULL, 0);
        at += component.size + 1;
    }
    return true;
}

bool qn_path_is_valid(struct qn_span path)
{
    return is_valid_behind(qn_span(NULL, 0), path);
}

void qn_path_pack(struct qn_span path, struct qn_span previous, struct qn_buf *out)
{
    size_t shared = qn_path_shared(path, previous);
    qn_buf_append_varint(out, shared);
    qn_buf_append_varint(out, path.size - shared);
    qn_buf_append_span(out, qn_span_from(path, shared));
}

/* Strictly above, which is also to say that no more could be shared. */
static bool is_above(const struct qn_path_step *step, struct qn_span previous)
{
    if (step->shared == previous.size)
        return true;
    return rank_of(step->rest.data[0]) > rank_of(previous.data[step->shared]);
}

enum qn_err qn_path_read(struct qn_span bytes, size_t *offset, struct qn_span previous,
                         struct qn_path_step *ret_step)
{
    size_t at = *offset;
    uint64_t shared, size;
    if (qn_read_varint(bytes, &at, &shared) != QN_OK || qn_read_varint(bytes, &at, &size) != QN_OK)
        return QN_ERR_CORRUPT;
    if (shared > previous.size || size > bytes.size - at)
        return QN_ERR_CORRUPT;
    struct qn_path_step step = {(size_t)shared, qn_span(bytes.data + at, (size_t)size)};
    if (!is_valid_behind(qn_span(previous.data, step.shared), step.rest))
        return QN_ERR_CORRUPT;
    if (!is_above(&step, previous))
        return QN_ERR_CORRUPT;
    *offset = at + step.rest.size;
    *ret_step = step;
    return QN_OK;
}

void qn_path_apply(const struct qn_path_step *step, struct qn_buf *path)
{
    QN_ASSERT(path->size_max >= QN_PATH_SIZE_MAX);
    qn_buf_truncate(path, step->shared);
    qn_buf_append_span(path, step->rest);
}
