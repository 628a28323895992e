/* Memory that lives as long as one piece of work (a request, a file's import) and is given back all at once. */
#ifndef NOF0_BASE_ARENA_H
#define NOF0_BASE_ARENA_H

#include "base/slice.h"

struct arena;

/* An arena whose first chunk holds `first_chunk` bytes (0: a default). Free with arena_free. */
struct arena *arena_new(size_t first_chunk);
void arena_free(struct arena *arena);
/* Gives everything back but keeps the first chunk for reuse. */
void arena_reset(struct arena *arena);

/* Uninitialised bytes, aligned for any type; valid until arena_reset or arena_free. */
void *arena_alloc(struct arena *arena, size_t size) __attribute__((returns_nonnull));
void *arena_zalloc(struct arena *arena, size_t size) __attribute__((returns_nonnull));
/* A NUL-terminated copy of the bytes. */
char *arena_strndup(struct arena *arena, const char *s, size_t n) __attribute__((returns_nonnull));
/* A copy of the slice's bytes, NUL-terminated behind its end. */
struct slice arena_copy(struct arena *arena, struct slice s);
char *arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Bytes handed out since the start or the last reset. */
size_t arena_used(const struct arena *arena);

#endif
