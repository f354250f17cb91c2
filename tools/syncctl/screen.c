#include "screen.h"

#include <time.h>

#include "app/words.h"
#include "base/assert.h"
#include "base/mem.h"
#include "base/text.h"
#include "i18n.h"

static size_t letter_size(struct qn_span text)
{
    uint8_t first = text.data[0];
    size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    bool is_whole = size <= text.size && qn_text_is_utf8(qn_span(text.data, size));
    return is_whole ? size : 0;
}

static void append_letter(struct qn_buf *out, struct qn_span letter)
{
    if (qn_text_is_printable(letter))
        qn_buf_append_span(out, letter);
    else if (letter.data[0] == '\n')
        qn_buf_append_str(out, "\\n");
    else if (letter.data[0] == '\t')
        qn_buf_append_str(out, "\\t");
    else
        qn_buf_printf(out, "\\u%04x", letter.data[letter.size - 1]);
}

void ctl_append_text(struct qn_buf *out, struct qn_span text)
{
    while (text.size > 0) {
        size_t size = letter_size(text);
        if (size == 0)
            qn_buf_printf(out, "\\x%02x", text.data[0]);
        else
            append_letter(out, qn_span(text.data, size));
        text = qn_span_from(text, size == 0 ? 1 : size);
    }
}

void ctl_put_raw(FILE *out, struct qn_span bytes)
{
    if (bytes.size > 0) /* fwrite() takes no NULL */
        fwrite(bytes.data, 1, bytes.size, out);
}

void ctl_put_text(FILE *out, struct qn_span text)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, text.size * 6 + 1);
    ctl_append_text(&buf, text);
    ctl_put_raw(out, qn_buf_view(&buf));
}

char *ctl_dup_text(struct qn_span text)
{
    char *copy = qn_alloc_zero(text.size + 1);
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    return copy;
}

void ctl_append_time(struct qn_buf *out, uint64_t time_ms)
{
    qn_words_append_time(out, time_ms);
}

void ctl_append_ago(struct qn_buf *out, uint64_t now_ms, uint64_t time_ms)
{
    qn_words_append_ago(out, now_ms, time_ms);
}

void ctl_grid_init(struct ctl_grid *grid, size_t columns)
{
    QN_ASSERT(columns > 0 && columns <= CTL_GRID_COLUMNS_MAX);
    *grid = (struct ctl_grid){.columns = columns};
}

void ctl_grid_add(struct ctl_grid *grid, struct qn_span cell)
{
    QN_AUTO_BUF struct qn_buf buf;
    qn_buf_init(&buf, cell.size * 6 + 1);
    ctl_append_text(&buf, cell);
    qn_buf_append_u8(&buf, 0);
    qn_vec_push(&grid->cells, qn_strdup((const char *)buf.data));
}

void ctl_grid_add_str(struct ctl_grid *grid, const char *cell)
{
    ctl_grid_add(grid, qn_span_str(cell));
}

static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void measure(const struct ctl_grid *grid, size_t *widths)
{
    for (size_t i = 0; i < grid->cells.count; i++) {
        size_t width = width_of(grid->cells.items[i]);
        if (width > widths[i % grid->columns])
            widths[i % grid->columns] = width;
    }
}

static void put_cell(FILE *out, const char *cell, size_t width, bool is_last)
{
    fputs(cell, out);
    for (size_t at = width_of(cell); !is_last && at < width + 2; at++)
        fputc(' ', out);
    if (is_last)
        fputc('\n', out);
}

void ctl_grid_print(const struct ctl_grid *grid, FILE *out, const char *indent, bool is_plain)
{
    size_t widths[CTL_GRID_COLUMNS_MAX] = {0};
    measure(grid, widths);
    for (size_t i = is_plain ? grid->columns : 0; i < grid->cells.count; i++) {
        bool is_last = (i + 1) % grid->columns == 0;
        if (is_plain) {
            fprintf(out, "%s%c", grid->cells.items[i], is_last ? '\n' : '\t');
            continue;
        }
        if (i % grid->columns == 0)
            fputs(indent, out);
        put_cell(out, grid->cells.items[i], widths[i % grid->columns], is_last);
    }
}

void ctl_grid_deinit(struct ctl_grid *grid)
{
    for (size_t i = 0; i < grid->cells.count; i++)
        qn_free(grid->cells.items[i]);
    qn_vec_free(&grid->cells);
}

void ctl_append_size(struct qn_buf *out, uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        value /= 1024;
        unit++;
    }
    qn_buf_printf(out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

uint64_t ctl_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void ctl_progress_begin(struct ctl_progress *progress, FILE *out, uint64_t total)
{
    *progress = (struct ctl_progress){.out = out, .total = total, .started_ms = ctl_now_ms()};
}

static void print_progress(const struct ctl_progress *progress, uint64_t done, uint64_t now_ms)
{
    double seconds = (double)(now_ms - progress->started_ms) / 1000;
    double rate = (double)done / seconds;
    fprintf(progress->out, "\r\033[K");
    if (progress->total == 0 || done == 0) {
        fprintf(progress->out, _("%llu records, %.0f a second"), (unsigned long long)done, rate);
        return;
    }
    double left = (double)(progress->total - done) / rate;
    fprintf(progress->out, _("%llu of %llu records, %.0f a second, %.0f s left"),
            (unsigned long long)done, (unsigned long long)progress->total, rate, left);
}

/* Whether a line is to be printed now. */
static bool is_due(struct ctl_progress *progress, uint64_t now_ms)
{
    if (progress->out == NULL || now_ms < progress->started_ms + 1000 ||
        now_ms < progress->shown_ms + 200)
        return false;
    progress->shown_ms = now_ms;
    progress->is_shown = true;
    return true;
}

void ctl_progress_show(struct ctl_progress *progress, uint64_t done)
{
    uint64_t now_ms = ctl_now_ms();
    if (!is_due(progress, now_ms))
        return;
    print_progress(progress, done, now_ms);
    fflush(progress->out);
}

static void append_left(struct qn_buf *out, uint64_t seconds)
{
    if (seconds < 120)
        qn_buf_printf(out, _(", %llu s left"), (unsigned long long)seconds);
    else if (seconds < 7200)
        qn_buf_printf(out, _(", %llu min left"), (unsigned long long)seconds / 60);
    else if (seconds < 172800)
        qn_buf_printf(out, _(", %llu h left"), (unsigned long long)seconds / 3600);
    else
        qn_buf_printf(out, _(", %llu days left"), (unsigned long long)seconds / 86400);
}

void ctl_progress_bytes(struct ctl_progress *progress, const struct ctl_work_done *work)
{
    QN_AUTO_BUF struct qn_buf line;
    qn_buf_init(&line, 512);
    if (!is_due(progress, ctl_now_ms()))
        return;
    qn_buf_printf(&line, _("%s: "), work->what);
    ctl_append_size(&line, work->done);
    if (work->total > 0) {
        qn_buf_append_str(&line, _(" of "));
        ctl_append_size(&line, work->total);
    }
    qn_buf_append_str(&line, ", ");
    ctl_append_size(&line, work->rate);
    qn_buf_append_str(&line, _(" a second"));
    if (work->rate > 0 && work->total > work->done)
        append_left(&line, (work->total - work->done) / work->rate);
    fprintf(progress->out, "\r\033[K%.*s", (int)line.size, (const char *)line.data);
    fflush(progress->out);
}

void ctl_progress_end(struct ctl_progress *progress)
{
    if (progress->is_shown)
        fprintf(progress->out, "\r\033[K");
    progress->is_shown = false;
}
