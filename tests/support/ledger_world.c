#include "support/ledger_world.h"

#include <stdio.h>

#include "base/text.h"
#include "proto/pack.h"

static void seed_of(const char *kind, uint64_t number, uint8_t ret_seed[QN_SEED_SIZE])
{
    struct qn_digest digest;
    uint8_t bytes[8];
    qn_write_u64(bytes, number);
    QN_DIGEST(&digest, qn_span_str(kind), QN_SPAN_OF(bytes));
    memcpy(ret_seed, digest.bytes, QN_SEED_SIZE);
}

struct qn_signer *world_signer(const char *kind, uint64_t number)
{
    uint8_t seed[QN_SEED_SIZE];
    struct qn_signer *signer;
    seed_of(kind, number, seed);
    QN_ASSERT(qn_signer_new(seed, &signer) == QN_OK);
    return signer;
}

static void site_init(struct world_site *site, size_t number)
{
    site->signer = world_signer("site", number);
    site->keys.site = *qn_signer_public(site->signer);
    qn_site_id_of(&site->keys.site, &site->id);
    struct qn_signer *recovery = world_signer("recovery", number);
    site->keys.recovery_sign = *qn_signer_public(recovery);
    qn_signer_free(recovery);
    uint8_t seed[QN_SEED_SIZE];
    seed_of("seal", number, seed);
    QN_ASSERT(qn_x25519_public(seed, &site->keys.recovery_seal) == QN_OK);
    snprintf(site->name, sizeof(site->name), "site-%zu", number);
}

qn_hlc world_tick(struct world *world)
{
    world->now_ms += 1000;
    return (qn_hlc)world->now_ms << 16;
}

static struct qn_signer *world_key(size_t site, uint64_t epoch)
{
    return world_signer("site", epoch == 0 ? site : 1000 * epoch + site);
}

void world_set_key(struct world *world, size_t site, uint64_t epoch)
{
    qn_signer_free(world->sites[site].signer);
    world->sites[site].signer = world_key(site, epoch);
}

void world_init(struct world *world)
{
    *world = (struct world){.ledger = qn_ledger_new(), .now_ms = WORLD_START_MS};
    for (size_t i = 0; i < WORLD_SITES; i++)
        site_init(&world->sites[i], i);
    struct qn_body_genesis genesis = {
        .group_name = qn_span_str("Les Tilleuls"),
        .site_name = qn_span_str(world->sites[0].name),
        .legal_entity = qn_span_str("EHPAD des Tilleuls"),
        .keys = world->sites[0].keys,
        .nonce = {1, 2, 3},
    };
    QN_AUTO_BUF struct qn_buf entry;
    qn_buf_init(&entry, QN_LEDGER_ENTRY_SIZE_MAX);
    bool is_new;
    QN_ASSERT(qn_genesis_compose(world->sites[0].signer, &genesis, world_tick(world), &entry,
                                 &world->group) == QN_OK);
    QN_ASSERT(qn_ledger_add(world->ledger, qn_buf_view(&entry), &is_new) == QN_OK && is_new);
}

void world_deinit(struct world *world)
{
    qn_ledger_free(world->ledger);
    for (size_t i = 0; i < WORLD_SITES; i++)
        qn_signer_free(world->sites[i].signer);
}

enum qn_err world_write(struct world *world, struct qn_ledger *ledger, size_t author,
                        const struct qn_buf *body, struct qn_buf *ret_entry)
{
    const struct world_site *site = &world->sites[author];
    qn_buf_init(ret_entry, QN_LEDGER_ENTRY_SIZE_MAX);
    return qn_ledger_compose(ledger, site->signer, &site->id, world_tick(world), qn_buf_view(body),
                             ret_entry);
}

enum qn_err world_append(struct world *world, size_t author, const struct qn_buf *body)
{
    QN_AUTO_BUF struct qn_buf entry = {0};
    bool is_new;
    QN_TRY(world_write(world, world->ledger, author, body, &entry));
    return qn_ledger_add(world->ledger, qn_buf_view(&entry), &is_new);
}

static struct qn_public_key invite_key(uint64_t invite)
{
    struct qn_signer *signer = world_signer("invite", invite);
    struct qn_public_key key = *qn_signer_public(signer);
    qn_signer_free(signer);
    return key;
}

static void body_init(struct qn_buf *out)
{
    qn_buf_init(out, QN_LEDGER_ENTRY_SIZE_MAX);
}

void world_invite_body(struct world *world, uint64_t invite, uint64_t expiry_ms, struct qn_buf *out)
{
    body_init(out);
    struct qn_body_invite body = {
        .invite_key = invite_key(invite), .expiry_ms = expiry_ms, .label = qn_span_str("new")};
    qn_body_invite_pack(&world->group, &body, out);
}

void world_revoke_body(struct world *world, uint64_t invite, struct qn_buf *out)
{
    body_init(out);
    struct qn_public_key key = invite_key(invite);
    qn_body_revoke_invite_pack(&world->group, &key, out);
}

void world_admit_body(struct world *world, uint64_t invite, size_t site, struct qn_buf *out)
{
    body_init(out);
    struct qn_signer *signer = world_signer("invite", invite);
    struct qn_body_admit body = {
        .invite_key = *qn_signer_public(signer),
        .keys = world->sites[site].keys,
        .name = qn_span_str(world->sites[site].name),
        .legal_entity = qn_span_str("EHPAD"),
    };
    QN_ASSERT(qn_admit_sign(&world->group, signer, world->sites[site].signer, &body) == QN_OK);
    qn_signer_free(signer);
    qn_body_admit_pack(&world->group, &body, out);
}

void world_place_body(struct world *world, size_t holder, uint64_t quota, uint64_t lock_days,
                      struct qn_buf *out)
{
    body_init(out);
    struct qn_body_place body = {.holder = world->sites[holder].id,
                                 .quota_bytes = quota,
                                 .lock_days = lock_days,
                                 .agreement = qn_span_str("convention 2024-3")};
    qn_body_place_pack(&world->group, &body, out);
}

void world_accept_body(struct world *world, const struct qn_ledger *ledger, size_t owner,
                       size_t holder, uint64_t quota, uint64_t lock_days, struct qn_buf *out)
{
    body_init(out);
    const struct qn_place *place =
        qn_group_place(qn_ledger_group(ledger), &world->sites[owner].id, &world->sites[holder].id);
    QN_ASSERT(place != NULL);
    struct qn_body_place_accept body = {
        .place = place->proposal, .quota_bytes = quota, .lock_days = lock_days};
    qn_body_place_accept_pack(&world->group, &body, out);
}

void world_report_body(struct world *world, const struct qn_ledger *ledger, size_t owner,
                       size_t holder, uint64_t packs, struct qn_buf *out)
{
    body_init(out);
    const struct qn_site_id *ids[] = {&world->sites[owner].id, &world->sites[holder].id};
    const struct qn_place *place = qn_group_place(qn_ledger_group(ledger), ids[0], ids[1]);
    struct qn_body_report body = {.owner = *ids[0],
                                  .packs = packs,
                                  .bad_packs = packs > 0,
                                  .snapshots = packs > 0,
                                  .bytes = packs * 1000,
                                  .locked_until_ms = packs > 0 ? world->now_ms : 0,
                                  .destroyed_packs = packs > 0 ? 0 : 7,
                                  .destroyed_bytes = packs > 0 ? 0 : 7000};
    if (place != NULL)
        body.place = place->proposal;
    qn_body_report_pack(&world->group, &body, out);
}

void world_rotate_body(struct world *world, const struct qn_ledger *ledger, size_t site,
                       uint64_t epoch, bool is_by_recovery, struct qn_buf *out)
{
    body_init(out);
    const struct world_site *self = &world->sites[site];
    struct qn_signer *key = world_key(site, epoch), *recovery = world_signer("recovery", site);
    struct qn_body_rotate_key body = {
        .admission = qn_group_site(qn_ledger_group(ledger), &self->id)->recovery_admission,
        .key = *qn_signer_public(key),
        .is_by_recovery = is_by_recovery};
    QN_ASSERT(qn_rotate_sign(ledger, &self->id, is_by_recovery ? recovery : self->signer, &body) ==
              QN_OK);
    qn_body_rotate_key_pack(&world->group, &body, out);
    qn_signer_free(key);
    qn_signer_free(recovery);
}

struct qn_coll_id world_coll(uint8_t number)
{
    struct qn_coll_id id = {{number, 0xc0}};
    return id;
}

void world_create_body(struct world *world, uint8_t coll, const size_t *members, size_t count,
                       bool is_for_all, struct qn_buf *out)
{
    body_init(out);
    struct qn_site_id ids[WORLD_SITES];
    for (size_t i = 0; i < count; i++)
        ids[i] = world->sites[members[i]].id;
    struct qn_body_create_collection body = {
        .coll = world_coll(coll), .is_for_all = is_for_all, .members = ids, .member_count = count};
    qn_body_create_collection_pack(&world->group, &body, out);
}

void world_grant_body(struct world *world, enum qn_body_type type, uint8_t coll, size_t site,
                      struct qn_buf *out)
{
    body_init(out);
    struct qn_body_grant body = {.coll = world_coll(coll), .site = world->sites[site].id};
    qn_body_grant_pack(&world->group, type, &body, out);
}

void world_close_body(struct world *world, uint8_t coll, struct qn_buf *out)
{
    body_init(out);
    struct qn_coll_id id = world_coll(coll);
    qn_body_close_collection_pack(&world->group, &id, out);
}

void world_withdraw_body(struct world *world, const struct qn_ledger *ledger, size_t site,
                         struct qn_buf *out)
{
    body_init(out);
    const struct qn_site *state = qn_group_site(qn_ledger_group(ledger), &world->sites[site].id);
    QN_ASSERT(state != NULL);
    qn_body_withdraw_pack(&world->group, &state->admission, out);
}

void world_describe_body(struct world *world, const char *entity, struct qn_buf *out)
{
    body_init(out);
    qn_body_describe_pack(&world->group, qn_span_str(entity), out);
}

void world_other_body(struct world *world, uint64_t type, uint64_t version, bool is_critical,
                      struct qn_buf *out)
{
    body_init(out);
    qn_pack_array(out, 5);
    qn_pack_u64(out, type);
    qn_pack_u64(out, version);
    qn_pack_bool(out, is_critical);
    qn_pack_bin(out, qn_digest_view(&world->group));
    qn_pack_map(out, 1);
    qn_pack_cstr(out, "x");
    qn_pack_u64(out, 1);
}

void world_join(struct world *world, size_t site, size_t host)
{
    QN_AUTO_BUF struct qn_buf invite = {0}, admit = {0};
    world_invite_body(world, site, world->now_ms + WORLD_HOUR_MS, &invite);
    QN_ASSERT(world_append(world, 0, &invite) == QN_OK);
    world_admit_body(world, site, site, &admit);
    QN_ASSERT(world_append(world, host, &admit) == QN_OK);
}

size_t world_add_all(struct qn_ledger *ledger, const struct qn_span *entries, size_t count)
{
    bool *is_done = qn_alloc_zero(count);
    size_t left = count, left_before;
    do {
        left_before = left;
        for (size_t i = 0; i < count; i++) {
            bool is_new;
            if (is_done[i] || qn_ledger_add(ledger, entries[i], &is_new) != QN_OK)
                continue;
            is_done[i] = true;
            left--;
        }
    } while (left > 0 && left < left_before);
    qn_free(is_done);
    return left;
}

static size_t pull_once(struct qn_ledger *to, const struct qn_ledger *from, size_t size_max)
{
    QN_AUTO_BUF struct qn_buf heads, entries;
    qn_buf_init(&heads, QN_FRAME_SIZE_MAX);
    qn_buf_init(&entries, size_max);
    qn_ledger_pack_heads(to, &heads);
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&heads));
    size_t count, packed;
    QN_ASSERT(qn_ledger_pack_missing(from, &cursor, size_max, &entries, &count) == QN_OK);
    QN_ASSERT(qn_cursor_finish(&cursor) == QN_OK);
    cursor = qn_cursor(qn_buf_view(&entries));
    QN_ASSERT(qn_cursor_array(&cursor, SIZE_MAX, &packed) == QN_OK && packed == count);
    for (size_t i = 0; i < count; i++) {
        struct qn_span entry;
        bool is_new;
        QN_ASSERT(qn_cursor_bin(&cursor, SIZE_MAX, &entry) == QN_OK);
        QN_ASSERT(qn_ledger_add(to, entry, &is_new) == QN_OK && is_new);
    }
    QN_ASSERT(qn_cursor_finish(&cursor) == QN_OK);
    return count;
}

size_t world_pull(struct qn_ledger *to, const struct qn_ledger *from, size_t size_max)
{
    size_t rounds = 0;
    while (pull_once(to, from, size_max) > 0)
        rounds++;
    return rounds;
}

static void print_hex(struct qn_buf *out, const char *what, struct qn_span bytes)
{
    qn_buf_printf(out, " %s=", what);
    qn_text_append_hex(out, bytes);
}

static void print_site(const struct qn_site *site, struct qn_buf *out)
{
    qn_buf_printf(out, "site %s entity=%s state=%d", site->name, site->legal_entity,
                  (int)site->state);
    print_hex(out, "id", QN_SPAN_OF(site->id.bytes));
    print_hex(out, "key", QN_SPAN_OF(site->keys.site.bytes));
    print_hex(out, "sign", QN_SPAN_OF(site->keys.recovery_sign.bytes));
    print_hex(out, "seal", QN_SPAN_OF(site->keys.recovery_seal.bytes));
    print_hex(out, "admission", qn_digest_view(&site->admission));
    for (size_t i = 1; i < site->epochs.count; i++)
        print_hex(out, "before", QN_SPAN_OF(site->epochs.items[i - 1].bytes));
    qn_buf_append_str(out, "\n");
}

static void print_collection(const struct qn_collection *collection, struct qn_buf *out)
{
    qn_buf_printf(out, "collection all=%d closed=%d", collection->is_for_all,
                  collection->is_closed);
    print_hex(out, "id", QN_SPAN_OF(collection->id.bytes));
    print_hex(out, "creator", QN_SPAN_OF(collection->creator.bytes));
    qn_vec_each (&collection->members, member)
        print_hex(out, "member", QN_SPAN_OF(member->bytes));
    qn_buf_append_str(out, "\n");
}

static void print_invite(const struct qn_invite *invite, struct qn_buf *out)
{
    qn_buf_printf(out, "invite %s expiry=%llu revoked=%d used=%d", invite->label,
                  (unsigned long long)invite->expiry_ms, invite->is_revoked, invite->is_used);
    print_hex(out, "key", QN_SPAN_OF(invite->key.bytes));
    print_hex(out, "by", QN_SPAN_OF(invite->used_by.bytes));
    qn_buf_append_str(out, "\n");
}

static void print_place(const struct qn_place *place, struct qn_buf *out)
{
    qn_buf_printf(out, "place state=%d quota=%llu lock=%u pending=%d asked=%llu,%u agreement=%s",
                  (int)place->state, (unsigned long long)place->quota_bytes, place->lock_days,
                  place->is_pending, (unsigned long long)place->asked_quota_bytes,
                  place->asked_lock_days, place->agreement);
    print_hex(out, "owner", QN_SPAN_OF(place->owner.bytes));
    print_hex(out, "holder", QN_SPAN_OF(place->holder.bytes));
    print_hex(out, "proposal", qn_digest_view(&place->proposal));
    qn_buf_append_str(out, "\n");
}

static void print_report(const struct qn_report *report, struct qn_buf *out)
{
    const struct qn_body_report *said = &report->said;
    const uint64_t numbers[] = {said->packs,           said->bad_packs,       said->snapshots,
                                said->bytes,           said->locked_until_ms, said->destroyed_packs,
                                said->destroyed_bytes, report->at_ms};
    qn_buf_append_str(out, "report");
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        qn_buf_printf(out, " %llu", (unsigned long long)numbers[i]);
    print_hex(out, "holder", QN_SPAN_OF(report->holder.bytes));
    print_hex(out, "owner", QN_SPAN_OF(said->owner.bytes));
    print_hex(out, "place", qn_digest_view(&said->place));
    qn_buf_append_str(out, "\n");
}

void world_print(const struct qn_ledger *ledger, struct qn_buf *out)
{
    const struct qn_group *group = qn_ledger_group(ledger);
    qn_buf_init(out, 16u << 20);
    if (group != NULL) {
        qn_buf_printf(out, "group %s term=%llu upgrade=%d", group->name,
                      (unsigned long long)group->term, group->needs_upgrade);
        print_hex(out, "id", qn_digest_view(&group->id));
        print_hex(out, "admin", QN_SPAN_OF(group->admin.bytes));
        qn_buf_append_str(out, "\n");
        qn_vec_each (&group->sites, site)
            print_site(site, out);
        qn_vec_each (&group->collections, collection)
            print_collection(collection, out);
        qn_vec_each (&group->invites, invite)
            print_invite(invite, out);
        qn_vec_each (&group->places, place)
            print_place(place, out);
        qn_vec_each (&group->reports, report)
            print_report(report, out);
    }
    struct qn_digest digest;
    qn_ledger_digest(ledger, &digest);
    print_hex(out, "digest", qn_digest_view(&digest));
    qn_buf_append_u8(out, 0);
    QN_ASSERT(!out->is_over);
}
