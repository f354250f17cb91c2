/* Any bytes in the place of a stored row are damage or a record that holds its invariants, and that
 * can be stored again. */
#include "base/limits.h"
#include "model/row.h"
#include "support/fuzz.h"
#include "support/memkv.h"

#define NUMBERS 8

static void check_record(const struct qn_record *record)
{
    FUZZ_CHECK(record->fields.count > 0);
    for (size_t i = 0; i < record->fields.count; i++) {
        const struct qn_field *field = &record->fields.items[i];
        FUZZ_CHECK(field->pairs.count > 0 && field->name.size > 0);
        FUZZ_CHECK(i == 0 || qn_span_cmp(field[-1].name, field->name) < 0);
        for (size_t j = 1; j < field->pairs.count; j++)
            FUZZ_CHECK(qn_dot_cmp(&field->pairs.items[j - 1].dot, &field->pairs.items[j].dot) < 0);
    }
}

static void give_numbers(struct qn_dict *dict)
{
    for (uint8_t i = 1; i <= NUMBERS; i++) {
        struct qn_actor actor = {{i}};
        uint8_t name[] = {'f', (uint8_t)('0' + i)};
        uint32_t number;
        FUZZ_CHECK(qn_dict_number_actor(dict, &actor, &number) == QN_OK);
        FUZZ_CHECK(qn_dict_number_name(dict, QN_SPAN_OF(name), &number) == QN_OK);
    }
}

static void decode(struct qn_dict *dict, struct qn_span row)
{
    struct qn_row_head head;
    struct qn_record record = {0}, again = {0};
    struct qn_buf out;
    if (qn_row_decode(dict, row, &record) != QN_OK)
        return;
    check_record(&record);
    FUZZ_CHECK(qn_row_decode_head(row, &head) == QN_OK);
    qn_buf_init(&out, QN_RECORD_SIZE_MAX);
    FUZZ_CHECK(qn_row_encode(dict, &head, &record, &out) == QN_OK);
    FUZZ_CHECK(qn_row_decode(dict, qn_buf_view(&out), &again) == QN_OK);
    FUZZ_CHECK(again.fields.count == record.fields.count);
    qn_buf_deinit(&out);
    qn_record_deinit(&record);
    qn_record_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct memkv *store = memkv_new();
    struct qn_dict dict;
    qn_dict_init(&dict, memkv_begin(store), true);
    give_numbers(&dict);
    decode(&dict, qn_span(data, size));
    qn_dict_deinit(&dict);
    memkv_free(store);
    return 0;
}
