/* Feeding the index. */
#include <stdio.h>
#include <string.h>

#include "search/index_private.h"

static enum qn_err do_plain(struct qn_fts *fts, enum statement which)
{
    struct fts_run run = fts_start(fts, which);
    return fts_do(&run);
}

/* A transaction that failed is rolled back; that this may fail too changes nothing. */
static enum qn_err finish(struct qn_fts *fts, enum qn_err err)
{
    if (err == QN_OK)
        err = do_plain(fts, COMMIT);
    if (err != QN_OK && do_plain(fts, ROLLBACK) == QN_ERR_CORRUPT)
        return QN_ERR_CORRUPT;
    return err;
}

enum qn_err fts_scope_id(struct qn_fts *fts, struct qn_span word, int64_t *ret_id,
                         struct qn_buf *position)
{
    struct fts_run run = fts_start(fts, SCOPE_GET);
    fts_bytes(&run, word);
    *ret_id = 0;
    if (fts_step(&run)) {
        *ret_id = sqlite3_column_int64(run.statement, 0);
        if (position != NULL)
            qn_buf_append_span(position, fts_column(&run, 1));
    }
    return fts_end(&run);
}

static enum qn_err scope_make(struct qn_fts *fts, struct qn_span word, int64_t *ret_id)
{
    QN_TRY(fts_scope_id(fts, word, ret_id, NULL));
    if (*ret_id != 0)
        return QN_OK;
    struct fts_run run = fts_start(fts, SCOPE_ADD);
    fts_bytes(&run, word);
    QN_TRY(fts_do(&run));
    *ret_id = sqlite3_last_insert_rowid(fts->db);
    return QN_OK;
}

/* FTS5 wants the same words to remove them as to add them. */
static enum qn_err index_words(struct qn_fts *fts, enum statement which, int64_t id,
                               struct qn_span name, struct qn_span text)
{
    QN_AUTO_BUF struct qn_buf name_words, text_words;
    qn_buf_init(&name_words, 64 * 1024);
    qn_buf_init(&text_words, 4 * QN_SEARCH_TEXT_SIZE_MAX);
    qn_search_fold(name, &name_words);
    qn_search_fold(text, &text_words);
    struct fts_run run = fts_start(fts, which);
    fts_number(&run, id);
    fts_text(&run, qn_buf_view(&name_words));
    fts_text(&run, qn_buf_view(&text_words));
    QN_TRY(fts_do(&run));
    struct fts_run name_run = fts_start(fts, which == FTS_ADD ? NAME_ADD : NAME_REMOVE);
    fts_number(&name_run, id);
    fts_text(&name_run, qn_buf_view(&name_words));
    return fts_do(&name_run);
}

static enum qn_err remove_item(struct qn_fts *fts, int64_t id, struct qn_span name,
                               struct qn_span text)
{
    QN_TRY(index_words(fts, FTS_REMOVE, id, name, text));
    struct fts_run run = fts_start(fts, ITEM_REMOVE);
    fts_number(&run, id);
    return fts_do(&run);
}

static enum qn_err next_id(struct qn_fts *fts, int64_t scope, int64_t *ret_id)
{
    struct fts_run run = fts_start(fts, ITEM_LAST);
    fts_number(&run, scope << SCOPE_SHIFT);
    fts_number(&run, ((scope + 1) << SCOPE_SHIFT) - 1);
    *ret_id = (scope << SCOPE_SHIFT) + 1;
    if (fts_step(&run) && sqlite3_column_type(run.statement, 0) != SQLITE_NULL)
        *ret_id = sqlite3_column_int64(run.statement, 0) + 1;
    return fts_end(&run);
}

static enum qn_err add_item(struct qn_fts *fts, int64_t scope, struct qn_span name,
                            struct qn_span text, uint64_t round)
{
    int64_t id;
    QN_TRY(next_id(fts, scope, &id));
    struct fts_run run = fts_start(fts, ITEM_ADD);
    fts_number(&run, id);
    fts_number(&run, scope);
    fts_bytes(&run, name);
    fts_bytes(&run, text);
    fts_number(&run, (int64_t)round);
    QN_TRY(fts_do(&run));
    return index_words(fts, FTS_ADD, id, name, text);
}

static enum qn_err find_item(struct qn_fts *fts, int64_t scope, struct qn_span name,
                             int64_t *ret_id, struct qn_buf *text, int64_t *ret_round)
{
    struct fts_run run = fts_start(fts, ITEM_GET);
    fts_number(&run, scope);
    fts_bytes(&run, name);
    *ret_id = *ret_round = 0;
    if (fts_step(&run)) {
        *ret_id = sqlite3_column_int64(run.statement, 0);
        *ret_round = sqlite3_column_int64(run.statement, 2);
        qn_buf_append_span(text, fts_column(&run, 1));
    }
    return fts_end(&run);
}

static enum qn_err seen(struct qn_fts *fts, int64_t id, uint64_t round)
{
    struct fts_run run = fts_start(fts, ITEM_SEEN);
    fts_number(&run, id);
    fts_number(&run, (int64_t)round);
    return fts_do(&run);
}

static enum qn_err put_item(struct qn_fts *fts, int64_t scope, const struct qn_search_item *item,
                            uint64_t round)
{
    QN_AUTO_BUF struct qn_buf before;
    int64_t id, last_round = 0;
    struct qn_span text = item->text;
    if (text.size > QN_SEARCH_TEXT_SIZE_MAX)
        text.size = QN_SEARCH_TEXT_SIZE_MAX;
    qn_buf_init(&before, QN_SEARCH_TEXT_SIZE_MAX);
    QN_TRY(find_item(fts, scope, item->name, &id, &before, &last_round));
    if (id != 0 && !item->is_gone && qn_span_eq(text, qn_buf_view(&before)))
        return (uint64_t)last_round == round ? QN_OK : seen(fts, id, round);
    if (id != 0)
        QN_TRY(remove_item(fts, id, item->name, qn_buf_view(&before)));
    return item->is_gone ? QN_OK : add_item(fts, scope, item->name, text, round);
}

static enum qn_err set_position(struct qn_fts *fts, int64_t scope, struct qn_span position)
{
    struct fts_run run = fts_start(fts, SCOPE_SET);
    fts_number(&run, scope);
    fts_bytes(&run, position);
    return fts_do(&run);
}

/* ---- what was not seen any more ---- */

struct old {
    int64_t id;
    struct qn_buf name, text; /* name: also where the look for the next one begins */
    struct qn_span end;       /* where it ends; empty: nowhere */
};

/* The next one by name behind old->name; id 0: there is none. */
static enum qn_err next_old(struct qn_fts *fts, int64_t scope, uint64_t round, struct old *old)
{
    QN_AUTO_BUF struct qn_buf after;
    qn_buf_init(&after, old->name.size_max);
    qn_buf_append_span(&after, qn_buf_view(&old->name));
    struct fts_run run = fts_start(fts, old->end.size > 0 ? ITEM_OLD_BELOW : ITEM_OLD);
    fts_number(&run, scope);
    fts_number(&run, (int64_t)round);
    fts_bytes(&run, qn_buf_view(&after));
    if (old->end.size > 0)
        fts_bytes(&run, old->end);
    old->id = 0;
    qn_buf_reset(&old->text);
    if (fts_step(&run)) {
        old->id = sqlite3_column_int64(run.statement, 0);
        qn_buf_reset(&old->name);
        qn_buf_append_span(&old->name, fts_column(&run, 1));
        qn_buf_append_span(&old->text, fts_column(&run, 2));
    }
    return fts_end(&run);
}

/* Those with names behind `after` and before `end`. */
static enum qn_err sweep_between(struct qn_fts *fts, int64_t scope, uint64_t round,
                                 struct qn_span after, struct qn_span end)
{
    struct old old = {.end = end};
    enum qn_err err;
    qn_buf_init(&old.name, 64 * 1024);
    qn_buf_append_span(&old.name, after);
    qn_buf_init(&old.text, QN_SEARCH_TEXT_SIZE_MAX);
    do {
        err = next_old(fts, scope, round, &old);
        if (err == QN_OK && old.id != 0)
            err = remove_item(fts, old.id, qn_buf_view(&old.name), qn_buf_view(&old.text));
    } while (err == QN_OK && old.id != 0);
    qn_buf_deinit(&old.name);
    qn_buf_deinit(&old.text);
    return err;
}

static enum qn_err sweep(struct qn_fts *fts, int64_t scope, uint64_t round)
{
    return sweep_between(fts, scope, round, qn_span(NULL, 0), qn_span(NULL, 0));
}

/* The item of that very name, if it was not seen. */
static enum qn_err sweep_one(struct qn_fts *fts, int64_t scope, uint64_t round, struct qn_span name)
{
    QN_AUTO_BUF struct qn_buf text;
    int64_t id, last_round;
    qn_buf_init(&text, QN_SEARCH_TEXT_SIZE_MAX);
    QN_TRY(find_item(fts, scope, name, &id, &text, &last_round));
    if (id == 0 || (uint64_t)last_round >= round)
        return QN_OK;
    return remove_item(fts, id, name, qn_buf_view(&text));
}

static enum qn_err sweep_below(struct qn_fts *fts, int64_t scope, uint64_t round,
                               struct qn_span above)
{
    QN_AUTO_BUF struct qn_buf after, end;
    qn_buf_init(&after, above.size + 1);
    qn_buf_init(&end, above.size + 1);
    qn_buf_append_span(&after, above);
    qn_buf_append_u8(&after, '/');
    qn_buf_append_span(&end, above);
    qn_buf_append_u8(&end, '/' + 1);
    QN_TRY(sweep_one(fts, scope, round, above));
    return sweep_between(fts, scope, round, qn_buf_view(&after), qn_buf_view(&end));
}

/* ---- a batch ---- */

static enum qn_err put_all(struct qn_fts *fts, const struct qn_search_batch *batch)
{
    int64_t scope;
    QN_TRY(scope_make(fts, batch->scope, &scope));
    for (size_t i = 0; i < batch->count; i++)
        QN_TRY(put_item(fts, scope, &batch->items[i], batch->round));
    if (batch->ends_round && batch->below.size > 0)
        QN_TRY(sweep_below(fts, scope, batch->round, batch->below));
    else if (batch->ends_round)
        QN_TRY(sweep(fts, scope, batch->round));
    return batch->position.size == 0 ? QN_OK : set_position(fts, scope, batch->position);
}

enum qn_err qn_fts_put(struct qn_fts *fts, const struct qn_search_batch *batch)
{
    QN_TRY(do_plain(fts, BEGIN));
    return finish(fts, put_all(fts, batch));
}

static enum qn_err drop_all(struct qn_fts *fts, struct qn_span word)
{
    int64_t scope;
    QN_TRY(fts_scope_id(fts, word, &scope, NULL));
    if (scope == 0)
        return QN_OK;
    QN_TRY(sweep(fts, scope, INT64_MAX));
    struct fts_run run = fts_start(fts, SCOPE_REMOVE);
    fts_number(&run, scope);
    return fts_do(&run);
}

enum qn_err qn_fts_drop(struct qn_fts *fts, struct qn_span scope)
{
    QN_TRY(do_plain(fts, BEGIN));
    return finish(fts, drop_all(fts, scope));
}

enum qn_err qn_fts_position(struct qn_fts *fts, struct qn_span scope, struct qn_buf *out)
{
    int64_t id;
    return fts_scope_id(fts, scope, &id, out);
}

enum qn_err qn_fts_scopes(struct qn_fts *fts, void (*each)(void *context, struct qn_span scope),
                          void *context)
{
    struct fts_run run = fts_start(fts, SCOPE_ALL);
    while (fts_step(&run))
        each(context, fts_column(&run, 0));
    return fts_end(&run);
}
