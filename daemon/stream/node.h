/* A link of a circular list that lives inside the object it links. Loop thread. */
#pragma once

#include <stdbool.h>

struct qn_node {
    struct qn_node *before, *after;
};

static inline void qn_node_init(struct qn_node *node)
{
    node->before = node->after = node;
}

static inline bool qn_node_is_alone(const struct qn_node *node)
{
    return node->after == node;
}

static inline void qn_node_remove(struct qn_node *node)
{
    node->before->after = node->after;
    node->after->before = node->before;
    qn_node_init(node);
}

/* Puts `node`, which is alone, at the end of the list of `head`. */
static inline void qn_node_append(struct qn_node *head, struct qn_node *node)
{
    node->before = head->before;
    node->after = head;
    head->before->after = node;
    head->before = node;
}

/* Moves the whole list of `from` to `to`, which is alone. */
static inline void qn_node_move(struct qn_node *from, struct qn_node *to)
{
    if (qn_node_is_alone(from))
        return;
    *to = *from;
    to->before->after = to;
    to->after->before = to;
    qn_node_init(from);
}
