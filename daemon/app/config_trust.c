/* Whoever may change the configuration decides what is read and run: that must be root, or who runs
 * this. */
#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/config.h"

#define PATH_SIZE_MAX 4096

struct trust {
    char *out;
    size_t room;
};

static bool refuse(struct trust *trust, const char *path)
{
    snprintf(trust->out, trust->room, "%s", path);
    return false;
}

static bool is_trusted(struct trust *trust, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return errno == ENOENT || refuse(trust, path);
    bool is_owned = status.st_uid == 0 || status.st_uid == geteuid();
    bool is_closed = (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
    return (is_owned && is_closed) || refuse(trust, path);
}

static bool are_dropins_trusted(struct trust *trust, const char *folder)
{
    DIR *stream = opendir(folder);
    bool is_good = is_trusted(trust, folder);
    for (struct dirent *entry; stream != NULL && is_good && (entry = readdir(stream)) != NULL;) {
        char path[PATH_SIZE_MAX];
        if (entry->d_name[0] == '.')
            continue;
        int size = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        is_good = size > 0 && (size_t)size < sizeof(path) ? is_trusted(trust, path)
                                                          : refuse(trust, folder);
    }
    if (stream != NULL)
        closedir(stream);
    return is_good;
}

static bool is_folder_trusted(struct trust *trust, const char *path)
{
    char copy[PATH_SIZE_MAX];
    snprintf(copy, sizeof(copy), "%s", path);
    return is_trusted(trust, dirname(copy));
}

/* The file may be a link: then both folders count. */
void qn_config_distrust(const char *path, char *out, size_t room)
{
    struct trust trust = {.out = out, .room = room};
    char dropins[PATH_SIZE_MAX], real[PATH_SIZE_MAX];
    out[0] = '\0';
    if (strlen(path) + 3 > sizeof(dropins)) {
        (void)refuse(&trust, path);
        return;
    }
    snprintf(dropins, sizeof(dropins), "%s.d", path);
    if (realpath(path, real) == NULL)
        snprintf(real, sizeof(real), "%s", path);
    (void)(is_folder_trusted(&trust, path) && is_folder_trusted(&trust, real) &&
           is_trusted(&trust, real) && are_dropins_trusted(&trust, dropins));
}
