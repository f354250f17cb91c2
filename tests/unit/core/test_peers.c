/* Who can be reached where, and what of the ledger goes to whom, in whatever order it is heard. */
#include <criterion/criterion.h>

#include "core/state.h"
#include "support/core_rig.h"

#define NEWCOMER 2

static struct rig rig;

static void setup(void)
{
    rig_init(&rig, 1);
    rig_start(&rig);
    rig_link(&rig);
    rig_commit(&rig);
    rig_forget(&rig);
}

static void teardown(void)
{
    rig_deinit(&rig);
}

TestSuite(peers, .init = setup, .fini = teardown);

/* The peer says where a site is. */
static void announce(const struct qn_signer *signer, const char *address)
{
    struct qn_announcement said = {.site = rig.world.sites[NEWCOMER].id,
                                   .hlc = world_tick(&rig.world),
                                   .address_count = 1,
                                   .addresses = {qn_span_str(address)},
                                   .version = qn_span_str("1")};
    QN_AUTO_BUF struct qn_buf packed;
    struct qn_buf out;
    qn_buf_init(&packed, QN_ANNOUNCEMENT_SIZE_MAX);
    cr_assert_eq(qn_announcement_sign(&said, signer, &packed), QN_OK);
    rig_message(&out, QN_MSG_ANNOUNCE, 1);
    qn_pack_array(&out, 1);
    qn_pack_bin(&out, qn_buf_view(&packed));
    rig_frame(&rig, &out);
}

/* What the world's ledger has and this site lacks, from the peer; and it is stored. */
static void hear_ledger(void)
{
    QN_AUTO_BUF struct qn_buf heads, entries;
    struct qn_buf out;
    size_t count;
    qn_buf_init(&heads, QN_FRAME_SIZE_MAX);
    qn_buf_init(&entries, QN_FRAME_SIZE_MAX);
    qn_ledger_pack_heads(rig.core->ledger, &heads);
    struct qn_cursor cursor = qn_cursor(qn_buf_view(&heads));
    cr_assert_eq(
        qn_ledger_pack_missing(rig.world.ledger, &cursor, QN_FRAME_SIZE_MAX / 2, &entries, &count),
        QN_OK);
    cr_assert_gt(count, 0);
    rig_message(&out, QN_MSG_LEDGER, 1);
    qn_pack_raw(&out, qn_buf_view(&entries));
    rig_frame(&rig, &out);
    rig_commit(&rig);
}

static const struct peer *newcomer(void)
{
    return core_peer(rig.core, &rig.world.sites[NEWCOMER].id);
}

Test(peers, an_announcement_that_comes_before_its_site_counts)
{
    announce(rig.world.sites[NEWCOMER].signer, "luzech:7117");
    cr_assert_null(newcomer());
    world_join(&rig.world, NEWCOMER, 1);
    hear_ledger();
    cr_assert_not_null(newcomer());
    cr_assert_eq(newcomer()->said.address_count, 1, "it is not said again");
    cr_assert_neq(newcomer()->dial_token, 0);
    cr_assert_eq(rig.core->early.count, 0);
}

Test(peers, one_that_is_not_the_sites_never_counts)
{
    struct qn_signer *other = world_signer("other", 1);
    announce(other, "thief:7117");
    world_join(&rig.world, NEWCOMER, 1);
    hear_ledger();
    cr_assert_eq(newcomer()->said.address_count, 0);
    announce(rig.world.sites[NEWCOMER].signer, "luzech:7117");
    cr_assert_eq(newcomer()->said.address_count, 1);
    qn_signer_free(other);
}

Test(peers, early_ones_are_bounded)
{
    struct qn_site_id *id = &rig.world.sites[NEWCOMER].id;
    for (unsigned i = 0; i < 3 * QN_SITES_MAX; i++) {
        qn_write_u32(id->bytes, i / 2); /* each says it twice */
        announce(rig.world.sites[NEWCOMER].signer, "nowhere:1");
    }
    cr_assert_eq(rig.core->early.count, QN_SITES_MAX);
}

/* It would hang up on who left, and never hear what else that site knew. */
Test(peers, nothing_goes_ahead_of_the_comparison)
{
    struct qn_event up = {.kind = QN_EVENT_LINK_UP,
                          .link = RIG_LINK,
                          .link_kind = QN_LINK_MEMBER,
                          .key = rig.world.sites[1].keys.site};
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_LINK});
    rig_step(&rig, up);
    rig_forget(&rig);
    QN_AUTO_BUF struct qn_buf args;
    qn_buf_init(&args, 64);
    qn_pack_map(&args, 1);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, rig.world.sites[0].name);
    rig_request(&rig, "site.withdraw", &args);
    rig_read_all(&rig, QN_OK);
    rig_commit(&rig);
    cr_assert_not(core_is_member(rig.core));
    cr_assert_eq(rig_count(&rig, QN_MSG_LEDGER), 0);
}

/* All that is known is the address in the code, and whoever answers there has left. */
Test(peers, an_address_that_leads_to_nobody_known_is_not_dialled_again_at_once)
{
    struct joining *joining = &rig.core->joining;
    struct qn_event up = {.kind = QN_EVENT_LINK_UP,
                          .link = 99,
                          .link_kind = QN_LINK_MEMBER,
                          .is_dialled = true,
                          .key = rig.world.sites[NEWCOMER].keys.site};
    joining->code.address_count = 1;
    strcpy(joining->code.addresses[0], "luzech:7117");
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_LINK});
    rig_wait(&rig, 1);
    cr_assert_neq(joining->dial_token, 0);
    up.token = joining->dial_token;
    rig_step(&rig, up);
    cr_assert_eq(joining->dial_token, 0);
    rig_wait(&rig, 1);
    cr_assert_eq(joining->dial_token, 0);
    rig_wait(&rig, 20000);
    cr_assert_neq(joining->dial_token, 0);
}
