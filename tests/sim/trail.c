/* Audit trails: each site makes a checkpoint now and then, and at rest every other one keeps the
 * newest, without a contradiction: whatever was cut, lost or restored, an honest trail only grows.
 */
#include "model/trail.h"
#include "people/audit.h"
#include "sim/world.h"

#define COMMITS   5  /* of a site, to a checkpoint */
#define FULL_MESH 10 /* sites up to which every pair has a connection */

/* The checkpoint of the present end of the trail, by the present key. */
void trail_tell(struct sim_world *world, struct sim_site *site)
{
    struct qn_audit_checkpoint checkpoint = {.seq = site->trail_seq,
                                             .wall_ms = site_wall_ms(world, site)};
    QN_AUTO_BUF struct qn_buf row;
    qn_buf_init(&row, QN_TRAIL_CHECKPOINT_SIZE_MAX);
    if (site->trail_seq == 0)
        return;
    qn_write_u64(checkpoint.hash.bytes, site->trail_seq);
    QN_ASSERT(qn_audit_checkpoint_sign(&checkpoint, &site->id, site->signer) == QN_OK);
    qn_audit_checkpoint_pack(&checkpoint, &row);
    qn_core_set_trail(site->core, site->trail_seq, qn_buf_view(&row));
}

void trail_grow(struct sim_world *world, struct sim_site *site)
{
    if (++site->trail_commits % COMMITS != 0 || world->is_calm)
        return;
    site->trail_seq++;
    trail_tell(world, site);
}

void trail_at_rest(struct sim_world *world, struct sim_site *holder, const struct sim_site *site)
{
    struct qn_kv *kv = memkv_reader(holder->disk);
    struct qn_trail_point newest = {0};
    uint64_t contradicted_ms = 0;
    if (qn_trail_contradicted(kv, &site->id, &contradicted_ms) != QN_OK || contradicted_ms != 0)
        world_fail(world, "%s found a contradiction in the trail of %s", holder->name, site->name);
    enum qn_err err = qn_trail_next(kv, &site->id, 0, &newest);
    bool are_linked = world->site_count <= FULL_MESH;
    if (are_linked && site->trail_seq > 0 && (err != QN_OK || newest.seq != site->trail_seq))
        world_fail(world, "%s knows the trail of %s up to %llu, not %llu", holder->name, site->name,
                   (unsigned long long)newest.seq, (unsigned long long)site->trail_seq);
}
