/* Who may ask for what over the control socket, and the notes of what was refused. */
#include <stdio.h>

#include "app/control_impl.h"

static const struct noted_pace of_refusals = {.burst = 32, .every_ms = 2000};

static void note_trail(struct qn_control *control, const struct client *client,
                       struct qn_span command)
{
    char object[128];
    if (control->options.staff == NULL || !noted_may(&control->refusals, &of_refusals))
        return;
    snprintf(object, sizeof(object), "command:%.*s", (int)command.size, (const char *)command.data);
    const struct qn_audit_what what = {.actor = qn_span_str(client->caller.user),
                                       .device = qn_span_str("control"),
                                       .action = "refused",
                                       .object = qn_span_str(object),
                                       .result = "not-allowed-here"};
    noted_write(control, &control->refusals, &what);
}

static void note_journal(struct qn_control *control, const struct client *client,
                         struct qn_span command)
{
    char object[160];
    snprintf(object, sizeof(object), "%s, %.*s", client->caller.user, (int)command.size,
             (const char *)command.data);
    qn_log_note(control->options.log, "not-allowed-here", QN_OK, object);
}

enum qn_rank control_rank(const struct client *client)
{
    const struct qn_control *control = client->control;
    return client->local != NULL ? QN_RANK_ADMIN : qn_ranks_of(&control->ranks, &client->caller);
}

enum qn_err control_judge(struct client *client, struct qn_span command, struct qn_span args,
                          struct qn_refusal *refusal)
{
    enum qn_rank needed = qn_rank_of_command(command, args);
    *refusal = (struct qn_refusal){.err = QN_ERR_NOTFOUND, .code = "unknown-command"};
    snprintf(refusal->object, sizeof(refusal->object), "%.*s", (int)command.size,
             (const char *)command.data);
    if (needed == QN_RANK_NONE)
        return refusal->err;
    if (control_rank(client) >= needed)
        return QN_OK;
    refusal->err = QN_ERR_DENIED;
    refusal->code = "not-allowed-here";
    note_journal(client->control, client, command);
    note_trail(client->control, client, command);
    return refusal->err;
}
