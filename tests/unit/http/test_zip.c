/* Archives byte by byte, and what a reader of ours (by the directory at the end) finds in them.
 * That other programs read them is tried in tests/integ/api.sh. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "base/mem.h"
#include "http/zip.c"
#include "support/span.h"

static uint64_t get(struct qn_span bytes, size_t at, size_t size)
{
    uint64_t value = 0;
    cr_assert_leq(at + size, bytes.size);
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)bytes.data[at + i] << 8 * i;
    return value;
}

Test(zip, checksums)
{
    cr_assert_eq(qn_crc32(0, SPAN("")), 0);
    cr_assert_eq(qn_crc32(0, SPAN("123456789")), 0xcbf43926);
    cr_assert_eq(qn_crc32(0, SPAN("The quick brown fox jumps over the lazy dog")), 0x414fa339);
    struct qn_span text = SPAN("The quick brown fox jumps over the lazy dog");
    for (size_t cut = 0; cut <= text.size; cut++)
        cr_assert_eq(qn_crc32(qn_crc32(0, qn_span(text.data, cut)), qn_span_from(text, cut)),
                     0x414fa339);
}

static void add(struct qn_zip *zip, const char *path, const char *content, struct qn_buf *out)
{
    struct qn_zip_entry entry = {.path = qn_span_str(path),
                                 .is_directory = content == NULL,
                                 .size = content == NULL ? 0 : strlen(content),
                                 .modified_s = 1700000001};
    cr_assert_eq(qn_zip_entry(zip, &entry, out), QN_OK);
    if (content != NULL) {
        qn_zip_content(zip, qn_span_str(content));
        qn_buf_append_str(out, content);
    }
    cr_assert_eq(qn_zip_entry_end(zip, out), QN_OK);
}

Test(zip, a_small_one)
{
    struct qn_zip *zip = qn_zip_new();
    struct qn_buf out;
    qn_buf_init(&out, 65536);
    add(zip, "d\xc3\xa9", NULL, &out);
    add(zip, "d\xc3\xa9/a.txt", "123456789", &out);
    while (qn_zip_end(zip, &out))
        ;
    struct qn_span bytes = qn_buf_view(&out);
    size_t end = bytes.size - 22;
    cr_assert_eq(get(bytes, end, 4), 0x06054b50);
    cr_assert_eq(get(bytes, end + 10, 2), 2);
    size_t directory = get(bytes, end + 16, 4);
    cr_assert_eq(directory + get(bytes, end + 12, 4), end);
    cr_assert_eq(get(bytes, directory, 4), 0x02014b50);
    size_t second = directory + 46 + get(bytes, directory + 28, 2) + get(bytes, directory + 30, 2);
    cr_assert_eq(get(bytes, second, 4), 0x02014b50);
    cr_assert_eq(get(bytes, second + 16, 4), 0xcbf43926);
    cr_assert_eq(get(bytes, second + 24, 4), 9);
    assert_span_eq(qn_span(bytes.data + second + 46, 9), SPAN("d\xc3\xa9/a.txt"));
    size_t local = get(bytes, second + 42, 4);
    cr_assert_eq(get(bytes, local, 4), 0x04034b50);
    cr_assert_eq(get(bytes, local + 6, 2), 0x0808);
    cr_assert_eq(get(bytes, local + 10, 2), 22 << 11 | 13 << 5 | 10); /* 2023-11-14 22:13:21 */
    cr_assert_eq(get(bytes, local + 12, 2), 43 << 9 | 11 << 5 | 14);
    size_t content = local + 30 + get(bytes, local + 26, 2) + get(bytes, local + 28, 2);
    assert_span_eq(qn_span(bytes.data + content, 9), SPAN("123456789"));
    cr_assert_eq(get(bytes, content + 9, 4), 0x08074b50);
    cr_assert_eq(get(bytes, content + 13, 4), 0xcbf43926);
    qn_buf_deinit(&out);
    qn_zip_free(zip);
}

Test(zip, empty)
{
    struct qn_zip *zip = qn_zip_new();
    struct qn_buf out;
    qn_buf_init(&out, 64);
    cr_assert(qn_zip_end(zip, &out));
    cr_assert(!qn_zip_end(zip, &out));
    cr_assert_eq(out.size, 22);
    qn_buf_deinit(&out);
    qn_zip_free(zip);
}

/* The five thousand million bytes are only counted. */
Test(zip, larger_than_the_old_format)
{
    uint64_t size = (uint64_t)5 << 30;
    struct qn_zip *zip = qn_zip_new();
    struct qn_buf out;
    qn_buf_init(&out, 65536);
    struct qn_zip_entry entry = {.path = SPAN("big"), .size = size, .modified_s = 0};
    cr_assert_eq(qn_zip_entry(zip, &entry, &out), QN_OK);
    size_t local = out.size;
    cr_assert_eq(get(qn_buf_view(&out), 18, 4), 0xffffffff);
    zip->left -= size;
    zip->at += size;
    cr_assert_eq(qn_zip_entry_end(zip, &out), QN_OK);
    cr_assert_eq(out.size, local + 24, "sizes of 8 bytes");
    add(zip, "a", "x", &out);
    while (qn_zip_end(zip, &out))
        ;
    struct qn_span bytes = qn_buf_view(&out);
    size_t end = bytes.size - 22, end64 = end - 20 - 56;
    cr_assert_eq(get(bytes, end + 16, 4), 0xffffffff);
    cr_assert_eq(get(bytes, end - 20, 4), 0x07064b50);
    cr_assert_eq(get(bytes, end64, 4), 0x06064b50);
    cr_assert_eq(get(bytes, end64 + 24, 8), 2);
    cr_assert_eq(get(bytes, end64 + 48, 8) + get(bytes, end64 + 40, 8),
                 get(bytes, end - 20 + 8, 8));
    cr_assert_gt(get(bytes, end64 + 48, 8), size);
    qn_buf_deinit(&out);
    qn_zip_free(zip);
}

Test(zip, more_entries_than_the_old_format)
{
    struct qn_zip *zip = qn_zip_new();
    struct qn_buf out;
    qn_buf_init(&out, 65536);
    for (int i = 0; i < 70000; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "%d", i);
        qn_buf_reset(&out);
        add(zip, name, "", &out);
    }
    uint64_t total = 0;
    for (qn_buf_reset(&out); qn_zip_end(zip, &out);) {
        total += out.size;
        if (out.size >= 22 && get(qn_buf_view(&out), out.size - 22, 4) == 0x06054b50) {
            cr_assert_eq(get(qn_buf_view(&out), out.size - 12, 2), 0xffff);
            cr_assert_eq(get(qn_buf_view(&out), out.size - 22 - 76 + 24, 8), 70000);
        }
        qn_buf_reset(&out);
    }
    cr_assert_gt(total, 70000 * 46);
    qn_buf_deinit(&out);
    qn_zip_free(zip);
}

Test(zip, contents_of_another_length)
{
    struct qn_zip *zip = qn_zip_new();
    struct qn_buf out;
    qn_buf_init(&out, 4096);
    struct qn_zip_entry entry = {.path = SPAN("a"), .size = 3};
    cr_assert_eq(qn_zip_entry(zip, &entry, &out), QN_OK);
    qn_zip_content(zip, SPAN("ab"));
    cr_assert_eq(qn_zip_entry_end(zip, &out), QN_ERR_STATE);
    qn_zip_content(zip, SPAN("cd"));
    cr_assert_eq(qn_zip_entry_end(zip, &out), QN_ERR_STATE);
    entry.path = SPAN("");
    cr_assert_eq(qn_zip_entry(zip, &entry, &out), QN_ERR_LIMIT);
    qn_buf_deinit(&out);
    qn_zip_free(zip);
}
