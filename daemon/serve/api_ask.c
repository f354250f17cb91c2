/* Commands of docs/control.md, run for a person. */
#include <stdio.h>

#include "base/limits.h"
#include "proto/pack.h"
#include "serve/api_private.h"

void api_args(struct qn_buf *args, size_t count)
{
    qn_buf_init(args, 2 * QN_API_BODY_SIZE_MAX);
    qn_pack_map(args, count);
}

void api_arg(struct qn_buf *args, const char *key, struct qn_span text)
{
    qn_pack_cstr(args, key);
    qn_pack_str(args, text);
}

static void heard(void *context, const struct qn_serve_answer *answer)
{
    struct api *api = context;
    if (answer->kind != QN_SERVE_DATA)
        api->has_command = false;
    api->on_answer(api, answer);
}

void api_command(struct api *api, const char *command, struct qn_buf *take_args,
                 api_answer_fn *on_answer)
{
    QN_AUTO_BUF struct qn_buf args = *take_args;
    if (qn_buf_status(&args) != QN_OK) {
        api_refuse(api, 413, "value-too-large", qn_span_str(""));
        return;
    }
    api->on_answer = on_answer;
    api->has_command = true;
    api->is_paused = false;
    api->command = api->host->command(api->host->context, command, qn_buf_view(&args),
                                      qn_span_str(api->person->name), heard, api);
}

void api_cancel(struct api *api)
{
    if (api->has_command)
        api->host->cancel(api->host->context, api->command);
    api->has_command = false;
}

static const struct {
    unsigned status;
    const char *codes; /* between spaces */
} meanings[] = {
    {404, " collection-unknown record-not-found not-in-trash "},
    {409, " no-conflict collection-pending in-doubt "},
    {412, " changed "},
    {413, " value-too-large record-too-large too-many "},
    {422, " bad-key bad-field bad-value bad-name no-such-value site-unknown bad-words "},
    {400, " bad-request unknown-command "},
    {503, " busy joining recovering timeout withdrawn key-replaced search-failed "},
    {507, " disk-full "},
};

static unsigned status_of(const char *code)
{
    char word[64];
    (void)snprintf(word, sizeof(word), " %s ", code);
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (strstr(meanings[i].codes, word) != NULL)
            return meanings[i].status;
    return 500;
}

void api_refuse_error(struct api *api, const struct qn_serve_answer *answer)
{
    const char *code = answer->code == NULL ? "internal" : answer->code;
    api_refuse(api, status_of(code), code,
               qn_span_str(answer->object == NULL ? "" : answer->object));
}
