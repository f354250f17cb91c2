#include "model/invitation.h"

#include "base/text.h"
#include "model/secret_buf.h"

#define PREFIX        "QN1"
#define GROUP_LETTERS 5
#define CHECKSUM_SIZE 4
#define EXPIRY_SIZE   4
#define PAYLOAD_SIZE_MAX                                                                           \
    (QN_INVITE_SECRET_SIZE + QN_GROUP_PREFIX_SIZE + EXPIRY_SIZE + 1 +                              \
     QN_ADDRESSES_MAX * (1 + QN_ADDRESS_SIZE_MAX) + CHECKSUM_SIZE)
#define ADDRESS_CODE_SIZE_MAX 255 /* its length is one byte */

/* "HOST:PORT" in printable ASCII without spaces. */
static bool is_address(struct qn_span text)
{
    const uint8_t *colon = text.size == 0 ? NULL : memrchr(text.data, ':', text.size);
    if (colon == NULL || colon == text.data || text.size > ADDRESS_CODE_SIZE_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return false;
    unsigned port = 0;
    size_t digits = text.size - (size_t)(colon + 1 - text.data);
    for (size_t i = 1; i <= digits; i++) {
        if (digits > 5 || colon[i] < '0' || colon[i] > '9')
            return false;
        port = port * 10 + (unsigned)(colon[i] - '0');
    }
    return port >= 1 && port <= 65535;
}

static void append_addresses(const struct qn_code *code, struct qn_buf *payload)
{
    uint8_t count = 0;
    for (size_t i = 0; i < code->address_count; i++)
        count += is_address(qn_span_str(code->addresses[i]));
    qn_buf_append_u8(payload, count);
    for (size_t i = 0; i < code->address_count; i++) {
        struct qn_span address = qn_span_str(code->addresses[i]);
        if (!is_address(address))
            continue;
        qn_buf_append_u8(payload, (uint8_t)address.size);
        qn_buf_append_span(payload, address);
    }
}

static void checksum(struct qn_span bytes, uint8_t ret_checksum[CHECKSUM_SIZE])
{
    struct qn_digest digest;
    QN_DIGEST(&digest, bytes);
    memcpy(ret_checksum, digest.bytes, CHECKSUM_SIZE);
}

void qn_code_print(const struct qn_code *code, struct qn_buf *out)
{
    QN_AUTO_SECRET_BUF struct qn_buf payload;
    qn_secret_buf_init(&payload, PAYLOAD_SIZE_MAX);
    qn_buf_append_span(&payload, QN_SPAN_OF(code->secret));
    qn_buf_append_span(&payload, QN_SPAN_OF(code->group_prefix));
    qn_buf_append_u32(&payload, code->expiry_s);
    append_addresses(code, &payload);
    uint8_t sum[CHECKSUM_SIZE];
    checksum(qn_buf_view(&payload), sum);
    qn_buf_append_span(&payload, QN_SPAN_OF(sum));
    qn_buf_append_str(out, PREFIX "-");
    qn_text_append_base32(out, qn_buf_view(&payload), GROUP_LETTERS);
}

/* ---- reading ---- */

static bool is_separator(uint8_t c)
{
    return c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* "QN1" in either case, with separators anywhere; I and L pass for 1. */
static enum qn_err skip_prefix(struct qn_span *text)
{
    static const char *const accepted[] = {"Qq", "Nn", "1IiLl"};
    size_t at = 0;
    for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); at++) {
        if (at >= text->size)
            return QN_ERR_INVALID;
        if (is_separator(text->data[at]))
            continue;
        if (memchr(accepted[i], text->data[at], strlen(accepted[i])) == NULL)
            return QN_ERR_INVALID;
        i++;
    }
    *text = qn_span_from(*text, at);
    return QN_OK;
}

static enum qn_err take(struct qn_span *left, size_t size, struct qn_span *ret_bytes)
{
    if (left->size < size)
        return QN_ERR_INVALID;
    *ret_bytes = qn_span(left->data, size);
    *left = qn_span(left->data + size, left->size - size);
    return QN_OK;
}

static enum qn_err read_address(struct qn_span *left, char ret_address[QN_ADDRESS_SIZE_MAX + 1])
{
    struct qn_span length, address;
    QN_TRY(take(left, 1, &length));
    QN_TRY(take(left, length.data[0], &address));
    if (!is_address(address))
        return QN_ERR_INVALID;
    memcpy(ret_address, address.data, address.size);
    ret_address[address.size] = 0;
    return QN_OK;
}

static enum qn_err read_addresses(struct qn_span *left, struct qn_code *code)
{
    struct qn_span count;
    QN_TRY(take(left, 1, &count));
    code->address_count = count.data[0];
    if (code->address_count > QN_ADDRESSES_MAX)
        return QN_ERR_INVALID;
    for (size_t i = 0; i < code->address_count; i++)
        QN_TRY(read_address(left, code->addresses[i]));
    return left->size == 0 ? QN_OK : QN_ERR_INVALID;
}

static enum qn_err read_payload(struct qn_span payload, struct qn_code *code)
{
    if (payload.size < CHECKSUM_SIZE)
        return QN_ERR_INVALID;
    struct qn_span left = qn_span(payload.data, payload.size - CHECKSUM_SIZE), bytes;
    uint8_t sum[CHECKSUM_SIZE];
    checksum(left, sum);
    if (memcmp(sum, payload.data + left.size, CHECKSUM_SIZE) != 0)
        return QN_ERR_INVALID;
    QN_TRY(take(&left, sizeof(code->secret), &bytes));
    memcpy(code->secret, bytes.data, bytes.size);
    QN_TRY(take(&left, sizeof(code->group_prefix), &bytes));
    memcpy(code->group_prefix, bytes.data, bytes.size);
    QN_TRY(take(&left, EXPIRY_SIZE, &bytes));
    code->expiry_s = qn_read_u32(bytes.data);
    return read_addresses(&left, code);
}

enum qn_err qn_code_parse(struct qn_span text, struct qn_code *ret_code)
{
    if (text.size > QN_CODE_SIZE_MAX || skip_prefix(&text) != QN_OK)
        return QN_ERR_INVALID;
    QN_AUTO_SECRET_BUF struct qn_buf payload;
    qn_secret_buf_init(&payload, PAYLOAD_SIZE_MAX);
    if (qn_text_parse_base32(text, &payload) != QN_OK)
        return QN_ERR_INVALID;
    struct qn_code code = {0};
    enum qn_err err = read_payload(qn_buf_view(&payload), &code);
    if (err == QN_OK)
        *ret_code = code;
    qn_wipe(&code, sizeof(code));
    return err;
}

enum qn_err qn_code_signer(const struct qn_code *code, struct qn_signer **ret_signer)
{
    uint8_t seed[QN_SEED_SIZE];
    qn_hkdf(QN_SPAN_OF(code->secret), QN_SPAN_OF(code->group_prefix), "quoin invite key 1", seed,
            sizeof(seed));
    enum qn_err err = qn_signer_new(seed, ret_signer);
    qn_wipe(seed, sizeof(seed));
    return err;
}
