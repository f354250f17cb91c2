/* Asking the index. FTS5 finds the items that have all words; that they follow each other, where
 * they have to, is looked at here (it keeps no places of words: its lists are shorter so). */
#include "base/vec.h"
#include "search/index_private.h"

#define PER_SCOPE_MIN       5  /* hits of each scope come before one scope gets all the rest */
#define TERMS_MAX           16 /* words that begin as what was typed, asked for one by one */
#define EXPRESSION_SIZE_MAX 8192

struct finding {
    struct qn_fts *fts;
    const struct qn_search_words *words;
    struct qn_span expression; /* of `words`, for FTS5 */
    size_t left;
    QN_VEC(int64_t) told; /* at most the limit */
    void (*hit)(void *context, const struct qn_index_hit *hit);
    void *context;
};

static bool was_told(const struct finding *finding, int64_t id)
{
    qn_vec_each (&finding->told, told)
        if (*told == id)
            return true;
    return false;
}

static enum qn_err tell_item(struct finding *finding, struct qn_span scope, int64_t id)
{
    struct fts_run item = fts_start(finding->fts, ITEM_BY_ID);
    fts_number(&item, id);
    if (fts_step(&item)) {
        struct qn_index_hit hit = {
            .scope = scope, .name = fts_column(&item, 0), .text = fts_column(&item, 1)};
        if (qn_search_words_follow(finding->words, hit.name) ||
            qn_search_words_follow(finding->words, hit.text)) {
            finding->hit(finding->context, &hit);
            qn_vec_push(&finding->told, id);
            finding->left--;
        }
    }
    return fts_end(&item);
}

/* At most `limit` hits in one scope that were not told yet. */
static enum qn_err pass(struct finding *finding, struct qn_span scope, int64_t number,
                        enum statement where, size_t limit)
{
    enum qn_err err = QN_OK;
    size_t enough = finding->left > limit ? finding->left - limit : 0;
    struct fts_run run = fts_start(finding->fts, where);
    fts_text(&run, finding->expression);
    fts_number(&run, number << SCOPE_SHIFT);
    fts_number(&run, ((number + 1) << SCOPE_SHIFT) - 1);
    while (err == QN_OK && finding->left > enough && fts_step(&run)) {
        int64_t id = sqlite3_column_int64(run.statement, 0);
        if (!was_told(finding, id))
            err = tell_item(finding, scope, id);
    }
    enum qn_err run_err = fts_end(&run);
    return err != QN_OK ? err : run_err;
}

static enum qn_err all_scopes(struct finding *finding, const struct qn_span *scopes, size_t count,
                              enum statement where, size_t limit)
{
    for (size_t i = 0; i < count && finding->left > 0; i++) {
        int64_t number;
        QN_TRY(fts_scope_id(finding->fts, scopes[i], &number, NULL));
        if (number != 0)
            QN_TRY(pass(finding, scopes[i], number, where, limit));
    }
    return QN_OK;
}

/* ---- what FTS5 is asked ---- */

/* The first word from `from` on that begins with `beginning`; nothing if there is none. */
static enum qn_err next_term(struct qn_fts *fts, struct qn_span from, struct qn_span beginning,
                             struct qn_buf *ret_term)
{
    struct fts_run run = fts_start(fts, WORD_FROM);
    fts_text(&run, from);
    qn_buf_reset(ret_term);
    if (fts_step(&run) && qn_span_has_prefix(fts_column(&run, 0), beginning))
        qn_buf_append_span(ret_term, fts_column(&run, 0));
    return fts_end(&run);
}

/* The words of the index that begin so, if they are few; *ret_are_few. */
static enum qn_err append_terms(struct qn_fts *fts, struct qn_span beginning, struct qn_buf *out,
                                bool *ret_are_few)
{
    QN_AUTO_BUF struct qn_buf term, from;
    size_t count = 0;
    qn_buf_init(&term, 64 * 1024);
    qn_buf_init(&from, 64 * 1024);
    qn_buf_append_span(&from, beginning);
    while (count <= TERMS_MAX) {
        QN_TRY(next_term(fts, qn_buf_view(&from), beginning, &term));
        if (term.size == 0)
            break;
        qn_buf_printf(out, "%s\"%.*s\"", count++ > 0 ? " OR " : "(", (int)term.size,
                      (const char *)term.data);
        qn_buf_reset(&from);
        qn_buf_append_span(&from, qn_buf_view(&term));
        qn_buf_append_u8(&from, 1); /* behind it, before all that is longer */
    }
    qn_buf_append_str(out, ")");
    *ret_are_few = count > 0 && count <= TERMS_MAX && qn_buf_status(out) == QN_OK;
    return QN_OK;
}

/* Of a beginning that has no index of its own FTS5 gathers all items of all words before it tells
 * the first: where these words are few, their own lists do, item by item. */
static enum qn_err append_beginning(struct qn_fts *fts, const char *text, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf terms;
    struct qn_span beginning = qn_span_str(text);
    bool are_few = false;
    qn_buf_init(&terms, EXPRESSION_SIZE_MAX / 2);
    if (qn_search_letters(beginning) > FTS_PREFIX_MAX)
        QN_TRY(append_terms(fts, beginning, &terms, &are_few));
    if (are_few)
        qn_buf_append_span(out, qn_buf_view(&terms));
    else
        qn_buf_printf(out, "\"%s\" *", text);
    return QN_OK;
}

static enum qn_err make_expression(struct finding *finding, struct qn_buf *out)
{
    const struct qn_search_words *words = finding->words;
    for (size_t i = 0; i < words->count; i++) {
        const struct qn_search_word *word = &words->items[i];
        qn_buf_append_str(out, i > 0 ? " AND " : "");
        if (word->is_beginning)
            QN_TRY(append_beginning(finding->fts, word->text, out));
        else
            qn_buf_printf(out, "\"%s\"", word->text);
    }
    return qn_buf_status(out);
}

/* ---- passes ---- */

/* Names, then texts, a few of each scope; then the rest. */
static enum qn_err all_passes(struct finding *finding, const struct qn_span *scopes, size_t count)
{
    QN_AUTO_BUF struct qn_buf expression;
    size_t share = count > 0 ? finding->left / count : 0;
    size_t few = share > PER_SCOPE_MIN ? share : PER_SCOPE_MIN;
    qn_buf_init(&expression, EXPRESSION_SIZE_MAX);
    QN_TRY(make_expression(finding, &expression));
    finding->expression = qn_buf_view(&expression);
    QN_TRY(all_scopes(finding, scopes, count, NAME_FIND, few));
    QN_TRY(all_scopes(finding, scopes, count, FTS_FIND, few));
    if (count <= 1)
        return QN_OK; /* few was all */
    QN_TRY(all_scopes(finding, scopes, count, NAME_FIND, SIZE_MAX));
    return all_scopes(finding, scopes, count, FTS_FIND, SIZE_MAX);
}

enum qn_err qn_fts_find(struct qn_fts *fts, const struct qn_search_words *words,
                        const struct qn_span *scopes, size_t scope_count, size_t limit,
                        void (*hit)(void *context, const struct qn_index_hit *hit), void *context)
{
    struct finding finding = {
        .fts = fts, .words = words, .left = limit, .hit = hit, .context = context};
    enum qn_err err = all_passes(&finding, scopes, scope_count);
    qn_vec_free(&finding.told);
    return err;
}
