/* Which keys a file has shown already, and where: 32 bytes a key whatever its length, so that a file of any size can be
 * searched for doubles. Keys are told apart by 128 bits of their SHA-256. */
#ifndef NOF0_INGEST_ONCE_H
#define NOF0_INGEST_ONCE_H

#include "base/slice.h"

struct once;

struct once *once_new(void);
void once_free(struct once *once);

/* Remembers that `where` has the key, unless another had it before. Returns the first that has it: `where` itself (the
 * same pointer) when the key is new. Slices are not copied. */
struct slice once_add(struct once *once, struct slice key, struct slice where);

/* Counts instead of remembering: how often this was called with the key before. A set is used in one way or the other.
 */
size_t once_bump(struct once *once, struct slice key);

/* How many keys there are. */
size_t once_count(const struct once *once);

#endif
