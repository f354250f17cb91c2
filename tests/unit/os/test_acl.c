#include <errno.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "os/os.h"
#include "support/tmp_dir.h"

#define FIXTURE()                                                                                  \
    AUTO_TMP_DIR struct tmp_dir dir;                                                               \
    tmp_dir_init(&dir)

static const struct qn_os_acl_member members[] = {{true, 77}, {false, 9}, {true, 60}, {true, 77}};

static enum qn_err set(const struct tmp_dir *dir, unsigned bits, size_t count)
{
    struct qn_os_acl acl = {.owner_bits = 7, .bits = bits, .members = members, .count = count};
    return qn_os_set_acl(dir->path, &acl);
}

/* False: there is no list. */
static bool has_list(const struct tmp_dir *dir)
{
    return getxattr(dir->path, "system.posix_acl_access", NULL, 0) > 0;
}

static unsigned mode_of(const struct tmp_dir *dir)
{
    struct stat status;
    cr_assert_eq(stat(dir->path, &status), 0);
    return status.st_mode & 0777;
}

Test(acl, members_get_the_bits_and_the_mode_shows_them_as_the_groups)
{
    FIXTURE();
    enum qn_err err = set(&dir, 1, 4);
    if (err == QN_ERR_UNSUPPORTED)
        cr_skip("this file system has no lists");
    cr_assert_eq(err, QN_OK);
    cr_assert_eq(mode_of(&dir), 0710);
    /* version; owner 7; user 9; group; groups 60 and 77, each once; mask; others nothing */
    static const uint8_t wanted[] = {2,  0, 0, 0,                         /* */
                                     1,  0, 7, 0, 0xff, 0xff, 0xff, 0xff, /* */
                                     2,  0, 1, 0, 9,    0,    0,    0,    /* */
                                     4,  0, 1, 0, 0xff, 0xff, 0xff, 0xff, /* */
                                     8,  0, 1, 0, 60,   0,    0,    0,    /* */
                                     8,  0, 1, 0, 77,   0,    0,    0,    /* */
                                     16, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, /* */
                                     32, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
    uint8_t got[256];
    cr_assert_eq(getxattr(dir.path, "system.posix_acl_access", got, sizeof(got)),
                 (ssize_t)sizeof(wanted));
    cr_assert_arr_eq(got, wanted, sizeof(wanted));
}

Test(acl, without_members_the_list_goes)
{
    FIXTURE();
    if (set(&dir, 1, 4) == QN_ERR_UNSUPPORTED)
        cr_skip("this file system has no lists");
    cr_assert(has_list(&dir));
    cr_assert_eq(set(&dir, 1, 0), QN_OK);
    cr_assert_not(has_list(&dir));
    cr_assert_eq(set(&dir, 1, 0), QN_OK, "there is none");
}

Test(acl, what_is_not_there_and_too_many_are_errors)
{
    struct tmp_dir none = {.path = "/nonexistent/folder"};
    cr_assert_eq(set(&none, 1, 2), QN_ERR_NOTFOUND);
    struct qn_os_acl acl = {.members = members, .count = QN_OS_ACL_MAX + 1};
    cr_assert_eq(qn_os_set_acl("/", &acl), QN_ERR_LIMIT);
}
