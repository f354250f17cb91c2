/* Makes the tree that the backup benchmarks use, the same for a seed:
 *
 *     make_tree DIR [--small N] [--medium N] [--large N] [--large-mib M]
 *               [--small-bytes B] [--seed S]
 *
 * small: 0.5 to 20 KiB, or to B (default 20,000); medium: 1 to 4 MiB (200); large: 150 MiB each
 * (2). A third of the files is prose, a third are tables as a database dump has them, a third does
 * not shrink (scans, photos). One line of JSON: files and bytes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/prng.h"

#define BLOCK      (256 * 1024)
#define WORDS      4096
#define PER_FOLDER 200

struct tree {
    const char *path;
    struct qn_prng prng;
    char words[WORDS][12];
    uint64_t files, bytes, row;
    uint8_t block[BLOCK + 256];
};

enum content { PROSE, TABLE, NOISE, CONTENTS };

static void make_words(struct tree *tree)
{
    for (size_t i = 0; i < WORDS; i++) {
        size_t size = 2 + qn_prng_below(&tree->prng, 9);
        for (size_t j = 0; j < size; j++)
            tree->words[i][j] = "etaoinshrdlucmfwypvbgkjqxz"[qn_prng_below(
                &tree->prng, 1 + qn_prng_below(&tree->prng, 26))];
    }
}

/* Rare words are rare: the square of a uniform number. */
static const char *word(struct tree *tree)
{
    uint64_t at = qn_prng_below(&tree->prng, WORDS);
    return tree->words[at * at / WORDS];
}

static size_t append_word(struct tree *tree, size_t at)
{
    const char *text = word(tree);
    size_t size = strlen(text);
    memcpy(tree->block + at, text, size);
    tree->block[at + size] = qn_prng_below(&tree->prng, 12) == 0 ? '\n' : ' ';
    return at + size + 1;
}

static size_t append_row(struct tree *tree, size_t at)
{
    int size =
        snprintf((char *)tree->block + at, 200, "(%llu,'%s','%s',%llu,'2026-%02llu-%02llu'),\n",
                 (unsigned long long)tree->row++, word(tree), word(tree),
                 (unsigned long long)qn_prng_below(&tree->prng, 1000000),
                 (unsigned long long)(1 + qn_prng_below(&tree->prng, 12)),
                 (unsigned long long)(1 + qn_prng_below(&tree->prng, 28)));
    return at + (size_t)size;
}

static void fill(struct tree *tree, enum content content, size_t size)
{
    for (size_t at = 0; at < size;) {
        if (content == PROSE)
            at = append_word(tree, at);
        else if (content == TABLE)
            at = append_row(tree, at);
        else {
            uint64_t noise = qn_prng_next(&tree->prng);
            memcpy(tree->block + at, &noise, sizeof(noise));
            at += sizeof(noise);
        }
    }
}

static void write_file(struct tree *tree, const char *path, uint64_t size, enum content content)
{
    int file = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    QN_ASSERT(file >= 0);
    for (uint64_t left = size; left > 0;) {
        size_t part = left < BLOCK ? (size_t)left : BLOCK;
        fill(tree, content, part);
        QN_ASSERT(write(file, tree->block, part) == (ssize_t)part);
        left -= part;
    }
    close(file);
    tree->files++;
    tree->bytes += size;
}

static void make_dir(const char *path)
{
    QN_ASSERT(mkdir(path, 0755) == 0 || errno == EEXIST);
}

static void make_files(struct tree *tree, const char *kind, uint64_t count, uint64_t size_min,
                       uint64_t size_max)
{
    char path[4096];
    for (uint64_t i = 0; i < count; i++) {
        snprintf(path, sizeof(path), "%s/%s-%03llu", tree->path, kind,
                 (unsigned long long)(i / PER_FOLDER));
        make_dir(path);
        snprintf(path, sizeof(path), "%s/%s-%03llu/file %llu.dat", tree->path, kind,
                 (unsigned long long)(i / PER_FOLDER), (unsigned long long)i);
        uint64_t size = size_min + qn_prng_below(&tree->prng, size_max - size_min + 1);
        write_file(tree, path, size, (enum content)(i % CONTENTS));
    }
}

static uint64_t option(int argc, char **argv, const char *name, uint64_t otherwise)
{
    for (int i = 2; i + 1 < argc; i += 2)
        if (strcmp(argv[i], name) == 0)
            return strtoull(argv[i + 1], NULL, 10);
    return otherwise;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: make_tree DIR [--small N] [--medium N] [--large N] "
                        "[--large-mib M] [--small-bytes B] [--seed S]\n");
        return 64;
    }
    struct tree *tree = QN_NEW(struct tree);
    tree->path = argv[1];
    tree->prng.state = option(argc, argv, "--seed", 1);
    make_words(tree);
    make_dir(tree->path);
    uint64_t large = option(argc, argv, "--large-mib", 150) * 1024 * 1024;
    uint64_t small_max = option(argc, argv, "--small-bytes", 20 * 1024);
    make_files(tree, "small", option(argc, argv, "--small", 20000),
               small_max < 512 ? small_max : 512, small_max);
    make_files(tree, "medium", option(argc, argv, "--medium", 200), 1024 * 1024, 4 * 1024 * 1024);
    make_files(tree, "large", option(argc, argv, "--large", 2), large, large);
    printf("{\"files\": %llu, \"bytes\": %llu}\n", (unsigned long long)tree->files,
           (unsigned long long)tree->bytes);
    qn_free(tree);
    return 0;
}
