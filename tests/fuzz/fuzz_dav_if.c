/* The If header: what is read borrows from the field, and its lists hold its conditions. */
#include "dav/if.h"
#include "support/fuzz.h"

static bool is_inside(struct qn_span part, struct qn_span whole)
{
    return part.size == 0 ||
           (part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
}

static bool matches(void *context, struct qn_span resource,
                    const struct qn_dav_condition *condition)
{
    struct qn_span *field = context;
    FUZZ_CHECK(is_inside(resource, *field) && is_inside(condition->text, *field));
    FUZZ_CHECK(condition->text.size > 0);
    return condition->text.size % 2 == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_span field = qn_span(data, size);
    struct qn_dav_if given;
    size_t counted = 0;
    if (qn_dav_if_read(field, &given) != QN_OK)
        return 0;
    FUZZ_CHECK(given.list_count >= 1 && given.list_count <= QN_DAV_LISTS_MAX);
    for (size_t i = 0; i < given.list_count; i++) {
        FUZZ_CHECK(given.lists[i].first == counted && given.lists[i].count >= 1);
        counted += given.lists[i].count;
    }
    FUZZ_CHECK(counted == given.condition_count && counted <= QN_DAV_CONDITIONS_MAX);
    (void)qn_dav_if_holds(&given, matches, &field);
    for (size_t i = 0; i < counted; i++)
        FUZZ_CHECK(given.conditions[i].is_etag ||
                   qn_dav_if_submits(&given, given.conditions[i].text));
    return 0;
}
