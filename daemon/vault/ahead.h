/* Reading ahead: a sequence of entries, chunks and holes goes in, the same sequence with the bytes
 * comes out, in order, on the caller's thread. Between the two, chunks are fetched by worker
 * threads: those of one batch sorted by pack and place, neighbours in one read.
 *
 * Bounded: QN_AHEAD_BATCHES batches of QN_AHEAD_SIZE raw bytes. The calls that put something in may
 * wait, and hand out what is ready before they return.
 */
#pragma once

#include "vault/fetch.h"

#define QN_AHEAD_BATCHES    4
#define QN_AHEAD_SIZE       ((size_t)2 * 1024 * 1024) /* all of them fit into a processor's cache */
#define QN_AHEAD_EVENTS_MAX 4096

struct qn_ahead_sink {
    enum qn_err (*on_entry)(void *context, const struct qn_entry *entry); /* or NULL */
    /* `bytes` NULL: a hole. err: the chunk cannot be had; bytes is NULL then too. */
    enum qn_err (*on_bytes)(void *context, const uint8_t *bytes, uint64_t size, enum qn_err err);
    enum qn_err (*on_end)(void *context, enum qn_err err); /* or NULL */
    void *context;
};

struct qn_ahead;
struct qn_ahead *qn_ahead_new(struct qn_vault *vault, const struct qn_ahead_sink *sink);
void qn_ahead_free(struct qn_ahead *ahead); /* accepts NULL; drops what was not handed out */
enum qn_err QN_CHECKED qn_ahead_entry(struct qn_ahead *ahead, const struct qn_entry *entry);
/* A qn_content_item: a data chunk or a hole. */
enum qn_err QN_CHECKED qn_ahead_item(struct qn_ahead *ahead, const struct qn_content_item *item);
enum qn_err QN_CHECKED qn_ahead_end(struct qn_ahead *ahead, enum qn_err err);
/* Hands out all that is left. */
enum qn_err QN_CHECKED qn_ahead_finish(struct qn_ahead *ahead);
/* For lists and manifests, on the caller's thread. */
struct qn_fetcher *qn_ahead_fetcher(struct qn_ahead *ahead);
