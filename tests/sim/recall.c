/* What a fire leaves: each snapshot has a copy of the site's store as it was (as app/copies.h makes
 * it), and a holder that has all packs of one gives it back. The site is founded anew, and reads
 * the copy for what nobody gave it yet, by operations or, where the log was cut, by pages (as
 * app/job_recall.c does it). */
#include "core/args.h"
#include "model/late.h"
#include "proto/pack.h"
#include "sim/world.h"

#define PART_SIZE  300 /* of operations, and of a page */
#define PARTS_MAX  12  /* of one job; more come with the next one */
#define COLLS_SIZE 4   /* values of the job's arguments for each collection */

/* ---- what is left ---- */

static bool is_held_by(const struct sim_site *holder, const struct sim_site *owner,
                       const struct sim_snap *snap)
{
    for (size_t at = 0; at < snap->live.size; at += sizeof(struct qn_digest))
        if (!files_are_good(files_find(holder, &owner->id, snap->live.data + at)))
            return false;
    return snap->live.size > 0;
}

static bool is_held(const struct sim_world *world, const struct sim_site *owner,
                    const struct sim_snap *snap)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (i != owner->index && !oracle_is_withdrawn(world, i) &&
            is_held_by(&world->sites[i], owner, snap))
            return true;
    return false;
}

/* Of an earlier fire's copy, if there is none of this one's, it is still what the holders have. */
void recall_keep(struct sim_world *world, struct sim_site *site)
{
    struct sim_vault *vault = &site->vault;
    for (size_t i = vault->snaps.count; world->is_hard && i-- > 0;) {
        struct sim_snap *snap = &vault->snaps.items[i];
        if (snap->store == NULL || !is_held(world, site, snap))
            continue;
        memkv_free(site->copy);
        site->copy = snap->store;
        snap->store = NULL;
        world_trace(world, "a copy of the store of %s is left", site->name);
        return;
    }
}

/* ---- reading it ---- */

struct recall {
    struct sim_world *world;
    struct sim_site *site;
    struct qn_kv *kv;
    size_t parts; /* that may still be told */
    bool has_more, has_held, has_told;
};

struct wanted {
    struct qn_coll_id coll;
    struct qn_vv known;
    struct qn_span cursor, clock;
};

static void tell_part(struct recall *recall, enum qn_job_news news, const struct qn_coll_id *coll,
                      const char *what, struct qn_span body)
{
    QN_AUTO_BUF struct qn_buf payload;
    qn_buf_init(&payload, body.size + 256);
    qn_pack_map(&payload, 2);
    qn_pack_cstr(&payload, "coll");
    qn_pack_bin(&payload, QN_SPAN_OF(coll->bytes));
    qn_pack_cstr(&payload, what);
    qn_pack_bin(&payload, body);
    recall->has_told = true;
    recall->parts--;
    vault_tell(recall->world, recall->site, news, QN_OK, &payload);
}

static bool is_enough(struct recall *recall)
{
    recall->has_more |= recall->parts == 0;
    return recall->parts == 0;
}

static enum qn_err recall_ops(struct recall *recall, const struct wanted *wanted, uint64_t from_seq)
{
    struct qn_ops_request request = {.coll = wanted->coll,
                                     .known = &wanted->known,
                                     .from_seq = from_seq,
                                     .size_wish = PART_SIZE,
                                     .ops_wish = 1000};
    bool is_end = false;
    while (request.from_seq > 0 && !is_end && !is_enough(recall)) {
        QN_AUTO_BUF struct qn_buf body;
        struct qn_ops_read read = {0};
        qn_buf_init(&body, QN_FRAME_SIZE_MAX);
        QN_TRY(qn_read_ops(recall->kv, &request, &body, &read));
        if (read.op_count > 0)
            tell_part(recall, QN_JOB_OPS, &wanted->coll, "ops", qn_buf_view(&body));
        request.from_seq = read.next_seq;
        is_end = read.is_end;
        qn_vv_deinit(&read.last);
    }
    return QN_OK;
}

static enum qn_err recall_pages(struct recall *recall, const struct wanted *wanted)
{
    struct qn_page_read page = {.is_last = false};
    struct qn_digest clock;
    struct qn_page_request request = {.coll = wanted->coll,
                                      .after = wanted->cursor,
                                      .size_wish = PART_SIZE,
                                      .is_last_copy = true};
    if (wanted->clock.size == sizeof(clock.bytes)) {
        memcpy(clock.bytes, wanted->clock.data, sizeof(clock.bytes));
        request.known = &clock;
    }
    while (!page.is_last && !is_enough(recall)) {
        QN_AUTO_BUF struct qn_buf body;
        qn_buf_init(&body, QN_FRAME_SIZE_MAX);
        QN_TRY(qn_read_page(recall->kv, &request, &body, &page));
        tell_part(recall, QN_JOB_PAGE, &wanted->coll, "page", qn_buf_view(&body));
        clock = page.clock;
        request.known = &clock;
        request.after = qn_span(page.next, page.next_size);
    }
    recall->has_more = true;
    return QN_OK;
}

static enum qn_err recall_coll(struct recall *recall, const struct wanted *wanted)
{
    uint64_t from_seq = 0;
    enum qn_err err = qn_read_start(recall->kv, &wanted->coll, &wanted->known, &from_seq);
    if (err == QN_OK)
        err = recall_ops(recall, wanted, from_seq);
    return err == QN_ERR_HELD || err == QN_ERR_CORRUPT ? recall_pages(recall, wanted) : err;
}

static void read_wanted(struct qn_cursor *cursor, struct wanted *wanted)
{
    QN_ASSERT(qn_cursor_bytes(cursor, wanted->coll.bytes, sizeof(wanted->coll.bytes)) == QN_OK &&
              qn_vv_unpack(cursor, &wanted->known) == QN_OK &&
              qn_cursor_bin(cursor, QN_SPOT_SIZE_MAX, &wanted->cursor) == QN_OK &&
              qn_cursor_bin(cursor, QN_DIGEST_SIZE, &wanted->clock) == QN_OK);
}

static enum qn_err recall_colls(struct recall *recall, struct qn_cursor cursor)
{
    size_t count;
    QN_ASSERT(qn_cursor_array(&cursor, SIZE_MAX, &count) == QN_OK);
    for (size_t i = 0; i < count; i += COLLS_SIZE) {
        struct wanted wanted = {.known = {.entries = {0}}};
        read_wanted(&cursor, &wanted);
        enum qn_err err = recall_coll(recall, &wanted);
        qn_vv_deinit(&wanted.known);
        recall->has_held |= err == QN_ERR_HELD;
        if (err != QN_ERR_HELD)
            QN_TRY(err);
    }
    recall->has_more |= recall->has_held && recall->has_told;
    return recall->has_held && !recall->has_told ? QN_ERR_HELD : QN_OK;
}

enum qn_err recall_run(struct sim_world *world, struct sim_site *site, struct qn_buf *done)
{
    if (site->copy == NULL)
        return world->is_hard ? QN_ERR_NOTFOUND : QN_OK;
    struct recall recall = {.world = world,
                            .site = site,
                            .kv = memkv_reader(site->copy),
                            .parts = 1 + world_below(world, PARTS_MAX)};
    QN_TRY(
        recall_colls(&recall, qn_cursor(args_value(qn_buf_view(&site->vault.job->args), "colls"))));
    qn_pack_map(done, 1);
    qn_pack_cstr(done, "more");
    qn_pack_bool(done, recall.has_more);
    return QN_OK;
}
