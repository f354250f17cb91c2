/* What a restore writes, what it leaves alone, and where nothing leads. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "proto/pack.h"
#include "restore_fixture.h"

#define NOBODY 65534

Test(restore_out, folders_and_files)
{
    FIXTURE;
    begin(&f);
    put_folder(&f, "a");
    put_file(&f, "a/x", "one");
    put_folder(&f, "a/y");
    put_file(&f, "a/y/\xff\n", "two");
    put_file(&f, "b", "");
    finish(&f);
    cr_assert_str_eq(f.issues, "");
    expect_text(&f, "a/x", "one");
    expect_text(&f, "a/y/\xff\n", "two");
    struct stat file = status_of(&f, "a/x"), folder = status_of(&f, "a");
    cr_assert_eq(file.st_mode, S_IFREG | 0640);
    cr_assert_eq(folder.st_mode, S_IFDIR | 0750);
    expect_times(&file);
    expect_times(&folder);
    cr_assert_eq(status_of(&f, "").st_mode & 07777, 0700);
    cr_assert_eq(f.counts.folders, 2);
    cr_assert_eq(f.counts.files, 3);
    cr_assert_eq(f.counts.bytes, 6);
    cr_assert_eq(count_names(&f, "a"), 2);
}

Test(restore_out, folders_that_no_entry_is_about_are_made)
{
    FIXTURE;
    begin(&f);
    put_file(&f, "srv/data/x", "one");
    put_file(&f, "srv/data/y", "two");
    finish(&f);
    expect_text(&f, "srv/data/y", "two");
    cr_assert_eq(f.counts.folders, 0);
    cr_assert_eq(status_of(&f, "srv/data").st_mode & 07000, 0);
}

Test(restore_out, a_second_run_finds_everything)
{
    FIXTURE;
    for (int run = 0; run < 2; run++) {
        begin(&f);
        put_folder(&f, "a");
        put_file(&f, "a/x", "one");
        cr_assert_eq(f.wants_bytes, run == 0);
        put_link(&f, QN_ENTRY_SYMLINK, "a/y", "x");
        put_link(&f, QN_ENTRY_HARDLINK, "a/z", "a/x");
        finish(&f);
        cr_assert_str_eq(f.issues, "");
    }
    cr_assert_eq(f.counts.same, 4);
    cr_assert_eq(f.counts.folders + f.counts.files + f.counts.links + f.counts.hard_links, 0);
    struct stat folder = status_of(&f, "a");
    expect_times(&folder);
}

Test(restore_out, a_run_that_was_interrupted_is_completed)
{
    FIXTURE;
    begin(&f);
    put_folder(&f, "a");
    put_file(&f, "a/x", "one");
    struct qn_entry entry = entry_of(QN_ENTRY_FILE, "a/y");
    entry.size = 6;
    put_entry(&f, &entry);
    cr_assert(ctl_restore_bytes(f.restore, (const uint8_t *)"two", 3) == QN_OK);
    stop(&f);
    cr_assert(!is_there(&f, "a/y"));
    cr_assert_eq(status_of(&f, "a").st_mode, S_IFDIR | 01700);
    make_text(&f, "a/.quoin-restore.part", "as a crash leaves it");
    begin(&f);
    put_folder(&f, "a");
    put_file(&f, "a/x", "one");
    cr_assert(!f.wants_bytes);
    put_file(&f, "a/y", "two+it");
    finish(&f);
    expect_text(&f, "a/y", "two+it");
    cr_assert_eq(count_names(&f, "a"), 2);
    struct stat folder = status_of(&f, "a");
    cr_assert_eq(folder.st_mode, S_IFDIR | 0750);
    expect_times(&folder);
}

Test(restore_out, what_is_there_is_not_touched)
{
    FIXTURE;
    cr_assert(mkdir(f.target, 0755) == 0 && mkdir(at(&f, "a"), 0711) == 0);
    make_text(&f, "a/x", "mine");
    cr_assert(symlink("mine", at(&f, "a/l")) == 0);
    cr_assert(mkdir(at(&f, "a/z"), 0700) == 0);
    begin(&f);
    put_folder(&f, "a");
    put_link(&f, QN_ENTRY_SYMLINK, "a/l", "other");
    put_file(&f, "a/x", "other");
    cr_assert(!f.wants_bytes);
    put_file(&f, "a/y", "new");
    put_file(&f, "a/z", "a folder is there");
    finish(&f);
    cr_assert_str_eq(f.issues, "EXISTS a/l\nEXISTS a/x\nFOLDER a/z\n");
    expect_text(&f, "a/x", "mine");
    expect_text(&f, "a/y", "new");
    cr_assert_eq(status_of(&f, "a").st_mode, S_IFDIR | 0711);
    cr_assert_eq(f.counts.failed, 3);
    cr_assert_eq(count_names(&f, "a"), 4);
}

Test(restore_out, a_name_that_appears_meanwhile_is_not_touched_either)
{
    FIXTURE;
    begin(&f);
    put_folder(&f, "a");
    struct qn_entry entry = entry_of(QN_ENTRY_FILE, "a/x");
    entry.size = 1;
    put_entry(&f, &entry);
    cr_assert(f.wants_bytes);
    make_text(&f, "a/x", "mine");
    cr_assert(ctl_restore_bytes(f.restore, (const uint8_t *)"1", 1) == QN_OK);
    cr_assert(ctl_restore_entry_end(f.restore, QN_OK) == QN_OK);
    finish(&f);
    cr_assert_str_eq(f.issues, "EXISTS a/x\n");
    expect_text(&f, "a/x", "mine");
    cr_assert_eq(count_names(&f, "a"), 1);
}

Test(restore_out, overwriting_replaces_files_and_links_but_no_folder)
{
    FIXTURE;
    cr_assert(mkdir(f.target, 0755) == 0 && mkdir(at(&f, "a"), 0711) == 0);
    make_text(&f, "a/x", "mine");
    cr_assert(symlink("mine", at(&f, "a/l")) == 0);
    cr_assert(mkdir(at(&f, "a/z"), 0700) == 0);
    make_text(&f, "b", "a file where a folder was");
    f.options.overwrites = true;
    begin(&f);
    put_folder(&f, "a");
    put_link(&f, QN_ENTRY_SYMLINK, "a/l", "other");
    put_file(&f, "a/x", "other");
    put_file(&f, "a/z", "a folder is there");
    put_folder(&f, "b");
    put_file(&f, "b/y", "new");
    finish(&f);
    cr_assert_str_eq(f.issues, "FOLDER a/z\n");
    expect_text(&f, "a/x", "other");
    expect_text(&f, "b/y", "new");
    cr_assert_eq(status_of(&f, "a").st_mode, S_IFDIR | 0750);
    cr_assert_eq(count_names(&f, "a"), 3);
}

/* DIR/out lies beside the target. */
static void make_outside(struct fixture *f)
{
    cr_assert(mkdir(f->target, 0755) == 0);
    cr_assert(mkdir(at(f, "../out"), 0755) == 0);
    make_text(f, "../out/x", "not to be touched");
}

static void expect_outside(const struct fixture *f)
{
    expect_text(f, "../out/x", "not to be touched");
    cr_assert_eq(count_names(f, "../out"), 1);
    cr_assert_eq(count_names(f, ".."), 2);
}

Test(restore_out, a_link_in_the_target_is_not_followed)
{
    FIXTURE;
    make_outside(&f);
    cr_assert(symlink("../out", at(&f, "a")) == 0);
    cr_assert(symlink("../out/x", at(&f, "f")) == 0);
    begin(&f);
    put_folder(&f, "a");
    put_folder(&f, "a/d");
    put_file(&f, "a/x", "evil");
    put_file(&f, "f", "evil");
    finish(&f);
    cr_assert_str_eq(f.issues, "EXISTS a\nEXISTS f\n");
    cr_assert_eq(f.counts.left_out, 2);
    expect_outside(&f);
    f.options.overwrites = true;
    begin(&f);
    put_folder(&f, "a");
    put_file(&f, "a/x", "good");
    put_file(&f, "f", "good");
    finish(&f);
    cr_assert_str_eq(f.issues, "");
    expect_text(&f, "a/x", "good");
    expect_text(&f, "f", "good");
    expect_outside(&f);
}

Test(restore_out, a_link_that_the_backup_brings_is_not_followed)
{
    FIXTURE;
    make_outside(&f);
    begin(&f);
    put_link(&f, QN_ENTRY_SYMLINK, "a", "../out");
    put_file(&f, "a/x", "evil");
    put_link(&f, QN_ENTRY_HARDLINK, "b", "a/x");
    finish(&f);
    cr_assert_str_eq(f.issues, "EXISTS a/x\nNO_FIRST b\n");
    expect_outside(&f);
}

Test(restore_out, a_folder_that_is_replaced_by_a_link_meanwhile)
{
    FIXTURE;
    make_outside(&f);
    begin(&f);
    put_folder(&f, "a");
    put_folder(&f, "a/b");
    cr_assert(rmdir(at(&f, "a/b")) == 0);
    char moved[TMP_PATH_SIZE];
    strcpy(moved, at(&f, "moved"));
    cr_assert(rename(at(&f, "a"), moved) == 0);
    cr_assert(symlink("../out", at(&f, "a")) == 0);
    put_folder(&f, "a/c");
    put_file(&f, "a/c/x", "evil");
    finish(&f);
    expect_outside(&f);
}

Test(restore_out, paths_that_no_backup_makes)
{
    static const char *const bad[] = {
        "..", "../out/y", "/etc/quoin-evil", "a/../../out/y", "a//b", "a/./b", "a/", "", "."};
    FIXTURE;
    make_outside(&f);
    begin(&f);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        f.issues[0] = '\0';
        put_file(&f, bad[i], "evil");
        cr_assert(!f.wants_bytes);
        cr_assert(strncmp(f.issues, "BAD_PATH ", 9) == 0, "%s", bad[i]);
        put_link(&f, QN_ENTRY_HARDLINK, "h", bad[i]);
        put_folder(&f, bad[i]);
    }
    put_file(&f, "z", "good");
    f.issues[0] = '\0';
    put_file(&f, "b", "behind its turn");
    cr_assert_str_eq(f.issues, "BAD_PATH b\n");
    put_file(&f, "z", "twice");
    finish(&f);
    expect_text(&f, "z", "good");
    cr_assert_eq(count_names(&f, ""), 1);
    expect_outside(&f);
}

Test(restore_out, further_names_of_a_file)
{
    FIXTURE;
    begin(&f);
    put_folder(&f, "a");
    put_file(&f, "a/x", "one");
    put_link(&f, QN_ENTRY_HARDLINK, "a/y", "a/x");
    put_link(&f, QN_ENTRY_SYMLINK, "l1", "target");
    put_link(&f, QN_ENTRY_HARDLINK, "l2", "l1");
    put_link(&f, QN_ENTRY_HARDLINK, "n", "nothing/there");
    put_link(&f, QN_ENTRY_HARDLINK, "o", "a");
    put_link(&f, QN_ENTRY_HARDLINK, "z", "a/x");
    finish(&f);
    cr_assert_str_eq(f.issues, "NO_FIRST n\nNO_FIRST o\n");
    cr_assert_eq(status_of(&f, "a/x").st_ino, status_of(&f, "a/y").st_ino);
    cr_assert_eq(status_of(&f, "a/x").st_ino, status_of(&f, "z").st_ino);
    cr_assert_eq(status_of(&f, "l1").st_ino, status_of(&f, "l2").st_ino);
    cr_assert(S_ISLNK(status_of(&f, "l2").st_mode));
    cr_assert_eq(f.counts.hard_links, 3);
}

/* The file of the first name was there before and is another one: its content must not get the name
 * of what was lost. */
Test(restore_out, a_name_of_the_wrong_file_is_not_made)
{
    FIXTURE;
    cr_assert(mkdir(f.target, 0755) == 0);
    make_text(&f, "a", "mine");
    begin(&f);
    put_file(&f, "a", "other");
    put_link(&f, QN_ENTRY_HARDLINK, "b", "a");
    finish(&f);
    cr_assert_str_eq(f.issues, "EXISTS a\nNO_FIRST b\n");
    cr_assert(!is_there(&f, "b"));
}

Test(restore_out, holes_stay_holes)
{
    enum { HOLE = 8 << 20 };
    FIXTURE;
    struct qn_entry entry = entry_of(QN_ENTRY_FILE, "x");
    entry.size = 2 * (uint64_t)HOLE + 3;
    begin(&f);
    put_entry(&f, &entry);
    cr_assert(ctl_restore_bytes(f.restore, NULL, HOLE) == QN_OK);
    cr_assert(ctl_restore_bytes(f.restore, (const uint8_t *)"abc", 3) == QN_OK);
    cr_assert(ctl_restore_bytes(f.restore, NULL, HOLE) == QN_OK);
    cr_assert(ctl_restore_entry_end(f.restore, QN_OK) == QN_OK);
    finish(&f);
    struct stat status = status_of(&f, "x");
    cr_assert_eq((uint64_t)status.st_size, entry.size);
    cr_assert_lt(status.st_blocks, 256);
    expect_times(&status);
    char text[4] = "";
    int fd = open(at(&f, "x"), O_RDONLY);
    cr_assert_eq(pread(fd, text, 3, HOLE), 3);
    cr_assert_str_eq(text, "abc");
    close(fd);
}

/* Says 3 bytes, brings `text`, ends with `err`. */
static void put_wrong(struct fixture *f, const char *path, const char *text, enum qn_err err)
{
    struct qn_entry entry = entry_of(QN_ENTRY_FILE, path);
    entry.size = 3;
    put_entry(f, &entry);
    cr_assert(ctl_restore_bytes(f->restore, (const uint8_t *)text, strlen(text)) == QN_OK);
    cr_assert(ctl_restore_entry_end(f->restore, err) == QN_OK);
}

Test(restore_out, a_file_is_whole_or_not_there)
{
    FIXTURE;
    begin(&f);
    put_wrong(&f, "a", "12", QN_OK);
    put_wrong(&f, "b", "1234", QN_OK);
    put_wrong(&f, "c", "123", QN_ERR_CORRUPT);
    put_wrong(&f, "d", "", QN_ERR_NOTFOUND);
    put_wrong(&f, "e", "123", QN_OK);
    finish(&f);
    cr_assert_str_eq(f.issues, "NO_CONTENT a\nNO_CONTENT b\nNO_CONTENT c\nNO_CONTENT d\n");
    cr_assert_eq(count_names(&f, ""), 1);
    cr_assert_eq(f.counts.files, 1);
    cr_assert_eq(f.counts.bytes, 3);
}

Test(restore_out, links_have_times_too)
{
    FIXTURE;
    begin(&f);
    put_link(&f, QN_ENTRY_SYMLINK, "l", "/nowhere/at all");
    finish(&f);
    char target[64] = "";
    cr_assert(readlink(at(&f, "l"), target, sizeof(target) - 1) > 0);
    cr_assert_str_eq(target, "/nowhere/at all");
    struct stat status = status_of(&f, "l");
    expect_times(&status);
    cr_assert_eq(f.counts.links, 1);
}

Test(restore_out, special_files)
{
    FIXTURE;
    struct qn_entry device = entry_of(QN_ENTRY_CHAR, "c");
    device.rdev_major = 1;
    device.rdev_minor = 3;
    struct qn_entry fifo = entry_of(QN_ENTRY_FIFO, "p"), other = entry_of(QN_ENTRY_SOCKET, "s");
    for (int run = 0; run < 2; run++) {
        begin(&f);
        put_entry(&f, &device);
        put_entry(&f, &fifo);
        put_entry(&f, &other);
        finish(&f);
        struct stat status = status_of(&f, "p");
        cr_assert_eq(status.st_mode, S_IFIFO | 0640);
        expect_times(&status);
        cr_assert(S_ISSOCK(status_of(&f, "s").st_mode));
        if (f.issues[0] == '\0')
            cr_assert_eq(status_of(&f, "c").st_rdev, makedev(1, 3));
        else
            cr_assert_str_eq(f.issues, "NEEDS_ROOT c\n");
    }
    cr_assert_geq(f.counts.same, 2);
}

Test(restore_out, owners_by_name_then_by_number)
{
    const struct passwd *daemon = getpwnam("daemon");
    if (geteuid() != 0 || daemon == NULL)
        cr_skip_test("only root can give files away");
    FIXTURE;
    struct qn_entry entry = entry_of(QN_ENTRY_FILE, "known");
    entry.uid = entry.gid = 4242;
    entry.user = entry.group = qn_span_str("daemon");
    entry.mode = 06755;
    begin(&f);
    put_text(&f, &entry, "x");
    entry.path = qn_span_str("unknown");
    entry.user = entry.group = qn_span_str("no-such-user-here");
    put_text(&f, &entry, "x");
    finish(&f);
    cr_assert_eq(status_of(&f, "known").st_uid, daemon->pw_uid);
    cr_assert_eq(status_of(&f, "known").st_mode & 07777, 06755);
    cr_assert_eq(status_of(&f, "unknown").st_uid, 4242);
    cr_assert_eq(status_of(&f, "unknown").st_gid, 4242);
    cr_assert_eq(f.counts.other_owner, 0);
}

/* A program that ran as its owner must not run as whoever restores it. */
Test(restore_out, without_root_owners_are_counted_and_set_id_bits_are_left_off)
{
    FIXTURE;
    if (geteuid() == 0)
        cr_assert(chown(f.dir.path, NOBODY, NOBODY) == 0 && setgid(NOBODY) == 0 &&
                  setresuid(NOBODY, NOBODY, NOBODY) == 0);
    struct qn_entry entry = entry_of(QN_ENTRY_FILE, "theirs");
    entry.uid = 4242;
    entry.mode = 06755;
    begin(&f);
    struct qn_entry own = entry_of(QN_ENTRY_FILE, "own");
    own.mode = 04755;
    put_text(&f, &own, "x");
    put_text(&f, &entry, "x");
    finish(&f);
    cr_assert_eq(status_of(&f, "theirs").st_mode & 07777, 0755);
    cr_assert_eq(status_of(&f, "own").st_mode & 07777, 04755);
    cr_assert_eq(f.counts.other_owner, 1);
    cr_assert_eq(f.counts.files, 2);
}

static void pack_attribute(struct qn_buf *out, const char *name, struct qn_span value)
{
    qn_pack_array(out, 2);
    qn_pack_bin(out, qn_span_str(name));
    qn_pack_bin(out, value);
}

/* The kernel's form: version 2; tag, permissions, id of each; little-endian. */
static const uint8_t acl[] = {2,    0,    0,    0,    1,    0,    6,    0,    0xff, 0xff, 0xff,
                              0xff, 2,    0,    4,    0,    0x92, 0x10, 0,    0,    4,    0,
                              4,    0,    0xff, 0xff, 0xff, 0xff, 0x10, 0,    4,    0,    0xff,
                              0xff, 0xff, 0xff, 0x20, 0,    0,    0,    0xff, 0xff, 0xff, 0xff};

static bool has_attribute(const struct fixture *f, const char *name, const char *attribute)
{
    return lgetxattr(at(f, name), attribute, NULL, 0) >= 0;
}

Test(restore_out, attributes_and_acls)
{
    FIXTURE;
    QN_AUTO_BUF struct qn_buf packed;
    qn_buf_init(&packed, 1024);
    qn_pack_array(&packed, 2);
    pack_attribute(&packed, "system.posix_acl_access", QN_SPAN_OF(acl));
    pack_attribute(&packed, "user.note", qn_span_str("text"));
    if (setxattr(f.dir.path, "system.posix_acl_access", acl, sizeof(acl), 0) != 0 ||
        setxattr(f.dir.path, "user.note", "", 0, 0) != 0)
        cr_skip_test("no ACLs or attributes here");
    struct qn_entry file = entry_of(QN_ENTRY_FILE, "f"), folder = entry_of(QN_ENTRY_DIR, "d");
    file.xattrs = folder.xattrs = qn_buf_view(&packed);
    begin(&f);
    put_entry(&f, &folder);
    put_file(&f, "d/inside", "x");
    put_text(&f, &file, "x");
    finish(&f);
    uint8_t value[64];
    cr_assert_eq(getxattr(at(&f, "f"), "system.posix_acl_access", value, sizeof(value)),
                 (ssize_t)sizeof(acl));
    cr_assert_eq(memcmp(value, acl, sizeof(acl)), 0);
    cr_assert(has_attribute(&f, "d", "user.note"));
    cr_assert(!has_attribute(&f, "d/inside", "system.posix_acl_access"));
    cr_assert_eq(f.counts.fewer_attributes, 0);
    struct stat status = status_of(&f, "f");
    cr_assert_eq(status.st_mode & 07777, 0640);
    expect_times(&status);
}

Test(restore_out, no_acl_comes_from_the_target)
{
    FIXTURE;
    cr_assert(mkdir(f.target, 0755) == 0);
    if (setxattr(f.target, "system.posix_acl_default", acl, sizeof(acl), 0) != 0)
        cr_skip_test("no ACLs here");
    begin(&f);
    put_folder(&f, "d");
    put_file(&f, "d/inside", "x");
    put_file(&f, "f", "x");
    finish(&f);
    cr_assert(!has_attribute(&f, "f", "system.posix_acl_access"));
    cr_assert(!has_attribute(&f, "d", "system.posix_acl_default"));
    cr_assert(!has_attribute(&f, "d", "system.posix_acl_access"));
    cr_assert(!has_attribute(&f, "d/inside", "system.posix_acl_access"));
    cr_assert_eq(status_of(&f, "f").st_mode & 07777, 0640);
}

Test(restore_out, attributes_that_are_refused_are_counted)
{
    FIXTURE;
    QN_AUTO_BUF struct qn_buf packed;
    qn_buf_init(&packed, 1024);
    qn_pack_array(&packed, 1);
    pack_attribute(&packed, "no-such-namespace.x", qn_span_str("text"));
    struct qn_entry file = entry_of(QN_ENTRY_FILE, "f");
    file.xattrs = qn_buf_view(&packed);
    begin(&f);
    put_text(&f, &file, "x");
    finish(&f);
    expect_text(&f, "f", "x");
    cr_assert_eq(f.counts.fewer_attributes, 1);
    cr_assert_str_eq(f.issues, "");
}

Test(restore_out, a_target_that_is_too_small_is_told_before)
{
    FIXTURE;
    struct ctl_restore_options options = {
        .target = f.target, .bytes_expected = UINT64_MAX / 2, .on_issue = on_issue, .context = &f};
    cr_assert(ctl_restore_new(&options, &f.restore) == QN_ERR_NOSPACE);
    cr_assert_str_eq(f.issues, "NO_ROOM \n");
    make_text(&f, "x", "a part of it may be here already");
    f.issues[0] = '\0';
    cr_assert(ctl_restore_new(&options, &f.restore) == QN_OK);
}

Test(restore_out, targets_that_cannot_be_used)
{
    FIXTURE;
    struct ctl_restore_options options = {.on_issue = on_issue, .context = &f};
    char path[TMP_PATH_SIZE];
    options.target = tmp_dir_at(&f.dir, "none/to", path);
    cr_assert(ctl_restore_new(&options, &f.restore) == QN_ERR_NOTFOUND);
    cr_assert(mkdir(f.target, 0700) == 0);
    make_text(&f, "file", "");
    options.target = at(&f, "file");
    cr_assert(ctl_restore_new(&options, &f.restore) == QN_ERR_NOTFOUND);
    cr_assert_str_eq(f.issues, "TARGET \nTARGET \n");
}

Test(restore_out, one_restore_at_a_time)
{
    FIXTURE;
    struct ctl_restore *other;
    begin(&f);
    cr_assert(ctl_restore_new(&f.options, &other) == QN_ERR_BUSY);
    cr_assert_str_eq(f.issues, "BUSY \n");
    finish(&f);
    begin(&f);
}

Test(restore_out, the_name_of_what_is_being_made_can_be_restored)
{
    FIXTURE;
    begin(&f);
    put_file(&f, ".quoin-restore.part", "one");
    put_file(&f, ".quoin-restore.part2", "two");
    put_file(&f, "x", "three");
    finish(&f);
    cr_assert_str_eq(f.issues, "");
    expect_text(&f, ".quoin-restore.part2", "two");
    cr_assert_eq(count_names(&f, ""), 3 - 1);
}

/* More than there are descriptors for, with something behind each of them. */
Test(restore_out, deep_folders)
{
    enum { DEPTH = 300 };
    FIXTURE;
    char path[QN_PATH_SIZE_MAX] = "d";
    begin(&f);
    put_folder(&f, path);
    for (int i = 1; i < DEPTH; i++) {
        strcat(path, "/d");
        put_folder(&f, path);
    }
    for (size_t size = strlen(path); size > 1; size -= 2) {
        strcpy(path + size, "/e");
        put_file(&f, path, "x");
    }
    finish(&f);
    cr_assert_str_eq(f.issues, "");
    cr_assert_eq(f.counts.folders, DEPTH);
    cr_assert_eq(f.counts.files, DEPTH - 1);
    for (size_t i = 0; i < 250; i++)
        memcpy(path + 2 * i, "d/", 3);
    struct stat status = status_of(&f, path);
    cr_assert_eq(status.st_mode & 07777, 0750);
    expect_times(&status);
}

Test(restore_out, a_full_disk_ends_it)
{
    FIXTURE;
    cr_assert(mkdir(f.target, 0700) == 0);
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", f.target, "tmpfs", 0, "size=64k,mode=0700") != 0)
        cr_skip_test("no file system can be mounted here");
    QN_AUTO_FREE uint8_t *bytes = qn_alloc_zero(1 << 20);
    struct qn_entry entry = entry_of(QN_ENTRY_FILE, "x");
    entry.size = 1 << 20;
    begin(&f);
    put_file(&f, "a", "fits");
    put_entry(&f, &entry);
    cr_assert(ctl_restore_bytes(f.restore, bytes, 1 << 20) == QN_ERR_NOSPACE);
    cr_assert_str_eq(f.issues, "NO_ROOM x\n");
    stop(&f);
    cr_assert_eq(count_names(&f, ""), 2, "and the mark");
    cr_assert(umount(f.target) == 0);
}
