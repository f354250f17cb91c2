/* Why a text is no JSON, in words: jansson has English ones only, and does not name the field. */
#include "i18n.h"
#include "json_in.h"
#include "screen.h"

static const char *sentence(enum json_error_code code)
{
    switch ((int)code) {
    case json_error_stack_overflow:
        return _("nested too deep");
    case json_error_invalid_utf8:
        return _("not valid UTF-8");
    case json_error_premature_end_of_input:
        return _("it ends too early");
    case json_error_end_of_input_expected:
        return _("something stands behind its end");
    case json_error_invalid_syntax:
        return _("unexpected character or word");
    case json_error_null_byte_in_key:
        return _("a name with U+0000 in it");
    case json_error_duplicate_key:
        return _("a name that stands twice");
    case json_error_numeric_overflow:
        return _("the number is too large: whole numbers go from -9223372036854775808 to "
                 "9223372036854775807, write larger ones as text");
    default:
        return _("it cannot be read");
    }
}

/* Behind the string that begins at `at`. */
static size_t skip_string(struct qn_span text, size_t at)
{
    for (at++; at < text.size && text.data[at] != '"'; at++)
        at += text.data[at] == '\\';
    return at + 1;
}

static bool is_name(struct qn_span text, size_t at)
{
    while (at < text.size && memchr(" \t\r\n", text.data[at], 4) != NULL)
        at++;
    return at < text.size && text.data[at] == ':';
}

/* The member of the outermost object in which `position` lies, as it is written; or empty. */
static struct qn_span member_at(struct qn_span text, size_t position)
{
    struct qn_span name = {0};
    size_t depth = 0;
    for (size_t at = 0; at < text.size && at < position;) {
        char letter = (char)text.data[at];
        size_t next = letter == '"' ? skip_string(text, at) : at + 1;
        if (letter == '"' && depth == 1 && next <= text.size && is_name(text, next))
            name = qn_span(text.data + at + 1, next - at - 2);
        depth += letter == '{' || letter == '[';
        depth -= depth > 0 && (letter == '}' || letter == ']');
        at = next;
    }
    return name;
}

void ctl_json_explain(struct qn_span text, const json_error_t *reason, struct qn_buf *out)
{
    enum json_error_code code = json_error_code(reason);
    size_t position = reason->position > 0 ? (size_t)reason->position : 0;
    struct qn_span field = {0};
    if (code == json_error_numeric_overflow)
        field = member_at(text, position);
    if (field.size > 0) {
        qn_buf_append_str(out, _("field "));
        ctl_append_text(out, field);
        qn_buf_append_str(out, _(": "));
    }
    qn_buf_append_str(out, sentence(code));
    const char *near = strstr(reason->text, " near '");
    if (near != NULL && field.size == 0) {
        qn_buf_append_str(out, " ");
        qn_buf_append_str(out, _("near"));
        qn_buf_append_str(out, " ");
        ctl_append_text(out, qn_span_str(near + strlen(" near ")));
    }
}
