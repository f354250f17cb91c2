/* syncctl collection ... */
#include "answer.h"
#include "base/limits.h"
#include "commands.h"
#include "i18n.h"
#include "proto/pack.h"

int ctl_run_collection_create(struct ctl *ctl)
{
    const char *members = ctl_value(ctl, "members");
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 2);
    if (members == NULL) {
        ctl_arg_nil(&args, "members");
    } else {
        qn_pack_cstr(&args, "members");
        if (ctl_pack_names(members, &args) == 0)
            return ctl_usage_error(ctl, _("--members takes names of sites between commas"));
    }
    ctl_arg_str(&args, "name", ctl->arguments.items[0]);
    return ctl_do(ctl, "collection.create", &args, _("The collection is made."));
}

static void add_sync(struct ctl_grid *grid, struct qn_span item)
{
    ctl_grid_add_str(grid, ctl_map_bool(item, "incomplete") ? _("incomplete")
                           : ctl_map_bool(item, "in_sync")  ? _("in sync")
                                                            : _("behind"));
}

static void add_kind(struct ctl_grid *grid, struct qn_span item)
{
    bool is_folder = qn_span_eq_str(ctl_map_text(item, "kind"), "folder");
    ctl_grid_add_str(grid, is_folder ? _("folder") : _("records"));
}

static void add_collection(struct ctl_grid *grid, struct qn_span item)
{
    ctl_add_text(grid, item, "name");
    ctl_add_number(grid, item, "records");
    ctl_add_number(grid, item, "conflicts");
    add_sync(grid, item);
    ctl_add_names(grid, item, "members");
    add_kind(grid, item);
}

int ctl_run_collection_list(struct ctl *ctl)
{
    static const char *const heads[] = {N_("NAME"),  N_("RECORDS"), N_("CONFLICTS"),
                                        N_("STATE"), N_("MEMBERS"), N_("KIND")};
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 0);
    return ctl_list(
        ctl, "collection.list", &args,
        &(struct ctl_listing){ctl_collection_list_shape, 6, heads, add_collection, false});
}

int ctl_run_collection_show(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 1);
    ctl_arg_str(&args, "name", ctl->arguments.items[0]);
    return ctl_show(ctl, "collection.show", &args, ctl_collection_show_shape);
}

int ctl_run_collection_grant(struct ctl *ctl)
{
    bool is_grant = strcmp(ctl->command->verb, "grant") == 0;
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 2);
    ctl_arg_str(&args, "name", ctl->arguments.items[0]);
    ctl_arg_str(&args, "site", ctl->arguments.items[1]);
    return ctl_do(ctl, is_grant ? "collection.grant" : "collection.ungrant", &args,
                  is_grant ? _("The site shares the collection now.")
                           : _("The site no longer shares the collection."));
}

int ctl_run_collection_give_up(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 1);
    ctl_arg_str(&args, "name", ctl->arguments.items[0]);
    return ctl_do(ctl, "collection.give-up", &args,
                  _("What is left of the damaged records is written anew."));
}

int ctl_run_collection_resume(struct ctl *ctl)
{
    bool is_rescue = strcmp(ctl->command->verb, "rescue") == 0;
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 1);
    ctl_arg_str(&args, "name", ctl->arguments.items[0]);
    return ctl_do(ctl, is_rescue ? "collection.rescue" : "collection.resume", &args,
                  is_rescue ? _("What only this site has is written anew.")
                            : _("The collection is brought up to date."));
}
