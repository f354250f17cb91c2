/* Where a restore writes: the target folder and, open below it, the folders on the present path.
 *
 * Every path is opened from the target with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS), so
 * nothing that lies there, or is put there meanwhile, leads out of it; within a folder only single
 * names are used. A folder gets its owner, mode, attributes and times when the last of what is in
 * it was written. Until then it is 01700 and its maker's: that is how a later run knows that it was
 * not finished, and finishes it.
 */
#pragma once

#include "base/vec.h"
#include "restore_flush.h"
#include "restore_meta.h"

#define CTL_PLACE_FDS_MAX     128 /* deeper folders are closed and opened again */
#define CTL_PLACE_DEVICES_MAX 16

struct ctl_place {
    int fd;           /* -1: closed to save descriptors */
    size_t path_size; /* of its path below the target */
    uint64_t device, inode;
    bool is_new;      /* made by this run: nothing is in it that we did not put there */
    bool is_finished; /* nothing is to be done when it is left */
    bool has_acl;     /* gives an ACL to what is made in it */
    struct ctl_meta meta;
};

struct ctl_places {
    QN_VEC(struct ctl_place) stack; /* first the target */
    struct qn_buf path;             /* of the deepest */
    struct {
        uint64_t device;
        int fd;
    } devices[CTL_PLACE_DEVICES_MAX]; /* file systems written to */
    size_t device_count;
    bool has_more_devices;
    struct ctl_flusher flusher;
    bool redoes; /* folders that are there get their attributes anew */
    /* A folder was left: what could not be put on it, or why not. */
    void (*on_left)(void *context, struct qn_span path, int error,
                    const struct ctl_meta_loss *loss);
    void *context;
};

/* `target` is followed if it is a link, and made (0700) if it is not there. *ret_is_empty: nothing
 * is in it. 0 or errno; EWOULDBLOCK: another restore writes there. */
int ctl_places_init(struct ctl_places *places, const char *target, bool *ret_is_empty);
void ctl_places_deinit(struct ctl_places *places); /* leaves folders unfinished */
/* Leaves the folders that `path` is not below. */
void ctl_places_leave(struct ctl_places *places, struct qn_span path);
int ctl_places_target(const struct ctl_places *places); /* -1: it could not be opened */
/* The deepest folder, open; its descriptor in *ret_fd. */
struct ctl_place *ctl_places_deepest(struct ctl_places *places);
int ctl_places_fd(struct ctl_places *places, int *ret_fd);
/* Goes into a folder that is one name deeper, made if it is not there. `meta` is taken, also on an
 * error; NULL: of a folder that no entry is about, which gets an ordinary mode. `overwrites`: puts
 * `meta` on a folder that was there, and replaces a link or file of that name. 0 or errno; EEXIST:
 * something else is there. */
int ctl_places_enter(struct ctl_places *places, const char *name, struct ctl_meta *meta,
                     bool overwrites);
/* An open folder (O_PATH) by its path below the target. -1 and errno. */
int ctl_places_open(struct ctl_places *places, struct qn_span path);
/* Everything that was written is durable when it returns 0. */
int ctl_places_sync(struct ctl_places *places);
