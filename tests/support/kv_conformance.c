#include "support/kv_conformance.h"

#include <stdlib.h>

#include "base/prng.h"
#include "base/vec.h"
#include "support/span.h"

#define OK(call)        cr_assert_eq((call), QN_OK)
#define NOT_FOUND(call) cr_assert_eq((call), QN_ERR_NOTFOUND)

static struct qn_kv *begin(const struct kv_subject *subject)
{
    return subject->begin(subject->context);
}

static void end(const struct kv_subject *subject, bool commit)
{
    subject->end(subject->context, commit);
}

static void put(struct qn_kv *kv, enum qn_table table, const char *key, const char *value)
{
    OK(qn_kv_put(kv, table, qn_span_str(key), qn_span_str(value)));
}

static void assert_value(struct qn_kv *kv, enum qn_table table, const char *key, const char *wanted)
{
    struct qn_span value;
    OK(qn_kv_get(kv, table, qn_span_str(key), &value));
    assert_span_eq(value, qn_span_str(wanted));
}

static void assert_none(struct qn_kv *kv, enum qn_table table, const char *key)
{
    struct qn_span value = {.size = 99};
    NOT_FOUND(qn_kv_get(kv, table, qn_span_str(key), &value));
    cr_assert_eq(value.size, 99, "outputs stay untouched on failure");
}

/* The keys from `from` on, joined by spaces, each found from the one before and a zero byte. */
static void assert_scan(struct qn_kv *kv, enum qn_table table, const char *from, const char *wanted)
{
    QN_AUTO_BUF struct qn_buf at, seen;
    struct qn_span key, value;
    enum qn_err err;
    qn_buf_init(&at, QN_KV_KEY_SIZE_MAX + 1);
    qn_buf_init(&seen, 4096);
    qn_buf_append_str(&at, from);
    while ((err = qn_kv_seek(kv, table, qn_buf_view(&at), &key, &value)) == QN_OK) {
        if (seen.size > 0)
            qn_buf_append_str(&seen, " ");
        qn_buf_append_span(&seen, key);
        qn_buf_reset(&at);
        qn_buf_append_span(&at, key);
        qn_buf_append_u8(&at, 0);
    }
    cr_assert_eq(err, QN_ERR_NOTFOUND);
    assert_span_eq(qn_buf_view(&seen), qn_span_str(wanted));
}

static void case_put_get_del(const struct kv_subject *subject)
{
    struct qn_kv *kv = begin(subject);
    assert_none(kv, QN_TABLE_META, "a");
    put(kv, QN_TABLE_META, "a", "one");
    assert_value(kv, QN_TABLE_META, "a", "one");
    put(kv, QN_TABLE_META, "a", "");
    assert_value(kv, QN_TABLE_META, "a", "");
    put(kv, QN_TABLE_META, "a", "longer than before");
    assert_value(kv, QN_TABLE_META, "a", "longer than before");
    OK(qn_kv_del(kv, QN_TABLE_META, SPAN("a")));
    assert_none(kv, QN_TABLE_META, "a");
    NOT_FOUND(qn_kv_del(kv, QN_TABLE_META, SPAN("a")));
    put(kv, QN_TABLE_META, "b", "a deletion of nothing harms nothing");
    end(subject, false);
}

static void case_tables_are_apart(const struct kv_subject *subject)
{
    struct qn_kv *kv = begin(subject);
    struct qn_span value;
    for (uint8_t i = 0; i < QN_TABLE_COUNT; i++)
        OK(qn_kv_put(kv, (enum qn_table)i, SPAN("t"), qn_span(&i, 1)));
    for (uint8_t i = 0; i < QN_TABLE_COUNT; i++) {
        OK(qn_kv_get(kv, (enum qn_table)i, SPAN("t"), &value));
        assert_span_eq(value, qn_span(&i, 1));
        assert_scan(kv, (enum qn_table)i, "t", "t");
    }
    end(subject, false);
}

static void case_seek(const struct kv_subject *subject)
{
    struct qn_kv *kv = begin(subject);
    assert_scan(kv, QN_TABLE_REC, "", "");
    assert_scan(kv, QN_TABLE_REC, "x", "");
    put(kv, QN_TABLE_REC, "b", "2");
    put(kv, QN_TABLE_REC, "a", "1");
    put(kv, QN_TABLE_REC, "ba", "3");
    put(kv, QN_TABLE_REC, "\xff", "5");
    put(kv, QN_TABLE_REC, "c", "4");
    assert_scan(kv, QN_TABLE_REC, "", "a b ba c \xff");
    assert_scan(kv, QN_TABLE_REC, "a", "a b ba c \xff");
    assert_scan(kv, QN_TABLE_REC, "aa", "b ba c \xff");
    assert_scan(kv, QN_TABLE_REC, "bb", "c \xff");
    assert_scan(kv, QN_TABLE_REC, "\xff\xff", "");
    end(subject, false);
}

/* What a zero byte behind the last key means after that key, its neighbours or new ones came and
 * went: the place is found by the key, not by where a cursor happens to stand. */
static void case_seek_between_changes(const struct kv_subject *subject)
{
    struct qn_kv *kv = begin(subject);
    struct qn_span key, value;
    for (char name[2] = "a"; name[0] <= 'h'; name[0]++)
        put(kv, QN_TABLE_LOG, name, name);
    OK(qn_kv_seek(kv, QN_TABLE_LOG, SPAN("b"), &key, &value));
    OK(qn_kv_del(kv, QN_TABLE_LOG, SPAN("b")));
    OK(qn_kv_seek(kv, QN_TABLE_LOG, SPAN("b\0"), &key, &value));
    assert_span_eq(key, SPAN("c"));
    OK(qn_kv_del(kv, QN_TABLE_LOG, SPAN("d")));
    OK(qn_kv_seek(kv, QN_TABLE_LOG, SPAN("c\0"), &key, &value));
    assert_span_eq(key, SPAN("e"));
    put(kv, QN_TABLE_LOG, "ea", "new");
    OK(qn_kv_seek(kv, QN_TABLE_LOG, SPAN("e\0"), &key, &value));
    assert_span_eq(key, SPAN("ea"));
    assert_span_eq(value, SPAN("new"));
    put(kv, QN_TABLE_LOG, "aa", "below");
    OK(qn_kv_del(kv, QN_TABLE_LOG, SPAN("a")));
    OK(qn_kv_seek(kv, QN_TABLE_LOG, SPAN("ea\0"), &key, &value));
    assert_span_eq(key, SPAN("f"));
    put(kv, QN_TABLE_LOG, "g", "replaced");
    OK(qn_kv_seek(kv, QN_TABLE_LOG, SPAN("f\0"), &key, &value));
    assert_span_eq(value, SPAN("replaced"));
    OK(qn_kv_seek(kv, QN_TABLE_LOG, SPAN("g\0"), &key, &value));
    NOT_FOUND(qn_kv_seek(kv, QN_TABLE_LOG, SPAN("h\0"), &key, &value));
    put(kv, QN_TABLE_LOG, "i", "behind the end");
    OK(qn_kv_seek(kv, QN_TABLE_LOG, SPAN("h\0"), &key, &value));
    assert_span_eq(key, SPAN("i"));
    end(subject, false);
}

/* As the truncation of a log does it. */
static void case_delete_while_scanning(const struct kv_subject *subject)
{
    struct qn_kv *kv = begin(subject);
    struct qn_span key, value;
    uint8_t at[5] = {0};
    size_t deleted = 0;
    for (uint32_t i = 1; i <= 3000; i++) {
        qn_write_u32(at, i);
        OK(qn_kv_put(kv, QN_TABLE_ORDER, qn_span(at, 4), SPAN("some value")));
    }
    qn_write_u32(at, 0);
    while (qn_kv_seek(kv, QN_TABLE_ORDER, qn_span(at, 5), &key, &value) == QN_OK) {
        cr_assert_eq(qn_read_u32(key.data), ++deleted);
        memcpy(at, key.data, 4);
        OK(qn_kv_del(kv, QN_TABLE_ORDER, qn_span(at, 4)));
    }
    cr_assert_eq(deleted, 3000);
    assert_scan(kv, QN_TABLE_ORDER, "", "");
    end(subject, false);
}

static void case_largest_keys(const struct kv_subject *subject)
{
    struct qn_kv *kv = begin(subject);
    struct qn_span key, value;
    uint8_t large[QN_KV_KEY_SIZE_MAX + 1];
    memset(large, 0xff, sizeof(large));
    struct qn_span longest = qn_span(large, QN_KV_KEY_SIZE_MAX);
    OK(qn_kv_put(kv, QN_TABLE_HIST, longest, SPAN("longest")));
    OK(qn_kv_put(kv, QN_TABLE_HIST, qn_span(large, QN_KV_KEY_SIZE_MAX - 1), SPAN("shorter")));
    OK(qn_kv_get(kv, QN_TABLE_HIST, longest, &value));
    assert_span_eq(value, SPAN("longest"));
    OK(qn_kv_seek(kv, QN_TABLE_HIST, qn_span(large, QN_KV_KEY_SIZE_MAX - 1), &key, &value));
    assert_span_eq(value, SPAN("shorter"));
    OK(qn_kv_seek(kv, QN_TABLE_HIST, longest, &key, &value));
    assert_span_eq(value, SPAN("longest"));
    large[QN_KV_KEY_SIZE_MAX] = 0;
    NOT_FOUND(qn_kv_seek(kv, QN_TABLE_HIST, qn_span(large, sizeof(large)), &key, &value));
    end(subject, false);
}

static void fill(uint8_t *bytes, size_t size, uint64_t seed)
{
    struct qn_prng prng = {seed};
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)qn_prng_next(&prng);
}

static void case_big_values(const struct kv_subject *subject)
{
    static const size_t sizes[] = {2000, 4096, 65536, (1 << 20) - 1, 1 << 20, 3000, 0, 1 << 20};
    uint8_t *bytes = qn_alloc(1 << 20);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct qn_span value;
        struct qn_kv *kv = begin(subject);
        fill(bytes, sizes[i], i);
        OK(qn_kv_put(kv, QN_TABLE_COLL, SPAN("big"), qn_span(bytes, sizes[i])));
        end(subject, true);
        kv = begin(subject);
        OK(qn_kv_get(kv, QN_TABLE_COLL, SPAN("big"), &value));
        cr_assert(qn_span_eq(value, qn_span(bytes, sizes[i])), "%zu bytes", sizes[i]);
        end(subject, false);
    }
    struct qn_kv *kv = begin(subject);
    OK(qn_kv_del(kv, QN_TABLE_COLL, SPAN("big")));
    end(subject, true);
    qn_free(bytes);
}

static void case_commit_and_abort(const struct kv_subject *subject)
{
    struct qn_kv *kv = begin(subject);
    put(kv, QN_TABLE_PEER, "kept", "1");
    put(kv, QN_TABLE_PEER, "deleted", "1");
    end(subject, true);
    kv = begin(subject);
    put(kv, QN_TABLE_PEER, "kept", "2");
    put(kv, QN_TABLE_PEER, "new", "2");
    OK(qn_kv_del(kv, QN_TABLE_PEER, SPAN("deleted")));
    assert_scan(kv, QN_TABLE_PEER, "", "kept new");
    end(subject, false);
    kv = begin(subject);
    assert_scan(kv, QN_TABLE_PEER, "", "deleted kept");
    assert_value(kv, QN_TABLE_PEER, "kept", "1");
    OK(qn_kv_del(kv, QN_TABLE_PEER, SPAN("kept")));
    OK(qn_kv_del(kv, QN_TABLE_PEER, SPAN("deleted")));
    end(subject, true);
}

/* ---- random histories against a sorted array ---- */

struct entry {
    struct qn_span key, value; /* owned */
};

struct oracle {
    QN_VEC(struct entry) entries;
};

static struct qn_span dup_span(struct qn_span span)
{
    return qn_span(qn_memdup(span.data, span.size), span.size);
}

static void free_entry(struct entry *entry)
{
    qn_free((void *)entry->key.data);
    qn_free((void *)entry->value.data);
}

static size_t oracle_find(const struct oracle *oracle, struct qn_span key)
{
    size_t at = 0;
    while (at < oracle->entries.count && qn_span_cmp(oracle->entries.items[at].key, key) < 0)
        at++;
    return at;
}

static bool oracle_has(const struct oracle *oracle, size_t at, struct qn_span key)
{
    return at < oracle->entries.count && qn_span_eq(oracle->entries.items[at].key, key);
}

static void oracle_put(struct oracle *oracle, struct qn_span key, struct qn_span value)
{
    size_t at = oracle_find(oracle, key);
    if (oracle_has(oracle, at, key))
        free_entry(&oracle->entries.items[at]);
    else
        (void)qn_vec_insert_slot(&oracle->entries, at);
    oracle->entries.items[at] = (struct entry){dup_span(key), dup_span(value)};
}

static bool oracle_del(struct oracle *oracle, struct qn_span key)
{
    size_t at = oracle_find(oracle, key);
    if (!oracle_has(oracle, at, key))
        return false;
    free_entry(&oracle->entries.items[at]);
    qn_vec_remove(&oracle->entries, at);
    return true;
}

static void oracle_copy(struct oracle *oracle, const struct oracle *from)
{
    qn_vec_each (&oracle->entries, it)
        free_entry(it);
    oracle->entries.count = 0;
    qn_vec_each (&from->entries, it)
        qn_vec_push(&oracle->entries, ((struct entry){dup_span(it->key), dup_span(it->value)}));
}

static void oracle_deinit(struct oracle *oracle)
{
    qn_vec_each (&oracle->entries, it)
        free_entry(it);
    qn_vec_free(&oracle->entries);
}

struct history {
    struct qn_prng prng;
    struct qn_kv *kv;
    struct oracle oracle;
    struct qn_buf key;  /* of the next call */
    struct qn_buf last; /* key last found by a seek */
    uint8_t bytes[9000];
};

static void draw_key(struct history *h)
{
    static const uint8_t letters[] = {0, 1, 'a', 0xff};
    qn_buf_reset(&h->key);
    size_t size = 1 + qn_prng_below(&h->prng, 5);
    for (size_t i = 0; i < size; i++)
        qn_buf_append_u8(&h->key, letters[qn_prng_below(&h->prng, sizeof(letters))]);
    if (qn_prng_below(&h->prng, 4) == 0) /* some long ones, so that pages split early */
        for (size_t i = 0; i < 300; i++)
            qn_buf_append_u8(&h->key, 'l');
}

static struct qn_span draw_value(struct history *h)
{
    static const size_t bounds[] = {1, 40, 700, sizeof(h->bytes)};
    size_t size = qn_prng_below(&h->prng, bounds[qn_prng_below(&h->prng, 4)]);
    fill(h->bytes, size < 16 ? size : 16, qn_prng_next(&h->prng));
    return qn_span(h->bytes, size);
}

static void check_seek(struct history *h, struct qn_span from)
{
    struct qn_span key, value;
    size_t at = oracle_find(&h->oracle, from);
    enum qn_err err = qn_kv_seek(h->kv, QN_TABLE_FP, from, &key, &value);
    cr_assert_eq(err, at < h->oracle.entries.count ? QN_OK : QN_ERR_NOTFOUND);
    if (err != QN_OK)
        return;
    cr_assert(qn_span_eq(key, h->oracle.entries.items[at].key));
    cr_assert(qn_span_eq(value, h->oracle.entries.items[at].value));
    qn_buf_reset(&h->last);
    qn_buf_append_span(&h->last, key);
}

static void check_next(struct history *h)
{
    qn_buf_append_u8(&h->last, 0);
    QN_AUTO_FREE uint8_t *from = qn_memdup(h->last.data, h->last.size);
    check_seek(h, qn_span(from, h->last.size));
}

static void check_get(struct history *h)
{
    struct qn_span key = qn_buf_view(&h->key), value;
    size_t at = oracle_find(&h->oracle, key);
    bool is_there = oracle_has(&h->oracle, at, key);
    cr_assert_eq(qn_kv_get(h->kv, QN_TABLE_FP, key, &value), is_there ? QN_OK : QN_ERR_NOTFOUND);
    if (is_there)
        cr_assert(qn_span_eq(value, h->oracle.entries.items[at].value));
}

static void step(struct history *h, unsigned growth)
{
    draw_key(h);
    struct qn_span key = qn_buf_view(&h->key);
    uint64_t choice = qn_prng_below(&h->prng, 100);
    if (choice < growth) {
        struct qn_span value = draw_value(h);
        OK(qn_kv_put(h->kv, QN_TABLE_FP, key, value));
        oracle_put(&h->oracle, key, value);
    } else if (choice < 40) {
        bool was_there = oracle_del(&h->oracle, key);
        cr_assert_eq(qn_kv_del(h->kv, QN_TABLE_FP, key), was_there ? QN_OK : QN_ERR_NOTFOUND);
    } else if (choice < 55) {
        check_get(h);
    } else if (choice < 65) {
        check_seek(h, key);
    } else if (h->last.size > 0) {
        check_next(h);
    }
}

static void case_random_histories(const struct kv_subject *subject)
{
    struct history h = {.prng = {20240607}};
    struct oracle committed = {0};
    qn_buf_init(&h.key, QN_KV_KEY_SIZE_MAX);
    qn_buf_init(&h.last, QN_KV_KEY_SIZE_MAX + 8);
    for (int round = 0; round < 60; round++) {
        qn_buf_reset(&h.last);
        h.kv = begin(subject);
        unsigned growth = round % 20 < 12 ? 30 : 8; /* it fills, then empties */
        for (int i = 0; i < 400; i++) {
            step(&h, growth);
            if (h.last.size > QN_KV_KEY_SIZE_MAX)
                qn_buf_reset(&h.last);
        }
        bool commit = qn_prng_below(&h.prng, 3) > 0;
        end(subject, commit);
        if (commit)
            oracle_copy(&committed, &h.oracle);
        else
            oracle_copy(&h.oracle, &committed);
    }
    oracle_deinit(&committed);
    oracle_deinit(&h.oracle);
    qn_buf_deinit(&h.key);
    qn_buf_deinit(&h.last);
}

void kv_conformance(const struct kv_subject *subject)
{
    case_put_get_del(subject);
    case_tables_are_apart(subject);
    case_seek(subject);
    case_seek_between_changes(subject);
    case_delete_while_scanning(subject);
    case_largest_keys(subject);
    case_big_values(subject);
    case_commit_and_abort(subject);
    case_random_histories(subject);
}
