/* What a holder promised an owner (docs/custody.md), written down when it says so, and looked for
 * again after every crash, now and then, and at rest: a pack or a list that was acknowledged is
 * there, stays there while its lock runs, and no lock is ever shortened. And at rest every snapshot
 * of a plan with copies is complete at its holders. */
#include <stdio.h>

#include "model/lock_clock.h"
#include "proto/cursor.h"
#include "proto/message.h"
#include "sim/world.h"

#define SETTLED_MS                                                                                 \
    45000 /* a snapshot of a plan that runs every minute is that old, or on its way */

struct sim_promise {
    size_t holder;
    struct qn_site_id owner;
    struct qn_digest name; /* of a pack, or a list */
    bool is_list;
    uint64_t until_ms; /* lock time, as it was seen last */
};

/* ---- whether it is kept ---- */

static bool is_pack_kept(struct sim_world *world, const struct sim_site *holder,
                         const struct qn_site_id *owner, const struct qn_digest *name)
{
    struct qn_held_pack row;
    if (qn_held_pack_get(memkv_reader(holder->disk), owner, name, &row) != QN_OK)
        return false;
    const struct sim_file *file = files_find(holder, owner, name->bytes);
    if (world->is_at_rest)
        return !row.is_bad && !row.is_condemned && files_are_good(file);
    if (world->rotten > 0 && (row.is_bad || (file != NULL && file->is_rotten)))
        return true; /* it is found out in time, and the owner sends it again */
    return !row.is_bad && !row.is_condemned && file != NULL && file->is_whole;
}

static bool are_packs_kept(struct sim_world *world, const struct sim_site *holder,
                           const struct sim_promise *promise)
{
    QN_AUTO_BUF struct qn_buf names;
    qn_buf_init(&names, 1 << 20);
    if (qn_held_list_names(memkv_reader(holder->disk), &promise->owner, &promise->name, NULL, 4096,
                           &names) != QN_OK)
        return false;
    for (size_t at = 0; at < names.size; at += sizeof(struct qn_digest)) {
        struct qn_digest name;
        memcpy(name.bytes, names.data + at, sizeof(name.bytes));
        if (!is_pack_kept(world, holder, &promise->owner, &name))
            return false;
    }
    return true;
}

/* The lock that the store shows now; false if it is not there, or not as promised. */
static bool find_lock(struct sim_world *world, const struct sim_site *holder,
                      const struct sim_promise *promise, uint64_t *ret_until_ms)
{
    struct qn_kv *kv = memkv_reader(holder->disk);
    if (promise->is_list) {
        struct qn_held_list list;
        if (qn_held_list_get(kv, &promise->owner, &promise->name, &list) != QN_OK || !list.is_whole)
            return false;
        *ret_until_ms = list.locked_until_ms;
        return are_packs_kept(world, holder, promise);
    }
    struct qn_held_pack row;
    if (qn_held_pack_get(kv, &promise->owner, &promise->name, &row) != QN_OK)
        return false;
    *ret_until_ms = row.locked_until_ms;
    return is_pack_kept(world, holder, &promise->owner, &promise->name);
}

/* False: it is over. */
static bool check_promise(struct sim_world *world, struct sim_promise *promise)
{
    struct sim_site *holder = &world->sites[promise->holder];
    uint64_t until_ms = 0, lock_ms;
    bool is_kept = find_lock(world, holder, promise, &until_ms);
    const char *what = promise->is_list ? "list" : "pack";
    QN_ASSERT(qn_lock_now(memkv_reader(holder->disk), &lock_ms) == QN_OK);
    if (!is_kept && lock_ms >= promise->until_ms && promise->until_ms > 0)
        return false;
    if (!is_kept)
        world_fail(world, "%s: a %s that it acknowledged is not there", holder->name, what);
    else if (until_ms < promise->until_ms)
        world_fail(world, "%s: the lock of a %s was shortened", holder->name, what);
    promise->until_ms = until_ms;
    return true;
}

/* ---- what is said ---- */

static void promise(struct sim_world *world, const struct sim_site *holder,
                    const struct qn_site_id *owner, const struct qn_digest *name, bool is_list)
{
    qn_vec_each (&world->promises, known)
        if (known->holder == holder->index && known->is_list == is_list &&
            qn_site_id_eq(&known->owner, owner) && qn_digest_eq(&known->name, name))
            return;
    struct sim_promise new = {
        .holder = holder->index, .owner = *owner, .name = *name, .is_list = is_list};
    uint64_t until_ms;
    if (holder->has_old_rows && !find_lock(world, holder, &new, &until_ms)) {
        world->rotten++; /* its store says that a file is there which went since: scrubs find it */
        return;
    }
    qn_vec_push(&world->promises, new);
    check_promise(world, &world->promises.items[world->promises.count - 1]);
    if (is_list)
        world->lists_held++;
}

static enum qn_err heard_pack_ack(struct qn_cursor *fields, struct qn_digest *ret_name,
                                  bool *ret_is_promise)
{
    uint64_t offset, code;
    bool is_whole;
    QN_TRY(qn_cursor_bytes(fields, ret_name->bytes, sizeof(ret_name->bytes)));
    QN_TRY(qn_cursor_u64(fields, &offset));
    QN_TRY(qn_cursor_bool(fields, &is_whole));
    QN_TRY(qn_cursor_u64(fields, &code));
    *ret_is_promise = is_whole && code == 0;
    return QN_OK;
}

static enum qn_err heard_list_ack(struct qn_cursor *fields, struct qn_digest *ret_name,
                                  bool *ret_is_promise)
{
    QN_TRY(qn_cursor_bytes(fields, ret_name->bytes, sizeof(ret_name->bytes)));
    *ret_is_promise = qn_cursor_peek(fields) == QN_ITEM_NIL;
    return QN_OK;
}

void custody_said(struct sim_world *world, const struct sim_site *from, const struct sim_site *to,
                  struct qn_span frame)
{
    struct qn_cursor cursor = qn_cursor(frame);
    struct qn_digest name;
    size_t count;
    uint64_t number;
    bool is_promise = false;
    enum qn_err err = qn_cursor_array(&cursor, 64, &count);
    if (err == QN_OK)
        err = qn_cursor_u64(&cursor, &number);
    if (err == QN_OK && number == QN_MSG_PACK_ACK)
        err = heard_pack_ack(&cursor, &name, &is_promise);
    else if (err == QN_OK && number == QN_MSG_LIST_ACK)
        err = heard_list_ack(&cursor, &name, &is_promise);
    if (err != QN_OK)
        world_fail(world, "%s: a frame that cannot be read", from->name);
    else if (is_promise)
        promise(world, from, &to->id, &name, number == QN_MSG_LIST_ACK);
}

void custody_check(struct sim_world *world, const struct sim_site *holder)
{
    for (size_t i = world->promises.count; i-- > 0 && world->failure[0] == '\0';)
        if (world->promises.items[i].holder == holder->index &&
            !check_promise(world, &world->promises.items[i]))
            qn_vec_remove(&world->promises, i);
}

/* An old copy of the disk knows nothing of what was promised since. */
void custody_forget(struct sim_world *world, const struct sim_site *holder)
{
    for (size_t i = world->promises.count; i-- > 0;)
        if (world->promises.items[i].holder == holder->index)
            qn_vec_remove(&world->promises, i);
}

/* ---- at rest ---- */

static struct sim_site *site_of(struct sim_world *world, const struct qn_site_id *id)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (qn_site_id_eq(&world->sites[i].id, id))
            return &world->sites[i];
    return NULL;
}

static bool has_agreed(const struct sim_site *owner, const struct sim_site *holder)
{
    const struct qn_group *group = qn_core_group(owner->core);
    const struct qn_place *place = qn_group_place(group, &owner->id, &holder->id);
    const struct qn_site *site = qn_group_site(group, &holder->id);
    return place != NULL && place->state == QN_PLACE_ACCEPTED && site != NULL &&
           site->state == QN_SITE_MEMBER && holder->is_up && !holder->is_cast_out &&
           qn_core_group(holder->core) != NULL;
}

static void check_copy(struct sim_world *world, struct sim_site *owner, struct sim_site *holder,
                       const struct qn_own_snap *snap)
{
    struct qn_list_head head = {
        .snapshot = snap->name, .names = snap->names, .name_count = snap->name_count};
    struct sim_promise list = {.holder = holder->index, .owner = owner->id, .is_list = true};
    enum qn_copy_state state;
    uint64_t until_ms;
    qn_list_id(&head, &list.name);
    QN_ASSERT(qn_book_copy_state(memkv_reader(owner->disk), &holder->id, snap, &state) == QN_OK);
    if (state != QN_COPY_COMPLETE)
        world_fail(world, "at rest: a snapshot of %s is not complete at %s (%d)", owner->name,
                   holder->name, (int)state);
    else if (!find_lock(world, holder, &list, &until_ms))
        world_fail(world, "at rest: %s believes in a copy that %s does not have", owner->name,
                   holder->name);
    else
        world->copies_complete++;
}

static void check_plan(struct sim_world *world, struct sim_site *owner, const struct qn_plan *plan)
{
    struct qn_own_snap snap;
    uint64_t after = 0;
    while (qn_book_snap_next(memkv_reader(owner->disk), after, &snap) == QN_OK) {
        after = snap.number;
        if (!qn_span_eq_str(plan->name, snap.plan) ||
            snap.ended_ms + SETTLED_MS > site_wall_ms(world, owner))
            continue;
        qn_vec_each (&plan->copies, id) {
            struct sim_site *holder = site_of(world, id);
            if (holder != NULL && has_agreed(owner, holder))
                check_copy(world, owner, holder, &snap);
        }
    }
}

/* Of a file without a row nothing was promised: the store is older than the files. */
static void check_rot(struct sim_world *world, const struct sim_site *holder)
{
    struct qn_held_pack row;
    qn_vec_each (&holder->files.held, file)
        if ((*file)->is_whole && (*file)->is_rotten && world->is_scrubbed &&
            qn_held_pack_get(memkv_reader(holder->disk), &(*file)->owner, &(*file)->name, &row) ==
                QN_OK)
            world_fail(world, "at rest: %s has not found out about a bad pack", holder->name);
}

void custody_at_rest(struct sim_world *world, struct sim_site *site)
{
    struct qn_span packed;
    char after[QN_NAME_SIZE_MAX + 1] = "";
    custody_check(world, site);
    world->is_at_rest = world->rotten == 0 || world->is_scrubbed;
    check_rot(world, site);
    while (qn_book_plan_next(memkv_reader(site->disk), qn_span_str(after), &packed) == QN_OK) {
        struct qn_plan plan = {0};
        QN_ASSERT(qn_plan_unpack(packed, &plan) == QN_OK);
        snprintf(after, sizeof(after), "%.*s", (int)plan.name.size, (const char *)plan.name.data);
        check_plan(world, site, &plan);
        qn_plan_deinit(&plan);
    }
    world->is_at_rest = false;
}

/* What a trace says at its end: that there was something to look at. */
void custody_tell(struct sim_world *world)
{
    world_trace(world, "custody: %zu packs and %zu lists held, %zu rotten, %zu copies complete",
                world->packs_held, world->lists_held, world->rotten, world->copies_complete);
}
