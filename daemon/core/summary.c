/* What two sites have heard of the others is nearly always the same: so a connection begins with
 * sums of it, and only what is in parts of different sums is said (docs/protocol.md 4.8). Sums are
 * of 32 bits: that two are equal by chance costs a word that comes by another connection, or with
 * the next change.
 */
#include "core/presence.h"

#define ITEM_SIZE (PRESENCE_PREFIX + 8)

static unsigned bucket_of(const struct qn_site_id *site)
{
    return site->bytes[0] >> 5;
}

/* 0: nothing is known. */
static uint64_t age_of(const struct peer *peer, enum summary_kind kind)
{
    if (kind == SUMMARY_PRESENCE)
        return peer->presence.stamp;
    return peer->announcement == NULL ? 0 : peer->said.hlc;
}

static uint32_t sum_of(struct qn_span what)
{
    struct qn_digest digest;
    QN_DIGEST(&digest, what);
    return qn_read_u32(digest.bytes);
}

static uint32_t item_sum(const struct peer *peer, uint64_t age)
{
    uint8_t item[QN_DIGEST_SIZE + 8];
    memcpy(item, peer->site.bytes, QN_DIGEST_SIZE);
    qn_write_u64(item + QN_DIGEST_SIZE, age);
    return sum_of(QN_SPAN_OF(item));
}

static void sums(const struct qn_core *core, const struct peer *to, enum summary_kind kind,
                 uint32_t *ret_sums)
{
    memset(ret_sums, 0, SUMMARY_BUCKETS * sizeof(*ret_sums));
    qn_vec_each (&core->peers, peer) {
        uint64_t age = age_of(*peer, kind);
        if (*peer != to && age > 0)
            ret_sums[bucket_of(&(*peer)->site)] += item_sum(*peer, age);
    }
}

/* What is zero at the end need not be said: in a small group that is half of it. */
static void pack_sums(struct qn_buf *out, struct qn_span sums)
{
    while (sums.size > 0 && sums.data[sums.size - 1] == 0)
        sums.size--;
    qn_pack_bin(out, sums);
}

void summary_pack(const struct qn_core *core, const struct peer *to, struct qn_buf *out)
{
    uint8_t bytes[SUMMARY_SIZE];
    for (enum summary_kind kind = 0; kind < SUMMARY_KINDS; kind++) {
        uint32_t of_kind[SUMMARY_BUCKETS];
        sums(core, to, kind, of_kind);
        for (size_t i = 0; i < SUMMARY_BUCKETS; i++)
            qn_write_u32(bytes + 4 * (SUMMARY_BUCKETS * kind + i), of_kind[i]);
    }
    pack_sums(out, QN_SPAN_OF(bytes));
}

/* ---- lists, where sums differ ---- */

static void say_list(struct qn_core *core, struct peer *to, enum summary_kind kind, unsigned which)
{
    QN_AUTO_BUF struct qn_buf items;
    qn_buf_init(&items, ITEM_SIZE * QN_SITES_MAX);
    qn_vec_each (&core->peers, slot) {
        const struct peer *peer = *slot;
        uint64_t age = age_of(peer, kind);
        if (peer == to || age == 0 || (which >> bucket_of(&peer->site) & 1) == 0)
            continue;
        qn_buf_append(&items, peer->site.bytes, PRESENCE_PREFIX);
        qn_buf_append_u64(&items, age);
    }
    struct qn_buf *out = core_message(core, QN_MSG_SITES, 3);
    qn_pack_u64(out, kind);
    qn_pack_u64(out, which);
    qn_pack_bin(out, qn_buf_view(&items));
    core_send(core, to->session->link);
    to->session->listed[kind] |= which;
}

/* Before sums were known a site said all, and it hears all from a site that knows none. */
void summary_missing(struct qn_core *core, struct peer *peer)
{
    peer->session->sites_seq = 0;
    struct qn_buf *out = core_message(core, QN_MSG_ANNOUNCE, 1);
    core_pack_announcements(core, out);
    core_send(core, peer->session->link);
}

void summary_heard(struct qn_core *core, struct peer *peer, struct qn_span sums_heard)
{
    uint8_t theirs[SUMMARY_SIZE] = {0};
    if (sums_heard.size > 0)
        memcpy(theirs, sums_heard.data,
               sums_heard.size < SUMMARY_SIZE ? sums_heard.size : SUMMARY_SIZE);
    peer->session->sites_seq = core->presence_seq; /* what comes from now on is told */
    for (enum summary_kind kind = 0; kind < SUMMARY_KINDS; kind++) {
        uint32_t ours[SUMMARY_BUCKETS];
        unsigned differ = 0;
        sums(core, peer, kind, ours);
        for (size_t i = 0; i < SUMMARY_BUCKETS; i++)
            if (ours[i] != qn_read_u32(theirs + 4 * (SUMMARY_BUCKETS * kind + i)))
                differ |= 1u << i;
        if (differ != 0)
            say_list(core, peer, kind, differ);
    }
}

static uint64_t listed_age(struct qn_span items, uint32_t prefix)
{
    for (size_t at = 0; at + ITEM_SIZE <= items.size; at += ITEM_SIZE)
        if (qn_read_u32(items.data + at) == prefix)
            return qn_read_u64(items.data + at + PRESENCE_PREFIX);
    return 0;
}

static void pack_one(const struct peer *peer, enum summary_kind kind, struct qn_buf *out)
{
    if (kind == SUMMARY_PRESENCE)
        presence_pack(&peer->site, &peer->presence, out);
    else
        qn_pack_bin(out, qn_span(peer->announcement, peer->announcement_size));
}

static void send_all(struct qn_core *core, qn_link link, enum summary_kind kind, size_t count,
                     struct qn_span packed)
{
    if (kind == SUMMARY_PRESENCE) {
        presence_send(core, link, count, packed);
        return;
    }
    struct qn_buf *out = core_message(core, QN_MSG_ANNOUNCE, 1);
    qn_pack_array(out, count);
    qn_pack_raw(out, packed);
    core_send(core, link);
}

/* A site that is not in the ledger yet: what is said of it waits for its entry. */
static bool names_unknown(const struct qn_core *core, struct qn_span items)
{
    for (size_t at = 0; at + ITEM_SIZE <= items.size; at += ITEM_SIZE) {
        uint32_t prefix = qn_read_u32(items.data + at);
        bool is_known = prefix == presence_prefix(&core->site);
        qn_vec_each (&core->peers, peer)
            is_known |= prefix == presence_prefix(&(*peer)->site);
        if (!is_known)
            return true;
    }
    return false;
}

/* What is newer here is said. Whether something is newer there. */
static bool answer(struct qn_core *core, struct peer *to, enum summary_kind kind, unsigned which,
                   struct qn_span items)
{
    QN_AUTO_BUF struct qn_buf newer;
    bool lacks_some = kind == SUMMARY_ADDRESSES && names_unknown(core, items);
    size_t count = 0;
    qn_buf_init(&newer, QN_FRAME_SIZE_MAX - 64);
    qn_vec_each (&core->peers, slot) {
        const struct peer *peer = *slot;
        uint64_t age = age_of(peer, kind);
        if (peer == to || (which >> bucket_of(&peer->site) & 1) == 0)
            continue;
        uint64_t theirs = listed_age(items, presence_prefix(&peer->site));
        lacks_some |= theirs > age;
        if (theirs >= age || newer.size > QN_FRAME_SIZE_MAX / 2)
            continue;
        pack_one(peer, kind, &newer);
        count++;
    }
    if (count > 0)
        send_all(core, to->session->link, kind, count, qn_buf_view(&newer));
    return lacks_some;
}

/* The other end may have seen no difference, by what it had heard when the connection began. */
enum qn_err summary_heard_sites(struct qn_core *core, struct peer *peer, struct qn_cursor *cursor)
{
    uint64_t number, which;
    struct qn_span items;
    QN_TRY(qn_cursor_u64(cursor, &number));
    QN_TRY(qn_cursor_u64(cursor, &which));
    QN_TRY(qn_cursor_bin(cursor, ITEM_SIZE * QN_SITES_MAX, &items));
    if (number >= SUMMARY_KINDS || which >= 1u << SUMMARY_BUCKETS)
        return QN_OK; /* of a newer version */
    enum summary_kind kind = (enum summary_kind)number;
    unsigned unlisted = (unsigned)which & ~peer->session->listed[kind];
    if (answer(core, peer, kind, (unsigned)which, items) && unlisted != 0)
        say_list(core, peer, kind, unlisted);
    return QN_OK;
}

/* ---- how far the others are with a collection ---- */

static uint32_t states_sum(const struct qn_core *core, const struct coll *coll,
                           const struct peer *to)
{
    uint32_t sum = 0;
    qn_vec_each (&coll->known, slot) {
        const struct known *known = *slot;
        uint8_t item[QN_DIGEST_SIZE + STATE_HASH_SIZE + 8];
        if (known->state.total == 0 || qn_site_id_eq(&known->site, &to->site) ||
            !core_shares(core, coll, &known->site))
            continue;
        memcpy(item, known->site.bytes, QN_DIGEST_SIZE);
        memcpy(item + QN_DIGEST_SIZE, known->state.hash, STATE_HASH_SIZE);
        qn_write_u64(item + QN_DIGEST_SIZE + STATE_HASH_SIZE, known->state.total);
        sum += sum_of(QN_SPAN_OF(item));
    }
    return sum;
}

void summary_pack_states(const struct qn_core *core, const struct peer *to, struct qn_buf *out)
{
    QN_AUTO_BUF struct qn_buf all;
    qn_buf_init(&all, 4 * QN_COLLECTIONS_MAX);
    qn_vec_each (&to->session->shares, share)
        qn_buf_append_u32(&all, states_sum(core, (*share)->coll, to));
    pack_sums(out, qn_buf_view(&all));
}

void summary_heard_states(const struct qn_core *core, struct share *share, const struct peer *peer,
                          uint32_t theirs)
{
    bool is_equal = states_sum(core, share->coll, peer) == theirs;
    share->states_seq = is_equal ? core->presence_seq : 0;
}
