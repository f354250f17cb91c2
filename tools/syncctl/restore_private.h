/* Shared by restore_out.c, restore_object.c and restore_special.c, and by nobody else. */
#pragma once

#include <sys/stat.h>

#include "restore_mark.h"
#include "restore_out.h"
#include "restore_place.h"

#define CTL_RESTORE_NAME_SIZE_MAX 255

struct ctl_restore_object {
    char name[CTL_RESTORE_NAME_SIZE_MAX + 1];
    const char *fresh; /* its name while it is being made */
    int dir;           /* its folder; belongs to the places */
    bool replaces;     /* what a power cut left of it */
};

struct ctl_restore {
    struct ctl_restore_options options;
    struct ctl_restore_counts counts;
    struct ctl_places places;
    struct ctl_restore_mark mark;
    struct ctl_owners *owners;
    struct qn_buf path;   /* of the entry in hand */
    struct qn_buf failed; /* a folder that nothing can be put into; empty: none */
    bool is_file;         /* an entry waits for its end */
    /* The file that is being written; fd -1: its bytes are not wanted. */
    struct ctl_restore_object object;
    struct ctl_meta meta;
    int fd;
    uint64_t size, offset;
    uint64_t taken; /* by the flusher, up to this offset */
    bool ends_in_hole;
};

enum ctl_restore_standing {
    CTL_RESTORE_FREE,  /* nothing of that name is there, or it may be replaced */
    CTL_RESTORE_SAME,  /* it is there as it should be */
    CTL_RESTORE_TAKEN, /* by something else */
    CTL_RESTORE_IS_FOLDER,
};

/* The entry in hand failed: told and counted. QN_OK, unless nothing else could be written either.
 */
enum qn_err QN_CHECKED ctl_restore_fail(struct ctl_restore *restore, enum ctl_restore_issue issue,
                                        int error);
/* Something else has the name of the entry in hand. */
enum qn_err QN_CHECKED ctl_restore_fail_exists(struct ctl_restore *restore);
void ctl_restore_note_loss(struct ctl_restore *restore, const struct ctl_meta_loss *loss);

/* restore_object.c: the object in hand */
void ctl_restore_set_object(struct ctl_restore_object *object, struct qn_span name, int dir);
enum ctl_restore_standing ctl_restore_look(struct ctl_restore *restore,
                                           const struct qn_entry *entry);
/* What a restore that lost its power left of a file: it may have any content. It has its time (a
 * file system that keeps a name keeps what was said of its file before) and may be shorter. */
bool ctl_restore_is_torn(const struct ctl_restore *restore, const struct qn_entry *entry,
                         const struct stat *status);
/* True if the object is to be made; else that is told or counted. */
bool ctl_restore_is_free(struct ctl_restore *restore, enum ctl_restore_standing standing);
/* Gives what was made the name of the object in hand, and counts it. */
enum qn_err QN_CHECKED ctl_restore_publish(struct ctl_restore *restore, uint64_t *count);
/* The same, with the entry's owner and the rest put on `fd` before. */
enum qn_err QN_CHECKED ctl_restore_complete(struct ctl_restore *restore, int fd, uint64_t *count);

/* restore_special.c: whole entries that are neither folder nor file */
enum qn_err QN_CHECKED ctl_restore_special(struct ctl_restore *restore,
                                           const struct qn_entry *entry, uint64_t *count);
enum qn_err QN_CHECKED ctl_restore_hard_link(struct ctl_restore *restore,
                                             const struct qn_entry *entry);
