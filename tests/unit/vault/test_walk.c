/* The entries of a walk: their order, what they say, and what is left out. */
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "tree.h"

#define NOBODY 65534

Test(walk, a_folder_is_followed_by_what_is_below_it)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct tree_listing listing;
    tmp_dir_init(&dir);
    tree_dir(&dir, "a");
    tree_file(&dir, "a/x", "1");
    tree_dir(&dir, "a/deep");
    tree_file(&dir, "a/deep/y", "2");
    tree_file(&dir, "a-b", "3");
    tree_file(&dir, "a.", "4");
    tree_file(&dir, "a b", "5");
    tree_file(&dir, "\xff\xfe", "6");
    tree_file(&dir, "Z", "7");
    cr_assert_str_eq(tree_list(&listing, &dir, (struct qn_walk_options){0}),
                     "f Z\nd a\nd a/deep\nf a/deep/y\nf a/x\nf a b\nf a-b\nf a.\nf \xff\xfe\n");
}

Test(walk, an_empty_folder)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct tree_listing listing;
    tmp_dir_init(&dir);
    cr_assert_str_eq(tree_list(&listing, &dir, (struct qn_walk_options){0}), "");
    size_t parents = 0;
    for (const char *at = dir.path + 1; *at != '\0'; at++)
        parents += *at == '/';
    cr_assert_eq(listing.parents, parents);
}

Test(walk, the_entries_are_strictly_ascending)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct qn_walk *walk;
    struct qn_entry entry;
    QN_AUTO_BUF struct qn_buf before;
    size_t count = 0;
    tmp_dir_init(&dir);
    qn_buf_init(&before, QN_PATH_SIZE_MAX);
    for (int i = 0; i < 900; i++) { /* more than one batch, with folders in between */
        char name[32];
        snprintf(name, sizeof(name), "%c%d%s", "ab-."[i % 4], i, i % 3 == 0 ? "" : "-x");
        if (i % 10 == 0)
            tree_dir(&dir, name);
        else
            tree_file(&dir, name, "");
        if (i % 20 == 0) {
            strcat(name, "/below");
            tree_file(&dir, name, "");
        }
    }
    const char *paths[] = {dir.path};
    struct qn_walk_options options = {.paths = paths, .path_count = 1};
    cr_assert(qn_walk_new(&options, &walk) == QN_OK);
    for (; qn_walk_next(walk, &entry) == QN_OK; count++) {
        if (count > 0)
            cr_assert(qn_path_cmp(qn_buf_view(&before), entry.path) < 0);
        qn_buf_reset(&before);
        qn_buf_append_span(&before, entry.path);
    }
    qn_walk_free(walk);
    cr_assert_geq(count, 900 + 45);
}

Test(walk, several_top_paths_share_their_parents)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct tree_listing listing = {.dir = &dir};
    char a[TMP_PATH_SIZE], b[TMP_PATH_SIZE], c[TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    tree_dir(&dir, "p");
    tree_dir(&dir, "p/a");
    tree_file(&dir, "p/a/x", "");
    tree_file(&dir, "p/b", "a file");
    tree_file(&dir, "p/not", "");
    tree_dir(&dir, "q");
    tree_dir(&dir, "q/r");
    tree_file(&dir, "q/r/z", "");
    const char *paths[] = {tmp_dir_at(&dir, "p/a", a), tmp_dir_at(&dir, "p/b", b),
                           tmp_dir_at(&dir, "q/r", c)};
    tree_walk(&listing, &(struct qn_walk_options){.paths = paths, .path_count = 3});
    cr_assert_str_eq(listing.text, "d p\nd p/a\nf p/a/x\nf p/b\nd q\nd q/r\nf q/r/z\n");
}

Test(walk, a_lost_top_path_does_not_stop_the_others)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct tree_listing listing = {.dir = &dir};
    char a[TMP_PATH_SIZE], b[TMP_PATH_SIZE], c[TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    tree_file(&dir, "file", "");
    tree_dir(&dir, "q");
    const char *paths[] = {tmp_dir_at(&dir, "file/x/y", a), tmp_dir_at(&dir, "none/x", b),
                           tmp_dir_at(&dir, "q", c)};
    tree_walk(&listing, &(struct qn_walk_options){.paths = paths, .path_count = 3});
    cr_assert_str_eq(listing.text, "! file ENOTDIR\n! none ENOENT\nd q\n");
}

Test(walk, links_are_not_followed)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct tree_listing listing;
    tmp_dir_init(&dir);
    tree_dir(&dir, "real");
    tree_file(&dir, "real/x", "");
    tree_link(&dir, "real", "to-folder");
    tree_link(&dir, "/nowhere/at all", "dangling");
    cr_assert_str_eq(tree_list(&listing, &dir, (struct qn_walk_options){0}),
                     "l dangling -> /nowhere/at all\nd real\nf real/x\nl to-folder -> real\n");
}

Test(walk, a_top_path_that_is_a_link_is_told)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct tree_listing listing = {.dir = &dir};
    char a[TMP_PATH_SIZE], b[TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    tree_dir(&dir, "real");
    tree_file(&dir, "real/x", "");
    tree_link(&dir, "real", "link");
    tree_link(&dir, "real", "other");
    const char *paths[] = {tmp_dir_at(&dir, "link", a), tmp_dir_at(&dir, "other/x", b)};
    tree_walk(&listing, &(struct qn_walk_options){.paths = paths, .path_count = 2});
    cr_assert_str_eq(listing.text, "! link ELOOP\nl link -> real\n! other ELOOP\n");
}

static void make_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    cr_assert(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    close(fd);
}

Test(walk, other_kinds_of_objects)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct tree_listing listing;
    char path[TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    cr_assert(mkfifo(tmp_dir_at(&dir, "fifo", path), 0600) == 0);
    make_socket(tmp_dir_at(&dir, "socket", path));
    bool has_device = mknod(tmp_dir_at(&dir, "device", path), S_IFCHR | 0600, makedev(1, 3)) == 0;
    cr_assert_str_eq(tree_list(&listing, &dir, (struct qn_walk_options){0}),
                     has_device ? "c device\np fifo\ns socket\n" : "p fifo\ns socket\n");
}

Test(walk, further_names_of_a_file_refer_to_the_first)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct tree_listing listing;
    tmp_dir_init(&dir);
    tree_dir(&dir, "a");
    tree_file(&dir, "a/first", "x");
    tree_hard_link(&dir, "a/first", "b");
    tree_hard_link(&dir, "a/first", "c");
    tree_file(&dir, "other", "x");
    tree_hard_link(&dir, "other", "other2");
    tree_link(&dir, "t", "s1");
    tree_hard_link(&dir, "s1", "s2");
    cr_assert_str_eq(tree_list(&listing, &dir, (struct qn_walk_options){0}),
                     "d a\nf a/first\nh b = a/first\nh c = a/first\nf other\nh other2 = other\n"
                     "l s1 -> t\nh s2 = s1\n");
}

/* Finds the entry of that name. */
static void seek(struct qn_walk *walk, const char *name, struct qn_entry *ret_entry)
{
    while (qn_walk_next(walk, ret_entry) == QN_OK) {
        struct qn_span path = ret_entry->path;
        size_t size = strlen(name);
        if (path.size > size && memcmp(path.data + path.size - size, name, size) == 0)
            return;
    }
    cr_assert(false, "%s is not listed", name);
}

static struct qn_walk *begin(const struct tmp_dir *dir)
{
    const char *paths[] = {dir->path};
    struct qn_walk *walk;
    cr_assert(qn_walk_new(&(struct qn_walk_options){.paths = paths, .path_count = 1}, &walk) ==
              QN_OK);
    return walk;
}

Test(walk, an_entry_says_what_the_system_says)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    char path[TMP_PATH_SIZE];
    struct qn_entry entry;
    struct stat status;
    tmp_dir_init(&dir);
    tree_file(&dir, "file", "12345");
    tmp_dir_at(&dir, "file", path);
    cr_assert(chmod(path, 04751) == 0);
    struct timespec times[2] = {{.tv_sec = 5}, {.tv_sec = -86400, .tv_nsec = 123456789}};
    cr_assert(utimensat(AT_FDCWD, path, times, 0) == 0);
    cr_assert(stat(path, &status) == 0);
    struct qn_walk *walk = begin(&dir);
    seek(walk, "/file", &entry);
    cr_assert_eq(entry.type, QN_ENTRY_FILE);
    cr_assert_eq(entry.mode, 04751);
    cr_assert_eq(entry.size, 5);
    cr_assert_eq(entry.mtime_s, -86400);
    cr_assert_eq(entry.mtime_ns, 123456789);
    cr_assert_eq(entry.ctime_s, status.st_ctim.tv_sec);
    cr_assert_eq(entry.inode, status.st_ino);
    cr_assert_eq(entry.device, status.st_dev);
    cr_assert_eq(entry.uid, geteuid());
    cr_assert_eq(entry.gid, status.st_gid);
    if (entry.uid == 0)
        cr_assert(qn_span_eq_str(entry.user, "root") && qn_span_eq_str(entry.group, "root"));
    qn_walk_free(walk);
}

Test(walk, the_content_can_be_opened)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct qn_entry entry;
    char text[8] = "";
    int fd;
    tmp_dir_init(&dir);
    tree_dir(&dir, "d");
    tree_file(&dir, "d/file", "12345");
    struct qn_walk *walk = begin(&dir);
    seek(walk, "/file", &entry);
    cr_assert(qn_walk_open(walk, &fd) == QN_OK);
    cr_assert_eq(read(fd, text, sizeof(text)), 5);
    cr_assert_str_eq(text, "12345");
    cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    qn_walk_free(walk);
}

/* The entry was a file when it was listed; `change` then puts something else in its place. */
static void expect_no_file(void (*change)(const char *path), enum qn_err wanted, int wanted_errno)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct qn_entry entry;
    char path[TMP_PATH_SIZE];
    int fd = -7;
    tmp_dir_init(&dir);
    tree_file(&dir, "file", "12345");
    tree_file(&dir, "secret", "not to be read");
    struct qn_walk *walk = begin(&dir);
    seek(walk, "/file", &entry);
    cr_assert(unlink(tmp_dir_at(&dir, "file", path)) == 0);
    change(path);
    cr_assert(qn_walk_open(walk, &fd) == wanted);
    cr_assert_eq(errno, wanted_errno);
    cr_assert_eq(fd, -7);
    cr_assert(qn_walk_restat(walk, &entry) == QN_ERR_NOTFOUND);
    cr_assert_eq(errno, wanted_errno);
    qn_walk_free(walk);
}

static void leave_nothing(const char *path)
{
    (void)path;
}

static void put_link(const char *path)
{
    cr_assert(symlink("secret", path) == 0);
}

static void put_fifo(const char *path)
{
    cr_assert(mkfifo(path, 0600) == 0);
}

static void put_dir(const char *path)
{
    cr_assert(mkdir(path, 0700) == 0);
}

Test(walk, what_vanished_or_is_no_file_any_more_is_not_opened)
{
    expect_no_file(leave_nothing, QN_ERR_NOTFOUND, ENOENT);
    expect_no_file(put_link, QN_ERR_NOTFOUND, ESTALE);
    expect_no_file(put_fifo, QN_ERR_NOTFOUND, ESTALE);
    expect_no_file(make_socket, QN_ERR_NOTFOUND, ESTALE);
    expect_no_file(put_dir, QN_ERR_NOTFOUND, ESTALE);
}

Test(walk, a_folder_that_becomes_a_link_is_not_entered)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct tree_listing listing = {.dir = &dir};
    struct qn_walk *walk;
    struct qn_entry entry;
    char path[TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    tree_dir(&dir, "a");
    tree_dir(&dir, "other");
    tree_file(&dir, "other/secret", "");
    const char *paths[] = {dir.path};
    struct qn_walk_options options = {
        .paths = paths, .path_count = 1, .on_error = tree_on_error, .context = &listing};
    cr_assert(qn_walk_new(&options, &walk) == QN_OK);
    seek(walk, "/a", &entry);
    cr_assert(rmdir(tmp_dir_at(&dir, "a", path)) == 0);
    cr_assert(symlink("other", path) == 0);
    while (qn_walk_next(walk, &entry) == QN_OK)
        tree_on_entry(&listing, &entry);
    cr_assert_str_eq(listing.text, "! a ESTALE\nd other\nf other/secret\n");
    qn_walk_free(walk);
}

Test(walk, a_change_is_seen)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct qn_entry entry;
    char path[TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    tree_file(&dir, "file", "12345");
    struct qn_walk *walk = begin(&dir);
    seek(walk, "/file", &entry);
    struct qn_entry before = entry;
    cr_assert(qn_walk_restat(walk, &entry) == QN_OK);
    cr_assert_eq(entry.size, 5);
    cr_assert_eq(entry.mtime_ns, before.mtime_ns);
    cr_assert(truncate(tmp_dir_at(&dir, "file", path), 3) == 0);
    cr_assert(qn_walk_restat(walk, &entry) == QN_OK);
    cr_assert_eq(entry.size, 3);
    cr_assert(qn_span_eq(entry.path, before.path));
    qn_walk_free(walk);
}

Test(walk, a_file_that_cannot_be_opened_is_not_what_others_refer_to)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct qn_entry entry;
    char path[TMP_PATH_SIZE];
    int fd;
    tmp_dir_init(&dir);
    tree_file(&dir, "a", "x");
    tree_hard_link(&dir, "a", "b");
    tree_hard_link(&dir, "a", "c");
    struct qn_walk *walk = begin(&dir);
    seek(walk, "/a", &entry);
    cr_assert(unlink(tmp_dir_at(&dir, "a", path)) == 0);
    cr_assert(qn_walk_open(walk, &fd) == QN_ERR_NOTFOUND);
    seek(walk, "/b", &entry);
    cr_assert_eq(entry.type, QN_ENTRY_FILE);
    seek(walk, "/c", &entry);
    cr_assert_eq(entry.type, QN_ENTRY_HARDLINK);
    qn_walk_free(walk);
}

Test(walk, attributes_are_packed_by_name)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct qn_entry entry;
    char path[TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    tree_file(&dir, "file", "");
    tree_file(&dir, "plain", "");
    tmp_dir_at(&dir, "file", path);
    if (setxattr(path, "user.b", "2", 1, 0) != 0)
        cr_skip_test("no extended attributes here");
    cr_assert(setxattr(path, "user.a", "", 0, 0) == 0);
    struct qn_walk *walk = begin(&dir);
    seek(walk, "/file", &entry);
    cr_assert(qn_walk_xattrs(walk, &entry) == QN_OK);
    static const uint8_t wanted[] = "\x92\x92\xc4\x06user.a\xc4\x00\x92\xc4\x06user.b\xc4\x01"
                                    "2";
    cr_assert(qn_span_eq(entry.xattrs, qn_span(wanted, sizeof(wanted) - 1)));
    seek(walk, "/plain", &entry);
    cr_assert(qn_walk_xattrs(walk, &entry) == QN_OK);
    cr_assert_eq(entry.xattrs.size, 0);
    qn_walk_free(walk);
}

Test(walk, attributes_beyond_the_limit_are_told)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct qn_entry entry;
    char path[TMP_PATH_SIZE];
    setenv("TMPDIR", "/dev/shm", 1); /* ext4 takes no more than 4 KiB */
    tmp_dir_init(&dir);
    tree_file(&dir, "file", "");
    tmp_dir_at(&dir, "file", path);
    QN_AUTO_FREE char *large = qn_alloc_zero(65536);
    if (setxattr(path, "user.large", large, 65536, 0) != 0)
        cr_skip_test("attributes of this size are not possible here");
    cr_assert(setxattr(path, "user.small", "1", 1, 0) == 0);
    struct qn_walk *walk = begin(&dir);
    seek(walk, "/file", &entry);
    cr_assert(qn_walk_xattrs(walk, &entry) == QN_ERR_LIMIT);
    cr_assert_eq(entry.xattrs.data[0], 0x91);
    qn_walk_free(walk);
}

Test(walk, a_cache_keeps_only_its_tag)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct tree_listing listing;
    tmp_dir_init(&dir);
    tree_dir(&dir, "c");
    tree_file(&dir, "c/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# made by x\n");
    tree_file(&dir, "c/A", "");
    tree_dir(&dir, "c/d");
    tree_dir(&dir, "no");
    tree_file(&dir, "no/CACHEDIR.TAG", "Signature: something else that is long enough to be read");
    tree_file(&dir, "no/x", "");
    cr_assert_str_eq(tree_list(&listing, &dir, (struct qn_walk_options){0}),
                     "d c\nf c/CACHEDIR.TAG\nd no\nf no/CACHEDIR.TAG\nf no/x\n");
    cr_assert_str_eq(tree_list(&listing, &dir, (struct qn_walk_options){.keeps_caches = true}),
                     "d c\nf c/A\nf c/CACHEDIR.TAG\nd c/d\nd no\nf no/CACHEDIR.TAG\nf no/x\n");
}

Test(walk, what_may_not_be_read_is_told_and_passed_by)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct tree_listing listing;
    char path[TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    tree_dir(&dir, "closed");
    tree_file(&dir, "closed/x", "");
    tree_file(&dir, "open", "");
    tmp_dir_at(&dir, "closed", path);
    cr_assert(chmod(path, 0) == 0);
    if (geteuid() == 0)
        cr_assert(chown(dir.path, NOBODY, NOBODY) == 0 && chown(path, NOBODY, NOBODY) == 0 &&
                  setresuid(NOBODY, NOBODY, NOBODY) == 0);
    cr_assert_str_eq(tree_list(&listing, &dir, (struct qn_walk_options){0}),
                     "d closed\n! closed EACCES\nf open\n");
    chmod(path, 0700);
}

static const char *deep_name(int i, char name[64])
{
    snprintf(name, 64, "%d", i);
    return name;
}

/* Deeper than there are descriptors for. */
Test(walk, deep_folders)
{
    enum { DEPTH = 300 };
    AUTO_TMP_DIR struct tmp_dir dir;
    struct qn_walk *walk;
    struct qn_entry entry;
    char name[64];
    size_t folders = 0, files = 0, after = 0;
    tmp_dir_init(&dir);
    int fd = open(dir.path, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < DEPTH; i++) {
        cr_assert(mkdirat(fd, deep_name(i, name), 0755) == 0);
        int file =
            openat(fd, "after", O_CREAT | O_WRONLY, 0644); /* behind the folder in the order */
        close(file);
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY);
        close(fd);
        fd = next;
    }
    close(fd);
    const char *paths[] = {dir.path};
    cr_assert(qn_walk_new(&(struct qn_walk_options){.paths = paths, .path_count = 1}, &walk) ==
              QN_OK);
    while (qn_walk_next(walk, &entry) == QN_OK) {
        folders += entry.type == QN_ENTRY_DIR;
        files += entry.type == QN_ENTRY_FILE;
        if (entry.type == QN_ENTRY_FILE && qn_walk_open(walk, &fd) == QN_OK) {
            after++;
            close(fd);
        }
    }
    qn_walk_free(walk);
    cr_assert_eq(files, DEPTH);
    cr_assert_eq(after, DEPTH);
    cr_assert_geq(folders, DEPTH);
}

Test(walk, paths_that_are_too_long_are_told)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct tree_listing listing = {.dir = &dir};
    char name[256];
    struct qn_walk *walk;
    struct qn_entry entry;
    size_t longest = 0;
    tmp_dir_init(&dir);
    memset(name, 'n', 255);
    name[255] = '\0';
    int fd = open(dir.path, O_RDONLY | O_DIRECTORY);
    for (int i = 0; i < 17; i++) { /* 17 * 256 > 4096 */
        cr_assert(mkdirat(fd, name, 0755) == 0);
        int next = openat(fd, name, O_RDONLY | O_DIRECTORY);
        close(fd);
        fd = next;
    }
    close(fd);
    const char *paths[] = {dir.path};
    struct qn_walk_options options = {
        .paths = paths, .path_count = 1, .on_error = tree_on_error, .context = &listing};
    cr_assert(qn_walk_new(&options, &walk) == QN_OK);
    while (qn_walk_next(walk, &entry) == QN_OK)
        longest = entry.path.size;
    qn_walk_free(walk);
    cr_assert(longest > 3500 && longest < QN_PATH_SIZE_MAX);
    cr_assert_not_null(strstr(listing.text, "ENAMETOOLONG"));
}

Test(walk, paths_must_be_normal_and_in_order)
{
    static const char *const bad[][2] = {{"relative", NULL}, {"/a/", NULL},   {"/a//b", NULL},
                                         {"/a/../b", NULL},  {"/./a", NULL},  {"", NULL},
                                         {"/b", "/a"},       {"/a", "/a"},    {"/a", "/a/b"},
                                         {"/", "/a"},        {"/a-b", "/a/c"}};
    struct qn_walk *walk;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct qn_walk_options options = {.paths = bad[i], .path_count = bad[i][1] ? 2 : 1};
        cr_assert(qn_walk_new(&options, &walk) == QN_ERR_INVALID, "%s", bad[i][0]);
    }
    static const char *const good[] = {"/a", "/a-b"};
    cr_assert(qn_walk_new(&(struct qn_walk_options){.paths = good, .path_count = 2}, &walk) ==
              QN_OK);
    qn_walk_free(walk);
}

Test(walk, the_root_is_no_entry)
{
    const char *paths[] = {"/"};
    struct qn_walk *walk;
    struct qn_entry entry;
    cr_assert(qn_walk_new(&(struct qn_walk_options){.paths = paths, .path_count = 1}, &walk) ==
              QN_OK);
    cr_assert(qn_walk_next(walk, &entry) == QN_OK);
    cr_assert(entry.path.size > 0 && memchr(entry.path.data, '/', entry.path.size) == NULL);
    qn_walk_free(walk);
}

Test(walk, made_up_file_systems_are_empty)
{
    const char *paths[] = {"/proc"};
    struct qn_walk *walk;
    struct qn_entry entry;
    cr_assert(
        qn_walk_new(
            &(struct qn_walk_options){.paths = paths, .path_count = 1, .crosses_devices = true},
            &walk) == QN_OK);
    cr_assert(qn_walk_next(walk, &entry) == QN_OK);
    cr_assert(qn_span_eq_str(entry.path, "proc"));
    cr_assert(qn_walk_next(walk, &entry) == QN_ERR_NOTFOUND);
    qn_walk_free(walk);
}

static struct qn_exclude *excluding(const char *const *patterns)
{
    struct qn_exclude *exclude = qn_exclude_new();
    for (; *patterns != NULL; patterns++)
        cr_assert(qn_exclude_add(exclude, qn_span_str(*patterns)) == QN_OK, "%s", *patterns);
    return exclude;
}

Test(walk, exclusions_are_relative_to_the_top)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct tree_listing listing;
    tmp_dir_init(&dir);
    tree_dir(&dir, "a");
    tree_file(&dir, "a/x.tmp", "");
    tree_file(&dir, "a/y", "");
    tree_dir(&dir, "a/b");
    tree_file(&dir, "a/b/z", "");
    tree_dir(&dir, "b");
    tree_file(&dir, "b/w", "");
    tree_file(&dir, "x.tmp", "");
    tree_file(&dir, "keep.tmp", "");
    struct qn_exclude *exclude =
        excluding((const char *const[]){"*.tmp", "!keep.tmp", "/b/", "y/", NULL});
    cr_assert_str_eq(tree_list(&listing, &dir, (struct qn_walk_options){.exclude = exclude}),
                     "d a\nd a/b\nf a/b/z\nf a/y\nf keep.tmp\n");
    qn_exclude_free(exclude);
}

Test(walk, an_excluded_folder_is_not_entered)
{
    AUTO_TMP_DIR struct tmp_dir dir;
    struct tree_listing listing;
    char path[TMP_PATH_SIZE];
    tmp_dir_init(&dir);
    tree_dir(&dir, "closed");
    tree_file(&dir, "open", "");
    cr_assert(chmod(tmp_dir_at(&dir, "closed", path), 0) == 0);
    struct qn_exclude *exclude = excluding((const char *const[]){"closed", NULL});
    cr_assert_str_eq(tree_list(&listing, &dir, (struct qn_walk_options){.exclude = exclude}),
                     "f open\n");
    qn_exclude_free(exclude);
}
