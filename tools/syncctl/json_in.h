/* JSON to canonical msgpack values: json/in.h, under the names that it has here. */
#pragma once

#include "json/in.h"

#define ctl_json_parse qn_json_parse
#define ctl_json_pack  qn_json_pack

/* Appends why a text was refused, translated, in at most a few hundred bytes. */
void ctl_json_explain(struct qn_span text, const json_error_t *reason, struct qn_buf *out);
