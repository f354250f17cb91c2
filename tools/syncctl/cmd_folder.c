/* syncctl folder ... */
#include "answer.h"
#include "backup_args.h"
#include "base/limits.h"
#include "commands.h"
#include "i18n.h"
#include "proto/cursor.h"
#include "proto/pack.h"

static int no_path(struct ctl *ctl)
{
    return ctl_usage_error(ctl, _("which directory? Give --path DIR"));
}

int ctl_run_folder_create(struct ctl *ctl)
{
    const char *members = ctl_value(ctl, "members");
    if (!ctl_has(ctl, "path"))
        return no_path(ctl);
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 3);
    if (members == NULL) {
        ctl_arg_nil(&args, "members");
    } else {
        qn_pack_cstr(&args, "members");
        if (ctl_pack_names(members, &args) == 0)
            return ctl_usage_error(ctl, _("--members takes names of sites between commas"));
    }
    ctl_arg_str(&args, "name", ctl->arguments.items[0]);
    ctl_arg_str(&args, "path", ctl_value(ctl, "path"));
    return ctl_do(ctl, "folder.create", &args,
                  _("The directory is offered. Who may use it is said by `syncctl user grant`."));
}

int ctl_run_folder_attach(struct ctl *ctl)
{
    if (!ctl_has(ctl, "path"))
        return no_path(ctl);
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 2);
    ctl_arg_str(&args, "name", ctl->arguments.items[0]);
    ctl_arg_str(&args, "path", ctl_value(ctl, "path"));
    return ctl_do(ctl, "folder.attach", &args, _("The folder is there now."));
}

int ctl_run_folder_detach(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 1);
    ctl_arg_str(&args, "name", ctl->arguments.items[0]);
    return ctl_do(ctl, "folder.detach", &args,
                  _("The directory is no longer offered; its files stay where they are."));
}

int ctl_run_folder_delete(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 1);
    ctl_arg_str(&args, "name", ctl->arguments.items[0]);
    return ctl_do(ctl, "folder.delete", &args,
                  _("The folder is no longer offered, at any site. No file was deleted: the "
                    "directory is as it was."));
}

static bool is_known(struct qn_span item, const char *key)
{
    struct qn_span value;
    struct qn_cursor cursor;
    if (!ctl_map_find(item, key, &value))
        return false;
    cursor = qn_cursor(value);
    return qn_cursor_peek(&cursor) != QN_ITEM_NIL;
}

/* "> 20000" where not all was counted. */
static void add_count(struct ctl_grid *grid, struct qn_span item)
{
    char text[32] = "-";
    if (is_known(item, "files"))
        snprintf(text, sizeof(text), "%s%llu", ctl_map_bool(item, "complete") ? "" : "> ",
                 (unsigned long long)ctl_map_u64(item, "files"));
    ctl_grid_add_str(grid, text);
}

static void add_bytes(struct ctl_grid *grid, struct qn_span item)
{
    if (is_known(item, "bytes"))
        ctl_add_size(grid, item, "bytes");
    else
        ctl_grid_add_str(grid, "-");
}

static void add_folder(struct ctl_grid *grid, struct qn_span item)
{
    ctl_add_text(grid, item, "name");
    ctl_add_state(grid, item);
    ctl_add_text(grid, item, "home");
    add_count(grid, item);
    add_bytes(grid, item);
    ctl_add_text(grid, item, "path");
    ctl_add_names(grid, item, "members");
}

int ctl_run_folder_list(struct ctl *ctl)
{
    static const char *const heads[] = {N_("NAME"), N_("STATE"), N_("HOME"),   N_("FILES"),
                                        N_("SIZE"), N_("PATH"),  N_("MEMBERS")};
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 0);
    return ctl_list(ctl, "folder.list", &args,
                    &(struct ctl_listing){ctl_folder_shape, 7, heads, add_folder, false});
}

int ctl_run_folder_status(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 1);
    ctl_arg_str(&args, "name", ctl->arguments.items[0]);
    return ctl_show(ctl, "folder.status", &args, ctl_folder_shape);
}

static void add_odd_name(struct ctl_grid *grid, struct qn_span item)
{
    static const struct {
        const char *fault, *text;
    } words[] = {
        {"alike", N_("Windows and macOS take it for another one beside it")},
        {"character", N_("has a character that Windows cannot have in a name")},
        {"ending", N_("ends with a dot or a space, which Windows cannot show")},
        {"device", N_("is the name of a device in Windows")},
    };
    struct qn_span fault = ctl_map_text(item, "fault");
    const char *text = "-";
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (qn_span_eq_str(fault, words[i].fault))
            text = gettext(words[i].text);
    ctl_add_text(grid, item, "path");
    ctl_grid_add_str(grid, text);
}

static void say_rest(struct ctl *ctl, struct qn_span end)
{
    if (!ctl_map_bool(end, "complete"))
        ctl_say(ctl, "%s", _("There are more names than were looked at, or than are shown."));
}

int ctl_run_folder_names(struct ctl *ctl)
{
    static const char *const heads[] = {N_("PATH"), N_("WHAT")};
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 1);
    ctl_arg_str(&args, "name", ctl->arguments.items[0]);
    return ctl_list_and(ctl, "folder.names", &args,
                        &(struct ctl_listing){ctl_odd_name_shape, 2, heads, add_odd_name, false},
                        say_rest);
}
