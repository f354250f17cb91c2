#include <criterion/criterion.h>
#include <stdio.h>

#include "support/dav_world.h"
#include "support/span.h"

static struct dav_world *world;

static void setup(void)
{
    world = dav_world_new();
    dav_world_set_file(world, "a", "one");
}

static void teardown(void)
{
    dav_world_free(world);
}
TestSuite(dav_patch, .init = setup, .fini = teardown);

static const char *patch(const char *inner)
{
    char body[4096];
    snprintf(body, sizeof(body),
             "<D:propertyupdate xmlns:D='DAV:' xmlns:Z='urn:schemas-microsoft-com:'>%s"
             "</D:propertyupdate>",
             inner);
    const struct dav_answer *answer = dav_ask(world, "PROPPATCH /dav/F/a", "", body);
    cr_assert_eq(answer->status, 207);
    return (const char *)answer->body.data;
}

static const char *all(void)
{
    return (const char *)dav_ask(world, "PROPFIND /dav/F/a", "Depth: 0\r\n", "")->body.data;
}

static const char *by_name(const char *name)
{
    char body[256];
    snprintf(
        body, sizeof(body),
        "<propfind xmlns='DAV:'><prop><%s xmlns='urn:schemas-microsoft-com:'/></prop></propfind>",
        name);
    return (const char *)dav_ask(world, "PROPFIND /dav/F/a", "Depth: 0\r\n", body)->body.data;
}
#define SET(property)    "<D:set><D:prop>" property "</D:prop></D:set>"
#define REMOVE(property) "<D:remove><D:prop>" property "</D:prop></D:remove>"

Test(dav_patch, properties_are_kept_over_a_restart_as_they_came)
{
    patch(SET("<n:x xmlns:n='urn:n' xml:lang='fr'>\xc3\xa9<y a='1'/></n:x>") SET("<plain/>"));
    dav_world_restart(world);
    const char *found = all();
    cr_assert_not_null(strstr(found, "<ns0:x xmlns:ns0=\"urn:n\" xml:lang=\"fr\">\xc3\xa9"
                                     "<y a=\"1\"/></ns0:x>"));
    cr_assert_not_null(strstr(found, "<plain/>"));
    patch(REMOVE("<plain/>") REMOVE("<never/>"));
    cr_assert_null(strstr(all(), "<plain/>"));
    patch(REMOVE("<n:x xmlns:n='urn:n'/>"));
    cr_assert_eq(dav_world_row_count(world, "prop/"), 0);
}

Test(dav_patch, of_two_at_the_same_time_both_are_kept)
{
#define UPDATE(property) "<D:propertyupdate xmlns:D='DAV:'>" SET(property) "</D:propertyupdate>"
    dav_ask_both(world, "PROPPATCH /dav/F/a", UPDATE("<x>1</x>"), UPDATE("<y>2</y>"));
    cr_assert_not_null(strstr(all(), "<x>1</x>"));
    cr_assert_not_null(strstr(all(), "<y>2</y>"));
    dav_world_fail_put(world, QN_ERR_NOSPACE);
    dav_ask_both(world, "PROPPATCH /dav/F/a", UPDATE("<z>3</z>"), UPDATE("<y>4</y>"));
    cr_assert_null(strstr(all(), "<z>"));
    cr_assert_not_null(strstr(all(), "<y>4</y>"));
}

Test(dav_patch, the_order_of_the_document_counts)
{
    patch(SET("<x>1</x>") REMOVE("<x/>") SET("<x>2</x>"));
    cr_assert_not_null(strstr(all(), "<x>2</x>"));
    patch(SET("<x>3</x>") REMOVE("<x/>"));
    cr_assert_null(strstr(all(), "<x>"));
}

Test(dav_patch, all_or_nothing)
{
    const char *answer = patch(SET("<x>1</x>") SET("<D:getetag>\"mine\"</D:getetag>"));
    cr_assert_not_null(strstr(answer, "<D:prop><x/></D:prop><D:status>HTTP/1.1 424"));
    cr_assert_not_null(strstr(answer, "<D:prop><D:getetag/></D:prop><D:status>HTTP/1.1 403"));
    cr_assert_null(strstr(all(), "<x>"));
}

/* W4: what Windows' Explorer sends behind each copy. */
Test(dav_patch, windows_sets_its_times)
{
    const char *answer =
        patch(SET("<Z:Win32CreationTime>Mon, 27 Nov 2023 10:00:00 GMT</Z:Win32CreationTime>"
                  "<Z:Win32LastAccessTime>Mon, 27 Nov 2023 10:00:01 GMT</Z:Win32LastAccessTime>"
                  "<Z:Win32LastModifiedTime>Fri, 13 Feb 2009 23:31:30 GMT</Z:Win32LastModifiedTime>"
                  "<Z:Win32FileAttributes>00000020</Z:Win32FileAttributes>"));
    cr_assert_null(strstr(answer, "HTTP/1.1 4"));
    cr_assert_not_null(strstr(answer, "HTTP/1.1 200 OK"));
    cr_assert_eq(dav_world_modified_ns(world, "a"), INT64_C(1234567890000000000));
    cr_assert_not_null(strstr(by_name("Win32FileAttributes"), ">00000020<"));
    cr_assert_not_null(strstr(by_name("Win32CreationTime"), ">Mon, 27 Nov 2023 10:00:00 GMT<"));
    cr_assert_not_null(strstr(by_name("Win32LastAccessTime"), ">Mon, 27 Nov 2023 10:00:01 GMT<"));
}

/* What it says of a file that has no time, or a broken one: the copy goes on, and the file is old
 * or young, not of another century. */
Test(dav_patch, times_that_no_file_can_have)
{
    const char *answer = patch(
        SET("<Z:Win32LastModifiedTime>Mon, 01 Jan 1601 00:00:00 GMT</Z:Win32LastModifiedTime>"));
    cr_assert_null(strstr(answer, "HTTP/1.1 4"));
    cr_assert_lt(dav_world_modified_ns(world, "a"), INT64_C(-9000000000000000000));
    patch(SET("<Z:Win32LastModifiedTime>Fri, 31 Dec 9999 23:59:59 GMT</Z:Win32LastModifiedTime>"));
    cr_assert_gt(dav_world_modified_ns(world, "a"), INT64_C(9000000000000000000));
}

Test(dav_patch, other_clients_set_the_time_too)
{
    patch(SET("<D:lastmodified>1000000000</D:lastmodified>"));
    cr_assert_eq(dav_world_modified_ns(world, "a"), INT64_C(1000000000000000000));
    patch(SET("<D:getlastmodified>Fri, 13 Feb 2009 23:31:30 GMT</D:getlastmodified>"));
    cr_assert_eq(dav_world_modified_ns(world, "a"), INT64_C(1234567890000000000));
    cr_assert_not_null(strstr(patch(SET("<D:getlastmodified>x</D:getlastmodified>")), " 409 "));
    cr_assert_not_null(strstr(patch(REMOVE("<D:getlastmodified/>")), " 403 "));
    cr_assert_eq(dav_world_modified_ns(world, "a"), INT64_C(1234567890000000000));
}

Test(dav_patch, what_is_not_stored_is_not_acknowledged)
{
    dav_world_fail_put(world, QN_ERR_NOSPACE);
    cr_assert_not_null(strstr(patch(SET("<x>1</x>")), " 507 "));
    cr_assert_null(strstr(all(), "<x>"));
}

Test(dav_patch, more_than_a_row_is_507)
{
    char *large = qn_alloc(100001);
    struct qn_buf body;
    memset(large, 'x', 100000);
    large[100000] = 0;
    qn_buf_init(&body, 200000);
    qn_buf_printf(&body,
                  "<propertyupdate xmlns='DAV:'><set><prop><l>%s</l></prop></set>"
                  "</propertyupdate>",
                  large);
    const struct dav_answer *answer =
        dav_ask_bytes(world, "PROPPATCH /dav/F/a", "", qn_buf_view(&body));
    cr_assert_not_null(strstr((const char *)answer->body.data, " 507 "));
    cr_assert_eq(dav_world_row_count(world, "prop/"), 0);
    qn_buf_deinit(&body);
    qn_free(large);
}

Test(dav_patch, where_nothing_can_be_set)
{
    const char *body = "<propertyupdate xmlns='DAV:'><set><prop><x/></prop></set></propertyupdate>";
    cr_assert_eq(dav_ask(world, "PROPPATCH /dav/F/none", "", body)->status, 404);
    cr_assert_eq(dav_ask(world, "PROPPATCH /dav/", "", body)->status, 403);
    cr_assert_eq(dav_ask(world, "PROPPATCH /dav/F/a", "", "")->status, 400);
    cr_assert_eq(dav_ask(world, "PROPPATCH /dav/F", "", body)->status, 207);
    dav_world_be(world, "rita");
    cr_assert_eq(dav_ask(world, "PROPPATCH /dav/F/a", "", body)->status, 403);
}
