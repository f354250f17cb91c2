/* The mark in a target whose restore is not durable yet: a file that says since which boot of the
 * machine, and what is restored. Without an fsync per file, a power cut leaves files that look
 * restored, with the right time and maybe the right size, and hold zeros. A later restore that
 * finds the mark of another boot therefore distrusts what the first one left (ctl_restore_look).
 *
 * A restore of something else does not write anew all that was left: then the mark stays, for any.
 *
 * One thread. Results are 0 or errno.
 */
#pragma once

#include "crypto/digest.h"

#define CTL_RESTORE_MARK ".quoin-restore.unfinished"

struct ctl_restore_mark {
    bool is_there;
    bool distrusts; /* power was lost since: what looks restored need not be */
    bool stays;     /* another restore made it */
};

/* Durable before anything else is. `target` is an open folder; `what` names what is restored. Where
 * it may not write there is no mark. */
int ctl_restore_mark_begin(struct ctl_restore_mark *mark, int target, const struct qn_digest *what);
/* Something that was written may not be there: from now on this is a mark of another boot. It is
 * written over, for which a full disk has room. */
void ctl_restore_mark_doubt(const struct ctl_restore_mark *mark, int target);
/* All is durable now. */
int ctl_restore_mark_end(struct ctl_restore_mark *mark, int target);
