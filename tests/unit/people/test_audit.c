/* The trail: what was noted is there and provable, and no change of it stays unseen. */
#include "people/audit.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/prng.h"
#include "base/vec.h"
#include "support/fake_local.h"
#include "support/span.h"

#define START ((uint64_t)1800000000000)
#define HOUR  ((uint64_t)3600 * 1000)
#define DAY   (24 * HOUR)

static struct fake_local *disk;
static struct qn_signer *signer, *other;
static struct qn_site_id id;
static struct qn_audit *audit;
static struct qn_audit_checkpoint told;
static unsigned told_count;

static void on_checkpoint(void *context, const struct qn_audit_checkpoint *checkpoint)
{
    told = *checkpoint;
    told_count++;
}

static bool open_trail(void)
{
    bool is_damaged;
    audit = qn_audit_new(&(struct qn_audit_options){.local = fake_local_door(disk),
                                                    .site = "pradines",
                                                    .id = &id,
                                                    .signer = signer,
                                                    .keep_months = 12,
                                                    .on_checkpoint = on_checkpoint});
    cr_assert_eq(qn_audit_load(audit, &is_damaged), QN_OK);
    return is_damaged;
}

static void set_up(void)
{
    static const uint8_t seed[QN_SEED_SIZE] = {1}, other_seed[QN_SEED_SIZE] = {2};
    disk = fake_local_new();
    cr_assert_eq(qn_signer_new(seed, &signer), QN_OK);
    cr_assert_eq(qn_signer_new(other_seed, &other), QN_OK);
    qn_site_id_of(qn_signer_public(signer), &id);
    told_count = 0;
    cr_assert_not(open_trail());
}

static void settle(void)
{
    while (fake_local_turn(disk) > 0)
        ;
}

static void tear_down(void)
{
    settle();
    qn_audit_free(audit);
    fake_local_free(disk);
    qn_signer_free(signer);
    qn_signer_free(other);
}
TestSuite(audit, .init = set_up, .fini = tear_down);

static bool reopen(void)
{
    qn_audit_free(audit);
    return open_trail();
}

struct told {
    unsigned count;
    enum qn_err last;
};

static void on_done(void *context, enum qn_err err)
{
    struct told *told_to = context;
    told_to->count++;
    told_to->last = err;
}

static enum qn_err note_of(const char *object, uint64_t ms, struct told *told_to)
{
    struct qn_audit_what what = {.actor = qn_span_str("anne"),
                                 .device = qn_span_str("phone"),
                                 .address = qn_span_str("192.0.2.7"),
                                 .action = "read",
                                 .object = qn_span_str(object),
                                 .result = "ok"};
    return qn_audit_note(audit, &what, ms, told_to != NULL ? on_done : NULL, told_to);
}

static void note_many(unsigned count, uint64_t ms)
{
    for (unsigned i = 0; i < count; i++) {
        char object[64];
        snprintf(object, sizeof(object), "folder:plans/%u.odt", i);
        cr_assert_eq(note_of(object, ms + i, NULL), QN_OK);
    }
    settle();
}

/* ---- verifying what is on the disk ---- */

static bool feed(void *context, struct qn_span key, struct qn_span value)
{
    qn_audit_verify_row(context, key, value);
    return true;
}

static struct qn_audit_witness found;

static struct qn_audit_verdict verify_with(const struct qn_audit_checkpoint *witness,
                                           uint64_t now_ms)
{
    struct qn_audit_verdict verdict;
    const struct qn_local *door = fake_local_door(disk);
    struct qn_audit_verify *verify = qn_audit_verify_new(&id, qn_signer_public(signer), 1, now_ms);
    if (witness != NULL)
        qn_audit_verify_witness(verify, 0, START + 7, witness);
    cr_assert_eq(door->read(door->context, SPAN("audit/"), SPAN("audit/"), feed, verify), QN_OK);
    qn_audit_verify_end(verify, &verdict);
    found = *qn_audit_verify_of(verify, 0);
    qn_audit_verify_free(verify);
    return verdict;
}

static enum qn_audit_fault fault_now(void)
{
    return verify_with(NULL, START + DAY).fault;
}

Test(audit, what_is_noted_is_there)
{
    struct told told_to = {0};
    cr_assert_eq(note_of("folder:plans/a.odt", START, &told_to), QN_OK);
    cr_assert_eq(told_to.count, 0, "told before it was durable");
    fake_local_turn(disk);
    cr_assert_eq(told_to.count, 1);
    cr_assert_eq(told_to.last, QN_OK);
    note_many(30, START);
    struct qn_audit_verdict verdict = verify_with(NULL, START + DAY);
    cr_assert_eq(verdict.fault, QN_AUDIT_WHOLE);
    cr_assert_eq(verdict.first, 1);
    cr_assert_eq(verdict.last, 31);
}

Test(audit, an_empty_trail_is_whole)
{
    cr_assert_eq(fault_now(), QN_AUDIT_WHOLE);
    qn_audit_tick(audit, START + DAY);
    cr_assert_eq(fake_local_waiting(disk), 0);
}

/* A hundred notes a second: what comes while the disk is busy is one transaction. */
Test(audit, notes_are_grouped)
{
    uint64_t before = fake_local_commits(disk);
    for (unsigned turn = 0; turn < 50; turn++) { /* a disk that takes 20 ms */
        cr_assert_eq(note_of("a", START, NULL), QN_OK);
        cr_assert_eq(note_of("b", START, NULL), QN_OK);
        fake_local_turn(disk);
    }
    settle();
    cr_assert_leq(fake_local_commits(disk) - before, 52);
    for (unsigned i = 0; i < 1000; i++)
        cr_assert_eq(note_of("c", START, NULL), QN_OK);
    before = fake_local_commits(disk);
    settle();
    cr_assert_leq(fake_local_commits(disk) - before, 6);
    cr_assert_eq(verify_with(NULL, START).last, 1100);
    cr_assert_eq(fault_now(), QN_AUDIT_WHOLE);
}

Test(audit, waiting_is_bounded)
{
    for (unsigned i = 0; i < QN_AUDIT_WAITING_MAX; i++)
        cr_assert_eq(note_of("a", START, NULL), QN_OK);
    cr_assert_eq(note_of("a", START, NULL), QN_ERR_BUSY);
}

Test(audit, refused_rather_than_unlogged)
{
    struct told told_to = {0}, refused = {0};
    fake_local_fail(disk, QN_ERR_NOSPACE);
    cr_assert_eq(note_of("a", START, &told_to), QN_OK);
    fake_local_turn(disk);
    cr_assert_eq(told_to.last, QN_ERR_NOSPACE);
    cr_assert_eq(qn_audit_state(audit), QN_ERR_NOSPACE);
    cr_assert_eq(note_of("b", START, &refused), QN_ERR_NOSPACE);
    settle(); /* it asked for another try, which works */
    cr_assert_eq(refused.count, 0);
    cr_assert_eq(qn_audit_state(audit), QN_OK);
    cr_assert_eq(note_of("c", START, NULL), QN_OK);
    settle();
    cr_assert_eq(told_to.count, 1);
    cr_assert_eq(fault_now(), QN_AUDIT_WHOLE);
    cr_assert_eq(verify_with(NULL, START).last, 2, "a was kept, b was never taken");
}

Test(audit, goes_on_after_a_restart)
{
    note_many(5, START);
    fake_local_fail(disk, QN_ERR_IO);
    cr_assert_eq(note_of("lost", START, NULL), QN_OK);
    fake_local_turn(disk);
    cr_assert_not(reopen());
    note_many(5, START + 10);
    cr_assert_eq(fault_now(), QN_AUDIT_WHOLE);
    cr_assert_eq(verify_with(NULL, START).last, 10);
}

Test(audit, texts_are_cut_and_cleaned)
{
    QN_AUTO_FREE char *path = qn_alloc_zero(5001);
    for (size_t i = 0; i < 5000; i += 2)
        memcpy(path + i, "é", 2);
    memcpy(path + 4996, ".odt", 4);
    struct qn_audit_what what = {.actor = SPAN("\xff\xfe"),
                                 .device = SPAN("d"),
                                 .action = "write",
                                 .object = qn_span(path, 5000),
                                 .result = "ok"};
    cr_assert_eq(qn_audit_note(audit, &what, START, NULL, NULL), QN_OK);
    settle();
    cr_assert_eq(fault_now(), QN_AUDIT_WHOLE);
    cr_assert_eq(verify_with(NULL, START).last, 1);
}

/* ---- checkpoints ---- */

Test(audit, checkpoints_are_hourly_and_signed)
{
    note_many(3, START);
    qn_audit_tick(audit, START);
    settle();
    cr_assert_eq(told_count, 1);
    cr_assert_eq(told.seq, 3);
    cr_assert_eq(qn_audit_checkpoint_verify(&told, &id, qn_signer_public(signer)), QN_OK);
    cr_assert_eq(qn_audit_checkpoint_verify(&told, &id, qn_signer_public(other)), QN_ERR_SIGNATURE);
    note_many(3, START + 5);
    qn_audit_tick(audit, START + HOUR - 1);
    settle();
    cr_assert_eq(told_count, 1);
    qn_audit_tick(audit, START + HOUR);
    settle();
    cr_assert_eq(told_count, 2);
    qn_audit_tick(audit, START + 3 * HOUR);
    settle();
    cr_assert_eq(told_count, 2, "nothing happened since");
    cr_assert_not(reopen());
    cr_assert_eq(told_count, 3, "others are told again after a start");
    cr_assert_eq(told.seq, 6);
    cr_assert_eq(verify_with(NULL, START + DAY).checkpoints, 2);
    note_many(1, START + HOUR + 1);
    qn_audit_tick(audit, START + HOUR + 9999);
    settle();
    cr_assert_eq(told_count, 3);
    qn_audit_tick(audit, START + HOUR + 10000);
    settle();
    cr_assert_eq(told_count, 4, "what was before a start is signed soon after it");
    note_many(1, START + HOUR + 10001);
    qn_audit_tick(audit, START + HOUR + 30000);
    settle();
    cr_assert_eq(told_count, 4, "then hourly again");
    cr_assert_eq(fault_now(), QN_AUDIT_WHOLE);
}

/* ---- every change is seen ---- */

struct row {
    uint8_t key[32];
    size_t key_size, value_size;
    uint8_t *value;
};

struct rows {
    QN_VEC(struct row) items;
};

static bool collect(void *context, struct qn_span key, struct qn_span value)
{
    struct rows *rows = context;
    struct row *row = qn_vec_push_slot(&rows->items);
    *row = (struct row){.key_size = key.size, .value_size = value.size};
    memcpy(row->key, key.data, key.size);
    row->value = qn_memdup(value.data, value.size);
    return true;
}

static void rows_deinit(struct rows *rows)
{
    qn_vec_each (&rows->items, row)
        qn_free(row->value);
    qn_vec_free(&rows->items);
}

static enum qn_audit_fault fault_of(const struct rows *rows)
{
    struct qn_audit_verdict verdict;
    struct qn_audit_verify *verify =
        qn_audit_verify_new(&id, qn_signer_public(signer), 1, START + DAY);
    qn_vec_each (&rows->items, row)
        qn_audit_verify_row(verify, qn_span(row->key, row->key_size),
                            qn_span(row->value, row->value_size));
    qn_audit_verify_end(verify, &verdict);
    qn_audit_verify_free(verify);
    return verdict.fault;
}

static bool is_entry(const struct row *row)
{
    return row->key[6] == 'e';
}

static size_t any_entry(const struct rows *rows, struct qn_prng *prng)
{
    size_t at;
    do
        at = qn_prng_below(prng, rows->items.count);
    while (!is_entry(&rows->items.items[at]));
    return at;
}

static void drop_row(struct rows *rows, size_t at)
{
    qn_free(rows->items.items[at].value);
    qn_vec_remove(&rows->items, at);
}

static void flip(struct rows *rows, struct qn_prng *prng)
{
    struct row *row = &rows->items.items[qn_prng_below(prng, rows->items.count)];
    row->value[qn_prng_below(prng, row->value_size)] ^= (uint8_t)(1 + qn_prng_below(prng, 255));
}

static void swap_values(struct rows *rows, struct qn_prng *prng)
{
    struct row *a = &rows->items.items[any_entry(rows, prng)], *b = a;
    while (a == b)
        b = &rows->items.items[any_entry(rows, prng)];
    struct row kept = *a;
    a->value = b->value;
    a->value_size = b->value_size;
    b->value = kept.value;
    b->value_size = kept.value_size;
}

/* Rewritten with its own number and its predecessor's hash: only what follows gives it away. */
static void rewrite(struct rows *rows, struct qn_prng *prng)
{
    struct row *row = &rows->items.items[any_entry(rows, prng)];
    struct qn_audit_entry entry;
    QN_AUTO_BUF struct qn_buf out;
    cr_assert_eq(qn_audit_entry_unpack(qn_span(row->value, row->value_size), &entry), QN_OK);
    entry.actor = SPAN("bruno");
    qn_buf_init(&out, QN_AUDIT_ENTRY_SIZE_MAX);
    qn_audit_entry_pack(&entry, &out);
    qn_free(row->value);
    row->value = qn_buf_take(&out, &row->value_size);
}

/* Drops the last ones, all after some place. */
static void truncate_rows(struct rows *rows, struct qn_prng *prng)
{
    size_t at = any_entry(rows, prng);
    while (at < rows->items.count && is_entry(&rows->items.items[at]))
        drop_row(rows, at);
}

static void mutate(struct rows *rows, struct qn_prng *prng, unsigned kind)
{
    switch (kind) {
    case 0:
        flip(rows, prng);
        break;
    case 1:
        drop_row(rows, any_entry(rows, prng));
        break;
    case 2:
        swap_values(rows, prng);
        break;
    case 3:
        truncate_rows(rows, prng);
        break;
    case 4:
        rewrite(rows, prng);
        break;
    case 5:
        drop_row(rows, rows->items.count - 1); /* the head */
        break;
    default:
        cr_assert_fail();
    }
}

Test(audit, a_thousand_changes_are_all_seen)
{
    const struct qn_local *door = fake_local_door(disk);
    struct qn_prng prng = {.state = 11};
    for (unsigned i = 0; i < 5; i++) {
        note_many(20, START + i * HOUR);
        qn_audit_tick(audit, START + i * HOUR + 30);
        settle();
    }
    note_many(7, START + 6 * HOUR);
    for (unsigned i = 0; i < 1002; i++) {
        __attribute__((cleanup(rows_deinit))) struct rows rows = {0};
        cr_assert_eq(door->read(door->context, SPAN("audit/"), SPAN(""), collect, &rows), QN_OK);
        cr_assert_eq(rows.items.count, 5 + 107 + 1);
        cr_assert_eq(fault_of(&rows), QN_AUDIT_WHOLE);
        mutate(&rows, &prng, i % 6);
        cr_assert_neq(fault_of(&rows), QN_AUDIT_WHOLE, "change %u", i);
    }
}

/* Whoever has the key of the site can make the end, and all after some place, anew, and sign it:
 * the other sites know better. */
Test(audit, a_forged_end_contradicts_the_witnesses)
{
    note_many(20, START);
    qn_audit_tick(audit, START);
    settle();
    struct qn_audit_checkpoint witness = told;
    struct memkv *memkv = fake_local_memkv(disk);
    struct qn_kv *kv = memkv_begin(memkv);
    struct qn_span key, value;
    while (qn_kv_seek(kv, QN_TABLE_LOCAL, SPAN("audit/"), &key, &value) == QN_OK)
        cr_assert_eq(qn_kv_del(kv, QN_TABLE_LOCAL, key), QN_OK);
    cr_assert_eq(memkv_commit(memkv), QN_OK);
    cr_assert_not(reopen());
    note_many(25, START);
    qn_audit_tick(audit, START);
    settle();
    cr_assert_eq(fault_now(), QN_AUDIT_WHOLE, "by itself it is a trail");
    /* the notes are the same: one of them is not */
    cr_assert_eq(note_of("x", START, NULL), QN_OK);
    settle();
    cr_assert_eq(verify_with(&witness, START + DAY).fault, QN_AUDIT_WHOLE);
    cr_assert_eq(found.matched_seq, 20);
    cr_assert_eq(found.matched_ms, START + 7);
    cr_assert_eq(found.differs_seq, 0);
    witness.seq = 21;
    cr_assert_eq(qn_audit_checkpoint_sign(&witness, &id, signer), QN_OK);
    cr_assert_eq(verify_with(&witness, START + DAY).fault, QN_AUDIT_WITNESS);
    cr_assert_eq(found.differs_seq, 21);
    cr_assert_not(found.is_missing);
    witness.seq = 1000;
    cr_assert_eq(qn_audit_checkpoint_sign(&witness, &id, signer), QN_OK);
    cr_assert_eq(verify_with(&witness, START + DAY).fault, QN_AUDIT_WITNESS);
    cr_assert_eq(found.differs_seq, 1000);
    cr_assert(found.is_missing);
    cr_assert_eq(qn_audit_checkpoint_sign(&witness, &id, other), QN_OK);
    cr_assert_eq(verify_with(&witness, START + DAY).fault, QN_AUDIT_WHOLE, "not the site's word");
}

Test(audit, damage_is_found_at_the_start_and_does_not_stop_it)
{
    note_many(20, START);
    struct memkv *memkv = fake_local_memkv(disk);
    QN_AUTO_BUF struct qn_buf key;
    qn_buf_init(&key, 32);
    qn_audit_key(QN_AUDIT_ENTRY_PREFIX, 20, &key);
    cr_assert_eq(qn_kv_put(memkv_begin(memkv), QN_TABLE_LOCAL, qn_buf_view(&key), SPAN("x")),
                 QN_OK);
    cr_assert_eq(memkv_commit(memkv), QN_OK);
    cr_assert(reopen());
    note_many(3, START);
    struct qn_audit_verdict verdict = verify_with(NULL, START + DAY);
    cr_assert_eq(verdict.fault, QN_AUDIT_FORM);
    cr_assert_eq(verdict.seq, 20);
    cr_assert_eq(verdict.last, 23);
}

/* ---- what is old goes ---- */

struct wanted {
    const char *action, *object;
    bool is_there;
};

static bool holds(struct qn_span value, const char *text)
{
    return memmem(value.data, value.size, text, strlen(text)) != NULL;
}

static bool look_at_entry(void *context, struct qn_span key, struct qn_span value)
{
    struct wanted *wanted = context;
    wanted->is_there |= holds(value, wanted->action) && holds(value, wanted->object);
    return true;
}

static bool has_entry(const char *action, const char *object)
{
    struct wanted wanted = {action, object, false};
    struct qn_span prefix = qn_span_str(QN_AUDIT_ENTRY_PREFIX);
    const struct qn_local *door = fake_local_door(disk);
    cr_assert_eq(door->read(door->context, prefix, prefix, look_at_entry, &wanted), QN_OK);
    return wanted.is_there;
}

Test(audit, a_year_stays_and_the_rest_stays_provable)
{
    for (unsigned day = 0; day < 800; day++) {
        note_many(3, START + day * DAY);
        qn_audit_tick(audit, START + day * DAY + HOUR);
        settle();
    }
    uint64_t now = START + 800 * DAY;
    for (unsigned i = 0; i < 10; i++) {
        qn_audit_tick(audit, now);
        settle();
        cr_assert_eq(verify_with(NULL, now).fault, QN_AUDIT_WHOLE);
    }
    struct qn_audit_verdict verdict = verify_with(NULL, now);
    cr_assert_gt(verdict.last, 2400, "that entries went is in entries, a few");
    cr_assert_leq(verdict.last, 2410);
    cr_assert(has_entry("trail-erased", "audit:1-512"));
    cr_assert_geq(verdict.last - verdict.first, 3 * 364);
    cr_assert_leq(verdict.last - verdict.first, 3 * 369 + 10);
    cr_assert_leq(verdict.checkpoints, 369);
    cr_assert_not(reopen());
    note_many(1, now);
    cr_assert_eq(verify_with(NULL, now).fault, QN_AUDIT_WHOLE);
}

/* Whoever has the key can sign an old date for the start; a witness knows of entries that were
 * young. */
Test(audit, a_start_that_was_cut_too_early_contradicts_a_witness)
{
    note_many(10, START);
    qn_audit_tick(audit, START);
    settle();
    struct qn_audit_checkpoint witness = told;
    note_many(10, START + 300 * DAY);
    qn_audit_tick(audit, START + 300 * DAY);
    settle();
    note_many(10, START + 301 * DAY);
    qn_audit_tick(audit, START + 301 * DAY);
    settle();
    qn_audit_set_keep(audit, 6);
    qn_audit_tick(audit, START + 482 * DAY); /* the second checkpoint is old: ten entries stay */
    settle();
    struct qn_audit_verdict verdict = verify_with(&witness, START + 490 * DAY);
    cr_assert_eq(verdict.first, 11);
    cr_assert_eq(verdict.fault, QN_AUDIT_WHOLE);
    witness.wall_ms = START + 400 * DAY;
    witness.seq = 9;
    cr_assert_eq(qn_audit_checkpoint_sign(&witness, &id, signer), QN_OK);
    cr_assert_eq(verify_with(&witness, START + 490 * DAY).fault, QN_AUDIT_START);
}

/* A quiet site: the newest old checkpoint is before a long silence. */
Test(audit, after_a_long_silence)
{
    note_many(3, START);
    qn_audit_tick(audit, START + HOUR);
    settle();
    note_many(3, START + 500 * DAY);
    qn_audit_tick(audit, START + 500 * DAY);
    settle();
    qn_audit_tick(audit, START + 500 * DAY);
    settle();
    struct qn_audit_verdict verdict = verify_with(NULL, START + 500 * DAY);
    cr_assert_eq(verdict.first, 4);
    cr_assert_eq(verdict.last, 7, "that they went is an entry itself");
    cr_assert_eq(verdict.fault, QN_AUDIT_WHOLE);
    qn_audit_tick(audit, START + 500 * DAY);
    settle();
    cr_assert_eq(verify_with(NULL, START + 500 * DAY).last, 7, "once");
    cr_assert(has_entry("trail-erased", "audit:1-3"));
}

Test(audit, nobody_lets_go_what_is_young)
{
    note_many(20, START);
    qn_audit_tick(audit, START);
    settle();
    struct memkv *memkv = fake_local_memkv(disk);
    struct qn_kv *kv = memkv_begin(memkv);
    struct qn_audit_head head = *qn_audit_head(audit);
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, 100);
    for (; head.first <= 5; head.first++) {
        QN_AUTO_BUF struct qn_buf key;
        qn_buf_init(&key, 32);
        qn_audit_key(QN_AUDIT_ENTRY_PREFIX, head.first, &key);
        cr_assert_eq(qn_kv_del(kv, QN_TABLE_LOCAL, qn_buf_view(&key)), QN_OK);
    }
    qn_audit_head_pack(&head, &row);
    cr_assert_eq(qn_kv_put(kv, QN_TABLE_LOCAL, SPAN(QN_AUDIT_HEAD_KEY), qn_buf_view(&row)), QN_OK);
    cr_assert_eq(memkv_commit(memkv), QN_OK);
    cr_assert_eq(fault_now(), QN_AUDIT_START);
}
