/* What went wrong, told to the user (words/error_words.h). */
#include <stdarg.h>

#include "ctl.h"
#include "i18n.h"
#include "screen.h"
#include "words/error_words.h"

#define LINE_SIZE_MAX 4096

static const struct qn_error_words *words_of(struct qn_span code)
{
    const struct qn_error_words *words = qn_error_words(code);
    return words != NULL ? words : &qn_error_words_unknown;
}

const char *ctl_error_text(struct qn_span code)
{
    return gettext(words_of(code)->text);
}

const char *ctl_error_remedy(struct qn_span code)
{
    return gettext(words_of(code)->remedy);
}

static void print_command(const struct ctl *ctl)
{
    fputs("syncctl", ctl->err);
    if (ctl->command != NULL)
        fprintf(ctl->err, " %s", ctl->command->noun);
    if (ctl->command != NULL && ctl->command->verb != NULL)
        fprintf(ctl->err, " %s", ctl->command->verb);
    fputs(": ", ctl->err);
}

int ctl_fail(const struct ctl *ctl, const char *code, struct qn_span object)
{
    print_command(ctl);
    if (object.size > 0) {
        ctl_put_text(ctl->err, object);
        fputs(": ", ctl->err);
    }
    fprintf(ctl->err, "%s\n  %s\n", ctl_error_text(qn_span_str(code)),
            ctl_error_remedy(qn_span_str(code)));
    bool is_unreachable = strcmp(code, "no-daemon") == 0 || strcmp(code, "no-permission") == 0;
    return is_unreachable ? CTL_UNREACHABLE : CTL_FAILED;
}

int ctl_fail_str(const struct ctl *ctl, const char *code, const char *object)
{
    return ctl_fail(ctl, code, qn_span_str(object));
}

/* Words of a message may come from a file or an argument: they must not steer a terminal. */
__attribute__((format(printf, 2, 0))) static void print_line(const struct ctl *ctl,
                                                             const char *text, va_list list)
{
    char line[LINE_SIZE_MAX];
    int length = vsnprintf(line, sizeof(line), text, list);
    if (length > 0)
        ctl_put_text(ctl->err, qn_span_str(line));
    fputc('\n', ctl->err);
}

int ctl_usage_error(const struct ctl *ctl, const char *text, ...)
{
    print_command(ctl);
    va_list list;
    va_start(list, text);
    print_line(ctl, text, list);
    va_end(list);
    if (ctl->noun != NULL && ctl_is_noun(ctl->noun))
        fprintf(ctl->err, _("  `syncctl help %s` explains it.\n"), ctl->noun);
    else
        fprintf(ctl->err, "  %s\n", _("`syncctl help` lists the commands."));
    return CTL_USAGE;
}

int ctl_fail_text(const struct ctl *ctl, const char *text, ...)
{
    print_command(ctl);
    va_list list;
    va_start(list, text);
    print_line(ctl, text, list);
    va_end(list);
    return CTL_FAILED;
}

void ctl_say(const struct ctl *ctl, const char *text, ...)
{
    if (ctl->is_quiet)
        return;
    va_list list;
    va_start(list, text);
    vfprintf(ctl->err, text, list);
    va_end(list);
    fputc('\n', ctl->err);
}
