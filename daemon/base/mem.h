/* Allocation. Memory is bounded by configuration, so running out of it is treated like a power cut:
 * the process ends and is restarted, and nothing was acknowledged that is not durable
 * (docs/adr/0001). These functions therefore never return NULL.
 */
#pragma once

#include <stddef.h>

__attribute__((malloc, returns_nonnull)) void *qn_alloc(size_t size);      /* not initialised */
__attribute__((malloc, returns_nonnull)) void *qn_alloc_zero(size_t size); /* all bytes zero */
__attribute__((returns_nonnull)) void *qn_realloc(void *memory, size_t size);
__attribute__((malloc, returns_nonnull)) void *qn_memdup(const void *memory, size_t size);
__attribute__((malloc, returns_nonnull)) char *qn_strdup(const char *text);
void qn_free(void *memory);

/* Zeroed object of a type. */
#define QN_NEW(type) ((type *)qn_alloc_zero(sizeof(type)))

static inline void qn_free_indirect(void *slot)
{
    qn_free(*(void **)slot);
}
/* Frees a heap pointer when it goes out of scope. */
#define QN_AUTO_FREE __attribute__((cleanup(qn_free_indirect)))
