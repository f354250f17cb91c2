/* What the trail says of commands over the control socket: who read records or backups, and who did
 * what only an admin may (command_ranks.c has which). Commands of people are noted where they are
 * done (people.c), those from inside the daemon by who asks (serve). A reading is noted before
 * anything is shown, anything else at its end, with what became of it. */
#include <stdio.h>

#include "app/control_impl.h"
#include "core/args.h"
#include "os/os.h"

/* Of one connection: so many at once, then one each so often; those between are counted. Whoever
 * reads a million records one by one is in the trail, but does not fill it. */
#define NOTES_BURST    64
#define NOTES_EVERY_MS 100
#define OBJECT_SIZE    (QN_NAME_SIZE_MAX + QN_KEY_SIZE_MAX + 64)

struct control_note {
    const char *action;
    char object[OBJECT_SIZE];
};

/* ---- what it is about ---- */

static void append(char *object, const char *between, struct qn_span text)
{
    size_t size = strlen(object);
    snprintf(object + size, OBJECT_SIZE - size, "%s%.*s", between, (int)text.size,
             (const char *)text.data);
}

/* "backup" of "backup.restore". */
static void begin_object(char *object, struct qn_span command)
{
    const uint8_t *point = memchr(command.data, '.', command.size);
    size_t size = point == NULL ? command.size : (size_t)(point - command.data);
    bool is_record = qn_span_eq_str(qn_span(command.data, size), "record") ||
                     qn_span_eq_str(qn_span(command.data, size), "conflict");
    append(object, "", is_record ? qn_span_str("collection") : qn_span(command.data, size));
}

static void name_object(char *object, struct qn_span command, struct qn_span args)
{
    static const char *const names[] = {"collection", "name", "owner", "holder", "level"};
    struct qn_span text;
    begin_object(object, command);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (args_text(args, names[i], QN_NAME_SIZE_MAX, &text)) {
            append(object, ":", text);
            break;
        }
    if (args_text(args, "key", QN_KEY_SIZE_MAX, &text))
        append(object, "/", text);
    if (args_text(args, "site", QN_NAME_SIZE_MAX, &text))
        append(object, " site:", text);
}

struct control_note *control_note_new(const struct client *client, struct qn_span command,
                                      struct qn_span args)
{
    const char *action = qn_rank_action(command);
    if (action == NULL || client->local != NULL || client->control->options.staff == NULL)
        return NULL;
    struct control_note *note = QN_NEW(struct control_note);
    note->action = action;
    name_object(note->object, command, args);
    return note;
}

/* ---- into the trail ---- */

static bool may_note(struct noted *noted, uint64_t now_ms)
{
    uint64_t begin = noted->full_ms > now_ms ? noted->full_ms : now_ms;
    if (begin - now_ms > (NOTES_BURST - 1) * NOTES_EVERY_MS)
        return false;
    noted->full_ms = begin + NOTES_EVERY_MS;
    return true;
}

static void write_note(struct client *client, const char *action, const char *object,
                       const char *result)
{
    struct qn_audit *audit = qn_staff_audit(client->control->options.staff);
    char text[OBJECT_SIZE + 32];
    snprintf(text, sizeof(text), "%s", object);
    if (client->noted.missed > 0)
        snprintf(text, sizeof(text), "%s +%llu", object, (unsigned long long)client->noted.missed);
    struct qn_audit_what what = {.actor = qn_span_str(client->caller.user),
                                 .device = qn_span_str("control"),
                                 .action = action,
                                 .object = qn_span_str(text),
                                 .result = result};
    if (qn_audit_note(audit, &what, qn_os_wall_ms(), NULL, NULL) == QN_OK)
        client->noted.missed = 0;
    else
        client->noted.missed++;
}

void control_note_end(struct client *client, struct control_note *take_note, const char *result)
{
    if (take_note == NULL)
        return;
    if (client->control->driver == NULL) /* the daemon ends */
        client->noted.missed = 0;
    else if (may_note(&client->noted, qn_os_boot_ms()))
        write_note(client, take_note->action, take_note->object, result);
    else
        client->noted.missed++;
    qn_free(take_note);
}

/* What was only counted is told when the connection ends. */
void control_notes_close(struct client *client)
{
    const struct qn_control *control = client->control;
    if (client->noted.missed == 0 || control->options.staff == NULL || control->driver == NULL)
        return;
    client->noted.missed--;
    write_note(client, "read", "more", "ok");
    client->noted.missed = 0;
}
