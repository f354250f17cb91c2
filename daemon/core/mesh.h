/* Inside core: with whom a site keeps a connection (docs/protocol.md, 3.7), as a rule over an array
 * of sites. What is known of sites, and what follows from the rule: neighbours.c.
 *
 * The sites that can be dialled stand on two rings, in the order of two halves of their ids. Ids
 * are hashes, so the orders have nothing to do with each other, and both rings together are a
 * random graph of four links a site: every site is a few steps from any other, and no small set of
 * sites holds it together. On each ring a site wants the next one in both directions, and the one
 * behind that too while it cannot reach the first: so each ring closes around those that are away,
 * however many they are. One that nobody can dial stands on no ring, but wants the neighbours of
 * the place where it would stand.
 *
 * Subsets of the sites (the members of a collection) have the rings that are left of the same two
 * orders. So a connection serves as many of them as it can. Memory: the caller's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "crypto/key.h"

enum mesh_ring {
    MESH_BY_HEAD,
    MESH_BY_TAIL,
    MESH_RINGS,
};

struct mesh_site {
    struct qn_site_id id;
    bool can_be_dialled;
    bool is_away; /* it was dialled in vain and is not connected */
};

/* The places of a ring: indexes of sites. */
void mesh_order(const struct mesh_site *sites, size_t count, enum mesh_ring ring,
                size_t *ret_order);
/* Sets `wanted` for the neighbours of `self` on a ring of those that take part. */
void mesh_neighbours(const struct mesh_site *sites, const size_t *order, size_t count, size_t self,
                     const bool *takes_part, bool *wanted);
