/* Reading for the owner: PACK_GET, LIST_GET and PROOF_ASK. Each request is answered exactly once,
 * in any order. A proof reads its packs one after the other. */
#include "core/hold_impl.h"

static void request_free(struct hold_request *request)
{
    qn_buf_deinit(&request->wanted);
    qn_buf_deinit(&request->tokens);
    qn_free(request);
}

void hold_requests_down(struct hold *hold)
{
    qn_vec_each (&hold->requests, request)
        request_free(*request);
    hold->requests.count = 0;
}

static struct hold_request *request_of(struct hold *hold, uint64_t number)
{
    qn_vec_each (&hold->requests, request)
        if ((*request)->number == number)
            return *request;
    return NULL;
}

static void end(struct hold *hold, struct hold_request *request)
{
    for (size_t i = 0; i < hold->requests.count; i++)
        if (hold->requests.items[i] == request) {
            qn_vec_remove(&hold->requests, i);
            break;
        }
    request_free(request);
}

/* ---- answers ---- */

static void say_code(struct qn_buf *out, const char *code)
{
    if (code == NULL)
        qn_pack_nil(out);
    else
        qn_pack_cstr(out, code);
}

void hold_request_fail(struct qn_core *core, struct bulk *bulk, struct hold_request *request,
                       const char *code)
{
    bool is_list = request->kind == QN_MSG_LIST_GET, is_pack = request->kind == QN_MSG_PACK_GET;
    enum qn_message number = is_list ? QN_MSG_LIST_DATA : is_pack ? QN_MSG_PACK_DATA : QN_MSG_PROOF;
    struct qn_buf *out = core_message(core, number, 4);
    qn_pack_u64(out, request->request);
    say_code(out, code);
    if (is_pack)
        qn_pack_u64(out, request->pack_size);
    if (is_list)
        qn_pack_bool(out, true);
    qn_pack_bin(out, qn_span(NULL, 0));
    if (!is_list && !is_pack)
        qn_pack_u64(out, request->again_ms);
    bulk_send(core, bulk);
    end(bulk->hold, request);
}

static void say_bytes(struct qn_core *core, struct bulk *bulk, struct hold_request *request,
                      struct qn_span bytes)
{
    struct qn_buf *out = core_message(core, QN_MSG_PACK_DATA, 4);
    qn_pack_u64(out, request->request);
    qn_pack_nil(out);
    qn_pack_u64(out, request->pack_size);
    qn_pack_bin(out, bytes);
    bulk_send(core, bulk);
    end(bulk->hold, request);
}

/* `found` is [is last, body], as read. */
static void say_list(struct qn_core *core, struct bulk *bulk, struct hold_request *request,
                     struct qn_span found)
{
    struct qn_cursor cursor = qn_cursor(found);
    size_t count;
    bool is_last;
    struct qn_span body;
    if (qn_cursor_array(&cursor, 2, &count) != QN_OK ||
        qn_cursor_bool(&cursor, &is_last) != QN_OK || qn_cursor_skip(&cursor, 4, &body) != QN_OK) {
        hold_request_fail(core, bulk, request, "failed");
        return;
    }
    struct qn_buf *out = core_message(core, QN_MSG_LIST_DATA, 4);
    qn_pack_u64(out, request->request);
    qn_pack_nil(out);
    qn_pack_bool(out, is_last);
    qn_pack_raw(out, body);
    bulk_send(core, bulk);
    end(bulk->hold, request);
}

static void say_proof(struct qn_core *core, struct bulk *bulk, struct hold_request *request)
{
    struct qn_digest digest;
    QN_DIGEST(&digest, qn_buf_view(&request->tokens));
    struct qn_buf *out = core_message(core, QN_MSG_PROOF, 3);
    qn_pack_u64(out, request->request);
    qn_pack_nil(out);
    qn_pack_bin(out, qn_digest_view(&digest));
    bulk_send(core, bulk);
    end(bulk->hold, request);
}

/* ---- what is asked ---- */

static void read_for(struct qn_core *core, struct bulk *bulk, const struct hold_request *request,
                     struct qn_buf *take_args)
{
    bulk_read(core, bulk, QN_READ_HELD, take_args, PENDING_HOLD,
              hold_tag(HOLD_REQUEST_READ, request->number));
}

static enum qn_err ask_pack(struct qn_core *core, struct bulk *bulk, struct hold_request *request,
                            struct qn_cursor *fields)
{
    struct qn_buf args;
    QN_TRY(qn_cursor_bytes(fields, request->name.bytes, sizeof(request->name.bytes)));
    QN_TRY(qn_cursor_u64(fields, &request->offset));
    QN_TRY(qn_cursor_u64(fields, &request->size));
    if (request->size == 0 || request->size > BULK_READ_MAX)
        return QN_ERR_INVALID;
    hold_read_args(HOLD_READ_PACK, &bulk->peer->site, 3, &args);
    qn_pack_bin(&args, qn_digest_view(&request->name));
    read_for(core, bulk, request, &args);
    return QN_OK;
}

static enum qn_err ask_list(struct qn_core *core, struct bulk *bulk, struct hold_request *request,
                            struct qn_cursor *fields)
{
    const struct qn_site_id *owner = &bulk->peer->site;
    uint64_t what;
    struct qn_digest id, after;
    bool has_id, has_after;
    struct qn_buf args;
    QN_TRY(qn_cursor_u64(fields, &what));
    QN_TRY(hold_take_after(fields, &id, &has_id));
    QN_TRY(hold_take_after(fields, &after, &has_after));
    if (what > 2 || (what == 2 && !has_id))
        return QN_ERR_INVALID;
    if (what == 0) {
        hold_read_args(HOLD_READ_KEYS, owner, 2, &args);
    } else if (what == 1) {
        hold_read_args(HOLD_READ_LISTS, owner, 4, &args);
        hold_pack_after(&args, has_id ? &id : NULL);
        qn_pack_u64(&args, core->wall_ms);
    } else {
        hold_read_args(HOLD_READ_LIST, owner, 5, &args);
        qn_pack_bin(&args, qn_digest_view(&id));
        hold_pack_after(&args, has_after ? &after : NULL);
        qn_pack_u64(&args, BULK_NAMES_MAX);
    }
    read_for(core, bulk, request, &args);
    return QN_OK;
}

static enum qn_err ask_proof(struct qn_core *core, struct bulk *bulk, struct hold_request *request,
                             struct qn_cursor *fields)
{
    struct qn_span prefixes;
    struct qn_buf args;
    QN_TRY(qn_cursor_bytes(fields, request->key, sizeof(request->key)));
    QN_TRY(qn_cursor_bin(fields, BULK_NAMES_MAX * BULK_PROOF_PREFIX, &prefixes));
    if (prefixes.size % BULK_PROOF_PREFIX != 0)
        return QN_ERR_INVALID;
    qn_buf_init(&request->wanted, BULK_NAMES_MAX * QN_DIGEST_SIZE);
    qn_buf_init(&request->tokens, BULK_NAMES_MAX * HOLD_PROOF_TOKEN);
    hold_read_args(HOLD_READ_RESOLVE, &bulk->peer->site, 3, &args);
    qn_pack_bin(&args, prefixes);
    read_for(core, bulk, request, &args);
    return QN_OK;
}

static enum qn_err ask(struct qn_core *core, struct bulk *bulk, struct hold_request *request,
                       struct qn_cursor *fields)
{
    QN_TRY(qn_cursor_u64(fields, &request->request));
    if (request->kind == QN_MSG_PACK_GET)
        return ask_pack(core, bulk, request, fields);
    if (request->kind == QN_MSG_LIST_GET)
        return ask_list(core, bulk, request, fields);
    return ask_proof(core, bulk, request, fields);
}

enum qn_err hold_heard_request(struct qn_core *core, struct bulk *bulk, enum qn_message kind,
                               struct qn_cursor *fields)
{
    struct hold *hold = bulk->hold;
    if (hold->requests.count >= BULK_REQUESTS_MAX)
        return QN_ERR_LIMIT;
    struct hold_request *request = QN_NEW(struct hold_request);
    *request = (struct hold_request){.number = core_token(core), .kind = kind};
    qn_vec_push(&hold->requests, request);
    return ask(core, bulk, request, fields); /* on an error the connection ends, and this with it */
}

/* ---- from the store ---- */

static void take_pack(struct qn_core *core, struct bulk *bulk, struct hold_request *request,
                      struct qn_span row)
{
    struct qn_cursor cursor = qn_cursor(row);
    size_t count;
    bool is_good;
    if (qn_cursor_array(&cursor, 2, &count) != QN_OK ||
        qn_cursor_u64(&cursor, &request->pack_size) != QN_OK ||
        qn_cursor_bool(&cursor, &is_good) != QN_OK)
        hold_request_fail(core, bulk, request, "failed");
    else if (!is_good)
        hold_request_fail(core, bulk, request, "damaged");
    else if (request->offset >= request->pack_size)
        hold_request_fail(core, bulk, request, "range");
    else
        request->has_row = true;
}

void hold_request_read(struct qn_core *core, struct bulk *bulk, uint64_t number,
                       const struct qn_read_result *result)
{
    struct hold_request *request = request_of(bulk->hold, number);
    struct qn_span body = qn_buf_view(&result->body);
    if (request == NULL)
        return;
    if (result->err == QN_ERR_NOTFOUND) {
        peer_asks_foreign(core, bulk->peer);
        hold_request_fail(core, bulk, request, "unknown");
    } else if (result->err != QN_OK) {
        core_note(core, "read-failed", result->err, "held");
        hold_request_fail(core, bulk, request, "failed");
    } else if (request->kind == QN_MSG_LIST_GET) {
        say_list(core, bulk, request, body);
    } else if (request->kind == QN_MSG_PACK_GET) {
        take_pack(core, bulk, request, body);
    } else {
        hold_proof_resolved(core, bulk, request, body);
    }
    hold_request_pump(core, bulk);
}

/* ---- from the disk ---- */

static void read_bytes(struct qn_core *core, struct bulk *bulk, struct hold_request *request)
{
    uint64_t left = request->pack_size - request->offset;
    request->is_reading = true;
    bulk->hold->reads++;
    hold_file(core, bulk,
              &(struct hold_file){.kind = QN_FILE_READ,
                                  .name = request->name,
                                  .offset = request->offset,
                                  .size = request->size < left ? request->size : left},
              hold_tag(HOLD_REQUEST_FILE, request->number));
}

static void add_token(struct hold_request *request, struct qn_span mac)
{
    static const uint8_t none[HOLD_PROOF_TOKEN];
    bool is_there = mac.size >= HOLD_PROOF_TOKEN;
    qn_buf_append(&request->tokens, is_there ? mac.data : none, HOLD_PROOF_TOKEN);
}

static bool is_zero(const struct qn_digest *name)
{
    static const struct qn_digest zero;
    return qn_digest_eq(name, &zero);
}

/* The next pack that is here; false if the proof is done. */
static bool prove_next(struct qn_core *core, struct bulk *bulk, struct hold_request *request)
{
    for (size_t at;
         (at = request->tokens.size / HOLD_PROOF_TOKEN * QN_DIGEST_SIZE) < request->wanted.size;) {
        struct hold_file file = {.kind = QN_FILE_PROOF, .bytes_size = QN_DIGEST_SIZE};
        struct qn_digest key;
        memcpy(file.name.bytes, request->wanted.data + at, sizeof(file.name.bytes));
        if (is_zero(&file.name)) {
            add_token(request, qn_span(NULL, 0));
            continue;
        }
        qn_hmac(QN_SPAN_OF(request->key), qn_digest_view(&file.name), &key);
        file.take_bytes = qn_memdup(key.bytes, sizeof(key.bytes));
        request->is_reading = true;
        bulk->hold->reads++;
        hold_file(core, bulk, &file, hold_tag(HOLD_REQUEST_FILE, request->number));
        return true;
    }
    return false;
}

/* The pack that is read: whose token comes next, or whose bytes were asked for; borrowed. */
static const struct qn_digest *name_read(const struct hold_request *request)
{
    size_t at = request->tokens.size / HOLD_PROOF_TOKEN * QN_DIGEST_SIZE;
    if (request->kind == QN_MSG_PACK_GET)
        return &request->name;
    return (const struct qn_digest *)(request->wanted.data + at);
}

void hold_request_file(struct qn_core *core, struct bulk *bulk, uint64_t number,
                       const struct qn_file_result *result)
{
    struct hold_request *request = request_of(bulk->hold, number);
    bulk->hold->reads--;
    if (request == NULL)
        return;
    request->is_reading = false;
    struct qn_span bytes = qn_buf_view(&result->bytes);
    bool is_bad = custodian_is_bad(result->err);
    if (is_bad)
        custodian_found_bad(core, &bulk->peer->site, name_read(request));
    if (result->err != QN_OK && !is_bad) {
        core_note(core, "held-file-failed", result->err, "");
        request->again_ms = CUSTODIAN_MS;
        hold_request_fail(core, bulk, request, "busy");
    } else if (request->kind == QN_MSG_PROOF_ASK) {
        add_token(request, result->err == QN_OK ? bytes : qn_span(NULL, 0));
    } else if (result->err != QN_OK) {
        core_note(core, "held-file-failed", result->err, "");
        hold_request_fail(core, bulk, request, "damaged");
    } else {
        say_bytes(core, bulk, request, bytes);
    }
}

/* Whether the request has ended. */
static bool start(struct qn_core *core, struct bulk *bulk, struct hold_request *request)
{
    if (request->kind == QN_MSG_PACK_GET) {
        read_bytes(core, bulk, request);
        return false;
    }
    if (prove_next(core, bulk, request))
        return false;
    say_proof(core, bulk, request);
    return true;
}

/* One proof at a time: it reads for long, and the pieces of packs go first. */
void hold_request_pump(struct qn_core *core, struct bulk *bulk)
{
    struct hold *hold = bulk->hold;
    bool has_proof = false;
    for (size_t i = 0; i < hold->requests.count;) {
        struct hold_request *request = hold->requests.items[i];
        bool is_proof = request->kind == QN_MSG_PROOF_ASK;
        bool may_start = request->has_row && !request->is_reading && !(is_proof && has_proof);
        has_proof |= is_proof;
        if (may_start && (hold->reads >= HOLD_READS_MAX || !hold_has_file_slot(hold)))
            return;
        bool has_ended = may_start && start(core, bulk, request);
        i += !has_ended;
    }
}
