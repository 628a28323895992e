#include "base/log.h"
#include "base/mem.h"
#include "cache/live_entry.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAIT_MS = 5000, /* for entries, in one command */
    COUNT = 500,    /* of entries in one reply */
    AGAIN_MS = 100, /* after a command that failed */
};

struct cache_live {
    struct cache_live_settings settings;
    struct redis_client *client;
    struct cache_key key;
    struct event *again;
    bool started;
    bool closing;
    bool known;   /* `last` is */
    bool refused; /* Redis answers with errors; said once */
    struct cache_live_id last;
    uint64_t strange;
    struct cache_live_entry entries[COUNT];
};

static void ask(struct cache_live *live);

static void ask_again(struct cache_live *live)
{
    static const struct timeval wait = {0, 1000L * AGAIN_MS};
    if (!live->closing)
        event_add(live->again, &wait);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    ask(arg);
}

/* False when there is no answer to read; the question is then asked again. */
static bool check(struct cache_live *live, const struct redisReply *reply)
{
    if (live->closing)
        return false;
    bool refused = reply && reply->type == REDIS_REPLY_ERROR;
    if (refused && !live->refused)
        log_event(LOG_WARN, "live.refused",
                  LOG_FIELDS(log_slice("error", (struct slice){reply->str, (size_t)reply->len})));
    if (reply)
        live->refused = refused;
    if (reply && !refused)
        return true;
    ask_again(live);
    return false;
}

/* ---- where to begin ---- */

static void begin_at(struct cache_live *live, struct cache_live_id id)
{
    live->known = true;
    live->last = id;
    if (live->settings.on_known)
        live->settings.on_known(live->settings.arg);
    ask(live);
}

static void on_info(void *arg, const struct redisReply *reply, const struct err *err)
{
    (void)err;
    struct cache_live *live = arg;
    if (reply && reply->type == REDIS_REPLY_ERROR && strstr(reply->str, "no such key") && !live->closing) {
        begin_at(live, (struct cache_live_id){0, 0});
        return;
    }
    if (!check(live, reply))
        return;
    struct cache_live_id id;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2) {
        if (slice_is(live_text(reply->element[i]), "last-generated-id") &&
            cache_live_id_parse(live_text(reply->element[i + 1]), &id)) {
            begin_at(live, id);
            return;
        }
    }
    ask_again(live);
}

/* ---- what comes ---- */

static void take_entries(struct cache_live *live, const redisReply *list)
{
    size_t count = 0;
    for (size_t i = 0; i < list->elements && i < COUNT; i++) {
        struct cache_live_entry *entry = &live->entries[count];
        bool has_id;
        bool good = live_entry_take(list->element[i], entry, &has_id);
        if (has_id && cache_live_id_compare(entry->id, live->last) <= 0)
            continue;
        if (has_id)
            live->last = entry->id;
        live->strange += !good;
        count += good;
    }
    if (count)
        live->settings.on_entries(live->settings.arg, live->entries, count);
}

/* [[key, [entry, ...]]], or nil when none came in time. */
static void on_read(void *arg, const struct redisReply *reply, const struct err *err)
{
    (void)err;
    struct cache_live *live = arg;
    if (!check(live, reply))
        return;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1 && reply->element[0]->type == REDIS_REPLY_ARRAY &&
        reply->element[0]->elements == 2 && reply->element[0]->element[1]->type == REDIS_REPLY_ARRAY)
        take_entries(live, reply->element[0]->element[1]);
    ask(live);
}

static void send_words(struct cache_live *live, redis_done_fn *done, int argc, const char **words)
{
    size_t sizes[8];
    for (int i = 0; i < argc; i++)
        sizes[i] = strlen(words[i]);
    redis_client_command(live->client, argc, words, sizes, done, live);
}

static void ask(struct cache_live *live)
{
    const char *key = cache_key_text(&live->key).p;
    if (!live->known) {
        send_words(live, on_info, 3, (const char *[]){"XINFO", "STREAM", key});
        return;
    }
    char last[CACHE_LIVE_ID_SIZE];
    char count[16];
    char wait[16];
    (void)snprintf(count, sizeof count, "%d", COUNT);
    (void)snprintf(wait, sizeof wait, "%d", WAIT_MS);
    send_words(live, on_read, 8,
               (const char *[]){"XREAD", "BLOCK", wait, "COUNT", count, "STREAMS", key,
                                cache_live_id_format(last, live->last)});
}

struct cache_live *cache_live_new(const struct cache_live_settings *settings, struct err *err)
{
    /* The answer to a question for the server's health comes behind that of the read, too. */
    const struct redis_settings redis = {.url = settings->url,
                                         .connect_timeout_ms = settings->connect_timeout_ms,
                                         .command_timeout_ms = WAIT_MS + settings->command_timeout_ms,
                                         .slow_ms = WAIT_MS + settings->command_timeout_ms};
    struct redis_client *client = redis_client_new(settings->base, &redis, err);
    if (!client)
        return NULL;
    struct cache_live *live = mem_zalloc(sizeof *live);
    live->settings = *settings;
    live->settings.url = NULL; /* is not kept */
    live->client = client;
    live->key = cache_key_live_events(&live->settings.space);
    live->again = event_new(settings->base, -1, 0, on_again, live);
    return live;
}

void cache_live_start(struct cache_live *live)
{
    if (live->started)
        return;
    live->started = true;
    redis_client_start(live->client);
    ask(live);
}

void cache_live_free(struct cache_live *live)
{
    if (!live)
        return;
    live->closing = true;
    redis_client_free(live->client); /* ends the read */
    event_free(live->again);
    free(live);
}

bool cache_live_position(const struct cache_live *live, struct cache_live_id *id)
{
    if (live->known)
        *id = live->last;
    return live->known;
}

uint64_t cache_live_strange(const struct cache_live *live)
{
    return live->strange;
}
