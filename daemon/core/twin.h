/* Inside core: sites that run twice, or were restored, and what comes of it: twin.c tells it,
 * fork.c brings operations that were made twice to one end.
 */
#pragma once

#include "core/state.h"

/* ---- twin.c: sites that run twice, or were restored ---- */
void twin_look(struct qn_core *core, struct coll *coll, const struct qn_vv *cc); /* as it will be */
void twin_pushed(struct qn_core *core, struct peer *peer);  /* a link of it by a newer one */
void twin_refused(struct qn_core *core, struct peer *peer); /* a newer link of it */
void twin_spoke(struct qn_core *core, struct peer *peer);   /* its link brought a frame */
void twin_found(struct qn_core *core, const uint8_t prefix[QN_ACTOR_PREFIX_SIZE]); /* surely */
/* Tells the site at the other end, if it was seen; hears the same. */
void twin_tell(struct qn_core *core, const struct peer *peer, qn_link link);
void twin_heard(struct qn_core *core);
bool twin_is_told(const struct qn_core *core, uint64_t twin_ms);
/* Operations of this site that others have and it has not. */
uint64_t twin_forgotten(const struct qn_core *core);

/* ---- fork.c: an operation that does not fit the chain of its actor ---- */
/* Asks for the sender's checkpoints, or waits for them. False: the sender is to blame. */
bool fork_asks(struct qn_core *core, struct peer *peer, struct share *share, struct qn_span body);
void fork_asked(struct qn_core *core, struct peer *peer, struct share *share,
                struct qn_span actors);
enum qn_err QN_CHECKED fork_read(struct qn_kv *kv, const struct qn_coll_id *coll,
                                 struct qn_span actors, struct qn_buf *out);
void fork_read_done(struct qn_core *core, const struct pending *pending,
                    const struct qn_read_result *result);
void fork_heard(struct qn_core *core, struct peer *peer, struct share *share,
                struct qn_span chains);
void fork_outcome(struct qn_core *core, const struct pending *pending,
                  const struct qn_outcome *outcome);
void fork_tick(struct qn_core *core, struct peer *peer);
