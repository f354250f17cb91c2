/* The inside of a backup run: backup.c (the walk), backup_entry.c (merge with the snapshot before),
 * backup_read.c (files to chunks), backup_window.c (results back in order) and backup_snapshot.c.
 * One thread, beside those of the pipeline.
 */
#pragma once

#include "vault/entry_copy.h"
#include "vault/fetch.h"
#include "vault/pipeline.h"

#define QN_WINDOW_PIECES  8192 /* chunks and ends of entries that wait for ids */
#define QN_WINDOW_ENTRIES 1024
#define QN_WINDOW_SIZE    ((size_t)4 * 1024 * 1024) /* of the names and attributes that wait */

/* ---- the window: what was submitted and is not in the list yet, in order ---- */

enum qn_piece_kind {
    QN_PIECE_CHUNK,
    QN_PIECE_HOLE,
    QN_PIECE_RESTART, /* what came since the last end does not count */
    QN_PIECE_END,     /* of an entry: the next one of the entries that wait */
};
struct qn_piece {
    enum qn_piece_kind kind;
    uint64_t size;
    struct qn_chunk_slot slot;
};

/* Items of the file at the head of the window; more than fit in an entry go into manifests. */
struct qn_content_level {
    struct qn_buf items;
    size_t count;
    uint64_t size;
};
struct qn_content_builder {
    struct qn_content_level levels[QN_CONTENT_DEPTH_MAX + 1];
};

struct qn_window {
    struct qn_piece *pieces; /* rings */
    size_t piece_first, piece_count;
    struct qn_entry_copy *entries;
    size_t entry_first, entry_count, size;
    struct qn_content_builder content;
};

struct qn_backup {
    struct qn_vault *vault;
    const struct qn_backup_options *options;
    struct qn_backup_counts counts;
    struct qn_pipeline *pipeline;
    struct qn_fetcher *fetcher;
    struct qn_walk *walk; /* NULL: a stream alone */
    struct qn_tree_builder *tree;
    struct qn_window window;
    /* The list of what the site knows, which is made first. */
    struct qn_tree_root store;
    struct qn_buf store_last; /* the path put last */
    enum qn_err store_err;    /* of putting: a fault of the vault, not of who puts */
    /* The list of the snapshot before. */
    struct qn_tree_iter *previous; /* NULL: there is none */
    struct qn_entry before;        /* the next of it, if has_before */
    bool has_before;
    struct qn_tree_root previous_root;
    struct qn_snapshot_name previous_name;
    struct qn_buf previous_places;
    uint64_t previous_run; /* its places_run */
    /* Of the snapshot that is being made (backup_places.c). */
    struct qn_buf places;
    uint64_t places_run;
    qn_pack_name_vec places_packs; /* that it needs although this run did not look into them */
    uint64_t sequence, partial_last_ms, entries_seen;
    size_t stream_next;                       /* of options->streams: those before it are done */
    QN_VEC(struct qn_snapshot_name) obsolete; /* partial ones, gone with the next snapshot */
    QN_VEC(struct qn_buf) lost;               /* paths of files that could not be read */
    struct qn_buf paths;
    /* Where files are read to. */
    struct qn_slab *slab;
    size_t uncut;   /* where in the slab begins what is not cut and submitted yet */
    int read_errno; /* of the last file that could not be read; 0: it is not the file */
};

void qn_window_init(struct qn_backup *backup);
void qn_window_deinit(struct qn_backup *backup);
/* The following wait for room. */
enum qn_err QN_CHECKED qn_window_chunk(struct qn_backup *backup, struct qn_span raw);
enum qn_err QN_CHECKED qn_window_hole(struct qn_backup *backup, uint64_t size);
enum qn_err QN_CHECKED qn_window_restart(struct qn_backup *backup);
/* An entry whose content, if it is `has_pieces`, is what was submitted since the last end. Copied.
 */
enum qn_err QN_CHECKED qn_window_end(struct qn_backup *backup, const struct qn_entry *entry,
                                     bool has_pieces);
/* Waits for everything: the window is empty. */
enum qn_err QN_CHECKED qn_window_drain(struct qn_backup *backup);

/* ---- backup_entry.c ---- */

/* Takes the next entry of the list before into `before`. A chunk of that list that is damaged costs
 * reading files again, nothing else. */
enum qn_err QN_CHECKED qn_backup_next_before(struct qn_backup *backup);
/* What the walk gave, into the list. */
enum qn_err QN_CHECKED qn_backup_entry(struct qn_backup *backup, struct qn_entry *entry);
/* For whoever watches: one more entry, and so many bytes that were not counted as they were read.
 */
void qn_backup_note_done(struct qn_backup *backup, uint64_t bytes);

/* ---- backup_snapshot.c ---- */

/* Ends the list and commits a snapshot: all that it says is durable and in the index before. */
enum qn_err QN_CHECKED qn_backup_snapshot(struct qn_backup *backup, bool is_partial,
                                          struct qn_tree_root *ret_root,
                                          struct qn_snapshot_name *ret_name);
/* A partial one, if it is time; then the list goes on where it was. */
enum qn_err QN_CHECKED qn_backup_maybe_partial(struct qn_backup *backup);
uint64_t qn_backup_now(const struct qn_backup *backup); /* wall clock, ms */

/* ---- reading ---- */

/* Submits the content of the present FILE of the walk. *entry is brought up to date if it changed
 * meanwhile. QN_ERR_NOTFOUND: it cannot be had, which was reported. */
enum qn_err QN_CHECKED qn_backup_read(struct qn_backup *backup, struct qn_entry *entry);
/* Submits a stream until its end. QN_ERR_NOTFOUND: it cannot be had; nothing of it counts. */
enum qn_err QN_CHECKED qn_backup_read_stream(struct qn_backup *backup, size_t index,
                                             uint64_t *ret_size);

/* Submits bytes in memory as the content of one file. */
enum qn_err QN_CHECKED qn_backup_read_bytes(struct qn_backup *backup, struct qn_span bytes);
/* backup_store.c: has the list of what the site knows made. */
enum qn_err QN_CHECKED qn_backup_store(struct qn_backup *backup);
/* backup_places.c: after a flush, writes where everything in the list is, into `places`; these and
 * their packs are flushed too. */
enum qn_err QN_CHECKED qn_backup_places(struct qn_backup *backup, const struct qn_tree_root *root);
/* The folders above a path that are not in the list already, since `last` was the entry before. */
enum qn_err QN_CHECKED qn_backup_add_parents(struct qn_backup *backup, struct qn_span path,
                                             struct qn_span last, int64_t mtime_s);
enum qn_err QN_CHECKED qn_backup_put_tree_chunk(void *context, enum qn_blob_kind kind,
                                                struct qn_span plain, struct qn_chunk_id *ret_id);

void qn_backup_report(struct qn_backup *backup, const char *what, struct qn_span path,
                      int errno_value);
