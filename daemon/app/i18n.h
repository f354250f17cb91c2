/* Words shown to people go through gettext, domain "quoin"; log lines are English. */
#pragma once

#include <libintl.h>

#define _(text)  gettext(text)
#define N_(text) text
