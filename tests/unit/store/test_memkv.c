/* The memory that stands in for the store elsewhere keeps the same promises. */
#include "support/kv_conformance.h"
#include "support/memkv.h"
#include "support/span.h"

static struct qn_kv *begin_write(void *context)
{
    return memkv_begin(context);
}

static void end_write(void *context, bool commit)
{
    if (commit)
        cr_assert_eq(memkv_commit(context), QN_OK);
    else
        memkv_abort(context);
}

Test(memkv, does_what_the_model_expects)
{
    struct memkv *memkv = memkv_new();
    kv_conformance(&(struct kv_subject){begin_write, end_write, memkv});
    memkv_free(memkv);
}
