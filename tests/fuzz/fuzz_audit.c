/* Rows of the audit trail, as another machine's proof reads them: what is read is written back as
 * the same bytes, and a proof of any rows comes to its end. */
#include "people/audit.h"
#include "support/fuzz.h"

static void same(struct qn_span row, const struct qn_buf *packed)
{
    FUZZ_CHECK(qn_buf_status(packed) == QN_OK && qn_span_eq(qn_buf_view(packed), row));
}

static void read_rows(struct qn_span row)
{
    struct qn_audit_entry entry;
    struct qn_audit_checkpoint checkpoint;
    struct qn_audit_head head;
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, QN_AUDIT_ENTRY_SIZE_MAX);
    if (qn_audit_entry_unpack(row, &entry) == QN_OK) {
        qn_audit_entry_pack(&entry, &out);
        same(row, &out);
    } else if (qn_audit_checkpoint_unpack(row, &checkpoint) == QN_OK) {
        qn_audit_checkpoint_pack(&checkpoint, &out);
        same(row, &out);
    } else if (qn_audit_head_unpack(row, &head) == QN_OK) {
        qn_audit_head_pack(&head, &out);
        same(row, &out);
    }
}

/* Rows of [size, key's size, key, value]. */
static void prove(struct qn_span bytes)
{
    static const struct qn_site_id site = {.bytes = {1}};
    static const struct qn_public_key key = {.bytes = {2}};
    struct qn_audit_verdict verdict;
    struct qn_audit_verify *verify = qn_audit_verify_new(&site, &key, 1, 1000);
    while (bytes.size >= 2) {
        size_t key_size = bytes.data[0], value_size = bytes.data[1];
        bytes = qn_span_from(bytes, 2);
        if (key_size > bytes.size)
            key_size = bytes.size;
        struct qn_span row_key = qn_span(bytes.data, key_size);
        bytes = qn_span_from(bytes, key_size);
        if (value_size > bytes.size)
            value_size = bytes.size;
        qn_audit_verify_row(verify, row_key, qn_span(bytes.data, value_size));
        bytes = qn_span_from(bytes, value_size);
    }
    qn_audit_verify_end(verify, &verdict);
    FUZZ_CHECK(qn_audit_fault_name(verdict.fault) != NULL);
    qn_audit_verify_free(verify);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_rows(qn_span(data, size));
    prove(qn_span(data, size));
    return 0;
}
