#include "secret.h"

#include <qrencode.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "crypto/digest.h"
#include "i18n.h"

#define QUIET_ZONE 4 /* modules around a code, ISO/IEC 18004 */

/* Without the end of the line; false: there is none. Nothing is buffered beyond it: what follows is
 * somebody else's. */
static bool read_one(struct qn_buf *out)
{
    char c;
    ssize_t count;
    while ((count = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n')
        qn_buf_append_u8(out, (uint8_t)c);
    if (out->size > 0 && out->data[out->size - 1] == '\r')
        qn_buf_truncate(out, out->size - 1);
    return count >= 0 && (count == 1 || out->size > 0) && !out->is_over;
}

static bool ask(const struct ctl *ctl, const char *prompt, bool is_seen, struct qn_buf *out)
{
    struct termios before, unseen;
    bool is_terminal = tcgetattr(STDIN_FILENO, &before) == 0;
    if (is_terminal) {
        fputs(prompt, ctl->err);
        fflush(ctl->err);
    }
    if (is_terminal && !is_seen) {
        unseen = before;
        unseen.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen);
    }
    bool is_read = read_one(out);
    if (is_terminal && !is_seen) {
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', ctl->err);
    }
    return is_read;
}

int ctl_read_line(const struct ctl *ctl, const char *prompt, struct qn_buf *out)
{
    if (ask(ctl, prompt, true, out))
        return CTL_DONE;
    return ctl_fail_text(ctl, _("nothing was typed, and standard input has no line"));
}

int ctl_read_secret(const struct ctl *ctl, const char *prompt, struct qn_buf *out)
{
    struct qn_buf again;
    if (!ask(ctl, prompt, false, out))
        return ctl_fail_text(ctl, _("nothing was typed, and standard input has no line"));
    if (isatty(STDIN_FILENO) != 1)
        return CTL_DONE;
    qn_buf_init(&again, CTL_SECRET_SIZE_MAX);
    qn_buf_reserve(&again, CTL_SECRET_SIZE_MAX);
    bool is_same = ask(ctl, _("Once more: "), false, &again) &&
                   qn_span_eq(qn_buf_view(out), qn_buf_view(&again));
    qn_wipe(again.data, again.capacity);
    qn_buf_deinit(&again);
    return is_same ? CTL_DONE : ctl_fail_text(ctl, _("the two are not the same"));
}

static bool is_dark(const QRcode *code, int x, int y)
{
    bool is_inside = x >= 0 && y >= 0 && x < code->width && y < code->width;
    return is_inside && (code->data[y * code->width + x] & 1) != 0;
}

/* Two rows of modules in one of letters. */
static void put_rows(FILE *out, const QRcode *code, int y)
{
    static const char *const halves[] = {" ", "▄", "▀", "█"};
    fputs("\033[30;47m", out);
    for (int x = -QUIET_ZONE; x < code->width + QUIET_ZONE; x++)
        fputs(halves[2 * is_dark(code, x, y) + is_dark(code, x, y + 1)], out);
    fputs("\033[0m\n", out);
}

bool ctl_put_code(FILE *out, struct qn_span text)
{
    QRcode *code = QRcode_encodeData((int)text.size, text.data, 0, QR_ECLEVEL_M);
    if (code == NULL)
        return false;
    for (int y = -QUIET_ZONE; y < code->width + QUIET_ZONE; y += 2)
        put_rows(out, code, y);
    qn_wipe(code->data, (size_t)code->width * (size_t)code->width);
    QRcode_free(code);
    return true;
}
