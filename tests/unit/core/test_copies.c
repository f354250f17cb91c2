/* Copies at a holder, afterwards: the weekly proof, and what people are shown. The holder is
 * tests/support/offsite_holder.c. */
#include <criterion/criterion.h>

#include "core/args.h"
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

TestSuite(copies, .init = start, .fini = stop, .timeout = 120);

static void rest(void)
{
    cr_assert(offsite_rig_run(&rig, RESTS, 5000), "it never comes to rest");
}

/* ---- proof ---- */

static void pass_days(unsigned days)
{
    offsite_rig_cut(&rig);
    rig.rig.now_ms += days * 24ull * 3600 * 1000;
    offsite_rig_up(&rig);
    rest();
}

Test(copies, what_is_there_is_proven_once_a_week)
{
    offsite_rig_backup(&rig, BULK_PROOF_BATCH + 10, 1 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    struct qn_proof proof = offsite_rig_proof(&rig);
    cr_assert_neq(proof.verified_ms, 0);
    cr_assert_eq(proof.ended_ms, proof.verified_ms);
    cr_assert_eq(proof.started_ms, 0);
    cr_assert_eq(rig.proofs_asked, 2, "in two batches");
    pass_days(5);
    cr_assert_eq(rig.proofs_asked, 2);
    pass_days(2);
    cr_assert_eq(rig.proofs_asked, 4);
    cr_assert_gt(offsite_rig_proof(&rig).verified_ms, proof.verified_ms);
}

Test(copies, a_round_of_proofs_goes_on_after_a_restart)
{
    offsite_rig_backup(&rig, BULK_PROOF_BATCH + 10, 1 * KIB, true);
    offsite_rig_up(&rig);
    for (int i = 0; i < 10000 && offsite_rig_proof(&rig).at == 0; i++)
        if (!offsite_rig_unit(&rig))
            rig_wait(&rig.rig, 100);
    cr_assert_neq(offsite_rig_proof(&rig).started_ms, 0);
    rig.is_up = false;
    rig_start(&rig.rig);
    rig_link(&rig.rig);
    rest();
    size_t asked = rig.proofs_asked;
    cr_assert_eq(asked, 1);
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(rig.proofs_asked, 2, "only the second batch");
    cr_assert_neq(offsite_rig_proof(&rig).verified_ms, 0);
}

Test(copies, a_pack_that_rotted_is_found_and_sent_again)
{
    offsite_rig_backup(&rig, 20, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    uint64_t verified_ms = offsite_rig_proof(&rig).verified_ms;
    rig.parts.items[13].is_rotten = true;
    rig.parts.items[5].is_rotten = true;
    pass_days(8);
    cr_assert(offsite_rig_has_all(&rig));
    struct qn_proof proof = offsite_rig_proof(&rig);
    cr_assert_eq(proof.bad, 2);
    cr_assert_eq(proof.verified_ms, verified_ms);
    cr_assert_eq(rig.put_bytes, 22 * 10 * KIB, "these two, and no other");
    pass_days(2);
    proof = offsite_rig_proof(&rig);
    cr_assert_eq(proof.bad, 0);
    cr_assert_gt(proof.verified_ms, verified_ms, "after a day it is proven that all is well");
}

/* Others may come before it: a run, a drill. */
static void reach_mend(void)
{
    for (int i = 0; i < 10 && rig.rig.job->kind != QN_JOB_MEND; i++) {
        rig_job(&rig.rig, QN_JOB_DONE, QN_ERR_CLOSED, NULL);
        rest();
    }
    cr_assert_eq(rig.rig.job->kind, QN_JOB_MEND);
}

static void mend_end(const char *what, uint64_t number)
{
    struct qn_buf counts;
    reach_mend();
    qn_buf_init(&counts, 256);
    qn_pack_map(&counts, 1);
    qn_pack_cstr(&counts, what);
    qn_pack_u64(&counts, number);
    rig_job(&rig.rig, QN_JOB_DONE, QN_OK, &counts);
    qn_buf_deinit(&counts);
}

/* The names that the job is about: one. */
static void assert_mends(const struct qn_digest *name)
{
    reach_mend();
    struct qn_cursor names = qn_cursor(args_value(qn_buf_view(&rig.rig.job->args), "packs"));
    struct qn_digest found;
    cr_assert_eq(qn_cursor_bytes(&names, found.bytes, sizeof(found.bytes)), QN_OK);
    cr_assert(qn_digest_eq(&found, name));
}

Test(copies, a_damaged_own_pack_does_not_accuse_the_holder)
{
    offsite_rig_backup(&rig, 8, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    rig.packs[3].is_rotten = true;
    pass_days(8);
    assert_mends(&rig.packs[3].name);
    mend_end("lost", 1);
    rest();
    struct qn_proof proof = offsite_rig_proof(&rig);
    cr_assert_eq(proof.bad, 0);
    cr_assert_eq(proof.unknown, 1);
    cr_assert_eq(offsite_rig_copy(&rig).own_packs, 8);
    cr_assert_eq(rig.put_bytes, 8 * 10 * KIB);
}

/* It is fetched from a copy, and then there is nothing that was not proven. */
Test(copies, what_cannot_be_read_is_put_right_before_it_is_unknown)
{
    offsite_rig_backup(&rig, 8, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    uint64_t verified_ms = offsite_rig_proof(&rig).verified_ms;
    rig.packs[5].is_gone = true;
    pass_days(8);
    cr_assert_eq(offsite_rig_proof(&rig).unknown, 0, "not yet");
    assert_mends(&rig.packs[5].name);
    rig.packs[5].is_gone = false;
    mend_end("repaired", 1);
    rest();
    struct qn_proof proof = offsite_rig_proof(&rig);
    cr_assert_eq(proof.unknown, 0);
    cr_assert_gt(proof.verified_ms, verified_ms);
}

/* What the holder lost is counted once, although the batch began anew. */
Test(copies, a_batch_that_begins_anew_counts_nothing_twice)
{
    offsite_rig_backup(&rig, 8, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    qn_vec_each (&rig.parts, part)
        part->is_rotten |= qn_digest_eq(&part->name, &rig.packs[0].name);
    rig.packs[7].is_rotten = true;
    pass_days(8);
    mend_end("lost", 1);
    rest();
    cr_assert_eq(offsite_rig_proof(&rig).bad, 1);
    cr_assert_eq(offsite_rig_proof(&rig).unknown, 1);
}

Test(copies, a_holder_that_proves_nothing_has_nothing)
{
    offsite_rig_backup(&rig, 4, 10 * KIB, true);
    rig.lies.wrong_proof = true;
    offsite_rig_up(&rig);
    cr_assert(offsite_rig_run(&rig, RESTS, 1000));
    cr_assert_eq(offsite_rig_proof(&rig).verified_ms, 0);
    cr_assert_eq(offsite_rig_proof(&rig).bad, 4);
}

Test(copies, a_proof_that_does_not_come_is_given_up)
{
    struct bulk *bulk = rig.rig.core->peers.items[0]->bulk;
    offsite_rig_backup(&rig, 4, 10 * KIB, true);
    rig.lies.silent_proof = true;
    offsite_rig_up(&rig);
    rest();
    cr_assert(offsite_is_busy(rig.rig.core, bulk));
    rig_wait(&rig.rig, PROOF_ANSWER_MS);
    cr_assert_not(offsite_is_busy(rig.rig.core, bulk));
    cr_assert_eq(offsite_rig_proof(&rig).verified_ms, 0);
}

/* The holder's own reading found a pack damaged. */
static void tell_bad(const struct qn_digest *name)
{
    struct qn_buf out;
    qn_vec_each (&rig.parts, part) {
        if (!qn_digest_eq(&part->name, name))
            continue;
        part->is_whole = part->is_rotten = false;
        part->bytes.size = 0;
    }
    rig_message(&out, QN_MSG_PACK_BAD, 1);
    qn_pack_bin(&out, qn_digest_view(name));
    offsite_rig_say(&rig, &out);
}

Test(copies, what_a_holder_says_to_be_damaged_is_sent_again_at_once)
{
    offsite_rig_backup(&rig, 8, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    size_t asked = rig_count(&rig.rig, QN_MSG_NAMES_ASK);
    uint64_t before_ms = rig.rig.now_ms;
    tell_bad(&rig.packs[3].name);
    rest();
    cr_assert_leq(rig.rig.now_ms - before_ms, 10000);
    cr_assert(rig.is_up);
    cr_assert(offsite_rig_has_all(&rig));
    cr_assert_eq(rig.put_bytes, 9 * 10 * KIB, "it, and no other");
    cr_assert_eq(rig_count(&rig.rig, QN_MSG_NAMES_ASK), asked, "nothing had to be compared");
    cr_assert_str_eq(rig.rig.note, "copy-differs");
}

/* Nor is it whole here: it comes from another copy first. */
Test(copies, what_is_damaged_at_both_ends_comes_from_another_copy)
{
    offsite_rig_backup(&rig, 8, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    rig.packs[3].is_gone = true;
    tell_bad(&rig.packs[3].name);
    rest();
    assert_mends(&rig.packs[3].name);
    rig.packs[3].is_gone = false;
    mend_end("repaired", 1);
    rest();
    cr_assert(offsite_rig_holds(&rig, &rig.packs[3].name));
}

Test(copies, who_calls_everything_damaged_is_not_listened_to)
{
    struct qn_buf out;
    offsite_rig_backup(&rig, 8, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    for (size_t i = 0; i < 2 * TOLD_BAD_MAX; i++) {
        rig_message(&out, QN_MSG_PACK_BAD, 1);
        qn_pack_bin(&out, qn_digest_view(&rig.packs[i % 8].name));
        offsite_rig_say(&rig, &out);
        if (i % 64 == 0)
            rest();
    }
    rest();
    cr_assert(rig.is_up);
    cr_assert_eq(offsite_rig_state(&rig)->told_bad, TOLD_BAD_MAX);
    cr_assert(offsite_rig_has_all(&rig));
}

/* It is asked when it said, over other connections and not before, and is not blamed. */
Test(copies, a_holder_that_is_busy_is_challenged_when_it_said)
{
    offsite_rig_backup(&rig, 4, 10 * KIB, true);
    rig.lies.busy_ms = 4 * 3600000;
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(rig.proofs_asked, 1);
    cr_assert_null(rig.rig.note);
    rig.lies.busy_ms = 0;
    offsite_rig_cut(&rig);
    rig.hears_first = true;
    for (int i = 0; i < 39; i++) {
        rig_wait(&rig.rig, 6 * 60000);
        rest();
    }
    cr_assert_eq(rig.proofs_asked, 1);
    for (int i = 0; i < 3; i++) {
        rig_wait(&rig.rig, 6 * 60000);
        rest();
    }
    cr_assert_eq(rig.proofs_asked, 2);
    cr_assert_neq(offsite_rig_proof(&rig).verified_ms, 0);
}

/* ---- what is shown ---- */

/* The bytes of the last answer of that kind in the last step. */
static struct qn_span answer(enum qn_reply_kind kind)
{
    struct qn_span found = {0};
    qn_vec_each (&rig.rig.update.effects, effect)
        if (effect->kind == QN_EFFECT_REPLY && effect->reply == kind)
            found = qn_span(effect->bytes, effect->size);
    return found;
}

static void verify_end(void)
{
    struct qn_buf counts;
    qn_buf_init(&counts, 256);
    qn_pack_map(&counts, 3);
    qn_pack_cstr(&counts, "bad_packs");
    qn_pack_u64(&counts, 0);
    qn_pack_cstr(&counts, "missing_chunks");
    qn_pack_u64(&counts, 0);
    qn_pack_cstr(&counts, "snapshots");
    qn_pack_u64(&counts, 1);
    rig_job(&rig.rig, QN_JOB_DONE, QN_OK, &counts);
    qn_buf_deinit(&counts);
}

static void ask_verify(bool reads_data, uint64_t timeout_ms)
{
    struct qn_buf args;
    qn_buf_init(&args, 128);
    qn_pack_map(&args, 3);
    qn_pack_cstr(&args, "name");
    qn_pack_cstr(&args, "house");
    qn_pack_cstr(&args, "read_data");
    qn_pack_bool(&args, reads_data);
    qn_pack_cstr(&args, "timeout_ms");
    timeout_ms == 0 ? qn_pack_nil(&args) : qn_pack_u64(&args, timeout_ms);
    rig_request(&rig.rig, "backup.verify", &args);
    qn_buf_deinit(&args);
    cr_assert_eq(rig.rig.job->kind, QN_JOB_VERIFY);
}

/* The only copy that the answer to a verification tells; its job is done at once. */
static struct qn_span verified_copy(void)
{
    size_t replies = rig.rig.replies, count;
    verify_end();
    for (int i = 0; i < 100000 && rig.rig.replies == replies; i++)
        if (!offsite_rig_unit(&rig))
            rig_wait(&rig.rig, 1000);
    struct qn_cursor copies = qn_cursor(args_value(qn_buf_view(&rig.rig.end), "copies"));
    struct qn_span copy;
    cr_assert_eq(qn_cursor_array(&copies, 8, &count), QN_OK);
    cr_assert_eq(count, 1);
    cr_assert_eq(qn_cursor_skip(&copies, 4, &copy), QN_OK);
    return copy;
}

static void assert_text(struct qn_span copy, const char *key, const char *expected)
{
    struct qn_span text;
    cr_assert(args_text(copy, key, 32, &text));
    cr_assert(qn_span_eq_str(text, expected), "%s: not %.*s", key, (int)text.size, text.data);
}

static uint64_t number_in(struct qn_span copy, const char *key)
{
    uint64_t number = UINT64_MAX;
    cr_assert(args_u64(copy, key, &number), "%s", key);
    return number;
}

static struct qn_span assert_verified(uint64_t missing, const char *state)
{
    ask_verify(false, 0);
    struct qn_span copy = verified_copy();
    cr_assert_eq(number_in(copy, "missing_packs"), missing);
    assert_text(copy, "state", state);
    return copy;
}

Test(copies, a_verification_tells_of_the_copies)
{
    offsite_rig_backup(&rig, 3, 10 * KIB, true);
    cr_assert(offsite_rig_run(&rig, RESTS, 3000));
    assert_verified(3, "incomplete");
    offsite_rig_up(&rig);
    rest();
    assert_verified(0, "complete");
}

/* Not the last proof: a new one, of a part. */
Test(copies, a_verification_challenges_the_holder)
{
    offsite_rig_backup(&rig, 20, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    size_t asked = rig.proofs_asked;
    uint64_t verified_ms = offsite_rig_proof(&rig).verified_ms;
    struct qn_span copy = assert_verified(0, "complete");
    cr_assert_eq(rig.proofs_asked, asked + 1);
    assert_text(copy, "challenge", "done");
    uint64_t proven = number_in(copy, "proven_packs");
    cr_assert(proven > 0 && proven <= 20, "%lu", proven);
    cr_assert_eq(number_in(copy, "verified_at"), verified_ms, "a part is not all");
    cr_assert_eq(offsite_rig_proof(&rig).verified_ms, verified_ms);
}

Test(copies, a_verification_with_data_challenges_for_all)
{
    offsite_rig_backup(&rig, 150, 2 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    uint64_t verified_ms = offsite_rig_proof(&rig).verified_ms;
    rig_wait(&rig.rig, 5000);
    ask_verify(true, 0);
    struct qn_span copy = verified_copy();
    assert_text(copy, "challenge", "done");
    assert_text(copy, "state", "complete");
    cr_assert_eq(number_in(copy, "proven_packs"), 150);
    cr_assert_gt(offsite_rig_proof(&rig).verified_ms, verified_ms);
}

/* Whoever asks for all while a sample is under way hears of all. */
Test(copies, a_sample_does_not_end_a_challenge_for_all)
{
    offsite_rig_backup(&rig, 150, 2 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    uint64_t verified_ms = offsite_rig_proof(&rig).verified_ms;
    rig_wait(&rig.rig, 5000);
    ask_verify(false, 0);
    verify_end();
    while (offsite_rig_state(&rig)->proofs.state != PROOF_ASKED)
        cr_assert(offsite_rig_unit(&rig), "the sample is never asked for");
    cr_assert(offsite_rig_state(&rig)->proofs.is_sample);
    ask_verify(true, 0);
    struct qn_span copy = verified_copy();
    assert_text(copy, "challenge", "done");
    cr_assert_eq(number_in(copy, "proven_packs"), 150);
    cr_assert_gt(offsite_rig_proof(&rig).verified_ms, verified_ms);
}

/* Units until a transaction of the batch waits. */
static void run_to_commit(void)
{
    while (offsite_rig_state(&rig)->proofs.state != PROOF_COMMITTING)
        if (!offsite_rig_unit(&rig))
            rig_wait(&rig.rig, 1000);
}

/* Of the two transactions of a batch the first one fails: its packs are not noted as lost. */
Test(copies, what_of_a_verification_could_not_be_stored_is_not_done)
{
    offsite_rig_backup(&rig, 4, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    qn_vec_each (&rig.parts, part)
        part->is_rotten = true;
    ask_verify(false, 0);
    verify_end();
    run_to_commit();
    cr_assert_eq(rig.rig.intents.count, 2);
    struct qn_intent *second = rig.rig.intents.items[1];
    rig.rig.intents.count = 1;
    rig_fail_commit(&rig.rig, QN_ERR_NOSPACE);
    qn_vec_push(&rig.rig.intents, second);
    rig_commit(&rig.rig);
    struct challenged challenged;
    offsite_challenged(rig.rig.core->peers.items[0]->bulk, &challenged);
    cr_assert_eq(challenged.result, CHALLENGE_LATE);
}

Test(copies, what_a_verification_finds_at_a_holder_is_told_and_sent_again)
{
    offsite_rig_backup(&rig, 20, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    qn_vec_each (&rig.parts, part)
        part->is_rotten = true;
    struct qn_span copy = assert_verified(0, "bad");
    assert_text(copy, "challenge", "done");
    uint64_t bad = number_in(copy, "bad_packs");
    cr_assert_gt(bad, 0);
    cr_assert_eq(number_in(copy, "proven_packs"), 0);
    rest();
    cr_assert_eq(rig.put_bytes, (20 + bad) * 10 * KIB);
    pass_days(2);
    cr_assert(offsite_rig_has_all(&rig), "the round on the day after finds the rest");
}

Test(copies, a_verification_says_why_there_is_no_proof)
{
    offsite_rig_backup(&rig, 4, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    rig.lies.silent_proof = true;
    rig.hears_first = true;
    uint64_t before_ms = rig.rig.now_ms;
    ask_verify(false, 20000);
    assert_text(verified_copy(), "challenge", "late");
    cr_assert_leq(rig.rig.now_ms - before_ms, 25000, "it was not to be waited for longer");
    rig_wait(&rig.rig, PROOF_ANSWER_MS);
    rest();
    rig.lies.silent_proof = false;
    rig.lies.busy_ms = 3600000;
    ask_verify(false, 0);
    assert_text(verified_copy(), "challenge", "busy");
    size_t asked = rig.proofs_asked;
    ask_verify(false, 0);
    assert_text(verified_copy(), "challenge", "busy");
    cr_assert_eq(rig.proofs_asked, asked, "it said when to come again");
    rig_wait(&rig.rig, 3600000);
    rig.is_up = false;
    rig_step(&rig.rig,
             (struct qn_event){.kind = QN_EVENT_LINK_DOWN, .link = RIG_LINK, .err = QN_ERR_CLOSED});
    ask_verify(false, 0);
    struct qn_span copy = verified_copy();
    assert_text(copy, "challenge", "offline");
    assert_text(copy, "state", "unreachable");
}

Test(copies, a_copy_that_failed_its_proof_is_bad_until_the_next)
{
    offsite_rig_backup(&rig, 3, 10 * KIB, true);
    rig.lies.wrong_proof = true;
    offsite_rig_up(&rig);
    cr_assert(offsite_rig_run(&rig, RESTS, 3000));
    assert_verified(offsite_rig_copy(&rig).own_packs == 3 ? 0 : 3, "bad");
}

Test(copies, who_waits_hears_how_far_the_copies_are)
{
    uint64_t left = UINT64_MAX, seen = 0, now, total;
    struct qn_span phase;
    offsite_rig_backup(&rig, 4, 500 * KIB, true);
    rig.lag_ms = 100;
    offsite_rig_up(&rig);
    for (int i = 0; i < 100000 && left != 0 && !offsite_rig_is_complete(&rig, 0); i++) {
        if (!offsite_rig_unit(&rig))
            rig_wait(&rig.rig, 50);
        struct qn_span data = answer(QN_REPLY_DATA);
        if (data.size == 0)
            continue;
        cr_assert(args_text(data, "phase", 32, &phase));
        cr_assert(qn_span_eq_str(phase, "copies"));
        cr_assert(args_u64(data, "bytes_done", &now) && args_u64(data, "bytes_total", &total));
        cr_assert_leq(total - now, left, "it only gets less");
        left = total - now;
        seen++;
    }
    cr_assert_gt(seen, 3);
    cr_assert_lt(left, 4 * 500 * KIB);
}

static void count_alert(void *context, const char *severity, const char *code, const char *object,
                        uint64_t count, uint64_t time_ms, const char *detail)
{
    size_t *found = context;
    if (strcmp(code, "quota-full") == 0 || strcmp(code, "copy-bad") == 0) {
        cr_assert_str_eq(object, rig.rig.world.sites[1].name);
        ++*found;
    }
}

static size_t alerts(void)
{
    size_t found = 0;
    backup_alerts(rig.rig.core, count_alert, &found);
    return found;
}

Test(copies, a_full_holder_and_a_lost_pack_raise_alerts)
{
    offsite_rig_backup(&rig, 3, 10 * KIB, true);
    rig.lies.offer = QN_OFFER_QUOTA;
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(alerts(), 1);
    rig.lies.offer = 0;
    rig.packs[0].is_gone = true;
    offsite_rig_cut(&rig);
    rig_wait(&rig.rig, FULL_MS);
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(alerts(), 1);
}

/* It need not be waited for that the owner tries again by itself. */
Test(copies, more_room_is_used_at_once)
{
    offsite_rig_backup(&rig, 3, 10 * KIB, true);
    rig.lies.offer = QN_OFFER_QUOTA;
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(alerts(), 1);
    cr_assert_not(offsite_rig_has_all(&rig));
    rig.lies.offer = 0;
    rest();
    cr_assert_not(offsite_rig_has_all(&rig));
    offsite_rig_accept(&rig, 1ull << 41);
    if (!rig.is_up)
        offsite_rig_up(&rig);
    cr_assert(offsite_rig_run(&rig, RESTS, 2000));
    cr_assert(offsite_rig_has_all(&rig));
    cr_assert_eq(alerts(), 0);
}

/* A pack that rotted here before it was sent is found out by the holder. */
Test(copies, a_pack_that_is_damaged_here_is_not_sent_again_and_again)
{
    offsite_rig_backup(&rig, 3, 10 * KIB, true);
    rig.packs[1].is_rotten = true;
    offsite_rig_up(&rig);
    cr_assert(offsite_rig_run(&rig, RESTS, 30 * LATER_MS / 10));
    size_t put = rig.put_bytes;
    cr_assert_eq(put, 3 * 10 * KIB);
    assert_mends(&rig.packs[1].name);
    cr_assert_eq(alerts(), 1);
    rig.packs[1].is_rotten = false;
    mend_end("repaired", 1);
    if (!rig.is_up)
        offsite_rig_up(&rig);
    rest();
    cr_assert(offsite_rig_has_all(&rig));
    cr_assert_eq(alerts(), 0);
}

Test(copies, a_lost_pack_stays_an_alert_over_a_restart)
{
    offsite_rig_backup(&rig, 3, 10 * KIB, true);
    rig.packs[0].is_gone = true;
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(alerts(), 1);
    offsite_rig_cut(&rig);
    rig_start(&rig.rig);
    rest();
    cr_assert_eq(alerts(), 1, "though nobody was asked since");
}

Test(copies, a_pack_that_could_not_be_read_just_now_is_read_again)
{
    offsite_rig_backup(&rig, 3, 10 * KIB, true);
    rig.packs[1].busy_reads = 1;
    offsite_rig_up(&rig);
    cr_assert(offsite_rig_run(&rig, RESTS, LATER_MS));
    cr_assert(offsite_rig_has_all(&rig));
    cr_assert_eq(alerts(), 0);
}

Test(copies, a_key_that_was_refused_is_offered_again)
{
    rig.lies.refuses_key = true;
    offsite_rig_backup(&rig, 1, 10 * KIB, true);
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(rig.keys_heard, 1);
    cr_assert_str_eq(rig.rig.note, "key-refused");
    rig.lies.refuses_key = false;
    offsite_rig_cut(&rig);
    offsite_rig_up(&rig);
    rest();
    cr_assert_eq(rig.keys_heard, 2);
    cr_assert_eq(rig.key_epoch, 1);
}

/* A connection that is busy for weeks does not keep it from being found. */
Test(copies, what_is_lost_while_packs_go_is_found_within_a_day)
{
    rig.rig.now_ms += 2 * ASK_EVERY_MS;
    offsite_rig_backup(&rig, 60, 10 * KIB, true);
    offsite_rig_up(&rig);
    for (int i = 0; i < 100000 && offsite_rig_copy(&rig).own_packs < 3; i++)
        if (!offsite_rig_unit(&rig))
            rig_wait(&rig.rig, 50);
    size_t asked = rig.expect_count;
    cr_assert_lt(offsite_rig_copy(&rig).own_packs, 60);
    rig.parts.items[0].is_whole = false;
    qn_buf_reset(&rig.parts.items[0].bytes);
    offsite_rig_state(&rig)->heard_ms -= ASK_EVERY_MS;
    rest();
    cr_assert_eq(rig.expect_count, asked + 1);
    cr_assert(offsite_rig_has_all(&rig));
}
