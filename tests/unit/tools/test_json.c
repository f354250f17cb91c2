#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "proto/pack.h"
#include "syncctl/json_in.h"
#include "syncctl/json_out.h"

static char *print(struct qn_span packed, const struct ctl_shape *shape)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (shape != NULL)
        ctl_json_object(out, packed, shape);
    else
        ctl_json_value(out, packed);
    fclose(out);
    return text;
}

static void there_and_back(const char *from, const char *to)
{
    json_error_t reason;
    json_t *value = ctl_json_parse(qn_span_str(from), &reason);
    cr_assert_not_null(value, "%s: %s", from, reason.text);
    QN_AUTO_BUF struct qn_buf packed;
    qn_buf_init(&packed, 4096);
    ctl_json_pack(value, &packed);
    char *text = print(qn_buf_view(&packed), NULL);
    cr_assert_str_eq(text, to);
    free(text);
    json_decref(value);
}

Test(json, there_and_back)
{
    there_and_back("{\"b\":1,\"a\":[true,false,null,{}]}", "{\"a\":[true,false,null,{}],\"b\":1}");
    there_and_back("{\"\xc3\xa9\":1,\"z\":2,\"zz\":3,\"Z\":4}",
                   "{\"Z\":4,\"z\":2,\"zz\":3,\"\xc3\xa9\":1}");
    there_and_back("-9223372036854775808", "-9223372036854775808");
    there_and_back("9223372036854775807", "9223372036854775807");
    there_and_back("0.1", "0.1");
    there_and_back("1.0", "1.0");
    there_and_back("1e100", "1e+100");
    there_and_back("-0.0", "-0.0");
    there_and_back("0.30000000000000004", "0.30000000000000004");
    there_and_back("5e-324", "4.94065645841247e-324");
    there_and_back("\"\\u00e9\\ud83d\\ude00/\"", "\"\xc3\xa9\xf0\x9f\x98\x80/\"");
    there_and_back("\"\\u0000\\u001f\\n\\\"\\\\\"", "\"\\u0000\\u001f\\n\\\"\\\\\"");
}

static void explain(const char *text, const char *wanted)
{
    json_error_t reason;
    cr_assert_null(ctl_json_parse(qn_span_str(text), &reason), "%s", text);
    QN_AUTO_BUF struct qn_buf why;
    qn_buf_init(&why, 1024);
    ctl_json_explain(qn_span_str(text), &reason, &why);
    cr_assert(qn_span_has_prefix(qn_buf_view(&why), qn_span_str(wanted)), "%s: %.*s", text,
              (int)why.size, (const char *)why.data);
}

Test(json, explained)
{
    explain("{\"a\":1,\"b\":9223372036854775808,\"c\":1}", "field b: the number is too large");
    explain("{\"a\":{\"z\":[1,{\"y\":-9223372036854775809}]}}", "field a: the number is too");
    explain("{\"a\":\"{\\\"x\\\":\",\"\\\"\":1e999}", "field \\\": the number is too");
    explain("{\"a\" : 1e999 }", "field a: the number is too large");
    explain("9223372036854775808", "the number is too large");
    explain("{\"a\":1,\"a\":2}", "a name that stands twice near '\"a\"'");
    explain("{\"a\":}", "unexpected character or word near '}'");
    explain("{\"a\":1", "it ends too early");
    explain("", "it ends too early");
    explain("{} x", "something stands behind its end");
    explain("\"\xff\"", "not valid UTF-8");
    explain("\"\n\"", "unexpected character or word");
}

Test(json, refused)
{
    static const char *const cases[] = {
        "", "{", "{\"a\":1,\"a\":2}", "9223372036854775808", "1e999", "\"\xff\"", "1 2", "NaN"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json_error_t reason;
        cr_assert_null(ctl_json_parse(qn_span_str(cases[i]), &reason), "%s", cases[i]);
    }
}

Test(json, shapes_keep_the_order_of_the_manual)
{
    QN_AUTO_BUF struct qn_buf packed;
    qn_buf_init(&packed, 4096);
    qn_pack_map(&packed, 4);
    qn_pack_cstr(&packed, "collection");
    qn_pack_cstr(&packed, "rooms");
    qn_pack_cstr(&packed, "fields");
    qn_pack_map(&packed, 1);
    qn_pack_cstr(&packed, "beds");
    qn_pack_u64(&packed, 2);
    qn_pack_cstr(&packed, "key");
    qn_pack_cstr(&packed, "12");
    qn_pack_cstr(&packed, "updated");
    qn_pack_map(&packed, 2);
    qn_pack_cstr(&packed, "site");
    qn_pack_cstr(&packed, "a");
    qn_pack_cstr(&packed, "time");
    qn_pack_u64(&packed, 1764100000123u);
    char *text = print(qn_buf_view(&packed), ctl_record_shape);
    cr_assert_str_eq(text, "{\"collection\":\"rooms\",\"key\":\"12\",\"fields\":{\"beds\":2},"
                           "\"updated\":{\"site\":\"a\",\"time\":\"2025-11-25T19:46:40.123Z\"}}");
    free(text);
}
