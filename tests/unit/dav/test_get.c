#include <criterion/criterion.h>
#include <stdio.h>

#include "support/dav_world.h"
#include "support/span.h"

static struct dav_world *world;

static void setup(void)
{
    world = dav_world_new();
    dav_world_set_file(world, "a.txt", "0123456789");
    dav_world_set_file(world, "d/", "");
    dav_world_set_file(world, "page.html", "<script>");
}

static void teardown(void)
{
    dav_world_free(world);
}
TestSuite(dav_get, .init = setup, .fini = teardown);

static const char *text(const struct dav_answer *answer)
{
    return (const char *)answer->body.data;
}

Test(dav_get, a_file_with_its_fields)
{
    const struct dav_answer *answer = dav_ask(world, "GET /dav/F/a.txt", "", "");
    cr_assert_eq(answer->status, 200);
    cr_assert(answer->is_complete);
    cr_assert_str_eq(text(answer), "0123456789");
    cr_assert_str_eq(dav_answer_field(answer, "ETag"), "\"v2\"");
    cr_assert_str_eq(dav_answer_field(answer, "Accept-Ranges"), "bytes");
    cr_assert_str_eq(dav_answer_field(answer, "Content-Type"), "text/plain");
    cr_assert_not_null(dav_answer_field(answer, "Last-Modified"));
}

Test(dav_get, what_a_browser_would_run_is_an_attachment)
{
    const struct dav_answer *answer = dav_ask(world, "GET /dav/F/page.html", "", "");
    cr_assert_eq(answer->status, 200);
    cr_assert_not_null(strstr(dav_answer_field(answer, "Content-Disposition"), "attachment"));
    answer = dav_ask(world, "GET /dav/F/a.txt", "", "");
    cr_assert_null(dav_answer_field(answer, "Content-Disposition"));
}

Test(dav_get, head_has_the_length_and_no_content)
{
    const struct dav_answer *answer = dav_ask(world, "HEAD /dav/F/a.txt", "", "");
    cr_assert_eq(answer->status, 200);
    cr_assert_eq(answer->size, 10);
    cr_assert_eq(answer->body.size, 0);
}

Test(dav_get, what_is_not_there_or_not_to_be_seen)
{
    cr_assert_eq(dav_ask(world, "GET /dav/F/none", "", "")->status, 404);
    cr_assert_eq(dav_ask(world, "GET /dav/secret/a", "", "")->status, 404);
    cr_assert_eq(dav_ask(world, "GET /dav/nowhere/a", "", "")->status, 404);
    const struct dav_answer *answer = dav_ask(world, "GET /dav/F/d", "", "");
    cr_assert_eq(answer->status, 405);
    cr_assert_not_null(dav_answer_field(answer, "Allow"));
    cr_assert_eq(dav_ask(world, "GET /dav/F/", "", "")->status, 405);
    cr_assert_eq(dav_ask(world, "GET /dav/", "", "")->status, 405);
    dav_world_be(world, "zoe");
    cr_assert_eq(dav_ask(world, "GET /dav/F/a.txt", "", "")->status, 404);
    dav_world_be(world, "rita");
    cr_assert_eq(dav_ask(world, "GET /dav/F/a.txt", "", "")->status, 200);
}

static const struct {
    const char *range;
    unsigned status;
    const char *body, *content_range;
} ranges[] = {
    {"bytes=0-3", 206, "0123", "bytes 0-3/10"},    {"bytes=4-", 206, "456789", "bytes 4-9/10"},
    {"bytes=-2", 206, "89", "bytes 8-9/10"},       {"bytes=0-0", 206, "0", "bytes 0-0/10"},
    {"bytes=5-100", 206, "56789", "bytes 5-9/10"}, {"bytes=10-", 416, "", "bytes */10"},
    {"nonsense", 200, "0123456789", NULL},
};

Test(dav_get, a_range)
{
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        char fields[64];
        snprintf(fields, sizeof(fields), "Range: %s\r\n", ranges[i].range);
        const struct dav_answer *answer = dav_ask(world, "GET /dav/F/a.txt", fields, "");
        cr_assert_eq(answer->status, ranges[i].status, "%s", ranges[i].range);
        cr_assert_str_eq(text(answer), ranges[i].body);
        cr_assert(answer->is_complete);
        const char *content_range = dav_answer_field(answer, "Content-Range");
        if (ranges[i].content_range)
            cr_assert_str_eq(content_range, ranges[i].content_range);
        else
            cr_assert_null(content_range);
    }
}

Test(dav_get, several_ranges_are_parts_and_their_length_was_told)
{
    const struct dav_answer *answer =
        dav_ask(world, "GET /dav/F/a.txt", "Range: bytes=0-1,5-6\r\n", "");
    cr_assert_eq(answer->status, 206);
    cr_assert(answer->is_complete);
    cr_assert_not_null(strstr(dav_answer_field(answer, "Content-Type"), "multipart/byteranges"));
    cr_assert_not_null(strstr(text(answer), "Content-Range: bytes 0-1/10\r\n\r\n01\r\n--"));
    cr_assert_not_null(strstr(text(answer), "Content-Range: bytes 5-6/10\r\n\r\n56\r\n--"));
}

Test(dav_get, if_range_decides_between_a_part_and_the_whole)
{
    cr_assert_eq(
        dav_ask(world, "GET /dav/F/a.txt", "Range: bytes=0-1\r\nIf-Range: \"v2\"\r\n", "")->status,
        206);
    cr_assert_eq(
        dav_ask(world, "GET /dav/F/a.txt", "Range: bytes=0-1\r\nIf-Range: \"v9\"\r\n", "")->status,
        200);
}

/* Larger than what is read at once, and a client that takes little at a time. */
Test(dav_get, a_large_file_comes_whole_to_a_slow_client)
{
    size_t size = 3 * 256 * 1024 + 17;
    char *content = qn_alloc(size + 1);
    for (size_t i = 0; i < size; i++)
        content[i] = (char)('a' + i * 7 % 26);
    content[size] = 0;
    dav_world_set_file(world, "large", content);
    dav_world_set_room(world, 1000);
    const struct dav_answer *answer = dav_ask(world, "GET /dav/F/large", "", "");
    cr_assert(answer->is_complete);
    cr_assert_str_eq(text(answer), content);
    answer = dav_ask(world, "GET /dav/F/large", "Range: bytes=1-300000,400000-\r\n", "");
    cr_assert(answer->is_complete);
    cr_assert_not_null(memmem(answer->body.data, answer->body.size, content + 1, 300000));
    cr_assert_not_null(
        memmem(answer->body.data, answer->body.size, content + 400000, size - 400000));
    qn_free(content);
}

Test(dav_get, a_disk_that_fails_cuts_the_answer)
{
    dav_world_fail_call(world, QN_ERR_IO);
    const struct dav_answer *answer = dav_ask(world, "GET /dav/F/a.txt", "", "");
    cr_assert(answer->is_cut);
}

Test(dav_get, a_client_may_go_away_at_any_time)
{
    for (unsigned turns = 0; turns < 6; turns++)
        dav_ask_and_leave(world, "GET /dav/F/a.txt", "", "", turns);
    cr_assert_eq(dav_ask(world, "GET /dav/F/a.txt", "", "")->status, 200);
}

Test(dav_get, the_signs_for_finder_are_there_at_the_top_only)
{
    cr_assert_eq(dav_ask(world, "GET /dav/F/.metadata_never_index", "", "")->status, 200);
    cr_assert_eq(dav_ask(world, "GET /dav/F/d/.metadata_never_index", "", "")->status, 404);
    cr_assert_eq(
        dav_ask(world, "PROPFIND /dav/F/.ql_disablethumbnails", "Depth: 0\r\n", "")->status, 207);
}
