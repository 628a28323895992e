/* The process's one connector to Postgres, counted: workers' pools hold it, and only the main thread ends it, since
 * that may have to wait for a name lookup. */
#ifndef NOF0_SERVER_POSTGRES_SOURCE_H
#define NOF0_SERVER_POSTGRES_SOURCE_H

#include "repo/pg_connector.h"
#include "server/settings.h"

struct postgres_source;

/* Starts a connector for the settings' DSN. NULL with *err when the DSN is no good. One reference. */
struct postgres_source *postgres_source_start(const struct settings *settings, struct err *err);
struct postgres_source *postgres_source_ref(struct postgres_source *source);
/* Gives a reference back, not the last one. */
void postgres_source_unref(struct postgres_source *source);

/* True when the caller's reference is the only one. */
bool postgres_source_is_idle(const struct postgres_source *source);
/* Ends the connector; the caller's reference must be the only one. NULL is fine. */
void postgres_source_stop(struct postgres_source *source);

struct pg_connector *postgres_source_connector(const struct postgres_source *source);

#endif
