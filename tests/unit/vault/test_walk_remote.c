/* Walks through the reading unit: the same entries as from the disk, and no more than is allowed.
 */
#include <sys/xattr.h>

#include "base/mem.h"
#include "proto/pack.h"
#include "unit.h"

static void make_tree(const struct tmp_dir *dir)
{
    char path[TMP_PATH_SIZE], target[1001];
    tree_dir(dir, "a");
    tree_dir(dir, "a/deep");
    tree_file(dir, "a/deep/file", "content");
    tree_file(dir, "a-b", "x");
    tree_file(dir, "\xff", "x");
    tree_hard_link(dir, "a-b", "b");
    cr_assert(mkfifo(tmp_dir_at(dir, "fifo", path), 0600) == 0);
    tree_dir(dir, "cache");
    tree_file(dir, "cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55");
    tree_file(dir, "cache/x", "");
    tree_dir(dir, "links"); /* several messages for one batch */
    memset(target, 't', 1000);
    target[1000] = '\0';
    for (int i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof(name), "links/%d", i);
        tree_link(dir, target, name);
    }
}

/* A digest of all that a walk gives: every field of every entry, and all reports. */
static void digest(const struct tmp_dir *dir, const char *socket, struct qn_buf *out)
{
    const char *paths[] = {dir->path};
    struct tree_listing listing = {.dir = dir};
    struct qn_walk_options options = {.paths = paths,
                                      .path_count = 1,
                                      .reader_socket = socket,
                                      .on_error = tree_on_error,
                                      .context = &listing};
    struct qn_walk *walk;
    struct qn_entry e;
    enum qn_err err;
    cr_assert(qn_walk_new(&options, &walk) == QN_OK);
    while ((err = qn_walk_next(walk, &e)) == QN_OK) {
        if (!qn_path_is_below(e.path, qn_span_str(dir->path + 1)))
            continue; /* others work in there */
        cr_assert(qn_walk_xattrs(walk, &e) == QN_OK);
        qn_buf_append_span(out, e.path);
        qn_buf_append_span(out, e.target);
        qn_buf_append_span(out, e.user);
        qn_buf_append_span(out, e.group);
        qn_buf_append_span(out, e.xattrs);
        qn_buf_printf(out, " %d %o %u %u %ld %u %ld %u %lu %lu %lu\n", e.type, e.mode, e.uid, e.gid,
                      e.mtime_s, e.mtime_ns, e.ctime_s, e.ctime_ns, e.inode, e.device, e.size);
    }
    cr_assert(err == QN_ERR_NOTFOUND);
    qn_buf_append_str(out, listing.text);
    qn_walk_free(walk);
}

Test(walk_remote, gives_what_the_disk_gives)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    AUTO_UNIT struct unit unit;
    QN_AUTO_BUF struct qn_buf here, there;
    char path[TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    make_tree(&dir);
    setxattr(tmp_dir_at(&dir, "a-b", path), "user.x", "y", 1, 0); /* if that is possible here */
    unit_start(&unit, dir.path);
    qn_buf_init(&here, 4 << 20);
    qn_buf_init(&there, 4 << 20);
    digest(&dir, NULL, &here);
    digest(&dir, unit.path, &there);
    cr_assert(qn_buf_status(&here) == QN_OK && here.size > 300 * 1000);
    cr_assert(qn_span_eq(qn_buf_view(&here), qn_buf_view(&there)));
}

static struct qn_walk *begin(const char *top, const struct unit *unit, struct tree_listing *listing)
{
    struct qn_walk *walk;
    const char *paths[] = {top};
    struct qn_walk_options options = {.paths = paths,
                                      .path_count = 1,
                                      .reader_socket = unit->path,
                                      .on_error = tree_on_error,
                                      .context = listing};
    cr_assert(qn_walk_new(&options, &walk) == QN_OK);
    return walk;
}

static void seek_file(struct qn_walk *walk, struct qn_entry *ret_entry)
{
    do {
        cr_assert(qn_walk_next(walk, ret_entry) == QN_OK);
    } while (ret_entry->type != QN_ENTRY_FILE);
}

Test(walk_remote, files_are_opened_and_looked_at_again)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    AUTO_UNIT struct unit unit;
    struct tree_listing listing = {.dir = &dir};
    struct qn_entry entry;
    char text[16] = "", path[TMP_PATH_SIZE];
    int fd;
    tmp_dir_init(&dir);
    tree_dir(&dir, "d");
    tree_file(&dir, "d/file", "content");
    unit_start(&unit, dir.path);
    struct qn_walk *walk = begin(dir.path, &unit, &listing);
    seek_file(walk, &entry);
    cr_assert(qn_walk_open(walk, &fd) == QN_OK);
    cr_assert_eq(read(fd, text, sizeof(text)), 7);
    cr_assert_str_eq(text, "content");
    cr_assert_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    cr_assert(truncate(tmp_dir_at(&dir, "d/file", path), 3) == 0);
    cr_assert(qn_walk_restat(walk, &entry) == QN_OK);
    cr_assert_eq(entry.size, 3);
    cr_assert(unlink(path) == 0);
    cr_assert(qn_walk_open(walk, &fd) == QN_ERR_NOTFOUND);
    cr_assert_eq(errno, ENOENT);
    cr_assert(mkfifo(path, 0600) == 0);
    cr_assert(qn_walk_open(walk, &fd) == QN_ERR_NOTFOUND);
    cr_assert_eq(errno, ESTALE);
    cr_assert(qn_walk_next(walk, &entry) == QN_ERR_NOTFOUND);
    qn_walk_free(walk);
}

/* What a walk of `top` gives if only `allowed` may be read. */
static const char *list_allowed(struct tree_listing *listing, const struct tmp_dir *dir,
                                const char *top, const char *allowed)
{
    AUTO_UNIT struct unit unit;
    struct qn_entry entry;
    char path[TMP_PATH_SIZE], folder[TMP_PATH_SIZE];
    unit_start(&unit, allowed == NULL ? NULL : tmp_dir_at(dir, allowed, folder));
    *listing = (struct tree_listing){.dir = dir};
    struct qn_walk *walk = begin(tmp_dir_at(dir, top, path), &unit, listing);
    while (qn_walk_next(walk, &entry) == QN_OK)
        tree_on_entry(listing, &entry);
    qn_walk_free(walk);
    return listing->text;
}

Test(walk_remote, only_what_is_allowed_is_given)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct tree_listing listing;
    tmp_dir_init(&dir);
    tree_dir(&dir, "a");
    tree_dir(&dir, "a/b");
    tree_file(&dir, "a/b/x", "");
    tree_file(&dir, "a/y", "");
    tree_dir(&dir, "ab");
    cr_assert_str_eq(list_allowed(&listing, &dir, "a", "a"), "d a\nd a/b\nf a/b/x\nf a/y\n");
    cr_assert_str_eq(list_allowed(&listing, &dir, "a/b", "a"), "d a\nd a/b\nf a/b/x\n");
    cr_assert_str_eq(list_allowed(&listing, &dir, "a/b", "a/b"), "d a\nd a/b\nf a/b/x\n");
    /* The folder above is told, and not what else is in it. */
    cr_assert_str_eq(list_allowed(&listing, &dir, "a", "a/b"), "d a\n! a EPERM\n");
    cr_assert_str_eq(list_allowed(&listing, &dir, "ab", "a"), "! ab EPERM\n");
    cr_assert_str_eq(list_allowed(&listing, &dir, "a/y", "a/b"), "d a\n! a/y EPERM\n");
    cr_assert_eq(listing.parents > 0, true);
    list_allowed(&listing, &dir, "a", NULL);
    cr_assert_not_null(strstr(listing.text, "EPERM"));
    cr_assert_null(strstr(listing.text, "d "));
}

Test(walk_remote, an_allowed_path_does_not_lead_through_links)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct tree_listing listing;
    tmp_dir_init(&dir);
    tree_dir(&dir, "a");
    tree_dir(&dir, "secret");
    tree_file(&dir, "secret/x", "");
    tree_link(&dir, "../secret", "a/out");
    cr_assert_str_eq(list_allowed(&listing, &dir, "a", "a"), "d a\nl a/out -> ../secret\n");
    cr_assert_str_eq(list_allowed(&listing, &dir, "a/out", "a"),
                     "d a\n! a/out ELOOP\nl a/out -> ../secret\n");
    cr_assert_str_eq(list_allowed(&listing, &dir, "a/out/x", "a"), "d a\n! a/out ELOOP\n");
}

Test(walk_remote, a_unit_that_is_not_there)
{
    const char *paths[] = {"/"};
    struct qn_walk *walk;
    struct qn_walk_options options = {
        .paths = paths, .path_count = 1, .reader_socket = "/nowhere/reader.sock"};
    cr_assert(qn_walk_new(&options, &walk) == QN_ERR_NOTFOUND);
}

Test(walk_remote, a_unit_that_goes_away)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    AUTO_UNIT struct unit unit;
    struct tree_listing listing = {.dir = &dir};
    struct qn_entry entry;
    int fd;
    tmp_dir_init(&dir);
    tree_file(&dir, "x", "");
    unit_start(&unit, dir.path);
    struct qn_walk *walk = begin(dir.path, &unit, &listing);
    seek_file(walk, &entry);
    kill(unit.pid, SIGKILL);
    cr_assert(qn_walk_open(walk, &fd) == QN_ERR_CLOSED);
    cr_assert(qn_walk_next(walk, &entry) == QN_ERR_CLOSED);
    cr_assert_str_eq(listing.text, ""); /* it is no fault of an object */
    qn_walk_free(walk);
}

/* Answers the greeting, then anything else with these bytes, and a descriptor each time. */
static void serve_bytes(int client, const void *context)
{
    const struct qn_span *bytes = context;
    uint8_t request[QN_READER_REQUEST_SIZE_MAX];
    size_t size;
    for (bool is_greeted = false;
         qn_reader_receive(client, request, sizeof(request), &size, NULL) == 0; is_greeted = true) {
        QN_AUTO_BUF struct qn_buf answer;
        qn_buf_init(&answer, 1024);
        qn_reader_version_pack(&answer);
        if (qn_reader_send(client, is_greeted ? *bytes : qn_buf_view(&answer), client) != 0)
            return;
    }
}

Test(walk_remote, an_answer_that_is_none_ends_the_walk)
{
    static const char *const answers[] = {"\xc0",
                                          "\x90",
                                          "\x91\x00",
                                          "\x95\x00\xc3\xc3\xc3\xdc\xff\xff",
                                          "\x95\x00\xc2\xc2\xc2\x90",
                                          "\x92\xcd\xff\xff\x01"};
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        static const size_t sizes[] = {1, 1, 2, 8, 6, 5};
        struct qn_span bytes = qn_span(answers[i], sizes[i]);
        AUTO_UNIT struct unit unit;
        struct tree_listing listing = {0};
        struct qn_entry entry;
        unit_start_with(&unit, serve_bytes, &bytes);
        struct qn_walk *walk = begin("/srv", &unit, &listing);
        cr_assert(qn_walk_next(walk, &entry) == QN_ERR_CLOSED, "%zu", i);
        qn_walk_free(walk);
    }
}

static void serve_other_version(int client, const void *context)
{
    uint8_t request[QN_READER_REQUEST_SIZE_MAX];
    size_t size;
    (void)context;
    if (qn_reader_receive(client, request, sizeof(request), &size, NULL) == 0)
        (void)!qn_reader_send(client, qn_span("\x92\x00\x02", 3), -1);
}

Test(walk_remote, another_version_is_refused)
{
    AUTO_UNIT struct unit unit;
    const char *paths[] = {"/srv"};
    struct qn_walk *walk;
    unit_start_with(&unit, serve_other_version, NULL);
    struct qn_walk_options options = {.paths = paths, .path_count = 1, .reader_socket = unit.path};
    cr_assert(qn_walk_new(&options, &walk) == QN_ERR_UNSUPPORTED);
}

Test(walk_remote, exclusions_hold_here_too)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    AUTO_UNIT struct unit unit;
    struct tree_listing listing;
    struct qn_exclude *exclude = qn_exclude_new();
    tmp_dir_init(&dir);
    tree_dir(&dir, "a");
    tree_file(&dir, "a/x.tmp", "");
    tree_dir(&dir, "b");
    tree_file(&dir, "b/y", "");
    unit_start(&unit, dir.path);
    cr_assert(qn_exclude_add(exclude, qn_span_str("*.tmp")) == QN_OK);
    cr_assert(qn_exclude_add(exclude, qn_span_str("/b/")) == QN_OK);
    struct qn_walk_options options = {.exclude = exclude, .reader_socket = unit.path};
    cr_assert_str_eq(tree_list(&listing, &dir, options), "d a\n");
    qn_exclude_free(exclude);
}
