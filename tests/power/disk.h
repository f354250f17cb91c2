/* What a log (log.h) says, read into memory: objects (files, folders, links), what was done to
 * each, and the moments in between. Belongs to power_replay, one thread.
 */
#pragma once

#include <stdbool.h>

#include "base/prng.h"
#include "base/vec.h"
#include "log.h"

#define POWER_NONE SIZE_MAX

struct power_op {
    const struct power_record *record; /* in the log */
    const char *name, *to_name;        /* not ended by a zero */
    const uint8_t *data;
    uint64_t position;                /* of the record in the log */
    size_t object, folder, to_folder; /* POWER_NONE: none */
    size_t next;                      /* of the same object */
    bool is_durable;                  /* written through */
};

struct power_object {
    uint64_t file; /* its inode, which others may have had before */
    uint32_t mode;
    size_t first, last; /* ops on its content; POWER_NONE: none */
    size_t top;         /* the object right below the root that it was made in */
    uint64_t synced;    /* ops before this position of the log are on the disk */
    uint64_t named;     /* the last op that gave it a name and survives */
    bool is_mapped;
    const struct power_op *made;
    char *path; /* where it was written to; NULL: not yet */
};

struct power_entry {
    size_t folder, object;
    char *name;
};
typedef QN_VEC(struct power_entry) power_names;

/* The names as they are when every op of `names` so far took effect. */
struct power_entry *power_names_find(power_names *names, size_t folder, const char *name,
                                     size_t name_size);
/* One op on names: MAKE, LINK, REMOVE, RENAME; `op` as it was read. */
void power_names_apply(power_names *names, const struct power_op *op);
void power_names_free(power_names *names);

struct power_disk {
    uint8_t *log;
    size_t log_size;
    QN_VEC(struct power_op) ops;         /* the records that stand before the cut */
    QN_VEC(struct power_object) objects; /* the first one is the root */
    void *by_file;                       /* tsearch: the latest object of an inode */
    power_names names;
    /* The disk says that it synced the content of files, the names in folders, and did not. */
    bool lies_of_files, lies_of_names;
};

/* Maps the log and reads `count_max` records at most; false: it cannot be read, or is no log (told
 * on standard error). */
bool power_disk_read(struct power_disk *disk, const char *path, size_t count_max);
void power_disk_free(struct power_disk *disk);

/* What of it survives. */
enum power_how {
    POWER_KEEP,    /* all that was done: no power cut, the process was killed */
    POWER_DROP,    /* nothing that was not synced */
    POWER_ORDER,   /* all up to some earlier moment, the last write torn */
    POWER_JOURNAL, /* names and sizes up to some earlier moment, any pieces of data */
    POWER_RANDOM,  /* any names, any pieces of data */
    POWER_HOWS,
};
const char *power_how_name(enum power_how how);

struct power_cut {
    enum power_how how;
    uint64_t moment;           /* ORDER, JOURNAL: position in the log */
    size_t piece;              /* 512 or 4096 bytes are written or are not */
    unsigned odds;             /* RANDOM, JOURNAL: of 100 */
    const char *const *spared; /* names below the root that had power */
    size_t spared_count;
    struct qn_prng prng;
};
void power_cut_draw(struct power_cut *cut, const struct power_disk *disk, uint64_t seed);
/* Writes what is there after the cut below `out`, which is there and empty. False: told on standard
 * error. */
bool power_disk_write(struct power_disk *disk, struct power_cut *cut, const char *out);
