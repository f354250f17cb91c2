/* Asking the index. */
#include <inttypes.h>

#include "base/vec.h"
#include "search/index_private.h"

/* ---- the expression ---- */

static enum qn_err scope_id(struct qn_fts *fts, struct qn_span word, int64_t *ret_id)
{
    struct fts_run run = fts_start(fts, SCOPE_GET);
    fts_bytes(&run, word);
    *ret_id = fts_step(&run) ? sqlite3_column_int64(run.statement, 0) : 0;
    return fts_end(&run);
}

/* "scope : (s1 OR s2)"; nothing if none of them is known. */
static enum qn_err append_scopes(struct qn_fts *fts, const struct qn_span *scopes, size_t count,
                                 struct qn_buf *out)
{
    bool is_first = true;
    for (size_t i = 0; i < count; i++) {
        int64_t id;
        QN_TRY(scope_id(fts, scopes[i], &id));
        if (id == 0)
            continue;
        qn_buf_printf(out, "%ss%" PRId64, is_first ? "scope : (" : " OR ", id);
        is_first = false;
    }
    if (!is_first)
        qn_buf_append_str(out, ")");
    return qn_buf_status(out);
}

/* ---- hits ---- */

struct finding {
    struct qn_fts *fts;
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

static enum qn_err tell_item(struct finding *finding, int64_t id)
{
    struct fts_run item = fts_start(finding->fts, ITEM_BY_ID);
    fts_number(&item, id);
    if (!fts_step(&item))
        return fts_end(&item); /* it went meanwhile */
    struct fts_run scope = fts_start(finding->fts, SCOPE_WORD);
    fts_number(&scope, sqlite3_column_int64(item.statement, 0));
    if (fts_step(&scope)) {
        struct qn_index_hit hit = {.scope = fts_column(&scope, 0),
                                   .name = fts_column(&item, 1),
                                   .text = fts_column(&item, 2)};
        finding->hit(finding->context, &hit);
        finding->left--;
    }
    enum qn_err err = fts_end(&scope);
    enum qn_err item_err = fts_end(&item);
    return err != QN_OK ? err : item_err;
}

/* One more than was told may be asked for: those of the first pass come again in the second. */
static enum qn_err pass(struct finding *finding, struct qn_span expression)
{
    enum qn_err err = QN_OK;
    struct fts_run run = fts_start(finding->fts, FTS_FIND);
    fts_text(&run, expression);
    fts_number(&run, (int64_t)(finding->left + finding->told.count));
    while (err == QN_OK && finding->left > 0 && fts_step(&run)) {
        int64_t id = sqlite3_column_int64(run.statement, 0);
        if (was_told(finding, id))
            continue;
        qn_vec_push(&finding->told, id);
        err = tell_item(finding, id);
    }
    enum qn_err run_err = fts_end(&run);
    return err != QN_OK ? err : run_err;
}

static enum qn_err both_passes(struct finding *finding, struct qn_span scopes, struct qn_span words)
{
    static const char *const columns[] = {"name", "{name text}"};
    enum qn_err err = QN_OK;
    for (size_t i = 0; i < 2 && err == QN_OK && finding->left > 0; i++) {
        QN_AUTO_BUF struct qn_buf expression;
        qn_buf_init(&expression, 64 * 1024);
        qn_buf_append_span(&expression, scopes);
        qn_buf_printf(&expression, " AND %s : (", columns[i]);
        qn_buf_append_span(&expression, words);
        qn_buf_append_str(&expression, ")");
        err = qn_buf_status(&expression);
        if (err == QN_OK)
            err = pass(finding, qn_buf_view(&expression));
    }
    return err;
}

enum qn_err qn_fts_find(struct qn_fts *fts, const struct qn_search_words *words,
                        const struct qn_span *scopes, size_t scope_count, size_t limit,
                        void (*hit)(void *context, const struct qn_index_hit *hit), void *context)
{
    QN_AUTO_BUF struct qn_buf in_scopes, match;
    struct finding finding = {.fts = fts, .left = limit, .hit = hit, .context = context};
    qn_buf_init(&in_scopes, 32 * 1024);
    qn_buf_init(&match, 4096);
    QN_TRY(append_scopes(fts, scopes, scope_count, &in_scopes));
    if (in_scopes.size == 0)
        return QN_OK;
    qn_search_words_match(words, &match);
    QN_TRY(qn_buf_status(&match));
    enum qn_err err = both_passes(&finding, qn_buf_view(&in_scopes), qn_buf_view(&match));
    qn_vec_free(&finding.told);
    return err;
}
