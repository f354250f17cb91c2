#include <criterion/criterion.h>

#include "base/prng.h"
#include "chunk/plan.h"
#include "support/span.h"

static struct qn_exclude *exclude_of(const char *lines)
{
    struct qn_exclude *exclude = qn_exclude_new();
    while (*lines != 0) {
        size_t size = strcspn(lines, "\n");
        cr_assert_eq(qn_exclude_add(exclude, qn_span(lines, size)), QN_OK, "'%s'", lines);
        lines += size + (lines[size] == '\n');
    }
    return exclude;
}

/* As whoever walks does it: nothing below an excluded directory is met. */
static bool is_left_out(const struct qn_exclude *exclude, struct qn_span path, bool is_dir)
{
    for (size_t i = 1; i < path.size; i++)
        if (path.data[i] == '/' && qn_exclude_matches(exclude, qn_span(path.data, i), true))
            return true;
    return qn_exclude_matches(exclude, path, is_dir);
}

/* What `git check-ignore` (2.39) says of them. A '/' at the end of a path: it is a directory. */
static const struct {
    const char *lines, *path;
    bool is_excluded;
} cases[] = {
    {"foo", "foo", true},
    {"foo", "foo/", true},
    {"foo", "a/foo", true},
    {"foo", "foobar", false},
    {"foo", "a/foo/b", true},
    {"foo", "Foo", false},
    {"/foo", "foo", true},
    {"/foo", "a/foo", false},
    {"/foo", "foo/a", true},
    {"foo/", "foo", false},
    {"foo/", "foo/", true},
    {"foo/", "a/foo/", true},
    {"foo/", "foo/a", true},
    {"foo/", "a/foo", false},
    {"a/foo", "a/foo", true},
    {"a/foo", "b/a/foo", false},
    {"/a/foo", "a/foo", true},
    {"a/foo/", "a/foo", false},
    {"a/foo/", "a/foo/", true},
    {"*.o", "x.o", true},
    {"*.o", "d/x.o", true},
    {"*.o", ".o", true},
    {"*.o", "x.o.c", false},
    {"*.o", "x.o/y", true},
    {"/*.o", "x.o", true},
    {"/*.o", "d/x.o", false},
    {"d/*.o", "d/x.o", true},
    {"d/*.o", "d/e/x.o", false},
    {"d/*", "d/.x", true},
    {"*", "a", true},
    {"*", "a/b/c", true},
    {"*/", "a", false},
    {"*/", "a/", true},
    {"/*", "a", true},
    {"/*/", "a/b", true},
    {"f?o", "foo", true},
    {"f?o", "fo", false},
    {"f?o", "f/o", false},
    {"f?o", "fooo", false},
    {"?\?\?", "abc", true},
    {"?\?\?", "ab", false},
    {"**/foo", "foo", true},
    {"**/foo", "a/foo", true},
    {"**/foo", "a/b/foo", true},
    {"**/foo", "a/foob", false},
    {"**/foo/bar", "foo/bar", true},
    {"**/foo/bar", "x/foo/bar", true},
    {"**/foo/bar", "foo/x/bar", false},
    {"abc/**", "abc/", false},
    {"abc/**", "abc/x", true},
    {"abc/**", "abc/x/y", true},
    {"abc/**", "x/abc/y", false},
    {"a/**/b", "a/b", true},
    {"a/**/b", "a/x/b", true},
    {"a/**/b", "a/x/y/b", true},
    {"a/**/b", "ab", false},
    {"a/**/b", "x/a/b", false},
    {"a/**/b", "a/x/c", false},
    {"**", "a", true},
    {"**", "a/b", true},
    {"/**", "a", true},
    {"**/", "a", false},
    {"**/", "a/", true},
    {"a**b", "axxb", true},
    {"a**b", "a/b", false},
    {"x/a**b", "x/axb", true},
    {"x/a**b", "x/a/b", false},
    {"a/**/**/b", "a/b", true},
    {"a/**/**/b", "a/x/b", true},
    {"a/**/*", "a/x", true},
    {"a/**/*", "a", false},
    {"*/**/a", "x/a", true},
    {"*/**/a", "a", false},
    {"**/a/**", "a/x", true},
    {"**/a/**", "x/a/y/z", true},
    {"**/a/**", "x/a", false},
    {"[abc]", "b", true},
    {"[abc]", "d", false},
    {"[a-c]x", "bx", true},
    {"[!a-c]x", "bx", false},
    {"[!a-c]x", "dx", true},
    {"[^a]", "b", true},
    {"[^a]", "a", false},
    {"[]a]", "]", true},
    {"[]a]", "a", true},
    {"[!]a]", "]", false},
    {"[a-]", "-", true},
    {"[-a]", "-", true},
    {"[a-c-e]", "-", true},
    {"[a-c-e]", "d", false},
    {"[a-c-e]", "e", true},
    {"[\\]a]", "]", true},
    {"[a\\-c]", "b", false},
    {"[a\\-c]", "-", true},
    {"[z-a]", "z", true},
    {"[z-a]", "b", false},
    {"[[:digit:]]x", "5x", true},
    {"[[:digit:]]x", "ax", false},
    {"[[:upper:][:digit:]]", "Q", true},
    {"[[:upper:][:digit:]]", "q", false},
    {"[^[:space:]]", " ", false},
    {"[[:alpha:]-z]", "-", true},
    {"[[:alpha:]-z]", "5", false},
    {"[[a]", "[", true},
    {"[[:a]", "[", true},
    {"x[[:a]", "x:", true},
    {"x[[:a]", "xb", false},
    {"[[:xdigit:]]", "F", true},
    {"[[:punct:]]", "_", true},
    {"a[!b]c", "a/c", false},
    {"[!x]", "\303\251", false},
    {"a[/]b", "a/b", false},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"\\!a", "!a", true},
    {"\\#a", "#a", true},
    {"#a", "#a", false},
    {"a\\b", "ab", true},
    {"a\\ ", "a ", true},
    {"a ", "a", true},
    {"a ", "a ", false},
    {"a  b", "a  b", true},
    {" a", " a", true},
    {"\\a/b", "a/b", true},
    {"*.txt\n!keep.txt", "keep.txt", false},
    {"*.txt\n!keep.txt", "other.txt", true},
    {"!keep.txt\n*.txt", "keep.txt", true},
    {"*.txt\n!d/*.txt", "d/a.txt", false},
    {"*.txt\n!d/*.txt", "a.txt", true},
    {"d/\n!d/keep", "d/keep", true},
    {"d/*\n!d/keep", "d/keep", false},
    {"d/*\n!d/keep", "d/lost", true},
    {"/*\n!/foo\n/foo/*\n!/foo/bar", "foo/bar/x", false},
    {"/*\n!/foo\n/foo/*\n!/foo/bar", "foo/y", true},
    {"/*\n!/foo\n/foo/*\n!/foo/bar", "z", true},
    {"*\n!*/\n!*.c", "a/b.c", false},
    {"*\n!*/\n!*.c", "a/b.h", true},
    {"*\n!*.c", "a/b.c", true},
    {"*a*b*c", "xaxbxc", true},
    {"*a*b*c", "xaxcxb", false},
    {"*a*b*c", "abcabc", true},
    {"*ab", "aab", true},
    {"*aab", "aaaab", true},
    {"a*", "a", true},
    {"a*a", "a", false},
    {"Thumbs.db", "srv/x/Thumbs.db", true},
    {"~$*", "d/~$report.docx", true},
    {"/home/*/.cache/", "home/eva/.cache/", true},
    {"/home/*/.cache/", "home/eva/x/.cache/", false},
    {"*.tmp", "a.TMP", false},
};

Test(exclude, does_what_git_does)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct qn_exclude *exclude = exclude_of(cases[i].lines);
        struct qn_span path = qn_span_str(cases[i].path);
        bool is_dir = path.data[path.size - 1] == '/';
        path.size -= is_dir;
        cr_assert_eq(is_left_out(exclude, path, is_dir), cases[i].is_excluded, "'%s' and '%s'",
                     cases[i].lines, cases[i].path);
        qn_exclude_free(exclude);
    }
}

/* git's manual: other consecutive asterisks are regular ones. Its code takes these for "**". */
Test(exclude, only_two_stars_that_stand_alone_are_special)
{
    struct qn_exclude *exclude = exclude_of("x/***/a\nb**/c");
    cr_assert(is_left_out(exclude, SPAN("x/y/a"), false));
    cr_assert_not(is_left_out(exclude, SPAN("x/a"), false));
    cr_assert_not(is_left_out(exclude, SPAN("x/y/z/a"), false));
    cr_assert(is_left_out(exclude, SPAN("bb/c"), false));
    cr_assert_not(is_left_out(exclude, SPAN("b/x/c"), false));
    qn_exclude_free(exclude);
}

Test(exclude, nothing_excludes_nothing)
{
    struct qn_exclude *exclude = exclude_of("\n# a comment\n   \n");
    cr_assert_not(qn_exclude_matches(exclude, SPAN("a"), false));
    cr_assert_not(qn_exclude_matches(exclude, SPAN(""), true));
    cr_assert_eq(qn_exclude_add(exclude, SPAN("*")), QN_OK);
    cr_assert_not(qn_exclude_matches(exclude, SPAN(""), true)); /* the top itself stays */
    cr_assert(qn_exclude_matches(exclude, SPAN("a"), true));
    qn_exclude_free(exclude);
    qn_exclude_free(NULL);
}

Test(exclude, what_could_never_match_is_refused)
{
    static const char *const lines[] = {
        "[",     "[a",   "[]", "[!]", "[a-",    "[\\",           "a\\",        "/",
        "!",     "!/",   "//", "//a", "a//b",   "a//",           "./a",        "../a",
        "a/./b", "a/..", ".",  "..",  "a/[b/c", "[[:nothing:]]", "[[:alpha:]", "foo\\/"};
    struct qn_exclude *exclude = qn_exclude_new();
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        cr_assert_eq(qn_exclude_add(exclude, qn_span_str(lines[i])), QN_ERR_INVALID, "'%s'",
                     lines[i]);
    cr_assert_eq(qn_exclude_add(exclude, SPAN("a\0b")), QN_ERR_INVALID);
    cr_assert_eq(qn_exclude_add(exclude, SPAN("a\nb")), QN_ERR_INVALID);
    cr_assert_not(qn_exclude_matches(exclude, SPAN("a"), false));
    qn_exclude_free(exclude);
}

Test(exclude, limits)
{
    static uint8_t line[QN_EXCLUDE_PATTERN_SIZE_MAX + 1];
    struct qn_exclude *exclude = qn_exclude_new();
    memset(line, 'a', sizeof(line));
    cr_assert_eq(qn_exclude_add(exclude, QN_SPAN_OF(line)), QN_ERR_LIMIT);
    cr_assert_eq(qn_exclude_add(exclude, qn_span(line, sizeof(line) - 1)), QN_OK);
    for (size_t i = 1; i < QN_EXCLUDE_PATTERNS_MAX; i++)
        cr_assert_eq(qn_exclude_add(exclude, SPAN("b")), QN_OK);
    cr_assert_eq(qn_exclude_add(exclude, SPAN("c")), QN_ERR_LIMIT);
    cr_assert_eq(qn_exclude_add(exclude, SPAN("# still fine")), QN_OK);
    qn_exclude_free(exclude);
}

/* Patterns and paths that take a matcher without bounds for ever: the test would not end. */
Test(exclude, no_pattern_takes_for_ever)
{
    QN_AUTO_BUF struct qn_buf any_depth, stars, path, name;
    qn_buf_init(&any_depth, 2000);
    qn_buf_init(&stars, 2000);
    qn_buf_init(&path, 4096);
    qn_buf_init(&name, 4096);
    while (any_depth.size < QN_EXCLUDE_PATTERN_SIZE_MAX - 10)
        qn_buf_append_str(&any_depth, "**/a*a/");
    qn_buf_append_str(&any_depth, "b");
    while (stars.size < QN_EXCLUDE_PATTERN_SIZE_MAX - 10)
        qn_buf_append_str(&stars, "*a");
    qn_buf_append_str(&stars, "b");
    while (path.size < 4000)
        qn_buf_append_str(&path, "aa/");
    qn_buf_append_str(&path, "a");
    while (name.size < 4000)
        qn_buf_append_str(&name, "a");
    struct qn_exclude *exclude = qn_exclude_new();
    cr_assert_eq(qn_exclude_add(exclude, qn_buf_view(&any_depth)), QN_OK);
    cr_assert_eq(qn_exclude_add(exclude, qn_buf_view(&stars)), QN_OK);
    cr_assert_not(qn_exclude_matches(exclude, qn_buf_view(&path), false));
    cr_assert_not(qn_exclude_matches(exclude, qn_buf_view(&name), false));
    qn_exclude_free(exclude);
}

/* ---- the same by a matcher that tries everything ---- */

/* Of components: '*', '?' and bytes. */
static bool tries_name(const char *pattern, const char *name)
{
    if (*pattern == 0 || *pattern == '/')
        return *name == 0 || *name == '/';
    bool has_byte = *name != 0 && *name != '/';
    if (*pattern == '*')
        return tries_name(pattern + 1, name) || (has_byte && tries_name(pattern, name + 1));
    return has_byte && (*pattern == '?' || *pattern == *name) && tries_name(pattern + 1, name + 1);
}

static const char *behind_slash(const char *text)
{
    text += strcspn(text, "/");
    return *text == '/' ? text + 1 : text;
}

/* Of anchored patterns. */
static bool tries_path(const char *pattern, const char *path)
{
    bool is_any_depth = strncmp(pattern, "**", 2) == 0 && (pattern[2] == 0 || pattern[2] == '/');
    if (*pattern == 0)
        return *path == 0;
    if (is_any_depth && pattern[2] == 0)
        return *path != 0;
    if (is_any_depth)
        return tries_path(pattern + 3, path) ||
               (*path != 0 && tries_path(pattern, behind_slash(path)));
    return *path != 0 && tries_name(pattern, path) &&
           tries_path(behind_slash(pattern), behind_slash(path));
}

static void any_text(struct qn_prng *prng, const char *const *parts, size_t count, char *out)
{
    size_t depth = 1 + qn_prng_below(prng, 5);
    *out = 0;
    for (size_t i = 0; i < depth; i++) {
        strcat(out, i == 0 ? "" : "/");
        strcat(out, parts[qn_prng_below(prng, count)]);
    }
}

Test(exclude, agrees_with_a_matcher_that_tries_everything)
{
    static const char *const globs[] = {"**", "*", "a", "b", "a*", "*b", "a?", "*a*b", "**b"};
    static const char *const names[] = {"a", "b", "ab", "aab", "abb", "ba", "aabab"};
    struct qn_prng prng = {1};
    size_t matched = 0;
    for (int i = 0; i < 30000; i++) {
        char pattern[64] = "/", path[64];
        any_text(&prng, globs, sizeof(globs) / sizeof(globs[0]), pattern + 1);
        any_text(&prng, names, sizeof(names) / sizeof(names[0]), path);
        struct qn_exclude *exclude = exclude_of(pattern);
        bool wanted = tries_path(pattern + 1, path);
        cr_assert_eq(qn_exclude_matches(exclude, qn_span_str(path), false), wanted, "'%s' and '%s'",
                     pattern, path);
        matched += wanted;
        qn_exclude_free(exclude);
    }
    cr_assert_gt(matched, 3000);
}
