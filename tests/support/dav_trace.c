#include "support/dav_trace.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARK "@TOKEN@"

/* `text` with the token where its mark is. */
static void fill_in(const char *text, const char *token, struct qn_buf *out)
{
    const char *mark;
    for (; text != NULL && (mark = strstr(text, MARK)) != NULL; text = mark + strlen(MARK)) {
        qn_buf_append(out, text, (size_t)(mark - text));
        qn_buf_append_str(out, token);
    }
    qn_buf_append_str(out, text == NULL ? "" : text);
    qn_buf_append_u8(out, 0);
}

static void note_token(const struct dav_answer *answer, struct qn_buf *token)
{
    const char *given = dav_answer_field(answer, "Lock-Token");
    if (given == NULL)
        return;
    cr_assert(given[0] == '<' && given[strlen(given) - 1] == '>', "a token without signs: %s",
              given);
    qn_buf_reset(token);
    qn_buf_append(token, given + 1, strlen(given) - 2);
    qn_buf_append_u8(token, 0);
}

static void check_field(const struct dav_step *step, const struct dav_answer *answer,
                        const char *wanted)
{
    char name[64];
    const char *value = strstr(wanted, ": ");
    snprintf(name, sizeof(name), "%.*s", (int)(value - wanted), wanted);
    if (strcmp(name, "Content-Length") == 0) { /* the engine's to say */
        cr_assert_eq(answer->size, strtoull(value + 2, NULL, 10), "%s: %s", step->line, wanted);
        return;
    }
    const char *got = dav_answer_field(answer, name);
    cr_assert_not_null(got, "%s: no field %s in\n%s", step->line, name,
                       (const char *)answer->head.data);
    cr_assert_str_eq(got, value + 2, "%s: %s", step->line, name);
}

static void check(const struct dav_step *step, const struct dav_answer *answer)
{
    const char *content = (const char *)answer->body.data;
    cr_assert_eq(answer->status, step->status, "%s: %u, not %u\n%s", step->line, answer->status,
                 step->status, content);
    cr_assert(answer->is_complete, "%s: it is not whole", step->line);
    for (size_t i = 0; i < DAV_STEP_WANTS_MAX; i++) {
        if (step->fields_back[i] != NULL)
            check_field(step, answer, step->fields_back[i]);
        if (step->has[i] != NULL)
            cr_assert_not_null(strstr(content, step->has[i]), "%s: no %s in\n%s", step->line,
                               step->has[i], content);
        if (step->has_not[i] != NULL)
            cr_assert_null(strstr(content, step->has_not[i]), "%s: %s in\n%s", step->line,
                           step->has_not[i], content);
    }
    if (step->content != NULL)
        cr_assert_str_eq(content, step->content, "%s: %s", step->line, content);
}

void dav_trace_play(struct dav_world *world, const struct dav_step *steps, size_t count)
{
    QN_AUTO_BUF struct qn_buf token, fields, body;
    qn_buf_init(&token, 256);
    qn_buf_init(&fields, 8192);
    qn_buf_init(&body, 65536);
    qn_buf_append_u8(&token, 0);
    for (size_t i = 0; i < count; i++) {
        qn_buf_reset(&fields);
        qn_buf_reset(&body);
        fill_in(steps[i].fields, (const char *)token.data, &fields);
        fill_in(steps[i].body, (const char *)token.data, &body);
        const struct dav_answer *answer =
            dav_ask(world, steps[i].line, (const char *)fields.data, (const char *)body.data);
        check(&steps[i], answer);
        note_token(answer, &token);
    }
}
