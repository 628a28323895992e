#include "server/postgres_source.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

struct postgres_source {
    atomic_size_t references;
    struct pg_connector *connector;
};

struct postgres_source *postgres_source_start(const struct settings *settings, struct err *err)
{
    struct pg_connector *connector =
        pg_connector_start(settings->postgres_dsn, settings->postgres_connect_timeout_ms, err);
    if (!connector)
        return NULL;
    struct postgres_source *source = mem_zalloc(sizeof *source);
    atomic_init(&source->references, 1);
    source->connector = connector;
    return source;
}

struct postgres_source *postgres_source_ref(struct postgres_source *source)
{
    (void)atomic_fetch_add_explicit(&source->references, 1, memory_order_relaxed);
    return source;
}

void postgres_source_unref(struct postgres_source *source)
{
    (void)atomic_fetch_sub_explicit(&source->references, 1, memory_order_acq_rel);
}

bool postgres_source_is_idle(const struct postgres_source *source)
{
    return atomic_load_explicit(&source->references, memory_order_acquire) == 1;
}

void postgres_source_stop(struct postgres_source *source)
{
    if (!source)
        return;
    pg_connector_stop(source->connector);
    free(source);
}

struct pg_connector *postgres_source_connector(const struct postgres_source *source)
{
    return source->connector;
}
