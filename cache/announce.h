/* Telling every instance that a feed changed. A writer does so after its commit, with the version of a snapshot that it
 * took after the commit: what has at least this version has the commit for certain.
 *
 * In one script Redis raises the feed's version, deletes the feed's documents that are older, and publishes
 * "<feed> <version>". A writer whose announcement fails has written all the same: then TTLs are what is left. */
#ifndef NOF0_CACHE_ANNOUNCE_H
#define NOF0_CACHE_ANNOUNCE_H

#include "cache/keys.h"
#include "cache/redis.h"

struct redisContext;

/* Ended: err is NULL, or says why Redis did not take it. Called exactly once, never from inside. */
typedef void cache_announced_fn(void *arg, const struct err *err);

/* From a loop; announced may be NULL. version is 0 or more. */
void cache_announce(struct redis_client *client, const struct cache_space *space, enum cache_feed feed, int64_t version,
                    cache_announced_fn *announced, void *arg);

/* From a program that may wait. */
bool cache_announce_blocking(struct redisContext *link, const struct cache_space *space, enum cache_feed feed,
                             int64_t version, struct err *err) MUST_CHECK;

#endif
