#include <criterion/criterion.h>
#include <stdio.h>

#include "support/dav_world.h"
#include "support/span.h"

static struct dav_world *world;
static char token[128]; /* of the last lock, with < and > */

static void setup(void)
{
    world = dav_world_new();
    dav_world_set_file(world, "d/", "");
    dav_world_set_file(world, "d/a", "one");
    dav_world_set_file(world, "b", "two");
}

static void teardown(void)
{
    cr_assert_eq(dav_world_uploads(world), 0);
    dav_world_free(world);
}
TestSuite(dav_locking, .init = setup, .fini = teardown);

#define LOCK(scope)                                                                                \
    "<D:lockinfo xmlns:D='DAV:'><D:lockscope><D:" scope "/></D:lockscope><D:locktype><D:write/>"   \
    "</D:locktype><D:owner><D:href>me</D:href></D:owner></D:lockinfo>"

static unsigned lock_with(const char *path, const char *fields, const char *body)
{
    char line[256];
    snprintf(line, sizeof(line), "LOCK /dav/F/%s", path);
    const struct dav_answer *answer = dav_ask(world, line, fields, body);
    const char *field = dav_answer_field(answer, "Lock-Token");
    if (field)
        snprintf(token, sizeof(token), "%s", field);
    return answer->status;
}

static unsigned lock(const char *path, const char *fields)
{
    return lock_with(path, fields, LOCK("exclusive"));
}

static const char *if_token(void)
{
    static char field[256];
    snprintf(field, sizeof(field), "If: (%s)\r\n", token);
    return field;
}

static unsigned ask(const char *line, const char *fields)
{
    return dav_ask(world, line, fields, strncmp(line, "PUT", 3) == 0 ? "new" : "")->status;
}

Test(dav_locking, a_lock_keeps_others_out_until_it_is_given_back)
{
    char field[256];
    cr_assert_eq(lock("d/a", ""), 200);
    cr_assert_eq(dav_world_row_count(world, "lock/"), 1);
    cr_assert_eq(ask("PUT /dav/F/d/a", ""), 423);
    cr_assert_eq(ask("DELETE /dav/F/d/a", ""), 423);
    cr_assert_eq(ask("DELETE /dav/F/d", ""), 423);
    cr_assert_eq(ask("MOVE /dav/F/d", "Destination: /dav/F/e\r\n"), 423);
    cr_assert_eq(ask("COPY /dav/F/b", "Destination: /dav/F/d/a\r\n"), 423);
    cr_assert_eq(ask("COPY /dav/F/d/a", "Destination: /dav/F/c\r\n"), 201);
    cr_assert_eq(ask("PUT /dav/F/d/other", ""), 201);
    cr_assert_eq(ask("PUT /dav/F/d/a", if_token()), 204);
    dav_world_be(world, "bert");
    cr_assert_eq(ask("PUT /dav/F/d/a", if_token()), 423);
    snprintf(field, sizeof(field), "Lock-Token: %s\r\n", token);
    cr_assert_eq(ask("UNLOCK /dav/F/d/a", field), 403);
    dav_world_be(world, "anna");
    cr_assert_eq(ask("UNLOCK /dav/F/b", field), 409);
    cr_assert_eq(ask("UNLOCK /dav/F/d/a", ""), 400);
    cr_assert_eq(ask("UNLOCK /dav/F/d/a", field), 204);
    cr_assert_eq(ask("UNLOCK /dav/F/d/a", field), 409);
    cr_assert_eq(dav_world_row_count(world, "lock/"), 0);
    cr_assert_eq(ask("PUT /dav/F/d/a", ""), 204);
}

Test(dav_locking, the_answer_shows_the_lock)
{
    const struct dav_answer *answer =
        dav_ask(world, "LOCK /dav/F/b", "Timeout: Second-600\r\nDepth: 0\r\n", LOCK("exclusive"));
    const char *body = (const char *)answer->body.data;
    cr_assert_not_null(strstr(body, "<D:timeout>Second-600</D:timeout>"));
    cr_assert_not_null(strstr(body, "<D:owner><D:href xmlns:D=\"DAV:\">me</D:href></D:owner>"));
    cr_assert_not_null(strstr(body, "<D:lockroot><D:href>/dav/F/b</D:href></D:lockroot>"));
    cr_assert_not_null(strstr(body, "<D:depth>0</D:depth>"));
    cr_assert_not_null(dav_answer_field(answer, "Lock-Token"));
}

Test(dav_locking, locks_survive_a_restart)
{
    cr_assert_eq(lock("b", "Timeout: Second-600\r\n"), 200);
    dav_world_restart(world);
    cr_assert_eq(ask("PUT /dav/F/b", ""), 423);
    cr_assert_eq(ask("PUT /dav/F/b", if_token()), 204);
    dav_world_pass(world, 601);
    dav_world_restart(world);
    cr_assert_eq(ask("PUT /dav/F/b", ""), 204);
}

Test(dav_locking, the_row_of_a_lock_that_ended_while_nobody_was_there_goes)
{
    cr_assert_eq(lock("b", "Timeout: Second-180\r\n"), 200);
    dav_world_pass(world, 181);
    dav_world_restart(world);
    cr_assert_eq(ask("PUT /dav/F/b", ""), 204);
    cr_assert_eq(lock("d", ""), 200);
    cr_assert_eq(dav_world_row_count(world, "lock/"), 1);
}

Test(dav_locking, time_ends_a_lock_unless_it_is_refreshed)
{
    cr_assert_eq(lock("b", "Timeout: Second-1\r\n"), 200); /* is 180 */
    dav_world_pass(world, 179);
    cr_assert_eq(ask("PUT /dav/F/b", ""), 423);
    cr_assert_eq(lock_with("b", if_token(), ""), 200);
    dav_world_pass(world, 3599);
    cr_assert_eq(ask("PUT /dav/F/b", ""), 423);
    dav_world_pass(world, 2);
    cr_assert_eq(ask("PUT /dav/F/b", if_token()), 412);
    cr_assert_eq(ask("PUT /dav/F/b", ""), 204);
    cr_assert_eq(lock_with("b", if_token(), ""), 412);
    cr_assert_eq(lock_with("b", "", ""), 400);
    cr_assert_eq(lock("d", ""), 200); /* sweeps the old row */
    cr_assert_eq(dav_world_row_count(world, "lock/"), 1);
}

Test(dav_locking, a_lock_of_nothing_makes_an_empty_file)
{
    char etag[64];
    cr_assert_eq(lock("new", ""), 201);
    cr_assert_str_eq(dav_world_file(world, "new"), "");
    snprintf(etag, sizeof(etag), "%s",
             dav_answer_field(dav_ask(world, "HEAD /dav/F/new", "", ""), "ETag"));
    cr_assert_eq(etag[0], '"');
    cr_assert_eq(ask("PUT /dav/F/new", ""), 423);
    cr_assert_eq(ask("PUT /dav/F/new", if_token()), 204);
    cr_assert_eq(lock("none/new", ""), 409);
    cr_assert_eq(dav_world_row_count(world, "lock/"), 1);
    dav_world_be(world, "rita");
    cr_assert_eq(lock("other", ""), 403);
}

Test(dav_locking, shared_locks_stand_beside_each_other)
{
    cr_assert_eq(lock_with("b", "", LOCK("shared")), 200);
    cr_assert_eq(ask("PUT /dav/F/b", if_token()), 204);
    dav_world_be(world, "bert");
    cr_assert_eq(lock("b", ""), 423);
    cr_assert_eq(ask("PUT /dav/F/b", ""), 423);
    cr_assert_eq(lock_with("b", "", LOCK("shared")), 200);
    cr_assert_eq(ask("PUT /dav/F/b", if_token()), 204);
}

Test(dav_locking, a_deep_lock_covers_what_comes_later)
{
    cr_assert_eq(lock("d", ""), 200);
    cr_assert_eq(ask("PUT /dav/F/d/x", ""), 423);
    cr_assert_eq(ask("MKCOL /dav/F/d/y", ""), 423);
    cr_assert_eq(ask("MOVE /dav/F/b", "Destination: /dav/F/d/b\r\n"), 423);
    cr_assert_eq(lock("d/a", ""), 423);
    cr_assert_eq(lock("d/new", ""), 423);
    cr_assert_null(dav_world_file(world, "d/new"));
    cr_assert_eq(ask("PUT /dav/F/d/x", if_token()), 201);
}

Test(dav_locking, a_lock_of_the_collection_alone_keeps_its_members_together)
{
    cr_assert_eq(lock("d", "Depth: 0\r\n"), 200);
    cr_assert_eq(ask("PUT /dav/F/d/a", ""), 204);
    cr_assert_eq(ask("PUT /dav/F/d/x", ""), 423);
    cr_assert_eq(ask("DELETE /dav/F/d/a", ""), 423);
    cr_assert_eq(lock("d/x", ""), 423);
    cr_assert_eq(ask("DELETE /dav/F/d/a", if_token()), 412); /* it covers the collection only */
    char field[256];
    snprintf(field, sizeof(field), "If: </dav/F/d> (%s)\r\n", token);
    cr_assert_eq(ask("DELETE /dav/F/d/a", field), 204);
}

Test(dav_locking, locks_do_not_move_and_go_with_their_resource)
{
    cr_assert_eq(lock("d/a", ""), 200);
    cr_assert_eq(ask("MOVE /dav/F/d/a", "Destination: /dav/F/c\r\n"), 423);
    char field[512];
    snprintf(field, sizeof(field), "Destination: /dav/F/c\r\nIf: (%s)\r\n", token);
    cr_assert_eq(ask("MOVE /dav/F/d/a", field), 201);
    cr_assert_eq(dav_world_row_count(world, "lock/"), 0);
    cr_assert_eq(ask("PUT /dav/F/c", ""), 204);
    cr_assert_eq(ask("PUT /dav/F/d/a", ""), 201);
}

Test(dav_locking, what_is_not_stored_is_no_lock)
{
    dav_world_fail_put(world, QN_ERR_NOSPACE);
    cr_assert_eq(lock("b", ""), 507);
    cr_assert_eq(ask("PUT /dav/F/b", ""), 204);
}

Test(dav_locking, bodies_and_fields_that_are_none)
{
    cr_assert_eq(lock_with("b", "", "<x/>"), 400);
    cr_assert_eq(lock_with("b", "", "<D:lockinfo xmlns:D='DAV:'/>"), 422);
    cr_assert_eq(lock("b", "Depth: 1\r\n"), 400);
    cr_assert_eq(dav_ask(world, "LOCK /dav/", "", LOCK("exclusive"))->status, 403);
    cr_assert_eq(dav_ask(world, "LOCK /dav/F", "", LOCK("exclusive"))->status, 200);
}

Test(dav_locking, a_client_that_leaves_leaves_a_lock_that_was_given_or_none)
{
    for (unsigned turns = 0; turns < 8; turns++) {
        dav_ask_and_leave(world, "LOCK /dav/F/x", "", LOCK("exclusive"), turns);
        bool is_locked = ask("PUT /dav/F/x", "") == 423;
        cr_assert_eq(dav_world_row_count(world, "lock/"), is_locked ? 1 : 0);
        dav_world_pass(world, 4000);
        dav_world_restart(world);
        cr_assert_eq(ask("DELETE /dav/F/x", ""), 204);
        cr_assert_eq(lock("b", "Timeout: Second-180\r\n"), 200); /* sweeps */
        dav_world_pass(world, 200);
        teardown();
        setup();
    }
}

Test(dav_locking, other_ways_in_can_ask)
{
    cr_assert_eq(lock("d/a", ""), 200);
    struct qn_person anna = {.name = "anna"};
    cr_assert(qn_dav_is_locked(dav_world_dav(world), &anna, SPAN("F/d"), true));
    cr_assert(qn_dav_is_locked(dav_world_dav(world), &anna, SPAN("F/d/a"), false));
    cr_assert_not(qn_dav_is_locked(dav_world_dav(world), &anna, SPAN("F/b"), false));
}

/* macOS writes accents apart, also in the field If: it is the same resource. */
Test(dav_locking, a_tagged_token_is_good_in_either_form_of_the_name)
{
    static const char *const forms[] = {"%C3%A9", "e%CC%81"};
    dav_world_set_file(world, "\xc3\xa9", "one");
    cr_assert_eq(lock("%C3%A9", ""), 200);
    for (size_t i = 0; i < 2; i++) {
        char field[256];
        snprintf(field, sizeof(field), "If: <https://h:8443/dav/F/%s> (%s)\r\n", forms[i], token);
        cr_assert_eq(ask("PUT /dav/F/%C3%A9", field), 204, "%s", field);
    }
}
