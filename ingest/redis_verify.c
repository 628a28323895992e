#include "ingest/redis_verify.h"

#include "base/arena.h"
#include "base/json_read.h"
#include "base/mem.h"
#include "base/num.h"
#include "cache/redis_blocking.h"
#include "ingest/redis_json.h"
#include "ingest/redis_walk.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOLD_PER_NAME = 10 };

struct redis_verify {
    struct redisContext *link;
    const struct cache_space *space;
    redis_difference_fn *tell;
    void *arg;
    struct redis_verify_counts counts;
    struct arena *arena; /* the names that had a value */
    struct slice *names;
    size_t name_count;
    size_t name_room;
    bool sorted;
    /* The name under way. */
    const struct cache_key *key;
    uint64_t found; /* differences of it */
};

struct redis_verify *redis_verify_new(struct redisContext *link, const struct cache_space *space,
                                      redis_difference_fn *tell, void *arg)
{
    struct redis_verify *verify = mem_zalloc(sizeof *verify);
    verify->link = link;
    verify->space = space;
    verify->tell = tell;
    verify->arg = arg;
    verify->arena = arena_new(0);
    return verify;
}

void redis_verify_free(struct redis_verify *verify)
{
    if (!verify)
        return;
    arena_free(verify->arena);
    free(verify->names);
    free(verify);
}

struct redis_verify_counts redis_verify_counts(const struct redis_verify *verify)
{
    return verify->counts;
}

static void differ(struct redis_verify *verify, struct slice where, const char *what)
{
    verify->found++;
    if (verify->found > TOLD_PER_NAME)
        return;
    verify->counts.differences++;
    verify->tell(verify->arg, verify->key, where, what);
}

static void differ_more(struct redis_verify *verify)
{
    char what[64];
    if (verify->found <= TOLD_PER_NAME)
        return;
    (void)snprintf(what, sizeof what, "and %llu differences more", (unsigned long long)verify->found - TOLD_PER_NAME);
    verify->counts.differences++;
    verify->tell(verify->arg, verify->key, (struct slice){"", 0}, what);
}

/* A text of Redis against one of Postgres. */
static void compare_text(struct redis_verify *verify, struct slice where, struct slice expected, struct slice held)
{
    char what[400];
    if (slice_equal(expected, held))
        return;
    /* A trader's fields are texts, everything else is JSON. */
    if (cache_key_id(verify->key) == CACHE_KEY_trader_state)
        (void)snprintf(what, sizeof what, "is \"%.*s\", should be \"%.*s\"", (int)(held.n < 100 ? held.n : 100), held.p,
                       (int)(expected.n < 100 ? expected.n : 100), expected.p);
    else if (redis_json_same(expected, held, what, sizeof what))
        return;
    differ(verify, where, what);
}

static void compare_string(struct redis_verify *verify, const struct redis_value *value, const struct redisReply *held)
{
    compare_text(verify, (struct slice){"", 0}, redis_item_text(value, 0), (struct slice){held->str, held->len});
}

static void compare_list(struct redis_verify *verify, const struct redis_value *value, const struct redisReply *held)
{
    char where[32];
    char what[96];
    if (held->elements != value->count) {
        (void)snprintf(what, sizeof what, "has %zu elements, should have %zu", held->elements, value->count);
        differ(verify, (struct slice){"", 0}, what);
    }
    for (size_t i = 0; i < value->count && i < held->elements; i++) {
        const struct redisReply *element = held->element[i];
        (void)snprintf(where, sizeof where, "[%zu]", i);
        compare_text(verify, slice_of(where), redis_item_text(value, i), (struct slice){element->str, element->len});
    }
}

/* Index of the item with the field, or value->count. `next` is where it is looked for first: both sides mostly have one
 * order. */
static size_t find_field(const struct redis_value *value, struct slice field, size_t next)
{
    for (size_t step = 0; step < value->count; step++) {
        size_t i = (next + step) % value->count;
        if (slice_equal(redis_item_field(value, i), field))
            return i;
    }
    return value->count;
}

static void compare_score(struct redis_verify *verify, struct slice member, double expected, struct slice held)
{
    char what[128];
    char text[NUM_TEXT_SIZE + 1];
    double score = 0;
    /* Redis spells scores with 17 digits, and 0 without a sign. */
    if (num_parse_double(held, &score) && score == expected)
        return;
    text[num_format_double(text, expected)] = '\0';
    (void)snprintf(what, sizeof what, "has score %.*s, should have %s", (int)(held.n < 40 ? held.n : 40), held.p, text);
    differ(verify, member, what);
}

/* A hash, or a sorted set with its scores: pairs. */
static void compare_pairs(struct redis_verify *verify, const struct redis_value *value, const struct redisReply *held)
{
    bool scores = redis_value_type(value) == CACHE_TYPE_ZSET;
    bool *seen = mem_calloc(value->count, sizeof *seen);
    for (size_t i = 0; i + 1 < held->elements; i += 2) {
        struct slice field = {held->element[i]->str, held->element[i]->len};
        struct slice text = {held->element[i + 1]->str, held->element[i + 1]->len};
        size_t at = find_field(value, field, i / 2);
        if (at == value->count) {
            differ(verify, field, "should not be there");
            continue;
        }
        seen[at] = true;
        if (scores)
            compare_score(verify, field, value->items[at].score, text);
        else
            compare_text(verify, field, redis_item_text(value, at), text);
    }
    for (size_t i = 0; i < value->count; i++)
        if (!seen[i])
            differ(verify, redis_item_field(value, i), "is missing");
    free(seen);
}

static struct redisReply *ask(struct redis_verify *verify, const char *format, struct err *err)
{
    struct slice text = cache_key_text(verify->key);
    redisAppendCommand(verify->link, format, text.p, text.n);
    return redis_blocking_reply(verify->link, err);
}

/* What the name is now: "string", ..., "none". */
static bool ask_type(struct redis_verify *verify, char type[32], struct err *err)
{
    struct redisReply *reply = ask(verify, "TYPE %b", err);
    if (!reply)
        return false;
    bool good = reply->type == REDIS_REPLY_STATUS;
    (void)snprintf(type, 32, "%s", good ? reply->str : "");
    freeReplyObject(reply);
    return good || err_set(err, ERR_INTERNAL, "redis answered TYPE in an unknown form");
}

static void remember(struct redis_verify *verify, struct slice name)
{
    if (verify->name_count == verify->name_room) {
        verify->name_room = verify->name_room ? verify->name_room * 2 : 256;
        verify->names = mem_realloc(verify->names, verify->name_room * sizeof *verify->names);
    }
    verify->names[verify->name_count++] = arena_copy(verify->arena, name);
    verify->sorted = false;
}

static bool is_nested_text(const struct redisReply *reply)
{
    for (size_t i = 0; i < reply->elements; i++)
        if (reply->element[i]->type != REDIS_REPLY_STRING)
            return false;
    return true;
}

/* Reads the value and compares. *gone: its TTL passed in between. */
static bool compare(struct redis_verify *verify, const struct redis_value *value, bool *gone, struct err *err)
{
    static const struct {
        const char *command;
        void (*compare)(struct redis_verify *, const struct redis_value *, const struct redisReply *);
    } readers[] = {
        [CACHE_TYPE_STRING] = {"GET %b", compare_string},
        [CACHE_TYPE_HASH] = {"HGETALL %b", compare_pairs},
        [CACHE_TYPE_LIST] = {"LRANGE %b 0 -1", compare_list},
        [CACHE_TYPE_ZSET] = {"ZRANGE %b 0 -1 WITHSCORES", compare_pairs},
    };
    enum cache_type type = redis_value_type(value);
    struct redisReply *held = ask(verify, readers[type].command, err);
    if (!held)
        return false;
    bool is_array = held->type == REDIS_REPLY_ARRAY;
    bool good = type == CACHE_TYPE_STRING ? held->type == REDIS_REPLY_STRING || held->type == REDIS_REPLY_NIL
                                          : is_array && is_nested_text(held);
    *gone = held->type == REDIS_REPLY_NIL || (is_array && held->elements == 0);
    if (good && !*gone)
        readers[type].compare(verify, value, held);
    freeReplyObject(held);
    return good || err_set(err, ERR_INTERNAL, "redis answered in an unknown form");
}

bool redis_verify_take(void *arg, const struct redis_value *value, struct err *err)
{
    struct redis_verify *verify = arg;
    char type[32];
    char what[96];
    bool gone = true;
    verify->key = &value->key;
    verify->found = 0;
    verify->counts.values++;
    remember(verify, cache_key_text(&value->key));
    if (!ask_type(verify, type, err))
        return false;
    const char *expected = cache_type_name(redis_value_type(value));
    if (strcmp(type, "none") == 0) {
        verify->counts.missing++;
        return true;
    }
    if (strcmp(type, expected) != 0) {
        (void)snprintf(what, sizeof what, "is a %s, should be a %s", type, expected);
        differ(verify, (struct slice){"", 0}, what);
        gone = false;
    } else if (!compare(verify, value, &gone, err)) {
        return false;
    }
    differ_more(verify);
    verify->counts.missing += gone;
    verify->counts.different += !gone && verify->found;
    verify->counts.same += !gone && !verify->found;
    return true;
}

static int order(const void *a, const void *b)
{
    return slice_compare(*(const struct slice *)a, *(const struct slice *)b);
}

static bool extra_page(void *arg, const struct cache_key *keys, size_t count, struct err *err)
{
    struct redis_verify *verify = arg;
    (void)err;
    if (!verify->sorted && verify->name_count)
        qsort(verify->names, verify->name_count, sizeof *verify->names, order);
    verify->sorted = true;
    for (size_t i = 0; i < count; i++) {
        struct slice name = cache_key_text(&keys[i]);
        if (verify->name_count && bsearch(&name, verify->names, verify->name_count, sizeof *verify->names, order))
            continue;
        verify->key = &keys[i];
        verify->found = 0;
        verify->counts.extra++;
        differ(verify, (struct slice){"", 0}, "is in Redis, and Postgres has nothing for it");
    }
    return true;
}

bool redis_verify_extra(struct redis_verify *verify, const bool wanted[], struct err *err)
{
    return redis_walk(verify->link, verify->space, wanted, extra_page, verify, err);
}
