/* What a site remembers of the others: how far each has a collection, where it can be reached, when
 * it was last heard. Hints, all of it: losing a row costs bytes at the next contact, never data.
 */
#pragma once

#include "model/kv.h"
#include "model/op.h"

#define QN_ANNOUNCEMENT_SIZE_MAX 4096

/* Where a site says that it can be reached. Signed by it, so that nobody lures traffic elsewhere;
 * the one with the higher clock replaces the other.
 * msgpack: [site, hlc, [address, ...], software version, signature]; the signature, in the domain
 * "quoin announce 1", is over the array without it. */
struct qn_announcement {
    struct qn_site_id site;
    qn_hlc hlc;
    size_t address_count;
    struct qn_span addresses[8]; /* "HOST:PORT", borrowed */
    struct qn_span version;
    struct qn_signature signature;
};

enum qn_err QN_CHECKED qn_announcement_sign(struct qn_announcement *announcement,
                                            const struct qn_signer *signer, struct qn_buf *out);
/* Checks the form only. */
enum qn_err QN_CHECKED qn_announcement_unpack(struct qn_span bytes,
                                              struct qn_announcement *ret_announcement);
enum qn_err QN_CHECKED qn_announcement_verify(const struct qn_announcement *announcement,
                                              const struct qn_public_key *key);

enum qn_err QN_CHECKED qn_peer_clock_put(struct qn_kv *kv, const struct qn_coll_id *coll,
                                         const struct qn_site_id *site, const struct qn_vv *clock,
                                         uint64_t heard_ms);
/* Walks all rows of a collection: the first whose site is > `after` (NULL: the first of all). */
enum qn_err QN_CHECKED qn_peer_clock_next(struct qn_kv *kv, const struct qn_coll_id *coll,
                                          const struct qn_site_id *after,
                                          struct qn_site_id *ret_site, struct qn_vv *ret_clock,
                                          uint64_t *ret_heard_ms);

/* Keeps the old announcement if the new one is empty. */
enum qn_err QN_CHECKED qn_site_contact_put(struct qn_kv *kv, const struct qn_site_id *site,
                                           struct qn_span announcement, uint64_t contact_ms);
/* QN_ERR_NOTFOUND if the site was never heard of. The announcement is borrowed, maybe empty. */
enum qn_err QN_CHECKED qn_site_contact_get(struct qn_kv *kv, const struct qn_site_id *site,
                                           struct qn_span *ret_announcement,
                                           uint64_t *ret_contact_ms);
