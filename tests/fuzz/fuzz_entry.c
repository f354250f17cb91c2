/* Any bytes in the place of a leaf are damage or entries that can be stored, and that are packed to
 * the same bytes again. */
#include "chunk/entry.h"
#include "support/fuzz.h"

static void check_content(const struct qn_content *content, uint64_t size)
{
    struct qn_content_item item;
    QN_AUTO_BUF struct qn_buf again;
    uint64_t sum = 0;
    qn_buf_init(&again, content->items.size);
    for (size_t at = 0; at < content->items.size;) {
        FUZZ_CHECK(qn_content_item_read(content->items, &at, &item) == QN_OK);
        qn_content_item_pack(item.is_hole ? NULL : &item.id, item.size, &again);
        sum += item.size;
    }
    FUZZ_CHECK(sum == size);
    FUZZ_CHECK(qn_span_eq(qn_buf_view(&again), content->items));
}

static void check_entry(const struct qn_entry *entry, struct qn_span previous, struct qn_span bytes)
{
    QN_AUTO_BUF struct qn_buf again;
    FUZZ_CHECK(qn_entry_check(entry) == QN_OK);
    FUZZ_CHECK(previous.size == 0 || qn_path_cmp(previous, entry->path) < 0);
    qn_buf_init(&again, QN_ENTRY_SIZE_MAX);
    qn_entry_pack(entry, previous, &again);
    FUZZ_CHECK(qn_span_eq(qn_buf_view(&again), bytes));
    if (entry->type == QN_ENTRY_FILE)
        check_content(&entry->content, entry->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    QN_AUTO_BUF struct qn_buf path, previous;
    struct qn_entry entry;
    qn_buf_init(&path, QN_PATH_SIZE_MAX);
    qn_buf_init(&previous, QN_PATH_SIZE_MAX);
    for (size_t at = 0, before = 0; at < size; before = at) {
        qn_buf_reset(&previous);
        qn_buf_append_span(&previous, qn_buf_view(&path));
        if (qn_entry_read(qn_span(data, size), &at, &path, &entry) != QN_OK) {
            FUZZ_CHECK(at == before);
            break;
        }
        FUZZ_CHECK(at > before && at <= size);
        check_entry(&entry, qn_buf_view(&previous), qn_span(data + before, at - before));
    }
    return 0;
}
