/* Writes canonical msgpack into a buffer, through msgpack-c.
 *
 * Canonical: the shortest form of every integer, string and container (which msgpack-c always
 * chooses), strings for text, binaries for bytes, floats always 64 bits. cursor.h reads it back and
 * refuses anything else, so equal values have equal bytes and can be hashed. Pure.
 */
#pragma once

#include "base/buf.h"

void qn_pack_nil(struct qn_buf *out);
void qn_pack_bool(struct qn_buf *out, bool value);
void qn_pack_u64(struct qn_buf *out, uint64_t value);
void qn_pack_i64(struct qn_buf *out, int64_t value);
void qn_pack_double(struct qn_buf *out, double value);
void qn_pack_str(struct qn_buf *out, struct qn_span text);
void qn_pack_cstr(struct qn_buf *out, const char *text);
void qn_pack_bin(struct qn_buf *out, struct qn_span bytes);
void qn_pack_array(struct qn_buf *out, size_t count); /* then `count` items */
void qn_pack_map(struct qn_buf *out, size_t count);   /* then `count` pairs */
/* Bytes that are canonical msgpack already. */
void qn_pack_raw(struct qn_buf *out, struct qn_span packed);
