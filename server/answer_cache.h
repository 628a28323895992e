/* The answers of one worker that come from Postgres, kept and shared. Who asks gets, in this order: what the worker
 * keeps in memory; what another request of the worker is just waiting for; what Redis keeps; what another process is
 * just making; and what is made here from rows.
 *
 * How old an answer may be:
 * - It is fresh for its feed's TTL (settings ttl.*), unless a change of the feed is announced before (cache/floors.h).
 * - For one more TTL it is served at once while one rebuild runs in the background. Never after an announced change.
 * - When the rows cannot be read, the last answer serves for cache.stale_if_error_s after its TTL, and says so.
 * Nobody gets an answer that lacks a change which was announced, or served by this process under the same name, before
 * he asked; only the third rule breaks this.
 *
 * Everything happens on the worker's loop, but for the making of large answers. */
#ifndef NOF0_SERVER_ANSWER_CACHE_H
#define NOF0_SERVER_ANSWER_CACHE_H

#include "cache/documents.h"
#include "cache/single_flight.h"
#include "repo/reads.h"
#include "server/answer_name.h"
#include "server/document.h"
#include "server/endpoints.h"
#include "server/offload.h"
#include "server/served.h"

/* What the workers of a process share. */
struct answer_shared {
    struct cache_floors floors;
    struct served served;
    atomic_uint_least64_t announcements; /* that raised a floor */
};
void answer_shared_init(struct answer_shared *shared);
void answer_shared_destroy(struct answer_shared *shared);

struct answer_cache_config {
    struct answer_shared *shared;
    struct cache_documents *documents; /* the worker's way to Redis */
    struct offload *offload;
    struct mailbox *mailbox;
    unsigned workers;         /* that share cache.local_bytes */
    int64_t (*mono_ms)(void); /* clock_mono_ms */
    int64_t (*wall_ms)(void); /* clock_wall_ms */
};

struct answer_cache;

/* Everything in the configuration must outlive the cache. */
struct answer_cache *answer_cache_new(const struct answer_cache_config *config);
/* No rebuild may be under way. NULL is fine. */
void answer_cache_free(struct answer_cache *cache);

/* From now on it goes by these settings (copied) and reads (NULL: no Postgres; must outlive what it has begun). `anew`:
 * the data may be others than before, so that nothing kept or under way may be kept. */
void answer_cache_apply(struct answer_cache *cache, const struct settings *settings, struct repo_reads *reads,
                        bool anew);

/* Whether answers of the endpoint are kept: the cache and the class of the TTL are switched on. */
bool answer_cache_keeps(const struct answer_cache *cache, const struct endpoint *endpoint);

/* Gives back what is kept in memory. */
void answer_cache_clear(struct answer_cache *cache);

/* Begins no rebuild any more, and calls done(arg) when none is under way: at once, or later. */
void answer_cache_end(struct answer_cache *cache, void (*done)(void *arg), void *arg);

struct answer_told {
    struct document *document; /* borrowed; NULL: see err */
    const struct err *err;
    int64_t fresh_until_ms; /* mono; until then it may be served again without asking, while the feed's floor is not
                               above its version and announcements are not lost; 0: it may not */
    int64_t version;
    const _Atomic int64_t *floor; /* of its feed */
    bool despite_error;           /* old, because a new one cannot be made */
    int64_t age_s;                /* since it was made */
};

/* Someone who asks; lives in his own memory until told. Fill told and arg. */
struct answer_ask {
    /* Once, maybe from inside answer_cache_ask. */
    void (*told)(void *arg, const struct answer_told *told);
    void *arg;
    /* the cache's own */
    struct answer_cache *cache;
    struct single_flight_waiter waiter;
    const struct endpoint *endpoint;
    const struct read_query *query;
    struct answer_name name;
    int64_t floor; /* when he asked */
    unsigned tries;
};

/* Asks. `query` and its slices, and the arena, must live until told. */
void answer_cache_ask(struct answer_cache *cache, struct answer_ask *ask, const struct endpoint *endpoint,
                      const struct read_query *query, struct arena *arena);

struct answer_counts {
    uint64_t hits;         /* answered from memory, fresh */
    uint64_t stale;        /* from memory or Redis, while a rebuild runs */
    uint64_t misses;       /* waited for an answer to be made or fetched */
    uint64_t stale_errors; /* an old one, because a new one could not be made */
    uint64_t joined;       /* of the misses: waited for somebody else's */
    uint64_t redis_hits;   /* rebuilds that were not necessary, since Redis had the answer */
    uint64_t rebuilds;     /* reads of Postgres */
    uint64_t unchanged;    /* of these, whose answer was the one in memory */
    uint64_t failures;     /* of these, without an answer */
    uint64_t evictions;    /* from memory, to make room */
    uint64_t entries;
    uint64_t bytes;
    struct cache_documents_counts redis;
};

void answer_cache_counts(const struct answer_cache *cache, struct answer_counts *counts);

#endif
