/* Word, Excel: with a file on a mapped drive (their own requests beside those of the redirector),
 * and by a link that they open themselves, as logs of servers show them. They open a file read-only
 * unless all of this is right. */
#include <criterion/criterion.h>

#include "support/dav_trace.h"

#define WORD "User-Agent: Microsoft Office Word 2014\r\nX-Office-Major-Version: 16\r\n"
#define DISCOVERY                                                                                  \
    "User-Agent: Microsoft Office Protocol Discovery\r\nX-MS-CookieUri-Requested: t\r\n"
#define EXISTENCE "User-Agent: Microsoft Office Existence Discovery\r\n"
#define MINIREDIR "User-Agent: Microsoft-WebDAV-MiniRedir/10.0.17763\r\ntranslate: f\r\n"
#define XML       "Content-Type: text/xml; charset=\"utf-8\"\r\n"
#define LOCKINFO                                                                                   \
    "<?xml version=\"1.0\" encoding=\"utf-8\" ?><D:lockinfo xmlns:D=\"DAV:\"><D:lockscope>"        \
    "<D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner><D:href>"             \
    "anna</D:href></D:owner></D:lockinfo>"
#define PLAY(steps) dav_trace_play(world, steps, sizeof(steps) / sizeof((steps)[0]))

static struct dav_world *world;

static void setup(void)
{
    world = dav_world_new();
    dav_world_set_file(world, "d/", "");
    dav_world_set_file(world, "d/Plan.docx", "before");
}

static void teardown(void)
{
    dav_world_free(world);
}
TestSuite(dav_office, .init = setup, .fini = teardown);

/* By a link: is it WebDAV, is it there, may I write. 180 s are the least that it takes for a lock.
 */
Test(dav_office, a_document_is_opened_edited_and_saved)
{
    static const struct dav_step steps[] = {
        {"OPTIONS /dav/F/d/", DISCOVERY, .status = 200,
         .fields_back = {"DAV: 1, 2, 3", "MS-Author-Via: DAV"}},
        {"OPTIONS /dav/F/", DISCOVERY, .status = 200, .fields_back = {"DAV: 1, 2, 3"}},
        {"OPTIONS /dav/", DISCOVERY, .status = 200, .fields_back = {"DAV: 1, 2, 3"}},
        {"OPTIONS /", DISCOVERY, .status = 200, .fields_back = {"DAV: 1, 2, 3"}},
        {"HEAD /dav/F/d/Plan.docx", EXISTENCE, .status = 200,
         .fields_back = {"Content-Length: 6", "ETag: \"v3\""}},
        {"OPTIONS /dav/F/d/Plan.docx", WORD, .status = 200, .fields_back = {"MS-Author-Via: DAV"}},
        {"LOCK /dav/F/d/Plan.docx", WORD XML "Depth: 0\r\nTimeout: Second-180\r\n", LOCKINFO,
         .status = 200,
         .has = {"<D:timeout>Second-180</D:timeout>", "<D:locktoken><D:href>urn:uuid:"}},
        {"GET /dav/F/d/Plan.docx", WORD, .status = 200, .content = "before"},
        {"LOCK /dav/F/d/Plan.docx", WORD "If: (<@TOKEN@>)\r\nTimeout: Second-180\r\n",
         .status = 200, .has = {"<D:timeout>Second-180</D:timeout>"}},
        {"PUT /dav/F/d/Plan.docx", WORD "If: (<@TOKEN@>)\r\n", "after", .status = 204},
        {"HEAD /dav/F/d/Plan.docx", WORD, .status = 200, .fields_back = {"Content-Length: 5"}},
        {"UNLOCK /dav/F/d/Plan.docx", WORD "Lock-Token: <@TOKEN@>\r\n", .status = 204},
    };
    PLAY(steps);
    cr_assert_str_eq(dav_world_file(world, "d/Plan.docx"), "after");
}

/* What it asks before it has a name and a password: any parent, and the server. */
Test(dav_office, discovery_needs_no_name)
{
    static const struct dav_step steps[] = {
        {"OPTIONS /dav/F/d/", DISCOVERY, .status = 200, .fields_back = {"DAV: 1, 2, 3"}},
        {"OPTIONS /dav/none/", DISCOVERY, .status = 200},
    };
    dav_world_be(world, "zoe");
    PLAY(steps);
}

/* On a drive: the redirector locks the document, Word leaves its mark "~$" beside it, saves by
 * renaming, and cleans up. */
Test(dav_office, a_document_of_a_drive_is_saved_by_renaming)
{
    static const struct dav_step steps[] = {
        {"LOCK /dav/F/d/Plan.docx", MINIREDIR XML "Timeout: Second-3600\r\n", LOCKINFO,
         .status = 200},
        {"PROPFIND /dav/F/d/~%24Plan.docx", MINIREDIR "Depth: 0\r\n", .status = 404},
        {"PUT /dav/F/d/~%24Plan.docx", MINIREDIR, .status = 201},
        {"UNLOCK /dav/F/d/Plan.docx", MINIREDIR "Lock-Token: <@TOKEN@>\r\n", .status = 204},
        {"LOCK /dav/F/d/~%24Plan.docx", MINIREDIR XML "Timeout: Second-3600\r\n", LOCKINFO,
         .status = 200},
        {"PUT /dav/F/d/~%24Plan.docx", MINIREDIR "If: (<@TOKEN@>)\r\n", "anna", .status = 204},
        {"UNLOCK /dav/F/d/~%24Plan.docx", MINIREDIR "Lock-Token: <@TOKEN@>\r\n", .status = 204},
        {"PUT /dav/F/d/5F3A21C0.tmp", MINIREDIR, "after", .status = 201},
        {"MOVE /dav/F/d/Plan.docx",
         MINIREDIR "Destination: https://h:8443/dav/F/d/91B2.tmp\r\nOverwrite: F\r\n",
         .status = 201},
        {"MOVE /dav/F/d/5F3A21C0.tmp",
         MINIREDIR "Destination: https://h:8443/dav/F/d/Plan.docx\r\nOverwrite: F\r\n",
         .status = 201},
        {"DELETE /dav/F/d/91B2.tmp", MINIREDIR, .status = 204},
        {"DELETE /dav/F/d/~%24Plan.docx", MINIREDIR, .status = 204},
        {"GET /dav/F/d/Plan.docx", MINIREDIR, .status = 200, .content = "after"},
    };
    PLAY(steps);
    cr_assert_eq(dav_world_row_count(world, "lock/"), 0);
}
