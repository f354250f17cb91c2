/* The values of live properties, as XML. Pure; thread: any. */
#pragma once

#include "dav/multistatus.h"

/* Whether a resource has it at all: a collection has no length, a file no quota. */
bool qn_dav_live_has(enum qn_dav_live live, const struct qn_dav_resource *resource);
/* Whether allprop gives it: those of RFC 4918, without supportedlock, which says the same of every
 * file and would be a third of a listing (Windows stops at 1,000,000 bytes). */
bool qn_dav_live_is_in_all(enum qn_dav_live live);
/* The element with its value; only if the resource has it. */
void qn_dav_live_write(struct qn_buf *out, enum qn_dav_live live,
                       const struct qn_dav_resource *resource);
/* An activelock. The token is shown to its person only. */
void qn_dav_live_lock(struct qn_buf *out, const struct qn_dav_lock *lock, const char *locks_href,
                      bool shows_token, uint64_t now_ms);
