#include <criterion/criterion.h>

#include "base/text.h"
#include "model/ledger_entry.h"
#include "proto/pack.h"
#include "support/ledger_world.h"

static struct world world;

static void setup(void)
{
    world_init(&world);
}

static void teardown(void)
{
    world_deinit(&world);
}

TestSuite(ledger, .init = setup, .fini = teardown);

static enum qn_err add(struct qn_span entry)
{
    bool is_new = false;
    size_t before = qn_ledger_count(world.ledger);
    enum qn_err err = qn_ledger_add(world.ledger, entry, &is_new);
    cr_assert_eq(qn_ledger_count(world.ledger), before + is_new, "counted what was not new");
    if (err != QN_OK)
        cr_assert_not(is_new);
    return err;
}

/* The fields that compose would choose for that author, to be bent by a test. */
static struct qn_entry honest(size_t author, const struct qn_buf *body)
{
    QN_AUTO_BUF struct qn_buf bytes = {0};
    struct qn_entry entry;
    cr_assert_eq(world_write(&world, world.ledger, author, body, &bytes), QN_OK);
    cr_assert_eq(qn_entry_unpack(qn_buf_view(&bytes), &entry), QN_OK);
    entry.bytes = qn_span(NULL, 0);
    entry.body_bytes = qn_buf_view(body);
    return entry;
}

static enum qn_err add_signed(const struct qn_entry *entry, size_t signer)
{
    QN_AUTO_BUF struct qn_buf bytes;
    struct qn_digest hash;
    qn_buf_init(&bytes, QN_LEDGER_ENTRY_SIZE_MAX);
    QN_TRY(qn_entry_compose(entry, world.sites[signer].signer, &bytes, &hash));
    return add(qn_buf_view(&bytes));
}

Test(ledger, genesis_makes_the_founder_the_administrator)
{
    const struct qn_group *group = qn_ledger_group(world.ledger);
    cr_assert_str_eq(group->name, "Les Tilleuls");
    cr_assert(qn_digest_eq(&group->id, &world.group));
    cr_assert(qn_site_id_eq(&group->admin, &world.sites[0].id));
    cr_assert_eq(group->sites.count, 1);
    cr_assert_eq(group->sites.items[0].state, QN_SITE_MEMBER);
    cr_assert_str_eq(group->sites.items[0].legal_entity, "EHPAD des Tilleuls");
    cr_assert_not(group->needs_upgrade);
}

Test(ledger, an_empty_ledger_holds_everything_but_a_genesis)
{
    struct qn_ledger *empty = qn_ledger_new();
    bool is_new;
    cr_assert_null(qn_ledger_group(empty));
    world_join(&world, 1, 0);
    cr_assert_eq(qn_ledger_add(empty, qn_ledger_entry(world.ledger, 1), &is_new), QN_ERR_HELD);
    cr_assert_eq(qn_ledger_add(empty, qn_ledger_entry(world.ledger, 0), &is_new), QN_OK);
    cr_assert_eq(qn_ledger_add(empty, qn_ledger_entry(world.ledger, 2), &is_new), QN_ERR_HELD);
    cr_assert_eq(qn_ledger_add(empty, qn_ledger_entry(world.ledger, 1), &is_new), QN_OK);
    cr_assert_eq(qn_ledger_add(empty, qn_ledger_entry(world.ledger, 2), &is_new), QN_OK);
    qn_ledger_free(empty);
}

Test(ledger, a_replay_is_not_new)
{
    world_join(&world, 1, 0);
    for (size_t i = 0; i < qn_ledger_count(world.ledger); i++) {
        bool is_new = true;
        cr_assert_eq(qn_ledger_add(world.ledger, qn_ledger_entry(world.ledger, i), &is_new), QN_OK);
        cr_assert_not(is_new);
    }
    cr_assert_eq(qn_ledger_count(world.ledger), 3);
}

/* Any change of one byte: refused or held, by the ledger before it and by the one that has it. */
static void flip_each_byte(size_t index)
{
    struct qn_span entry = qn_ledger_entry(world.ledger, index);
    struct qn_ledger *before = qn_ledger_new();
    bool is_new;
    for (size_t i = 0; i < index; i++)
        cr_assert_eq(qn_ledger_add(before, qn_ledger_entry(world.ledger, i), &is_new), QN_OK);
    uint8_t *bytes = qn_memdup(entry.data, entry.size);
    for (size_t at = 0; at < entry.size; at++) {
        for (unsigned bit = 0; bit < 8; bit += 3) {
            bytes[at] ^= (uint8_t)(1u << bit);
            struct qn_span bent = qn_span(bytes, entry.size);
            enum qn_err err = qn_ledger_add(before, bent, &is_new);
            cr_assert_neq(err, QN_OK, "byte %zu bit %u of entry %zu", at, bit, index);
            cr_assert_neq(qn_ledger_add(world.ledger, bent, &is_new), QN_OK);
            bytes[at] ^= (uint8_t)(1u << bit);
        }
    }
    for (size_t size = 0; size < entry.size; size++)
        cr_assert_eq(qn_ledger_add(before, qn_span(bytes, size), &is_new), QN_ERR_INVALID);
    cr_assert_eq(qn_ledger_count(before), index);
    qn_free(bytes);
    qn_ledger_free(before);
}

Test(ledger, a_changed_byte_or_a_cut_is_refused)
{
    QN_AUTO_BUF struct qn_buf create = {0};
    world_join(&world, 1, 0);
    world_create_body(&world, 1, (size_t[]){1, 2}, 2, false, &create);
    cr_assert_eq(world_append(&world, 1, &create), QN_OK);
    size_t count = qn_ledger_count(world.ledger);
    for (size_t i = 0; i < count; i++)
        flip_each_byte(i);
    cr_assert_eq(qn_ledger_count(world.ledger), count);
}

Test(ledger, bytes_behind_an_entry_are_refused)
{
    QN_AUTO_BUF struct qn_buf body = {0}, entry = {0};
    world_describe_body(&world, "x", &body);
    cr_assert_eq(world_write(&world, world.ledger, 0, &body, &entry), QN_OK);
    qn_buf_append_u8(&entry, 0xc0);
    cr_assert_eq(add(qn_buf_view(&entry)), QN_ERR_INVALID);
}

Test(ledger, an_entry_too_large_is_refused)
{
    uint8_t *bytes = qn_alloc_zero(QN_LEDGER_ENTRY_SIZE_MAX + 1);
    cr_assert_eq(add(qn_span(bytes, QN_LEDGER_ENTRY_SIZE_MAX + 1)), QN_ERR_LIMIT);
    qn_free(bytes);
}

Test(ledger, another_group_is_refused)
{
    QN_AUTO_BUF struct qn_buf genesis, body;
    struct qn_digest other;
    qn_buf_init(&genesis, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    struct qn_body_genesis second = {.group_name = qn_span_str("Les Tilleuls"),
                                     .site_name = qn_span_str("site-0"),
                                     .keys = world.sites[0].keys,
                                     .nonce = {9}};
    cr_assert_eq(qn_genesis_compose(world.sites[0].signer, &second, 1, &genesis, &other), QN_OK);
    cr_assert_eq(add(qn_buf_view(&genesis)), QN_ERR_DENIED);
    qn_body_describe_pack(&other, qn_span_str("x"), &body);
    struct qn_entry entry = honest(0, &body);
    cr_assert_eq(add_signed(&entry, 0), QN_ERR_DENIED);
}

Test(ledger, another_key_or_author_is_refused)
{
    QN_AUTO_BUF struct qn_buf body = {0};
    world_join(&world, 1, 0);
    world_describe_body(&world, "x", &body);
    struct qn_entry entry = honest(1, &body);
    cr_assert_eq(add_signed(&entry, 0), QN_ERR_SIGNATURE);
    entry.author = world.sites[2].id;
    cr_assert_eq(add_signed(&entry, 2), QN_ERR_HELD, "nobody admitted it yet");
    entry = honest(1, &body);
    entry.epoch = 1;
    cr_assert_eq(add_signed(&entry, 1), QN_ERR_HELD);
}

Test(ledger, a_genesis_is_signed_by_its_own_key)
{
    struct qn_ledger *empty = qn_ledger_new();
    struct qn_body_genesis genesis = {
        .group_name = qn_span_str("g"), .site_name = qn_span_str("s"), .keys = world.sites[1].keys};
    QN_AUTO_BUF struct qn_buf body, bytes;
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_buf_init(&bytes, QN_LEDGER_ENTRY_SIZE_MAX);
    struct qn_digest hash;
    bool is_new;
    cr_assert_eq(qn_genesis_compose(world.sites[2].signer, &genesis, 1, &bytes, &hash),
                 QN_ERR_DENIED);
    qn_body_genesis_pack(&genesis, &body);
    struct qn_entry entry = {.body_bytes = qn_buf_view(&body),
                             .author = world.sites[2].id,
                             .aseq = 1,
                             .ref = {.term = 1}};
    cr_assert_eq(qn_entry_compose(&entry, world.sites[2].signer, &bytes, &hash), QN_OK);
    cr_assert_eq(qn_ledger_add(empty, qn_buf_view(&bytes), &is_new), QN_ERR_INVALID);
    entry.author = world.sites[1].id;
    qn_buf_reset(&bytes);
    cr_assert_eq(qn_entry_compose(&entry, world.sites[2].signer, &bytes, &hash), QN_OK);
    cr_assert_eq(qn_ledger_add(empty, qn_buf_view(&bytes), &is_new), QN_ERR_SIGNATURE);
    cr_assert_null(qn_ledger_group(empty));
    qn_ledger_free(empty);
}

Test(ledger, a_chain_has_no_gap_and_no_wrong_link)
{
    QN_AUTO_BUF struct qn_buf body = {0};
    world_join(&world, 1, 0);
    world_describe_body(&world, "x", &body);
    struct qn_entry entry = honest(0, &body);
    entry.aseq++;
    cr_assert_eq(add_signed(&entry, 0), QN_ERR_HELD);
    entry = honest(0, &body);
    entry.aprev.bytes[0] ^= 1;
    cr_assert_eq(add_signed(&entry, 0), QN_ERR_EXISTS, "it follows another of its author's");
    entry = honest(1, &body);
    entry.aprev.bytes[0] ^= 1;
    cr_assert_eq(add_signed(&entry, 1), QN_ERR_INVALID, "a first entry follows nothing");
    entry = honest(1, &body);
    entry.aseq = 0;
    cr_assert_eq(add_signed(&entry, 1), QN_ERR_INVALID);
}

Test(ledger, a_reference_is_known_and_never_goes_back)
{
    QN_AUTO_BUF struct qn_buf body = {0};
    world_join(&world, 1, 0);
    world_describe_body(&world, "x", &body);
    struct qn_entry entry = honest(1, &body);
    entry.ref.hash.bytes[0] ^= 1;
    cr_assert_eq(add_signed(&entry, 1), QN_ERR_HELD);
    entry = honest(1, &body);
    entry.ref.seq++;
    cr_assert_eq(add_signed(&entry, 1), QN_ERR_HELD);
    entry.ref.term++;
    cr_assert_eq(add_signed(&entry, 1), QN_ERR_HELD);
    struct qn_entry old = honest(1, &body);
    old.ref.seq = 1;
    old.ref.hash = world.group;
    cr_assert_eq(world_append(&world, 1, &body), QN_OK);
    struct qn_entry next = honest(1, &body);
    next.ref = old.ref;
    cr_assert_eq(add_signed(&next, 1), QN_ERR_INVALID);
}

Test(ledger, two_entries_for_one_place_are_an_equivocation)
{
    QN_AUTO_BUF struct qn_buf first = {0}, second = {0};
    world_join(&world, 1, 0);
    world_describe_body(&world, "first", &first);
    world_describe_body(&world, "second", &second);
    struct qn_entry other = honest(1, &second);
    cr_assert_eq(world_append(&world, 1, &first), QN_OK);
    cr_assert_eq(add_signed(&other, 1), QN_ERR_EXISTS);
    const struct qn_site *site = qn_group_site(qn_ledger_group(world.ledger), &world.sites[1].id);
    cr_assert_str_eq(site->legal_entity, "first");
}

Test(ledger, the_administrators_chain_does_not_fork)
{
    QN_AUTO_BUF struct qn_buf first = {0}, second = {0};
    world_invite_body(&world, 1, WORLD_START_MS + WORLD_HOUR_MS, &first);
    world_invite_body(&world, 2, WORLD_START_MS + WORLD_HOUR_MS, &second);
    struct qn_entry old = honest(0, &second);
    cr_assert_eq(world_append(&world, 0, &first), QN_OK);
    struct qn_entry entry = honest(0, &second);
    entry.ref = old.ref; /* next in the author's chain, but beside the head of the other */
    cr_assert_eq(add_signed(&entry, 0), QN_ERR_EXISTS);
}

Test(ledger, only_the_administrator_invites)
{
    QN_AUTO_BUF struct qn_buf invite = {0}, revoke = {0};
    world_join(&world, 1, 0);
    world_invite_body(&world, 7, WORLD_START_MS + WORLD_HOUR_MS, &invite);
    world_revoke_body(&world, 1, &revoke);
    cr_assert_eq(world_append(&world, 1, &invite), QN_ERR_DENIED);
    cr_assert_eq(world_append(&world, 1, &revoke), QN_ERR_DENIED);
    cr_assert_eq(world_append(&world, 0, &invite), QN_OK);
    cr_assert_eq(world_append(&world, 0, &invite), QN_ERR_INVALID, "the key is known already");
    qn_buf_deinit(&revoke);
    world_revoke_body(&world, 8, &revoke);
    cr_assert_eq(world_append(&world, 0, &revoke), QN_ERR_INVALID, "no such invite");
}

static void append_raw_describe(struct qn_buf *out, const char *fields)
{
    QN_AUTO_BUF struct qn_buf bytes;
    qn_buf_init(out, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_buf_init(&bytes, QN_LEDGER_ENTRY_SIZE_MAX);
    cr_assert_eq(qn_text_parse_hex(qn_span_str(fields), &bytes), QN_OK);
    qn_pack_array(out, 5);
    qn_pack_u64(out, QN_BODY_DESCRIBE);
    qn_pack_u64(out, 1);
    qn_pack_bool(out, false);
    qn_pack_bin(out, qn_digest_view(&world.group));
    qn_buf_append_span(out, qn_buf_view(&bytes));
}

static enum qn_err try_describe(const char *fields)
{
    QN_AUTO_BUF struct qn_buf body = {0};
    append_raw_describe(&body, fields);
    return world_append(&world, 0, &body);
}

Test(ledger, a_body_has_its_fields_in_order_and_may_have_more)
{
    cr_assert_eq(try_describe("81a6656e74697479a178"), QN_OK);                /* {entity: "x"} */
    cr_assert_eq(try_describe("82a6656e74697479a178a17a01"), QN_OK);          /* and z behind */
    cr_assert_eq(try_describe("82a16101a6656e74697479a178"), QN_OK);          /* and a before */
    cr_assert_eq(try_describe("80"), QN_ERR_INVALID);                         /* none */
    cr_assert_eq(try_describe("82a6656e74697479a178a16101"), QN_ERR_INVALID); /* out of order */
    cr_assert_eq(try_describe("82a6656e74697479a178a6656e74697479a178"),
                 QN_ERR_INVALID);                                         /* twice */
    cr_assert_eq(try_describe("81a6656e7469747901"), QN_ERR_INVALID);     /* not a text */
    cr_assert_eq(try_describe("81a6656e74697479a10a"), QN_ERR_INVALID);   /* not printable */
    cr_assert_eq(try_describe("81a6656e74697479d90178"), QN_ERR_INVALID); /* not canonical */
    cr_assert_eq(try_describe("810101"), QN_ERR_INVALID);                 /* key not a text */
}

Test(ledger, compose_signs_for_its_own_site_only)
{
    QN_AUTO_BUF struct qn_buf body = {0}, out;
    qn_buf_init(&out, QN_LEDGER_ENTRY_SIZE_MAX);
    world_describe_body(&world, "x", &body);
    struct qn_span view = qn_buf_view(&body);
    cr_assert_eq(
        qn_ledger_compose(world.ledger, world.sites[1].signer, &world.sites[1].id, 1, view, &out),
        QN_ERR_NOTFOUND);
    cr_assert_eq(
        qn_ledger_compose(world.ledger, world.sites[1].signer, &world.sites[0].id, 1, view, &out),
        QN_ERR_DENIED);
    cr_assert_eq(qn_ledger_compose(world.ledger, world.sites[0].signer, &world.sites[0].id, 1,
                                   qn_span(view.data, view.size - 1), &out),
                 QN_ERR_INVALID);
    cr_assert_eq(out.size, 0);
}

Test(ledger, what_is_unknown_and_not_critical_is_kept_and_ignored)
{
    QN_AUTO_BUF struct qn_buf unknown = {0}, vote = {0}, newer = {0}, describe = {0};
    world_other_body(&world, 99, 1, false, &unknown);
    world_other_body(&world, QN_BODY_VOTE, 1, false, &vote);
    world_other_body(&world, QN_BODY_DESCRIBE, 2, false, &newer);
    world_describe_body(&world, "after", &describe);
    cr_assert_eq(world_append(&world, 0, &unknown), QN_OK);
    cr_assert_eq(world_append(&world, 0, &vote), QN_OK);
    cr_assert_eq(world_append(&world, 0, &newer), QN_OK);
    cr_assert_eq(world_append(&world, 0, &describe), QN_OK);
    const struct qn_group *group = qn_ledger_group(world.ledger);
    cr_assert_not(group->needs_upgrade);
    cr_assert_str_eq(group->sites.items[0].legal_entity, "after");
    struct qn_ledger *other = qn_ledger_new();
    cr_assert_eq(world_pull(other, world.ledger, QN_FRAME_SIZE_MAX), 1);
    cr_assert_eq(qn_ledger_count(other), 5, "relayed");
    qn_ledger_free(other);
}

Test(ledger, what_is_unknown_and_critical_stops_the_fold_behind_it)
{
    QN_AUTO_BUF struct qn_buf unknown = {0}, before = {0}, after = {0};
    world_join(&world, 1, 0);
    world_describe_body(&world, "before", &before);
    world_describe_body(&world, "after", &after);
    world_other_body(&world, QN_BODY_CERT, 1, true, &unknown);
    cr_assert_eq(world_append(&world, 0, &before), QN_OK);
    cr_assert_eq(world_append(&world, 0, &unknown), QN_OK);
    cr_assert_eq(world_append(&world, 0, &after), QN_OK);
    const struct qn_group *group = qn_ledger_group(world.ledger);
    cr_assert(group->needs_upgrade);
    cr_assert_str_eq(qn_group_site(group, &group->admin)->legal_entity, "before");
    /* What was invited behind it does not count either. */
    world_join(&world, 2, 1);
    group = qn_ledger_group(world.ledger);
    cr_assert_eq(group->sites.count, 2);
    cr_assert_eq(group->invites.count, 1);
}

Test(ledger, a_group_has_a_limit_of_sites)
{
    QN_AUTO_BUF struct qn_buf body = {0};
    enum qn_err err = QN_OK;
    for (uint64_t i = 1; i <= QN_SITES_MAX; i++) {
        struct qn_signer *invite = world_signer("invite", i), *site = world_signer("many", i);
        QN_AUTO_BUF struct qn_buf admit_body;
        qn_buf_init(&admit_body, QN_LEDGER_ENTRY_SIZE_MAX);
        struct qn_body_admit admit = {.invite_key = *qn_signer_public(invite),
                                      .keys.site = *qn_signer_public(site),
                                      .name = qn_span_str("same")};
        world_invite_body(&world, i, WORLD_START_MS + WORLD_HOUR_MS, &body);
        cr_assert_eq(world_append(&world, 0, &body), QN_OK);
        cr_assert_eq(qn_admit_sign(&world.group, invite, site, &admit), QN_OK);
        qn_body_admit_pack(&world.group, &admit, &admit_body);
        err = world_append(&world, 0, &admit_body);
        cr_assert_eq(err, i < QN_SITES_MAX ? QN_OK : QN_ERR_LIMIT);
        qn_buf_deinit(&body);
        qn_signer_free(invite);
        qn_signer_free(site);
    }
    const struct qn_group *group = qn_ledger_group(world.ledger);
    cr_assert_eq(group->sites.count, QN_SITES_MAX);
    for (size_t i = 0; i < QN_SITES_MAX; i++)
        cr_assert_eq(qn_group_site_named(group, qn_span_str(group->sites.items[i].name)),
                     &group->sites.items[i], "names are unique");
}

Test(ledger, a_group_has_a_limit_of_collections, .timeout = 100)
{
    for (size_t i = 0; i <= QN_COLLECTIONS_MAX; i++) {
        QN_AUTO_BUF struct qn_buf body;
        qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
        struct qn_body_create_collection create = {.is_for_all = true};
        qn_write_u32(create.coll.bytes, (uint32_t)i);
        qn_body_create_collection_pack(&world.group, &create, &body);
        cr_assert_eq(world_append(&world, 0, &body), i < QN_COLLECTIONS_MAX ? QN_OK : QN_ERR_LIMIT);
    }
    cr_assert_eq(qn_ledger_group(world.ledger)->collections.count, QN_COLLECTIONS_MAX);
}

/* All of it is one intent when a site joins, and one message to the core. */
Test(ledger, a_ledger_has_a_limit_of_bytes, .timeout = 100)
{
    QN_AUTO_BUF struct qn_buf body, all;
    static const uint8_t filling[15 * 1024];
    enum qn_err err = QN_OK;
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_pack_array(&body, 5);
    qn_pack_u64(&body, 4711);
    qn_pack_u64(&body, 1);
    qn_pack_bool(&body, false);
    qn_pack_bin(&body, qn_digest_view(&world.group));
    qn_pack_map(&body, 1);
    qn_pack_cstr(&body, "x");
    qn_pack_bin(&body, QN_SPAN_OF(filling));
    while (qn_ledger_count(world.ledger) < 4096 && err == QN_OK)
        err = world_append(&world, 0, &body);
    cr_assert_eq(err, QN_ERR_LIMIT);
    qn_buf_init(&all, QN_LEDGER_SIZE_MAX);
    qn_pack_array(&all, qn_ledger_count(world.ledger));
    for (size_t i = 0; i < qn_ledger_count(world.ledger); i++)
        qn_pack_bin(&all, qn_ledger_entry(world.ledger, i));
    cr_assert_eq(qn_buf_status(&all), QN_OK);
    cr_assert_gt(all.size, QN_LEDGER_SIZE_MAX - QN_LEDGER_SIZE_KIT - 2 * QN_LEDGER_ENTRY_SIZE_MAX);

    /* There is room for who comes back with the kit. */
    QN_AUTO_BUF struct qn_buf small, by_kit;
    world_describe_body(&world, "EHPAD", &small);
    for (int i = 0; i < 100 && (err = world_append(&world, 0, &small)) == QN_OK; i++)
        ;
    cr_assert_eq(err, QN_ERR_LIMIT);
    world_rotate_body(&world, world.ledger, 0, 1, true, &by_kit);
    world_set_key(&world, 0, 1);
    cr_assert_eq(world_append(&world, 0, &by_kit), QN_OK);
}
