/* Local numbers of actors and of the names of fields and users; for the rooms of model only.
 *
 * A writer's dict keeps what it looked up until it is reset, at the end of a transaction: names
 * that it gives live until then. A reader's keeps nothing: names are borrowed from the transaction.
 * At most QN_DICT_NAMES_MAX names get a number, the rest have 0 and are stored as they are.
 */
#pragma once

#include "model/kv.h"
#include "model/record.h"

struct qn_dict_actor {
    struct qn_actor actor;
    uint32_t number;
};

struct qn_dict_name {
    struct qn_span name; /* owned */
    uint32_t number;
};

struct qn_dict {
    struct qn_kv *kv;
    bool is_writer;
    QN_VEC(struct qn_dict_actor) actors;           /* by actor */
    QN_VEC(struct qn_dict_actor) actors_by_number; /* at number - 1; number 0: not known */
    QN_VEC(struct qn_dict_name) names;             /* by name */
    QN_VEC(struct qn_span) names_by_number;        /* number n at n - 1; empty: not looked up yet */
};

void qn_dict_init(struct qn_dict *dict, struct qn_kv *kv, bool is_writer);
void qn_dict_deinit(struct qn_dict *dict);

/* QN_ERR_CORRUPT if there is no such number. */
enum qn_err QN_CHECKED qn_dict_actor_of(struct qn_dict *dict, uint64_t number,
                                        struct qn_actor *ret_actor);
enum qn_err QN_CHECKED qn_dict_name_of(struct qn_dict *dict, uint64_t number,
                                       struct qn_span *ret_name);
/* QN_ERR_NOTFOUND if the actor has no number. */
enum qn_err QN_CHECKED qn_dict_find_actor(struct qn_dict *dict, const struct qn_actor *actor,
                                          uint32_t *ret_number);
/* The writer's: a new number where there is none. */
enum qn_err QN_CHECKED qn_dict_number_actor(struct qn_dict *dict, const struct qn_actor *actor,
                                            uint32_t *ret_number);
enum qn_err QN_CHECKED qn_dict_number_name(struct qn_dict *dict, struct qn_span name,
                                           uint32_t *ret_number);

/* The clock that CC or FLOOR holds for a collection, into an initialised vector. */
enum qn_err QN_CHECKED qn_dict_clock(struct qn_dict *dict, enum qn_table table, uint32_t coll,
                                     struct qn_vv *ret_vv);
