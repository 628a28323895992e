/* The readers of the outbox that run inside nof0d (ingest/outbox_consumer.h): a thread each, none of them a worker. */
#ifndef NOF0_SERVER_OUTBOX_THREADS_H
#define NOF0_SERVER_OUTBOX_THREADS_H

#include "base/buf.h"
#include "ingest/outbox_consumer.h"
#include "server/settings.h"

/* One of each reader, for the whole process; zero at the start. */
struct outbox_board {
    struct outbox_numbers readers[OUTBOX_READER_COUNT];
};

/* What the settings say to the readers, and flags about legacy files (CACHE_FEED_COUNT; see outbox_work.h); borrows
 * both. False with *err for a bad redis.prefix. */
bool outbox_options_of(const struct settings *settings, const atomic_uint *dual_write, struct outbox_options *options,
                       struct err *err) MUST_CHECK;

/* The flag of a feed's legacy files. */
enum flag outbox_dual_write_flag(enum cache_feed feed);

/* Whether a nof0d with these settings runs readers: not behind a transaction pooler, where locks and LISTEN, which
 * belong to a connection, would be anybody's. */
bool outbox_is_on(const struct settings *settings);
/* Whether the two differ in what readers are told. */
bool outbox_differs(const struct settings *a, const struct settings *b);

struct outbox_threads;

/* Starts the readers that the settings ask for. Settings, board and `dual_write` must outlive it. on_ended(arg) is
 * called on their threads, whenever one has ended. NULL with *err when the system gives no thread. */
struct outbox_threads *outbox_threads_start(const struct settings *settings, const atomic_uint *dual_write,
                                            struct outbox_board *board, void (*on_ended)(void *arg), void *arg,
                                            struct err *err);
/* Has them look at dual_write at once. */
void outbox_threads_wake(struct outbox_threads *threads);
/* Asks all to end, and returns at once. NULL is fine. */
void outbox_threads_stop(struct outbox_threads *threads);
bool outbox_threads_ended(const struct outbox_threads *threads); /* true for NULL */
/* Waits for the end of all, and frees. NULL is fine. */
void outbox_threads_free(struct outbox_threads *threads);

/* Appends the metrics of the readers that run here, in the Prometheus text format. From any thread. */
void outbox_board_print(const struct outbox_board *board, struct buf *out);

#endif
