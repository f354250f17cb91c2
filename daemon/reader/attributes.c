#include "reader/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "proto/pack.h"
#include "reader/source.h"

#define LIST_SIZE_MAX  (64 * 1024) /* XATTR_LIST_MAX of the kernel */
#define VALUE_SIZE_MAX (64 * 1024) /* XATTR_SIZE_MAX */
#define PAIR_SIZE_MAX  10          /* what msgpack puts around one name and value */
#define ARRAY_SIZE_MAX 3

struct attributes {
    char path[40];  /* of the open object, below /proc: works for links too */
    char *list;     /* names, each with a zero byte behind it */
    uint8_t *value; /* room for one */
    const char *names[QN_SOURCE_XATTRS_MAX];
    size_t count; /* of names */
    struct qn_buf pairs;
    size_t pair_count;
    bool is_cut;
};

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void index_names(struct attributes *attributes, size_t list_size)
{
    for (size_t at = 0; at < list_size; at += strlen(attributes->list + at) + 1) {
        if (attributes->count == QN_SOURCE_XATTRS_MAX) {
            attributes->is_cut = true;
            break;
        }
        attributes->names[attributes->count++] = attributes->list + at;
    }
    qsort(attributes->names, attributes->count, sizeof(attributes->names[0]), by_bytes);
}

/* What vanished meanwhile, and what only others may read, is none of its attributes for us. */
static void read_one(struct attributes *attributes, const char *name)
{
    ssize_t size = getxattr(attributes->path, name, attributes->value, VALUE_SIZE_MAX);
    if (size < 0)
        return;
    size_t needed = strlen(name) + (size_t)size + PAIR_SIZE_MAX;
    if (attributes->pairs.size + needed > QN_SOURCE_XATTR_SIZE_MAX - ARRAY_SIZE_MAX) {
        attributes->is_cut = true;
        return;
    }
    qn_pack_array(&attributes->pairs, 2);
    qn_pack_bin(&attributes->pairs, qn_span_str(name));
    qn_pack_bin(&attributes->pairs, qn_span(attributes->value, (size_t)size));
    attributes->pair_count++;
}

static void read_all(struct attributes *attributes, size_t list_size, struct qn_buf *out)
{
    qn_buf_init(&attributes->pairs, QN_SOURCE_XATTR_SIZE_MAX);
    attributes->value = qn_alloc(VALUE_SIZE_MAX);
    index_names(attributes, list_size);
    for (size_t i = 0; i < attributes->count; i++)
        read_one(attributes, attributes->names[i]);
    if (attributes->pair_count > 0) {
        qn_pack_array(out, attributes->pair_count);
        qn_buf_append_span(out, qn_buf_view(&attributes->pairs));
    }
    qn_buf_deinit(&attributes->pairs);
    qn_free(attributes->value);
}

static int read_open(int fd, struct qn_buf *out)
{
    struct attributes attributes = {0};
    snprintf(attributes.path, sizeof(attributes.path), "/proc/self/fd/%d", fd);
    ssize_t size = listxattr(attributes.path, NULL, 0); /* most objects have none */
    if (size <= 0)
        return size == 0 || errno == ENOTSUP ? 0 : errno;
    QN_AUTO_FREE char *list = qn_alloc(LIST_SIZE_MAX + 1);
    size = listxattr(attributes.path, list, LIST_SIZE_MAX);
    if (size < 0)
        return errno == ERANGE ? E2BIG : errno;
    list[size] = '\0';
    attributes.list = list;
    read_all(&attributes, (size_t)size, out);
    return attributes.is_cut ? E2BIG : 0;
}

int qn_attributes_read(int dir, const char *name, struct qn_buf *out)
{
    int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = read_open(fd, out);
    close(fd);
    return error;
}
