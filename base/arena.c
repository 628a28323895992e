#include "base/arena.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_DEFAULT_CHUNK = 4096 };

struct chunk {
    struct chunk *next; /* the chunk filled before this one */
    size_t size;
    size_t used;
    max_align_t bytes[];
};

struct arena {
    struct chunk *newest;
    size_t used;
};

static struct chunk *chunk_new(size_t size, struct chunk *next)
{
    struct chunk *chunk = mem_alloc(sizeof *chunk + size);
    chunk->next = next;
    chunk->size = size;
    chunk->used = 0;
    return chunk;
}

struct arena *arena_new(size_t first_chunk)
{
    struct arena *arena = mem_zalloc(sizeof *arena);
    arena->newest = chunk_new(first_chunk ? first_chunk : ARENA_DEFAULT_CHUNK, NULL);
    return arena;
}

void arena_reset(struct arena *arena)
{
    while (arena->newest->next) {
        struct chunk *older = arena->newest->next;
        free(arena->newest);
        arena->newest = older;
    }
    arena->newest->used = 0;
    arena->used = 0;
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    arena_reset(arena);
    free(arena->newest);
    free(arena);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t align = _Alignof(max_align_t);
    size_t rounded = (size + align - 1) & ~(align - 1);
    struct chunk *chunk = arena->newest;
    if (chunk->size - chunk->used < rounded) {
        size_t next_size = chunk->size * 2;
        chunk = chunk_new(rounded > next_size ? rounded : next_size, chunk);
        arena->newest = chunk;
    }
    void *memory = (char *)chunk->bytes + chunk->used;
    chunk->used += rounded;
    arena->used += rounded;
    return memory;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

char *arena_strndup(struct arena *arena, const char *s, size_t n)
{
    char *copy = arena_alloc(arena, n + 1);
    if (n)
        memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}

struct slice arena_copy(struct arena *arena, struct slice s)
{
    return (struct slice){arena_strndup(arena, s.p, s.n), s.n};
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    size_t size = n > 0 ? (size_t)n + 1 : 1;
    char *text = arena_alloc(arena, size);
    text[0] = '\0';
    if (n > 0)
        (void)vsnprintf(text, size, format, again);
    va_end(again);
    return text;
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}
