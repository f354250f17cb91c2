#include <criterion/criterion.h>
#include <stdio.h>

#include "dav/multistatus.h"
#include "support/span.h"

#define NOW UINT64_C(1700000000000)

static struct qn_dav_resource file(void)
{
    return (struct qn_dav_resource){.href = SPAN("/dav/F/a%26b.txt"),
                                    .name = SPAN("a&b.txt"),
                                    .path = SPAN("F/a&b.txt"),
                                    .size = 5,
                                    .modified_ns = INT64_C(784111777999999999),
                                    .created_ns = INT64_C(951782400123456789),
                                    .etag = SPAN("\"e1\""),
                                    .locks_href = "/dav/",
                                    .person = "anna",
                                    .now_ms = NOW};
}

static struct qn_dav_ask ask_for(size_t count, const enum qn_dav_live *live)
{
    struct qn_dav_ask ask = {.kind = QN_DAV_ASK_SOME, .count = count};
    for (size_t i = 0; i < count; i++) {
        const struct qn_dav_live_name *name = qn_dav_live_name(live[i]);
        ask.names[i] =
            (struct qn_dav_name){qn_span_str(name->ns), qn_span_str(name->name), live[i]};
    }
    return ask;
}
#define ASK(...)                                                                                   \
    ask_for(sizeof((enum qn_dav_live[]){__VA_ARGS__}) / sizeof(enum qn_dav_live),                  \
            (enum qn_dav_live[]){__VA_ARGS__})

#define assert_text(buf, wanted)                                                                   \
    do {                                                                                           \
        qn_buf_append_u8(buf, 0);                                                                  \
        cr_assert_str_eq((const char *)(buf)->data, (wanted));                                     \
    } while (0)

/* What Windows reads: prefix D, RFC 1123 and ISO 8601 with Z, whole seconds. */
Test(dav_multistatus, a_file_as_windows_reads_it)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_dav_resource resource = file();
    struct qn_dav_ask ask = ASK(QN_DAV_RESOURCETYPE, QN_DAV_GETLASTMODIFIED, QN_DAV_CREATIONDATE,
                                QN_DAV_GETCONTENTLENGTH, QN_DAV_GETETAG, QN_DAV_DISPLAYNAME,
                                QN_DAV_GETCONTENTTYPE, QN_DAV_WIN32_MODIFIED, QN_DAV_QUOTA_USED);
    qn_buf_init(&out, 65536);
    qn_dav_multistatus_start(&out);
    qn_dav_multistatus_resource(&out, &ask, &resource);
    qn_dav_multistatus_end(&out);
    assert_text(&out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
                      "<D:multistatus xmlns:D=\"DAV:\">\n"
                      "<D:response><D:href>/dav/F/a%26b.txt</D:href><D:propstat><D:prop>"
                      "<D:resourcetype/>"
                      "<D:getlastmodified>Sun, 06 Nov 1994 08:49:37 GMT</D:getlastmodified>"
                      "<D:creationdate>2000-02-29T00:00:00Z</D:creationdate>"
                      "<D:getcontentlength>5</D:getcontentlength>"
                      "<D:getetag>\"e1\"</D:getetag>"
                      "<D:displayname>a&amp;b.txt</D:displayname>"
                      "<D:getcontenttype>text/plain</D:getcontenttype>"
                      "<Z:Win32LastModifiedTime xmlns:Z=\"urn:schemas-microsoft-com:\">"
                      "Sun, 06 Nov 1994 08:49:37 GMT</Z:Win32LastModifiedTime>"
                      "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
                      "<D:propstat><D:prop><D:quota-used-bytes/></D:prop>"
                      "<D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>\n"
                      "</D:multistatus>\n");
}

Test(dav_multistatus, a_collection_has_quota_and_no_length)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_dav_resource resource = {.href = SPAN("/dav/F/"),
                                       .name = SPAN("F"),
                                       .is_collection = true,
                                       .has_quota = true,
                                       .quota_used = 7,
                                       .quota_free = UINT64_MAX};
    struct qn_dav_ask ask = ASK(QN_DAV_RESOURCETYPE, QN_DAV_QUOTA_AVAILABLE, QN_DAV_QUOTA_USED,
                                QN_DAV_GETCONTENTLENGTH);
    qn_buf_init(&out, 65536);
    qn_dav_multistatus_resource(&out, &ask, &resource);
    assert_text(&out, "<D:response><D:href>/dav/F/</D:href><D:propstat><D:prop>"
                      "<D:resourcetype><D:collection/></D:resourcetype>"
                      "<D:quota-available-bytes>18446744073709551615</D:quota-available-bytes>"
                      "<D:quota-used-bytes>7</D:quota-used-bytes>"
                      "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
                      "<D:propstat><D:prop><D:getcontentlength/></D:prop>"
                      "<D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>\n");
}

/* A constant: SPAN calls a function. */
#define TEXT(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)(literal), sizeof(literal) - 1                                            \
    }

static const struct qn_dav_dead_property stored[] = {
    {.ns = TEXT("urn:x"), .name = TEXT("p"), .lang = TEXT("fr"), .value = TEXT("<y xmlns=\"z\"/>")},
    {.ns = TEXT(""), .name = TEXT("plain"), .value = TEXT("t")},
    {.ns = TEXT("DAV:"), .name = TEXT("odd")},
};

Test(dav_multistatus, dead_properties_come_back_in_their_namespace)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_dav_resource resource = file();
    struct qn_dav_dead dead = {.items = {stored[0], stored[1], stored[2]}, .count = 3};
    struct qn_dav_ask ask = {.kind = QN_DAV_ASK_SOME, .count = 4};
    for (size_t i = 0; i < 3; i++)
        ask.names[i] = (struct qn_dav_name){stored[i].ns, stored[i].name, QN_DAV_DEAD};
    ask.names[3] = (struct qn_dav_name){SPAN("u&v"), SPAN("none"), QN_DAV_DEAD};
    resource.dead = &dead;
    qn_buf_init(&out, 65536);
    qn_dav_multistatus_resource(&out, &ask, &resource);
    assert_text(&out, "<D:response><D:href>/dav/F/a%26b.txt</D:href><D:propstat><D:prop>"
                      "<ns0:p xmlns:ns0=\"urn:x\" xml:lang=\"fr\"><y xmlns=\"z\"/></ns0:p>"
                      "<plain>t</plain><D:odd/>"
                      "</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
                      "<D:propstat><D:prop><ns0:none xmlns:ns0=\"u&amp;v\"/></D:prop>"
                      "<D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>\n");
}

static size_t count_of(const struct qn_buf *out, const char *text)
{
    size_t count = 0;
    struct qn_span rest = qn_buf_view(out);
    const uint8_t *at;
    while ((at = memmem(rest.data, rest.size, text, strlen(text))) != NULL) {
        count++;
        rest = qn_span_from(rest, (size_t)(at - rest.data) + 1);
    }
    return count;
}

Test(dav_multistatus, allprop_and_propname)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_dav_resource resource = file();
    struct qn_dav_dead dead = {.items = {stored[0]}, .count = 1};
    struct qn_dav_locks *locks = qn_dav_locks_new();
    struct qn_dav_ask all = {.kind = QN_DAV_ASK_ALL}, names = {.kind = QN_DAV_ASK_NAMES};
    resource.dead = &dead;
    resource.locks = locks;
    qn_buf_init(&out, 65536);
    qn_dav_multistatus_resource(&out, &all, &resource);
    cr_assert_eq(count_of(&out, "<D:getetag>"), 1);
    cr_assert_eq(count_of(&out, "<ns0:p "), 1);
    cr_assert_eq(count_of(&out, "<D:lockdiscovery/>"), 1);
    cr_assert_eq(count_of(&out, "supportedlock"), 0);
    qn_buf_reset(&out);
    qn_dav_multistatus_resource(&out, &names, &resource);
    cr_assert_eq(count_of(&out, "<D:getetag/>"), 1);
    cr_assert_eq(count_of(&out, "<D:supportedlock/>"), 1);
    cr_assert_eq(count_of(&out, "<ns0:p xmlns:ns0=\"urn:x\"/>"), 1);
    cr_assert_eq(count_of(&out, "e1"), 0);
    qn_dav_locks_free(locks);
}

Test(dav_multistatus, a_token_is_shown_to_who_locked)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_dav_locks *locks = qn_dav_locks_new();
    struct qn_dav_resource resource = file();
    struct qn_dav_ask ask = ASK(QN_DAV_LOCKDISCOVERY);
    const struct qn_dav_lock *lock;
    struct qn_dav_lock_wish wish = {.path = SPAN("F"),
                                    .owner = SPAN("<x/>"),
                                    .person = "anna",
                                    .is_exclusive = true,
                                    .is_deep = true,
                                    .timeout_s = 600};
    cr_assert_eq(qn_dav_locks_add(locks, &wish, NOW, &lock), QN_OK);
    resource.locks = locks;
    qn_buf_init(&out, 65536);
    qn_dav_multistatus_resource(&out, &ask, &resource);
    cr_assert_eq(count_of(&out, "<D:activelock><D:locktype><D:write/></D:locktype><D:lockscope>"
                                "<D:exclusive/></D:lockscope><D:depth>infinity</D:depth>"
                                "<D:owner><x/></D:owner><D:timeout>Second-600</D:timeout>"
                                "<D:locktoken><D:href>urn:uuid:"),
                 1);
    cr_assert_eq(count_of(&out, "<D:lockroot><D:href>/dav/F</D:href></D:lockroot>"), 1);
    qn_buf_reset(&out);
    resource.person = "bert";
    qn_dav_multistatus_resource(&out, &ask, &resource);
    cr_assert_eq(count_of(&out, "<D:activelock>"), 1);
    cr_assert_eq(count_of(&out, "urn:uuid"), 0);
    qn_dav_locks_free(locks);
}

#define WIN32 TEXT("urn:schemas-microsoft-com:")

/* What Windows leaves at each file that it copies. */
static const struct qn_dav_dead of_windows = {
    .items = {{.ns = WIN32,
               .name = TEXT("Win32CreationTime"),
               .value = TEXT("Fri, 13 Feb 2009 23:31:28 GMT")},
              {.ns = WIN32,
               .name = TEXT("Win32LastAccessTime"),
               .value = TEXT("Fri, 13 Feb 2009 23:31:29 GMT")},
              {.ns = WIN32, .name = TEXT("Win32FileAttributes"), .value = TEXT("00000020")}},
    .count = 3,
};

/* In a listing stands what it would not know otherwise: when a file was made, and that it is hidden
 * or not to be written. */
Test(dav_multistatus, of_what_windows_left_a_listing_has_what_says_something)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_dav_resource resource = file();
    struct qn_dav_dead dead = of_windows;
    struct qn_dav_ask all = {.kind = QN_DAV_ASK_ALL}, names = {.kind = QN_DAV_ASK_NAMES};
    resource.dead = &dead;
    qn_buf_init(&out, 65536);
    qn_dav_multistatus_resource(&out, &all, &resource);
    cr_assert_eq(count_of(&out, "<D:creationdate>2009-02-13T23:31:28Z</D:creationdate>"), 1);
    cr_assert_eq(count_of(&out, "Win32"), 0);
    qn_buf_reset(&out);
    all.names[all.count++] =
        (struct qn_dav_name){dead.items[1].ns, dead.items[1].name, QN_DAV_DEAD}; /* include */
    qn_dav_multistatus_resource(&out, &all, &resource);
    cr_assert_eq(count_of(&out, "<ns0:Win32LastAccessTime "), 1);
    static const char *const told[] = {"00000002", "00000021", "00000024", "odd"};
    for (size_t i = 0; i < 4; i++) {
        qn_buf_reset(&out);
        dead.items[2].value = qn_span_str(told[i]);
        qn_dav_multistatus_resource(&out, &all, &resource);
        cr_assert_eq(count_of(&out, "<ns0:Win32FileAttributes "), 1, "%s", told[i]);
    }
    qn_buf_reset(&out);
    dead.items[0].value = SPAN("some day");
    qn_dav_multistatus_resource(&out, &all, &resource);
    cr_assert_eq(count_of(&out, "<D:creationdate>2000-02-29T00:00:00Z</D:creationdate>"), 1);
    cr_assert_eq(count_of(&out, ">some day</ns0:Win32CreationTime>"), 1);
    qn_buf_reset(&out);
    qn_dav_multistatus_resource(&out, &names, &resource);
    cr_assert_eq(count_of(&out, "<ns0:Win32"), 4); /* with the time of the last change */
}

/* W12: 1,500 files as Windows left them and asks for them, with names of 60 letters that have to be
 * encoded. */
Test(dav_multistatus, a_listing_of_1500_files_stays_below_a_million_bytes)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_dav_resource resource = file();
    struct qn_dav_locks *locks = qn_dav_locks_new();
    struct qn_dav_ask all = {.kind = QN_DAV_ASK_ALL};
    resource.locks = locks;
    resource.href =
        SPAN("/dav/F/R%C3%A9sidents/Compte%20rendu%20de%20la%20r%C3%A9union%20du%2012.docx");
    resource.name = SPAN("Compte rendu de la r\xc3\xa9union du 12.docx");
    resource.etag = SPAN("\"c0123456789abcdef0123456789abcdef\"");
    resource.dead = &of_windows;
    qn_buf_init(&out, 4 * 1024 * 1024);
    qn_dav_multistatus_start(&out);
    for (int i = 0; i < 1500; i++)
        qn_dav_multistatus_resource(&out, &all, &resource);
    qn_dav_multistatus_end(&out);
    cr_assert_eq(count_of(&out, "<D:response>"), 1500);
    cr_assert_lt(out.size, 1000000);
    qn_dav_locks_free(locks);
}

Test(dav_multistatus, changes_are_grouped_by_their_status)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_dav_changes changes = {.count = 3};
    const unsigned statuses[] = {424, 403, 424};
    const char *names[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++)
        changes.items[i].name = (struct qn_dav_name){SPAN("DAV:"), qn_span_str(names[i]), 0};
    qn_buf_init(&out, 65536);
    qn_dav_multistatus_changes(&out, SPAN("/dav/F/a"), &changes, statuses);
    assert_text(&out, "<D:response><D:href>/dav/F/a</D:href>"
                      "<D:propstat><D:prop><D:a/><D:c/></D:prop>"
                      "<D:status>HTTP/1.1 424 Failed Dependency</D:status></D:propstat>"
                      "<D:propstat><D:prop><D:b/></D:prop>"
                      "<D:status>HTTP/1.1 403 Forbidden</D:status></D:propstat>"
                      "</D:response>\n");
}

Test(dav_multistatus, refusals_say_what_was_against)
{
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 65536);
    qn_dav_error_body(&out, "lock-token-submitted", SPAN("/dav/F/a"));
    qn_dav_multistatus_status(&out, SPAN("/dav/F/b"), 423, "lock-token-submitted");
    assert_text(&out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:error xmlns:D=\"DAV:\">"
                      "<D:lock-token-submitted><D:href>/dav/F/a</D:href></D:lock-token-submitted>"
                      "</D:error>\n"
                      "<D:response><D:href>/dav/F/b</D:href>"
                      "<D:status>HTTP/1.1 423 Locked</D:status>"
                      "<D:error><D:lock-token-submitted/></D:error></D:response>\n");
}

/* A name on the disk may hold what XML cannot. */
Test(dav_multistatus, names_that_xml_cannot_hold_are_shown_with_a_sign)
{
    QN_AUTO_BUF struct qn_buf out;
    struct qn_dav_resource resource = file();
    struct qn_dav_ask ask = ASK(QN_DAV_DISPLAYNAME);
    resource.name = SPAN("a\x01"
                         "b\xff"
                         "c\xef\xbf\xbe");
    qn_buf_init(&out, 65536);
    qn_dav_multistatus_resource(&out, &ask, &resource);
    cr_assert_eq(count_of(&out, "<D:displayname>a\xef\xbf\xbd"
                                "b\xef\xbf\xbd"
                                "c"),
                 1);
}
