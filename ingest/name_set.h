/* A set of names (models, symbols), each once, in the order of their first appearance, as an array of slices. */
#ifndef NOF0_INGEST_NAME_SET_H
#define NOF0_INGEST_NAME_SET_H

#include "base/arena.h"
#include "base/slice.h"

/* Start with everything zero. */
struct name_set {
    struct slice *names;
    size_t count;
    size_t room;
    struct once *seen;
    struct arena *arena; /* the names' bytes */
};

void name_set_add(struct name_set *set, struct slice name);
void name_set_clear(struct name_set *set);
void name_set_free(struct name_set *set);

#endif
