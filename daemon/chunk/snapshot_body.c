#include "chunk/snapshot_body.h"

#include "base/text.h"
#include "chunk/places.h"
#include "proto/cursor.h"
#include "proto/pack.h"

#define VERSION     1 /* without the site's store */
#define ITEM_COUNT  10
#define VERSION_2   2 /* with it, as the last item */
#define VERSION_3   3 /* with places; the store may be empty */
#define COUNT_COUNT (sizeof(struct qn_backup_counts) / sizeof(uint64_t))

_Static_assert(COUNT_COUNT == 10, "the counts are an array of u64, in the order of their members");

/* ---- what can be stored ---- */

static bool is_name(const char *name)
{
    return memchr(name, 0, QN_NAME_SIZE_MAX + 1) != NULL && qn_text_is_name(qn_span_str(name));
}

/* There is one empty list. */
static bool is_root(const struct qn_tree_root *root)
{
    static const struct qn_chunk_id no_id;
    if (root->levels == 0)
        return root->entry_count == 0 && root->size == 0 && qn_chunk_id_cmp(&root->id, &no_id) == 0;
    return root->levels <= QN_TREE_LEVELS_MAX && root->entry_count > 0;
}

/* Paths are absolute, as people wrote them: no more is asked than that they can be printed back. */
static enum qn_err check_paths(struct qn_span paths)
{
    struct qn_cursor cursor = qn_cursor(paths);
    struct qn_span path;
    size_t count;
    QN_TRY(qn_cursor_array(&cursor, QN_SNAPSHOT_PATHS_MAX, &count));
    for (size_t i = 0; i < count; i++) {
        QN_TRY(qn_cursor_bin(&cursor, QN_PATH_SIZE_MAX, &path));
        if (path.size == 0 || path.data[0] != '/' || memchr(path.data, 0, path.size) != NULL)
            return QN_ERR_INVALID;
    }
    return qn_cursor_finish(&cursor);
}

static enum qn_err pass_place(void *context, const struct qn_place *place)
{
    (void)context, (void)place;
    return QN_OK;
}

static enum qn_err check_places(const struct qn_snapshot *snapshot)
{
    if (snapshot->places.size == 0)
        return snapshot->places_run == 0 ? QN_OK : QN_ERR_INVALID;
    return qn_places_read(snapshot->places, pass_place, NULL);
}

static enum qn_err check(const struct qn_snapshot *snapshot)
{
    if (!is_name(snapshot->plan) || !is_name(snapshot->site))
        return QN_ERR_INVALID;
    if (!is_root(&snapshot->root) || !is_root(&snapshot->store))
        return QN_ERR_INVALID;
    if (snapshot->sequence == 0)
        return QN_ERR_INVALID;
    QN_TRY(check_places(snapshot));
    return check_paths(snapshot->paths);
}

/* ---- packing ---- */

static void pack_root(const struct qn_tree_root *root, struct qn_buf *out)
{
    qn_pack_array(out, 4);
    qn_pack_bin(out, QN_SPAN_OF(root->id));
    qn_pack_u64(out, root->levels);
    qn_pack_u64(out, root->entry_count);
    qn_pack_u64(out, root->size);
}

static void pack_counts(const struct qn_backup_counts *counts, struct qn_buf *out)
{
    uint64_t numbers[COUNT_COUNT];
    memcpy(numbers, counts, sizeof(numbers));
    qn_pack_array(out, COUNT_COUNT);
    for (size_t i = 0; i < COUNT_COUNT; i++)
        qn_pack_u64(out, numbers[i]);
}

/* There is one form of every snapshot. */
static uint64_t version_of(const struct qn_snapshot *snapshot)
{
    if (snapshot->places.size > 0)
        return VERSION_3;
    return snapshot->store.levels > 0 ? VERSION_2 : VERSION;
}

static size_t count_of(uint64_t version)
{
    return version == VERSION_3   ? ITEM_COUNT + 3
           : version == VERSION_2 ? ITEM_COUNT + 1
                                  : ITEM_COUNT;
}

enum qn_err qn_snapshot_body_pack(const struct qn_snapshot *snapshot, struct qn_buf *out)
{
    QN_TRY(check(snapshot));
    uint64_t version = version_of(snapshot);
    qn_pack_array(out, count_of(version));
    qn_pack_u64(out, version);
    qn_pack_cstr(out, snapshot->plan);
    qn_pack_cstr(out, snapshot->site);
    qn_pack_u64(out, snapshot->started_ms);
    qn_pack_u64(out, snapshot->ended_ms);
    qn_pack_u64(out, snapshot->sequence);
    qn_pack_bool(out, snapshot->is_partial);
    pack_root(&snapshot->root, out);
    pack_counts(&snapshot->counts, out);
    qn_pack_raw(out, snapshot->paths);
    if (version >= VERSION_2)
        pack_root(&snapshot->store, out);
    if (version >= VERSION_3) {
        qn_pack_bin(out, snapshot->places);
        qn_pack_u64(out, snapshot->places_run);
    }
    return qn_buf_status(out);
}

/* ---- reading ---- */

static enum qn_err read_array(struct qn_cursor *cursor, size_t count_wanted)
{
    size_t count;
    QN_TRY(qn_cursor_array(cursor, count_wanted, &count));
    return count == count_wanted ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_name(struct qn_cursor *cursor, char out[QN_NAME_SIZE_MAX + 1])
{
    struct qn_span name;
    QN_TRY(qn_cursor_str(cursor, QN_NAME_SIZE_MAX, &name));
    if (!qn_text_is_name(name))
        return QN_ERR_INVALID;
    memcpy(out, name.data, name.size);
    out[name.size] = 0;
    return QN_OK;
}

static enum qn_err read_root(struct qn_cursor *cursor, struct qn_tree_root *ret_root)
{
    uint64_t levels;
    QN_TRY(read_array(cursor, 4));
    QN_TRY(qn_cursor_bytes(cursor, &ret_root->id, sizeof(ret_root->id)));
    QN_TRY(qn_cursor_u64(cursor, &levels));
    if (levels > QN_TREE_LEVELS_MAX)
        return QN_ERR_LIMIT;
    ret_root->levels = (unsigned)levels;
    QN_TRY(qn_cursor_u64(cursor, &ret_root->entry_count));
    return qn_cursor_u64(cursor, &ret_root->size);
}

static enum qn_err read_counts(struct qn_cursor *cursor, struct qn_backup_counts *ret_counts)
{
    uint64_t numbers[COUNT_COUNT];
    QN_TRY(read_array(cursor, COUNT_COUNT));
    for (size_t i = 0; i < COUNT_COUNT; i++)
        QN_TRY(qn_cursor_u64(cursor, &numbers[i]));
    memcpy(ret_counts, numbers, sizeof(numbers));
    return QN_OK;
}

/* The items behind the paths. What could be said in an earlier version is. */
static enum qn_err read_later(struct qn_cursor *cursor, uint64_t version,
                              struct qn_snapshot *ret_snapshot)
{
    if (version >= VERSION_2)
        QN_TRY(read_root(cursor, &ret_snapshot->store));
    if (version >= VERSION_3) {
        QN_TRY(qn_cursor_bin(cursor, QN_SNAPSHOT_SIZE_MAX, &ret_snapshot->places));
        QN_TRY(qn_cursor_u64(cursor, &ret_snapshot->places_run));
    }
    return version_of(ret_snapshot) == version ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_items(struct qn_cursor *cursor, uint64_t version,
                              struct qn_snapshot *ret_snapshot)
{
    QN_TRY(read_name(cursor, ret_snapshot->plan));
    QN_TRY(read_name(cursor, ret_snapshot->site));
    QN_TRY(qn_cursor_u64(cursor, &ret_snapshot->started_ms));
    QN_TRY(qn_cursor_u64(cursor, &ret_snapshot->ended_ms));
    QN_TRY(qn_cursor_u64(cursor, &ret_snapshot->sequence));
    QN_TRY(qn_cursor_bool(cursor, &ret_snapshot->is_partial));
    QN_TRY(read_root(cursor, &ret_snapshot->root));
    QN_TRY(read_counts(cursor, &ret_snapshot->counts));
    QN_TRY(qn_cursor_skip(cursor, 1, &ret_snapshot->paths));
    QN_TRY(read_later(cursor, version, ret_snapshot));
    QN_TRY(qn_cursor_finish(cursor));
    return check(ret_snapshot);
}

/* The version stands first, so that a later one may change all that follows. */
enum qn_err qn_snapshot_body_read(struct qn_span body, struct qn_snapshot *ret_snapshot)
{
    struct qn_cursor cursor = qn_cursor(body);
    struct qn_snapshot snapshot = {0};
    uint64_t version;
    size_t count;
    if (qn_cursor_array(&cursor, UINT16_MAX, &count) != QN_OK || count == 0 ||
        qn_cursor_u64(&cursor, &version) != QN_OK || version == 0)
        return QN_ERR_CORRUPT;
    if (version > VERSION_3)
        return QN_ERR_UNSUPPORTED;
    if (count != count_of(version) || read_items(&cursor, version, &snapshot) != QN_OK)
        return QN_ERR_CORRUPT;
    *ret_snapshot = snapshot;
    return QN_OK;
}
