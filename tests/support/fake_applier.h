/* An applier for tests of the store: the symbols of model/applier.h, with intents that say what is
 * to happen. A program that links this takes nothing of the real one. */
#pragma once

#include <semaphore.h>
#include <stdatomic.h>

#include "model/applier.h"

/* All but the counters are set before the writer starts. */
struct fake {
    enum qn_err begin_err, seal_err; /* given once each, then cleared */
    sem_t gate;                      /* a `fake_wait` intent waits for it */
    sem_t is_waiting;                /* and says that it does */
    _Atomic unsigned begun, done, aborted;
};

struct fake *fake_new(void);
void fake_free(struct fake *fake);
struct qn_applier *fake_applier(struct fake *fake);

/* Puts a value in QN_TABLE_REC. */
struct qn_intent *fake_put(uint64_t token, struct qn_span key, struct qn_span value);
/* An outcome with this error; the transaction goes on. */
struct qn_intent *fake_refuse(uint64_t token, enum qn_err err);
/* Fails the transaction, with an outcome or without. */
struct qn_intent *fake_fail(uint64_t token, enum qn_err err, bool with_outcome);
/* Swallows the error of a put that cannot be: one of `size` bytes. */
struct qn_intent *fake_overfill(uint64_t token, uint32_t size);
struct qn_intent *fake_wait(uint64_t token);
