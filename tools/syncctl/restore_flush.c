#include "restore_flush.h"

#include <errno.h>
#include <unistd.h>

#include "os/os.h"

void ctl_flusher_init(struct ctl_flusher *flusher, int fd)
{
    *flusher = (struct ctl_flusher){.fd = fd};
    pthread_mutex_init(&flusher->mutex, NULL);
    pthread_cond_init(&flusher->is_wanted, NULL);
}

/* The mutex is held, but while it flushes. */
static void flush(struct ctl_flusher *flusher)
{
    flusher->wants = false;
    pthread_mutex_unlock(&flusher->mutex);
    int error = syncfs(flusher->fd) == 0 ? 0 : errno;
    pthread_mutex_lock(&flusher->mutex);
    if (flusher->error == 0)
        flusher->error = error;
}

static void *work(void *context)
{
    struct ctl_flusher *flusher = context;
    pthread_mutex_lock(&flusher->mutex);
    while (flusher->wants || !flusher->is_ending) {
        if (flusher->wants)
            flush(flusher);
        else
            pthread_cond_wait(&flusher->is_wanted, &flusher->mutex);
    }
    pthread_mutex_unlock(&flusher->mutex);
    return NULL;
}

void ctl_flusher_wrote(struct ctl_flusher *flusher, uint64_t bytes)
{
    flusher->unflushed += bytes;
    if (flusher->unflushed < CTL_FLUSH_SIZE)
        return;
    flusher->unflushed = 0;
    if (!flusher->has_thread) /* without one there is only the end to wait for */
        flusher->has_thread = qn_os_start_thread(&flusher->thread, work, flusher) == 0;
    pthread_mutex_lock(&flusher->mutex);
    flusher->wants = true;
    pthread_cond_signal(&flusher->is_wanted);
    pthread_mutex_unlock(&flusher->mutex);
}

int ctl_flusher_stop(struct ctl_flusher *flusher)
{
    pthread_mutex_lock(&flusher->mutex);
    flusher->is_ending = true;
    pthread_cond_signal(&flusher->is_wanted);
    pthread_mutex_unlock(&flusher->mutex);
    if (flusher->has_thread)
        pthread_join(flusher->thread, NULL);
    flusher->has_thread = false;
    return flusher->error;
}
