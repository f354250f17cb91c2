/* syncctl: what IT staff types. The table is in table.c, the contract in docs/control.md. */
#include <locale.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl.h"
#include "i18n.h"

#define DEFAULT_STATE_DIR "/var/lib/quoin"
#define DEFAULT_TIMEOUT_S 30

static void start_translation(void)
{
    const char *dir = getenv("QUOIN_LOCALEDIR");
    setlocale(LC_ALL, "");
    setlocale(LC_NUMERIC, "C"); /* numbers are read by programs too */
    bindtextdomain("quoin", dir != NULL && dir[0] != '\0' ? dir : QN_LOCALEDIR);
    bind_textdomain_codeset("quoin", "UTF-8");
    textdomain("quoin");
}

static struct ctl start(void)
{
    const char *state_dir = getenv("QUOIN_STATE");
    const char *no_colour = getenv("NO_COLOR");
    bool is_terminal = isatty(STDOUT_FILENO) == 1;
    return (struct ctl){
        .state_dir = state_dir != NULL && state_dir[0] != '\0' ? state_dir : DEFAULT_STATE_DIR,
        .timeout_s = DEFAULT_TIMEOUT_S,
        .out = stdout,
        .err = stderr,
        .is_terminal = is_terminal,
        .is_err_terminal = isatty(STDERR_FILENO) == 1,
        .has_colour = is_terminal && (no_colour == NULL || no_colour[0] == '\0'),
    };
}

static int run(struct ctl *ctl)
{
    if (ctl->wants_version) {
        fprintf(ctl->out, "syncctl (Quoin) %s\n", QN_VERSION);
        return CTL_DONE;
    }
    if (!ctl->wants_help)
        return ctl->command->run(ctl);
    if (ctl->command != NULL)
        ctl_print_command(ctl, ctl->command);
    else if (ctl->noun != NULL && ctl_is_noun(ctl->noun))
        ctl_print_noun(ctl, ctl->noun);
    else
        ctl_print_usage(ctl);
    return CTL_DONE;
}

int main(int argc, char **argv)
{
    start_translation();
    struct ctl ctl = start();
    int code = ctl_parse(&ctl, argc - 1, argv + 1);
    if (code == CTL_DONE)
        code = run(&ctl);
    ctl_deinit(&ctl);
    if ((fflush(stdout) != 0 || ferror(stdout)) && code <= CTL_ATTENTION)
        code = ctl_fail_str(&ctl, "output-failed", "");
    return code;
}
