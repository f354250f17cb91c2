/* Inside app: one command that reads the vault, while it runs (backup_view.c). The view's thread.
 */
#pragma once

#include "app/snapshot_pick.h"
#include "app/views_impl.h"

struct backup_view {
    struct qn_view *view;
    struct qn_span args;
    struct qn_snapshot_place place;
    struct qn_buf batch; /* items of the list that is being made */
    size_t count;
    uint64_t entries, bytes, errors; /* RESTORE */
    uint64_t faults;                 /* RESTORE: errors of what is kept, not of what is withheld */
    struct qn_buf shut;              /* RESTORE: a directory that the caller could not enter, */
    bool is_shut;                    /* if there is one, */
    bool is_hidden; /* and the content of the entry that is under way is withheld */
};

/* Answers with an error, and gives it back. */
enum qn_err qn_backup_view_refuse(struct backup_view *view, enum qn_err err, const char *code,
                                  struct qn_span object);
/* Lists of answers, several items a frame: after start, an item is packed into `batch` and then
 * added. The end answers, with an error if `err` is one. */
void qn_backup_batch_start(struct backup_view *view);
enum qn_err QN_CHECKED qn_backup_batch_added(struct backup_view *view);
void qn_backup_batch_end(struct backup_view *view, enum qn_err err);
void qn_backup_view_add_entry(const struct qn_entry *entry, struct qn_buf *out);

/* backup_view_lists.c */
void qn_backup_view_ls(struct backup_view *view);
void qn_backup_view_find(struct backup_view *view);
void qn_backup_view_list(struct backup_view *view); /* the snapshots of a copy */
void qn_backup_view_diff(struct backup_view *view);
/* backup_view_sight.c: what a restore gives to a caller who is limited (views.h) */
/* The next entry, in the order of the list: sets is_hidden. */
void qn_backup_sight_look(struct backup_view *view, const struct qn_entry *entry);
/* Whether the caller could come to all these paths. QN_ERR_DENIED: not; QN_ERR_NOTFOUND: one is not
 * there. */
enum qn_err QN_CHECKED qn_backup_sight_reach(const struct backup_view *view,
                                             const struct qn_snapshot *snapshot,
                                             const struct qn_span *paths, size_t count);
/* backup_view_restore.c */
void qn_backup_view_restore(struct backup_view *view);
