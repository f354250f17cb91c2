/* Reading file trees for a backup: a directory tree as a sorted sequence of entries (the order of
 * chunk/entry.h), and their contents. Nothing is followed that is not below the top path; every
 * access goes through descriptors of folders (reader/README.md).
 *
 * A walker reads the disk itself or asks the reading unit (syncd-reader, a service of its own with
 * nothing but CAP_DAC_READ_SEARCH), which sends listings and passes open descriptors.
 *
 * The walk goes on behind what cannot be read. What vanishes while it runs is left out. Of the file
 * systems that the kernel makes up (proc, sysfs...) only the folder that they cover is listed.
 * One thread. Memory: bounded by limits below, whatever the size of a folder or a tree.
 */
#pragma once

#include <errno.h>

#include "chunk/entry.h"
#include "chunk/plan.h"

#define QN_WALK_LINKS_MAX      (128 * 1024)       /* files with several names, at a time */
#define QN_WALK_LINKS_SIZE_MAX (16 * 1024 * 1024) /* and their paths */

/* errno_value of on_error that mean something of their own: */
#define QN_WALK_NOT_ALLOWED EPERM /* the reading unit may not: [reader] allow in quoin.conf */
#define QN_WALK_IS_LINK                                                                            \
    ELOOP /* a top path is, or leads through, a symbolic link: nothing of                          \
             what it points to is read; name the folder itself */
#define QN_WALK_MANY_LINKS                                                                         \
    EMLINK /* too many files with several names: from here on stored once                          \
              for each name; told once */

struct qn_walk_options {
    /* Absolute, in normal form, ascending by qn_path_cmp (without the first '/'), none below
     * another. */
    const char *const *paths;
    size_t path_count;
    const struct qn_exclude *exclude; /* NULL: nothing; borrowed while the walk lives */
    bool crosses_devices; /* else it stays on the file system of each top path: of others only the
                             folder that they are mounted on */
    bool keeps_caches;    /* else folders with a valid CACHEDIR.TAG keep only the tag */
    const char *reader_socket; /* of the reading unit; NULL: read the disk directly */
    /* Told of what could not be read; the walk goes on. `path` is absolute. */
    void (*on_error)(void *context, struct qn_span path, int errno_value);
    void *context;
};

struct qn_walk;
/* QN_ERR_INVALID: paths that are not as above. Of the reading unit: QN_ERR_NOTFOUND or
 * QN_ERR_CLOSED (it does not run), QN_ERR_DENIED (it does not serve this user, or its
 * configuration is not only root's to change: its log tells), QN_ERR_UNSUPPORTED (another version).
 */
enum qn_err QN_CHECKED qn_walk_new(const struct qn_walk_options *options,
                                   struct qn_walk **ret_walk);
void qn_walk_free(struct qn_walk *walk); /* accepts NULL */
/* The next entry without content (FILE: content empty); hard links seen before are HARDLINK with
 * `target`. Parents of a top path are entries too (DIR), so that a restore can make them; "/" is
 * none. Borrowed until the next call. QN_ERR_NOTFOUND at the end; QN_ERR_CLOSED: the reading unit
 * is gone. xattrs are read only on qn_walk_xattrs (slow): the caller asks when it needs them. */
enum qn_err QN_CHECKED qn_walk_next(struct qn_walk *walk, struct qn_entry *ret_entry);

/* Whether the present entry is a parent of a top path, and not of what is saved itself. */
bool qn_walk_is_above(const struct qn_walk *walk);
/* The following three are about the present entry. On an error on_error is not called; `errno` says
 * more. QN_ERR_NOTFOUND: it vanished, or (ESTALE) is of another kind by now. */

/* Fills entry->xattrs (ACLs are among them), valid until the next call of this. QN_ERR_LIMIT: with
 * those that fit. */
enum qn_err QN_CHECKED qn_walk_xattrs(struct qn_walk *walk, struct qn_entry *entry);
/* Opens the content of a FILE for reading, without a trace in its time of access where that is
 * allowed; the caller closes it. If that fails, the next name of the file, if it has several, is a
 * FILE again. */
enum qn_err QN_CHECKED qn_walk_open(struct qn_walk *walk, int *ret_fd);
/* Reads its stat again into *ret_entry (spans, and link targets, are left alone): did it change
 * meanwhile? */
enum qn_err QN_CHECKED qn_walk_restat(struct qn_walk *walk, struct qn_entry *ret_entry);
