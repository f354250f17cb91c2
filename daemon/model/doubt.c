#include "model/doubt.h"

#include "model/tables.h"

enum qn_err qn_doubt_put(struct qn_kv *kv, bool is_in_doubt)
{
    return qn_meta_put_u32(kv, QN_META_DOUBT, is_in_doubt);
}

enum qn_err qn_doubt_get(struct qn_kv *kv, bool *ret_is_in_doubt)
{
    uint32_t value;
    QN_TRY(qn_meta_get_u32(kv, QN_META_DOUBT, &value));
    *ret_is_in_doubt = value != 0;
    return QN_OK;
}
