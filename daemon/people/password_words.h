/* Inside password.c: words that are tried first, lower case, without accents. */
#pragma once

#include <stddef.h>

extern const char *const qn_password_words[];
extern const size_t qn_password_word_count;
