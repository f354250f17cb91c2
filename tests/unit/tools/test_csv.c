#include <criterion/criterion.h>
#include <stdlib.h>

#include "proto/cursor.h"
#include "syncctl/json_out.h"
#include "syncctl/source.h"

static FILE *file_of(const char *text)
{
    FILE *file = tmpfile();
    fputs(text, file);
    rewind(file);
    return file;
}

static void expect(struct ctl_csv *csv, size_t count, const char **cells)
{
    cr_assert_eq(ctl_csv_next(csv), QN_OK);
    cr_assert_eq(csv->cells.count, count);
    for (size_t i = 0; i < count; i++)
        cr_assert(qn_span_eq_str(ctl_csv_cell(csv, i), cells[i]), "%s", cells[i]);
}

Test(csv, rows)
{
    FILE *file = file_of("\xef\xbb\xbf"
                         "a,b\r\n\"x \"\"y\"\"\",\"1\n2\"\n\n,\"\"\nlast,");
    struct ctl_csv csv;
    ctl_csv_init(&csv, file);
    expect(&csv, 2, (const char *[]){"a", "b"});
    expect(&csv, 2, (const char *[]){"x \"y\"", "1\n2"});
    cr_assert_eq(csv.row_line, 2);
    expect(&csv, 2, (const char *[]){"", ""});
    cr_assert(!csv.cells.items[0].is_quoted && csv.cells.items[1].is_quoted);
    cr_assert_eq(csv.row_line, 5);
    expect(&csv, 2, (const char *[]){"last", ""});
    cr_assert_eq(ctl_csv_next(&csv), QN_ERR_CLOSED);
    ctl_csv_deinit(&csv);
    fclose(file);
}

/* What is exported comes back as it was: also line breaks, quotes, and a lone carriage return. */
Test(csv, texts_come_back)
{
    static const char *const texts[] = {"a\r\nb", "\r",       "\n",  "\r\n\r\n",
                                        "\"",     "a,b;c\td", " x ", ""};
    FILE *file = tmpfile();
    size_t count = sizeof(texts) / sizeof(texts[0]);
    for (size_t i = 0; i < count; i++) {
        ctl_csv_put(file, qn_span_str("k"));
        fputc(',', file);
        ctl_csv_put(file, qn_span_str(texts[i]));
        fputs("\r\n", file);
    }
    rewind(file);
    struct ctl_csv csv;
    ctl_csv_init(&csv, file);
    for (size_t i = 0; i < count; i++)
        expect(&csv, 2, (const char *[]){"k", texts[i]});
    cr_assert_eq(ctl_csv_next(&csv), QN_ERR_CLOSED);
    ctl_csv_deinit(&csv);
    fclose(file);
}

Test(csv, semicolons)
{
    FILE *file = file_of("a;b\n1,5;2\n");
    struct ctl_csv csv;
    ctl_csv_init(&csv, file);
    expect(&csv, 2, (const char *[]){"a", "b"});
    expect(&csv, 2, (const char *[]){"1,5", "2"});
    ctl_csv_deinit(&csv);
    fclose(file);
}

Test(csv, broken)
{
    static const char *const cases[] = {"\"a", "\"a\"b,c\n"};
    for (size_t i = 0; i < 2; i++) {
        FILE *file = file_of(cases[i]);
        struct ctl_csv csv;
        ctl_csv_init(&csv, file);
        cr_assert_eq(ctl_csv_next(&csv), QN_ERR_INVALID, "%s", cases[i]);
        ctl_csv_deinit(&csv);
        fclose(file);
    }
}

/* The number of the line that is refused; 0 if none is. */
static size_t refused_line(enum ctl_format format, const char *text, size_t *ret_count)
{
    FILE *file = file_of(text);
    struct ctl_source source;
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 1024 * 1024);
    enum qn_err err = ctl_source_open(&source, file, format, "id");
    for (*ret_count = 0; err == QN_OK; *ret_count += err == QN_OK)
        err = ctl_source_next(&source, &out);
    size_t number = err == QN_ERR_CLOSED ? 0 : source.number;
    ctl_source_close(&source);
    fclose(file);
    return number;
}

Test(source, lines_are_checked)
{
    size_t count;
    cr_assert_eq(refused_line(CTL_JSONL, "{\"id\":1,\"a\":1}\n\n{\"id\":\"b\",\"a\":2}", &count),
                 0);
    cr_assert_eq(count, 2);
    cr_assert_eq(refused_line(CTL_JSONL, "{\"id\":1,\"a\":1}\n{\"a\":2}\n", &count), 2);
    cr_assert_eq(refused_line(CTL_JSONL, "{\"id\":1,\"a\":1}\n\n{\"id\":2\n", &count), 3);
    cr_assert_eq(refused_line(CTL_JSONL, "{\"id\":1.5}\n", &count), 1);
    cr_assert_eq(refused_line(CTL_JSONL, "[]\n", &count), 1);
    cr_assert_eq(refused_line(CTL_CSV, "id,a\n1,2\n3\n", &count), 3);
    cr_assert_eq(refused_line(CTL_CSV, "id,a\n1,\"x\ny\"\n,2\n", &count), 4);
    cr_assert_eq(refused_line(CTL_CSV, "a,b\n1,2\n", &count), 1);
    cr_assert_eq(refused_line(CTL_CSV, "id,a,a\n", &count), 1);
    cr_assert_eq(refused_line(CTL_CSV, "id,a\n1,\xff\n", &count), 2);
}

Test(source, a_line_that_is_too_long_is_named)
{
    size_t count, size = 1024 * 1024 + 100;
    char *text = malloc(size + 1);
    memset(text, 'x', size);
    memcpy(text, "{\"id\":1,\"a\":1}\n", 15);
    text[size] = '\0';
    cr_assert_eq(refused_line(CTL_JSONL, text, &count), 2);
    memcpy(text, "id,aaaaaaaaaaaa\n", 16);
    cr_assert_eq(refused_line(CTL_CSV, text, &count), 2);
    cr_assert_eq(refused_line(CTL_CSV, text + 16, &count), 1);
    free(text);
}

/* A record has at least one field. */
Test(source, a_key_alone_is_skipped)
{
    static const struct {
        enum ctl_format format;
        const char *text;
        size_t count, skipped;
    } cases[] = {
        {CTL_CSV, "id,a\n1,\n2,x\n3,\n", 1, 2},
        {CTL_CSV, "id,a\n1,\"\"\n", 1, 0},
        {CTL_CSV, "id\n1\n2\n", 0, 2},
        {CTL_JSONL, "{\"id\":1}\n{\"id\":2,\"a\":null}\n", 1, 1},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        FILE *file = file_of(cases[i].text);
        struct ctl_source source;
        QN_AUTO_BUF struct qn_buf out;
        qn_buf_init(&out, 1024 * 1024);
        size_t count = 0;
        enum qn_err err = ctl_source_open(&source, file, cases[i].format, "id");
        for (; err == QN_OK; count += err == QN_OK)
            err = ctl_source_next(&source, &out);
        cr_assert_eq(err, QN_ERR_CLOSED, "case %zu: %s", i, source.problem);
        cr_assert_eq(count, cases[i].count, "case %zu", i);
        cr_assert_eq(source.skipped, cases[i].skipped, "case %zu", i);
        ctl_source_close(&source);
        fclose(file);
    }
    size_t count;
    cr_assert_eq(refused_line(CTL_CSV, "id,a\n,\n", &count), 2); /* not even a key */
}
