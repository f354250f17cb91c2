#include "proto/pack.h"

#include <msgpack/pack.h>

static int append(void *data, const char *bytes, size_t size)
{
    qn_buf_append(data, bytes, size);
    return 0; /* the buffer remembers an overflow itself */
}

static msgpack_packer packer_for(struct qn_buf *out)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, out, append);
    return packer;
}

void qn_pack_nil(struct qn_buf *out)
{
    msgpack_packer packer = packer_for(out);
    msgpack_pack_nil(&packer);
}

void qn_pack_bool(struct qn_buf *out, bool value)
{
    msgpack_packer packer = packer_for(out);
    if (value)
        msgpack_pack_true(&packer);
    else
        msgpack_pack_false(&packer);
}

void qn_pack_u64(struct qn_buf *out, uint64_t value)
{
    msgpack_packer packer = packer_for(out);
    msgpack_pack_uint64(&packer, value);
}

void qn_pack_i64(struct qn_buf *out, int64_t value)
{
    msgpack_packer packer = packer_for(out);
    msgpack_pack_int64(&packer, value);
}

void qn_pack_double(struct qn_buf *out, double value)
{
    msgpack_packer packer = packer_for(out);
    msgpack_pack_double(&packer, value);
}

void qn_pack_str(struct qn_buf *out, struct qn_span text)
{
    msgpack_packer packer = packer_for(out);
    msgpack_pack_str(&packer, text.size);
    qn_buf_append_span(out, text);
}

void qn_pack_cstr(struct qn_buf *out, const char *text)
{
    qn_pack_str(out, qn_span_str(text));
}

void qn_pack_bin(struct qn_buf *out, struct qn_span bytes)
{
    msgpack_packer packer = packer_for(out);
    msgpack_pack_bin(&packer, bytes.size);
    qn_buf_append_span(out, bytes);
}

void qn_pack_array(struct qn_buf *out, size_t count)
{
    msgpack_packer packer = packer_for(out);
    msgpack_pack_array(&packer, count);
}

void qn_pack_map(struct qn_buf *out, size_t count)
{
    msgpack_packer packer = packer_for(out);
    msgpack_pack_map(&packer, count);
}

void qn_pack_raw(struct qn_buf *out, struct qn_span packed)
{
    qn_buf_append_span(out, packed);
}
