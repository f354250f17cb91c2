/* What is known of other sites is said where it differs, and else costs some bytes. */
#include <criterion/criterion.h>

#include "core/presence.h"
#include "support/core_rig.h"

#define SITES 22

static struct rig rig;

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
    rig_message(&out, QN_MSG_LEDGER, 1);
    qn_pack_raw(&out, qn_buf_view(&entries));
    rig_frame(&rig, &out);
    rig_commit(&rig);
}

static struct peer *peer_of(size_t site)
{
    return core_peer(rig.core, &rig.world.sites[site].id);
}

static void announce(size_t site)
{
    struct qn_announcement said = {.site = rig.world.sites[site].id,
                                   .hlc = world_tick(&rig.world),
                                   .address_count = 1,
                                   .addresses = {qn_span_str("luzech.example:7117")},
                                   .version = qn_span_str("1")};
    QN_AUTO_BUF struct qn_buf packed;
    struct qn_buf out;
    qn_buf_init(&packed, QN_ANNOUNCEMENT_SIZE_MAX);
    cr_assert_eq(qn_announcement_sign(&said, rig.world.sites[site].signer, &packed), QN_OK);
    rig_message(&out, QN_MSG_ANNOUNCE, 1);
    qn_pack_array(&out, 1);
    qn_pack_bin(&out, qn_buf_view(&packed));
    rig_frame(&rig, &out);
}

static void say_links(size_t site, uint64_t stamp)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_PRESENCE, 2);
    qn_pack_array(&out, 4);
    qn_pack_bin(&out, qn_span(rig.world.sites[site].id.bytes, 4));
    qn_pack_u64(&out, stamp);
    qn_pack_bin(&out, qn_span(rig.world.sites[1].id.bytes, 4));
    qn_pack_bin(&out, qn_span(NULL, 0));
    qn_pack_array(&out, 0);
    rig_frame(&rig, &out);
}

static void setup(void)
{
    rig_init(&rig, 1);
    rig_start(&rig);
    rig_link(&rig);
    rig_commit(&rig);
    for (size_t i = 2; i < SITES; i++)
        world_join(&rig.world, i, 0);
    hear_ledger();
    for (size_t i = 2; i < SITES; i++) {
        announce(i);
        say_links(i, 1000 + i);
    }
    rig_wait(&rig, 5000);
    rig_commit(&rig);
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_LINK});
    rig_wait(&rig, 5000);
    rig_forget(&rig);
}

static void teardown(void)
{
    rig_deinit(&rig);
}

TestSuite(summary, .init = setup, .fini = teardown);

/* The peer's HELLO, with those sums; none if NULL. */
static void connect(const struct qn_buf *sums)
{
    struct qn_buf out;
    struct qn_digest digest;
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_LINK_UP,
                                     .link = RIG_LINK,
                                     .key = rig.world.sites[1].keys.site});
    qn_ledger_digest(rig.world.ledger, &digest);
    rig_message(&out, QN_MSG_HELLO, sums == NULL ? 7 : 8);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION_MIN);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION);
    qn_pack_bin(&out, QN_SPAN_OF(rig.world.group.bytes));
    qn_pack_bin(&out, QN_SPAN_OF(digest.bytes));
    qn_pack_u64(&out, WORLD_START_MS);
    qn_pack_cstr(&out, "test");
    qn_pack_nil(&out);
    if (sums != NULL)
        qn_pack_raw(&out, qn_buf_view(sums));
    rig_frame(&rig, &out);
}

static size_t bytes_sent(void)
{
    size_t size = 0;
    qn_vec_each (&rig.frames, frame)
        size += frame->size;
    return size;
}

/* Those of the peer, if it knows what this site knows. */
static void equal_sums(struct qn_buf *ret_sums)
{
    qn_buf_init(ret_sums, 256);
    summary_pack(rig.core, peer_of(1), ret_sums);
}

Test(summary, where_all_is_known_nothing_of_it_is_said)
{
    QN_AUTO_BUF struct qn_buf sums;
    equal_sums(&sums);
    connect(&sums);
    cr_assert_eq(rig_count(&rig, QN_MSG_ANNOUNCE), 0);
    cr_assert_eq(rig_count(&rig, QN_MSG_SITES), 0);
    rig_wait(&rig, 5000);
    cr_assert_eq(rig_count(&rig, QN_MSG_PRESENCE), 1, "its own word");
    cr_assert_lt(bytes_sent(), 700, "%zu bytes", bytes_sent());
}

Test(summary, a_site_of_the_release_before_is_told_all)
{
    connect(NULL);
    cr_assert_eq(rig_count(&rig, QN_MSG_ANNOUNCE), 1);
    rig_wait(&rig, 5000);
    cr_assert_gt(bytes_sent(), 20 * 150);
}

static void hear_sites(uint64_t kind, uint64_t which, const struct qn_buf *items)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_SITES, 3);
    qn_pack_u64(&out, kind);
    qn_pack_u64(&out, which);
    qn_pack_bin(&out, qn_buf_view(items));
    rig_frame(&rig, &out);
}

static void add_item(struct qn_buf *items, size_t site, uint64_t age)
{
    qn_buf_append(items, rig.world.sites[site].id.bytes, 4);
    qn_buf_append_u64(items, age);
}

/* All that is known here, but for one site. */
static void list_others(struct qn_buf *items, enum summary_kind kind, size_t but)
{
    qn_buf_init(items, 4096);
    for (size_t i = 2; i < SITES; i++)
        if (i != but)
            add_item(items, i,
                     kind == SUMMARY_ADDRESSES ? peer_of(i)->said.hlc : peer_of(i)->presence.stamp);
}

Test(summary, what_the_other_end_lacks_is_said_and_no_more)
{
    QN_AUTO_BUF struct qn_buf sums, items, words;
    equal_sums(&sums);
    connect(&sums);
    rig_forget(&rig);
    list_others(&items, SUMMARY_ADDRESSES, 7);
    hear_sites(SUMMARY_ADDRESSES, 0xff, &items);
    cr_assert_eq(rig_count(&rig, QN_MSG_ANNOUNCE), 1);
    cr_assert_lt(bytes_sent(), 250);
    cr_assert_not_null(memmem(rig.frames.items[0].data, rig.frames.items[0].size,
                              rig.world.sites[7].id.bytes, 32));
    rig_forget(&rig);
    list_others(&words, SUMMARY_PRESENCE, 9);
    hear_sites(SUMMARY_PRESENCE, 0xff, &words);
    cr_assert_eq(rig_count(&rig, QN_MSG_PRESENCE), 1);
    cr_assert_lt(bytes_sent(), 60);
}

Test(summary, parts_that_differ_are_listed)
{
    QN_AUTO_BUF struct qn_buf sums;
    equal_sums(&sums);
    sums.data[2 + 4 * 3 + 3] ^= 1; /* of announcements, the fourth part */
    connect(&sums);
    cr_assert_eq(rig_count(&rig, QN_MSG_SITES), 1);
    cr_assert_eq(rig_count(&rig, QN_MSG_ANNOUNCE), 0);
}

Test(summary, what_is_newer_at_the_other_end_is_asked_for_once)
{
    QN_AUTO_BUF struct qn_buf sums, items;
    equal_sums(&sums);
    connect(&sums);
    rig_forget(&rig);
    list_others(&items, SUMMARY_ADDRESSES, 7);
    add_item(&items, 7, UINT64_MAX / 2);
    hear_sites(SUMMARY_ADDRESSES, 0xff, &items);
    cr_assert_eq(rig_count(&rig, QN_MSG_SITES), 1);
    hear_sites(SUMMARY_ADDRESSES, 0xff, &items);
    cr_assert_eq(rig_count(&rig, QN_MSG_SITES), 1);
    cr_assert_eq(rig_count(&rig, QN_MSG_ANNOUNCE), 0);
}

/* A member that this site's ledger does not have yet: what comes with the ledger is too late. */
Test(summary, who_is_not_known_here_is_asked_for)
{
    QN_AUTO_BUF struct qn_buf sums, items;
    equal_sums(&sums);
    connect(&sums);
    rig_forget(&rig);
    list_others(&items, SUMMARY_ADDRESSES, SITES);
    hear_sites(SUMMARY_ADDRESSES, 0x01, &items);
    cr_assert_eq(rig_count(&rig, QN_MSG_SITES), 0);
    qn_buf_append(&items, "new!", 4);
    qn_buf_append_u64(&items, 1);
    hear_sites(SUMMARY_ADDRESSES, 1u << ('n' >> 5), &items);
    cr_assert_eq(rig_count(&rig, QN_MSG_SITES), 1);
}

Test(summary, lists_of_anything_end_nothing)
{
    QN_AUTO_BUF struct qn_buf sums, items;
    equal_sums(&sums);
    connect(&sums);
    qn_buf_init(&items, 64);
    qn_buf_append(&items, "odd", 3);
    hear_sites(SUMMARY_PRESENCE, 0xff, &items);
    hear_sites(7, 0xff, &items);
    hear_sites(0, 0xffff, &items);
    cr_assert_not(rig.has_closed);
}
