/* Structures of Redis made anew where one that cannot be made must not keep the rest from it. */
#ifndef NOF0_INGEST_OUTBOX_MAKE_H
#define NOF0_INGEST_OUTBOX_MAKE_H

#include "ingest/outbox_work.h"
#include "ingest/redis_rebuild.h"

/* A rebuild over the reader's session, of nothing yet. */
struct redis_rebuild outbox_rebuild(const struct outbox_hands *hands);

/* Whether the value of that name is to be written. */
typedef bool outbox_owns_fn(void *arg, const struct cache_key *key);

/* Makes what `what` wants (its take and arg are not used) from a snapshot of its own, and writes the names that `owns`
 * takes (NULL: all). When a stored row cannot be said *failed is set, with a line in the log unless it was set already,
 * and what was made before it is written. False when Postgres or Redis failed. */
bool outbox_make(struct outbox_hands *hands, const struct redis_rebuild *what, outbox_owns_fn *owns, void *arg,
                 bool *failed, struct err *err) MUST_CHECK;

#endif
