/* Inside the WebDAV handlers: what their files share.
 *
 *   start ── [body in XML] ── stat, If, locks (dav_judge.c) ── method ── answer ── end
 *
 * dav.c: the life of a request, its path and rights. dav_judge.c: conditions. dav_answer.c:
 * answers. dav_rows.c: locks and properties as rows. dav_get.c, dav_put.c, dav_tree.c (DELETE,
 * MKCOL, COPY, MOVE), dav_find.c, dav_patch.c, dav_lock.c: the methods.
 *
 * A request has at most one call to its folder and one put of rows under way. A completion begins
 * with dav_resume: false means that the client is gone, and the request with it. From dav_hold to
 * dav_release a request goes on without its client: what was begun is brought to its end.
 */
#pragma once

#include "base/vec.h"
#include "dav/body.h"
#include "dav/dead.h"
#include "dav/field.h"
#include "dav/if.h"
#include "dav/locks.h"
#include "dav/multistatus.h"
#include "files/names.h"
#include "serve/dav.h"
#include "serve/serve.h"

#define DAV_PREFIX        "/dav/"
#define DAV_PATH_SIZE_MAX (QN_HTTP_PATH_SIZE_MAX + QN_NAME_SIZE_MAX + 2)
#define DAV_TAGGED_MAX    8                  /* other resources that an If header may look at */
#define DAV_DEAD_SIZE_MAX (64 * 1024 * 1024) /* rows of dead properties, in all */

struct qn_dav {
    struct qn_dav_options options;
    struct qn_dav_locks *locks;
    uint64_t dead_size;                    /* bytes of rows of properties */
    QN_VEC(struct dav_request *) patching; /* PROPPATCH: in the order in which they came */
    size_t request_count;                  /* not freed; and rows that follow */
    void (*on_closed)(void *context);
    void *closed_context;
};

struct dav_request;
struct dav_method {
    enum qn_http_method method;
    const char *action;    /* in the audit trail */
    bool is_write;         /* needs the right to write */
    bool makes_or_removes; /* what the parent contains: its lock counts, too */
    bool is_tree;          /* all below changes, too */
    bool is_unlocked;      /* locks are the method's own matter */
    bool takes_xml;
    unsigned value_depth;
    void (*before)(struct dav_request *dav); /* instead of stat and judgement; NULL: these */
    void (*go)(struct dav_request *dav);     /* all conditions hold */
};

/* A resource that an If header names, and that is not the request's own. */
struct dav_tagged {
    struct qn_buf path;
    bool exists;
    char etag[QN_ETAG_SIZE_MAX];
};

struct dav_request {
    struct qn_dav *dav;
    struct qn_web_request *web; /* NULL: the client is gone */
    const struct dav_method *method;
    bool is_server_root;  /* "/", above "/dav/" */
    struct qn_buf path;   /* "FOLDER/a/b"; "": the list of folders */
    struct qn_span inner; /* "a/b" */
    struct qn_span folder_name;
    struct qn_folder *folder; /* NULL: the list of folders */
    enum qn_right right;
    struct qn_person person;
    char from[64];

    unsigned pending; /* calls and puts whose completion has not come */
    bool is_held;
    struct qn_folder_call *call;

    struct qn_entry_info info; /* without its names */
    bool exists;
    bool has_if;
    struct qn_dav_if given;
    struct dav_tagged tagged[DAV_TAGGED_MAX];
    size_t tagged_count, tagged_next;

    struct qn_dav_xml *xml;
    void *own; /* the method's */
    void (*free_own)(struct dav_request *dav);
};

/* ---- dav.c ---- */
void dav_wait(struct dav_request *dav, struct qn_folder_call *call);
bool dav_resume(struct dav_request *dav);
void dav_hold(struct dav_request *dav);
void dav_release(struct dav_request *dav);
void dav_leave(struct qn_dav *dav); /* one of request_count ends: what is closing may go */
uint64_t dav_wall_ms(const struct qn_dav *dav);
/* The value of a field; empty if there is none. */
struct qn_span dav_field(const struct dav_request *dav, const char *name);
bool dav_has_body(const struct dav_request *dav);
/* "a/b" of "a/b/c"; "" of "a". */
struct qn_span dav_parent(struct qn_span path);
struct qn_span dav_last(struct qn_span path);
/* Copies without the names, which are borrowed. */
void dav_set_info(struct dav_request *dav, const struct qn_entry_info *info);

/* ---- dav_judge.c ---- */
void dav_judge(
    struct dav_request *dav); /* stat, conditions; then the method's `go`, or a refusal */
/* HTTP's conditions against what is there; false: answered. */
bool dav_check_http(struct dav_request *dav);
/* A change of `path`; false: answered with 423. */
bool dav_check_locks(struct dav_request *dav, struct qn_span path, bool is_tree);
/* Before what a slow body brought is put in its place: the right, and the locks, as they are now;
 * false: answered. */
bool dav_may_still_change(struct dav_request *dav);
/* What the client said that it knows must still hold in the moment of the change. */
struct qn_folder_expect dav_expect(const struct dav_request *dav);

/* ---- dav_answer.c ---- */
const char *dav_methods(const struct dav_request *dav); /* of Allow */
void dav_refuse(struct dav_request *dav, unsigned status);
void dav_refuse_err(struct dav_request *dav, enum qn_err err);
unsigned dav_status_of(enum qn_err err);
/* <D:error> with a condition; `path` (or "") is what stands against it. */
void dav_refuse_condition(struct dav_request *dav, unsigned status, const char *condition,
                          struct qn_span path);
void dav_empty(struct dav_request *dav, unsigned status); /* no body */
void dav_xml_answer(struct dav_request *dav, unsigned status, const struct qn_buf *body);
/* A head whose fields the caller adds; NULL: the client is gone. */
struct qn_buf *dav_head(struct dav_request *dav, unsigned status, uint64_t size);
void dav_text_field(struct qn_buf *head, const char *name, const char *value);
/* "/dav/" and the encoded path. */
void dav_href(struct qn_buf *out, struct qn_span path, bool is_collection);
/* Notes a change of the request's path, or its refusal, for the audit trail. */
void dav_note(struct dav_request *dav, unsigned status);
/* That a copy or move wrote `path`, or a PUT kept another's content there. */
void dav_note_target(struct dav_request *dav, struct qn_span path);
/* The same of a read, before it is answered; false: it may not be, and was refused. */
bool dav_note_read(struct dav_request *dav);

/* ---- dav_rows.c ---- */
enum qn_err QN_CHECKED dav_rows_load(struct qn_dav *dav);
/* The dead properties of a path; `row` keeps what `ret_dead` borrows. No row, or one that cannot be
 * read: none. */
void dav_dead_get(const struct qn_dav *dav, struct qn_span path, struct qn_buf *row,
                  struct qn_dav_dead *ret_dead);
struct dav_rows {
    const struct qn_local_row *rows;
    size_t count;
};
void dav_put(struct dav_request *dav, struct dav_rows rows, void (*done)(void *, enum qn_err));
enum dav_rows_change { DAV_ROWS_DELETE, DAV_ROWS_COPY, DAV_ROWS_MOVE };
struct dav_rows_job {
    enum dav_rows_change change; /* MOVE, COPY: what `to` had goes before */
    struct qn_span from, to;     /* good until `done` */
    bool is_shallow;             /* the path itself only */
    void (*done)(void *context, enum qn_err err);
    void *context;
};
/* Locks and properties follow a change of their resources. `done` comes later or from inside. */
void dav_rows_follow(struct qn_dav *dav, const struct dav_rows_job *job);

/* ---- the methods ---- */
extern const struct dav_method dav_get, dav_put_method, dav_delete, dav_mkcol, dav_copy, dav_move,
    dav_find, dav_patch, dav_lock, dav_unlock;
void dav_get_room(struct dav_request *dav);
void dav_find_room(struct dav_request *dav);
void dav_put_body(struct dav_request *dav, struct qn_span piece);
void dav_put_body_end(struct dav_request *dav);
