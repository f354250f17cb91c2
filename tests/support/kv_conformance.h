/* What every implementation of model/kv.h must do, as tests that run against any of them. */
#pragma once

#include "model/kv.h"

struct kv_subject {
    /* A write transaction; one at a time. */
    struct qn_kv *(*begin)(void *context);
    /* Ends it; a commit must succeed. */
    void (*end)(void *context, bool commit);
    void *context;
};

/* Runs all cases, in tables that are empty at first (META may hold what sorts before "t"). Fails
 * through Criterion. */
void kv_conformance(const struct kv_subject *subject);
