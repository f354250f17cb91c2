/* HTTPS for people: the listener, its routes, and what the application lends.
 *
 *   client ── TLS ── connection ── route ── door (who?) ── handler: dav | api | page
 *                                                             │
 *               people, folders, records, search of the host ─┘
 *
 * The room sees neither core nor store: all that it asks goes through struct qn_serve_host. Loop
 * thread.
 */
#pragma once

#include "base/local.h"
#include "files/folder.h"
#include "loop/loop.h"
#include "serve/request.h"

/* The answer to a command of docs/control.md: data*, then end or error; as msgpack. */
struct qn_serve_answer {
    enum { QN_SERVE_DATA, QN_SERVE_END, QN_SERVE_ERROR } kind;
    struct qn_span data;
    enum qn_err err;
    const char *code, *object; /* of an error */
};

struct qn_serve_host {
    void *context;
    const struct qn_local *local;
    /* Runs a command for a person, as if it came over the control socket; `user` stands in the
     * history. The answers come later, never from inside. Returns a token for cancel. */
    uint64_t (*command)(void *context, const char *command, struct qn_span args,
                        struct qn_span user,
                        void (*answer)(void *answer_context, const struct qn_serve_answer *answer),
                        void *answer_context);
    /* What has come so far waits, and what makes it stops, until it is taken back. */
    void (*pause)(void *context, uint64_t token, bool is_paused);
    void (*cancel)(void *context, uint64_t token); /* no answer comes any more */
    /* The folders that this site offers or can reach, by name. */
    struct qn_folder *(*folder)(void *context, struct qn_span name); /* NULL: none */
    void (*each_folder)(void *context, void (*each)(void *, struct qn_span name),
                        void *each_context);
    uint64_t (*now_ms)(void *context);  /* monotonic */
    uint64_t (*wall_ms)(void *context); /* since 1970 */
    void (*random)(void *out, size_t size);
    void (*log)(void *context, int level, const char *text);
};
