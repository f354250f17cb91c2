#include "restore_flush.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "os/os.h"

void ctl_flusher_init(struct ctl_flusher *flusher)
{
    *flusher = (struct ctl_flusher){0};
    pthread_mutex_init(&flusher->mutex, NULL);
    pthread_cond_init(&flusher->has_changed, NULL);
}

/* Some kernels have no such call: the syncfs at the end has to do. */
static int wait_for(const struct ctl_flush_piece *piece)
{
    int result =
        sync_file_range(piece->fd, piece->offset, piece->size, SYNC_FILE_RANGE_WAIT_BEFORE);
    return result == 0 || errno == ENOSYS || errno == EINVAL ? 0 : errno;
}

/* 0 or errno. A size of 0 would mean all to the end. */
static int flush_piece(const struct ctl_flush_piece *piece)
{
    int error = piece->size > 0 ? wait_for(piece) : 0;
    if (piece->size > 0)
        posix_fadvise(piece->fd, piece->offset, piece->size, POSIX_FADV_DONTNEED);
    if (close(piece->fd) != 0 && errno != EINTR && error == 0)
        error = errno;
    return error;
}

/* All are begun before the first is waited for: the disk has them at once. */
static int flush(struct ctl_flush_batch *batch)
{
    int error = 0;
    for (unsigned i = 0; i < batch->count; i++) {
        const struct ctl_flush_piece *piece = &batch->pieces[i];
        if (piece->size > 0)
            (void)!sync_file_range(piece->fd, piece->offset, piece->size, SYNC_FILE_RANGE_WRITE);
    }
    for (unsigned i = 0; i < batch->count; i++) {
        int failed = flush_piece(&batch->pieces[i]);
        error = error != 0 ? error : failed;
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
static int hand_over(struct ctl_flusher *flusher)
{
    pthread_mutex_lock(&flusher->mutex);
    while (flusher->is_flushing)
        pthread_cond_wait(&flusher->has_changed, &flusher->mutex);
    flusher->filling = 1 - flusher->filling;
    flusher->is_flushing = true;
    int error = flusher->error;
    pthread_cond_signal(&flusher->has_changed);
    pthread_mutex_unlock(&flusher->mutex);
    return error;
}

int ctl_flusher_take(struct ctl_flusher *flusher, int take_fd, uint64_t offset, uint64_t size)
{
    struct ctl_flush_batch *batch = &flusher->batches[flusher->filling];
    batch->pieces[batch->count++] = (struct ctl_flush_piece){take_fd, (off_t)offset, (off_t)size};
    batch->size += size;
    if (batch->size < CTL_FLUSH_SIZE_MAX && batch->count < CTL_FLUSH_COUNT_MAX)
        return 0;
    if (!flusher->has_thread)
        flusher->has_thread = qn_os_start_thread(&flusher->thread, work, flusher) == 0;
    if (flusher->has_thread)
        return hand_over(flusher);
    note(flusher, flush(batch));
    return flusher->error;
}

int ctl_flusher_take_piece(struct ctl_flusher *flusher, int fd, uint64_t offset, uint64_t size)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) /* then the syncfs at the end has to do */
        return 0;
    return ctl_flusher_take(flusher, copy, offset, size);
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
