#include "json_out.h"

#include "base/limits.h"

/* One item of an answer, which fits into a frame; a control byte becomes six. */
#define ITEM_SIZE_MAX ((size_t)8 * QN_CONTROL_FRAME_SIZE_MAX)

static void write_out(FILE *out, struct qn_buf *text)
{
    if (text->size > 0)
        (void)fwrite(text->data, 1, text->size, out); /* main() looks at the stream in the end */
    qn_buf_deinit(text);
}

void ctl_json_text(FILE *out, struct qn_span text)
{
    struct qn_buf json;
    qn_buf_init(&json, ITEM_SIZE_MAX);
    qn_json_text(&json, text);
    write_out(out, &json);
}

void ctl_json_value(FILE *out, struct qn_span packed)
{
    struct qn_buf json;
    qn_buf_init(&json, ITEM_SIZE_MAX);
    qn_json_value(&json, packed);
    write_out(out, &json);
}

void ctl_json_time(FILE *out, bool is_known, uint64_t time_ms)
{
    struct qn_buf json;
    qn_buf_init(&json, ITEM_SIZE_MAX);
    qn_json_time(&json, is_known, time_ms);
    write_out(out, &json);
}

void ctl_json_members(FILE *out, struct qn_span map, const struct ctl_shape *shape)
{
    struct qn_buf json;
    qn_buf_init(&json, ITEM_SIZE_MAX);
    qn_json_members(&json, map, shape);
    write_out(out, &json);
}

void ctl_json_object(FILE *out, struct qn_span map, const struct ctl_shape *shape)
{
    struct qn_buf json;
    qn_buf_init(&json, ITEM_SIZE_MAX);
    qn_json_object(&json, map, shape);
    write_out(out, &json);
}

void ctl_json_list_next(struct ctl_json_list *list)
{
    fputs(list->count == 0 ? "[\n" : ",\n", list->out);
    list->count++;
}

void ctl_json_list_end(struct ctl_json_list *list)
{
    fputs(list->count == 0 ? "[]\n" : "\n]\n", list->out);
}
