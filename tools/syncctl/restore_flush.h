/* Writes back while a restore goes on, so that the disk is not idle until the end and then waited
 * for: each CTL_FLUSH_SIZE bytes a thread calls syncfs. It promises nothing: what is durable is
 * said by the syncfs at the end of a restore, and by ctl_flusher_stop about those before it (each
 * error of a disk is told once per open file, so a lost one here would be lost for good).
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define CTL_FLUSH_SIZE ((uint64_t)64 * 1024 * 1024) /* bytes */

struct ctl_flusher {
    int fd;             /* of the file system; the caller's */
    uint64_t unflushed; /* bytes; of the caller's thread */
    bool has_thread;    /* not before there is something to do */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t is_wanted;
    bool wants, is_ending; /* under the mutex, as what follows */
    int error;             /* the first one */
};

void ctl_flusher_init(struct ctl_flusher *flusher, int fd);
/* So many bytes were written. Never waits. */
void ctl_flusher_wrote(struct ctl_flusher *flusher, uint64_t bytes);
/* Waits for what is wanted. 0, or the errno of the first one that failed. */
int ctl_flusher_stop(struct ctl_flusher *flusher);
