/* What the whole server currently goes by: the settings and the sources that follow from them. Immutable and counted; a
 * reload makes a new one and hands it to every worker. */
#ifndef NOF0_SERVER_SNAPSHOT_H
#define NOF0_SERVER_SNAPSHOT_H

#include "server/postgres_source.h"
#include "server/settings.h"

struct snapshot;

/* Takes the settings; holds `postgres` (may be NULL: no endpoint needs it). One reference. */
struct snapshot *snapshot_new(struct settings *settings, struct postgres_source *postgres);
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot);

const struct settings *snapshot_settings(const struct snapshot *snapshot);
struct postgres_source *snapshot_postgres(const struct snapshot *snapshot);

#endif
