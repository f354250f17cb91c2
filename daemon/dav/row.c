#include "dav/row.h"

void qn_dav_row_text(struct qn_buf *out, struct qn_span text)
{
    qn_buf_append_varint(out, text.size);
    qn_buf_append_span(out, text);
}

enum qn_err qn_dav_row_text_read(struct qn_span row, size_t *offset, size_t size_max,
                                 struct qn_span *ret_text)
{
    uint64_t size;
    if (qn_read_varint(row, offset, &size) != QN_OK || size > size_max || size > row.size - *offset)
        return QN_ERR_CORRUPT;
    *ret_text = qn_span(row.data + *offset, (size_t)size);
    *offset += (size_t)size;
    return QN_OK;
}
