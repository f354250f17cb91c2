#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "app/command.h"

#define LONG_MS 600000

static const char *const env[] = {"PATH=/usr/bin:/bin", "WORD=blue", NULL};

static struct qn_command *start(const char *line, bool has_output, const atomic_bool *is_cancelled)
{
    static const atomic_bool never = false;
    return qn_command_start(
        &(struct qn_command_options){.line = line,
                                     .env = env,
                                     .time_max_ms = LONG_MS,
                                     .has_output = has_output,
                                     .is_cancelled = is_cancelled == NULL ? &never : is_cancelled});
}

static size_t read_all(struct qn_command *command, char *out, size_t room)
{
    size_t size = 0, got;
    do {
        cr_assert_lt(size, room);
        cr_assert_eq(qn_command_read(command, (uint8_t *)out + size, room - size, &got), QN_OK);
        size += got;
    } while (got > 0);
    return size;
}

Test(command, is_waited_for)
{
    struct qn_command_end end;
    qn_command_finish(start("echo $WORD; echo wrong >&2; exit 7", false, NULL), &end);
    cr_assert_eq(end.err, QN_ERR_COMMAND);
    cr_assert_eq(end.exit_status, 7);
    cr_assert_str_eq(end.tail, "blue\nwrong\n");
}

/* Many, one after the other, whose processes are gone before anybody looks. */
Test(command, is_read)
{
    char out[64];
    for (int i = 0; i < 100; i++) {
        struct qn_command_end end;
        struct qn_command *command = start("printf '%s' \"$WORD\"", true, NULL);
        cr_assert_eq(read_all(command, out, sizeof(out)), 4);
        qn_command_finish(command, &end);
        cr_assert_eq(end.err, QN_OK, "%d: %s %d %d %s", i, qn_err_name(end.err), end.exit_status,
                     end.signal, end.tail);
        cr_assert_eq(memcmp(out, "blue", 4), 0);
        cr_assert_str_eq(end.tail, "");
    }
}

Test(command, says_much_on_both_ways)
{
    static char out[4 << 20];
    struct qn_command_end end;
    struct qn_command *command =
        start("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2; exit 1", true, NULL);
    cr_assert_eq(read_all(command, out, sizeof(out)), 1000000);
    qn_command_finish(command, &end);
    cr_assert_eq(end.err, QN_ERR_COMMAND);
    cr_assert_eq(strlen(end.tail), QN_PROCESS_TAIL_SIZE);
}

/* Who stops reading does not wait for a command that goes on writing. */
Test(command, is_left_in_the_middle)
{
    char out[16];
    size_t got;
    struct qn_command_end end;
    struct qn_command *command = start("exec cat /dev/zero", true, NULL);
    cr_assert_eq(qn_command_read(command, (uint8_t *)out, sizeof(out), &got), QN_OK);
    qn_command_finish(command, &end);
    cr_assert_eq(end.err, QN_ERR_COMMAND);
    cr_assert_eq(end.signal, 13); /* SIGPIPE */
}

Test(command, ends_with_its_job)
{
    uint8_t out[16];
    size_t got;
    atomic_bool is_cancelled = false;
    struct qn_command_end end;
    struct qn_command *command = start("echo; exec cat >/dev/null </dev/zero", true, &is_cancelled);
    cr_assert_eq(qn_command_read(command, out, sizeof(out), &got), QN_OK);
    atomic_store(&is_cancelled, true);
    cr_assert_eq(qn_command_read(command, out, sizeof(out), &got), QN_ERR_CLOSED);
    qn_command_finish(command, &end);
    cr_assert_eq(end.err, QN_ERR_CLOSED);
}
