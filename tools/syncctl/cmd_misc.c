/* syncctl config check, completion, help */
#include <unistd.h>

#include "app/config.h"
#include "commands.h"
#include "i18n.h"
#include "screen.h"

#define ERRORS_SIZE_MAX (256 * 1024)

int ctl_run_config_check(struct ctl *ctl)
{
    const char *path = ctl->arguments.items[0];
    if (access(path, R_OK) != 0)
        return ctl_fail_str(ctl, "read-failed", path);
    QN_AUTO_BUF struct qn_buf errors;
    qn_buf_init(&errors, ERRORS_SIZE_MAX);
    struct qn_config config;
    qn_config_init(&config);
    enum qn_err err = qn_config_read(path, &config, &errors);
    if (err != QN_OK && errors.size == 0)
        return ctl_fail_str(ctl, "read-failed", path);
    if (err != QN_OK) {
        ctl_put_raw(ctl->err, qn_buf_view(&errors));
        return ctl_fail_text(ctl, _("%s: mistakes; the running configuration is not touched"),
                             path);
    }
    if (ctl->is_json)
        fputs("{\"valid\":true}\n", ctl->out);
    else
        ctl_say(ctl, _("%s: no mistake"), path);
    if (config.distrusted[0] != '\0' && !ctl->is_json)
        ctl_say(ctl, _("Others than root may change %s: no command that it names is run."),
                config.distrusted);
    return CTL_DONE;
}

int ctl_run_completion(struct ctl *ctl)
{
    ctl_print_completion(ctl->out);
    return CTL_DONE;
}

int ctl_run_help(struct ctl *ctl)
{
    if (ctl->arguments.count == 0) {
        ctl_print_usage(ctl);
        return CTL_DONE;
    }
    const char *noun = ctl->arguments.items[0];
    const char *verb = ctl->arguments.count > 1 ? ctl->arguments.items[1] : NULL;
    const struct ctl_command *command = verb != NULL ? ctl_find_command(noun, verb) : NULL;
    if (command != NULL)
        ctl_print_command(ctl, command);
    else if (verb == NULL && ctl_is_noun(noun))
        ctl_print_noun(ctl, noun);
    else
        ctl_print_unknown(ctl, noun, verb);
    return command != NULL || (verb == NULL && ctl_is_noun(noun)) ? CTL_DONE : CTL_USAGE;
}
