/* One worker: a thread with an event loop of its own, a listening socket of its own (SO_REUSEPORT), Postgres
 * connections of its own. Workers share what never changes (snapshots, legacy documents) and what they know together
 * about how old an answer may be. */
#ifndef NOF0_SERVER_WORKER_H
#define NOF0_SERVER_WORKER_H

#include "ingest/event_lanes.h"
#include "server/answer_cache.h"
#include "server/fallback.h"
#include "server/flag_keeper.h"
#include "server/legacy_documents.h"
#include "server/offload.h"
#include "server/outbox_threads.h"
#include "server/shadow.h"
#include "server/snapshot.h"
#include "server/worker_report.h"

struct worker;

/* What all workers have in common; it outlives them. */
struct worker_company {
    struct offload *offload;
    struct event_lanes *lanes;
    struct answer_shared *answers;
    const struct outbox_board *outbox; /* NULL: nothing to tell of it */
    struct flag_keeper *flags;         /* NULL: nothing to tell of it, and nothing to change */
    struct fallback_watch *fallback;   /* NULL: endpoints never fall back */
    struct shadow *shadow;             /* NULL: nothing is compared */
    struct stream_shared *streams;
    int64_t started_mono_ms;
    unsigned worker_count;
    struct worker *const *workers;
    /* Told on a worker's thread: its loop is over, or it has let go of something that a reload replaced. */
    void (*on_stopped)(void *arg);
    void (*on_released)(void *arg);
    void *arg;
};

/* Takes the listening socket, also when it fails; holds the snapshot and the flags. Does not run yet. */
struct worker *worker_new(unsigned index, const struct worker_company *company, struct snapshot *snapshot,
                          struct flag_set *flags, int listen_fd, struct err *err);
/* Starts the thread. */
bool worker_start(struct worker *worker, struct err *err) MUST_CHECK;

/* From any thread: from now on the worker goes by these, of which it holds references of its own. */
void worker_go_by(struct worker *worker, struct snapshot *snapshot, struct flag_set *flags);
/* The same for documents (NULL: none); hands over a reference. */
void worker_take_legacy(struct worker *worker, struct legacy_documents *documents);

/* From any thread, once: accepts no more, answers what is in flight, then ends the loop. */
void worker_drain(struct worker *worker);

/* From any thread: announcements were lost; nothing may be answered again without a look at the floors. */
void worker_forget_hot(struct worker *worker);

/* Its numbers, not older than half a second while its loop turns. From any thread. */
void worker_report(struct worker *worker, struct worker_report *report);
/* On the worker's own thread: the report is of this moment. */
void worker_renew_report(struct worker *worker);

/* When its loop last turned, clock_mono_ms; 0 before the first time. From any thread. */
int64_t worker_heartbeat_ms(const struct worker *worker);
unsigned worker_index(const struct worker *worker);

/* Waits for the thread, when it was started, to end; its loop must be over or about to be. Whoever posts to workers
 * must be gone before worker_free. */
void worker_join(struct worker *worker);
/* Joins, then runs what is in the mailbox and frees. NULL is fine. */
void worker_free(struct worker *worker);

#endif
