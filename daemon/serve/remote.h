/* Folders of other sites: a request for one, after this site's own door and its own look at the
 * person's right, is forwarded over a connection between the two daemons (docs/protocol.md, section
 * 11), and the answer streamed back.
 *
 *   person ── request ──> forward ──> line ──> the site that has the folder
 *                            │          ^
 *                          waiting ─────┘   at most QN_WEB_LINES_MAX lines to a site, one request
 *                                           at a time on each
 *
 * Invariants
 * - What waits in between is at most QN_WEB_IN_MAX each way, and what the streams queue.
 * - An answer that was begun and is not whole is cut, so that the person's program notices. Before
 *   that: 503 with the site's name.
 * - A request is sent once; only one without a body that does not change anything is sent again,
 *   when a line that was kept has ended meanwhile.
 * - Nothing of the person's head goes on but what remote_head.c lists; no password, no cookie.
 *
 * Inside serve. Loop thread.
 */
#pragma once

#include "serve/request.h"

#define REMOTE_PERSON "X-Quoin-Person"
#define REMOTE_RIGHT  "X-Quoin-Right"
#define REMOTE_DEVICE "X-Quoin-Device"

struct qn_serve;
struct qn_remote;
struct qn_remote *remote_new(struct qn_serve *serve);
/* After the last request's `end`. Frees it, then calls on_closed. */
void remote_close(struct qn_remote *remote, void (*on_closed)(void *context), void *context);
void remote_tick(struct qn_remote *remote, uint64_t now_ms);
bool remote_is_busy(const struct qn_remote *remote); /* it needs ticks */
/* Whether it is for a folder of another site that this person may see. */
bool remote_takes(struct qn_web_request *request);
extern const struct qn_web_handler remote_handler;
