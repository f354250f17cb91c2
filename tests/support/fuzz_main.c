/* Runs a libFuzzer target without libFuzzer, as an ordinary test: every file of the corpus folders,
 * then a fixed number of seeded mutations of them.
 *
 *   fuzz_x [--seed N] [--runs N] [--dict FILE] FILE_OR_FOLDER...
 *
 * A dictionary has the words of a format, as libFuzzer and AFL read them: `"word"` or `name="word"`
 * a line, with \xHH, \\ and \" in it; '#' begins a comment.
 *
 * The input that is being run stands in "fuzz_x.crash" in the current folder after a crash, so that
 * `fuzz_x fuzz_x.crash` replays it. The same seed and corpus give the same inputs.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/prng.h"
#include "base/vec.h"

#define INPUT_SIZE_MAX (64 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    uint8_t *data;
    size_t size;
};

typedef QN_VEC(struct input) input_vec;

/* Reached from the signal handler only: the input that was running, and where it goes. */
static struct input running;
static char crash_path[4096];

static void keep_running_input(int signal_number)
{
    int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd >= 0 && write(fd, running.data, running.size) >= 0)
        (void)!write(STDERR_FILENO, "the input is kept in a .crash file\n", 35);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void run_input(const uint8_t *data, size_t size)
{
    running.data = qn_memdup(data, size); /* exactly as large, so that ASan sees its end */
    running.size = size;
    LLVMFuzzerTestOneInput(running.data, running.size);
    qn_free(running.data);
    running = (struct input){0};
}

static void read_file(const char *path, input_vec *inputs)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    struct input input = {.data = qn_alloc(INPUT_SIZE_MAX)};
    input.size = fread(input.data, 1, INPUT_SIZE_MAX, file);
    fclose(file);
    qn_vec_push(inputs, input);
}

/* ---- words ---- */

static uint8_t hex_of(const char *text)
{
    char digits[3] = {text[0], text[0] == '\0' ? '\0' : text[1], '\0'};
    char *end;
    unsigned long value = strtoul(digits, &end, 16);
    return end == digits + 2 ? (uint8_t)value : 0;
}

/* What stands between the quotes; false: there are none. */
static bool read_word(const char *line, struct input *word)
{
    const char *at = strchr(line, '"'), *end = strrchr(line, '"');
    if (at == NULL || at == end)
        return false;
    *word = (struct input){.data = qn_alloc((size_t)(end - at))};
    for (at++; at < end; at++) {
        if (*at == '\\' && at[1] == 'x' && end - at > 3) {
            word->data[word->size++] = hex_of(at + 2);
            at += 3;
            continue;
        }
        at += *at == '\\' && end - at > 1;
        word->data[word->size++] = (uint8_t)*at;
    }
    return word->size > 0;
}

static bool is_comment(const char *line)
{
    line += strspn(line, " \t\n");
    return *line == '#' || *line == '\0';
}

static void read_dictionary(const char *path, input_vec *words)
{
    char line[1024];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        struct input word = {0};
        if (is_comment(line))
            continue;
        if (!read_word(line, &word)) {
            fprintf(stderr, "%s: no word in: %s", path, line);
            exit(2);
        }
        qn_vec_push(words, word);
    }
    fclose(file);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void read_corpus(const char *path, input_vec *inputs)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISDIR(info.st_mode)) {
        read_file(path, inputs);
        return;
    }
    struct dirent **entries;
    int count = scandir(path, &entries, is_visible, by_name);
    for (int i = 0; i < count; i++) {
        char name[4096];
        snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
        read_file(name, inputs);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

/* A word somewhere in between, or in place of as many bytes; returns the new size. */
static size_t put_word(struct qn_prng *prng, const input_vec *words, uint8_t *data, size_t size)
{
    const struct input *word = &words->items[qn_prng_below(prng, words->count)];
    size_t at = qn_prng_below(prng, size + 1);
    bool takes_place = qn_prng_below(prng, 2) == 0 && word->size <= size - at;
    if (word->size > INPUT_SIZE_MAX - size)
        return size;
    if (!takes_place)
        memmove(data + at + word->size, data + at, size - at);
    memcpy(data + at, word->data, word->size);
    return takes_place ? size : size + word->size;
}

/* One small change; returns the new size. */
static size_t mutate(struct qn_prng *prng, const input_vec *words, uint8_t *data, size_t size)
{
    if (words->count > 0 && qn_prng_below(prng, 3) == 0)
        return put_word(prng, words, data, size);
    static const uint8_t telling[] = {0x00, 0x01, 0x7f, 0x80, 0xc0, 0xff, '-', '\n', '"', 'A'};
    size_t at = size == 0 ? 0 : qn_prng_below(prng, size);
    size_t length = size == 0 ? 0 : 1 + qn_prng_below(prng, size - at < 8 ? size - at : 8);
    switch (size == 0 ? 3 : qn_prng_below(prng, 7)) {
    case 0:
        data[at] ^= (uint8_t)(1u << qn_prng_below(prng, 8));
        return size;
    case 1:
        data[at] = (uint8_t)qn_prng_next(prng);
        return size;
    case 2:
        data[at] = telling[qn_prng_below(prng, sizeof(telling))];
        return size;
    case 3: /* insert a byte */
        if (size == INPUT_SIZE_MAX)
            return size;
        memmove(data + at + 1, data + at, size - at);
        data[at] = (uint8_t)qn_prng_next(prng);
        return size + 1;
    case 4: /* remove a run */
        memmove(data + at, data + at + length, size - at - length);
        return size - length;
    case 5: /* double a run */
        if (size + length > INPUT_SIZE_MAX)
            return size;
        memmove(data + at + length, data + at, size - at);
        return size + length;
    default:
        return at; /* cut */
    }
}

static void run_mutations(const input_vec *inputs, const input_vec *words, uint64_t seed,
                          unsigned long runs)
{
    struct qn_prng prng = {.state = seed};
    QN_AUTO_FREE uint8_t *data = qn_alloc(INPUT_SIZE_MAX);
    for (unsigned long run = 0; run < runs; run++) {
        size_t size = 0;
        if (inputs->count > 0) {
            const struct input *base = &inputs->items[qn_prng_below(&prng, inputs->count)];
            size = base->size;
            memcpy(data, base->data, size);
        }
        for (uint64_t change = 1 + qn_prng_below(&prng, 6); change > 0; change--)
            size = mutate(&prng, words, data, size);
        run_input(data, size);
    }
}

static unsigned long number_after(int argc, char **argv, int at)
{
    if (at + 1 >= argc) {
        fprintf(stderr, "%s needs a number\n", argv[at]);
        exit(64);
    }
    return strtoul(argv[at + 1], NULL, 10);
}

static const char *text_after(int argc, char **argv, int at)
{
    if (at + 1 >= argc) {
        fprintf(stderr, "%s needs a file\n", argv[at]);
        exit(64);
    }
    return argv[at + 1];
}

static void free_all(input_vec *inputs)
{
    qn_vec_each (inputs, input)
        qn_free(input->data);
    qn_vec_free(inputs);
}

int main(int argc, char **argv)
{
    input_vec inputs = {0}, words = {0};
    unsigned long seed = 1, runs = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seed") == 0)
            seed = number_after(argc, argv, i++);
        else if (strcmp(argv[i], "--runs") == 0)
            runs = number_after(argc, argv, i++);
        else if (strcmp(argv[i], "--dict") == 0)
            read_dictionary(text_after(argc, argv, i++), &words);
        else
            read_corpus(argv[i], &inputs);
    }
    const char *slash = strrchr(argv[0], '/');
    snprintf(crash_path, sizeof(crash_path), "%s.crash", slash != NULL ? slash + 1 : argv[0]);
    signal(SIGABRT, keep_running_input);
#ifndef __SANITIZE_ADDRESS__ /* it reports first, and aborts then */
    signal(SIGSEGV, keep_running_input);
#endif
    qn_vec_each (&inputs, input)
        run_input(input->data, input->size);
    run_mutations(&inputs, &words, seed, runs);
    printf("%zu inputs, %zu words and %lu mutations of seed %lu\n", inputs.count, words.count, runs,
           seed);
    free_all(&inputs);
    free_all(&words);
    return 0;
}
