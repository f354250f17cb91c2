#include "dav/body.h"

static bool is_dav(const struct qn_dav_node *node, const char *name)
{
    return qn_span_eq_str(node->ns, QN_DAV_NS) && qn_span_eq_str(node->name, name);
}

static bool has_root(const struct qn_dav_node *nodes, size_t count, const char *name)
{
    return count > 0 && is_dav(&nodes[0], name);
}

static struct qn_dav_name name_of(const struct qn_dav_node *node)
{
    return (struct qn_dav_name){
        .ns = node->ns, .name = node->name, .live = qn_dav_live_of(node->ns, node->name)};
}

/* ---- PROPFIND ---- */

static bool is_asked(const struct qn_dav_ask *ask, const struct qn_dav_node *node)
{
    for (size_t i = 0; i < ask->count; i++)
        if (qn_span_eq(ask->names[i].name, node->name) && qn_span_eq(ask->names[i].ns, node->ns))
            return true;
    return false;
}

/* The children of nodes[parent], each once. */
static enum qn_err take_names(struct qn_dav_ask *ask, const struct qn_dav_node *nodes, size_t count,
                              size_t parent)
{
    for (size_t i = parent + 1; i < count && nodes[i].depth > nodes[parent].depth; i++) {
        if (nodes[i].depth != nodes[parent].depth + 1 || is_asked(ask, &nodes[i]))
            continue;
        if (ask->count == QN_DAV_ASKED_MAX)
            return QN_ERR_LIMIT;
        ask->names[ask->count++] = name_of(&nodes[i]);
    }
    return QN_OK;
}

/* One of prop, allprop and propname; elements that are not known do not matter. */
static enum qn_err read_ask(struct qn_dav_ask *ask, const struct qn_dav_node *nodes, size_t count)
{
    unsigned kinds = 0;
    for (size_t i = 1; i < count; i++) {
        bool is_prop = is_dav(&nodes[i], "prop"), is_all = is_dav(&nodes[i], "allprop");
        bool is_names = is_dav(&nodes[i], "propname");
        if (nodes[i].depth != 1)
            continue;
        if (is_prop || is_dav(&nodes[i], "include"))
            QN_TRY(take_names(ask, nodes, count, i));
        if (is_prop || is_all || is_names) {
            kinds++;
            ask->kind = is_prop ? QN_DAV_ASK_SOME : is_all ? QN_DAV_ASK_ALL : QN_DAV_ASK_NAMES;
        }
    }
    return kinds == 1 ? QN_OK : QN_ERR_INVALID;
}

enum qn_err qn_dav_ask_read(const struct qn_dav_xml *xml, struct qn_dav_ask *ret_ask)
{
    size_t count;
    const struct qn_dav_node *nodes = qn_dav_xml_nodes(xml, &count);
    ret_ask->kind = QN_DAV_ASK_ALL;
    ret_ask->count = 0;
    if (qn_dav_xml_is_empty(xml))
        return QN_OK;
    return has_root(nodes, count, "propfind") ? read_ask(ret_ask, nodes, count) : QN_ERR_INVALID;
}

bool qn_dav_ask_has(const struct qn_dav_ask *ask, enum qn_dav_live live)
{
    for (size_t i = 0; i < ask->count; i++)
        if (ask->names[i].live == live)
            return true;
    return false;
}

bool qn_dav_ask_needs_dead(const struct qn_dav_ask *ask)
{
    return ask->kind != QN_DAV_ASK_SOME || qn_dav_ask_has(ask, QN_DAV_DEAD) ||
           qn_dav_ask_has(ask, QN_DAV_CREATIONDATE);
}

/* ---- PROPPATCH ---- */

static enum qn_err take_changes(struct qn_dav_changes *changes, const struct qn_dav_node *nodes,
                                size_t count, size_t prop, bool is_removal)
{
    for (size_t i = prop + 1; i < count && nodes[i].depth > nodes[prop].depth; i++) {
        if (nodes[i].depth != nodes[prop].depth + 1)
            continue;
        if (changes->count == QN_DAV_ASKED_MAX)
            return QN_ERR_LIMIT;
        changes->items[changes->count++] = (struct qn_dav_change){.name = name_of(&nodes[i]),
                                                                  .is_removal = is_removal,
                                                                  .lang = nodes[i].lang,
                                                                  .value = nodes[i].value};
    }
    return QN_OK;
}

enum qn_err qn_dav_changes_read(const struct qn_dav_xml *xml, struct qn_dav_changes *ret_changes)
{
    size_t count;
    const struct qn_dav_node *nodes = qn_dav_xml_nodes(xml, &count);
    bool is_set = false, is_remove = false;
    ret_changes->count = 0;
    if (!has_root(nodes, count, "propertyupdate"))
        return QN_ERR_INVALID;
    for (size_t i = 1; i < count; i++) {
        if (nodes[i].depth == 1) {
            is_set = is_dav(&nodes[i], "set");
            is_remove = is_dav(&nodes[i], "remove");
        }
        if (nodes[i].depth == 2 && (is_set || is_remove) && is_dav(&nodes[i], "prop"))
            QN_TRY(take_changes(ret_changes, nodes, count, i, is_remove));
    }
    return ret_changes->count > 0 ? QN_OK : QN_ERR_INVALID;
}

/* ---- LOCK ---- */

enum qn_err qn_dav_lock_ask_read(const struct qn_dav_xml *xml, struct qn_dav_lock_ask *ret_ask)
{
    size_t count;
    const struct qn_dav_node *nodes = qn_dav_xml_nodes(xml, &count);
    bool is_exclusive = false, is_shared = false, is_write = false;
    const struct qn_dav_node *part = NULL; /* the child of the root that the nodes belong to */
    struct qn_span owner = {0};
    if (!has_root(nodes, count, "lockinfo"))
        return QN_ERR_INVALID;
    for (size_t i = 1; i < count; i++) {
        part = nodes[i].depth == 1 ? &nodes[i] : part;
        bool is_in_scope = nodes[i].depth == 2 && is_dav(part, "lockscope");
        is_exclusive |= is_in_scope && is_dav(&nodes[i], "exclusive");
        is_shared |= is_in_scope && is_dav(&nodes[i], "shared");
        is_write |= nodes[i].depth == 2 && is_dav(part, "locktype") && is_dav(&nodes[i], "write");
        if (nodes[i].depth == 1 && is_dav(part, "owner"))
            owner = part->value;
    }
    if (is_exclusive == is_shared || !is_write)
        return QN_ERR_UNSUPPORTED;
    *ret_ask = (struct qn_dav_lock_ask){.is_exclusive = is_exclusive, .owner = owner};
    return QN_OK;
}
