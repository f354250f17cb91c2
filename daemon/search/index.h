/* The search index on disk: SQLite with FTS5. Derived from records and folders, made again when it
 * is missing, damaged or of another version, never the authority.
 *
 *   scope: a collection or a folder   item: a record or a file, found by its name and its text
 *
 * An index belongs to one thread at a time. Names and texts are UTF-8 (what is not is folded byte
 * by byte). Folded words only are indexed; the texts are kept as they are, for the line of a hit.
 */
#pragma once

#include "search/words.h"

#define QN_SEARCH_TEXT_SIZE_MAX  ((size_t)16 * 1024) /* of one item; the rest is not found */
#define QN_SEARCH_SCOPE_SIZE_MAX 80

struct qn_search_item {
    struct qn_span name, text;
    bool is_gone;
};

/* One step of a feed, in one transaction with the place where the feed then stands. */
struct qn_search_batch {
    struct qn_span scope;
    const struct qn_search_item *items;
    size_t count;
    struct qn_span position; /* the feed's own words, at most 512 bytes; empty: stays */
    uint64_t round;          /* items carry the round in which they were last seen, */
    bool ends_round;         /* and those of earlier ones go, */
    struct qn_span below;    /* of which only that name and those that go on with '/'; empty: all */
};

struct qn_index_hit {
    struct qn_span scope, name, text; /* borrowed for the call */
};

struct qn_fts;
/* Makes it if it is missing; one that is damaged or of another version is deleted first:
 * *ret_is_new. A reader (`is_writer` false) needs one that is there. QN_ERR_NOSPACE, QN_ERR_IO. */
enum qn_err QN_CHECKED qn_fts_open(const char *path, bool is_writer, struct qn_fts **ret_fts,
                                   bool *ret_is_new);
void qn_fts_close(struct qn_fts *fts); /* accepts NULL */
/* QN_ERR_CORRUPT: it must be closed and opened again, which makes it anew. */
enum qn_err QN_CHECKED qn_fts_put(struct qn_fts *fts, const struct qn_search_batch *batch);
/* Appends where the feed of a scope stands; nothing if it never began. */
enum qn_err QN_CHECKED qn_fts_position(struct qn_fts *fts, struct qn_span scope,
                                       struct qn_buf *out);
/* All of a scope goes. */
enum qn_err QN_CHECKED qn_fts_drop(struct qn_fts *fts, struct qn_span scope);
/* All scopes that have items or a position. */
enum qn_err QN_CHECKED qn_fts_scopes(struct qn_fts *fts,
                                     void (*each)(void *context, struct qn_span scope),
                                     void *context);
/* The hits in those scopes: first those in names, then those in texts, the latest first. */
enum qn_err QN_CHECKED qn_fts_find(struct qn_fts *fts, const struct qn_search_words *words,
                                   const struct qn_span *scopes, size_t scope_count, size_t limit,
                                   void (*hit)(void *context, const struct qn_index_hit *hit),
                                   void *context);
