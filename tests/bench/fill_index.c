/* Fills the index of a vault whose daemon is down with chunks that nobody saved, so that the
 * memory of a backup beside a large index can be measured:
 *
 *     fill_index VAULT CHUNKS
 *
 * Each pack holds 64 chunks and stands in the pool as a sparse file of its size, so that opening
 * the vault finds what the index says. One line of JSON: chunks and packs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/prng.h"
#include "vault/index.h"

#define PACK_CHUNKS 64
#define STORED_SIZE ((uint32_t)120 * 1024)
#define RAW_SIZE    ((uint32_t)254 * 1024)
#define PACK_SIZE   ((uint32_t)8 * 1024 * 1024)
#define CALL_PACKS  (QN_INDEX_ADD_ROWS / PACK_CHUNKS)
#define MAP_SIZE    ((uint64_t)64 << 30)

static void die(const char *what)
{
    fprintf(stderr, "fill_index: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void fill_bytes(struct qn_prng *prng, uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t draw = qn_prng_next(prng);
        memcpy(bytes + at, &draw, sizeof(draw));
    }
}

/* The pool's place for it: packs/ab/abcdef... */
static void make_file(const char *vault, const struct qn_pack_name *name)
{
    char path[4096];
    int length = snprintf(path, sizeof(path), "%s/packs/%02x", vault, name->bytes[0]);
    QN_ASSERT(length > 0 && (size_t)length < sizeof(path) - 80);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        die(path);
    path[length++] = '/';
    for (size_t i = 0; i < sizeof(name->bytes); i++)
        length += snprintf(path + length, 3, "%02x", name->bytes[i]);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0400);
    if (fd < 0 || ftruncate(fd, PACK_SIZE) != 0)
        die(path);
    close(fd);
}

static void draw_pack(struct qn_prng *prng, struct qn_blob *blobs, struct qn_index_pack *ret_pack)
{
    *ret_pack =
        (struct qn_index_pack){.size = PACK_SIZE, .kind = QN_PACK_DATA, .state = QN_PACK_PRESENT};
    fill_bytes(prng, ret_pack->name.bytes, sizeof(ret_pack->name.bytes));
    for (uint32_t i = 0; i < PACK_CHUNKS; i++) {
        blobs[i] = (struct qn_blob){.kind = QN_BLOB_DATA,
                                    .offset = QN_PACK_HEAD_SIZE + i * (STORED_SIZE + 74),
                                    .stored_size = STORED_SIZE,
                                    .raw_size = RAW_SIZE,
                                    .is_squeezed = true};
        fill_bytes(prng, blobs[i].id.bytes, sizeof(blobs[i].id.bytes));
    }
}

static size_t add_packs(struct qn_index *index, const char *vault, struct qn_prng *prng,
                        size_t count)
{
    QN_AUTO_FREE struct qn_index_addition *packs = qn_alloc_zero(count * sizeof(*packs));
    QN_AUTO_FREE struct qn_blob *blobs = qn_alloc(count * PACK_CHUNKS * sizeof(*blobs));
    for (size_t i = 0; i < count; i++) {
        packs[i].blobs = blobs + i * PACK_CHUNKS;
        packs[i].count = PACK_CHUNKS;
        draw_pack(prng, blobs + i * PACK_CHUNKS, &packs[i].pack);
        make_file(vault, &packs[i].pack.name);
    }
    if (qn_index_add(index, packs, count, false) != QN_OK)
        die("the index");
    return count;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: fill_index VAULT CHUNKS\n");
        return 64;
    }
    char dir[4096];
    bool is_new;
    struct qn_index *index;
    struct qn_prng prng = {.state = 1};
    size_t wanted = (strtoull(argv[2], NULL, 10) + PACK_CHUNKS - 1) / PACK_CHUNKS, packs = 0;
    snprintf(dir, sizeof(dir), "%s/index", argv[1]);
    if (qn_index_open(dir, MAP_SIZE, &index, &is_new) != QN_OK)
        die(dir);
    while (packs < wanted)
        packs += add_packs(index, argv[1], &prng,
                           wanted - packs < CALL_PACKS ? wanted - packs : CALL_PACKS);
    if (qn_index_sync(index) != QN_OK)
        die("sync");
    qn_index_close(index);
    printf("{\"chunks\": %zu, \"packs\": %zu}\n", packs * PACK_CHUNKS, packs);
    return 0;
}
