/* A Redis connection for programs that may wait: nof0ctl. nof0d's loops use cache/redis.h. */
#ifndef NOF0_CACHE_REDIS_BLOCKING_H
#define NOF0_CACHE_REDIS_BLOCKING_H

#include "base/err.h"

#include <stdint.h>

struct redisContext; /* hiredis/hiredis.h */
struct redisReply;

/* Connects, logs in and selects the database, each step within its timeout. NULL with ERR_INVALID for a bad URL
 * (cache/redis_url.h), ERR_UNAVAILABLE otherwise; the text never holds the password. The caller frees with redisFree.
 */
struct redisContext *redis_blocking_connect(const char *url, int64_t connect_timeout_ms, int64_t command_timeout_ms,
                                            struct err *err);

/* The next reply of what was appended, which the caller frees with freeReplyObject; NULL with ERR_UNAVAILABLE or
 * ERR_TIMEOUT when the connection failed, or as redis_blocking_refused says when Redis answered with an error. */
struct redisReply *redis_blocking_reply(struct redisContext *link, struct err *err);

/* Fills *err from an error reply: ERR_UNAVAILABLE when it speaks of the server's state, which passes (it loads, is
 * full, is a replica, ...), else ERR_INTERNAL. Returns false. */
bool redis_blocking_refused(const struct redisReply *reply, struct err *err);

#endif
