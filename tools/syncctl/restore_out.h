/* The writing end of a restore: takes entries in the order of the list and the bytes of files, and
 * makes them below a target folder.
 *
 * - Nothing outside the target is ever touched, whatever the entries say and whoever else writes
 *   there meanwhile (restore_place.h).
 * - An object appears under its name only when it is whole, and never in place of another one,
 *   unless it may overwrite. A file of the same size and time of modification is taken for restored
 *   already: a restore that was interrupted goes on where it stopped. Where a power cut interrupted
 * it such files are written again (restore_mark.h).
 * - One fault is about one object: it is told, counted, and the rest goes on. Only what would stop
 *   every further object ends it: a full or failing disk.
 * - Durable when ctl_restore_finish has returned; there is no fsync per file.
 *
 * Runs as its caller. Without root, owners, devices and some attributes cannot be had; the counts
 * tell. One thread. Memory: the folders on the present path.
 */
#pragma once

#include "chunk/entry.h"

enum ctl_restore_issue {
    CTL_RESTORE_TARGET,     /* the target folder cannot be used */
    CTL_RESTORE_BUSY,       /* another restore writes there */
    CTL_RESTORE_NO_ROOM,    /* the disk is full, or will be */
    CTL_RESTORE_DISK,       /* the disk failed */
    CTL_RESTORE_BAD_PATH,   /* no path that a backup makes */
    CTL_RESTORE_EXISTS,     /* something else of that name is there */
    CTL_RESTORE_FOLDER,     /* a folder of that name is there: never overwritten */
    CTL_RESTORE_NOT_MADE,   /* the system refused */
    CTL_RESTORE_NO_FIRST,   /* another name of a file that was not restored, or changed since */
    CTL_RESTORE_NEEDS_ROOT, /* a device */
    CTL_RESTORE_NO_CONTENT, /* its bytes could not be had, or are not as many as it says */
    CTL_RESTORE_NOT_YOURS,  /* its bytes are not for this user */
    CTL_RESTORE_ATTRIBUTES, /* it is there, but its owner, mode or times could not be set */
};
/* What it means, and what to do; translated. */
const char *ctl_restore_issue_text(enum ctl_restore_issue issue);
const char *ctl_restore_issue_remedy(enum ctl_restore_issue issue);

struct ctl_restore_counts {
    uint64_t folders, files, links, hard_links, others; /* made */
    uint64_t bytes;                                     /* of those files */
    uint64_t same;                                      /* were there already */
    uint64_t failed;                                    /* each was told */
    uint64_t left_out;                                  /* below a folder that failed */
    uint64_t other_owner;      /* belong to the caller now, because only root can give files away */
    uint64_t fewer_attributes; /* some attributes were refused */
};

struct ctl_restore_options {
    struct qn_span what; /* names what is restored: the same bytes when it is restored again */
    const char *target;  /* made if it is not there, but not the folders above it */
    bool overwrites;
    uint64_t bytes_expected,
        entries_expected; /* 0: not known; checked against a new target's disk */
    /* `path` is below the target, empty if it is the target; errno_value 0 if there is none. */
    void (*on_issue)(void *context, enum ctl_restore_issue issue, struct qn_span path,
                     int errno_value);
    void *context;
};

struct ctl_restore;
/* Every error was told with on_issue: QN_ERR_BUSY, QN_ERR_NOSPACE, QN_ERR_NOTFOUND, QN_ERR_DENIED,
 * QN_ERR_IO. */
enum qn_err QN_CHECKED ctl_restore_new(const struct ctl_restore_options *options,
                                       struct ctl_restore **ret_restore);
/* Without finish: what is unfinished stays so, and can be restored again. Accepts NULL. */
void ctl_restore_free(struct ctl_restore *restore);

/* Each answers QN_OK, or QN_ERR_NOSPACE or QN_ERR_IO to end the restore (told). A FILE has bytes
 * and an end after it, whether they are wanted or not. */
/* *ret_wants_bytes: false if it is there already, or failed; bytes are ignored then. */
enum qn_err QN_CHECKED ctl_restore_entry(struct ctl_restore *restore, const struct qn_entry *entry,
                                         bool *ret_wants_bytes);
/* The next bytes of the file; NULL: a hole. */
enum qn_err QN_CHECKED ctl_restore_bytes(struct ctl_restore *restore, const uint8_t *bytes,
                                         size_t size);
/* `err`: why the bytes are not all there, or QN_OK. */
enum qn_err QN_CHECKED ctl_restore_entry_end(struct ctl_restore *restore, enum qn_err err);
/* Finishes the folders and makes all of it durable. */
enum qn_err QN_CHECKED ctl_restore_finish(struct ctl_restore *restore);
const struct ctl_restore_counts *ctl_restore_counts(const struct ctl_restore *restore);
