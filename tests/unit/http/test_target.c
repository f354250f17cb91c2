#include <criterion/criterion.h>

#include "http/target.h"
#include "support/span.h"

static struct qn_buf out;

static void start(void)
{
    qn_buf_init(&out, 16384);
}

static void stop(void)
{
    qn_buf_deinit(&out);
}

TestSuite(target, .init = start, .fini = stop);
TestSuite(path, .init = start, .fini = stop);
TestSuite(form, .init = start, .fini = stop);

static void assert_split(const char *target, const char *authority, const char *path,
                         const char *query)
{
    struct qn_http_target parts;
    cr_assert_eq(qn_http_target_split(qn_span_str(target), &parts), QN_OK, "%s", target);
    cr_assert(qn_span_eq_str(parts.authority, authority), "%s", target);
    cr_assert(qn_span_eq_str(parts.path, path), "%s", target);
    cr_assert(qn_span_eq_str(parts.query, query), "%s", target);
}

Test(target, split)
{
    assert_split("/", "", "/", "");
    assert_split("*", "", "*", "");
    assert_split("/a%20b/?c=d?e", "", "/a%20b/", "c=d?e");
    assert_split("/?", "", "/", "");
    assert_split("http://a", "a", "/", "");
    assert_split("HTTP://a:1/b?c", "a:1", "/b", "c");
    assert_split("https://[::1]:1?c", "[::1]:1", "/", "c");
    assert_split("//a/b", "", "//a/b", "");
    static const char *const refused[] = {
        "",     "a",    "a/b",       "http:/a", "http://", "http://@",     "http://u@a/", "ftp://a",
        "/a#b", "/a b", "/\xc3\xa9", "**",      "*?a",     "javascript:a", "http://a\\b/"};
    struct qn_http_target parts;
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
        cr_expect_eq(qn_http_target_split(qn_span_str(refused[i]), &parts), QN_ERR_INVALID, "%s",
                     refused[i]);
}

Test(target, languages)
{
    static const struct {
        const char *field;
        bool is_french;
    } cases[] = {
        {"", false},
        {"fr", true},
        {"fr-FR,fr;q=0.9,en;q=0.8", true},
        {"en", false},
        {"en-US,en;q=0.9,fr;q=0.8", false},
        {"FR-ca", true},
        {"fro", false},
        {"de, fr;q=0.2", true},
        {"en;q=0.5, fr", true},
        {"en, fr", false},
        {"fr, en", true},
        {"fr;q=0", false},
        {"fr;q=0.0, en;q=0.1", false},
        {"en;q=0, fr;q=0.001", true},
        {"*", false},
        {"fr;q=0.5, en;q=0.50", true},
        {"fr;q=0.499,en;q=0.5", false},
        {"fr;q=x", false},
        {"fr ; q=0.7 , en ; q=0.3", true},
        {",,;,fr", true},
        {"fr;q=1.000, en", true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        cr_expect_eq(qn_http_wants_french(qn_span_str(cases[i].field)), cases[i].is_french, "%s",
                     cases[i].field);
}

static void assert_path(const char *path, const char *wanted, bool ends_wanted)
{
    bool ends = !ends_wanted;
    qn_buf_reset(&out);
    cr_assert_eq(qn_http_path_decode(qn_span_str(path), &out, &ends), QN_OK, "%s", path);
    cr_assert(qn_span_eq_str(qn_buf_view(&out), wanted), "%s", path);
    cr_assert_eq(ends, ends_wanted, "%s", path);
}

Test(path, decoded)
{
    assert_path("", "", false);
    assert_path("/", "", true);
    assert_path("/a", "a", false);
    assert_path("a", "a", false);
    assert_path("/a/", "a", true);
    assert_path("/a%20b/%c3%A9/c+d", "a b/\xc3\xa9/c+d", false);
    assert_path("/...", "...", false);
    assert_path("/.a/..b", ".a/..b", false);
    assert_path("/a%3Fb%23c%25", "a?b#c%", false);
    assert_path("/%5C", "\\", false);
}

Test(path, refused)
{
    static const struct qn_span refused[] = {
        SPAN_INIT("//"),        SPAN_INIT("//a"),        SPAN_INIT("/a//b"),
        SPAN_INIT("/a//"),      SPAN_INIT("/."),         SPAN_INIT("/.."),
        SPAN_INIT("/a/../b"),   SPAN_INIT("/a/./b"),     SPAN_INIT("/%2e"),
        SPAN_INIT("/%2e%2E/a"), SPAN_INIT("/.%2e"),      SPAN_INIT("/a%2fb"),
        SPAN_INIT("/a%2Fb"),    SPAN_INIT("/%2f"),       SPAN_INIT("/a%00"),
        SPAN_INIT("/a\0b"),     SPAN_INIT("/%0a"),       SPAN_INIT("/%7f"),
        SPAN_INIT("/%c2%80"),   SPAN_INIT("/%"),         SPAN_INIT("/%4"),
        SPAN_INIT("/%zz"),      SPAN_INIT("/%%41"),      SPAN_INIT("/%c3"),
        SPAN_INIT("/%c0%af"),   SPAN_INIT("/%ed%a0%80"), SPAN_INIT("/%f5%80%80%80"),
        SPAN_INIT("/\xff"),     SPAN_INIT("/a?b"),       SPAN_INIT("/%u0041"),
        SPAN_INIT("/..%2f"),    SPAN_INIT("/a/..")};
    for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        bool ends;
        qn_buf_reset(&out);
        qn_buf_append_str(&out, "kept");
        cr_expect_eq(qn_http_path_decode(refused[i], &out, &ends), QN_ERR_INVALID, "%zu: %s", i,
                     (const char *)refused[i].data);
        assert_buf_eq(&out, "kept");
    }
}

static enum qn_err decode_times(const char *piece, size_t count)
{
    struct qn_buf path;
    bool ends;
    qn_buf_init(&path, 65536);
    for (size_t i = 0; i < count; i++)
        qn_buf_append_str(&path, piece);
    qn_buf_reset(&out);
    enum qn_err err = qn_http_path_decode(qn_buf_view(&path), &out, &ends);
    qn_buf_deinit(&path);
    return err;
}

Test(path, limits)
{
    cr_assert_eq(decode_times("a", 255), QN_OK);
    cr_assert_eq(decode_times("a", 256), QN_ERR_LIMIT);
    cr_assert_eq(decode_times("%41", 255), QN_OK);
    cr_assert_eq(decode_times("%41", 256), QN_ERR_LIMIT);
    cr_assert_eq(decode_times("e%cc%81", 255), QN_OK, "255 letters of two bytes each, at most");
    cr_assert_eq(decode_times("e%cc%81", 256), QN_ERR_LIMIT);
    cr_assert_eq(decode_times("/a", QN_HTTP_PATH_DEPTH_MAX), QN_OK);
    cr_assert_eq(decode_times("/a", QN_HTTP_PATH_DEPTH_MAX + 1), QN_ERR_LIMIT);
    cr_assert_eq(decode_times("/abcdefghijklmnopqrstuvwxyz01234", 128), QN_OK);
    cr_assert_eq(decode_times("/abcdefghijklmnopqrstuvwxyz01234", 129), QN_ERR_LIMIT);
    cr_assert_eq(decode_times("/abcdefghijklmnopqrstuvwxyz01234", 2000), QN_ERR_LIMIT);
    cr_assert_eq(out.size, 0);
}

Test(path, encoded)
{
    qn_http_path_encode(SPAN("a b/\xc3\xa9%?#~-._\\"), &out);
    assert_buf_eq(&out, "a%20b/%C3%A9%25%3F%23~-._%5C");
}

static void assert_form(const char *form, const char *key, enum qn_err err_wanted,
                        const char *wanted)
{
    qn_buf_reset(&out);
    enum qn_err err = qn_http_form_get(qn_span_str(form), key, &out);
    cr_expect_eq(err, err_wanted, "%s of %s: %s", key, form, qn_err_name(err));
    cr_expect(qn_span_eq_str(qn_buf_view(&out), wanted), "%s of %s", key, form);
}

Test(form, values)
{
    assert_form("a=b&c=d", "a", QN_OK, "b");
    assert_form("a=b&c=d", "c", QN_OK, "d");
    assert_form("a=b&c=d", "b", QN_ERR_NOTFOUND, "");
    assert_form("", "a", QN_ERR_NOTFOUND, "");
    assert_form("a", "a", QN_OK, "");
    assert_form("&&a=&", "a", QN_OK, "");
    assert_form("a=b=c", "a", QN_OK, "b=c");
    assert_form("a=1&a=2", "a", QN_OK, "1");
    assert_form("%61=b+c%2B", "a", QN_OK, "b c+");
    assert_form("ab=1", "a", QN_ERR_NOTFOUND, "");
    assert_form("a=%c3%a9", "a", QN_OK, "\xc3\xa9");
    assert_form("a=%c3", "a", QN_ERR_INVALID, "");
    assert_form("a=x%", "a", QN_ERR_INVALID, "");
    assert_form("a=x%0", "a", QN_ERR_INVALID, "");
    assert_form("a=x%00", "a", QN_ERR_INVALID, "");
    assert_form("%=x&a=1", "a", QN_OK, "1");
}

Test(form, cookies)
{
    struct qn_span value, field = qn_span_str("a=1; quoin=\"x=y\" ;b ; =c; quoin=z");
    cr_assert_eq(qn_http_cookie_get(field, "quoin", &value), QN_OK);
    assert_span_eq(value, SPAN("x=y"));
    cr_assert_eq(qn_http_cookie_get(field, "b", &value), QN_OK);
    cr_assert_eq(value.size, 0);
    cr_assert_eq(qn_http_cookie_get(field, "uoin", &value), QN_ERR_NOTFOUND);
    cr_assert_eq(qn_http_cookie_get(field, "A", &value), QN_ERR_NOTFOUND);
}

static void assert_basic(const char *field, const char *name, const char *password)
{
    struct qn_span got_name, got_password;
    qn_buf_reset(&out);
    enum qn_err err = qn_http_basic_read(qn_span_str(field), &out, &got_name, &got_password);
    cr_assert_eq(err, name == NULL ? QN_ERR_INVALID : QN_OK, "%s", field);
    if (name == NULL) {
        cr_assert_eq(out.size, 0);
        return;
    }
    cr_assert(qn_span_eq_str(got_name, name), "%s", field);
    cr_assert(qn_span_eq_str(got_password, password), "%s", field);
}

Test(form, basic)
{
    assert_basic("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame");
    assert_basic("bASIC  dGVzdDoxMjPCow==", "test", "123\xc2\xa3");
    assert_basic("Basic Og==", "", "");
    assert_basic("Basic YTpiOmM=", "a", "b:c");
    assert_basic("Basic", NULL, NULL);
    assert_basic("Basic ", NULL, NULL);
    assert_basic("Bearer YTpi", NULL, NULL);
    assert_basic("Basic YWI=", NULL, NULL);     /* no colon */
    assert_basic("Basic YTpiOmM", NULL, NULL);  /* not filled up */
    assert_basic("Basic YTpiOmN=", NULL, NULL); /* bits left over */
    assert_basic("Basic YT==YTpi", NULL, NULL);
    assert_basic("Basic ====", NULL, NULL);
    assert_basic("Basic YTpi YTpi", NULL, NULL);
    assert_basic("Basic YTo-", NULL, NULL);
    assert_basic("Basic YToA", NULL, NULL); /* a zero byte */
    assert_basic("Basic YTr/", NULL, NULL); /* not UTF-8 */
}

Test(path, names_that_are_too_long_are_seen)
{
    char path[600];
    memset(path, 'x', sizeof(path));
    cr_assert_not(qn_http_path_has_long_name(qn_span(path, 0)));
    cr_assert_not(qn_http_path_has_long_name(qn_span(path, 255)));
    cr_assert(qn_http_path_has_long_name(qn_span(path, 256)));
    path[255] = path[511] = '/';
    cr_assert_not(qn_http_path_has_long_name(qn_span(path, sizeof(path))));
    path[511] = 'x';
    cr_assert(qn_http_path_has_long_name(qn_span(path, sizeof(path))));
}
