#include "kit_file.h"

#include <string.h>

#include "crypto/digest.h"
#include "i18n.h"
#include "os/os.h"

#define KIT_SIZE_MAX (16 * 1024)

static enum qn_err read_input(struct qn_buf *out)
{
    uint8_t bytes[1024];
    size_t size;
    while ((size = fread(bytes, 1, sizeof(bytes), stdin)) > 0)
        qn_buf_append(out, bytes, size);
    qn_wipe(bytes, sizeof(bytes));
    if (ferror(stdin))
        return QN_ERR_IO;
    return qn_buf_status(out);
}

static int say_fault(const struct ctl *ctl, const char *path, struct qn_span text)
{
    struct qn_kit_fault fault;
    qn_kit_find_fault(text, &fault);
    if (fault.key == NULL && fault.line == 0)
        return ctl_fail_text(ctl,
                             _("%s: the kit is mistyped in more than one letter, in a name or in "
                               "the date\n  Compare each line with the print."),
                             path);
    if (fault.key == NULL)
        return ctl_fail_text(ctl,
                             _("%s: line %zu is none of a recovery kit\n  Write each line as it is "
                               "printed, with the word before the colon."),
                             path, fault.line);
    if (fault.line == 0)
        return ctl_fail_text(ctl,
                             _("%s: the line \"%s:\" is missing\n  Copy the kit whole, to its "
                               "checksum."),
                             path, fault.key);
    if (fault.letter == 0)
        return ctl_fail_text(ctl,
                             _("%s: line %zu, \"%s:\", is mistyped\n  Compare it with the print."),
                             path, fault.line, fault.key);
    return ctl_fail_text(
        ctl, _("%s: line %zu, \"%s:\": letter %zu is mistyped\n  Compare it with the print."), path,
        fault.line, fault.key, fault.letter);
}

static int parse(const struct ctl *ctl, const char *path, struct qn_span text,
                 struct qn_kit *ret_kit)
{
    switch ((int)qn_kit_parse(text, ret_kit)) {
    case QN_OK:
        return CTL_DONE;
    case QN_ERR_UNSUPPORTED:
        return ctl_fail_str(ctl, "kit-newer", path);
    default:
        return say_fault(ctl, path, text);
    }
}

int kit_file_read(const struct ctl *ctl, const char *path, struct qn_kit *ret_kit)
{
    struct qn_buf text;
    qn_buf_init(&text, KIT_SIZE_MAX);
    qn_buf_reserve(&text, KIT_SIZE_MAX); /* so that it does not move, and all of it is wiped */
    bool is_input = strcmp(path, "-") == 0;
    enum qn_err err = is_input ? read_input(&text) : qn_os_read_file(path, KIT_SIZE_MAX, &text);
    int code = err == QN_OK ? parse(ctl, path, qn_buf_view(&text), ret_kit)
                            : ctl_fail_str(ctl, "read-failed", path);
    if (text.data != NULL)
        qn_wipe(text.data, text.capacity);
    qn_buf_deinit(&text);
    return code;
}
