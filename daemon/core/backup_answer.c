/* What is told about work on backups: progress, and what ends a request. */
#include <stdio.h>

#include "base/text.h"
#include "core/args.h"
#include "core/backup.h"
#include "core/offsite.h"

static void pack_count(struct qn_buf *out, const char *key, uint64_t value)
{
    qn_pack_cstr(out, key);
    qn_pack_u64(out, value);
}

static uint64_t count_of(struct qn_span map, const char *key)
{
    uint64_t value = 0;
    return args_u64(map, key, &value) ? value : 0;
}

static void take_count(struct qn_buf *out, const char *key, struct qn_span from)
{
    pack_count(out, key, count_of(from, key));
}

/* ---- progress ---- */

static uint64_t rate_of(uint64_t done, uint64_t ms)
{
    return ms == 0 ? 0 : (uint64_t)((double)done * 1000 / (double)ms);
}

/* Seconds; nil while nothing can be said. */
static void pack_left(struct qn_buf *out, uint64_t done, uint64_t total, uint64_t rate)
{
    qn_pack_cstr(out, "left_s");
    if (rate == 0 || total == 0)
        qn_pack_nil(out);
    else
        qn_pack_u64(out, total > done ? (total - done) / rate : 0);
}

struct progress {
    const char *phase;
    uint64_t bytes_done, bytes_total, errors, files_done, files_total, stored;
};

/* What was done in so many ms. */
static void pack_progress(const struct progress *progress, uint64_t ms, struct qn_buf *out)
{
    uint64_t rate = rate_of(progress->bytes_done, ms);
    qn_pack_map(out, 9);
    pack_count(out, "bytes_done", progress->bytes_done);
    pack_count(out, "bytes_total", progress->bytes_total);
    pack_count(out, "errors", progress->errors);
    pack_count(out, "files_done", progress->files_done);
    pack_count(out, "files_total", progress->files_total);
    pack_left(out, progress->bytes_done, progress->bytes_total, rate);
    qn_pack_cstr(out, "phase");
    qn_pack_cstr(out, progress->phase);
    pack_count(out, "rate", rate);
    pack_count(out, "stored", progress->stored);
}

void answer_progress(const struct qn_core *core, struct qn_span told, struct qn_buf *out)
{
    struct progress progress = {.phase = "files",
                                .bytes_done = count_of(told, "bytes_done"),
                                .bytes_total = count_of(told, "bytes_total"),
                                .errors = count_of(told, "errors"),
                                .files_done = count_of(told, "files_done"),
                                .files_total = count_of(told, "files_total"),
                                .stored = count_of(told, "stored")};
    pack_progress(&progress, core->now_ms - core->backup->running.started_ms, out);
}

void answer_copies(const struct qn_core *core, const struct waiter *waiter, struct qn_buf *out)
{
    struct qn_span counts = qn_buf_view(&waiter->data);
    uint64_t files = count_of(counts, "files_new") + count_of(counts, "files_changed") +
                     count_of(counts, "files_unchanged");
    struct progress progress = {.phase = "copies",
                                .bytes_done = waiter->bytes_lacked - waiter->bytes_missing,
                                .bytes_total = waiter->bytes_lacked,
                                .errors = count_of(counts, "errors"),
                                .files_done = files,
                                .files_total = files,
                                .stored = count_of(counts, "bytes_stored")};
    pack_progress(&progress, core->now_ms - waiter->copies_ms, out);
}

/* Of the holders of a plan, or of all. */
static void count_proofs(const struct qn_core *core, const struct waiter *waiter,
                         struct progress *progress)
{
    const struct plan *plan = backup_plan(core, qn_span_str(waiter->what.plan));
    qn_vec_each (&core->backup->book.copies, copy) {
        const struct peer *peer = core_peer(core, &copy->holder);
        struct challenged challenged;
        if (peer == NULL || (plan != NULL && !plan_names(plan, &copy->holder)))
            continue;
        offsite_challenged(peer->bulk, &challenged);
        progress->bytes_done += challenged.bytes;
        progress->bytes_total += waiter->what.reads_data ? copy->copy.own_bytes : 0;
        progress->errors += challenged.bad;
    }
    if (progress->bytes_total < progress->bytes_done)
        progress->bytes_total = progress->bytes_done;
}

void answer_proofs(const struct qn_core *core, const struct waiter *waiter, struct qn_buf *out)
{
    struct progress progress = {.phase = "copies"};
    count_proofs(core, waiter, &progress);
    pack_progress(&progress, core->now_ms - waiter->copies_ms, out);
}

/* ---- the end ---- */

void answer_id(const struct qn_digest *name, struct qn_buf *out)
{
    char id[9];
    qn_text_hex(qn_span(name->bytes, 4), id);
    qn_pack_cstr(out, "id");
    qn_pack_cstr(out, id);
}

static void end_of_run(const struct qn_core *core, const struct waiter *waiter, struct qn_buf *out)
{
    static const char *const keys[] = {"bytes",  "bytes_new",     "bytes_read", "bytes_stored",
                                       "errors", "files_changed", "files_new",  "files_unchanged"};
    static const size_t count = sizeof(keys) / sizeof(keys[0]);
    struct qn_span counts = qn_buf_view(&waiter->data);
    qn_pack_map(out, count + 2);
    for (size_t i = 0; i < count; i++)
        take_count(out, keys[i], counts);
    answer_id(&waiter->snapshot, out);
    pack_count(out, "sent", core->backup->sent_bytes - waiter->sent_before);
}

static bool is_online(const struct qn_core *core, const struct qn_site_id *site)
{
    const struct peer *peer = core_peer(core, site);
    return peer_is_connected(peer);
}

/* From memory: the last proof, and what the book says. */
static const char *copy_state(const struct qn_core *core, const struct plan *plan,
                              const struct qn_site_id *holder, uint64_t missing,
                              const struct challenged *challenged)
{
    const struct snap_view *latest = plan == NULL ? NULL : book_latest(core, plan->name);
    const struct copy_view *copy = book_copy(core, holder);
    if ((copy != NULL && copy->proof.bad > 0) || challenged->bad > 0)
        return "bad";
    if (!is_online(core, holder))
        return "unreachable";
    bool has_latest = latest == NULL || book_is_complete(core, latest, holder);
    return missing > 0 || !has_latest ? "incomplete" : "complete";
}

/* The challenge that the verification began; at its end, or when it was waited for long enough. */
static const char *challenge_word(const struct peer *peer, const struct challenged *challenged)
{
    if (peer == NULL)
        return "offline";
    if (offsite_is_challenged(peer->bulk))
        return "late";
    switch (challenged->result) {
    case CHALLENGE_NONE:
        return "none";
    case CHALLENGE_DONE:
        return "done";
    case CHALLENGE_BUSY:
        return "busy";
    case CHALLENGE_LATE:
        return "late";
    case CHALLENGE_OFFLINE:
        return "offline";
    }
    return "none";
}

/* When all of it was proven last. */
static void pack_verified(const struct copy_view *copy, struct qn_buf *out)
{
    qn_pack_cstr(out, "verified_at");
    if (copy == NULL || copy->proof.verified_ms == 0)
        qn_pack_nil(out);
    else
        qn_pack_u64(out, copy->proof.verified_ms);
}

static void pack_copy(const struct qn_core *core, const struct plan *plan,
                      const struct qn_site_id *holder, struct qn_buf *out)
{
    const struct qn_own_totals *totals = &core->backup->book.totals;
    const struct copy_view *copy = book_copy(core, holder);
    uint64_t missing = copy == NULL ? totals->packs : qn_copy_missing_packs(&copy->copy, totals);
    const struct peer *peer = core_peer(core, holder);
    struct challenged challenged = {.result = CHALLENGE_OFFLINE};
    if (peer != NULL)
        offsite_challenged(peer->bulk, &challenged);
    qn_pack_map(out, 7);
    pack_count(out, "bad_packs", challenged.bad);
    qn_pack_cstr(out, "challenge");
    qn_pack_cstr(out, challenge_word(peer, &challenged));
    pack_count(out, "missing_packs", missing);
    pack_count(out, "proven_packs", challenged.packs - challenged.bad);
    qn_pack_cstr(out, "site");
    qn_pack_cstr(out, core_site_name(core, holder));
    qn_pack_cstr(out, "state");
    qn_pack_cstr(out, copy_state(core, plan, holder, missing, &challenged));
    pack_verified(copy, out);
}

/* Of one plan, or (NULL) every holder there is. */
static void pack_copies(const struct qn_core *core, const struct plan *plan, struct qn_buf *out)
{
    const struct qn_book_view *book = &core->backup->book;
    qn_pack_cstr(out, "copies");
    qn_pack_array(out, plan != NULL ? plan->row.copies.count : book->copies.count);
    if (plan != NULL)
        qn_vec_each (&plan->row.copies, holder)
            pack_copy(core, plan, holder, out);
    else
        qn_vec_each (&book->copies, copy)
            pack_copy(core, NULL, &copy->holder, out);
}

static void end_of_verify(const struct qn_core *core, const struct waiter *waiter,
                          struct qn_buf *out)
{
    struct qn_span counts = qn_buf_view(&waiter->data);
    qn_pack_map(out, 10);
    take_count(out, "bad_chunks", counts);
    take_count(out, "bad_packs", counts);
    take_count(out, "bytes", counts);
    take_count(out, "chunks", counts);
    pack_copies(core, backup_plan(core, qn_span_str(waiter->what.plan)), out);
    take_count(out, "elsewhere", counts);
    take_count(out, "missing_chunks", counts);
    take_count(out, "packs", counts);
    take_count(out, "repaired", counts);
    take_count(out, "snapshots", counts);
}

void answer_end(const struct qn_core *core, const struct waiter *waiter, struct qn_buf *out)
{
    if (waiter->what.kind == QN_JOB_BACKUP) {
        end_of_run(core, waiter, out);
    } else if (waiter->what.kind == QN_JOB_VERIFY) {
        end_of_verify(core, waiter, out);
    } else if (waiter->what.kind == QN_JOB_PRUNE && waiter->what.plan[0] != '\0') {
        qn_pack_map(out, 1); /* forget: giving space back is not what was asked for */
        pack_count(out, "forgotten", waiter->forgotten);
    } else {
        qn_buf_append_span(out, qn_buf_view(&waiter->data));
    }
}
