/* A question under way: hits of this site and of others as they come, then the end. */
#include <stdio.h>
#include <string.h>

#include "app/search_private.h"
#include "base/mem.h"
#include "base/vec.h"
#include "proto/cursor.h"
#include "proto/pack.h"

/* Another site that has folders in which is searched. */
struct asked_site {
    char name[QN_NAME_SIZE_MAX + 1];
    unsigned pending; /* its folders that have no answer yet */
    bool is_silent;   /* one of them had none */
};

struct search_ask {
    struct qn_search_command *command;
    uint64_t request;
    unsigned pending; /* the index, the folders that were asked for, and who still asks */
    enum qn_err err;  /* of the index */
    bool is_indexing;
    bool tells_sites;        /* who asks wants to know which sites are asked, and have answered */
    uint64_t elsewhere_left; /* hits of other sites that may still be told */
    QN_VEC(struct asked_site) sites;
};

struct search_ask *search_ask_new(struct qn_search_command *command, uint64_t request,
                                  uint64_t limit, bool tells_sites)
{
    struct search_ask *ask = QN_NEW(struct search_ask);
    *ask = (struct search_ask){.command = command, .request = request, .pending = 2};
    ask->elsewhere_left = limit;
    ask->tells_sites = tells_sites;
    return ask;
}

void search_ask_free(struct search_ask *ask)
{
    qn_vec_free(&ask->sites);
    qn_free(ask);
}

/* ---- the end ---- */

static void pack_silent(const struct search_ask *ask, struct qn_buf *out)
{
    size_t count = 0;
    qn_vec_each (&ask->sites, site)
        count += site->is_silent;
    qn_pack_array(out, count);
    qn_vec_each (&ask->sites, site)
        if (site->is_silent)
            qn_pack_cstr(out, site->name);
}

static void pack_end(const struct search_ask *ask, struct qn_buf *out)
{
    qn_pack_map(out, 2);
    qn_pack_cstr(out, "indexing");
    qn_pack_bool(out, ask->is_indexing || search_is_behind(ask->command));
    qn_pack_cstr(out, "silent");
    pack_silent(ask, out);
}

void search_ask_release(struct search_ask *ask)
{
    struct qn_driver *driver = search_driver(ask->command);
    QN_AUTO_BUF struct qn_buf end;
    qn_buf_init(&end, 16 * 1024);
    if (--ask->pending > 0)
        return;
    pack_end(ask, &end);
    if (ask->err != QN_OK)
        qn_service_error(driver, ask->request, ask->err, "search-failed", qn_span(NULL, 0));
    else
        qn_service_end(driver, ask->request, qn_buf_view(&end));
    search_ask_free(ask);
}

/* ---- this site ---- */

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

static void tell_hits(const struct search_ask *ask, const struct qn_search_answer *answer)
{
    struct qn_driver *driver = search_driver(ask->command);
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

void search_ask_on_found(void *context, enum qn_err err, const struct qn_search_answer *answer)
{
    struct search_ask *ask = context;
    ask->err = err;
    if (err == QN_OK)
        tell_hits(ask, answer);
    search_ask_release(ask);
}

/* ---- other sites ---- */

static struct asked_site *site_of(struct search_ask *ask, const char *name)
{
    qn_vec_each (&ask->sites, site)
        if (strcmp(site->name, name) == 0)
            return site;
    struct asked_site *site = qn_vec_push_slot(&ask->sites);
    *site = (struct asked_site){.pending = 0};
    snprintf(site->name, sizeof(site->name), "%s", name);
    return site;
}

/* `kind`: "asked" or "answered". */
static void tell_site(const struct search_ask *ask, const char *kind, const char *site)
{
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, (size_t)4 * QN_NAME_SIZE_MAX);
    if (!ask->tells_sites)
        return;
    qn_pack_map(&out, 2);
    qn_pack_cstr(&out, "kind");
    qn_pack_cstr(&out, kind);
    qn_pack_cstr(&out, "site");
    qn_pack_cstr(&out, site);
    qn_service_data(search_driver(ask->command), ask->request, qn_buf_view(&out));
}

void search_ask_silent(struct search_ask *ask, const char *site)
{
    site_of(ask, site)->is_silent = true;
}

struct elsewhere {
    struct search_ask *ask;
    char site[QN_NAME_SIZE_MAX + 1];
};

static void tell_found(struct search_ask *ask, const struct qn_serve_found *found)
{
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&found->hits));
    struct qn_span hit;
    for (uint64_t i = 0; i < found->count && ask->elsewhere_left > 0; i++) {
        if (qn_cursor_skip(&cursor, 2, &hit) != QN_OK)
            return;
        qn_service_data(search_driver(ask->command), ask->request, hit);
        ask->elsewhere_left--;
    }
}

static void on_elsewhere(void *context, enum qn_err err, const struct qn_serve_found *found)
{
    struct elsewhere *elsewhere = context;
    struct search_ask *ask = elsewhere->ask;
    struct asked_site *site = site_of(ask, elsewhere->site);
    if (err == QN_OK)
        tell_found(ask, found);
    else
        site->is_silent = true;
    ask->is_indexing |= found->is_indexing;
    if (--site->pending == 0)
        tell_site(ask, "answered", site->name);
    qn_free(elsewhere);
    search_ask_release(ask);
}

void search_ask_elsewhere(struct search_ask *ask, struct qn_https *https,
                          const struct qn_serve_search *what)
{
    struct elsewhere *elsewhere = QN_NEW(struct elsewhere);
    elsewhere->ask = ask;
    snprintf(elsewhere->site, sizeof(elsewhere->site), "%s", what->site);
    if (site_of(ask, what->site)->pending++ == 0)
        tell_site(ask, "asked", what->site);
    ask->pending++;
    qn_https_search(https, what, on_elsewhere, elsewhere);
}
