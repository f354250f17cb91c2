/* Errors in words, translated: for what a person reads when no code of docs/control.md applies. */
#pragma once

#include "base/err.h"

/* A part of a sentence, "no permission"; never NULL. */
const char *qn_err_words(enum qn_err err);
