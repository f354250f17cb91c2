/* The directory that a folder is: opened anew for each job, and only while it is the one that it
 * was. Inside files. Thread: any, root_init and root_deinit by the owner alone.
 */
#pragma once

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files/local.h"

struct root {
    char *path;
    bool has_mark;
    uint8_t mark[QN_FOLDER_MARK_SIZE];
    pthread_mutex_t lock; /* of what follows */
    bool is_known;
    bool is_quick; /* opening and reading what is in memory never waits there */
    dev_t device;
    ino_t inode;
};

void root_init(struct root *root, const char *path, const uint8_t *mark);
void root_deinit(struct root *root);
/* The caller closes it. QN_ERR_CLOSED: not there, or not the one. */
enum qn_err QN_CHECKED root_open(struct root *root, int *ret_fd);

/* The same without waiting for a disk; -1: not so, whatever the reason. The caller closes it. */
int root_open_cached(struct root *root);

/* errno as it is meant inside a folder; else as qn_os_err. */
enum qn_err files_err(int code);

static inline void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define AUTO_FD __attribute__((cleanup(close_fd)))
