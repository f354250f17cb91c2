/* What each command of people is: its arguments, and what it does to an account. */
#include "app/new_name.h"
#include "app/people_private.h"
#include "base/text.h"
#include "core/args.h"
#include "people/one_time.h"
#include "people/password.h"
#include "people/shared_names.h"
#include "proto/pack.h"

#define APP_EXPIRES_MAX_S (UINT64_C(3660) * 24 * 3600)

static const struct order_type types[] = {
    {"user.add", "name password role shared", ORDER_ADD, "user.add"},
    {"user.role", "name role", ORDER_ROLE, "user.role"},
    {"user.password", "name password", ORDER_PASSWORD, "user.password"},
    {"user.disable", "name", ORDER_DISABLE, "user.disable"},
    {"user.enable", "name", ORDER_ENABLE, "user.enable"},
    {"user.remove", "name", ORDER_REMOVE, "user.remove"},
    {"user.app-add", "expires_s folder label name right", ORDER_APP_ADD, "user.app-add"},
    {"user.app-revoke", "label name", ORDER_APP_REVOKE, "user.app-revoke"},
    {"user.grant", "collection folder name right", ORDER_GRANT, "user.grant"},
    {"user.revoke", "collection folder name", ORDER_REVOKE, "user.revoke"},
    {"user.totp-set", "code name secret", ORDER_TOTP_SET, "user.second-factor"},
    {"user.totp-remove", "name", ORDER_TOTP_REMOVE, "user.second-factor-off"},
    {"user.list", "", ORDER_LIST, NULL},
    {"user.show", "name", ORDER_SHOW, NULL},
    {"user.totp-new", "name", ORDER_TOTP_NEW, NULL},
    {"audit.proof", "", ORDER_PROOF, NULL},
};

const struct order_type *order_type_of(struct qn_span command)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (qn_span_eq_str(command, types[i].command))
            return &types[i];
    return NULL;
}

bool order_has_name(const struct order *order)
{
    return order->type->kind != ORDER_LIST && order->type->kind != ORDER_PROOF;
}

bool order_needs_hash(const struct order *order)
{
    return order->type->kind == ORDER_ADD || order->type->kind == ORDER_PASSWORD;
}

enum qn_people_change order_change(const struct order *order)
{
    if (order->type->kind == ORDER_ADD)
        return QN_PEOPLE_ADD;
    return order->type->kind == ORDER_REMOVE ? QN_PEOPLE_REMOVE : QN_PEOPLE_CHANGE;
}

/* ---- arguments ---- */

static enum qn_err refuse(struct order *order, enum qn_err err, const char *code,
                          struct qn_span object)
{
    size_t size = object.size < sizeof(order->object) ? object.size : sizeof(order->object) - 1;
    order->code = code;
    memset(order->object, 0, sizeof(order->object));
    if (size > 0)
        memcpy(order->object, object.data, size);
    return err;
}

static enum qn_err bad_request(struct order *order, const char *what)
{
    return refuse(order, QN_ERR_INVALID, "bad-request", qn_span_str(what));
}

static void copy_text(char *out, struct qn_span text)
{
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
}

static enum qn_err read_name(struct order *order, struct qn_span args)
{
    struct qn_span name;
    if (!args_text(args, "name", QN_USER_SIZE_MAX, &name) || !qn_account_is_name(name))
        return refuse(order, QN_ERR_INVALID, "bad-user-name", qn_span(NULL, 0));
    copy_text(order->name, name);
    return QN_OK;
}

/* Whatever an account does is somebody's: one that several people would use is made only if that is
 * said, and then the trail says so. */
static enum qn_err read_shared(struct order *order, struct qn_span args)
{
    struct qn_cursor cursor = qn_cursor(args_value(args, "shared"));
    if (args_value(args, "shared").size > 0 && qn_cursor_bool(&cursor, &order->is_shared) != QN_OK)
        return bad_request(order, "shared");
    if (!order->is_shared && qn_name_is_shared(qn_span_str(order->name)))
        return refuse(order, QN_ERR_DENIED, "name-shared", qn_span_str(order->name));
    return QN_OK;
}

static enum qn_err read_role(struct order *order, struct qn_span args)
{
    struct qn_span word;
    if (args_text(args, "role", QN_USER_SIZE_MAX, &word) &&
        qn_role_parse(word, &order->role) == QN_OK)
        return QN_OK;
    return refuse(order, QN_ERR_INVALID, "bad-role", qn_span_str(order->name));
}

static enum qn_err read_password(struct order *order, struct qn_span args)
{
    struct qn_span password;
    const char *const names[] = {order->name, qn_staff_options(order->staff)->site, NULL};
    if (!args_text(args, "password", QN_CONTROL_FRAME_SIZE_MAX, &password))
        return bad_request(order, "password");
    enum qn_password_fault fault = qn_password_judge(password, names, QN_PASSWORD_BITS_THROTTLED);
    const char *code = qn_password_fault_code(fault);
    if (code != NULL)
        return refuse(order, QN_ERR_INVALID, code, qn_span_str(order->name));
    memcpy(order->password, password.data, password.size);
    order->password_size = password.size;
    return QN_OK;
}

static enum qn_err read_right(struct order *order, struct qn_span args, enum qn_right missing)
{
    struct qn_span word;
    if (args_value(args, "right").size == 0 && missing != QN_RIGHT_NONE) {
        order->right = missing;
        return QN_OK;
    }
    if (args_text(args, "right", QN_USER_SIZE_MAX, &word) &&
        qn_right_parse(word, &order->right) == QN_OK)
        return QN_OK;
    return refuse(order, QN_ERR_INVALID, "bad-right", qn_span_str(order->name));
}

static bool find_thing(struct order *order, struct qn_span name)
{
    const struct qn_staff_options *options = qn_staff_options(order->staff);
    return options->find_thing(options->context, order->thing, name, order->thing_id);
}

static enum qn_err unknown_thing(struct order *order, struct qn_span name)
{
    return refuse(order, QN_ERR_NOTFOUND,
                  order->thing == QN_THING_FOLDER ? "folder-unknown" : "collection-unknown", name);
}

/* One of the two. What goes away may be gone itself. */
static enum qn_err read_thing(struct order *order, struct qn_span args)
{
    struct qn_span name;
    bool is_folder = args_value(args, "folder").size > 0;
    if (is_folder == (args_value(args, "collection").size > 0))
        return bad_request(order, "folder");
    order->thing = is_folder ? QN_THING_FOLDER : QN_THING_COLLECTION;
    if (!args_text(args, is_folder ? "folder" : "collection", QN_NAME_SIZE_MAX, &name) ||
        !qn_text_is_name(name))
        return refuse(order, QN_ERR_INVALID, "bad-name", qn_span(NULL, 0));
    if (order->type->kind == ORDER_GRANT && !find_thing(order, name))
        return unknown_thing(order, name);
    copy_text(order->what, name);
    return QN_OK;
}

static enum qn_err read_label(struct order *order, struct qn_span args)
{
    struct qn_span label;
    if (!args_text(args, "label", QN_USER_SIZE_MAX, &label) || label.size == 0 ||
        !qn_text_is_printable(label))
        return refuse(order, QN_ERR_INVALID, "bad-label", qn_span(NULL, 0));
    copy_text(order->app.label, label);
    return QN_OK;
}

/* Nil, or left out by an older syncctl: it does not end. */
static enum qn_err read_expiry(struct order *order, struct qn_span args)
{
    uint64_t expires_s;
    if (args_value(args, "expires_s").size == 0)
        return QN_OK;
    if (!args_u64(args, "expires_s", &expires_s) || expires_s == 0 || expires_s > APP_EXPIRES_MAX_S)
        return bad_request(order, "expires_s");
    order->app.expires_ms = order->now_ms + expires_s * 1000;
    return QN_OK;
}

static enum qn_err read_app(struct order *order, struct qn_span args)
{
    struct qn_span folder;
    QN_TRY(read_label(order, args));
    QN_TRY(read_expiry(order, args));
    QN_TRY(read_right(order, args, QN_RIGHT_WRITE));
    order->app.right = order->right;
    order->app.created_ms = order->now_ms;
    qn_app_password_hash(order->secret, &order->app.hash);
    qn_pack_map(&order->answer, 1);
    qn_pack_cstr(&order->answer, "password");
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, 64);
    qn_app_password_print(order->secret, &text);
    qn_pack_str(&order->answer, qn_buf_view(&text));
    qn_wipe(text.data, text.size);
    if (args_value(args, "folder").size == 0)
        return QN_OK; /* limited to none */
    if (!args_text(args, "folder", QN_NAME_SIZE_MAX, &folder) || !qn_text_is_name(folder))
        return refuse(order, QN_ERR_INVALID, "bad-name", qn_span(NULL, 0));
    order->thing = QN_THING_FOLDER;
    if (!find_thing(order, folder))
        return unknown_thing(order, folder);
    copy_text(order->app.folder, folder);
    memcpy(order->app.folder_id, order->thing_id, sizeof(order->app.folder_id));
    order->app.is_bound = true;
    return QN_OK;
}

static enum qn_err read_totp(struct order *order, struct qn_span args)
{
    struct qn_span secret, code;
    QN_AUTO_BUF struct qn_buf bytes;
    qn_buf_init(&bytes, QN_TOTP_SECRET_SIZE);
    if (!args_text(args, "secret", 64, &secret) || !args_text(args, "code", 64, &code) ||
        qn_text_parse_base32(secret, &bytes) != QN_OK || bytes.size != QN_TOTP_SECRET_SIZE)
        return bad_request(order, "secret");
    memcpy(order->secret, bytes.data, bytes.size);
    qn_wipe(bytes.data, bytes.size);
    if (qn_totp_check(order->secret, code, order->now_ms, 0, &order->totp_step) != QN_OK)
        return refuse(order, QN_ERR_DENIED, "code-wrong", qn_span_str(order->name));
    return QN_OK;
}

enum qn_err order_parse(struct order *order, struct qn_span args)
{
    if (!args_are_only(args, order->type->args))
        return bad_request(order, order->type->command);
    if (!order_has_name(order))
        return QN_OK;
    QN_TRY(read_name(order, args));
    switch (order->type->kind) {
    case ORDER_ADD:
        QN_TRY(read_shared(order, args));
        QN_TRY(read_role(order, args));
        return read_password(order, args);
    case ORDER_ROLE:
        return read_role(order, args);
    case ORDER_PASSWORD:
        return read_password(order, args);
    case ORDER_APP_ADD:
        return read_app(order, args);
    case ORDER_APP_REVOKE:
        return read_label(order, args);
    case ORDER_GRANT:
        QN_TRY(read_right(order, args, QN_RIGHT_NONE));
        return read_thing(order, args);
    case ORDER_REVOKE:
        return read_thing(order, args);
    case ORDER_TOTP_SET:
        return read_totp(order, args);
    case ORDER_DISABLE:
    case ORDER_ENABLE:
    case ORDER_REMOVE:
    case ORDER_TOTP_REMOVE:
    case ORDER_LIST:
    case ORDER_SHOW:
    case ORDER_TOTP_NEW:
    case ORDER_PROOF:
        return QN_OK;
    }
    return QN_ERR_INVALID;
}

/* ---- what it does ---- */

static enum qn_err set_password(const struct order *order, struct qn_account *account)
{
    account->verifier = order->verifier;
    account->has_password = true;
    return QN_OK;
}

static enum qn_err add(struct order *order, struct qn_account *account)
{
    struct qn_refusal refusal = {.err = QN_OK};
    enum qn_err err =
        qn_new_person_check(qn_staff_people(order->staff), qn_span_str(order->name), &refusal);
    if (err != QN_OK)
        return refuse(order, err, refusal.code, qn_span_str(refusal.object));
    account->role = order->role;
    account->created_ms = order->now_ms;
    return set_password(order, account);
}

static enum qn_err add_app(struct order *order, struct qn_account *account)
{
    enum qn_err err = qn_account_add_app(account, &order->app);
    return err == QN_ERR_EXISTS
               ? refuse(order, err, "app-password-exists", qn_span_str(order->app.label))
               : err;
}

static enum qn_err revoke_app(struct order *order, struct qn_account *account)
{
    enum qn_err err = qn_account_remove_app(account, qn_span_str(order->app.label));
    return err == QN_ERR_NOTFOUND
               ? refuse(order, err, "app-password-unknown", qn_span_str(order->app.label))
               : err;
}

static enum qn_err grant(struct order *order, struct qn_account *account)
{
    enum qn_err err =
        qn_account_grant(account, order->thing, qn_span_str(order->what), order->right);
    if (err == QN_OK && order->type->kind == ORDER_GRANT)
        qn_account_bind(account, order->thing, qn_span_str(order->what), order->thing_id);
    return err == QN_ERR_NOTFOUND ? refuse(order, err, "not-granted", qn_span_str(order->what))
                                  : err;
}

static enum qn_err set_totp(const struct order *order, struct qn_account *account)
{
    memcpy(account->totp, order->secret, sizeof(account->totp));
    account->totp_step = order->totp_step;
    account->has_totp = true;
    return QN_OK;
}

static enum qn_err remove_totp(struct order *order, struct qn_account *account)
{
    if (!account->has_totp)
        return refuse(order, QN_ERR_NOTFOUND, "no-second-factor", qn_span_str(order->name));
    account->has_totp = false;
    account->totp_step = 0;
    qn_wipe(account->totp, sizeof(account->totp));
    return QN_OK;
}

enum qn_err order_apply(void *context, struct qn_account *account)
{
    struct order *order = context;
    switch (order->type->kind) {
    case ORDER_ADD:
        return add(order, account);
    case ORDER_ROLE:
        account->role = order->role;
        return QN_OK;
    case ORDER_PASSWORD:
        return set_password(order, account);
    case ORDER_DISABLE:
    case ORDER_ENABLE:
        account->is_disabled = order->type->kind == ORDER_DISABLE;
        return QN_OK;
    case ORDER_APP_ADD:
        return add_app(order, account);
    case ORDER_APP_REVOKE:
        return revoke_app(order, account);
    case ORDER_GRANT:
    case ORDER_REVOKE:
        return grant(order, account);
    case ORDER_TOTP_SET:
        return set_totp(order, account);
    case ORDER_TOTP_REMOVE:
        return remove_totp(order, account);
    case ORDER_REMOVE:
    case ORDER_LIST:
    case ORDER_SHOW:
    case ORDER_TOTP_NEW:
    case ORDER_PROOF:
        return QN_OK;
    }
    return QN_ERR_INVALID;
}

static void append_part(struct qn_buf *out, const char *kind, const char *name)
{
    qn_buf_append_str(out, out->size > 0 ? " " : "");
    qn_buf_append_str(out, kind);
    qn_buf_append_str(out, name);
}

void order_object(const struct order *order, struct qn_buf *out)
{
    append_part(out, "user:", order->name);
    if (order->what[0] != '\0')
        append_part(out, order->thing == QN_THING_FOLDER ? "folder:" : "collection:", order->what);
    if (order->type->kind == ORDER_GRANT)
        append_part(out, "", qn_right_name(order->right));
    if (order->app.label[0] != '\0')
        append_part(out, "device:", order->app.label);
    if (order->type->kind == ORDER_ADD || order->type->kind == ORDER_ROLE)
        append_part(out, "", qn_role_name(order->role));
    if (order->is_shared)
        append_part(out, "", "shared");
}
