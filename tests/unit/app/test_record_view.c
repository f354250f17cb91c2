#include <criterion/criterion.h>

#include "app/record_view.h"
#include "proto/pack.h"

/* A core that knows nobody: every site is "?". */
static struct qn_core *new_core(struct qn_signer **ret_signer)
{
    static const uint8_t seed[QN_SEED_SIZE] = {7};
    cr_assert_eq(qn_signer_new(seed, ret_signer), QN_OK);
    return qn_core_new(&(struct qn_core_options){.signer = *ret_signer,
                                                 .keys = {.site = *qn_signer_public(*ret_signer)},
                                                 .name = "a",
                                                 .legal_entity = "",
                                                 .version = "1"});
}

static void add(struct qn_record *record, const char *field, uint8_t actor, uint64_t ms,
                const char *value)
{
    struct qn_pair pair = {.dot = {.ctr = ms}, .hlc = ms << 16, .value = qn_span_str(value)};
    pair.dot.actor.bytes[0] = actor;
    qn_record_add(record, qn_span_str(field), &pair);
}

/* Packed values as texts of one letter: "\xa1x". */
#define V(letter) "\xa1" letter

static void view(const struct qn_record *record, struct qn_buf *out)
{
    struct qn_signer *signer;
    struct qn_core *core = new_core(&signer);
    qn_buf_init(out, 65536);
    qn_view_record(core, "c", qn_span_str("k"), record, false, out);
    cr_assert_eq(qn_buf_status(out), QN_OK);
    qn_core_free(core);
    qn_signer_free(signer);
}

static void pack_site_time(struct qn_buf *out, uint64_t ms)
{
    qn_pack_cstr(out, "site");
    qn_pack_cstr(out, "?");
    qn_pack_cstr(out, "time");
    qn_pack_u64(out, ms);
}

static void pack_side(struct qn_buf *out, uint64_t ms, const char *value)
{
    qn_pack_map(out, 3);
    pack_site_time(out, ms);
    qn_pack_cstr(out, "value");
    qn_pack_raw(out, qn_span_str(value));
}

static void pack_tail(struct qn_buf *out, uint64_t updated_ms)
{
    qn_pack_cstr(out, "key");
    qn_pack_cstr(out, "k");
    qn_pack_cstr(out, "updated");
    qn_pack_map(out, 2);
    pack_site_time(out, updated_ms);
}

static void assert_same(const struct qn_buf *a, const struct qn_buf *b)
{
    cr_assert_eq(a->size, b->size, "%zu and %zu bytes", a->size, b->size);
    cr_assert_eq(memcmp(a->data, b->data, a->size), 0);
}

Test(record_view, without_a_conflict)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    QN_AUTO_BUF struct qn_buf seen, wanted;
    add(&record, "a", 1, 5, V("x"));
    add(&record, "b", 2, 9, V("y"));
    add(&record, "b", 3, 8, V("y")); /* written twice alike: no conflict */
    view(&record, &seen);
    qn_buf_init(&wanted, 4096);
    qn_pack_map(&wanted, 4);
    qn_pack_cstr(&wanted, "collection");
    qn_pack_cstr(&wanted, "c");
    qn_pack_cstr(&wanted, "fields");
    qn_pack_map(&wanted, 2);
    qn_pack_cstr(&wanted, "a");
    qn_pack_cstr(&wanted, "x");
    qn_pack_cstr(&wanted, "b");
    qn_pack_cstr(&wanted, "y");
    pack_tail(&wanted, 9);
    assert_same(&seen, &wanted);
}

Test(record_view, a_conflict_lists_every_value_the_shown_one_first)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    QN_AUTO_BUF struct qn_buf seen, wanted;
    add(&record, "a", 1, 5, V("x"));
    add(&record, "a", 2, 9, V("y"));
    add(&record, "a", 3, 7, V("z"));
    view(&record, &seen);
    qn_buf_init(&wanted, 4096);
    qn_pack_map(&wanted, 5);
    qn_pack_cstr(&wanted, "collection");
    qn_pack_cstr(&wanted, "c");
    qn_pack_cstr(&wanted, "conflicts");
    qn_pack_map(&wanted, 1);
    qn_pack_cstr(&wanted, "a");
    qn_pack_array(&wanted, 3);
    pack_side(&wanted, 9, V("y"));
    pack_side(&wanted, 7, V("z"));
    pack_side(&wanted, 5, V("x"));
    qn_pack_cstr(&wanted, "fields");
    qn_pack_map(&wanted, 1);
    qn_pack_cstr(&wanted, "a");
    qn_pack_cstr(&wanted, "y");
    pack_tail(&wanted, 9);
    assert_same(&seen, &wanted);
}

Test(record_view, deleted_here_and_edited_there)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    QN_AUTO_BUF struct qn_buf seen, wanted;
    add(&record, "a", 1, 5, V("x"));
    add(&record, QN_FIELD_TRASH, 2, 6, V("?")); /* not the hash of what is there: an edit came */
    add(&record, QN_FIELD_TRASH, 3, 8, V("?"));
    cr_assert_eq(qn_record_state(&record), QN_RECORD_CONTESTED);
    view(&record, &seen);
    qn_buf_init(&wanted, 4096);
    qn_pack_map(&wanted, 5);
    qn_pack_cstr(&wanted, "collection");
    qn_pack_cstr(&wanted, "c");
    qn_pack_cstr(&wanted, "conflicts");
    qn_pack_map(&wanted, 1);
    qn_pack_cstr(&wanted, QN_FIELD_TRASH);
    qn_pack_array(&wanted, 3);
    pack_side(&wanted, 5, "\xc2"); /* the edit is shown */
    pack_side(&wanted, 8, "\xc3");
    pack_side(&wanted, 6, "\xc3");
    qn_pack_cstr(&wanted, "fields");
    qn_pack_map(&wanted, 1);
    qn_pack_cstr(&wanted, "a");
    qn_pack_cstr(&wanted, "x");
    pack_tail(&wanted, 8);
    assert_same(&seen, &wanted);
}

Test(record_view, names_of_fields_in_conflict)
{
    QN_AUTO_RECORD struct qn_record record = {0};
    QN_AUTO_BUF struct qn_buf seen, wanted;
    add(&record, "a", 1, 5, V("x"));
    add(&record, "b", 1, 5, V("x"));
    add(&record, "b", 2, 5, V("y"));
    add(&record, QN_FIELD_TRASH, 2, 6, V("?"));
    qn_buf_init(&seen, 4096);
    qn_buf_init(&wanted, 4096);
    qn_view_conflict_fields(&record, &seen);
    qn_pack_array(&wanted, 2);
    qn_pack_cstr(&wanted, QN_FIELD_TRASH);
    qn_pack_cstr(&wanted, "b");
    assert_same(&seen, &wanted);
}
