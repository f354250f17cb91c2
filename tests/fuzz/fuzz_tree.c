/* Any chunks in the place of a file list's: a walk ends, what it hands out is in order, a seek
 * finds nothing before its target. The input is the number of levels, then chunks: u16 size, bytes;
 * an id is the number of a chunk. */
#include "chunk/node.h"
#include "support/fuzz.h"

struct input {
    struct qn_span chunks;
    size_t gets;
};

static enum qn_err get(void *context, enum qn_blob_kind kind, const struct qn_chunk_id *id,
                       struct qn_buf *out)
{
    struct input *input = context;
    struct qn_span left = input->chunks;
    input->gets++;
    for (size_t number = 0; left.size >= 2; number++) {
        size_t size = qn_read_u16(left.data);
        left = qn_span_from(left, 2);
        if (size > left.size)
            size = left.size;
        if (number == id->bytes[0]) {
            qn_buf_append(out, left.data, size);
            return QN_OK;
        }
        left = qn_span_from(left, size);
    }
    return QN_ERR_NOTFOUND;
}

/* What the root says is made right, so that what is below it is reached. */
static struct qn_tree_root root_of(struct input *input, unsigned levels)
{
    QN_AUTO_BUF struct qn_buf chunk, path;
    struct qn_tree_root root = {.levels = levels};
    struct qn_node_item item;
    qn_buf_init(&chunk, QN_TREE_CHUNK_SIZE_MAX);
    qn_buf_init(&path, QN_PATH_SIZE_MAX);
    if (get(input, QN_BLOB_NODE, &root.id, &chunk) != QN_OK)
        return root;
    for (size_t at = 1; at < chunk.size;) {
        if (qn_node_item_read(qn_buf_view(&chunk), &at, &path, &item) != QN_OK)
            break;
        root.entry_count = qn_tree_sum(root.entry_count, item.entry_count);
        root.size = qn_tree_sum(root.size, item.size);
    }
    return root;
}

/* Every step takes bytes of the input that no other step takes on the same level. */
static void walk(struct qn_tree_iter *iter, size_t steps_max)
{
    QN_AUTO_BUF struct qn_buf last;
    struct qn_entry entry;
    enum qn_err err;
    qn_buf_init(&last, QN_PATH_SIZE_MAX);
    while ((err = qn_tree_iter_next(iter, &entry)) != QN_ERR_NOTFOUND) {
        FUZZ_CHECK(steps_max-- > 0);
        if (err == QN_OK) {
            FUZZ_CHECK(last.size == 0 || qn_path_cmp(qn_buf_view(&last), entry.path) < 0);
            FUZZ_CHECK(qn_entry_check(&entry) == QN_OK);
        }
        qn_buf_reset(&last);
        if (err == QN_OK)
            qn_buf_append_span(&last, entry.path);
    }
}

static void seek(struct qn_tree_iter *iter, struct qn_span target)
{
    struct qn_entry entry;
    if (qn_tree_iter_seek(iter, target) != QN_OK)
        return;
    if (qn_tree_iter_next(iter, &entry) == QN_OK)
        FUZZ_CHECK(qn_path_is_valid(entry.path));
}

static bool say_yes(void *context, enum qn_blob_kind kind, const struct qn_chunk_id *id)
{
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct input input = {.chunks = qn_span(data + 1, size - 1)};
    struct qn_tree_root root = root_of(&input, data[0] % (QN_TREE_LEVELS_MAX + 2));
    struct qn_tree_iter *iter = qn_tree_iter_new(&root, get, &input);
    size_t steps_max = 16 * size + 16;
    walk(iter, steps_max);
    seek(iter, qn_span(data, size / 2));
    seek(iter, qn_span("m", 1));
    walk(iter, steps_max);
    input.gets = 0;
    if (qn_tree_visit(&root, get, &input, say_yes) == QN_OK)
        FUZZ_CHECK(input.gets <= steps_max);
    qn_tree_iter_free(iter);
    return 0;
}
