/* syncctl site ... */
#include "answer.h"
#include "backup_args.h"
#include "commands.h"
#include "i18n.h"
#include "status.h"

static void name_request(struct ctl *ctl, struct qn_buf *args)
{
    ctl_args_init(args, 1);
    ctl_arg_str(args, "name", ctl->arguments.items[0]);
}

int ctl_run_site_invite(struct ctl *ctl)
{
    const char *expires = ctl_has(ctl, "expires") ? ctl_value(ctl, "expires") : "24h";
    uint64_t seconds = ctl_expires_s(ctl, expires);
    if (seconds == 0)
        return CTL_USAGE;
    QN_AUTO_BUF struct qn_buf args, end;
    ctl_args_init(&args, 2);
    ctl_arg_u64(&args, "expires_s", seconds);
    ctl_arg_str(&args, "name", ctl->arguments.items[0]);
    qn_buf_init(&end, 64 * 1024);
    int code = ctl_call(ctl, "site.invite", &args, &(struct ctl_sink){.end = &end});
    if (code != CTL_DONE)
        return code;
    struct qn_span text = ctl_map_text(qn_buf_view(&end), "code");
    if (ctl->is_json)
        fputs("{\"code\":", ctl->out);
    if (ctl->is_json)
        ctl_json_text(ctl->out, text);
    else
        ctl_put_text(ctl->out, text);
    fputs(ctl->is_json ? "}\n" : "\n", ctl->out);
    ctl_say(ctl, _("Valid once, for %s. At the new site: syncctl init --site %s --join CODE"),
            expires, ctl->arguments.items[0]);
    return CTL_DONE;
}

static void add_site(struct ctl_grid *grid, struct qn_span item)
{
    ctl_add_text(grid, item, "name");
    if (ctl_map_bool(item, "withdrawn"))
        ctl_grid_add_str(grid, _("withdrawn"));
    else
        ctl_add_state(grid, item);
    ctl_grid_add_str(grid, ctl_state_word(ctl_map_text(item, "role")));
    ctl_add_text(grid, item, "address");
    ctl_add_time(grid, item, "last_contact");
    ctl_add_text(grid, item, "id");
}

int ctl_run_site_list(struct ctl *ctl)
{
    static const char *const heads[] = {N_("NAME"),    N_("STATE"),        N_("ROLE"),
                                        N_("ADDRESS"), N_("LAST CONTACT"), N_("IDENTITY")};
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 0);
    return ctl_list(ctl, "site.list", &args,
                    &(struct ctl_listing){ctl_site_shape, 6, heads, add_site, false});
}

int ctl_run_site_show(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args = {0};
    name_request(ctl, &args);
    return ctl_show(ctl, "site.show", &args, ctl_site_shape);
}

static void add_report(struct ctl_grid *grid, struct qn_span item)
{
    ctl_add_text(grid, item, "owner");
    ctl_add_text(grid, item, "holder");
    ctl_add_state(grid, item);
    ctl_add_number(grid, item, "packs");
    ctl_add_number(grid, item, "snapshots");
    ctl_add_size(grid, item, "bytes");
    ctl_add_time(grid, item, "locked_until");
    ctl_add_number(grid, item, "destroyed_packs");
    ctl_add_size(grid, item, "destroyed_bytes");
    ctl_add_time(grid, item, "reported_at");
}

int ctl_run_site_report(struct ctl *ctl)
{
    static const char *const heads[] = {
        N_("OWNER"), N_("HOLDER"), N_("STATE"),           N_("PACKS"),     N_("SNAPSHOTS"),
        N_("SIZE"),  N_("LOCKED"), N_("DESTROYED PACKS"), N_("DESTROYED"), N_("REPORTED")};
    QN_AUTO_BUF struct qn_buf args = {0};
    name_request(ctl, &args);
    int code = ctl_list(ctl, "site.report", &args,
                        &(struct ctl_listing){ctl_report_shape, 10, heads, add_report, false});
    if (code == CTL_DONE && !ctl->is_json)
        ctl_say(
            ctl, "%s",
            _("Each line is the signed word of its holder, in the ledger. That it kept no other "
              "copy cannot be proven."));
    return code;
}

int ctl_run_site_withdraw(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args = {0};
    name_request(ctl, &args);
    return ctl_do(
        ctl, "site.withdraw", &args,
        _("This site is no longer a member of its group. It keeps its own data: `syncctl record "
          "export COLLECTION` and `syncctl backup restore NAME --to DIR` write it out as plain "
          "files. What it holds for others stays until its locks are over, and is destroyed "
          "then: leave the daemon running until `syncctl site report NAME` says so."));
}

/* The warning is there with --quiet, too: it is what the command is about. */
int ctl_run_site_trust(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args = {0};
    name_request(ctl, &args);
    int code = ctl_do(ctl, "site.trust", &args, _("This site trusts its own ledger."));
    if (code == CTL_DONE && !ctl->is_json)
        fprintf(ctl->err, "%s\n",
                _("If another site of the group still exists and knows more than this store, the "
                  "two can no longer agree: then recover this site with its kit instead."));
    return code;
}

int ctl_run_site_set(struct ctl *ctl)
{
    if (!ctl_has(ctl, "legal-entity"))
        return ctl_usage_error(ctl, _("what should be set? Give --legal-entity TEXT"));
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 1);
    ctl_arg_str(&args, "entity", ctl_value(ctl, "legal-entity"));
    return ctl_do(ctl, "site.set", &args, _("Set; the other sites will see it."));
}

static void add_invite(struct ctl_grid *grid, struct qn_span item)
{
    ctl_add_text(grid, item, "label");
    ctl_add_state(grid, item);
    ctl_add_time(grid, item, "expiry");
}

int ctl_run_site_invites(struct ctl *ctl)
{
    static const char *const heads[] = {N_("NAME"), N_("STATE"), N_("EXPIRES")};
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 0);
    return ctl_list(ctl, "site.invites", &args,
                    &(struct ctl_listing){ctl_invite_shape, 3, heads, add_invite, false});
}

int ctl_run_site_revoke(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args = {0};
    name_request(ctl, &args);
    return ctl_do(ctl, "site.revoke", &args, _("The open invitations for this name are revoked."));
}
