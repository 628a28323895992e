/* Values into Redis: which commands a value takes, and a writer that sends them in batches. */
#ifndef NOF0_INGEST_REDIS_PUT_H
#define NOF0_INGEST_REDIS_PUT_H

#include "ingest/redis_value.h"

struct redisContext;

/* Appends the commands (RESP, as they go over the wire) that make the value's name hold exactly the value for ttl_ms
 * (0: for ever), and returns how many replies they will have. A string is one SET; anything else is deleted and filled
 * inside MULTI ... EXEC, so that no reader ever sees half of it, a long one in several commands. No items: UNLINK. */
size_t redis_put_commands(struct buf *out, const struct redis_value *value, int64_t ttl_ms);

struct redis_put {
    struct redisContext *link;
    const struct cache_space *space; /* the TTLs */
    uint64_t written[CACHE_KEY_COUNT];
    uint64_t disabled; /* values that were left out: the TTL class of their row is disabled */
    uint64_t bytes;    /* sent */
    /* Under way. */
    struct buf commands;
    size_t replies;
};

/* Start with .link and .space set, everything else zero. */

/* Takes a value as redis_value_fn does (arg: the struct redis_put); sends when enough has gathered. */
bool redis_put_take(void *arg, const struct redis_value *value, struct err *err) MUST_CHECK;

/* Sends the rest. False with err when Redis failed or refused something. */
bool redis_put_flush(struct redis_put *put, struct err *err) MUST_CHECK;

void redis_put_free(struct redis_put *put);

#endif
