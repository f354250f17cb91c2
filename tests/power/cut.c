/* What a disk holds after a power cut. What was synced is there. Of the rest each of these may be,
 * or may not, as POSIX leaves it open: every piece of every write, a file's new size (the bytes in
 * between are zeros), every name made, moved (at once: it never has both names, or none) or
 * removed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "disk.h"

#define FILE_SIZE_MAX ((size_t)1 << 30)
#define PATH_SIZE     4096

const char *power_how_name(enum power_how how)
{
    static const char *const names[] = {"keep", "drop", "order", "journal", "random"};
    return names[how];
}

void power_cut_draw(struct power_cut *cut, const struct power_disk *disk, uint64_t seed)
{
    static const unsigned odds[] = {10, 50, 90};
    size_t back;
    cut->prng.state = seed;
    cut->how = POWER_DROP + (enum power_how)qn_prng_below(&cut->prng, POWER_HOWS - 1);
    cut->piece = qn_prng_below(&cut->prng, 2) == 0 ? 512 : 4096;
    cut->odds = odds[qn_prng_below(&cut->prng, 3)];
    /* Disks are at most some seconds behind; often only a few calls. */
    back = qn_prng_below(&cut->prng, 2) == 0 ? 40 : 4000;
    back = back < disk->ops.count ? back : disk->ops.count;
    back = back == 0 ? 0 : qn_prng_below(&cut->prng, back);
    cut->moment = disk->ops.count == 0 ? 0 : disk->ops.items[disk->ops.count - 1 - back].position;
}

static bool flips(struct power_cut *cut)
{
    return qn_prng_below(&cut->prng, 100) < cut->odds;
}

/* ---- what survives ---- */

static bool is_spared(const struct power_disk *disk, const struct power_cut *cut, size_t object)
{
    const struct power_object *top = &disk->objects.items[disk->objects.items[object].top];
    for (size_t i = 0; top->made != NULL && i < cut->spared_count; i++) {
        size_t size = strlen(cut->spared[i]);
        if (top->made->record->name_size == size &&
            memcmp(top->made->name, cut->spared[i], size) == 0)
            return true;
    }
    return cut->how == POWER_KEEP;
}

/* `by`: whose sync makes it durable. */
static bool is_safe(const struct power_disk *disk, const struct power_cut *cut,
                    const struct power_op *op, size_t by)
{
    return op->is_durable || disk->objects.items[by].synced > op->position ||
           is_spared(disk, cut, op->object);
}

/* Names, sizes, modes and times that were not synced. */
static bool survives(struct power_cut *cut, const struct power_op *op)
{
    switch (cut->how) {
    case POWER_ORDER:
    case POWER_JOURNAL:
        return op->position < cut->moment;
    case POWER_RANDOM:
        return flips(cut);
    case POWER_KEEP:
    case POWER_DROP:
    case POWER_HOWS:
        break;
    }
    return cut->how == POWER_KEEP;
}

static bool data_survives(struct power_cut *cut, const struct power_op *op)
{
    bool is_torn = op->position == cut->moment || cut->how == POWER_JOURNAL;
    return is_torn ? flips(cut) : survives(cut, op);
}

/* ---- the content of one file ---- */

static bool resize(struct qn_buf *content, size_t size)
{
    static const uint8_t zeros[4096];
    if (size < content->size)
        qn_buf_truncate(content, size);
    while (content->size < size && qn_buf_status(content) == QN_OK) {
        size_t some = size - content->size;
        qn_buf_append(content, zeros, some < sizeof(zeros) ? some : sizeof(zeros));
    }
    return qn_buf_status(content) == QN_OK;
}

static bool put(struct qn_buf *content, size_t offset, const uint8_t *bytes, size_t size)
{
    if (content->size < offset + size && !resize(content, offset + size))
        return false;
    memcpy(content->data + offset, bytes, size);
    return true;
}

/* Piece by piece; where none is kept the size may have grown nevertheless. */
static bool put_some(struct power_cut *cut, const struct power_op *op, struct qn_buf *content)
{
    size_t offset = op->record->offset, end = offset + op->record->data_size;
    while (offset < end) {
        size_t next = (offset / cut->piece + 1) * cut->piece;
        next = next < end ? next : end;
        if (data_survives(cut, op) &&
            !put(content, offset, op->data + (offset - op->record->offset), next - offset))
            return false;
        offset = next;
    }
    bool has_size = cut->how != POWER_ORDER && survives(cut, op);
    return !has_size || content->size >= end || resize(content, end);
}

static bool apply(const struct power_disk *disk, struct power_cut *cut, const struct power_op *op,
                  struct qn_buf *content)
{
    bool is_there = is_safe(disk, cut, op, op->object);
    if (op->record->kind == POWER_WRITE)
        return is_there ? put(content, op->record->offset, op->data, op->record->data_size)
                        : put_some(cut, op, content);
    if (op->record->kind == POWER_TRUNCATE && (is_there || survives(cut, op)))
        return resize(content, op->record->offset);
    return true;
}

/* Whatever the memory was: nobody knows what of it came to the disk. */
static void scramble(struct power_cut *cut, struct qn_buf *content)
{
    if (cut->how == POWER_KEEP || qn_prng_below(&cut->prng, 2) == 0)
        return;
    for (size_t i = 0; i < content->size; i++)
        content->data[i] = (uint8_t)qn_prng_next(&cut->prng);
}

static bool fill(const struct power_disk *disk, struct power_cut *cut,
                 const struct power_object *object, struct qn_buf *content)
{
    for (size_t i = object->first; i != POWER_NONE; i = disk->ops.items[i].next)
        if (!apply(disk, cut, &disk->ops.items[i], content))
            return false;
    if (object->is_mapped)
        scramble(cut, content);
    return true;
}

/* ---- onto the real disk ---- */

static bool write_file(const char *path, const struct qn_buf *content)
{
    FILE *file = fopen(path, "wbe");
    bool is_good =
        file != NULL && (content->size == 0 || fwrite(content->data, content->size, 1, file) == 1);
    return file != NULL && fclose(file) == 0 && is_good;
}

static bool write_content(const struct power_disk *disk, struct power_cut *cut,
                          const struct power_object *object, const char *path)
{
    QN_AUTO_BUF struct qn_buf content;
    qn_buf_init(&content, FILE_SIZE_MAX);
    return fill(disk, cut, object, &content) && write_file(path, &content);
}

static bool make(const struct power_disk *disk, struct power_cut *cut,
                 const struct power_object *object, const char *path)
{
    char text[PATH_SIZE];
    if (S_ISDIR(object->mode))
        return mkdir(path, 0700) == 0;
    if (S_ISREG(object->mode))
        return write_content(disk, cut, object, path);
    if (!S_ISLNK(object->mode))
        return mknod(path, object->mode, 0) == 0;
    snprintf(text, sizeof(text), "%.*s", (int)object->made->record->data_size,
             (const char *)object->made->data);
    return symlink(text, path) == 0;
}

/* Modes and times as they were last set, if that survives; after what is in a folder. A file system
 * with a journal does not keep a name and lose what was said of the file before. */
static bool dress(const struct power_disk *disk, struct power_cut *cut,
                  const struct power_object *object)
{
    uint32_t mode = object->mode & 07777;
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
    for (size_t i = object->first; i != POWER_NONE; i = disk->ops.items[i].next) {
        const struct power_op *op = &disk->ops.items[i];
        bool is_mode = op->record->kind == POWER_MODE, is_times = op->record->kind == POWER_TIMES;
        bool is_kept = op->position < object->named || is_safe(disk, cut, op, op->object);
        if ((!is_mode && !is_times) || (!is_kept && !survives(cut, op)))
            continue;
        if (is_mode)
            mode = op->record->mode & 07777;
        else
            memcpy(times, op->data, sizeof(times));
    }
    if (!S_ISLNK(object->mode) && chmod(object->path, mode) != 0)
        return false;
    return utimensat(AT_FDCWD, object->path, times, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool write_folder(struct power_disk *disk, struct power_cut *cut, power_names *names,
                         size_t folder, const char *out);

static bool write_entry(struct power_disk *disk, struct power_cut *cut, power_names *names,
                        const struct power_entry *entry, const char *out)
{
    char path[PATH_SIZE];
    struct power_object *object = &disk->objects.items[entry->object];
    if (snprintf(path, sizeof(path), "%s/%s", out, entry->name) >= (int)sizeof(path))
        return false;
    if (object->path != NULL)
        return S_ISDIR(object->mode) || link(object->path, path) == 0;
    object->path = strdup(path);
    if (object->path == NULL || !make(disk, cut, object, path))
        return false;
    if (S_ISDIR(object->mode) && !write_folder(disk, cut, names, entry->object, path))
        return false;
    return dress(disk, cut, object);
}

static bool write_folder(struct power_disk *disk, struct power_cut *cut, power_names *names,
                         size_t folder, const char *out)
{
    qn_vec_each (names, entry)
        if (entry->folder == folder && !write_entry(disk, cut, names, entry, out)) {
            fprintf(stderr, "%s/%s: %s\n", out, entry->name, strerror(errno));
            return false;
        }
    return true;
}

static bool is_about_names(const struct power_op *op)
{
    uint32_t kind = op->record->kind;
    return op->object != POWER_NONE && (kind == POWER_MAKE || kind == POWER_LINK ||
                                        kind == POWER_REMOVE || kind == POWER_RENAME);
}

/* A moved name is on the disk when the folder that it moved to is. */
static void keep_names(struct power_disk *disk, struct power_cut *cut, power_names *names)
{
    qn_vec_each (&disk->ops, op)
        if (op->record->kind == POWER_MAKE && op->object != POWER_NONE)
            disk->objects.items[op->object].made = op;
    qn_vec_each (&disk->ops, op) {
        if (!is_about_names(op))
            continue;
        size_t by = op->record->kind == POWER_RENAME ? op->to_folder : op->folder;
        if (!is_safe(disk, cut, op, by) && !survives(cut, op))
            continue;
        power_names_apply(names, op);
        if (op->record->kind != POWER_REMOVE)
            disk->objects.items[op->object].named = op->position;
    }
}

bool power_disk_write(struct power_disk *disk, struct power_cut *cut, const char *out)
{
    power_names names = {0};
    keep_names(disk, cut, &names);
    bool is_good = write_folder(disk, cut, &names, 0, out);
    power_names_free(&names);
    return is_good;
}
