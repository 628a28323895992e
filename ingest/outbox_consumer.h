/* The loop around a reader of the outbox: a thread with a session of its own.
 *
 * One leader per reader among all instances: who holds an advisory lock on its session. The lock goes with the
 * connection, so another takes over when a leader dies or loses Postgres. The leader listens for NOTIFY, takes the rows
 * behind the reader's position in order, has them applied, and then writes the new position: a row is applied at least
 * once, and after a crash perhaps again.
 *
 * When Postgres or Redis cannot be reached the rows wait, and the attempt is repeated with a random pause of up to a
 * second. When rows fail for their content they are taken one by one, and the one that failed five times goes to the
 * dead letters (table outbox_dead). */
#ifndef NOF0_INGEST_OUTBOX_CONSUMER_H
#define NOF0_INGEST_OUTBOX_CONSUMER_H

#include "ingest/outbox_work.h"

#include <stdatomic.h>

/* Of one reader in this process; outlives its threads. Read from any thread. */
struct outbox_numbers {
    atomic_int running; /* threads */
    atomic_int leading; /* of these */
    atomic_uint_least64_t applied;
    atomic_uint_least64_t failures;
    /* As measured at measured_mono_ms; 0: not yet. */
    atomic_int_least64_t measured_mono_ms;
    atomic_int_least64_t lag_rows;
    atomic_int_least64_t lag_us;
    atomic_int_least64_t dead;
};

struct outbox_consumer;

struct outbox_start {
    const struct outbox_options *options; /* must outlive the consumer */
    enum outbox_reader reader;
    struct outbox_numbers *numbers;
    int64_t until; /* -1: goes on until it is stopped. Else ends when the reader, led by whomever, has applied
                      all rows up to here, and waits with nothing that it noted */
    void (*on_ended)(void *arg); /* told on its thread, last thing; may be NULL */
    void *arg;
};

/* NULL with *err when the system gives no thread. */
struct outbox_consumer *outbox_consumer_start(const struct outbox_start *start, struct err *err);
/* Asks it to end: after the call under way, and after what it has noted where that cannot wait (legacy files). */
void outbox_consumer_stop(struct outbox_consumer *consumer);
/* Has it look at once, from any thread: an option changed. */
void outbox_consumer_wake(struct outbox_consumer *consumer);
bool outbox_consumer_ended(const struct outbox_consumer *consumer);
/* Whether it ended because `until` was reached. */
bool outbox_consumer_reached(const struct outbox_consumer *consumer);
/* Why its last attempt failed; "" when all is well. Once it has ended. */
const char *outbox_consumer_trouble(const struct outbox_consumer *consumer);
/* Waits for its end; it was stopped or ends by itself. NULL is fine. */
void outbox_consumer_free(struct outbox_consumer *consumer);

#endif
