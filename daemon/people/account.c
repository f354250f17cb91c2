#include "people/account.h"

#include "base/assert.h"
#include "base/text.h"

#define PRINT_GROUP 5 /* letters between dashes */

bool qn_account_is_name(struct qn_span name)
{
    return qn_text_is_name(name) && memchr(name.data, ':', name.size) == NULL;
}

void qn_account_deinit(struct qn_account *account)
{
    qn_vec_free(&account->apps);
    qn_vec_free(&account->grants);
    qn_wipe(account, sizeof(*account));
}

void qn_account_copy(const struct qn_account *from, struct qn_account *ret_account)
{
    struct qn_account copy = *from;
    copy.apps.items = NULL;
    copy.apps.count = copy.apps.capacity = 0;
    copy.grants.items = NULL;
    copy.grants.count = copy.grants.capacity = 0;
    qn_vec_each (&from->apps, app)
        qn_vec_push(&copy.apps, *app);
    qn_vec_each (&from->grants, grant)
        qn_vec_push(&copy.grants, *grant);
    *ret_account = copy;
}

/* ---- passwords of devices ---- */

struct qn_app_password *qn_account_app(const struct qn_account *account, struct qn_span label)
{
    qn_vec_each (&account->apps, app)
        if (qn_span_eq_str(label, app->label))
            return app;
    return NULL;
}

enum qn_err qn_account_add_app(struct qn_account *account, const struct qn_app_password *app)
{
    struct qn_span label = qn_span_str(app->label);
    if (label.size == 0 || !qn_text_is_printable(label) ||
        (app->folder[0] != '\0' && !qn_text_is_name(qn_span_str(app->folder))))
        return QN_ERR_INVALID;
    if (qn_account_app(account, label) != NULL)
        return QN_ERR_EXISTS;
    if (account->apps.count >= QN_APP_PASSWORDS_MAX)
        return QN_ERR_LIMIT;
    qn_vec_push(&account->apps, *app);
    return QN_OK;
}

enum qn_err qn_account_remove_app(struct qn_account *account, struct qn_span label)
{
    const struct qn_app_password *app = qn_account_app(account, label);
    if (app == NULL)
        return QN_ERR_NOTFOUND;
    qn_vec_remove(&account->apps, (size_t)(app - account->apps.items));
    return QN_OK;
}

void qn_app_password_hash(const uint8_t secret[QN_APP_PASSWORD_SIZE], struct qn_digest *ret_hash)
{
    QN_DIGEST(ret_hash, qn_span("quoin app password 1", 21), qn_span(secret, QN_APP_PASSWORD_SIZE));
}

void qn_app_password_print(const uint8_t secret[QN_APP_PASSWORD_SIZE], struct qn_buf *out)
{
    size_t start = out->size;
    qn_text_append_base32(out, qn_span(secret, QN_APP_PASSWORD_SIZE), PRINT_GROUP);
    for (size_t i = start; i < out->size; i++)
        if (out->data[i] >= 'A' && out->data[i] <= 'Z')
            out->data[i] = (uint8_t)(out->data[i] - 'A' + 'a');
}

bool qn_app_password_is_over(const struct qn_app_password *app, uint64_t wall_ms)
{
    return app->expires_ms != 0 && wall_ms >= app->expires_ms;
}

struct qn_app_password *qn_account_match_app(const struct qn_account *account,
                                             struct qn_span password)
{
    QN_AUTO_BUF struct qn_buf secret;
    qn_buf_init(&secret, QN_PASSWORD_SIZE_MAX);
    if (password.size > QN_PASSWORD_SIZE_MAX || qn_text_parse_base32(password, &secret) != QN_OK ||
        secret.size != QN_APP_PASSWORD_SIZE)
        return NULL;
    struct qn_digest hash;
    struct qn_app_password *found = NULL;
    qn_app_password_hash(secret.data, &hash);
    qn_vec_each (&account->apps, app)
        if (qn_equal_secret(qn_digest_view(&hash), qn_digest_view(&app->hash)))
            found = app;
    qn_wipe(secret.data, secret.size);
    return found;
}

/* ---- grants ---- */

static struct qn_grant *find_grant(const struct qn_account *account, enum qn_thing thing,
                                   struct qn_span name)
{
    qn_vec_each (&account->grants, grant)
        if (grant->thing == thing && qn_span_eq_str(name, grant->name))
            return grant;
    return NULL;
}

static enum qn_err add_grant(struct qn_account *account, enum qn_thing thing, struct qn_span name,
                             enum qn_right right)
{
    if (!qn_text_is_name(name))
        return QN_ERR_INVALID;
    if (account->grants.count >= QN_GRANTS_MAX)
        return QN_ERR_LIMIT;
    struct qn_grant grant = {.thing = thing, .right = right};
    memcpy(grant.name, name.data, name.size);
    qn_vec_push(&account->grants, grant);
    return QN_OK;
}

enum qn_err qn_account_grant(struct qn_account *account, enum qn_thing thing, struct qn_span name,
                             enum qn_right right)
{
    struct qn_grant *grant = find_grant(account, thing, name);
    if (right == QN_RIGHT_NONE) {
        if (grant == NULL)
            return QN_ERR_NOTFOUND;
        qn_vec_remove(&account->grants, (size_t)(grant - account->grants.items));
        return QN_OK;
    }
    if (grant == NULL)
        return add_grant(account, thing, name, right);
    grant->right = right;
    return QN_OK;
}

void qn_account_bind(struct qn_account *account, enum qn_thing thing, struct qn_span name,
                     const uint8_t id[QN_THING_ID_SIZE])
{
    struct qn_grant *grant = find_grant(account, thing, name);
    QN_ASSERT(grant != NULL);
    grant->is_bound = true;
    memcpy(grant->id, id, sizeof(grant->id));
}

const struct qn_grant *qn_account_granted(const struct qn_account *account, enum qn_thing thing,
                                          struct qn_span name)
{
    return find_grant(account, thing, name);
}

/* ---- words ---- */

static const char *const role_names[] = {"reader", "editor", "operator"};
static const char *const right_names[] = {"none", "list", "read", "write"};

const char *qn_role_name(enum qn_role role)
{
    return role_names[role];
}

const char *qn_right_name(enum qn_right right)
{
    return right_names[right];
}

enum qn_err qn_role_parse(struct qn_span text, enum qn_role *ret_role)
{
    for (int i = QN_ROLE_READER; i <= QN_ROLE_OPERATOR; i++)
        if (qn_span_eq_str(text, role_names[i])) {
            *ret_role = (enum qn_role)i;
            return QN_OK;
        }
    return QN_ERR_INVALID;
}

enum qn_err qn_right_parse(struct qn_span text, enum qn_right *ret_right)
{
    for (int i = QN_RIGHT_LIST; i <= QN_RIGHT_WRITE; i++)
        if (qn_span_eq_str(text, right_names[i])) {
            *ret_right = (enum qn_right)i;
            return QN_OK;
        }
    return QN_ERR_INVALID;
}
