/* The reading unit in a process of its own, for tests of walks through it. */
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "reader/server.h"
#include "tree.h"

struct unit {
    struct tmp_dir dir; /* of the socket */
    char path[TMP_PATH_SIZE];
    pid_t pid;
};

/* `serve` is called in the other process with each connection. */
static inline void unit_start_with(struct unit *unit,
                                   void (*serve)(int client, const void *context),
                                   const void *context)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    tmp_dir_init(&unit->dir);
    tmp_dir_at(&unit->dir, "s", unit->path);
    cr_assert(strlen(unit->path) < sizeof(address.sun_path));
    strcpy(address.sun_path, unit->path);
    int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    cr_assert(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
    cr_assert(listen(listener, 4) == 0);
    unit->pid = fork();
    cr_assert(unit->pid >= 0);
    if (unit->pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing running */
    for (int client; unit->pid == 0 && (client = accept(listener, NULL, NULL)) >= 0;) {
        serve(client, context);
        close(client);
    }
    close(listener);
}

static inline void unit_serve(int client, const void *context)
{
    const char *folder = context;
    struct qn_reader_allowed allowed = {.paths = {folder}, .count = folder != NULL};
    if (qn_reader_serve(client, &allowed) != QN_OK)
        abort();
}

/* It may read `folder`; NULL: nothing. */
static inline void unit_start(struct unit *unit, const char *folder)
{
    unit_start_with(unit, unit_serve, folder);
}

static inline void unit_end(struct unit *unit)
{
    int status;
    kill(unit->pid, SIGKILL);
    waitpid(unit->pid, &status, 0);
    tmp_dir_deinit(&unit->dir);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "it ended by itself");
}
#define AUTO_UNIT __attribute__((cleanup(unit_end)))
