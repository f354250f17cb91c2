/* Signing in and out over the API, in front of a door that the test plays. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "people/account.h"
#include "people/session.h"
#include "proto/pack.h"
#include "serve/api.h"
#include "support/fake_local.h"
#include "support/fake_web.h"
#include "support/span.h"

#define JSON   "Content-Type: application/json\r\n"
#define COOKIE "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct fake_web web;
static struct fake_local *disk;

/* ---- the door ---- */

static char asked[256], shown[256];
static qn_sign_in_fn told;
static void *told_context;
static unsigned forgotten, signed_out;

static uint64_t sign_in(void *context, const struct qn_sign_in_what *what, qn_sign_in_fn done,
                        void *done_context)
{
    (void)snprintf(asked, sizeof(asked), "%.*s|%.*s|%.*s|%s", (int)what->name.size,
                   (const char *)what->name.data, (int)what->password.size,
                   (const char *)what->password.data, (int)what->code.size,
                   (const char *)what->code.data, what->from);
    (void)snprintf(shown, sizeof(shown), "%.*s", (int)what->device.size,
                   (const char *)what->device.data);
    told = done;
    told_context = done_context;
    return 7;
}

static bool has_device;

static bool device(void *context, const struct qn_person *person,
                   char ret_device[QN_DOOR_SECRET_SIZE + 1])
{
    cr_assert_str_eq(person->name, "anne");
    if (has_device)
        (void)snprintf(ret_device, QN_DOOR_SECRET_SIZE + 1, "%064d", 5);
    return has_device;
}

static void forget(void *context, uint64_t token)
{
    cr_assert_eq(token, 7);
    forgotten++;
}

static void sign_out(void *context, const struct qn_http_head *head)
{
    signed_out++;
}

static bool session_token(void *context, const struct qn_http_head *head,
                          char ret_token[QN_DOOR_SECRET_SIZE + 1])
{
    if (qn_http_header(head, "Cookie") == NULL)
        return false;
    qn_session_token(SPAN(COOKIE), ret_token);
    return true;
}

static enum qn_err grant(void *context, struct qn_account *account)
{
    account->role = QN_ROLE_READER;
    account->has_totp = true;
    cr_assert_eq(qn_account_grant(account, QN_THING_COLLECTION, SPAN("c"), QN_RIGHT_WRITE), QN_OK);
    return qn_account_grant(account, QN_THING_FOLDER, SPAN("docs"), QN_RIGHT_READ);
}

static void done(void *context, enum qn_err err)
{
    cr_assert_eq(err, QN_OK);
}

static void set_up(void)
{
    disk = fake_local_new();
    fake_web_init(&web, &qn_api_session_handler);
    web.door = (struct qn_serve_door){.sign_in = sign_in,
                                      .forget = forget,
                                      .sign_out = sign_out,
                                      .device = device,
                                      .session_token = session_token};
    web.people = qn_people_new(fake_local_door(disk));
    cr_assert_eq(qn_people_load(web.people), QN_OK);
    qn_people_edit(web.people,
                   &(struct qn_people_edit){
                       .change = QN_PEOPLE_ADD, .name = "anne", .edit = grant, .done = done});
    while (fake_local_turn(disk) > 0)
        ;
}

static void tear_down(void)
{
    fake_web_deinit(&web);
    qn_people_free(web.people);
    fake_local_free(disk);
}
TestSuite(api_session, .init = set_up, .fini = tear_down);

static void sign_in_as_anne(void)
{
    fake_web_ask(&web, "POST /", JSON, "{\"name\":\"anne\",\"password\":\"p\\u00e9 w\"}");
    cr_assert_str_eq(asked, "anne|p\xc3\xa9 w||192.0.2.1");
}

static bool has(const char *text)
{
    return memmem(web.answer.data, web.answer.size, text, strlen(text)) != NULL;
}

Test(api_session, begins)
{
    struct qn_person person = {.name = "anne", .role = QN_ROLE_EDITOR};
    char token[QN_SESSION_TEXT_SIZE + 1], wanted[256];
    sign_in_as_anne();
    told(told_context, QN_SIGN_IN_DONE, &person, COOKIE, 0);
    cr_assert_eq(web.status, 200);
    cr_assert(fake_web_has_field(&web, "Set-Cookie: __Host-quoin=" COOKIE
                                       "; Path=/; Secure; HttpOnly; SameSite=Strict"));
    cr_assert(fake_web_has_field(&web, "Cache-Control: no-store"));
    qn_session_token(SPAN(COOKIE), token);
    (void)snprintf(wanted, sizeof(wanted),
                   "{\"name\":\"anne\",\"role\":\"editor\",\"token\":\"%s\"}\n", token);
    cr_assert(qn_span_eq_str(fake_web_content(&web), wanted));
    cr_assert(!has(token) || strcmp(token, COOKIE) != 0);
}

/* A browser that was let in is known again, and says so when somebody signs in. */
Test(api_session, a_browser_that_is_known)
{
    struct qn_person person = {.name = "anne", .role = QN_ROLE_EDITOR};
    sign_in_as_anne();
    cr_assert_str_eq(shown, "");
    told(told_context, QN_SIGN_IN_DONE, &person, COOKIE, 0);
    cr_assert_not(has("__Host-quoin-device"));
    has_device = true;
    fake_web_ask(&web, "POST /", JSON "Cookie: a=b; __Host-quoin-device=77\r\n",
                 "{\"name\":\"anne\",\"password\":\"x\"}");
    cr_assert_str_eq(shown, "77");
    told(told_context, QN_SIGN_IN_DONE, &person, COOKIE, 0);
    cr_assert(has("Set-Cookie: __Host-quoin-device=00000000000000000000000000000000"
                  "00000000000000000000000000000005; Path=/; Secure; HttpOnly; SameSite=Strict; "
                  "Max-Age=34560000\r\n"));
    cr_assert(fake_web_has_field(&web, "Set-Cookie: __Host-quoin=" COOKIE
                                       "; Path=/; Secure; HttpOnly; SameSite=Strict"));
    has_device = false;
}

Test(api_session, refusals)
{
    static const struct {
        enum qn_sign_in result;
        unsigned status;
        const char *code;
    } cases[] = {
        {QN_SIGN_IN_WRONG, 401, "wrong-password"},
        {QN_SIGN_IN_CODE_WANTED, 401, "code-wanted"},
        {QN_SIGN_IN_CODE_WRONG, 401, "wrong-code"},
        {QN_SIGN_IN_THROTTLED, 429, "throttled"},
        {QN_SIGN_IN_BUSY, 503, "busy"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        sign_in_as_anne();
        told(told_context, cases[i].result, NULL, NULL, 12);
        cr_assert_eq(web.status, cases[i].status);
        cr_assert(has(cases[i].code) && !has("Set-Cookie"));
        cr_assert(cases[i].status == 401 || has("\"message\":\"The"));
        cr_assert_eq(fake_web_has_field(&web, "Retry-After: 12"), cases[i].status > 401);
    }
}

Test(api_session, with_a_code)
{
    fake_web_ask(&web, "POST /", JSON, "{\"name\":\"a\",\"password\":\"p\",\"code\":\"123456\"}");
    cr_assert_str_eq(asked, "a|p|123456|192.0.2.1");
    told(told_context, QN_SIGN_IN_WRONG, NULL, NULL, 0);
}

/* The door forgets who left. */
Test(api_session, a_client_that_leaves)
{
    sign_in_as_anne();
    fake_web_leave(&web);
    cr_assert_eq(forgotten, 1);
}

Test(api_session, bad_requests)
{
    static const char *const bodies[] = {"{\"name\":\"a\"}", "{\"password\":\"a\"}",
                                         "{\"name\":1,\"password\":\"a\"}",
                                         "{\"name\":\"a\",\"password\":\"a\",\"code\":123456}",
                                         "{\"name\":\"a\",\"password\":\"a\",\"remember\":true}"};
    asked[0] = '\0';
    for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
        fake_web_ask(&web, "POST /", JSON, bodies[i]);
        cr_assert_eq(web.status, 400, "%s", bodies[i]);
    }
    fake_web_ask(&web, "POST /", "Content-Type: text/plain\r\n",
                 "{\"name\":\"a\",\"password\":\"a\"}");
    cr_assert_eq(web.status, 415);
    fake_web_ask(&web, "POST /x", JSON, "{\"name\":\"a\",\"password\":\"a\"}");
    cr_assert_eq(web.status, 404);
    cr_assert_str_eq(asked, "");
}

Test(api_session, ends)
{
    strcpy(web.person.name, "anne");
    fake_web_ask(&web, "DELETE /", "", NULL);
    cr_assert_eq(web.status, 204);
    cr_assert_eq(signed_out, 1);
    cr_assert(
        has("Set-Cookie: __Host-quoin=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"));
}

static void ask_me(const char *fields)
{
    QN_AUTO_BUF struct qn_buf status;
    qn_buf_init(&status, 256);
    qn_pack_map(&status, 2);
    qn_pack_cstr(&status, "group");
    qn_pack_cstr(&status, "g");
    qn_pack_cstr(&status, "site");
    qn_pack_cstr(&status, "s");
    web.handler = &qn_api_handler;
    strcpy(web.person.name, "anne");
    web.person.device_max = QN_RIGHT_WRITE;
    fake_web_ask(&web, "GET /me", fields, NULL);
    (void)fake_web_command(&web, "status");
    fake_web_end(&web, qn_buf_view(&status));
}

Test(api_session, who_one_is)
{
    char token[QN_SESSION_TEXT_SIZE + 1], wanted[256];
    ask_me("");
    cr_assert(
        qn_span_eq_str(fake_web_content(&web), "{\"name\":\"anne\",\"role\":\"reader\",\"site\":"
                                               "\"s\",\"group\":\"g\",\"second_factor\":"
                                               "true,\"grants\":[{\"collection\":\"c\",\"right\":"
                                               "\"read\"},{\"folder\":\"docs\",\"right\":"
                                               "\"read\"}]}\n") ||
            qn_span_eq_str(fake_web_content(&web),
                           "{\"name\":\"anne\",\"role\":\"reader\",\"site\":\"s\",\"group\":"
                           "\"g\",\"second_factor\":true,\"grants\":[{\"folder\":\"docs\","
                           "\"right\":\"read\"},{\"collection\":\"c\",\"right\":\"read\"}]}\n"),
        "%.*s", (int)fake_web_content(&web).size, (const char *)fake_web_content(&web).data);
    ask_me("Cookie: __Host-quoin=" COOKIE "\r\n");
    qn_session_token(SPAN(COOKIE), token);
    (void)snprintf(wanted, sizeof(wanted), "\"token\":\"%s\"", token);
    cr_assert(has(wanted));
}
