/* The stream of live events (cache_key_live_events): one entry for each change that dashboards may hear of. Its ids
 * rise and never come again for another entry, also when Redis lost the stream and it is filled anew.
 *
 * A reader follows the stream on a connection of its own, since XREAD holds one while it waits. It hands over each
 * entry once and in order: after a reconnect it goes on behind the last one that it has seen. Everything happens on one
 * loop.
 */
#ifndef NOF0_CACHE_LIVE_H
#define NOF0_CACHE_LIVE_H

#include "cache/keys.h"
#include "cache/redis.h"

struct cache_live_id {
    uint64_t row;
    uint64_t item;
};

enum { CACHE_LIVE_ID_SIZE = 42 };

/* "<row>-<item>", both decimal and below 2^64. */
bool cache_live_id_parse(struct slice text, struct cache_live_id *id);
/* The same way back, NUL-terminated; returns out. */
char *cache_live_id_format(char out[CACHE_LIVE_ID_SIZE], struct cache_live_id id);
/* Below 0, 0 or above 0, as a is before, the same as or behind b. */
int cache_live_id_compare(struct cache_live_id a, struct cache_live_id b);

struct cache_live_entry {
    struct cache_live_id id;
    struct slice topic;
    struct slice model; /* empty: concerns all */
    struct slice data;  /* one JSON text without line breaks */
};

struct cache_live;

struct cache_live_settings {
    struct event_base *base;
    const char *url; /* cache/redis_url.h; copied */
    int64_t connect_timeout_ms;
    int64_t command_timeout_ms; /* beyond the time that a read may wait for entries */
    struct cache_space space;
    /* Entries in order, at least one; they live until it returns. */
    void (*on_entries)(void *arg, const struct cache_live_entry *entries, size_t count);
    /* Once, before the first entries: where it begins is known (cache_live_position). May be NULL. */
    void (*on_known)(void *arg);
    void *arg;
};

/* NULL and ERR_INVALID for a bad URL. */
struct cache_live *cache_live_new(const struct cache_live_settings *settings, struct err *err);
/* Begins at the newest entry that the stream has then; an empty stream is read from its first entry on. */
void cache_live_start(struct cache_live *live);
/* Not from inside on_entries. NULL is fine. */
void cache_live_free(struct cache_live *live);

/* The last entry that was handed over (inside on_entries: is being), or where it began. False before the stream was
 * reached for the first time. */
bool cache_live_position(const struct cache_live *live, struct cache_live_id *id);
/* Entries that are not as they must be: passed over. */
uint64_t cache_live_strange(const struct cache_live *live);

/* What the stream has of a stretch, and how far it can be relied on: all of one instant. */
struct cache_live_page {
    bool has_oldest; /* the stream is not empty */
    struct cache_live_id oldest;
    struct cache_live_id newest; /* that the stream ever had since it was made, 0-0 before */
    bool whole;                  /* nothing was ever taken from it, as far as the server can tell */
    const struct cache_live_entry *entries;
    size_t count;
    bool ended;                   /* nothing follows up to the stretch's end */
    struct cache_live_id reached; /* up to here entries (and strange ones) were looked at */
};

/* page is NULL when Redis did not answer. It lives until the callback returns. */
typedef void cache_live_page_fn(void *arg, const struct cache_live_page *page);

/* Reads at most `most` entries behind `after`, up to and with `upto`, over any client. done is called exactly once,
 * never from inside this call (but may be from inside redis_client_free). */
void cache_live_read(struct redis_client *client, const struct cache_space *space, struct cache_live_id after,
                     struct cache_live_id upto, unsigned most, cache_live_page_fn *done, void *arg);

#endif
