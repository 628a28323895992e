/* "Rebuild this name from Postgres": for each structure of the registry the rows that it is made of, read inside the
 * caller's transaction and turned into values (ingest/redis_value.h). Whoever takes the values writes them
 * (ingest/redis_put.h) or holds them against what is there (ingest/redis_verify.h). */
#ifndef NOF0_INGEST_REDIS_REBUILD_H
#define NOF0_INGEST_REDIS_REBUILD_H

#include "ingest/redis_value.h"
#include "repo/session.h"

/* Told of each value in turn; it lives during the call. May talk to Redis, and must not use the session. */
typedef bool redis_value_fn(void *arg, const struct redis_value *value, struct err *err);

struct redis_rebuild {
    struct session *session; /* in a transaction; a snapshot (session_begin_snapshot) when values shall fit together */
    const struct cache_space *space;
    const char *prices_provider;  /* whose prices have names without a provider */
    bool wanted[CACHE_KEY_COUNT]; /* which rows of the registry */
    const struct slice *models;   /* NULL: all; else only values of these models (or traders), each named once */
    size_t model_count;
    const struct slice *symbols; /* the same for names with a symbol */
    size_t symbol_count;
    redis_value_fn *take;
    void *arg;
};

/* True when Postgres has what the values of this row of the registry are made of. */
bool redis_rebuild_knows(enum cache_key_id id);

/* Makes every wanted value, in the order of the registry's source tables. Values without items are given only for
 * models that were named: those names shall not be there. Memory: one value, whatever the tables' sizes. False
 * when Postgres failed, a stored row is corrupt, or take said so. */
bool redis_rebuild_run(struct redis_rebuild *rebuild, struct err *err) MUST_CHECK;

#endif
