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
static const struct noted_pace of_connection = {.burst = 64, .every_ms = 100};
#define OBJECT_SIZE (QN_NAME_SIZE_MAX + QN_KEY_SIZE_MAX + 64)

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

bool noted_may(struct noted *noted, const struct noted_pace *pace)
{
    uint64_t now_ms = qn_os_boot_ms();
    uint64_t begin = noted->full_ms > now_ms ? noted->full_ms : now_ms;
    if (begin - now_ms > (uint64_t)(pace->burst - 1) * pace->every_ms) {
        noted->missed++;
        return false;
    }
    noted->full_ms = begin + pace->every_ms;
    return true;
}

void noted_write(const struct qn_control *control, struct noted *noted,
                 const struct qn_audit_what *what)
{
    struct qn_audit_what told = *what;
    char object[OBJECT_SIZE + 32];
    if (noted->missed > 0) {
        snprintf(object, sizeof(object), "%.*s +%llu", (int)what->object.size,
                 (const char *)what->object.data, (unsigned long long)noted->missed);
        told.object = qn_span_str(object);
    }
    struct qn_audit *audit = qn_staff_audit(control->options.staff);
    bool is_written = qn_audit_note(audit, &told, qn_os_wall_ms(), NULL, NULL) == QN_OK;
    noted->missed = is_written ? 0 : noted->missed + 1;
}

static void write_note(struct client *client, const char *action, const char *object,
                       const char *result)
{
    const struct qn_audit_what what = {.actor = qn_span_str(client->caller.user),
                                       .device = qn_span_str("control"),
                                       .action = action,
                                       .object = qn_span_str(object),
                                       .result = result};
    noted_write(client->control, &client->noted, &what);
}

void control_note_end(struct client *client, struct control_note *take_note, const char *result)
{
    if (take_note == NULL)
        return;
    if (client->control->driver == NULL) /* the daemon ends */
        client->noted.missed = 0;
    else if (noted_may(&client->noted, &of_connection))
        write_note(client, take_note->action, take_note->object, result);
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
