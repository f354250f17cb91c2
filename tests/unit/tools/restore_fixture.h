/* A restore into a folder of its own, entry by entry; what it told and what is there. With
 * Criterion. */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "support/tmp_dir.h"
#include "syncctl/restore_out.h"

struct fixture {
    struct tmp_dir dir;
    char target[TMP_PATH_SIZE]; /* DIR/to */
    struct ctl_restore_options options;
    struct ctl_restore *restore;
    struct ctl_restore_counts counts; /* of the last run that was finished */
    char issues[8192];                /* "EXISTS a/b\n" ... */
    bool wants_bytes;                 /* the last entry */
};

static inline void on_issue(void *context, enum ctl_restore_issue issue, struct qn_span path,
                            int error)
{
    static const char *const names[] = {"TARGET",   "BUSY",       "NO_ROOM",    "DISK",
                                        "BAD_PATH", "EXISTS",     "FOLDER",     "NOT_MADE",
                                        "NO_FIRST", "NEEDS_ROOT", "NO_CONTENT", "ATTRIBUTES"};
    struct fixture *f = context;
    size_t at = strlen(f->issues);
    (void)error;
    snprintf(f->issues + at, sizeof(f->issues) - at, "%s %.*s\n", names[issue], (int)path.size,
             (const char *)path.data);
    cr_assert(strlen(ctl_restore_issue_text(issue)) > 10);
    cr_assert(strlen(ctl_restore_issue_remedy(issue)) > 10);
}

static inline void begin(struct fixture *f)
{
    f->options.target = f->target;
    f->options.on_issue = on_issue;
    f->options.context = f;
    f->issues[0] = '\0';
    cr_assert(ctl_restore_new(&f->options, &f->restore) == QN_OK, "%s", f->issues);
}

static inline void stop(struct fixture *f)
{
    ctl_restore_free(f->restore);
    f->restore = NULL;
}

static inline void finish(struct fixture *f)
{
    cr_assert(ctl_restore_finish(f->restore) == QN_OK);
    f->counts = *ctl_restore_counts(f->restore);
    stop(f);
}

static inline void fixture_init(struct fixture *f)
{
    *f = (struct fixture){0};
    tmp_dir_init(&f->dir);
    tmp_dir_at(&f->dir, "to", f->target);
}

static inline void fixture_deinit(struct fixture *f)
{
    ctl_restore_free(f->restore);
    tmp_dir_deinit(&f->dir);
}
#define FIXTURE                                                                                    \
    __attribute__((cleanup(fixture_deinit))) struct fixture f;                                     \
    fixture_init(&f)

static inline struct qn_entry entry_of(enum qn_entry_type type, const char *path)
{
    return (struct qn_entry){.path = qn_span_str(path),
                             .type = type,
                             .mode = type == QN_ENTRY_DIR ? 0750 : 0640,
                             .uid = geteuid(),
                             .gid = getegid(),
                             .mtime_s = 1000000000,
                             .mtime_ns = 123456789};
}

static inline void put_entry(struct fixture *f, const struct qn_entry *entry)
{
    cr_assert(ctl_restore_entry(f->restore, entry, &f->wants_bytes) == QN_OK, "%s", f->issues);
}

static inline void put_folder(struct fixture *f, const char *path)
{
    struct qn_entry entry = entry_of(QN_ENTRY_DIR, path);
    put_entry(f, &entry);
}

static inline void put_text(struct fixture *f, struct qn_entry *entry, const char *text)
{
    entry->size = strlen(text);
    put_entry(f, entry);
    cr_assert(ctl_restore_bytes(f->restore, (const uint8_t *)text, strlen(text)) == QN_OK);
    cr_assert(ctl_restore_entry_end(f->restore, QN_OK) == QN_OK);
}

static inline void put_file(struct fixture *f, const char *path, const char *text)
{
    struct qn_entry entry = entry_of(QN_ENTRY_FILE, path);
    put_text(f, &entry, text);
}

static inline void put_link(struct fixture *f, enum qn_entry_type type, const char *path,
                            const char *target)
{
    struct qn_entry entry = entry_of(type, path);
    entry.target = qn_span_str(target);
    put_entry(f, &entry);
}

static const char *at(const struct fixture *f, const char *name)
{
    static char path[2 * TMP_PATH_SIZE];
    snprintf(path, sizeof(path), "%s/%s", f->target, name);
    return path;
}

static inline struct stat status_of(const struct fixture *f, const char *name)
{
    struct stat status;
    cr_assert(lstat(at(f, name), &status) == 0, "%s is not there", name);
    return status;
}

static inline void expect_times(const struct stat *status)
{
    cr_assert_eq(status->st_mtim.tv_sec, 1000000000);
    cr_assert_eq(status->st_mtim.tv_nsec, 123456789);
}

static inline void expect_text(const struct fixture *f, const char *name, const char *wanted)
{
    char text[256] = "";
    int fd = open(at(f, name), O_RDONLY | O_NOFOLLOW);
    cr_assert(fd >= 0, "%s: %s", name, strerror(errno));
    cr_assert(read(fd, text, sizeof(text) - 1) >= 0);
    cr_assert_str_eq(text, wanted);
    close(fd);
}

static inline bool is_there(const struct fixture *f, const char *name)
{
    struct stat status;
    return lstat(at(f, name), &status) == 0;
}

static inline void make_text(const struct fixture *f, const char *name, const char *text)
{
    int fd = open(at(f, name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert(fd >= 0);
    cr_assert(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static inline size_t count_names(const struct fixture *f, const char *name)
{
    size_t count = 0;
    DIR *stream = opendir(at(f, name));
    cr_assert_not_null(stream);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        count += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    closedir(stream);
    return count;
}
