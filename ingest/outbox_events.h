/* What rows of the outbox look like in the stream live:events, and which closed trades they speak of. */
#ifndef NOF0_INGEST_OUTBOX_EVENTS_H
#define NOF0_INGEST_OUTBOX_EVENTS_H

#include "ingest/outbox_rows.h"

/* An entry of live:events: <row>-<item>, topic, model, data. */
struct outbox_event {
    int64_t row;
    size_t item;
    const char *topic;
    struct slice model;             /* empty: it concerns all */
    struct slice data;              /* JSON without line breaks */
    const struct trades_row *trade; /* the closed trade that it speaks of, or NULL */
};

struct outbox_events {
    struct arena *arena; /* holds everything */
    struct outbox_event *list;
    size_t count;
};

/* Reads what the batch's items speak of as it is now, one query for each kind, and makes the entries in the order of
 * the rows; items whose row is gone have none. `prices_provider`: whose prices are told. Free also after a failure.
 * ERR_INTERNAL when a stored row is corrupt. */
bool outbox_events_make(struct outbox_events *events, struct session *session, const char *prices_provider,
                        const struct outbox_batch *batch, struct err *err) MUST_CHECK;
void outbox_events_free(struct outbox_events *events);

#endif
