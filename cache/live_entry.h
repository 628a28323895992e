/* How an entry of the live events stream looks in a reply of Redis. */
#ifndef NOF0_CACHE_LIVE_ENTRY_H
#define NOF0_CACHE_LIVE_ENTRY_H

#include "cache/live.h"

/* A text of a reply; p == NULL for anything else. */
struct slice live_text(const struct redisReply *reply);
/* Takes [id, [field, value, ...]]. *id is set when the first is an id. False when the rest is not as it must be. */
bool live_entry_take(const struct redisReply *reply, struct cache_live_entry *entry, bool *has_id);

#endif
