/* Inside core: how fast bulk may go. A window of unacknowledged bytes that follows the delay of the
 * line (LEDBAT, RFC 6817: it gives way before anybody else notices a queue), under a token bucket.
 * Pure arithmetic; times in ms, sizes in bytes.
 */
#pragma once

#include "base/limits.h"

#define PACE_TARGET_MS  60 /* of queue that bulk may cause, below the 100 ms of the protocol */
#define PACE_WINDOW_MIN (64 * 1024)
#define PACE_WINDOW_MAX (4 * 1024 * 1024)

struct pace {
    uint64_t window;                 /* bytes that may be unacknowledged */
    uint64_t base_ms[4];             /* lowest round trip of each of the last minutes */
    uint64_t base_at_ms;             /* start of the present one */
    uint64_t tokens, tokens_at_ms;   /* of the bucket */
    uint64_t rate;                   /* acknowledged bytes per second, smoothed */
    uint64_t rate_bytes, rate_at_ms; /* of the present measurement */
};

void pace_reset(struct pace *pace, uint64_t now_ms);
/* `size` bytes were acknowledged after so long. */
void pace_acked(struct pace *pace, uint64_t now_ms, uint64_t round_trip_ms, uint64_t size);
/* The connection broke or a peer stalled: start small again. */
void pace_lost(struct pace *pace);
/* How many bytes may be sent now with `inflight` unacknowledged, at most `limit` bytes per second
 * (UINT64_MAX: no limit; 0: nothing). */
uint64_t pace_room(struct pace *pace, uint64_t now_ms, uint64_t inflight, uint64_t limit);
void pace_sent(struct pace *pace, uint64_t size);
/* When pace_room may be more again: UINT64_MAX: when something is acknowledged. */
uint64_t pace_next_ms(const struct pace *pace, uint64_t now_ms, uint64_t limit);
