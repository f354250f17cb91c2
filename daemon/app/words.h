/* Errors in words, translated: for what a person reads when no code of docs/control.md applies. */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "words/tongue.h"

/* A part of a sentence, "no permission"; never NULL. */
const char *qn_err_words(enum qn_err err);

/* The language of the process, by gettext. */
extern const struct qn_tongue qn_words_tongue;
/* "3 days ago", translated. */
void qn_words_append_ago(struct qn_buf *out, uint64_t now_ms, uint64_t time_ms);
/* RFC 3339, UTC. */
void qn_words_append_time(struct qn_buf *out, uint64_t time_ms);
