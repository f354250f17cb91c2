/* A folder of its own for a test, under $TMPDIR, removed with all that is in it. */
#pragma once

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TMP_PATH_SIZE 1024

struct tmp_dir {
    char path[256];
};

static inline void tmp_dir_init(struct tmp_dir *dir)
{
    const char *base = getenv("TMPDIR");
    snprintf(dir->path, sizeof(dir->path), "%s/quoin-test-XXXXXX", base ? base : "/tmp");
    cr_assert_not_null(mkdtemp(dir->path), "%s", dir->path);
}

static inline int tmp_dir_remove_one(const char *path, const struct stat *status, int type,
                                     struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

static inline void tmp_dir_deinit(struct tmp_dir *dir)
{
    nftw(dir->path, tmp_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The path of a name in it, in `out`. */
static inline const char *tmp_dir_at(const struct tmp_dir *dir, const char *name,
                                     char out[TMP_PATH_SIZE])
{
    int length = snprintf(out, TMP_PATH_SIZE, "%s/%s", dir->path, name);
    cr_assert(length > 0 && length < TMP_PATH_SIZE);
    return out;
}

#define AUTO_TMP_DIR __attribute__((cleanup(tmp_dir_deinit)))
