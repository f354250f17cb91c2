/* The owner's side of bulk: what goes to a holder, in which order; what a cut costs; what a holder
 * may say and what ends its connection. The holder is tests/support/offsite_holder.c. */
#include <criterion/criterion.h>

#include "support/offsite_rig.h"

#define KIB   1024
#define RESTS 100000 /* units within which all comes to rest */

static struct offsite_rig rig;

static void start(void)
{
    offsite_rig_init(&rig);
}

static void stop(void)
{
    offsite_rig_deinit(&rig);
}

TestSuite(offsite, .init = start, .fini = stop, .timeout = 120);

static void rest(void)
{
    cr_assert(offsite_rig_run(&rig, RESTS, 5000), "it never comes to rest");
}

static const struct bulk *bulk_of_rig(void)
{
    return rig.rig.core->peers.items[0]->bulk;
}

static size_t sent(enum qn_message number)
{
    return rig_count(&rig.rig, number);
}

static void assert_bad(const char *note)
{
    cr_assert_not(rig.is_up, "the connection stays");
    cr_assert_str_eq(rig.rig.note, note);
}

/* ---- what should be ---- */

Test(offsite, everything_arrives_and_is_complete)
{
    offsite_rig_backup(&rig, 5, 200 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    cr_assert(rig.is_up);
    cr_assert_null(rig.rig.note);
    cr_assert(offsite_rig_has_all(&rig));
    cr_assert(offsite_rig_is_complete(&rig, 0));
    cr_assert_eq(offsite_rig_copy(&rig).own_packs, 5);
    cr_assert_eq(rig.put_bytes, 5 * 200 * KIB, "each byte once");
    cr_assert_eq(rig.key_epoch, 1);
    cr_assert_eq(rig.expected_ms, 24 * 3600 * 1000);
}

Test(offsite, who_waits_for_copies_is_answered_when_they_are_complete)
{
    offsite_rig_backup(&rig, 3, 100 * KIB, true);
    size_t before = rig.rig.replies;
    cr_assert(offsite_rig_run(&rig, RESTS, 10000));
    cr_assert_eq(rig.rig.replies, before, "not while they are missing");
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(rig.rig.replies, before + 1);
}

Test(offsite, who_waits_for_copies_is_answered_at_once_although_the_book_was_just_read)
{
    offsite_rig_up(&rig);
    rest();
    size_t before = rig.rig.replies;
    offsite_rig_backup(&rig, 1, KIB, true);
    cr_assert(offsite_rig_run(&rig, RESTS, BOOK_MS / 2));
    cr_assert(offsite_rig_is_complete(&rig, 0));
    cr_assert_eq(rig.rig.replies, before + 1);
}

Test(offsite, a_few_packs_go_once_a_second_while_the_run_goes_on)
{
    offsite_rig_up(&rig);
    rest();
    offsite_rig_begin_run(&rig);
    offsite_rig_store(&rig, 1, KIB);
    offsite_rig_store(&rig, 2, KIB);
    uint64_t end_ms = rig.rig.now_ms + PACKS_EVERY_MS / 2;
    while (rig.put_bytes == 0 && rig.rig.now_ms < end_ms) {
        cr_assert(offsite_rig_run(&rig, RESTS, 0));
        rig_wait(&rig.rig, 10);
    }
    cr_assert_eq(rig.put_bytes, KIB, "the first one at once, the others later");
    rest();
    cr_assert_eq(rig.put_bytes, 3 * KIB);
    cr_assert(offsite_rig_has_all(&rig));
}

Test(offsite, packs_go_while_the_run_goes_on)
{
    offsite_rig_up(&rig);
    rest();
    offsite_rig_begin_run(&rig);
    offsite_rig_store(&rig, PACKS_BATCH, 10 * KIB);
    rest();
    cr_assert(offsite_rig_has_all(&rig));
    offsite_rig_snapshot(&rig);
    rest();
    cr_assert(offsite_rig_is_complete(&rig, 0), "also of a run that is under way");
    offsite_rig_store(&rig, 2, 10 * KIB);
    offsite_rig_end_run(&rig);
    rest();
    cr_assert(offsite_rig_has_all(&rig));
}

Test(offsite, a_connection_is_wanted_when_there_is_something_to_send)
{
    struct bulk *bulk = rig.rig.core->peers.items[0]->bulk;
    offsite_rig_up(&rig);
    rest();
    offsite_rig_cut(&rig);
    rig_wait(&rig.rig, 2000);
    cr_assert(offsite_rig_run(&rig, RESTS, 2000));
    cr_assert_not(bulk->is_wanted, "nothing is to do");
    offsite_rig_backup(&rig, 1, 10 * KIB, true);
    cr_assert(offsite_rig_run(&rig, RESTS, 2000));
    cr_assert(bulk->is_wanted);
}

/* The book is looked into at most four times a second: what came since then is not what could not
 * be done before the connection ended. */
Test(offsite, a_cut_before_what_is_new_was_looked_at_does_not_put_it_off)
{
    struct bulk *bulk = rig.rig.core->peers.items[0]->bulk;
    offsite_rig_up(&rig);
    rest();
    offsite_rig_backup(&rig, 1, 10 * KIB, true);
    cr_assert(offsite_rig_run(&rig, RESTS, 0));
    cr_assert(offsite_rig_state(&rig)->is_dirty, "it is not looked at yet");
    offsite_rig_cut(&rig);
    cr_assert(offsite_rig_run(&rig, RESTS, 5000));
    cr_assert(bulk->is_wanted);
}

static void link_anew(void)
{
    rig_step(&rig.rig,
             (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_LINK, .err = QN_ERR_CLOSED});
    cr_assert_not(bulk_is_up(bulk_of_rig()));
    rest();
    rig_link(&rig.rig);
    rest();
}

Test(offsite, a_holder_is_heard_every_day)
{
    size_t asked = sent(QN_MSG_VAULT_ASK);
    rig.hears_first = true;
    link_anew();
    cr_assert_eq(sent(QN_MSG_VAULT_ASK), asked + 1, "and at the start");
    for (uint64_t ms = 0; ms < ASK_EVERY_MS; ms += ASK_EVERY_MS / 8) {
        cr_assert_eq(sent(QN_MSG_VAULT_ASK), asked + 1);
        rig_wait(&rig.rig, ASK_EVERY_MS / 8);
        rest();
    }
    cr_assert_eq(sent(QN_MSG_VAULT_ASK), asked + 2);
    cr_assert_not(bulk_of_rig()->is_wanted);
}

/* ---- on the first connection ---- */

/* Everything is there, and the second connection has gone. */
static void send_first(void)
{
    offsite_rig_backup(&rig, 5, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    cr_assert(offsite_rig_is_complete(&rig, 0));
    offsite_rig_cut(&rig);
    rest();
    cr_assert_not(bulk_of_rig()->is_wanted);
    rig.hears_first = true;
}

Test(offsite, a_run_without_packs_needs_no_second_connection)
{
    send_first();
    size_t lists = sent(QN_MSG_LIST_PUT);
    offsite_rig_backup(&rig, 0, 0, true);
    rest();
    cr_assert(offsite_rig_is_complete(&rig, 1));
    cr_assert_eq(sent(QN_MSG_LIST_PUT), lists + 1);
    offsite_rig_forget_first(&rig);
    offsite_rig_backup(&rig, 0, 0, true);
    rest();
    cr_assert(rig.lists.items[0].is_forgotten);
    cr_assert_not(bulk_of_rig()->is_wanted);
    cr_assert_null(rig.rig.note);
}

Test(offsite, the_holder_is_challenged_there_too)
{
    send_first();
    uint64_t verified_ms = offsite_rig_proof(&rig).verified_ms;
    for (unsigned i = 0; i < 2; i++) { /* a minute more, to be asked what it has */
        rig_wait(&rig.rig, PROOF_EVERY_MS);
        rest();
    }
    cr_assert_gt(offsite_rig_proof(&rig).verified_ms, verified_ms);
    cr_assert_not(bulk_of_rig()->is_wanted);
}

/* Nothing of what is too much goes there, and all of it on the second one. */
static void assert_needs_second(enum qn_message number)
{
    size_t before = sent(number);
    rest();
    cr_assert_eq(sent(number), before);
    cr_assert(bulk_of_rig()->is_wanted);
    cr_assert_not(rig.rig.has_closed);
    offsite_rig_up(&rig);
    rest();
    cr_assert_gt(sent(number), before);
    cr_assert_null(rig.rig.note);
    cr_assert(offsite_rig_has_all(&rig));
}

Test(offsite, packs_need_the_second_connection)
{
    send_first();
    offsite_rig_backup(&rig, 0, 0, true);
    rest();
    cr_assert_not(bulk_of_rig()->is_wanted);
    offsite_rig_backup(&rig, 2, 10 * KIB, true); /* while there was little to say */
    assert_needs_second(QN_MSG_PACK_PUT);
    cr_assert(offsite_rig_is_complete(&rig, 2));
}

Test(offsite, what_differs_needs_the_second_connection)
{
    send_first();
    rig.parts.items[2].is_whole = false;
    rig.parts.items[2].bytes.size = 0;
    offsite_rig_backup(&rig, 0, 0, true);
    assert_needs_second(QN_MSG_NAMES_ASK);
    cr_assert(offsite_rig_is_complete(&rig, 1));
}

Test(offsite, a_long_list_needs_the_second_connection)
{
    send_first();
    rig.sealed_size = BULK_NARROW_LIST;
    offsite_rig_backup(&rig, 0, 0, true);
    assert_needs_second(QN_MSG_LIST_PUT);
    cr_assert(offsite_rig_is_complete(&rig, 1));
}

/* An answer of before is not taken for one of now. */
Test(offsite, the_first_connection_breaks_in_the_middle)
{
    send_first();
    offsite_rig_backup(&rig, 0, 0, true);
    while (sent(QN_MSG_LIST_PUT) < 2)
        cr_assert(offsite_rig_run(&rig, 1, 2000) || rig.units > 0);
    rig_step(&rig.rig,
             (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_LINK, .err = QN_ERR_CLOSED});
    cr_assert_not(bulk_is_up(rig.rig.core->peers.items[0]->bulk));
    rest();
    rig_link(&rig.rig);
    rest();
    cr_assert(offsite_rig_is_complete(&rig, 1));
    cr_assert_str_eq(rig.rig.note, "offline", "and nothing else");
}

Test(offsite, one_without_an_agreement_gets_nothing)
{
    struct qn_buf body = {0}, entry = {0}, payload;
    struct rig *inner = &rig.rig;
    world_place_body(&inner->world, 1, 0, 0, &body); /* asks for nothing any more: it ends */
    cr_assert_eq(world_write(&inner->world, inner->core->ledger, 0, &body, &entry), QN_OK);
    qn_buf_init(&payload, 8192);
    qn_pack_array(&payload, 1);
    qn_pack_bin(&payload, qn_buf_view(&entry));
    qn_vec_push(&inner->intents, qn_intent_new(QN_INTENT_LEDGER_MERGE, UINT64_MAX, &payload));
    rig_commit(inner);
    qn_buf_deinit(&body);
    qn_buf_deinit(&entry);
    offsite_rig_backup(&rig, 3, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(sent(QN_MSG_PACK_OFFER), 0);
    cr_assert_eq(sent(QN_MSG_LIST_PUT), 0);
    cr_assert_eq(sent(QN_MSG_KEY_PUT), 0);
}

static void ask_plan(const char *command, const char *schedule)
{
    struct qn_buf args;
    qn_buf_init(&args, 256);
    qn_pack_map(&args, schedule == NULL ? 1 : 2);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, "house");
    if (schedule != NULL) {
        qn_pack_cstr(&args, "schedule");
        qn_pack_cstr(&args, schedule);
    }
    rig_request(&rig.rig, command, &args);
    qn_buf_deinit(&args);
    cr_assert_null(rig.rig.code, "%s", rig.rig.code);
}

Test(offsite, a_plan_that_goes_ends_the_sending)
{
    offsite_rig_backup(&rig, 6, 200 * KIB, true);
    offsite_rig_up(&rig);
    while (rig.put_bytes < 300 * KIB && offsite_rig_unit(&rig))
        ;
    ask_plan("backup.delete", NULL);
    rest();
    cr_assert(rig.is_up, "what was under way may still be answered");
    cr_assert_lt(rig.put_bytes, 600 * KIB);
    cr_assert_not(offsite_is_busy(rig.rig.core, rig.rig.core->peers.items[0]->bulk));
    size_t bytes = rig.put_bytes;
    offsite_rig_cut(&rig);
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(rig.put_bytes, bytes);
    cr_assert_eq(sent(QN_MSG_LIST_PUT), 0);
}

Test(offsite, a_plan_that_runs_more_often_is_expected_more_often)
{
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(rig.expected_ms, 24 * 3600 * 1000);
    ask_plan("backup.change", "hourly");
    rest();
    cr_assert_eq(rig.expected_ms, 3600 * 1000);
    ask_plan("backup.change", "manual");
    rest();
    cr_assert_eq(rig.expected_ms, 0);
    cr_assert(rig.is_up);
}

/* ---- cuts ---- */

/* After each unit of a whole exchange; then it is made again and comes to its end. */
Test(offsite, a_cut_anywhere_costs_what_was_not_acknowledged)
{
    offsite_rig_backup(&rig, 3, 150 * KIB, true);
    struct memkv *disk = memkv_clone(rig.rig.disk);
    offsite_rig_up(&rig);
    rest();
    size_t whole = rig.units;
    memkv_free(disk);
    for (size_t cut = 1; cut < whole; cut += 3) {
        stop();
        start();
        offsite_rig_backup(&rig, 3, 150 * KIB, true);
        size_t before = rig.units;
        offsite_rig_up(&rig);
        while (rig.units < before + cut && offsite_rig_unit(&rig))
            ;
        offsite_rig_cut(&rig);
        cr_assert(offsite_rig_run(&rig, RESTS, 0));
        offsite_rig_up(&rig);
        rest();
        cr_assert(rig.is_up, "cut %zu", cut);
        cr_assert(offsite_rig_has_all(&rig), "cut %zu", cut);
        cr_assert(offsite_rig_is_complete(&rig, 0), "cut %zu", cut);
        cr_assert_eq(rig.put_bytes, 3 * 150 * KIB, "cut %zu: it goes on at the byte", cut);
    }
}

Test(offsite, a_restart_goes_on_where_the_holder_stands)
{
    offsite_rig_backup(&rig, 4, 200 * KIB, true);
    offsite_rig_up(&rig);
    while (rig.put_bytes < 300 * KIB && offsite_rig_unit(&rig))
        ;
    rig.is_up = false;
    rig_start(&rig.rig);
    rig_link(&rig.rig);
    rest();
    offsite_rig_up(&rig);
    rest();
    cr_assert(offsite_rig_is_complete(&rig, 0));
    cr_assert_eq(rig.put_bytes, 4 * 200 * KIB);
}

Test(offsite, an_acknowledgement_that_cannot_be_noted_is_noted_later)
{
    offsite_rig_backup(&rig, 1, 10 * KIB, false);
    offsite_rig_up(&rig);
    while (rig.put_bytes < 10 * KIB && offsite_rig_unit(&rig))
        ;
    while (rig.rig.intents.count == 0 && offsite_rig_unit(&rig))
        ;
    rig_fail_commit(&rig.rig, QN_ERR_NOSPACE);
    cr_assert_eq(offsite_rig_copy(&rig).own_packs, 0);
    rest();
    cr_assert_eq(offsite_rig_copy(&rig).own_packs, 1);
}

/* ---- the two books ---- */

Test(offsite, what_the_holder_lost_is_sent_again)
{
    offsite_rig_backup(&rig, 12, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    offsite_rig_cut(&rig);
    for (size_t i = 2; i < 12; i += 3) {
        rig.parts.items[i].is_whole = false;
        qn_buf_reset(&rig.parts.items[i].bytes);
    }
    offsite_rig_up(&rig);
    rest();
    cr_assert(offsite_rig_has_all(&rig));
    cr_assert_eq(offsite_rig_copy(&rig).own_packs, 12);
    cr_assert(offsite_rig_is_complete(&rig, 0));
}

Test(offsite, a_list_that_the_holder_lost_is_sent_again)
{
    offsite_rig_backup(&rig, 2, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    offsite_rig_cut(&rig);
    qn_buf_deinit(&rig.lists.items[0].names);
    rig.lists.count = 0;
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(rig.lists.count, 1);
    cr_assert(offsite_rig_is_complete(&rig, 0));
}

/* The owner's store was restored from before: the holder has more than the book knows. */
Test(offsite, what_the_book_forgot_is_not_sent_again)
{
    offsite_rig_backup(&rig, 8, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    offsite_rig_cut(&rig);
    struct qn_buf payload;
    qn_buf_init(&payload, 128);
    qn_pack_array(&payload, 2);
    qn_pack_bin(&payload, QN_SPAN_OF(rig.rig.world.sites[1].id.bytes));
    qn_pack_u64(&payload, 1000);
    rig_write(&rig.rig, qn_intent_new(QN_INTENT_COPY_DROP, UINT64_MAX, &payload));
    cr_assert_eq(offsite_rig_copy(&rig).packs, 0);
    size_t bytes = rig.put_bytes, list_bytes = rig.list_bytes;
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(offsite_rig_copy(&rig).own_packs, 8);
    cr_assert(offsite_rig_is_complete(&rig, 0));
    cr_assert_eq(rig.put_bytes, bytes);
    cr_assert_eq(rig.list_bytes, list_bytes);
}

/* ---- lists ---- */

Test(offsite, a_backup_that_brought_little_costs_little)
{
    offsite_rig_backup(&rig, 60, 1 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    size_t whole = rig.list_bytes;
    offsite_rig_backup(&rig, 1, 1 * KIB, true);
    rest();
    cr_assert(offsite_rig_is_complete(&rig, 1));
    cr_assert_lt(rig.list_bytes - whole, 400, "as changes against the first");
    cr_assert_gt(whole, 60 * QN_DIGEST_SIZE);
}

Test(offsite, a_base_that_the_holder_does_not_have_is_done_without)
{
    offsite_rig_backup(&rig, 4, 1 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    rig.lies.no_base = true;
    offsite_rig_backup(&rig, 1, 1 * KIB, true);
    rest();
    cr_assert(offsite_rig_is_complete(&rig, 1));
    cr_assert_null(rig.rig.note);
}

Test(offsite, a_list_with_missing_packs_waits_for_them)
{
    offsite_rig_backup(&rig, 4, 10 * KIB, true);
    offsite_rig_up(&rig);
    while (rig.list_bytes == 0 && offsite_rig_unit(&rig)) {
        if (offsite_rig_copy(&rig).own_packs < 4)
            continue;
        if (rig.parts.items[1].is_whole && rig.lists.count == 0 && rig.put_bytes == 40 * KIB) {
            rig.parts.items[1].is_whole = false;
            qn_buf_reset(&rig.parts.items[1].bytes);
        }
    }
    rest();
    cr_assert_eq(rig.put_bytes, 50 * KIB, "one pack came twice");
    cr_assert(offsite_rig_has_all(&rig));
    cr_assert(offsite_rig_is_complete(&rig, 0));
}

Test(offsite, lists_of_snapshots_that_are_gone_are_forgotten)
{
    offsite_rig_backup(&rig, 2, 1 * KIB, true);
    offsite_rig_backup(&rig, 1, 1 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(rig.lists.count, 2);
    offsite_rig_cut(&rig);
    offsite_rig_forget_first(&rig);
    offsite_rig_up(&rig);
    rest();
    size_t forgotten = 0;
    qn_vec_each (&rig.lists, list)
        forgotten += list->is_forgotten;
    cr_assert_eq(forgotten, 1);
    cr_assert_eq(offsite_rig_copy(&rig).lists, 1);
    size_t asked = sent(QN_MSG_LIST_FORGET);
    offsite_rig_cut(&rig);
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(sent(QN_MSG_LIST_FORGET), asked, "once");
}

/* ---- the vault moves ---- */

Test(offsite, a_pack_that_is_pruned_meanwhile_is_passed_over)
{
    offsite_rig_begin_run(&rig);
    offsite_rig_store(&rig, 6, 150 * KIB);
    rig.packs[1].is_gone = rig.packs[4].is_gone = true;
    offsite_rig_snapshot(&rig);
    offsite_rig_up(&rig);
    rest();
    cr_assert(rig.is_up);
    cr_assert(offsite_rig_has_all(&rig));
    cr_assert_null(rig.rig.note);
    cr_assert_eq(offsite_bad_packs(rig.rig.core->peers.items[0]->bulk), 0);
}

Test(offsite, a_pack_that_nobody_has_is_told)
{
    offsite_rig_backup(&rig, 3, 10 * KIB, false);
    rig.packs[2].is_gone = true;
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(offsite_bad_packs(rig.rig.core->peers.items[0]->bulk), 1);
    cr_assert_eq(offsite_rig_copy(&rig).own_packs, 2);
}

/* ---- a full holder ---- */

Test(offsite, a_full_holder_is_asked_again_later)
{
    struct bulk *bulk = rig.rig.core->peers.items[0]->bulk;
    offsite_rig_backup(&rig, 6, 10 * KIB, true);
    rig.lies = (struct holder_lies){.offer = QN_OFFER_QUOTA, .offers_good = 2};
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(offsite_rig_copy(&rig).own_packs, 2);
    cr_assert(offsite_is_full(bulk));
    size_t offers = sent(QN_MSG_PACK_OFFER);
    cr_assert_leq(offers, 2);
    cr_assert(offsite_rig_run(&rig, RESTS, FULL_MS / 2));
    cr_assert_eq(sent(QN_MSG_PACK_OFFER), offers, "not in a busy loop");
    rig.lies = (struct holder_lies){0};
    if (!rig.is_up)
        offsite_rig_up(&rig);
    cr_assert(offsite_rig_run(&rig, RESTS, FULL_MS));
    if (!rig.is_up) {
        cr_assert(bulk->is_wanted);
        offsite_rig_up(&rig);
    }
    rest();
    cr_assert(offsite_rig_is_complete(&rig, 0));
    cr_assert_not(offsite_is_full(bulk));
}

Test(offsite, one_that_says_later_is_offered_again_after_a_minute)
{
    offsite_rig_backup(&rig, 2, 10 * KIB, true);
    rig.lies = (struct holder_lies){.offer = QN_OFFER_LATER, .offers_good = 1};
    offsite_rig_up(&rig);
    rest();
    size_t offers = sent(QN_MSG_PACK_OFFER);
    cr_assert_eq(offers, 1);
    rig.lies = (struct holder_lies){0};
    cr_assert(offsite_rig_run(&rig, RESTS, LATER_MS));
    cr_assert(offsite_rig_is_complete(&rig, 0));
    cr_assert_not(offsite_is_full(rig.rig.core->peers.items[0]->bulk));
}

/* Both ends let go of a connection after a minute of silence: it may be gone just before. */
Test(offsite, one_that_says_later_is_offered_again_though_the_connection_ended_meanwhile)
{
    offsite_rig_backup(&rig, 2, 10 * KIB, true);
    rig.lies = (struct holder_lies){.offer = QN_OFFER_LATER, .offers_good = 1};
    offsite_rig_up(&rig);
    rest();
    cr_assert(offsite_rig_run(&rig, RESTS, LATER_MS - 1000));
    offsite_rig_cut(&rig);
    cr_assert(offsite_rig_run(&rig, RESTS, 5000));
    cr_assert(bulk_of_rig()->is_wanted);
}

Test(offsite, a_refusal_ends_the_work)
{
    offsite_rig_backup(&rig, 2, 10 * KIB, true);
    rig.lies.refuses = true;
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(sent(QN_MSG_PACK_OFFER), 0);
    cr_assert_eq(rig.expect_count, 1);
    cr_assert_not(offsite_is_busy(rig.rig.core, rig.rig.core->peers.items[0]->bulk));
}

/* ---- lies ---- */

Test(offsite, a_pack_that_was_not_sent_cannot_be_acknowledged)
{
    offsite_rig_backup(&rig, 2, 200 * KIB, true);
    rig.lies.early_whole = true;
    offsite_rig_up(&rig);
    rest();
    assert_bad("bad-frame");
    cr_assert_eq(offsite_rig_copy(&rig).packs, 0);
}

Test(offsite, more_than_was_sent_cannot_be_acknowledged)
{
    offsite_rig_backup(&rig, 1, 200 * KIB, true);
    rig.lies.too_far = true;
    offsite_rig_up(&rig);
    rest();
    assert_bad("bad-frame");
}

Test(offsite, a_pack_that_nobody_knows_cannot_be_acknowledged)
{
    offsite_rig_backup(&rig, 1, 2 * KIB, true);
    rig.lies.foreign_ack = true;
    offsite_rig_up(&rig);
    rest();
    assert_bad("bad-frame");
}

Test(offsite, an_answer_to_no_offer_ends_the_connection)
{
    offsite_rig_backup(&rig, 1, 10 * KIB, true);
    rig.lies.foreign_offer = true;
    offsite_rig_up(&rig);
    rest();
    assert_bad("bad-frame");
}

Test(offsite, a_list_that_was_not_asked_for_cannot_be_forgotten)
{
    offsite_rig_backup(&rig, 1, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    offsite_rig_cut(&rig);
    offsite_rig_forget_first(&rig);
    rig.lies.foreign_forgot = true;
    offsite_rig_up(&rig);
    rest();
    assert_bad("bad-frame");
}

Test(offsite, names_that_never_end_do)
{
    offsite_rig_backup(&rig, 1, 10 * KIB, true);
    rig.lies.endless_names = true;
    offsite_rig_up(&rig);
    rest();
    assert_bad("bad-frame");
    cr_assert_leq(offsite_rig_copy(&rig).packs, QN_COPY_UNKNOWN_MAX);
}

/* Nothing is believed for good: the proof finds it. */
Test(offsite, sums_that_are_wrongly_equal_are_found_by_the_proof)
{
    offsite_rig_backup(&rig, 6, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    offsite_rig_cut(&rig);
    rig.parts.items[3].is_rotten = true;
    rig.lies.equal = true;
    rig.rig.now_ms += 8ull * 24 * 3600 * 1000;
    offsite_rig_up(&rig);
    rest();
    cr_assert(offsite_rig_has_all(&rig));
    cr_assert_eq(rig.put_bytes, 7 * 10 * KIB, "the one pack came again");
}

Test(offsite, a_list_that_is_never_whole_is_not_sent_for_ever)
{
    offsite_rig_backup(&rig, 2, 10 * KIB, true);
    rig.lies.list_code = "missing";
    offsite_rig_up(&rig);
    cr_assert(offsite_rig_run(&rig, RESTS, FULL_MS / 2));
    cr_assert_leq(sent(QN_MSG_LIST_PUT), 5);
    cr_assert_not(offsite_rig_is_complete(&rig, 0));
}

Test(offsite, a_list_that_is_refused_waits)
{
    offsite_rig_backup(&rig, 2, 10 * KIB, true);
    rig.lies.list_code = "quota";
    offsite_rig_up(&rig);
    rest();
    cr_assert(offsite_is_full(rig.rig.core->peers.items[0]->bulk));
    cr_assert_eq(sent(QN_MSG_LIST_PUT), 1);
    rig.lies.list_code = NULL;
    rig.hears_first = true;
    cr_assert(offsite_rig_run(&rig, RESTS, FULL_MS));
    if (!rig.is_up)
        offsite_rig_up(&rig);
    rest();
    cr_assert(offsite_rig_is_complete(&rig, 0));
}

/* ---- bounds ---- */

Test(offsite, what_is_read_ahead_is_bounded)
{
    offsite_rig_backup(&rig, 8, 2000 * KIB, true);
    offsite_rig_up(&rig);
    size_t files_max = 0, ahead_max = 0;
    while (offsite_rig_unit(&rig)) {
        size_t ahead = 0;
        qn_vec_each (&offsite_rig_state(&rig)->packs.pieces, piece)
            ahead += piece->size;
        ahead_max = ahead > ahead_max ? ahead : ahead_max;
        files_max = rig.rig.files.count > files_max ? rig.rig.files.count : files_max;
    }
    cr_assert_leq(files_max, FILE_WORK_MAX);
    cr_assert_leq(ahead_max, READ_AHEAD + BULK_PIECE);
    rest();
    cr_assert(offsite_rig_has_all(&rig));
}

/* Work of connections that are gone counts too: a flapping line must not pile it up. */
Test(offsite, file_work_of_cut_connections_counts)
{
    offsite_rig_backup(&rig, 4, 2000 * KIB, true);
    for (int i = 0; i < 20; i++) {
        offsite_rig_up(&rig);
        while (rig.rig.reads.count + rig.rig.intents.count + rig.rig.bulk_frames.count > 0) {
            struct rig *inner = &rig.rig;
            QN_VEC(struct qn_file_work *) kept = {0};
            qn_vec_each (&inner->files, work) /* the disk is slow */
                qn_vec_push(&kept, *work);
            inner->files.count = 0;
            cr_assert(offsite_rig_unit(&rig));
            qn_vec_each (&kept, work)
                qn_vec_push(&inner->files, *work);
            qn_vec_free(&kept);
        }
        cr_assert_leq(rig.rig.files.count, FILE_WORK_MAX);
        offsite_rig_cut(&rig);
    }
    rest();
    offsite_rig_up(&rig);
    rest();
    cr_assert(offsite_rig_is_complete(&rig, 0));
}
