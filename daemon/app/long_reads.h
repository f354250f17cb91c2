/* Reads that take long: an audit that looks for a difference reads all records of a collection, a
 * scrub reads cold rows from the disk. Each is carried out on another thread in a transaction of
 * its own (pins.h), one at a time.
 *
 * Sites that ask take turns, and this site with them: nobody waits longer because one asks much.
 * Of each site QN_LONG_READS_MAX wait; beyond, it goes without an answer. Loop thread.
 */
#pragma once

#include "core/core.h"

struct qn_long_reads;

struct qn_long_reads_options {
    /* Begins a read, which is taken; its `pin` is its token. */
    enum qn_err (*begin)(void *context, struct qn_read *take_read);
    void (*end)(void *context, uint64_t pin);
    /* A read cannot be; maybe from inside the call that brought it. */
    void (*fail)(void *context, uint64_t token, enum qn_err err);
    void *context;
};

bool qn_read_is_long(const struct qn_read *read);

struct qn_long_reads *qn_long_reads_new(const struct qn_long_reads_options *options);
/* Drops what waits. Accepts NULL. */
void qn_long_reads_free(struct qn_long_reads *reads);
/* Begins it in its turn. */
void qn_long_reads_add(struct qn_long_reads *reads, struct qn_read *take_read);
/* To be told of each result: if it is of the one under way, that is ended and the next one begins.
 */
void qn_long_reads_ended(struct qn_long_reads *reads, uint64_t token);
