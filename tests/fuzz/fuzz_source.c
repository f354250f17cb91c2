/* Files of records: the first byte says whether the rest is CSV. Whatever it holds, a record that
 * is accepted has a key and fields that the daemon takes; and the cells of a row, written again,
 * are read as they were. */
#include "base/limits.h"
#include "proto/cursor.h"
#include "support/fuzz.h"
#include "syncctl/check.h"
#include "syncctl/source.h"

static FILE *open_span(struct qn_span input)
{
    FILE *file = tmpfile();
    FUZZ_CHECK(file != NULL);
    fwrite(input.data, 1, input.size, file);
    rewind(file);
    return file;
}

static void check_record(struct qn_span record)
{
    struct qn_cursor cursor = qn_cursor(record);
    struct qn_span key, fields, about;
    size_t count;
    FUZZ_CHECK(qn_cursor_array(&cursor, 2, &count) == QN_OK && count == 2);
    FUZZ_CHECK(qn_cursor_str(&cursor, QN_KEY_SIZE_MAX, &key) == QN_OK);
    FUZZ_CHECK(ctl_check_key(key) == NULL);
    FUZZ_CHECK(qn_cursor_skip(&cursor, QN_VALUE_DEPTH_MAX + 1, &fields) == QN_OK);
    FUZZ_CHECK(ctl_check_fields(fields, &about) == NULL);
    FUZZ_CHECK(qn_cursor_finish(&cursor) == QN_OK);
}

static void read_records(FILE *file, enum ctl_format format)
{
    struct ctl_source source;
    QN_AUTO_BUF struct qn_buf record;
    qn_buf_init(&record, 512 * 1024);
    enum qn_err err = ctl_source_open(&source, file, format, "id");
    while (err == QN_OK) {
        qn_buf_reset(&record);
        err = ctl_source_next(&source, &record);
        if (err == QN_OK)
            check_record(qn_buf_view(&record));
    }
    FUZZ_CHECK(err == QN_ERR_CLOSED || (err == QN_ERR_INVALID && source.problem[0] != '\0'));
    ctl_source_close(&source);
}

static void check_same_row(struct ctl_csv *csv, const struct ctl_csv *other)
{
    FUZZ_CHECK(csv->cells.count == other->cells.count + 1);
    for (size_t i = 0; i < other->cells.count; i++)
        FUZZ_CHECK(qn_span_eq(ctl_csv_cell(csv, i + 1), ctl_csv_cell(other, i)));
}

/* Behind one more cell, since a file may not begin with what looks like a byte order mark. */
static void write_row(const struct ctl_csv *csv, FILE *out)
{
    fputs("first", out);
    for (size_t i = 0; i < csv->cells.count; i++) {
        fputc(csv->separator != '\0' ? csv->separator : ',', out);
        ctl_csv_put(out, ctl_csv_cell(csv, i));
    }
    fputs("\r\n", out);
}

static void write_again(FILE *file)
{
    struct ctl_csv csv, again;
    rewind(file);
    ctl_csv_init(&csv, file);
    while (ctl_csv_next(&csv) == QN_OK) {
        FILE *row = tmpfile();
        FUZZ_CHECK(row != NULL);
        write_row(&csv, row);
        rewind(row);
        ctl_csv_init(&again, row);
        again.separator = csv.separator;
        FUZZ_CHECK(ctl_csv_next(&again) == QN_OK);
        check_same_row(&again, &csv);
        ctl_csv_deinit(&again);
        fclose(row);
    }
    ctl_csv_deinit(&csv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum ctl_format format = data[0] % 2 == 1 ? CTL_CSV : CTL_JSONL;
    FILE *file = open_span(qn_span(data + 1, size - 1));
    read_records(file, format);
    if (format == CTL_CSV)
        write_again(file);
    fclose(file);
    return 0;
}
