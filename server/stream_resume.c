#include "base/mem.h"
#include "server/stream_internal.h"

#include <stdlib.h>

enum { PAGE = 200 }; /* events read at once */

/* A read under way; it outlives its client. */
struct stream_fetch {
    struct stream_client *client; /* NULL: gone */
    struct cache_live_id upto;
};

static void try_later(struct stream_client *client)
{
    static const struct timeval wait = {0, 1000L * STREAM_RETRY_MS};
    client->waits = true;
    if (!event_pending(client->hub->retry, EV_TIMEOUT, NULL))
        event_add(client->hub->retry, &wait);
}

void stream_on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct stream_hub *hub = arg;
    struct stream_client *client;
    LIST_FOREACH(client, &hub->clients, all)
    {
        if (client->waits) {
            client->waits = false;
            stream_resume(client);
        }
    }
}

/* It cannot be known what the client missed: it is told so, and goes on with what comes. The id saves it from the same
 * when it comes again. */
static void reset(struct stream_client *client, const char *reason)
{
    struct stream_hub *hub = client->hub;
    struct cache_live_id now = {0, 0};
    (void)cache_live_position(hub->live, &now);
    char id[CACHE_LIVE_ID_SIZE];
    struct buf text = BUF_INIT;
    buf_printf(&text, "id: %s\nevent: reset\ndata: {\"reason\":\"%s\"}\n\n", cache_live_id_format(id, now), reason);
    stream_send_text(client, buf_slice(&text));
    buf_free(&text);
    hub->counts.resets++;
    client->seen = now;
    client->live = true;
}

/* The client's last event was ahead of what this worker had read: another one was quicker. This one may have gone by
 * meanwhile. */
static void join_ahead(struct stream_client *client, const struct cache_live_page *page)
{
    struct cache_live_id now = {0, 0};
    (void)cache_live_position(client->hub->live, &now);
    if (cache_live_id_compare(page->newest, client->seen) < 0)
        reset(client, "the last event is not known here");
    else if (cache_live_id_compare(now, client->seen) <= 0)
        client->live = true;
    else
        stream_resume(client);
}

/* Whether nothing behind the client's last event was taken from the stream. An entry that is as old is proof; so is,
 * for a client that never had one, that nothing was ever taken. After a loss the stream begins anew somewhere. */
static bool page_is_complete(const struct stream_client *client, const struct cache_live_page *page)
{
    bool never_had_one = client->seen.row == 0 && client->seen.item == 0;
    return cache_live_id_compare(page->oldest, client->seen) <= 0 || (never_had_one && page->whole);
}

static void take_page(struct stream_client *client, struct cache_live_id upto, const struct cache_live_page *page)
{
    static const char trimmed[] = "events since the last one are no longer kept";
    if (page->has_oldest && !page_is_complete(client, page)) {
        reset(client, trimmed);
        return;
    }
    if (cache_live_id_compare(page->newest, upto) < 0) {
        try_later(client); /* the stream was lost and is not filled again up to here */
        return;
    }
    if (!page->has_oldest) {
        reset(client, trimmed);
        return;
    }
    for (size_t i = 0; i < page->count; i++) {
        if (stream_wants(client, &page->entries[i]))
            stream_send_entry(client, &page->entries[i]);
    }
    client->seen = page->ended ? upto : page->reached;
    /* The next page when this one is read: on_room of the hub. */
    if (http_stream_pending(client->request) == 0)
        stream_resume(client);
}

static void on_page(void *arg, const struct cache_live_page *page)
{
    struct stream_fetch *fetch = arg;
    struct stream_client *client = fetch->client;
    struct cache_live_id upto = fetch->upto;
    free(fetch);
    if (!client)
        return;
    client->fetch = NULL;
    if (!page)
        try_later(client);
    else if (cache_live_id_compare(upto, client->seen) <= 0)
        join_ahead(client, page);
    else
        take_page(client, upto, page);
}

void stream_resume(struct stream_client *client)
{
    struct stream_hub *hub = client->hub;
    struct cache_live_id now;
    if (client->live || client->fetch || client->waits)
        return;
    if (!hub->commands || !cache_live_position(hub->live, &now)) {
        try_later(client);
        return;
    }
    int order = cache_live_id_compare(client->seen, now);
    if (order == 0) {
        client->live = true;
        return;
    }
    struct stream_fetch *fetch = mem_alloc(sizeof *fetch);
    *fetch = (struct stream_fetch){client, now};
    client->fetch = fetch;
    /* From an event that is ahead on there is nothing to read: only how far the stream goes is of interest. */
    cache_live_read(hub->commands, &hub->space, order < 0 ? client->seen : now, now, PAGE, on_page, fetch);
}

void stream_resume_end(struct stream_client *client)
{
    if (client->fetch)
        client->fetch->client = NULL;
    client->fetch = NULL;
}
