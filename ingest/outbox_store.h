/* What the readers of the outbox keep in Postgres: who leads, how far each has come, what it gave up; and the rows that
 * are needed no more. */
#ifndef NOF0_INGEST_OUTBOX_STORE_H
#define NOF0_INGEST_OUTBOX_STORE_H

#include "ingest/outbox_rows.h"

/* The readers. Each has one leader among all instances. */
enum outbox_reader {
    OUTBOX_LIVE,    /* announcements, live:events, trades:stream */
    OUTBOX_REDIS_0, /* the registered structures of Redis, half of the models and symbols each */
    OUTBOX_REDIS_1,
    OUTBOX_VIEWS,  /* materialized views and what follows from them; also prunes the outbox */
    OUTBOX_LEGACY, /* legacy JSON files */
    OUTBOX_READER_COUNT,
};
enum { OUTBOX_REDIS_SHARDS = OUTBOX_VIEWS - OUTBOX_REDIS_0 };

/* "live", "redis:0", "redis:1", "views", "legacy": outbox_consumers.name. */
const char *outbox_reader_name(enum outbox_reader reader);
/* OUTBOX_READER_COUNT when none has the name. */
enum outbox_reader outbox_reader_find(struct slice name);

/* Takes the reader's lock for as long as the session lives. *got is false while another session has it. */
bool outbox_try_lead(struct session *session, enum outbox_reader reader, bool *got, struct err *err) MUST_CHECK;

/* Where a reader stands: 0 before its first row. *pruned: the highest id that was ever deleted from the outbox; above
 * the position it means that rows are gone which the reader never saw. */
bool outbox_position(struct session *session, enum outbox_reader reader, int64_t *position, int64_t *pruned,
                     struct err *err) MUST_CHECK;

/* The reader has applied all rows up to `position`, and no failure stands any more. Never goes back. */
bool outbox_advance(struct session *session, enum outbox_reader reader, int64_t position, struct err *err) MUST_CHECK;

/* One more failure at the row behind the position. */
bool outbox_note_failure(struct session *session, enum outbox_reader reader, const char *why,
                         struct err *err) MUST_CHECK;

/* Keeps the row among the dead letters and passes it, in one transaction. */
bool outbox_bury(struct session *session, enum outbox_reader reader, const struct outbox_change *change,
                 unsigned attempts, const char *why, struct err *err) MUST_CHECK;

/* Gives dead letters back as new rows for their reader alone: those of one reader, or all (OUTBOX_READER_COUNT).
 * *count: how many. */
bool outbox_revive(struct session *session, enum outbox_reader reader, int64_t *count, struct err *err) MUST_CHECK;

/* How far behind a reader is. */
struct outbox_lag {
    int64_t rows; /* that it has to apply; counted to OUTBOX_LAG_ROWS_MAX */
    int64_t us;   /* age of the oldest of them; 0 without any */
    int64_t dead; /* its dead letters */
};
enum { OUTBOX_LAG_ROWS_MAX = 1000000 };
bool outbox_lag(struct session *session, enum outbox_reader reader, struct outbox_lag *lag, struct err *err) MUST_CHECK;

/* The highest id among the rows; 0 without any. */
bool outbox_newest(struct session *session, int64_t *id, struct err *err) MUST_CHECK;
/* The highest id that was ever given out in this database. */
bool outbox_counter(struct session *session, int64_t *id, struct err *err) MUST_CHECK;

/* Deletes rows that are older than keep_s and that every reader has passed, and rows older than a week whoever misses
 * them; a few thousand at a time. *more: call again. */
bool outbox_prune(struct session *session, int64_t keep_s, bool *more, struct err *err) MUST_CHECK;

/* Forgets a reader that nobody runs any more, so that it holds no rows: does nothing while somebody has its lock. */
bool outbox_retire(struct session *session, enum outbox_reader reader, struct err *err) MUST_CHECK;

#endif
