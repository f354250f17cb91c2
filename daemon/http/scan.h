/* The strict scan of a head, before any parser sees it, and the classes of bytes that the room goes
 * by (RFC 9110, 5.6). Pure; internal to the room. */
#pragma once

#include "http/head.h"

bool qn_http_is_token_byte(uint8_t byte);
bool qn_http_is_token(struct qn_span text); /* not empty */
/* What may stand in a field's value: no control byte but the tab. */
bool qn_http_is_value(struct qn_span text);
/* Without spaces and tabs at the ends. */
struct qn_span qn_http_trim(struct qn_span text);
/* ASCII without case. */
bool qn_http_is_same(struct qn_span text, const char *word);
/* The next element of a comma-separated list, trimmed; false at the end. Empty ones are skipped. */
bool qn_http_list_next(struct qn_span *list, struct qn_span *ret_element);
/* Decimal digits and nothing else. QN_ERR_LIMIT: more than 64 bits. */
enum qn_err QN_CHECKED qn_http_number(struct qn_span text, uint64_t *ret_number);
/* What may stand in a request line as its target; not empty. */
bool qn_http_is_target(struct qn_span target);
/* The value of a hexadecimal digit; -1: it is none. */
int qn_http_digit(uint8_t byte);
/* Host and port as they may stand in a URL, without a user; not empty. */
bool qn_http_is_authority(struct qn_span text);

/* Where the head ends. QN_ERR_HELD: not yet. Else as qn_http_head_read. */
enum qn_err QN_CHECKED qn_http_scan_end(struct qn_span bytes, size_t *ret_start, size_t *ret_size,
                                        struct qn_http_refusal *ret_refusal);

struct qn_http_line {
    struct qn_span method, target;
};
/* A whole head: each byte of the request line and the fields stands where it may. */
enum qn_err QN_CHECKED qn_http_scan(struct qn_span head, struct qn_http_line *ret_line,
                                    struct qn_http_refusal *ret_refusal);
/* Says so and gives the error that belongs to the status. */
enum qn_err QN_CHECKED qn_http_refuse(struct qn_http_refusal *refusal, unsigned status,
                                      const char *why);
