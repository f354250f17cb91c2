/* The row of an account:
 *
 *   [format, role, is disabled, created ms,
 *    nil or [log2 N, r, p, salt, hash],            password
 *    nil or [secret, last step],                   second factor
 *    [[label, folder, right, hash, created ms, used ms], ...],
 *    [[thing, name, right], ...]]
 *
 * Format 1; 2 if one of the app passwords ends at some time: then each has a seventh member, when
 * (ms, or 0); 3 if a grant is bound to an id: then app passwords are as in 2, and each grant has a
 * fourth member, the id or nil; 4 if an app password is bound to its folder's id, or a right is to
 * list: then grants are as in 3, and each app password has an eighth member, the id or nil. Rights
 * are 1 read, 2 write, 3 list. Who knows lower formats only refuses the row.
 */
#include "people/account.h"

#include "proto/cursor.h"
#include "proto/pack.h"

#define FORMAT_PLAIN   1
#define FORMAT_EXPIRES 2
#define FORMAT_BOUND   3
#define FORMAT_LIST    4

#define RIGHT_MAX      3 /* as a number of the row */

void qn_account_key(const char *name, struct qn_buf *out)
{
    qn_buf_append_str(out, QN_ACCOUNT_PREFIX);
    qn_buf_append_str(out, name);
}

/* ---- out ---- */

static void pack_verifier(const struct qn_account *account, struct qn_buf *out)
{
    if (!account->has_password) {
        qn_pack_nil(out);
        return;
    }
    const struct qn_verifier *verifier = &account->verifier;
    qn_pack_array(out, 5);
    qn_pack_u64(out, verifier->cost.log_n);
    qn_pack_u64(out, verifier->cost.r);
    qn_pack_u64(out, verifier->cost.p);
    qn_pack_bin(out, QN_SPAN_OF(verifier->salt));
    qn_pack_bin(out, qn_digest_view(&verifier->hash));
}

static void pack_totp(const struct qn_account *account, struct qn_buf *out)
{
    if (!account->has_totp) {
        qn_pack_nil(out);
        return;
    }
    qn_pack_array(out, 2);
    qn_pack_bin(out, QN_SPAN_OF(account->totp));
    qn_pack_u64(out, account->totp_step);
}

/* Index: the right; and back. */
static const uint8_t right_numbers[] = {
    [QN_RIGHT_NONE] = 0, [QN_RIGHT_READ] = 1, [QN_RIGHT_WRITE] = 2, [QN_RIGHT_LIST] = 3};
static const enum qn_right rights[RIGHT_MAX + 1] = {QN_RIGHT_NONE, QN_RIGHT_READ, QN_RIGHT_WRITE,
                                                    QN_RIGHT_LIST};

static bool needs_list(const struct qn_account *account)
{
    qn_vec_each (&account->grants, grant)
        if (grant->right == QN_RIGHT_LIST)
            return true;
    qn_vec_each (&account->apps, app)
        if (app->right == QN_RIGHT_LIST || app->is_bound)
            return true;
    return false;
}

static uint64_t format_of(const struct qn_account *account)
{
    if (needs_list(account))
        return FORMAT_LIST;
    qn_vec_each (&account->grants, grant)
        if (grant->is_bound)
            return FORMAT_BOUND;
    qn_vec_each (&account->apps, app)
        if (app->expires_ms != 0)
            return FORMAT_EXPIRES;
    return FORMAT_PLAIN;
}

static size_t app_size(uint64_t format)
{
    return format >= FORMAT_LIST ? 8 : format >= FORMAT_EXPIRES ? 7 : 6;
}

static void pack_app(const struct qn_app_password *app, uint64_t format, struct qn_buf *out)
{
    qn_pack_array(out, app_size(format));
    qn_pack_cstr(out, app->label);
    qn_pack_cstr(out, app->folder);
    qn_pack_u64(out, right_numbers[app->right]);
    qn_pack_bin(out, qn_digest_view(&app->hash));
    qn_pack_u64(out, app->created_ms);
    qn_pack_u64(out, app->used_ms);
    if (format >= FORMAT_EXPIRES)
        qn_pack_u64(out, app->expires_ms);
    if (app->is_bound)
        qn_pack_bin(out, QN_SPAN_OF(app->folder_id));
    else if (format >= FORMAT_LIST)
        qn_pack_nil(out);
}

static void pack_grant(const struct qn_grant *grant, uint64_t format, struct qn_buf *out)
{
    qn_pack_array(out, format >= FORMAT_BOUND ? 4 : 3);
    qn_pack_u64(out, grant->thing);
    qn_pack_cstr(out, grant->name);
    qn_pack_u64(out, right_numbers[grant->right]);
    if (grant->is_bound)
        qn_pack_bin(out, QN_SPAN_OF(grant->id));
    else if (format >= FORMAT_BOUND)
        qn_pack_nil(out);
}

void qn_account_pack(const struct qn_account *account, struct qn_buf *out)
{
    uint64_t format = format_of(account);
    qn_pack_array(out, 8);
    qn_pack_u64(out, format);
    qn_pack_u64(out, account->role);
    qn_pack_bool(out, account->is_disabled);
    qn_pack_u64(out, account->created_ms);
    pack_verifier(account, out);
    pack_totp(account, out);
    qn_pack_array(out, account->apps.count);
    qn_vec_each (&account->apps, app)
        pack_app(app, format, out);
    qn_pack_array(out, account->grants.count);
    qn_vec_each (&account->grants, grant)
        pack_grant(grant, format, out);
}

/* ---- in ---- */

static enum qn_err read_exactly(struct qn_cursor *cursor, size_t count)
{
    size_t found;
    QN_TRY(qn_cursor_array(cursor, count, &found));
    return found == count ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_small(struct qn_cursor *cursor, uint64_t max, uint8_t *ret_value)
{
    uint64_t value;
    QN_TRY(qn_cursor_u64(cursor, &value));
    if (value > max)
        return QN_ERR_INVALID;
    *ret_value = (uint8_t)value;
    return QN_OK;
}

static enum qn_err read_text(struct qn_cursor *cursor, char *out, size_t size_max)
{
    struct qn_span text;
    QN_TRY(qn_cursor_str(cursor, size_max, &text));
    if (memchr(text.data, 0, text.size) != NULL)
        return QN_ERR_INVALID;
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return QN_OK;
}

static enum qn_err read_verifier(struct qn_cursor *cursor, struct qn_account *account)
{
    struct qn_verifier *verifier = &account->verifier;
    if (qn_cursor_peek(cursor) == QN_ITEM_NIL)
        return qn_cursor_nil(cursor);
    QN_TRY(read_exactly(cursor, 5));
    QN_TRY(read_small(cursor, UINT8_MAX, &verifier->cost.log_n));
    QN_TRY(read_small(cursor, UINT8_MAX, &verifier->cost.r));
    QN_TRY(read_small(cursor, UINT8_MAX, &verifier->cost.p));
    QN_TRY(qn_cursor_bytes(cursor, verifier->salt, sizeof(verifier->salt)));
    QN_TRY(qn_cursor_bytes(cursor, verifier->hash.bytes, QN_DIGEST_SIZE));
    account->has_password = true;
    return qn_scrypt_is_allowed(&verifier->cost) ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_totp(struct qn_cursor *cursor, struct qn_account *account)
{
    if (qn_cursor_peek(cursor) == QN_ITEM_NIL)
        return qn_cursor_nil(cursor);
    QN_TRY(read_exactly(cursor, 2));
    QN_TRY(qn_cursor_bytes(cursor, account->totp, sizeof(account->totp)));
    account->has_totp = true;
    return qn_cursor_u64(cursor, &account->totp_step);
}

static enum qn_err read_right(struct qn_cursor *cursor, uint64_t format, enum qn_right *ret_right)
{
    uint8_t number;
    QN_TRY(read_small(cursor, format >= FORMAT_LIST ? RIGHT_MAX : RIGHT_MAX - 1, &number));
    *ret_right = rights[number];
    return QN_OK;
}

static enum qn_err read_folder_id(struct qn_cursor *cursor, struct qn_app_password *app)
{
    if (qn_cursor_peek(cursor) == QN_ITEM_NIL)
        return qn_cursor_nil(cursor);
    app->is_bound = true;
    return qn_cursor_bytes(cursor, app->folder_id, sizeof(app->folder_id));
}

static enum qn_err read_app(struct qn_cursor *cursor, uint64_t format, struct qn_account *account)
{
    struct qn_app_password app = {0};
    QN_TRY(read_exactly(cursor, app_size(format)));
    QN_TRY(read_text(cursor, app.label, QN_USER_SIZE_MAX));
    QN_TRY(read_text(cursor, app.folder, QN_NAME_SIZE_MAX));
    QN_TRY(read_right(cursor, format, &app.right));
    QN_TRY(qn_cursor_bytes(cursor, app.hash.bytes, QN_DIGEST_SIZE));
    QN_TRY(qn_cursor_u64(cursor, &app.created_ms));
    QN_TRY(qn_cursor_u64(cursor, &app.used_ms));
    if (format >= FORMAT_EXPIRES)
        QN_TRY(qn_cursor_u64(cursor, &app.expires_ms));
    if (format >= FORMAT_LIST)
        QN_TRY(read_folder_id(cursor, &app));
    return qn_account_add_app(account, &app);
}

static enum qn_err read_id(struct qn_cursor *cursor, struct qn_account *account,
                           enum qn_thing thing, struct qn_span name)
{
    uint8_t id[QN_THING_ID_SIZE];
    if (qn_cursor_peek(cursor) == QN_ITEM_NIL)
        return qn_cursor_nil(cursor);
    QN_TRY(qn_cursor_bytes(cursor, id, sizeof(id)));
    qn_account_bind(account, thing, name, id);
    return QN_OK;
}

static enum qn_err read_grant(struct qn_cursor *cursor, uint64_t format, struct qn_account *account)
{
    uint8_t thing;
    enum qn_right right;
    struct qn_span name;
    QN_TRY(read_exactly(cursor, format >= FORMAT_BOUND ? 4 : 3));
    QN_TRY(read_small(cursor, QN_THING_COLLECTION, &thing));
    QN_TRY(qn_cursor_str(cursor, QN_NAME_SIZE_MAX, &name));
    QN_TRY(read_right(cursor, format, &right));
    if (right == QN_RIGHT_NONE)
        return QN_ERR_INVALID;
    QN_TRY(qn_account_grant(account, (enum qn_thing)thing, name, right));
    return format >= FORMAT_BOUND ? read_id(cursor, account, (enum qn_thing)thing, name) : QN_OK;
}

static enum qn_err read_lists(struct qn_cursor *cursor, uint64_t format, struct qn_account *account)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, QN_APP_PASSWORDS_MAX, &count));
    for (size_t i = 0; i < count; i++)
        QN_TRY(read_app(cursor, format, account));
    QN_TRY(qn_cursor_array(cursor, QN_GRANTS_MAX, &count));
    for (size_t i = 0; i < count; i++)
        QN_TRY(read_grant(cursor, format, account));
    return qn_cursor_finish(cursor);
}

static enum qn_err read_head(struct qn_cursor *cursor, struct qn_account *account,
                             uint64_t *ret_format)
{
    uint64_t format;
    uint8_t role;
    size_t count;
    QN_TRY(qn_cursor_array(cursor, 64, &count));
    QN_TRY(qn_cursor_u64(cursor, &format));
    if (format > FORMAT_LIST)
        return QN_ERR_UNSUPPORTED;
    if (format < FORMAT_PLAIN || count != 8)
        return QN_ERR_INVALID;
    QN_TRY(read_small(cursor, QN_ROLE_OPERATOR, &role));
    QN_TRY(qn_cursor_bool(cursor, &account->is_disabled));
    QN_TRY(qn_cursor_u64(cursor, &account->created_ms));
    account->role = (enum qn_role)role;
    *ret_format = format;
    return QN_OK;
}

static enum qn_err read_account(struct qn_span key, struct qn_span value,
                                struct qn_account *account)
{
    struct qn_cursor cursor = qn_cursor(value);
    struct qn_span name = qn_span_from(key, strlen(QN_ACCOUNT_PREFIX));
    if (!qn_span_has_prefix(key, qn_span_str(QN_ACCOUNT_PREFIX)) || !qn_account_is_name(name))
        return QN_ERR_INVALID;
    uint64_t format = 0;
    memcpy(account->name, name.data, name.size);
    QN_TRY(read_head(&cursor, account, &format));
    QN_TRY(read_verifier(&cursor, account));
    QN_TRY(read_totp(&cursor, account));
    return read_lists(&cursor, format, account);
}

enum qn_err qn_account_unpack(struct qn_span key, struct qn_span value,
                              struct qn_account *ret_account)
{
    struct qn_account account = {0};
    enum qn_err err = read_account(key, value, &account);
    if (err == QN_OK)
        *ret_account = account;
    else
        qn_account_deinit(&account);
    return err == QN_OK || err == QN_ERR_UNSUPPORTED ? err : QN_ERR_CORRUPT;
}
