/* A borrowed, read-only run of bytes. Pure; owns nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct qn_span {
    const uint8_t *data;
    size_t size;
};

static inline struct qn_span qn_span(const void *data, size_t size)
{
    return (struct qn_span){.data = data, .size = size};
}

static inline struct qn_span qn_span_str(const char *text)
{
    return qn_span(text, strlen(text));
}

#define QN_SPAN_OF(object) qn_span(&(object), sizeof(object))

static inline bool qn_span_eq(struct qn_span a, struct qn_span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool qn_span_eq_str(struct qn_span a, const char *text)
{
    return qn_span_eq(a, qn_span_str(text));
}

/* Bytewise order; a prefix sorts before what it is a prefix of. <0, 0, >0 like memcmp. */
static inline int qn_span_cmp(struct qn_span a, struct qn_span b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common == 0 ? 0 : memcmp(a.data, b.data, common);
    if (order != 0)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

static inline bool qn_span_has_prefix(struct qn_span a, struct qn_span prefix)
{
    return a.size >= prefix.size && qn_span_eq(qn_span(a.data, prefix.size), prefix);
}

static inline struct qn_span qn_span_from(struct qn_span a, size_t offset)
{
    return offset >= a.size ? qn_span(NULL, 0) : qn_span(a.data + offset, a.size - offset);
}
