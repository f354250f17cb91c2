/* The table of F6: what is refused, and why; what is taken. */
#include "people/password.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/prng.h"
#include "support/span.h"

static const char *const names[] = {"Hélène", "Marchand", "pradines", NULL};

static const struct {
    const char *password;
    enum qn_password_fault fault;
} table[] = {
    {"", QN_PASSWORD_SHORT},
    {"a", QN_PASSWORD_SHORT},
    {"x7#", QN_PASSWORD_SHORT},
    {"kq7Bw2x", QN_PASSWORD_SHORT},
    {"password", QN_PASSWORD_COMMON},
    {"P@ssw0rd", QN_PASSWORD_COMMON},
    {"motdepasse2024", QN_PASSWORD_COMMON},
    {"Bonjour2024!", QN_PASSWORD_COMMON},
    {"maisonjardinchat", QN_PASSWORD_COMMON},
    {"Soleil123", QN_PASSWORD_COMMON},
    {"Marseille1993", QN_PASSWORD_COMMON},
    {"marchand1965", QN_PASSWORD_NAME},
    {"Marchand!", QN_PASSWORD_NAME},
    {"pradinespradines", QN_PASSWORD_NAME},
    {"azertyuiop", QN_PASSWORD_PATTERN},
    {"qwertyuiop123456789", QN_PASSWORD_PATTERN},
    {"123456789012345678901234", QN_PASSWORD_PATTERN},
    {"aaaaaaaaaaaaaaaaaaaaaaaa", QN_PASSWORD_PATTERN},
    {"abcdefghijklmnopqrstuvwxyz", QN_PASSWORD_PATTERN},
    {"19651987200119992024", QN_PASSWORD_PATTERN},
    {"qsdfghjklm", QN_PASSWORD_PATTERN},
    {"xk7Qxk7Qxk7Qxk7Q", QN_PASSWORD_PATTERN},
    {"kq7Bw2xN9z", QN_PASSWORD_GOOD},
    {"g7#Kp2!w", QN_PASSWORD_SHORT},
    {"g7#Kp2!wT", QN_PASSWORD_GOOD},
    {"le facteur adore sept cornichons", QN_PASSWORD_GOOD},
    {"vwkzpqhgnjrtbmd", QN_PASSWORD_GOOD},
    {"\xff\xfe\xfd", QN_PASSWORD_BAD_TEXT},
    {"a\tb long enough ones", QN_PASSWORD_BAD_TEXT},
};

Test(password, table)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct qn_span password = qn_span_str(table[i].password);
        enum qn_password_fault fault =
            qn_password_judge(password, names, QN_PASSWORD_BITS_THROTTLED);
        cr_expect_eq(fault, table[i].fault, "%s: fault %d, %u bits", table[i].password, fault,
                     qn_password_bits(password, names));
    }
}

/* Drawn at random, the estimate is close to the truth, and never much above it. */
Test(password, random_ones)
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    struct qn_prng prng = {.state = 5};
    for (int i = 0; i < 300; i++) {
        char text[15];
        for (size_t k = 0; k < sizeof(text); k++)
            text[k] = letters[qn_prng_below(&prng, sizeof(letters) - 1)];
        unsigned bits = qn_password_bits(QN_SPAN_OF(text), names); /* 15 * 5.8 = 87 */
        cr_assert(bits >= 50 && bits <= 87, "%u: %.15s", bits, text);
    }
}

/* A letter more is never a bit less: nobody is told to shorten a password. */
Test(password, more_is_not_less_within_one_kind)
{
    static const char text[] = "vwkzpqhgnjrtbmdxsyfc";
    unsigned before = 0;
    for (size_t size = 1; size < sizeof(text); size++) {
        unsigned bits = qn_password_bits(qn_span(text, size), names);
        cr_assert_geq(bits, before);
        before = bits;
    }
}

Test(password, long_ones)
{
    char text[QN_PASSWORD_SIZE_MAX + 1];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('!' + i * 37 % 90);
    cr_assert_eq(qn_password_judge(qn_span(text, QN_PASSWORD_SIZE_MAX), names, 80),
                 QN_PASSWORD_GOOD);
    cr_assert_eq(qn_password_judge(qn_span(text, QN_PASSWORD_SIZE_MAX + 1), names, 80),
                 QN_PASSWORD_LONG);
}

Test(password, alone_asks_for_more)
{
    struct qn_span password = SPAN("kq7Bw2xN9zT");
    cr_assert_eq(qn_password_judge(password, names, QN_PASSWORD_BITS_THROTTLED), QN_PASSWORD_GOOD);
    cr_assert_eq(qn_password_judge(password, names, QN_PASSWORD_BITS_ALONE), QN_PASSWORD_SHORT);
}
