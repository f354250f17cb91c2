#include "disk.h"

#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- names ---- */

struct power_entry *power_names_find(power_names *names, size_t folder, const char *name,
                                     size_t name_size)
{
    qn_vec_each (names, entry)
        if (entry->folder == folder && strncmp(entry->name, name, name_size) == 0 &&
            entry->name[name_size] == '\0')
            return entry;
    return NULL;
}

static void remove_entry(power_names *names, struct power_entry *entry)
{
    if (entry == NULL)
        return;
    free(entry->name);
    qn_vec_remove(names, entry - names->items);
}

/* Whatever had the name before makes way. */
static void set_entry(power_names *names, size_t folder, const char *name, size_t name_size,
                      size_t object)
{
    struct power_entry *entry = power_names_find(names, folder, name, name_size);
    if (entry != NULL)
        entry->object = object;
    else
        qn_vec_push(names,
                    ((struct power_entry){
                        .folder = folder, .object = object, .name = strndup(name, name_size)}));
}

static void rename_entry(power_names *names, const struct power_op *op)
{
    const struct power_record *record = op->record;
    struct power_entry *from = power_names_find(names, op->folder, op->name, record->name_size);
    if (from != NULL && from->object == op->object)
        remove_entry(names, from);
    set_entry(names, op->to_folder, op->to_name, record->to_name_size, op->object);
}

void power_names_apply(power_names *names, const struct power_op *op)
{
    size_t name_size = op->record->name_size;
    if (op->record->kind == POWER_RENAME)
        rename_entry(names, op);
    else if (op->record->kind == POWER_REMOVE)
        remove_entry(names, power_names_find(names, op->folder, op->name, name_size));
    else
        set_entry(names, op->folder, op->name, name_size, op->object);
}

void power_names_free(power_names *names)
{
    qn_vec_each (names, entry)
        free(entry->name);
    qn_vec_free(names);
}

/* ---- objects ---- */

struct by_file {
    uint64_t file;
    size_t object;
};

static int by_file_cmp(const void *a, const void *b)
{
    uint64_t x = ((const struct by_file *)a)->file, y = ((const struct by_file *)b)->file;
    return (x > y) - (x < y);
}

static size_t find_object(struct power_disk *disk, uint64_t file)
{
    struct by_file key = {.file = file};
    void *found = tfind(&key, &disk->by_file, by_file_cmp);
    return found == NULL ? POWER_NONE : (*(struct by_file **)found)->object;
}

static void remember_object(struct power_disk *disk, uint64_t file, size_t object)
{
    struct by_file *fresh = malloc(sizeof(*fresh));
    if (fresh == NULL)
        abort();
    *fresh = (struct by_file){.file = file, .object = object};
    struct by_file *found = *(struct by_file **)tsearch(fresh, &disk->by_file, by_file_cmp);
    if (found != fresh)
        free(fresh);
    found->object = object;
}

static size_t add_object(struct power_disk *disk, const struct power_op *op)
{
    size_t object = disk->objects.count;
    qn_vec_push(&disk->objects, ((struct power_object){.file = op->record->file,
                                                       .mode = op->record->mode,
                                                       .first = POWER_NONE,
                                                       .last = POWER_NONE,
                                                       .top = object}));
    if (op->folder != POWER_NONE && op->folder != 0)
        disk->objects.items[object].top = disk->objects.items[op->folder].top;
    remember_object(disk, op->record->file, object);
    return object;
}

static void add_to_content(struct power_disk *disk, size_t object, size_t op)
{
    struct power_object *it = &disk->objects.items[object];
    if (it->last == POWER_NONE)
        it->first = op;
    else
        disk->ops.items[it->last].next = op;
    it->last = op;
}

/* ---- records ---- */

static void note_sync(struct power_disk *disk, const struct power_op *op)
{
    qn_vec_each (&disk->objects, object) {
        bool lies = S_ISDIR(object->mode) ? disk->lies_of_names : disk->lies_of_files;
        bool is_it = op->record->kind == POWER_SYNC_ALL ||
                     (op->object != POWER_NONE && object == &disk->objects.items[op->object]);
        if (is_it && !lies && object->synced < op->record->offset)
            object->synced = op->record->offset;
    }
}

/* The WRITEs from that position on are those that were written through. */
static void note_durable(struct power_disk *disk, const struct power_op *op)
{
    for (size_t i = disk->ops.count - 1; i-- > 0 && !disk->lies_of_files;) {
        if (disk->ops.items[i].position < op->record->offset)
            return;
        disk->ops.items[i].is_durable = true;
    }
}

static bool names_are_known(struct power_disk *disk, struct power_op *op)
{
    const struct power_record *record = op->record;
    op->folder = find_object(disk, record->folder);
    op->to_folder = find_object(disk, record->to_folder);
    if (op->folder == POWER_NONE || (record->kind == POWER_RENAME && op->to_folder == POWER_NONE))
        return false;
    if (record->kind == POWER_MAKE) {
        op->object = add_object(disk, op);
    } else if (record->kind != POWER_LINK) {
        struct power_entry *entry =
            power_names_find(&disk->names, op->folder, op->name, record->name_size);
        op->object = entry == NULL ? POWER_NONE : entry->object;
    }
    return op->object != POWER_NONE;
}

/* A name that nobody made is a socket's. */
static void take_names(struct power_disk *disk, struct power_op *op)
{
    if (names_are_known(disk, op))
        power_names_apply(&disk->names, op);
    else
        op->object = POWER_NONE;
}

static void take(struct power_disk *disk, size_t index)
{
    struct power_op *op = &disk->ops.items[index];
    op->object = find_object(disk, op->record->file);
    switch ((enum power_kind)op->record->kind) {
    case POWER_ROOT:
        op->object = add_object(disk, op);
        disk->objects.items[op->object].synced = UINT64_MAX;
        break;
    case POWER_MAKE:
    case POWER_LINK:
    case POWER_REMOVE:
    case POWER_RENAME:
        take_names(disk, op);
        break;
    case POWER_WRITE:
    case POWER_TRUNCATE:
    case POWER_MODE:
    case POWER_TIMES:
        if (op->object != POWER_NONE)
            add_to_content(disk, op->object, index);
        break;
    case POWER_MAPPED:
        if (op->object != POWER_NONE)
            disk->objects.items[op->object].is_mapped = true;
        break;
    case POWER_SYNC:
    case POWER_SYNC_ALL:
        note_sync(disk, op);
        break;
    case POWER_DURABLE:
        note_durable(disk, op);
        break;
    case POWER_MARK:
        break;
    }
}

static size_t record_size(const struct power_record *record)
{
    return sizeof(*record) + record->name_size + record->to_name_size + record->data_size;
}

static bool read_records(struct power_disk *disk, size_t count_max)
{
    size_t at = 0;
    while (at < disk->log_size && disk->ops.count < count_max) {
        struct power_record *record = qn_alloc(sizeof(*record)); /* aligned; the disk keeps it */
        size_t left = disk->log_size - at;
        if (left >= sizeof(*record))
            memcpy(record, disk->log + at, sizeof(*record));
        if (left < sizeof(*record) || left < record_size(record)) {
            qn_free(record);
            fprintf(stderr, "the log is cut short\n");
            return false;
        }
        const uint8_t *rest = disk->log + at + sizeof(*record);
        qn_vec_push(&disk->ops,
                    ((struct power_op){.record = record,
                                       .name = (const char *)rest,
                                       .to_name = (const char *)rest + record->name_size,
                                       .data = rest + record->name_size + record->to_name_size,
                                       .position = at,
                                       .object = POWER_NONE,
                                       .folder = POWER_NONE,
                                       .to_folder = POWER_NONE,
                                       .next = POWER_NONE}));
        take(disk, disk->ops.count - 1);
        at += record_size(record);
    }
    return true;
}

bool power_disk_read(struct power_disk *disk, const char *path, size_t count_max)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool is_open = fd >= 0 && fstat(fd, &status) == 0 && status.st_size > 0;
    void *log =
        is_open ? mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (fd >= 0)
        close(fd);
    if (log == MAP_FAILED) {
        perror(path);
        return false;
    }
    disk->log = log;
    disk->log_size = (size_t)status.st_size;
    return read_records(disk, count_max);
}

void power_disk_free(struct power_disk *disk)
{
    qn_vec_each (&disk->ops, op)
        qn_free((void *)op->record);
    qn_vec_each (&disk->objects, object)
        free(object->path);
    power_names_free(&disk->names);
    tdestroy(disk->by_file, free);
    qn_vec_free(&disk->ops);
    qn_vec_free(&disk->objects);
    if (disk->log != NULL)
        munmap(disk->log, disk->log_size);
}
