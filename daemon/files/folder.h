/* A folder that is offered to people: what it has, and changes to it. Two things are behind it: a
 * real directory of this machine (files/local.h), and later a folder of another site over the peer
 * connection.
 *
 * Every call returns at once; its `done` comes later on the loop thread, never from inside the
 * call, exactly once, also after qn_folder_cancel. Paths are names joined by '/', as
 * qn_http_path_decode gives them; "" is the folder itself. Names are NFC in both directions where
 * the file system's are UTF-8. No call leaves the folder, whatever links or races are in it
 * (openat2, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS): a link is not followed,
 * and listed as nothing. Changes to one folder are atomic against each other; what `expect` says is
 * judged in the moment of the change. An OK of a change means that it is durable. Loop thread.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

#define QN_ETAG_SIZE_MAX 64

/* Of a content, for programs that compare by nothing else. Nothing here trusts them. */
struct qn_weak_digests {
    uint8_t sha1[20], md5[16];
};

struct qn_entry_info {
    struct qn_span name; /* the last name; empty: the folder itself */
    bool is_directory;
    uint64_t size;                   /* 0 of a directory */
    int64_t modified_ns, created_ns; /* since 1970 */
    char etag[QN_ETAG_SIZE_MAX];     /* strong, with quotes; "" of a directory */
    uint8_t digest[32];              /* SHA-256 of the content, */
    struct qn_weak_digests weak;     /* likewise, */
    bool has_digest, has_weak;       /* if they are known */
    /* Of a commit: the name beside it that keeps what another had put there since the upload began;
     * borrowed; empty: nothing. */
    struct qn_span kept;
};

/* What must hold when the change happens; else QN_ERR_CONFLICT (412) and nothing changed. */
struct qn_folder_expect {
    bool must_exist, must_not_exist;
    char etag[QN_ETAG_SIZE_MAX]; /* "": any */
};

/* What who writes a content says of it. */
struct qn_folder_said {
    int64_t modified_ns;                /* INT64_MIN: now */
    const struct qn_weak_digests *weak; /* of just the bytes that were written; NULL: not known */
};

struct qn_folder;
struct qn_folder_file;   /* open for reading: what it was when it was opened, whatever happens */
struct qn_folder_upload; /* a new content on its way, not visible before its commit */
struct qn_folder_call;   /* under way; forget it when its `done` has come */

/* Errors: NOTFOUND; EXISTS (also: a directory where a file is asked for); CONFLICT (see expect);
 * DENIED (file permissions, a link, a special file, a mount below the folder, a name that may not
 * be); STATE (409: the parent of what is to be made is not there; a directory into itself; a list
 * of what is no directory); NOSPACE (507); LIMIT; BUSY (another program holds the file); IO; CLOSED
 * (the other site is not reachable, or the folder's directory is gone). */
typedef void (*qn_folder_entry_fn)(void *context, enum qn_err err,
                                   const struct qn_entry_info *entry);
typedef void (*qn_folder_done_fn)(void *context, enum qn_err err);
/* The names that a recursive change could not do, one a call, before `done`, which then has the
 * error of the first. */
typedef void (*qn_folder_failed_fn)(void *context, struct qn_span path, enum qn_err err);
/* Part of a listing, in no order; `count` 0 and `is_end` at the end. After each part the next one
 * comes when qn_folder_more is called. */
typedef void (*qn_folder_list_fn)(void *context, enum qn_err err,
                                  const struct qn_entry_info *entries, size_t count, bool is_end);
typedef void (*qn_folder_open_fn)(void *context, enum qn_err err, struct qn_folder_file *file,
                                  const struct qn_entry_info *entry);
typedef void (*qn_folder_read_fn)(void *context, enum qn_err err, struct qn_span bytes);
typedef void (*qn_folder_upload_fn)(void *context, enum qn_err err,
                                    struct qn_folder_upload *upload);

/* Where something is to go: in the folder itself or in another one of the same kind, which the
 * caller holds until `done`. */
struct qn_folder_target {
    struct qn_folder *folder;
    struct qn_span path;
    bool overwrites; /* what is there; else it must not exist */
    bool is_shallow; /* copies: a directory without what is in it */
};

struct qn_folder_ops {
    struct qn_folder_call *(*stat)(struct qn_folder *, struct qn_span path, qn_folder_entry_fn,
                                   void *);
    struct qn_folder_call *(*list)(struct qn_folder *, struct qn_span path, qn_folder_list_fn,
                                   void *);
    void (*more)(struct qn_folder_call *list);
    struct qn_folder_call *(*open)(struct qn_folder *, struct qn_span path, qn_folder_open_fn,
                                   void *);
    /* At most 256 KiB at once; fewer only at the end. One at a time. The file may be closed, and an
     * upload aborted, while one is under way: its done still comes. */
    struct qn_folder_call *(*read)(struct qn_folder_file *, uint64_t offset, size_t size,
                                   qn_folder_read_fn, void *);
    void (*close)(struct qn_folder_file *);
    /* `size` UINT64_MAX: not known; else NOSPACE comes before the first byte. */
    struct qn_folder_call *(*upload)(struct qn_folder *, struct qn_span path, uint64_t size,
                                     qn_folder_upload_fn, void *);
    /* One at a time; the bytes are the caller's until done. */
    struct qn_folder_call *(*write)(struct qn_folder_upload *, struct qn_span bytes,
                                    qn_folder_done_fn, void *);
    /* The upload is gone afterwards, either way. What came there since
     * the upload began, and the caller did not expect, is kept beside it; CONFLICT where the file
     * system cannot do that. */
    struct qn_folder_call *(*commit)(struct qn_folder_upload *, const struct qn_folder_expect *,
                                     const struct qn_folder_said *, qn_folder_entry_fn, void *);
    void (*abort)(struct qn_folder_upload *);
    struct qn_folder_call *(*make_directory)(struct qn_folder *, struct qn_span path,
                                             qn_folder_done_fn, void *);
    struct qn_folder_call *(*remove)(struct qn_folder *, struct qn_span path,
                                     const struct qn_folder_expect *, qn_folder_failed_fn,
                                     qn_folder_done_fn, void *);
    /* It gets to its place in one step. A directory with all that is in it. Of a copy what could
     * not be read is left out. A move to another file system is a copy, durable before the first
     * name of the source goes; what was changed meanwhile stays there and is told (BUSY). */
    struct qn_folder_call *(*copy)(struct qn_folder *, struct qn_span from,
                                   const struct qn_folder_target *to, qn_folder_failed_fn,
                                   qn_folder_done_fn, void *);
    struct qn_folder_call *(*move)(struct qn_folder *, struct qn_span from,
                                   const struct qn_folder_target *to, qn_folder_failed_fn,
                                   qn_folder_done_fn, void *);
    struct qn_folder_call *(*set_modified)(struct qn_folder *, struct qn_span path,
                                           int64_t modified_ns, qn_folder_entry_fn, void *);
    /* Bytes used and free of the file system below the folder. */
    struct qn_folder_call *(*space)(struct qn_folder *,
                                    void (*)(void *, enum qn_err, uint64_t used, uint64_t free),
                                    void *);
    /* `done` still comes, with QN_ERR_CLOSED if it was not too late. */
    void (*cancel)(struct qn_folder_call *);
    void (*free)(struct qn_folder *); /* all calls, files and uploads ended before */
};

struct qn_folder {
    const struct qn_folder_ops *ops;
    size_t users;    /* who hold it */
    bool is_retired; /* its owner has no more use for it: the last user frees it */
};

/* Until the release it stays, whatever its owner does; also while its calls, files and uploads are
 * under way. */
static inline void qn_folder_hold(struct qn_folder *folder)
{
    folder->users++;
}

static inline void qn_folder_release(struct qn_folder *folder)
{
    if (--folder->users == 0 && folder->is_retired)
        folder->ops->free(folder);
}

/* By its owner, once, instead of freeing it. */
static inline void qn_folder_retire(struct qn_folder *folder)
{
    folder->is_retired = true;
    if (folder->users == 0)
        folder->ops->free(folder);
}
