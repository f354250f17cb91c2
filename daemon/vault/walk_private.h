/* Inside a walk, shared by walk*.c only: walk.c goes through a tree, walk_top.c gets to the top of
 * the next one, walk_entry.c makes entries.
 */
#pragma once

#include "reader/source.h"
#include "vault/walk.h"
#include "vault/walk_links.h"
#include "vault/walk_owners.h"

/* Paths are kept with the first '/', which entries do not have; an entry's fits into one system
 * call with its zero byte. */
#define ENTRY_PATH_SIZE_MAX (QN_PATH_SIZE_MAX - 1)
#define PATH_BUF_SIZE_MAX   (QN_PATH_SIZE_MAX + QN_NAME_BYTES_MAX + 2)

/* A folder on the present path; level 0 holds the top itself. */
struct qn_walk_level {
    struct qn_batch batch;
    size_t next;      /* in the batch */
    size_t path_size; /* of the folder's path */
};

struct qn_walk {
    struct qn_walk_options options;
    struct qn_source *source;
    struct qn_walk_owners *owners;
    struct qn_walk_links *links;
    char **paths;
    size_t path_next;
    const char *top;    /* NULL: between two of them */
    bool is_top_listed; /* else its parents are under way */
    size_t parent_size; /* of the top's parents that were listed */
    uint64_t top_device;
    size_t relative_at; /* where in the path what follows the top begins */
    QN_VEC(struct qn_walk_level) levels;
    size_t level_count;         /* in use; the others keep their memory */
    struct qn_buf path;         /* of the present object */
    struct qn_buf trial;        /* a path for the exclusions */
    const struct qn_node *node; /* the present object; NULL: none */
    struct qn_batch fresh;      /* its stat, read again */
    char name[QN_NAME_BYTES_MAX + 1];
    bool enters;        /* it is a folder to go into next */
    bool is_first_name; /* the first name of several of a file */
    bool is_links_full;
    struct qn_buf xattrs;
};

/* To who asked for the walk: the present path, and why. */
void qn_walk_report(struct qn_walk *walk, int error);
struct qn_walk_level *qn_walk_push_level(struct qn_walk *walk);
/* Begins the next top path. There is one. */
void qn_walk_start_top(struct qn_walk *walk);
/* One step along the way to the top, or the top; true if it gave an entry. */
bool qn_walk_approach(struct qn_walk *walk, struct qn_entry *ret_entry);
/* The node, which is of that batch, is the present object. */
void qn_walk_set_present(struct qn_walk *walk, const struct qn_batch *batch,
                         const struct qn_node *node);
/* What borrows of the entry is valid as long as the present object. */
void qn_walk_fill(struct qn_walk *walk, const struct qn_batch *batch, const struct qn_node *node,
                  struct qn_entry *entry);
void qn_walk_set_status(struct qn_entry *entry, const struct qn_node *node);
