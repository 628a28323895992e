/* Hears what other instances announce (cache/announce.h) and keeps the floors of this process up to date. One for a
 * process, on one of its loops, with a connection of its own.
 *
 * When the connection goes, what the workers keep is no longer current, at once (cache_floors_lost). It counts as back
 * only when the subscription stands and the feeds' versions have been read since: between two such instants nothing
 * that Redis was told can have been missed. A server that hangs is noticed by a question every second. */
#ifndef NOF0_CACHE_INVALIDATION_H
#define NOF0_CACHE_INVALIDATION_H

#include "cache/floors.h"
#include "cache/redis.h"

struct cache_invalidation;

struct cache_invalidation_settings {
    struct event_base *base;
    const char *url; /* cache/redis_url.h; copied */
    int64_t connect_timeout_ms;
    int64_t command_timeout_ms;
    int64_t ask_every_ms; /* 0: 1000 */
    struct cache_space space;
    struct cache_floors *floors;
    /* All may be NULL. A feed's floor has just been raised; the connection went; it is back. */
    void (*on_changed)(void *arg, enum cache_feed feed, int64_t version);
    void (*on_lost)(void *arg, const struct err *why);
    void (*on_back)(void *arg);
    void *arg;
};

struct cache_invalidation_counts {
    bool back;         /* announcements arrive */
    uint64_t messages; /* understood */
    uint64_t strange;  /* not understood: ignored */
    uint64_t losses;
};

/* NULL and ERR_INVALID for a bad URL. */
struct cache_invalidation *cache_invalidation_new(const struct cache_invalidation_settings *settings, struct err *err);
void cache_invalidation_start(struct cache_invalidation *invalidation);
/* Not from inside a callback. The floors are then as after a loss. */
void cache_invalidation_free(struct cache_invalidation *invalidation);

void cache_invalidation_counts(const struct cache_invalidation *invalidation, struct cache_invalidation_counts *counts);

#endif
