#include "core/mesh.h"

#include <string.h>

#define HALF (QN_DIGEST_SIZE / 2)

static bool is_before(const struct qn_site_id *a, const struct qn_site_id *b, enum mesh_ring ring)
{
    size_t from = ring == MESH_BY_HEAD ? 0 : HALF;
    int order = memcmp(a->bytes + from, b->bytes + from, HALF);
    return order != 0 ? order < 0 : memcmp(a->bytes, b->bytes, sizeof(a->bytes)) < 0;
}

void mesh_order(const struct mesh_site *sites, size_t count, enum mesh_ring ring, size_t *ret_order)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = i;
        while (at > 0 && is_before(&sites[i].id, &sites[ret_order[at - 1]].id, ring)) {
            ret_order[at] = ret_order[at - 1];
            at--;
        }
        ret_order[at] = i;
    }
}

/* From a place on, in one direction, up to the first that is there. */
static void walk(const struct mesh_site *sites, const size_t *order, size_t count, size_t place,
                 size_t step, const bool *takes_part, bool *wanted)
{
    for (size_t left = count - 1; left > 0; left--) {
        place = (place + step) % count;
        size_t site = order[place];
        if (!takes_part[site] || !sites[site].can_be_dialled)
            continue;
        wanted[site] = true;
        if (!sites[site].is_away)
            return;
    }
}

void mesh_neighbours(const struct mesh_site *sites, const size_t *order, size_t count, size_t self,
                     const bool *takes_part, bool *wanted)
{
    size_t place = 0;
    while (order[place] != self)
        place++;
    walk(sites, order, count, place, 1, takes_part, wanted);
    walk(sites, order, count, place, count - 1, takes_part, wanted);
}
