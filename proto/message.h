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
                                       software version, announcement or nil */
                  QN_MSG_LEDGER_HEADS = 2, /* heads, wants answer */
                  QN_MSG_LEDGER = 3,       /* [entry, ...] */
                  QN_MSG_COLLS = 4,        /* [prefix 4 B, H(cc)[:16] | root 16 B, flags, ...] */
                  QN_MSG_CLOCK = 5,        /* collection, vector, flags */
                  /* 6: reserved */
                  QN_MSG_OPS = 7,        /* collection, lane, sequence, body (model/op.h) */
                  QN_MSG_ACK = 8,        /* collection, lane, sequence: durable */
                  QN_MSG_LIVE = 9,       /* collection: the catch-up is complete */
                  QN_MSG_BEACON = 10,    /* digest over the shared clocks, wall ms */
                  QN_MSG_STATE_ASK = 11, /* collection */
                  QN_MSG_STATE = 12,     /* collection, H(cc)[:16] | root 16 B */
                  QN_MSG_FP_ASK = 13,    /* collection, level, prefix */
                  QN_MSG_FP = 14,        /* collection, level, prefix, 256 * 16 B */
                  QN_MSG_KEYS_ASK = 15,  /* collection, bucket */
                  QN_MSG_KEYS = 16,      /* collection, bucket, [key, state hash, ...] */
                  QN_MSG_ANNOUNCE = 17,  /* [announcement, ...] */
                  QN_MSG_NEEDPAGES = 18, /* late sites: reserved, with PAGE and PAGEACK */
                  QN_MSG_PAGE = 19,
                  QN_MSG_PAGEACK = 20,

                  QN_MSG_GUEST_HELLO = 32,  /* version, invite key, signature over the exporter */
                  QN_MSG_GUEST_LEDGER = 33, /* [entry, ...], next index, total */
                  QN_MSG_GUEST_NEXT = 34,   /* index */
                  QN_MSG_GUEST_JOIN = 35,   /* site key, recovery sign, recovery seal, name, entity,
                                               by invite,   by site */
                  QN_MSG_GUEST_ADMITTED = 36, /* [entry, ...], [announcement, ...] */
                  QN_MSG_GUEST_REFUSED = 37,  /* code */
};

enum qn_clock_flags {
    QN_CLOCK_WANTS_ANSWER = 1,
    QN_CLOCK_GRANTS = 2, /* catch-up may be sent */
    QN_CLOCK_DELTA = 4,  /* entries to join, not the whole vector */
};

enum qn_lane {
    QN_LANE_LIVE = 0,    /* the sender's own operations, as they are committed */
    QN_LANE_CATCHUP = 1, /* whatever the receiver lacks */
    QN_LANE_COUNT,
};
