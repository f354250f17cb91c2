#include "support/memkv.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"
#include "base/vec.h"

#define LEVELS 16

/* A skip list a table (Pugh, CACM 1990), a node four times rarer on each level. */
struct node {
    uint8_t *value; /* owned; key stands behind the links */
    uint32_t value_size;
    uint16_t key_size;
    uint8_t levels;
    struct node *next[];
};

/* What undoes one change: the value that was there, or NULL for a key that was not. */
struct undo {
    enum qn_table table;
    uint16_t key_size;
    uint8_t *key;
    uint8_t *value;
    uint32_t value_size;
    bool was_there;
};

struct list {
    struct node *first[LEVELS];
    size_t count;
    uint64_t changes;
};

struct memkv {
    struct qn_kv kv; /* first: what the model sees */
    struct list tables[QN_TABLE_COUNT];
    QN_VEC(struct undo) undo; /* since the last sync */
    size_t committed;         /* of undo: belong to commits */
    bool is_open;
    struct qn_prng levels;
    uint64_t puts, fail_at;
    enum qn_err put_err, commit_err;
    bool lends_strictly;
    QN_VEC(uint8_t *) lent;
};

static struct memkv *self_of(struct qn_kv *kv)
{
    return (struct memkv *)kv;
}

static struct qn_span key_of(const struct node *node)
{
    return qn_span(node->next + node->levels, node->key_size);
}

/* The links that lead to the first node not below the key; gives that node. */
static struct node *find(struct list *list, struct qn_span key, struct node **links[LEVELS])
{
    struct node **row = list->first;
    struct node *checked = NULL; /* known not to be below the key */
    for (size_t level = LEVELS; level-- > 0;) {
        while (row[level] != NULL && row[level] != checked &&
               qn_span_cmp(key_of(row[level]), key) < 0)
            row = row[level]->next;
        checked = row[level];
        if (links != NULL)
            links[level] = &row[level];
    }
    return row[0];
}

static bool has_key(const struct node *node, struct qn_span key)
{
    return node != NULL && qn_span_eq(key_of(node), key);
}

static uint8_t *copy(struct qn_span bytes)
{
    uint8_t *memory = qn_alloc(bytes.size + 1);
    if (bytes.size > 0)
        memcpy(memory, bytes.data, bytes.size);
    return memory;
}

static uint8_t draw_levels(struct memkv *memkv)
{
    uint64_t bits = qn_prng_next(&memkv->levels);
    uint8_t levels = 1;
    for (; levels < LEVELS && (bits & 3) == 0; bits >>= 2)
        levels++;
    return levels;
}

static void insert(struct memkv *memkv, struct list *list, struct node **links[LEVELS],
                   struct qn_span key, uint8_t *value, uint32_t value_size)
{
    uint8_t levels = draw_levels(memkv);
    struct node *node = qn_alloc(sizeof(*node) + levels * sizeof(struct node *) + key.size);
    node->levels = levels;
    node->key_size = (uint16_t)key.size;
    memcpy(node->next + levels, key.data, key.size);
    node->value = value;
    node->value_size = value_size;
    for (size_t i = 0; i < levels; i++) {
        node->next[i] = *links[i];
        *links[i] = node;
    }
    list->count++;
    list->changes++;
}

static void unlink_node(struct list *list, struct node **links[LEVELS], struct node *node)
{
    for (size_t i = 0; i < node->levels; i++)
        *links[i] = node->next[i];
    list->count--;
    list->changes++;
}

/* --- kv.h --- */

static struct qn_span lend(struct memkv *memkv, struct qn_span bytes)
{
    if (!memkv->lends_strictly)
        return bytes;
    uint8_t *memory = copy(bytes);
    qn_vec_push(&memkv->lent, memory);
    return qn_span(memory, bytes.size);
}

static void end_loans(struct memkv *memkv)
{
    qn_vec_each (&memkv->lent, memory)
        qn_free(*memory);
    memkv->lent.count = 0;
}

static void check_key(struct qn_span key)
{
    QN_ASSERT(key.size >= 1 && key.size <= QN_KV_KEY_SIZE_MAX);
}

static enum qn_err get(struct qn_kv *kv, enum qn_table table, struct qn_span key,
                       struct qn_span *ret_value)
{
    check_key(key);
    const struct node *node = find(&self_of(kv)->tables[table], key, NULL);
    if (!has_key(node, key))
        return QN_ERR_NOTFOUND;
    *ret_value = lend(self_of(kv), qn_span(node->value, node->value_size));
    return QN_OK;
}

static enum qn_err seek(struct qn_kv *kv, enum qn_table table, struct qn_span key,
                        struct qn_span *ret_key, struct qn_span *ret_value)
{
    const struct node *node = find(&self_of(kv)->tables[table], key, NULL);
    if (node == NULL)
        return QN_ERR_NOTFOUND;
    *ret_key = lend(self_of(kv), key_of(node));
    *ret_value = lend(self_of(kv), qn_span(node->value, node->value_size));
    return QN_OK;
}

static enum qn_err count_put(struct memkv *memkv)
{
    QN_ASSERT(memkv->is_open);
    return ++memkv->puts == memkv->fail_at ? memkv->put_err : QN_OK;
}

/* Takes `value`. */
static void note(struct memkv *memkv, enum qn_table table, struct qn_span key, uint8_t *value,
                 uint32_t value_size, bool was_there)
{
    qn_vec_push(&memkv->undo, ((struct undo){table, (uint16_t)key.size, copy(key), value,
                                             value_size, was_there}));
}

static enum qn_err put(struct qn_kv *kv, enum qn_table table, struct qn_span key,
                       struct qn_span value)
{
    struct memkv *memkv = self_of(kv);
    struct node **links[LEVELS];
    check_key(key);
    QN_TRY(count_put(memkv));
    struct node *node = find(&memkv->tables[table], key, links);
    bool is_there = has_key(node, key);
    uint8_t *bytes = copy(value);
    if (is_there) {
        note(memkv, table, key, node->value, node->value_size, true);
        memkv->tables[table].changes++;
        node->value = bytes;
        node->value_size = (uint32_t)value.size;
    } else {
        note(memkv, table, key, NULL, 0, false);
        insert(memkv, &memkv->tables[table], links, key, bytes, (uint32_t)value.size);
    }
    end_loans(memkv);
    return QN_OK;
}

static enum qn_err del(struct qn_kv *kv, enum qn_table table, struct qn_span key)
{
    struct memkv *memkv = self_of(kv);
    struct node **links[LEVELS];
    check_key(key);
    QN_TRY(count_put(memkv));
    struct node *node = find(&memkv->tables[table], key, links);
    if (!has_key(node, key))
        return QN_ERR_NOTFOUND;
    note(memkv, table, key, node->value, node->value_size, true);
    unlink_node(&memkv->tables[table], links, node);
    qn_free(node);
    end_loans(memkv);
    return QN_OK;
}

static const struct qn_kv_ops ops = {.get = get, .put = put, .del = del, .seek = seek};

/* --- transactions --- */

struct memkv *memkv_new(void)
{
    struct memkv *memkv = QN_NEW(struct memkv);
    memkv->kv.ops = &ops;
    memkv->levels.state = 1;
    return memkv;
}

static void undo_one(struct memkv *memkv, struct undo *undo)
{
    struct node **links[LEVELS];
    struct list *list = &memkv->tables[undo->table];
    struct qn_span key = qn_span(undo->key, undo->key_size);
    struct node *node = find(list, key, links);
    bool is_there = has_key(node, key);
    if (is_there && undo->was_there) {
        qn_free(node->value);
        list->changes++;
        node->value = undo->value;
        node->value_size = undo->value_size;
    } else if (undo->was_there) {
        insert(memkv, list, links, key, undo->value, undo->value_size);
    } else if (is_there) {
        unlink_node(list, links, node);
        qn_free(node->value);
        qn_free(node);
    }
    qn_free(undo->key);
}

static void undo_to(struct memkv *memkv, size_t count)
{
    while (memkv->undo.count > count)
        undo_one(memkv, &memkv->undo.items[--memkv->undo.count]);
}

static void forget_undo(struct memkv *memkv)
{
    qn_vec_each (&memkv->undo, undo) {
        qn_free(undo->key);
        qn_free(undo->value);
    }
    memkv->undo.count = 0;
    memkv->committed = 0;
}

void memkv_free(struct memkv *memkv)
{
    if (memkv == NULL)
        return;
    forget_undo(memkv);
    qn_vec_free(&memkv->undo);
    end_loans(memkv);
    qn_vec_free(&memkv->lent);
    for (size_t i = 0; i < QN_TABLE_COUNT; i++) {
        struct node *next;
        for (struct node *node = memkv->tables[i].first[0]; node != NULL; node = next) {
            next = node->next[0];
            qn_free(node->value);
            qn_free(node);
        }
    }
    qn_free(memkv);
}

struct memkv *memkv_clone(const struct memkv *memkv)
{
    QN_ASSERT(!memkv->is_open);
    struct memkv *clone = memkv_new();
    struct qn_kv *kv = memkv_begin(clone);
    for (size_t i = 0; i < QN_TABLE_COUNT; i++)
        for (const struct node *node = memkv->tables[i].first[0]; node != NULL;
             node = node->next[0])
            QN_ASSERT(put(kv, (enum qn_table)i, key_of(node),
                          qn_span(node->value, node->value_size)) == QN_OK);
    QN_ASSERT(memkv_commit(clone) == QN_OK);
    memkv_sync(clone);
    clone->puts = 0;
    clone->lends_strictly = memkv->lends_strictly;
    return clone;
}

struct memkv *memkv_clone_durable(const struct memkv *memkv)
{
    struct memkv *clone = memkv_clone(memkv);
    for (size_t i = memkv->undo.count; i-- > 0;) {
        struct undo undo = memkv->undo.items[i];
        undo.key = copy(qn_span(undo.key, undo.key_size));
        undo.value = undo.was_there ? copy(qn_span(undo.value, undo.value_size)) : NULL;
        undo_one(clone, &undo);
    }
    return clone;
}

void memkv_lend_strictly(struct memkv *memkv)
{
    memkv->lends_strictly = true;
}

struct qn_kv *memkv_begin(struct memkv *memkv)
{
    QN_ASSERT(!memkv->is_open);
    memkv->is_open = true;
    end_loans(memkv);
    return &memkv->kv;
}

enum qn_err memkv_commit(struct memkv *memkv)
{
    QN_ASSERT(memkv->is_open);
    enum qn_err err = memkv->commit_err;
    memkv->commit_err = QN_OK;
    if (err != QN_OK) {
        memkv_abort(memkv);
        return err;
    }
    memkv->is_open = false;
    memkv->committed = memkv->undo.count;
    end_loans(memkv);
    return QN_OK;
}

void memkv_abort(struct memkv *memkv)
{
    QN_ASSERT(memkv->is_open);
    undo_to(memkv, memkv->committed);
    memkv->is_open = false;
    end_loans(memkv);
}

struct qn_kv *memkv_reader(struct memkv *memkv)
{
    QN_ASSERT(!memkv->is_open);
    return &memkv->kv;
}

void memkv_sync(struct memkv *memkv)
{
    QN_ASSERT(!memkv->is_open);
    forget_undo(memkv);
}

void memkv_crash(struct memkv *memkv)
{
    undo_to(memkv, 0);
    memkv->committed = 0;
    memkv->is_open = false;
}

void memkv_fail_put(struct memkv *memkv, uint64_t nth, enum qn_err err)
{
    memkv->puts = 0;
    memkv->fail_at = nth;
    memkv->put_err = err;
}

void memkv_fail_commit(struct memkv *memkv, enum qn_err err)
{
    memkv->commit_err = err;
}

uint64_t memkv_put_count(const struct memkv *memkv)
{
    return memkv->puts;
}

size_t memkv_count(const struct memkv *memkv, enum qn_table table)
{
    return memkv->tables[table].count;
}

uint64_t memkv_changes(const struct memkv *memkv, enum qn_table table)
{
    return memkv->tables[table].changes;
}

static bool is_list_equal(const struct list *a, const struct list *b)
{
    const struct node *left = a->first[0], *right = b->first[0];
    for (; left != NULL && right != NULL; left = left->next[0], right = right->next[0])
        if (!qn_span_eq(key_of(left), key_of(right)) ||
            !qn_span_eq(qn_span(left->value, left->value_size),
                        qn_span(right->value, right->value_size)))
            return false;
    return left == right;
}

bool memkv_is_equal(const struct memkv *a, const struct memkv *b)
{
    for (size_t i = 0; i < QN_TABLE_COUNT; i++)
        if (!is_list_equal(&a->tables[i], &b->tables[i]))
            return false;
    return true;
}
