#include "server/snapshot.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>

struct snapshot {
    atomic_size_t references;
    struct settings *settings;
    struct postgres_source *postgres;
};

struct snapshot *snapshot_new(struct settings *settings, struct postgres_source *postgres)
{
    struct snapshot *snapshot = mem_zalloc(sizeof *snapshot);
    atomic_init(&snapshot->references, 1);
    snapshot->settings = settings;
    snapshot->postgres = postgres ? postgres_source_ref(postgres) : NULL;
    return snapshot;
}

struct snapshot *snapshot_ref(struct snapshot *snapshot)
{
    (void)atomic_fetch_add_explicit(&snapshot->references, 1, memory_order_relaxed);
    return snapshot;
}

void snapshot_unref(struct snapshot *snapshot)
{
    if (!snapshot || atomic_fetch_sub_explicit(&snapshot->references, 1, memory_order_acq_rel) != 1)
        return;
    if (snapshot->postgres)
        postgres_source_unref(snapshot->postgres);
    settings_free(snapshot->settings);
    free(snapshot);
}

const struct settings *snapshot_settings(const struct snapshot *snapshot)
{
    return snapshot->settings;
}

struct postgres_source *snapshot_postgres(const struct snapshot *snapshot)
{
    return snapshot->postgres;
}
