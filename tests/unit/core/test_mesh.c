/* Whatever sites are away, those that are there hang together, by few connections. */
#include <criterion/criterion.h>

#include "base/prng.h"
#include "core/mesh.h"

#define SITES_MAX 256
#define ROUNDS    400

static struct mesh_site sites[SITES_MAX];
static size_t orders[MESH_RINGS][SITES_MAX];
static bool takes_part[SITES_MAX], links[SITES_MAX][SITES_MAX];
static size_t count;

static void make_sites(struct qn_prng *prng, size_t site_count, unsigned hidden, unsigned away)
{
    count = site_count;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < sizeof(sites[i].id.bytes); k++)
            sites[i].id.bytes[k] = (uint8_t)qn_prng_next(prng);
        sites[i].can_be_dialled = i == 0 || qn_prng_below(prng, 1000) >= hidden;
        sites[i].is_away = i != 0 && qn_prng_below(prng, 1000) < away;
        takes_part[i] = true;
    }
    for (enum mesh_ring ring = 0; ring < MESH_RINGS; ring++)
        mesh_order(sites, count, ring, orders[ring]);
}

/* Whom one of them wants, and is there. */
static void link_all(void)
{
    memset(links, 0, sizeof(links));
    for (size_t i = 0; i < count; i++) {
        bool wanted[SITES_MAX] = {false};
        if (sites[i].is_away || !takes_part[i])
            continue;
        for (enum mesh_ring ring = 0; ring < MESH_RINGS; ring++)
            mesh_neighbours(sites, orders[ring], count, i, takes_part, wanted);
        cr_assert_not(wanted[i]);
        for (size_t k = 0; k < count; k++)
            if (wanted[k] && !sites[k].is_away)
                links[i][k] = links[k][i] = true;
    }
}

/* How many steps it is from a site to the one that is farthest; and how many are reached. */
static size_t explore(size_t from, size_t *ret_reached)
{
    size_t distance[SITES_MAX], queue[SITES_MAX], end = 0, at = 0;
    memset(distance, 0xff, sizeof(distance));
    distance[from] = 0;
    queue[end++] = from;
    for (; at < end; at++)
        for (size_t k = 0; k < count; k++)
            if (links[queue[at]][k] && distance[k] == SIZE_MAX) {
                distance[k] = distance[queue[at]] + 1;
                queue[end++] = k;
            }
    *ret_reached = end;
    return distance[queue[end - 1]];
}

static size_t count_there(void)
{
    size_t there = 0;
    for (size_t i = 0; i < count; i++)
        there += takes_part[i] && !sites[i].is_away;
    return there;
}

static size_t degree(size_t site)
{
    size_t links_of = 0;
    for (size_t k = 0; k < count; k++)
        links_of += links[site][k];
    return links_of;
}

Test(mesh, those_that_are_there_hang_together_whoever_is_away)
{
    struct qn_prng prng = {.state = 1};
    for (size_t round = 0; round < ROUNDS; round++) {
        size_t reached;
        make_sites(&prng, 2 + qn_prng_below(&prng, 80), (unsigned)qn_prng_below(&prng, 900),
                   (unsigned)qn_prng_below(&prng, 950));
        for (size_t i = 1; i < count; i++)
            takes_part[i] = qn_prng_below(&prng, 1000) < 700;
        link_all();
        (void)explore(0, &reached);
        cr_assert_eq(reached, count_there(), "round %zu: %zu of %zu", round, reached,
                     count_there());
    }
}

Test(mesh, four_connections_a_site_and_few_steps)
{
    struct qn_prng prng = {.state = 2};
    for (size_t round = 0; round < 50; round++) {
        size_t farthest = 0, reached;
        make_sites(&prng, 74, 0, 0);
        link_all();
        for (size_t i = 0; i < count; i++) {
            size_t steps = explore(i, &reached);
            farthest = steps > farthest ? steps : farthest;
            cr_assert_leq(degree(i), 4);
        }
        cr_assert_leq(farthest, 8, "round %zu: %zu steps", round, farthest);
    }
}

Test(mesh, one_that_cannot_be_dialled_is_nobodys_neighbour)
{
    struct qn_prng prng = {.state = 3};
    make_sites(&prng, 40, 500, 0);
    for (size_t i = 0; i < count; i++) {
        bool wanted[SITES_MAX] = {false};
        for (enum mesh_ring ring = 0; ring < MESH_RINGS; ring++)
            mesh_neighbours(sites, orders[ring], count, i, takes_part, wanted);
        for (size_t k = 0; k < count; k++)
            cr_assert(!wanted[k] || sites[k].can_be_dialled);
    }
}

/* Else a collection of its own members would cost as many connections again. */
Test(mesh, a_subset_keeps_the_neighbours_that_it_has)
{
    struct qn_prng prng = {.state = 4};
    make_sites(&prng, 40, 0, 0);
    size_t next = orders[MESH_BY_HEAD][1], self = orders[MESH_BY_HEAD][0];
    bool wanted[SITES_MAX] = {false};
    for (size_t i = 0; i < count; i++)
        takes_part[i] = i == self || i == next || i % 3 == 0;
    mesh_neighbours(sites, orders[MESH_BY_HEAD], count, self, takes_part, wanted);
    cr_assert(wanted[next]);
}

Test(mesh, a_site_alone_wants_nobody)
{
    struct qn_prng prng = {.state = 5};
    bool wanted[SITES_MAX] = {false};
    make_sites(&prng, 1, 0, 0);
    mesh_neighbours(sites, orders[MESH_BY_HEAD], count, 0, takes_part, wanted);
    cr_assert_not(wanted[0]);
}
