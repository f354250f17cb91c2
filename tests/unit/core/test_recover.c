/* A lost site that comes back with its kit, as the member that lets it in sees it; and the machine
 * that it was before (docs/protocol.md 8.7). */
#include <criterion/criterion.h>

#include "model/doubt.h"
#include "support/core_rig.h"

#define LOST 1

static struct rig rig;
static struct qn_signer *fresh; /* the new machine's */
static uint8_t exporter[32];

static void setup(void)
{
    rig_init(&rig, 1);
    rig_start(&rig);
    rig_forget(&rig);
    fresh = world_signer("fresh", 1);
    memset(exporter, RIG_EXPORTER, sizeof(exporter));
}

static void teardown(void)
{
    qn_signer_free(fresh);
    rig_deinit(&rig);
}

TestSuite(recover, .init = setup, .fini = teardown);

static void hello(const struct qn_signer *kit, const char *domain, const uint8_t over[32])
{
    struct qn_buf out;
    struct qn_signature signature;
    cr_assert_eq(qn_signer_sign(kit, domain, qn_span(over, 32), &signature), QN_OK);
    rig_message(&out, QN_MSG_RECOVER_HELLO, 3);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION);
    qn_pack_bin(&out, QN_SPAN_OF(qn_signer_public(kit)->bytes));
    qn_pack_bin(&out, QN_SPAN_OF(signature.bytes));
    rig_frame(&rig, &out);
}

static void hello_of(size_t site)
{
    struct qn_signer *kit = world_signer("recovery", site);
    hello(kit, "quoin recover 1", exporter);
    qn_signer_free(kit);
}

/* The RotateKey that a machine with the kit of LOST makes from a ledger. */
static void rotate_entry(const struct qn_ledger *ledger, const struct qn_signer *key,
                         struct qn_buf *ret_entry)
{
    QN_AUTO_BUF struct qn_buf body;
    const struct qn_site_id *id = &rig.world.sites[LOST].id;
    struct qn_signer *kit = world_signer("recovery", LOST);
    struct qn_body_rotate_key rotate = {
        .admission = qn_group_site(qn_ledger_group(ledger), id)->recovery_admission,
        .key = *qn_signer_public(key),
        .is_by_recovery = true};
    cr_assert_eq(qn_rotate_sign(ledger, id, kit, &rotate), QN_OK);
    qn_buf_init(&body, QN_LEDGER_ENTRY_SIZE_MAX);
    qn_body_rotate_key_pack(&rig.world.group, &rotate, &body);
    qn_buf_init(ret_entry, QN_LEDGER_ENTRY_SIZE_MAX);
    cr_assert_eq(
        qn_ledger_compose(ledger, key, id, world_tick(&rig.world), qn_buf_view(&body), ret_entry),
        QN_OK);
    qn_signer_free(kit);
}

static void say_rotate(struct qn_buf *take_entry)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_RECOVER_ROTATE, 1);
    qn_pack_bin(&out, qn_buf_view(take_entry));
    qn_buf_deinit(take_entry);
    rig_frame(&rig, &out);
}

static void rotate_to(const struct qn_signer *key)
{
    struct qn_buf entry;
    rotate_entry(rig.world.ledger, key, &entry);
    say_rotate(&entry);
}

static void is_refused(const char *code)
{
    cr_assert_eq(rig_count(&rig, QN_MSG_GUEST_REFUSED), 1);
    struct qn_buf *last = &rig.frames.items[rig.frames.count - 1];
    struct qn_cursor cursor = qn_cursor(qn_buf_view(last));
    struct qn_span said;
    uint64_t number;
    size_t count;
    cr_assert_eq(qn_cursor_array(&cursor, 2, &count), QN_OK);
    cr_assert_eq(qn_cursor_u64(&cursor, &number), QN_OK);
    cr_assert_eq(qn_cursor_str(&cursor, 64, &said), QN_OK);
    cr_assert(qn_span_eq_str(said, code), "%.*s", (int)said.size, said.data);
    cr_assert(rig.has_closed);
    cr_assert_eq(rig.intents.count, 0);
}

/* Without a word about the group. */
static void is_thrown_out(void)
{
    cr_assert(rig.has_closed);
    cr_assert_str_eq(rig.note, "bad-guest");
    cr_assert_eq(rig.frames.count, 0);
    cr_assert_eq(rig.intents.count, 0);
}

static const struct qn_site *lost(void)
{
    return qn_group_site(qn_core_group(rig.core), &rig.world.sites[LOST].id);
}

static bool allows_guests(void)
{
    size_t count;
    bool allows;
    qn_core_admitted(rig.core, &count, &allows);
    return allows;
}

Test(recover, the_door_is_open_without_an_invitation)
{
    cr_assert(allows_guests());
    rig_wait(&rig, 1000 * WORLD_HOUR_MS);
    cr_assert(allows_guests());
}

Test(recover, the_key_changes_and_the_identity_stays)
{
    rig_guest(&rig, fresh);
    hello_of(LOST);
    cr_assert_eq(rig_count(&rig, QN_MSG_GUEST_LEDGER), 1);
    rotate_to(fresh);
    cr_assert_eq(rig_count(&rig, QN_MSG_GUEST_ADMITTED), 0, "not before it is durable");
    rig_commit(&rig);
    cr_assert_eq(rig_count(&rig, QN_MSG_GUEST_ADMITTED), 1);
    cr_assert_not_null(lost());
    cr_assert(qn_public_key_eq(&lost()->keys.site, qn_signer_public(fresh)));
    size_t count;
    bool allows;
    const struct qn_public_key *keys = qn_core_admitted(rig.core, &count, &allows);
    cr_assert_eq(count, 1);
    cr_assert(qn_public_key_eq(&keys[0], qn_signer_public(fresh)), "the old one is let in no more");
}

Test(recover, the_link_of_the_old_key_ends)
{
    rig_link(&rig);
    rig_forget(&rig);
    struct qn_buf entry, payload;
    rotate_entry(rig.world.ledger, fresh, &entry);
    qn_buf_init(&payload, QN_FRAME_SIZE_MAX);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, qn_buf_view(&entry));
    qn_buf_deinit(&entry);
    rig_write(&rig, qn_intent_new(QN_INTENT_LEDGER_MERGE, UINT64_MAX, &payload));
    rig_start(&rig); /* with the new key known */
    rig_link(&rig);  /* of the old one */
    cr_assert(rig.has_closed);
}

/* [RotateKey of LOST to `key`], as it comes from the site itself. */
static void tell(const struct qn_signer *key)
{
    struct qn_buf entry, out;
    rotate_entry(rig.world.ledger, key, &entry);
    rig_message(&out, QN_MSG_KEY_TELL, 1);
    qn_pack_array(&out, 1);
    qn_pack_bin(&out, qn_buf_view(&entry));
    qn_buf_deinit(&entry);
    rig_frame(&rig, &out);
}

Test(recover, the_site_tells_its_new_key_itself)
{
    rig_guest(&rig, fresh);
    tell(fresh);
    cr_assert_eq(rig.frames.count, 0, "nothing of the group is told");
    rig_commit(&rig);
    cr_assert_str_eq(rig.note, "key-told");
    cr_assert(rig.has_closed);
    cr_assert(qn_public_key_eq(&lost()->keys.site, qn_signer_public(fresh)));
}

Test(recover, a_key_that_is_not_of_who_tells_it)
{
    struct qn_signer *other = world_signer("other", 1);
    rig_guest(&rig, other);
    tell(fresh);
    is_thrown_out();
    qn_signer_free(other);
}

Test(recover, a_new_key_that_the_kit_did_not_give)
{
    struct qn_buf entry, out;
    rig_guest(&rig, fresh);
    rotate_entry(rig.world.ledger, fresh, &entry);
    rig_message(&out, QN_MSG_KEY_TELL, 1);
    qn_pack_array(&out, 1);
    entry.data[entry.size - 80] ^= 1; /* before the entry's signature: in the proof */
    qn_pack_bin(&out, qn_buf_view(&entry));
    qn_buf_deinit(&entry);
    rig_frame(&rig, &out);
    if (rig.intents.count > 0)
        rig_commit(&rig);
    cr_assert(rig.has_closed);
    cr_assert_not(qn_public_key_eq(&lost()->keys.site, qn_signer_public(fresh)));
}

Test(recover, a_kit_of_nobody)
{
    rig_guest(&rig, fresh);
    hello(fresh, "quoin recover 1", exporter);
    is_refused("recover-unknown");
}

Test(recover, the_kit_of_the_site_that_is_asked)
{
    rig_guest(&rig, fresh);
    hello_of(0);
    is_refused("recover-here");
}

static void merge(size_t author, struct qn_buf *take_body)
{
    struct qn_buf payload, entry;
    bool is_new;
    cr_assert_eq(world_write(&rig.world, rig.world.ledger, author, take_body, &entry), QN_OK);
    cr_assert_eq(qn_ledger_add(rig.world.ledger, qn_buf_view(&entry), &is_new), QN_OK);
    qn_buf_init(&payload, QN_FRAME_SIZE_MAX);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, qn_buf_view(&entry));
    rig_write(&rig, qn_intent_new(QN_INTENT_LEDGER_MERGE, UINT64_MAX, &payload));
    qn_buf_deinit(take_body);
    qn_buf_deinit(&entry);
}

static void lost_withdraws(void)
{
    struct qn_buf body;
    world_withdraw_body(&rig.world, rig.world.ledger, LOST, &body);
    merge(LOST, &body);
}

Test(recover, the_kit_of_a_site_that_left)
{
    lost_withdraws();
    rig_start(&rig);
    rig_guest(&rig, fresh); /* the invitation still opens the door */
    hello_of(LOST);
    is_refused("recover-withdrawn");
}

Test(recover, a_signature_of_another_connection)
{
    uint8_t other[32] = {1};
    struct qn_signer *kit = world_signer("recovery", LOST);
    rig_guest(&rig, fresh);
    hello(kit, "quoin recover 1", other);
    qn_signer_free(kit);
    is_thrown_out();
}

Test(recover, a_signature_for_another_purpose)
{
    struct qn_signer *kit = world_signer("recovery", LOST);
    rig_guest(&rig, fresh);
    hello(kit, "quoin guest 1", exporter);
    qn_signer_free(kit);
    is_thrown_out();
}

Test(recover, nothing_before_the_proof)
{
    rig_guest(&rig, fresh);
    rotate_to(fresh);
    is_thrown_out();
}

Test(recover, a_key_that_is_not_the_guests_own)
{
    struct qn_signer *other = world_signer("fresh", 2);
    rig_guest(&rig, fresh);
    hello_of(LOST);
    rotate_to(other);
    cr_assert(rig.has_closed);
    cr_assert_eq(rig.intents.count, 0);
    qn_signer_free(other);
}

Test(recover, an_entry_that_is_no_rotation)
{
    struct qn_buf body, entry;
    rig_guest(&rig, fresh);
    hello_of(LOST);
    world_withdraw_body(&rig.world, rig.world.ledger, LOST, &body);
    cr_assert_eq(world_write(&rig.world, rig.world.ledger, LOST, &body, &entry), QN_OK);
    qn_buf_deinit(&body);
    say_rotate(&entry);
    cr_assert(rig.has_closed);
    cr_assert_eq(rig.intents.count, 0);
}

static void join_with_a_kit(void)
{
    struct qn_buf out;
    static const uint8_t zero[QN_SIGNATURE_SIZE];
    rig_message(&out, QN_MSG_GUEST_JOIN, 7);
    for (int i = 0; i < 3; i++)
        qn_pack_bin(&out, QN_SPAN_OF(qn_signer_public(fresh)->bytes));
    qn_pack_cstr(&out, "thief");
    qn_pack_cstr(&out, "");
    qn_pack_bin(&out, QN_SPAN_OF(zero));
    qn_pack_bin(&out, QN_SPAN_OF(zero));
    rig_frame(&rig, &out);
}

Test(recover, a_kit_is_no_invitation)
{
    rig_guest(&rig, fresh);
    hello_of(LOST);
    join_with_a_kit();
    cr_assert(rig.has_closed);
    cr_assert_eq(rig.intents.count, 0);
}

/* Both have the kit and asked from the same ledger. */
Test(recover, the_second_of_two_at_once_is_told)
{
    struct qn_signer *second = world_signer("fresh", 2);
    struct qn_buf late;
    rotate_entry(rig.world.ledger, second, &late);
    rig_guest(&rig, fresh);
    hello_of(LOST);
    rotate_to(fresh);
    rig_commit(&rig);
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_LINK});
    rig_guest(&rig, second);
    hello_of(LOST);
    say_rotate(&late);
    rig_commit(&rig);
    is_refused("recover-raced");
    cr_assert(qn_public_key_eq(&lost()->keys.site, qn_signer_public(fresh)));
    qn_signer_free(second);
}

/* The kit has the last word also over who rotated in between. */
Test(recover, it_can_be_recovered_again)
{
    struct qn_signer *second = world_signer("fresh", 2);
    rig_guest(&rig, fresh);
    hello_of(LOST);
    struct qn_buf entry;
    bool is_new;
    rotate_entry(rig.world.ledger, fresh, &entry);
    cr_assert_eq(qn_ledger_add(rig.world.ledger, qn_buf_view(&entry), &is_new), QN_OK);
    say_rotate(&entry);
    rig_commit(&rig);
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_LINK});
    rig_guest(&rig, second);
    hello_of(LOST);
    rotate_to(second);
    rig_commit(&rig);
    cr_assert_eq(rig_count(&rig, QN_MSG_GUEST_ADMITTED), 1);
    cr_assert(qn_public_key_eq(&lost()->keys.site, qn_signer_public(second)));
    cr_assert_eq(lost()->epochs.count, 3);
    qn_signer_free(second);
}

Test(recover, a_failed_commit_admits_nobody)
{
    rig_guest(&rig, fresh);
    hello_of(LOST);
    rotate_to(fresh);
    rig_fail_commit(&rig, QN_ERR_NOSPACE);
    is_refused("busy");
}

static void third_member(void)
{
    struct qn_buf payload;
    size_t count;
    world_join(&rig.world, 2, 0);
    count = qn_ledger_count(rig.world.ledger);
    qn_buf_init(&payload, QN_FRAME_SIZE_MAX);
    qn_pack_array(&payload, count);
    for (size_t i = 0; i < count; i++)
        qn_pack_bin(&payload, qn_ledger_entry(rig.world.ledger, i));
    rig_write(&rig, qn_intent_new(QN_INTENT_LEDGER_MERGE, UINT64_MAX, &payload));
}

static void be_in_doubt(void)
{
    struct qn_kv *kv = memkv_begin(rig.disk);
    cr_assert_eq(qn_doubt_put(kv, true), QN_OK);
    cr_assert_eq(memkv_commit(rig.disk), QN_OK);
    rig_start(&rig);
}

Test(recover, a_store_that_may_be_old_lets_nobody_back)
{
    third_member();
    be_in_doubt();
    rig_guest(&rig, fresh);
    hello_of(LOST);
    is_refused("in-doubt");
}

Test(recover, unless_nobody_else_is_there_to_end_the_doubt)
{
    be_in_doubt();
    rig_guest(&rig, fresh);
    hello_of(LOST);
    rotate_to(fresh);
    rig_commit(&rig);
    cr_assert_eq(rig_count(&rig, QN_MSG_GUEST_ADMITTED), 1);
}

/* ---- the machine that it was before, if it still runs ---- */

static void replace_own_key(void)
{
    struct qn_buf body, entry, payload;
    struct qn_signer *next;
    world_rotate_body(&rig.world, rig.world.ledger, 0, 1, true, &body);
    struct qn_signer *old = rig.world.sites[0].signer;
    rig.world.sites[0].signer = NULL;
    world_set_key(&rig.world, 0, 1);
    next = rig.world.sites[0].signer;
    cr_assert_eq(world_write(&rig.world, rig.world.ledger, 0, &body, &entry), QN_OK);
    rig.world.sites[0].signer = old;
    qn_signer_free(next);
    qn_buf_init(&payload, QN_FRAME_SIZE_MAX);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, qn_buf_view(&entry));
    rig_write(&rig, qn_intent_new(QN_INTENT_LEDGER_MERGE, UINT64_MAX, &payload));
    qn_buf_deinit(&body);
    qn_buf_deinit(&entry);
    rig_start(&rig);
}

Test(recover, a_replaced_key_does_nothing_any_more)
{
    QN_AUTO_BUF struct qn_buf args, status;
    replace_own_key();
    cr_assert_not(allows_guests());
    qn_buf_init(&args, 256);
    qn_pack_map(&args, 2);
    qn_pack_cstr(&args, "members");
    qn_pack_nil(&args);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, "people");
    rig_request(&rig, "collection.create", &args);
    cr_assert_str_eq(rig.code, "key-replaced");
    qn_buf_init(&status, 65536);
    qn_core_status(rig.core, &(struct qn_health){.wall_ms = WORLD_START_MS}, &status);
    cr_assert_not_null(memmem(status.data, status.size, "key-replaced", 12));
}

/* ---- coming back with an invitation ---- */

static void come_with_invitation(uint64_t number)
{
    struct qn_buf out;
    struct qn_signature signature;
    struct qn_signer *invite = world_signer("invite", number);
    rig_guest(&rig, rig.world.sites[LOST].signer);
    cr_assert_eq(qn_signer_sign(invite, "quoin guest 1", qn_span(exporter, 32), &signature), QN_OK);
    rig_message(&out, QN_MSG_GUEST_HELLO, 3);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION);
    qn_pack_bin(&out, QN_SPAN_OF(qn_signer_public(invite)->bytes));
    qn_pack_bin(&out, QN_SPAN_OF(signature.bytes));
    rig_frame(&rig, &out);
    qn_signer_free(invite);
}

static void join_as_lost(uint64_t number, const struct qn_site_keys *keys)
{
    struct qn_buf out;
    const struct world_site *site = &rig.world.sites[LOST];
    struct qn_signer *invite = world_signer("invite", number);
    struct qn_body_admit admit = {
        .invite_key = *qn_signer_public(invite), .keys = *keys, .name = qn_span_str(site->name)};
    cr_assert_eq(qn_admit_sign(&rig.world.group, invite, site->signer, &admit), QN_OK);
    rig_message(&out, QN_MSG_GUEST_JOIN, 7);
    qn_pack_bin(&out, QN_SPAN_OF(keys->site.bytes));
    qn_pack_bin(&out, QN_SPAN_OF(keys->recovery_sign.bytes));
    qn_pack_bin(&out, QN_SPAN_OF(keys->recovery_seal.bytes));
    qn_pack_cstr(&out, site->name);
    qn_pack_cstr(&out, "");
    qn_pack_bin(&out, QN_SPAN_OF(admit.by_invite.bytes));
    qn_pack_bin(&out, QN_SPAN_OF(admit.by_site.bytes));
    rig_frame(&rig, &out);
    qn_signer_free(invite);
}

static void invite_again(uint64_t number)
{
    struct qn_buf body;
    lost_withdraws();
    world_invite_body(&rig.world, number, UINT64_C(1) << 46, &body);
    merge(0, &body);
    rig_start(&rig);
}

Test(recover, a_site_that_left_needs_a_new_invitation)
{
    lost_withdraws();
    rig_start(&rig);
    come_with_invitation(LOST); /* the one that it came with */
    is_refused("invitation-used");
}

Test(recover, and_comes_back_with_one)
{
    invite_again(70);
    come_with_invitation(70);
    join_as_lost(70, &rig.world.sites[LOST].keys);
    cr_assert_eq(rig.intents.count, 1);
    rig_commit(&rig);
    cr_assert_eq(rig_count(&rig, QN_MSG_GUEST_ADMITTED), 1);
    cr_assert_eq(lost()->state, QN_SITE_MEMBER);
}

Test(recover, but_not_with_another_kit)
{
    struct qn_site_keys keys = rig.world.sites[LOST].keys;
    invite_again(70);
    keys.recovery_sign = *qn_signer_public(fresh);
    come_with_invitation(70);
    join_as_lost(70, &keys);
    is_refused("kit-differs");
    keys = rig.world.sites[LOST].keys;
    keys.recovery_seal.bytes[0] ^= 1;
    come_with_invitation(70);
    join_as_lost(70, &keys);
    is_refused("kit-differs");
}
