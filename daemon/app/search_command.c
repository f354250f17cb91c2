#include "app/search_private.h"

#include "base/limits.h"
#include "core/args.h"
#include "proto/pack.h"

#define LIMIT_DEFAULT 20
#define API_LIMIT_MAX 100 /* of what other sites take (docs/api.md, 6) */
#define ELSEWHERE_MAX 32  /* folders of other sites that one question asks for */

struct qn_search_command {
    struct qn_driver *driver;
    struct qn_search_feed *feed;
    const struct qn_search_files *files;
    struct qn_https *https; /* NULL: nothing of other sites is found */
};

bool search_is_behind(const struct qn_search_command *command)
{
    return qn_search_feed_is_behind(command->feed) || qn_search_files_is_behind(command->files);
}

struct qn_driver *search_driver(const struct qn_search_command *command)
{
    return command->driver;
}

/* The scopes of a question, with their bytes. */
struct scopes {
    QN_VEC(struct qn_span) items;
    struct qn_buf bytes;      /* never grows beyond what is reserved: spans point into it */
    QN_VEC(char *) elsewhere; /* folders of other sites */
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
    qn_vec_each (&scopes->elsewhere, name)
        qn_free(*name);
    qn_vec_free(&scopes->elsewhere);
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

/* Only names that are here are in the index; for others their home is asked. */
static void add_folder(struct scopes *scopes, const struct qn_folder_view *folder)
{
    char word[QN_SEARCH_FOLDER_SCOPE_SIZE];
    if (!folder->is_here) {
        qn_vec_push(&scopes->elsewhere, qn_strdup(folder->name));
        return;
    }
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

struct question {
    struct qn_span words, user;
    uint64_t limit;
    bool tells_sites;
    struct scopes scopes;
};

/* Untouched if it is not there. */
static bool read_flag(struct qn_span args, const char *key, bool *ret_flag)
{
    struct qn_span value = args_value(args, key);
    struct qn_cursor cursor = qn_cursor(value);
    return value.size == 0 || qn_cursor_bool(&cursor, ret_flag) == QN_OK;
}

static enum qn_err parse(const struct qn_search_command *command, struct qn_span args,
                         struct question *question)
{
    question->limit = LIMIT_DEFAULT;
    if (!args_are_only(args, "collections folders limit sites words") ||
        !read_flag(args, "sites", &question->tells_sites) ||
        !args_text(args, "words", QN_VALUE_SIZE_MAX, &question->words) ||
        (args_value(args, "limit").size > 0 && !args_u64(args, "limit", &question->limit)))
        return QN_ERR_INVALID;
    const struct qn_core *core = qn_driver_core(command->driver);
    QN_TRY(add_collections(&question->scopes, core, args_value(args, "collections")));
    return add_folders(&question->scopes, core, args_value(args, "folders"));
}

/* A site that is not connected is not waited for. */
static void ask_elsewhere(struct qn_search_command *command, struct search_ask *ask,
                          const struct question *question)
{
    size_t count = 0;
    qn_vec_each (&question->scopes.elsewhere, name) {
        struct qn_folder_home home;
        if (!qn_core_folder_home(qn_driver_core(command->driver), qn_span_str(*name), &home))
            continue;
        const struct qn_serve_search what = {
            .site = home.site,
            .folder = qn_span_str(*name),
            .person = question->user,
            .words = question->words,
            .limit = question->limit < API_LIMIT_MAX ? question->limit : API_LIMIT_MAX,
        };
        if (command->https == NULL || !home.is_online || count++ >= ELSEWHERE_MAX)
            search_ask_silent(ask, home.site);
        else
            search_ask_elsewhere(ask, command->https, &what);
    }
}

static enum qn_err ask(struct qn_search_command *command, uint64_t request,
                       const struct question *question)
{
    struct search_ask *ask =
        search_ask_new(command, request, question->limit, question->tells_sites);
    enum qn_err err = qn_search_ask(qn_search_feed_search(command->feed), question->words,
                                    question->scopes.items.items, question->scopes.items.count,
                                    question->limit, search_ask_on_found, ask);
    if (err != QN_OK) {
        search_ask_free(ask);
        return err;
    }
    ask_elsewhere(command, ask, question);
    search_ask_release(ask);
    return QN_OK;
}

static void start(void *context, uint64_t request, struct qn_span name, struct qn_span args,
                  struct qn_span user)
{
    struct qn_search_command *command = context;
    struct question question = {.user = user};
    if (command->feed == NULL) {
        qn_service_error(command->driver, request, QN_ERR_IO, "search-failed", qn_span(NULL, 0));
        return;
    }
    scopes_init(&question.scopes);
    enum qn_err err = parse(command, args, &question);
    if (err == QN_OK)
        err = ask(command, request, &question);
    scopes_deinit(&question.scopes);
    if (err != QN_OK)
        qn_service_error(command->driver, request, err, code_of(err), question.words);
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

void qn_search_command_reach(struct qn_search_command *command, struct qn_https *https)
{
    command->https = https;
}

void qn_search_command_free(struct qn_search_command *command)
{
    qn_free(command);
}
