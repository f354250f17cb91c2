/* Lock time: the clock by which a holder's locks run out. It goes forward by what this machine can
 * prove, and never back; a wall clock that somebody moves does not move it.
 *
 *   same boot     lock time advances as the boot-time clock does (it counts suspension)
 *   another boot  by the time since that boot, which is proven; and for the time without power by
 *                 the wall clock, but lock time is never more than QN_LOCK_UNPROVEN_MAX_MS ahead of
 *                 what is proven, however many reboots there are
 *   witnesses     the lower median of at least QN_LOCK_WITNESSES_MIN other sites' wall clocks
 *                 proves the rest of a gap that the own wall clock claims too, and counts down what
 *                 lock time is ahead by; it never advances lock time where no power-off was
 *
 * Too slow is safe (locks last longer), too fast is not. It starts at the wall clock of its first
 * reading; after that only differences mean something. Pure.
 */
#pragma once

#include "crypto/digest.h"
#include "model/kv.h"

struct qn_clock_reading {
    struct qn_digest boot;  /* SHA-256 of the boot's id */
    uint64_t boot_ms;       /* since boot, with suspension */
    uint64_t wall_ms;       /* since 1970, whoever set it */
    uint64_t witness_ms;    /* lower median of peers' wall clocks now */
    uint64_t witness_count; /* how many peers; 0: none heard */
};

struct qn_lock_clock {
    uint64_t lock_ms; /* what the locks are compared with */
    struct qn_digest boot;
    uint64_t boot_ms, wall_ms;  /* of the last reading */
    uint64_t unproven_ms;       /* by which lock_ms may be ahead of proven time */
    uint64_t claimed_ms;        /* of gaps, not counted yet: waits for witnesses */
    uint64_t anchor_lock_ms;    /* proven lock time when witnesses were last heard */
    uint64_t anchor_witness_ms; /* and what they said; 0: never heard */
};

void qn_lock_clock_start(struct qn_lock_clock *clock, const struct qn_clock_reading *reading);
void qn_lock_clock_read(struct qn_lock_clock *clock, const struct qn_clock_reading *reading);
/* The lower median: of an even number the smaller of the middle two. Reorders `values`; count > 0.
 */
uint64_t qn_median_low(uint64_t *values, size_t count);

/* As stored. QN_ERR_NOTFOUND before the first reading. */
enum qn_err QN_CHECKED qn_lock_clock_get(struct qn_kv *kv, struct qn_lock_clock *ret_clock);
/* Starts or reads the stored clock and stores it. */
enum qn_err QN_CHECKED qn_lock_clock_tick(struct qn_kv *kv, const struct qn_clock_reading *reading);
/* Lock time now: that of the last tick. QN_ERR_STATE before the first. */
enum qn_err QN_CHECKED qn_lock_now(struct qn_kv *kv, uint64_t *ret_lock_ms);
