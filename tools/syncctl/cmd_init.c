/* syncctl init: the state directory of a new site (docs/control.md, section 6). */
#include "app/setup.h"
#include "base/mem.h"
#include "base/text.h"
#include "commands.h"
#include "crypto/digest.h"
#include "i18n.h"
#include "json_out.h"
#include "model/invitation.h"
#include "model/ledger.h"
#include "os/os.h"
#include "site_dir.h"

#define KIT_SIZE_MAX (64 * 1024)

struct founding {
    struct ctl *ctl;
    const char *site, *group, *join; /* group or join is NULL */
    struct qn_code code;             /* of join */
    struct qn_setup setup;
    struct qn_kit kit;
    struct qn_signer *signer;
    struct qn_site_id id;
    struct qn_digest group_id;
    char kit_path[4096];
};

static int check_join(struct founding *it)
{
    struct ctl *ctl = it->ctl;
    if (qn_code_parse(qn_span_str(it->join), &it->code) != QN_OK)
        return ctl_fail_str(ctl, "code-mistyped", "--join");
    if ((uint64_t)it->code.expiry_s * 1000 <= qn_os_wall_ms())
        return ctl_fail_str(ctl, "invitation-expired", "--join");
    return CTL_DONE;
}

static int check_options(struct founding *it)
{
    struct ctl *ctl = it->ctl;
    if (it->site == NULL || (it->group == NULL) == (it->join == NULL))
        return ctl_usage_error(ctl, _("give --site NAME, and --group GROUP or --join CODE"));
    if (!qn_text_is_name(qn_span_str(it->site)))
        return ctl_fail_str(ctl, "bad-name", it->site);
    if (it->group != NULL && !qn_text_is_name(qn_span_str(it->group)))
        return ctl_fail_str(ctl, "bad-name", it->group);
    int code = site_dir_check_addresses(ctl);
    if (code != CTL_DONE)
        return code;
    const char *entity = ctl_value(ctl, "legal-entity");
    if (entity != NULL &&
        (strlen(entity) > QN_ENTITY_SIZE_MAX || !qn_text_is_printable(qn_span_str(entity))))
        return ctl_fail_str(ctl, "bad-entity", "--legal-entity");
    return it->join != NULL ? check_join(it) : CTL_DONE;
}

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from != NULL ? from : "");
}

static void fill_setup(struct founding *it)
{
    struct ctl *ctl = it->ctl;
    struct qn_setup *setup = &it->setup;
    copy_text(setup->name, sizeof(setup->name), it->site);
    copy_text(setup->legal_entity, sizeof(setup->legal_entity), ctl_value(ctl, "legal-entity"));
    copy_text(setup->listen, sizeof(setup->listen), ctl_value(ctl, "listen"));
    copy_text(setup->advertise, sizeof(setup->advertise), ctl_value(ctl, "advertise"));
    qn_os_random(setup->seed, sizeof(setup->seed));
    if (it->join != NULL)
        setup->join = qn_strdup(it->join);
}

static enum qn_err make_keys(struct founding *it)
{
    QN_TRY(qn_signer_new(it->setup.seed, &it->signer));
    qn_site_id_of(qn_signer_public(it->signer), &it->id);
    qn_os_random(it->kit.seed, sizeof(it->kit.seed));
    return qn_kit_keys(it->kit.seed, &it->setup.recovery_sign, &it->setup.recovery_seal);
}

static enum qn_err make_genesis(struct founding *it)
{
    struct qn_body_genesis genesis = {
        .group_name = qn_span_str(it->group),
        .site_name = qn_span_str(it->site),
        .legal_entity = qn_span_str(it->setup.legal_entity),
        .keys = {*qn_signer_public(it->signer), it->setup.recovery_sign, it->setup.recovery_seal},
    };
    qn_os_random(genesis.nonce, sizeof(genesis.nonce));
    struct qn_buf entry;
    qn_buf_init(&entry, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_hlc hlc = (qn_hlc)(qn_os_wall_ms() << 16);
    enum qn_err err = qn_genesis_compose(it->signer, &genesis, hlc, &entry, &it->group_id);
    if (err == QN_OK)
        it->setup.genesis = qn_buf_take(&entry, &it->setup.genesis_size);
    qn_buf_deinit(&entry);
    return err;
}

static enum qn_err write_kit(struct founding *it)
{
    struct qn_kit *kit = &it->kit;
    kit->site = it->id;
    kit->made_ms = qn_os_wall_ms();
    copy_text(kit->site_name, sizeof(kit->site_name), it->site);
    copy_text(kit->group_name, sizeof(kit->group_name), it->group);
    const uint8_t *prefix = it->join ? it->code.group_prefix : it->group_id.bytes;
    memcpy(kit->group_prefix, prefix, sizeof(kit->group_prefix));
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, KIT_SIZE_MAX);
    qn_kit_print(kit, &text);
    snprintf(it->kit_path, sizeof(it->kit_path), "%s/recovery-kit.txt", it->ctl->state_dir);
    enum qn_err err = qn_os_replace_file(it->kit_path, qn_buf_view(&text), 0600);
    qn_wipe(text.data, text.size);
    return err;
}

static void print_json(const struct founding *it, struct qn_span identity)
{
    FILE *out = it->ctl->out;
    fputs("{\"site\":", out);
    ctl_json_text(out, qn_span_str(it->site));
    fputs(",\"group\":", out);
    if (it->group != NULL)
        ctl_json_text(out, qn_span_str(it->group));
    else
        fputs("null", out); /* known when the join is complete */
    fputs(",\"identity\":", out);
    ctl_json_text(out, identity);
    fputs(",\"kit\":", out);
    ctl_json_text(out, qn_span_str(it->kit_path));
    fputs("}\n", out);
}

static void print_result(const struct founding *it)
{
    struct ctl *ctl = it->ctl;
    QN_AUTO_BUF struct qn_buf identity;
    qn_buf_init(&identity, 256);
    qn_site_id_print(&it->id, &identity);
    if (ctl->is_json) {
        print_json(it, qn_buf_view(&identity));
        return;
    }
    if (ctl->is_quiet)
        return;
    fprintf(ctl->out, _("Site %s, identity %.*s\n"), it->site, (int)identity.size,
            (const char *)identity.data);
    bool is_default = site_dir_is_default(ctl);
    const char *option = is_default ? "" : " --state ", *dir = is_default ? "" : ctl->state_dir;
    fprintf(ctl->out,
            _("Recovery kit: %s\n  Print it, lock it away, then run `syncctl kit confirm%s%s`.\n"),
            it->kit_path, option, dir);
    site_dir_say_next(ctl);
}

static int make_site(struct founding *it)
{
    fill_setup(it);
    if (make_keys(it) != QN_OK || (it->group != NULL && make_genesis(it) != QN_OK))
        return ctl_fail_str(it->ctl, "crypto-failed", "");
    if (write_kit(it) != QN_OK) {
        site_dir_take_back(it->ctl);
        return ctl_fail_str(it->ctl, "write-failed", it->kit_path);
    }
    enum qn_err err = qn_setup_write(it->ctl->state_dir, &it->setup);
    if (err == QN_ERR_EXISTS)
        return ctl_fail_str(it->ctl, "site-exists", it->ctl->state_dir);
    if (err != QN_OK) {
        site_dir_take_back(it->ctl);
        return ctl_fail_str(it->ctl, "write-failed", it->ctl->state_dir);
    }
    site_dir_give_to_service(it->ctl);
    print_result(it);
    return CTL_DONE;
}

int ctl_run_init(struct ctl *ctl)
{
    struct founding it = {.ctl = ctl,
                          .site = ctl_value(ctl, "site"),
                          .group = ctl_value(ctl, "group"),
                          .join = ctl_value(ctl, "join")};
    int code = check_options(&it);
    if (code == CTL_DONE)
        code = site_dir_make(ctl);
    if (code == CTL_DONE)
        code = make_site(&it);
    qn_signer_free(it.signer);
    qn_setup_deinit(&it.setup);
    qn_wipe(&it.kit, sizeof(it.kit));
    qn_wipe(&it.code, sizeof(it.code));
    return code;
}
