/* Walks a path, itself or through the reading unit, and prints what it finds:
 *
 *   list_tree PATH [SOCKET]      "KIND PATH UID" of each entry that is not above it, with the text
 *                                of small files; "! PATH ERRNO". Exit status 2: no walk
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vault/walk.h"

static void on_error(void *context, struct qn_span path, int error)
{
    (void)context;
    printf("! %.*s %s\n", (int)path.size, (const char *)path.data, strerrorname_np(error));
}

static void print_content(struct qn_walk *walk)
{
    char text[256];
    int fd;
    if (qn_walk_open(walk, &fd) != QN_OK) {
        printf(" %s", strerrorname_np(errno));
        return;
    }
    ssize_t size = read(fd, text, sizeof(text));
    close(fd);
    if (size >= 0)
        printf(" %.*s", (int)size, text);
}

int main(int argc, char **argv)
{
    static const char kinds[] = "?dflhpsbc";
    const char *paths[] = {argv[1]};
    struct qn_walk_options options = {.paths = paths,
                                      .path_count = 1,
                                      .reader_socket = argc > 2 ? argv[2] : NULL,
                                      .on_error = on_error};
    struct qn_walk *walk;
    struct qn_entry entry;
    enum qn_err err = qn_walk_new(&options, &walk);
    if (err != QN_OK) {
        printf("no walk: %s\n", qn_err_name(err));
        return 2;
    }
    while ((err = qn_walk_next(walk, &entry)) == QN_OK) {
        if (!qn_path_is_below(entry.path, qn_span_str(argv[1] + 1)))
            continue;
        printf("%c %.*s %u", kinds[entry.type], (int)entry.path.size, (const char *)entry.path.data,
               entry.uid);
        if (entry.type == QN_ENTRY_FILE)
            print_content(walk);
        putchar('\n');
    }
    qn_walk_free(walk);
    return err == QN_ERR_NOTFOUND ? 0 : 2;
}
