/* GNOME's file manager (gvfs, libsoup), as its source tells what it sends: it looks at every parent
 * while it mounts, and names the version that it replaces. */
#include <criterion/criterion.h>

#include "support/dav_trace.h"

#define AGENT                                                                                      \
    "User-Agent: gvfs/1.50.3\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: fr-fr, "    \
    "fr;q=0.9\r\n"
#define XML "Content-Type: application/xml\r\n"
#define LIST                                                                                       \
    "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n <D:propfind xmlns:D=\"DAV:\">\n  <D:prop>\n"    \
    "<D:creationdate/>\n<D:displayname/>\n<D:getcontentlength/>\n<D:getcontenttype/>\n"            \
    "<D:getetag/>\n<D:getlastmodified/>\n<D:resourcetype/>\n  </D:prop>\n </D:propfind>"
#define KIND                                                                                       \
    "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n <D:propfind xmlns:D=\"DAV:\">\n  <D:prop>\n"    \
    "<D:resourcetype/>\n<D:getcontentlength/>\n  </D:prop>\n </D:propfind>"
#define SPACE                                                                                      \
    "<?xml version=\"1.0\" encoding=\"utf-8\" ?>\n <D:propfind xmlns:D=\"DAV:\">\n  <D:prop>\n"    \
    "<D:quota-available-bytes/>\n<D:quota-used-bytes/>\n  </D:prop>\n </D:propfind>"
#define PLAY(steps) dav_trace_play(world, steps, sizeof(steps) / sizeof((steps)[0]))

static struct dav_world *world;

static void setup(void)
{
    world = dav_world_new();
    dav_world_set_file(world, "d/", "");
    dav_world_set_file(world, "d/note.txt", "one");
}

static void teardown(void)
{
    dav_world_free(world);
}
TestSuite(dav_gvfs, .init = setup, .fini = teardown);

/* W15: it goes up from what was typed until something is no collection; a 405 stops it. */
Test(dav_gvfs, it_mounts_and_looks_at_every_parent)
{
    static const struct dav_step steps[] = {
        {"OPTIONS /dav/F", AGENT, .status = 200, .fields_back = {"DAV: 1, 2, 3"}},
        {"PROPFIND /dav/F", AGENT XML "Depth: 0\r\n", KIND, .status = 207,
         .has = {"<D:collection/>"}},
        {"PROPFIND /dav", AGENT XML "Depth: 0\r\n", KIND, .status = 207,
         .has = {"<D:collection/>"}},
        {"PROPFIND /", AGENT XML "Depth: 0\r\n", KIND, .status = 207, .has = {"<D:collection/>"}},
        {"PROPFIND /dav/F/", AGENT XML "Depth: 0\r\n", SPACE, .status = 207,
         .has = {"<D:quota-available-bytes>2000</D:quota-available-bytes>"}},
    };
    PLAY(steps);
}

Test(dav_gvfs, a_listing_to_the_letter)
{
    static const struct dav_step steps[] = {
        {"PROPFIND /dav/F/d", AGENT XML "Depth: 1\r\n", LIST, .status = 207,
         .content =
             "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">\n"
             "<D:response><D:href>/dav/F/d/</D:href><D:propstat><D:prop>"
             "<D:creationdate>2017-07-14T02:40:00Z</D:creationdate><D:displayname>d"
             "</D:displayname><D:getlastmodified>Sun, 13 Sep 2020 12:26:40 GMT</D:getlastmodified>"
             "<D:resourcetype><D:collection/></D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK"
             "</D:status></D:propstat><D:propstat><D:prop><D:getcontentlength/><D:getcontenttype/>"
             "<D:getetag/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>"
             "</D:response>\n<D:response><D:href>/dav/F/d/note.txt</D:href><D:propstat><D:prop>"
             "<D:creationdate>2017-07-14T02:40:00Z</D:creationdate><D:displayname>note.txt"
             "</D:displayname><D:getcontentlength>3</D:getcontentlength>"
             "<D:getcontenttype>text/plain</D:getcontenttype><D:getetag>\"v3\"</D:getetag>"
             "<D:getlastmodified>Sun, 13 Sep 2020 12:26:40 GMT</D:getlastmodified>"
             "<D:resourcetype/></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
             "</D:response>\n</D:multistatus>\n"},
    };
    PLAY(steps);
}

/* What is new must not be there, what is replaced must be as it was read. */
Test(dav_gvfs, files_are_made_and_replaced)
{
    static const struct dav_step steps[] = {
        {"PUT /dav/F/d/new.txt", AGENT "If-None-Match: *\r\n", "new", .status = 201},
        {"PUT /dav/F/d/new.txt", AGENT "If-None-Match: *\r\n", "again", .status = 412},
        {"PROPFIND /dav/F/d/note.txt", AGENT XML "Depth: 0\r\n", LIST, .status = 207,
         .has = {"<D:getetag>\"v3\"<"}},
        {"PUT /dav/F/d/note.txt", AGENT "If-Match: \"v3\"\r\n", "two", .status = 204},
        {"PUT /dav/F/d/note.txt", AGENT "If-Match: \"v3\"\r\n", "three", .status = 412},
        {"GET /dav/F/d/note.txt", AGENT, .status = 200, .content = "two"},
    };
    PLAY(steps);
}

Test(dav_gvfs, folders_are_made_moved_copied_and_removed)
{
    static const struct dav_step steps[] = {
        {"MKCOL /dav/F/n%C3%A9e", AGENT, .status = 201},
        {"MKCOL /dav/F/n%C3%A9e", AGENT, .status = 405},
        {"MOVE /dav/F/d/note.txt",
         AGENT "Destination: https://h:8443/dav/F/n%C3%A9e/note.txt\r\nOverwrite: F\r\n",
         .status = 201},
        {"COPY /dav/F/n%C3%A9e",
         AGENT "Destination: https://h:8443/dav/F/copy\r\nOverwrite: F\r\nDepth: infinity\r\n",
         .status = 201},
        {"PROPFIND /dav/F/copy", AGENT XML "Depth: 1\r\n", KIND, .status = 207,
         .has = {"/dav/F/copy/note.txt"}},
        {"DELETE /dav/F/copy/note.txt", AGENT, .status = 204},
        {"DELETE /dav/F/copy", AGENT, .status = 204},
        {"PROPPATCH /dav/F/n%C3%A9e/note.txt", AGENT XML,
         "<?xml version=\"1.0\" encoding=\"utf-8\" ?><D:propertyupdate "
         "xmlns:D=\"DAV:\"><D:set><D:prop>"
         "<D:getlastmodified>Fri, 13 Feb 2009 23:31:30 GMT</D:getlastmodified></D:prop></D:set>"
         "</D:propertyupdate>",
         .status = 207, .has = {"HTTP/1.1 200 OK"}},
    };
    PLAY(steps);
    cr_assert_eq(dav_world_modified_ns(world, "n\xc3\xa9"
                                              "e/note.txt"),
                 INT64_C(1234567890000000000));
}
