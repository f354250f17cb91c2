/* The names of files in a folder of another site: its answer (docs/api.md, 6) is not trusted. */
#include <jansson.h>

#include "base/mem.h"
#include "base/text.h"
#include "files/names.h"
#include "json/in.h"
#include "proto/pack.h"
#include "serve/remote_private.h"

#define DEPTH_MAX 8

struct search {
    char folder[QN_NAME_SIZE_MAX + 1];
    uint64_t limit;
    qn_serve_found_fn *done;
    void *context;
};

/* As docs/control.md has a hit of `search`. */
static void pack_hit(const struct search *search, struct qn_span path, struct qn_buf *out)
{
    qn_pack_map(out, 4);
    qn_pack_cstr(out, "folder");
    qn_pack_cstr(out, search->folder);
    qn_pack_cstr(out, "kind");
    qn_pack_cstr(out, "file");
    qn_pack_cstr(out, "path");
    qn_pack_str(out, path);
    qn_pack_cstr(out, "text");
    qn_pack_cstr(out, "");
}

static bool read_path(const json_t *result, struct qn_span *ret_path)
{
    const json_t *path = json_object_get(result, "path");
    if (!json_is_string(path))
        return false;
    *ret_path = qn_span(json_string_value(path), json_string_length(path));
    return ret_path->size > 0 && qn_text_is_printable(*ret_path) && qn_name_is_path(*ret_path);
}

static void read_hits(const struct search *search, const json_t *results,
                      struct qn_serve_found *found)
{
    size_t count = json_array_size(results); /* 0: it is none */
    for (size_t i = 0; i < count && found->count < search->limit; i++) {
        struct qn_span path;
        if (!read_path(json_array_get(results, i), &path))
            continue;
        pack_hit(search, path, &found->hits);
        found->count++;
    }
}

static enum qn_err read_answer(const struct search *search, struct qn_span content,
                               struct qn_serve_found *found)
{
    json_error_t reason;
    json_t *answer =
        qn_json_is_shallow(content, DEPTH_MAX) ? qn_json_parse(content, &reason) : NULL;
    const json_t *results = json_object_get(answer, "results");
    enum qn_err err = json_is_array(results) ? QN_OK : QN_ERR_INVALID;
    if (err == QN_OK)
        read_hits(search, results, found);
    found->is_indexing = json_is_true(json_object_get(answer, "indexing"));
    json_decref(answer);
    return err == QN_OK ? qn_buf_status(&found->hits) : err;
}

static void on_reply(void *context, enum qn_err err, unsigned status, struct qn_span content)
{
    struct search *search = context;
    struct qn_serve_found found = {.count = 0};
    qn_buf_init(&found.hits, 2 * QN_WEB_ASK_SIZE_MAX);
    if (err == QN_OK)
        err = status == 200 ? read_answer(search, content, &found) : QN_ERR_DENIED;
    search->done(search->context, err, &found);
    qn_buf_deinit(&found.hits);
    qn_free(search);
}

void qn_serve_search(struct qn_serve *serve, const struct qn_serve_search *what,
                     qn_serve_found_fn *done, void *context)
{
    struct search *search = QN_NEW(struct search);
    *search = (struct search){.limit = what->limit, .done = done, .context = context};
    memcpy(search->folder, what->folder.data, what->folder.size);
    QN_AUTO_BUF struct qn_buf target;
    qn_buf_init(&target, QN_HTTP_HEAD_SIZE_MAX);
    qn_buf_append_str(&target, "/api/v1/folders/");
    qn_http_path_encode(what->folder, &target);
    qn_buf_printf(&target, "/search?limit=%llu&q=", (unsigned long long)what->limit);
    qn_http_path_encode(what->words, &target);
    if (target.is_over) {
        on_reply(search, QN_ERR_LIMIT, 0, qn_span(NULL, 0));
        return;
    }
    qn_serve_ask(serve,
                 &(struct qn_serve_question){
                     .site = what->site, .target = qn_buf_view(&target), .person = what->person},
                 on_reply, search);
}
