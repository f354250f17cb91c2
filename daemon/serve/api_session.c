/* Signing in and out, and who one is. A page of another server cannot sign anybody in here: the
 * body is JSON, which no form sends and no browser lets it send without asking this server first.
 */
#include "http/target.h"
#include "people/account.h"
#include "people/session.h"
#include "proto/items.h"
#include "serve/api_private.h"

#define SIGN_IN_TEXT_MAX 1024

_Static_assert(QN_SESSION_TEXT_SIZE == QN_DOOR_SECRET_SIZE, "one length of both");

/* ---- in ---- */

static void show_session(struct api *api, const struct qn_person *person, const char *cookie)
{
    const struct qn_serve_door *door = qn_web_door(api->request);
    char token[QN_SESSION_TEXT_SIZE + 1], device[QN_DOOR_SECRET_SIZE + 1] = "";
    qn_session_token(qn_span_str(cookie), token);
    if (door->device != NULL && !door->device(door->context, person, device))
        device[0] = '\0';
    qn_buf_append_str(&api->out, "{\"name\":");
    qn_json_text(&api->out, qn_span_str(person->name));
    qn_buf_printf(&api->out, ",\"role\":\"%s\",\"token\":\"%s\"}\n", qn_role_name(person->role),
                  token);
    api_answer_cookie(api, 200, cookie, device);
}

static void signed_in(void *context, enum qn_sign_in result, const struct qn_person *person,
                      const char *cookie, unsigned retry_s)
{
    struct api *api = context;
    api->door_token = 0;
    switch (result) {
    case QN_SIGN_IN_DONE:
        show_session(api, person, cookie);
        break;
    case QN_SIGN_IN_WRONG:
        api_refuse(api, 401, "wrong-password", qn_span_str(""));
        break;
    case QN_SIGN_IN_CODE_WANTED:
        api_refuse(api, 401, "code-wanted", qn_span_str(""));
        break;
    case QN_SIGN_IN_CODE_WRONG:
        api_refuse(api, 401, "wrong-code", qn_span_str(""));
        break;
    case QN_SIGN_IN_THROTTLED:
        api_refuse_retry(api, 429, "throttled", retry_s);
        break;
    case QN_SIGN_IN_BUSY:
        api_refuse_retry(api, 503, "busy", retry_s);
        break;
    }
}

static bool take_text(json_t *object, const char *name, bool is_needed, struct qn_span *ret_text)
{
    json_t *member = json_object_get(object, name);
    *ret_text = qn_span("", 0);
    if (member == NULL && !is_needed)
        return true;
    if (!json_is_string(member) || json_string_length(member) > SIGN_IN_TEXT_MAX)
        return false;
    *ret_text = qn_span(json_string_value(member), json_string_length(member));
    return true;
}

static struct qn_span device_of(struct api *api)
{
    const struct qn_http_header *field = qn_http_header(qn_web_asked(api->request), "Cookie");
    struct qn_span device;
    if (field == NULL || qn_http_cookie_get(field->value, QN_DOOR_DEVICE_COOKIE, &device) != QN_OK)
        return qn_span("", 0);
    return device;
}

static void take_names(struct api *api)
{
    const struct qn_serve_door *door = qn_web_door(api->request);
    struct qn_sign_in_what what = {.from = qn_web_from(api->request), .device = device_of(api)};
    json_t *object = api_body_object(api, "name password code");
    if (object == NULL)
        return;
    bool is_read = take_text(object, "name", true, &what.name) &&
                   take_text(object, "password", true, &what.password) &&
                   take_text(object, "code", false, &what.code);
    if (!is_read)
        api_refuse(api, 400, "bad-request", qn_span_str("name, password"));
    else if (door->sign_in == NULL)
        api_refuse(api, 503, "busy", qn_span_str(""));
    else
        api->door_token = door->sign_in(door->context, &what, signed_in, api);
    json_decref(object);
}

void api_sign_in(struct api *api)
{
    api_want_json(api, take_names);
}

/* ---- out ---- */

void api_sign_out(struct api *api)
{
    const struct qn_serve_door *door = qn_web_door(api->request);
    if (door->sign_out != NULL)
        door->sign_out(door->context, qn_web_asked(api->request));
    api_note(api, "logout", "ok");
    api_answer_cookie(api, 204, "", "");
}

/* ---- who one is ---- */

static void show_grants(struct api *api, const struct qn_account *account)
{
    struct qn_buf *out = &api->out;
    size_t count = 0;
    qn_buf_append_str(out, ",\"grants\":[");
    qn_vec_each (&account->grants, grant) {
        enum qn_right right = api_right(api, grant->thing, qn_span_str(grant->name));
        if (right == QN_RIGHT_NONE)
            continue;
        qn_buf_append_str(out, count++ == 0 ? "{" : ",{");
        qn_buf_append_str(out, grant->thing == QN_THING_FOLDER ? "\"folder\":" : "\"collection\":");
        qn_json_text(out, qn_span_str(grant->name));
        qn_buf_printf(out, ",\"right\":\"%s\"}", qn_right_name(right));
    }
    qn_buf_append_u8(out, ']');
}

static const struct qn_json_shape where[] = {
    {.key = "site", .kind = QN_JSON_VALUE},
    {.key = "group", .kind = QN_JSON_VALUE},
    {.key = NULL},
};

static void show_me(struct api *api, const struct qn_serve_answer *answer)
{
    const struct qn_serve_door *door = qn_web_door(api->request);
    const struct qn_account *account =
        qn_people_find(qn_web_people(api->request), qn_span_str(api->person->name));
    char token[QN_DOOR_SECRET_SIZE + 1];
    if (answer->kind == QN_SERVE_ERROR) {
        api_refuse_error(api, answer);
        return;
    }
    if (account == NULL) { /* removed a moment ago */
        api_refuse(api, 401, "sign-in", qn_span_str(""));
        return;
    }
    qn_buf_append_str(&api->out, "{\"name\":");
    qn_json_text(&api->out, qn_span_str(account->name));
    qn_buf_printf(&api->out, ",\"role\":\"%s\",", qn_role_name(account->role));
    qn_json_members(&api->out, answer->data, where);
    if (door->session_token != NULL &&
        door->session_token(door->context, qn_web_asked(api->request), token))
        qn_buf_printf(&api->out, ",\"token\":\"%s\"", token);
    qn_buf_printf(&api->out, ",\"second_factor\":%s", account->has_totp ? "true" : "false");
    show_grants(api, account);
    qn_buf_append_u8(&api->out, '}');
    api_answer(api, 200, NULL);
}

void api_me(struct api *api)
{
    struct qn_buf args;
    api_args(&args, 0);
    api_command(api, "status", &args, show_me);
}
