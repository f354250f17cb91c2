/* The JSON API about files, in front of a real directory. */
#include <criterion/criterion.h>

#include "dav/dead.h"
#include "dav/locks.h"
#include "http/zip.h"
#include "people/account.h"
#include "rig.h"
#include "serve/api.h"
#include "serve/dav.h"
#include "support/fake_web.h"

#define JSON "Content-Type: application/json\r\n"

static struct fake_web web;
static struct rig rig;

static enum qn_err grant(void *context, struct qn_account *account)
{
    account->role = QN_ROLE_EDITOR;
    return qn_account_grant(account, QN_THING_FOLDER, SPAN("docs"), QN_RIGHT_WRITE);
}

static void done(void *context, enum qn_err err)
{
    cr_assert_eq(err, QN_OK);
}

static void set_up(void)
{
    rig_init(&rig);
    fake_web_init(&web, &qn_api_handler);
    web.folder = rig.folder;
    web.people = qn_people_new(fake_local_door(rig.rows));
    strcpy(web.person.name, "anne");
    web.person.role = QN_ROLE_EDITOR;
    web.person.device_max = QN_RIGHT_WRITE;
    cr_assert_eq(qn_people_load(web.people), QN_OK);
    qn_people_edit(web.people,
                   &(struct qn_people_edit){
                       .change = QN_PEOPLE_ADD, .name = "anne", .edit = grant, .done = done});
    while (fake_local_turn(rig.rows) > 0)
        ;
}

static void tear_down(void)
{
    fake_web_deinit(&web);
    rig_deinit(&rig);
    qn_people_free(web.people);
}
TestSuite(api_files, .init = set_up, .fini = tear_down);

/* What was cancelled ends on other threads, before which the folder may not go. Nothing tells that
 * it has; the bound is far beyond what a read of a small file takes. */
static void settle(void)
{
    for (int i = 0; i < 200000; i++) {
        rig_turn(&rig);
        sched_yield();
    }
}

static bool turn(void *context)
{
    int *left = context;
    rig_turn(&rig);
    sched_yield();
    return (*left)-- > 0;
}

static void ask(const char *line, const char *fields, const char *body, unsigned status)
{
    int left = TURNS_MAX;
    fake_web_ask(&web, line, fields, body);
    fake_web_drive(&web, turn, &left);
    cr_assert_eq(web.status, status, "%s: %u %.*s %s", line, web.status,
                 (int)fake_web_content(&web).size, (const char *)fake_web_content(&web).data,
                 fields);
}

static void refused(const char *line, const char *fields, const char *body, unsigned status,
                    const char *code)
{
    ask(line, fields, body, status);
    cr_assert(qn_span_has_prefix(fake_web_content(&web), qn_span_str(code)), "%s: %.*s", line,
              (int)fake_web_content(&web).size, (const char *)fake_web_content(&web).data);
}

static bool has(const char *text)
{
    return memmem(web.answer.data, web.answer.size, text, strlen(text)) != NULL;
}

/* The ETag of the last answer, as a field that asks for it. */
static const char *if_match(char out[128])
{
    const char *at = memmem(web.answer.data, web.head_size, "\r\nETag: ", 8);
    cr_assert_not_null(at);
    size_t left = web.answer.size - (size_t)(at + 8 - (const char *)web.answer.data);
    const char *end = memchr(at + 8, '\r', left);
    (void)snprintf(out, 128, "If-Match: %.*s\r\n", (int)(end - (at + 8)), at + 8);
    return out;
}

Test(api_files, download)
{
    rig_make_dir(&rig, "d");
    ask("PUT /folders/docs/files/d/%C3%A9t%C3%A9.html", "X-OC-Mtime: 1700000000\r\n",
        "<script>0123456789", 201);
    ask("GET /folders/docs/files/d/%C3%A9t%C3%A9.html", "", NULL, 200);
    assert_span_eq(fake_web_content(&web), SPAN("<script>0123456789"));
    cr_assert(web.is_finished);
    cr_assert(fake_web_has_field(&web, "Content-Type: application/octet-stream"));
    cr_assert(has("Content-Disposition: attachment; filename=\"__t__.html\"; "
                  "filename*=UTF-8''%C3%A9t%C3%A9.html\r\n"));
    cr_assert(fake_web_has_field(&web, "Content-Length: 18"));
    char etag[128], fields[256];
    if_match(etag);
    (void)snprintf(fields, sizeof(fields), "If-None-%s", etag + 3);
    ask("GET /folders/docs/files/d/%C3%A9t%C3%A9.html", fields, NULL, 304);
    ask("GET /folders/docs/files/d/%C3%A9t%C3%A9.html", "Range: bytes=8-11\r\n", NULL, 206);
    assert_span_eq(fake_web_content(&web), SPAN("0123"));
    cr_assert(fake_web_has_field(&web, "Content-Range: bytes 8-11/18"));
    ask("GET /folders/docs/files/d/%C3%A9t%C3%A9.html", "Range: bytes=18-\r\n", NULL, 416);
    cr_assert(fake_web_has_field(&web, "Content-Range: bytes */18"));
    ask("HEAD /folders/docs/files/d/%C3%A9t%C3%A9.html", "", NULL, 200);
    cr_assert_eq(fake_web_content(&web).size, 0);
    refused("GET /folders/docs/files/none", "", NULL, 404, "path-unknown");
    refused("GET /folders/docs/files/d", "", NULL, 409, "is-directory");
}

Test(api_files, a_large_file_for_a_slow_reader)
{
    struct qn_buf text;
    qn_buf_init(&text, 2 << 20);
    for (int i = 0; i < 150000; i++)
        qn_buf_printf(&text, "%d,", i % 1000);
    qn_buf_append_u8(&text, 0);
    rig_make(&rig, "big", (const char *)text.data);
    web.room = 1000;
    ask("GET /folders/docs/files/big", "", NULL, 200);
    cr_assert(web.is_finished);
    assert_span_eq(fake_web_content(&web), qn_span(text.data, text.size - 1));
    qn_buf_deinit(&text);
}

Test(api_files, list)
{
    char name[16];
    rig_make_dir(&rig, "d");
    ask("GET /folders/docs/list", "", NULL, 200);
    cr_assert(has("{\"entries\":[{\"name\":\"d\",\"directory\":true,\"size\":0,\"modified\":\"20"));
    cr_assert(has("\"etag\":null}],\"next\":null}\n"));
    for (int i = 0; i < 1200; i++) {
        (void)snprintf(name, sizeof(name), "d/f%04d", (i * 7) % 1200);
        rig_make(&rig, name, "x");
    }
    ask("GET /folders/docs/list/d", "", NULL, 200);
    cr_assert(has("[{\"name\":\"f0000\"") && has("\"next\":\"f0999\"}\n"));
    ask("GET /folders/docs/list/d?after=f0999", "", NULL, 200);
    cr_assert(has("[{\"name\":\"f1000\"") && has("\"next\":null}\n") && !has("f0999"));
    ask("GET /folders/docs/list/d?after=f0010&limit=2", "", NULL, 200);
    cr_assert(has("\"f0011\"") && has("\"next\":\"f0012\"}\n") && !has("f0013"));
    refused("GET /folders/docs/list/none", "", NULL, 404, "path-unknown");
    refused("GET /folders/docs/list/d/f0000", "", NULL, 409, "not-directory");
    refused("GET /folders/docs/list/d?limit=1001", "", NULL, 400, "bad-request");
}

Test(api_files, upload)
{
    char etag[128];
    ask("PUT /folders/docs/files/a", "X-OC-Mtime: 1700000000\r\n", "some text in seven and seven",
        201);
    cr_assert(rig_is(&rig, "a", "some text in seven and seven"));
    cr_assert_eq(rig_stat(&rig, "a"), QN_OK);
    cr_assert_eq(rig.entry.modified_ns, 1700000000000000000);
    ask("PUT /folders/docs/files/a", "", "", 204);
    cr_assert(rig_is(&rig, "a", ""));
    if_match(etag);
    ask("PUT /folders/docs/files/a", "Transfer-Encoding: chunked\r\n", "third", 204);
    cr_assert(rig_is(&rig, "a", "third"));
    refused("PUT /folders/docs/files/a", etag, "lost", 412, "changed");
    refused("PUT /folders/docs/files/a", "If-None-Match: *\r\n", "lost", 412, "changed");
    refused("PUT /folders/docs/files/b", "If-Match: *\r\n", "lost", 412, "changed");
    refused("PUT /folders/docs/files/none/b", "", "lost", 409, "no-parent");
    refused("PUT /folders/docs/files/b", "", NULL, 411, "length-wanted");
    cr_assert(rig_is(&rig, "a", "third") && !rig_exists(&rig, "b"));
    ask("GET /folders/docs/files/a", "", NULL, 200);
    ask("PUT /folders/docs/files/a", if_match(etag), "fourth", 204);
    cr_assert(rig_is(&rig, "a", "fourth"));
    rig_make_dir(&rig, "d");
    refused("PUT /folders/docs/files/d", "", "x", 409, "is-directory");
}

/* Of an upload that breaks off nothing is seen, whenever it does. */
Test(api_files, a_client_that_leaves_in_the_middle)
{
    rig_make(&rig, "a", "before");
    for (int turns = 0; turns < 200; turns += 5) {
        int left = turns;
        fake_web_ask(&web, "PUT /folders/docs/files/a", "", "what will not be there whole");
        while (!web.is_finished && left > 0 && turn(&left) && left > 0)
            fake_web_turn(&web);
        if (web.is_finished)
            break;
        fake_web_leave(&web);
        cr_assert(rig_is(&rig, "a", "before") || rig_is(&rig, "a", "what will not be there whole"));
    }
    rig_make(&rig, "big", "x");
    fake_web_ask(&web, "GET /folders/docs/files/big", "", NULL);
    fake_web_leave(&web);
    fake_web_ask(&web, "GET /folders/docs/list", "", NULL);
    fake_web_leave(&web);
    fake_web_ask(&web, "GET /folders/docs/files?zip", "", NULL);
    fake_web_leave(&web);
    settle();
}

Test(api_files, changes)
{
    static const char dir[] = "POST /folders/docs/files/d", file[] = "POST /folders/docs/files/a";
    ask(dir, JSON, "{\"do\":\"make-directory\"}", 201);
    refused(dir, JSON, "{\"do\":\"make-directory\"}", 409, "name-taken");
    rig_make(&rig, "a", "x");
    ask(file, JSON, "{\"do\":\"copy\",\"to\":\"d/b\"}", 201);
    ask(file, JSON, "{\"do\":\"move\",\"to\":\"d/c\"}", 201);
    cr_assert(rig_is(&rig, "d/b", "x") && rig_is(&rig, "d/c", "x") && !rig_exists(&rig, "a"));
    refused("POST /folders/docs/files/d/b", JSON, "{\"do\":\"move\",\"to\":\"d/c\"}", 409,
            "name-taken");
    refused(file, JSON, "{\"do\":\"move\",\"to\":\"x\"}", 404, "path-unknown");
    refused(dir, JSON, "{\"do\":\"move\",\"to\":\"d/e\"}", 409, "no-parent");
    static const char *const bad[] = {"../x", "a/../b", "a//b", "", "/", "a\\u0000b", "a\\nb", "."};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        char body[64];
        (void)snprintf(body, sizeof(body), "{\"do\":\"move\",\"to\":\"%s\"}", bad[i]);
        refused(dir, JSON, body, 422, "bad-name");
    }
    refused(dir, JSON, "{\"do\":\"remove\"}", 400, "bad-request do");
    refused(dir, JSON, "{\"do\":\"make-directory\",\"to\":\"x\"}", 400, "bad-request do");
    refused(dir, JSON, "{}", 400, "bad-request do");
    refused("DELETE /folders/docs/files/none", "", NULL, 404, "path-unknown");
    refused("DELETE /folders/docs/files/d/b", "If-Match: \"x\"\r\n", NULL, 412, "changed");
    ask("DELETE /folders/docs/files/d/b", "", NULL, 204);
    ask("DELETE /folders/docs/files/d", "", NULL, 204);
    cr_assert(!rig_exists(&rig, "d"));
}

static size_t count(const char *mark)
{
    size_t found = 0;
    struct qn_span rest = fake_web_content(&web);
    for (const uint8_t *at; (at = memmem(rest.data, rest.size, mark, 4)) != NULL; found++)
        rest = qn_span_from(rest, (size_t)(at - rest.data) + 4);
    return found;
}

Test(api_files, zip)
{
    rig_make_dir(&rig, "d");
    rig_make_dir(&rig, "d/e");
    rig_make(&rig, "d/a", "first");
    rig_make(&rig, "d/e/\xc3\xa9", "second");
    char path[TMP_PATH_SIZE];
    cr_assert_eq(symlink("/etc/passwd", rig_at(&rig, "d/link", path)), 0);
    web.room = 50;
    ask("GET /folders/docs/files/d?zip", "", NULL, 200);
    cr_assert(web.is_finished && !web.is_cut);
    cr_assert(fake_web_has_field(&web, "Content-Type: application/zip"));
    cr_assert(has("filename*=UTF-8''d.zip"));
    cr_assert(has("first") && has("second") && has("e/\xc3\xa9") && !has("d/a") && !has("root:"));
    cr_assert_eq(count("PK\3\4"), 3);
    cr_assert_eq(count("PK\1\2"), 3);
    ask("GET /folders/docs/files?zip", "", NULL, 200);
    cr_assert(has("filename*=UTF-8''docs.zip") && has("d/e/\xc3\xa9"));
    cr_assert_eq(count("PK\1\2"), 4);
    refused("GET /folders/docs/files/none?zip", "", NULL, 404, "path-unknown");
    refused("GET /folders/docs/files/d/a?zip", "", NULL, 409, "not-directory");
}

/* What waits is counted down to nothing, however deep it lay. */
Test(api_files, zip_of_deep_and_empty_directories)
{
    static const char *const names[] = {"a", "z", "z/y", "z/y/x", "z/y/x/w", "b", "c"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        rig_make_dir(&rig, names[i]);
    ask("GET /folders/docs/files?zip", "", NULL, 200);
    cr_assert(web.is_finished && !web.is_cut);
    cr_assert_eq(count("PK\1\2"), sizeof(names) / sizeof(names[0]));
}

/* What could not be read is named. */
Test(api_files, zip_says_what_is_missing)
{
    char path[TMP_PATH_SIZE];
    if (geteuid() == 0)
        cr_skip_test("root may read everything");
    rig_make(&rig, "a", "first");
    cr_assert_eq(chmod(rig_at(&rig, "a", path), 0), 0);
    ask("GET /folders/docs/files?zip", "", NULL, 200);
    cr_assert(has("NOT-INCLUDED.txt") && has("a (denied)\r\n"));
}

/* ---- locks of WebDAV's ---- */

static uint64_t wall_ms(void *context)
{
    return 1700000000000;
}

static void put_lock(const char *path)
{
    struct qn_dav_locks *locks = qn_dav_locks_new();
    const struct qn_dav_lock *lock;
    struct qn_buf key, row;
    struct qn_dav_lock_wish wish = {
        .path = qn_span_str(path), .person = "bert", .is_exclusive = true, .timeout_s = 3600};
    uint64_t now_ms = web.host.wall_ms(web.host.context);
    memcpy(wish.random, path,
           strlen(path) < sizeof(wish.random) ? strlen(path) : sizeof(wish.random));
    cr_assert_eq(qn_dav_locks_add(locks, &wish, now_ms, &lock), QN_OK);
    qn_buf_init(&key, 480);
    qn_buf_init(&row, 4096);
    qn_dav_lock_key(qn_span_str(lock->token), &key);
    qn_dav_lock_row(lock, &row);
    struct qn_local_row put = {.key = qn_buf_view(&key), .value = qn_buf_view(&row)};
    const struct qn_local *door = fake_local_door(rig.rows);
    door->put(door->context, &put, 1, done, NULL);
    while (fake_local_turn(rig.rows) > 0)
        ;
    qn_buf_deinit(&key);
    qn_buf_deinit(&row);
    qn_dav_locks_free(locks);
}

static void closed(void *context) {}

Test(api_files, what_is_locked_over_webdav)
{
    rig_make_dir(&rig, "d");
    rig_make(&rig, "d/a", "before");
    rig_make(&rig, "b", "other");
    web.host.local = fake_local_door(rig.rows);
    web.host.wall_ms = wall_ms;
    put_lock("docs/d/a");
    put_lock("docs/\xc3\xa9");
    struct qn_dav_options options = {.host = &web.host};
    web.dav = qn_dav_new(&options);
    refused("PUT /folders/docs/files/d/a", "", "lost", 423, "locked");
    refused("DELETE /folders/docs/files/d/a", "", NULL, 423, "locked");
    refused("DELETE /folders/docs/files/d", "", NULL, 423, "locked");
    refused("POST /folders/docs/files/d", JSON, "{\"do\":\"move\",\"to\":\"e\"}", 423, "locked");
    refused("POST /folders/docs/files/b", JSON, "{\"do\":\"move\",\"to\":\"d/a\"}", 423, "locked");
    refused("POST /folders/docs/files/b", JSON, "{\"do\":\"move\",\"to\":\"\xc3\xa9\"}", 423,
            "locked");
    refused("POST /folders/docs/files/b", JSON, "{\"do\":\"move\",\"to\":\"e\xcc\x81\"}", 423,
            "locked");
    cr_assert(rig_is(&rig, "d/a", "before"));
    ask("PUT /folders/docs/files/b", "", "new", 204);
    ask("GET /folders/docs/files/d/a", "", NULL, 200);
    fake_web_leave(&web);
    qn_dav_close(web.dav, closed, NULL);
    web.dav = NULL;
}

static void put_property(const char *path)
{
    QN_AUTO_BUF struct qn_buf key, row;
    struct qn_dav_dead dead = {0};
    struct qn_dav_dead_property property = {
        .ns = SPAN("u"), .name = SPAN("x"), .value = SPAN("<x xmlns='u'>v</x>")};
    qn_buf_init(&key, 480);
    qn_buf_init(&row, 4096);
    cr_assert_eq(qn_dav_dead_set(&dead, &property), QN_OK);
    qn_dav_dead_key(qn_span_str(path), &key);
    cr_assert_eq(qn_dav_dead_write(&dead, qn_span_str(path), &row), QN_OK);
    struct qn_local_row put = {.key = qn_buf_view(&key), .value = qn_buf_view(&row)};
    const struct qn_local *door = fake_local_door(rig.rows);
    door->put(door->context, &put, 1, done, NULL);
    while (fake_local_turn(rig.rows) > 0)
        ;
}

static bool note_key(void *context, struct qn_span key, struct qn_span value)
{
    *(bool *)context = true;
    return false;
}

static bool has_row(const char *key)
{
    bool is_there = false;
    const struct qn_local *door = fake_local_door(rig.rows);
    struct qn_span prefix = qn_span_str(key);
    cr_assert_eq(door->read(door->context, prefix, prefix, note_key, &is_there), QN_OK);
    return is_there;
}

static void begin_dav(void)
{
    static struct qn_dav_options options;
    web.host.local = fake_local_door(rig.rows);
    web.host.wall_ms = wall_ms;
    options = (struct qn_dav_options){.host = &web.host};
    web.dav = qn_dav_new(&options);
}

static void end_dav(void)
{
    fake_web_leave(&web);
    settle();
    qn_dav_close(web.dav, closed, NULL);
    web.dav = NULL;
}

Test(api_files, properties_of_webdav_follow)
{
    rig_make_dir(&rig, "d");
    rig_make(&rig, "d/a", "x");
    put_property("docs/d/a");
    put_property("docs/e"); /* of a file that another program removed */
    begin_dav();
    ask("POST /folders/docs/files/d", JSON, "{\"do\":\"copy\",\"to\":\"c\"}", 201);
    cr_assert(has_row("prop/docs/d/a") && has_row("prop/docs/c/a"));
    ask("POST /folders/docs/files/d", JSON, "{\"do\":\"move\",\"to\":\"e\"}", 201);
    cr_assert(has_row("prop/docs/e/a") && !has_row("prop/docs/d"));
    ask("DELETE /folders/docs/files/e", "", NULL, 204);
    cr_assert_not(has_row("prop/docs/e"));
    cr_assert(has_row("prop/docs/c/a"));
    end_dav();
}

Test(api_files, they_follow_also_when_the_client_leaves)
{
    begin_dav();
    for (int turns = 0; turns < 60; turns += 3) {
        int left = turns;
        rig_make(&rig, "a", "x");
        put_property("docs/a");
        fake_web_ask(&web, "POST /folders/docs/files/a", JSON, "{\"do\":\"move\",\"to\":\"b\"}");
        while (!web.is_finished && left > 0 && turn(&left) && left > 0)
            fake_web_turn(&web);
        fake_web_leave(&web);
        for (int i = 0; i < 20000; i++)
            rig_turn(&rig);
        bool has_moved = rig_exists(&rig, "b");
        cr_assert(has_row(has_moved ? "prop/docs/b" : "prop/docs/a"), "after %d", turns);
        cr_assert_not(has_row(has_moved ? "prop/docs/a" : "prop/docs/b"), "after %d", turns);
        if (has_moved)
            ask("DELETE /folders/docs/files/b", "", NULL, 204);
    }
    end_dav();
}
