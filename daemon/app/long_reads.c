#include "app/long_reads.h"

#include "base/limits.h"
#include "base/vec.h"

struct qn_long_reads {
    struct qn_long_reads_options options;
    QN_VEC(struct qn_read *) waiting; /* in the order in which they came */
    QN_VEC(struct qn_site_id) served; /* who had a turn in this round */
    uint64_t token;                   /* of the one under way; 0: none */
};

bool qn_read_is_long(const struct qn_read *read)
{
    return read->kind == QN_READ_BUCKET || read->kind == QN_READ_SCRUB ||
           (read->kind == QN_READ_COPIES && read->with_left) ||
           (read->kind == QN_READ_FP && read->level == 2);
}

struct qn_long_reads *qn_long_reads_new(const struct qn_long_reads_options *options)
{
    struct qn_long_reads *reads = QN_NEW(struct qn_long_reads);
    reads->options = *options;
    return reads;
}

void qn_long_reads_free(struct qn_long_reads *reads)
{
    if (reads == NULL)
        return;
    qn_vec_each (&reads->waiting, read)
        qn_read_free(*read);
    qn_vec_free(&reads->waiting);
    qn_vec_free(&reads->served);
    qn_free(reads);
}

/* ---- whose turn it is ---- */

static bool was_served(const struct qn_long_reads *reads, const struct qn_site_id *asker)
{
    qn_vec_each (&reads->served, site)
        if (qn_site_id_eq(site, asker))
            return true;
    return false;
}

/* The first one of those who had no turn in this round; with none of them a new round begins. */
static struct qn_read *take_next(struct qn_long_reads *reads)
{
    size_t at = 0;
    while (at < reads->waiting.count && was_served(reads, &reads->waiting.items[at]->asker))
        at++;
    if (at == reads->waiting.count) {
        reads->served.count = 0;
        at = 0;
    }
    struct qn_read *read = reads->waiting.items[at];
    qn_vec_remove(&reads->waiting, at);
    qn_vec_push(&reads->served, read->asker);
    return read;
}

static void begin_next(struct qn_long_reads *reads)
{
    while (reads->token == 0 && reads->waiting.count > 0) {
        struct qn_read *read = take_next(reads);
        uint64_t token = reads->token = read->pin = read->token;
        enum qn_err err = reads->options.begin(reads->options.context, read);
        if (err == QN_OK)
            return;
        reads->token = 0;
        reads->options.fail(reads->options.context, token, err);
    }
}

static size_t count_of(const struct qn_long_reads *reads, const struct qn_site_id *asker)
{
    size_t count = 0;
    qn_vec_each (&reads->waiting, read)
        count += qn_site_id_eq(&(*read)->asker, asker);
    return count;
}

void qn_long_reads_add(struct qn_long_reads *reads, struct qn_read *take_read)
{
    if (count_of(reads, &take_read->asker) >= QN_LONG_READS_MAX) {
        reads->options.fail(reads->options.context, take_read->token, QN_ERR_BUSY);
        qn_read_free(take_read);
        return;
    }
    qn_vec_push(&reads->waiting, take_read);
    begin_next(reads);
}

void qn_long_reads_ended(struct qn_long_reads *reads, uint64_t token)
{
    if (token != reads->token)
        return;
    reads->options.end(reads->options.context, token);
    reads->token = 0;
    begin_next(reads);
}
