#include "cache/keys_scan.h"

#include "cache/redis_blocking.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

struct walk {
    struct redisContext *link;
    const struct cache_space *space;
    cache_fault_fn *tell;
    void *arg;
    struct cache_scan *scan;
};

const char *cache_fault_name(enum cache_fault fault)
{
    static const char *const names[] = {"unregistered", "type", "no-ttl", "ttl", "disabled"};
    return names[fault];
}

static void tell(const struct walk *walk, enum cache_fault fault, struct slice key, const char *what)
{
    walk->scan->faults++;
    walk->tell(walk->arg, fault, key, what);
}

static void judge(const struct walk *walk, struct slice text, const char *type, int64_t pttl)
{
    struct cache_key key;
    char what[160];
    if (!cache_key_parse(walk->space, text, &key, NULL)) {
        tell(walk, CACHE_FAULT_UNREGISTERED, text, "no row of the registry has this key");
        return;
    }
    const struct cache_key_row *row = &cache_key_rows[cache_key_id(&key)];
    if (strcmp(type, cache_type_name(row->type)) != 0) {
        (void)snprintf(what, sizeof what, "is a %s, %s should be a %s", type, row->name,
                       row->type == CACHE_TYPE_CHANNEL ? "channel, never a key" : cache_type_name(row->type));
        tell(walk, CACHE_FAULT_TYPE, text, what);
    }
    int64_t most = cache_key_ttl_ms(walk->space, &key);
    if (most < 0) {
        tell(walk, CACHE_FAULT_DISABLED, text, "its TTL class is disabled");
    } else if (most > 0 && pttl < 0) {
        (void)snprintf(what, sizeof what, "has no TTL, should have at most %lld s", (long long)most / 1000);
        tell(walk, CACHE_FAULT_NO_TTL, text, what);
    } else if (most > 0 && pttl > most) {
        (void)snprintf(what, sizeof what, "has a TTL of %lld ms, should have at most %lld s", (long long)pttl,
                       (long long)most / 1000);
        tell(walk, CACHE_FAULT_TTL, text, what);
    } else if (most == 0 && pttl >= 0) {
        (void)snprintf(what, sizeof what, "has a TTL of %lld ms, should have none", (long long)pttl);
        tell(walk, CACHE_FAULT_TTL, text, what);
    }
}

/* Type and TTL of one key, as asked for by ask(). */
static bool judge_next(const struct walk *walk, struct slice key, struct err *err)
{
    struct redisReply *type = redis_blocking_reply(walk->link, err);
    struct redisReply *pttl = type ? redis_blocking_reply(walk->link, err) : NULL;
    bool good = type && pttl;
    if (good && (type->type != REDIS_REPLY_STATUS || pttl->type != REDIS_REPLY_INTEGER))
        good = err_set(err, ERR_INTERNAL, "redis answered TYPE or PTTL in an unknown form");
    /* A key that is gone by now is nobody's fault. */
    if (good && strcmp(type->str, "none") != 0 && pttl->integer != -2) {
        walk->scan->keys++;
        judge(walk, key, type->str, pttl->integer);
    }
    if (type)
        freeReplyObject(type);
    if (pttl)
        freeReplyObject(pttl);
    return good;
}

static bool judge_all(const struct walk *walk, const struct redisReply *keys, struct err *err)
{
    for (size_t i = 0; i < keys->elements; i++) {
        const struct redisReply *key = keys->element[i];
        if (key->type != REDIS_REPLY_STRING)
            return err_set(err, ERR_INTERNAL, "redis answered SCAN in an unknown form");
        redisAppendCommand(walk->link, "TYPE %b", key->str, (size_t)key->len);
        redisAppendCommand(walk->link, "PTTL %b", key->str, (size_t)key->len);
    }
    for (size_t i = 0; i < keys->elements; i++)
        if (!judge_next(walk, (struct slice){keys->element[i]->str, (size_t)keys->element[i]->len}, err))
            return false;
    return true;
}

bool cache_keys_scan(struct redisContext *link, const struct cache_space *space, cache_fault_fn *tell_fn, void *arg,
                     struct cache_scan *scan, struct err *err)
{
    struct walk walk = {link, space, tell_fn, arg, scan};
    char cursor[32] = "0";
    char match[CACHE_PREFIX_MAX + 4];
    *scan = (struct cache_scan){.keys = 0};
    /* A prefix has no character that a pattern would take for more than itself. */
    (void)snprintf(match, sizeof match, "%s%s*", space->prefix, space->prefix_length ? ":" : "");
    do {
        redisAppendCommand(link, "SCAN %s MATCH %s COUNT 1000", cursor, match);
        struct redisReply *page = redis_blocking_reply(link, err);
        if (!page)
            return false;
        bool good = page->type == REDIS_REPLY_ARRAY && page->elements == 2 &&
                    page->element[0]->type == REDIS_REPLY_STRING && page->element[1]->type == REDIS_REPLY_ARRAY;
        if (good) {
            (void)snprintf(cursor, sizeof cursor, "%s", page->element[0]->str);
            good = judge_all(&walk, page->element[1], err);
        } else {
            err_set(err, ERR_INTERNAL, "redis answered SCAN in an unknown form");
        }
        freeReplyObject(page);
        if (!good)
            return false;
    } while (strcmp(cursor, "0") != 0);
    return true;
}
