#include "support/dav_world.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <strings.h>

#include "base/mem.h"
#include "base/vec.h"
#include "support/dav_folder.h"

#define TURNS_MAX 1000000
#define PIECE     ((size_t)64 * 1024)

struct row {
    struct qn_buf key, value;
};

struct qn_web_request {
    struct dav_world *world;
    const struct qn_web_handler *handler;
    struct qn_buf head_bytes, path;
    struct qn_http_head head;
    bool has_slash;
    void *state;
    struct qn_span body;
    size_t body_at;
    bool wants_body, is_paused, body_ended, has_head, head_ended, is_finished, is_ended;
    size_t room;
};

struct dav_world {
    struct dav_folder *folder, *second;
    QN_VEC(struct row *) rows;
    struct qn_local local;
    struct qn_serve_host host;
    struct qn_dav *dav;
    struct qn_person person;
    uint64_t wall_ms;
    uint8_t random;
    size_t room, notes;
    bool is_withdrawn;
    unsigned questions_left;
    enum qn_err put_err, audit_err;
    char last_note[512];
    struct qn_web_request *request;
    struct dav_answer answer;
    bool is_closed;
};

static bool turn_folders(struct dav_world *world)
{
    return dav_folder_turn(world->folder) || dav_folder_turn(world->second);
}

/* For `random`, which has no context: there is one world in each test's process. */
static struct dav_world *the_world;

/* ---- what the handlers see of the engine ---- */

const struct qn_http_head *qn_web_asked(const struct qn_web_request *request)
{
    return &request->head;
}

struct qn_span qn_web_path(const struct qn_web_request *request)
{
    struct qn_span path = qn_buf_view(&request->path);
    return path.size > 4 ? qn_span_from(path, 4) : qn_span(NULL, 0);
}

bool qn_web_path_has_slash(const struct qn_web_request *request)
{
    return request->has_slash;
}

const struct qn_person *qn_web_person(const struct qn_web_request *request)
{
    return request->world->person.name[0] != 0 ? &request->world->person : NULL;
}

const char *qn_web_from(const struct qn_web_request *request)
{
    return "10.0.0.1";
}

struct qn_dav *qn_web_dav(const struct qn_web_request *request)
{
    return request->world->dav;
}

void qn_web_set_state(struct qn_web_request *request, void *state)
{
    request->state = state;
}

void *qn_web_state(const struct qn_web_request *request)
{
    return request->state;
}

void qn_web_want_body(struct qn_web_request *request)
{
    cr_assert_not(request->is_ended);
    request->wants_body = request->world->answer.was_body_wanted = true;
}

void qn_web_pause_body(struct qn_web_request *request, bool is_paused)
{
    cr_assert_not(request->is_ended);
    request->is_paused = is_paused;
}

struct qn_buf *qn_web_head(struct qn_web_request *request, unsigned status, uint64_t size)
{
    struct dav_answer *answer = &request->world->answer;
    cr_assert(!request->is_ended && !request->has_head, "a second answer");
    request->has_head = true;
    answer->status = status;
    answer->size = size;
    return &answer->head;
}

void qn_web_head_end(struct qn_web_request *request)
{
    cr_assert_not(request->is_ended || request->head_ended);
    request->head_ended = true;
}

size_t qn_web_room(const struct qn_web_request *request)
{
    cr_assert_not(request->is_ended);
    return request->room;
}

void qn_web_send(struct qn_web_request *request, struct qn_span bytes)
{
    cr_assert(request->head_ended && !request->is_finished && !request->is_ended);
    cr_assert_leq(bytes.size, request->room);
    request->room -= bytes.size;
    if (request->head.method != QN_HTTP_HEAD)
        qn_buf_append_span(&request->world->answer.body, bytes);
}

void qn_web_finish(struct qn_web_request *request)
{
    cr_assert(request->head_ended && !request->is_finished && !request->is_ended);
    request->is_finished = true;
}

void qn_web_cut(struct qn_web_request *request)
{
    cr_assert_not(request->is_ended);
    request->world->answer.is_cut = true;
    request->is_finished = true;
}

void qn_web_answer(struct qn_web_request *request, unsigned status, const char *type,
                   struct qn_span body)
{
    struct qn_buf *head = qn_web_head(request, status, body.size);
    cr_assert_eq(qn_http_answer_field(head, "Content-Type", qn_span_str(type)), QN_OK);
    qn_web_head_end(request);
    request->room = request->room > body.size ? request->room : body.size;
    qn_web_send(request, body);
    qn_web_finish(request);
}

void qn_web_refuse(struct qn_web_request *request, unsigned status, const char *code,
                   const char *object)
{
    qn_web_answer(request, status, "text/plain", qn_span_str(code));
}

void qn_web_refuse_with(struct qn_web_request *request, unsigned status, const char *code,
                        const char *field, const char *value)
{
    struct qn_buf *head = qn_web_head(request, status, strlen(code));
    cr_assert_eq(qn_http_answer_field(head, field, qn_span_str(value)), QN_OK);
    qn_web_head_end(request);
    qn_web_send(request, qn_span_str(code));
    qn_web_finish(request);
}

/* ---- rows ---- */

static size_t row_at(const struct dav_world *world, struct qn_span key, bool *ret_is_there)
{
    size_t at = 0;
    while (at < world->rows.count && qn_span_cmp(qn_buf_view(&world->rows.items[at]->key), key) < 0)
        at++;
    *ret_is_there =
        at < world->rows.count && qn_span_eq(qn_buf_view(&world->rows.items[at]->key), key);
    return at;
}

static void row_free(struct row *row)
{
    qn_buf_deinit(&row->key);
    qn_buf_deinit(&row->value);
    qn_free(row);
}

static void put_row(struct dav_world *world, const struct qn_local_row *put)
{
    bool is_there;
    size_t at = row_at(world, put->key, &is_there);
    cr_assert(put->key.size <= QN_LOCAL_KEY_SIZE_MAX && put->value.size <= QN_LOCAL_ROW_SIZE_MAX);
    if (is_there) {
        row_free(world->rows.items[at]);
        qn_vec_remove(&world->rows, at);
    }
    if (put->is_gone)
        return;
    struct row *row = QN_NEW(struct row);
    qn_buf_init(&row->key, QN_LOCAL_KEY_SIZE_MAX);
    qn_buf_init(&row->value, QN_LOCAL_ROW_SIZE_MAX);
    qn_buf_append_span(&row->key, put->key);
    qn_buf_append_span(&row->value, put->value);
    *qn_vec_insert_slot(&world->rows, at) = row;
}

struct put {
    struct dav_world *world;
    void (*done)(void *, enum qn_err);
    void *context;
    enum qn_err err;
    QN_VEC(struct qn_local_row) rows; /* with copies of their bytes */
};

/* Rows are there when that is told, not before. */
static void on_put(void *context)
{
    struct put *put = context;
    qn_vec_each (&put->rows, row) {
        if (put->err == QN_OK)
            put_row(put->world, row);
        qn_free((void *)(uintptr_t)row->key.data);
        qn_free((void *)(uintptr_t)row->value.data);
    }
    qn_vec_free(&put->rows);
    put->done(put->context, put->err);
    qn_free(put);
}

static void copy_row(struct put *put, const struct qn_local_row *row)
{
    struct qn_local_row copy = *row;
    copy.key.data = qn_memdup(row->key.data, row->key.size);
    copy.value.data = row->value.size > 0 ? qn_memdup(row->value.data, row->value.size) : NULL;
    qn_vec_push(&put->rows, copy);
}

static void local_put(void *context, const struct qn_local_row *rows, size_t count,
                      void (*done)(void *, enum qn_err), void *done_context)
{
    struct dav_world *world = context;
    struct put *put = QN_NEW(struct put);
    size_t size = 0;
    *put =
        (struct put){.world = world, .done = done, .context = done_context, .err = world->put_err};
    world->put_err = QN_OK;
    cr_assert_gt(count, 0);
    for (size_t i = 0; i < count; i++) {
        size += rows[i].key.size + rows[i].value.size;
        copy_row(put, &rows[i]);
    }
    cr_assert_leq(size, QN_LOCAL_PUT_SIZE_MAX);
    dav_folder_later(world->folder, on_put, put);
}

static enum qn_err local_read(void *context, struct qn_span prefix, struct qn_span from,
                              bool (*each)(void *, struct qn_span, struct qn_span),
                              void *each_context)
{
    struct dav_world *world = context;
    bool is_there;
    for (size_t at = row_at(world, from, &is_there); at < world->rows.count; at++) {
        const struct row *row = world->rows.items[at];
        if (!qn_span_has_prefix(qn_buf_view(&row->key), prefix))
            break;
        if (!each(each_context, qn_buf_view(&row->key), qn_buf_view(&row->value)))
            break;
    }
    return QN_OK;
}

/* ---- the host ---- */

static struct qn_folder *host_folder(void *context, struct qn_span name)
{
    struct dav_world *world = context;
    if (qn_span_eq_str(name, "E"))
        return dav_folder_base(world->second);
    return qn_span_eq_str(name, "F") ? dav_folder_base(world->folder) : NULL;
}

static void host_each_folder(void *context, void (*each)(void *, struct qn_span),
                             void *each_context)
{
    each(each_context, qn_span_str("F"));
    each(each_context, qn_span_str("secret"));
}

static uint64_t host_wall_ms(void *context)
{
    return ((struct dav_world *)context)->wall_ms;
}

static void host_random(void *out, size_t size)
{
    memset(out, ++the_world->random, size);
}

static void host_log(void *context, int level, const char *text) {}

static enum qn_right right_of(void *context, const struct qn_person *person, struct qn_span folder)
{
    struct dav_world *world = context;
    if (world->is_withdrawn && world->questions_left-- == 0) {
        world->questions_left = 0;
        return QN_RIGHT_NONE;
    }
    bool is_bert = strcmp(person->name, "bert") == 0;
    if (qn_span_eq_str(folder, "E"))
        return is_bert ? QN_RIGHT_NONE : QN_RIGHT_WRITE;
    if (!qn_span_eq_str(folder, "F"))
        return QN_RIGHT_NONE;
    if (strcmp(person->name, "anna") == 0 || is_bert)
        return QN_RIGHT_WRITE;
    if (strcmp(person->name, "lise") == 0)
        return QN_RIGHT_LIST;
    return strcmp(person->name, "rita") == 0 ? QN_RIGHT_READ : QN_RIGHT_NONE;
}

static enum qn_err audit(void *context, const struct qn_audit_what *what)
{
    struct dav_world *world = context;
    snprintf(world->last_note, sizeof(world->last_note), "%.*s %s %.*s %s", (int)what->actor.size,
             what->actor.data, what->action, (int)what->object.size, what->object.data,
             what->result);
    world->notes += world->audit_err == QN_OK;
    return world->audit_err;
}

static enum qn_err audit_state(void *context)
{
    return ((struct dav_world *)context)->audit_err;
}

static void begin(struct dav_world *world)
{
    struct qn_dav_options options = {.host = &world->host,
                                     .right = right_of,
                                     .audit = audit,
                                     .audit_state = audit_state,
                                     .context = world};
    world->dav = qn_dav_new(&options);
}

static void on_closed(void *context)
{
    ((struct dav_world *)context)->is_closed = true;
}

static void finish(struct dav_world *world)
{
    world->is_closed = false;
    qn_dav_close(world->dav, on_closed, world);
    while (turn_folders(world))
        continue;
    cr_assert(world->is_closed, "a request was left");
}

struct dav_world *dav_world_new(void)
{
    struct dav_world *world = the_world = QN_NEW(struct dav_world);
    world->folder = dav_folder_new();
    world->second = dav_folder_new();
    world->local = (struct qn_local){.put = local_put, .read = local_read, .context = world};
    world->host = (struct qn_serve_host){.context = world,
                                         .local = &world->local,
                                         .folder = host_folder,
                                         .each_folder = host_each_folder,
                                         .wall_ms = host_wall_ms,
                                         .random = host_random,
                                         .log = host_log};
    world->wall_ms = UINT64_C(1700000000000);
    world->room = 256 * 1024;
    dav_world_be(world, "anna");
    begin(world);
    return world;
}

static void answer_free(struct dav_answer *answer)
{
    qn_buf_deinit(&answer->head);
    qn_buf_deinit(&answer->body);
}

void dav_world_free(struct dav_world *world)
{
    finish(world);
    qn_vec_each (&world->rows, row)
        row_free(*row);
    qn_vec_free(&world->rows);
    answer_free(&world->answer);
    dav_folder_free(world->folder);
    dav_folder_free(world->second);
    qn_free(world);
}

void dav_world_restart(struct dav_world *world)
{
    finish(world);
    begin(world);
}

/* ---- a request ---- */

static void give_body(struct qn_web_request *request)
{
    if (!request->wants_body || request->is_paused || request->body_ended || request->is_finished)
        return;
    size_t left = request->body.size - request->body_at;
    if (left == 0) {
        request->body_ended = true;
        request->handler->body_end(request);
        return;
    }
    size_t size = left < PIECE ? left : PIECE;
    uint8_t *copy = qn_memdup(request->body.data + request->body_at, size); /* not after the call */
    request->body_at += size;
    request->handler->body(request, qn_span(copy, size));
    qn_free(copy);
}

static void turn(struct qn_web_request *request)
{
    give_body(request);
    if (request->room < request->world->room && request->head_ended && !request->is_finished) {
        request->room = request->world->room;
        request->handler->room(request);
    }
}

static void read_head(struct qn_web_request *request, const char *line, const char *fields,
                      size_t body_size)
{
    struct qn_http_refusal refusal;
    struct qn_http_target target;
    size_t size;
    qn_buf_init(&request->head_bytes, QN_HTTP_HEAD_SIZE_MAX);
    qn_buf_init(&request->path, QN_HTTP_PATH_SIZE_MAX);
    qn_buf_printf(&request->head_bytes, "%s HTTP/1.1\r\nHost: h:8443\r\n%s", line, fields);
    if (!strcasestr(fields, "transfer-encoding:"))
        qn_buf_printf(&request->head_bytes, "Content-Length: %zu\r\n", body_size);
    qn_buf_append_str(&request->head_bytes, "\r\n");
    cr_assert_eq(
        qn_http_head_read(qn_buf_view(&request->head_bytes), &request->head, &size, &refusal),
        QN_OK, "%s", line);
    cr_assert_eq(qn_http_target_split(request->head.target, &target), QN_OK);
    cr_assert_eq(qn_http_path_decode(target.path, &request->path, &request->has_slash), QN_OK);
}

static struct qn_web_request *start(struct dav_world *world, const char *line, const char *fields,
                                    struct qn_span body)
{
    struct qn_web_request *request = QN_NEW(struct qn_web_request);
    answer_free(&world->answer);
    world->answer = (struct dav_answer){.status = 0};
    qn_buf_init(&world->answer.head, 64 * 1024);
    qn_buf_init(&world->answer.body, 64 * 1024 * 1024);
    request->world = world;
    request->room = world->room;
    request->body = body;
    read_head(request, line, fields, body.size);
    request->handler = request->path.size == 0 ? &qn_dav_root_handler : &qn_dav_handler;
    request->handler->start(request);
    return request;
}

static void end(struct qn_web_request *request, bool is_complete)
{
    request->handler->end(request, is_complete);
    request->is_ended = true;
    qn_buf_deinit(&request->head_bytes);
    qn_buf_deinit(&request->path);
    qn_free(request);
}

static void terminate(struct qn_buf *text)
{
    qn_buf_append_u8(text, 0);
    text->size--;
}

const struct dav_answer *dav_ask_bytes(struct dav_world *world, const char *line,
                                       const char *fields, struct qn_span body)
{
    struct qn_web_request *request = start(world, line, fields, body);
    for (unsigned i = 0; i < TURNS_MAX && !request->is_finished; i++) {
        turn(request);
        (void)turn_folders(world);
    }
    cr_assert(request->is_finished, "no answer to %s", line);
    struct dav_answer *answer = &world->answer;
    answer->is_complete = !answer->is_cut && (answer->size == QN_HTTP_NO_LENGTH ||
                                              request->head.method == QN_HTTP_HEAD ||
                                              answer->size == answer->body.size);
    end(request, answer->is_complete);
    terminate(&answer->head);
    terminate(&answer->body);
    return answer;
}

const struct dav_answer *dav_ask(struct dav_world *world, const char *line, const char *fields,
                                 const char *body)
{
    return dav_ask_bytes(world, line, fields, qn_span_str(body));
}

void dav_ask_and_leave(struct dav_world *world, const char *line, const char *fields,
                       const char *body, unsigned turns)
{
    struct qn_web_request *request = start(world, line, fields, qn_span_str(body));
    for (unsigned i = 0; i < turns && !request->is_finished; i++) {
        turn(request);
        (void)turn_folders(world);
    }
    end(request, false);
    while (turn_folders(world))
        continue;
}

void dav_ask_both(struct dav_world *world, const char *line, const char *body, const char *other)
{
    struct qn_web_request *both[2] = {start(world, line, "", qn_span_str(body)),
                                      start(world, line, "", qn_span_str(other))};
    for (unsigned i = 0; i < TURNS_MAX && !(both[0]->is_finished && both[1]->is_finished); i++) {
        turn(both[0]);
        turn(both[1]);
        (void)turn_folders(world);
    }
    cr_assert(both[0]->is_finished && both[1]->is_finished, "no answer to %s", line);
    end(both[0], true);
    end(both[1], true);
}

const char *dav_answer_field(const struct dav_answer *answer, const char *name)
{
    static char value[1024];
    const char *line = (const char *)answer->head.data;
    size_t size = strlen(name);
    for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncasecmp(line, name, size) == 0 && line[size] == ':') {
            snprintf(value, sizeof(value), "%.*s", (int)strcspn(line + size + 2, "\r"),
                     line + size + 2);
            return value;
        }
    return NULL;
}

/* ---- the world around ---- */

void dav_world_be(struct dav_world *world, const char *person)
{
    snprintf(world->person.name, sizeof(world->person.name), "%s", person);
}

void dav_world_pass(struct dav_world *world, uint64_t seconds)
{
    world->wall_ms += seconds * 1000;
}

void dav_world_fail_put(struct dav_world *world, enum qn_err err)
{
    world->put_err = err;
}

void dav_world_fail_call(struct dav_world *world, enum qn_err err)
{
    dav_folder_fail(world->folder, err);
}

void dav_world_set_room(struct dav_world *world, size_t room)
{
    world->room = room;
}

void dav_world_set_file(struct dav_world *world, const char *path, const char *content)
{
    dav_folder_set(world->folder, path, content);
}

void dav_world_race(struct dav_world *world, const char *path, const char *content)
{
    dav_folder_race(world->folder, path, content);
}

const char *dav_world_file(struct dav_world *world, const char *path)
{
    return dav_folder_get(world->folder, path);
}

int64_t dav_world_modified_ns(struct dav_world *world, const char *path)
{
    return dav_folder_modified_ns(world->folder, path);
}

size_t dav_world_row_count(const struct dav_world *world, const char *prefix)
{
    size_t count = 0;
    for (size_t i = 0; i < world->rows.count; i++)
        count += qn_span_has_prefix(qn_buf_view(&world->rows.items[i]->key), qn_span_str(prefix));
    return count;
}

size_t dav_world_uploads(const struct dav_world *world)
{
    return dav_folder_uploads(world->folder);
}

void dav_world_withdraw(struct dav_world *world, unsigned questions)
{
    world->is_withdrawn = true;
    world->questions_left = questions;
}

size_t dav_world_notes(const struct dav_world *world)
{
    return world->notes;
}

const char *dav_world_last_note(const struct dav_world *world)
{
    return world->last_note;
}

void dav_world_fail_audit(struct dav_world *world, enum qn_err err)
{
    world->audit_err = err;
}

struct qn_dav *dav_world_dav(const struct dav_world *world)
{
    return world->dav;
}

const char *dav_world_second_file(struct dav_world *world, const char *path)
{
    return dav_folder_get(world->second, path);
}

void dav_world_be_of_a_site(struct dav_world *world, bool is_of_a_site)
{
    world->person.is_from_site = is_of_a_site;
}
