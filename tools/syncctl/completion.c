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

static void print_valued(FILE *out, const struct ctl_option *options)
{
    for (; options != NULL && options->name != NULL; options++) {
        if (options->metavar != NULL)
            fprintf(out, " | --%s", options->name);
    }
}

/* Options whose next word is a value: "--a | --b". */
static void print_valued_options(FILE *out)
{
    fputs("--state", out);
    print_valued(out, ctl_global_options + 1);
    for (size_t i = 0; i < ctl_command_count; i++)
        print_valued(out, ctl_commands[i].options);
}

/* What stands for an argument: "sites", "collections", "files", or "-". */
static const char *kind_of(const struct ctl_command *command, struct qn_span argument)
{
    bool is_name = qn_span_eq_str(argument, "NAME");
    bool is_made = command->verb != NULL && strcmp(command->verb, "create") == 0;
    if (qn_span_eq_str(argument, "SITE"))
        return "sites";
    if (qn_span_eq_str(argument, "COLLECTION") || qn_span_eq_str(argument, "[COLLECTION]") ||
        (is_name && strcmp(command->noun, "collection") == 0 && !is_made))
        return "collections";
    if (is_name && strcmp(command->noun, "site") == 0 && strcmp(command->verb, "invite") != 0)
        return "sites";
    if (qn_span_eq_str(argument, "FILE") || qn_span_eq_str(argument, "FILE|-"))
        return "files";
    return qn_span_eq_str(argument, "[NOUN]") ? "nouns" : "-";
}

static void print_kind_cases(FILE *out)
{
    for (size_t i = 0; i < ctl_command_count; i++) {
        const struct ctl_command *it = &ctl_commands[i];
        if (it->arguments[0] == '\0')
            continue;
        fprintf(out, "    \"%s %s\") kinds=(", it->noun, it->verb ? it->verb : "");
        for (const char *at = it->arguments; *at != '\0';) {
            size_t size = strcspn(at, " ");
            fprintf(out, "%s ", kind_of(it, qn_span(at, size)));
            at += size + strspn(at + size, " ");
        }
        fputs(") ;;\n", out);
    }
}

/* Live names are asked of the daemon: a moment at most, and nothing is said if there is none. */
static const char head[] =
    "# bash completion for syncctl; made by `syncctl completion bash`\n"
    "_syncctl_names()\n"
    "{\n"
    "    syncctl ${1:+--state \"$1\"} --timeout 2 --quiet \"$2\" list 2>/dev/null | cut -f 1\n"
    "}\n"
    "_syncctl()\n"
    "{\n"
    "    local word=${COMP_WORDS[COMP_CWORD]} noun= verb= verbs= at skip= state= count=0 kinds=()\n"
    "    for ((at = 1; at < COMP_CWORD; at++)); do\n"
    "        if [[ -n $skip ]]; then skip=; continue; fi\n"
    "        case ${COMP_WORDS[at]} in\n"
    "        =) skip=1 ;;\n";

static const char middle[] =
    ")\n"
    "            [[ ${COMP_WORDS[at + 1]} == = ]] || skip=1\n"
    "            if [[ ${COMP_WORDS[at]} == --state ]]; then\n"
    "                state=${COMP_WORDS[at + 1 + (${#skip} == 0)]}\n"
    "            fi ;;\n"
    "        -*) ;;\n"
    "        *) if [[ -z $noun ]]; then noun=${COMP_WORDS[at]}\n"
    "           elif [[ -z $verb ]]; then verb=${COMP_WORDS[at]}; count=0\n"
    "           else count=$((count + 1)); fi ;;\n"
    "        esac\n"
    "    done\n"
    "    case $noun in\n";

static const char tail[] =
    "    esac\n"
    "    local kind=${kinds[count]-} names\n"
    "    at=$((COMP_CWORD - 1))\n"
    "    if [[ $word == = ]]; then word= skip=1\n"
    "    elif [[ ${COMP_WORDS[at]} == = ]]; then at=$((at - 1)); fi\n"
    "    if [[ -n $skip ]]; then\n"
    "        case ${COMP_WORDS[at]} in\n"
    "        --state) mapfile -t COMPREPLY < <(compgen -d -- \"$word\"); return ;;\n"
    "        --take | --members) kind=sites noun=${noun:-x} verb=${verb:-x} ;;\n"
    "        *) return ;;\n"
    "        esac\n"
    "    fi\n"
    "    if [[ $word == -* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
    "    elif [[ -z $noun ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$nouns\" -- \"$word\")\n"
    "    elif [[ -n $verbs && -z $verb ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$verbs\" -- \"$word\")\n"
    "    elif [[ $kind == nouns ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$nouns\" -- \"$word\")\n"
    "    elif [[ $kind == sites || $kind == collections ]]; then\n"
    "        mapfile -t names < <(_syncctl_names \"$state\" \"${kind%s}\")\n"
    "        for at in \"${names[@]}\"; do\n"
    "            [[ $at == \"$word\"* ]] && COMPREPLY+=(\"$(printf %q \"$at\")\")\n"
    "        done\n"
    "    elif [[ $kind == files ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
    "    fi\n"
    "}\n"
    "complete -F _syncctl syncctl\n";

void ctl_print_completion(FILE *out)
{
    fputs(head, out);
    fputs("        ", out);
    print_valued_options(out);
    fputs(middle, out);
    print_verb_cases(out);
    fputs("    esac\n    local nouns=\"", out);
    print_nouns(out);
    fputs("\"\n    local options=\"", out);
    print_options(out, ctl_global_options);
    fputs("\"\n    if [[ -z $verbs && -n $verb ]]; then verb= count=$((count + 1)); fi\n"
          "    case \"$noun $verb\" in\n",
          out);
    print_option_cases(out);
    fputs("    esac\n    case \"$noun $verb\" in\n", out);
    print_kind_cases(out);
    fputs(tail, out);
}
