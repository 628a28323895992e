/* What an operator sees of the outbox. */
#ifndef NOF0_INGEST_OUTBOX_STATUS_H
#define NOF0_INGEST_OUTBOX_STATUS_H

#include "ingest/outbox_store.h"

struct outbox_reader_status {
    bool known;       /* it has a position, or somebody leads it */
    int64_t position; /* all rows up to here are applied */
    struct outbox_lag lag;
    int64_t failures;     /* in a row, at the row behind the position */
    char *last_error;     /* NULL: none */
    int64_t leader;       /* the leader's process in Postgres; 0: nobody leads */
    char *leader_address; /* where it comes from; NULL: a local socket, or hidden from this role */
};

struct outbox_status {
    int64_t newest; /* ids; 0 without rows */
    int64_t oldest;
    int64_t rows;
    int64_t dead; /* letters of all readers */
    struct outbox_reader_status readers[OUTBOX_READER_COUNT];
};

/* Reads it all at one moment. Free with outbox_status_free, also after a failure. */
bool outbox_status_read(struct session *session, struct outbox_status *status, struct err *err) MUST_CHECK;
void outbox_status_free(struct outbox_status *status);

#endif
