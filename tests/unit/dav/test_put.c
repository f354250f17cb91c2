#include <criterion/criterion.h>
#include <stdio.h>

#include "support/dav_world.h"
#include "support/span.h"

static struct dav_world *world;

static void setup(void)
{
    world = dav_world_new();
    dav_world_set_file(world, "d/", "");
    dav_world_set_file(world, "old", "old content");
}

static void teardown(void)
{
    cr_assert_eq(dav_world_uploads(world), 0);
    dav_world_free(world);
}
TestSuite(dav_put, .init = setup, .fini = teardown);

Test(dav_put, a_new_file_and_one_that_is_replaced)
{
    const struct dav_answer *answer = dav_ask(world, "PUT /dav/F/d/new", "", "content");
    cr_assert_eq(answer->status, 201);
    cr_assert_str_eq(dav_world_file(world, "d/new"), "content");
    cr_assert_not_null(dav_answer_field(answer, "ETag"));
    cr_assert_eq(dav_ask(world, "PUT /dav/F/old", "", "more")->status, 204);
    cr_assert_str_eq(dav_world_file(world, "old"), "more");
    cr_assert_eq(dav_ask(world, "PUT /dav/F/empty", "", "")->status, 201);
    cr_assert_str_eq(dav_world_file(world, "empty"), "");
    cr_assert_geq(dav_world_notes(world), 3);
}

Test(dav_put, the_etag_of_the_answer_is_that_of_what_is_read)
{
    char etag[64];
    const struct dav_answer *answer = dav_ask(world, "PUT /dav/F/x", "", "content");
    snprintf(etag, sizeof(etag), "%s", dav_answer_field(answer, "ETag"));
    answer = dav_ask(world, "GET /dav/F/x", "", "");
    cr_assert_str_eq(dav_answer_field(answer, "ETag"), etag);
}

Test(dav_put, where_nothing_can_be_put)
{
    cr_assert_eq(dav_ask(world, "PUT /dav/F/none/x", "", "c")->status, 409);
    cr_assert_eq(dav_ask(world, "PUT /dav/F/d", "", "c")->status, 405);
    cr_assert_eq(dav_ask(world, "PUT /dav/F", "", "c")->status, 403);
    cr_assert_eq(dav_ask(world, "PUT /dav/x", "", "c")->status, 404);
    cr_assert_eq(dav_ask(world, "PUT /dav/", "", "c")->status, 403);
    cr_assert_eq(dav_ask(world, "PUT /dav/F/x", "Content-Range: bytes 0-1/5\r\n", "c")->status,
                 400);
    dav_world_be(world, "rita");
    cr_assert_eq(dav_ask(world, "PUT /dav/F/old", "", "c")->status, 403);
    cr_assert_str_eq(dav_world_file(world, "old"), "old content");
}

/* People see it in a browser or in a window of their file manager: a code that has a sentence. */
Test(dav_put, a_refusal_says_why)
{
    static const struct {
        const char *line, *code;
        unsigned status;
    } cases[] = {
        {"PUT /dav/F/none/x", "no-parent", 409},       {"PUT /dav/F/d", "method-not-allowed", 405},
        {"PUT /dav/none/x", "not-found", 404},         {"GET /dav/F/none", "path-unknown", 404},
        {"MKCOL /dav/F/d", "method-not-allowed", 405},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct dav_answer *answer = dav_ask(world, cases[i].line, "", "");
        cr_assert_eq(answer->status, cases[i].status, "%s", cases[i].line);
        cr_assert_str_eq((const char *)answer->body.data, cases[i].code);
    }
    dav_world_be(world, "rita");
    cr_assert_str_eq((const char *)dav_ask(world, "PUT /dav/F/old", "", "c")->body.data,
                     "read-only");
    dav_world_be(world, "lise");
    cr_assert_str_eq((const char *)dav_ask(world, "PUT /dav/F/old", "", "c")->body.data,
                     "list-only");
}

Test(dav_put, a_body_without_a_length)
{
    const struct dav_answer *answer =
        dav_ask(world, "PUT /dav/F/x", "Transfer-Encoding: chunked\r\n", "content");
    cr_assert_eq(answer->status, 201);
    cr_assert_str_eq(dav_world_file(world, "x"), "content");
}

Test(dav_put, the_length_that_finder_expects_must_come)
{
    const char *fields = "Transfer-Encoding: chunked\r\nX-Expected-Entity-Length: 7\r\n";
    cr_assert_eq(dav_ask(world, "PUT /dav/F/x", fields, "content")->status, 201);
    cr_assert_eq(dav_ask(world, "PUT /dav/F/old", fields, "cont")->status, 400);
    cr_assert_str_eq(dav_world_file(world, "old"), "old content");
}

Test(dav_put, no_body_is_asked_for_before_the_conditions_hold)
{
    const char *wrong = "If-Match: \"other\"\r\nExpect: 100-continue\r\n";
    const struct dav_answer *answer = dav_ask(world, "PUT /dav/F/old", wrong, "c");
    cr_assert_eq(answer->status, 412);
    cr_assert_not(answer->was_body_wanted);
    answer = dav_ask(world, "PUT /dav/F/none/x", "Expect: 100-continue\r\n", "c");
    cr_assert_eq(answer->status, 409);
    cr_assert_not(answer->was_body_wanted);
    cr_assert(dav_ask(world, "PUT /dav/F/old", "Expect: 100-continue\r\n", "c")->was_body_wanted);
}

Test(dav_put, the_time_that_owncloud_clients_send)
{
    const struct dav_answer *answer =
        dav_ask(world, "PUT /dav/F/x", "X-OC-Mtime: 1234567890\r\n", "c");
    cr_assert_eq(answer->status, 201);
    cr_assert_str_eq(dav_answer_field(answer, "X-OC-Mtime"), "accepted");
    cr_assert_eq(dav_world_modified_ns(world, "x"), INT64_C(1234567890000000000));
    cr_assert_eq(dav_ask(world, "PUT /dav/F/y", "X-OC-Mtime: soon\r\n", "c")->status, 400);
}

Test(dav_put, a_checksum_that_is_wrong_changes_nothing)
{
    const char *right = "OC-Checksum: SHA1:040f06fd774092478d450774f5ba30c5da78acc8\r\n";
    cr_assert_eq(dav_ask(world, "PUT /dav/F/x", right, "content")->status, 201);
    cr_assert_eq(dav_ask(world, "PUT /dav/F/old", right, "contend")->status, 400);
    cr_assert_str_eq(dav_world_file(world, "old"), "old content");
    const char *md5 = "OC-Checksum: MD5:9a0364b9e99bb480dd25e1f0284c8555\r\n";
    cr_assert_eq(dav_ask(world, "PUT /dav/F/x", md5, "content")->status, 204);
    cr_assert_eq(dav_ask(world, "PUT /dav/F/x", "OC-Checksum: CRC32:00\r\n", "content")->status,
                 204);
}

/* Larger than both buffers, so that the client has to wait. */
Test(dav_put, a_large_body_comes_whole)
{
    size_t size = 5 * 256 * 1024 + 13;
    char *content = qn_alloc(size + 1);
    for (size_t i = 0; i < size; i++)
        content[i] = (char)('a' + i * 11 % 26);
    content[size] = 0;
    cr_assert_eq(dav_ask(world, "PUT /dav/F/large", "", content)->status, 201);
    cr_assert_str_eq(dav_world_file(world, "large"), content);
    qn_free(content);
}

Test(dav_put, a_client_that_leaves_before_the_end_changes_nothing)
{
    char content[200000];
    memset(content, 'x', sizeof(content) - 1);
    content[sizeof(content) - 1] = 0;
    for (unsigned turns = 0; turns < 5; turns++) {
        dav_ask_and_leave(world, "PUT /dav/F/old", "", content, turns);
        cr_assert_str_eq(dav_world_file(world, "old"), "old content");
        cr_assert_eq(dav_world_uploads(world), 0);
    }
}

Test(dav_put, a_disk_that_is_full_is_507_and_changes_nothing)
{
    dav_world_fail_call(world, QN_ERR_NOSPACE);
    cr_assert_eq(dav_ask(world, "PUT /dav/F/old", "", "c")->status, 507);
    cr_assert_str_eq(dav_world_file(world, "old"), "old content");
}

/* W20: what the client says that it knows is judged in the moment of the change. */
Test(dav_put, who_is_slower_than_another_is_told)
{
    dav_world_race(world, "old", "of somebody else");
    cr_assert_eq(dav_ask(world, "PUT /dav/F/old", "If-Match: \"v3\"\r\n", "mine")->status, 412);
    cr_assert_str_eq(dav_world_file(world, "old"), "of somebody else");
    dav_world_race(world, "new", "of somebody else");
    cr_assert_eq(dav_ask(world, "PUT /dav/F/new", "If-None-Match: *\r\n", "mine")->status, 412);
    cr_assert_str_eq(dav_world_file(world, "new"), "of somebody else");
}

/* Who may write is asked when the body is there, too: it may have taken its time. */
Test(dav_put, a_right_that_was_withdrawn_meanwhile)
{
    dav_world_withdraw(world, 1); /* good for the beginning only */
    cr_assert_eq(dav_ask(world, "PUT /dav/F/old", "", "late")->status, 403);
    cr_assert_str_eq(dav_world_file(world, "old"), "old content");
    cr_assert_str_eq(dav_world_last_note(world), "anna write folder:F/old denied");
}

Test(dav_put, what_cannot_be_noted_is_not_done)
{
    cr_assert_eq(dav_ask(world, "PUT /dav/F/x", "", "c")->status, 201);
    cr_assert_str_eq(dav_world_last_note(world), "anna write folder:F/x ok");
    cr_assert_eq(dav_ask(world, "PUT /dav/F/none/x", "", "c")->status, 409);
    cr_assert_str_eq(dav_world_last_note(world), "anna write folder:F/none/x refused");
    cr_assert_eq(dav_ask(world, "GET /dav/F/old", "", "")->status, 200);
    cr_assert_str_eq(dav_world_last_note(world), "anna read folder:F/old ok");
    cr_assert_eq(dav_ask(world, "PROPFIND /dav/F/d", "Depth: 1\r\n", "")->status, 207);
    cr_assert_str_eq(dav_world_last_note(world), "anna list folder:F/d ok");
    dav_world_fail_audit(world, QN_ERR_BUSY);
    cr_assert_eq(dav_ask(world, "PUT /dav/F/old", "", "c")->status, 503);
    cr_assert_str_eq(dav_world_file(world, "old"), "old content");
    cr_assert_eq(dav_ask(world, "DELETE /dav/F/old", "", "")->status, 503);
    cr_assert_eq(dav_ask(world, "GET /dav/F/old", "", "")->status, 503);
    cr_assert_eq(dav_ask(world, "PROPFIND /dav/F/d", "Depth: 1\r\n", "")->status, 503);
    cr_assert_eq(dav_ask(world, "HEAD /dav/F/old", "", "")->status, 200);
    dav_world_fail_audit(world, QN_OK);
    cr_assert_eq(dav_ask(world, "GET /dav/F/old", "", "")->status, 200);
}
