#include <criterion/criterion.h>

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

TestSuite(ledger_fold, .init = setup, .fini = teardown);

static const struct qn_site *state_of(const struct qn_ledger *ledger, size_t site)
{
    return qn_group_site(qn_ledger_group(ledger), &world.sites[site].id);
}

static bool is_member(const struct qn_ledger *ledger, size_t site)
{
    const struct qn_site *state = state_of(ledger, site);
    return state != NULL && state->state == QN_SITE_MEMBER;
}

static struct qn_ledger *copy_of(const struct qn_ledger *ledger)
{
    struct qn_ledger *copy = qn_ledger_new();
    world_pull(copy, ledger, QN_FRAME_SIZE_MAX);
    return copy;
}

static void append(size_t author, struct qn_buf *body)
{
    cr_assert_eq(world_append(&world, author, body), QN_OK);
    qn_buf_deinit(body);
}

static void invite(uint64_t number)
{
    struct qn_buf body;
    world_invite_body(&world, number, world.now_ms + WORLD_HOUR_MS, &body);
    append(0, &body);
}

/* Writes on one of several ledgers that have not heard of each other. */
static void append_on(struct qn_ledger *ledger, size_t author, struct qn_buf *body)
{
    QN_AUTO_BUF struct qn_buf entry = {0};
    bool is_new;
    cr_assert_eq(world_write(&world, ledger, author, body, &entry), QN_OK);
    cr_assert_eq(qn_ledger_add(ledger, qn_buf_view(&entry), &is_new), QN_OK);
    cr_assert(is_new);
    qn_buf_deinit(body);
}

static void admit_on(struct qn_ledger *ledger, size_t author, uint64_t number, size_t site)
{
    struct qn_buf body;
    world_admit_body(&world, number, site, &body);
    append_on(ledger, author, &body);
}

static void assert_equal(const struct qn_ledger *a, const struct qn_ledger *b)
{
    QN_AUTO_BUF struct qn_buf first, second;
    world_print(a, &first);
    world_print(b, &second);
    cr_assert_str_eq((char *)first.data, (char *)second.data);
}

static void exchange(struct qn_ledger *a, struct qn_ledger *b)
{
    world_pull(a, b, QN_FRAME_SIZE_MAX);
    world_pull(b, a, QN_FRAME_SIZE_MAX);
    assert_equal(a, b);
}

Test(ledger_fold, an_admission_makes_a_member_and_uses_the_invite)
{
    world_join(&world, 1, 0);
    const struct qn_group *group = qn_ledger_group(world.ledger);
    const struct qn_site *site = state_of(world.ledger, 1);
    cr_assert_eq(site->state, QN_SITE_MEMBER);
    cr_assert_str_eq(site->name, "site-1");
    cr_assert_eq(group->invites.count, 1);
    cr_assert(group->invites.items[0].is_used);
    cr_assert(qn_site_id_eq(&group->invites.items[0].used_by, &world.sites[1].id));
    cr_assert_not(qn_invite_is_open(&group->invites.items[0], 0));
    cr_assert_eq(qn_group_site_by_key(group, &world.sites[1].keys.site), site);
    cr_assert_eq(qn_group_site_by_prefix(group, world.sites[1].id.bytes), site);
    cr_assert_null(qn_group_site(group, &world.sites[2].id));
    cr_assert_null(qn_group_site_by_key(group, &world.sites[2].keys.site));
    cr_assert_null(qn_group_site_by_prefix(group, world.sites[2].id.bytes));
    cr_assert_null(qn_group_site_named(group, qn_span_str("site-2")));
}

Test(ledger_fold, an_invite_is_open_until_it_expires)
{
    uint64_t expiry = world.now_ms + WORLD_HOUR_MS;
    invite(1);
    const struct qn_group *group = qn_ledger_group(world.ledger);
    const struct qn_invite *open = &group->invites.items[0];
    cr_assert_eq(qn_group_invite(group, &open->key), open);
    cr_assert_null(qn_group_invite(group, &world.sites[0].keys.site));
    cr_assert(qn_invite_is_open(open, expiry));
    cr_assert_not(qn_invite_is_open(open, expiry + 1));
}

Test(ledger_fold, any_member_admits)
{
    world_join(&world, 1, 0);
    world_join(&world, 2, 1);
    world_join(&world, 3, 2);
    cr_assert(is_member(world.ledger, 3));
}

Test(ledger_fold, an_invite_used_twice_counts_once_in_both_orders_of_arrival)
{
    world_join(&world, 1, 0);
    world_join(&world, 2, 0);
    invite(7);
    struct qn_ledger *a = copy_of(world.ledger), *b = copy_of(world.ledger);
    admit_on(a, 1, 7, 3);
    admit_on(b, 2, 7, 4);
    cr_assert(is_member(a, 3));
    cr_assert(is_member(b, 4));
    exchange(a, b);
    cr_assert_eq(is_member(a, 3) + is_member(a, 4), 1);
    qn_ledger_free(a);
    qn_ledger_free(b);
}

Test(ledger_fold, the_earlier_reference_wins_an_invite)
{
    world_join(&world, 1, 0);
    world_join(&world, 2, 0);
    invite(7);
    struct qn_ledger *a = copy_of(world.ledger), *b = copy_of(world.ledger);
    admit_on(a, 1, 7, 3);
    struct qn_buf body;
    world_invite_body(&world, 8, world.now_ms + WORLD_HOUR_MS, &body);
    append_on(b, 0, &body);
    admit_on(b, 2, 7, 4);
    exchange(a, b);
    cr_assert(is_member(a, 3));
    cr_assert_null(state_of(a, 4));
    /* What the loser wrote before it knew is kept, and counts for nothing. */
    struct qn_buf create;
    world_create_body(&world, 1, NULL, 0, true, &create);
    append_on(a, 4, &create);
    admit_on(a, 4, 8, 5);
    cr_assert_eq(qn_ledger_group(a)->collections.count, 0);
    cr_assert_null(state_of(a, 5));
    exchange(a, b);
    qn_ledger_free(a);
    qn_ledger_free(b);
}

Test(ledger_fold, one_statement_admitted_by_two_members_is_one_membership)
{
    world_join(&world, 1, 0);
    world_join(&world, 2, 0);
    invite(7);
    struct qn_ledger *a = copy_of(world.ledger), *b = copy_of(world.ledger);
    admit_on(a, 1, 7, 3);
    admit_on(b, 2, 7, 3);
    struct qn_buf leave_a, leave_b;
    /* It leaves where only the second admission is known: that ends the membership, not one of two.
     */
    world_withdraw_body(&world, b, 3, &leave_b);
    append_on(b, 3, &leave_b);
    exchange(a, b);
    cr_assert_eq(qn_ledger_group(a)->sites.count, 4);
    cr_assert_not(is_member(a, 3));
    cr_assert_eq(state_of(a, 3)->state, QN_SITE_WITHDRAWN);
    world_withdraw_body(&world, a, 3, &leave_a); /* named by its first admission now */
    qn_buf_deinit(&leave_a);
    qn_ledger_free(a);
    qn_ledger_free(b);
}

Test(ledger_fold, an_admission_after_the_expiry_is_refused)
{
    struct qn_buf body;
    world_invite_body(&world, 1, world.now_ms + 2000, &body);
    append(0, &body);
    world.now_ms += 2000;
    world_admit_body(&world, 1, 1, &body);
    cr_assert_eq(world_append(&world, 0, &body), QN_ERR_EXPIRED);
    qn_buf_deinit(&body);
}

Test(ledger_fold, a_revoked_invite_counts_only_where_the_revocation_was_not_seen)
{
    world_join(&world, 1, 0);
    invite(7);
    struct qn_ledger *late = copy_of(world.ledger);
    struct qn_buf body;
    world_revoke_body(&world, 7, &body);
    append(0, &body);
    const struct qn_group *group = qn_ledger_group(world.ledger);
    cr_assert(group->invites.items[1].is_revoked);
    cr_assert_not(qn_invite_is_open(&group->invites.items[1], 0));
    world_admit_body(&world, 7, 2, &body);
    cr_assert_eq(world_append(&world, 1, &body), QN_ERR_DENIED);
    qn_buf_deinit(&body);
    admit_on(late, 1, 7, 2);
    exchange(late, world.ledger);
    cr_assert(is_member(late, 2));
    qn_ledger_free(late);
}

Test(ledger_fold, an_admission_needs_an_invite_that_its_author_had_seen)
{
    struct qn_buf body;
    QN_AUTO_BUF struct qn_buf entry = {0};
    world_join(&world, 1, 0);
    struct qn_ledger *late = copy_of(world.ledger);
    world_admit_body(&world, 7, 2, &body);
    cr_assert_eq(world_append(&world, 1, &body), QN_ERR_HELD);
    cr_assert_eq(world_write(&world, late, 1, &body, &entry), QN_OK);
    qn_buf_deinit(&body);
    invite(7);
    bool is_new;
    cr_assert_eq(qn_ledger_add(world.ledger, qn_buf_view(&entry), &is_new), QN_ERR_DENIED);
    qn_ledger_free(late);
}

Test(ledger_fold, a_statement_signed_by_another_is_refused)
{
    invite(1);
    struct qn_signer *invite_signer = world_signer("invite", 1);
    struct qn_body_admit admit = {.invite_key = *qn_signer_public(invite_signer),
                                  .keys = world.sites[1].keys,
                                  .name = qn_span_str("site-1")};
    cr_assert_eq(qn_admit_sign(&world.group, world.sites[1].signer, world.sites[1].signer, &admit),
                 QN_ERR_DENIED);
    cr_assert_eq(qn_admit_sign(&world.group, invite_signer, world.sites[1].signer, &admit), QN_OK);
    cr_assert_eq(qn_admit_verify(&world.group, &admit), QN_OK);
    struct qn_body_admit bent[6] = {admit, admit, admit, admit, admit, admit};
    bent[0].name = qn_span_str("site-2");
    bent[1].legal_entity = qn_span_str("x");
    bent[2].keys.recovery_seal.bytes[0] ^= 1;
    bent[3].by_site.bytes[0] ^= 1;
    bent[4].by_invite.bytes[0] ^= 1;
    bent[5].keys = world.sites[2].keys;
    for (size_t i = 0; i < 6; i++) {
        QN_AUTO_BUF struct qn_buf body;
        qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
        cr_assert_eq(qn_admit_verify(&world.group, &bent[i]), QN_ERR_SIGNATURE);
        qn_body_admit_pack(&world.group, &bent[i], &body);
        cr_assert_eq(world_append(&world, 0, &body), QN_ERR_SIGNATURE);
    }
    qn_signer_free(invite_signer);
}

Test(ledger_fold, a_site_withdraws_and_comes_back)
{
    struct qn_buf body;
    world_join(&world, 1, 0);
    world_create_body(&world, 1, NULL, 0, true, &body);
    append(0, &body);
    const struct qn_group *group = qn_ledger_group(world.ledger);
    cr_assert(qn_group_shares(group, &group->collections.items[0], &world.sites[1].id));
    world_describe_body(&world, "before", &body);
    append(1, &body);
    world_withdraw_body(&world, world.ledger, 1, &body);
    append(1, &body);
    group = qn_ledger_group(world.ledger);
    cr_assert_not(is_member(world.ledger, 1));
    cr_assert_not(qn_group_shares(group, &group->collections.items[0], &world.sites[1].id));
    struct qn_digest first = state_of(world.ledger, 1)->admission;
    invite(9);
    admit_on(world.ledger, 0, 9, 1);
    cr_assert(is_member(world.ledger, 1));
    cr_assert_not(qn_digest_eq(&first, &state_of(world.ledger, 1)->admission));
    cr_assert_str_eq(state_of(world.ledger, 1)->legal_entity, "EHPAD");
    world_withdraw_body(&world, world.ledger, 1, &body);
    append(1, &body);
    cr_assert_not(is_member(world.ledger, 1), "and leaves again");
}

Test(ledger_fold, a_withdrawn_site_admits_nobody)
{
    struct qn_buf body;
    world_join(&world, 1, 0);
    invite(7);
    world_withdraw_body(&world, world.ledger, 1, &body);
    append(1, &body);
    admit_on(world.ledger, 1, 7, 2);
    cr_assert_null(state_of(world.ledger, 2));
}

Test(ledger_fold, a_withdrawal_names_an_admission_of_its_author)
{
    QN_AUTO_BUF struct qn_buf unknown, other;
    qn_buf_init(&unknown, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_buf_init(&other, QN_LEDGER_ENTRY_SIZE_MAX);
    world_join(&world, 1, 0);
    world_join(&world, 2, 0);
    qn_body_withdraw_pack(&world.group, &(struct qn_digest){{1}}, &unknown);
    qn_body_withdraw_pack(&world.group, &state_of(world.ledger, 2)->admission, &other);
    cr_assert_eq(world_append(&world, 1, &unknown), QN_ERR_HELD);
    cr_assert_eq(world_append(&world, 1, &other), QN_ERR_INVALID);
}

static bool shares(uint8_t coll, size_t site)
{
    const struct qn_group *group = qn_ledger_group(world.ledger);
    struct qn_coll_id id = world_coll(coll);
    const struct qn_collection *collection = qn_group_collection(group, &id);
    return collection != NULL && qn_group_shares(group, collection, &world.sites[site].id);
}

static bool keeps(uint8_t coll, size_t site)
{
    const struct qn_group *group = qn_ledger_group(world.ledger);
    struct qn_coll_id id = world_coll(coll);
    return qn_group_keeps(group, qn_group_collection(group, &id), &world.sites[site].id);
}

static void withdraw(size_t site)
{
    struct qn_buf body;
    world_withdraw_body(&world, world.ledger, site, &body);
    append(site, &body);
}

Test(ledger_fold, a_site_that_left_keeps_what_it_had_a_part_in)
{
    struct qn_buf body;
    for (size_t i = 1; i <= 3; i++)
        world_join(&world, i, 0);
    world_create_body(&world, 1, (size_t[]){2, 3}, 2, false, &body);
    append(1, &body);
    world_create_body(&world, 2, NULL, 0, true, &body);
    append(1, &body);
    world_grant_body(&world, QN_BODY_UNGRANT, 1, 3, &body);
    append(1, &body);
    cr_assert(!keeps(1, 2) && !keeps(2, 2)); /* it is there, and shares them */
    for (size_t i = 1; i <= 3; i++)
        withdraw(i);
    cr_assert(keeps(1, 1) && keeps(1, 2) && !keeps(1, 3));
    cr_assert(keeps(2, 2) && keeps(2, 3));
    cr_assert(!keeps(1, 0) && !keeps(2, 0) && !keeps(2, 4));
}

Test(ledger_fold, the_creator_grants_and_takes_back)
{
    struct qn_buf body;
    for (size_t i = 1; i <= 3; i++)
        world_join(&world, i, 0);
    world_create_body(&world, 1, (size_t[]){2}, 1, false, &body);
    append(1, &body);
    cr_assert(shares(1, 1) && shares(1, 2) && !shares(1, 3) && !shares(1, 0));
    world_grant_body(&world, QN_BODY_GRANT, 1, 3, &body);
    append(1, &body);
    cr_assert(shares(1, 3));
    world_grant_body(&world, QN_BODY_UNGRANT, 1, 3, &body);
    append(1, &body);
    world_grant_body(&world, QN_BODY_UNGRANT, 1, 1, &body);
    append(1, &body);
    cr_assert(!shares(1, 3) && shares(1, 1), "the creator stays");
    world_grant_body(&world, QN_BODY_GRANT, 1, 3, &body);
    cr_assert_eq(world_append(&world, 0, &body), QN_ERR_DENIED, "not the administrator either");
    qn_buf_deinit(&body);
    world_grant_body(&world, QN_BODY_GRANT, 2, 3, &body);
    cr_assert_eq(world_append(&world, 0, &body), QN_ERR_HELD, "no such collection yet");
    qn_buf_deinit(&body);
    world_grant_body(&world, QN_BODY_GRANT, 1, 5, &body);
    append(1, &body);
    world_join(&world, 5, 0);
    cr_assert(shares(1, 5), "granted before it joined");
    world_withdraw_body(&world, world.ledger, 2, &body);
    append(2, &body);
    cr_assert(!shares(1, 2));
    world_close_body(&world, 1, &body);
    append(1, &body);
    const struct qn_collection *collection = &qn_ledger_group(world.ledger)->collections.items[0];
    cr_assert(collection->is_closed);
    cr_assert_eq(collection->members.count, 2);
}

Test(ledger_fold, an_id_created_twice_belongs_to_the_lowest_hash)
{
    struct qn_buf body;
    world_join(&world, 1, 0);
    world_join(&world, 2, 0);
    struct qn_ledger *a = copy_of(world.ledger), *b = copy_of(world.ledger);
    world_create_body(&world, 1, NULL, 0, false, &body);
    append_on(a, 1, &body);
    world_create_body(&world, 1, NULL, 0, false, &body);
    append_on(b, 2, &body);
    world_grant_body(&world, QN_BODY_GRANT, 1, 0, &body);
    append_on(b, 2, &body);
    struct qn_entry first, second;
    size_t place = qn_ledger_count(world.ledger);
    cr_assert_eq(qn_entry_unpack(qn_ledger_entry(a, place), &first), QN_OK);
    cr_assert_eq(qn_entry_unpack(qn_ledger_entry(b, place), &second), QN_OK);
    exchange(a, b);
    bool is_first = memcmp(&first.hash, &second.hash, sizeof(first.hash)) < 0;
    const struct qn_group *group = qn_ledger_group(a);
    cr_assert_eq(group->collections.count, 1);
    cr_assert(
        qn_site_id_eq(&group->collections.items[0].creator, &world.sites[is_first ? 1 : 2].id));
    cr_assert_eq(group->collections.items[0].members.count, is_first ? 1 : 2);
    QN_AUTO_BUF struct qn_buf entry = {0};
    bool is_new;
    world_create_body(&world, 1, NULL, 0, false, &body);
    cr_assert_eq(world_write(&world, a, 1, &body, &entry), QN_OK);
    cr_assert_eq(qn_ledger_add(a, qn_buf_view(&entry), &is_new), QN_ERR_INVALID, "its own twice");
    qn_buf_deinit(&body);
    qn_ledger_free(a);
    qn_ledger_free(b);
}

Test(ledger_fold, members_of_one_name_are_told_apart)
{
    strcpy(world.sites[1].name, "site-0");
    strcpy(world.sites[2].name, "site-0");
    world_join(&world, 1, 0);
    world_join(&world, 2, 0);
    const struct qn_group *group = qn_ledger_group(world.ledger);
    cr_assert_str_eq(state_of(world.ledger, 0)->name, "site-0");
    for (size_t i = 1; i <= 2; i++) {
        QN_AUTO_BUF struct qn_buf wanted;
        qn_buf_init(&wanted, 100);
        qn_buf_append_str(&wanted, "site-0-");
        qn_site_id_print(&world.sites[i].id, &wanted);
        wanted.data[7 + 7] = 0;
        const struct qn_site *site = state_of(world.ledger, i);
        cr_assert_str_eq(site->name, (char *)wanted.data);
        cr_assert_eq(qn_group_site_named(group, qn_span_str(site->name)), site);
    }
}

Test(ledger_fold, a_suffix_cuts_a_long_name_at_a_letter)
{
    char name[QN_NAME_SIZE_MAX + 1] = "x";
    for (size_t i = 0; i < 31; i++)
        memcpy(name + 1 + 2 * i, "\xc3\xa9", 3);
    strcpy(world.sites[1].name, name);
    strcpy(world.sites[2].name, name);
    world_join(&world, 1, 0);
    world_join(&world, 2, 0);
    const struct qn_site *first = state_of(world.ledger, 1), *second = state_of(world.ledger, 2);
    cr_assert_str_eq(first->name, name);
    cr_assert_eq(strlen(second->name), 63);
    cr_assert_eq(memcmp(second->name, name, 55), 0);
    cr_assert_eq(second->name[55], '-');
}

Test(ledger_fold, a_withdrawn_site_gives_its_name_back)
{
    struct qn_buf body;
    world_join(&world, 1, 0);
    strcpy(world.sites[2].name, "site-1");
    world_join(&world, 2, 0);
    cr_assert_str_neq(state_of(world.ledger, 2)->name, "site-1");
    world_withdraw_body(&world, world.ledger, 1, &body);
    append(1, &body);
    cr_assert_str_eq(state_of(world.ledger, 2)->name, "site-1");
    const struct qn_group *group = qn_ledger_group(world.ledger);
    cr_assert_eq(qn_group_site_named(group, qn_span_str("site-1")), state_of(world.ledger, 2));
}
