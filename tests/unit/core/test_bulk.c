/* The second connection: who makes it and when, what ends it, and what comes too late. */
#include <criterion/criterion.h>

#include "core/bulk.h"
#include "support/core_rig.h"

#define BULK_LINK 90

static struct rig rig;

static struct peer *peer(void)
{
    return rig.core->peers.items[0];
}

static struct bulk *bulk(void)
{
    return peer()->bulk;
}

static void start(void)
{
    rig_init(&rig, 1);
    rig_start(&rig);
    strcpy(peer()->hint, "192.0.2.1:8404");
}

static void stop(void)
{
    rig_deinit(&rig);
}

TestSuite(bulk, .init = start, .fini = stop);

/* ---- what the last step asked for ---- */

static size_t count_effects(enum qn_effect_kind kind, qn_link link)
{
    size_t count = 0;
    qn_vec_each (&rig.update.effects, effect)
        count += effect->kind == kind && effect->link == link;
    return count;
}

/* The token of the bulk dial; 0: there was none. */
static uint64_t dialled(void)
{
    qn_vec_each (&rig.update.effects, effect)
        if (effect->kind == QN_EFFECT_DIAL && effect->link_kind == QN_LINK_BULK) {
            cr_assert(effect->has_expected);
            return effect->token;
        }
    return 0;
}

static size_t called(void)
{
    return rig_count(&rig, QN_MSG_BULK_CALL);
}

/* ---- what happens ---- */

static void link_first(bool is_dialled)
{
    rig_link(&rig);
    rig_commit(&rig);
    peer()->session->is_dialled = is_dialled;
}

/* What waits for a dial that was put off does so at most `ms`; returns its token. */
static uint64_t dial_within(uint64_t ms)
{
    uint64_t end_ms = rig.now_ms + ms, token = dialled();
    while (token == 0 && rig.now_ms < end_ms) {
        bulk_want(rig.core, bulk());
        rig_wait(&rig, 50);
        token = dialled();
    }
    return token;
}

static void up(qn_link link, uint64_t token)
{
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_LINK_UP,
                                     .link_kind = QN_LINK_BULK,
                                     .link = link,
                                     .token = token,
                                     .is_dialled = token != 0,
                                     .key = rig.world.sites[1].keys.site});
}

static void frame(qn_link link, struct qn_buf *take_bytes)
{
    rig_step(&rig, (struct qn_event){
                       .kind = QN_EVENT_FRAME, .link = link, .frame = qn_buf_view(take_bytes)});
    qn_buf_deinit(take_bytes);
}

static void hello(qn_link link, const struct qn_digest *group)
{
    struct qn_buf out;
    rig_message(&out, QN_MSG_BULK_HELLO, 3);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION_MIN);
    qn_pack_u64(&out, QN_PROTOCOL_VERSION);
    qn_pack_bin(&out, QN_SPAN_OF(group->bytes));
    frame(link, &out);
}

static void come_up(void)
{
    up(BULK_LINK, dial_within(60000));
    hello(BULK_LINK, &rig.world.group);
    cr_assert(bulk_is_up(bulk()));
}

static void fail_dial(uint64_t token, enum qn_err err)
{
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_DIAL_FAILED, .token = token, .err = err});
}

/* ---- making it ---- */

Test(bulk, is_made_when_it_is_wanted_and_the_first_is_up)
{
    bulk_want(rig.core, bulk());
    rig_wait(&rig, 100000);
    cr_assert_eq(dialled(), 0);
    bulk()->is_wanted = false;
    link_first(true);
    rig_wait(&rig, 100000);
    cr_assert_eq(dialled(), 0);
    bulk_want(rig.core, bulk());
    rig_wait(&rig, 1);
    cr_assert_neq(dialled(), 0);
    cr_assert_eq(called(), 0);
    rig_wait(&rig, 5000);
    cr_assert_eq(dialled(), 0, "one at a time");
}

Test(bulk, who_was_dialled_calls_and_then_dials)
{
    link_first(false);
    bulk_want(rig.core, bulk());
    rig_wait(&rig, 1);
    cr_assert_eq(dialled(), 0);
    cr_assert_eq(called(), 1);
    rig_wait(&rig, BULK_CALL_MS - 10);
    cr_assert_eq(dialled(), 0);
    rig_wait(&rig, 20);
    uint64_t token = dialled();
    cr_assert_neq(token, 0);
    fail_dial(token, QN_ERR_TIMEOUT);
    rig_wait(&rig, 2000);
    cr_assert_eq(called(), 2);
}

Test(bulk, who_dialled_calls_after_a_dial_that_failed)
{
    link_first(true);
    fail_dial(dial_within(1000), QN_ERR_TIMEOUT);
    cr_assert_eq(called(), 0);
    rig_wait(&rig, 1000);
    cr_assert_eq(called(), 1);
    up(BULK_LINK, 0); /* it dials us */
    hello(BULK_LINK, &rig.world.group);
    cr_assert(bulk_is_up(bulk()));
    rig_wait(&rig, BULK_CALL_MS);
    cr_assert_eq(dialled(), 0);
}

Test(bulk, one_dial_for_a_call)
{
    struct qn_buf out;
    link_first(false);
    rig_message(&out, QN_MSG_BULK_CALL, 0);
    rig_frame(&rig, &out);
    uint64_t token = dialled();
    cr_assert_neq(token, 0);
    fail_dial(token, QN_ERR_TIMEOUT);
    rig_wait(&rig, 100000);
    cr_assert_eq(dialled(), 0);
    cr_assert_eq(called(), 0);
}

Test(bulk, two_that_call_each_other_do_not_wait)
{
    struct qn_buf out;
    link_first(false);
    bulk_want(rig.core, bulk());
    rig_wait(&rig, 1);
    cr_assert_eq(called(), 1);
    rig_message(&out, QN_MSG_BULK_CALL, 0);
    rig_frame(&rig, &out);
    cr_assert_neq(dialled(), 0);
}

Test(bulk, a_call_on_a_connection_that_was_replaced_is_said_again)
{
    link_first(false);
    bulk_want(rig.core, bulk());
    rig_wait(&rig, 1);
    cr_assert_eq(called(), 1);
    rig_link(&rig);
    peer()->session->link = RIG_LINK + 1; /* of the same number in the rig */
    rig_wait(&rig, 100);
    cr_assert_eq(called(), 2);
    rig_wait(&rig, 100);
    cr_assert_eq(called(), 2);
}

Test(bulk, of_two_connections_the_one_of_the_smaller_identity_stays)
{
    bool we_are_smaller = qn_site_id_cmp(&rig.core->site, &peer()->site) < 0;
    link_first(true);
    come_up();
    up(BULK_LINK + 1, 0);
    cr_assert_eq(count_effects(QN_EFFECT_CLOSE, we_are_smaller ? BULK_LINK + 1 : BULK_LINK), 1);
    cr_assert_eq(bulk()->link, we_are_smaller ? BULK_LINK : BULK_LINK + 1);
    up(BULK_LINK + 2, we_are_smaller ? 5 : 0); /* of the same dialler the newer one */
    cr_assert_eq(bulk()->link, BULK_LINK + 2);
}

Test(bulk, members_only)
{
    rig_step(&rig, (struct qn_event){.kind = QN_EVENT_LINK_UP,
                                     .link_kind = QN_LINK_BULK,
                                     .link = BULK_LINK,
                                     .key = rig.world.sites[2].keys.site});
    cr_assert_eq(count_effects(QN_EFFECT_CLOSE, BULK_LINK), 1);
    cr_assert_eq(count_effects(QN_EFFECT_SEND, BULK_LINK), 0);
}

/* ---- ending it ---- */

Test(bulk, ends_after_a_minute_without_work)
{
    link_first(true);
    come_up();
    cr_assert_not(bulk()->is_wanted);
    rig_wait(&rig, BULK_IDLE_MS - 10);
    cr_assert_eq(count_effects(QN_EFFECT_CLOSE, BULK_LINK), 0);
    rig_wait(&rig, 20);
    cr_assert_eq(count_effects(QN_EFFECT_CLOSE, BULK_LINK), 1);
    cr_assert_not(bulk_is_up(bulk()));
    rig_wait(&rig, 10000);
    cr_assert_eq(dialled(), 0);
    cr_assert_neq(dial_within(1000), 0);
}

Test(bulk, is_made_again_after_it_broke_if_it_is_wanted)
{
    link_first(true);
    come_up();
    rig_step(&rig, (struct qn_event){
                       .kind = QN_EVENT_LINK_DOWN, .link = BULK_LINK, .err = QN_ERR_TIMEOUT});
    cr_assert_not(bulk_is_up(bulk()));
    cr_assert_neq(dial_within(300), 0);
}

Test(bulk, no_word_before_hello_and_one_hello)
{
    struct qn_buf out;
    link_first(true);
    up(BULK_LINK, dial_within(1000));
    cr_assert_eq(rig_count(&rig, QN_MSG_BULK_HELLO), 1);
    rig_message(&out, QN_MSG_VAULT_STATE, 0);
    frame(BULK_LINK, &out);
    cr_assert_eq(count_effects(QN_EFFECT_CLOSE, BULK_LINK), 1);
    come_up();
    hello(BULK_LINK, &rig.world.group);
    cr_assert_eq(count_effects(QN_EFFECT_CLOSE, BULK_LINK), 1);
}

Test(bulk, not_with_another_group)
{
    struct qn_digest other = rig.world.group;
    other.bytes[5] ^= 1;
    link_first(true);
    up(BULK_LINK, dial_within(1000));
    rig_forget(&rig);
    hello(BULK_LINK, &other);
    cr_assert_eq(count_effects(QN_EFFECT_CLOSE, BULK_LINK), 1);
    cr_assert_str_eq(rig.note, "bad-frame");
}

Test(bulk, messages_of_a_newer_version_are_passed_over)
{
    struct qn_buf out;
    link_first(true);
    come_up();
    rig_message(&out, (enum qn_message)250, 1);
    qn_pack_nil(&out);
    frame(BULK_LINK, &out);
    cr_assert(bulk_is_up(bulk()));
}

static void break_rules(void)
{
    struct qn_buf out;
    qn_buf_init(&out, 16);
    qn_pack_nil(&out);
    frame(BULK_LINK, &out);
    cr_assert_not(bulk_is_up(bulk()));
}

Test(bulk, one_that_breaks_the_rules_is_dialled_ever_more_rarely)
{
    uint64_t wait_ms = 0;
    link_first(true);
    for (int i = 0; i < 15; i++) {
        come_up();
        break_rules();
        cr_assert_geq(bulk()->dial_ms - rig.now_ms, wait_ms * 6 / 5, "with jitter either way");
        cr_assert_leq(bulk()->dial_ms - rig.now_ms, BULK_DIAL_BAD_MS * 5 / 4);
        wait_ms = i < 9 ? bulk()->dial_ms - rig.now_ms : 0;
        rig_wait(&rig, bulk()->dial_ms - rig.now_ms);
    }
    cr_assert_geq(bulk()->failures, 15);
    come_up();
    for (int i = 0; i < 3; i++) { /* it behaves for more than a minute */
        struct qn_buf out;
        rig_message(&out, (enum qn_message)250, 0);
        frame(BULK_LINK, &out);
        rig_wait(&rig, BULK_IDLE_MS / 2);
    }
    break_rules();
    cr_assert_eq(bulk()->failures, 1);
}

Test(bulk, an_older_peer_refuses_it_and_is_asked_rarely)
{
    size_t dials = 0;
    link_first(true);
    for (uint64_t end_ms = rig.now_ms + 3600000; rig.now_ms < end_ms;) {
        uint64_t token = dial_within(3600000);
        if (token != 0)
            fail_dial(token, QN_ERR_DENIED);
        dials += token != 0;
    }
    cr_assert(dials > 10 && dials < 40, "%zu", dials);
    cr_assert(peer()->session != NULL, "the first connection knows nothing of it");
}

/* ---- what is little, on the first connection ---- */

static void say_first(enum qn_message number, size_t size)
{
    struct qn_buf out;
    rig_message(&out, number, 1);
    uint8_t *bytes = qn_alloc(size);
    memset(bytes, 0, size);
    qn_pack_bin(&out, qn_span(bytes, size));
    rig_frame(&rig, &out);
    qn_free(bytes);
}

static void ask_first(void)
{
    struct qn_buf out;
    struct qn_digest sum = {{0}};
    rig_message(&out, QN_MSG_VAULT_ASK, 3);
    qn_pack_bin(&out, qn_digest_view(&sum));
    qn_pack_bin(&out, qn_digest_view(&sum));
    qn_pack_u64(&out, 0);
    rig_frame(&rig, &out);
}

Test(bulk, little_is_said_on_the_first_until_it_is_idle)
{
    link_first(true);
    bulk_want_little(rig.core, bulk());
    rig_wait(&rig, 1);
    cr_assert(bulk_is_up(bulk()) && !bulk_is_wide(bulk()));
    cr_assert_eq(dialled(), 0);
    qn_link link = bulk()->link;
    rig_wait(&rig, BULK_IDLE_MS + 10);
    cr_assert_not(bulk_is_up(bulk()));
    bulk_want_little(rig.core, bulk());
    rig_wait(&rig, 1);
    cr_assert(bulk_is_up(bulk()));
    cr_assert_neq(bulk()->link, link, "an answer to before is not one to now");
    rig_step(&rig,
             (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_LINK, .err = QN_ERR_CLOSED});
    cr_assert_not(bulk_is_up(bulk()));
}

Test(bulk, who_is_asked_on_the_first_answers_there)
{
    link_first(false);
    ask_first();
    cr_assert(bulk()->is_narrow);
    cr_assert_eq(rig_count(&rig, QN_MSG_VAULT_REFUSED), 1, "nobody keeps anything here");
    cr_assert_not(rig.has_closed);
}

Test(bulk, the_second_connection_takes_over)
{
    link_first(true);
    bulk_want_little(rig.core, bulk());
    rig_wait(&rig, 1);
    cr_assert(bulk()->is_narrow);
    come_up();
    cr_assert(bulk_is_wide(bulk()));
    say_first(QN_MSG_VAULT_STATE, 1);
    cr_assert(bulk_is_wide(bulk()), "an answer that nobody waits for");
    ask_first();
    cr_assert(bulk_is_wide(bulk()), "asked before it knew of the second");
    rig_wait(&rig, BULK_YOUNG_MS);
    ask_first();
    cr_assert(bulk()->is_narrow, "it has ended there");
    cr_assert_not(rig.has_closed);
}

Test(bulk, only_what_is_little_may_be_said_on_the_first)
{
    static const enum qn_message much[] = {
        QN_MSG_NAMES_ASK, QN_MSG_NAMES,    QN_MSG_PACK_OFFER, QN_MSG_PACK_OFFERED, QN_MSG_PACK_PUT,
        QN_MSG_PACK_ACK,  QN_MSG_PACK_GET, QN_MSG_PACK_DATA,  QN_MSG_LIST_GET,     QN_MSG_LIST_DATA,
    };
    for (size_t i = 0; i < sizeof(much) / sizeof(much[0]); i++) {
        link_first(true);
        rig_forget(&rig);
        rig.has_closed = false;
        say_first(much[i], 1);
        cr_assert(rig.has_closed, "%d", (int)much[i]);
        cr_assert_str_eq(rig.note, "bad-frame");
    }
    link_first(true);
    rig.has_closed = false;
    say_first(QN_MSG_LIST_PUT, BULK_NARROW_FRAME);
    cr_assert(rig.has_closed);
}

/* ---- what comes too late ---- */

Test(bulk, answers_for_who_is_gone_are_dropped)
{
    static const enum pending_kind kinds[] = {PENDING_OFFSITE, PENDING_HOLD, PENDING_FETCH};
    link_first(true);
    come_up();
    size_t before = rig.core->pending.count; /* what is read at the start */
    for (size_t i = 0; i < 3; i++) {
        uint64_t tokens[2];
        for (size_t k = 0; k < 2; k++) {
            struct qn_file_work *work = QN_NEW(struct qn_file_work);
            rig.core->update = &rig.update;
            struct pending *pending = bulk_file(rig.core, bulk(), work, kinds[i], 77);
            rig.core->update = NULL;
            cr_assert(qn_site_id_eq(&pending->site, &peer()->site));
            cr_assert_eq(pending->link, BULK_LINK);
            cr_assert_eq(pending->seq, 77);
            pending->site.bytes[0] ^= (uint8_t)k; /* of a site that left */
            tokens[k] = pending->token;
        }
        for (size_t k = 0; k < 2; k++) {
            struct qn_file_result result = {.token = tokens[k], .err = QN_ERR_NOTFOUND};
            rig_step(&rig, (struct qn_event){.kind = QN_EVENT_FILE, .file = &result});
            rig_step(&rig, (struct qn_event){.kind = QN_EVENT_FILE, .file = &result});
        }
    }
    cr_assert_eq(rig.core->pending.count, before);
}
