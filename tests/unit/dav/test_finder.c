/* macOS: the Finder (WebDAVFS), as its published source and notes of other servers tell what it
 * sends: it mounts for writing only with class 2, puts in chunks with the length beside, and asks
 * for a "._x" of each "x". */
#include <criterion/criterion.h>

#include "support/dav_trace.h"

#define AGENT "User-Agent: WebDAVFS/3.0.0 (03008000) Darwin/23.5.0 (x86_64)\r\nAccept: */*\r\n"
#define XML   "Content-Type: text/xml\r\n"
#define STAT                                                                                       \
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:propfind xmlns:D=\"DAV:\">\n<D:prop>\n"        \
    "<D:getlastmodified/>\n<D:getcontentlength/>\n<D:creationdate/>\n<D:resourcetype/>\n"          \
    "</D:prop>\n</D:propfind>\n"
#define SPACE                                                                                      \
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:propfind xmlns:D=\"DAV:\">\n<D:prop>\n"        \
    "<D:quota-available-bytes/>\n<D:quota-used-bytes/>\n<D:quota/>\n<D:quotaused/>\n"              \
    "</D:prop>\n</D:propfind>\n"
#define LOCKINFO                                                                                   \
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:lockinfo xmlns:D=\"DAV:\">\n"                  \
    "<D:lockscope><D:exclusive/></D:lockscope>\n<D:locktype><D:write/></D:locktype>\n"             \
    "<D:owner>\n<D:href>http://www.apple.com/webdav_fs/</D:href>\n</D:owner>\n</D:lockinfo>\n"
#define PLAY(steps) dav_trace_play(world, steps, sizeof(steps) / sizeof((steps)[0]))

static struct dav_world *world;

static void setup(void)
{
    world = dav_world_new();
    dav_world_set_file(world, "photos/", "");
    dav_world_set_file(world, "photos/a.jpg", "JPEG");
}

static void teardown(void)
{
    dav_world_free(world);
}
TestSuite(dav_finder, .init = setup, .fini = teardown);

Test(dav_finder, it_mounts_for_writing)
{
    static const struct dav_step steps[] = {
        {"OPTIONS /dav/F/", AGENT, .status = 200,
         .fields_back = {"DAV: 1, 2, 3", "Content-Length: 0"}},
        {"PROPFIND /dav/F/", AGENT XML "Depth: 0\r\n", STAT, .status = 207,
         .has = {"<D:collection/>", "<D:getlastmodified>",
                 "<D:creationdate>2017-07-14T02:40:00Z<"}},
        {"PROPFIND /dav/F/", AGENT XML "Depth: 0\r\n", SPACE, .status = 207,
         .has = {"<D:quota-available-bytes>2000</D:quota-available-bytes>",
                 "<D:quota-used-bytes>1000</D:quota-used-bytes>", "HTTP/1.1 404"}},
    };
    PLAY(steps);
}

/* W14: what says "do not index, make no small pictures" is there, empty; the rest is not. */
Test(dav_finder, what_it_looks_for_at_the_top)
{
    static const struct dav_step steps[] = {
        {"PROPFIND /dav/F/.metadata_never_index", AGENT XML "Depth: 0\r\n", STAT, .status = 207,
         .has = {"<D:getcontentlength>0</D:getcontentlength>"}},
        {"PROPFIND /dav/F/.ql_disablethumbnails", AGENT XML "Depth: 0\r\n", STAT, .status = 207},
        {"PROPFIND /dav/F/.Spotlight-V100", AGENT XML "Depth: 0\r\n", STAT, .status = 404},
        {"PROPFIND /dav/F/mach_kernel", AGENT XML "Depth: 0\r\n", STAT, .status = 404},
        {"PROPFIND /dav/F/._.", AGENT XML "Depth: 0\r\n", STAT, .status = 404},
        {"PROPFIND /dav/F/.hidden", AGENT XML "Depth: 0\r\n", STAT, .status = 404},
        {"PROPFIND /dav/F/", AGENT XML "Depth: 1\r\n", STAT, .status = 207,
         .has = {"/dav/F/photos/"}, .has_not = {"metadata_never_index"}},
        {"PROPFIND /dav/F/photos/._a.jpg", AGENT XML "Depth: 0\r\n", STAT, .status = 404},
    };
    PLAY(steps);
}

Test(dav_finder, a_listing_to_the_letter)
{
    static const struct dav_step steps[] = {
        {"PROPFIND /dav/F/photos/", AGENT XML "Depth: 1\r\n", STAT, .status = 207,
         .content =
             "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">\n"
             "<D:response><D:href>/dav/F/photos/</D:href><D:propstat><D:prop>"
             "<D:getlastmodified>Sun, 13 Sep 2020 12:26:40 GMT</D:getlastmodified>"
             "<D:creationdate>2017-07-14T02:40:00Z</D:creationdate><D:resourcetype><D:collection/>"
             "</D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
             "<D:propstat><D:prop><D:getcontentlength/></D:prop><D:status>HTTP/1.1 404 Not Found"
             "</D:status></D:propstat></D:response>\n<D:response><D:href>/dav/F/photos/a.jpg"
             "</D:href><D:propstat><D:prop><D:getlastmodified>Sun, 13 Sep 2020 12:26:40 GMT"
             "</D:getlastmodified><D:getcontentlength>4</D:getcontentlength>"
             "<D:creationdate>2017-07-14T02:40:00Z</D:creationdate><D:resourcetype/></D:prop>"
             "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>\n</D:multistatus>\n"},
    };
    PLAY(steps);
}

/* An empty file, a lock, its content in chunks, a look, and the same for its "._". */
Test(dav_finder, a_file_is_dragged_there)
{
    static const struct dav_step steps[] = {
        {"PROPFIND /dav/F/photos/e%CC%81te%CC%81.jpg", AGENT XML "Depth: 0\r\n", STAT,
         .status = 404},
        {"PUT /dav/F/photos/e%CC%81te%CC%81.jpg", AGENT, .status = 201},
        {"LOCK /dav/F/photos/e%CC%81te%CC%81.jpg", AGENT XML "Depth: 0\r\nTimeout: Second-600\r\n",
         LOCKINFO, .status = 200,
         .has = {"<D:timeout>Second-600</D:timeout>", "http://www.apple.com/webdav_fs/"}},
        {"PUT /dav/F/photos/e%CC%81te%CC%81.jpg",
         AGENT "If: (<@TOKEN@>)\r\nTransfer-Encoding: Chunked\r\nX-Expected-Entity-Length: 7\r\n",
         "content", .status = 204},
        {"LOCK /dav/F/photos/e%CC%81te%CC%81.jpg",
         AGENT "If: (<@TOKEN@>)\r\nTimeout: Second-600\r\n", .status = 200},
        {"UNLOCK /dav/F/photos/e%CC%81te%CC%81.jpg", AGENT "Lock-Token: <@TOKEN@>\r\n",
         .status = 204},
        {"PUT /dav/F/photos/._e%CC%81te%CC%81.jpg", AGENT, .status = 201},
        {"LOCK /dav/F/photos/._e%CC%81te%CC%81.jpg", AGENT XML "Timeout: Second-600\r\n", LOCKINFO,
         .status = 200},
        {"PUT /dav/F/photos/._e%CC%81te%CC%81.jpg",
         AGENT "If: (<@TOKEN@>)\r\nTransfer-Encoding: Chunked\r\nX-Expected-Entity-Length: 4\r\n",
         "fork", .status = 204},
        {"UNLOCK /dav/F/photos/._e%CC%81te%CC%81.jpg", AGENT "Lock-Token: <@TOKEN@>\r\n",
         .status = 204},
        {"DELETE /dav/F/photos/._e%CC%81te%CC%81.jpg", AGENT, .status = 204},
    };
    PLAY(steps);
    cr_assert_eq(dav_world_row_count(world, "lock/"), 0);
}

/* What was cut on its way is not there: the length beside says so. */
Test(dav_finder, a_file_that_came_in_part_is_refused)
{
    static const struct dav_step steps[] = {
        {"LOCK /dav/F/photos/a.jpg", AGENT XML "Timeout: Second-600\r\n", LOCKINFO, .status = 200},
        {"PUT /dav/F/photos/a.jpg",
         AGENT "If: (<@TOKEN@>)\r\nTransfer-Encoding: Chunked\r\nX-Expected-Entity-Length: 70\r\n",
         "JP", .status = 400},
        {"GET /dav/F/photos/a.jpg", AGENT, .status = 200, .content = "JPEG"},
        {"UNLOCK /dav/F/photos/a.jpg", AGENT "Lock-Token: <@TOKEN@>\r\n", .status = 204},
    };
    PLAY(steps);
}

Test(dav_finder, files_are_read_renamed_and_thrown_away)
{
    static const struct dav_step steps[] = {
        {"GET /dav/F/photos/a.jpg", AGENT, .status = 200, .content = "JPEG"},
        {"GET /dav/F/photos/a.jpg", AGENT "Range: bytes=2-\r\nIf-Range: \"v3\"\r\n", .status = 206,
         .content = "EG"},
        {"MOVE /dav/F/photos/a.jpg", AGENT "Destination: https://h:8443/dav/F/photos/b.jpg\r\n",
         .status = 201},
        {"MKCOL /dav/F/untitled%20folder/", AGENT, .status = 201},
        {"MOVE /dav/F/untitled%20folder/", AGENT "Destination: https://h:8443/dav/F/holidays/\r\n",
         .status = 201},
        {"MOVE /dav/F/photos/b.jpg", AGENT "Destination: https://h:8443/dav/F/holidays/b.jpg\r\n",
         .status = 201},
        {"DELETE /dav/F/photos/", AGENT, .status = 204},
        {"PROPFIND /dav/F/holidays/", AGENT XML "Depth: 1\r\n", STAT, .status = 207,
         .has = {"/holidays/b.jpg"}},
    };
    PLAY(steps);
}
