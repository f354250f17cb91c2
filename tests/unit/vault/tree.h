/* Trees on the disk for tests of walks: made by short calls, listed as text. */
#pragma once

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "support/tmp_dir.h"
#include "vault/walk.h"

static inline void tree_dir(const struct tmp_dir *dir, const char *name)
{
    char path[TMP_PATH_SIZE];
    cr_assert(mkdir(tmp_dir_at(dir, name, path), 0755) == 0, "%s", path);
}

static inline void tree_file(const struct tmp_dir *dir, const char *name, const char *text)
{
    char path[TMP_PATH_SIZE];
    int fd = open(tmp_dir_at(dir, name, path), O_WRONLY | O_CREAT | O_EXCL, 0644);
    cr_assert(fd >= 0, "%s", path);
    cr_assert(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static inline void tree_link(const struct tmp_dir *dir, const char *target, const char *name)
{
    char path[TMP_PATH_SIZE];
    cr_assert(symlink(target, tmp_dir_at(dir, name, path)) == 0, "%s", path);
}

static inline void tree_hard_link(const struct tmp_dir *dir, const char *first, const char *name)
{
    char path[TMP_PATH_SIZE], other[TMP_PATH_SIZE];
    cr_assert(link(tmp_dir_at(dir, first, path), tmp_dir_at(dir, name, other)) == 0, "%s", path);
}

/* What a walk gave, below the folder, a line each: "d a", "f a/b", "l a/c -> target",
 * "h a/d = a/b", "p", "s", "b", "c"; what it reported as "! a/e ERRNO". */
struct tree_listing {
    const struct tmp_dir *dir;
    char text[16384];
    size_t size;
    size_t parents; /* entries above the folder */
};

static inline void tree_line(struct tree_listing *listing, const char *text, struct qn_span path)
{
    size_t skip = strlen(listing->dir->path); /* of an absolute path */
    const char *at = path.size > skip ? (const char *)path.data + skip + 1 : "";
    size_t size = path.size > skip ? path.size - skip - 1 : 0;
    listing->size +=
        (size_t)snprintf(listing->text + listing->size, sizeof(listing->text) - listing->size,
                         "%s%.*s", text, (int)size, at);
    cr_assert(listing->size < sizeof(listing->text));
}

static inline void tree_on_error(void *context, struct qn_span path, int error)
{
    struct tree_listing *listing = context;
    char text[32];
    tree_line(listing, "! ", path);
    snprintf(text, sizeof(text), " %s\n", strerrorname_np(error));
    tree_line(listing, text, qn_span(NULL, 0));
}

/* Entries' paths have no first '/'. */
static inline void tree_entry_line(struct tree_listing *listing, const char *text,
                                   struct qn_span path)
{
    char absolute[QN_PATH_SIZE_MAX + 1] = "/";
    memcpy(absolute + 1, path.data, path.size);
    tree_line(listing, text, qn_span(absolute, path.size + 1));
}

static inline void tree_on_entry(struct tree_listing *listing, const struct qn_entry *entry)
{
    static const char *const kinds[] = {"?", "d ", "f ", "l ", "h ", "p ", "s ", "b ", "c "};
    struct qn_span top = qn_span_str(listing->dir->path + 1);
    if (!qn_path_is_below(entry->path, top)) {
        cr_assert(entry->type == QN_ENTRY_DIR);
        listing->parents++;
        return;
    }
    if (qn_span_eq(entry->path, top))
        return;
    tree_entry_line(listing, kinds[entry->type], entry->path);
    if (entry->type == QN_ENTRY_HARDLINK)
        tree_entry_line(listing, " = ", entry->target);
    if (entry->type == QN_ENTRY_SYMLINK) {
        char target[QN_PATH_SIZE_MAX + 8];
        snprintf(target, sizeof(target), " -> %.*s", (int)entry->target.size,
                 (const char *)entry->target.data);
        tree_line(listing, target, qn_span(NULL, 0));
    }
    tree_line(listing, "\n", qn_span(NULL, 0));
}

static inline void tree_walk(struct tree_listing *listing, const struct qn_walk_options *options)
{
    struct qn_walk *walk;
    struct qn_entry entry;
    struct qn_walk_options own = *options;
    enum qn_err err;
    own.on_error = tree_on_error;
    own.context = listing;
    cr_assert(qn_walk_new(&own, &walk) == QN_OK);
    while ((err = qn_walk_next(walk, &entry)) == QN_OK)
        tree_on_entry(listing, &entry);
    cr_assert(err == QN_ERR_NOTFOUND, "%s", qn_err_name(err));
    qn_walk_free(walk);
}

/* The whole folder, and nothing else. */
static inline const char *tree_list(struct tree_listing *listing, const struct tmp_dir *dir,
                                    struct qn_walk_options options)
{
    const char *paths[] = {dir->path};
    *listing = (struct tree_listing){.dir = dir};
    options.paths = paths;
    options.path_count = 1;
    tree_walk(listing, &options);
    return listing->text;
}
