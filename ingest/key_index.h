/* From a key (any bytes) to a number: where a row stands in an array. Keys are not copied. */
#ifndef NOF0_INGEST_KEY_INDEX_H
#define NOF0_INGEST_KEY_INDEX_H

#include "base/arena.h"

struct key_slot {
    struct slice key; /* p == NULL: free */
    size_t value;
};

struct key_index {
    struct arena *arena;
    struct key_slot *slots;
    size_t room; /* a power of two, more than half of it free */
    size_t count;
};

enum { KEY_NONE = -1 };

/* An empty index; `arena` must outlive it. */
struct key_index key_index_on(struct arena *arena);

/* The number under the key, or (size_t)KEY_NONE. */
size_t key_index_find(const struct key_index *index, struct slice key);

/* Puts the number under the key unless there is one. Returns what is there now. */
size_t key_index_add(struct key_index *index, struct slice key, size_t value);

/* Puts the number under the key in place of what is there. */
void key_index_set(struct key_index *index, struct slice key, size_t value);

#endif
