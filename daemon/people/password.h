/* How hard a password is to guess, and whether that is enough: the CNIL's recommendation of 2022,
 * 80 bits where nothing slows guessing down, 50 where something does (throttle.h does).
 *
 * The estimate is the cheapest way to spell the password with what people think of (common words,
 * their name, keyboard rows, repetitions, sequences, years) and, for the rest, letters drawn one by
 * one, after D. Wheeler, zxcvbn (USENIX Security 2016), with a smaller list. It errs to the safe
 * side for words that it does not know. Pure.
 */
#pragma once

#include "base/err.h"
#include "base/limits.h"
#include "base/span.h"

#define QN_PASSWORD_BITS_ALONE     80
#define QN_PASSWORD_BITS_THROTTLED 50

enum qn_password_fault {
    QN_PASSWORD_GOOD,
    QN_PASSWORD_BAD_TEXT, /* no UTF-8, or control characters */
    QN_PASSWORD_LONG,     /* QN_PASSWORD_SIZE_MAX */
    QN_PASSWORD_SHORT,    /* too little of anything */
    QN_PASSWORD_COMMON,   /* mostly words that are tried first */
    QN_PASSWORD_NAME,     /* mostly the person's own name, or the site's */
    QN_PASSWORD_PATTERN,  /* mostly a row of keys, a sequence, a repetition, a year */
};

/* `names`: words that are easy to find out (NULL at the end): the person's, the site's. */
unsigned qn_password_bits(struct qn_span password, const char *const *names);
/* Whether it has `bits_min` bits; if not, what most of it is. */
enum qn_password_fault qn_password_judge(struct qn_span password, const char *const *names,
                                         unsigned bits_min);
/* `bad-password`, `password-short` ... of docs/control.md; NULL for GOOD. */
const char *qn_password_fault_code(enum qn_password_fault fault);
