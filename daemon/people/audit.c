#include "people/audit.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/text.h"
#include "base/vec.h"

#define GROUP_ROWS_MAX      256 /* entries of one transaction */
#define KEY_SIZE_MAX        32
#define FRESH_CHECKPOINT_MS 10000 /* after the one before a start; a daemon may start often */
#define MONTH_MS            ((uint64_t)30 * 24 * 3600 * 1000 + 12 * 3600 * 1000)

struct note {
    uint64_t seq;
    uint8_t *row;
    size_t size;
    struct qn_digest hash;
    void (*done)(void *context, enum qn_err err);
    void *context;
};

enum writing { WRITING_NOTHING, WRITING_NOTES, WRITING_CHECKPOINT, WRITING_PRUNE };

struct qn_audit {
    struct qn_audit_options options;
    char site[QN_AUDIT_WORD_SIZE_MAX + 1];
    struct qn_site_id id;
    struct qn_audit_head head;      /* what is durable */
    struct qn_audit_head next_head; /* what will be, when what is being written is */
    uint64_t tail_seq;              /* of the last note */
    struct qn_digest tail_hash;
    QN_VEC(struct note) notes; /* that are not durable */
    enum writing writing;
    size_t group; /* notes that are being written */
    struct qn_audit_checkpoint checkpoint, next_checkpoint;
    uint64_t prune_ms; /* wall clock of the last look at what is old */
    enum qn_err state;
    bool is_fresh; /* loaded, and no checkpoint made since: what was before is signed soon */
};

static void write_more(struct qn_audit *audit);
static void note_erasure(struct qn_audit *audit, uint64_t first);

enum qn_err qn_audit_state(const struct qn_audit *audit)
{
    return audit->state;
}

const struct qn_audit_head *qn_audit_head(const struct qn_audit *audit)
{
    return &audit->head;
}

void qn_audit_set_keep(struct qn_audit *audit, unsigned months)
{
    audit->options.keep_months =
        months < QN_AUDIT_KEEP_MONTHS_MIN ? QN_AUDIT_KEEP_MONTHS_MIN : months;
}

/* ---- rows that go out ---- */

/* One put: keys stand in memory of its own, values are borrowed. */
struct batch {
    struct qn_local_row *rows;
    uint8_t (*keys)[KEY_SIZE_MAX];
    size_t count, max;
    uint8_t head[64];
};

static void batch_init(struct batch *batch, size_t max)
{
    *batch = (struct batch){.rows = qn_alloc(max * sizeof(*batch->rows)),
                            .keys = qn_alloc(max * sizeof(*batch->keys)),
                            .max = max};
}

static void batch_deinit(struct batch *batch)
{
    qn_free(batch->rows);
    qn_free(batch->keys);
}

static void add_row(struct batch *batch, struct qn_span key, const struct qn_span *value)
{
    QN_ASSERT(batch->count < batch->max && key.size <= KEY_SIZE_MAX);
    memcpy(batch->keys[batch->count], key.data, key.size);
    batch->rows[batch->count] =
        (struct qn_local_row){.key = qn_span(batch->keys[batch->count], key.size),
                              .value = value != NULL ? *value : qn_span(NULL, 0),
                              .is_gone = value == NULL};
    batch->count++;
}

static void add_numbered(struct batch *batch, const char *prefix, uint64_t seq,
                         const struct qn_span *value)
{
    QN_AUTO_BUF struct qn_buf key;
    qn_buf_init(&key, KEY_SIZE_MAX);
    qn_audit_key(prefix, seq, &key);
    add_row(batch, qn_buf_view(&key), value);
}

static void add_head(struct batch *batch, const struct qn_audit_head *head)
{
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, sizeof(batch->head));
    qn_audit_head_pack(head, &row);
    QN_ASSERT(!row.is_over);
    memcpy(batch->head, row.data, row.size);
    struct qn_span value = qn_span(batch->head, row.size);
    add_row(batch, qn_span_str(QN_AUDIT_HEAD_KEY), &value);
}

static void tell_checkpoint(const struct qn_audit *audit)
{
    if (audit->checkpoint.seq > 0 && audit->options.on_checkpoint != NULL)
        audit->options.on_checkpoint(audit->options.context, &audit->checkpoint);
}

static void on_written(void *context, enum qn_err err);

static void put(struct qn_audit *audit, struct batch *batch, enum writing writing)
{
    const struct qn_local *local = audit->options.local;
    audit->writing = writing;
    local->put(local->context, batch->rows, batch->count, on_written, audit); /* copies them */
    batch_deinit(batch);
}

/* ---- notes ---- */

/* How many of the waiting fit into one transaction. */
static size_t group_of(const struct qn_audit *audit)
{
    size_t count = 0, size = 4096;
    while (count < audit->notes.count && count < GROUP_ROWS_MAX) {
        size += audit->notes.items[count].size + KEY_SIZE_MAX;
        if (size > QN_LOCAL_PUT_SIZE_MAX)
            break;
        count++;
    }
    return count;
}

static void write_notes(struct qn_audit *audit)
{
    struct batch batch;
    audit->group = group_of(audit);
    batch_init(&batch, audit->group + 1);
    for (size_t i = 0; i < audit->group; i++) {
        const struct note *note = &audit->notes.items[i];
        struct qn_span value = qn_span(note->row, note->size);
        add_numbered(&batch, QN_AUDIT_ENTRY_PREFIX, note->seq, &value);
    }
    const struct note *last = &audit->notes.items[audit->group - 1];
    audit->next_head =
        (struct qn_audit_head){.first = audit->head.first, .last = last->seq, .hash = last->hash};
    add_head(&batch, &audit->next_head);
    put(audit, &batch, WRITING_NOTES);
}

/* Whoever waits is told, and what is durable goes. What is not stays, and nobody waits for it. */
static void tell_group(struct qn_audit *audit, enum qn_err err)
{
    size_t count = err == QN_OK ? audit->group : audit->notes.count;
    for (size_t i = 0; i < count; i++) {
        struct note note = audit->notes.items[i];
        audit->notes.items[i].done = NULL;
        if (err == QN_OK)
            qn_free(note.row);
        if (note.done != NULL)
            note.done(note.context, err);
    }
    if (err != QN_OK)
        return;
    memmove(audit->notes.items, audit->notes.items + count,
            (audit->notes.count - count) * sizeof(*audit->notes.items));
    audit->notes.count -= count;
}

static void on_written(void *context, enum qn_err err)
{
    struct qn_audit *audit = context;
    enum writing writing = audit->writing;
    uint64_t first = audit->head.first;
    if (writing == WRITING_NOTES)
        audit->state = err;
    if (err == QN_OK)
        audit->head = audit->next_head;
    if (writing == WRITING_NOTES)
        tell_group(audit, err);
    audit->writing = WRITING_NOTHING;
    if (writing == WRITING_CHECKPOINT && err == QN_OK) {
        audit->checkpoint = audit->next_checkpoint;
        audit->is_fresh = false;
        tell_checkpoint(audit);
    }
    if (err == QN_OK && writing == WRITING_PRUNE && audit->head.first > first)
        note_erasure(audit, first);
    if (err == QN_OK)
        write_more(audit);
}

/* What is no longer there was there, and went when it was its time: that stays in the chain. */
static void note_erasure(struct qn_audit *audit, uint64_t first)
{
    char object[64];
    snprintf(object, sizeof(object), "audit:%llu-%llu", (unsigned long long)first,
             (unsigned long long)audit->head.first - 1);
    struct qn_audit_what what = {.actor = qn_span_str("syncd"),
                                 .device = qn_span_str("syncd"),
                                 .action = "trail-erased",
                                 .object = qn_span_str(object),
                                 .result = "ok"};
    (void)!qn_audit_note(audit, &what, audit->prune_ms, NULL, NULL); /* if not, then not taken */
}

static void write_more(struct qn_audit *audit)
{
    if (audit->writing == WRITING_NOTHING && audit->notes.count > 0)
        write_notes(audit);
}

/* Text as it may stand in an entry: the end of what is too long (of a path the name), whole
 * letters, hexadecimal if it is no text at all. */
static void take_text(struct qn_buf *out, struct qn_span text, size_t size_max)
{
    if (!qn_text_is_utf8(text)) {
        struct qn_span some =
            qn_span(text.data, text.size < size_max / 2 ? text.size : size_max / 2);
        qn_text_append_hex(out, some);
        return;
    }
    size_t from = text.size > size_max ? text.size - size_max : 0;
    while (from < text.size && from > 0 && (text.data[from] & 0xc0) == 0x80)
        from++;
    qn_buf_append_span(out, qn_span_from(text, from));
}

struct texts {
    struct qn_buf actor, device, address, object;
};

static void take_texts(struct texts *texts, const struct qn_audit_what *what)
{
    qn_buf_init(&texts->actor, QN_PERSON_SIZE_MAX);
    qn_buf_init(&texts->device, QN_AUDIT_WORD_SIZE_MAX);
    qn_buf_init(&texts->address, QN_AUDIT_WORD_SIZE_MAX);
    qn_buf_init(&texts->object, QN_AUDIT_TEXT_SIZE_MAX);
    take_text(&texts->actor, what->actor, QN_PERSON_SIZE_MAX);
    take_text(&texts->device, what->device, QN_AUDIT_WORD_SIZE_MAX);
    take_text(&texts->address, what->address, QN_AUDIT_WORD_SIZE_MAX);
    take_text(&texts->object, what->object, QN_AUDIT_TEXT_SIZE_MAX);
}

static void drop_texts(struct texts *texts)
{
    qn_buf_deinit(&texts->actor);
    qn_buf_deinit(&texts->device);
    qn_buf_deinit(&texts->address);
    qn_buf_deinit(&texts->object);
}

static void pack_note(struct qn_audit *audit, const struct qn_audit_what *what, uint64_t wall_ms,
                      struct note *note)
{
    struct texts texts;
    struct qn_buf row;
    take_texts(&texts, what);
    struct qn_audit_entry entry = {.seq = note->seq,
                                   .wall_ms = wall_ms,
                                   .site = qn_span_str(audit->site),
                                   .actor = qn_buf_view(&texts.actor),
                                   .device = qn_buf_view(&texts.device),
                                   .address = qn_buf_view(&texts.address),
                                   .action = qn_span_str(what->action),
                                   .object = qn_buf_view(&texts.object),
                                   .result = qn_span_str(what->result),
                                   .previous = audit->tail_hash};
    qn_buf_init(&row, QN_AUDIT_ENTRY_SIZE_MAX);
    qn_audit_entry_pack(&entry, &row);
    QN_ASSERT(!row.is_over); /* every text was cut */
    qn_audit_entry_hash(qn_buf_view(&row), &note->hash);
    note->row = qn_buf_take(&row, &note->size);
    drop_texts(&texts);
}

enum qn_err qn_audit_note(struct qn_audit *audit, const struct qn_audit_what *what,
                          uint64_t wall_ms, void (*done)(void *context, enum qn_err err),
                          void *context)
{
    QN_ASSERT(strlen(what->action) <= QN_AUDIT_WORD_SIZE_MAX);
    QN_ASSERT(strlen(what->result) <= QN_AUDIT_WORD_SIZE_MAX);
    if (audit->state != QN_OK) {
        enum qn_err err = audit->state;
        write_more(audit); /* it may go again by now: who asks next finds out */
        return err;
    }
    if (audit->notes.count >= QN_AUDIT_WAITING_MAX)
        return QN_ERR_BUSY;
    struct note note = {.seq = audit->tail_seq + 1, .done = done, .context = context};
    pack_note(audit, what, wall_ms, &note);
    audit->tail_seq = note.seq;
    audit->tail_hash = note.hash;
    qn_vec_push(&audit->notes, note);
    write_more(audit);
    return QN_OK;
}

/* ---- checkpoints ---- */

static bool wants_checkpoint(const struct qn_audit *audit, uint64_t wall_ms)
{
    const struct qn_audit_checkpoint *last = &audit->checkpoint;
    uint64_t every_ms = audit->is_fresh ? FRESH_CHECKPOINT_MS : QN_AUDIT_CHECKPOINT_MS;
    bool is_due = wall_ms >= last->wall_ms + every_ms || wall_ms < last->wall_ms;
    return audit->head.last > last->seq && is_due;
}

static void write_checkpoint(struct qn_audit *audit, uint64_t wall_ms)
{
    struct qn_audit_checkpoint *next = &audit->next_checkpoint;
    *next = (struct qn_audit_checkpoint){
        .seq = audit->head.last, .wall_ms = wall_ms, .hash = audit->head.hash};
    if (qn_audit_checkpoint_sign(next, &audit->id, audit->options.signer) != QN_OK)
        return; /* no memory: a minute later */
    struct batch batch;
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_AUDIT_ENTRY_SIZE_MAX);
    qn_audit_checkpoint_pack(next, &row);
    struct qn_span value = qn_buf_view(&row);
    batch_init(&batch, 1);
    add_numbered(&batch, QN_AUDIT_CHECKPOINT_PREFIX, next->seq, &value);
    audit->next_head = audit->head;
    put(audit, &batch, WRITING_CHECKPOINT);
}

/* ---- what is old goes ---- */

struct old {
    uint64_t cutoff_ms, target;         /* entries up to it are old; 0: none */
    uint64_t seqs[QN_AUDIT_PRUNE_ROWS]; /* checkpoints before the target */
    size_t count;
};

static bool look_at_checkpoint(void *context, struct qn_span key, struct qn_span value)
{
    struct old *old = context;
    struct qn_audit_checkpoint checkpoint;
    if (qn_audit_checkpoint_unpack(value, &checkpoint) != QN_OK ||
        checkpoint.wall_ms > old->cutoff_ms || old->count == QN_AUDIT_PRUNE_ROWS)
        return false;
    if (old->target != 0)
        old->seqs[old->count++] = old->target;
    old->target = checkpoint.seq;
    return true;
}

/* The newest checkpoint that is old itself stays: the first entry that stays follows it. */
static void write_prune(struct qn_audit *audit, const struct old *old)
{
    struct batch batch;
    batch_init(&batch, 2 * QN_AUDIT_PRUNE_ROWS + 1);
    audit->next_head = audit->head;
    struct qn_audit_head *head = &audit->next_head;
    for (size_t i = 0; i < QN_AUDIT_PRUNE_ROWS && head->first <= old->target; i++)
        add_numbered(&batch, QN_AUDIT_ENTRY_PREFIX, head->first++, NULL);
    for (size_t i = 0; i < old->count; i++)
        if (old->seqs[i] + 1 < head->first)
            add_numbered(&batch, QN_AUDIT_CHECKPOINT_PREFIX, old->seqs[i], NULL);
    if (batch.count == 0) {
        batch_deinit(&batch);
        return;
    }
    add_head(&batch, head);
    put(audit, &batch, WRITING_PRUNE);
}

static void prune(struct qn_audit *audit, uint64_t wall_ms)
{
    const struct qn_local *local = audit->options.local;
    uint64_t keep_ms = audit->options.keep_months * MONTH_MS;
    QN_AUTO_FREE struct old *old = QN_NEW(struct old);
    struct qn_span prefix = qn_span_str(QN_AUDIT_CHECKPOINT_PREFIX);
    if (wall_ms < keep_ms)
        return;
    audit->prune_ms = wall_ms;
    old->cutoff_ms = wall_ms - keep_ms;
    if (local->read(local->context, prefix, prefix, look_at_checkpoint, old) != QN_OK)
        return; /* a minute later */
    if (old->target > audit->head.last)
        return; /* of a trail that was cut: verify says so */
    if (old->target >= audit->head.first || old->count > 0)
        write_prune(audit, old);
}

void qn_audit_tick(struct qn_audit *audit, uint64_t wall_ms)
{
    write_more(audit);
    if (audit->writing == WRITING_NOTHING && wants_checkpoint(audit, wall_ms))
        write_checkpoint(audit, wall_ms);
    if (audit->writing == WRITING_NOTHING)
        prune(audit, wall_ms);
}

/* ---- life ---- */

struct loading {
    struct qn_audit *audit;
    uint64_t seq; /* of the last entry, 0: none */
    struct qn_digest hash;
    bool has_head, is_damaged;
};

static bool load_checkpoint(void *context, struct qn_span key, struct qn_span value)
{
    struct loading *loading = context;
    struct qn_audit_checkpoint checkpoint;
    if (qn_audit_checkpoint_unpack(value, &checkpoint) == QN_OK)
        loading->audit->checkpoint = checkpoint;
    else
        loading->is_damaged = true;
    return true;
}

static bool load_head(void *context, struct qn_span key, struct qn_span value)
{
    struct loading *loading = context;
    loading->has_head = qn_audit_head_unpack(value, &loading->audit->head) == QN_OK;
    loading->is_damaged |= !loading->has_head;
    return false;
}

static bool load_entry(void *context, struct qn_span key, struct qn_span value)
{
    struct loading *loading = context;
    size_t at = strlen(QN_AUDIT_ENTRY_PREFIX);
    if (key.size != at + 8) {
        loading->is_damaged = true;
        return true;
    }
    loading->seq = qn_read_u64(key.data + at);
    qn_audit_entry_hash(value, &loading->hash);
    return true;
}

static enum qn_err load_rows(struct loading *loading, const char *prefix, struct qn_span from,
                             bool (*each)(void *, struct qn_span, struct qn_span))
{
    const struct qn_local *local = loading->audit->options.local;
    return local->read(local->context, qn_span_str(prefix), from, each, loading);
}

/* From the last entry that the head names on; all of them if it is not to be had. */
static enum qn_err load_last(struct loading *loading)
{
    struct qn_audit_head *head = &loading->audit->head;
    QN_AUTO_BUF struct qn_buf from;
    qn_buf_init(&from, KEY_SIZE_MAX);
    qn_audit_key(QN_AUDIT_ENTRY_PREFIX, loading->has_head ? head->last : 0, &from);
    QN_TRY(load_rows(loading, QN_AUDIT_ENTRY_PREFIX, qn_buf_view(&from), load_entry));
    bool is_empty = head->first > head->last && loading->seq == 0;
    if (!loading->has_head) {
        loading->is_damaged |= loading->seq != 0 || loading->audit->checkpoint.seq != 0;
        *head = (struct qn_audit_head){.first = 1, .last = loading->seq, .hash = loading->hash};
    } else if (!is_empty &&
               (loading->seq != head->last || !qn_digest_eq(&loading->hash, &head->hash))) {
        loading->is_damaged = true;
        head->last = loading->seq > head->last ? loading->seq : head->last;
    }
    return QN_OK;
}

enum qn_err qn_audit_load(struct qn_audit *audit, bool *ret_is_damaged)
{
    struct loading loading = {.audit = audit};
    struct qn_span head = qn_span_str(QN_AUDIT_HEAD_KEY);
    audit->head.first = 1;
    QN_TRY(load_rows(&loading, QN_AUDIT_CHECKPOINT_PREFIX, qn_span(NULL, 0), load_checkpoint));
    QN_TRY(load_rows(&loading, QN_AUDIT_HEAD_KEY, head, load_head));
    QN_TRY(load_last(&loading));
    if (audit->checkpoint.seq >
        audit->head.last) { /* the end is gone: never the same number twice */
        loading.is_damaged = true;
        audit->head.last = audit->checkpoint.seq;
    }
    audit->next_head = audit->head;
    audit->tail_seq = audit->head.last;
    audit->tail_hash = audit->head.hash;
    audit->is_fresh = true;
    *ret_is_damaged = loading.is_damaged;
    tell_checkpoint(audit);
    return QN_OK;
}

struct qn_audit *qn_audit_new(const struct qn_audit_options *options)
{
    struct qn_audit *audit = QN_NEW(struct qn_audit);
    audit->options = *options;
    audit->id = *options->id;
    strncpy(audit->site, options->site, QN_AUDIT_WORD_SIZE_MAX);
    qn_audit_set_keep(audit, options->keep_months);
    return audit;
}

void qn_audit_free(struct qn_audit *audit)
{
    if (audit == NULL)
        return;
    QN_ASSERT(audit->writing == WRITING_NOTHING);
    qn_vec_each (&audit->notes, note)
        qn_free(note->row);
    qn_vec_free(&audit->notes);
    qn_free(audit);
}
