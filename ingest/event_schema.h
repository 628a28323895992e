/* What an item of a kind looks like, as a JSON Schema (draft 2020-12): the files of docs/schemas/ and
 * `nof0ctl ingest --schema`. Made from the tables that items are read by, so the two cannot come apart. */
#ifndef NOF0_INGEST_EVENT_SCHEMA_H
#define NOF0_INGEST_EVENT_SCHEMA_H

#include "ingest/event.h"

/* Appends the schema, indented, with a line end behind it. */
void event_schema_put(struct buf *out, enum event_kind kind);

#endif
