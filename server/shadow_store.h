/* Where comparisons in the server are written down: Postgres (parity_runs) and Redis (differing pairs). Blocking, each
 * call within a few seconds; one thread at a time. */
#ifndef NOF0_SERVER_SHADOW_STORE_H
#define NOF0_SERVER_SHADOW_STORE_H

#include "server/shadow_tally.h"
#include "server/snapshot.h"

struct shadow_store;
struct shadow_store *shadow_store_new(void);
void shadow_store_free(struct shadow_store *store);

/* From now on it goes by the snapshot's settings, and holds a reference to it. To be called before anything else. */
void shadow_store_go_by(struct shadow_store *store, struct snapshot *snapshot);

/* Writes the tally's news into parity_runs; now and then also deletes old rows there and reads how green endpoints are.
 * False with *err when Postgres cannot be reached: to be tried again. */
bool shadow_store_runs(struct shadow_store *store, struct shadow_tally *tally, struct err *err) MUST_CHECK;

/* Puts a pair's JSON at the head of the endpoint's list, which keeps shadow.keep_pairs of them. Without Redis nothing
 * is kept. */
bool shadow_store_pair(struct shadow_store *store, const struct endpoint *endpoint, struct slice json,
                       struct err *err) MUST_CHECK;

#endif
