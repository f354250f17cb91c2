#include "csv.h"

#define ROW_SIZE_MAX (1024 * 1024)
#define CELLS_MAX    4097

void ctl_csv_init(struct ctl_csv *csv, FILE *file)
{
    *csv = (struct ctl_csv){.file = file, .line = 1};
    qn_buf_init(&csv->text, ROW_SIZE_MAX);
    static const uint8_t mark[] = {0xef, 0xbb, 0xbf}; /* some spreadsheets write one */
    uint8_t begin[3];
    if (fread(begin, 1, 3, file) != 3 || memcmp(begin, mark, 3) != 0)
        rewind(file);
}

void ctl_csv_deinit(struct ctl_csv *csv)
{
    qn_buf_deinit(&csv->text);
    qn_vec_free(&csv->cells);
}

static bool is_separator(const struct ctl_csv *csv, int letter)
{
    if (csv->separator != '\0')
        return letter == csv->separator;
    return letter == ',' || letter == ';' || letter == '\t';
}

static int next_byte(struct ctl_csv *csv)
{
    int letter = getc_unlocked(csv->file);
    if (letter == '\n')
        csv->line++;
    return letter;
}

/* Outside quotes a line's end is "\n", "\r\n" or the end of the file; '\n' for the first two. */
static int next_letter(struct ctl_csv *csv)
{
    int letter = next_byte(csv);
    if (letter != '\r')
        return letter;
    int next = next_byte(csv);
    if (next != '\n' && next != EOF)
        ungetc(next, csv->file);
    return next == '\n' ? next : letter;
}

/* Behind the opening quote; gives what follows the closing one. Line breaks stay as they are: what
 * was exported comes back. */
static enum qn_err read_quoted(struct ctl_csv *csv, int *ret_next)
{
    for (;;) {
        int letter = next_byte(csv);
        if (letter == EOF)
            return QN_ERR_INVALID;
        if (letter == '"') {
            letter = next_letter(csv);
            if (letter != '"') {
                *ret_next = letter;
                return QN_OK;
            }
        }
        qn_buf_append_u8(&csv->text, (uint8_t)letter);
        if (csv->text.is_over)
            return QN_ERR_LIMIT;
    }
}

static bool is_cell_end(const struct ctl_csv *csv, int letter)
{
    return letter == EOF || letter == '\n' || is_separator(csv, letter);
}

/* One cell; gives the letter that ended it. */
static enum qn_err read_cell(struct ctl_csv *csv, int *ret_end)
{
    struct ctl_csv_cell *cell = qn_vec_push_slot(&csv->cells);
    *cell = (struct ctl_csv_cell){.at = csv->text.size};
    int letter = next_letter(csv);
    if (letter == '"') {
        cell->is_quoted = true;
        QN_TRY(read_quoted(csv, &letter));
        if (!is_cell_end(csv, letter))
            return QN_ERR_INVALID;
    }
    for (; !is_cell_end(csv, letter); letter = next_letter(csv)) {
        qn_buf_append_u8(&csv->text, (uint8_t)letter);
        if (csv->text.is_over)
            return QN_ERR_LIMIT;
    }
    cell->size = csv->text.size - cell->at;
    *ret_end = letter;
    return QN_OK;
}

static enum qn_err read_row(struct ctl_csv *csv, int *ret_end)
{
    qn_buf_reset(&csv->text);
    csv->cells.count = 0;
    csv->row_line = csv->line;
    do {
        if (csv->cells.count == CELLS_MAX)
            return QN_ERR_LIMIT;
        QN_TRY(read_cell(csv, ret_end));
        if (csv->separator == '\0' && is_separator(csv, *ret_end))
            csv->separator = (char)*ret_end;
    } while (*ret_end != EOF && *ret_end != '\n');
    return QN_OK;
}

enum qn_err ctl_csv_next(struct ctl_csv *csv)
{
    for (;;) {
        int end;
        QN_TRY(read_row(csv, &end));
        bool is_blank =
            csv->cells.count == 1 && csv->text.size == 0 && !csv->cells.items[0].is_quoted;
        if (!is_blank)
            return QN_OK;
        if (end == EOF)
            return QN_ERR_CLOSED;
    }
}

struct qn_span ctl_csv_cell(const struct ctl_csv *csv, size_t index)
{
    const struct ctl_csv_cell *cell = &csv->cells.items[index];
    return qn_span(csv->text.data + cell->at, cell->size);
}

void ctl_csv_put(FILE *out, struct qn_span text)
{
    bool is_plain = text.size > 0;
    for (size_t i = 0; is_plain && i < text.size; i++)
        is_plain = memchr(",;\t\"\r\n", text.data[i], 6) == NULL;
    if (is_plain) {
        fwrite(text.data, 1, text.size, out);
        return;
    }
    fputc('"', out);
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '"')
            fputc('"', out);
        fputc(text.data[i], out);
    }
    fputc('"', out);
}
