/* Names that are of nobody in particular: an account by such a name is used by several people, and
 * what it does is nobody's (REQUIREMENTS F3). French and English. Pure.
 */
#pragma once

#include <stdbool.h>

#include "base/span.h"

/* Whatever its capitals, digits and signs: "Accueil-2" is "accueil". */
bool qn_name_is_shared(struct qn_span name);
