/* Inside core: audit trails and their witnesses (docs/protocol.md 12, docs/audit.md 3).
 *
 * A site tells each other member the newest checkpoint of its trail, once in a connection and when
 * there is a new one. The other keeps it by an intent (model/trail.h) and says so when it is
 * durable; and whether the site contradicted itself. `audit.witnesses` asks all members for what
 * they keep of this site. Nothing else of a trail ever leaves. trail.c tells and keeps, trail_ask.c
 * asks and answers.
 */
#pragma once

#include "core/state.h"

#define TRAIL_SAY_MS       15000 /* so long after a tell comes the next; doubling without an answer */
#define TRAIL_SAY_MAX_MS   3600000
#define TRAIL_LISTEN_MS    10000 /* a checkpoint of a site is stored at most so often */
#define TRAIL_PAGE_POINTS  128   /* of an answer */
#define TRAIL_ASK_MS       1000  /* asked again after so long */
#define TRAIL_ASK_GRACE_MS 3000  /* a site without a link is waited for so long */
#define TRAIL_ASK_END_MS   10000 /* of all */

enum qn_err QN_CHECKED trail_load(struct peer *peer, struct qn_kv *kv);
void trail_session_starts(struct peer *peer);
/* Whether a message is one of these. */
bool trail_is_message(uint64_t number);
enum qn_err QN_CHECKED trail_frame(struct qn_core *core, struct peer *peer, uint64_t number,
                                   struct qn_cursor *cursor);
void trail_outcome(struct qn_core *core, const struct pending *pending,
                   const struct qn_outcome *outcome);
void trail_tick(struct qn_core *core);

/* trail_ask.c */
/* `count` of them at most. */
void trail_asked(struct qn_core *core, struct peer *peer, uint64_t after, uint64_t count);
/* Of a READ of kind TRAIL: its arguments and its answer. */
enum qn_err QN_CHECKED trail_read(struct qn_kv *kv, struct qn_span args, struct qn_buf *out);
void trail_read_done(struct qn_core *core, const struct pending *pending,
                     const struct qn_read_result *result);
enum qn_err QN_CHECKED trail_heard_held(struct qn_core *core, struct peer *peer,
                                        struct qn_cursor *cursor);
/* The newest of each witness only, of which `points` is the count; 0: all. */
void trail_ask_start(struct qn_core *core, uint64_t request, uint64_t points);
void trail_ask_gone(struct qn_core *core, uint64_t request);
void trail_ask_tick(struct qn_core *core);
void trail_asks_free(struct qn_core *core);
