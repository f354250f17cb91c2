/* Assertions for bugs only, always on. Never about data from a peer, a user or the disk. */
#pragma once

_Noreturn void qn_assert_fail(const char *condition, const char *file, int line);

#define QN_ASSERT(condition)                                                                       \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0))                                                     \
            qn_assert_fail(#condition, __FILE__, __LINE__);                                        \
    } while (0)
