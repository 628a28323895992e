#include "cache/live_entry.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool take_number(struct slice *text, uint64_t *number)
{
    size_t n = 0;
    uint64_t value = 0;
    while (n < text->n && text->p[n] >= '0' && text->p[n] <= '9') {
        unsigned digit = (unsigned)(text->p[n] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
        n++;
    }
    *text = (struct slice){text->p + n, text->n - n};
    *number = value;
    return n > 0;
}

bool cache_live_id_parse(struct slice text, struct cache_live_id *id)
{
    struct cache_live_id found;
    if (!take_number(&text, &found.row) || text.n == 0 || text.p[0] != '-')
        return false;
    text = (struct slice){text.p + 1, text.n - 1};
    if (!take_number(&text, &found.item) || text.n != 0)
        return false;
    *id = found;
    return true;
}

char *cache_live_id_format(char out[CACHE_LIVE_ID_SIZE], struct cache_live_id id)
{
    (void)snprintf(out, CACHE_LIVE_ID_SIZE, "%" PRIu64 "-%" PRIu64, id.row, id.item);
    return out;
}

int cache_live_id_compare(struct cache_live_id a, struct cache_live_id b)
{
    if (a.row != b.row)
        return a.row < b.row ? -1 : 1;
    return a.item == b.item ? 0 : a.item < b.item ? -1 : 1;
}

struct slice live_text(const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING)
        return (struct slice){NULL, 0};
    return (struct slice){reply->str, (size_t)reply->len};
}

/* A line break in it would end its line for the client, and what follows would be taken for another field. */
static bool is_line(struct slice text)
{
    return text.p && !memchr(text.p, '\n', text.n) && !memchr(text.p, '\r', text.n);
}

bool live_entry_take(const struct redisReply *reply, struct cache_live_entry *entry, bool *has_id)
{
    *has_id = reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
              cache_live_id_parse(live_text(reply->element[0]), &entry->id);
    if (!*has_id || reply->element[1]->type != REDIS_REPLY_ARRAY)
        return false;
    static const char *const names[] = {"topic", "model", "data"};
    struct slice *const values[] = {&entry->topic, &entry->model, &entry->data};
    const redisReply *fields = reply->element[1];
    if (fields->elements != 6)
        return false;
    for (size_t i = 0; i < 3; i++) {
        *values[i] = live_text(fields->element[2 * i + 1]);
        if (!slice_is(live_text(fields->element[2 * i]), names[i]) || !is_line(*values[i]))
            return false;
    }
    return entry->data.n > 0;
}
