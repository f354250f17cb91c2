/* base/local.h in memory, with a disk that can fail and lose: for tests of rooms at the edge and of
 * people. Nothing is durable, and nobody is told, before fake_local_turn. Thread: one.
 */
#pragma once

#include "base/local.h"
#include "support/memkv.h"

struct fake_local;

struct fake_local *fake_local_new(void);
void fake_local_free(struct fake_local *fake); /* accepts NULL; who waits is never told */
const struct qn_local *fake_local_door(struct fake_local *fake);
/* What was put so far is written, each put a transaction, and told; what is put meanwhile waits for
 * the next turn. Gives how many were told. */
size_t fake_local_turn(struct fake_local *fake);
/* The next put to be written fails with that, and changes nothing. */
void fake_local_fail(struct fake_local *fake, enum qn_err err);
/* A power cut: what waits is gone, and is never told. */
void fake_local_crash(struct fake_local *fake);
/* Puts that wait. */
size_t fake_local_waiting(const struct fake_local *fake);
/* Transactions that were written. */
uint64_t fake_local_commits(const struct fake_local *fake);
/* To damage rows as a test wants: memkv_begin, QN_TABLE_LOCAL. */
struct memkv *fake_local_memkv(struct fake_local *fake);
