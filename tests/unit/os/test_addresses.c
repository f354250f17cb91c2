#include <criterion/criterion.h>
#include <string.h>

#include "os/os.h"

/* What there is depends on the machine; what there must not be does not. */
Test(addresses, are_such_that_another_machine_could_use_them)
{
    static char addresses[64][262];
    size_t count = qn_os_own_addresses(4711, addresses, 64);
    for (size_t i = 0; i < count; i++) {
        const char *text = addresses[i];
        cr_assert_not_null(strstr(text, ":4711"), "%s", text);
        cr_assert(strncmp(text, "127.", 4) != 0 && strncmp(text, "169.254.", 8) != 0, "%s", text);
        cr_assert(strncmp(text, "[::1]", 5) != 0 && strncmp(text, "[fe80:", 6) != 0, "%s", text);
        for (size_t j = 0; j < i; j++)
            cr_assert_str_neq(addresses[j], text);
    }
}

Test(addresses, stop_at_the_maximum)
{
    static char addresses[2][262];
    cr_assert_eq(qn_os_own_addresses(1, addresses, 0), 0);
    cr_assert_leq(qn_os_own_addresses(1, addresses, 1), 1);
    cr_assert_str_empty(addresses[1]);
}
