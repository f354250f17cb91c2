#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/process.h"
#include "support/turns.h"

#define LONG_MS 600000

struct heard {
    int calls;
    struct qn_process_end end;
    char tail[QN_PROCESS_TAIL_SIZE + 1];
};

static void on_end(void *context, const struct qn_process_end *end)
{
    struct heard *heard = context;
    heard->calls++;
    heard->end = *end;
    memcpy(heard->tail, end->tail.data, end->tail.size);
    heard->tail[end->tail.size] = '\0';
}

static struct qn_process *run(struct qn_loop *loop, struct heard *heard, const char *line,
                              const char *input, uint64_t time_max_ms)
{
    const char *argv[] = {"/bin/sh", "-c", line, NULL}, *env[] = {"WORD=blue", NULL};
    struct qn_process_options options = {.argv = argv,
                                         .env = env,
                                         .input = qn_span_str(input),
                                         .output_fd = -1,
                                         .time_max_ms = time_max_ms,
                                         .on_end = on_end,
                                         .context = heard};
    struct qn_process *process = NULL;
    *heard = (struct heard){0};
    cr_assert_eq(qn_process_new(loop, &options, &process), QN_OK);
    return process;
}

static void to_the_end(struct qn_loop *loop, struct heard *heard, const char *line,
                       const char *input, uint64_t time_max_ms)
{
    struct qn_process *process = run(loop, heard, line, input, time_max_ms);
    while (heard->calls == 0)
        qn_loop_wait(loop);
    qn_process_free(process);
    free_loop(loop);
    cr_assert_eq(heard->calls, 1);
}

Test(process, ends_well)
{
    struct heard heard;
    to_the_end(new_loop(), &heard, "read a; echo \"$a $WORD\"; echo wrong >&2", "sky\n", LONG_MS);
    cr_assert_eq(heard.end.err, QN_OK);
    cr_assert_str_eq(heard.tail, "sky blue\nwrong\n");
}

Test(process, ends_badly)
{
    struct heard heard;
    to_the_end(new_loop(), &heard, "echo no >&2; exit 3", "", LONG_MS);
    cr_assert_eq(heard.end.err, QN_ERR_COMMAND);
    cr_assert_eq(heard.end.exit_status, 3);
    cr_assert_eq(heard.end.signal, 0);
    cr_assert_str_eq(heard.tail, "no\n");
}

Test(process, is_ended_by_a_signal_of_its_own)
{
    struct heard heard;
    to_the_end(new_loop(), &heard, "kill -TERM $$", "", LONG_MS);
    cr_assert_eq(heard.end.err, QN_ERR_COMMAND);
    cr_assert_eq(heard.end.signal, SIGTERM);
}

Test(process, has_an_environment_of_its_own)
{
    struct heard heard;
    setenv("SECRET", "told", 1);
    to_the_end(new_loop(), &heard, "echo ${SECRET-kept} $WORD; pwd", "", LONG_MS);
    cr_assert_str_eq(heard.tail, "kept blue\n/\n");
}

Test(process, of_much_that_is_said_the_end_is_kept)
{
    struct heard heard;
    to_the_end(new_loop(), &heard,
               "i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done; printf last", "",
               LONG_MS);
    cr_assert_eq(heard.end.err, QN_OK);
    cr_assert_eq(strlen(heard.tail), QN_PROCESS_TAIL_SIZE);
    cr_assert_str_eq(heard.tail + QN_PROCESS_TAIL_SIZE - 14, "line 4999\nlast");
}

Test(process, may_leave_its_input_unread)
{
    struct heard heard;
    static char much[1 << 20];
    memset(much, 'x', sizeof(much) - 1);
    to_the_end(new_loop(), &heard, "exec <&-; exit 0", much, LONG_MS);
    cr_assert_eq(heard.end.err, QN_OK);
}

Test(process, whose_time_is_up_is_ended)
{
    struct heard heard;
    to_the_end(new_loop(), &heard, "echo begun; exec cat /dev/zero >/dev/null", "", 1);
    cr_assert_eq(heard.end.err, QN_ERR_TIMEOUT);
    cr_assert_eq(heard.end.signal, SIGTERM);
}

Test(process, that_does_not_listen_is_killed)
{
    struct heard heard;
    to_the_end(new_loop(), &heard, "trap '' TERM; while :; do :; done", "", 1000);
    cr_assert_eq(heard.end.err, QN_ERR_TIMEOUT);
    cr_assert_eq(heard.end.signal, SIGKILL);
}

Test(process, is_stopped)
{
    struct heard heard;
    struct qn_loop *loop = new_loop();
    struct qn_process *process = run(loop, &heard, "exec cat /dev/zero >/dev/null", "", LONG_MS);
    qn_process_stop(process, true);
    turn_until(loop, heard.calls == 1);
    cr_assert_eq(heard.end.err, QN_ERR_CLOSED);
    cr_assert_eq(heard.end.signal, SIGKILL);
    qn_process_stop(process, true); /* too late, and fine */
    qn_process_free(process);
    free_loop(loop);
}

/* The first number that it says is a process that it leaves behind, in its group. */
Test(process, takes_along_what_it_started)
{
    struct heard heard;
    to_the_end(new_loop(), &heard, "cat /dev/zero >/dev/null & echo $!", "", LONG_MS);
    pid_t left = (pid_t)strtol(heard.tail, NULL, 10);
    cr_assert_gt(left, 1);
    char path[64], state = 'Z';
    for (int i = 0; i < TURNS_MAX && state != 'X'; i++) { /* until its new parent reaps it */
        int pid;
        snprintf(path, sizeof(path), "/proc/%d/stat", left);
        FILE *file = fopen(path, "r");
        if (file == NULL || fscanf(file, "%d (%*[^)]) %c", &pid, &state) != 2)
            state = 'X';
        if (file != NULL)
            fclose(file);
        if (state == 'Z')
            break;
        sched_yield();
    }
    cr_assert(state == 'X' || state == 'Z', "%c", state);
}

Test(process, is_forgotten_while_it_runs)
{
    struct heard heard;
    struct qn_loop *loop = new_loop();
    qn_process_free(run(loop, &heard, "exec cat /dev/zero >/dev/null", "", LONG_MS));
    free_loop(loop);
    cr_assert_eq(heard.calls, 0);
    cr_assert_eq(waitpid(-1, NULL, WNOHANG), -1); /* no child is left, not even a dead one */
    cr_assert_eq(errno, ECHILD);
    qn_process_free(NULL);
}

Test(process, that_cannot_be_started)
{
    struct qn_loop *loop = new_loop();
    struct heard heard = {0};
    const char *argv[] = {"/nowhere/at/all", NULL}, *env[] = {NULL};
    struct qn_process_options options = {.argv = argv,
                                         .env = env,
                                         .output_fd = -1,
                                         .time_max_ms = LONG_MS,
                                         .on_end = on_end,
                                         .context = &heard};
    struct qn_process *process = NULL;
    cr_assert_eq(qn_process_new(loop, &options, &process), QN_ERR_NOTFOUND);
    argv[0] = "/etc/passwd";
    cr_assert_eq(qn_process_new(loop, &options, &process), QN_ERR_DENIED);
    cr_assert_null(process);
    free_loop(loop);
    cr_assert_eq(heard.calls, 0);
}

Test(process, writes_elsewhere)
{
    struct qn_loop *loop = new_loop();
    struct heard heard = {0};
    int ends[2];
    char word[16] = "";
    const char *argv[] = {"/bin/sh", "-c", "printf out; printf err >&2", NULL}, *env[] = {NULL};
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    struct qn_process_options options = {.argv = argv,
                                         .env = env,
                                         .output_fd = ends[1],
                                         .time_max_ms = LONG_MS,
                                         .on_end = on_end,
                                         .context = &heard};
    struct qn_process *process = NULL;
    cr_assert_eq(qn_process_new(loop, &options, &process), QN_OK);
    close(ends[1]);
    while (heard.calls == 0)
        qn_loop_wait(loop);
    cr_assert_eq(read(ends[0], word, sizeof(word)), 3);
    cr_assert_str_eq(word, "out");
    cr_assert_str_eq(heard.tail, "err");
    cr_assert_eq(read(ends[0], word, sizeof(word)), 0);
    close(ends[0]);
    qn_process_free(process);
    free_loop(loop);
}
