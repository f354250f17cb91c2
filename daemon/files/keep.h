/* What another put into a place while an upload for it was on its way is not replaced unseen: it
 * stays, under a name beside it. Inside files. Thread: any.
 */
#pragma once

#include "files/etag.h"

/* What was there when an upload began. */
struct seen {
    bool exists, has_digest;
    struct statx status;
    uint8_t digest[32];
};

/* `status` NULL: nothing is there. `row` NULL: none. */
void seen_take(struct seen *seen, const struct statx *status, const struct row *row);
/* Would something be lost if `there` were replaced by a content of `digest`? Not if it is what was
 * seen, or empty, or of the same content. */
bool seen_is_other(const struct seen *seen, const struct statx *there, const struct row *row,
                   const uint8_t digest[32]);

/* "plan (conflict 2026-11-26 18.02.11).odt" of "plan.odt", in the machine's time; `number` from 2
 * on is in it too. Cut so that it is a name. */
void keep_name(const char *name, int64_t now_ns, unsigned number, char out[NAME_MAX + 1]);
/* A second name in the same directory for the file of a place; the first can be replaced then.
 * QN_ERR_CONFLICT: the file system or the file's rights do not allow it. */
enum qn_err QN_CHECKED keep_beside(const struct place *place, int64_t now_ns,
                                   char ret_name[NAME_MAX + 1]);
