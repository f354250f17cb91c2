/* Bodies: whatever is accepted gives values that are XML themselves, and are kept as they are when
 * they come in again, wherever they stand. Rows of locks and properties never break a reader. */
#include "dav/body.h"
#include "dav/dead.h"
#include "dav/locks.h"
#include "support/fuzz.h"

#define PROPERTY_SIZE_MAX (2 * QN_DAV_TEXT_SIZE_MAX)

static struct qn_dav_xml *parse(struct qn_span text, unsigned value_depth)
{
    struct qn_dav_xml *xml = qn_dav_xml_new(value_depth, 42);
    if (qn_dav_xml_feed(xml, text) == QN_OK && qn_dav_xml_end(xml) == QN_OK)
        return xml;
    qn_dav_xml_free(xml);
    return NULL;
}

/* The value between <v> and </v>: well-formed, and the same again. */
static void check_value(struct qn_span value)
{
    QN_AUTO_BUF struct qn_buf text;
    size_t count;
    qn_buf_init(&text, PROPERTY_SIZE_MAX);
    qn_buf_append_str(&text, "<v>");
    qn_buf_append_span(&text, value);
    qn_buf_append_str(&text, "</v>");
    if (text.size > QN_DAV_BODY_SIZE_MAX)
        return;
    struct qn_dav_xml *again = parse(qn_buf_view(&text), 0);
    FUZZ_CHECK(again != NULL);
    FUZZ_CHECK(qn_span_eq(qn_dav_xml_nodes(again, &count)[0].value, value));
    qn_dav_xml_free(again);
}

static void check_body(struct qn_span input, unsigned value_depth)
{
    struct qn_dav_ask ask;
    struct qn_dav_changes changes;
    struct qn_dav_lock_ask lock;
    size_t count;
    struct qn_dav_xml *xml = parse(input, value_depth);
    if (!xml)
        return;
    const struct qn_dav_node *nodes = qn_dav_xml_nodes(xml, &count);
    FUZZ_CHECK(count <= QN_DAV_ELEMENTS_MAX);
    for (size_t i = 0; i < count; i++)
        if (nodes[i].depth == value_depth)
            check_value(nodes[i].value);
    if (qn_dav_ask_read(xml, &ask) == QN_OK)
        FUZZ_CHECK(ask.count <= QN_DAV_ASKED_MAX);
    if (qn_dav_changes_read(xml, &changes) == QN_OK)
        FUZZ_CHECK(changes.count >= 1 && changes.count <= QN_DAV_ASKED_MAX);
    if (qn_dav_lock_ask_read(xml, &lock) == QN_OK)
        FUZZ_CHECK(lock.owner.size <= input.size * 64 + QN_DAV_TEXT_SIZE_MAX);
    qn_dav_xml_free(xml);
}

static void check_rows(struct qn_span input)
{
    static const char key[] = "lock/urn:uuid:00000000-0000-4000-8000-000000000000";
    struct qn_dav_locks *locks = qn_dav_locks_new();
    struct qn_dav_dead dead;
    struct qn_span path;
    if (qn_dav_locks_load(locks, qn_span_str(key), input, 1000) == QN_OK)
        FUZZ_CHECK(qn_dav_locks_count(locks) <= 1);
    qn_dav_locks_free(locks);
    if (qn_dav_dead_read(input, &path, &dead) == QN_OK)
        FUZZ_CHECK(dead.count <= QN_DAV_DEAD_MAX && path.size <= input.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_span input = qn_span(data, size);
    check_body(input, QN_DAV_LOCK_VALUES);
    check_body(input, QN_DAV_PROPPATCH_VALUES);
    check_rows(input);
    return 0;
}
