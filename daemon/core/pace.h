/* Inside core: how fast bulk may go. A window of unacknowledged bytes that follows the delay of the
 * line (LEDBAT, RFC 6817: it gives way before anybody else notices a queue), under a token bucket.
 * Pure arithmetic; times in ms, sizes in bytes.
 *
 * Of RFC 6817 it keeps the one idea: the queue that we cause is kept at a target. As in its
 * successor (LEDBAT++, draft-irtf-iccrg-ledbat-plus-plus) the window shrinks in proportion to
 * itself, and once a minute the line is left empty for a moment: else the own queue would in time
 * be taken for the line. What is sent is spread over the round trip, so that a burst is no queue
 * either.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PACE_TARGET_MS    46 /* of queue that bulk may cause, well below the protocol's 100 ms */
#define PACE_WINDOW_MIN   (4 * 1024) /* 33 ms of a line of 1 Mbit/s */
#define PACE_WINDOW_FIRST (8 * 1024)
#define PACE_WINDOW_MAX   (4 * 1024 * 1024)
#define PACE_BASES        4 /* minutes in which the lowest round trip counts */
#define PACE_SAMPLES      4 /* the lowest of so many is the present one: a slow disk is no queue */

struct pace {
    uint64_t window;              /* bytes that may be unacknowledged */
    bool is_steady;               /* a queue was seen: no more doubling */
    uint64_t base_ms[PACE_BASES]; /* lowest round trip of each of the last minutes */
    uint64_t base_at_ms;          /* start of the present one */
    uint64_t probe_end_ms;        /* the line is being left empty until then; 0: it is not */
    uint64_t window_after;        /* that */
    uint64_t samples_ms[PACE_SAMPLES];
    unsigned sample_next;
    uint64_t tokens, tokens_at_ms;   /* of the bucket; tokens in thousandths of a byte */
    uint64_t rate;                   /* acknowledged bytes per second, smoothed */
    uint64_t rate_bytes, rate_at_ms; /* of the present measurement */
};

void pace_reset(struct pace *pace, uint64_t now_ms);
/* `size` bytes were acknowledged after so long. */
void pace_acked(struct pace *pace, uint64_t now_ms, uint64_t round_trip_ms, uint64_t size);
/* The connection broke or a peer stalled: start small again. */
void pace_lost(struct pace *pace);
/* How many bytes may be sent now with `inflight` unacknowledged, at most `limit` bytes per second
 * (UINT64_MAX: no limit; 0: nothing). 0, or enough to be worth a message. */
uint64_t pace_room(struct pace *pace, uint64_t now_ms, uint64_t inflight, uint64_t limit);
void pace_sent(struct pace *pace, uint64_t size);
/* When pace_room may be more again: UINT64_MAX: when something is acknowledged. */
uint64_t pace_next_ms(const struct pace *pace, uint64_t now_ms, uint64_t limit);
