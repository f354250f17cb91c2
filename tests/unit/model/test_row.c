#include <criterion/criterion.h>
#include <stdio.h>

#include "base/limits.h"
#include "model/row.h"
#include "support/memkv.h"
#include "support/span.h"

struct fixture {
    struct memkv *store;
    struct qn_dict dict;
    struct qn_record record;
    struct qn_buf row;
    char names[16][16];
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){.store = memkv_new()};
    qn_dict_init(&f->dict, memkv_begin(f->store), true);
    qn_buf_init(&f->row, QN_RECORD_SIZE_MAX);
}

static void teardown(struct fixture *f)
{
    qn_record_deinit(&f->record);
    qn_dict_deinit(&f->dict);
    qn_buf_deinit(&f->row);
    memkv_free(f->store);
}

static void add(struct fixture *f, const char *field, uint8_t actor, uint64_t ctr, qn_hlc hlc,
                const char *user)
{
    struct qn_pair pair = {.dot = {{{actor, 9}}, ctr},
                           .hlc = hlc,
                           .value = SPAN("\xa3"
                                         "abc"),
                           .user = qn_span_str(user)};
    qn_record_add(&f->record, qn_span_str(field), &pair);
}

static struct qn_span encode(struct fixture *f)
{
    struct qn_row_head head = {.state = QN_RECORD_LIVE, .has_conflict = true, .hash = {5}};
    qn_buf_reset(&f->row);
    cr_assert_eq(qn_row_encode(&f->dict, &head, &f->record, &f->row), QN_OK);
    return qn_buf_view(&f->row);
}

static void assert_same(const struct qn_record *a, const struct qn_record *b)
{
    cr_assert_eq(a->fields.count, b->fields.count);
    for (size_t i = 0; i < a->fields.count; i++) {
        const struct qn_field *x = &a->fields.items[i], *y = &b->fields.items[i];
        assert_span_eq(x->name, y->name);
        cr_assert_eq(x->pairs.count, y->pairs.count);
        for (size_t j = 0; j < x->pairs.count; j++) {
            const struct qn_pair *p = &x->pairs.items[j], *q = &y->pairs.items[j];
            cr_assert_eq(qn_dot_cmp(&p->dot, &q->dot), 0);
            cr_assert_eq(p->hlc, q->hlc);
            assert_span_eq(p->value, q->value);
            assert_span_eq(p->user, q->user);
        }
    }
}

static void fill(struct fixture *f)
{
    qn_hlc now = UINT64_C(1700000000000) << 16;
    add(f, "a", 1, 1, now, "");
    add(f, "a", 2, 7000, now - 1, "bob");
    add(f, "b", 1, 300, now + 5, "ana");
    add(f, "_trash", 3, 1, 0, "ana");
}

Test(row, comes_back_as_it_was)
{
    struct fixture f;
    setup(&f);
    fill(&f);
    struct qn_span row = encode(&f);
    QN_AUTO_RECORD struct qn_record back = {0};
    struct qn_row_head head;
    cr_assert_eq(qn_row_decode(&f.dict, row, &back), QN_OK);
    assert_same(&f.record, &back);
    cr_assert_eq(qn_row_decode_head(row, &head), QN_OK);
    cr_assert_eq(head.state, QN_RECORD_LIVE);
    cr_assert(head.has_conflict);
    cr_assert_eq(head.hash[0], 5);
    teardown(&f);
}

Test(row, a_reader_without_a_cache_reads_the_same)
{
    struct fixture f;
    struct qn_dict reader;
    setup(&f);
    fill(&f);
    struct qn_span row = encode(&f);
    QN_AUTO_RECORD struct qn_record back = {0};
    qn_dict_init(&reader, f.dict.kv, false);
    cr_assert_eq(qn_row_decode(&reader, row, &back), QN_OK);
    assert_same(&f.record, &back);
    teardown(&f);
}

/* The target: 128 bytes beside the values for 8 fields that 10 sites edited, over half a year. */
Test(row, is_small)
{
    struct fixture f;
    setup(&f);
    qn_hlc now = UINT64_C(1700000000000) << 16, day = UINT64_C(86400000) << 16;
    for (uint8_t i = 0; i < 10; i++) { /* numbers of actors that did not stay */
        uint32_t number;
        struct qn_actor actor = {{(uint8_t)(i + 1), 9}};
        cr_assert_eq(qn_dict_number_actor(&f.dict, &actor, &number), QN_OK);
    }
    for (uint8_t i = 0; i < 8; i++) {
        snprintf(f.names[i], sizeof(f.names[i]), "field_%d", i);
        add(&f, f.names[i], (uint8_t)(i + 3), 10000 + i, now - i * 24 * day, "ana");
    }
    size_t metadata = encode(&f).size - 8 * 4;
    cr_assert_leq(metadata, 128, "%zu bytes", metadata);
    teardown(&f);
}

Test(row, damage_is_found_or_harmless)
{
    struct fixture f;
    setup(&f);
    fill(&f);
    struct qn_span row = encode(&f);
    for (size_t size = 0; size < row.size; size++) {
        struct qn_record back = {0};
        if (qn_row_decode(&f.dict, qn_span(row.data, size), &back) == QN_OK)
            qn_record_deinit(&back);
    }
    for (size_t at = 0; at < row.size; at++) {
        for (unsigned value = 0; value < 256; value++) {
            struct qn_record back = {0};
            uint8_t before = f.row.data[at];
            f.row.data[at] = (uint8_t)value;
            enum qn_err err = qn_row_decode(&f.dict, row, &back);
            f.row.data[at] = before;
            cr_assert(err == QN_OK || err == QN_ERR_CORRUPT);
            qn_record_deinit(&back);
        }
    }
    teardown(&f);
}
