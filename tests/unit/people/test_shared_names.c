#include "people/shared_names.h"

#include <criterion/criterion.h>

#include "support/span.h"

Test(shared_names, what_is_nobodys_is_known)
{
    static const char *const names[] = {"accueil",       "Accueil", "ACCUEIL-2", "infirmières",
                                        "INFIRMIÈRES",   "staff",   "nuit 1",    "Équipe",
                                        "aide-soignant", "test",    "Poste 12",  "étage2"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        cr_assert(qn_name_is_shared(qn_span_str(names[i])), "%s", names[i]);
}

Test(shared_names, people_are_people)
{
    static const char *const names[] = {
        "anne",  "Anne Accueil", "m.testard",
        "Nuits", "ide.marie",    "stéphane",
        "",      "42",           "a-name-that-is-longer-than-all-of-them",
        "Zoé",   "\xc3"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        cr_assert_not(qn_name_is_shared(qn_span_str(names[i])), "%s", names[i]);
}
