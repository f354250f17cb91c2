#include "model/lock_clock.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/limits.h"
#include "model/fixed.h"
#include "model/tables.h"

#define META_LOCK "model.lock"
#define FORMAT    1
#define ROW_SIZE  (1 + QN_DIGEST_SIZE + 7 * 8)

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t proven(const struct qn_lock_clock *clock)
{
    return minus(clock->lock_ms, clock->unproven_ms);
}

static bool has_witnesses(const struct qn_clock_reading *reading)
{
    return reading->witness_count >= QN_LOCK_WITNESSES_MIN && reading->witness_ms > 0;
}

static void keep_reading(struct qn_lock_clock *clock, const struct qn_clock_reading *reading)
{
    clock->boot = reading->boot;
    clock->boot_ms = reading->boot_ms;
    clock->wall_ms = reading->wall_ms;
}

/* Between the boots only the wall clock ran. It may move lock time as far as the allowance goes;
 * what is above waits for witnesses. */
static void cross_boot(struct qn_lock_clock *clock, const struct qn_clock_reading *reading)
{
    uint64_t gap_ms = minus(minus(reading->wall_ms, reading->boot_ms), clock->wall_ms);
    clock->lock_ms = plus(clock->lock_ms, reading->boot_ms);
    clock->claimed_ms = plus(clock->claimed_ms, gap_ms);
    uint64_t allowed_ms = minus(QN_LOCK_UNPROVEN_MAX_MS, clock->unproven_ms);
    uint64_t credit_ms = min_u64(clock->claimed_ms, allowed_ms);
    clock->lock_ms = plus(clock->lock_ms, credit_ms);
    clock->unproven_ms += credit_ms;
    clock->claimed_ms -= credit_ms;
}

/* The anchor is set once: were it moved with every reading, the noise in what peers say would add
 * up. What witnesses do not confirm is refuted. */
static void ask_witnesses(struct qn_lock_clock *clock, uint64_t witness_ms)
{
    if (clock->anchor_witness_ms == 0) {
        clock->anchor_witness_ms = witness_ms;
        clock->anchor_lock_ms = proven(clock);
    }
    uint64_t passed_ms = minus(witness_ms, clock->anchor_witness_ms);
    uint64_t confirmed_ms = minus(plus(clock->anchor_lock_ms, passed_ms), proven(clock));
    uint64_t settled_ms = min_u64(confirmed_ms, clock->unproven_ms);
    clock->unproven_ms -= settled_ms;
    uint64_t more_ms = min_u64(confirmed_ms - settled_ms, clock->claimed_ms);
    clock->lock_ms = plus(clock->lock_ms, more_ms);
    clock->claimed_ms = 0;
}

void qn_lock_clock_start(struct qn_lock_clock *clock, const struct qn_clock_reading *reading)
{
    *clock = (struct qn_lock_clock){.lock_ms = reading->wall_ms};
    keep_reading(clock, reading);
    if (has_witnesses(reading))
        ask_witnesses(clock, reading->witness_ms);
}

void qn_lock_clock_read(struct qn_lock_clock *clock, const struct qn_clock_reading *reading)
{
    if (qn_digest_eq(&clock->boot, &reading->boot))
        clock->lock_ms = plus(clock->lock_ms, minus(reading->boot_ms, clock->boot_ms));
    else
        cross_boot(clock, reading);
    keep_reading(clock, reading);
    if (has_witnesses(reading))
        ask_witnesses(clock, reading->witness_ms);
}

static int compare(const void *a, const void *b)
{
    const uint64_t *first = a, *second = b;
    return (*first > *second) - (*first < *second);
}

uint64_t qn_median_low(uint64_t *values, size_t count)
{
    QN_ASSERT(count > 0);
    qsort(values, count, sizeof(values[0]), compare);
    return values[(count - 1) / 2];
}

/* ---- stored ---- */

enum qn_err qn_lock_clock_get(struct qn_kv *kv, struct qn_lock_clock *ret_clock)
{
    struct qn_key key;
    struct qn_span row;
    QN_TRY(qn_kv_get(kv, QN_TABLE_META, qn_key_name(&key, META_LOCK), &row));
    struct qn_fixed fixed = qn_fixed(row, FORMAT);
    struct qn_lock_clock clock = {.lock_ms = qn_fixed_u64(&fixed)};
    clock.boot = qn_fixed_digest(&fixed);
    clock.boot_ms = qn_fixed_u64(&fixed);
    clock.wall_ms = qn_fixed_u64(&fixed);
    clock.unproven_ms = qn_fixed_u64(&fixed);
    clock.claimed_ms = qn_fixed_u64(&fixed);
    clock.anchor_lock_ms = qn_fixed_u64(&fixed);
    clock.anchor_witness_ms = qn_fixed_u64(&fixed);
    QN_TRY(qn_fixed_end(&fixed));
    *ret_clock = clock;
    return QN_OK;
}

static enum qn_err put(struct qn_kv *kv, const struct qn_lock_clock *clock)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, ROW_SIZE);
    qn_buf_append_u8(&row, FORMAT);
    qn_buf_append_u64(&row, clock->lock_ms);
    qn_buf_append_span(&row, qn_digest_view(&clock->boot));
    qn_buf_append_u64(&row, clock->boot_ms);
    qn_buf_append_u64(&row, clock->wall_ms);
    qn_buf_append_u64(&row, clock->unproven_ms);
    qn_buf_append_u64(&row, clock->claimed_ms);
    qn_buf_append_u64(&row, clock->anchor_lock_ms);
    qn_buf_append_u64(&row, clock->anchor_witness_ms);
    struct qn_key key;
    return qn_kv_put(kv, QN_TABLE_META, qn_key_name(&key, META_LOCK), qn_buf_view(&row));
}

enum qn_err qn_lock_clock_tick(struct qn_kv *kv, const struct qn_clock_reading *reading)
{
    struct qn_lock_clock clock;
    enum qn_err err = qn_lock_clock_get(kv, &clock);
    if (err == QN_ERR_NOTFOUND)
        qn_lock_clock_start(&clock, reading);
    else if (err == QN_OK)
        qn_lock_clock_read(&clock, reading);
    else
        return err;
    return put(kv, &clock);
}

enum qn_err qn_lock_now(struct qn_kv *kv, uint64_t *ret_lock_ms)
{
    struct qn_lock_clock clock;
    enum qn_err err = qn_lock_clock_get(kv, &clock);
    if (err == QN_ERR_NOTFOUND)
        return QN_ERR_STATE;
    QN_TRY(err);
    *ret_lock_ms = clock.lock_ms;
    return QN_OK;
}
