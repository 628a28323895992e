/* One worker: a thread with an event loop of its own, a listening socket of its own (SO_REUSEPORT), Postgres
 * connections of its own. Workers share only what never changes: snapshots, legacy documents. */
#ifndef NOF0_SERVER_WORKER_H
#define NOF0_SERVER_WORKER_H

#include "server/legacy_documents.h"
#include "server/offload.h"
#include "server/snapshot.h"

struct worker;

/* What all workers have in common; it outlives them. */
struct worker_company {
    struct offload *offload;
    int64_t started_mono_ms;
    unsigned worker_count;
    struct worker *const *workers;
    /* Told on a worker's thread: its loop is over, or it has let go of something that a reload replaced. */
    void (*on_stopped)(void *arg);
    void (*on_released)(void *arg);
    void *arg;
};

/* Takes the listening socket, also when it fails, and a reference to the snapshot. Does not run yet. */
struct worker *worker_new(unsigned index, const struct worker_company *company, struct snapshot *snapshot,
                          int listen_fd, struct err *err);
/* Starts the thread. */
bool worker_start(struct worker *worker, struct err *err) MUST_CHECK;

/* From any thread: from now on the worker goes by these. Both hand over a reference. */
void worker_take_snapshot(struct worker *worker, struct snapshot *snapshot);
void worker_take_legacy(struct worker *worker, struct legacy_documents *documents);

/* From any thread, once: accepts no more, answers what is in flight, then ends the loop. */
void worker_drain(struct worker *worker);

/* When its loop last turned, clock_mono_ms; 0 before the first time. From any thread. */
int64_t worker_heartbeat_ms(const struct worker *worker);
unsigned worker_index(const struct worker *worker);

/* Joins the thread when it was started (its loop must be over or about to be), then frees. NULL is fine. */
void worker_free(struct worker *worker);

#endif
