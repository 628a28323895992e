#include "ingest/redis_walk.h"

#include "base/mem.h"
#include "base/num.h"
#include "cache/redis_blocking.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEASURED_PER_ROW = 300 };

static bool is_page(const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[0]->type != REDIS_REPLY_STRING ||
        reply->element[1]->type != REDIS_REPLY_ARRAY)
        return false;
    for (size_t i = 0; i < reply->element[1]->elements; i++)
        if (reply->element[1]->element[i]->type != REDIS_REPLY_STRING)
            return false;
    return true;
}

static bool take_page(const struct redisReply *names, const struct cache_space *space, const bool wanted[],
                      redis_page_fn *take, void *arg, struct err *err)
{
    if (names->elements == 0)
        return true;
    struct cache_key *keys = mem_calloc(names->elements, sizeof *keys);
    size_t count = 0;
    for (size_t i = 0; i < names->elements; i++) {
        struct slice text = {names->element[i]->str, names->element[i]->len};
        if (cache_key_parse(space, text, &keys[count], NULL) && wanted[cache_key_id(&keys[count])])
            count++;
    }
    bool good = count == 0 || take(arg, keys, count, err);
    free(keys);
    return good;
}

bool redis_walk(struct redisContext *link, const struct cache_space *space, const bool wanted[], redis_page_fn *take,
                void *arg, struct err *err)
{
    char cursor[32] = "0";
    char match[CACHE_PREFIX_MAX + 4];
    /* A prefix has no character that a pattern would take for more than itself. */
    (void)snprintf(match, sizeof match, "%s%s*", space->prefix, space->prefix_length ? ":" : "");
    do {
        redisAppendCommand(link, "SCAN %s MATCH %s COUNT 1000", cursor, match);
        struct redisReply *page = redis_blocking_reply(link, err);
        if (!page)
            return false;
        bool good = is_page(page) || err_set(err, ERR_INTERNAL, "redis answered SCAN in an unknown form");
        if (good) {
            (void)snprintf(cursor, sizeof cursor, "%s", page->element[0]->str);
            good = take_page(page->element[1], space, wanted, take, arg, err);
        }
        freeReplyObject(page);
        if (!good)
            return false;
    } while (strcmp(cursor, "0") != 0);
    return true;
}

/* The next reply, which must be an integer or, where `nil` is taken, nothing: -1. */
static bool next_integer(struct redisContext *link, bool nil, int64_t *value, struct err *err)
{
    struct redisReply *reply = redis_blocking_reply(link, err);
    if (!reply)
        return false;
    bool good = reply->type == REDIS_REPLY_INTEGER || (nil && reply->type == REDIS_REPLY_NIL);
    *value = reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1;
    freeReplyObject(reply);
    return good || err_set(err, ERR_INTERNAL, "redis answered in an unknown form");
}

struct drop {
    struct redisContext *link;
    uint64_t *dropped;
};

static bool drop_page(void *arg, const struct cache_key *keys, size_t count, struct err *err)
{
    const struct drop *drop = arg;
    for (size_t i = 0; i < count; i++) {
        struct slice text = cache_key_text(&keys[i]);
        redisAppendCommand(drop->link, "UNLINK %b", text.p, text.n);
    }
    for (size_t i = 0; i < count; i++) {
        int64_t was_there;
        if (!next_integer(drop->link, false, &was_there, err))
            return false;
        drop->dropped[cache_key_id(&keys[i])] += (uint64_t)was_there;
    }
    return true;
}

bool redis_drop(struct redisContext *link, const struct cache_space *space, const bool wanted[],
                uint64_t dropped[CACHE_KEY_COUNT], struct err *err)
{
    struct drop drop = {link, dropped};
    memset(dropped, 0, CACHE_KEY_COUNT * sizeof *dropped);
    return redis_walk(link, space, wanted, drop_page, &drop, err);
}

struct measure {
    struct redisContext *link;
    struct redis_stats *stats;
};

static void note_ttl(struct redis_stats_row *row, int64_t ttl_ms)
{
    if (ttl_ms < 0) {
        row->lasting++;
        return;
    }
    if (row->ttl_least_ms < 0 || ttl_ms < row->ttl_least_ms)
        row->ttl_least_ms = ttl_ms;
    if (ttl_ms > row->ttl_most_ms)
        row->ttl_most_ms = ttl_ms;
}

static bool measure_page(void *arg, const struct cache_key *keys, size_t count, struct err *err)
{
    const struct measure *measure = arg;
    bool *measured = mem_calloc(count, sizeof *measured);
    uint64_t planned[CACHE_KEY_COUNT];
    for (size_t i = 0; i < CACHE_KEY_COUNT; i++)
        planned[i] = measure->stats->rows[i].measured;
    for (size_t i = 0; i < count; i++) {
        struct slice text = cache_key_text(&keys[i]);
        redisAppendCommand(measure->link, "PTTL %b", text.p, text.n);
        measured[i] = planned[cache_key_id(&keys[i])]++ < MEASURED_PER_ROW;
        if (measured[i])
            redisAppendCommand(measure->link, "MEMORY USAGE %b", text.p, text.n);
    }
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        struct redis_stats_row *row = &measure->stats->rows[cache_key_id(&keys[i])];
        int64_t ttl_ms;
        int64_t bytes = -1;
        good = next_integer(measure->link, false, &ttl_ms, err) &&
               (!measured[i] || next_integer(measure->link, true, &bytes, err));
        if (!good || ttl_ms == -2) /* gone by now */
            continue;
        row->keys++;
        note_ttl(row, ttl_ms);
        if (bytes >= 0) {
            row->measured++;
            row->bytes += (uint64_t)bytes;
        }
    }
    free(measured);
    return good;
}

/* "name:digits" on a line of its own in INFO's text; 0 where there is none. */
static uint64_t info_number(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = strstr(text, name); at; at = strstr(at + 1, name))
        if ((at == text || at[-1] == '\n') && at[length] == ':')
            return strtoull(at + length + 1, NULL, 10);
    return 0;
}

bool redis_stats_read(struct redisContext *link, const struct cache_space *space, const bool wanted[],
                      struct redis_stats *stats, struct err *err)
{
    struct measure measure = {link, stats};
    memset(stats, 0, sizeof *stats);
    for (size_t i = 0; i < CACHE_KEY_COUNT; i++)
        stats->rows[i].ttl_least_ms = stats->rows[i].ttl_most_ms = -1;
    redisAppendCommand(link, "INFO");
    struct redisReply *info = redis_blocking_reply(link, err);
    if (!info)
        return false;
    if (info->type == REDIS_REPLY_STRING) {
        stats->hits = info_number(info->str, "keyspace_hits");
        stats->misses = info_number(info->str, "keyspace_misses");
        stats->used_memory = info_number(info->str, "used_memory");
        stats->evicted = info_number(info->str, "evicted_keys");
        stats->expired = info_number(info->str, "expired_keys");
    }
    freeReplyObject(info);
    return redis_walk(link, space, wanted, measure_page, &measure, err);
}

uint64_t redis_stats_bytes(const struct redis_stats_row *row)
{
    if (row->measured == 0)
        return 0;
    return (uint64_t)((double)row->bytes * (double)row->keys / (double)row->measured);
}
