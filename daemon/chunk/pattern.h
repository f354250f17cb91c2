/* One compiled pattern of .gitignore (plan.h, gitignore(5)): what exclude.c matches. Pure. */
#pragma once

#include "base/span.h"
#include "base/vec.h"
#include "base/err.h"

enum qn_token_kind {
    QN_TOKEN_BYTE,
    QN_TOKEN_ANY,  /* '?' */
    QN_TOKEN_STAR, /* '*': any run, also none; never two in a row */
    QN_TOKEN_SET,  /* '[...]' */
};

struct qn_token {
    uint8_t kind;
    uint8_t byte;
    uint16_t set; /* index into the pattern's sets */
};

struct qn_byte_set {
    uint32_t bits[8];
};

/* What stands between two '/'. */
struct qn_segment {
    uint16_t first, count; /* tokens */
    bool is_any_depth;     /* "**" */
};

struct qn_pattern {
    bool is_negated, is_dir_only;
    bool is_anchored; /* from the top; else its one segment is for the last component */
    QN_VEC(struct qn_token) tokens;
    QN_VEC(struct qn_byte_set) sets;
    QN_VEC(struct qn_segment) segments; /* none: an empty line or a comment */
};

/* Compiles one line. QN_ERR_INVALID or QN_ERR_LIMIT; then there is nothing to deinit. */
enum qn_err QN_CHECKED qn_pattern_compile(struct qn_span line, struct qn_pattern *ret_pattern);
void qn_pattern_deinit(struct qn_pattern *pattern);
