#include "dav/dead.h"

#include "base/text.h"
#include "crypto/digest.h"
#include "dav/row.h"

#define ROW_VERSION 1
/* Longer paths are cut here in a key; a digest of 64 characters follows. */
#define KEY_PATH_MAX 384

static size_t index_of(const struct qn_dav_dead *dead, struct qn_span ns, struct qn_span name)
{
    size_t at = 0;
    while (at < dead->count &&
           !(qn_span_eq(dead->items[at].name, name) && qn_span_eq(dead->items[at].ns, ns)))
        at++;
    return at;
}

const struct qn_dav_dead_property *qn_dav_dead_find(const struct qn_dav_dead *dead,
                                                    struct qn_span ns, struct qn_span name)
{
    size_t at = index_of(dead, ns, name);
    return at < dead->count ? &dead->items[at] : NULL;
}

enum qn_err qn_dav_dead_set(struct qn_dav_dead *dead, const struct qn_dav_dead_property *property)
{
    size_t at = index_of(dead, property->ns, property->name);
    if (at == QN_DAV_DEAD_MAX)
        return QN_ERR_LIMIT;
    dead->items[at] = *property;
    if (at == dead->count)
        dead->count++;
    return QN_OK;
}

void qn_dav_dead_remove(struct qn_dav_dead *dead, struct qn_span ns, struct qn_span name)
{
    size_t at = index_of(dead, ns, name);
    if (at == dead->count)
        return;
    memmove(&dead->items[at], &dead->items[at + 1],
            (dead->count - at - 1) * sizeof(dead->items[0]));
    dead->count--;
}

/* ---- rows ---- */

void qn_dav_dead_key_prefix(struct qn_span path, struct qn_buf *out)
{
    qn_buf_append_str(out, QN_DAV_DEAD_ROW_PREFIX);
    qn_buf_append_span(out,
                       qn_span(path.data, path.size < KEY_PATH_MAX ? path.size : KEY_PATH_MAX));
}

void qn_dav_dead_key(struct qn_span path, struct qn_buf *out)
{
    qn_dav_dead_key_prefix(path, out);
    if (path.size < KEY_PATH_MAX)
        return;
    struct qn_digest digest;
    QN_DIGEST(&digest, path);
    qn_text_append_hex(out, qn_digest_view(&digest));
}

bool qn_dav_dead_is_within(struct qn_span row_path, struct qn_span path)
{
    return qn_span_has_prefix(row_path, path) &&
           (row_path.size == path.size || path.size == 0 || row_path.data[path.size] == '/');
}

enum qn_err qn_dav_dead_write(const struct qn_dav_dead *dead, struct qn_span path,
                              struct qn_buf *out)
{
    size_t start = out->size;
    qn_buf_append_u8(out, ROW_VERSION);
    qn_dav_row_text(out, path);
    qn_buf_append_varint(out, dead->count);
    for (size_t i = 0; i < dead->count; i++) {
        qn_dav_row_text(out, dead->items[i].ns);
        qn_dav_row_text(out, dead->items[i].name);
        qn_dav_row_text(out, dead->items[i].lang);
        qn_dav_row_text(out, dead->items[i].value);
    }
    QN_TRY(qn_buf_status(out));
    return out->size - start <= QN_LOCAL_ROW_SIZE_MAX ? QN_OK : QN_ERR_LIMIT;
}

static enum qn_err read_property(struct qn_span row, size_t *offset,
                                 struct qn_dav_dead_property *ret_property)
{
    struct qn_span *parts[] = {&ret_property->ns, &ret_property->name, &ret_property->lang,
                               &ret_property->value};
    for (size_t i = 0; i < 4; i++)
        QN_TRY(qn_dav_row_text_read(row, offset, QN_LOCAL_ROW_SIZE_MAX, parts[i]));
    return ret_property->name.size > 0 ? QN_OK : QN_ERR_CORRUPT;
}

enum qn_err qn_dav_dead_read(struct qn_span row, struct qn_span *ret_path,
                             struct qn_dav_dead *ret_dead)
{
    size_t offset = 1;
    uint64_t count;
    struct qn_span path;
    if (row.size < offset || row.data[0] != ROW_VERSION)
        return QN_ERR_CORRUPT;
    QN_TRY(qn_dav_row_text_read(row, &offset, QN_LOCAL_ROW_SIZE_MAX, &path));
    if (qn_read_varint(row, &offset, &count) != QN_OK || count > QN_DAV_DEAD_MAX)
        return QN_ERR_CORRUPT;
    *ret_path = path;
    if (!ret_dead)
        return QN_OK;
    ret_dead->count = 0;
    for (size_t i = 0; i < count; i++)
        QN_TRY(read_property(row, &offset, &ret_dead->items[ret_dead->count++]));
    return offset == row.size ? QN_OK : QN_ERR_CORRUPT;
}
