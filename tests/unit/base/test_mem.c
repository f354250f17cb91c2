#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"

Test(mem, no_bytes_are_still_an_object)
{
    QN_AUTO_FREE void *plain = qn_alloc(0);
    QN_AUTO_FREE void *zero = qn_alloc_zero(0);
    QN_AUTO_FREE void *copy = qn_memdup("", 0);
    QN_AUTO_FREE void *grown = qn_realloc(NULL, 0);
    cr_assert(plain != NULL && zero != NULL && copy != NULL && grown != NULL);
}

Test(mem, new_objects_are_zero)
{
    struct thing {
        int a;
        void *b;
    };
    QN_AUTO_FREE struct thing *thing = QN_NEW(struct thing);
    cr_assert_eq(thing->a, 0);
    cr_assert_null(thing->b);
}

Test(mem, copies_are_equal_and_apart)
{
    char source[] = "pradines";
    QN_AUTO_FREE char *copy = qn_strdup(source);
    source[0] = 'P';
    cr_assert_str_eq(copy, "pradines");
}

Test(mem, realloc_keeps_the_content)
{
    char *text = qn_strdup("luzech");
    text = qn_realloc(text, 100000);
    cr_assert_str_eq(text, "luzech");
    qn_free(text);
    qn_free(NULL);
}

Test(mem, no_memory_ends_the_process, .signal = SIGABRT)
{
    volatile size_t size = SIZE_MAX / 2;
    qn_free(qn_alloc(size));
}

Test(assert, a_true_condition_is_silent)
{
    QN_ASSERT(1 + 1 == 2);
}

Test(assert, a_false_condition_ends_the_process, .signal = SIGABRT)
{
    volatile int two = 2;
    QN_ASSERT(two == 3);
}

/* The first values of splitmix64 from seed 1234567, as published with the reference code. */
Test(prng, reference_sequence)
{
    struct qn_prng prng = {.state = 1234567};
    cr_assert_eq(qn_prng_next(&prng), 6457827717110365317u);
    cr_assert_eq(qn_prng_next(&prng), 3203168211198807973u);
    cr_assert_eq(qn_prng_next(&prng), 9817491932198370423u);
    cr_assert_eq(qn_prng_next(&prng), 4593380528125082431u);
    cr_assert_eq(qn_prng_next(&prng), 16408922859458223821u);
}

Test(prng, below_stays_below_and_reaches_everything)
{
    struct qn_prng prng = {.state = 1};
    unsigned seen[7] = {0};
    for (int i = 0; i < 7000; i++)
        seen[qn_prng_below(&prng, 7)]++;
    for (int i = 0; i < 7; i++)
        cr_assert(seen[i] > 800 && seen[i] < 1200, "%d: %u", i, seen[i]);
    cr_assert_eq(qn_prng_below(&prng, 1), 0);
}
