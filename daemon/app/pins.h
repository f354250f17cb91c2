/* Reading transactions that stay open, each for a series of reads that must see one state: the
 * pages of a late site (docs/protocol.md, section 14). They are named by whoever reads (core.h,
 * UNPIN). The reads are carried out on libuv's threads, one at a time in each transaction, since
 * reading and squeezing a page takes some milliseconds. Loop thread.
 *
 * A read that takes long, which the driver names by its token, has one of its own.
 *
 * A transaction that stays makes the file grow by what is written meanwhile: there are QN_PINS_MAX
 * at most, and the core ends each after QN_PIN_TIME_MAX_MS. */
#pragma once

#include "core/core.h"
#include "loop/loop.h"
#include "store/store.h"

struct qn_pins;

struct qn_pins_options {
    struct qn_loop *loop;
    struct qn_store *store;
    /* A result, from the loop, never from inside a call; what it owns may be taken. */
    void (*on_read)(void *context, struct qn_read_result *result);
    void *context;
};

struct qn_pins *qn_pins_new(const struct qn_pins_options *options);
/* All have ended: nothing is open, and nothing comes any more. Accepts NULL. */
void qn_pins_free(struct qn_pins *pins);
/* Carries out a read (taken) in the transaction that it names; it is opened by its first read.
 * QN_ERR_BUSY, or the store's error: it could not be; then there is no result. */
enum qn_err QN_CHECKED qn_pins_read(struct qn_pins *pins, struct qn_read *take_read);
/* Ends one; now, or once what it reads is read, whose result is dropped. */
void qn_pins_end(struct qn_pins *pins, uint64_t name);
void qn_pins_end_all(struct qn_pins *pins);
bool qn_pins_are_ended(const struct qn_pins *pins);
