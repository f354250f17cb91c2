/* Slows the guessing of passwords down without shutting anybody out (S21).
 *
 * A guess is one check of a password or of a one-time code; an app password, which nobody guesses,
 * is not one. Each guess costs in some lanes, and waits until all of them have room:
 *
 *   from elsewhere   the account (strangers' share), the account with this source, the source
 *   from a device    the account (share of known devices)
 *   that is known
 *
 * A device is known where the account's password was right before: its prefix, or a cookie that the
 * caller judged (device.h). So whoever attacks from outside uses up the strangers' share only. Both
 * shares together are 100 guesses for an account in any 24 hours; none is ever 0 for longer than a
 * refill. Failures one after the other from one source wait twice as long each. What is right gives
 * all back.
 *
 * Lanes are generic cell rate algorithms (ITU-T I.371). State is bounded: accounts that exist each
 * have a place; names that do not share 1,024, so that trying them costs the same; sources share
 * tables that forget the one that was longest not seen.
 *
 * Pure: time is monotonic ms, randomness is passed in. Thread: the loop's.
 */
#pragma once

#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"

#define QN_THROTTLE_KEY_SIZE     16
#define QN_THROTTLE_DAY_MAX      100 /* guesses for one account */
#define QN_THROTTLE_DELAY_MAX_MS (15 * 60 * 1000)

/* Where a guess comes from: an IPv4 address (in the form ::ffff:a.b.c.d), or the first 64 bits of
 * an IPv6 address. */
struct qn_source {
    uint8_t bytes[16];
};
void qn_source_of(const uint8_t address[16], struct qn_source *ret_source);

struct qn_guess {
    struct qn_span name;
    bool is_account;      /* there is one of that name */
    bool is_known_device; /* it showed a cookie of this account that the caller believes */
    struct qn_source source;
};

struct qn_throttle;

/* `key` is random: nobody can tell who shares a place. */
struct qn_throttle *qn_throttle_new(const uint8_t key[QN_THROTTLE_KEY_SIZE]);
void qn_throttle_free(struct qn_throttle *throttle);
/* It comes from where the account's password was right before: it has the share of known devices.
 */
bool qn_throttle_is_known(struct qn_throttle *throttle, const struct qn_guess *guess,
                          uint64_t now_ms);
/* QN_OK: the guess may be checked, and counts as wrong until qn_throttle_right. QN_ERR_BUSY: not
 * before `ret_wait_ms`; it was not counted. */
enum qn_err QN_CHECKED qn_throttle_ask(struct qn_throttle *throttle, const struct qn_guess *guess,
                                       uint64_t now_ms, uint64_t *ret_wait_ms);
void qn_throttle_right(struct qn_throttle *throttle, const struct qn_guess *guess, uint64_t now_ms);
/* It was not checked after all (no thread was free). */
void qn_throttle_undo(struct qn_throttle *throttle, const struct qn_guess *guess, uint64_t now_ms);
/* For the operator's command: an account starts afresh; its first guesses do not wait for what its
 * address did before. */
void qn_throttle_reset(struct qn_throttle *throttle, struct qn_span name);
