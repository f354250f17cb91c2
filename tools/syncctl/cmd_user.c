/* syncctl user ...: who reaches this site by browser or WebDAV */
#include <string.h>

#include "answer.h"
#include "base/limits.h"
#include "base/text.h"
#include "commands.h"
#include "crypto/digest.h"
#include "i18n.h"
#include "people/password.h"
#include "proto/pack.h"
#include "secret.h"

static const char *name_of(const struct ctl *ctl)
{
    return ctl->arguments.items[0];
}

static void name_args(struct ctl *ctl, struct qn_buf *args)
{
    ctl_args_init(args, 1);
    ctl_arg_str(args, "name", name_of(ctl));
}

/* Roles and rights in the reader's language. */
static const char *word_of(struct qn_span word)
{
    static const struct {
        const char *word, *shown;
    } words[] = {
        {"reader", N_("reader")},     {"editor", N_("editor")},
        {"operator", N_("operator")}, {"list", N_("to see names")},
        {"read", N_("to read")},      {"write", N_("to write")},
        {"folder", N_("folder")},     {"collection", N_("collection")},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (qn_span_eq_str(word, words[i].word))
            return gettext(words[i].shown);
    return "-";
}

/* ---- passwords ---- */

static void begin_secret(struct qn_buf *secret)
{
    qn_buf_init(secret, CTL_SECRET_SIZE_MAX);
    qn_buf_reserve(secret, CTL_SECRET_SIZE_MAX); /* so that it does not move, and all is wiped */
}

static void end_secret(struct qn_buf *secret)
{
    qn_wipe(secret->data, secret->capacity);
    qn_buf_deinit(secret);
}

/* For who thinks of a password for somebody: how far it is from what is asked. The daemon judges.
 */
static void tell_strength(const struct ctl *ctl, struct qn_span password)
{
    const char *const names[] = {name_of(ctl), NULL};
    if (!ctl->is_quiet && !ctl->is_json)
        fprintf(ctl->err, _("This password is worth about %u bits; at least %u are asked for.\n"),
                qn_password_bits(password, names), (unsigned)QN_PASSWORD_BITS_THROTTLED);
}

/* `role` NULL: only the password. */
static int send_password(struct ctl *ctl, const char *cmd, const char *role, const char *message)
{
    struct qn_buf password, args;
    begin_secret(&password);
    int code = ctl_read_secret(ctl, _("Password: "), &password);
    if (code != CTL_DONE) {
        end_secret(&password);
        return code;
    }
    tell_strength(ctl, qn_buf_view(&password));
    bool is_shared = role != NULL && ctl_has(ctl, "shared");
    ctl_args_init(&args, role == NULL ? 2 : is_shared ? 4 : 3);
    qn_buf_reserve(&args, 2 * CTL_SECRET_SIZE_MAX);
    ctl_arg_str(&args, "name", name_of(ctl));
    qn_pack_cstr(&args, "password");
    qn_pack_str(&args, qn_buf_view(&password));
    if (role != NULL)
        ctl_arg_str(&args, "role", role);
    if (is_shared) {
        qn_pack_cstr(&args, "shared");
        qn_pack_bool(&args, true);
    }
    code = qn_text_is_utf8(qn_buf_view(&password))
               ? ctl_do(ctl, cmd, &args, message)
               : ctl_fail_str(ctl, "bad-password", name_of(ctl));
    end_secret(&args);
    end_secret(&password);
    return code;
}

int ctl_run_user_add(struct ctl *ctl)
{
    const char *role = ctl_has(ctl, "role") ? ctl_value(ctl, "role") : "reader";
    return send_password(ctl, "user.add", role,
                         _("The account is made. It may see nothing yet: `syncctl user grant`."));
}

int ctl_run_user_password(struct ctl *ctl)
{
    return send_password(ctl, "user.password", NULL,
                         _("The password is another one; sessions of the page have ended."));
}

/* ---- what is there ---- */

static void add_count(struct ctl_grid *grid, struct qn_span item, const char *key)
{
    struct qn_span list = {0};
    char text[32];
    ctl_map_find(item, key, &list);
    snprintf(text, sizeof(text), "%zu", ctl_count(list));
    ctl_grid_add_str(grid, text);
}

static void add_user(struct ctl_grid *grid, struct qn_span item)
{
    ctl_add_text(grid, item, "name");
    ctl_grid_add_str(grid, word_of(ctl_map_text(item, "role")));
    ctl_grid_add_str(grid, ctl_map_bool(item, "disabled") ? _("disabled") : _("active"));
    ctl_grid_add_str(grid, ctl_map_bool(item, "second_factor") ? _("yes") : _("no"));
    add_count(grid, item, "app_passwords");
    add_count(grid, item, "grants");
}

int ctl_run_user_list(struct ctl *ctl)
{
    static const char *const heads[] = {N_("NAME"),          N_("ROLE"),    N_("STATE"),
                                        N_("SECOND FACTOR"), N_("DEVICES"), N_("GRANTS")};
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 0);
    return ctl_list(ctl, "user.list", &args,
                    &(struct ctl_listing){ctl_user_shape, 6, heads, add_user, false});
}

static void print_line(const struct ctl *ctl, const char *label, const char *value)
{
    fprintf(ctl->out, _("%s: "), label);
    fprintf(ctl->out, "%s\n", value);
}

static void add_app(struct ctl_grid *grid, struct qn_span app)
{
    ctl_add_text(grid, app, "label");
    ctl_grid_add_str(grid, word_of(ctl_map_text(app, "right")));
    if (ctl_map_bool(app, "gone"))
        ctl_grid_add_str(grid, _("none, it is gone"));
    else
        ctl_add_text(grid, app, "folder");
    ctl_add_time(grid, app, "created");
    ctl_add_time(grid, app, "last_used");
    ctl_add_time(grid, app, "expires");
}

static void add_grant(struct ctl_grid *grid, struct qn_span grant)
{
    ctl_grid_add_str(grid, word_of(ctl_map_text(grant, "kind")));
    ctl_add_text(grid, grant, "name");
    ctl_grid_add_str(grid, ctl_map_bool(grant, "gone") ? _("none, it is gone")
                                                       : word_of(ctl_map_text(grant, "right")));
}

static void print_table(const struct ctl *ctl, struct qn_span map, const char *key,
                        const char *const *heads, size_t columns,
                        void (*add)(struct ctl_grid *grid, struct qn_span item))
{
    struct ctl_grid grid;
    struct qn_span list = {0};
    ctl_map_find(map, key, &list);
    if (ctl_count(list) == 0)
        return;
    ctl_grid_init(&grid, columns);
    for (size_t i = 0; i < columns; i++)
        ctl_grid_add_str(&grid, gettext(heads[i]));
    struct ctl_walk walk = ctl_walk(list);
    while (ctl_walk_next(&walk))
        add(&grid, walk.value);
    fputc('\n', ctl->out);
    ctl_grid_print(&grid, ctl->out, "  ", !ctl->is_terminal);
    ctl_grid_deinit(&grid);
}

static const char *const app_heads[] = {N_("DEVICE"), N_("RIGHT"),     N_("FOLDER"),
                                        N_("MADE"),   N_("LAST USED"), N_("ENDS")};

static void print_user(const struct ctl *ctl, struct qn_span user)
{
    static const char *const grant_heads[] = {N_("KIND"), N_("NAME"), N_("RIGHT")};
    print_line(ctl, _("name"), name_of(ctl));
    print_line(ctl, _("role"), word_of(ctl_map_text(user, "role")));
    print_line(ctl, _("state"), ctl_map_bool(user, "disabled") ? _("disabled") : _("active"));
    print_line(ctl, _("second factor"), ctl_map_bool(user, "second_factor") ? _("yes") : _("no"));
    print_table(ctl, user, "grants", grant_heads, 3, add_grant);
    print_table(ctl, user, "app_passwords", app_heads, 6, add_app);
}

/* The account; not CTL_DONE: that was said. */
static int get_user(struct ctl *ctl, const char *name, struct qn_buf *ret_user)
{
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 1);
    ctl_arg_str(&args, "name", name);
    qn_buf_init(ret_user, QN_CONTROL_FRAME_SIZE_MAX);
    return ctl_call(ctl, "user.show", &args, &(struct ctl_sink){.end = ret_user});
}

int ctl_run_user_show(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf user;
    int code = get_user(ctl, name_of(ctl), &user);
    if (code != CTL_DONE)
        return code;
    if (!ctl->is_json) {
        print_user(ctl, qn_buf_view(&user));
        return CTL_DONE;
    }
    ctl_json_object(ctl->out, qn_buf_view(&user), ctl_user_shape);
    fputc('\n', ctl->out);
    return CTL_DONE;
}

/* ---- changes ---- */

int ctl_run_user_role(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 2);
    ctl_arg_str(&args, "name", name_of(ctl));
    ctl_arg_str(&args, "role", ctl->arguments.items[1]);
    return ctl_do(ctl, "user.role", &args, _("The role holds from now on."));
}

int ctl_run_user_state(struct ctl *ctl)
{
    static const struct {
        const char *verb, *cmd, *message;
    } verbs[] = {
        {"disable", "user.disable", N_("The account is shut, and whoever was in is out.")},
        {"enable", "user.enable", N_("The account is open again.")},
        {"remove", "user.remove", N_("The account is gone, with its passwords and grants.")},
    };
    size_t i = 0;
    while (strcmp(ctl->command->verb, verbs[i].verb) != 0)
        i++;
    QN_AUTO_BUF struct qn_buf args;
    name_args(ctl, &args);
    return ctl_do(ctl, verbs[i].cmd, &args, gettext(verbs[i].message));
}

/* A right to write is of no use to a reader: that is said when it is granted, not found out later.
 */
static int say_what_is_missing(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf user;
    int code = get_user(ctl, name_of(ctl), &user);
    if (code == CTL_DONE && qn_span_eq_str(ctl_map_text(qn_buf_view(&user), "role"), "reader"))
        ctl_say(ctl, _("%s is a reader and may only read: `syncctl user role %s editor`."),
                name_of(ctl), name_of(ctl));
    return code;
}

int ctl_run_user_grant(struct ctl *ctl)
{
    bool is_grant = strcmp(ctl->command->verb, "grant") == 0;
    const char *folder = ctl_value(ctl, "folder"), *collection = ctl_value(ctl, "collection");
    const char *right = ctl_value(ctl, "right");
    if ((folder == NULL) == (collection == NULL))
        return ctl_usage_error(ctl, _("name one, with --folder or --collection"));
    if (is_grant && right == NULL)
        return ctl_usage_error(ctl, _("say what is granted: --right list, read or write"));
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, is_grant ? 4 : 3);
    ctl_arg_str(&args, "collection", collection);
    ctl_arg_str(&args, "folder", folder);
    ctl_arg_str(&args, "name", name_of(ctl));
    if (is_grant)
        ctl_arg_str(&args, "right", right);
    int code = ctl_do(ctl, is_grant ? "user.grant" : "user.revoke", &args,
                      is_grant ? _("The right holds from now on.") : _("The right is taken back."));
    if (code != CTL_DONE || ctl->is_json || !is_grant || strcmp(right, "write") != 0)
        return code;
    return say_what_is_missing(ctl);
}

/* ---- passwords of devices ---- */

static int make_app(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args = {0}, end = {0};
    if (!ctl_has(ctl, "label"))
        return ctl_usage_error(ctl, _("say what it is for: --label \"phone of Anne\""));
    uint64_t expires_s =
        ctl_has(ctl, "expires") ? ctl_expires_s(ctl, ctl_value(ctl, "expires")) : 0;
    if (ctl_has(ctl, "expires") && expires_s == 0)
        return CTL_USAGE;
    ctl_args_init(&args, 5);
    if (expires_s != 0)
        ctl_arg_u64(&args, "expires_s", expires_s);
    else
        ctl_arg_nil(&args, "expires_s");
    ctl_arg_str(&args, "folder", ctl_value(ctl, "folder"));
    ctl_arg_str(&args, "label", ctl_value(ctl, "label"));
    ctl_arg_str(&args, "name", name_of(ctl));
    ctl_arg_str(&args, "right", ctl_value(ctl, "right"));
    qn_buf_init(&end, 4096);
    int code = ctl_call(ctl, "user.app-add", &args, &(struct ctl_sink){.end = &end});
    if (code != CTL_DONE)
        return code;
    struct qn_span password = ctl_map_text(qn_buf_view(&end), "password");
    if (ctl->is_json)
        fputs("{\"password\":", ctl->out);
    if (ctl->is_json)
        ctl_json_text(ctl->out, password);
    else
        ctl_put_text(ctl->out, password);
    fputs(ctl->is_json ? "}\n" : "\n", ctl->out);
    ctl_say(ctl, _("Type it into the device, with the name %s. It is not shown again."),
            name_of(ctl));
    return CTL_DONE;
}

static int list_apps(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf user;
    struct qn_span list = {0};
    int code = get_user(ctl, ctl->arguments.items[1], &user);
    if (code != CTL_DONE)
        return code;
    if (!ctl->is_json) {
        print_table(ctl, qn_buf_view(&user), "app_passwords", app_heads, 6, add_app);
        return CTL_DONE;
    }
    struct ctl_json_list out = {.out = ctl->out};
    ctl_map_find(qn_buf_view(&user), "app_passwords", &list);
    struct ctl_walk walk = ctl_walk(list);
    while (ctl_walk_next(&walk)) {
        ctl_json_list_next(&out);
        ctl_json_object(ctl->out, walk.value, ctl_app_password_shape);
    }
    ctl_json_list_end(&out);
    return CTL_DONE;
}

static int revoke_app(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args;
    ctl_args_init(&args, 2);
    ctl_arg_str(&args, "label", ctl->arguments.items[2]);
    ctl_arg_str(&args, "name", ctl->arguments.items[1]);
    return ctl_do(ctl, "user.app-revoke", &args, _("That device is shut out from now on."));
}

int ctl_run_user_app_password(struct ctl *ctl)
{
    size_t count = ctl->arguments.count;
    if (count == 1)
        return make_app(ctl);
    if (count == 2 && strcmp(name_of(ctl), "list") == 0)
        return list_apps(ctl);
    if (count == 3 && strcmp(name_of(ctl), "revoke") == 0)
        return revoke_app(ctl);
    return ctl_usage_error(ctl, _("write `user app-password NAME --label TEXT`, `user app-password "
                                  "list NAME` or `user app-password revoke NAME LABEL`"));
}

/* ---- second factor ---- */

static void show_totp(const struct ctl *ctl, struct qn_span secret, struct qn_span uri)
{
    if (ctl->is_json) {
        fputs("{\"secret\":", ctl->out);
        ctl_json_text(ctl->out, secret);
        fputs(",\"uri\":", ctl->out);
        ctl_json_text(ctl->out, uri);
        fputs("}\n", ctl->out);
    } else {
        ctl_say(ctl, _("Scan the code with an authenticator app, or type the secret into it."));
        if (ctl->is_terminal && !ctl_put_code(ctl->out, uri))
            ctl_say(ctl, _("This text is too long for a code."));
        ctl_put_text(ctl->out, uri);
        fputc('\n', ctl->out);
    }
    fflush(ctl->out);
}

static int confirm_totp(struct ctl *ctl, struct qn_span secret)
{
    QN_AUTO_BUF struct qn_buf args = {0}, line;
    qn_buf_init(&line, 64);
    int code = ctl_read_line(ctl, _("The six digits that it shows: "), &line);
    if (code != CTL_DONE)
        return code;
    if (!qn_text_is_utf8(qn_buf_view(&line)))
        return ctl_fail_str(ctl, "code-wrong", name_of(ctl));
    ctl_args_init(&args, 3);
    qn_pack_cstr(&args, "code");
    qn_pack_str(&args, qn_buf_view(&line));
    ctl_arg_str(&args, "name", name_of(ctl));
    qn_pack_cstr(&args, "secret");
    qn_pack_str(&args, secret);
    code = ctl_call(ctl, "user.totp-set", &args, &(struct ctl_sink){0});
    if (code == CTL_DONE)
        ctl_say(ctl, _("The page asks for a code from now on; devices need app passwords."));
    return code;
}

int ctl_run_user_second_factor(struct ctl *ctl)
{
    QN_AUTO_BUF struct qn_buf args, end;
    qn_buf_init(&end, 4096);
    qn_buf_reserve(&end, 4096);
    name_args(ctl, &args);
    if (ctl_has(ctl, "remove"))
        return ctl_do(ctl, "user.totp-remove", &args, _("The page asks for no code any more."));
    int code = ctl_call(ctl, "user.totp-new", &args, &(struct ctl_sink){.end = &end});
    if (code != CTL_DONE)
        return code;
    struct qn_span secret = ctl_map_text(qn_buf_view(&end), "secret");
    show_totp(ctl, secret, ctl_map_text(qn_buf_view(&end), "uri"));
    code = confirm_totp(ctl, secret);
    qn_wipe(end.data, end.capacity);
    return code;
}
