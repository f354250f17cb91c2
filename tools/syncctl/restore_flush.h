/* Writes back what was restored while a restore goes on, so that the disk is not idle until the end
 * and then waited for, and lets go of it in the page cache: a restore does not push what a server
 * works with out of its memory, and does not need more of it than CTL_FLUSH_SIZE_MAX twice. Closes
 * the files too, since some file systems tell only there that there is no room.
 *
 * It promises nothing: what is durable is said by the syncfs at the end of a restore, and by
 * ctl_flusher_stop about what was written before (each error of a disk is told once per open file,
 * so a lost one here would be lost for good).
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CTL_FLUSH_SIZE_MAX   ((uint64_t)32 * 1024 * 1024) /* bytes of a batch: not much more */
#define CTL_FLUSH_COUNT_MAX  128                          /* its open files */
#define CTL_FLUSH_PIECE_SIZE ((uint64_t)8 * 1024 * 1024)  /* of a file that is not whole yet */

struct ctl_flush_piece {
    int fd; /* ours */
    off_t offset, size;
};
struct ctl_flush_batch {
    struct ctl_flush_piece pieces[CTL_FLUSH_COUNT_MAX];
    unsigned count;
    uint64_t size;
};

struct ctl_flusher {
    struct ctl_flush_batch batches[2]; /* one is filled while the other one is flushed */
    unsigned filling;                  /* of the caller's thread */
    bool has_thread;                   /* not before there is something to do */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t has_changed;
    bool is_flushing, is_ending; /* under the mutex, as what follows */
    int error;                   /* the first one */
};

void ctl_flusher_init(struct ctl_flusher *flusher);
/* So much was written to a file: its end, whose descriptor is taken and closed later, or a piece of
 * it. Both wait if the disk is a batch behind. 0, or the errno of the first that failed so far: of
 * any file that was taken. */
int ctl_flusher_take(struct ctl_flusher *flusher, int take_fd, uint64_t offset, uint64_t size);
int ctl_flusher_take_piece(struct ctl_flusher *flusher, int fd, uint64_t offset, uint64_t size);
/* Ends with what was taken. 0, or the errno of the first that failed; once it was called, nothing
 * is taken any more. */
int ctl_flusher_stop(struct ctl_flusher *flusher);
