/* Usage and help, from the table. */
#include "ctl.h"
#include "i18n.h"
#include "screen.h"

static void print_command_line(FILE *out, const struct ctl_command *command)
{
    fprintf(out, "syncctl %s", command->noun);
    if (command->verb != NULL)
        fprintf(out, " %s", command->verb);
    if (command->arguments[0] != '\0')
        fprintf(out, " %s", command->arguments);
}

static void print_option(FILE *out, const struct ctl_option *option)
{
    char left[64];
    snprintf(left, sizeof(left), "%s%s%s%s", option->name[1] == '\0' ? "-" : "--", option->name,
             option->metavar ? " " : "", option->metavar ? option->metavar : "");
    fprintf(out, "      %-24s %s\n", left, gettext(option->help));
}

static void print_options(FILE *out, const struct ctl_option *options)
{
    for (; options != NULL && options->name != NULL; options++)
        print_option(out, options);
}

void ctl_print_command(const struct ctl *ctl, const struct ctl_command *command)
{
    fputs("  ", ctl->out);
    print_command_line(ctl->out, command);
    fprintf(ctl->out, "\n      %s\n", gettext(command->help));
    print_options(ctl->out, command->options);
}

bool ctl_is_noun(const char *word)
{
    for (size_t i = 0; i < ctl_command_count; i++) {
        if (strcmp(ctl_commands[i].noun, word) == 0)
            return true;
    }
    return false;
}

void ctl_print_noun(const struct ctl *ctl, const char *noun)
{
    for (size_t i = 0; i < ctl_command_count; i++) {
        if (strcmp(ctl_commands[i].noun, noun) == 0)
            ctl_print_command(ctl, &ctl_commands[i]);
    }
    fprintf(ctl->out, "\n%s\n", _("Options of every command:"));
    print_options(ctl->out, ctl_global_options);
}

void ctl_print_usage(const struct ctl *ctl)
{
    fprintf(ctl->out, "%s\n\n", _("Usage: syncctl NOUN VERB [ARGUMENT...] [OPTION...]"));
    for (size_t i = 0; i < ctl_command_count; i++) {
        const struct ctl_command *it = &ctl_commands[i];
        if (i > 0 && strcmp(it->noun, it[-1].noun) != 0)
            fputc('\n', ctl->out);
        char left[80];
        snprintf(left, sizeof(left), "%s%s%s %s", it->noun, it->verb ? " " : "",
                 it->verb ? it->verb : "", it->arguments);
        fprintf(ctl->out, "  %-38s %s\n", left, gettext(it->help));
    }
    fprintf(ctl->out, "\n%s\n", _("Options of every command:"));
    print_options(ctl->out, ctl_global_options);
    fprintf(ctl->out, "\n%s\n", _("`syncctl help NOUN` explains the options of its commands."));
}

static bool is_similar(const char *word, const char *typed)
{
    unsigned distance = ctl_distance(word, typed);
    return distance <= 1 || (distance == 2 && word[0] == typed[0] && typed[1] != '\0');
}

static bool is_near(const struct ctl_command *command, const char *noun, const char *verb)
{
    bool is_noun = is_similar(command->noun, noun);
    if (!ctl_is_noun(noun) && is_noun)
        return true;
    if (command->verb == NULL || (verb == NULL && !ctl_is_noun(noun)))
        return command->verb != NULL && ctl_distance(command->verb, noun) <= 1;
    return strcmp(command->noun, noun) == 0 && verb != NULL && is_similar(command->verb, verb);
}

static void print_near(const struct ctl *ctl, const char *noun, const char *verb)
{
    bool has_found = false;
    for (size_t i = 0; i < ctl_command_count; i++) {
        if (!is_near(&ctl_commands[i], noun, verb))
            continue;
        if (!has_found)
            fprintf(ctl->err, "  %s\n", _("Did you mean:"));
        has_found = true;
        fputs("    ", ctl->err);
        print_command_line(ctl->err, &ctl_commands[i]);
        fputc('\n', ctl->err);
    }
    if (!has_found && ctl_is_noun(noun))
        fprintf(ctl->err, _("  `syncctl help %s` explains it.\n"), noun);
    else if (!has_found)
        fprintf(ctl->err, "  %s\n", _("`syncctl help` lists the commands."));
}

void ctl_print_unknown(const struct ctl *ctl, const char *noun, const char *verb)
{
    fputs(_("syncctl: unknown command: "), ctl->err);
    ctl_put_text(ctl->err, qn_span_str(noun));
    if (verb != NULL) {
        fputc(' ', ctl->err);
        ctl_put_text(ctl->err, qn_span_str(verb));
    }
    fputc('\n', ctl->err);
    print_near(ctl, noun, verb);
}
