#include "restore_flush.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "os/os.h"

#define WRITE_AND_WAIT                                                                             \
    (SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER)

void ctl_flusher_init(struct ctl_flusher *flusher)
{
    *flusher = (struct ctl_flusher){0};
    pthread_mutex_init(&flusher->mutex, NULL);
    pthread_cond_init(&flusher->has_changed, NULL);
}

/* All are begun before the first is waited for: the disk has them at once. 0 or errno. */
static int flush(struct ctl_flush_batch *batch)
{
    int error = 0;
    for (unsigned i = 0; i < batch->count; i++)
        (void)!sync_file_range(batch->pieces[i].fd, (off_t)batch->pieces[i].offset,
                               (off_t)batch->pieces[i].size, SYNC_FILE_RANGE_WRITE);
    for (unsigned i = 0; i < batch->count; i++) {
        int fd = batch->pieces[i].fd;
        off_t offset = (off_t)batch->pieces[i].offset, size = (off_t)batch->pieces[i].size;
        if (sync_file_range(fd, offset, size, WRITE_AND_WAIT) != 0 && error == 0)
            error = errno;
        posix_fadvise(fd, offset, size, POSIX_FADV_DONTNEED);
        close(fd);
    }
    batch->count = 0;
    batch->size = 0;
    return error;
}

static void note(struct ctl_flusher *flusher, int error)
{
    if (flusher->error == 0)
        flusher->error = error;
}

static void *work(void *context)
{
    struct ctl_flusher *flusher = context;
    pthread_mutex_lock(&flusher->mutex);
    while (flusher->is_flushing || !flusher->is_ending) {
        if (!flusher->is_flushing) {
            pthread_cond_wait(&flusher->has_changed, &flusher->mutex);
            continue;
        }
        struct ctl_flush_batch *batch = &flusher->batches[1 - flusher->filling];
        pthread_mutex_unlock(&flusher->mutex);
        int error = flush(batch);
        pthread_mutex_lock(&flusher->mutex);
        note(flusher, error);
        flusher->is_flushing = false;
        pthread_cond_signal(&flusher->has_changed);
    }
    pthread_mutex_unlock(&flusher->mutex);
    return NULL;
}

/* The batch goes to the thread, once that is done with the one before. */
static void hand_over(struct ctl_flusher *flusher)
{
    pthread_mutex_lock(&flusher->mutex);
    while (flusher->is_flushing)
        pthread_cond_wait(&flusher->has_changed, &flusher->mutex);
    flusher->filling = 1 - flusher->filling;
    flusher->is_flushing = true;
    pthread_cond_signal(&flusher->has_changed);
    pthread_mutex_unlock(&flusher->mutex);
}

void ctl_flusher_take(struct ctl_flusher *flusher, int fd, uint64_t offset, uint64_t size)
{
    struct ctl_flush_batch *batch = &flusher->batches[flusher->filling];
    int kept = size > 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (kept < 0) /* then there is only the end to wait for */
        return;
    batch->pieces[batch->count].fd = kept;
    batch->pieces[batch->count].offset = offset;
    batch->pieces[batch->count++].size = size;
    batch->size += size;
    if (batch->size < CTL_FLUSH_SIZE_MAX && batch->count < CTL_FLUSH_COUNT_MAX)
        return;
    if (!flusher->has_thread)
        flusher->has_thread = qn_os_start_thread(&flusher->thread, work, flusher) == 0;
    if (flusher->has_thread)
        hand_over(flusher);
    else
        note(flusher, flush(batch));
}

int ctl_flusher_stop(struct ctl_flusher *flusher)
{
    pthread_mutex_lock(&flusher->mutex);
    flusher->is_ending = true;
    pthread_cond_signal(&flusher->has_changed);
    pthread_mutex_unlock(&flusher->mutex);
    if (flusher->has_thread)
        pthread_join(flusher->thread, NULL);
    flusher->has_thread = false;
    note(flusher, flush(&flusher->batches[flusher->filling]));
    return flusher->error;
}
