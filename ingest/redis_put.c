#include "ingest/redis_put.h"

#include "base/num.h"
#include "cache/redis_blocking.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <string.h>

/* A command of a long value takes so many items or bytes; so many bytes of commands are sent at once. */
enum { ITEMS_PER_COMMAND = 512, BYTES_PER_COMMAND = 1 << 18, BYTES_PER_BATCH = 1 << 20 };

static void put_count(struct buf *out, char mark, size_t count)
{
    buf_append_char(out, mark);
    out->len += num_format_i64(buf_reserve(out, NUM_TEXT_SIZE), (int64_t)count);
    buf_append_str(out, "\r\n");
}

static void put_word(struct buf *out, struct slice word)
{
    put_count(out, '$', word.n);
    buf_append_slice(out, word);
    buf_append_str(out, "\r\n");
}

static void put_score(struct buf *out, double score)
{
    char text[NUM_TEXT_SIZE];
    put_word(out, (struct slice){text, num_format_double(text, score)});
}

static void put_i64(struct buf *out, int64_t number)
{
    char text[NUM_TEXT_SIZE];
    put_word(out, (struct slice){text, num_format_i64(text, number)});
}

static void put_unlink(struct buf *out, struct slice key)
{
    put_count(out, '*', 2);
    put_word(out, SLICE("UNLINK"));
    put_word(out, key);
}

/* How many items from `first` on go into one command. */
static size_t chunk(const struct redis_value *value, size_t first)
{
    size_t bytes = 0;
    size_t end = first;
    while (end < value->count && end - first < ITEMS_PER_COMMAND && bytes < BYTES_PER_COMMAND) {
        bytes += value->items[end].field_length + value->items[end].text_length;
        end++;
    }
    return end - first;
}

static void put_items(struct buf *out, const struct redis_value *value, size_t first, size_t count)
{
    enum cache_type type = redis_value_type(value);
    size_t words = type == CACHE_TYPE_LIST ? count : 2 * count;
    put_count(out, '*', 2 + words);
    put_word(out, type == CACHE_TYPE_LIST ? SLICE("RPUSH") : type == CACHE_TYPE_HASH ? SLICE("HSET") : SLICE("ZADD"));
    put_word(out, cache_key_text(&value->key));
    for (size_t i = first; i < first + count; i++) {
        if (type == CACHE_TYPE_HASH)
            put_word(out, redis_item_field(value, i));
        else if (type == CACHE_TYPE_ZSET)
            put_score(out, value->items[i].score);
        put_word(out, type == CACHE_TYPE_ZSET ? redis_item_field(value, i) : redis_item_text(value, i));
    }
}

static size_t put_string(struct buf *out, const struct redis_value *value, int64_t ttl_ms)
{
    put_count(out, '*', ttl_ms ? 5 : 3);
    put_word(out, SLICE("SET"));
    put_word(out, cache_key_text(&value->key));
    put_word(out, redis_item_text(value, 0));
    if (ttl_ms) {
        put_word(out, SLICE("PX"));
        put_i64(out, ttl_ms);
    }
    return 1;
}

size_t redis_put_commands(struct buf *out, const struct redis_value *value, int64_t ttl_ms)
{
    struct slice key = cache_key_text(&value->key);
    if (value->count == 0) {
        put_unlink(out, key);
        return 1;
    }
    if (redis_value_type(value) == CACHE_TYPE_STRING)
        return put_string(out, value, ttl_ms);
    size_t replies = 3;
    buf_append_str(out, "*1\r\n$5\r\nMULTI\r\n");
    put_unlink(out, key);
    for (size_t at = 0; at < value->count;) {
        size_t count = chunk(value, at);
        put_items(out, value, at, count);
        at += count;
        replies++;
    }
    if (ttl_ms) {
        put_count(out, '*', 3);
        put_word(out, SLICE("PEXPIRE"));
        put_word(out, key);
        put_i64(out, ttl_ms);
        replies++;
    }
    buf_append_str(out, "*1\r\n$4\r\nEXEC\r\n");
    return replies;
}

bool redis_put_take(void *arg, const struct redis_value *value, struct err *err)
{
    struct redis_put *put = arg;
    int64_t ttl_ms = cache_key_ttl_ms(put->space, &value->key);
    if (ttl_ms < 0) {
        put->disabled++;
        return true;
    }
    put->replies += redis_put_commands(&put->commands, value, ttl_ms);
    put->written[cache_key_id(&value->key)]++;
    return put->commands.len < BYTES_PER_BATCH || redis_put_flush(put, err);
}

/* Inside the reply of EXEC stand those of its commands, and there an error does not end the others. */
static bool check_reply(const struct redisReply *reply, struct err *err)
{
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_ERROR)
            return redis_blocking_refused(reply->element[i], err);
    return true;
}

bool redis_put_flush(struct redis_put *put, struct err *err)
{
    bool good = put->commands.len == 0 ||
                redisAppendFormattedCommand(put->link, put->commands.data, put->commands.len) == REDIS_OK ||
                err_set(err, ERR_UNAVAILABLE, "redis: %s", put->link->errstr);
    put->bytes += put->commands.len;
    buf_clear(&put->commands);
    for (; good && put->replies; put->replies--) {
        struct redisReply *reply = redis_blocking_reply(put->link, err);
        good = reply && check_reply(reply, err);
        if (reply)
            freeReplyObject(reply);
    }
    return good;
}

void redis_put_free(struct redis_put *put)
{
    buf_free(&put->commands);
}
