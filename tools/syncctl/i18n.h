/* Translated text: domain "quoin", packaging/po. Every string for a person stands in _() or N_().
 */
#pragma once

#include <libintl.h>

#define _(text)  gettext(text)
#define N_(text) text
