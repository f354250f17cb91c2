/* Reads and makes what record.c wrote down.
 *
 *   power_replay begin LOG FOLDER          an empty log, of what will be done below a folder
 *   power_replay mark LOG TEXT             writes down that this moment is past
 *   power_replay marks LOG                 "INDEX TEXT" for each mark, and "INDEX end"
 *   power_replay cut LOG INDEX SEED OUT [--keep] [--lies-of-files] [--lies-of-names]
 *                [--spare NAME]...
 *       what the disk holds if the power goes before that record, as the seed has it, below OUT; in
 *       one line: what happened to that which was not synced. --keep: it is all there. --lies: the
 *       disk had said that it synced, and had not. --spare: this folder's machine had power.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"

#define SPARED_MAX 8

static int usage(void)
{
    fprintf(stderr, "power_replay begin|mark|marks|cut LOG ...\n");
    return 64;
}

static int append(const char *path, int flags, struct power_record record, const char *text)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | flags, 0600);
    size_t size = text == NULL ? 0 : strlen(text);
    record.data_size = (uint32_t)size;
    bool is_good = fd >= 0 && flock(fd, LOCK_EX) == 0 &&
                   write(fd, &record, sizeof(record)) == (ssize_t)sizeof(record) &&
                   (size == 0 || write(fd, text, size) == (ssize_t)size);
    if (!is_good)
        perror(path);
    if (fd >= 0)
        close(fd);
    return is_good ? 0 : 1;
}

static int begin(const char *path, const char *folder)
{
    struct stat status;
    if (stat(folder, &status) != 0 || !S_ISDIR(status.st_mode)) {
        perror(folder);
        return 1;
    }
    struct power_record record = {
        .kind = POWER_ROOT, .mode = status.st_mode, .file = status.st_ino};
    return append(path, O_CREAT | O_TRUNC, record, NULL);
}

static int print_marks(const char *path)
{
    struct power_disk disk = {0};
    bool is_good = power_disk_read(&disk, path, SIZE_MAX);
    for (size_t i = 0; is_good && i < disk.ops.count; i++) {
        const struct power_record *record = disk.ops.items[i].record;
        if (record->kind == POWER_MARK)
            printf("%zu %.*s\n", i, (int)record->data_size, (const char *)disk.ops.items[i].data);
    }
    if (is_good)
        printf("%zu end\n", disk.ops.count);
    power_disk_free(&disk);
    return is_good ? 0 : 1;
}

static bool parse_options(int count, char **arguments, struct power_disk *disk,
                          struct power_cut *cut, const char **spared, bool *ret_keeps)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(arguments[i], "--keep") == 0)
            *ret_keeps = true;
        else if (strcmp(arguments[i], "--lies-of-files") == 0)
            disk->lies_of_files = true;
        else if (strcmp(arguments[i], "--lies-of-names") == 0)
            disk->lies_of_names = true;
        else if (strcmp(arguments[i], "--spare") == 0 && i + 1 < count &&
                 cut->spared_count < SPARED_MAX)
            spared[cut->spared_count++] = arguments[++i];
        else
            return false;
    }
    cut->spared = spared;
    return true;
}

static int make_cut(int count, char **arguments)
{
    struct power_disk disk = {0};
    struct power_cut cut = {0};
    const char *spared[SPARED_MAX];
    bool keeps = false;
    if (count < 4 || !parse_options(count - 4, arguments + 4, &disk, &cut, spared, &keeps))
        return usage();
    bool is_good = power_disk_read(&disk, arguments[0], strtoull(arguments[1], NULL, 10));
    if (is_good) {
        power_cut_draw(&cut, &disk, strtoull(arguments[2], NULL, 10));
        cut.how = keeps ? POWER_KEEP : cut.how;
        is_good = power_disk_write(&disk, &cut, arguments[3]);
    }
    if (is_good)
        printf("%s, pieces of %zu, %u %%\n", power_how_name(cut.how), cut.piece, cut.odds);
    power_disk_free(&disk);
    return is_good ? 0 : 1;
}

int main(int count, char **arguments)
{
    if (count < 3)
        return usage();
    const char *what = arguments[1], *log = arguments[2];
    if (strcmp(what, "begin") == 0 && count == 4)
        return begin(log, arguments[3]);
    if (strcmp(what, "mark") == 0 && count == 4)
        return append(log, 0, (struct power_record){.kind = POWER_MARK}, arguments[3]);
    if (strcmp(what, "marks") == 0 && count == 3)
        return print_marks(log);
    if (strcmp(what, "cut") == 0)
        return make_cut(count - 2, arguments + 2);
    return usage();
}
