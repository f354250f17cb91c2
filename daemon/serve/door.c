/* What a request says of who asks, and what can be said at once. */
#include "serve/door.h"

#include <arpa/inet.h>
#include <strings.h>

#include "base/assert.h"
#include "http/target.h"
#include "people/device.h"
#include "serve/door_private.h"

#define USED_MS ((uint64_t)3600 * 1000) /* how exactly it is told when a device was last used */

uint64_t door_now(const struct qn_door *door)
{
    return door->options.host->now_ms(door->options.host->context);
}

void door_person(const struct qn_account *account, const struct qn_app_password *app,
                 struct qn_person *ret_person)
{
    *ret_person = (struct qn_person){.role = account->role, .device_max = QN_RIGHT_WRITE};
    memcpy(ret_person->name, account->name, sizeof(ret_person->name));
    if (app == NULL)
        return;
    memcpy(ret_person->device, app->label, sizeof(ret_person->device));
    ret_person->device_max = app->right;
}

/* ---- which server was meant ---- */

static bool is_text(struct qn_span span, const char *text)
{
    return span.size == strlen(text) && strncasecmp((const char *)span.data, text, span.size) == 0;
}

/* Without the port, the brackets of an IPv6 address, and the dot that ends a full name. */
static struct qn_span bare_host(struct qn_span host)
{
    const uint8_t *end = host.size > 0 ? memrchr(host.data, ':', host.size) : NULL;
    const uint8_t *bracket = host.size > 0 ? memrchr(host.data, ']', host.size) : NULL;
    if (end != NULL && (bracket == NULL || bracket < end))
        host.size = (size_t)(end - host.data);
    if (host.size > 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
        return qn_span(host.data + 1, host.size - 2);
    if (host.size > 1 && host.data[host.size - 1] == '.')
        host.size--;
    return host;
}

static bool is_address(struct qn_span host)
{
    char text[INET6_ADDRSTRLEN];
    uint8_t bytes[16];
    if (host.size == 0 || host.size >= sizeof(text))
        return false;
    memcpy(text, host.data, host.size);
    text[host.size] = '\0';
    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* A page that was loaded under a foreign name, which now leads here (DNS rebinding), shows that
 * name; it cannot show an address that is not in its own address. */
static bool is_our_host(const struct qn_door *door, struct qn_span host)
{
    struct qn_span bare = bare_host(host);
    if (host.size == 0 || is_address(bare) || is_text(bare, "localhost"))
        return true; /* none at all: HTTP/1.0, no browser */
    for (size_t i = 0; i < door->name_count; i++)
        if (is_text(bare, door->names[i]))
            return true;
    return false;
}

static bool is_safe(enum qn_http_method method)
{
    return method == QN_HTTP_GET || method == QN_HTTP_HEAD || method == QN_HTTP_OPTIONS ||
           method == QN_HTTP_PROPFIND;
}

/* What changes something and says that it comes from a page must come from one of ours: also with
 * Basic, which a browser adds by itself. */
static bool is_foreign(const struct qn_http_head *head)
{
    static const char scheme[] = "https://";
    const struct qn_http_header *origin = qn_http_header(head, "Origin");
    const struct qn_http_header *site = qn_http_header(head, "Sec-Fetch-Site");
    if (is_safe(head->method))
        return false;
    if (site != NULL && (is_text(site->value, "cross-site") || is_text(site->value, "same-site")))
        return true;
    if (origin == NULL)
        return false;
    struct qn_span host = qn_span_from(origin->value, strlen(scheme));
    return !qn_span_has_prefix(origin->value, qn_span_str(scheme)) ||
           host.size != head->host.size ||
           strncasecmp((const char *)host.data, (const char *)head->host.data, host.size) != 0;
}

/* ---- the session of the page ---- */

static bool find_cookie(const struct qn_http_head *head, struct qn_span *ret_cookie)
{
    const struct qn_http_header *field = qn_http_header(head, "Cookie");
    return field != NULL && qn_http_cookie_get(field->value, QN_DOOR_COOKIE, ret_cookie) == QN_OK;
}

static bool has_token(const struct qn_http_head *head, struct qn_span cookie)
{
    const struct qn_http_header *field = qn_http_header(head, QN_DOOR_TOKEN_FIELD);
    return field != NULL && qn_session_is_token(cookie, field->value);
}

static void ask_session(struct qn_door *door, const struct qn_http_head *head, qn_door_fn done,
                        void *context)
{
    const struct qn_account *account;
    struct qn_person person;
    struct qn_span cookie;
    if (!find_cookie(head, &cookie) || qn_session_find(door->sessions, door->options.people, cookie,
                                                       door_now(door), &account) != QN_OK) {
        done(context, QN_DOOR_NOBODY, NULL, 0);
        return;
    }
    if (!is_safe(head->method) && !has_token(head, cookie)) {
        done(context, QN_DOOR_FORBIDDEN, NULL, 0);
        return;
    }
    door_person(account, NULL, &person);
    person.is_session = true;
    done(context, QN_DOOR_PERSON, &person, 0);
}

void qn_door_sign_out(struct qn_door *door, const struct qn_http_head *head)
{
    struct qn_span cookie;
    if (find_cookie(head, &cookie))
        qn_session_end(door->sessions, cookie);
}

bool qn_door_session_token(struct qn_door *door, const struct qn_http_head *head,
                           char ret_token[QN_DOOR_SECRET_SIZE + 1])
{
    const struct qn_account *account;
    struct qn_span cookie;
    _Static_assert(QN_DOOR_SECRET_SIZE == QN_SESSION_TEXT_SIZE, "one length of both");
    if (!find_cookie(head, &cookie) || qn_session_find(door->sessions, door->options.people, cookie,
                                                       door_now(door), &account) != QN_OK)
        return false;
    qn_session_token(cookie, ret_token);
    return true;
}

/* ---- browsers that are known ---- */

static bool is_known_device(const struct qn_door *door, const struct qn_sign_in_what *what)
{
    const struct qn_account *account = qn_people_find(door->options.people, what->name);
    return what->device.size > 0 && account != NULL && qn_device_is_known(account, what->device);
}

bool qn_door_device(struct qn_door *door, const struct qn_person *person,
                    char ret_device[QN_DOOR_SECRET_SIZE + 1])
{
    const struct qn_account *account =
        qn_people_find(door->options.people, qn_span_str(person->name));
    _Static_assert(QN_DOOR_SECRET_SIZE == QN_DEVICE_TEXT_SIZE, "one length of all");
    if (account == NULL || !account->has_password)
        return false;
    qn_device_text(account, ret_device);
    return true;
}

/* ---- Basic ---- */

struct use {
    struct qn_door *door;
    char label[QN_USER_SIZE_MAX + 1];
    uint64_t used_ms;
};

static enum qn_err note_use(void *context, struct qn_account *account)
{
    const struct use *use = context;
    struct qn_app_password *app = qn_account_app(account, qn_span_str(use->label));
    if (app == NULL)
        return QN_ERR_NOTFOUND;
    app->used_ms = use->used_ms;
    return QN_OK;
}

static void on_use_noted(void *context, enum qn_err err)
{
    struct use *use = context;
    struct qn_door *door = use->door;
    door->is_noting_use = false;
    qn_free(use); /* a failure is tried again with the next use */
    door_done_one(door);
}

static void remember_use(struct qn_door *door, const struct qn_account *account,
                         const struct qn_app_password *app)
{
    uint64_t now = door->options.host->wall_ms(door->options.host->context);
    if (now < app->used_ms + USED_MS || door->is_noting_use)
        return;
    struct use *use = QN_NEW(struct use);
    use->door = door;
    use->used_ms = now;
    memcpy(use->label, app->label, sizeof(use->label));
    door->busy++;
    door->is_noting_use = true;
    qn_people_edit(door->options.people, &(struct qn_people_edit){.change = QN_PEOPLE_CHANGE,
                                                                  .name = account->name,
                                                                  .edit = note_use,
                                                                  .done = on_use_noted,
                                                                  .context = use});
}

static bool is_over(const struct qn_door *door, const struct qn_app_password *app)
{
    const struct qn_serve_host *host = door->options.host;
    return app != NULL && qn_app_password_is_over(app, host->wall_ms(host->context));
}

/* What needs no hashing; false: it does. A password that was right and is over is no guess: a
 * device that goes on trying shuts nobody out. */
static bool answer_known(struct qn_door *door, struct qn_span name, struct qn_span password,
                         qn_door_fn done, void *context)
{
    struct qn_person person;
    struct qn_digest key;
    const struct qn_account *account = qn_people_find(door->options.people, name);
    const struct qn_app_password *app = NULL;
    if (account != NULL && !account->is_disabled)
        app = qn_account_match_app(account, password);
    if (is_over(door, app)) {
        done(context, QN_DOOR_WRONG, NULL, 0);
        return true;
    }
    door_key_of(door, name, password, &key);
    if (app == NULL && door_cached(door, &key) == NULL)
        return false;
    door_person(account, app, &person);
    if (app != NULL)
        remember_use(door, account, app);
    done(context, QN_DOOR_PERSON, &person, 0);
    return true;
}

static uint64_t ask_basic(struct qn_door *door, struct qn_span field, const char *from,
                          qn_door_fn done, void *context)
{
    struct qn_buf decoded;
    struct qn_span name, password;
    uint64_t token = 0;
    qn_buf_init(&decoded, 2048);
    qn_buf_reserve(&decoded, 2048);
    bool is_read = qn_http_basic_read(field, &decoded, &name, &password) == QN_OK &&
                   qn_account_is_name(name) && password.size <= QN_PASSWORD_SIZE_MAX;
    if (!is_read) {
        done(context, QN_DOOR_WRONG, NULL, 0);
    } else if (!answer_known(door, name, password, done, context)) {
        struct knock *knock = door_new_knock(door, name, password, from);
        knock->ask_done = done;
        knock->context = context;
        token = door_knock(door, knock);
    }
    qn_wipe(decoded.data, decoded.capacity);
    qn_buf_deinit(&decoded);
    return token;
}

uint64_t qn_door_ask(struct qn_door *door, const struct qn_http_head *head, const char *from,
                     qn_door_fn done, void *context)
{
    const struct qn_http_header *field = qn_http_header(head, "Authorization");
    if (!is_our_host(door, head->host))
        done(context, QN_DOOR_MISDIRECTED, NULL, 0);
    else if (qn_http_header_count(head, "Authorization") > 1)
        done(context, QN_DOOR_WRONG, NULL, 0); /* a proxy may have believed the other one */
    else if (is_foreign(head))
        done(context, QN_DOOR_FORBIDDEN, NULL, 0);
    else if (field != NULL)
        return ask_basic(door, field->value, from, done, context);
    else
        ask_session(door, head, done, context);
    return 0;
}

uint64_t qn_door_sign_in(struct qn_door *door, const struct qn_sign_in_what *what,
                         qn_sign_in_fn done, void *context)
{
    if (!qn_account_is_name(what->name) || what->password.size > QN_PASSWORD_SIZE_MAX) {
        done(context, QN_SIGN_IN_WRONG, NULL, NULL, 0);
        return 0;
    }
    struct knock *knock = door_new_knock(door, what->name, what->password, what->from);
    size_t size = what->code.size < sizeof(knock->code) ? what->code.size : 0;
    if (what->code.size > 0)
        memcpy(knock->code, size > 0 ? (const char *)what->code.data : "-", size > 0 ? size : 1);
    knock->is_sign_in = true;
    knock->is_known_device = is_known_device(door, what);
    knock->sign_in_done = done;
    knock->context = context;
    return door_knock(door, knock);
}

/* ---- life ---- */

struct qn_door *qn_door_new(const struct qn_door_options *options)
{
    struct qn_door *door = QN_NEW(struct qn_door);
    uint8_t key[QN_THROTTLE_KEY_SIZE];
    door->options = *options;
    if (door->options.check == NULL)
        door->options.check = qn_verifier_check;
    options->host->random(key, sizeof(key));
    options->host->random(door->key, sizeof(door->key));
    door->throttle = qn_throttle_new(key);
    door->sessions = qn_sessions_new();
    return door;
}

static void release(struct qn_door *door)
{
    qn_throttle_free(door->throttle);
    qn_sessions_free(door->sessions);
    qn_vec_free(&door->waiting);
    qn_vec_free(&door->followers);
    qn_vec_free(&door->checking);
    qn_wipe(door, sizeof(*door));
    qn_free(door);
}

void door_done_one(struct qn_door *door)
{
    QN_ASSERT(door->busy > 0);
    if (--door->busy == 0 && door->is_closing)
        release(door);
}

static void drop_all(struct knock **knocks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        qn_wipe(knocks[i], sizeof(*knocks[i]));
        qn_free(knocks[i]);
    }
}

void qn_door_free(struct qn_door *door)
{
    if (door == NULL)
        return;
    drop_all(door->waiting.items, door->waiting.count);
    drop_all(door->followers.items, door->followers.count);
    door->waiting.count = door->followers.count = 0;
    door->is_closing = true;
    if (door->busy == 0)
        release(door);
}

void qn_door_configure(struct qn_door *door, const struct qn_serve_config *config)
{
    memcpy(door->names, config->names, sizeof(door->names));
    door->name_count = config->name_count;
}

void qn_door_forgive(struct qn_door *door, struct qn_span name)
{
    qn_throttle_reset(door->throttle, name);
}

/* ---- the table ---- */

static uint64_t table_ask(void *context, const struct qn_http_head *head, const char *from,
                          qn_door_fn done, void *done_context)
{
    return qn_door_ask(context, head, from, done, done_context);
}

static void table_forget(void *context, uint64_t token)
{
    qn_door_forget(context, token);
}

static uint64_t table_sign_in(void *context, const struct qn_sign_in_what *what, qn_sign_in_fn done,
                              void *done_context)
{
    return qn_door_sign_in(context, what, done, done_context);
}

static void table_sign_out(void *context, const struct qn_http_head *head)
{
    qn_door_sign_out(context, head);
}

static bool table_device(void *context, const struct qn_person *person,
                         char ret_device[QN_DOOR_SECRET_SIZE + 1])
{
    return qn_door_device(context, person, ret_device);
}

static bool table_token(void *context, const struct qn_http_head *head,
                        char ret_token[QN_DOOR_SECRET_SIZE + 1])
{
    return qn_door_session_token(context, head, ret_token);
}

void qn_door_table(struct qn_door *door, struct qn_serve_door *ret_table)
{
    *ret_table = (struct qn_serve_door){.ask = table_ask,
                                        .forget = table_forget,
                                        .sign_in = table_sign_in,
                                        .sign_out = table_sign_out,
                                        .device = table_device,
                                        .session_token = table_token,
                                        .context = door};
}
