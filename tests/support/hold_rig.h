/* This site (0) as holder of site 1's vault, which the test plays: messages of the second
 * connection go in by hand, files are in memory, and everything that the core asks for is carried
 * out by hold_rig_settle. Site 2 is another owner. No Criterion. */
#pragma once

#include "model/custody.h"
#include "support/core_rig.h"
#include "support/fake_files.h"

#define RIG_OWNER    1
#define RIG_OTHER    2
#define RIG_DAY_MS   (24ull * 3600 * 1000)
#define RIG_PACK     1000u /* size of a pack, unless said otherwise */
#define RIG_QUOTA    (64u * 1024 * 1024)
#define RIG_NEVER_MS 0

struct hold_rig {
    struct rig rig;
    struct fake_files files;
    size_t steps;     /* reads, file work and commits that settle carried out */
    size_t steps_max; /* the connection is cut when so many are done; 0: never */
    bool is_cut;
};

/* An agreement with site 1 and with site 2, the core started, both links up. */
void hold_rig_init(struct hold_rig *hold, uint64_t quota, uint64_t lock_days);
void hold_rig_deinit(struct hold_rig *hold);
/* The daemon is killed and starts again; `is_reboot`: the machine was off. Links are up. */
void hold_rig_restart(struct hold_rig *hold, bool is_reboot);
/* New terms between site `owner` and this one; a quota of 0: the owner ends it. */
void hold_rig_agree(struct hold_rig *hold, size_t owner, uint64_t quota, uint64_t lock_days);
/* Carries out the file work that waits at that place, if any does. */
void hold_rig_file(struct hold_rig *hold, size_t at);
/* Carries out everything that waits, and what follows from it. */
void hold_rig_settle(struct hold_rig *hold);
/* Time passes by minutes, or at once if it is much; all that is due is done. */
void hold_rig_pass(struct hold_rig *hold, uint64_t ms);
/* The second connection is cut and made again. */
void hold_rig_reconnect(struct hold_rig *hold);

/* ---- packs: content follows from a number ---- */

struct rig_pack {
    struct qn_digest name;
    struct qn_buf bytes;
};
void rig_pack_init(struct rig_pack *pack, uint64_t number, size_t size);
void rig_pack_deinit(struct rig_pack *pack);
struct qn_digest rig_pack_name(uint64_t number, size_t size);

/* ---- messages of the owner; none settles by itself ---- */

void say_ask(struct hold_rig *hold, const struct qn_digest *packs, const struct qn_digest *lists,
             uint64_t interval_ms);
void say_names_ask(struct hold_rig *hold, uint64_t what, const struct qn_digest *after);
struct offered {
    struct qn_digest name;
    uint64_t size;
};
void say_offer(struct hold_rig *hold, uint8_t lease, const struct offered *packs, size_t count);
void say_put(struct hold_rig *hold, const struct rig_pack *pack, uint64_t offset, size_t size);
void say_get(struct hold_rig *hold, uint64_t request, const struct qn_digest *name, uint64_t offset,
             uint64_t size);
void say_list_get(struct hold_rig *hold, uint64_t request, uint64_t what,
                  const struct qn_digest *id, const struct qn_digest *after);
void say_proof_ask(struct hold_rig *hold, uint64_t request, const uint8_t key[32],
                   const struct qn_digest *names, size_t count);
void say_forget(struct hold_rig *hold, const struct qn_digest *lists, size_t count);
void say_key(struct hold_rig *hold, uint64_t epoch, const char *sealed);

/* A list of a snapshot, sent in pieces of `piece_size`. */
struct rig_list {
    struct qn_list_head head;
    struct qn_digest id;
    struct qn_buf sealed, names;
};
void rig_list_init(struct rig_list *list, uint64_t snapshot, const uint64_t *packs, size_t count,
                   size_t pack_size);
void rig_list_deinit(struct rig_list *list);
/* All names; or with a base, as changes to that list. */
void say_list(struct hold_rig *hold, const struct rig_list *list, const struct rig_list *base,
              size_t piece_size);

/* ---- what the holder answered ---- */

/* The fields of the frame with that number, the `index`th since the last rig_forget. False: none.
 */
bool heard(const struct hold_rig *hold, enum qn_message number, size_t index,
           struct qn_cursor *ret_fields);
/* Offers it, sends what is wanted of it from where it goes on, and settles. Gives the answer to the
 * offer or, if it was wanted, that of the last acknowledgement; UINT64_MAX: none came. */
uint64_t send_pack(struct hold_rig *hold, uint64_t number, size_t size);
/* The answer to a list: "" for whole, "-" if none came. Up to 64 missing names. */
struct list_answer {
    char code[16];
    uint64_t until_ms;
    size_t missing;
    struct qn_digest first_missing;
};
struct list_answer send_list(struct hold_rig *hold, const struct rig_list *list,
                             const struct rig_list *base);

/* ---- what is held ---- */

struct qn_held rig_held(struct hold_rig *hold, size_t owner);
bool rig_has_file(struct hold_rig *hold, size_t owner, uint64_t number, size_t size);
/* Whether all of it is here: row, good, file, bytes. */
bool rig_has_pack(struct hold_rig *hold, size_t owner, uint64_t number, size_t size);
uint64_t rig_lock_ms(struct hold_rig *hold);
