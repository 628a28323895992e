/* All registered names of a running Redis: SCAN, so Redis goes on working, and a name may be shown twice. */
#ifndef NOF0_INGEST_REDIS_WALK_H
#define NOF0_INGEST_REDIS_WALK_H

#include "base/err.h"
#include "cache/keys.h"

struct redisContext;

/* Told of the registered names of one page of SCAN. Returns false to stop, with *err filled. */
typedef bool redis_page_fn(void *arg, const struct cache_key *keys, size_t count, struct err *err);

/* wanted: CACHE_KEY_COUNT flags, which rows. Names that are not the registry's are passed over. */
bool redis_walk(struct redisContext *link, const struct cache_space *space, const bool wanted[], redis_page_fn *take,
                void *arg, struct err *err) MUST_CHECK;

/* Unlinks every name of the wanted rows and counts what was there. */
bool redis_drop(struct redisContext *link, const struct cache_space *space, const bool wanted[],
                uint64_t dropped[CACHE_KEY_COUNT], struct err *err) MUST_CHECK;

struct redis_stats_row {
    uint64_t keys;
    uint64_t measured;    /* by MEMORY USAGE: the first few hundred of a row, in SCAN's order, which is by hash */
    uint64_t bytes;       /* of those */
    uint64_t lasting;     /* names without a TTL */
    int64_t ttl_least_ms; /* of those with one; -1 where there is none */
    int64_t ttl_most_ms;
};

struct redis_stats {
    struct redis_stats_row rows[CACHE_KEY_COUNT];
    uint64_t hits; /* of the whole server, since it started or since CONFIG RESETSTAT */
    uint64_t misses;
    uint64_t used_memory; /* bytes, of the whole server */
    uint64_t evicted;
    uint64_t expired;
};

bool redis_stats_read(struct redisContext *link, const struct cache_space *space, const bool wanted[],
                      struct redis_stats *stats, struct err *err) MUST_CHECK;

/* What all keys of a row take, as far as the measured ones tell. */
uint64_t redis_stats_bytes(const struct redis_stats_row *row);

#endif
