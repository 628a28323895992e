/* What the loader and the answers need of a set beyond legacy.h. Private to the room. */
#ifndef NOF0_LEGACY_SET_H
#define NOF0_LEGACY_SET_H

#include "legacy/file.h"

/* The file of a kind that has one; never NULL. */
const struct legacy_file *legacy_set_file(const struct legacy_set *set, enum read_kind kind);

/* A model's own analytics file, or NULL. */
const struct legacy_file *legacy_set_model_file(const struct legacy_set *set, struct slice model_id);

/* True when readers cannot tell one from the other. */
bool legacy_set_same(const struct legacy_set *a, const struct legacy_set *b);

#endif
