/* Listing a directory in parts: each part is one job that reads names and looks at them; between
 * two parts only the open directory is kept. What a part found is described on the loop thread,
 * where the rows are.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>

#include "base/mem.h"
#include "base/vec.h"
#include "files/local_impl.h"
#include "files/names.h"

#define PART_ENTRIES 512

struct found {
    size_t name_at, name_size; /* in `names`: normal form C */
    struct statx status;
};

struct list_call {
    struct qn_folder_call call;
    DIR *stream;
    bool is_end, is_giving, wants_more;
    int64_t now_ns;
    struct qn_buf names;
    struct found *found; /* PART_ENTRIES */
    size_t count;
    qn_folder_list_fn part;
};

/* Two names of one normal form: that is shown which a path leads to. */
static bool is_shadowed(int dir, struct qn_span name, struct qn_span composed)
{
    char text[NAME_MAX + 1];
    struct stat status;
    if (qn_span_eq(name, composed) || composed.size > NAME_MAX)
        return composed.size > NAME_MAX;
    memcpy(text, composed.data, composed.size);
    text[composed.size] = '\0';
    return fstatat(dir, text, &status, AT_SYMLINK_NOFOLLOW) == 0;
}

static void take(struct list_call *list, int dir, const char *text)
{
    struct qn_span name = qn_span_str(text);
    struct found *found = &list->found[list->count];
    size_t at = list->names.size;
    if (!qn_name_is_shown(name) || name_look(dir, text, &found->status) != QN_OK ||
        qn_name_compose(name, &list->names) != QN_OK)
        return;
    found->name_at = at;
    found->name_size = list->names.size - at;
    if (is_shadowed(dir, name, qn_span(list->names.data + at, found->name_size)))
        qn_buf_truncate(&list->names, at);
    else
        list->count++;
}

static bool may_be_seen(const struct dirent *entry)
{
    bool is_dots = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    return !is_dots &&
           (entry->d_type == DT_REG || entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN);
}

static enum qn_err list_open(struct list_call *list)
{
    struct statx status;
    AUTO_PLACE struct place place = {.parent = -1};
    QN_TRY(real_find(list->call.folder, qn_buf_view(&list->call.path), &place));
    QN_TRY(place_look(&place, &status));
    if (!is_directory(&status))
        return QN_ERR_STATE;
    int fd = place.is_root ? openat(place.parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                           : beneath_open(place.parent, place.name, O_RDONLY | O_DIRECTORY);
    list->stream = fd < 0 ? NULL : fdopendir(fd);
    if (list->stream != NULL)
        return QN_OK;
    int code = errno;
    close_fd(&fd);
    return files_err(code);
}

static void list_work(struct qn_folder_call *call)
{
    struct list_call *list = (struct list_call *)call;
    list->now_ns = wall_ns();
    if (list->stream == NULL)
        call->err = list_open(list);
    while (call->err == QN_OK && !list->is_end && list->count < PART_ENTRIES) {
        errno = 0;
        const struct dirent *entry = readdir(list->stream);
        if (entry == NULL && errno != 0)
            call->err = files_err(errno);
        else if (entry == NULL)
            list->is_end = true;
        else if (may_be_seen(entry))
            take(list, dirfd(list->stream), entry->d_name);
    }
}

static void describe(struct list_call *list, struct qn_buf *path, const struct found *found,
                     struct qn_entry_info *ret_entry)
{
    struct row row;
    struct qn_span name = qn_span(list->names.data + found->name_at, found->name_size);
    size_t before = path->size;
    if (before > 0)
        qn_buf_append_u8(path, '/');
    qn_buf_append_span(path, name);
    bool has_row = !is_directory(&found->status) && qn_buf_status(path) == QN_OK &&
                   rows_get(list->call.folder, qn_buf_view(path), &row);
    qn_buf_truncate(path, before);
    entry_describe(&found->status, has_row ? &row : NULL, list->now_ns, name, ret_entry);
}

static void give_part(struct list_call *list)
{
    QN_AUTO_FREE struct qn_entry_info *entries = qn_alloc(PART_ENTRIES * sizeof(*entries));
    QN_AUTO_BUF struct qn_buf path;
    qn_buf_init(&path, list->call.path.size_max + NAME_MAX + 1);
    qn_buf_append_span(&path, qn_buf_view(&list->call.path));
    for (size_t i = 0; i < list->count; i++)
        describe(list, &path, &list->found[i], &entries[i]);
    list->part(list->call.context, QN_OK, entries, list->count, list->count == 0);
}

static void next_part(struct list_call *list)
{
    list->call.is_paused = list->wants_more = false;
    list->count = 0;
    qn_buf_reset(&list->names);
    call_start(&list->call);
}

static void list_finish(struct qn_folder_call *call)
{
    struct list_call *list = (struct list_call *)call;
    if (call->err == QN_OK && atomic_load(&call->is_cancelled))
        call->err = QN_ERR_CLOSED;
    if (call->err != QN_OK) {
        list->part(call->context, call->err, NULL, 0, true);
        call_end(call);
        return;
    }
    bool is_last = list->count == 0;
    list->is_giving = true;
    give_part(list); /* may ask for more, or cancel, from inside */
    list->is_giving = false;
    if (is_last) {
        call_end(call);
        return;
    }
    call->is_paused = true;
    if (atomic_load(&call->is_cancelled))
        call_cancel(call);
    else if (list->wants_more)
        next_part(list);
}

static void list_free(struct qn_folder_call *call)
{
    struct list_call *list = (struct list_call *)call;
    if (list->stream != NULL)
        closedir(list->stream);
    qn_buf_deinit(&list->names);
    qn_free(list->found);
}

static const struct call_kind list_kind = {
    .work = list_work,
    .finish = list_finish,
    .free = list_free,
};

struct qn_folder_call *real_list(struct qn_folder *folder, struct qn_span path,
                                 qn_folder_list_fn part, void *context)
{
    struct list_call *list = call_new(real_of(folder), &list_kind, sizeof(*list), path, context);
    list->part = part;
    list->found = qn_alloc(PART_ENTRIES * sizeof(*list->found));
    qn_buf_init(&list->names, (size_t)PART_ENTRIES * (4 * NAME_MAX));
    call_start(&list->call);
    return &list->call;
}

void real_more(struct qn_folder_call *call)
{
    struct list_call *list = (struct list_call *)call;
    if (list->is_giving)
        list->wants_more = true; /* what was given is still looked at */
    else if (call->is_paused)
        next_part(list);
}
