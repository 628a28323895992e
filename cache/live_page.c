#include "base/mem.h"
#include "cache/live_entry.h"
#include "cache/script.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

/* One instant's look at the stream. Trimming takes the oldest entries, so whoever knows an entry that is not older than
 * what is there now has lost nothing behind it; and a stream that is being filled anew shows by its newest id how far
 * that has come. */
static const char script_text[] = "local key = KEYS[1]\n"
                                  "local newest, whole = '0-0', 0\n"
                                  "local info = redis.pcall('XINFO', 'STREAM', key)\n"
                                  "if not info.err then\n"
                                  "  local field = {}\n"
                                  "  for i = 1, #info, 2 do field[info[i]] = info[i + 1] end\n"
                                  "  newest = field['last-generated-id']\n"
                                  "  if field['entries-added'] == field['length'] then whole = 1 end\n"
                                  "end\n"
                                  "local oldest = redis.call('XRANGE', key, '-', '+', 'COUNT', 1)\n"
                                  "local page = redis.call('XRANGE', key, '(' .. ARGV[1], ARGV[2], 'COUNT', ARGV[3])\n"
                                  "return {oldest[1] and oldest[1][1] or '', newest, whole, page}\n";

struct read {
    struct cache_live_id after;
    unsigned most;
    cache_live_page_fn *done;
    void *arg;
};

static bool take_page(const struct read *read, const redisReply *reply, struct cache_live_page *page,
                      struct cache_live_entry *entries)
{
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 4 ||
        !cache_live_id_parse(live_text(reply->element[1]), &page->newest) ||
        reply->element[2]->type != REDIS_REPLY_INTEGER || reply->element[3]->type != REDIS_REPLY_ARRAY)
        return false;
    page->has_oldest = cache_live_id_parse(live_text(reply->element[0]), &page->oldest);
    page->whole = reply->element[2]->integer == 1;
    page->reached = read->after;
    page->entries = entries;
    const redisReply *list = reply->element[3];
    page->ended = list->elements < read->most;
    for (size_t i = 0; i < list->elements && i < read->most; i++) {
        bool has_id;
        bool good = live_entry_take(list->element[i], &entries[page->count], &has_id);
        if (has_id)
            page->reached = entries[page->count].id;
        page->count += good;
    }
    return true;
}

static void on_reply(void *arg, const struct redisReply *reply, const struct err *err)
{
    (void)err;
    struct read *read = arg;
    struct cache_live_page page = {.count = 0};
    struct cache_live_entry *entries = mem_calloc(read->most, sizeof *entries);
    bool good = take_page(read, reply, &page, entries);
    read->done(read->arg, good ? &page : NULL);
    free(entries);
    free(read);
}

void cache_live_read(struct redis_client *client, const struct cache_space *space, struct cache_live_id after,
                     struct cache_live_id upto, unsigned most, cache_live_page_fn *done, void *arg)
{
    struct read *read = mem_alloc(sizeof *read);
    *read = (struct read){after, most, done, arg};
    char from[CACHE_LIVE_ID_SIZE];
    char to[CACHE_LIVE_ID_SIZE];
    char count[16];
    (void)snprintf(count, sizeof count, "%u", most);
    struct cache_key key = cache_key_live_events(space);
    const struct cache_script script = cache_script_of(script_text);
    const struct cache_script_call call = {
        .keys = {&key},
        .key_count = 1,
        .args = {slice_of(cache_live_id_format(from, after)), slice_of(cache_live_id_format(to, upto)),
                 slice_of(count)},
        .arg_count = 3,
    };
    cache_script_run(client, &script, &call, on_reply, read);
}
