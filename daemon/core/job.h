/* Work that the core asks for and that takes long or touches files: the driver carries it out on
 * other threads (daemon/app/jobs.c, files.c), the simulator with a memory vault.
 *
 * A *job* needs the vault's keys and may take hours; it reports news and ends with QN_JOB_DONE,
 * exactly once, also after it was stopped. *File work* is one bounded access to a pool of packs
 * (vault/pool.h) and gives one result. Both are named by tokens of the core. Payloads are canonical
 * msgpack maps with text keys, so that they can cross threads.
 */
#pragma once

#include "base/buf.h"
#include "chunk/pack.h"
#include "crypto/key.h"

enum qn_job_kind {
    /* {"plan": text, "paths": [bin], "exclude": [text], "partial_every_ms": u64} */
    QN_JOB_BACKUP,
    /* {"forget": [bin: snapshot names], "pinned": bin: joined sorted names of packs that stay} */
    QN_JOB_PRUNE,
    /* {"plan": text or nil, "read_data": bool} : the local vault */
    QN_JOB_VERIFY,
    /* {"plan": text, "seed": u64} : restores a sample to a scratch folder and compares it */
    QN_JOB_DRILL,
    /* {} : tells all packs and snapshots of the local vault, to bring the book up to it */
    QN_JOB_CATALOG,
    /* {"data": bool, "site": text} : makes the local vault whole from that holder: its snapshots,
     * the packs of kind META, with `data` all of them. DONE: {"bad","packs","snapshots"} */
    QN_JOB_REBUILD,
    /* {"colls": [coll bin, clock, ...]} : what the copy of the site's store in the newest snapshot
     * has beyond that, as PLANs and OPS, about QN_RECALL_SIZE of it. DONE: {"more": bool};
     * QN_ERR_NOTFOUND: no snapshot carries a copy */
    QN_JOB_RECALL,
    /* {"packs": bin: joined names} : each of the own packs that is damaged or missing is fetched
     * from a copy. DONE: {"lost","repaired","whole"} */
    QN_JOB_MEND,
};

struct qn_job {
    uint64_t token;
    enum qn_job_kind kind;
    struct qn_buf args; /* owned */
};

enum qn_job_news {
    /* {"bytes_done","bytes_total","errors","files_done","files_total","stored"} at most 4 a second
     */
    QN_JOB_PROGRESS,
    /* {"packs": bin}: rows of name (32), size u32, kind u8: they are durable in the local pool */
    QN_JOB_PACKS,
    /* {"live": bin, "name": bin, "partial": bool, "plan": text, "time": ms, "bytes",
     * "bytes_stored", "files"} : a snapshot is durable; also for each one whose list of packs
     * changed (PRUNE) */
    QN_JOB_SNAPSHOT,
    /* RECALL: {"packed": bin, "plan": text, "started": ms}: a plan, and when its newest whole
     * snapshot was begun, 0: there is none */
    QN_JOB_PLAN,
    /* RECALL: {"coll": bin, "ops": bin}: operations, as the body of an OPS message */
    QN_JOB_OPS,
    /* RECALL: {"coll": bin, "lost": array, "page": bin}: where operations do not reach back, all of
     * it, as the bodies of PAGEs in their order; "lost" only where some of it is damaged
     * (model/recall.h) */
    QN_JOB_PAGE,
    QN_JOB_PROBLEM, /* {"errno": u64, "path": bin, "what": text} */
    /* the counts of vault.h, by their names (DRILL: {"bytes","compared","differing","files",
     * "snapshot": bin}); or {} with err */
    QN_JOB_DONE,
};

struct qn_job_event {
    uint64_t token;
    enum qn_job_news news;
    enum qn_err err;        /* DONE; CLOSED after it was stopped */
    struct qn_span payload; /* borrowed for the step */
};

enum qn_file_kind {
    QN_FILE_PART_SIZE, /* how much of an arriving file is durable */
    QN_FILE_APPEND,    /* bytes at offset of total; whole: durable under its name when it answers */
    QN_FILE_READ,      /* size bytes at offset; 0: the whole file */
    QN_FILE_REMOVE,    /* the file and what arrived of it, durably; fine if they are gone */
    QN_FILE_SCRUB,     /* content against name */
    QN_FILE_SNAPSHOT,  /* of the own vault: u32 size of the sealed snapshot | it | its list of packs
                        */
    QN_FILE_PROOF,     /* HMAC-SHA-256 with the 32 bytes of `bytes` over the whole file */
    QN_FILE_SWEEP,     /* removes arriving files that did not grow for `size` ms */
    QN_FILE_LIST,      /* names of whole files, ascending, joined: `size` at most, behind `name` */
};

struct qn_file_work {
    uint64_t token;
    enum qn_file_kind kind;
    struct qn_site_id owner; /* whose pool: this site's own vault, or what it holds for another */
    struct qn_pack_name name;
    uint64_t offset, size, total;
    struct qn_buf bytes; /* owned */
};

struct qn_file_result {
    uint64_t token;
    enum qn_err err;
    bool is_whole;       /* APPEND */
    uint64_t size;       /* PART_SIZE; READ: of the whole file */
    uint64_t free_bytes; /* of the disk, after PART_SIZE and APPEND */
    struct qn_buf bytes; /* READ, SNAPSHOT, PROOF, LIST; owned */
};

void qn_job_free(struct qn_job *job); /* accept NULL */
void qn_file_work_free(struct qn_file_work *work);
void qn_file_result_deinit(struct qn_file_result *result);
