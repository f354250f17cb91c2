/* Known bugs of such systems (RECORDS 1.8), each a switch that exists in the test build only, so
 * that the simulator can show that it would catch them. In the product the switches are constants
 * and the compiler removes them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum qn_bug {
    QN_BUG_NO_DEPENDENCY_CHECK, /* applies an operation whose removed dots are not known yet */
    QN_BUG_DOT_REUSE,           /* keeps the incarnation after a restore */
    QN_BUG_REMOVE_ALL_FIELDS,   /* removes a dot from every field */
    QN_BUG_ACK_BEFORE_COMMIT,   /* answers when the write is queued */
    QN_BUG_CLOCK_APART,         /* clock and data in different transactions */
    QN_BUG_CLOCK_DROPPED,       /* the clock entry of a withdrawn site is dropped */
    QN_BUG_LAST_ARRIVAL_WINS,   /* a concurrent value replaces by order of arrival */
    QN_BUG_COMPARE_UNEQUAL,     /* fingerprints compared at different clocks */
    QN_BUG_XOR_FINGERPRINT,     /* XOR in place of the sum */
    QN_BUG_GAP_ACCEPTED,        /* applies an operation that is not the next of its actor */
    QN_BUG_HELD_BEFORE_COMMIT,  /* a pack is acknowledged when its file is there, its row is not */
    QN_BUG_LOCK_IGNORED,        /* what no list names is let go, locked or not */
    QN_BUG_PAGE_CLAIMS,         /* claims the clock of a page before the pass has ended */
    QN_BUG_STALE_PAGE_CLOCK,    /* the clock of a page is not that of its own transaction */
    QN_BUG_NO_SEGMENTS,         /* applies operations onto newer pages without segment clocks */
    QN_BUG_LATE_SERVES,         /* a late site serves pages and others' operations */
    QN_BUG_ROT_MERGED,          /* merges into a record that is not what was written */
    QN_BUG_COPY_UNEQUAL,        /* takes a copy of a record that was read at another clock */
    QN_BUG_COUNT,
};

#ifdef QN_WITH_BUGS
extern uint32_t qn_bugs; /* a bit each; set by the test before it runs */
#define QN_BUG(bug) ((qn_bugs >> (bug)&1u) != 0)
#else
#define QN_BUG(bug) false
#endif
