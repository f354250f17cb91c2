#include <criterion/criterion.h>

#include "base/limits.h"
#include "proto/pack.h"
#include "support/span.h"
#include "syncctl/check.h"
#include "syncctl/json_in.h"
#include "syncctl/source.h"

/* What is said of the fields in `json`; NULL if they are good. */
static const char *code_of(const char *json, const char *field)
{
    json_error_t reason;
    json_t *value = ctl_json_parse(qn_span_str(json), &reason);
    cr_assert_not_null(value, "%s: %s", json, reason.text);
    QN_AUTO_BUF struct qn_buf packed;
    qn_buf_init(&packed, 1024 * 1024);
    ctl_json_pack(value, &packed);
    json_decref(value);
    struct qn_span about;
    const char *code = ctl_check_fields(qn_buf_view(&packed), &about);
    cr_assert(qn_span_eq_str(about, field), "%s", json);
    return code;
}

/* `depth` lists, one in the other. */
static const char *nested(size_t depth)
{
    static char text[8192];
    cr_assert_lt(2 * depth + 32, sizeof(text));
    char *at = stpcpy(text, "{\"a\":1,\"deep\":");
    for (size_t i = 0; i < depth; i++)
        *at++ = '[';
    for (size_t i = 0; i < depth; i++)
        *at++ = ']';
    strcpy(at, "}");
    return text;
}

/* A map of one field of one text, by their sizes. */
static const char *sized(size_t name_size, size_t text_size)
{
    static char text[QN_VALUE_SIZE_MAX + 1024];
    cr_assert_lt(name_size + text_size + 16, sizeof(text));
    memset(text, 'n', sizeof(text));
    memcpy(text, "{\"", 2);
    char *at = text + 2 + name_size;
    memcpy(at, "\":\"", 3);
    strcpy(at + 3 + text_size, "\"}");
    return text;
}

Test(check, good_fields)
{
    cr_assert_null(code_of("{\"a\":1,\"b\":null,\"c\":{\"x\":[1.5,true]},\"\xc3\xa9\":\"\"}", ""));
    cr_assert_null(code_of(nested(QN_VALUE_DEPTH_MAX), ""));
    cr_assert_null(code_of(sized(QN_FIELD_SIZE_MAX, 1000), ""));
}

/* Packed, since the reader of JSON refuses what is that deep. */
static const char *code_of_deep(size_t depth)
{
    QN_AUTO_BUF struct qn_buf packed;
    qn_buf_init(&packed, 64 * 1024);
    qn_pack_map(&packed, 2);
    qn_pack_cstr(&packed, "a");
    qn_pack_u64(&packed, 1);
    qn_pack_cstr(&packed, "deep");
    for (size_t i = 1; i < depth; i++)
        qn_pack_array(&packed, 1);
    qn_pack_array(&packed, 0);
    struct qn_span about;
    const char *code = ctl_check_fields(qn_buf_view(&packed), &about);
    cr_assert(qn_span_eq_str(about, code == NULL ? "" : "deep"), "%zu", depth);
    return code;
}

Test(check, too_deep_for_a_value_is_found_whatever_the_depth)
{
    cr_assert_null(code_of_deep(QN_VALUE_DEPTH_MAX));
    cr_assert_str_eq(code_of_deep(QN_VALUE_DEPTH_MAX + 1), "bad-value");
    cr_assert_str_eq(code_of_deep(60), "bad-value");
    cr_assert_str_eq(code_of_deep(2000), "bad-value");
}

Test(check, names_and_sizes)
{
    cr_assert_str_eq(code_of("{\"a\":1,\"\":2}", ""), "bad-field");
    cr_assert_str_eq(code_of("{\"_trash\":true}", "_trash"), "bad-field");
    cr_assert_str_eq(code_of(sized(1, QN_VALUE_SIZE_MAX), "n"), "value-too-large");
    cr_assert_str_eq(ctl_check_fields(SPAN("\xa1"), &(struct qn_span){0}), "bad-value");
}

Test(check, keys)
{
    char longest[QN_KEY_SIZE_MAX + 1];
    memset(longest, 'k', sizeof(longest));
    cr_assert_null(ctl_check_key(qn_span(longest, QN_KEY_SIZE_MAX)));
    cr_assert_not_null(ctl_check_key(qn_span(longest, sizeof(longest))));
    cr_assert_not_null(ctl_check_key(qn_span_str("")));
    cr_assert_not_null(ctl_check_key(qn_span_str("_collection")));
}

/* The problem of the first record that is refused, with its line. */
static void expect_problem(enum ctl_format format, const char *text, size_t size, size_t line,
                           const char *problem)
{
    FILE *file = tmpfile();
    fwrite(text, 1, size, file);
    struct ctl_source source;
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 1024 * 1024);
    enum qn_err err = ctl_source_open(&source, file, format, "id");
    while (err == QN_OK)
        err = ctl_source_next(&source, &out);
    cr_assert_eq(err, QN_ERR_INVALID, "%s", text);
    cr_assert_eq(source.number, line, "%s", text);
    cr_assert_not_null(strstr(source.problem, problem), "%s: %s", text, source.problem);
    ctl_source_close(&source);
    fclose(file);
}

#define EXPECT_PROBLEM(format, text, line, problem)                                                \
    expect_problem(format, text, sizeof(text) - 1, line, problem)

/* All that the daemon would refuse: after the check, an import may not stop half-way for it. */
Test(check, a_file_is_refused_as_the_daemon_would)
{
    EXPECT_PROBLEM(CTL_JSONL, "{\"id\":\"_collection\",\"a\":1}\n", 1, "key");
    EXPECT_PROBLEM(CTL_JSONL, "{\"id\":\"\",\"a\":1}\n", 1, "key");
    EXPECT_PROBLEM(CTL_JSONL, "{\"id\":\"a\",\"_trash\":1}\n", 1, "field _trash");
    EXPECT_PROBLEM(CTL_JSONL, "{\"id\":\"a\",\"n\":9223372036854775808}\n", 1, "field n");
    EXPECT_PROBLEM(CTL_JSONL, "{\"id\":\"a\",\"n\":1e999}\n", 1, "too large");
    EXPECT_PROBLEM(CTL_JSONL, "{\"id\":\"a\",\"n\":1,\"n\":2}\n", 1, "twice");
    EXPECT_PROBLEM(CTL_JSONL, "{\"id\":null,\"a\":1}\n", 1, "key");
    EXPECT_PROBLEM(CTL_JSONL, "\n\0\0\n", 2, "JSON");
    EXPECT_PROBLEM(CTL_CSV, "id,\nx,1\n", 2, "name of a field");
}

Test(check, deep_values_in_a_file)
{
    char text[8192];
    int size = snprintf(text, sizeof(text), "{\"id\":1,\"a\":1}\n{\"id\":7,%s\n", nested(100) + 1);
    expect_problem(CTL_JSONL, text, (size_t)size, 2, "deep");
}
