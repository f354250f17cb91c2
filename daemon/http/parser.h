/* The packaged parser (http-parser, or llhttp where the distribution has it) behind one function.
 * It sees heads that scan.h has passed, and gives what it found. Pure; internal to the room. */
#pragma once

#include "http/head.h"

/* `line_rest` is what follows the method in `bytes`: the parsers know other methods than we do, and
 * get one that both know. Fills target, headers, header_count and is_1_0 of `head`, and says
 * whether the parser means that a body in chunks follows. QN_ERR_INVALID: refused; QN_ERR_LIMIT:
 * too many fields. */
enum qn_err QN_CHECKED qn_http_parse(struct qn_span line_rest, struct qn_http_head *head,
                                     bool *ret_is_chunked);
