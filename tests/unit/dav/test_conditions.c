#include <criterion/criterion.h>
#include <stdio.h>

#include "support/dav_world.h"
#include "support/span.h"

static struct dav_world *world;

static void setup(void)
{
    world = dav_world_new();
    dav_world_set_file(world, "a", "one"); /* "v2" */
    dav_world_set_file(world, "b", "two"); /* "v3" */
}

static void teardown(void)
{
    dav_world_free(world);
}
TestSuite(dav_conditions, .init = setup, .fini = teardown);

#define LATER  "Sun, 06 Nov 2044 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:37 GMT"

static const struct {
    const char *line, *fields;
    unsigned status;
} cases[] = {
    {"GET /dav/F/a", "If-Match: \"v2\"\r\n", 200},
    {"GET /dav/F/a", "If-Match: *\r\n", 200},
    {"GET /dav/F/a", "If-Match: \"v1\", \"v2\"\r\n", 200},
    {"GET /dav/F/a", "If-Match: \"v1\"\r\n", 412},
    {"GET /dav/F/a", "If-None-Match: \"v2\"\r\n", 304},
    {"GET /dav/F/a", "If-None-Match: *\r\n", 304},
    {"GET /dav/F/a", "If-None-Match: \"v1\"\r\n", 200},
    {"GET /dav/F/a", "If-Modified-Since: " LATER "\r\n", 304},
    {"GET /dav/F/a", "If-Modified-Since: " BEFORE "\r\n", 200},
    {"GET /dav/F/a", "If-Unmodified-Since: " BEFORE "\r\n", 412},
    {"GET /dav/F/a", "If-Unmodified-Since: " LATER "\r\n", 200},
    {"GET /dav/F/a", "If: ([\"v2\"])\r\n", 200},
    {"GET /dav/F/a", "If: ([\"v1\"])\r\n", 412},
    {"PUT /dav/F/a", "If-Match: \"v1\"\r\n", 412},
    {"PUT /dav/F/a", "If-None-Match: *\r\n", 412},
    {"PUT /dav/F/a", "If-None-Match: \"v2\"\r\n", 412},
    {"PUT /dav/F/a", "If-Unmodified-Since: " BEFORE "\r\n", 412},
    {"PUT /dav/F/none", "If-Match: *\r\n", 412},
    {"PUT /dav/F/a", "If: (<DAV:no-lock>)\r\n", 412},
    {"PUT /dav/F/a", "If: (<urn:uuid:none>)\r\n", 412},
    {"PUT /dav/F/a", "If: ([\"v1\"]) ([\"v9\"])\r\n", 412},
    {"PUT /dav/F/a", "If: </dav/F/b> ([\"v2\"])\r\n", 412},
    {"PUT /dav/F/a", "If: </dav/F/none> ([\"v2\"])\r\n", 412},
    {"PUT /dav/F/a", "If: <https://other/dav/F/b> ([\"v3\"])\r\n", 412},
    {"PUT /dav/F/a", "If: nonsense\r\n", 400},
    {"PUT /dav/F/a", "If: ([\"v2\"])\r\nIf: ([\"v2\"])\r\n", 400},
    {"DELETE /dav/F/a", "If-Match: \"v1\"\r\n", 412},
    {"DELETE /dav/F/a", "If: ([\"v1\"])\r\n", 412},
    {"MOVE /dav/F/a", "Destination: /dav/F/c\r\nIf-Match: \"v1\"\r\n", 412},
    {"COPY /dav/F/a", "Destination: /dav/F/c\r\nIf-Match: \"v1\"\r\n", 412},
    {"PROPPATCH /dav/F/a", "If-Match: \"v1\"\r\n", 412},
    {"LOCK /dav/F/a", "If-Match: \"v1\"\r\n", 412},
    {"PROPFIND /dav/F/a", "Depth: 0\r\nIf: ([\"v1\"])\r\n", 412},
};

static const char *body_of(const char *line)
{
    if (strncmp(line, "PROPPATCH", 9) == 0)
        return "<propertyupdate xmlns='DAV:'><set><prop><x xmlns='u'/></prop></set>"
               "</propertyupdate>";
    if (strncmp(line, "LOCK", 4) == 0)
        return "<lockinfo xmlns='DAV:'><lockscope><exclusive/></lockscope><locktype><write/>"
               "</locktype></lockinfo>";
    return strncmp(line, "PUT", 3) == 0 ? "new" : "";
}

Test(dav_conditions, what_does_not_hold_changes_nothing)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct dav_answer *answer =
            dav_ask(world, cases[i].line, cases[i].fields, body_of(cases[i].line));
        cr_assert_eq(answer->status, cases[i].status, "%s %s: %u", cases[i].line, cases[i].fields,
                     answer->status);
        cr_assert_str_eq(dav_world_file(world, "a"), "one");
        cr_assert_null(dav_world_file(world, "c"));
    }
}

static const char *const holding[] = {
    "If-Match: \"v2\"\r\n",
    "If-Match: *\r\n",
    "If-None-Match: \"v1\"\r\n",
    "If-Unmodified-Since: " LATER "\r\n",
    "If: ([\"v2\"])\r\n",
    "If: ([\"v9\"]) (Not <DAV:no-lock> [\"v2\"])\r\n",
    "If: </dav/F/b> ([\"v3\"])\r\n",
    "If: <https://h/dav/F/b> ([\"v3\"])\r\n",
    "If: </dav/F/none> (Not [\"v3\"])\r\n",
};

Test(dav_conditions, what_holds_is_done)
{
    for (size_t i = 0; i < sizeof(holding) / sizeof(holding[0]); i++) {
        teardown();
        setup();
        cr_assert_eq(dav_ask(world, "PUT /dav/F/a", holding[i], "new")->status, 204, "%s",
                     holding[i]);
        cr_assert_str_eq(dav_world_file(world, "a"), "new");
    }
}
