/* What a file's version is called. With a digest that is known to be that of the content: by the
 * digest. Else by {inode, size, mtime, ctime}; but a clock moves in steps, and a file that changed
 * within the present step may change once more without its times moving: then it gets a tag that
 * nothing ever matches, until it is older. Inside files. Thread: any.
 */
#pragma once

#include "files/place.h"

#define ROW_SIZE     65 /* without weak digests */
#define ROW_SIZE_MAX (ROW_SIZE + sizeof(struct qn_weak_digests))

/* What is stored of a file: its digests, and how it was then. The weak ones are there only if who
 * wrote it compares by them. */
struct row {
    uint64_t inode, size;
    int64_t modified_ns, changed_ns;
    uint8_t digest[32];
    struct qn_weak_digests weak;
    bool has_weak;
};

int64_t time_ns(const struct statx_timestamp *time); /* saturates at both ends of int64_t */
/* From what stat says, with the digests (`weak` NULL: none); false if a change in the present step
 * of the clock could stay unseen: every write sets mtime to the step that it sets ctime to, so a
 * file whose mtime is not its ctime cannot be written without one of them moving. */
bool row_make(const struct statx *status, const uint8_t digest[32],
              const struct qn_weak_digests *weak, struct row *ret_row);
const struct qn_weak_digests *row_weak(const struct row *row);     /* NULL: none */
bool row_holds(const struct row *row, const struct statx *status); /* NULL: no */
/* As row_holds, but ctime may have moved: after a rename, which leaves the content alone. */
bool row_holds_but_changed(const struct row *row, const struct statx *status);
size_t row_pack(const struct row *row, uint8_t out[ROW_SIZE_MAX]); /* gives the size */
bool row_unpack(struct qn_span bytes, struct row *ret_row);        /* false: not a row */

/* `row` NULL: none. `now_ns`: taken before the look at the file. `name` is borrowed. */
void entry_describe(const struct statx *status, const struct row *row, int64_t now_ns,
                    struct qn_span name, struct qn_entry_info *ret_entry);
/* QN_ERR_CONFLICT: it is not as expected. `status` NULL: nothing is there. */
enum qn_err QN_CHECKED entry_judge(const struct qn_folder_expect *expect,
                                   const struct statx *status, const struct row *row,
                                   int64_t now_ns);
