/* A worker's way to Postgres under one snapshot: a pool and the reads over it. A reload that changes Postgres makes a
 * new one, while the old one lives on until its last read must have ended. */
#ifndef NOF0_SERVER_WORKER_POSTGRES_H
#define NOF0_SERVER_WORKER_POSTGRES_H

#include "repo/pg_pool.h"
#include "repo/reads.h"
#include "server/snapshot.h"

struct worker_postgres;

/* Starts to connect with what the snapshot says. NULL with *err when the system refuses. Belongs to the loop of `base`.
 */
struct worker_postgres *worker_postgres_new(struct event_base *base, struct snapshot *snapshot, struct err *err);
/* Ends what is still in flight with ERR_UNAVAILABLE. NULL is fine. */
void worker_postgres_free(struct worker_postgres *postgres);

struct repo_reads *worker_postgres_reads(const struct worker_postgres *postgres);
const struct pg_pool *worker_postgres_pool(const struct worker_postgres *postgres);
/* Whether this is still what the snapshot says. */
bool worker_postgres_fits(const struct worker_postgres *postgres, const struct snapshot *snapshot);

#endif
