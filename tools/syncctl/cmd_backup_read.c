/* syncctl backup ls, find and diff: what is in a snapshot. */
#include "backup_read.h"

#include <inttypes.h>
#include <string.h>

#include "answer.h"
#include "backup_args.h"
#include "base/limits.h"
#include "base/text.h"
#include "chunk/entry.h"
#include "commands.h"
#include "i18n.h"
#include "proto/cursor.h"
#include "proto/pack.h"

int ctl_take_snapshot(struct ctl *ctl, const char *text, struct ctl_snapshot_text *ret_names)
{
    if (ctl_split_snapshot(text, ret_names->plan, sizeof(ret_names->plan), ret_names->snapshot,
                           sizeof(ret_names->snapshot)))
        return CTL_DONE;
    return ctl_usage_error(
        ctl, _("%s: after @ comes an id, a day (2026-11-20) or a time (\"2026-11-20 08:00\")"),
        text);
}

const char *ctl_or_nil(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

/* ---- paths in JSON: lossy where they are no UTF-8, and then exact beside it ---- */

static void append_base64(struct qn_buf *out, struct qn_span bytes)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes.size; i += 3) {
        size_t left = bytes.size - i;
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        group |= left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0;
        group |= left > 2 ? bytes.data[i + 2] : 0;
        for (size_t j = 0; j < 4; j++)
            qn_buf_append_u8(out, j <= left ? (uint8_t)letters[group >> (18 - 6 * j) & 63] : '=');
    }
}

static void append_lossy(struct qn_buf *out, struct qn_span bytes)
{
    for (size_t at = 0; at < bytes.size;) {
        size_t size = bytes.size - at < 4 ? bytes.size - at : 4;
        while (size > 1 && !(qn_text_is_utf8(qn_span(bytes.data + at, size)) &&
                             !qn_text_is_utf8(qn_span(bytes.data + at, 1))))
            size--;
        if (qn_text_is_utf8(qn_span(bytes.data + at, size)))
            qn_buf_append(out, bytes.data + at, size);
        else
            qn_buf_append_str(out, "\xef\xbf\xbd");
        at += size;
    }
}

static void json_path(FILE *out, struct qn_span path)
{
    QN_AUTO_BUF struct qn_buf text, exact;
    bool is_text = qn_text_is_utf8(path);
    qn_buf_init(&text, 3 * QN_PATH_SIZE_MAX + 16);
    qn_buf_init(&exact, 2 * QN_PATH_SIZE_MAX + 16);
    append_lossy(&text, path);
    fputs("\"path\":", out);
    ctl_json_text(out, qn_buf_view(&text));
    if (is_text)
        return;
    append_base64(&exact, path);
    fputs(",\"path_b64\":", out);
    ctl_json_text(out, qn_buf_view(&exact));
}

struct qn_span ctl_bin_of(struct qn_span packed)
{
    struct qn_cursor cursor = qn_cursor(packed);
    struct qn_span bytes = {0};
    if (qn_cursor_bin(&cursor, SIZE_MAX, &bytes) != QN_OK)
        bytes = qn_span(NULL, 0);
    return bytes;
}

static struct qn_span path_member(struct qn_span map)
{
    struct qn_span packed;
    return ctl_map_find(map, "path", &packed) ? ctl_bin_of(packed) : qn_span(NULL, 0);
}

/* ---- ls ---- */

struct view {
    struct ctl *ctl;
    struct ctl_json_list json;
    size_t count;
};

static const char *type_word(enum qn_entry_type type)
{
    static const char *const words[] = {
        [QN_ENTRY_DIR] = "directory",     [QN_ENTRY_FILE] = "file", [QN_ENTRY_SYMLINK] = "symlink",
        [QN_ENTRY_HARDLINK] = "hardlink", [QN_ENTRY_FIFO] = "fifo", [QN_ENTRY_SOCKET] = "socket",
        [QN_ENTRY_BLOCK] = "block",       [QN_ENTRY_CHAR] = "char"};
    return words[type];
}

static uint64_t entry_ms(const struct qn_entry *entry)
{
    return entry->mtime_s < 0 ? 0 : (uint64_t)entry->mtime_s * 1000 + entry->mtime_ns / 1000000;
}

static void json_entry(struct view *view, const struct qn_entry *entry)
{
    FILE *out = view->ctl->out;
    ctl_json_list_next(&view->json);
    fputc('{', out);
    json_path(out, entry->path);
    fprintf(out, ",\"type\":\"%s\",\"mode\":\"%04o\",\"uid\":%u,\"gid\":%u,\"size\":%" PRIu64,
            type_word(entry->type), (unsigned)entry->mode, entry->uid, entry->gid, entry->size);
    fputs(",\"mtime\":", out);
    ctl_json_time(out, true, entry_ms(entry));
    fputc('}', out);
}

static void print_mode(FILE *out, const struct qn_entry *entry)
{
    static const char types[] = "?d-lhpsbc";
    char text[11] = "?rwxrwxrwx";
    text[0] = types[entry->type];
    for (unsigned i = 0; i < 9; i++)
        if ((entry->mode >> (8 - i) & 1) == 0)
            text[i + 1] = '-';
    fprintf(out, "%s ", text);
}

static void print_owner(FILE *out, struct qn_span name, uint32_t number)
{
    if (name.size == 0)
        fprintf(out, "%-8u ", number);
    else
        fprintf(out, "%-8.*s ", (int)name.size, (const char *)name.data);
}

static void print_entry(struct view *view, const struct qn_entry *entry)
{
    FILE *out = view->ctl->out;
    QN_AUTO_BUF struct qn_buf time;
    qn_buf_init(&time, 64);
    ctl_append_time(&time, entry_ms(entry));
    print_mode(out, entry);
    print_owner(out, entry->user, entry->uid);
    print_owner(out, entry->group, entry->gid);
    fprintf(out, "%12" PRIu64 " %.*s ", entry->size, (int)time.size, (const char *)time.data);
    ctl_put_text(out, entry->path);
    if (entry->target.size > 0) {
        fputs(entry->type == QN_ENTRY_HARDLINK ? " = " : " -> ", out);
        ctl_put_text(out, entry->target);
    }
    fputc('\n', out);
}

bool ctl_read_entry(struct qn_span packed, struct qn_buf *path, struct qn_entry *ret_entry)
{
    size_t offset = 0;
    struct qn_span bytes = ctl_bin_of(packed);
    qn_buf_reset(path);
    return qn_entry_read(bytes, &offset, path, ret_entry) == QN_OK && offset == bytes.size;
}

static int on_entries(void *context, struct qn_span data)
{
    struct view *view = context;
    struct ctl_walk walk = ctl_walk(data);
    QN_AUTO_BUF struct qn_buf path;
    qn_buf_init(&path, QN_PATH_SIZE_MAX);
    while (ctl_walk_next(&walk)) {
        struct qn_entry entry;
        if (!ctl_read_entry(walk.value, &path, &entry))
            return ctl_fail_str(view->ctl, "internal", "backup.ls");
        view->count++;
        if (view->ctl->is_json)
            json_entry(view, &entry);
        else
            print_entry(view, &entry);
    }
    return CTL_DONE;
}

int ctl_run_backup_ls(struct ctl *ctl)
{
    struct view view = {.ctl = ctl, .json = {.out = ctl->out}};
    struct ctl_snapshot_text names;
    QN_AUTO_BUF struct qn_buf args = {0};
    int code = ctl_take_snapshot(ctl, ctl->arguments.items[0], &names);
    if (code != CTL_DONE)
        return code;
    ctl_args_init(&args, 6);
    ctl_arg_str(&args, "from", ctl_value(ctl, "from"));
    ctl_arg_str(&args, "name", names.plan);
    qn_pack_cstr(&args, "path");
    if (ctl->arguments.count > 1)
        qn_pack_bin(&args, qn_span_str(ctl->arguments.items[1]));
    else
        qn_pack_nil(&args);
    qn_pack_cstr(&args, "recursive");
    qn_pack_bool(&args, ctl_has(ctl, "recursive"));
    ctl_arg_str(&args, "snapshot", ctl_or_nil(names.snapshot));
    qn_pack_cstr(&args, "store");
    qn_pack_bool(&args, ctl_has(ctl, "store"));
    code = ctl_call(
        ctl, "backup.ls", &args,
        &(struct ctl_sink){.on_data = on_entries, .context = &view, .waits_for_ever = true});
    if (code == CTL_DONE && ctl->is_json)
        ctl_json_list_end(&view.json);
    return code;
}

/* ---- find ---- */

static void append_id(struct qn_buf *out, struct qn_span map)
{
    struct qn_span packed, name = {0};
    if (ctl_map_find(map, "id", &packed))
        name = ctl_bin_of(packed);
    qn_text_append_hex(out, qn_span(name.data, name.size < 4 ? name.size : 4));
}

static void show_found(struct view *view, struct qn_span item)
{
    FILE *out = view->ctl->out;
    QN_AUTO_BUF struct qn_buf id, time;
    qn_buf_init(&id, 64);
    qn_buf_init(&time, 64);
    append_id(&id, item);
    if (view->ctl->is_json) {
        ctl_json_list_next(&view->json);
        fprintf(out, "{\"id\":\"%.*s\",", (int)id.size, (const char *)id.data);
        json_path(out, path_member(item));
        fprintf(out, ",\"size\":%" PRIu64 ",\"mtime\":", ctl_map_u64(item, "size"));
        ctl_json_time(out, true, ctl_map_u64(item, "mtime"));
        fputc('}', out);
        return;
    }
    ctl_append_time(&time, ctl_map_u64(item, "mtime"));
    fprintf(out, "%.*s\t%" PRIu64 "\t%.*s\t", (int)id.size, (const char *)id.data,
            ctl_map_u64(item, "size"), (int)time.size, (const char *)time.data);
    ctl_put_text(out, path_member(item));
    fputc('\n', out);
}

static int on_found(void *context, struct qn_span data)
{
    struct view *view = context;
    struct ctl_walk walk = ctl_walk(data);
    while (ctl_walk_next(&walk)) {
        show_found(view, walk.value);
        view->count++;
    }
    return CTL_DONE;
}

int ctl_run_backup_find(struct ctl *ctl)
{
    struct view view = {.ctl = ctl, .json = {.out = ctl->out}};
    QN_AUTO_BUF struct qn_buf args = {0};
    size_t last = ctl->arguments.count - 1;
    ctl_args_init(&args, 3);
    ctl_arg_str(&args, "from", ctl_value(ctl, "from"));
    ctl_arg_str(&args, "name", last > 0 ? ctl->arguments.items[0] : NULL);
    ctl_arg_str(&args, "pattern", ctl->arguments.items[last]);
    int code =
        ctl_call(ctl, "backup.find", &args,
                 &(struct ctl_sink){.on_data = on_found, .context = &view, .waits_for_ever = true});
    if (code == CTL_DONE && ctl->is_json)
        ctl_json_list_end(&view.json);
    return code;
}

/* ---- diff ---- */

static void show_change(struct view *view, struct qn_span item)
{
    FILE *out = view->ctl->out;
    struct qn_span change = ctl_map_text(item, "change");
    view->count++;
    if (view->ctl->is_json) {
        ctl_json_list_next(&view->json);
        fprintf(out, "{\"change\":\"%.*s\",", (int)change.size, (const char *)change.data);
        json_path(out, path_member(item));
        fputc('}', out);
        return;
    }
    bool is_added = qn_span_eq_str(change, "added"), is_gone = qn_span_eq_str(change, "removed"),
         is_mode = qn_span_eq_str(change, "mode");
    fputs(is_added ? "+ " : is_gone ? "- " : is_mode ? "m " : "c ", out);
    ctl_put_text(out, path_member(item));
    fputc('\n', out);
}

static int on_changes(void *context, struct qn_span data)
{
    struct ctl_walk walk = ctl_walk(data);
    while (ctl_walk_next(&walk))
        show_change(context, walk.value);
    return CTL_DONE;
}

int ctl_run_backup_diff(struct ctl *ctl)
{
    struct view view = {.ctl = ctl, .json = {.out = ctl->out}};
    struct ctl_snapshot_text a, b;
    QN_AUTO_BUF struct qn_buf args = {0};
    int code = ctl_take_snapshot(ctl, ctl->arguments.items[0], &a);
    if (code == CTL_DONE)
        code = ctl_take_snapshot(ctl, ctl->arguments.items[1], &b);
    if (code != CTL_DONE)
        return code;
    if (strcmp(a.plan, b.plan) != 0)
        return ctl_usage_error(ctl, _("both snapshots must be of one plan"));
    ctl_args_init(&args, 4);
    ctl_arg_str(&args, "a", ctl_or_nil(a.snapshot));
    ctl_arg_str(&args, "b", ctl_or_nil(b.snapshot));
    ctl_arg_str(&args, "from", ctl_value(ctl, "from"));
    ctl_arg_str(&args, "name", a.plan);
    code = ctl_call(
        ctl, "backup.diff", &args,
        &(struct ctl_sink){.on_data = on_changes, .context = &view, .waits_for_ever = true});
    if (code == CTL_DONE && ctl->is_json)
        ctl_json_list_end(&view.json);
    return code;
}
