#include "files/alike.h"

#include <limits.h>

#include "base/mem.h"
#include "files/names.h"

#define FIRST_SIZE  ((size_t)64)
#define FOLDED_SIZE ((size_t)8 * (NAME_MAX + 1))

/* FNV-1a; 0 stands for an empty slot. */
static uint64_t hash_of(struct qn_span text, bool is_ascii)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_capital = is_ascii && c >= 'A' && c <= 'Z';
        hash = (hash ^ (is_capital ? c + 32u : c)) * UINT64_C(0x100000001b3);
    }
    return hash != 0 ? hash : 1;
}

static uint64_t folded_hash(struct qn_span name)
{
    if (qn_name_is_ascii(name))
        return hash_of(name, true);
    QN_AUTO_BUF struct qn_buf folded;
    qn_buf_init(&folded, FOLDED_SIZE);
    bool is_folded = qn_name_fold(name, &folded) == QN_OK;
    return hash_of(is_folded ? qn_buf_view(&folded) : name, false);
}

/* Where it is, or would be. There is always an empty slot. */
static uint64_t *slot_of(const struct alike *alike, uint64_t hash)
{
    size_t at = (size_t)hash & (alike->size - 1);
    while (alike->slots[at] != 0 && alike->slots[at] != hash)
        at = (at + 1) & (alike->size - 1);
    return &alike->slots[at];
}

static void grow(struct alike *alike)
{
    struct alike larger = {.size = alike->size > 0 ? 2 * alike->size : FIRST_SIZE,
                           .count = alike->count};
    larger.slots = qn_alloc_zero(larger.size * sizeof(larger.slots[0]));
    for (size_t i = 0; i < alike->size; i++)
        if (alike->slots[i] != 0)
            *slot_of(&larger, alike->slots[i]) = alike->slots[i];
    qn_free(alike->slots);
    *alike = larger;
}

bool alike_add(struct alike *alike, struct qn_span name)
{
    uint64_t hash = folded_hash(name);
    if (2 * alike->count >= alike->size)
        grow(alike);
    uint64_t *slot = slot_of(alike, hash);
    if (*slot == hash)
        return true;
    if (alike->count >= ALIKE_NAMES_MAX)
        return false;
    *slot = hash;
    alike->count++;
    return false;
}

void alike_deinit(struct alike *alike)
{
    qn_free(alike->slots);
    *alike = (struct alike){0};
}
