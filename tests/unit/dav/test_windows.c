/* Windows 10 and 11: the Explorer with a mapped drive (Microsoft-WebDAV-MiniRedir), as [MS-WDV] and
 * logs of servers tell what it sends: requests without a trailing slash, PUT of nothing before
 * LOCK, times behind the content. */
#include <criterion/criterion.h>

#include "support/dav_trace.h"

#define AGENT                                                                                      \
    "User-Agent: Microsoft-WebDAV-MiniRedir/10.0.19045\r\ntranslate: f\r\nConnection: "            \
    "Keep-Alive\r\n"
#define XML "Content-Type: text/xml; charset=\"utf-8\"\r\n"
#define LOCKINFO                                                                                   \
    "<?xml version=\"1.0\" encoding=\"utf-8\" ?><D:lockinfo xmlns:D=\"DAV:\"><D:lockscope>"        \
    "<D:exclusive/></D:lockscope><D:locktype><D:write/></D:locktype><D:owner><D:href>"             \
    "PRADINES\\anna</D:href></D:owner></D:lockinfo>"
#define UPDATE(properties)                                                                         \
    "<?xml version=\"1.0\" encoding=\"utf-8\" ?><D:propertyupdate xmlns:D=\"DAV:\" "               \
    "xmlns:Z=\"urn:schemas-microsoft-com:\"><D:set><D:prop>" properties                            \
    "</D:prop></D:set></D:propertyupdate>"
#define ATTRIBUTES                                                                                 \
    "<D:propfind xmlns:D=\"DAV:\" xmlns:Z=\"urn:schemas-microsoft-com:\"><D:prop>"                 \
    "<Z:Win32FileAttributes/></D:prop></D:propfind>"
#define PLAY(steps) dav_trace_play(world, steps, sizeof(steps) / sizeof((steps)[0]))

static struct dav_world *world;

static void setup(void)
{
    world = dav_world_new();
    dav_world_set_file(world, "Menus/", "");
    dav_world_set_file(world, "Menus/semaine 12.txt", "soupe");
}

static void teardown(void)
{
    dav_world_free(world);
}
TestSuite(dav_windows, .init = setup, .fini = teardown);

/* Before anything else it wants to know of the server, then of each parent. */
Test(dav_windows, a_drive_is_mapped)
{
    static const struct dav_step steps[] = {
        {"OPTIONS /", AGENT, .status = 200,
         .fields_back = {"DAV: 1, 2, 3", "MS-Author-Via: DAV", "Content-Length: 0"}},
        {"PROPFIND /", AGENT "Depth: 0\r\n", .status = 207,
         .has = {"<D:href>/</D:href>", "<D:collection/>"}},
        {"PROPFIND /dav", AGENT "Depth: 0\r\n", .status = 207, .has = {"<D:href>/dav/</D:href>"}},
        {"PROPFIND /dav/F", AGENT "Depth: 0\r\n", .status = 207,
         .has = {"<D:href>/dav/F/</D:href>"}},
        {"PROPFIND /dav/F", AGENT "Depth: 1\r\n", .status = 207,
         .has = {"<D:href>/dav/F/</D:href>", "<D:href>/dav/F/Menus/</D:href>"}},
        {"PROPFIND /dav/F/desktop.ini", AGENT "Depth: 0\r\n", .status = 404},
        {"PROPFIND /dav/F/Thumbs.db", AGENT "Depth: 0\r\n", .status = 404},
        {"PROPFIND /dav/F/AutoRun.inf", AGENT "Depth: 0\r\n", .status = 404},
    };
    PLAY(steps);
}

/* W5: the prefix D on all that is DAV's, dates in UTC with Z and whole seconds, RFC 1123. */
Test(dav_windows, a_listing_to_the_letter)
{
    static const struct dav_step steps[] = {
        {"PROPFIND /dav/F/Menus", AGENT "Depth: 1\r\n", .status = 207,
         .fields_back = {"Content-Type: application/xml; charset=utf-8"},
         .content =
             "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">\n"
             "<D:response><D:href>/dav/F/Menus/</D:href><D:propstat><D:prop><D:resourcetype>"
             "<D:collection/></D:resourcetype><D:getlastmodified>Sun, 13 Sep 2020 12:26:40 GMT"
             "</D:getlastmodified><D:creationdate>2017-07-14T02:40:00Z</D:creationdate>"
             "<D:displayname>Menus</D:displayname><D:lockdiscovery/></D:prop>"
             "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>\n<D:response>"
             "<D:href>/dav/F/Menus/semaine%2012.txt</D:href><D:propstat><D:prop><D:resourcetype/>"
             "<D:getetag>\"v3\"</D:getetag><D:getlastmodified>Sun, 13 Sep 2020 12:26:40 GMT"
             "</D:getlastmodified><D:creationdate>2017-07-14T02:40:00Z</D:creationdate>"
             "<D:getcontentlength>5</D:getcontentlength><D:getcontenttype>text/plain"
             "</D:getcontenttype><D:displayname>semaine 12.txt</D:displayname><D:lockdiscovery/>"
             "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>\n"
             "</D:multistatus>\n"},
    };
    PLAY(steps);
}

/* A copy: an empty file, a lock, the content, the times, and the lock goes. */
Test(dav_windows, a_file_is_copied_there)
{
    static const struct dav_step steps[] = {
        {"PROPFIND /dav/F/Menus/plan.docx", AGENT "Depth: 0\r\n", .status = 404},
        {"PUT /dav/F/Menus/plan.docx", AGENT, .status = 201},
        {"LOCK /dav/F/Menus/plan.docx", AGENT XML "Depth: 0\r\nTimeout: Second-3600\r\n", LOCKINFO,
         .status = 200,
         .has = {"<D:exclusive/>", "<D:timeout>Second-3600</D:timeout>",
                 ">PRADINES\\anna</D:href></D:owner>"}},
        {"PROPPATCH /dav/F/Menus/plan.docx", AGENT XML "If: (<@TOKEN@>)\r\n",
         UPDATE("<Z:Win32CreationTime>Fri, 13 Feb 2009 23:31:28 GMT</Z:Win32CreationTime>"
                "<Z:Win32LastAccessTime>Fri, 13 Feb 2009 23:31:29 GMT</Z:Win32LastAccessTime>"
                "<Z:Win32LastModifiedTime>Fri, 13 Feb 2009 23:31:30 GMT</Z:Win32LastModifiedTime>"
                "<Z:Win32FileAttributes>00000000</Z:Win32FileAttributes>"),
         .status = 207, .has = {"HTTP/1.1 200 OK"}, .has_not = {"HTTP/1.1 4", "HTTP/1.1 5"}},
        {"HEAD /dav/F/Menus/plan.docx", AGENT, .status = 200, .fields_back = {"Content-Length: 0"}},
        {"PUT /dav/F/Menus/plan.docx", AGENT "If: (<@TOKEN@>)\r\n", "contenu", .status = 204},
        {"PROPPATCH /dav/F/Menus/plan.docx", AGENT XML "If: (<@TOKEN@>)\r\n",
         UPDATE("<Z:Win32LastModifiedTime>Fri, 13 Feb 2009 23:31:30 GMT</Z:Win32LastModifiedTime>"
                "<Z:Win32FileAttributes>00000020</Z:Win32FileAttributes>"),
         .status = 207, .has_not = {"HTTP/1.1 4", "HTTP/1.1 5"}},
        {"UNLOCK /dav/F/Menus/plan.docx", AGENT "Lock-Token: <@TOKEN@>\r\n", .status = 204},
        {"PROPFIND /dav/F/Menus/plan.docx", AGENT "Depth: 0\r\n", .status = 207,
         .has = {"<D:getcontentlength>7</D:getcontentlength>",
                 "<D:getlastmodified>Fri, 13 Feb 2009 23:31:30 GMT</D:getlastmodified>",
                 "<D:creationdate>2009-02-13T23:31:28Z</D:creationdate>"}},
        {"PROPFIND /dav/F/Menus/plan.docx", AGENT XML "Depth: 0\r\n", ATTRIBUTES, .status = 207,
         .has = {"Win32FileAttributes xmlns:ns0=\"urn:schemas-microsoft-com:\">00000020<"}},
    };
    PLAY(steps);
    cr_assert_str_eq(dav_world_file(world, "Menus/plan.docx"), "contenu");
    cr_assert_eq(dav_world_modified_ns(world, "Menus/plan.docx"), INT64_C(1234567890000000000));
    cr_assert_eq(dav_world_row_count(world, "lock/"), 0);
}

/* "New folder", its name, a file into it, both away: none of them with a slash at its end. */
Test(dav_windows, folders_are_made_renamed_and_removed)
{
    static const struct dav_step steps[] = {
        {"MKCOL /dav/F/Nouveau%20dossier", AGENT, .status = 201},
        {"PROPPATCH /dav/F/Nouveau%20dossier", AGENT XML,
         UPDATE("<Z:Win32FileAttributes>00000010</Z:Win32FileAttributes>"), .status = 207,
         .has_not = {"HTTP/1.1 4"}},
        {"MOVE /dav/F/Nouveau%20dossier",
         AGENT "Destination: https://h:8443/dav/F/%C3%89t%C3%A9\r\nOverwrite: F\r\n",
         .status = 201},
        {"PROPFIND /dav/F/%C3%89t%C3%A9", AGENT "Depth: 0\r\n", ATTRIBUTES, .status = 207,
         .has = {"<D:href>/dav/F/%C3%89t%C3%A9/</D:href>", "00000010"}},
        {"MOVE /dav/F/Menus/semaine%2012.txt",
         AGENT
         "Destination: https://h:8443/dav/F/%C3%89t%C3%A9/semaine%2012.txt\r\nOverwrite: F\r\n",
         .status = 201},
        {"MOVE /dav/F/Menus",
         AGENT "Destination: https://h:8443/dav/F/%C3%89t%C3%A9\r\nOverwrite: F\r\n",
         .status = 412},
        {"DELETE /dav/F/%C3%89t%C3%A9/semaine%2012.txt", AGENT, .status = 204},
        {"DELETE /dav/F/%C3%89t%C3%A9", AGENT, .status = 204},
        {"PROPFIND /dav/F/%C3%89t%C3%A9", AGENT "Depth: 0\r\n", .status = 404},
    };
    PLAY(steps);
}

/* It keeps files and asks whether they changed. */
Test(dav_windows, a_file_is_opened_again)
{
    static const struct dav_step steps[] = {
        {"GET /dav/F/Menus/semaine%2012.txt", AGENT, .status = 200,
         .fields_back = {"Content-Length: 5"}, .content = "soupe"},
        {"GET /dav/F/Menus/semaine%2012.txt", AGENT "If-None-Match: \"v3\"\r\n", .status = 304},
        {"GET /dav/F/Menus/semaine%2012.txt", AGENT "If-None-Match: \"v1\"\r\n", .status = 200},
    };
    PLAY(steps);
}

/* While another person has a file open it stays as it is, and it is said that it is locked. */
Test(dav_windows, what_another_has_open_is_locked)
{
    static const struct dav_step mine[] = {
        {"LOCK /dav/F/Menus/semaine%2012.txt", AGENT XML "Timeout: Second-3600\r\n", LOCKINFO,
         .status = 200},
    };
    static const struct dav_step theirs[] = {
        {"LOCK /dav/F/Menus/semaine%2012.txt", AGENT XML "Timeout: Second-3600\r\n", LOCKINFO,
         .status = 423},
        {"PUT /dav/F/Menus/semaine%2012.txt", AGENT, "pain", .status = 423},
        {"MOVE /dav/F/Menus/semaine%2012.txt", AGENT "Destination: https://h:8443/dav/F/x\r\n",
         .status = 423},
        {"DELETE /dav/F/Menus", AGENT, .status = 423},
        {"GET /dav/F/Menus/semaine%2012.txt", AGENT, .status = 200, .content = "soupe"},
    };
    PLAY(mine);
    dav_world_be(world, "bert");
    PLAY(theirs);
}
