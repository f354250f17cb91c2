#include <criterion/criterion.h>

#include "files/etag.h"
#include "support/span.h"

#define SECOND INT64_C(1000000000)

static struct statx file_at(int64_t modified_ns, int64_t changed_ns)
{
    struct statx status = {.stx_mode = S_IFREG | 0644, .stx_ino = 7, .stx_size = 5};
    status.stx_mtime.tv_sec = modified_ns / SECOND;
    status.stx_mtime.tv_nsec = (uint32_t)(modified_ns % SECOND);
    status.stx_ctime.tv_sec = changed_ns / SECOND;
    status.stx_ctime.tv_nsec = (uint32_t)(changed_ns % SECOND);
    return status;
}

static struct qn_entry_info describe(const struct statx *status, const struct row *row,
                                     int64_t now_ns)
{
    struct qn_entry_info entry;
    entry_describe(status, row, now_ns, SPAN("n"), &entry);
    return entry;
}

static bool is_same(const struct qn_entry_info *a, const struct qn_entry_info *b)
{
    return strcmp(a->etag, b->etag) == 0;
}

Test(etag, an_old_file_is_named_by_its_stat)
{
    struct statx status = file_at(100 * SECOND + 1, 100 * SECOND + 1);
    struct qn_entry_info first = describe(&status, NULL, 200 * SECOND);
    struct qn_entry_info again = describe(&status, NULL, 300 * SECOND);
    cr_assert(is_same(&first, &again));
    cr_assert(first.etag[0] == '"' && first.etag[strlen(first.etag) - 1] == '"');
    cr_assert_eq(first.size, 5);
    cr_assert_not(first.has_digest);
}

Test(etag, each_part_of_the_stat_tells)
{
    struct statx status = file_at(100 * SECOND + 1, 100 * SECOND + 1), other = status;
    struct qn_entry_info plain = describe(&status, NULL, 200 * SECOND), changed;
    other.stx_ino++;
    changed = describe(&other, NULL, 200 * SECOND);
    cr_assert_not(is_same(&plain, &changed));
    other = status;
    other.stx_size++;
    changed = describe(&other, NULL, 200 * SECOND);
    cr_assert_not(is_same(&plain, &changed));
    other = status;
    other.stx_mtime.tv_nsec++;
    changed = describe(&other, NULL, 200 * SECOND);
    cr_assert_not(is_same(&plain, &changed));
    other = status;
    other.stx_ctime.tv_nsec++;
    changed = describe(&other, NULL, 200 * SECOND);
    cr_assert_not(is_same(&plain, &changed));
}

/* The clock moves in steps: two contents within one have the same stat. */
Test(etag, a_fresh_file_is_named_anew_each_time)
{
    struct statx status = file_at(100 * SECOND + 1, 100 * SECOND + 1);
    struct qn_entry_info a = describe(&status, NULL, 100 * SECOND + 1);
    struct qn_entry_info b = describe(&status, NULL, 100 * SECOND + 1);
    cr_assert_not(is_same(&a, &b));
    struct qn_folder_expect expect = {0};
    memcpy(expect.etag, a.etag, sizeof(expect.etag));
    cr_assert_eq(entry_judge(&expect, &status, NULL, 100 * SECOND + 1), QN_ERR_CONFLICT);
    a = describe(&status, NULL, 101 * SECOND);
    b = describe(&status, NULL, 102 * SECOND);
    cr_assert(is_same(&a, &b));
}

Test(etag, whole_seconds_are_fresh_for_longer)
{
    struct statx status = file_at(100 * SECOND, 100 * SECOND);
    struct qn_entry_info a = describe(&status, NULL, 101 * SECOND);
    struct qn_entry_info b = describe(&status, NULL, 101 * SECOND);
    cr_assert_not(is_same(&a, &b));
}

Test(etag, a_row_names_the_content)
{
    static const uint8_t digest[32] = {1, 2, 3}, other[32] = {1, 2, 4};
    struct statx status = file_at(99 * SECOND, 100 * SECOND + 1);
    struct row row, unlike;
    cr_assert(row_make(&status, digest, NULL, &row));
    cr_assert(row_make(&status, other, NULL, &unlike));
    struct qn_entry_info a = describe(&status, &row, 100 * SECOND + 1); /* also while fresh */
    cr_assert(a.has_digest);
    cr_assert_arr_eq(a.digest, digest, sizeof(digest));
    struct qn_entry_info b = describe(&status, &unlike, 100 * SECOND + 1);
    cr_assert_not(is_same(&a, &b));
    /* The same content elsewhere has the same name; that is what a strong tag of content is. */
    status.stx_ino = 8;
    cr_assert(row_make(&status, digest, NULL, &row));
    b = describe(&status, &row, 100 * SECOND + 1);
    cr_assert(is_same(&a, &b));
}

Test(etag, a_row_counts_only_if_all_agrees)
{
    static const uint8_t digest[32] = {1};
    struct statx status = file_at(99 * SECOND, 100 * SECOND + 1), other = status;
    struct row row;
    cr_assert(row_make(&status, digest, NULL, &row));
    cr_assert(row_holds(&row, &status));
    other.stx_size++;
    cr_assert_not(row_holds(&row, &other));
    other = status;
    other.stx_ino++;
    cr_assert_not(row_holds(&row, &other));
    other = status;
    other.stx_mtime.tv_nsec++;
    cr_assert_not(row_holds(&row, &other));
    cr_assert_not(row_holds_but_changed(&row, &other));
    other = status;
    other.stx_ctime.tv_nsec++;
    cr_assert_not(row_holds(&row, &other));
    cr_assert(row_holds_but_changed(&row, &other));
    cr_assert_not(row_holds(NULL, &status));
}

/* Where mtime is ctime, a write within the same step would not be seen. */
Test(etag, no_row_that_a_write_could_hide_behind)
{
    static const uint8_t digest[32] = {1};
    struct row row;
    struct statx status = file_at(100 * SECOND + 1, 100 * SECOND + 1);
    cr_assert_not(row_make(&status, digest, NULL, &row));
}

Test(etag, rows_as_bytes)
{
    static const uint8_t digest[32] = {9, 8, 7};
    struct statx status = file_at(99 * SECOND, 100 * SECOND + 1);
    struct row row, back = {0};
    uint8_t bytes[ROW_SIZE_MAX + 1];
    status.stx_mtime.tv_sec = -5;
    cr_assert(row_make(&status, digest, NULL, &row));
    cr_assert_eq(row_pack(&row, bytes), ROW_SIZE);
    cr_assert(row_unpack(qn_span(bytes, ROW_SIZE), &back));
    cr_assert(row_holds(&back, &status));
    cr_assert_arr_eq(back.digest, digest, sizeof(digest));
    cr_assert_null(row_weak(&back));
    cr_assert_not(row_unpack(qn_span(bytes, ROW_SIZE - 1), &back));
    cr_assert_not(row_unpack(qn_span(bytes, ROW_SIZE + 1), &back));
    bytes[0]++;
    cr_assert_not(row_unpack(qn_span(bytes, ROW_SIZE), &back));
}

Test(etag, times_beyond_the_type_saturate)
{
    struct statx_timestamp time = {.tv_sec = INT64_MAX};
    cr_assert_eq(time_ns(&time), INT64_MAX);
    time.tv_sec = INT64_MIN;
    cr_assert_lt(time_ns(&time), INT64_MIN + 2);
}

Test(etag, what_is_expected)
{
    struct statx file = file_at(100 * SECOND + 1, 100 * SECOND + 1), dir = file;
    dir.stx_mode = S_IFDIR | 0755;
    struct qn_folder_expect nothing = {0}, there = {.must_exist = true},
                            not_there = {.must_not_exist = true}, tag = {0};
    struct qn_entry_info entry = describe(&file, NULL, 200 * SECOND);
    memcpy(tag.etag, entry.etag, sizeof(tag.etag));
    cr_assert_eq(entry_judge(&nothing, NULL, NULL, 0), QN_OK);
    cr_assert_eq(entry_judge(&there, NULL, NULL, 0), QN_ERR_CONFLICT);
    cr_assert_eq(entry_judge(&there, &file, NULL, 200 * SECOND), QN_OK);
    cr_assert_eq(entry_judge(&not_there, &file, NULL, 200 * SECOND), QN_ERR_CONFLICT);
    cr_assert_eq(entry_judge(&not_there, NULL, NULL, 0), QN_OK);
    cr_assert_eq(entry_judge(&tag, &file, NULL, 200 * SECOND), QN_OK);
    cr_assert_eq(entry_judge(&tag, NULL, NULL, 0), QN_ERR_CONFLICT);
    cr_assert_eq(entry_judge(&tag, &dir, NULL, 200 * SECOND), QN_ERR_CONFLICT);
    file.stx_size++;
    cr_assert_eq(entry_judge(&tag, &file, NULL, 200 * SECOND), QN_ERR_CONFLICT);
}

Test(etag, rows_with_weak_digests_as_bytes)
{
    static const uint8_t digest[32] = {9, 8, 7};
    static const struct qn_weak_digests weak = {.sha1 = {6, 5}, .md5 = {4}};
    struct statx status = file_at(99 * SECOND, 100 * SECOND + 1);
    struct row row, back = {0};
    uint8_t bytes[ROW_SIZE_MAX + 1] = {0};
    cr_assert(row_make(&status, digest, &weak, &row));
    cr_assert_eq(row_pack(&row, bytes), ROW_SIZE_MAX);
    cr_assert(row_unpack(qn_span(bytes, ROW_SIZE_MAX), &back));
    cr_assert(row_holds(&back, &status));
    cr_assert_arr_eq(back.digest, digest, sizeof(digest));
    cr_assert_eq(memcmp(row_weak(&back), &weak, sizeof(weak)), 0);
    cr_assert_not(row_unpack(qn_span(bytes, ROW_SIZE), &back));
    cr_assert_not(row_unpack(qn_span(bytes, ROW_SIZE_MAX + 1), &back));
}
