/* The command line: options anywhere, `--` ends them, the command comes from the table. */
#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "client/client.h"
#include "ctl.h"
#include "i18n.h"

struct line {
    struct ctl *ctl;
    char *const *words;
    int count, at;
    const char *verb; /* once the second word was read */
    bool is_plain;    /* behind `--` */
};

static const struct ctl_option *find_in(const struct ctl_option *options, struct qn_span name)
{
    for (; options != NULL && options->name != NULL; options++) {
        if (qn_span_eq_str(name, options->name))
            return options;
    }
    return NULL;
}

/* Before the command is known, an option of any command will do; check_options() decides later. */
static const struct ctl_option *find_option(const struct ctl *ctl, struct qn_span name)
{
    const struct ctl_option *option = find_in(ctl_global_options, name);
    if (option == NULL && ctl->command != NULL)
        return find_in(ctl->command->options, name);
    for (size_t i = 0; option == NULL && i < ctl_command_count; i++)
        option = find_in(ctl_commands[i].options, name);
    return option;
}

unsigned ctl_distance(const char *a, const char *b)
{
    enum { WORD_MAX = 32 };
    size_t a_size = strlen(a), b_size = strlen(b);
    if (a_size > WORD_MAX || b_size > WORD_MAX)
        return WORD_MAX;
    unsigned row[WORD_MAX + 1];
    for (size_t j = 0; j <= b_size; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= a_size; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_size; j++) {
            unsigned replaced = diagonal + (a[i - 1] != b[j - 1]);
            unsigned moved = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replaced < moved ? replaced : moved;
        }
    }
    return row[b_size];
}

static const char *near_option(const struct ctl *ctl, const char *name)
{
    const struct ctl_option *lists[] = {ctl->command ? ctl->command->options : NULL,
                                        ctl_global_options};
    for (size_t i = 0; i < 2; i++) {
        for (const struct ctl_option *it = lists[i]; it != NULL && it->name != NULL; it++) {
            if (it->name[1] != '\0' && ctl_distance(it->name, name) <= 2)
                return it->name;
        }
    }
    return NULL;
}

static int unknown_option(const struct ctl *ctl, const char *word)
{
    const char *name = word + (word[1] == '-' ? 2 : 1);
    const char *near = near_option(ctl, name);
    if (near != NULL)
        return ctl_usage_error(ctl, _("unknown option %s; did you mean --%s?"), word, near);
    return ctl_usage_error(ctl, _("unknown option %s"), word);
}

static int take_timeout(struct ctl *ctl, const char *text)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || value == 0 || value > 3600)
        return ctl_usage_error(ctl, _("--timeout takes a number of seconds from 1 to 3600, not %s"),
                               text);
    ctl->timeout_s = (unsigned)value;
    ctl->has_timeout = true;
    return CTL_DONE;
}

static int take_option(struct ctl *ctl, const struct ctl_option *option, const char *value)
{
    if (find_in(ctl_global_options, qn_span_str(option->name)) != option) {
        qn_vec_push(&ctl->given, ((struct ctl_given){option, value}));
        return CTL_DONE;
    }
    if (strcmp(option->name, "timeout") == 0)
        return take_timeout(ctl, value);
    if (strcmp(option->name, "state") == 0 && value[0] == '\0')
        return ctl_usage_error(ctl, _("--state needs the name of a directory"));
    if (strcmp(option->name, "state") == 0)
        ctl->state_dir = value;
    else if (strcmp(option->name, "json") == 0)
        ctl->is_json = true;
    else if (strcmp(option->name, "quiet") == 0)
        ctl->is_quiet = true;
    else if (strcmp(option->name, "help") == 0)
        ctl->wants_help = true;
    else
        ctl->wants_version = true;
    return CTL_DONE;
}

static int parse_option(struct line *line, const char *word)
{
    const char *name = word + (word[1] == '-' ? 2 : 1);
    const char *equals = word[1] == '-' ? strchr(name, '=') : NULL;
    size_t size = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct ctl_option *option = find_option(line->ctl, qn_span(name, size));
    if (option == NULL || (size == 1) != (word[1] != '-'))
        return unknown_option(line->ctl, word);
    if (option->metavar == NULL && equals != NULL)
        return ctl_usage_error(line->ctl, _("option --%s takes no value"), option->name);
    if (option->metavar == NULL)
        return take_option(line->ctl, option, NULL);
    if (equals == NULL && line->at == line->count)
        return ctl_usage_error(line->ctl, _("option --%s needs a value: %s"), option->name,
                               option->metavar);
    return take_option(line->ctl, option, equals ? equals + 1 : line->words[line->at++]);
}

const struct ctl_command *ctl_find_command(const char *noun, const char *verb)
{
    for (size_t i = 0; i < ctl_command_count; i++) {
        const struct ctl_command *it = &ctl_commands[i];
        bool is_verb = it->verb == NULL ? verb == NULL : verb && strcmp(it->verb, verb) == 0;
        if (strcmp(it->noun, noun) == 0 && is_verb)
            return it;
    }
    return NULL;
}

static void parse_word(struct line *line, const char *word)
{
    struct ctl *ctl = line->ctl;
    if (ctl->command != NULL) {
        qn_vec_push(&ctl->arguments, word);
    } else if (ctl->noun == NULL) {
        ctl->noun = word;
        ctl->command = ctl_find_command(word, NULL);
    } else if (line->verb == NULL) {
        line->verb = word;
        ctl->command = ctl_find_command(ctl->noun, word);
    }
}

static int parse_next(struct line *line)
{
    const char *word = line->words[line->at++];
    if (!qn_text_is_utf8(qn_span_str(word)))
        return ctl_usage_error(line->ctl, _("an argument is not valid UTF-8"));
    if (line->is_plain || word[0] != '-' || word[1] == '\0') {
        parse_word(line, word);
        return CTL_DONE;
    }
    if (strcmp(word, "--") == 0) {
        line->is_plain = true;
        return CTL_DONE;
    }
    return parse_option(line, word);
}

static int check_options(const struct ctl *ctl)
{
    for (size_t i = 0; i < ctl->given.count; i++) {
        const char *name = ctl->given.items[i].option->name;
        if (find_in(ctl->command->options, qn_span_str(name)) == NULL)
            return ctl_usage_error(ctl, _("this command has no option --%s"), name);
    }
    return CTL_DONE;
}

static int check_command(const struct line *line)
{
    const struct ctl *ctl = line->ctl;
    if (ctl->noun == NULL)
        return ctl_usage_error(ctl, _("no command"));
    if (ctl->command == NULL && line->verb == NULL && ctl_is_noun(ctl->noun)) {
        ctl_print_noun(ctl, ctl->noun);
        return CTL_USAGE;
    }
    if (ctl->command == NULL) {
        ctl_print_unknown(ctl, ctl->noun, line->verb);
        return CTL_USAGE;
    }
    if (ctl->arguments.count < ctl->command->arguments_min)
        return ctl_usage_error(ctl, _("too few arguments; it takes %s"), ctl->command->arguments);
    if (ctl->arguments.count > ctl->command->arguments_max)
        return ctl_usage_error(ctl, _("unexpected argument: %s"),
                               ctl->arguments.items[ctl->command->arguments_max]);
    return check_options(ctl);
}

int ctl_parse(struct ctl *ctl, int count, char *const *words)
{
    struct line line = {.ctl = ctl, .words = words, .count = count};
    while (line.at < line.count) {
        int code = parse_next(&line);
        if (code != CTL_DONE)
            return code;
    }
    if (ctl->wants_help || ctl->wants_version)
        return CTL_DONE;
    return check_command(&line);
}

void ctl_deinit(struct ctl *ctl)
{
    qn_vec_free(&ctl->arguments);
    qn_vec_free(&ctl->given);
    qn_client_free(ctl->client);
    ctl->client = NULL;
}

static const struct ctl_given *find_given(const struct ctl *ctl, const char *name)
{
    for (size_t i = ctl->given.count; i > 0; i--) {
        if (strcmp(ctl->given.items[i - 1].option->name, name) == 0)
            return &ctl->given.items[i - 1];
    }
    return NULL;
}

const char *ctl_value(const struct ctl *ctl, const char *name)
{
    const struct ctl_given *given = find_given(ctl, name);
    return given != NULL ? given->value : NULL;
}

bool ctl_has(const struct ctl *ctl, const char *name)
{
    return find_given(ctl, name) != NULL;
}
