/* The first few of what a run could not do, as a text that an alert shows. */
#include "core/args.h"
#include "core/backup.h"

#define FIRST_MAX 3
#define SHOWN_MAX 64 /* bytes of one of them */
#define WORDS_MAX 96 /* and of what a command said last */

/* Bytes that may be anything, as printable text: its end if it is long, since names differ there.
 */
static void append_shown(struct qn_buf *out, struct qn_span bytes, size_t size_max)
{
    bool is_cut = bytes.size > size_max;
    if (is_cut)
        bytes = qn_span_from(bytes, bytes.size - size_max);
    while (is_cut && bytes.size > 0 && (bytes.data[0] & 0xc0) == 0x80)
        bytes = qn_span_from(bytes, 1); /* not in the middle of a letter */
    if (is_cut)
        qn_buf_append_str(out, "...");
    if (qn_text_is_printable(bytes)) {
        qn_buf_append_span(out, bytes);
        return;
    }
    for (size_t i = 0; i < bytes.size; i++)
        qn_buf_append_u8(out, bytes.data[i] < ' ' || bytes.data[i] > '~' ? '?' : bytes.data[i]);
}

/* The last line with something in it. */
static struct qn_span last_line(struct qn_span text)
{
    while (text.size > 0 && text.data[text.size - 1] <= ' ')
        text.size--;
    size_t at = text.size;
    while (at > 0 && text.data[at - 1] != '\n')
        at--;
    return qn_span_from(text, at);
}

static struct qn_span bin_of(struct qn_span problem, const char *key)
{
    struct qn_cursor cursor = qn_cursor(args_value(problem, key));
    struct qn_span bytes;
    return qn_cursor_bin(&cursor, SIZE_MAX, &bytes) == QN_OK ? bytes : qn_span(NULL, 0);
}

/* One that has no room any more is left out, as are those behind the first few. */
void problem_note(struct qn_core *core, struct qn_span problem)
{
    struct running *running = &core->backup->running;
    struct qn_span said = last_line(bin_of(problem, "text"));
    QN_AUTO_BUF struct qn_buf text;
    qn_buf_init(&text, QN_PLAN_FIRST_SIZE_MAX);
    if (running->first_count > FIRST_MAX)
        return;
    if (running->first.size > 0)
        qn_buf_append_str(&text, ", ");
    if (running->first_count == FIRST_MAX)
        qn_buf_append_str(&text, "...");
    else
        append_shown(&text, bin_of(problem, "path"), SHOWN_MAX);
    if (said.size > 0 && running->first_count < FIRST_MAX) {
        qn_buf_append_str(&text, ": ");
        append_shown(&text, said, WORDS_MAX);
    }
    running->first_count++;
    if (running->first.size + text.size <= QN_PLAN_FIRST_SIZE_MAX)
        qn_buf_append_span(&running->first, qn_buf_view(&text));
}
