/* Reads canonical msgpack whose members are known by name: maps and lists, without allocating
 * anything. What is damaged is as if it was missing; who has to tell the two apart uses cursor.h.
 * Pure.
 */
#pragma once

#include "base/span.h"

bool qn_map_find(struct qn_span map, const char *key, struct qn_span *ret_value);
/* Empty if missing or of another type. */
struct qn_span qn_map_text(struct qn_span map, const char *key);
uint64_t qn_map_u64(struct qn_span map, const char *key);
bool qn_map_bool(struct qn_span map, const char *key);
bool qn_map_has_u64(struct qn_span map, const char *key, uint64_t *ret_value);

/* Walks a list or a map: for each item of it, in order. */
struct qn_items {
    struct qn_span key;   /* of a map; raw text */
    struct qn_span value; /* packed */
    struct qn_span rest;
    size_t left;
    bool is_map;
};
struct qn_items qn_items(struct qn_span packed);
bool qn_items_next(struct qn_items *walk);
size_t qn_item_count(struct qn_span packed);      /* items of a list or map; 0 for anything else */
struct qn_span qn_text_of(struct qn_span packed); /* a packed text; empty if it is none */
uint64_t qn_u64_of(struct qn_span packed);        /* 0 if it is no such number */
