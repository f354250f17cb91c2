/* The key of the vault of a recovered site: every site that ever promised to hold the vault is
 * asked for it, all at the same time, until one gives a key that the kit opens. A new key is made
 * only when each of them has said that it has none: packs at holders could not be opened with it.
 */
#include "core/recover.h"
#include "crypto/seal.h"

#define OPENED_SIZE_MAX 256

static void ask(struct qn_core *core, struct recovery_holder *holder)
{
    struct fetch_ask ask = {.what = FETCH_KEYS, .is_own = true};
    holder->is_asked = true;
    fetch_start(core, &holder->site, &ask);
}

/* With a new key, since nobody has the old one. */
static void begin_anew(struct qn_core *core)
{
    core_note(core, "recover-no-key", QN_OK, core->name);
    core_vault_key(core, qn_span(NULL, 0));
}

void recover_key_tick(struct qn_core *core)
{
    bool is_awaited = false;
    struct recovery *recovery = &core->recovery;
    for (size_t i = 0; i < recovery->holders.count; i++) { /* asking may answer at once */
        struct recovery_holder *holder = &recovery->holders.items[i];
        if (!holder->has_none && !holder->is_asked && core->now_ms >= holder->retry_ms)
            ask(core, holder);
        if (!holder->has_none && !holder->is_asked)
            core_wake(core, holder->retry_ms);
        is_awaited |= !holder->has_none;
    }
    if (!is_awaited)
        begin_anew(core);
}

/* ---- answers ---- */

static bool opens(const struct qn_core *core, struct qn_span sealed)
{
    uint8_t seed[QN_SEED_SIZE], memory[OPENED_SIZE_MAX];
    struct qn_buf plain = {.data = memory, .capacity = sizeof(memory), .size_max = sizeof(memory)};
    if (core->options.kit_seed == NULL)
        return false;
    qn_kit_seal_seed(core->options.kit_seed, seed);
    enum qn_err err = qn_unseal(seed, QN_VAULT_KEY_INFO, sealed, &plain);
    qn_wipe(seed, sizeof(seed));
    qn_wipe(memory, sizeof(memory));
    return err == QN_OK;
}

/* The newest epoch that the kit opens; *ret_best stays empty if it opens none. */
static enum qn_err choose(const struct qn_core *core, struct qn_span rows, size_t *ret_count,
                          struct qn_span *ret_best)
{
    struct qn_cursor cursor = qn_cursor(rows);
    uint64_t best = 0;
    QN_TRY(qn_cursor_array(&cursor, QN_HELD_KEYS_MAX, ret_count));
    for (size_t i = 0; i < *ret_count; i++) {
        size_t count;
        uint64_t epoch;
        struct qn_span sealed;
        QN_TRY(qn_cursor_array(&cursor, 2, &count));
        if (count != 2)
            return QN_ERR_INVALID;
        QN_TRY(qn_cursor_u64(&cursor, &epoch));
        QN_TRY(qn_cursor_bin(&cursor, QN_HELD_KEY_SIZE_MAX, &sealed));
        if (epoch <= best || !opens(core, sealed))
            continue;
        best = epoch;
        *ret_best = sealed;
    }
    return QN_OK;
}

static void heard_rows(struct qn_core *core, struct recovery_holder *holder, struct qn_span rows)
{
    struct qn_span best = {0};
    size_t count = 0;
    enum qn_err err = choose(core, rows, &count, &best);
    if (err == QN_OK && best.size > 0) {
        core_note(core, "recover-key", QN_OK, core_site_name(core, &holder->site));
        core_vault_key(core, best);
    } else if (err == QN_OK && count == 0) {
        holder->has_none = true;
    } else {
        core_note(core, "recover-key-bad", err == QN_OK ? QN_ERR_SIGNATURE : err,
                  core_site_name(core, &holder->site));
        holder->retry_ms = core->now_ms + RECOVER_RETRY_MS;
    }
}

void recover_heard_keys(struct qn_core *core, const struct qn_site_id *site, enum qn_err err,
                        struct qn_span rows)
{
    struct recovery_holder *holder = recover_holder(core, site);
    if (core->recovery.stage != RECOVERY_KEY || holder == NULL)
        return;
    holder->is_asked = false;
    if (err == QN_OK)
        heard_rows(core, holder, rows);
    else
        holder->retry_ms =
            core->now_ms + (err == QN_ERR_TIMEOUT ? RECOVER_AGAIN_MS : RECOVER_RETRY_MS);
}
