/* Who may ask for what over the control socket, and the notes of what was refused. */
#include <stdio.h>

#include "app/control_impl.h"
#include "os/os.h"

/* Notes in the trail: so many at once, then one each so often. Those between are counted, and the
 * next note says how many. */
#define NOTES_BURST    32
#define NOTES_EVERY_MS 2000

static bool may_note(struct noted *refusals, uint64_t now_ms)
{
    uint64_t begin = refusals->full_ms > now_ms ? refusals->full_ms : now_ms;
    if (begin - now_ms > (NOTES_BURST - 1) * NOTES_EVERY_MS) {
        refusals->missed++;
        return false;
    }
    refusals->full_ms = begin + NOTES_EVERY_MS;
    return true;
}

static void note_trail(struct qn_control *control, const struct client *client,
                       struct qn_span command)
{
    struct noted *refusals = &control->refusals;
    char object[128], more[32] = "";
    if (control->options.staff == NULL || !may_note(refusals, qn_os_boot_ms()))
        return;
    if (refusals->missed > 0)
        snprintf(more, sizeof(more), " +%llu", (unsigned long long)refusals->missed);
    snprintf(object, sizeof(object), "command:%.*s%s", (int)command.size,
             (const char *)command.data, more);
    struct qn_audit_what what = {.actor = qn_span_str(client->caller.user),
                                 .device = qn_span_str("control"),
                                 .action = "refused",
                                 .object = qn_span_str(object),
                                 .result = "not-allowed-here"};
    if (qn_audit_note(qn_staff_audit(control->options.staff), &what, qn_os_wall_ms(), NULL, NULL) ==
        QN_OK)
        refusals->missed = 0;
    else
        refusals->missed++;
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
