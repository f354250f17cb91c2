#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *require(void *memory, size_t size)
{
    if (memory != NULL)
        return memory;
    fprintf(stderr, "out of memory: %zu bytes\n", size);
    abort();
}

void *qn_alloc(size_t size)
{
    return require(malloc(size ? size : 1), size);
}

void *qn_alloc_zero(size_t size)
{
    return require(calloc(1, size ? size : 1), size);
}

void *qn_realloc(void *memory, size_t size)
{
    return require(realloc(memory, size ? size : 1), size);
}

void *qn_memdup(const void *memory, size_t size)
{
    void *copy = qn_alloc(size);
    if (size > 0)
        memcpy(copy, memory, size);
    return copy;
}

char *qn_strdup(const char *text)
{
    return qn_memdup(text, strlen(text) + 1);
}

void qn_free(void *memory)
{
    free(memory);
}
