/* A real directory of this machine, offered as a struct qn_folder (folder.h).
 *
 * The directory is opened anew for every job and is only used while it is the one that it was: the
 * same inode, or another one with the folder's mark in it (a restored disk). If it is gone, or
 * something else is in its place (a disk that is not mounted), every call answers QN_ERR_CLOSED and
 * nothing is read or written elsewhere; when it is back, calls work again.
 *
 * Mounts below the directory are not entered (RESOLVE_NO_XDEV): one folder is one file system, so
 * that a rename is atomic; a disk that is mounted deeper is offered as a folder of its own. Links,
 * pipes, sockets and devices are listed as nothing, like names that are not UTF-8 or have control
 * characters, and what of Quoin's is in the directory (".quoin-..."). Where two names are the same
 * in normal form C, the one that is in it is shown.
 *
 * Errors beyond those of folder.h: STATE: the parent is not there (409), a directory into itself;
 * BUSY: another program holds the file (a lease), or renames went on under the look for too long;
 * LIMIT: too many calls or open files; UNSUPPORTED: the file system cannot do it.
 *
 * Loop thread; the work is done on libuv's pool, at most QN_FOLDER_JOBS_MAX at once.
 */
#pragma once

#include <stdatomic.h>

#include "base/local.h"
#include "files/folder.h"
#include "files/names.h"
#include "loop/loop.h"

#define QN_FOLDER_MARK_SIZE 16

struct qn_folder_local_options {
    struct qn_loop *loop;
    const char *path;    /* absolute; links in it are the administrator's choice */
    struct qn_span name; /* of its rows: "file/NAME/..."; without '/' */
    /* The mark that must be in it, QN_FOLDER_MARK_SIZE bytes; NULL: whatever is there at `new` is
     * the folder. */
    const uint8_t *mark;
    /* Rows with the digests of contents; NULL: none are kept, and ETags come from stat alone. */
    const struct qn_local *local;
    /* Something may have changed at that path or below it, through this folder; on the loop thread,
     * before who changed it is told. NULL: nobody wants to know. */
    void (*changed)(void *context, struct qn_folder *folder, struct qn_span path);
    void *changed_context;
};

/* All is copied but `loop`, `local` and the context. The directory need not be there yet. Sweeps
 * what a crash left, now and every day. */
struct qn_folder *qn_folder_local_new(const struct qn_folder_local_options *options);

/* Puts the mark into a directory, durably (".quoin-folder"). QN_ERR_EXISTS: another folder's is in
 * it. QN_ERR_NOTFOUND, QN_ERR_DENIED, QN_ERR_NOSPACE, QN_ERR_IO. Blocks: any thread. */
enum qn_err QN_CHECKED qn_folder_mark(const char *path, const uint8_t mark[QN_FOLDER_MARK_SIZE]);
/* Is it there, with that mark in it? Blocks: any thread. QN_ERR_CLOSED: no. */
enum qn_err QN_CHECKED qn_folder_check(const char *path, const uint8_t mark[QN_FOLDER_MARK_SIZE]);
/* Takes the mark away, if it is this one. */
enum qn_err QN_CHECKED qn_folder_unmark(const char *path, const uint8_t mark[QN_FOLDER_MARK_SIZE]);

/* May this directory be offered: is it there (NOTFOUND; INVALID: something else is), and can this
 * process make names in it (DENIED, also on a file system that is read-only)? ret_real: its path
 * without links, ends with a zero. Blocks: any thread. */
enum qn_err QN_CHECKED qn_folder_probe(const char *path, struct qn_buf *ret_real);

#define QN_FOLDER_ODD_SIZE 512
struct qn_folder_odd {
    uint64_t count;
    char path[QN_FOLDER_ODD_SIZE]; /* of the first; "": none, or a longer one */
};
struct qn_folder_look {
    uint64_t files, bytes;           /* of files that are shown */
    bool is_complete;                /* false: there are more than were looked at */
    struct qn_folder_odd alike;      /* names that others take for one that was met before */
    struct qn_folder_odd unfit;      /* those that Windows cannot show (files/names.h) */
    uint64_t used_bytes, free_bytes; /* of the file system */
};
struct qn_folder_look_options {
    uint64_t names_max;
    const atomic_bool *stops; /* NULL: nothing does */
    /* Each odd name, in the order of the disk; `fault` QN_NAME_FINE: it is alike. NULL: they are
     * only counted. */
    void (*odd)(void *context, struct qn_span path, enum qn_name_fault fault);
    void *context;
};
/* Counts what is in a folder. QN_ERR_CLOSED: it is not there, or `stops` says so. Blocks: any
 * thread. */
enum qn_err QN_CHECKED qn_folder_look(const char *path, const uint8_t mark[QN_FOLDER_MARK_SIZE],
                                      const struct qn_folder_look_options *options,
                                      struct qn_folder_look *ret_look);

static inline void qn_folder_free(struct qn_folder *folder)
{
    if (folder != NULL)
        folder->ops->free(folder);
}
