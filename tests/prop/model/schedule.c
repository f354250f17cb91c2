#include "schedule.h"

#include "model/bugs.h"
#include "support/late_sites.h"

#define STEPS    60
#define KEYS     5
#define FIELDS   3
#define HELD_MAX 200

struct run {
    struct group group;
    struct memkv *images[SITES_MAX];
    const char *fault;
};

static uint64_t below(struct run *run, uint64_t bound)
{
    return qn_prng_below(&run->group.prng, bound);
}

static void note(struct run *run, const char *fault)
{
    if (run->fault == NULL)
        run->fault = fault;
}

/* --- writes --- */

static enum qn_err put(struct run *run, struct site *site, const char *key)
{
    static const char *const names[FIELDS] = {"x", "y", "z"};
    struct qn_op_set sets[FIELDS];
    uint8_t values[FIELDS];
    struct qn_write_result result;
    size_t count = 1 + below(run, 2), first = below(run, FIELDS);
    for (size_t i = 0; i < count; i++) {
        values[i] = (uint8_t)below(run, 4); /* few values, so that some are equal */
        sets[i] =
            (struct qn_op_set){qn_span_str(names[(first + i) % FIELDS]), QN_SPAN_OF(values[i])};
    }
    struct qn_write write = {.coll = run->group.coll,
                             .kind = QN_OP_PUT,
                             .key = qn_span_str(key),
                             .fields = sets,
                             .field_count = count};
    return qn_replica_write(site->replica, &write, &result);
}

static enum qn_err write_kind(struct run *run, struct site *site, enum qn_op_kind kind,
                              const char *key)
{
    struct qn_write_result result;
    struct qn_write write = {.coll = run->group.coll, .kind = kind, .key = qn_span_str(key)};
    enum qn_err err = qn_replica_write(site->replica, &write, &result);
    return err == QN_ERR_NOTFOUND ? QN_OK : err;
}

static enum qn_err write_one(struct run *run, struct site *site)
{
    char key[] = "a";
    key[0] = (char)('a' + below(run, KEYS));
    uint64_t dice = below(run, 20);
    if (dice < 14)
        return put(run, site, key);
    if (dice < 16)
        return write_kind(run, site, QN_OP_TRASH, key);
    if (dice < 17)
        return write_kind(run, site, QN_OP_RESTORE, key);
    if (dice < 19)
        return write_kind(run, site, QN_OP_ERASE, key);
    return put(run, site, QN_KEY_COLLECTION);
}

/* One to three writes in a transaction. Now and then the disk is full in the middle of it, or the
 * commit fails; then all of it must be gone. */
static void write_something(struct run *run, struct site *site)
{
    bool may_fail = below(run, 10) == 0;
    if (may_fail && below(run, 3) == 0)
        memkv_fail_commit(site->store, QN_ERR_NOSPACE);
    else if (may_fail)
        memkv_fail_put(site->store, 1 + below(run, 40), QN_ERR_NOSPACE);
    enum qn_err err = QN_OK;
    site_begin(site);
    for (size_t left = 1 + below(run, 3); left > 0 && err == QN_OK; left--)
        err = write_one(run, site);
    err = site_end(site, err);
    if (err != QN_OK && !(may_fail && err == QN_ERR_NOSPACE))
        note(run, "a write was refused");
    memkv_fail_put(site->store, 0, QN_OK);
}

/* --- exchange --- */

static void shuffle(struct run *run, struct messages *messages)
{
    for (size_t i = messages->list.count; i > 1; i--) {
        size_t j = below(run, i);
        struct message swapped = messages->list.items[i - 1];
        messages->list.items[i - 1] = messages->list.items[j];
        messages->list.items[j] = swapped;
    }
}

/* Applies what can be, tries the rest again, until nothing moves or the line is cut. */
static void deliver(struct run *run, struct site *to, struct messages *messages)
{
    size_t applied;
    bool has_moved = true;
    bool done[HELD_MAX] = {false};
    while (has_moved) {
        has_moved = false;
        for (size_t i = 0; i < messages->list.count && i < HELD_MAX; i++) {
            if (done[i])
                continue;
            if (below(run, 40) == 0)
                return;
            enum qn_err err = site_apply(to, &messages->list.items[i], &applied);
            if (err != QN_OK && err != QN_ERR_HELD)
                note(run, "a message was refused");
            done[i] = err != QN_ERR_HELD;
            has_moved = has_moved || done[i];
            if (done[i] && below(run, 6) == 0) /* again: nothing may come of it */
                if (site_apply(to, &messages->list.items[i], &applied) != QN_OK || applied != 0)
                    note(run, "applying twice is not applying once");
        }
    }
}

static void exchange(struct run *run, struct site *to)
{
    struct messages messages = {0};
    for (size_t i = 0; i < run->group.count; i++)
        if (&run->group.sites[i] != to && below(run, 2) == 0)
            site_collect(&run->group.sites[i], to, &messages);
    shuffle(run, &messages);
    deliver(run, to, &messages);
    messages_free(&messages);
}

/* --- pages --- */

/* The same page again: nothing may come of it. */
static void take_again(struct run *run, struct site *to, struct qn_span body)
{
    struct qn_page_result result;
    enum qn_err err = site_take_page(to, body, &result);
    if ((err != QN_OK && err != QN_ERR_STATE) || result.changed != 0)
        note(run, "taking a page twice is not taking it once");
}

/* Now and then the disk is full in the middle of it. */
static enum qn_err take_page(struct run *run, struct site *to, struct site *from)
{
    QN_AUTO_BUF struct qn_buf body = {0};
    struct qn_page_result result;
    bool may_fail = below(run, 10) == 0;
    enum qn_err err = site_read_page(from, to, 1 + below(run, 300), &body);
    if (err != QN_OK)
        return err;
    QN_AUTO_VV struct qn_vv cc = {0};
    if (qn_read_cc(memkv_reader(from->store), &run->group.coll, &cc) == QN_OK)
        qn_vv_join(&run->group.paged, &cc);
    if (may_fail)
        memkv_fail_put(to->store, 1 + below(run, 20), QN_ERR_NOSPACE);
    err = site_take_page(to, qn_buf_view(&body), &result);
    memkv_fail_put(to->store, 0, QN_OK);
    if (err != QN_OK && !(may_fail && err == QN_ERR_NOSPACE))
        note(run, "a page was refused");
    if (err == QN_OK && below(run, 6) == 0)
        take_again(run, to, qn_buf_view(&body));
    return err;
}

static void take_pages(struct run *run, struct site *to)
{
    struct site *from = &run->group.sites[below(run, run->group.count)];
    bool can_serve = !site_info(from).late.is_late || QN_BUG(QN_BUG_LATE_SERVES);
    if (from == to || !can_serve || (!site_info(to).late.is_passing && site_log_reaches(from, to)))
        return;
    if (site_begin_pass(to) != QN_OK)
        note(run, "a pass could not begin");
    for (size_t left = 1 + below(run, 4); left > 0 && site_info(to).late.is_passing; left--) {
        if (take_page(run, to, from) != QN_OK)
            return;
        if (below(run, 3) == 0)
            write_something(run, below(run, 2) == 0 ? to : from);
    }
}

/* --- accidents --- */

static void keep_image(struct run *run, size_t index)
{
    memkv_free(run->images[index]);
    run->images[index] = memkv_clone(run->group.sites[index].store);
}

/* Only what everybody has. */
static void truncate_some(struct run *run, struct site *site)
{
    struct qn_kv *kv = memkv_reader(site->store);
    uint64_t first_lacking = 0;
    for (size_t i = 0; i < run->group.count; i++) {
        QN_AUTO_VV struct qn_vv cc = {0};
        uint64_t seq;
        if (qn_read_cc(memkv_reader(run->group.sites[i].store), &run->group.coll, &cc) != QN_OK ||
            qn_read_start(kv, &run->group.coll, &cc, &seq) != QN_OK)
            note(run, "the log does not reach back to what somebody lacks");
        else if (seq != 0 && (first_lacking == 0 || seq < first_lacking))
            first_lacking = seq;
    }
    uint64_t upto = first_lacking != 0 ? first_lacking - 1 : site_info(site).order_head;
    kv = memkv_begin(site->store);
    enum qn_err err = qn_replica_begin(site->replica, kv, ++run->group.wall_ms, 1);
    if (err == QN_OK)
        err = qn_replica_truncate(site->replica, &run->group.coll, upto);
    if (err == QN_OK)
        err = qn_replica_seal(site->replica);
    if (err != QN_OK || memkv_commit(site->store) != QN_OK)
        note(run, "truncation failed");
    qn_replica_done(site->replica, true);
}

static void truncate_any(struct run *run, struct site *site)
{
    uint64_t upto = below(run, site_info(site).order_head + 1);
    site_begin(site);
    enum qn_err err = qn_replica_truncate(site->replica, &run->group.coll, upto);
    if (site_end(site, err) != QN_OK)
        note(run, "truncation failed");
}

static void wipe(struct run *run, size_t index)
{
    size_t clean = 0;
    for (size_t i = 0; i < run->group.count; i++)
        clean += i != index && !site_info(&run->group.sites[i]).late.is_late;
    if (clean == 0)
        return;
    site_wipe(&run->group.sites[index]);
    memkv_free(run->images[index]);
    run->images[index] = NULL;
}

static void rescue(struct run *run, struct site *site)
{
    size_t rescued;
    if (site_rescue(site, &rescued) != QN_OK)
        note(run, "a rescue failed");
}

static void step_late(struct run *run, size_t index)
{
    struct site *site = &run->group.sites[index];
    uint64_t dice = below(run, 100);
    if (dice < 65)
        take_pages(run, site);
    else if (dice < 80)
        truncate_any(run, site);
    else if (dice < 93)
        wipe(run, index);
    else
        rescue(run, site);
}

static void step(struct run *run, unsigned features)
{
    size_t index = below(run, run->group.count);
    struct site *site = &run->group.sites[index];
    if ((features & FEATURE_LATE) != 0 && below(run, 3) == 0) {
        step_late(run, index);
        return;
    }
    uint64_t dice = below(run, 100);
    if (dice < 50)
        write_something(run, site);
    else if (dice < 86)
        exchange(run, site);
    else if (dice < 92)
        keep_image(run, index);
    else if (dice < 96 && (features & FEATURE_RESTORE) != 0 && run->images[index] != NULL)
        site_restore(site, run->images[index]);
    else if (dice >= 96 && (features & FEATURE_TRUNCATE) != 0)
        truncate_some(run, site);
}

static void check(struct run *run, struct site *site)
{
    const char *fault = site_check(site);
    if (fault == NULL)
        fault = site_check_oracle(site);
    if (fault == NULL)
        fault = run->group.fault;
    if (fault != NULL)
        note(run, fault);
}

const char *schedule_run(uint64_t seed, unsigned features)
{
    struct run run = {0};
    group_init(&run.group, 2 + seed % 3, seed);
    for (size_t i = 0; i < STEPS && run.fault == NULL; i++) {
        step(&run, features);
        if (i % 6 == 5)
            check(&run, &run.group.sites[below(&run, run.group.count)]);
    }
    if (run.fault == NULL) {
        if ((features & FEATURE_LATE) != 0)
            group_settle_late(&run.group);
        else
            group_settle(&run.group);
        for (size_t i = 0; i < run.group.count; i++)
            check(&run, &run.group.sites[i]);
    }
    if (run.fault == NULL)
        run.fault = group_check_equal(&run.group);
    group_deinit(&run.group);
    for (size_t i = 0; i < SITES_MAX; i++)
        memkv_free(run.images[i]);
    return run.fault;
}
