/* Actors, dots, version vectors and hybrid clocks (RECORDS 1.1; docs/protocol.md, section 5).
 *
 * A version vector is contiguous: vv[a] = n means all of 1..n of actor a. Entries are sorted by
 * actor and never zero. Pure; owner: whoever embeds it.
 */
#pragma once

#include "base/buf.h"
#include "base/vec.h"
#include "crypto/key.h"
#include "proto/cursor.h"

#define QN_ACTOR_SIZE        16
#define QN_ACTOR_PREFIX_SIZE 8

/* The first 8 bytes of a site's identity and a random incarnation of 8 bytes. */
struct qn_actor {
    uint8_t bytes[QN_ACTOR_SIZE];
};

struct qn_dot {
    struct qn_actor actor;
    uint64_t ctr; /* >= 1 */
};

void qn_actor_make(const struct qn_site_id *site, uint64_t incarnation, struct qn_actor *ret_actor);
int qn_actor_cmp(const struct qn_actor *a, const struct qn_actor *b);
/* Whether the actor is an incarnation of that site. */
bool qn_actor_is_of(const struct qn_actor *actor, const struct qn_site_id *site);
int qn_dot_cmp(const struct qn_dot *a, const struct qn_dot *b);

struct qn_vv_entry {
    struct qn_actor actor;
    uint64_t ctr;
};

struct qn_vv {
    QN_VEC(struct qn_vv_entry) entries;
};

void qn_vv_deinit(struct qn_vv *vv); /* accepts a zeroed vector */
void qn_vv_copy(struct qn_vv *vv, const struct qn_vv *from);
uint64_t qn_vv_get(const struct qn_vv *vv, const struct qn_actor *actor); /* 0 if absent */
/* Sets or, with 0, removes. */
void qn_vv_set(struct qn_vv *vv, const struct qn_actor *actor, uint64_t ctr);
/* Raises to at least ctr. */
void qn_vv_raise(struct qn_vv *vv, const struct qn_actor *actor, uint64_t ctr);
void qn_vv_join(struct qn_vv *vv, const struct qn_vv *other);
bool qn_vv_has(const struct qn_vv *vv, const struct qn_dot *dot);
bool qn_vv_covers(const struct qn_vv *vv, const struct qn_vv *other); /* other <= vv */
bool qn_vv_eq(const struct qn_vv *a, const struct qn_vv *b);
/* How many dots of `other` vv lacks. */
uint64_t qn_vv_missing(const struct qn_vv *vv, const struct qn_vv *other);
/* SHA-256 of the canonical form: H(cc). */
void qn_vv_digest(const struct qn_vv *vv, struct qn_digest *ret_digest);
/* Canonical form: [actor, counter, actor, counter, ...], sorted. */
void qn_vv_pack(const struct qn_vv *vv, struct qn_buf *out);
/* QN_ERR_INVALID unless sorted, non-zero and canonical; QN_ERR_LIMIT over QN_CLOCK_ACTORS_MAX. */
enum qn_err QN_CHECKED qn_vv_unpack(struct qn_cursor *cursor, struct qn_vv *ret_vv);

#define QN_AUTO_VV __attribute__((cleanup(qn_vv_deinit)))

/* A hybrid logical clock: 48 bits of milliseconds since 1970, 16 bits of counter (Kulkarni et al.,
 * OPODIS 2014). It orders what is shown; it decides nothing about what is kept. */
typedef uint64_t qn_hlc;

static inline uint64_t qn_hlc_ms(qn_hlc hlc)
{
    return hlc >> 16;
}

/* The next clock of a site that has seen `last`: never below either, always above `last`. */
qn_hlc qn_hlc_next(qn_hlc last, uint64_t wall_ms);
/* What a site's clock becomes on seeing `remote`; unchanged if that is more than
 * QN_CLOCK_SKEW_MAX_MS ahead of the wall clock, and *ret_is_skewed tells. */
qn_hlc qn_hlc_seen(qn_hlc last, qn_hlc remote, uint64_t wall_ms, bool *ret_is_skewed);
