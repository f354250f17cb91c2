/* Exported trails, as an auditor's machine proves them: whatever comes, the proof comes to an end.
 */
#include "people/audit.h"
#include "support/fuzz.h"
#include "syncctl/log_file.h"

static int on_head(void *context, struct qn_span id, const struct qn_span *keys, size_t key_count,
                   uint64_t exported_ms)
{
    struct qn_audit_verify **verify = context;
    struct qn_public_key none[QN_SITE_KEYS_MAX] = {0};
    struct qn_site_id site = {0};
    FUZZ_CHECK(*verify == NULL && key_count > 0 && key_count <= QN_SITE_KEYS_MAX);
    *verify = qn_audit_verify_new(&site, none, key_count, exported_ms);
    return CTL_DONE;
}

static int on_witness(void *context, struct qn_span site, uint64_t received_ms, struct qn_span row)
{
    struct qn_audit_verify **verify = context;
    struct qn_audit_checkpoint checkpoint;
    FUZZ_CHECK(*verify != NULL);
    if (qn_audit_checkpoint_unpack(row, &checkpoint) == QN_OK)
        qn_audit_verify_witness(*verify, 0, received_ms, &checkpoint);
    return CTL_DONE;
}

static int on_row(void *context, struct qn_span key, struct qn_span value)
{
    struct qn_audit_verify **verify = context;
    FUZZ_CHECK(*verify != NULL);
    qn_audit_verify_row(*verify, key, value);
    return CTL_DONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct qn_audit_verify *verify = NULL;
    struct qn_audit_verdict verdict;
    const struct ctl_trail_file sink = {
        .on_head = on_head, .on_witness = on_witness, .on_row = on_row, .context = &verify};
    FILE *file = tmpfile(), *nowhere = fopen("/dev/null", "we");
    FUZZ_CHECK(file != NULL && nowhere != NULL);
    fwrite(data, 1, size, file);
    rewind(file);
    struct ctl ctl = {.out = nowhere, .err = nowhere};
    int code = ctl_read_trail_of(&ctl, "trail", file, &sink);
    FUZZ_CHECK(code == CTL_FAILED || (code == CTL_DONE && verify != NULL));
    if (verify != NULL) {
        qn_audit_verify_end(verify, &verdict);
        qn_audit_verify_free(verify);
    }
    fclose(file);
    fclose(nowhere);
    return 0;
}
