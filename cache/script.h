/* Lua scripts that Redis runs atomically: named by their SHA-1, sent whole when Redis does not know them (any more). */
#ifndef NOF0_CACHE_SCRIPT_H
#define NOF0_CACHE_SCRIPT_H

#include "base/buf.h"
#include "cache/keys.h"
#include "cache/redis.h"

struct redisContext;

struct cache_script {
    const char *text; /* not owned; lives as long as the program */
    char sha[41];
};

struct cache_script cache_script_of(const char *text);

enum { CACHE_SCRIPT_KEYS = 4, CACHE_SCRIPT_ARGS = 12 };

/* What a script is called with. The keys must be good (cache_key_is_good). */
struct cache_script_call {
    const struct cache_key *keys[CACHE_SCRIPT_KEYS];
    unsigned key_count;
    struct slice args[CACHE_SCRIPT_ARGS];
    unsigned arg_count;
};

/* Runs the script; what `call` points to is copied. done as in redis_client_command: once, never from inside. client
 * may not be NULL. */
void cache_script_run(struct redis_client *client, const struct cache_script *script,
                      const struct cache_script_call *call, redis_done_fn *done, void *arg);

/* The same over a connection that may wait; the caller frees the reply with freeReplyObject. NULL with err. */
struct redisReply *cache_script_run_blocking(struct redisContext *link, const struct cache_script *script,
                                             const struct cache_script_call *call, struct err *err);

#endif
