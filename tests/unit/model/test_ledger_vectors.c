/* The stored bytes of proto/vectors/ledger_*.txt are made here and compared with the files. After
 * an intended change of the format, run the test with QN_WRITE_VECTORS=1 and look at the
 * difference. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "model/invitation.h"
#include "model/ledger_entry.h"
#include "support/ledger_world.h"

static void path_of(const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s%s.txt", VECTORS, name);
}

static void write_file(const char *path, const struct qn_buf *text)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file, "%s", path);
    cr_assert_eq(fwrite(text->data, 1, text->size, file), text->size);
    cr_assert_eq(fclose(file), 0);
}

static void read_file(const char *path, struct qn_buf *out)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file, "%s", path);
    uint8_t piece[4096];
    for (size_t size; (size = fread(piece, 1, sizeof(piece), file)) > 0;)
        qn_buf_append(out, piece, size);
    fclose(file);
}

static void compare(const char *name, const struct qn_buf *made)
{
    char path[4096];
    path_of(name, path, sizeof(path));
    if (getenv("QN_WRITE_VECTORS") != NULL)
        write_file(path, made);
    QN_AUTO_BUF struct qn_buf stored;
    qn_buf_init(&stored, 1u << 20);
    read_file(path, &stored);
    cr_assert(qn_span_eq(qn_buf_view(&stored), qn_buf_view(made)), "%s differs", path);
}

static void line(struct qn_buf *out, const char *what, struct qn_span bytes)
{
    qn_buf_printf(out, "%s ", what);
    qn_text_append_hex(out, bytes);
    qn_buf_append_str(out, "\n");
}

static void append(struct world *world, size_t author, struct qn_buf *body)
{
    cr_assert_eq(world_append(world, author, body), QN_OK);
    qn_buf_deinit(body);
}

/* One entry of each kind. */
static void make_ledger(struct world *world)
{
    struct qn_buf body;
    world_init(world);
    world_join(world, 1, 0);
    world_join(world, 2, 1);
    world_invite_body(world, 9, WORLD_START_MS + 24 * WORLD_HOUR_MS, &body);
    append(world, 0, &body);
    world_revoke_body(world, 9, &body);
    append(world, 0, &body);
    world_create_body(world, 1, NULL, 0, true, &body);
    append(world, 1, &body);
    world_create_body(world, 2, (size_t[]){0, 2}, 2, false, &body);
    append(world, 1, &body);
    world_grant_body(world, QN_BODY_GRANT, 2, 1, &body);
    append(world, 1, &body);
    world_grant_body(world, QN_BODY_UNGRANT, 2, 2, &body);
    append(world, 1, &body);
    world_close_body(world, 2, &body);
    append(world, 1, &body);
    world_describe_body(world, "Fondation des Érables", &body);
    append(world, 2, &body);
    world_withdraw_body(world, world->ledger, 2, &body);
    append(world, 2, &body);
    world_other_body(world, 99, 1, false, &body);
    append(world, 0, &body);
    world_place_body(world, 0, 1u << 30, 30, &body);
    append(world, 1, &body);
    world_accept_body(world, world->ledger, 1, 0, 1u << 29, 30, &body);
    append(world, 0, &body);
    world_rotate_body(world, world->ledger, 1, 1, true, &body);
    world_set_key(world, 1, 1);
    append(world, 1, &body);
    world_describe_body(world, "EHPAD des Tilleuls", &body);
    append(world, 1, &body);
    world_report_body(world, world->ledger, 1, 0, 12, &body);
    append(world, 0, &body);
}

Test(ledger_vectors, entries)
{
    static struct world world;
    make_ledger(&world);
    QN_AUTO_BUF struct qn_buf out, heads;
    qn_buf_init(&out, 1u << 20);
    qn_buf_init(&heads, 1u << 16);
    qn_buf_append_str(&out, "# A ledger with an entry of each kind: TYPE, HASH, then the entry.\n");
    for (size_t i = 0; i < qn_ledger_count(world.ledger); i++) {
        struct qn_entry entry;
        cr_assert_eq(qn_entry_unpack(qn_ledger_entry(world.ledger, i), &entry), QN_OK);
        qn_buf_printf(&out, "type %llu\n", (unsigned long long)entry.body.type);
        line(&out, "hash", qn_digest_view(&entry.hash));
        line(&out, "entry", qn_ledger_entry(world.ledger, i));
    }
    struct qn_digest digest;
    qn_ledger_pack_heads(world.ledger, &heads);
    qn_ledger_digest(world.ledger, &digest);
    line(&out, "heads", qn_buf_view(&heads));
    line(&out, "digest", qn_digest_view(&digest));
    compare("ledger_entries", &out);
    world_deinit(&world);
}

Test(ledger_vectors, state)
{
    static struct world world;
    make_ledger(&world);
    QN_AUTO_BUF struct qn_buf out, state;
    qn_buf_init(&out, 1u << 20);
    world_print(world.ledger, &state);
    qn_buf_append_str(&out, "# The state that the entries of ledger_entries.txt fold to.\n");
    qn_buf_append_str(&out, (char *)state.data);
    qn_buf_append_str(&out, "\n");
    compare("ledger_state", &out);
    world_deinit(&world);
}

Test(ledger_vectors, code)
{
    struct qn_code code = {
        .secret = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
        .group_prefix = {0xa0, 0xa1, 0xa2, 0xa3},
        .expiry_s = 1700086400,
        .address_count = 2,
        .addresses = {"quoin.example.org:7443", "[2001:db8::1]:7443"},
    };
    struct qn_signer *signer;
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 1u << 16);
    cr_assert_eq(qn_code_signer(&code, &signer), QN_OK);
    qn_buf_append_str(&out, "# An invitation code and what is in it.\n");
    line(&out, "secret", QN_SPAN_OF(code.secret));
    line(&out, "group", QN_SPAN_OF(code.group_prefix));
    qn_buf_printf(&out, "expiry %u\naddress %s\naddress %s\n", code.expiry_s, code.addresses[0],
                  code.addresses[1]);
    line(&out, "key", QN_SPAN_OF(qn_signer_public(signer)->bytes));
    qn_buf_append_str(&out, "code ");
    qn_code_print(&code, &out);
    qn_buf_append_str(&out, "\n");
    compare("ledger_code", &out);
    qn_signer_free(signer);
}

Test(ledger_vectors, kit)
{
    struct qn_kit kit = {
        .seed = {9, 8, 7, 6, 5, 4, 3, 2, 1},
        .site = {{0x11, 0x22, 0x33}},
        .group_prefix = {0xaa, 0xbb},
        .site_name = "Tilleuls",
        .group_name = "Les Maisons du Val-d'Été",
        .made_ms = 1700000000000,
    };
    struct qn_public_key sign, seal;
    QN_AUTO_BUF struct qn_buf out;
    qn_buf_init(&out, 1u << 16);
    cr_assert_eq(qn_kit_keys(kit.seed, &sign, &seal), QN_OK);
    qn_buf_append_str(&out,
                      "# The public halves of a kit's keys, then the kit as it is printed.\n");
    line(&out, "sign", QN_SPAN_OF(sign.bytes));
    line(&out, "seal", QN_SPAN_OF(seal.bytes));
    qn_kit_print(&kit, &out);
    compare("ledger_kit", &out);
}
