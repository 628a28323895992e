#include "server/worker_postgres.h"

#include "base/mem.h"
#include "repo/pg_reads.h"

#include <stdlib.h>

struct worker_postgres {
    struct snapshot *snapshot; /* keeps the connector, and says what this was made for */
    struct pg_pool *pool;
    struct repo_reads *reads;
};

struct worker_postgres *worker_postgres_new(struct event_base *base, struct snapshot *snapshot, struct err *err)
{
    const struct settings *settings = snapshot_settings(snapshot);
    struct pg_pool_config config = {
        .connections = (unsigned)settings->postgres_connections_per_worker,
        .prepared_statements = settings->postgres_prepared_statements,
        .statement_timeout_ms = settings->postgres_query_timeout_ms,
        .start_grace_ms = settings->postgres_connect_timeout_ms,
    };
    struct pg_pool *pool = pg_pool_new(base, postgres_source_connector(snapshot_postgres(snapshot)), &config, err);
    if (!pool)
        return NULL;
    struct worker_postgres *postgres = mem_zalloc(sizeof *postgres);
    postgres->snapshot = snapshot_ref(snapshot);
    postgres->pool = pool;
    postgres->reads =
        pg_reads_new(pool, &(struct pg_reads_config){.query_timeout_ms = settings->postgres_query_timeout_ms,
                                                     .price_provider = settings->prices_provider});
    return postgres;
}

void worker_postgres_free(struct worker_postgres *postgres)
{
    if (!postgres)
        return;
    pg_pool_free(postgres->pool);
    pg_reads_free(postgres->reads);
    snapshot_unref(postgres->snapshot);
    free(postgres);
}

struct repo_reads *worker_postgres_reads(const struct worker_postgres *postgres)
{
    return postgres->reads;
}

const struct pg_pool *worker_postgres_pool(const struct worker_postgres *postgres)
{
    return postgres->pool;
}

bool worker_postgres_fits(const struct worker_postgres *postgres, const struct snapshot *snapshot)
{
    const struct settings *a = snapshot_settings(postgres->snapshot);
    const struct settings *b = snapshot_settings(snapshot);
    return snapshot_postgres(postgres->snapshot) == snapshot_postgres(snapshot) &&
           a->postgres_connections_per_worker == b->postgres_connections_per_worker &&
           a->postgres_prepared_statements == b->postgres_prepared_statements &&
           a->postgres_query_timeout_ms == b->postgres_query_timeout_ms &&
           a->postgres_connect_timeout_ms == b->postgres_connect_timeout_ms &&
           strcmp(a->prices_provider, b->prices_provider) == 0;
}
