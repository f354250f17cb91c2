/* Where a path leads: an open directory and a name in it. Every look goes through openat2 with
 * RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV, and the last
 * name is never followed. Inside files. Thread: any.
 */
#pragma once

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include "files/root.h"

struct place {
    int parent;              /* open for reading and fsync */
    char name[NAME_MAX + 1]; /* as it is on the disk; "." for the folder itself */
    bool is_root;
};

/* `path` in normal form C, checked (names.h). A name that is on the disk in another form is found.
 * QN_ERR_NOTFOUND: the parent is not there. The caller closes with place_close, also after an
 * error if it set `parent` to -1 before. */
enum qn_err QN_CHECKED place_find(int root, struct qn_span path, struct place *place);
void place_close(struct place *place);
#define AUTO_PLACE __attribute__((cleanup(place_close)))

/* openat2 with the rules above. -1 and errno. */
int beneath_open(int dir, const char *path, int flags);
/* The same if the kernel has all names in memory; else -1. */
int beneath_open_cached(int dir, const char *path, int flags);
/* What is there. QN_ERR_DENIED: a link, a special file, a mount. */
enum qn_err QN_CHECKED place_look(const struct place *place, struct statx *ret_status);
enum qn_err QN_CHECKED name_look(int dir, const char *name, struct statx *ret_status);
#define OPEN_FLAGS (O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY) /* of a file that is read */
/* Opens a regular file for reading. QN_ERR_EXISTS: it is a directory. */
enum qn_err QN_CHECKED name_open_file(int dir, const char *name, int *ret_fd,
                                      struct statx *ret_status);
enum qn_err QN_CHECKED fd_look(int fd, struct statx *ret_status);

static inline bool is_directory(const struct statx *status)
{
    return S_ISDIR(status->stx_mode);
}
