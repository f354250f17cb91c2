#include <criterion/criterion.h>

#include "base/prng.h"
#include "proto/pack.h"
#include "support/ledger_world.h"

#define REPLICAS 6

static void assert_equal(const struct qn_ledger *a, const struct qn_ledger *b)
{
    QN_AUTO_BUF struct qn_buf first, second;
    world_print(a, &first);
    world_print(b, &second);
    cr_assert_str_eq((char *)first.data, (char *)second.data);
}

static void shuffle(struct qn_prng *prng, struct qn_span *entries, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = qn_prng_below(prng, i);
        struct qn_span swapped = entries[i - 1];
        entries[i - 1] = entries[j];
        entries[j] = swapped;
    }
}

static void assert_any_order_gives(struct qn_prng *prng, const struct qn_ledger *wanted)
{
    size_t count = qn_ledger_count(wanted);
    struct qn_span *entries = qn_alloc(count * sizeof(entries[0]));
    for (size_t i = 0; i < count; i++)
        entries[i] = qn_ledger_entry(wanted, i);
    shuffle(prng, entries, count);
    struct qn_ledger *ledger = qn_ledger_new();
    cr_assert_eq(world_add_all(ledger, entries, count), 0, "all are added in the end");
    assert_equal(ledger, wanted);
    qn_ledger_free(ledger);
    qn_free(entries);
}

/* Several sites that act on what they know and hear of each other now and then. */
struct play {
    struct world world;
    struct qn_prng prng;
    struct qn_ledger *replicas[REPLICAS];
    uint64_t invites;
};

static size_t pick(struct play *play, size_t bound)
{
    return qn_prng_below(&play->prng, bound);
}

static enum qn_body_type one_of_two(struct play *play, enum qn_body_type a, enum qn_body_type b)
{
    return pick(play, 2) == 0 ? a : b;
}

/* A random body that may or may not be allowed. */
static void random_body(struct play *play, size_t author, struct qn_buf *out)
{
    struct world *world = &play->world;
    uint8_t coll = (uint8_t)pick(play, 4);
    size_t site = pick(play, WORLD_SITES);
    size_t members[] = {pick(play, 8), pick(play, 8), pick(play, 8)};
    switch (pick(play, 10)) {
    case 0:
    case 1:
        world_invite_body(world, play->invites++, world->now_ms + WORLD_HOUR_MS, out);
        return;
    case 2:
    case 3:
    case 4:
        world_admit_body(world, pick(play, play->invites + 1), site, out);
        return;
    case 5:
        world_create_body(world, coll, members, pick(play, 4), pick(play, 3) == 0, out);
        return;
    case 6:
        world_grant_body(world, one_of_two(play, QN_BODY_GRANT, QN_BODY_UNGRANT), coll, site, out);
        return;
    case 7:
        world_withdraw_body(world, play->replicas[author], author, out);
        return;
    case 8:
        world_revoke_body(world, pick(play, play->invites + 1), out);
        return;
    default:
        world_describe_body(world, "again", out);
        return;
    }
}

static void act(struct play *play)
{
    size_t author = pick(play, REPLICAS);
    struct qn_ledger *ledger = play->replicas[author];
    const struct qn_group *group = qn_ledger_group(ledger);
    if (group == NULL || qn_group_site(group, &play->world.sites[author].id) == NULL)
        return;
    QN_AUTO_BUF struct qn_buf body = {0}, entry = {0};
    bool is_new;
    random_body(play, author, &body);
    cr_assert_eq(world_write(&play->world, ledger, author, &body, &entry), QN_OK);
    enum qn_err err = qn_ledger_add(ledger, qn_buf_view(&entry), &is_new);
    cr_assert(err == QN_OK || err == QN_ERR_HELD || err == QN_ERR_DENIED || err == QN_ERR_INVALID ||
                  err == QN_ERR_EXPIRED,
              "%s", qn_err_name(err));
}

static void play_init(struct play *play, uint64_t seed)
{
    *play = (struct play){.prng = {seed}};
    world_init(&play->world);
    for (size_t i = 1; i < REPLICAS; i++)
        world_join(&play->world, i, pick(play, i));
    play->invites = REPLICAS;
    for (size_t i = 0; i < WORLD_SITES; i++) /* few names: they collide */
        play->world.sites[i].name[5] = (char)('0' + i % 3), play->world.sites[i].name[6] = 0;
    for (size_t i = 0; i < REPLICAS; i++) {
        play->replicas[i] = qn_ledger_new();
        world_pull(play->replicas[i], play->world.ledger, QN_FRAME_SIZE_MAX);
    }
}

static void play_deinit(struct play *play)
{
    for (size_t i = 0; i < REPLICAS; i++)
        qn_ledger_free(play->replicas[i]);
    world_deinit(&play->world);
}

static void run(uint64_t seed)
{
    static struct play play;
    play_init(&play, seed);
    for (size_t step = 0; step < 120; step++) {
        act(&play);
        if (pick(&play, 3) == 0)
            world_pull(play.replicas[pick(&play, REPLICAS)], play.replicas[pick(&play, REPLICAS)],
                       QN_FRAME_SIZE_MAX);
    }
    for (size_t i = 1; i < REPLICAS; i++)
        world_pull(play.replicas[0], play.replicas[i], QN_FRAME_SIZE_MAX);
    for (size_t i = 1; i < REPLICAS; i++) {
        world_pull(play.replicas[i], play.replicas[0], QN_FRAME_SIZE_MAX);
        assert_equal(play.replicas[0], play.replicas[i]);
    }
    assert_any_order_gives(&play.prng, play.replicas[0]);
    play_deinit(&play);
}

Test(ledger_exchange, random_histories_converge, .timeout = 100)
{
    for (uint64_t seed = 1; seed <= 12; seed++)
        run(seed);
}

Test(ledger_exchange, any_order_of_a_large_group_gives_one_state, .timeout = 100)
{
    static struct world world;
    struct qn_prng prng = {7};
    world_init(&world);
    for (size_t i = 1; i < WORLD_SITES; i++)
        world_join(&world, i, i / 2);
    for (size_t round = 0; round < 8; round++)
        assert_any_order_gives(&prng, world.ledger);
    world_deinit(&world);
}

Test(ledger_exchange, both_sides_catch_up_in_small_steps)
{
    static struct world world;
    world_init(&world);
    for (size_t i = 1; i < 8; i++)
        world_join(&world, i, i / 2);
    struct qn_ledger *a = qn_ledger_new(), *b = qn_ledger_new();
    cr_assert_gt(world_pull(a, world.ledger, 1200), 5);
    cr_assert_eq(world_pull(b, world.ledger, QN_FRAME_SIZE_MAX), 1);
    assert_equal(a, b);
    for (size_t i = 1; i < 8; i++) {
        QN_AUTO_BUF struct qn_buf body = {0}, entry = {0};
        bool is_new;
        world_describe_body(&world, "x", &body);
        struct qn_ledger *ledger = i % 2 == 0 ? a : b;
        cr_assert_eq(world_write(&world, ledger, i, &body, &entry), QN_OK);
        cr_assert_eq(qn_ledger_add(ledger, qn_buf_view(&entry), &is_new), QN_OK);
    }
    cr_assert_eq(world_pull(a, b, 600), 2);
    cr_assert_eq(world_pull(b, a, 600), 2);
    assert_equal(a, b);
    qn_ledger_free(a);
    qn_ledger_free(b);
    world_deinit(&world);
}

static enum qn_err missing(const struct qn_ledger *ledger, const struct qn_buf *heads,
                           size_t size_max, struct qn_buf *out, size_t *ret_count)
{
    struct qn_cursor cursor = qn_cursor(qn_buf_view(heads));
    return qn_ledger_pack_missing(ledger, &cursor, size_max, out, ret_count);
}

static void pack_head(struct qn_buf *out, const struct qn_site_id *id, uint64_t aseq)
{
    qn_pack_bin(out, QN_SPAN_OF(id->bytes));
    qn_pack_u64(out, aseq);
}

Test(ledger_exchange, bad_heads_are_refused)
{
    static struct world world;
    world_init(&world);
    QN_AUTO_BUF struct qn_buf heads, out;
    qn_buf_init(&heads, QN_FRAME_SIZE_MAX);
    qn_buf_init(&out, QN_FRAME_SIZE_MAX);
    const struct qn_site_id low = {{1}}, high = {{2}};
    size_t count = 99;
    qn_pack_array(&heads, 4);
    pack_head(&heads, &high, 1);
    pack_head(&heads, &low, 1);
    cr_assert_eq(missing(world.ledger, &heads, 9999, &out, &count), QN_ERR_INVALID, "not sorted");
    qn_buf_reset(&heads);
    qn_pack_array(&heads, 2);
    pack_head(&heads, &low, 0);
    cr_assert_eq(missing(world.ledger, &heads, 9999, &out, &count), QN_ERR_INVALID, "zero");
    qn_buf_reset(&heads);
    qn_pack_array(&heads, 1);
    qn_pack_bin(&heads, QN_SPAN_OF(low.bytes));
    cr_assert_eq(missing(world.ledger, &heads, 9999, &out, &count), QN_ERR_INVALID, "odd");
    qn_buf_reset(&heads);
    qn_pack_array(&heads, 0);
    cr_assert_eq(missing(world.ledger, &heads, 100, &out, &count), QN_ERR_LIMIT, "no room");
    cr_assert_eq(out.size, 0);
    cr_assert_eq(count, 99);
    qn_buf_reset(&heads);
    qn_pack_array(&heads, 4);
    pack_head(&heads, &low, 5); /* authors that this side does not know */
    pack_head(&heads, &high, 5);
    cr_assert_eq(missing(world.ledger, &heads, 9999, &out, &count), QN_OK);
    cr_assert_eq(count, 1);
    world_deinit(&world);
}

Test(ledger_exchange, thousands_of_entries_are_cheap, .timeout = 100)
{
    static struct world world;
    world_init(&world);
    for (size_t i = 1; i < 10; i++)
        world_join(&world, i, 0);
    for (size_t i = 0; i < 5000; i++) {
        QN_AUTO_BUF struct qn_buf body = {0};
        if (i % 100 == 0)
            world_invite_body(&world, 1000 + i, world.now_ms, &body);
        else
            world_describe_body(&world, "x", &body);
        cr_assert_eq(world_append(&world, i % 100 == 0 ? 0 : i % 10, &body), QN_OK);
    }
    struct qn_ledger *other = qn_ledger_new();
    cr_assert_gt(world_pull(other, world.ledger, QN_FRAME_SIZE_MAX), 1);
    assert_equal(other, world.ledger);
    qn_ledger_free(other);
    world_deinit(&world);
}
