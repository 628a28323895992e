#include "ingest/key_index.h"

#include <xxhash.h>

enum { FIRST_ROOM = 64 };

struct key_index key_index_on(struct arena *arena)
{
    return (struct key_index){.arena = arena};
}

/* The slot with the key, or the free one where it belongs. */
static struct key_slot *slot_of(const struct key_index *index, struct slice key)
{
    size_t at = (size_t)XXH3_64bits(key.p, key.n) & (index->room - 1);
    while (index->slots[at].key.p && !slice_equal(index->slots[at].key, key))
        at = (at + 1) & (index->room - 1);
    return &index->slots[at];
}

static void grow(struct key_index *index)
{
    struct key_index bigger = {.arena = index->arena, .room = index->room ? index->room * 2 : FIRST_ROOM};
    bigger.slots = arena_zalloc(index->arena, bigger.room * sizeof *bigger.slots);
    for (size_t i = 0; i < index->room; i++)
        if (index->slots[i].key.p)
            *slot_of(&bigger, index->slots[i].key) = index->slots[i];
    bigger.count = index->count;
    *index = bigger;
}

size_t key_index_find(const struct key_index *index, struct slice key)
{
    if (!index->room)
        return (size_t)KEY_NONE;
    const struct key_slot *slot = slot_of(index, key);
    return slot->key.p ? slot->value : (size_t)KEY_NONE;
}

size_t key_index_add(struct key_index *index, struct slice key, size_t value)
{
    if ((index->count + 1) * 2 > index->room)
        grow(index);
    struct key_slot *slot = slot_of(index, key);
    if (slot->key.p)
        return slot->value;
    *slot = (struct key_slot){key.p ? key : SLICE(""), value};
    index->count++;
    return value;
}

void key_index_set(struct key_index *index, struct slice key, size_t value)
{
    (void)key_index_add(index, key, value);
    slot_of(index, key)->value = value;
}
