/* The documents that one worker keeps in its memory: bounded by bytes, for one thread, so without a lock. A document
 * is any counted object.
 *
 * Who leaves when room is needed: SIEVE (Zhang et al., NSDI 2024). Entries stand in the order in which they came; a
 * hit only marks its entry, and a hand that walks from the oldest to the newest takes the first one unmarked. A run of
 * keys that are asked for once therefore does not push out what is asked for all the time.
 *
 * How old an entry may be is judged at each get: it is current while its version is not below the floor of its feed,
 * the invalidation connection was not lost since it came (cache/floors.h), and its time has not passed. */
#ifndef NOF0_CACHE_LOCAL_H
#define NOF0_CACHE_LOCAL_H

#include "cache/floors.h"

struct cache_local;

struct cache_local_settings {
    size_t max_bytes;              /* documents and what the cache itself needs for them */
    void *(*ref)(void *document);  /* takes a reference */
    void (*unref)(void *document); /* gives one back */
    struct cache_floors *floors;   /* shared by all workers; outlives the cache */
};

/* Times are clock_mono_ms. fresh_until <= stale_until <= error_until. */
struct cache_entry {
    void *document; /* counted */
    size_t bytes;   /* what the document takes */
    enum cache_feed feed;
    int64_t version;
    uint64_t losses; /* of the floors, when the read that made it began: a change may have been missed since */
    int64_t fresh_until_ms;
    int64_t stale_until_ms; /* may be served while one rebuild runs */
    int64_t error_until_ms; /* may be served when it cannot be rebuilt */
};

enum cache_judgement {
    CACHE_FRESH,   /* serve it */
    CACHE_STALE,   /* its time is over, the data did not change: serve it and rebuild */
    CACHE_DOUBTED, /* old, or nobody knows: serve it only when a rebuild failed */
    CACHE_MISS,    /* nothing here */
};

struct cache_local_counts {
    uint64_t hits;   /* FRESH */
    uint64_t stale;  /* STALE */
    uint64_t misses; /* DOUBTED and MISS */
    uint64_t stored;
    uint64_t refused;   /* larger than the cache, below the floor, or older than what is here */
    uint64_t evictions; /* to make room */
    uint64_t dropped;   /* by cache_local_drop_feed and cache_local_clear */
    size_t entries;
    size_t bytes;
};

struct cache_local *cache_local_new(const struct cache_local_settings *settings);
/* Gives back every reference. */
void cache_local_free(struct cache_local *local);

/* Finds what is kept under the name (any bytes) and judges it. Unless MISS, *entry is filled; its document is borrowed
 * until the next call of put, drop, clear, resize or free: take a reference to keep it longer. */
enum cache_judgement cache_local_get(struct cache_local *local, struct slice name, int64_t now_ms,
                                     struct cache_entry *entry);

/* Keeps the document under the name, in place of an older one, with a reference of its own. False when it was refused:
 * it is larger than the cache, its version is below the floor or below that of the entry that is here, or its time has
 * passed already. While the invalidation connection is away, it is fresh for CACHE_LEASH_MS at most, and never STALE
 * after that. */
bool cache_local_put(struct cache_local *local, struct slice name, int64_t now_ms, const struct cache_entry *entry);

/* Takes the feed's entries out, all of them or those whose version is below `below` (INT64_MAX: all). Floors make old
 * entries harmless without this; it gives their memory back. */
void cache_local_drop_feed(struct cache_local *local, enum cache_feed feed, int64_t below);
void cache_local_clear(struct cache_local *local);

/* A new bound; entries leave until it holds. */
void cache_local_resize(struct cache_local *local, size_t max_bytes);

void cache_local_counts(const struct cache_local *local, struct cache_local_counts *counts);

#endif
