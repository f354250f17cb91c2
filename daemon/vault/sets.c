#include "vault/sets.h"

#define CAPACITY_MIN ((size_t)256)

static const uint8_t free_slot[QN_CHUNK_SET_KEY_SIZE];

void qn_chunk_set_init(struct qn_chunk_set *set, size_t count_max)
{
    *set = (struct qn_chunk_set){.count_max = count_max};
}

void qn_chunk_set_deinit(struct qn_chunk_set *set)
{
    qn_free(set->slots);
    *set = (struct qn_chunk_set){0};
}

void qn_chunk_set_clear(struct qn_chunk_set *set)
{
    if (set->capacity > 0)
        memset(set->slots, 0, set->capacity * sizeof(*set->slots));
    set->count = 0;
}

static size_t home_of(const struct qn_chunk_set *set, const uint8_t *key)
{
    uint64_t hash;
    memcpy(&hash, key + 8, sizeof(hash)); /* not the bytes that ranges of ids are cut by */
    return (size_t)hash & (set->capacity - 1);
}

static bool is_free(const uint8_t *slot)
{
    return memcmp(slot, free_slot, QN_CHUNK_SET_KEY_SIZE) == 0;
}

/* The slot with the key, or the free one where it would go. */
static size_t find(const struct qn_chunk_set *set, const uint8_t *key)
{
    size_t at = home_of(set, key);
    while (!is_free(set->slots[at]) && memcmp(set->slots[at], key, QN_CHUNK_SET_KEY_SIZE) != 0)
        at = (at + 1) & (set->capacity - 1);
    return at;
}

static void grow(struct qn_chunk_set *set)
{
    struct qn_chunk_set old = *set;
    set->capacity = old.capacity == 0 ? CAPACITY_MIN : 2 * old.capacity;
    set->slots = qn_alloc_zero(set->capacity * sizeof(*set->slots));
    for (size_t i = 0; i < old.capacity; i++) {
        if (!is_free(old.slots[i]))
            memcpy(set->slots[find(set, old.slots[i])], old.slots[i], QN_CHUNK_SET_KEY_SIZE);
    }
    qn_free(old.slots);
}

bool qn_chunk_set_add(struct qn_chunk_set *set, const struct qn_chunk_id *id)
{
    if (set->capacity > 0 && !is_free(set->slots[find(set, id->bytes)]))
        return false;
    if (set->count >= set->count_max)
        return false;
    if ((set->count + 1) * 4 > set->capacity * 3)
        grow(set);
    memcpy(set->slots[find(set, id->bytes)], id->bytes, QN_CHUNK_SET_KEY_SIZE);
    set->count++;
    return true;
}

bool qn_chunk_set_has(const struct qn_chunk_set *set, const struct qn_chunk_id *id)
{
    return set->capacity > 0 && !is_free(set->slots[find(set, id->bytes)]);
}

/* Closes the gap: whatever follows and may stand in it moves up (Knuth 6.4, algorithm R). */
void qn_chunk_set_remove(struct qn_chunk_set *set, const struct qn_chunk_id *id)
{
    if (!qn_chunk_set_has(set, id))
        return;
    size_t mask = set->capacity - 1;
    size_t gap = find(set, id->bytes);
    for (size_t at = (gap + 1) & mask; !is_free(set->slots[at]); at = (at + 1) & mask) {
        size_t home = home_of(set, set->slots[at]);
        if (((at - home) & mask) < ((at - gap) & mask))
            continue;
        memcpy(set->slots[gap], set->slots[at], QN_CHUNK_SET_KEY_SIZE);
        gap = at;
    }
    memset(set->slots[gap], 0, QN_CHUNK_SET_KEY_SIZE);
    set->count--;
}

void qn_pack_set_deinit(struct qn_pack_set *set)
{
    qn_free(set->words);
    *set = (struct qn_pack_set){0};
}

void qn_pack_set_add(struct qn_pack_set *set, uint32_t number)
{
    size_t word = number / 64;
    if (word >= set->word_count) {
        size_t wanted = (word + 1) * 3 / 2;
        set->words = qn_realloc(set->words, wanted * sizeof(*set->words));
        memset(set->words + set->word_count, 0, (wanted - set->word_count) * sizeof(*set->words));
        set->word_count = wanted;
    }
    set->words[word] |= (uint64_t)1 << number % 64;
}

void qn_pack_set_remove(struct qn_pack_set *set, uint32_t number)
{
    if (number / 64 < set->word_count)
        set->words[number / 64] &= ~((uint64_t)1 << number % 64);
}

bool qn_pack_set_has(const struct qn_pack_set *set, uint32_t number)
{
    return number / 64 < set->word_count && (set->words[number / 64] >> number % 64 & 1) != 0;
}

uint32_t qn_pack_set_next(const struct qn_pack_set *set, uint32_t after)
{
    if (after == UINT32_MAX)
        return 0;
    size_t word = (after + 1) / 64;
    uint64_t mask = ~(uint64_t)0 << (after + 1) % 64;
    for (; word < set->word_count; word++, mask = ~(uint64_t)0) {
        uint64_t bits = set->words[word] & mask;
        if (bits != 0)
            return (uint32_t)(word * 64 + (size_t)__builtin_ctzll(bits));
    }
    return 0;
}
