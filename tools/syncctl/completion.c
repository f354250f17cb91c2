/* The completion for bash, from the table. */
#include "ctl.h"

static bool is_first_of_noun(size_t index)
{
    return index == 0 || strcmp(ctl_commands[index].noun, ctl_commands[index - 1].noun) != 0;
}

static void print_nouns(FILE *out)
{
    for (size_t i = 0; i < ctl_command_count; i++) {
        if (is_first_of_noun(i))
            fprintf(out, "%s%s", i > 0 ? " " : "", ctl_commands[i].noun);
    }
}

static void print_verbs(FILE *out, const char *noun)
{
    for (size_t i = 0; i < ctl_command_count; i++) {
        if (strcmp(ctl_commands[i].noun, noun) == 0 && ctl_commands[i].verb != NULL)
            fprintf(out, "%s ", ctl_commands[i].verb);
    }
}

static void print_options(FILE *out, const struct ctl_option *options)
{
    for (; options != NULL && options->name != NULL; options++)
        fprintf(out, "%s%s ", options->name[1] == '\0' ? "-" : "--", options->name);
}

static void print_verb_cases(FILE *out)
{
    for (size_t i = 0; i < ctl_command_count; i++) {
        if (!is_first_of_noun(i) || ctl_commands[i].verb == NULL)
            continue;
        fprintf(out, "    %s) verbs=\"", ctl_commands[i].noun);
        print_verbs(out, ctl_commands[i].noun);
        fputs("\" ;;\n", out);
    }
}

static void print_option_cases(FILE *out)
{
    for (size_t i = 0; i < ctl_command_count; i++) {
        const struct ctl_command *it = &ctl_commands[i];
        if (it->options == NULL)
            continue;
        fprintf(out, "    \"%s %s\") options+=\" ", it->noun, it->verb ? it->verb : "");
        print_options(out, it->options);
        fputs("\" ;;\n", out);
    }
}

static const char head[] = "# bash completion for syncctl; made by `syncctl completion bash`\n"
                           "_syncctl()\n"
                           "{\n"
                           "    local word=${COMP_WORDS[COMP_CWORD]} noun= verb= verbs= at skip=\n"
                           "    for ((at = 1; at < COMP_CWORD; at++)); do\n"
                           "        if [[ -n $skip ]]; then skip=; continue; fi\n"
                           "        case ${COMP_WORDS[at]} in\n"
                           "        --state | --timeout) skip=1 ;;\n"
                           "        -*) ;;\n"
                           "        *) if [[ -z $noun ]]; then noun=${COMP_WORDS[at]}\n"
                           "           elif [[ -z $verb ]]; then verb=${COMP_WORDS[at]}; fi ;;\n"
                           "        esac\n"
                           "    done\n"
                           "    case $noun in\n";

static const char tail[] =
    "    esac\n"
    "    case ${COMP_WORDS[COMP_CWORD - 1]} in\n"
    "    --state) mapfile -t COMPREPLY < <(compgen -d -- \"$word\"); return ;;\n"
    "    --timeout) return ;;\n"
    "    esac\n"
    "    if [[ $word == -* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
    "    elif [[ -z $noun ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$nouns\" -- \"$word\")\n"
    "    elif [[ -n $verbs && -z $verb ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$verbs\" -- \"$word\")\n"
    "    else\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
    "    fi\n"
    "}\n"
    "complete -F _syncctl syncctl\n";

void ctl_print_completion(FILE *out)
{
    fputs(head, out);
    print_verb_cases(out);
    fputs("    esac\n    local nouns=\"", out);
    print_nouns(out);
    fputs("\"\n    local options=\"", out);
    print_options(out, ctl_global_options);
    fputs("\"\n    [[ -n $verbs ]] || verb=\n    case \"$noun $verb\" in\n", out);
    print_option_cases(out);
    fputs(tail, out);
}
