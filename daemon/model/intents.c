#include "model/intents.h"

#include "model/bugs.h"
#include "model/doubt.h"
#include "model/peers.h"
#include "proto/pack.h"

/* ---- records ---- */

struct parsed_write {
    struct qn_write write;
    QN_VEC(struct qn_op_set) fields;
};

static enum qn_err read_coll_id(struct qn_cursor *cursor, struct qn_coll_id *ret_id)
{
    return qn_cursor_bytes(cursor, ret_id->bytes, sizeof(ret_id->bytes));
}

static enum qn_err read_fields(struct qn_cursor *cursor, struct parsed_write *parsed)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, 2 * QN_OP_FIELDS_MAX, &count));
    if (count % 2 != 0)
        return QN_ERR_INVALID;
    for (size_t i = 0; i < count; i += 2) {
        struct qn_op_set *set = qn_vec_push_slot(&parsed->fields);
        QN_TRY(qn_cursor_str(cursor, QN_FIELD_SIZE_MAX, &set->field));
        QN_TRY(qn_cursor_skip(cursor, QN_VALUE_DEPTH_MAX, &set->value));
    }
    return QN_OK;
}

/* Only of a write that stands alone: of several, all are done or none, and what one finds depends
 * on those before it. */
static enum qn_err read_expected(struct qn_cursor *cursor, struct qn_write *write)
{
    struct qn_span state;
    QN_TRY(qn_cursor_bin(cursor, QN_STATE_HASH_SIZE, &state));
    write->must_be_new = state.size == 0;
    write->must_be = state.size == QN_STATE_HASH_SIZE ? state.data : NULL;
    return write->must_be_new || write->must_be != NULL ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_write(struct qn_cursor *cursor, bool is_alone, struct parsed_write *parsed)
{
    uint64_t kind;
    size_t parts;
    parsed->fields.count = 0;
    QN_TRY(qn_cursor_array(cursor, is_alone ? 5 : 4, &parts));
    if (parts < 4)
        return QN_ERR_INVALID;
    QN_TRY(qn_cursor_u64(cursor, &kind));
    QN_TRY(qn_cursor_str(cursor, QN_KEY_SIZE_MAX, &parsed->write.key));
    QN_TRY(qn_cursor_str(cursor, QN_USER_SIZE_MAX, &parsed->write.user));
    QN_TRY(read_fields(cursor, parsed));
    if (parts == 5)
        QN_TRY(read_expected(cursor, &parsed->write));
    parsed->write.kind = (enum qn_op_kind)kind;
    parsed->write.fields = parsed->fields.items;
    parsed->write.field_count = parsed->fields.count;
    return QN_OK;
}

/* All of the writes of one intent, or none: they are checked first, one by one, because only the
 * first refusal of a group may come after something was written. */
static enum qn_err run_writes(struct qn_applier *applier, struct qn_cursor *cursor, size_t count,
                              struct parsed_write *parsed, struct qn_outcome *outcome)
{
    for (size_t i = 0; i < count; i++) {
        struct qn_write_result result;
        outcome->failed_at = i;
        QN_TRY(read_write(cursor, count == 1, parsed));
        parsed->write.is_one_of_many = count > 1;
        QN_TRY(qn_replica_write(applier->replica, &parsed->write, &result));
        if (result.is_changed)
            outcome->changed++;
        else
            outcome->unchanged++;
    }
    return QN_OK;
}

static enum qn_err check_whole(struct qn_applier *applier, const struct qn_write *write)
{
    bool is_aside;
    QN_TRY(qn_replica_is_aside(applier->replica, &write->coll, write->key, &is_aside));
    return is_aside ? QN_ERR_DAMAGED : QN_OK;
}

static enum qn_err check_writes(struct qn_applier *applier, struct qn_cursor cursor, size_t count,
                                struct parsed_write *parsed, struct qn_outcome *outcome)
{
    for (size_t i = 0; i < count; i++) {
        outcome->failed_at = i;
        QN_TRY(read_write(&cursor, count == 1, parsed));
        QN_TRY(qn_write_check(&parsed->write));
        QN_TRY(check_whole(applier, &parsed->write));
    }
    return qn_cursor_finish(&cursor);
}

static enum qn_err run_write(struct qn_applier *applier, struct qn_cursor *cursor,
                             struct qn_outcome *outcome)
{
    struct parsed_write parsed = {0};
    size_t count;
    QN_TRY(qn_intent_array(cursor, 2));
    QN_TRY(read_coll_id(cursor, &parsed.write.coll));
    QN_TRY(qn_cursor_array(cursor, QN_TXN_OPS_MAX, &count));
    enum qn_err err = check_writes(applier, *cursor, count, &parsed, outcome);
    if (err == QN_OK)
        err = run_writes(applier, cursor, count, &parsed, outcome);
    qn_vec_free(&parsed.fields);
    return err;
}

static enum qn_err run_apply(struct qn_applier *applier, struct qn_cursor *cursor,
                             struct qn_outcome *outcome)
{
    struct qn_coll_id coll;
    QN_TRY(qn_intent_array(cursor, 2));
    QN_TRY(read_coll_id(cursor, &coll));
    struct qn_ops ops = {0};
    enum qn_err err = qn_ops_unpack(cursor, &ops);
    if (err == QN_OK)
        err = qn_replica_apply(applier->replica, &coll, &ops, &outcome->changed);
    if (err == QN_OK)
        outcome->unchanged = ops.items.count - outcome->changed;
    qn_ops_deinit(&ops);
    return err;
}

/* The concurrent value of a field that came from a site; NULL if there is none. */
static const struct qn_pair *pair_of_site(const struct qn_record *record, struct qn_span field,
                                          const struct qn_site_id *site)
{
    const struct qn_field *found = qn_record_field(record, field);
    const struct qn_pair *last = NULL;
    if (found == NULL)
        return NULL;
    qn_vec_each (&found->pairs, pair)
        if (qn_actor_is_of(&pair->dot.actor, site))
            last = pair;
    return last;
}

/* Deleted at one site, edited at another: taking a deletion deletes, taking an edit restores. */
static enum qn_op_kind resolve_kind(const struct qn_record *record, struct qn_span field,
                                    const struct qn_site_id *site)
{
    if (!qn_span_eq_str(field, QN_FIELD_TRASH))
        return QN_OP_PUT;
    return pair_of_site(record, field, site) != NULL ? QN_OP_TRASH : QN_OP_RESTORE;
}

struct resolution {
    struct qn_coll_id coll;
    struct qn_span key, field, value, user;
    struct qn_site_id site;
    bool takes_site;
};

static enum qn_err read_resolution(struct qn_cursor *cursor, struct resolution *r)
{
    QN_TRY(qn_intent_array(cursor, 6));
    QN_TRY(read_coll_id(cursor, &r->coll));
    QN_TRY(qn_cursor_str(cursor, QN_KEY_SIZE_MAX, &r->key));
    QN_TRY(qn_cursor_str(cursor, QN_FIELD_SIZE_MAX, &r->field));
    r->takes_site = qn_cursor_peek(cursor) == QN_ITEM_BIN;
    if (r->takes_site)
        QN_TRY(qn_cursor_bytes(cursor, r->site.bytes, sizeof(r->site.bytes)));
    else
        QN_TRY(qn_cursor_nil(cursor));
    QN_TRY(qn_cursor_skip(cursor, QN_VALUE_DEPTH_MAX, &r->value));
    QN_TRY(qn_cursor_str(cursor, QN_USER_SIZE_MAX, &r->user));
    return qn_cursor_finish(cursor);
}

static enum qn_err choose(struct qn_applier *applier, const struct resolution *r,
                          const struct qn_record *record, struct qn_outcome *outcome)
{
    const struct qn_field *field = qn_record_field(record, r->field);
    bool is_trash = qn_span_eq_str(r->field, QN_FIELD_TRASH);
    if (is_trash ? qn_record_state(record) != QN_RECORD_CONTESTED
                 : field == NULL || !qn_field_has_conflict(field))
        return QN_ERR_STATE;
    struct qn_op_set set = {.field = r->field, .value = r->value};
    if (r->takes_site && !is_trash) {
        const struct qn_pair *pair = pair_of_site(record, r->field, &r->site);
        if (pair == NULL)
            return QN_ERR_NOTFOUND;
        set.value = pair->value;
    }
    QN_AUTO_FREE uint8_t *value = qn_memdup(set.value.data, set.value.size);
    set.value.data = value; /* the record's memory goes with the first write */
    enum qn_op_kind kind = resolve_kind(record, r->field, &r->site);
    struct qn_write write = {.coll = r->coll,
                             .kind = kind,
                             .key = r->key,
                             .user = r->user,
                             .fields = &set,
                             .field_count = kind == QN_OP_PUT ? 1 : 0};
    struct qn_write_result result;
    QN_TRY(qn_replica_write(applier->replica, &write, &result));
    outcome->changed = 1;
    return QN_OK;
}

static enum qn_err run_resolve(struct qn_applier *applier, struct qn_cursor *cursor,
                               struct qn_outcome *outcome)
{
    struct resolution r;
    QN_TRY(read_resolution(cursor, &r));
    QN_AUTO_RECORD struct qn_record record = {0};
    QN_TRY(qn_read_record(applier->kv, &r.coll, r.key, &record));
    return choose(applier, &r, &record, outcome);
}

/* ---- the ledger ---- */

static enum qn_err store_entry(struct qn_applier *applier, struct qn_span entry, size_t place)
{
    uint8_t key[8];
    qn_write_u64(key, place);
    return qn_kv_put(applier->kv, QN_TABLE_LEDGER, QN_SPAN_OF(key), entry);
}

#ifdef QN_WITH_BUGS
static enum qn_err forget_withdrawn(struct qn_applier *applier)
{
    if (!QN_BUG(QN_BUG_CLOCK_DROPPED))
        return QN_OK;
    qn_vec_each (&qn_ledger_group(applier->ledger)->sites, site)
        if (site->state == QN_SITE_WITHDRAWN)
            QN_TRY(qn_replica_forget_site(applier->replica, &site->id));
    return QN_OK;
}
#else
static enum qn_err forget_withdrawn(struct qn_applier *applier)
{
    return QN_OK;
}
#endif

static enum qn_err add_entry(struct qn_applier *applier, struct qn_span entry,
                             struct qn_outcome *outcome)
{
    bool is_new;
    QN_TRY(qn_ledger_add(applier->ledger, entry, &is_new));
    if (!is_new) {
        outcome->unchanged++;
        return QN_OK;
    }
    outcome->changed++;
    QN_TRY(store_entry(applier, entry, qn_ledger_count(applier->ledger) - 1));
    return forget_withdrawn(applier);
}

static enum qn_err append_body(struct qn_applier *applier, struct qn_span body,
                               struct qn_outcome *outcome)
{
    qn_hlc hlc;
    QN_TRY(qn_replica_tick(applier->replica, &hlc));
    QN_AUTO_BUF struct qn_buf entry;
    qn_buf_init(&entry, QN_LEDGER_ENTRY_SIZE_MAX);
    QN_TRY(qn_ledger_compose(applier->ledger, applier->signer, &applier->site, hlc, body, &entry));
    return add_entry(applier, qn_buf_view(&entry), outcome);
}

static enum qn_err run_ledger_append(struct qn_applier *applier, struct qn_cursor *cursor,
                                     struct qn_outcome *outcome)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, QN_LEDGER_ENTRIES_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        struct qn_span body;
        QN_TRY(qn_cursor_bin(cursor, QN_LEDGER_ENTRY_SIZE_MAX, &body));
        QN_TRY(append_body(applier, body, outcome));
    }
    return QN_OK;
}

/* What is wrong with an entry without being wrong with who passed it on: something before it is
 * missing here, its author signed two entries for one place, or this version cannot judge it. Such
 * an entry is left out, and those that do not build on it are taken. */
static unsigned rank_of_skipped(enum qn_err err)
{
    static const enum qn_err skipped[] = {QN_ERR_HELD, QN_ERR_UNSUPPORTED, QN_ERR_EXISTS};
    for (unsigned i = 0; i < sizeof(skipped) / sizeof(skipped[0]); i++)
        if (err == skipped[i])
            return i + 1;
    return 0;
}

/* Entries stand in a causal order. The first that is refused ends the run, and what came before it
 * stays; of those that are left out the gravest reason is the outcome. */
static enum qn_err run_ledger_merge(struct qn_applier *applier, struct qn_cursor *cursor,
                                    struct qn_outcome *outcome)
{
    size_t count;
    enum qn_err gravest = QN_OK;
    QN_TRY(qn_cursor_array(cursor, QN_LEDGER_ENTRIES_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        struct qn_span entry;
        outcome->failed_at = i;
        QN_TRY(qn_cursor_bin(cursor, QN_LEDGER_ENTRY_SIZE_MAX, &entry));
        enum qn_err err = add_entry(applier, entry, outcome);
        if (err != QN_OK && rank_of_skipped(err) == 0)
            return err;
        if (rank_of_skipped(err) > rank_of_skipped(gravest))
            gravest = err;
    }
    return gravest;
}

static enum qn_err run_coll_create(struct qn_applier *applier, struct qn_cursor *cursor,
                                   struct qn_outcome *outcome)
{
    struct qn_span body, home, name, user;
    struct qn_coll_id coll;
    QN_TRY(qn_intent_array(cursor, 5));
    QN_TRY(qn_cursor_bin(cursor, QN_LEDGER_ENTRY_SIZE_MAX, &body));
    QN_TRY(read_coll_id(cursor, &coll));
    QN_TRY(qn_cursor_skip(cursor, 1, &home));
    QN_TRY(qn_cursor_str(cursor, QN_NAME_SIZE_MAX, &name));
    QN_TRY(qn_cursor_str(cursor, QN_USER_SIZE_MAX, &user));
    QN_TRY(append_body(applier, body, outcome));
    QN_AUTO_BUF struct qn_buf name_value, kind_value;
    qn_buf_init(&name_value, QN_VALUE_SIZE_MAX);
    qn_buf_init(&kind_value, 64);
    qn_pack_str(&name_value, name);
    qn_pack_cstr(&kind_value, QN_COLL_KIND_FOLDER);
    const struct qn_op_set sets[] = {
        {.field = qn_span_str("name"), .value = qn_buf_view(&name_value)},
        {.field = qn_span_str("kind"), .value = qn_buf_view(&kind_value)},
        {.field = qn_span_str("home"), .value = home},
    };
    struct qn_cursor at_home = qn_cursor(home);
    bool is_folder = qn_cursor_peek(&at_home) == QN_ITEM_STR;
    struct qn_write write = {.coll = coll,
                             .kind = QN_OP_PUT,
                             .key = qn_span_str(QN_KEY_COLLECTION),
                             .user = user,
                             .fields = sets,
                             .field_count = is_folder ? 3 : 1};
    struct qn_write_result result;
    return qn_replica_write(applier->replica, &write, &result);
}

/* ---- what is remembered of others ---- */

static enum qn_err put_peer_clock(struct qn_applier *applier, struct qn_cursor *cursor)
{
    struct qn_coll_id coll;
    struct qn_site_id site;
    uint64_t heard_ms;
    QN_AUTO_VV struct qn_vv clock = {0};
    QN_TRY(qn_intent_array(cursor, 4));
    QN_TRY(read_coll_id(cursor, &coll));
    QN_TRY(qn_cursor_bytes(cursor, site.bytes, sizeof(site.bytes)));
    QN_TRY(qn_vv_unpack(cursor, &clock));
    QN_TRY(qn_cursor_u64(cursor, &heard_ms));
    return qn_peer_clock_put(applier->kv, &coll, &site, &clock, heard_ms);
}

static enum qn_err run_peer_clocks(struct qn_applier *applier, struct qn_cursor *cursor)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, QN_TXN_OPS_MAX, &count));
    for (size_t i = 0; i < count; i++)
        QN_TRY(put_peer_clock(applier, cursor));
    return QN_OK;
}

static enum qn_err run_site_contact(struct qn_applier *applier, struct qn_cursor *cursor)
{
    struct qn_site_id site;
    struct qn_span announcement;
    uint64_t contact_ms;
    QN_TRY(qn_intent_array(cursor, 3));
    QN_TRY(qn_cursor_bytes(cursor, site.bytes, sizeof(site.bytes)));
    QN_TRY(qn_cursor_bin(cursor, QN_ANNOUNCEMENT_SIZE_MAX, &announcement));
    QN_TRY(qn_cursor_u64(cursor, &contact_ms));
    return qn_site_contact_put(applier->kv, &site, announcement, contact_ms);
}

static enum qn_err run_of_ledger(struct qn_applier *applier, enum qn_intent_kind kind,
                                 struct qn_cursor *cursor, struct qn_outcome *outcome)
{
    if (kind == QN_INTENT_LEDGER_APPEND)
        return run_ledger_append(applier, cursor, outcome);
    if (kind == QN_INTENT_LEDGER_MERGE)
        return run_ledger_merge(applier, cursor, outcome);
    return run_coll_create(applier, cursor, outcome);
}

/* What is remembered of other sites. */
static enum qn_err run_about_site(struct qn_applier *applier, enum qn_intent_kind kind,
                                  struct qn_cursor *cursor, struct qn_outcome *outcome)
{
    if (kind == QN_INTENT_PEER_CLOCKS)
        return run_peer_clocks(applier, cursor);
    if (kind == QN_INTENT_SITE_CONTACT)
        return run_site_contact(applier, cursor);
    return qn_intent_run_trail(applier, cursor, outcome);
}

/* This site's own affairs. */
static enum qn_err run_own(struct qn_applier *applier, enum qn_intent_kind kind,
                           struct qn_cursor *cursor, struct qn_outcome *outcome)
{
    if (kind == QN_INTENT_RENEW)
        return qn_replica_renew(applier->replica);
    if (kind == QN_INTENT_TRUST)
        return qn_doubt_put(applier->kv, false);
    if (kind == QN_INTENT_LOCAL)
        return qn_intent_run_local(applier, cursor);
    return qn_intent_run_trim(applier, kind, cursor, outcome);
}

enum qn_err qn_intent_run(struct qn_applier *applier, const struct qn_intent *intent,
                          struct qn_outcome *outcome)
{
    struct qn_cursor cursor = qn_cursor(qn_span(intent->payload, intent->size));
    switch (intent->kind) {
    case QN_INTENT_WRITE:
        return run_write(applier, &cursor, outcome);
    case QN_INTENT_APPLY:
        return run_apply(applier, &cursor, outcome);
    case QN_INTENT_LEDGER_APPEND:
    case QN_INTENT_LEDGER_MERGE:
    case QN_INTENT_COLL_CREATE:
        return run_of_ledger(applier, intent->kind, &cursor, outcome);
    case QN_INTENT_RESOLVE:
        return run_resolve(applier, &cursor, outcome);
    case QN_INTENT_PEER_CLOCKS:
    case QN_INTENT_SITE_CONTACT:
    case QN_INTENT_TRAIL:
        return run_about_site(applier, intent->kind, &cursor, outcome);
    case QN_INTENT_RENEW:
    case QN_INTENT_TRUST:
    case QN_INTENT_LOCAL:
    case QN_INTENT_PURGE:
    case QN_INTENT_FORGET:
    case QN_INTENT_EMPTY_TRASH:
    case QN_INTENT_CUT_LOG:
        return run_own(applier, intent->kind, &cursor, outcome);
    case QN_INTENT_LATE:
    case QN_INTENT_LATE_CANCEL:
    case QN_INTENT_PAGE:
    case QN_INTENT_RESCUE:
        return qn_intent_run_late(applier, intent->kind, &cursor, outcome);
    case QN_INTENT_LOCK_CLOCK:
    case QN_INTENT_HELD_OFFER:
    case QN_INTENT_HELD_STORED:
    case QN_INTENT_HELD_LIST:
    case QN_INTENT_HELD_NAMES:
    case QN_INTENT_HELD_FINISH:
    case QN_INTENT_HELD_FORGET:
    case QN_INTENT_HELD_LEASE:
    case QN_INTENT_HELD_SWEEP:
    case QN_INTENT_HELD_UNLINKED:
    case QN_INTENT_HELD_SCRUBBED:
    case QN_INTENT_HELD_EXPECT:
    case QN_INTENT_HELD_CALM:
    case QN_INTENT_HELD_TERMS:
    case QN_INTENT_HELD_KEY:
    case QN_INTENT_HELD_STRAYS:
        return qn_intent_run_custody(applier, intent->kind, &cursor, outcome);
    case QN_INTENT_PLAN_PUT:
    case QN_INTENT_PLAN_REMOVE:
    case QN_INTENT_PLAN_STARTED:
    case QN_INTENT_PLAN_ENDED:
    case QN_INTENT_PLAN_DRILLED:
    case QN_INTENT_OWN_PACKS:
    case QN_INTENT_OWN_PACK_GONE:
    case QN_INTENT_OWN_SNAP:
    case QN_INTENT_OWN_SNAP_GONE:
    case QN_INTENT_COPY_ACKED:
    case QN_INTENT_COPY_LOST:
    case QN_INTENT_COPY_LIST:
    case QN_INTENT_COPY_FORGOTTEN:
    case QN_INTENT_COPY_DROP:
    case QN_INTENT_COPY_PROOF:
    case QN_INTENT_COPY_UNREAD:
        return qn_intent_run_book(applier, intent->kind, &cursor, outcome);
    case QN_INTENT_REPAIR:
    case QN_INTENT_MEND:
    case QN_INTENT_RECOUNT:
    case QN_INTENT_SCRUBBED:
        return qn_intent_run_integrity(applier, intent->kind, &cursor, outcome);
    }
    return QN_ERR_INVALID;
}
