/* Addresses, which peers tell each other: what is accepted is short and plain, and a number that is
 * printed is read back as the same number. */
#include <string.h>

#include "stream/address.h"
#include "support/fuzz.h"

static void check_number(const struct qn_endpoint *endpoint)
{
    union qn_address address, again;
    struct qn_endpoint printed;
    char text[QN_ADDRESS_TEXT_SIZE], text_again[QN_ADDRESS_TEXT_SIZE];
    if (qn_endpoint_number(endpoint, &address) != QN_OK)
        return;
    qn_address_print(&address, text);
    FUZZ_CHECK(qn_endpoint_parse(text, &printed) == QN_OK && printed.port == endpoint->port);
    FUZZ_CHECK(qn_endpoint_number(&printed, &again) == QN_OK);
    qn_address_print(&again, text_again);
    FUZZ_CHECK(strcmp(text, text_again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[QN_ADDRESS_SIZE_MAX + 2] = "";
    struct qn_endpoint endpoint;
    memcpy(text, data, size < sizeof(text) - 1 ? size : sizeof(text) - 1);
    if (qn_endpoint_parse(text, &endpoint) != QN_OK)
        return 0;
    FUZZ_CHECK(strlen(text) <= QN_ADDRESS_SIZE_MAX);
    FUZZ_CHECK(endpoint.host[0] != 0 && strpbrk(endpoint.host, " []/@\n") == NULL);
    check_number(&endpoint);
    return 0;
}
