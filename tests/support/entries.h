/* Lists of entries for tests: of every type and shape from a seed, or like a file server's. */
#pragma once

#include "base/prng.h"
#include "base/vec.h"
#include "chunk/entry.h"

struct entries {
    struct qn_prng prng;
    QN_VEC(struct qn_entry) list; /* ascending by path, each path once */
    QN_VEC(void *) memory;        /* what the spans borrow from */
};

/* Names of any bytes, all types, now and then something huge. */
void entries_random(struct entries *entries, uint64_t seed, size_t count);
/* Files of some 100 bytes packed, 40 in a folder, 20 folders in one above. */
void entries_server(struct entries *entries, size_t count);
void entries_deinit(struct entries *entries);

/* One entry of a random type at `path`, which must outlive it. */
struct qn_entry entries_make(struct entries *entries, struct qn_span path);
bool entries_are_equal(const struct qn_entry *a, const struct qn_entry *b);
