/* The registry for people and programs: `nof0ctl keys` and docs/redis-keys.md. */
#ifndef NOF0_CACHE_KEYS_PAGE_H
#define NOF0_CACHE_KEYS_PAGE_H

#include "base/buf.h"
#include "cache/keys.h"

/* A line for each row: pattern with its prefix, type, TTL in this space, value. */
void cache_keys_put_table(struct buf *out, const struct cache_space *space);

/* {"prefix": ..., "keys": [{name, pattern, type, parameters, ttl_class, ttl_factor, ttl_seconds, value, source, writer,
 * invalidated, eviction}]}. ttl_seconds is 0 for ever, -1 disabled, and null where it hangs on the feed. */
void cache_keys_put_json(struct buf *out, const struct cache_space *space);

/* The page docs/redis-keys.md, whole. */
void cache_keys_put_markdown(struct buf *out);

#endif
