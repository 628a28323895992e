/* What each reader of the outbox does with the rows. The loop around it, with leadership, retries and dead letters, is
 * ingest/outbox_consumer.h. */
#ifndef NOF0_INGEST_OUTBOX_WORK_H
#define NOF0_INGEST_OUTBOX_WORK_H

#include "cache/keys.h"
#include "ingest/outbox_store.h"

#include <stdatomic.h>

struct redisContext;

/* What the settings say. Texts are borrowed and must outlive every reader. */
struct outbox_options {
    const char *postgres_dsn;
    const char *redis_url; /* "": none */
    int64_t redis_connect_timeout_ms;
    int64_t redis_command_timeout_ms;
    struct cache_space space;
    const char *prices_provider;
    int64_t stream_length; /* of live:events and trades:stream, about */
    int64_t keep_s;        /* how long applied rows stay */
    int64_t refresh_views_ms;
    const char *legacy_dir; /* "": none */
    int64_t legacy_write_delay_ms;
    /* Whose legacy files are kept: a number for each feed (CACHE_FEED_COUNT), odd: they are. It grows by one whenever
     * that is switched, at any time; outbox_consumer_wake tells it at once, else readers find out within a second.
     * NULL: none ever. */
    const atomic_uint *dual_write;
};

/* Which readers the options ask for. */
bool outbox_reader_wanted(const struct outbox_options *options, enum outbox_reader reader);

/* What a reader works with; the loop opens and closes it. */
struct outbox_hands {
    const struct outbox_options *options;
    enum outbox_reader reader;
    struct session *session;
    struct redisContext *link; /* NULL: not connected */
    int64_t position;          /* all rows up to here are applied */
    int64_t pruned;            /* the highest id that was deleted when leadership began */
};

/* Connects to Redis unless it is connected. */
bool outbox_connect_redis(struct outbox_hands *hands, struct err *err) MUST_CHECK;

/* The failure is of what is stored, and will be met again; else of a server or a disk, which passes. */
bool outbox_is_of_content(const struct err *err);

/* A reader. Its calls return false with *err: the connections are then made anew and everything that was not advanced
 * past is applied again. So each must be such that doing it twice does no harm. */
struct outbox_work {
    bool on_redis; /* does nothing without it: the loop connects before any call */

    void *(*start)(const struct outbox_options *options, enum outbox_reader reader);
    void (*stop)(void *work);

    /* This session leads now, or the connection to Redis is a new one. May be NULL. */
    bool (*begin)(void *work, struct outbox_hands *hands, struct err *err);
    /* Applies the rows (those for others are among them, without items), or notes what to do later. */
    bool (*apply)(void *work, struct outbox_hands *hands, const struct outbox_batch *batch, struct err *err);

    /* For those that gather first; NULL for the others. When what was noted is to be done, clock_mono_ms; -1: nothing
     * was noted. */
    int64_t (*due_ms)(const void *work);
    bool (*settle)(void *work, struct outbox_hands *hands, struct err *err);
    void (*forget)(void *work); /* what was noted: its rows will come again */
    bool settles_at_stop;       /* does what was noted before it ends */

    /* About once a second while it leads. May be NULL. */
    bool (*idle)(void *work, struct outbox_hands *hands, struct err *err);
};

extern const struct outbox_work outbox_work_live;
extern const struct outbox_work outbox_work_redis;
extern const struct outbox_work outbox_work_views;
extern const struct outbox_work outbox_work_legacy;

#endif
