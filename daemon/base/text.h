/* Text: UTF-8 checks, hexadecimal, base32. Pure. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

/* Strict UTF-8 (Unicode 15, table 3-7): no surrogates, no overlong forms, at most U+10FFFF. */
bool qn_text_is_utf8(struct qn_span text);
/* UTF-8 without control characters (U+0000 to U+001F, U+007F to U+009F): for what is printed. */
bool qn_text_is_printable(struct qn_span text);

/* In decimal digits: what printf's %llu gives, for where many are written. */
void qn_text_append_number(struct qn_buf *out, uint64_t number);
/* The last `count` of them, with zeros in front; no zero byte behind. */
void qn_text_digits(uint64_t number, size_t count, char *out);

void qn_text_append_hex(struct qn_buf *out, struct qn_span bytes); /* lower case */
/* The same into an array of 2 * bytes.size + 1, ended by a zero. */
void qn_text_hex(struct qn_span bytes, char *out);
/* The parsers append all bytes of the text or, on an error, none. */
enum qn_err QN_CHECKED qn_text_parse_hex(struct qn_span text, struct qn_buf *out);

/* Base32 of RFC 4648, upper case, no padding; `group` > 0 puts a '-' after each so many letters. */
void qn_text_append_base32(struct qn_buf *out, struct qn_span bytes, size_t group);
/* Accepts either case; ignores '-' and white space; 0, 1 and 8 are read as O, I (L) and B, since
 * people copy codes by hand and ear. Bits that do not fill a byte must be zero. */
enum qn_err QN_CHECKED qn_text_parse_base32(struct qn_span text, struct qn_buf *out);

/* A name of a site or a collection: 1 to 63 bytes of printable UTF-8, no '/', ',', '@' or white
 * space, first letter not '-' or '_'. */
bool qn_text_is_name(struct qn_span text);
