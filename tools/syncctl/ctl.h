/* What one run of syncctl knows: the parsed line, where it prints, whom it talks to.
 *
 * A handler gets it, prints its answer to `out` and returns the exit code of the program. Messages
 * go to standard error through ctl_fail and ctl_say.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "base/span.h"
#include "base/vec.h"

enum ctl_exit {
    CTL_DONE = 0,
    CTL_ATTENTION = 1,
    CTL_FAILED = 2,
    CTL_USAGE = 64,
    CTL_UNREACHABLE = 69,
};

struct ctl_option {
    const char *name;    /* without dashes; a single letter is written "-x" */
    const char *metavar; /* NULL: a switch */
    const char *help;    /* N_() */
};

struct ctl;

struct ctl_command {
    const char *noun, *verb; /* verb NULL: the noun alone */
    const char *arguments;   /* as shown; "" for none */
    size_t arguments_min, arguments_max;
    const char *help;                 /* N_(), one line */
    const struct ctl_option *options; /* ends with a NULL name; or NULL */
    int (*run)(struct ctl *ctl);
};

#define CTL_ANY_NUMBER 100000

struct ctl_given {
    const struct ctl_option *option;
    const char *value; /* NULL for a switch */
};

struct ctl {
    const struct ctl_command *command; /* NULL: none was named */
    const char *noun;                  /* as far as the line named one */
    QN_VEC(const char *) arguments;
    QN_VEC(struct ctl_given) given;
    const char *state_dir;
    bool is_json, is_quiet, wants_help, wants_version, has_timeout;
    unsigned timeout_s;
    FILE *out, *err;
    bool is_terminal;     /* of `out` */
    bool is_err_terminal; /* of `err` */
    bool has_colour;
    struct qn_client *client; /* opened by the first request */
};

/* ---- parse.c ---- */

/* Parses the line without its first word. Not CTL_DONE: refused, and said so on ctl->err. */
int ctl_parse(struct ctl *ctl, int count, char *const *words);
void ctl_deinit(struct ctl *ctl);
/* Of the table; `verb` may be NULL. NULL: there is none. */
const struct ctl_command *ctl_find_command(const char *noun, const char *verb);
/* The value of the last option of that name; NULL if it was not given. */
const char *ctl_value(const struct ctl *ctl, const char *name);
bool ctl_has(const struct ctl *ctl, const char *name);
/* How many insertions, removals and replacements make one word of the other; "near" is at most 2.
 */
unsigned ctl_distance(const char *a, const char *b);

/* ---- table.c ---- */

extern const struct ctl_command ctl_commands[];
extern const size_t ctl_command_count;
extern const struct ctl_option ctl_global_options[]; /* ends with a NULL name */

/* ---- usage.c, completion.c ---- */

void ctl_print_usage(const struct ctl *ctl);                  /* of everything */
void ctl_print_noun(const struct ctl *ctl, const char *noun); /* of its commands, with options */
void ctl_print_command(const struct ctl *ctl, const struct ctl_command *command);
/* That there is no such command, and which ones look like it; `verb` may be NULL. */
void ctl_print_unknown(const struct ctl *ctl, const char *noun, const char *verb);
bool ctl_is_noun(const char *word);
void ctl_print_completion(FILE *out);

/* ---- fail.c ---- */

/* Says that `object` (may be empty) failed for the reason `code`, and what to do; CTL_FAILED, or
 * CTL_UNREACHABLE for "no-daemon". */
int ctl_fail(const struct ctl *ctl, const char *code, struct qn_span object);
int ctl_fail_str(const struct ctl *ctl, const char *code, const char *object);
/* The same for a line that cannot be understood: CTL_USAGE. `text` is translated already. */
__attribute__((format(printf, 2, 3))) int ctl_usage_error(const struct ctl *ctl, const char *text,
                                                          ...);
/* A message of its own, translated already: CTL_FAILED. */
__attribute__((format(printf, 2, 3))) int ctl_fail_text(const struct ctl *ctl, const char *text,
                                                        ...);
/* For people, to standard error; nothing under --quiet. */
__attribute__((format(printf, 2, 3))) void ctl_say(const struct ctl *ctl, const char *text, ...);
/* The sentence of a code and what to do about it, translated; general ones for an unknown code. */
const char *ctl_error_text(struct qn_span code);
const char *ctl_error_remedy(struct qn_span code);
