/* Bits of what sites store fall over, and what the daemon does about it, for tests. */
#pragma once

#include "model/repair.h"
#include "model/tables.h"
#include "support/sites.h"

/* Entry number `nth` of a table, or its last one. */
void site_entry(struct site *site, enum qn_table table, size_t nth, struct qn_key *key,
                struct qn_buf *value);
size_t site_entry_size(struct site *site, enum qn_table table, size_t nth);
void site_put_raw(struct site *site, enum qn_table table, const struct qn_key *key,
                  struct qn_span value);
/* A bit of byte number `byte` modulo its size. */
void site_flip_bit(struct site *site, enum qn_table table, size_t nth, size_t byte, uint8_t bit);
void site_flip(struct site *site, enum qn_table table, size_t nth, size_t byte);

struct qn_damage site_damage(struct site *site);
/* A step of two entries of a count; whether it was the last. */
bool site_count_on(struct site *site);
void site_recount(struct site *site);
/* A whole scrub in steps of 2, and what it found is mended. Gives how many findings there were. */
size_t site_scrub(struct site *site);
/* Takes the copy of another site. */
enum qn_err site_repair(struct site *site, struct site *from, const char *key,
                        enum qn_repair_how how, size_t *ret_changed);

/* Three sites with the records k, other and third, each of another site, at rest. */
void group_of_three(struct group *group);
/* Settles, and expects that all are equal, whole and counted. */
void group_is_well(struct group *group);
