/* The messages between sites: their numbers and fields (docs/protocol.md, section 4).
 *
 * A frame is one canonical msgpack array: [number, field, ...]. A receiver takes the fields that it
 * knows and skips more, so that a newer site can add fields; unknown numbers are skipped as well.
 */
#pragma once

#define QN_PROTOCOL_VERSION_MIN 1
#define QN_PROTOCOL_VERSION     1

enum qn_message {                   /* on the wire: never renumber */
                  QN_MSG_HELLO = 1, /* version min, version max, group id, ledger digest, wall ms,
                                       software version, announcement or nil, sums of what is
                                       known of other sites */
                  QN_MSG_LEDGER_HEADS = 2, /* heads, wants answer */
                  QN_MSG_LEDGER = 3,       /* [entry, ...] */
                  QN_MSG_COLLS = 4, /* [prefix 4 B, H(cc)[:16] | root 16 B, flags, ...], sums of
                                       how far others are, 4 B for each row joined */
                  QN_MSG_CLOCK = 5, /* collection, vector, flags */
                  /* 6: reserved */
                  QN_MSG_OPS = 7,        /* collection, lane, sequence, body (model/op.h) */
                  QN_MSG_ACK = 8,        /* collection, lane, sequence: durable */
                  QN_MSG_LIVE = 9,       /* collection: the catch-up is complete */
                  QN_MSG_BEACON = 10,    /* digest over the shared clocks, wall ms, once an hour a
                                            digest    over them and the roots, 16 B */
                  QN_MSG_STATE_ASK = 11, /* collection */
                  QN_MSG_STATE = 12,     /* collection, H(cc)[:16] | root 16 B, flags */
                  QN_MSG_FP_ASK = 13,    /* collection, level, prefix */
                  QN_MSG_FP = 14,        /* collection, level, prefix, 256 * 16 B */
                  QN_MSG_KEYS_ASK = 15,  /* collection, bucket */
                  QN_MSG_KEYS = 16,      /* collection, bucket, [key, state hash, ...] */
                  QN_MSG_ANNOUNCE = 17,  /* [announcement, ...] */
                  QN_MSG_NEEDPAGES = 18, /* collection, pass, cursor, hash of the clock of the
                                            receiver's last page or an empty binary */
                  QN_MSG_PAGE = 19,      /* collection, pass, sequence, rows at the sender, records
                                            in the page, raw size, body (squeezed if it is smaller
                                            than the raw size); raw size 0: none from here now */
                  QN_MSG_PAGEACK =
                      20, /* collection, pass, sequence: durable; ms that it took there */
                  QN_MSG_WANT =
                      21, /* collection, [key, ...], [with left]: whole records (model/copy.h) */
                  QN_MSG_COPIES = 22,   /* collection, H(cc)[:16], [key, copy, ...], [left] */
                  QN_MSG_PRESENCE = 24, /* [site 4 B, stamp, links 4 B each joined, calls
                                           likewise, ...],
                                           [collection 4 B, [H(cc)[:8], total, sites joined, ...],
                                           ...] */
                  QN_MSG_NEED = 25,     /* whether the sender needs this connection */
                  QN_MSG_SITES = 26, /* kind (0 announcements, 1 PRESENCE), bits of parts, site 4 B
                                        and clock or stamp 8 B of all that is known joined */
                  QN_MSG_CHAIN_ASK = 27, /* collection, [actor, counter, ...] */
                  QN_MSG_CHAIN = 28, /* collection, [actor, [counter, hash, signature, ...], ...]:
                                        checkpoints (model/fork.h) */
                  QN_MSG_TWIN = 29,  /* the receiver's site runs twice: the sender saw both */

                  QN_MSG_GUEST_HELLO = 32,  /* version, invite key, signature over the exporter */
                  QN_MSG_GUEST_LEDGER = 33, /* [entry, ...], next index, total */
                  QN_MSG_GUEST_NEXT = 34,   /* index */
                  QN_MSG_GUEST_JOIN = 35,   /* site key, recovery sign, recovery seal, name, entity,
                                               by invite,   by site */
                  QN_MSG_GUEST_ADMITTED = 36, /* [entry, ...], [announcement, ...] */
                  QN_MSG_GUEST_REFUSED = 37,  /* code */

                  QN_MSG_RECOVER_HELLO =
                      40, /* version, recovery key, signature over the exporter */
                  QN_MSG_RECOVER_ROTATE = 41, /* entry: RotateKey; answered by GUEST_ADMITTED */
                  QN_MSG_KEY_TELL =
                      42, /* [entry, ...]: the guest's RotateKey or Admit behind others */

                  QN_MSG_BULK_CALL = 48,  /* on the first connection: dial me for bulk */
                  QN_MSG_BULK_HELLO = 49, /* version min, version max, group id */
                  /* owner to holder, and the answer */
                  QN_MSG_VAULT_ASK = 50,   /* pack sum 32 B, list sum 32 B, expected interval ms */
                  QN_MSG_VAULT_STATE = 51, /* packs are equal, lists are equal, quota, used, room,
                                              pack count, list count, newest key epoch or 0 */
                  QN_MSG_VAULT_REFUSED = 52, /* code */
                  QN_MSG_NAMES_ASK = 53,     /* what (0 packs, 1 lists), after or nil */
                  QN_MSG_NAMES = 54,         /* what, is last, names joined */
                  QN_MSG_PACK_PUT = 55,      /* name, total, offset, bytes */
                  QN_MSG_PACK_ACK = 56, /* name, offset, is whole, enum qn_offer (0: it is fine) */
                  QN_MSG_LIST_PUT = 57, /* list id, piece, pieces, bytes of the packed list */
                  QN_MSG_LIST_ACK = 58, /* list id, code or nil, locked until ms, missing names
                                           joined */
                  QN_MSG_LIST_FORGET = 59, /* list ids joined, signature */
                  QN_MSG_LIST_FORGOT = 60, /* list ids joined */
                  QN_MSG_PACK_GET = 61,    /* request, name, offset, size */
                  QN_MSG_PACK_DATA = 62,   /* request, code or nil, size of the pack, bytes */
                  QN_MSG_LIST_GET = 63,    /* request, what (0 keys, 1 lists after id, 2 names of
                                              the list), id or nil, after or nil */
                  QN_MSG_LIST_DATA = 64,   /* request, code or nil, is last, body */
                  QN_MSG_PROOF_ASK = 65, /* request, key 32 B, prefixes of names joined, 6 B each */
                  QN_MSG_PROOF = 66,     /* request, code or nil, digest; with a code: none, and
                                            the ms after which to ask again */
                  QN_MSG_KEY_PUT = 67,   /* epoch, sealed key */
                  QN_MSG_KEY_ACK = 68,   /* epoch, enum qn_offer (0: it is kept) */
                  QN_MSG_PACK_OFFER = 69,   /* lease 16 B, [name, size, ...] */
                  QN_MSG_PACK_OFFERED = 70, /* [name, enum qn_offer, have bytes, ...] */
                  QN_MSG_PACK_BAD = 71,     /* names joined */

                  /* audit trails, on the first connection */
                  QN_MSG_TRAIL_TELL = 80, /* checkpoint of the sender's trail */
                  QN_MSG_TRAIL_KEPT = 81, /* its number; ms when the sender of it last contradicted
                                             itself, or 0 */
                  QN_MSG_TRAIL_ASK = 82,  /* place after which to go on; 0: from the newest; count
                                             of points that are wanted, or 0 */
                  QN_MSG_TRAIL_HELD = 83, /* [place, received ms, checkpoint, ...], is last */

                  QN_MSG_WEB_CALL = 88, /* on the first connection: dial me by quoin-web-back/1 */
};

enum qn_clock_flags {
    QN_CLOCK_WANTS_ANSWER = 1,
    QN_CLOCK_GRANTS = 2, /* catch-up may be sent */
    QN_CLOCK_DELTA = 4,  /* entries to join, not the whole vector */
    /* Late sites (docs/protocol.md, section 14). */
    QN_CLOCK_LATE = 8,   /* the sender is late: no pages, and what its log reaches */
    QN_CLOCK_SHORT = 16, /* its log does not bring the receiver up to date: pages would */
    QN_CLOCK_PAGES = 32, /* it knows of pages */
};

enum qn_lane {
    QN_LANE_LIVE = 0,    /* the sender's own operations, as they are committed */
    QN_LANE_CATCHUP = 1, /* whatever the receiver lacks */
    QN_LANE_COUNT,
};
