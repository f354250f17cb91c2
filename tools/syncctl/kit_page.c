#include "kit_page.h"

#include <qrencode.h>
#include <string.h>

#include "base/text.h"
#include "crypto/digest.h"
#include "i18n.h"

#define KIT_SIZE_MAX (16 * 1024)
#define QUIET_ZONE   4 /* modules around a code, ISO/IEC 18004 */

static const char style[] =
    "@page{size:A4;margin:18mm}body{font:11pt/1.4 sans-serif;max-width:174mm;margin:0 auto}"
    "h1{font-size:18pt;margin:0 0 4mm}p,li{margin:0 0 2mm}pre{font:bold 12.5pt/1.55 monospace;"
    "white-space:pre-wrap;border:1pt solid #000;padding:4mm;margin:4mm 0}"
    "svg{width:75mm;height:75mm;display:block;margin:4mm auto}";

void kit_page_lines(const struct qn_kit *kit, struct qn_buf *out)
{
    struct qn_buf text;
    qn_buf_init(&text, KIT_SIZE_MAX);
    qn_buf_reserve(&text, KIT_SIZE_MAX);
    qn_kit_print(kit, &text);
    bool is_kept = true, is_start = true;
    for (size_t i = 0; i < text.size; i++) {
        if (is_start)
            is_kept = text.data[i] != '#' && text.data[i] != '\n';
        is_start = text.data[i] == '\n';
        if (is_kept)
            qn_buf_append_u8(out, text.data[i]);
    }
    qn_wipe(text.data, text.capacity);
    qn_buf_deinit(&text);
}

static void append_escaped(struct qn_buf *out, struct qn_span text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c == '<')
            qn_buf_append_str(out, "&lt;");
        else if (c == '>')
            qn_buf_append_str(out, "&gt;");
        else if (c == '&')
            qn_buf_append_str(out, "&amp;");
        else
            qn_buf_append_u8(out, c);
    }
}

/* One path: a square for each dark module. */
static void append_squares(const QRcode *code, struct qn_buf *out)
{
    for (int y = 0; y < code->width; y++)
        for (int x = 0; x < code->width; x++)
            if ((code->data[y * code->width + x] & 1) != 0)
                qn_buf_printf(out, "M%d %dh1v1h-1z", x + QUIET_ZONE, y + QUIET_ZONE);
}

static enum qn_err append_code(struct qn_span text, struct qn_buf *out)
{
    QRcode *code = QRcode_encodeData((int)text.size, text.data, 0, QR_ECLEVEL_M);
    if (code == NULL)
        return QN_ERR_CRYPTO;
    int size = code->width + 2 * QUIET_ZONE;
    qn_buf_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" "
                  "shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h%dv%dH0z\"/>"
                  "<path d=\"",
                  size, size, size, size);
    append_squares(code, out);
    qn_buf_append_str(out, "\"/></svg>\n");
    qn_wipe(code->data, (size_t)code->width * (size_t)code->width);
    QRcode_free(code);
    return QN_OK;
}

static void append_paragraph(struct qn_buf *out, const char *text)
{
    qn_buf_append_str(out, "<p>");
    append_escaped(out, qn_span_str(text));
    qn_buf_append_str(out, "</p>\n");
}

static void append_head(const struct qn_kit *kit, struct qn_buf *out)
{
    qn_buf_append_str(out, "<!DOCTYPE html>\n<html lang=\"");
    /* TRANSLATORS: the language of the translation, as HTML names it */
    qn_buf_append_str(out, _("en"));
    qn_buf_append_str(out, "\">\n<head><meta charset=\"utf-8\"><title>");
    append_escaped(out, qn_span_str(kit->site_name));
    qn_buf_append_str(out, "</title><style>");
    qn_buf_append_str(out, style);
    qn_buf_append_str(out, "</style></head>\n<body><h1>");
    append_escaped(out, qn_span_str(_("Quoin recovery kit: ")));
    append_escaped(out, qn_span_str(kit->site_name));
    qn_buf_append_str(out, "</h1>\n");
}

enum qn_err kit_page_print(const struct qn_kit *kit, struct qn_buf *out)
{
    struct qn_buf lines;
    qn_buf_init(&lines, KIT_SIZE_MAX);
    qn_buf_reserve(&lines, KIT_SIZE_MAX);
    kit_page_lines(kit, &lines);
    append_head(kit, out);
    append_paragraph(out, _("Print this page, lock it away, and keep no copy on this machine. "
                            "Whoever holds it can act as this site and read its backups."));
    append_paragraph(out,
                     _("If the machine is lost: install Quoin on an empty one, write the lines "
                       "below into a file, by hand or with a scanner for codes, and name any "
                       "other site of the group that runs:"));
    qn_buf_append_str(out, "<pre>");
    append_escaped(out, qn_span_str("sudo syncctl recover --kit kit.txt --from HOST:PORT"));
    qn_buf_append_str(out, "</pre>\n<pre>");
    append_escaped(out, qn_buf_view(&lines));
    qn_buf_append_str(out, "</pre>\n");
    enum qn_err err = append_code(qn_buf_view(&lines), out);
    append_paragraph(out, _("Capitals, blanks and line breaks within the letters do not matter. A "
                            "mistyped letter is found."));
    qn_buf_append_str(out, "</body></html>\n");
    qn_wipe(lines.data, lines.capacity);
    qn_buf_deinit(&lines);
    return err == QN_OK ? qn_buf_status(out) : err;
}
