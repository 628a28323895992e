/* Documents in Redis, for one worker's loop: what another process built need not be built again, and what one process
 * is building the others wait for.
 *
 * A document is kept under its feed and a name that says endpoint and parameters ("trades", "analytics/gpt-5"). Redis
 * itself sees to it, in scripts, that no document below the announced version of its feed is stored and that an older
 * one never takes a newer one's place. Every loss is harmless: without Redis each call ends as a miss. */
#ifndef NOF0_CACHE_DOCUMENTS_H
#define NOF0_CACHE_DOCUMENTS_H

#include "cache/document_value.h"
#include "cache/local.h"
#include "cache/redis.h"

struct cache_documents;

struct cache_documents_settings {
    struct event_base *base;
    struct redis_client *client; /* NULL: no Redis */
    struct cache_space space;
    struct cache_floors *floors; /* raised by every feed version that Redis tells */
};

/* What Redis has. */
struct cache_found {
    enum cache_judgement judgement;
    struct document_value value; /* unless MISS; its slices live until the callback returns */
    int64_t fresh_left_ms;       /* over 0 when FRESH */
    int64_t stale_left_ms;       /* until Redis forgets it */
    bool reached;                /* Redis answered */
};

typedef void cache_found_fn(void *arg, const struct cache_found *found);

/* Proof that this process rebuilds a document. */
struct cache_token {
    char text[33]; /* empty: none */
};

enum cache_claim {
    CACHE_CLAIM_FOUND, /* it is there and FRESH: use it */
    CACHE_CLAIM_BUILD, /* build it; then put or release with the token, also an empty one */
    CACHE_CLAIM_BUSY,  /* another process builds it, and the caller did not want to wait */
};

typedef void cache_claim_fn(void *arg, enum cache_claim claim, const struct cache_found *found,
                            const struct cache_token *token);

enum cache_stored {
    CACHE_STORED,
    CACHE_STORED_NEWER, /* refused: the feed's announced version or the stored document is newer */
    CACHE_STORED_FULL,  /* refused: the feed has too many documents */
    CACHE_STORED_NOT,   /* Redis is away, or the class is disabled, or the name too long */
};

typedef void cache_stored_fn(void *arg, enum cache_stored stored);

struct cache_documents_counts {
    uint64_t fresh;
    uint64_t stale;
    uint64_t doubted;
    uint64_t misses;  /* Redis answered that it has none */
    uint64_t errors;  /* Redis did not answer */
    uint64_t damaged; /* of the misses: there was a value, and it was thrown away */
    uint64_t stored;
    uint64_t refused;
    uint64_t claims;    /* rebuild locks taken */
    uint64_t waits;     /* for another process's rebuild */
    uint64_t overtimes; /* waits that ended with building anyway */
};

enum { CACHE_FEED_DOCUMENTS_MAX = 4096 };

struct cache_documents *cache_documents_new(const struct cache_documents_settings *settings);
/* Gets and claims under way end inside this call, as if Redis were away. Before or after the client's end. */
void cache_documents_free(struct cache_documents *documents);

/* Goes over to another connection (NULL: none), or to other lifetimes or another prefix. */
void cache_documents_set_client(struct cache_documents *documents, struct redis_client *client);
void cache_documents_set_space(struct cache_documents *documents, const struct cache_space *space);

/* Looks the document up in one round trip. `found` is called exactly once, never from inside. */
void cache_documents_get(struct cache_documents *documents, enum cache_feed feed, struct slice name,
                         cache_found_fn *found, void *arg);

/* Asks for the right to rebuild the document. When another process has it, looks again every few milliseconds until
 * the document is there, the other gives up, or wait_ms are over, and then says BUILD, without a token; with wait_ms 0
 * says BUSY at once. Called exactly once, never from inside. Without Redis: BUILD. */
void cache_documents_claim(struct cache_documents *documents, enum cache_feed feed, struct slice name, int64_t wait_ms,
                           cache_claim_fn *claimed, void *arg);

/* Stores the document, fresh for fresh_ms and then kept for value->stale_ms, but both together no longer than the
 * registry's TTL, and gives the token back (NULL: none). stored may be NULL; it is called once, from inside when
 * nothing could be sent. */
void cache_documents_put(struct cache_documents *documents, enum cache_feed feed, struct slice name, int64_t fresh_ms,
                         const struct document_value *value, const struct cache_token *token, cache_stored_fn *stored,
                         void *arg);

/* Gives the token back after a rebuild that failed. */
void cache_documents_release(struct cache_documents *documents, enum cache_feed feed, struct slice name,
                             const struct cache_token *token);

void cache_documents_counts(const struct cache_documents *documents, struct cache_documents_counts *counts);

#endif
