/* Ranges against a model that marks each byte that is asked for. */
#include <criterion/criterion.h>

#include "base/prng.h"
#include "http/condition.h"
#include "support/span.h"

#define SIZE_MAX_ 24
#define ROUNDS    200000

struct model {
    bool is_asked[SIZE_MAX_];
    bool is_satisfiable, is_whole;
};

/* One range as text, and in the model. */
static void add(struct qn_prng *prng, uint64_t size, struct qn_buf *text, struct model *model)
{
    uint64_t a = qn_prng_below(prng, size + 4), b = a + qn_prng_below(prng, size + 4), first = a,
             end = size;
    switch (qn_prng_below(prng, 3)) {
    case 0:
        qn_buf_printf(text, "%llu-", (unsigned long long)a);
        break;
    case 1:
        qn_buf_printf(text, "-%llu", (unsigned long long)a);
        first = a < size ? size - a : 0;
        model->is_satisfiable |= a > 0;
        break;
    default:
        qn_buf_printf(text, "%llu-%llu", (unsigned long long)a, (unsigned long long)b);
        end = b + 1 < size ? b + 1 : size;
    }
    model->is_satisfiable |= first < end;
    for (uint64_t i = first; i < end; i++)
        model->is_asked[i] = true;
}

static void compare(const struct qn_http_ranges *ranges, const struct model *model, uint64_t size,
                    const char *text)
{
    bool is_given[SIZE_MAX_] = {false};
    uint64_t last_end = 0;
    for (size_t i = 0; i < ranges->count; i++) {
        struct qn_http_range range = ranges->items[i];
        cr_assert(range.size > 0 && range.first < size && range.size <= size - range.first);
        cr_assert(i == 0 || range.first > last_end, "%s: ranges touch", text);
        last_end = range.first + range.size;
        memset(is_given + range.first, 1, range.size);
    }
    cr_assert_eq(memcmp(is_given, model->is_asked, sizeof(is_given)), 0, "%s of %llu", text,
                 (unsigned long long)size);
}

static void round_of(struct qn_prng *prng, struct qn_buf *text)
{
    struct model model = {0};
    uint64_t size = qn_prng_below(prng, SIZE_MAX_ + 1);
    uint64_t count = 1 + qn_prng_below(prng, QN_HTTP_RANGES_MAX);
    qn_buf_reset(text);
    qn_buf_append_str(text, "bytes=");
    for (uint64_t i = 0; i < count; i++) {
        qn_buf_append_str(text, i > 0 ? "," : "");
        add(prng, size, text, &model);
    }
    struct qn_http_head head = {
        .method = QN_HTTP_GET, .headers = {{SPAN("Range"), qn_buf_view(text)}}, .header_count = 1};
    struct qn_http_state state = {.exists = true};
    struct qn_http_ranges ranges;
    enum qn_err err = qn_http_ranges_read(&head, &state, size, &ranges);
    cr_assert_eq(err, model.is_satisfiable ? QN_OK : QN_ERR_LIMIT, "%.*s of %llu", (int)text->size,
                 (const char *)text->data, (unsigned long long)size);
    qn_buf_append_u8(text, 0);
    if (err == QN_OK)
        compare(&ranges, &model, size, (const char *)text->data);
}

Test(range, as_the_model)
{
    struct qn_prng prng = {.state = 5};
    struct qn_buf text;
    qn_buf_init(&text, 1024);
    for (int i = 0; i < ROUNDS; i++)
        round_of(&prng, &text);
    qn_buf_deinit(&text);
}
