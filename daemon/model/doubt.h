/* Whether the store may be an old copy, whose site forgot ledger entries that it wrote
 * (docs/protocol.md 7.7). Stored, so that a restart does not pass for an answer: the doubt ends
 * when ledgers were compared with another member, and only then. Thread: the transaction's.
 */
#pragma once

#include "model/kv.h"

enum qn_err QN_CHECKED qn_doubt_put(struct qn_kv *kv, bool is_in_doubt);
enum qn_err QN_CHECKED qn_doubt_get(struct qn_kv *kv, bool *ret_is_in_doubt);
