/* The end of what was said, however long it was. Inside loop. */
#pragma once

#include <stdint.h>
#include <string.h>

#include "base/span.h"

#define TAIL_SIZE ((size_t)2048)

struct tail {
    uint8_t bytes[TAIL_SIZE];
    size_t size;
};

static inline void tail_keep(struct tail *tail, const char *bytes, size_t size)
{
    size_t room = TAIL_SIZE - tail->size;
    if (size > TAIL_SIZE) {
        bytes += size - TAIL_SIZE;
        size = TAIL_SIZE;
    }
    if (size > room) {
        tail->size -= size - room;
        memmove(tail->bytes, tail->bytes + size - room, tail->size);
    }
    memcpy(tail->bytes + tail->size, bytes, size);
    tail->size += size;
}

static inline struct qn_span tail_view(const struct tail *tail)
{
    return qn_span(tail->bytes, tail->size);
}
