/* A small deterministic generator (splitmix64, Steele et al., OOPSLA 2014) for jitter and tests.
 * Not for secrets. Pure: the seed is passed in.
 */
#pragma once

#include <stdint.h>

struct qn_prng {
    uint64_t state;
};

static inline uint64_t qn_prng_next(struct qn_prng *prng)
{
    uint64_t z = prng->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Uniform in [0, bound); bound > 0. */
static inline uint64_t qn_prng_below(struct qn_prng *prng, uint64_t bound)
{
    return (uint64_t)((__uint128_t)qn_prng_next(prng) * bound >> 64);
}
