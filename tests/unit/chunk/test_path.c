#include <criterion/criterion.h>

#include "chunk/path.h"
#include "support/entries.h"
#include "support/span.h"

Test(path, a_directory_is_followed_by_what_is_below_it)
{
    static const char *const ascending[] = {"-",   "a",  "a/b", "a/b/c", "a/b-", "a\001", "a b",
                                            "a-b", "a.", "a0",  "aa",    "b",    "\377"};
    size_t count = sizeof(ascending) / sizeof(ascending[0]);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            int order = qn_path_cmp(qn_span_str(ascending[i]), qn_span_str(ascending[j]));
            cr_assert_eq((order > 0) - (order < 0), (i > j) - (i < j), "'%s' and '%s': %d",
                         ascending[i], ascending[j], order);
        }
}

Test(path, is_below)
{
    cr_assert(qn_path_is_below(SPAN("a/b"), SPAN("a")));
    cr_assert(qn_path_is_below(SPAN("a"), SPAN("a")));
    cr_assert(qn_path_is_below(SPAN("a"), SPAN("")));
    cr_assert(qn_path_is_below(SPAN(""), SPAN("")));
    cr_assert_not(qn_path_is_below(SPAN("a-b"), SPAN("a")));
    cr_assert_not(qn_path_is_below(SPAN("a"), SPAN("a/b")));
    cr_assert_not(qn_path_is_below(SPAN("b/a"), SPAN("a")));
}

Test(path, which_are_valid)
{
    static const char *const good[] = {"a",   "a/b",  "...", "a/...", ".a",
                                       "..a", "a./b", " ",   "\377"};
    static const char *const bad[] = {"",    "/",    "/a",  "a/",   "a//b",  ".",     "..",
                                      "./a", "../a", "a/.", "a/..", "a/./b", "a/../b"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_assert(qn_path_is_valid(qn_span_str(good[i])), "'%s'", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(qn_path_is_valid(qn_span_str(bad[i])), "'%s'", bad[i]);
    cr_assert_not(qn_path_is_valid(SPAN("a\0b")));
}

Test(path, has_a_largest_size)
{
    uint8_t path[QN_PATH_SIZE_MAX + 1];
    memset(path, 'a', sizeof(path));
    cr_assert(qn_path_is_valid(qn_span(path, QN_PATH_SIZE_MAX)));
    cr_assert_not(qn_path_is_valid(qn_span(path, QN_PATH_SIZE_MAX + 1)));
}

/* The step behind `previous`, given as bytes; what it leads to, or its refusal. */
static void expect_step(const char *previous, struct qn_span bytes, const char *wanted)
{
    QN_AUTO_BUF struct qn_buf path;
    struct qn_path_step step;
    size_t offset = 0;
    qn_buf_init(&path, QN_PATH_SIZE_MAX);
    qn_buf_append_str(&path, previous);
    enum qn_err err = qn_path_read(bytes, &offset, qn_buf_view(&path), &step);
    cr_assert_eq(err, wanted == NULL ? QN_ERR_CORRUPT : QN_OK, "after '%s': %s", previous,
                 qn_err_name(err));
    cr_assert_eq(offset, wanted == NULL ? 0 : bytes.size);
    if (wanted == NULL)
        return;
    qn_path_apply(&step, &path);
    assert_span_eq(qn_buf_view(&path), qn_span_str(wanted));
}

Test(path_step, leads_from_one_path_to_the_next)
{
    expect_step("", SPAN("\0\3a/b"), "a/b");
    expect_step("a/b", SPAN("\2\1c"), "a/c");
    expect_step("a/b", SPAN("\3\2/c"), "a/b/c");
    expect_step("a/b", SPAN("\1\1b"), "ab");
    expect_step("a.", SPAN("\1\1/"), NULL);
}

Test(path_step, what_no_packer_makes_is_refused)
{
    expect_step("", SPAN("\0\0"), NULL);      /* nothing */
    expect_step("", SPAN("\1\1a"), NULL);     /* shares what is not there */
    expect_step("", SPAN("\0\2a"), NULL);     /* cut */
    expect_step("", SPAN("\0"), NULL);        /* cut */
    expect_step("", SPAN("\200\0\1a"), NULL); /* overlong number */
    expect_step("a/b", SPAN("\2\1b"), NULL);  /* the same path */
    expect_step("a/b", SPAN("\2\1a"), NULL);  /* below it in the order */
    expect_step("a/b", SPAN("\1\2/c"), NULL); /* could share more */
    expect_step("a/b", SPAN("\1\0"), NULL);   /* a parent is above its children */
    expect_step("a", SPAN("\1\1/"), NULL);    /* an empty component */
    expect_step("a", SPAN("\1\4/b//"), NULL); /* and another */
    expect_step("a/.", SPAN("\3\1."), NULL);  /* "..", in two parts */
    expect_step("a", SPAN("\1\3/.."), NULL);  /* in one */
    expect_step("a", SPAN("\1\4/./b"), NULL); /* in the middle */
    expect_step("a", SPAN("\1\3/b\0"), NULL); /* a zero byte */
}

Test(path_step, dots_that_become_a_name_are_fine)
{
    expect_step("a", SPAN("\1\4/..."), "a/...");
    expect_step("a/...", SPAN("\5\1."), "a/....");
    expect_step("a/..b", SPAN("\4\1c"), "a/..c");
}

Test(path_step, roundtrip_of_random_lists)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct entries entries;
        struct qn_span previous = qn_span(NULL, 0);
        QN_AUTO_BUF struct qn_buf path, bytes;
        qn_buf_init(&path, QN_PATH_SIZE_MAX);
        qn_buf_init(&bytes, 2 * QN_PATH_SIZE_MAX);
        entries_random(&entries, seed, 200);
        qn_vec_each (&entries.list, entry) {
            struct qn_path_step step;
            size_t offset = 0;
            qn_buf_reset(&bytes);
            qn_path_pack(entry->path, previous, &bytes);
            cr_assert_eq(qn_path_read(qn_buf_view(&bytes), &offset, previous, &step), QN_OK);
            qn_path_apply(&step, &path);
            cr_assert(qn_span_eq(qn_buf_view(&path), entry->path), "seed %lu", (unsigned long)seed);
            cr_assert(qn_path_is_valid(entry->path));
            previous = entry->path;
        }
        entries_deinit(&entries);
    }
}
