/* Inside the feed of the search with records: search_feed.c has its life and its batches,
 * search_slice.c what is read of a collection for one batch. */
#pragma once

#include "app/search_feed.h"
#include "base/vec.h"
#include "model/replica_read.h"

#define SLICE_RECORDS                                                                              \
    1024 /* of one transaction of the index: the more, the less is merged in it                    \
          */
#define SLICE_WISHED (1024 * 1024) /* bytes from which on no more records are added */
#define SLICE_SIZE   (SLICE_WISHED + QN_SEARCH_TEXT_SIZE_MAX + QN_KEY_SIZE_MAX)

struct source {
    struct qn_coll_id coll;
    uint64_t next_seq, round;
    char key[QN_KEY_SIZE_MAX + 1]; /* the last one read, while all records are read */
    size_t key_size;
    bool is_reading_all, is_loaded, is_done;
};

struct source_list {
    struct source *items;
    size_t count, capacity;
};

struct item_place {
    size_t name_end, text_end;
    bool is_gone;
};

struct qn_search_feed {
    struct qn_search_feed_options options;
    struct qn_search *search;
    struct qn_timer *timer;
    struct source_list sources; /* in the order of the core's collections */
    struct source next;         /* of the source at `at`, once the batch is in */
    size_t at;
    struct qn_buf bytes; /* names and texts of the batch */
    QN_VEC(struct item_place) places;
    QN_VEC(struct qn_search_item) items;
    struct qn_buf position;
    char scope[QN_SEARCH_COLL_SCOPE_SIZE];
    struct qn_search_batch batch;
    void (*renewed)(void *context);
    void *context;
    bool is_putting, is_dirty, is_failing, has_swept;
};

/* ---- search_slice.c ---- */
/* Where a feed stands, as the index keeps it. */
void slice_pack_position(const struct source *source, struct qn_buf *out);
/* The next items of the source at `at` into the feed's batch, and where it stands then into `next`.
 */
enum qn_err QN_CHECKED slice_read(struct qn_search_feed *feed, struct qn_kv *kv);
