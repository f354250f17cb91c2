#include "vault/hints.h"

#include <pthread.h>

#include "base/assert.h"

struct hint {
    struct qn_index_row row;
    size_t places; /* of this chunk: index of a hint plus 1; 0: none */
    size_t next;   /* in its chain: index plus 1; 0: none */
};

#define CHAINS 4096

struct qn_hints {
    pthread_mutex_t mutex; /* of all but what follows `completing` */
    QN_VEC(struct hint) hints;
    QN_VEC(struct qn_pack_name) packs;
    size_t chains[CHAINS]; /* ids are uniform: they are their own hash; index plus 1 */
    unsigned read;
    pthread_mutex_t completing;
    qn_vault_complete_fn complete;
    void *context;
    bool is_complete;
    enum qn_err err;
};

struct qn_hints *qn_hints_new(void)
{
    struct qn_hints *hints = QN_NEW(struct qn_hints);
    pthread_mutex_init(&hints->mutex, NULL);
    pthread_mutex_init(&hints->completing, NULL);
    return hints;
}

void qn_hints_free(struct qn_hints *hints)
{
    if (hints == NULL)
        return;
    qn_vec_free(&hints->hints);
    qn_vec_free(&hints->packs);
    pthread_mutex_destroy(&hints->mutex);
    pthread_mutex_destroy(&hints->completing);
    qn_free(hints);
}

/* ---- with the mutex ---- */

static size_t *chain_of(struct qn_hints *hints, const struct qn_chunk_id *id)
{
    return &hints->chains[(id->bytes[0] << 8 | id->bytes[1]) % CHAINS];
}

static struct hint *find(struct qn_hints *hints, const struct qn_chunk_id *id)
{
    for (size_t at = *chain_of(hints, id); at != 0; at = hints->hints.items[at - 1].next) {
        struct hint *hint = &hints->hints.items[at - 1];
        if (memcmp(&hint->row.blob.id, id, QN_PLACE_ID_SIZE) == 0)
            return hint;
    }
    return NULL;
}

static uint32_t number_of(struct qn_hints *hints, const struct qn_pack_name *name)
{
    size_t at = hints->packs.count;
    while (at > 0 && memcmp(&hints->packs.items[at - 1], name, sizeof(*name)) != 0)
        at--;
    if (at == 0) {
        qn_vec_push(&hints->packs, *name);
        at = hints->packs.count;
    }
    return QN_HINTS_PACK_FIRST + (uint32_t)(at - 1);
}

struct taking {
    struct qn_hints *hints;
    size_t last; /* the chunk that places that follow are of: index plus 1 */
};

/* What is known stays as it was said first. */
static enum qn_err take(void *context, const struct qn_place *place)
{
    struct taking *taking = context;
    struct qn_hints *hints = taking->hints;
    struct hint *known = find(hints, &place->blob.id);
    if (hints->hints.count >= QN_HINTS_ROWS_MAX)
        return QN_ERR_LIMIT;
    if (known == NULL) {
        size_t *chain = chain_of(hints, &place->blob.id);
        qn_vec_push(&hints->hints, ((struct hint){.row = {.pack = number_of(hints, &place->pack),
                                                          .blob = place->blob},
                                                  .next = *chain}));
        *chain = hints->hints.count;
        known = &hints->hints.items[hints->hints.count - 1];
    }
    size_t at = (size_t)(known - hints->hints.items) + 1;
    if (place->blob.kind != QN_BLOB_PLACES)
        taking->last = at;
    else if (taking->last != 0 && hints->hints.items[taking->last - 1].places == 0)
        hints->hints.items[taking->last - 1].places = at;
    return QN_OK;
}

/* ---- the door ---- */

void qn_hints_add(struct qn_hints *hints, struct qn_span places)
{
    struct taking taking = {.hints = hints};
    pthread_mutex_lock(&hints->mutex);
    (void)!qn_places_read(places, take, &taking); /* what is lacking is found by directories */
    pthread_mutex_unlock(&hints->mutex);
}

enum qn_err qn_hints_find(struct qn_hints *hints, const struct qn_chunk_id *id,
                          struct qn_index_row *ret_row)
{
    pthread_mutex_lock(&hints->mutex);
    const struct hint *hint = find(hints, id);
    if (hint != NULL) {
        *ret_row = hint->row;
        ret_row->blob.id = *id;
    }
    pthread_mutex_unlock(&hints->mutex);
    return hint != NULL ? QN_OK : QN_ERR_NOTFOUND;
}

bool qn_hints_take(struct qn_hints *hints, const struct qn_chunk_id *id,
                   struct qn_index_row *ret_row)
{
    pthread_mutex_lock(&hints->mutex);
    struct hint *hint = find(hints, id);
    bool has = hint != NULL && hint->places != 0 && hints->read < QN_HINTS_READ_MAX;
    if (has) {
        *ret_row = hints->hints.items[hint->places - 1].row;
        hint->places = 0;
        hints->read++;
    }
    pthread_mutex_unlock(&hints->mutex);
    return has;
}

bool qn_hints_is_hint(uint32_t pack)
{
    return pack >= QN_HINTS_PACK_FIRST;
}

void qn_hints_pack(struct qn_hints *hints, uint32_t number, struct qn_index_pack *ret_pack)
{
    pthread_mutex_lock(&hints->mutex);
    QN_ASSERT(qn_hints_is_hint(number) && number - QN_HINTS_PACK_FIRST < hints->packs.count);
    *ret_pack = (struct qn_index_pack){.number = number,
                                       .name = hints->packs.items[number - QN_HINTS_PACK_FIRST],
                                       .state = QN_PACK_MISSING};
    pthread_mutex_unlock(&hints->mutex);
}

void qn_hints_set_complete(struct qn_hints *hints, qn_vault_complete_fn complete, void *context)
{
    pthread_mutex_lock(&hints->completing);
    hints->complete = complete;
    hints->context = context;
    hints->is_complete = false;
    pthread_mutex_unlock(&hints->completing);
}

enum qn_err qn_hints_complete(struct qn_hints *hints)
{
    pthread_mutex_lock(&hints->completing);
    if (!hints->is_complete)
        hints->err = hints->complete(hints->context);
    hints->is_complete = true;
    enum qn_err err = hints->err;
    pthread_mutex_unlock(&hints->completing);
    return err;
}
