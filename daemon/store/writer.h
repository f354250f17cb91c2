/* The writer thread: queue, groups, transactions, outcomes (store.h). Inside store only.
 *
 *     submit -> [queue] -> group -> begin, execute ..., seal, commit -> [done] -> collect
 *
 * Both lists stand under one mutex. The group in hand, the applier and the write transaction belong
 * to the thread alone.
 */
#pragma once

#include "store/env.h"
#include "store/store.h"

struct qn_writer;

struct qn_writer_options {
    struct qn_env *env;
    const struct qn_store_options *store; /* clock and randomness; copied */
    struct qn_applier *applier;
    void (*notify)(void *context);
    void *context;
};

enum qn_err QN_CHECKED qn_writer_start(const struct qn_writer_options *options,
                                       struct qn_writer **ret_writer);
/* Works off the queue, ends the thread, drops what was not collected. Accepts NULL. */
void qn_writer_free(struct qn_writer *writer);
enum qn_err QN_CHECKED qn_writer_submit(struct qn_writer *writer, struct qn_intent *take_intent);
struct qn_commit *qn_writer_collect(struct qn_writer *writer);
/* Fills fatal, last and queued. */
void qn_writer_health(struct qn_writer *writer, struct qn_store_health *ret_health);
