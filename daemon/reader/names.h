/* The next part of a folder's names, in byte order. A folder that has more than names_max is read
 * again for the part after it: memory is bounded, and no temporary file is needed. */
#pragma once

#include "base/buf.h"
#include "base/vec.h"

struct qn_name {
    uint64_t prefix; /* the first bytes as a number: most comparisons end there */
    uint64_t inode;
    uint32_t at;        /* in the text, with a zero byte behind it */
    uint8_t size, type; /* d_type */
};

struct qn_names {
    QN_VEC(struct qn_name) names;
    char *text;
    size_t text_size, text_capacity;
    size_t next;  /* the first that was not taken */
    bool is_part; /* there are names after the last */
    bool has_tag; /* CACHEDIR.TAG is among the folder's names (of a scan from its beginning) */
};

#define QN_NAMES_SCRATCH_SIZE (64 * 1024) /* of one read of a folder */

void qn_names_deinit(struct qn_names *names);       /* accepts a zeroed one; leaves one */
size_t qn_names_size(const struct qn_names *names); /* bytes of memory */
/* Reads the folder from its beginning and keeps the first names after `after` ("" : all), at most
 * names_max. 0 or errno; then it is empty. */
int qn_names_scan(struct qn_names *names, int fd, struct qn_span after, size_t names_max,
                  uint8_t *scratch);
static inline const char *qn_names_text(const struct qn_names *names, const struct qn_name *name)
{
    return names->text + name->at;
}
