/* The WebDAV handlers without a network and a disk: requests as text, a folder in memory, rows in
 * memory. Completions come in turns, as the loop would bring them, never from inside a call.
 *
 *   struct dav_world *world = dav_world_new();
 *   const struct dav_answer *answer = dav_ask(world, "PUT /dav/F/a", "", "content");
 */
#pragma once

#include "base/buf.h"
#include "serve/dav.h"
#include "serve/serve.h"

struct dav_answer {
    unsigned status;
    struct qn_buf head, body; /* both end with a zero byte that is not counted */
    bool is_complete, is_cut, was_body_wanted;
    uint64_t size; /* that was promised */
};

struct dav_world;
struct dav_world *dav_world_new(void);
void dav_world_free(struct dav_world *world);
/* A new daemon on the same folder and rows. */
void dav_world_restart(struct dav_world *world);

/* "METHOD /target", fields with CR LF each, a body ("" : none). Until the answer is there. */
const struct dav_answer *dav_ask(struct dav_world *world, const char *line, const char *fields,
                                 const char *body);
const struct dav_answer *dav_ask_bytes(struct dav_world *world, const char *line,
                                       const char *fields, struct qn_span body);
/* The same, but the client goes away after so many completions. */
void dav_ask_and_leave(struct dav_world *world, const char *line, const char *fields,
                       const char *body, unsigned turns);
/* Two clients at the same time; their answers are not kept apart. */
void dav_ask_both(struct dav_world *world, const char *line, const char *body, const char *other);
/* The value of a field of the last answer; NULL: there is none. */
const char *dav_answer_field(const struct dav_answer *answer, const char *name);

/* Who asks from now on: "anna" and "bert" may write the folder F, "rita" read it, "lise" list
 * it, others nothing.
 * All but "bert" may write the folder E. */
void dav_world_be(struct dav_world *world, const char *person);
/* After so many questions for a right nobody has any. */
void dav_world_withdraw(struct dav_world *world, unsigned questions);
void dav_world_pass(struct dav_world *world, uint64_t seconds);
void dav_world_fail_put(struct dav_world *world, enum qn_err err);  /* the next put of rows */
void dav_world_fail_call(struct dav_world *world, enum qn_err err); /* the next change or write */
void dav_world_set_room(struct dav_world *world, size_t room); /* bytes a turn, of the client */
/* Something else changes the folder. NULL: it goes. */
void dav_world_set_file(struct dav_world *world, const char *path, const char *content);
/* Runs before the next change of the folder: a race. */
void dav_world_race(struct dav_world *world, const char *path, const char *content);
const char *dav_world_file(struct dav_world *world, const char *path); /* NULL: none */
int64_t dav_world_modified_ns(struct dav_world *world, const char *path);
/* The same in E. */
const char *dav_world_second_file(struct dav_world *world, const char *path);
/* The person is known by the word of another site. */
void dav_world_be_of_a_site(struct dav_world *world, bool is_of_a_site);
size_t dav_world_row_count(const struct dav_world *world, const char *prefix);
size_t dav_world_uploads(const struct dav_world *world); /* begun and neither done nor aborted */
size_t dav_world_notes(const struct dav_world *world);   /* accesses told to the audit trail */
const char *dav_world_last_note(const struct dav_world *world); /* "anna write folder:F/a ok" */
void dav_world_fail_audit(struct dav_world *world, enum qn_err err); /* from now on */
struct qn_dav *dav_world_dav(const struct dav_world *world);
