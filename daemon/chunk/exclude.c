/* Whether patterns match a path. Both levels, bytes of a component and components of a path, are
 * matched with one place to go back to, the last star: what stands before it matched as early as it
 * could, so that to go further back can gain nothing. Time is at most size of pattern times size of
 * path. */
#include "base/mem.h"
#include "chunk/pattern.h"
#include "chunk/plan.h"

struct qn_exclude {
    QN_VEC(struct qn_pattern) patterns;
};

struct qn_exclude *qn_exclude_new(void)
{
    return QN_NEW(struct qn_exclude);
}

void qn_exclude_free(struct qn_exclude *exclude)
{
    if (exclude == NULL)
        return;
    qn_vec_each (&exclude->patterns, pattern)
        qn_pattern_deinit(pattern);
    qn_vec_free(&exclude->patterns);
    qn_free(exclude);
}

enum qn_err qn_exclude_add(struct qn_exclude *exclude, struct qn_span line)
{
    struct qn_pattern pattern;
    QN_TRY(qn_pattern_compile(line, &pattern));
    if (pattern.segments.count == 0)
        return QN_OK;
    if (exclude->patterns.count == QN_EXCLUDE_PATTERNS_MAX) {
        qn_pattern_deinit(&pattern);
        return QN_ERR_LIMIT;
    }
    qn_vec_push(&exclude->patterns, pattern);
    return QN_OK;
}

/* ---- a component ---- */

static bool set_has(const struct qn_byte_set *set, uint8_t byte)
{
    return set->bits[byte / 32] >> byte % 32 & 1;
}

/* Whether a token that is no star takes this byte. */
static bool takes(const struct qn_pattern *pattern, const struct qn_token *token, uint8_t byte)
{
    if (token->kind == QN_TOKEN_BYTE)
        return token->byte == byte;
    return token->kind == QN_TOKEN_ANY || set_has(&pattern->sets.items[token->set], byte);
}

/* From the last star to the end, or to a byte at which only a longer star can help. */
static bool matches_component(const struct qn_pattern *pattern, const struct qn_segment *segment,
                              struct qn_span name)
{
    const struct qn_token *tokens = pattern->tokens.items + segment->first;
    size_t token = 0, at = 0, star = SIZE_MAX, star_end = 0;
    while (at < name.size) {
        if (token < segment->count && tokens[token].kind == QN_TOKEN_STAR) {
            star = token++;
            star_end = at;
        } else if (token < segment->count && takes(pattern, &tokens[token], name.data[at])) {
            token++;
            at++;
        } else if (star != SIZE_MAX) {
            token = star + 1;
            at = ++star_end;
        } else {
            return false;
        }
    }
    if (token < segment->count && tokens[token].kind == QN_TOKEN_STAR)
        token++;
    return token == segment->count;
}

/* ---- a path ---- */

static struct qn_span component_at(struct qn_span path, size_t at)
{
    const uint8_t *slash = memchr(path.data + at, '/', path.size - at);
    size_t end = slash == NULL ? path.size : (size_t)(slash - path.data);
    return qn_span(path.data + at, end - at);
}

static struct qn_span last_component(struct qn_span path)
{
    const uint8_t *slash = memrchr(path.data, '/', path.size);
    return slash == NULL ? path : qn_span_from(path, (size_t)(slash - path.data) + 1);
}

/* The same once more, with components for bytes and "**" for the star; but at the end "**" takes at
 * least one. */
static bool matches_path(const struct qn_pattern *pattern, struct qn_span path)
{
    const struct qn_segment *segments = pattern->segments.items;
    size_t count = pattern->segments.count, segment = 0, at = 0, star = SIZE_MAX, star_end = 0;
    while (at < path.size) {
        struct qn_span name = component_at(path, at);
        if (segment < count && segments[segment].is_any_depth) {
            if (segment + 1 == count)
                return true;
            star = segment++;
            star_end = at;
        } else if (segment < count && matches_component(pattern, &segments[segment], name)) {
            segment++;
            at += name.size + 1;
        } else if (star != SIZE_MAX) {
            star_end += component_at(path, star_end).size + 1;
            at = star_end;
            segment = star + 1;
        } else {
            return false;
        }
    }
    return segment == count;
}

static bool matches(const struct qn_pattern *pattern, struct qn_span path, struct qn_span name,
                    bool is_dir)
{
    if (pattern->is_dir_only && !is_dir)
        return false;
    if (pattern->is_anchored)
        return matches_path(pattern, path);
    return matches_component(pattern, &pattern->segments.items[0], name);
}

bool qn_exclude_matches(const struct qn_exclude *exclude, struct qn_span path, bool is_dir)
{
    if (path.size == 0)
        return false;
    struct qn_span name = last_component(path);
    for (size_t i = exclude->patterns.count; i > 0; i--) {
        const struct qn_pattern *pattern = &exclude->patterns.items[i - 1];
        if (matches(pattern, path, name, is_dir))
            return !pattern->is_negated;
    }
    return false;
}
