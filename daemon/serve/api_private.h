/* Inside the API: what one request knows, and how it asks and answers.
 *
 *   start ── route ──┬── command ── answer* ──┐
 *                    ├── body ── command ...  ├── JSON, through `out` ── finish
 *                    └── folder calls ────────┘
 *
 * One struct api a request; it is freed in `end`, before which what is under way is cancelled. All
 * that is to be sent goes through `out`: where the client reads slowly, what makes it is paused.
 */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "http/condition.h"
#include "json/out.h"
#include "people/people.h"
#include "serve/api.h"
#include "serve/serve.h"

#define QN_API_BODY_SIZE_MAX ((size_t)1024 * 1024)
#define QN_API_DEPTH_MAX     34 /* of JSON: a value of QN_VALUE_DEPTH_MAX in an object in a body */
#define QN_API_VERSION_SIZE  16 /* of a record (docs/control.md, record.get) */
#define QN_API_RECORDS_MAX   1000
#define QN_API_RECORDS_USUAL 100
#define QN_API_ENTRIES_MAX   1000 /* of one answer about a directory */
#define QN_API_OUT_HIGH      (64 * 1024)

struct api;
typedef void api_answer_fn(struct api *api, const struct qn_serve_answer *answer);

struct api_listing {
    size_t count;       /* shown so far */
    uint64_t limit;     /* UINT64_MAX: none */
    struct qn_buf last; /* the key that was shown last */
    bool has_more;
    bool has_contents; /* of records: not for who may only list them */
};

struct api_write {
    struct qn_buf fields; /* packed */
    bool is_new;          /* nothing was there */
    bool has_expected; /* a condition was met by what `version` says, or by nothing being there */
    uint8_t version[QN_API_VERSION_SIZE];
};

struct api_file; /* api_file.h */

struct api {
    struct qn_web_request *request;
    const struct qn_serve_host *host;
    const struct qn_person *person;
    struct qn_span thing; /* the collection or folder, of the path */
    struct qn_span rest;  /* what of the path follows "records/" or "files/" */

    const char *change; /* action of a change that is under way; NULL: none */
    bool has_command, is_paused;
    uint64_t command;
    api_answer_fn *on_answer;

    struct qn_buf body;
    void (*on_body)(struct api *api); /* all of it is in `body` */

    struct qn_buf out;                /* waits for room */
    bool is_answered;                 /* the head is out */
    bool is_streamed;                 /* `out` is what follows it */
    bool is_whole;                    /* all of the answer is in `out` */
    void (*on_room)(struct api *api); /* makes more when `out` is empty; may be NULL */

    struct qn_buf key;   /* of a record */
    uint64_t door_token; /* signing in */
    struct api_listing listing;
    struct api_write write;
    struct api_file *file;
};

/* ---- api_ask.c: commands ---- */
/* `args` is taken. Answers come to `on_answer` until the end, or an error, which is the last. */
void api_command(struct api *api, const char *command, struct qn_buf *take_args,
                 api_answer_fn *on_answer);
void api_cancel(struct api *api);
/* Refuses with what an error of a command means. */
void api_refuse_error(struct api *api, const struct qn_serve_answer *answer);
void api_args(struct qn_buf *args, size_t count);
void api_arg(struct qn_buf *args, const char *key, struct qn_span text);

/* ---- api_out.c: answers ---- */
/* Once; does nothing if an answer is on its way already, but cuts one that is in the middle. */
void api_refuse(struct api *api, unsigned status, const char *code, struct qn_span object);
/* The same, and when to try again. */
void api_refuse_retry(struct api *api, unsigned status, const char *code, unsigned retry_s);
/* A whole answer in JSON, of what is in `out`. */
void api_answer(struct api *api, unsigned status, const char *etag);
void api_answer_empty(struct api *api, unsigned status, const char *etag);
/* 200 with a cookie, or without its value the order to forget it. */
void api_answer_cookie(struct api *api, unsigned status, const char *cookie, const char *device);
/* An answer in pieces: the head; then what is put into `out`, moved on by api_push; then its end.
 */
void api_start_stream(struct api *api, const char *type);
void api_push(struct api *api);
void api_end_stream(struct api *api);

/* ---- api_in.c: bodies, queries, rights ---- */
void api_want_json(struct api *api, void (*on_body)(struct api *api));
/* The members of the body, or NULL after a refusal. `allowed`: names separated by one space. */
json_t *api_body_object(struct api *api, const char *allowed);
/* QN_ERR_NOTFOUND: it is not in the query. */
enum qn_err QN_CHECKED api_query(const struct api *api, const char *name, struct qn_buf *out);
/* 1 to `most`, `usual` if it is not there; false after a refusal. */
bool api_limit(struct api *api, uint64_t usual, uint64_t most, uint64_t *ret_limit);
/* False after a refusal: 404 to who may not see it, 403 to who may not change it. */
bool api_may(struct api *api, enum qn_thing thing, struct qn_span name, enum qn_right wanted);
enum qn_right api_right(const struct api *api, enum qn_thing thing, struct qn_span name);
bool api_is_operator(const struct api *api);
/* Whether a condition of a change (If-Match and the like) came with the request. */
bool api_has_condition(const struct api *api);
/* The audit trail (api_note.c): false after a refusal. */
bool api_note_read(struct api *api, const char *action);
/* That this was done, or refused. A refusal of somebody who is not known is the door's to note:
 * else strangers could fill the trail. */
void api_note(const struct api *api, const char *action, const char *result);
/* Around a change: from its begin on the trail hears of it also if the client leaves ("left": it
 * was asked for, and may have been done). `action` is a literal. */
void api_begin_change(struct api *api, const char *action);
void api_end_change(struct api *api);   /* it is done */
void api_leave_change(struct api *api); /* the request is over */
/* That `to`, in the request's folder, was written by a copy or move. */
void api_note_target(const struct api *api, struct qn_span to);

/* ---- what is asked for: each answers the request ---- */
void api_sign_in(struct api *api);     /* api_session.c */
void api_sign_out(struct api *api);    /* api_session.c */
void api_me(struct api *api);          /* api_session.c */
void api_status(struct api *api);      /* api_state.c */
void api_conflicts(struct api *api);   /* api_state.c */
void api_collections(struct api *api); /* api_state.c */
void api_folders(struct api *api);     /* api_state.c */
void api_search(struct api *api);      /* api_search.c */
void api_search_folder(struct api *api);
void api_records(struct api *api);        /* api_read.c */
void api_trash(struct api *api);          /* api_read.c */
void api_history(struct api *api);        /* api_read.c */
void api_record(struct api *api);         /* api_read.c */
void api_record_change(struct api *api);  /* api_write.c: PUT, PATCH, DELETE */
void api_record_resolve(struct api *api); /* api_write.c */
void api_record_restore(struct api *api); /* api_write.c */
void api_trash_empty(struct api *api);    /* api_write.c */
/* Of the map that record.get gave: the ETag, with quotes; false: it has none. */
#define API_ETAG_SIZE (2 * QN_API_VERSION_SIZE + 3)
bool api_record_etag(struct qn_span record, char ret_etag[API_ETAG_SIZE]);
/* The verdict on the conditions of the request; refuses, or answers 304, and gives false. */
bool api_judge(struct api *api, const struct qn_http_state *state, const char *etag);
