/* syncctl recover: the state directory of a lost site, on an empty machine, with its kit. The
 * daemon takes the place back when it first runs (docs/control.md, section 6). */
#include <string.h>

#include "app/setup.h"
#include "base/mem.h"
#include "commands.h"
#include "crypto/digest.h"
#include "i18n.h"
#include "json_out.h"
#include "kit_file.h"
#include "os/os.h"
#include "site_dir.h"

static int check_options(const struct ctl *ctl)
{
    const char *from = ctl_value(ctl, "from");
    if (ctl_value(ctl, "kit") == NULL || from == NULL)
        return ctl_usage_error(ctl, _("give --kit FILE and --from HOST:PORT"));
    if (!site_dir_is_address(from))
        return ctl_fail_str(ctl, "bad-address", from);
    return site_dir_check_addresses(ctl);
}

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from != NULL ? from : "");
}

static enum qn_err fill_setup(const struct ctl *ctl, const struct qn_kit *kit,
                              struct qn_setup *setup)
{
    copy_text(setup->name, sizeof(setup->name), kit->site_name);
    copy_text(setup->from, sizeof(setup->from), ctl_value(ctl, "from"));
    copy_text(setup->listen, sizeof(setup->listen), ctl_value(ctl, "listen"));
    copy_text(setup->advertise, sizeof(setup->advertise), ctl_value(ctl, "advertise"));
    qn_os_random(setup->seed, sizeof(setup->seed));
    setup->is_recovered = true;
    setup->identity = kit->site;
    memcpy(setup->group_prefix, kit->group_prefix, sizeof(setup->group_prefix));
    memcpy(setup->kit_seed, kit->seed, sizeof(setup->kit_seed));
    return qn_kit_keys(kit->seed, &setup->recovery_sign, &setup->recovery_seal);
}

static void print_result(const struct ctl *ctl, const struct qn_kit *kit)
{
    QN_AUTO_BUF struct qn_buf identity;
    qn_buf_init(&identity, 256);
    qn_site_id_print(&kit->site, &identity);
    if (ctl->is_json) {
        fputs("{\"site\":", ctl->out);
        ctl_json_text(ctl->out, qn_span_str(kit->site_name));
        fputs(",\"group\":", ctl->out);
        ctl_json_text(ctl->out, qn_span_str(kit->group_name));
        fputs(",\"identity\":", ctl->out);
        ctl_json_text(ctl->out, qn_buf_view(&identity));
        fputs("}\n", ctl->out);
    } else if (!ctl->is_quiet) {
        fprintf(ctl->out, _("Site %s, identity %.*s\n"), kit->site_name, (int)identity.size,
                (const char *)identity.data);
        fprintf(
            ctl->out, "%s\n",
            _("It has a new key. The daemon takes its place in the group back; `syncctl status` "
              "shows how far it is."));
        site_dir_say_next(ctl);
    }
}

static int set_up(const struct ctl *ctl, const struct qn_kit *kit, struct qn_setup *setup)
{
    if (fill_setup(ctl, kit, setup) != QN_OK)
        return ctl_fail_str(ctl, "crypto-failed", "");
    int code = site_dir_make(ctl);
    if (code != CTL_DONE)
        return code;
    if (qn_setup_write(ctl->state_dir, setup) != QN_OK) {
        site_dir_take_back(ctl);
        return ctl_fail_str(ctl, "write-failed", ctl->state_dir);
    }
    site_dir_give_to_service(ctl);
    print_result(ctl, kit);
    return CTL_DONE;
}

int ctl_run_recover(struct ctl *ctl)
{
    struct qn_kit kit = {0};
    struct qn_setup setup = {0};
    int code = check_options(ctl);
    if (code == CTL_DONE)
        code = kit_file_read(ctl, ctl_value(ctl, "kit"), &kit);
    if (code == CTL_DONE)
        code = set_up(ctl, &kit, &setup);
    qn_setup_deinit(&setup);
    qn_wipe(&kit, sizeof(kit));
    return code;
}
