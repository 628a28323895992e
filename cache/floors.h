/* What the workers of one process know together about how old an answer may be. Every load and store is atomic; no
 * lock. Workers read it per request and seldom write. */
#ifndef NOF0_CACHE_FLOORS_H
#define NOF0_CACHE_FLOORS_H

#include "cache/keys.h"

#include <stdatomic.h>

struct cache_floors {
    /* Per feed the newest version that was announced or served here. Nothing older may be served as current. */
    _Atomic int64_t floor[CACHE_FEED_COUNT];
    /* Counts the losses of the invalidation connection; what was kept before the newest loss is no longer current. */
    _Atomic uint64_t losses;
    /* Whether announcements arrive. While they do not, documents are current for CACHE_LEASH_MS at most. */
    _Atomic bool connected;
};

enum { CACHE_LEASH_MS = 1000 };

/* Starts unconnected. */
static inline void cache_floors_init(struct cache_floors *floors)
{
    for (unsigned i = 0; i < CACHE_FEED_COUNT; i++)
        atomic_init(&floors->floor[i], 0);
    atomic_init(&floors->losses, 0);
    atomic_init(&floors->connected, false);
}

static inline int64_t cache_floor(const struct cache_floors *floors, enum cache_feed feed)
{
    return atomic_load_explicit(&floors->floor[feed], memory_order_acquire);
}

/* True when the version was news. A floor never falls. */
static inline bool cache_floor_raise(struct cache_floors *floors, enum cache_feed feed, int64_t version)
{
    int64_t old = cache_floor(floors, feed);
    while (version > old)
        if (atomic_compare_exchange_weak_explicit(&floors->floor[feed], &old, version, memory_order_acq_rel,
                                                  memory_order_acquire))
            return true;
    return false;
}

/* The invalidation connection went: whatever is kept is no longer current, at once and in every worker. */
static inline void cache_floors_lost(struct cache_floors *floors)
{
    atomic_store(&floors->connected, false);
    atomic_fetch_add(&floors->losses, 1);
}

/* It is there, and the floors are up to date. */
static inline void cache_floors_back(struct cache_floors *floors)
{
    atomic_store(&floors->connected, true);
}

#endif
