/* Random owners against a holder, with a second opinion on everything. Two of them:
 *
 *   the promise  for each pack, the latest time that the holder ever said it would be kept until;
 *                nothing that happens later may lower it
 *   the state    all packs, lists and leases as plain arrays, from which a sweep is computed again
 *
 * A sweep must return exactly what the state lets go, and never what is promised. */
#include <criterion/criterion.h>

#include "base/prng.h"
#include "support/custody_world.h"

#define PACKS  48
#define LISTS  12
#define LEASES 4
#define DAY    ((uint64_t)CUSTODY_DAY_MS)
#define SEEDS  60
#define STEPS  400

struct pack_model {
    bool is_here, is_bad, is_condemned;
    uint64_t touched_ms, locked_ms, promised_ms;
};

struct list_model {
    struct custody_list list;
    uint64_t members; /* bit per pack */
    bool is_here, is_whole, is_forgotten;
    uint64_t received_ms, locked_ms;
};

struct lease_model {
    bool is_here;
    uint64_t started_ms, expires_ms;
};

struct model {
    struct custody holder;
    struct qn_prng prng;
    uint32_t lock_days;
    bool is_ended;
    struct pack_model packs[PACKS];
    struct list_model lists[LISTS];
    struct lease_model leases[LEASES];
    size_t swept, refused;
};

static uint64_t below(struct model *m, uint64_t bound)
{
    return qn_prng_below(&m->prng, bound);
}

static uint64_t now(const struct model *m)
{
    return custody_now(&m->holder);
}

static uint64_t lock_end(const struct model *m)
{
    return now(m) + m->lock_days * DAY;
}

static void raise_to(uint64_t *value, uint64_t to)
{
    if (to > *value)
        *value = to;
}

/* ---- the naive rules ---- */

static bool list_holds(const struct model *m, const struct list_model *list)
{
    if (!list->is_here)
        return false;
    if (!list->is_whole)
        return now(m) < list->received_ms + QN_HELD_LEASE_DAYS * DAY;
    return !(list->is_forgotten || m->is_ended) || now(m) < list->locked_ms;
}

static bool is_held(const struct model *m, size_t number)
{
    const struct pack_model *pack = &m->packs[number];
    if (now(m) < pack->locked_ms)
        return true;
    for (size_t i = 0; i < LEASES; i++)
        if (m->leases[i].is_here && now(m) < m->leases[i].expires_ms &&
            pack->touched_ms >= m->leases[i].started_ms)
            return true;
    for (size_t i = 0; i < LISTS; i++)
        if ((m->lists[i].members >> number & 1) != 0 && list_holds(m, &m->lists[i]))
            return true;
    return false;
}

static bool is_good(const struct pack_model *pack)
{
    return pack->is_here && !pack->is_bad && !pack->is_condemned;
}

/* ---- operations ---- */

static void do_store(struct model *m)
{
    size_t number = below(m, PACKS);
    struct pack_model *pack = &m->packs[number];
    enum qn_err expected = QN_OK;
    if (m->is_ended)
        expected = QN_ERR_DENIED;
    else if (pack->is_condemned)
        expected = QN_ERR_BUSY;
    cr_assert_eq(custody_store(&m->holder, number, CUSTODY_PACK), expected);
    m->refused += expected != QN_OK;
    if (expected != QN_OK)
        return;
    pack->is_here = true;
    pack->is_bad = false;
    pack->touched_ms = now(m);
    raise_to(&pack->locked_ms, lock_end(m));
    raise_to(&pack->promised_ms, lock_end(m));
}

static void do_offer(struct model *m)
{
    size_t number = below(m, PACKS), lease = below(m, LEASES);
    struct pack_model *pack = &m->packs[number];
    struct qn_lease_id id = custody_lease_id((uint8_t)lease);
    enum qn_offer expected = QN_OFFER_WANTED;
    if (m->is_ended)
        expected = QN_OFFER_DENIED;
    else if (pack->is_condemned)
        expected = QN_OFFER_LATER;
    else if (is_good(pack))
        expected = QN_OFFER_HERE;
    cr_assert_eq(custody_offer(&m->holder, number, CUSTODY_PACK, &id), expected);
    bool runs = m->leases[lease].is_here && now(m) < m->leases[lease].expires_ms;
    if (expected == QN_OFFER_HERE && runs)
        pack->touched_ms = now(m);
}

static void make_list(struct model *m, size_t index)
{
    static uint64_t snapshots;
    struct list_model *list = &m->lists[index];
    uint64_t numbers[PACKS];
    size_t count = 0;
    custody_list_deinit(&list->list);
    *list = (struct list_model){0};
    for (size_t i = 0; i < PACKS; i++) {
        bool is_likely = is_good(&m->packs[i]) && below(m, 3) > 0;
        if (!is_likely && below(m, 200) > 0)
            continue;
        list->members |= 1ull << i;
        numbers[count++] = i;
    }
    custody_list_init(&list->list, ++snapshots, numbers, count);
}

static void do_put(struct model *m)
{
    struct list_model *list = &m->lists[below(m, LISTS)];
    bool is_whole = true;
    for (size_t i = 0; i < PACKS; i++)
        if ((list->members >> i & 1) != 0 && !is_good(&m->packs[i]))
            is_whole = false;
    enum qn_err expected = m->is_ended ? QN_ERR_DENIED : is_whole ? QN_OK : QN_ERR_HELD;
    cr_assert_eq(custody_put(&m->holder, &list->list), expected);
    m->refused += expected != QN_OK;
    if (m->is_ended)
        return;
    list->is_here = true;
    if (!list->is_whole || is_whole)
        list->received_ms = now(m);
    if (!is_whole)
        return;
    list->is_whole = true;
    list->is_forgotten = false;
    raise_to(&list->locked_ms, lock_end(m));
    for (size_t i = 0; i < PACKS; i++)
        if ((list->members >> i & 1) != 0)
            raise_to(&m->packs[i].promised_ms, lock_end(m));
}

static void do_forget(struct model *m)
{
    struct list_model *list = &m->lists[below(m, LISTS)];
    cr_assert_eq(custody_forget(&m->holder, &list->list), QN_OK);
    if (list->is_whole)
        list->is_forgotten = true;
    else
        list->is_here = false;
}

static void do_lease(struct model *m)
{
    size_t index = below(m, LEASES);
    struct lease_model *lease = &m->leases[index];
    if (below(m, 3) == 0) {
        cr_assert_eq(custody_lease_end(&m->holder, (uint8_t)index), QN_OK);
        lease->is_here = false;
        return;
    }
    cr_assert_eq(custody_lease(&m->holder, (uint8_t)index), m->is_ended ? QN_ERR_DENIED : QN_OK);
    if (m->is_ended)
        return;
    if (!lease->is_here || now(m) >= lease->expires_ms)
        lease->started_ms = now(m);
    lease->is_here = true;
    lease->expires_ms = now(m) + QN_HELD_LEASE_DAYS * DAY;
}

static void do_scrub(struct model *m)
{
    size_t number = below(m, PACKS);
    struct pack_model *pack = &m->packs[number];
    bool good = below(m, 2) == 0;
    enum qn_err expected = !pack->is_here       ? QN_ERR_NOTFOUND
                           : pack->is_condemned ? QN_ERR_BUSY
                                                : QN_OK;
    cr_assert_eq(custody_scrubbed(&m->holder, number, good), expected);
    if (expected == QN_OK)
        pack->is_bad = !good;
}

static void do_agree(struct model *m)
{
    m->is_ended = below(m, 4) == 0;
    uint32_t days = (uint32_t)below(m, 40);
    cr_assert_eq(custody_agree(&m->holder, 1u << 30, days, m->is_ended), QN_OK);
    if (!m->is_ended)
        m->lock_days = days;
}

static void do_time(struct model *m)
{
    switch (below(m, 4)) {
    case 0: /* a reboot, with some wall clock */
        m->holder.reading.boot.bytes[2]++;
        m->holder.reading.boot_ms = below(m, DAY);
        m->holder.reading.wall_ms += below(m, 2) == 0 ? 3650 * DAY : 0;
        m->holder.reading.wall_ms -= below(m, 2) == 0 ? 1000 * DAY : 0;
        custody_tick(&m->holder);
        break;
    case 1:
        m->holder.reading.wall_ms = below(m, 4u * CUSTODY_START_MS);
        custody_tick(&m->holder);
        break;
    default:
        custody_pass(&m->holder, below(m, 12 * DAY));
        break;
    }
}

/* ---- the sweep ---- */

static void check_sweep(struct model *m, const struct qn_buf *out)
{
    size_t expected = 0;
    for (size_t i = 0; i < PACKS; i++) {
        struct pack_model *pack = &m->packs[i];
        struct qn_digest name = custody_pack(i);
        bool is_out = false;
        for (size_t at = 0; at < out->size; at += QN_DIGEST_SIZE)
            is_out |= memcmp(out->data + at, name.bytes, QN_DIGEST_SIZE) == 0;
        bool was_condemned = pack->is_condemned;
        bool goes = pack->is_here && (was_condemned || !is_held(m, i));
        cr_assert_eq(is_out, goes, "pack %zu", i);
        cr_assert(!is_out || was_condemned || now(m) >= pack->promised_ms, "pack %zu was promised",
                  i);
        expected += goes;
        pack->is_condemned = goes;
    }
    cr_assert_eq(out->size / QN_DIGEST_SIZE, expected);
}

static void settle_lists(struct model *m)
{
    struct qn_kv *kv = memkv_reader(m->holder.memkv);
    for (size_t i = 0; i < LISTS; i++) {
        struct list_model *list = &m->lists[i];
        struct qn_held_list row;
        bool is_here = qn_held_list_get(kv, &m->holder.owner, &list->list.id, &row) == QN_OK;
        cr_assert(is_here || !list_holds(m, list), "list %zu was dropped while it holds", i);
        cr_assert(list->is_here || !is_here);
        if (!is_here)
            list->is_here = list->is_whole = list->is_forgotten = false;
    }
    for (size_t i = 0; i < LEASES; i++)
        if (now(m) >= m->leases[i].expires_ms)
            m->leases[i].is_here = false;
}

static void do_sweep(struct model *m)
{
    QN_AUTO_BUF struct qn_buf out = {0};
    bool is_unlinked = below(m, 2) == 0;
    custody_sweep(&m->holder, 1 + below(m, PACKS + 2), is_unlinked, &out);
    check_sweep(m, &out);
    settle_lists(m);
    for (size_t i = 0; i < PACKS; i++) {
        if (!m->packs[i].is_condemned || !is_unlinked)
            continue;
        m->packs[i] = (struct pack_model){0};
        m->swept++;
    }
}

static void do_new_list(struct model *m)
{
    size_t index = below(m, LISTS);
    if (!m->lists[index].is_here)
        make_list(m, index);
}

typedef void (*operation)(struct model *m);

static void step(struct model *m)
{
    static const operation operations[] = {do_store, do_store,    do_store,    do_offer,  do_put,
                                           do_put,   do_new_list, do_new_list, do_forget, do_lease,
                                           do_scrub, do_agree,    do_time,     do_time,   do_sweep};
    operations[below(m, sizeof(operations) / sizeof(operations[0]))](m);
}

static void start(struct model *m, uint64_t seed)
{
    *m = (struct model){.prng = {.state = seed}, .lock_days = 30};
    custody_init(&m->holder, 1u << 30, 30);
    for (size_t i = 0; i < PACKS / 2; i++)
        do_store(m);
    for (size_t i = 0; i < LISTS; i++)
        make_list(m, i);
}

static void stop(struct model *m)
{
    for (size_t i = 0; i < LISTS; i++)
        custody_list_deinit(&m->lists[i].list);
    custody_deinit(&m->holder);
}

Test(custody, a_sweep_takes_what_nothing_holds_and_nothing_else, .timeout = 600)
{
    size_t swept = 0, refused = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct model m;
        start(&m, seed);
        for (int i = 0; i < STEPS; i++)
            step(&m);
        swept += m.swept;
        refused += m.refused;
        stop(&m);
    }
    cr_assert_gt(swept, 500, "the schedules let packs go: %zu", swept);
    cr_assert_gt(refused, 500, "and are refused: %zu", refused);
}
