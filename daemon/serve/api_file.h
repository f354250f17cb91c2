/* Inside the API: files of folders (files/folder.h).
 *
 * A call to a folder is told its end also when the request is over: a struct api_file outlives the
 * request until then, with `api` NULL. One call at a time.
 */
#pragma once

#include "base/vec.h"
#include "http/zip.h"
#include "serve/api_private.h"

#define QN_API_WALK_SIZE_MAX    ((size_t)16 * 1024 * 1024) /* paths that wait, of one archive */
#define QN_API_MISSING_SIZE_MAX ((size_t)64 * 1024)

struct api_entry {
    char *name;
    bool is_directory;
    uint64_t size;
    int64_t modified_ns;
    char etag[QN_ETAG_SIZE_MAX];
};

struct api_file {
    struct api *api; /* NULL: the request is over */
    struct qn_folder *folder;
    struct qn_folder_call *call; /* under way */

    /* reading */
    struct qn_folder_file *file;
    uint64_t offset, left;

    /* a list: the first names behind `after`, in order */
    QN_VEC(struct api_entry) entries;
    struct qn_buf after;
    uint64_t limit;

    /* a change */
    struct qn_folder_expect expect;
    bool is_new;
    struct qn_buf to;
    enum qn_err first_err;       /* of what could not be done */
    struct qn_dav *dav;          /* whose rows follow; may be NULL */
    struct qn_buf full, full_to; /* with the folder's name, as those rows have it */
    unsigned done_status;
    bool is_following;

    /* an upload */
    struct qn_folder_upload *upload;
    struct qn_buf piece;
    bool is_ended; /* all of the body came */
    int64_t modified_ns;

    /* an archive */
    struct qn_zip *zip;
    QN_VEC(struct api_entry) walk; /* paths that are still to be looked at; the last one next */
    size_t walk_size, base_size;
    struct qn_buf missing; /* lines: what could not be read */
    bool is_ending;
};

void api_file_free(struct api_file *file); /* accepts NULL; later, if something is under way */
/* The folder of the request, if the person has the right; NULL after a refusal. */
struct api_file *api_file_new(struct api *api, enum qn_right wanted);
/* At the start of what a call tells: false, if the request is over, and `file` is gone. */
bool api_file_settle(struct api_file *file);
void api_refuse_folder(struct api *api, enum qn_err err, struct qn_span object);
/* Conditions, against what is there (NULL: nothing), become `expect`; false after a refusal. */
bool api_file_expect(struct api_file *file, const struct qn_entry_info *entry);
/* Whether a lock of WebDAV's stands against a change of `path` in the request's folder; true after
 * a refusal. `is_tree`: all below it changes too. */
bool api_file_is_locked(struct api_file *file, struct qn_span path, bool is_tree);
void api_entries_free(struct api_entry *items, size_t count);

void api_list(struct api *api);     /* api_list.c */
void api_download(struct api *api); /* api_download.c */
void api_zip(struct api *api);      /* api_zip.c */
void api_upload(struct api *api);   /* api_upload.c */
void api_upload_body(struct api *api, struct qn_span piece);
void api_file_do(struct api *api);     /* api_change.c */
void api_file_delete(struct api *api); /* api_change.c */
