#include "core/pace.h"

#include <string.h>

#define UNIT_MAX    (8 * 1024) /* by which the window grows in a round trip, or by a 16th */
#define MINUTE_MS   60000
#define RATE_MS     500 /* one measurement of the rate */
#define BURST_MS    20  /* of sending at once */
#define BURST_MIN   (4 * 1024)
#define BURST_MAX   (256 * 1024)
#define QUANTUM_MIN (2 * 1024) /* of a message; a smaller one is not worth its head */
#define QUANTUM_MAX (64 * 1024)
#define MILLI       1000

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : least(value, high);
}

static uint64_t lowest(const uint64_t *values, unsigned count)
{
    uint64_t low = UINT64_MAX;
    for (unsigned i = 0; i < count; i++)
        low = least(low, values[i]);
    return low;
}

void pace_reset(struct pace *pace, uint64_t now_ms)
{
    *pace = (struct pace){.window = PACE_WINDOW_FIRST,
                          .base_at_ms = now_ms,
                          .tokens = (uint64_t)BURST_MIN * MILLI,
                          .tokens_at_ms = now_ms,
                          .rate_at_ms = now_ms};
    memset(pace->base_ms, 0xff, sizeof(pace->base_ms));
    memset(pace->samples_ms, 0xff, sizeof(pace->samples_ms));
}

void pace_lost(struct pace *pace)
{
    pace->window = PACE_WINDOW_FIRST;
    pace->is_steady = false;
    pace->probe_end_ms = 0;
    memset(pace->samples_ms, 0xff, sizeof(pace->samples_ms));
}

/* ---- what acknowledgements tell ---- */

static void measure_rate(struct pace *pace, uint64_t now_ms, uint64_t size)
{
    pace->rate_bytes += size;
    if (now_ms < pace->rate_at_ms + RATE_MS)
        return;
    uint64_t rate = pace->rate_bytes * 1000 / (now_ms - pace->rate_at_ms);
    pace->rate = pace->rate == 0 ? rate : (3 * pace->rate + rate) / 4;
    pace->rate_bytes = 0;
    pace->rate_at_ms = now_ms;
}

static void begin_probe(struct pace *pace, uint64_t now_ms)
{
    pace->window_after = pace->window;
    pace->window = clamp(pace->window / 4, PACE_WINDOW_MIN, PACE_WINDOW_MAX);
    pace->probe_end_ms = now_ms + 2 * lowest(pace->samples_ms, PACE_SAMPLES) + 1;
}

static void measure_delay(struct pace *pace, uint64_t now_ms, uint64_t round_trip_ms)
{
    pace->samples_ms[pace->sample_next++ % PACE_SAMPLES] = round_trip_ms;
    if (now_ms >= pace->base_at_ms + MINUTE_MS) {
        memmove(pace->base_ms + 1, pace->base_ms, sizeof(pace->base_ms) - sizeof(uint64_t));
        pace->base_ms[0] = UINT64_MAX;
        pace->base_at_ms = now_ms;
        if (pace->is_steady)
            begin_probe(pace, now_ms);
    }
    pace->base_ms[0] = least(pace->base_ms[0], round_trip_ms);
}

/* How much of queue the last answers saw, each of them at least. */
static uint64_t queue_of(const struct pace *pace, unsigned samples)
{
    uint64_t base = lowest(pace->base_ms, PACE_BASES), low = UINT64_MAX;
    for (unsigned i = 1; i <= samples; i++)
        low = least(low, pace->samples_ms[(pace->sample_next - i) % PACE_SAMPLES]);
    return low > base ? low - base : 0;
}

/* While the line is not full: by half of what was acknowledged, so half again in a round trip. */
static uint64_t open_up(struct pace *pace, uint64_t size)
{
    if (queue_of(pace, 2) <= PACE_TARGET_MS / 2)
        return pace->window + size / 2;
    pace->is_steady = true;
    return pace->window * 3 / 4;
}

static uint64_t follow(const struct pace *pace, uint64_t size)
{
    uint64_t queue_ms = queue_of(pace, PACE_SAMPLES);
    uint64_t grown = pace->window + least(UNIT_MAX, pace->window / 16) * size / pace->window;
    if (queue_ms <= PACE_TARGET_MS)
        return grown;
    uint64_t less = least(size * (queue_ms - PACE_TARGET_MS) / PACE_TARGET_MS, size / 2);
    return grown > less ? grown - less : 0;
}

void pace_acked(struct pace *pace, uint64_t now_ms, uint64_t round_trip_ms, uint64_t size)
{
    measure_rate(pace, now_ms, size);
    measure_delay(pace, now_ms, round_trip_ms);
    if (pace->probe_end_ms != 0) {
        if (now_ms < pace->probe_end_ms)
            return;
        pace->window = pace->window_after;
        pace->probe_end_ms = 0;
    }
    uint64_t window = pace->is_steady ? follow(pace, size) : open_up(pace, size);
    pace->window = clamp(window, PACE_WINDOW_MIN, PACE_WINDOW_MAX);
}

/* ---- the bucket ---- */

/* Bytes per second: the window over a round trip, a little more so that the window decides. */
static uint64_t speed(const struct pace *pace, uint64_t limit)
{
    uint64_t present = lowest(pace->samples_ms, PACE_SAMPLES);
    if (present == UINT64_MAX)
        return limit;
    uint64_t quarters = pace->is_steady ? 5 : 8;
    return least(limit, pace->window * quarters / 4 * 1000 / (present == 0 ? 1 : present));
}

static uint64_t burst(uint64_t speed)
{
    return clamp(speed / 1000 * BURST_MS, BURST_MIN, BURST_MAX);
}

static uint64_t quantum(const struct pace *pace, uint64_t speed)
{
    return clamp(least(burst(speed), pace->window) / 2, QUANTUM_MIN, QUANTUM_MAX);
}

static uint64_t tokens_at(const struct pace *pace, uint64_t now_ms, uint64_t speed)
{
    uint64_t full = burst(speed) * MILLI;
    if (speed == UINT64_MAX)
        return full;
    uint64_t past_ms = least(now_ms - pace->tokens_at_ms, BURST_MAX);
    return least(pace->tokens + past_ms * least(speed, UINT32_MAX), full);
}

uint64_t pace_room(struct pace *pace, uint64_t now_ms, uint64_t inflight, uint64_t limit)
{
    uint64_t rate = speed(pace, limit);
    if (limit == 0)
        return 0;
    pace->tokens = tokens_at(pace, now_ms, rate);
    pace->tokens_at_ms = now_ms;
    uint64_t left = pace->window > inflight ? pace->window - inflight : 0;
    uint64_t room = least(left, pace->tokens / MILLI);
    return room < quantum(pace, rate) ? 0 : room;
}

void pace_sent(struct pace *pace, uint64_t size)
{
    pace->tokens -= least(pace->tokens, size * MILLI);
}

uint64_t pace_next_ms(const struct pace *pace, uint64_t now_ms, uint64_t limit)
{
    uint64_t rate = speed(pace, limit);
    if (rate == 0)
        return UINT64_MAX;
    uint64_t wanted = quantum(pace, rate) * MILLI, have = tokens_at(pace, now_ms, rate);
    if (have >= wanted)
        return UINT64_MAX; /* it is the window that is full */
    uint64_t wait_ms = (wanted - have + rate - 1) / rate;
    return now_ms + (wait_ms == 0 ? 1 : wait_ms);
}
