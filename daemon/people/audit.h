/* The audit trail: who did what, to what, from where, as a chain of entries each of which holds the
 * hash of the one before (docs/audit.md). Pure: time comes in, rows go out through base/local.h.
 *
 *   entry 1 <- entry 2 <- ... <- entry n      row "audit/e" and seq (8 bytes)
 *                  ^ checkpoint: seq, hash    row "audit/c" and seq, signed by the site
 *   head: first and last seq, hash            row "audit/h"
 *
 * Notes that come while others are being written are one transaction after it, so that a hundred a
 * second cost few. A note that was taken is told when it is durable. When the store takes none,
 * qn_audit_note refuses, and who asked must refuse the access too: nothing goes unlogged.
 *
 * Thread: the loop's; qn_audit_verify_* any.
 */
#pragma once

#include "base/buf.h"
#include "base/limits.h"
#include "base/local.h"
#include "crypto/key.h"

#define QN_AUDIT_TEXT_SIZE_MAX      1024 /* of an object: a path's end is kept, longer ones are cut */
#define QN_AUDIT_WORD_SIZE_MAX      63
#define QN_AUDIT_ENTRY_SIZE_MAX     2048
#define QN_AUDIT_WAITING_MAX        4096 /* notes that are not durable yet */
#define QN_AUDIT_CHECKPOINT_MS      (3600 * 1000)
#define QN_AUDIT_CHECKPOINTS_MAX    20000 /* two years of hours */
#define QN_AUDIT_WITNESS_POINTS_MAX 1200  /* of one other site */
#define QN_AUDIT_KEEP_MONTHS        12
#define QN_AUDIT_KEEP_MONTHS_MIN    6
#define QN_AUDIT_PRUNE_ROWS         512 /* entries that go in one transaction */

/* What is noted. Texts are borrowed for the call; what is too long is cut, what is no UTF-8 is
 * written in hexadecimal. */
struct qn_audit_what {
    struct qn_span actor;   /* the person, or the system's user of a command; "": nobody known */
    struct qn_span device;  /* label of the app password; "page"; "control" */
    struct qn_span address; /* of the client; "" for the control socket */
    const char *action;     /* read, write, delete, move, login, refused, ... (docs/audit.md) */
    struct qn_span object;  /* "folder:NAME/PATH", "collection:NAME/KEY", "user:NAME" */
    const char *result;     /* "ok", or a code of docs/control.md */
};

struct qn_audit_entry {
    uint64_t seq, wall_ms;
    struct qn_span site, actor, device, address, action, object, result; /* borrowed */
    struct qn_digest previous;
};

struct qn_audit_checkpoint {
    uint64_t seq, wall_ms;
    struct qn_digest hash; /* of the entry with that number */
    struct qn_signature signature;
};

/* ---- rows (audit_row.c) ---- */
#define QN_AUDIT_PREFIX            "audit/"
#define QN_AUDIT_ENTRY_PREFIX      "audit/e"
#define QN_AUDIT_CHECKPOINT_PREFIX "audit/c"
#define QN_AUDIT_HEAD_KEY          "audit/h"

void qn_audit_key(const char *prefix, uint64_t seq, struct qn_buf *out);
void qn_audit_entry_pack(const struct qn_audit_entry *entry, struct qn_buf *out);
enum qn_err QN_CHECKED qn_audit_entry_unpack(struct qn_span row, struct qn_audit_entry *ret_entry);
void qn_audit_entry_hash(struct qn_span row, struct qn_digest *ret_hash);
enum qn_err QN_CHECKED qn_audit_checkpoint_sign(struct qn_audit_checkpoint *checkpoint,
                                                const struct qn_site_id *site,
                                                const struct qn_signer *signer);
enum qn_err QN_CHECKED qn_audit_checkpoint_verify(const struct qn_audit_checkpoint *checkpoint,
                                                  const struct qn_site_id *site,
                                                  const struct qn_public_key *key);
void qn_audit_checkpoint_pack(const struct qn_audit_checkpoint *checkpoint, struct qn_buf *out);
enum qn_err QN_CHECKED qn_audit_checkpoint_unpack(struct qn_span row,
                                                  struct qn_audit_checkpoint *ret_checkpoint);

struct qn_audit_head {
    uint64_t first, last;  /* first > last: there is none */
    struct qn_digest hash; /* of the last; zero before the first of all */
};
void qn_audit_head_pack(const struct qn_audit_head *head, struct qn_buf *out);
enum qn_err QN_CHECKED qn_audit_head_unpack(struct qn_span row, struct qn_audit_head *ret_head);

/* ---- the trail (audit.c) ---- */
struct qn_audit_options {
    const struct qn_local *local;
    const char *site; /* its name, in every entry */
    const struct qn_site_id *id;
    const struct qn_signer *signer; /* borrowed until the end */
    unsigned keep_months;
    /* A checkpoint that is durable here, also the last one when the trail is loaded: to be told to
     * other sites. May be NULL. */
    void (*on_checkpoint)(void *context, const struct qn_audit_checkpoint *checkpoint);
    void *context;
};

struct qn_audit;
struct qn_audit *qn_audit_new(const struct qn_audit_options *options);
/* After `local` has answered the last put. Accepts NULL. */
void qn_audit_free(struct qn_audit *audit);
/* Once, before the first note. What does not fit is no reason to stop: the trail goes on behind it,
 * and `ret_is_damaged` says so (the next note should tell). Errors are the store's. */
enum qn_err QN_CHECKED qn_audit_load(struct qn_audit *audit, bool *ret_is_damaged);

/* QN_OK: it has its place, and `done` (may be NULL) is told once, later: QN_OK when it is durable;
 * else the access must be refused, though the note is kept and tried again. QN_ERR_BUSY
 * (QN_AUDIT_WAITING_MAX), or the error for which the store takes none: it was not taken, and the
 * access is refused. */
enum qn_err QN_CHECKED qn_audit_note(struct qn_audit *audit, const struct qn_audit_what *what,
                                     uint64_t wall_ms, void (*done)(void *context, enum qn_err err),
                                     void *context);
/* QN_OK while notes are taken. */
enum qn_err qn_audit_state(const struct qn_audit *audit);
/* Every minute: makes a checkpoint if one is due, lets old entries go (up to a checkpoint, so that
 * the rest stays provable), tries again what the store did not take. */
void qn_audit_tick(struct qn_audit *audit, uint64_t wall_ms);
void qn_audit_set_keep(struct qn_audit *audit, unsigned months);
const struct qn_audit_head *qn_audit_head(const struct qn_audit *audit);

/* ---- the proof (audit_verify.c) ---- */
enum qn_audit_fault {
    QN_AUDIT_WHOLE,
    QN_AUDIT_FORM,       /* a row that is no entry, or stands in another's place */
    QN_AUDIT_GAP,        /* entries are missing before it */
    QN_AUDIT_CHAIN,      /* it, or the one before, was changed */
    QN_AUDIT_CHECKPOINT, /* it is not what the site signed then */
    QN_AUDIT_SIGNATURE,  /* a checkpoint that the site did not sign */
    QN_AUDIT_END,        /* entries are missing at the end */
    QN_AUDIT_START,      /* entries are missing at the start that had to be kept */
    QN_AUDIT_WITNESS,    /* another site knows it otherwise */
};

struct qn_audit_verdict {
    enum qn_audit_fault fault;                    /* the first */
    uint64_t seq;                                 /* where */
    uint64_t first, last, checkpoints, witnessed; /* that were looked at */
};

/* What one other site knows of the trail. */
struct qn_audit_witness {
    uint64_t points;                  /* checkpoints with the site's signature that it has */
    uint64_t matched_seq, matched_ms; /* the last entry that is as it knows it; 0: none */
    uint64_t differs_seq, differs_ms; /* the first that is not, or is not there; 0: none */
    bool is_missing;                  /* of that one: it is not there */
};

struct qn_audit_verify;
/* `keys`: the site's, all of them, copied. `now_ms` tells what could have been let go. */
struct qn_audit_verify *qn_audit_verify_new(const struct qn_site_id *id,
                                            const struct qn_public_key *keys, size_t key_count,
                                            uint64_t now_ms);
void qn_audit_verify_free(struct qn_audit_verify *verify);
/* What another site has, before the rows: `who` from 0, below QN_SITES_MAX; the time when it got
 * it. What the site did not sign is left out: a witness that lies proves nothing. */
void qn_audit_verify_witness(struct qn_audit_verify *verify, size_t who, uint64_t received_ms,
                             const struct qn_audit_checkpoint *checkpoint);
/* Every row that begins with QN_AUDIT_PREFIX, in order. */
void qn_audit_verify_row(struct qn_audit_verify *verify, struct qn_span key, struct qn_span value);
void qn_audit_verify_end(struct qn_audit_verify *verify, struct qn_audit_verdict *ret_verdict);
/* After the end: what became of a witness. */
const struct qn_audit_witness *qn_audit_verify_of(const struct qn_audit_verify *verify, size_t who);
const char *qn_audit_fault_name(enum qn_audit_fault fault);
