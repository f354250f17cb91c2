/* Any bytes offered to a ledger with members are refused, or kept with a state that folds. The
 * input is an entry, or what becomes one when it is signed: both are tried. */
#include "model/ledger_entry.h"
#include "support/fuzz.h"
#include "support/ledger_world.h"

static struct world world;

static void make_world(void)
{
    QN_AUTO_BUF struct qn_buf create = {0};
    world_init(&world);
    world_join(&world, 1, 0);
    world_create_body(&world, 1, NULL, 0, true, &create);
    FUZZ_CHECK(world_append(&world, 1, &create) == QN_OK);
}

static void offer(struct qn_ledger *ledger, struct qn_span entry)
{
    size_t before = qn_ledger_count(ledger);
    bool is_new = false;
    enum qn_err err = qn_ledger_add(ledger, entry, &is_new);
    FUZZ_CHECK(qn_ledger_count(ledger) == before + (err == QN_OK && is_new));
    FUZZ_CHECK(qn_ledger_group(ledger) != NULL);
}

/* The input as a body, signed by a member: behind the signature is where a bad member reaches. */
static void offer_signed(struct qn_ledger *ledger, struct qn_span body)
{
    QN_AUTO_BUF struct qn_buf entry;
    qn_buf_init(&entry, QN_LEDGER_ENTRY_SIZE_MAX);
    if (qn_ledger_compose(ledger, world.sites[0].signer, &world.sites[0].id, 1, body, &entry) ==
        QN_OK)
        offer(ledger, qn_buf_view(&entry));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (world.ledger == NULL)
        make_world();
    struct qn_ledger *ledger = qn_ledger_new();
    world_pull(ledger, world.ledger, QN_FRAME_SIZE_MAX);
    offer(ledger, qn_span(data, size));
    offer_signed(ledger, qn_span(data, size));
    qn_ledger_free(ledger);
    return 0;
}
