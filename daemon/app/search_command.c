#include "app/search_command.h"

#include "base/limits.h"
#include "core/args.h"
#include "proto/pack.h"

#define LIMIT_DEFAULT 20

struct qn_search_command {
    struct qn_driver *driver;
    struct qn_search_feed *feed;
    const struct qn_search_files *files;
};

struct ask {
    struct qn_search_command *command;
    uint64_t request;
};

/* The scopes of a question, with their bytes. */
struct scopes {
    QN_VEC(struct qn_span) items;
    struct qn_buf bytes; /* never grows beyond what is reserved: spans point into it */
};

/* ---- which scopes ---- */

static void scopes_init(struct scopes *scopes)
{
    *scopes = (struct scopes){0};
    qn_buf_init(&scopes->bytes, QN_SEARCH_SCOPES_MAX * QN_SEARCH_SCOPE_SIZE_MAX);
    qn_buf_reserve(&scopes->bytes, QN_SEARCH_SCOPES_MAX * QN_SEARCH_SCOPE_SIZE_MAX);
}

static void scopes_deinit(struct scopes *scopes)
{
    qn_vec_free(&scopes->items);
    qn_buf_deinit(&scopes->bytes);
}

static void add_scope(struct scopes *scopes, struct qn_span word)
{
    size_t begin = scopes->bytes.size;
    if (scopes->items.count >= QN_SEARCH_SCOPES_MAX)
        return; /* more than a question may name: the rest is not searched */
    qn_buf_append_span(&scopes->bytes, word);
    qn_vec_push(&scopes->items, qn_span(scopes->bytes.data + begin, word.size));
}

static void add_collection(struct scopes *scopes, const struct qn_coll_id *coll)
{
    char word[QN_SEARCH_COLL_SCOPE_SIZE];
    qn_search_coll_scope(coll, word);
    add_scope(scopes, qn_span_str(word));
}

static void add_all_collections(struct scopes *scopes, const struct qn_core *core)
{
    struct qn_coll_view *views;
    size_t count = qn_core_collections(core, &views);
    for (size_t i = 0; i < count; i++)
        add_collection(scopes, &views[i].id);
    qn_free(views);
}

/* A name that is unknown is none: what may be seen can change while somebody asks. */
static enum qn_err add_collections(struct scopes *scopes, const struct qn_core *core,
                                   struct qn_span list)
{
    struct qn_cursor cursor = qn_cursor(list);
    struct qn_span name;
    size_t count;
    if (list.size == 0) {
        add_all_collections(scopes, core);
        return QN_OK;
    }
    QN_TRY(qn_cursor_array(&cursor, QN_COLLECTIONS_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        QN_TRY(qn_cursor_str(&cursor, QN_NAME_SIZE_MAX, &name));
        const struct qn_coll_id *coll = qn_core_collection(core, name);
        if (coll != NULL)
            add_collection(scopes, coll);
    }
    return QN_OK;
}

/* Only those whose names are here are in the index. */
static void add_folder(struct scopes *scopes, const struct qn_folder_view *folder)
{
    char word[QN_SEARCH_FOLDER_SCOPE_SIZE];
    if (!folder->is_here)
        return;
    qn_search_folder_scope(&folder->id, word);
    add_scope(scopes, qn_span_str(word));
}

static enum qn_err add_named_folders(struct scopes *scopes, const struct qn_folder_view *views,
                                     size_t view_count, struct qn_span list)
{
    struct qn_cursor cursor = qn_cursor(list);
    struct qn_span name;
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, QN_COLLECTIONS_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        QN_TRY(qn_cursor_str(&cursor, QN_NAME_SIZE_MAX, &name));
        for (size_t at = 0; at < view_count; at++)
            if (qn_span_eq_str(name, views[at].name))
                add_folder(scopes, &views[at]);
    }
    return QN_OK;
}

static enum qn_err add_folders(struct scopes *scopes, const struct qn_core *core,
                               struct qn_span list)
{
    QN_AUTO_FREE struct qn_folder_view *views = NULL;
    size_t count = qn_core_folders(core, &views);
    if (list.size > 0)
        return add_named_folders(scopes, views, count, list);
    for (size_t i = 0; i < count; i++)
        add_folder(scopes, &views[i]);
    return QN_OK;
}

/* ---- the answer ---- */

/* What this site shares when the answer is there, with the scopes of hits: made once an answer. */
struct names {
    struct qn_coll_view *collections;
    struct qn_folder_view *folders;
    size_t collection_count, folder_count;
};

static struct names names_of(const struct qn_core *core)
{
    struct names names;
    names.collection_count = qn_core_collections(core, &names.collections);
    names.folder_count = qn_core_folders(core, &names.folders);
    return names;
}

static void names_free(struct names *names)
{
    qn_free(names->collections);
    qn_free(names->folders);
}

static const char *folder_of(const struct names *names, struct qn_span scope)
{
    char word[QN_SEARCH_FOLDER_SCOPE_SIZE];
    for (size_t i = 0; i < names->folder_count; i++) {
        qn_search_folder_scope(&names->folders[i].id, word);
        if (qn_span_eq_str(scope, word))
            return names->folders[i].name;
    }
    return NULL;
}

static const char *collection_of(const struct names *names, struct qn_span scope)
{
    char word[QN_SEARCH_COLL_SCOPE_SIZE];
    for (size_t i = 0; i < names->collection_count; i++) {
        qn_search_coll_scope(&names->collections[i].id, word);
        if (qn_span_eq_str(scope, word))
            return names->collections[i].name;
    }
    return NULL;
}

static void pack_record(struct qn_buf *out, const char *collection, const struct qn_search_hit *hit)
{
    qn_pack_map(out, 4);
    qn_pack_cstr(out, "collection");
    qn_pack_cstr(out, collection);
    qn_pack_cstr(out, "key");
    qn_pack_str(out, hit->name);
    qn_pack_cstr(out, "kind");
    qn_pack_cstr(out, "record");
    qn_pack_cstr(out, "text");
    qn_pack_str(out, hit->line);
}

static void pack_file(struct qn_buf *out, const char *folder, const struct qn_search_hit *hit)
{
    qn_pack_map(out, 4);
    qn_pack_cstr(out, "folder");
    qn_pack_cstr(out, folder);
    qn_pack_cstr(out, "kind");
    qn_pack_cstr(out, "file");
    qn_pack_cstr(out, "path");
    qn_pack_str(out, hit->name);
    qn_pack_cstr(out, "text");
    qn_pack_str(out, hit->line);
}

/* Nothing if it is no longer shared. */
static void pack_hit(struct qn_buf *out, const struct names *names, const struct qn_search_hit *hit)
{
    bool is_file = qn_span_has_prefix(hit->scope, qn_span_str("f/"));
    const char *name = is_file ? folder_of(names, hit->scope) : collection_of(names, hit->scope);
    if (name != NULL && is_file)
        pack_file(out, name, hit);
    else if (name != NULL)
        pack_record(out, name, hit);
}

static void tell_hits(const struct ask *ask, const struct qn_search_answer *answer)
{
    struct qn_driver *driver = ask->command->driver;
    struct names names = names_of(qn_driver_core(driver));
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 16 * 1024);
    for (size_t i = 0; i < answer->count; i++) {
        qn_buf_reset(&out);
        pack_hit(&out, &names, &answer->hits[i]);
        if (out.size > 0 && qn_buf_status(&out) == QN_OK)
            qn_service_data(driver, ask->request, qn_buf_view(&out));
    }
    names_free(&names);
}

static void on_found(void *context, enum qn_err err, const struct qn_search_answer *answer)
{
    struct ask *ask = context;
    struct qn_search_command *command = ask->command;
    QN_AUTO_BUF struct qn_buf end;
    qn_buf_init(&end, 64);
    if (err != QN_OK) {
        qn_service_error(command->driver, ask->request, err, "search-failed", qn_span(NULL, 0));
    } else {
        tell_hits(ask, answer);
        qn_pack_map(&end, 1);
        qn_pack_cstr(&end, "indexing");
        qn_pack_bool(&end, qn_search_feed_is_behind(command->feed) ||
                               qn_search_files_is_behind(command->files));
        qn_service_end(command->driver, ask->request, qn_buf_view(&end));
    }
    qn_free(ask);
}

/* ---- the question ---- */

static const char *code_of(enum qn_err err)
{
    switch (err) {
    case QN_ERR_INVALID:
    case QN_ERR_LIMIT:
        return "bad-words";
    case QN_ERR_BUSY:
        return "busy";
    default:
        return "search-failed";
    }
}

static enum qn_err ask(struct qn_search_command *command, uint64_t request, struct qn_span args,
                       struct scopes *scopes, struct qn_span *ret_words)
{
    uint64_t limit = LIMIT_DEFAULT;
    if (!args_are_only(args, "collections folders limit words") ||
        !args_text(args, "words", QN_VALUE_SIZE_MAX, ret_words) ||
        (args_value(args, "limit").size > 0 && !args_u64(args, "limit", &limit)))
        return QN_ERR_INVALID;
    const struct qn_core *core = qn_driver_core(command->driver);
    QN_TRY(add_collections(scopes, core, args_value(args, "collections")));
    QN_TRY(add_folders(scopes, core, args_value(args, "folders")));
    struct ask *asking = QN_NEW(struct ask);
    *asking = (struct ask){.command = command, .request = request};
    enum qn_err err =
        qn_search_ask(qn_search_feed_search(command->feed), *ret_words, scopes->items.items,
                      scopes->items.count, limit, on_found, asking);
    if (err != QN_OK)
        qn_free(asking);
    return err;
}

static void start(void *context, uint64_t request, struct qn_span name, struct qn_span args,
                  struct qn_span user)
{
    struct qn_search_command *command = context;
    struct qn_span words = qn_span(NULL, 0);
    struct scopes scopes;
    if (command->feed == NULL) {
        qn_service_error(command->driver, request, QN_ERR_IO, "search-failed", qn_span(NULL, 0));
        return;
    }
    scopes_init(&scopes);
    enum qn_err err = ask(command, request, args, &scopes, &words);
    scopes_deinit(&scopes);
    if (err != QN_OK)
        qn_service_error(command->driver, request, err, code_of(err), words);
}

static bool takes(void *context, struct qn_span command)
{
    return qn_span_eq_str(command, "search");
}

struct qn_search_command *qn_search_command_new(struct qn_driver *driver,
                                                struct qn_search_feed *feed,
                                                const struct qn_search_files *files)
{
    struct qn_search_command *command = QN_NEW(struct qn_search_command);
    *command = (struct qn_search_command){.driver = driver, .feed = feed, .files = files};
    qn_driver_add_service(driver,
                          &(struct qn_service){.takes = takes, .start = start, .context = command});
    return command;
}

void qn_search_command_free(struct qn_search_command *command)
{
    qn_free(command);
}
