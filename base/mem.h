/* Heap memory that never comes back NULL: running out ends the process with one line on stderr, since no caller could
 * do better. Give back with free(). */
#ifndef NOF0_BASE_MEM_H
#define NOF0_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *mem_realloc(void *old, size_t size) __attribute__((returns_nonnull));
/* count * size bytes, zeroed; a product that overflows counts as running out. */
void *mem_calloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));
/* A NUL-terminated copy of n bytes. */
char *mem_strndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));

#endif
