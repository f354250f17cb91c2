/* The JSON API about records, in front of a host whose answers the test gives. */
#include <criterion/criterion.h>

#include "http/condition.h"
#include "json/in.h"
#include "people/account.h"
#include "proto/items.h"
#include "serve/api.h"
#include "support/fake_local.h"
#include "support/fake_web.h"
#include "support/span.h"

#define JSON "Content-Type: application/json\r\n"

static struct fake_web web;
static struct fake_local *disk;

static enum qn_err grant(void *context, struct qn_account *account)
{
    account->role = QN_ROLE_EDITOR;
    cr_assert_eq(qn_account_grant(account, QN_THING_COLLECTION, SPAN("c"), QN_RIGHT_WRITE), QN_OK);
    cr_assert_eq(qn_account_grant(account, QN_THING_COLLECTION, SPAN("r"), QN_RIGHT_READ), QN_OK);
    return qn_account_grant(account, QN_THING_FOLDER, SPAN("docs"), QN_RIGHT_READ);
}

static enum qn_err make_operator(void *context, struct qn_account *account)
{
    account->role = QN_ROLE_OPERATOR;
    return QN_OK;
}

static void done(void *context, enum qn_err err)
{
    cr_assert_eq(err, QN_OK);
}

static void set_up(void)
{
    disk = fake_local_new();
    fake_web_init(&web, &qn_api_handler);
    web.people = qn_people_new(fake_local_door(disk));
    strcpy(web.person.name, "anne");
    web.person.role = QN_ROLE_EDITOR;
    web.person.device_max = QN_RIGHT_WRITE;
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
TestSuite(api_records, .init = set_up, .fini = tear_down);

/* ---- what comes from the host: JSON, in which "$..." is bytes in hexadecimal ---- */

static struct qn_buf *packed_of(const char *json)
{
    static struct qn_buf packed;
    json_error_t reason;
    json_t *value = qn_json_parse(qn_span_str(json), &reason);
    cr_assert_not_null(value, "%s: %s", json, reason.text);
    qn_buf_deinit(&packed);
    qn_buf_init(&packed, 1 << 20);
    qn_json_pack(value, &packed);
    json_decref(value);
    return &packed;
}

static void data(const char *json)
{
    fake_web_data(&web, qn_buf_view(packed_of(json)));
}

static void end(const char *json)
{
    fake_web_end(&web, qn_buf_view(packed_of(json)));
}

/* A record as record.get gives it, with a version of sixteen such bytes. */
static struct qn_span record_of(const char *value, uint8_t version)
{
    static struct qn_buf packed;
    char json[256];
    (void)snprintf(json, sizeof(json),
                   "{\"collection\":\"c\",\"fields\":{\"f\":\"%s\"},\"key\":\"k\","
                   "\"updated\":{\"site\":\"s\",\"time\":1700000000123},\"version\":0}",
                   value);
    struct qn_buf *record = packed_of(json);
    qn_buf_deinit(&packed);
    qn_buf_init(&packed, 4096);
    qn_buf_append(&packed, record->data, record->size - 1);
    uint8_t bytes[18] = {0xc4, 16};
    memset(bytes + 2, version, 16);
    qn_buf_append(&packed, bytes, sizeof(bytes));
    return qn_buf_view(&packed);
}

#define RECORD                                                                                     \
    "{\"collection\":\"c\",\"key\":\"k\",\"fields\":{\"f\":\"1\"},"                                \
    "\"updated\":{\"site\":\"s\",\"time\":\"2023-11-14T22:13:20.123Z\"}}\n"
#define ETAG_1 "\"01010101010101010101010101010101\""
#define ETAG_2 "\"02020202020202020202020202020202\""

static void assert_answer(unsigned status, const char *content)
{
    cr_assert_eq(web.status, status, "%u: %.*s", web.status, (int)fake_web_content(&web).size,
                 (const char *)fake_web_content(&web).data);
    cr_assert(web.is_finished && !web.is_cut);
    cr_assert(qn_span_eq_str(fake_web_content(&web), content), "%.*s",
              (int)fake_web_content(&web).size, (const char *)fake_web_content(&web).data);
}

static void assert_refused(const char *line, const char *fields, const char *body, unsigned status,
                           const char *code)
{
    fake_web_ask(&web, line, fields, body);
    cr_assert_eq(web.status, status, "%s: %u %.*s", line, web.status,
                 (int)fake_web_content(&web).size, (const char *)fake_web_content(&web).data);
    cr_assert(qn_span_has_prefix(fake_web_content(&web), qn_span_str(code)), "%s: %.*s", line,
              (int)fake_web_content(&web).size, (const char *)fake_web_content(&web).data);
}

static struct qn_span arg_of(const char *command, const char *name)
{
    struct qn_span value = {0};
    (void)qn_map_find(qn_buf_view(&fake_web_command(&web, command)->args), name, &value);
    return value;
}

/* ---- who may ---- */

Test(api_records, what_may_not_be_seen_is_not_there)
{
    assert_refused("GET /collections/x/records", "", NULL, 404, "collection-unknown");
    assert_refused("GET /collections/x/records/k", "", NULL, 404, "collection-unknown");
    assert_refused("GET /collections/x/trash", "", NULL, 404, "collection-unknown");
    assert_refused("GET /collections/x/records/k/history", "", NULL, 404, "collection-unknown");
    assert_refused("PUT /collections/x/records/k", JSON, "{\"fields\":{\"f\":1}}", 404,
                   "collection-unknown");
    assert_refused("PUT /collections/r/records/k", JSON, "{\"fields\":{\"f\":1}}", 403,
                   "read-only");
    assert_refused("DELETE /collections/r/records/k", "", NULL, 403, "read-only");
    assert_refused("POST /collections/r/records/k/resolve", JSON, "{}", 403, "read-only");
    assert_refused("POST /collections/r/trash/k", JSON, "{}", 403, "read-only");
    assert_refused("GET /folders/secret/list", "", NULL, 404, "folder-unknown");
    assert_refused("GET /folders/secret/files/a", "", NULL, 404, "folder-unknown");
    assert_refused("PUT /folders/docs/files/a", "", "x", 403, "read-only");
    assert_refused("DELETE /folders/docs/files/a", "", NULL, 403, "read-only");
    cr_assert_eq(web.commands.count, 0, "nobody was asked");
}

static enum qn_err only_list(void *context, struct qn_account *account)
{
    cr_assert_eq(qn_account_grant(account, QN_THING_COLLECTION, SPAN("r"), QN_RIGHT_LIST), QN_OK);
    return qn_account_grant(account, QN_THING_FOLDER, SPAN("docs"), QN_RIGHT_LIST);
}

static void let_only_list(void)
{
    qn_people_edit(web.people, &(struct qn_people_edit){.change = QN_PEOPLE_CHANGE,
                                                        .name = "anne",
                                                        .edit = only_list,
                                                        .done = done});
    while (fake_local_turn(disk) > 0)
        ;
}

Test(api_records, who_may_only_list_gets_no_content)
{
    let_only_list();
    assert_refused("GET /collections/r/records/k", "", NULL, 403, "list-only");
    assert_refused("GET /collections/r/records/k/history", "", NULL, 403, "list-only");
    assert_refused("GET /collections/r/trash", "", NULL, 403, "list-only");
    assert_refused("PUT /collections/r/records/k", JSON, "{\"fields\":{\"f\":1}}", 403,
                   "list-only");
    assert_refused("GET /folders/docs/files/a", "", NULL, 403, "list-only");
    assert_refused("GET /folders/docs/files/?zip", "", NULL, 403, "list-only");
    assert_refused("PUT /folders/docs/files/a", "", "x", 403, "list-only");
    cr_assert_eq(web.commands.count, 0, "nobody was asked");
}

Test(api_records, lists_have_what_may_be_seen)
{
    fake_web_ask(&web, "GET /collections", "", NULL);
    cr_assert(fake_web_command(&web, "collection.list") != NULL);
    data("{\"name\":\"c\",\"records\":3,\"conflicts\":1,\"in_sync\":true,\"members\":[\"a\"]}");
    data("{\"name\":\"x\",\"records\":9,\"conflicts\":0,\"in_sync\":true}");
    data("{\"name\":\"r\",\"records\":0,\"conflicts\":0,\"in_sync\":false}");
    end("null");
    assert_answer(200, "[{\"name\":\"c\",\"records\":3,\"conflicts\":1,\"in_sync\":true,"
                       "\"right\":\"write\"},\n{\"name\":\"r\",\"records\":0,\"conflicts\":0,"
                       "\"in_sync\":false,\"right\":\"read\"}]\n");
    fake_web_ask(&web, "GET /conflicts", "", NULL);
    data("{\"collection\":\"x\",\"fields\":[\"f\"],\"key\":\"k\"}");
    end("null");
    assert_answer(200, "[]\n");
    fake_web_ask(&web, "GET /folders", "", NULL);
    assert_answer(200, "[{\"name\":\"docs\",\"state\":\"gone\",\"right\":\"read\"}]\n");
}

Test(api_records, the_state_is_for_operators)
{
    static const char status[] =
        "{\"site\":\"s\",\"group\":\"g\",\"version\":\"1\",\"state\":\"ok\",\"sites\":[{\"name\":"
        "\"s\",\"state\":\"here\",\"last_contact\":null,\"address\":\"10.0.0.1:1\"}],"
        "\"backups\":[],\"held\":[],\"collections\":[{\"name\":\"x\"}],\"alerts\":[]}";
    fake_web_ask(&web, "GET /status", "", NULL);
    end(status);
    assert_answer(200, "{\"site\":\"s\",\"group\":\"g\",\"version\":\"1\",\"state\":\"ok\","
                       "\"sites\":[{\"name\":\"s\",\"state\":\"here\",\"last_contact\":null}]}\n");
}

static void assert_has(const char *text)
{
    struct qn_span content = fake_web_content(&web);
    cr_assert_not_null(memmem(content.data, content.size, text, strlen(text)), "no %s in %.*s",
                       text, (int)content.size, (const char *)content.data);
}

Test(api_records, alerts_in_the_language_of_the_request)
{
    static const char status[] =
        "{\"alerts\":[{\"severity\":\"attention\",\"code\":\"site-offline\",\"object\":\"b\","
        "\"count\":0,\"time\":1000000,\"detail\":\"\"},{\"severity\":\"critical\",\"code\":"
        "\"join-refused\",\"object\":\"busy\",\"count\":0,\"time\":null,\"detail\":\"d\"}]}";
    qn_people_edit(web.people, &(struct qn_people_edit){.change = QN_PEOPLE_CHANGE,
                                                        .name = "anne",
                                                        .edit = make_operator,
                                                        .done = done});
    while (fake_local_turn(disk) > 0)
        ;
    fake_web_ask(&web, "GET /status", "", NULL);
    end(status);
    assert_has("{\"severity\":\"attention\",\"code\":\"site-offline\",\"object\":\"b\","
               "\"count\":0,\"time\":\"1970-01-01T00:16:40.000Z\",\"detail\":\"\",\"text\":"
               "\"site b cannot be reached; last contact: 3 days ago\",\"action\":\"Check that "
               "its daemon runs and that the line between the sites is up.\"},");
    assert_has("\"text\":\"the group refused this site: the daemon has too much to do (d)\","
               "\"action\":\"Wait; this site tries again.\"}]}\n");
    fake_web_ask(&web, "GET /status", "Accept-Language: fr-FR,fr;q=0.9\r\n", NULL);
    end(status);
    assert_has("\"text\":\"le site b est injoignable ; dernier contact : il y a 3 "
               "jours\"");
    assert_has("\"text\":\"le groupe a refusé ce site : le démon a trop à faire "
               "(d)\",\"action\":\"Attendez ; ce site réessaie.\"");
}

Test(api_records, paths_and_methods)
{
    assert_refused("GET /", "", NULL, 404, "not-found");
    assert_refused("GET /collections/c", "", NULL, 404, "not-found");
    assert_refused("GET /collectionsx", "", NULL, 404, "not-found");
    assert_refused("GET /status/x", "", NULL, 404, "not-found");
    assert_refused("DELETE /status", "", NULL, 405, "method-not-allowed");
    assert_refused("PUT /collections/c/records", JSON, "{}", 405, "method-not-allowed");
    assert_refused("POST /collections/c/records/k", JSON, "{}", 405, "method-not-allowed");
}

/* ---- reading ---- */

Test(api_records, a_record)
{
    fake_web_ask(&web, "GET /collections/c/records/k", "", NULL);
    assert_span_eq(qn_text_of(arg_of("record.get", "key")), SPAN("k"));
    fake_web_end(&web, record_of("1", 1));
    assert_answer(200, RECORD);
    cr_assert(fake_web_has_field(&web, "ETag: " ETAG_1));
    cr_assert(fake_web_has_field(&web, "Content-Type: application/json"));
    fake_web_ask(&web, "GET /collections/c/records/k", "If-None-Match: " ETAG_1 "\r\n", NULL);
    fake_web_end(&web, record_of("1", 1));
    assert_answer(304, "");
    fake_web_ask(&web, "GET /collections/c/records/k", "If-None-Match: " ETAG_2 "\r\n", NULL);
    fake_web_end(&web, record_of("1", 1));
    assert_answer(200, RECORD);
    fake_web_ask(&web, "GET /collections/c/records/k", "", NULL);
    fake_web_error(&web, "record-not-found");
    cr_assert_eq(web.status, 404);
}

Test(api_records, keys_of_every_kind)
{
    static const char *const lines[] = {"GET /collections/c/records/a/b%20%C3%A9",
                                        "GET /collections/c/record?key=a/b+%c3%a9"};
    for (size_t i = 0; i < 2; i++) {
        fake_web_ask(&web, lines[i], "", NULL);
        assert_span_eq(qn_text_of(arg_of("record.get", "key")), SPAN("a/b \xc3\xa9"));
    }
    fake_web_ask(&web, "GET /collections/c/record?key=%2f%2fa%2fhistory", "", NULL);
    assert_span_eq(qn_text_of(arg_of("record.get", "key")), SPAN("//a/history"));
    fake_web_ask(&web, "GET /collections/c/records/a/history", "", NULL);
    assert_span_eq(qn_text_of(arg_of("record.history", "key")), SPAN("a"));
    fake_web_ask(&web, "GET /collections/c/record/history?key=a", "", NULL);
    assert_span_eq(qn_text_of(arg_of("record.history", "key")), SPAN("a"));
    fake_web_leave(&web);
    assert_refused("GET /collections/c/record", "", NULL, 422, "bad-key");
    assert_refused("GET /collections/c/record?key=%ff", "", NULL, 422, "bad-key");
}

static void pages(struct qn_span page)
{
    fake_web_data(&web, page);
}

Test(api_records, a_page_for_who_may_only_list_has_keys)
{
    let_only_list();
    fake_web_ask(&web, "GET /collections/r/records?limit=1", "", NULL);
    pages(qn_buf_view(
        packed_of("[{\"key\":\"k 1\",\"fields\":{\"f\":\"secret\"}},{\"key\":\"k 2\"}]")));
    end("null");
    assert_answer(200, "{\"records\":[{\"key\":\"k 1\"}],\"next\":\"k 1\"}\n");
}

Test(api_records, a_page_of_records)
{
    fake_web_ask(&web, "GET /collections/c/records?limit=2&after=a&prefix=k%20", "", NULL);
    cr_assert_eq(qn_u64_of(arg_of("record.list", "limit")), 3);
    assert_span_eq(qn_text_of(arg_of("record.list", "after")), SPAN("a"));
    assert_span_eq(qn_text_of(arg_of("record.list", "prefix")), SPAN("k "));
    pages(qn_buf_view(packed_of("[{\"key\":\"k 1\",\"fields\":{}}]")));
    pages(qn_buf_view(packed_of("[{\"key\":\"k 2\",\"fields\":{}},{\"key\":\"k 3\"}]")));
    end("null");
    assert_answer(200, "{\"records\":[{\"collection\":null,\"key\":\"k 1\",\"fields\":{},"
                       "\"updated\":null},\n{\"collection\":null,\"key\":\"k 2\",\"fields\":{},"
                       "\"updated\":null}],\"next\":\"k 2\"}\n");
    fake_web_ask(&web, "GET /collections/c/records", "", NULL);
    cr_assert_eq(qn_u64_of(arg_of("record.list", "limit")), 101);
    end("null");
    assert_answer(200, "{\"records\":[],\"next\":null}\n");
    static const char *const bad[] = {"0", "1001", "x", "-1", "", "99999999", "1.5"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "GET /collections/c/records?limit=%s", bad[i]);
        assert_refused(line, "", NULL, 400, "bad-request");
    }
}

/* Who reads slowly makes the host wait, and takes no more memory. */
Test(api_records, a_slow_reader_pauses_the_list)
{
    QN_AUTO_BUF struct qn_buf page;
    char big[70001];
    memset(big, 'x', 70000);
    big[70000] = '\0';
    qn_buf_init(&page, 1 << 20);
    qn_buf_printf(&page, "[{\"key\":\"k\",\"fields\":{\"f\":\"%s\"}}]", big);
    qn_buf_append_u8(&page, 0);
    web.room = 1000;
    fake_web_ask(&web, "GET /collections/c/records", "", NULL);
    struct fake_command *command = fake_web_command(&web, "record.list");
    web.sends = 1; /* no room before the next turn */
    struct fake_command slot = *command;
    slot.answer(slot.context,
                &(struct qn_serve_answer){.kind = QN_SERVE_DATA,
                                          .data = qn_buf_view(packed_of((const char *)page.data))});
    cr_assert(web.commands.items[0].is_paused);
    fake_web_turn(&web);
    cr_assert(!web.commands.items[0].is_paused, "all of it went out");
    end("null");
    cr_assert(web.is_finished);
    cr_assert_gt(fake_web_content(&web).size, 70000);
}

Test(api_records, an_error_in_the_middle_cuts)
{
    fake_web_ask(&web, "GET /collections/c/records", "", NULL);
    data("[{\"key\":\"k\"}]");
    fake_web_error(&web, "store-failed");
    cr_assert(web.is_cut && web.status == 200);
    fake_web_ask(&web, "GET /collections/c/records", "", NULL);
    fake_web_error(&web, "store-failed");
    cr_assert(!web.is_cut);
    cr_assert_eq(web.status, 500);
}

Test(api_records, history_and_trash)
{
    fake_web_ask(&web, "GET /collections/c/records/k/history", "", NULL);
    data("{\"field\":\"f\",\"replaced\":null,\"site\":\"s\",\"time\":1000,\"user\":\"u\",\"value\":"
         "1}");
    end("null");
    assert_answer(200, "[{\"field\":\"f\",\"value\":1,\"site\":\"s\",\"time\":"
                       "\"1970-01-01T00:00:01.000Z\",\"user\":\"u\",\"replaced\":null}]\n");
    fake_web_ask(&web, "GET /collections/c/trash", "", NULL);
    data("[{\"key\":\"a\",\"site\":\"s\",\"time\":1000}]");
    end("null");
    assert_answer(200, "[{\"key\":\"a\",\"site\":\"s\",\"time\":\"1970-01-01T00:00:01.000Z\"}]\n");
    fake_web_ask(&web, "POST /collections/c/trash/a", JSON, "{}");
    assert_span_eq(qn_text_of(arg_of("record.restore", "key")), SPAN("a"));
    end("null");
    fake_web_command(&web, "record.get");
    fake_web_end(&web, record_of("1", 1));
    assert_answer(200, RECORD);
}

Test(api_records, the_trash_is_emptied_by_operators)
{
    assert_refused("DELETE /collections/c/trash", "", NULL, 403, "for-operators");
    assert_refused("DELETE /collections/r/trash", "", NULL, 403, "read-only");
    assert_refused("DELETE /collections/x/trash", "", NULL, 404, "collection-unknown");
    qn_people_edit(web.people, &(struct qn_people_edit){.change = QN_PEOPLE_CHANGE,
                                                        .name = "anne",
                                                        .edit = make_operator,
                                                        .done = done});
    while (fake_local_turn(disk) > 0)
        ;
    assert_refused("DELETE /collections/c/trash?older=soon", "", NULL, 400, "bad-request");
    assert_refused("DELETE /collections/c/trash?older=", "", NULL, 400, "bad-request");
    fake_web_ask(&web, "DELETE /collections/c/trash?older=30", "", NULL);
    assert_span_eq(qn_text_of(arg_of("record.empty-trash", "collection")), SPAN("c"));
    cr_assert_eq(qn_u64_of(arg_of("record.empty-trash", "older_days")), 30);
    data("{\"erased\":1000,\"looked\":1000,\"total\":1200}");
    end("{\"erased\":1200,\"kept\":1}");
    assert_answer(200, "{\"erased\":1200,\"kept\":1}\n");
}

/* ---- writing ---- */

static void put(const char *fields, const char *body)
{
    char text[256];
    (void)snprintf(text, sizeof(text), JSON "%s", fields);
    fake_web_ask(&web, "PUT /collections/c/records/k", text, body);
    fake_web_command(&web, "record.get");
}

static void finish_put(unsigned status)
{
    end("{\"changed\":true}");
    fake_web_command(&web, "record.get");
    fake_web_end(&web, record_of("1", 2));
    assert_answer(status, RECORD);
    cr_assert(fake_web_has_field(&web, "ETag: " ETAG_2));
}

Test(api_records, put)
{
    put("", "{\"fields\":{\"f\":\"1\",\"a\":[null,2.5,-3]}}");
    fake_web_end(&web, record_of("0", 1));
    assert_span_eq(arg_of("record.put", "fields"),
                   qn_buf_view(packed_of("{\"a\":[null,2.5,-3],\"f\":\"1\"}")));
    assert_span_eq(arg_of("record.put", "if"), SPAN("\xc0"));
    finish_put(200);
    put("", "{\"fields\":{\"f\":\"1\"}}");
    fake_web_error(&web, "record-not-found");
    finish_put(201);
}

Test(api_records, put_of_what_was_seen)
{
    put("If-Match: " ETAG_1 "\r\n", "{\"fields\":{\"f\":\"1\"}}");
    fake_web_end(&web, record_of("0", 1));
    assert_span_eq(arg_of("record.put", "if"), SPAN("\xc4\x10\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"));
    finish_put(200);
    put("If-Match: " ETAG_2 "\r\n", "{\"fields\":{\"f\":\"1\"}}");
    fake_web_end(&web, record_of("0", 1));
    cr_assert_eq(web.status, 412);
    put("If-None-Match: *\r\n", "{\"fields\":{\"f\":\"1\"}}");
    fake_web_end(&web, record_of("0", 1));
    cr_assert_eq(web.status, 412);
    put("If-None-Match: *\r\n", "{\"fields\":{\"f\":\"1\"}}");
    fake_web_error(&web, "record-not-found");
    assert_span_eq(arg_of("record.put", "if"), SPAN("\xc4\x00"));
    finish_put(201);
    put("If-Match: *\r\n", "{\"fields\":{\"f\":\"1\"}}");
    fake_web_error(&web, "record-not-found");
    cr_assert_eq(web.status, 412);
}

/* Somebody was faster, between the look and the write. */
Test(api_records, put_that_loses_the_race)
{
    put("If-Match: " ETAG_1 "\r\n", "{\"fields\":{\"f\":\"1\"}}");
    fake_web_end(&web, record_of("0", 1));
    fake_web_command(&web, "record.put");
    fake_web_error(&web, "changed");
    cr_assert_eq(web.status, 412);
}

Test(api_records, delete)
{
    fake_web_ask(&web, "DELETE /collections/c/records/k", "If-Match: " ETAG_1 "\r\n", NULL);
    fake_web_command(&web, "record.get");
    fake_web_end(&web, record_of("0", 1));
    cr_assert_eq(arg_of("record.delete", "if").size, 18);
    end("null");
    assert_answer(204, "");
    fake_web_ask(&web, "DELETE /collections/c/records/k", "", NULL);
    fake_web_error(&web, "record-not-found");
    cr_assert_eq(web.status, 404);
}

Test(api_records, resolve)
{
    static const char line[] = "POST /collections/c/records/k/resolve";
    fake_web_ask(&web, line, JSON, "{\"field\":\"f\",\"take\":\"s\"}");
    assert_span_eq(qn_text_of(arg_of("conflict.resolve", "take")), SPAN("s"));
    end("null");
    fake_web_end(&web, record_of("1", 1));
    assert_answer(200, RECORD);
    fake_web_ask(&web, line, JSON, "{\"field\":\"f\",\"value\":null}");
    assert_span_eq(arg_of("conflict.resolve", "value"), SPAN("\xc0"));
    fake_web_error(&web, "no-conflict");
    cr_assert_eq(web.status, 409);
    assert_refused(line, JSON, "{\"field\":\"f\"}", 400, "bad-request");
    assert_refused(line, JSON, "{\"field\":\"f\",\"take\":\"s\",\"value\":1}", 400, "bad-request");
    assert_refused(line, JSON, "{\"field\":\"f\",\"take\":1}", 400, "bad-request");
    assert_refused(line, JSON, "{\"take\":\"s\"}", 400, "bad-request");
}

Test(api_records, bodies_that_are_refused)
{
    static const char line[] = "PUT /collections/c/records/k";
    assert_refused(line, JSON, "{\"fields\":{\"f\":1},\"x\":1}", 400, "bad-request x");
    assert_refused(line, JSON, "{\"field\":{}}", 400, "bad-request field");
    assert_refused(line, JSON, "{\"\":{}}", 400, "bad-request");
    assert_refused(line, JSON, "{\"fields\":[]}", 400, "bad-request fields");
    assert_refused(line, JSON, "{}", 400, "bad-request fields");
    assert_refused(line, JSON, "[]", 400, "bad-request");
    assert_refused(line, JSON, "{\"fields\":{\"f\":1}", 400, "bad-json");
    assert_refused(line, JSON, "{\"fields\":{\"f\":1}}x", 400, "bad-json");
    assert_refused(line, JSON, "{\"fields\":{\"f\":1,\"f\":2}}", 400, "bad-json");
    assert_refused(line, JSON, "{\"fields\":{\"f\":\"\xff\"}}", 400, "bad-json");
    assert_refused(line, JSON, "", 400, "bad-json");
    assert_refused(line, "", "{\"fields\":{\"f\":1}}", 415, "not-json");
    assert_refused(line, "Content-Type: text/plain\r\n", "{\"fields\":{\"f\":1}}", 415, "not-json");
    assert_refused(line, JSON, NULL, 411, "length-wanted");
    assert_refused(line, JSON "Content-Length: 1048577\r\n", NULL, 413, "value-too-large");
    QN_AUTO_BUF struct qn_buf deep;
    qn_buf_init(&deep, 4096);
    qn_buf_append_str(&deep, "{\"fields\":{\"f\":");
    for (int i = 0; i < 33; i++)
        qn_buf_append_u8(&deep, '[');
    qn_buf_append_u8(&deep, 0);
    assert_refused(line, JSON, (const char *)deep.data, 422, "bad-value");
    fake_web_ask(&web, line, "Content-Type: Application/JSON; charset=utf-8\r\n",
                 "{\"fields\":{\"f\":1}}");
    fake_web_command(&web, "record.get");
}

/* Whoever leaves is not answered, and what was asked for them ends. */
Test(api_records, a_client_that_leaves)
{
    fake_web_ask(&web, "GET /collections/c/records/k", "", NULL);
    fake_web_leave(&web);
    fake_web_ask(&web, "GET /collections/c/records", "", NULL);
    data("[{\"key\":\"k\"}]");
    fake_web_leave(&web);
    put("", "{\"fields\":{\"f\":\"1\"}}");
    fake_web_end(&web, record_of("0", 1));
    fake_web_leave(&web);
}

Test(api_records, search_in_what_may_be_seen)
{
    fake_web_ask(&web, "GET /search?q=l%C3%A9a+dup&limit=5", "", NULL);
    assert_span_eq(qn_text_of(arg_of("search", "words")), SPAN("l\xc3\xa9"
                                                               "a dup"));
    assert_span_eq(arg_of("search", "collections"), qn_buf_view(packed_of("[\"c\",\"r\"]")));
    assert_span_eq(arg_of("search", "folders"), qn_buf_view(packed_of("[\"docs\"]")));
    cr_assert_eq(qn_u64_of(arg_of("search", "limit")), 5);
    data("{\"collection\":\"c\",\"key\":\"k\",\"kind\":\"record\",\"text\":\"t\"}");
    data("{\"collection\":\"x\",\"key\":\"k\",\"kind\":\"record\",\"text\":\"secret\"}");
    data("{\"folder\":\"docs\",\"kind\":\"file\",\"path\":\"a/b\",\"text\":\"b\"}");
    end("{\"indexing\":true,\"silent\":[\"luzech\"]}");
    assert_answer(200, "{\"results\":[{\"kind\":\"record\",\"collection\":\"c\",\"key\":\"k\","
                       "\"text\":\"t\"},\n{\"kind\":\"file\",\"folder\":\"docs\",\"path\":\"a/b\","
                       "\"text\":\"b\"}],\"indexing\":true,\"silent\":[\"luzech\"]}\n");
    assert_refused("GET /search", "", NULL, 400, "bad-request q");
    assert_refused("GET /search?q=a&limit=101", "", NULL, 400, "bad-request limit");
    fake_web_ask(&web, "GET /search?q=", "", NULL);
    fake_web_error(&web, "bad-words");
    cr_assert_eq(web.status, 422);
}

static void assert_so_far(const char *content)
{
    cr_assert_eq(web.status, 200);
    cr_assert(!web.is_finished && !web.is_cut);
    cr_assert(qn_span_eq_str(fake_web_content(&web), content), "%.*s",
              (int)fake_web_content(&web).size, (const char *)fake_web_content(&web).data);
}

#define ASKED    "{\"kind\":\"asked\",\"site\":\"luzech\"}\n"
#define HIT      "{\"kind\":\"record\",\"collection\":\"c\",\"key\":\"k\",\"text\":\"t\"}\n"
#define ANSWERED "{\"kind\":\"answered\",\"site\":\"luzech\"}\n"

Test(api_records, what_is_found_comes_line_by_line_to_who_asks_for_lines)
{
    fake_web_ask(&web, "GET /search?q=a&lines", "", NULL);
    cr_assert_eq(*arg_of("search", "sites").data, 0xc3);
    cr_assert_eq(web.status, 0, "it may still be refused");
    data("{\"kind\":\"asked\",\"site\":\"luzech\"}");
    assert_so_far(ASKED);
    data("{\"collection\":\"c\",\"key\":\"k\",\"kind\":\"record\",\"text\":\"t\"}");
    data("{\"collection\":\"x\",\"key\":\"k\",\"kind\":\"record\",\"text\":\"secret\"}");
    assert_so_far(ASKED HIT);
    data("{\"kind\":\"answered\",\"site\":\"luzech\"}");
    end("{\"indexing\":false,\"silent\":[\"luzech\"]}");
    assert_answer(200, ASKED HIT ANSWERED
                  "{\"kind\":\"end\",\"indexing\":false,\"silent\":[\"luzech\"]}\n");
    cr_assert(fake_web_has_field(&web, "Content-Type: application/x-ndjson"));
}

Test(api_records, a_question_for_lines_may_be_refused_or_find_nothing_or_break_off)
{
    fake_web_ask(&web, "GET /search?q=&lines", "", NULL);
    fake_web_error(&web, "bad-words");
    cr_assert_eq(web.status, 422);
    fake_web_ask(&web, "GET /search?lines&q=a", "", NULL);
    end("{\"indexing\":true}");
    assert_answer(200, "{\"kind\":\"end\",\"indexing\":true,\"silent\":[]}\n");
    fake_web_ask(&web, "GET /search?lines&q=a", "", NULL);
    data("{\"kind\":\"asked\",\"site\":\"luzech\"}");
    fake_web_error(&web, "search-failed");
    cr_assert(web.is_cut, "no client takes a part for the whole");
    fake_web_ask(&web, "GET /search?q=a", "", NULL);
    cr_assert_eq(*arg_of("search", "sites").data, 0xc2, "nobody else is told of sites");
    end("{\"indexing\":false}");
}

Test(api_records, search_in_one_folder)
{
    fake_web_ask(&web, "GET /folders/docs/search?q=a", "", NULL);
    assert_span_eq(arg_of("search", "collections"), qn_buf_view(packed_of("[]")));
    assert_span_eq(arg_of("search", "folders"), qn_buf_view(packed_of("[\"docs\"]")));
    data("{\"folder\":\"docs\",\"kind\":\"file\",\"path\":\"a/b\",\"text\":\"b\"}");
    data("{\"folder\":\"closed\",\"kind\":\"file\",\"path\":\"secret\",\"text\":\"\"}");
    end("{\"indexing\":false}");
    assert_answer(200, "{\"results\":[{\"kind\":\"file\",\"folder\":\"docs\",\"path\":\"a/b\","
                       "\"text\":\"b\"}],\"indexing\":false,\"silent\":[]}\n");
    assert_refused("GET /folders/closed/search?q=a", "", NULL, 404, "folder-unknown closed");
}

Test(api_records, the_audit_trail)
{
    fake_web_ask(&web, "GET /collections/c/records/k", "", NULL);
    cr_assert_str_eq(web.note, "anne password read collection:c/k ok");
    web.person.is_session = true;
    fake_web_ask(&web, "GET /collections/c/records/k", "", NULL);
    cr_assert_str_eq(web.note, "anne page read collection:c/k ok");
    put("", "{\"fields\":{\"f\":\"1\"}}");
    fake_web_error(&web, "record-not-found");
    end("{\"changed\":true}");
    cr_assert_str_eq(web.note, "anne page write collection:c/k ok");
    strcpy(web.person.device, "phone");
    assert_refused("GET /collections/x/records", "", NULL, 404, "collection-unknown");
    cr_assert_str_eq(web.note, "anne phone refused collection:x collection-unknown");
    web.person.device[0] = '\0';
    /* Asked for, and the client gone before the answer: it may have been done. */
    put("", "{\"fields\":{\"f\":\"1\"}}");
    fake_web_error(&web, "record-not-found");
    fake_web_leave(&web);
    cr_assert_str_eq(web.note, "anne page write collection:c/k left");
    put("", "{\"fields\":{\"f\":\"1\"}}");
    fake_web_error(&web, "record-not-found");
    end("{\"changed\":true}");
    fake_web_leave(&web);
    cr_assert_str_eq(web.note, "anne page write collection:c/k ok");
    web.note_err = QN_ERR_NOSPACE; /* what cannot be noted is not read */
    size_t before = web.commands.count;
    assert_refused("GET /collections/c/records/k", "", NULL, 503, "audit-failed");
    assert_refused("GET /collections/c/records", "", NULL, 503, "audit-failed");
    assert_refused("GET /collections/c/trash", "", NULL, 503, "audit-failed");
    assert_refused("GET /folders/docs/list", "", NULL, 404, "folder-unknown");
    cr_assert_eq(web.commands.count, before);
}
