/* How far a late collection is, for people. */
#include "core/late.h"

static const char *source_name(const struct qn_core *core, const struct page_pass *pass)
{
    const struct peer *peer =
        pass == NULL || pass->link == 0 ? NULL : core_peer_of_link(core, pass->link);
    return peer == NULL ? "" : core_site_name(core, &peer->site);
}

static void pack_or_nil(struct qn_buf *out, bool is_known, uint64_t value)
{
    if (is_known)
        qn_pack_u64(out, value);
    else
        qn_pack_nil(out);
}

/* How far it is can be said only by who saw the start of the pass: where a key stands among all is
 * known to nobody. */
void late_pack(const struct qn_core *core, const struct coll *coll, struct qn_buf *out)
{
    static const struct page_pass none;
    const struct page_pass *pass = coll->pass == NULL ? &none : coll->pass;
    bool has_share = pass->is_whole && pass->rows > 0;
    uint64_t done = pass->records < pass->rows ? pass->records : pass->rows;
    uint64_t left_bytes = done == 0 ? 0 : pass->bytes / done * (pass->rows - done);
    qn_pack_cstr(out, "late");
    qn_pack_map(out, 6);
    qn_pack_cstr(out, "bytes");
    qn_pack_u64(out, pass->bytes);
    qn_pack_cstr(out, "done");
    pack_or_nil(out, has_share, has_share ? done * 100 / pass->rows : 0);
    qn_pack_cstr(out, "left_s");
    bool has_left = has_share && done > 0 && pass->rate > 0;
    pack_or_nil(out, has_left, has_left ? left_bytes / pass->rate : 0);
    qn_pack_cstr(out, "rate");
    qn_pack_u64(out, pass->link == 0 ? 0 : pass->rate);
    qn_pack_cstr(out, "source");
    qn_pack_cstr(out, source_name(core, pass));
    qn_pack_cstr(out, "stopped");
    qn_pack_bool(out, pass->is_stopped);
}
