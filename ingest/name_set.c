#include "ingest/name_set.h"

#include "base/mem.h"
#include "ingest/once.h"

#include <stdlib.h>

void name_set_add(struct name_set *set, struct slice name)
{
    if (!set->seen) {
        set->seen = once_new();
        set->arena = arena_new(0);
    }
    if (once_bump(set->seen, name))
        return;
    if (set->count == set->room) {
        set->room = set->room ? set->room * 2 : 16;
        set->names = mem_realloc(set->names, set->room * sizeof *set->names);
    }
    set->names[set->count++] = arena_copy(set->arena, name);
}

void name_set_clear(struct name_set *set)
{
    once_free(set->seen);
    arena_free(set->arena);
    set->seen = NULL;
    set->arena = NULL;
    set->count = 0;
}

void name_set_free(struct name_set *set)
{
    name_set_clear(set);
    free(set->names);
    *set = (struct name_set){0};
}
