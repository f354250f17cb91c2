/* Access control lists of POSIX 1003.1e, as Linux keeps them in the attribute
 * system.posix_acl_access (linux/posix_acl_xattr.h): a version, then entries in the order of their
 * tags, everything little-endian. The owner of a file may set them without being of the groups. */
#include <errno.h>
#include <stdlib.h>
#include <sys/xattr.h>

#include "os/os.h"

#define ATTRIBUTE  "system.posix_acl_access"
#define VERSION    2
#define NO_ID      UINT32_MAX
#define ENTRY_SIZE 8

enum tag {
    TAG_OWNER = 0x01,
    TAG_USER = 0x02,
    TAG_OWN_GROUP = 0x04,
    TAG_GROUP = 0x08,
    TAG_MASK = 0x10,
    TAG_OTHER = 0x20
};

struct list {
    uint8_t bytes[4 + ENTRY_SIZE * (4 + QN_OS_ACL_MAX)];
    size_t size;
};

static void put(struct list *list, uint32_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        list->bytes[list->size++] = (uint8_t)(value >> 8 * i);
}

static void put_entry(struct list *list, enum tag tag, unsigned bits, uint32_t id)
{
    put(list, tag, 2);
    put(list, bits, 2);
    put(list, id, 4);
}

static int by_id(const void *a, const void *b)
{
    const struct qn_os_acl_member *left = a, *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

/* One kind, ascending, each once. */
static void put_members(struct list *list, const struct qn_os_acl_member *sorted, size_t count,
                        bool is_group, unsigned bits)
{
    uint32_t last = NO_ID;
    for (size_t i = 0; i < count; i++) {
        if (sorted[i].is_group == is_group && sorted[i].id != last)
            put_entry(list, is_group ? TAG_GROUP : TAG_USER, bits, last = sorted[i].id);
    }
}

static enum qn_err error_of(int code)
{
    return code == EINVAL ? QN_ERR_INVALID : qn_os_err(code);
}

static enum qn_err take_away(const char *path)
{
    if (removexattr(path, ATTRIBUTE) == 0 || errno == ENODATA || errno == EOPNOTSUPP)
        return QN_OK;
    return error_of(errno);
}

enum qn_err qn_os_set_acl(const char *path, const struct qn_os_acl *acl)
{
    struct qn_os_acl_member sorted[QN_OS_ACL_MAX];
    struct list list = {.size = 0};
    if (acl->count > QN_OS_ACL_MAX)
        return QN_ERR_LIMIT;
    if (acl->count == 0)
        return take_away(path);
    memcpy(sorted, acl->members, acl->count * sizeof(*sorted));
    qsort(sorted, acl->count, sizeof(*sorted), by_id);
    put(&list, VERSION, 4);
    put_entry(&list, TAG_OWNER, acl->owner_bits, NO_ID);
    put_members(&list, sorted, acl->count, false, acl->bits);
    put_entry(&list, TAG_OWN_GROUP, acl->bits, NO_ID);
    put_members(&list, sorted, acl->count, true, acl->bits);
    put_entry(&list, TAG_MASK, acl->bits, NO_ID);
    put_entry(&list, TAG_OTHER, 0, NO_ID);
    return setxattr(path, ATTRIBUTE, list.bytes, list.size, 0) == 0 ? QN_OK : error_of(errno);
}
