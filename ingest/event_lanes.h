/* Threads that store events for event loops, so that no loop waits for Postgres. Prices have a lane of their own, for
 * they come in bulk. What is waiting when a lane is free goes into one transaction: many small requests share one
 * commit.
 *
 * A lane connects when it has something to store, keeps its connection, and gets another when that breaks. What could
 * not be stored is tried again until its deadline: storing an event twice is harmless. */
#ifndef NOF0_INGEST_EVENT_LANES_H
#define NOF0_INGEST_EVENT_LANES_H

#include "ingest/event.h"

struct event_lanes;

struct event_lanes_options {
    const char *dsn;          /* copied; "" or NULL: everything fails with ERR_UNAVAILABLE */
    int64_t timeout_ms;       /* from event_lanes_submit to the end, > 0 */
    size_t most_queued_bytes; /* of each lane; a submit beyond is refused */
};

struct event_lanes_counts {
    uint64_t accepted; /* items */
    uint64_t duplicate;
    uint64_t rejected;
    uint64_t transactions;
    uint64_t failures; /* batches that could not be stored in time */
    uint64_t refused;  /* batches for which a queue had no room */
    uint64_t queued_bytes;
};

/* Starts the threads. NULL with *err when the system gives none. */
struct event_lanes *event_lanes_start(const struct event_lanes_options *options, struct err *err);

/* From any thread: goes by these from the next transaction on. */
void event_lanes_configure(struct event_lanes *lanes, const struct event_lanes_options *options);

/* Told once, on a lane's thread. err == NULL: no outcome of the batch is pending, and `version` of the data has it (0:
 * nothing was stored). Otherwise Postgres could not be reached in time: outcomes are pending, and whether items are
 * stored is not known. The batch is the callee's again. */
typedef void event_stored_fn(void *arg, struct event_batch *batch, int64_t version, const struct err *err);

/* Hands the batch over. False, and nothing happens, when too much is waiting already. From any thread. */
bool event_lanes_submit(struct event_lanes *lanes, struct event_batch *batch, event_stored_fn *stored, void *arg);

void event_lanes_counts(struct event_lanes *lanes, struct event_lanes_counts *counts);

/* Ends what is queued (stored, or failed at its deadline), then the threads. Nobody may submit any more. NULL is fine.
 */
void event_lanes_stop(struct event_lanes *lanes);

#endif
