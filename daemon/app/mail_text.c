#include "app/mail_text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "app/i18n.h"
#include "app/words.h"
#include "words/alert_words.h"

#define LINE_MAX_CHARS   75 /* and a '=' that says that it goes on */
#define WORD_MAX_CHARS   60 /* of an encoded word, without its brackets */
#define SUBJECT_SIZE_MAX 200
#define TEXT_SIZE_MAX    4096

/* ---- encodings ---- */

static void append_hex(struct qn_buf *out, uint8_t byte)
{
    qn_buf_printf(out, "=%02X", byte);
}

static bool is_plain(struct qn_span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' || text.data[i] > '~')
            return false;
    return memmem(text.data, text.size, "=?", 2) == NULL;
}

static bool is_letter(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z');
}

/* How many bytes the letter at `at` has. */
static size_t letter_size(struct qn_span text, size_t at)
{
    size_t size = 1;
    while (at + size < text.size && (text.data[at + size] & 0xc0) == 0x80)
        size++;
    return size;
}

static void append_letter(struct qn_buf *out, struct qn_span letter)
{
    for (size_t i = 0; i < letter.size; i++) {
        if (is_letter(letter.data[i]))
            qn_buf_append_u8(out, letter.data[i]);
        else if (letter.data[i] == ' ')
            qn_buf_append_u8(out, '_');
        else
            append_hex(out, letter.data[i]);
    }
}

/* Words of "=?UTF-8?Q?...?=", none of which cuts a letter in two. */
static void append_encoded(struct qn_buf *out, struct qn_span text)
{
    size_t begin = 0;
    for (size_t at = 0; at < text.size;) {
        size_t size = letter_size(text, at);
        if (at == 0 || out->size - begin + 3 * size > WORD_MAX_CHARS) {
            qn_buf_append_str(out, at == 0 ? "=?UTF-8?Q?" : "?=\n =?UTF-8?Q?");
            begin = out->size;
        }
        append_letter(out, qn_span(text.data + at, size));
        at += size;
    }
    qn_buf_append_str(out, "?=");
}

void qn_mail_append_words(struct qn_buf *out, struct qn_span text)
{
    if (is_plain(text) && text.size <= WORD_MAX_CHARS)
        qn_buf_append_span(out, text);
    else
        append_encoded(out, text);
}

static bool is_quoted(struct qn_span text, size_t at)
{
    uint8_t byte = text.data[at];
    bool is_last = at + 1 == text.size || text.data[at + 1] == '\n';
    if (byte == ' ')
        return is_last;
    return byte < '!' || byte > '~' || byte == '=';
}

void qn_mail_append_quoted(struct qn_buf *out, struct qn_span text)
{
    size_t line = 0;
    for (size_t at = 0; at < text.size; at++) {
        if (text.data[at] == '\n') {
            qn_buf_append_u8(out, '\n');
            line = 0;
            continue;
        }
        size_t size = is_quoted(text, at) ? 3 : 1;
        if (line + size > LINE_MAX_CHARS) {
            qn_buf_append_str(out, "=\n");
            line = 0;
        }
        if (size == 3)
            append_hex(out, text.data[at]);
        else
            qn_buf_append_u8(out, text.data[at]);
        line += size;
    }
}

/* ---- what it says ---- */

static struct qn_alert_view view_of(const struct qn_alert *alert, uint64_t now_ms)
{
    return (struct qn_alert_view){.code = qn_span_str(alert->code),
                                  .severity = qn_span_str(alert->severity),
                                  .object = qn_span_str(alert->object),
                                  .detail = qn_span_str(alert->detail),
                                  .count = alert->count,
                                  .has_time = alert->time_ms > 0,
                                  .time_ms = alert->time_ms,
                                  .now_ms = now_ms};
}

static void append_alert(struct qn_buf *out, const struct qn_alert *alert, uint64_t now_ms)
{
    struct qn_alert_view view = view_of(alert, now_ms);
    bool is_grave = strcmp(alert->severity, "critical") == 0;
    qn_buf_append_str(out, is_grave ? "!! " : "- ");
    qn_alert_text(&view, &qn_words_tongue, out);
    qn_buf_append_str(out, is_grave ? "\n   " : "\n  ");
    qn_alert_action(&view, &qn_words_tongue, out);
    qn_buf_printf(out, " [%s]\n", alert->code);
}

struct numbers {
    const size_t *items;
    size_t count;
};

static void append_section(struct qn_buf *out, const char *heading, const struct qn_alert *alerts,
                           struct numbers numbers, uint64_t now_ms)
{
    if (numbers.count == 0)
        return;
    qn_buf_printf(out, "%s\n", heading);
    for (size_t i = 0; i < numbers.count; i++)
        append_alert(out, &alerts[numbers.items[i]], now_ms);
    qn_buf_append_str(out, "\n");
}

static void append_when(struct qn_buf *out, uint64_t local_ms)
{
    time_t seconds = (time_t)(local_ms / 1000);
    struct tm parts;
    char text[64] = "";
    if (gmtime_r(&seconds, &parts) != NULL)
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &parts);
    qn_buf_append_str(out, text);
}

static void append_body(struct qn_buf *out, const struct qn_mail_letter *letter,
                        const struct qn_alert *alerts, const struct qn_mail_plan *plan)
{
    struct numbers fresh = {plan->fresh.items, plan->fresh.count},
                   again = {plan->again.items, plan->again.count},
                   known = {plan->known.items, plan->known.count};
    qn_buf_printf(out, _("Site %s, "), letter->site);
    append_when(out, letter->now_ms + (uint64_t)((int64_t)letter->offset_s * 1000));
    qn_buf_append_str(out, "\n\n");
    if (plan->is_calm)
        qn_buf_printf(out, "%s\n\n", _("All is well again: nothing needs attention any more."));
    append_section(out, _("New:"), alerts, fresh, letter->now_ms);
    append_section(out, _("Reminder, it lasts:"), alerts, again, letter->now_ms);
    append_section(out, _("Told before, and still so:"), alerts, known, letter->now_ms);
    qn_buf_append_str(out, _("`syncctl status` at this site shows how it is now.\n"));
}

/* The first of the news, and how many more there are. */
static void append_subject(struct qn_buf *out, const struct qn_mail_letter *letter,
                           const struct qn_alert *alerts, const struct qn_mail_plan *plan)
{
    size_t more = plan->fresh.count + plan->again.count;
    qn_buf_append_str(out, "[Quoin] ");
    qn_buf_append_str(out, letter->site);
    qn_buf_append_str(out, ": ");
    if (more == 0) {
        qn_buf_append_str(out, _("all is well again"));
        return;
    }
    size_t first = plan->fresh.count > 0 ? plan->fresh.items[0] : plan->again.items[0];
    struct qn_alert_view view = view_of(&alerts[first], letter->now_ms);
    view.detail = qn_span(NULL, 0);
    qn_alert_text(&view, &qn_words_tongue, out);
    if (--more > 0)
        qn_buf_printf(out, ngettext(" (and %zu more)", " (and %zu more)", more), more);
}

static struct qn_span cut(struct qn_span text, size_t size_max)
{
    if (text.size <= size_max)
        return text;
    text.size = size_max;
    while (text.size > 0 && (text.data[text.size] & 0xc0) == 0x80)
        text.size--;
    return text;
}

/* ---- the mail ---- */

/* Day and month are English in every language (RFC 5322, 3.3). */
static void append_date_line(struct qn_buf *out, uint64_t now_ms)
{
    static const char days[] = "SunMonTueWedThuFriSat",
                      months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm t;
    char text[64] = "";
    if (gmtime_r(&seconds, &t) != NULL)
        snprintf(text, sizeof(text), "%.3s, %d %.3s %d %02d:%02d:%02d +0000", days + 3 * t.tm_wday,
                 t.tm_mday, months + 3 * t.tm_mon, t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    qn_buf_append_str(out, "Date: ");
    qn_buf_append_str(out, text);
    qn_buf_append_str(out, "\n");
}

static void append_head(struct qn_buf *out, const struct qn_mail_letter *letter,
                        struct qn_span subject)
{
    if (letter->from[0] != '\0') {
        qn_buf_append_str(out, "From: ");
        qn_buf_append_str(out, letter->from);
        qn_buf_append_str(out, "\n");
    }
    qn_buf_append_str(out, "To:");
    for (const char *at = letter->to; *at != '\0'; at++) { /* an address a line */
        if (at == letter->to)
            qn_buf_append_str(out, " ");
        qn_buf_append_u8(out, (uint8_t)*at);
        if (*at == ',')
            qn_buf_append_str(out, "\n ");
    }
    qn_buf_append_str(out, "\nSubject: ");
    qn_mail_append_words(out, subject);
    qn_buf_append_str(out, "\n");
    append_date_line(out, letter->now_ms);
    qn_buf_append_str(out, "Auto-Submitted: auto-generated\n"
                           "MIME-Version: 1.0\n"
                           "Content-Type: text/plain; charset=UTF-8\n"
                           "Content-Transfer-Encoding: quoted-printable\n\n");
}

void qn_mail_compose(const struct qn_mail_letter *letter, const struct qn_alert *alerts,
                     const struct qn_mail_plan *plan, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf subject, body;
    qn_buf_init(&subject, TEXT_SIZE_MAX);
    qn_buf_init(&body, QN_MAIL_TEXT_SIZE_MAX / 4);
    append_subject(&subject, letter, alerts, plan);
    append_body(&body, letter, alerts, plan);
    append_head(out, letter, cut(qn_buf_view(&subject), SUBJECT_SIZE_MAX));
    qn_mail_append_quoted(out, qn_buf_view(&body));
}
