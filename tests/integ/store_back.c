/* Puts the site's own store back from its vault, as a recovery does, while the daemon is down:
 *
 *   store_back STATE PATH      the store of the newest snapshot, as the folder PATH
 */
#include <inttypes.h>
#include <stdio.h>

#include "app/setup.h"
#include "app/site_store.h"
#include "app/vault_key.h"
#include "os/os.h"

#define MAP_SIZE ((uint64_t)1 << 30)

static enum qn_err open_vault(const char *state, struct qn_vault **ret_vault)
{
    char dir[4096];
    struct qn_setup setup;
    struct qn_vault_key key;
    QN_TRY(qn_setup_read(state, &setup));
    enum qn_err err = qn_vault_key_load(state, &setup.recovery_seal, &key);
    qn_setup_deinit(&setup);
    QN_TRY(err);
    snprintf(dir, sizeof(dir), "%s/vault", state);
    struct qn_vault_options options = {.dir = dir,
                                       .master = key.master,
                                       .epoch = key.epoch,
                                       .pack_size = 8 << 20,
                                       .level = 3,
                                       .map_size = MAP_SIZE};
    err = qn_vault_open(&options, ret_vault);
    qn_vault_key_deinit(&key);
    return err;
}

int main(int argc, char **argv)
{
    struct qn_vault *vault = NULL;
    uint64_t made_ms = 0;
    if (argc != 3)
        return 64;
    enum qn_err err = open_vault(argv[1], &vault);
    if (err == QN_OK)
        err = qn_site_store_restore(vault,
                                    &(struct qn_store_options){.path = argv[2],
                                                               .map_size = MAP_SIZE,
                                                               .wall_ms = qn_store_wall_ms,
                                                               .entropy = qn_store_entropy},
                                    &made_ms);
    qn_vault_close(vault);
    printf("%s %" PRIu64 "\n", qn_err_name(err), made_ms);
    return err == QN_OK ? 0 : 2;
}
