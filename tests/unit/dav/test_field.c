#include <criterion/criterion.h>

#include "dav/field.h"
#include "support/span.h"

Test(dav_field, depth)
{
    enum qn_dav_depth depth = QN_DAV_DEPTH_0;
    cr_assert_eq(qn_dav_depth_read(SPAN("1"), &depth), QN_OK);
    cr_assert_eq(depth, QN_DAV_DEPTH_1);
    cr_assert_eq(qn_dav_depth_read(SPAN(" Infinity "), &depth), QN_OK);
    cr_assert_eq(depth, QN_DAV_DEPTH_INFINITY);
    cr_assert_eq(qn_dav_depth_read(SPAN("0"), &depth), QN_OK);
    cr_assert_eq(depth, QN_DAV_DEPTH_0);
    const char *wrong[] = {"", "2", "00", "infinite", "1,noroot", "-1"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_eq(qn_dav_depth_read(qn_span_str(wrong[i]), &depth), QN_ERR_INVALID, "%s",
                     wrong[i]);
}

Test(dav_field, overwrite)
{
    bool overwrites = false;
    cr_assert_eq(qn_dav_overwrite_read(SPAN("T"), &overwrites), QN_OK);
    cr_assert(overwrites);
    cr_assert_eq(qn_dav_overwrite_read(SPAN("f"), &overwrites), QN_OK);
    cr_assert_not(overwrites);
    cr_assert_eq(qn_dav_overwrite_read(SPAN("yes"), &overwrites), QN_ERR_INVALID);
}

static const struct {
    const char *field;
    unsigned seconds;
} timeouts[] = {
    {"", 3600},
    {"Infinite", 3600},
    {"Second-600", 600},
    {"Second-1", 180},
    {"Second-0", 180},
    {"Second-4100000000", 3600},
    {"Second-99999999999999999999999999", 3600},
    {"Infinite, Second-4100000000", 3600},
    {"Extend, Second-700", 700},
    {"second-700", 700},
    {"Second-", 3600},
    {"Second-12x", 3600},
    {"nonsense", 3600},
};

Test(dav_field, a_timeout_is_clamped)
{
    for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++)
        cr_assert_eq(qn_dav_timeout_read(qn_span_str(timeouts[i].field)), timeouts[i].seconds, "%s",
                     timeouts[i].field);
}

Test(dav_field, a_lock_token_stands_in_brackets)
{
    struct qn_span token = SPAN("before");
    cr_assert_eq(qn_dav_lock_token_read(SPAN("urn:uuid:1"), &token), QN_ERR_INVALID);
    cr_assert_eq(qn_dav_lock_token_read(SPAN("<>"), &token), QN_ERR_INVALID);
    assert_span_eq(token, SPAN("before"));
    cr_assert_eq(qn_dav_lock_token_read(SPAN(" <urn:uuid:1> "), &token), QN_OK);
    assert_span_eq(token, SPAN("urn:uuid:1"));
}

static const struct {
    const char *field, *host, *path;
    bool has_slash;
    enum qn_err err;
} destinations[] = {
    {"/dav/F/a%20b", "h", "dav/F/a b", false, QN_OK},
    {"/dav/F/d/", "h", "dav/F/d", true, QN_OK},
    {"https://h/dav/F/a", "h", "dav/F/a", false, QN_OK},
    {"https://H:8443/dav/F/a", "h", "dav/F/a", false, QN_OK},
    {"http://h/dav/F/a", "h:8443", "dav/F/a", false, QN_OK},
    {"https://[fd00::1]:8443/dav/F/a", "[fd00::1]", "dav/F/a", false, QN_OK},
    {"https://other/dav/F/a", "h", NULL, false, QN_ERR_DENIED},
    {"https://[fd00::2]/dav/F/a", "[fd00::1]", NULL, false, QN_ERR_DENIED},
    {"/dav/F/../../etc/passwd", "h", NULL, false, QN_ERR_INVALID},
    {"/dav/F/%2e%2e/x", "h", NULL, false, QN_ERR_INVALID},
    {"/dav/F/a%2fb", "h", NULL, false, QN_ERR_INVALID},
    {"/dav/F/a%00b", "h", NULL, false, QN_ERR_INVALID},
    {"/dav/F/a?x=1", "h", NULL, false, QN_ERR_INVALID},
};

Test(dav_field, a_destination_is_a_path_of_this_host)
{
    for (size_t i = 0; i < sizeof(destinations) / sizeof(destinations[0]); i++) {
        QN_AUTO_BUF struct qn_buf path;
        bool has_slash = false;
        qn_buf_init(&path, 4096);
        cr_assert_eq(qn_dav_destination_read(qn_span_str(destinations[i].field),
                                             qn_span_str(destinations[i].host), &path, &has_slash),
                     destinations[i].err, "%s", destinations[i].field);
        if (destinations[i].err != QN_OK)
            continue;
        assert_span_eq(qn_buf_view(&path), qn_span_str(destinations[i].path));
        cr_assert_eq(has_slash, destinations[i].has_slash);
    }
}

Test(dav_field, a_time_of_change_may_have_a_fraction)
{
    int64_t ns = 7;
    const char *wrong[] = {"", "x", "1.", "1.x", ".5", "1e5", "9999999999999", "--1", "1.1.1"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_eq(qn_dav_mtime_read(qn_span_str(wrong[i]), &ns), QN_ERR_INVALID, "%s", wrong[i]);
    cr_assert_eq(ns, 7);
    cr_assert_eq(qn_dav_mtime_read(SPAN("1700000000"), &ns), QN_OK);
    cr_assert_eq(ns, INT64_C(1700000000000000000));
    cr_assert_eq(qn_dav_mtime_read(SPAN("1.5"), &ns), QN_OK);
    cr_assert_eq(ns, 1500000000);
    cr_assert_eq(qn_dav_mtime_read(SPAN("1.0000000019"), &ns), QN_OK);
    cr_assert_eq(ns, 1000000001);
    cr_assert_eq(qn_dav_mtime_read(SPAN("-2.5"), &ns), QN_OK);
    cr_assert_eq(ns, -2500000000);
}

/* Windows says 1601 of a file without a time. */
Test(dav_field, a_date_beyond_what_can_be_said_is_the_nearest)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {
        {" Fri, 13 Feb 2009 23:31:30 GMT\n", 1234567890},
        {"Wed, 31 Dec 1969 23:59:59 GMT", -1},
        {"Mon, 01 Jan 1601 00:00:00 GMT", -(INT64_MAX / 1000000000 - 1)},
        {"Fri, 31 Dec 9999 23:59:59 GMT", INT64_MAX / 1000000000 - 1},
    };
    int64_t ns = 7;
    cr_assert_eq(qn_dav_date_read(SPAN("yesterday"), &ns), QN_ERR_INVALID);
    cr_assert_eq(ns, 7);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_eq(qn_dav_date_read(qn_span_str(cases[i].text), &ns), QN_OK, "%s", cases[i].text);
        cr_assert_eq(ns, cases[i].seconds * 1000000000, "%s", cases[i].text);
    }
}

Test(dav_field, a_checksum_names_its_algorithm)
{
    enum qn_dav_digest kind = QN_DAV_MD5;
    uint8_t digest[QN_DAV_DIGEST_SIZE_MAX] = {0};
    cr_assert_eq(
        qn_dav_checksum_read(SPAN("SHA1:da39a3ee5e6b4b0d3255bfef95601890afd80709"), &kind, digest),
        QN_OK);
    cr_assert_eq(kind, QN_DAV_SHA1);
    cr_assert_eq(digest[0], 0xda);
    cr_assert_eq(digest[19], 0x09);
    cr_assert_eq(qn_dav_checksum_read(SPAN("Adler32:00000001"), &kind, digest), QN_ERR_UNSUPPORTED);
    cr_assert_eq(qn_dav_checksum_read(SPAN("MD5:00"), &kind, digest), QN_ERR_INVALID);
    cr_assert_eq(qn_dav_checksum_read(SPAN("MD5:zz"), &kind, digest), QN_ERR_INVALID);
    cr_assert_eq(qn_dav_checksum_read(SPAN("da39"), &kind, digest), QN_ERR_INVALID);
}
