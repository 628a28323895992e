#include "base/clock.h"
#include "base/mem.h"
#include "server/reply.h"
#include "server/stream_internal.h"

#include <stdlib.h>

enum { RETRY_MS = 2000 }; /* after which a client comes again */

/* An event as clients read it, shared by all that do. */
struct event_text {
    unsigned references;
    size_t size;
    char bytes[];
};

static void format_entry(struct buf *out, const struct cache_live_entry *entry)
{
    char id[CACHE_LIVE_ID_SIZE];
    buf_append_str(out, "id: ");
    buf_append_str(out, cache_live_id_format(id, entry->id));
    buf_append_str(out, "\nevent: ");
    buf_append_slice(out, entry->topic);
    buf_append_str(out, "\ndata: ");
    buf_append_slice(out, entry->data);
    buf_append_str(out, "\n\n");
}

static struct event_text *event_text_new(const struct cache_live_entry *entry)
{
    struct buf text = BUF_INIT;
    format_entry(&text, entry);
    struct event_text *event = mem_alloc(sizeof *event + text.len);
    event->references = 1;
    event->size = text.len;
    memcpy(event->bytes, text.data, text.len);
    buf_free(&text);
    return event;
}

static void event_text_unref(void *arg)
{
    struct event_text *event = arg;
    if (--event->references == 0)
        free(event);
}

/* ---- heartbeats ---- */

static void arm_beat(struct stream_hub *hub)
{
    const struct stream_client *first = TAILQ_FIRST(&hub->quiet);
    if (!first)
        return;
    int64_t wait_ms = first->quiet_ms + hub->settings->stream_heartbeat_ms - clock_mono_ms();
    if (wait_ms < 1)
        wait_ms = 1;
    struct timeval wait = {wait_ms / 1000, (wait_ms % 1000) * 1000};
    event_add(hub->beat, &wait);
}

/* Something was sent. */
static void touch(struct stream_client *client)
{
    struct stream_hub *hub = client->hub;
    client->quiet_ms = clock_mono_ms();
    TAILQ_REMOVE(&hub->quiet, client, quiet);
    TAILQ_INSERT_TAIL(&hub->quiet, client, quiet);
}

static void on_beat(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct stream_hub *hub = arg;
    int64_t due_ms = clock_mono_ms() - hub->settings->stream_heartbeat_ms;
    struct stream_client *client;
    while ((client = TAILQ_FIRST(&hub->quiet)) && client->quiet_ms <= due_ms) {
        touch(client);
        /* One that has not read the last bytes gains nothing by more of them. */
        if (http_stream_pending(client->request) == 0)
            http_stream_shared(client->request, SLICE(": \n\n"), NULL, NULL);
    }
    arm_beat(hub);
}

/* ---- clients ---- */

static void forget(struct stream_client *client)
{
    struct stream_hub *hub = client->hub;
    stream_resume_end(client);
    LIST_REMOVE(client, all);
    TAILQ_REMOVE(&hub->quiet, client, quiet);
    hub->counts.clients--;
    (void)atomic_fetch_sub(&hub->shared->clients, 1);
    free(client);
}

/* Says why, as far as the client can still hear it, and closes. */
static void drop(struct stream_client *client, const char *reason, uint64_t *count)
{
    struct http_request *request = client->request;
    struct buf text = BUF_INIT;
    buf_printf(&text, "event: dropped\ndata: {\"reason\":\"%s\"}\n\n", reason);
    http_stream_copy(request, buf_slice(&text));
    buf_free(&text);
    ++*count;
    forget(client);
    http_stream_end_and_close(request);
}

static void on_room(void *arg, struct http_request *request)
{
    (void)request;
    stream_resume(arg);
}

static void on_gone(void *arg, struct http_request *request)
{
    forget(arg);
    http_stream_end(request);
}

static void on_drain(void *arg, struct http_request *request)
{
    (void)request;
    struct stream_client *client = arg;
    drop(client, "shutdown", &client->hub->counts.dropped_shutdown);
}

void stream_send_text(struct stream_client *client, struct slice text)
{
    http_stream_copy(client->request, text);
    touch(client);
}

bool stream_wants(const struct stream_client *client, const struct cache_live_entry *entry)
{
    enum stream_topic topic;
    struct slice model = client->query.model_id;
    if (!stream_topic_parse(entry->topic, &topic) || !(client->query.topics & 1U << topic))
        return false;
    return model.n == 0 || entry->model.n == 0 || slice_equal(model, entry->model);
}

/* False when the client was dropped: it has left unread more than it may. What was added since the loop's last turn had
 * no chance to be read yet and does not count. */
static bool has_room(struct stream_client *client)
{
    struct stream_hub *hub = client->hub;
    if (client->delivery != hub->delivery) {
        client->delivery = hub->delivery;
        client->unread = http_stream_pending(client->request);
    }
    if (client->unread <= (size_t)hub->settings->stream_max_pending_bytes)
        return true;
    drop(client, "slow", &hub->counts.dropped_slow);
    return false;
}

void stream_send_entry(struct stream_client *client, const struct cache_live_entry *entry)
{
    struct buf text = BUF_INIT;
    format_entry(&text, entry);
    stream_send_text(client, buf_slice(&text));
    buf_free(&text);
    client->hub->counts.events++;
}

static void deliver_one(struct stream_hub *hub, const struct cache_live_entry *entry)
{
    struct event_text *event = NULL;
    struct stream_client *next;
    for (struct stream_client *client = LIST_FIRST(&hub->clients); client; client = next) {
        next = LIST_NEXT(client, all);
        if (!client->live || cache_live_id_compare(entry->id, client->seen) <= 0 || !stream_wants(client, entry))
            continue;
        if (!has_room(client))
            continue;
        if (!event)
            event = event_text_new(entry);
        event->references++;
        http_stream_shared(client->request, (struct slice){event->bytes, event->size}, event_text_unref, event);
        touch(client);
        hub->counts.events++;
    }
    if (event)
        event_text_unref(event);
}

void stream_deliver(void *arg, const struct cache_live_entry *entries, size_t count)
{
    struct stream_hub *hub = arg;
    hub->delivery++;
    for (size_t i = 0; i < count; i++)
        deliver_one(hub, &entries[i]);
}

/* The first words: from here on the client misses nothing. To one that begins at now they say where that is, so that it
 * can come again without having had an event; it waits for them until this worker knows, which is longer than an
 * instant only while the worker has not reached Redis for the first time. */
static void greet(struct stream_client *client)
{
    struct cache_live_id now;
    char id[CACHE_LIVE_ID_SIZE];
    bool resumes = client->query.resumes;
    if (client->greeted || (!resumes && !cache_live_position(client->hub->live, &now)))
        return;
    client->greeted = true;
    client->live = !resumes;
    struct buf text = BUF_INIT;
    buf_printf(&text, ": connected\nretry: %d\n", RETRY_MS);
    if (!resumes)
        buf_printf(&text, "id: %s\n", cache_live_id_format(id, now));
    buf_append_char(&text, '\n');
    stream_send_text(client, buf_slice(&text));
    buf_free(&text);
}

static void on_known(void *arg)
{
    struct stream_hub *hub = arg;
    struct stream_client *client;
    LIST_FOREACH(client, &hub->clients, all)
    {
        greet(client);
    }
}

static void begin(struct stream_hub *hub, struct http_request *request, const struct stream_query *query)
{
    struct stream_client *client = mem_zalloc(sizeof *client);
    *client = (struct stream_client){.hub = hub, .request = request, .query = *query, .quiet_ms = clock_mono_ms()};
    const struct http_stream stream = {on_room, on_gone, on_drain, client};
    LIST_INSERT_HEAD(&hub->clients, client, all);
    TAILQ_INSERT_TAIL(&hub->quiet, client, quiet);
    hub->counts.clients++;
    reply_event_stream(request, hub->settings, &stream);
    greet(client);
    if (!event_pending(hub->beat, EV_TIMEOUT, NULL))
        arm_beat(hub);
    if (query->resumes) {
        hub->counts.resumes++;
        client->seen = query->after;
        stream_resume(client);
    }
}

static void gone_at_once(void *arg, struct http_request *request)
{
    (void)arg, (void)request; /* is never called: the stream has ended before */
}

void stream_hub_answer(struct stream_hub *hub, struct http_request *request)
{
    const struct settings *settings = hub->settings;
    struct stream_query query;
    struct param_fault fault;
    if (!stream_query_read(http_request_query(request), http_request_header(request, "Last-Event-ID"),
                           http_request_arena(request), &query, &fault)) {
        reply_error(request, settings,
                    &(struct reply_fault){
                        .status = 400, .code = "bad_parameter", .message = fault.message, .param = fault.param});
        return;
    }
    if (hub->off) {
        reply_error(request, settings,
                    &(struct reply_fault){.status = 503,
                                          .code = "switched_off",
                                          .message = "an operator switched the live stream off for the moment"});
        return;
    }
    if (!hub->live) {
        reply_error(request, settings,
                    &(struct reply_fault){.status = 503,
                                          .code = "unavailable",
                                          .message = "the live stream needs Redis, and none is configured"});
        return;
    }
    if (http_request_method(request) == HTTP_HEAD) {
        reply_event_stream(request, settings, &(struct http_stream){.gone = gone_at_once});
        http_stream_end(request);
        return;
    }
    if (atomic_fetch_add(&hub->shared->clients, 1) >= (uint64_t)settings->stream_max_clients) {
        (void)atomic_fetch_sub(&hub->shared->clients, 1);
        reply_error(request, settings,
                    &(struct reply_fault){
                        .status = 503, .code = "too_many_clients", .message = "the live stream has no room for more"});
        return;
    }
    begin(hub, request, &query);
}

/* ---- its life ---- */

struct stream_hub *stream_hub_new(struct event_base *base, struct stream_shared *shared)
{
    struct stream_hub *hub = mem_zalloc(sizeof *hub);
    hub->base = base;
    hub->shared = shared;
    LIST_INIT(&hub->clients);
    TAILQ_INIT(&hub->quiet);
    hub->beat = event_new(base, -1, 0, on_beat, hub);
    hub->retry = event_new(base, -1, 0, stream_on_retry, hub);
    return hub;
}

static bool same_source(const struct stream_hub *hub, const struct settings *settings)
{
    return hub->url && strcmp(hub->url, settings->redis_url) == 0 && strcmp(hub->prefix, settings->redis_prefix) == 0 &&
           hub->connect_timeout_ms == settings->redis_connect_timeout_ms &&
           hub->command_timeout_ms == settings->redis_command_timeout_ms;
}

static void end_source(struct stream_hub *hub)
{
    cache_live_free(hub->live);
    hub->live = NULL;
    if (hub->url)
        explicit_bzero(hub->url, strlen(hub->url));
    free(hub->url);
    free(hub->prefix);
    hub->url = hub->prefix = NULL;
}

/* `reason` is for the clients. */
static void drop_all(struct stream_hub *hub, const char *reason, uint64_t *count)
{
    struct stream_client *next;
    for (struct stream_client *client = LIST_FIRST(&hub->clients); client; client = next) {
        next = LIST_NEXT(client, all);
        drop(client, reason, count);
    }
}

void stream_hub_switch(struct stream_hub *hub, bool on)
{
    hub->off = !on;
    if (hub->off)
        drop_all(hub, "switched_off", &hub->counts.dropped_switched_off);
}

bool stream_hub_apply(struct stream_hub *hub, const struct settings *settings, struct redis_client *commands,
                      struct err *err)
{
    hub->settings = settings;
    hub->commands = commands;
    if (!TAILQ_EMPTY(&hub->quiet))
        arm_beat(hub);
    if (same_source(hub, settings))
        return true;
    drop_all(hub, "reconfigured", &hub->counts.dropped_reconfigured);
    end_source(hub);
    hub->url = mem_strndup(settings->redis_url, strlen(settings->redis_url));
    hub->prefix = mem_strndup(settings->redis_prefix, strlen(settings->redis_prefix));
    hub->connect_timeout_ms = settings->redis_connect_timeout_ms;
    hub->command_timeout_ms = settings->redis_command_timeout_ms;
    if (!settings_cache_space(settings, &hub->space, err))
        return false;
    if (!settings->redis_url[0])
        return true;
    const struct cache_live_settings live = {.base = hub->base,
                                             .url = settings->redis_url,
                                             .connect_timeout_ms = settings->redis_connect_timeout_ms,
                                             .command_timeout_ms = settings->redis_command_timeout_ms,
                                             .space = hub->space,
                                             .on_entries = stream_deliver,
                                             .on_known = on_known,
                                             .arg = hub};
    hub->live = cache_live_new(&live, err);
    if (!hub->live)
        return err_wrap(err, "redis.url");
    cache_live_start(hub->live);
    return true;
}

void stream_hub_counts(const struct stream_hub *hub, struct stream_counts *counts)
{
    *counts = hub->counts;
}

void stream_hub_free(struct stream_hub *hub)
{
    if (!hub)
        return;
    struct stream_client *next;
    for (struct stream_client *client = LIST_FIRST(&hub->clients); client; client = next) {
        next = LIST_NEXT(client, all);
        forget(client);
    }
    end_source(hub);
    event_free(hub->beat);
    event_free(hub->retry);
    free(hub);
}
