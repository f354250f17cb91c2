#include "reader/names.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "reader/source.h"

#define TEXT_SIZE_MAX ((size_t)16 << 20) /* then the later half of the order is given up */

void qn_names_deinit(struct qn_names *names)
{
    qn_vec_free(&names->names);
    qn_free(names->text);
    *names = (struct qn_names){0};
}

size_t qn_names_size(const struct qn_names *names)
{
    return names->names.capacity * sizeof(struct qn_name) + names->text_capacity;
}

static uint64_t prefix_of(const char *name, size_t size)
{
    uint8_t bytes[8] = {0};
    memcpy(bytes, name, size < 8 ? size : 8);
    return qn_read_u64(bytes);
}

static struct qn_span span_of(const struct qn_names *names, const struct qn_name *name)
{
    return qn_span(names->text + name->at, name->size);
}

static int compare(const void *a, const void *b, void *context)
{
    const struct qn_name *left = a, *right = b;
    if (left->prefix != right->prefix)
        return left->prefix < right->prefix ? -1 : 1;
    return qn_span_cmp(span_of(context, left), span_of(context, right));
}

static void sort(struct qn_names *names)
{
    if (names->names.count > 1)
        qsort_r(names->names.items, names->names.count, sizeof(struct qn_name), compare, names);
}

static void append(struct qn_names *names, const struct dirent64 *entry, size_t size)
{
    size_t needed = names->text_size + size + 1;
    if (needed > names->text_capacity) {
        names->text_capacity = needed < 2048 ? 4096 : 2 * needed;
        names->text = qn_realloc(names->text, names->text_capacity);
    }
    struct qn_name *name = qn_vec_push_slot(&names->names);
    *name = (struct qn_name){.prefix = prefix_of(entry->d_name, size),
                             .inode = entry->d_ino,
                             .at = (uint32_t)names->text_size,
                             .size = (uint8_t)size,
                             .type = entry->d_type};
    memcpy(names->text + names->text_size, entry->d_name, size + 1);
    names->text_size = needed;
}

/* Keeps the first `count` in order, and packs their text. */
static void keep_first(struct qn_names *names, size_t count)
{
    sort(names);
    if (count >= names->names.count)
        return;
    char *text = qn_alloc(names->text_capacity);
    size_t at = 0;
    names->names.count = count;
    qn_vec_each (&names->names, name) {
        memcpy(text + at, names->text + name->at, (size_t)name->size + 1);
        name->at = (uint32_t)at;
        at += (size_t)name->size + 1;
    }
    qn_free(names->text);
    names->text = text;
    names->text_size = at;
    names->is_part = true;
}

struct scan {
    struct qn_names *names;
    struct qn_span after;
    size_t names_max;
    char cutoff[QN_NAME_BYTES_MAX + 1]; /* nothing after it is kept; of cutoff_size bytes */
    size_t cutoff_size;
};

static void give_up_later_half(struct scan *scan)
{
    struct qn_names *names = scan->names;
    size_t half = names->names.count / 2;
    keep_first(names, half < scan->names_max ? half : scan->names_max);
    struct qn_span last = span_of(names, &names->names.items[names->names.count - 1]);
    memcpy(scan->cutoff, last.data, last.size);
    scan->cutoff_size = last.size;
}

static bool is_dot(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

static void take(struct scan *scan, const struct dirent64 *entry)
{
    size_t size = strlen(entry->d_name);
    struct qn_span name = qn_span(entry->d_name, size);
    if (is_dot(entry->d_name) || size > QN_NAME_BYTES_MAX)
        return;
    if (size == strlen("CACHEDIR.TAG") && qn_span_eq_str(name, "CACHEDIR.TAG"))
        scan->names->has_tag = true;
    if (scan->after.size > 0 && qn_span_cmp(name, scan->after) <= 0)
        return;
    if (scan->cutoff_size > 0 && qn_span_cmp(name, qn_span(scan->cutoff, scan->cutoff_size)) > 0)
        return;
    append(scan->names, entry, size);
    if (scan->names->names.count >= 2 * scan->names_max || scan->names->text_size > TEXT_SIZE_MAX)
        give_up_later_half(scan);
}

static int scan_all(struct scan *scan, int fd, uint8_t *scratch)
{
    if (lseek(fd, 0, SEEK_SET) != 0)
        return errno;
    for (;;) {
        ssize_t got = getdents64(fd, scratch, QN_NAMES_SCRATCH_SIZE);
        if (got <= 0)
            return got == 0 ? 0 : errno;
        for (ssize_t at = 0; at < got;) {
            const struct dirent64 *entry = (const void *)(scratch + at);
            take(scan, entry);
            at += entry->d_reclen;
        }
    }
}

int qn_names_scan(struct qn_names *names, int fd, struct qn_span after, size_t names_max,
                  uint8_t *scratch)
{
    struct scan scan = {.names = names, .after = after, .names_max = names_max};
    qn_names_deinit(names);
    int error = scan_all(&scan, fd, scratch);
    if (error != 0) {
        qn_names_deinit(names);
        return error;
    }
    keep_first(names, names_max);
    return 0;
}
