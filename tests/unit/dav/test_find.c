#include <criterion/criterion.h>
#include <stdio.h>

#include "support/dav_world.h"
#include "support/span.h"

static struct dav_world *world;

static void setup(void)
{
    world = dav_world_new();
    dav_world_set_file(world, "d/", "");
    dav_world_set_file(world, "d/a b", "one");
}

static void teardown(void)
{
    dav_world_free(world);
}
TestSuite(dav_find, .init = setup, .fini = teardown);

static size_t count_of(const struct dav_answer *answer, const char *text)
{
    size_t count = 0;
    for (const char *at = (const char *)answer->body.data; (at = strstr(at, text)); at++)
        count++;
    return count;
}

static const struct dav_answer *find(const char *path, const char *depth, const char *body)
{
    char line[256], fields[64];
    snprintf(line, sizeof(line), "PROPFIND %s", path);
    snprintf(fields, sizeof(fields), "Depth: %s\r\n", depth);
    return dav_ask(world, line, fields, body);
}

#define PROP(names) "<propfind xmlns='DAV:'><prop>" names "</prop></propfind>"

Test(dav_find, the_root_is_answered_and_shows_dav_only)
{
    const struct dav_answer *answer = find("/", "0", "");
    cr_assert_eq(answer->status, 207);
    cr_assert_eq(count_of(answer, "<D:href>/</D:href>"), 1);
    cr_assert_eq(count_of(answer, "<D:collection/>"), 1);
    answer = find("/", "1", "");
    cr_assert_eq(count_of(answer, "<D:response>"), 2);
    cr_assert_eq(count_of(answer, "<D:href>/dav/</D:href>"), 1);
    cr_assert_eq(dav_ask(world, "LOCK /", "", "")->status, 405);
}

/* Names, sizes and times; nothing that tells one content from another. */
Test(dav_find, who_may_only_list_sees_no_content)
{
    const char *all = PROP("<getetag/><getcontentlength/><getlastmodified/>");
    cr_assert_eq(count_of(find("/dav/F/d", "1", all), "<D:getetag>"), 1);
    dav_world_be(world, "lise");
    const struct dav_answer *answer = find("/dav/F/d", "1", all);
    cr_assert_eq(answer->status, 207);
    cr_assert_eq(count_of(answer, "<D:getetag>"), 0);
    cr_assert_eq(count_of(answer, "<D:getcontentlength>3</D:getcontentlength>"), 1);
    cr_assert_eq(dav_ask(world, "GET /dav/F/d/a%20b", "", "")->status, 403);
    cr_assert_eq(dav_ask(world, "HEAD /dav/F/d/a%20b", "", "")->status, 403);
    cr_assert_eq(dav_ask(world, "COPY /dav/F/d/a%20b", "Destination: /dav/F/x\r\n", "")->status,
                 403);
    cr_assert_eq(dav_ask(world, "LOCK /dav/F/d/a%20b", "", "")->status, 403);
}

Test(dav_find, the_list_of_folders_is_what_one_may_see)
{
    const struct dav_answer *answer = find("/dav", "1", "");
    cr_assert_eq(answer->status, 207);
    cr_assert_eq(count_of(answer, "<D:response>"), 2);
    cr_assert_eq(count_of(answer, "<D:href>/dav/F/</D:href>"), 1);
    dav_world_be(world, "zoe");
    answer = find("/dav/", "1", "");
    cr_assert_eq(count_of(answer, "<D:response>"), 1);
    cr_assert_eq(find("/dav/F", "0", "")->status, 404);
}

Test(dav_find, a_collection_is_the_same_with_and_without_a_slash)
{
    cr_assert_eq(count_of(find("/dav/F/d", "0", ""), "<D:href>/dav/F/d/</D:href>"), 1);
    const struct dav_answer *answer = find("/dav/F/d/", "1", "");
    cr_assert_eq(count_of(answer, "<D:href>/dav/F/d/</D:href>"), 1);
    cr_assert_eq(count_of(answer, "<D:href>/dav/F/d/a%20b</D:href>"), 1);
    cr_assert_eq(count_of(answer, "<D:getcontentlength>3</D:getcontentlength>"), 1);
    cr_assert_eq(count_of(answer, "</D:multistatus>"), 1);
}

Test(dav_find, all_of_the_tree_is_refused)
{
    const struct dav_answer *answer = find("/dav/F/", "infinity", "");
    cr_assert_eq(answer->status, 403);
    cr_assert_eq(count_of(answer, "<D:propfind-finite-depth/>"), 1);
    cr_assert_eq(dav_ask(world, "PROPFIND /dav/F", "", "")->status, 403);
    cr_assert_eq(find("/dav/F", "2", "")->status, 400);
}

Test(dav_find, bodies_that_are_none)
{
    cr_assert_eq(find("/dav/F", "0", "<propfind")->status, 400);
    cr_assert_eq(find("/dav/F", "0", "<propfind xmlns='DAV:'/>")->status, 400);
    cr_assert_eq(find("/dav/F", "0", "<!DOCTYPE x><x/>")->status, 400);
    char *large = qn_alloc(200001);
    memset(large, ' ', 200000);
    large[200000] = 0;
    cr_assert_eq(find("/dav/F", "0", large)->status, 413);
    qn_free(large);
    cr_assert_eq(find("/dav/F/none", "0", "")->status, 404);
}

Test(dav_find, quota_is_looked_up_when_it_is_asked_for)
{
    const struct dav_answer *answer =
        find("/dav/F", "0", PROP("<quota-used-bytes/><quota-available-bytes/>"));
    cr_assert_eq(count_of(answer, "<D:quota-used-bytes>1000</D:quota-used-bytes>"), 1);
    cr_assert_eq(count_of(answer, "<D:quota-available-bytes>2000</D:quota-available-bytes>"), 1);
    cr_assert_eq(count_of(find("/dav/F", "0", ""), "quota"), 0);
}

/* Parts, a slow client, and every entry once. */
Test(dav_find, a_long_listing_comes_whole)
{
    char path[64];
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(path, sizeof(path), "d/file%u", i);
        dav_world_set_file(world, path, "x");
    }
    dav_world_set_room(world, 500);
    const struct dav_answer *answer = find("/dav/F/d", "1", PROP("<getetag/>"));
    cr_assert(answer->is_complete);
    cr_assert_eq(count_of(answer, "<D:response>"), 1002);
    cr_assert_eq(count_of(answer, "<D:href>/dav/F/d/file999</D:href>"), 1);
    cr_assert_eq(count_of(answer, "</D:multistatus>"), 1);
}

Test(dav_find, a_client_may_leave_a_listing)
{
    char path[64];
    for (unsigned i = 0; i < 50; i++) {
        snprintf(path, sizeof(path), "d/file%u", i);
        dav_world_set_file(world, path, "x");
    }
    for (unsigned turns = 0; turns < 12; turns++)
        dav_ask_and_leave(world, "PROPFIND /dav/F/d", "Depth: 1\r\n", "", turns);
    dav_world_set_room(world, 100);
    for (unsigned turns = 0; turns < 12; turns++)
        dav_ask_and_leave(world, "PROPFIND /dav/F/d", "Depth: 1\r\n", "", turns);
    cr_assert_eq(find("/dav/F/d", "1", "")->status, 207);
}
