/* GET /api/stream: live events as server-sent events. A hub is one worker's: it follows the stream in Redis once
 * (cache/live.h), whether or not somebody listens, so that "now" is always known, and gives each event, written once,
 * to all clients that want it. A client that comes with the id of its last event first gets what it missed, read from
 * Redis in pages as quickly as it takes them, and joins the others exactly where these end.
 *
 * Nothing is missed and nothing comes twice; where that cannot be promised, the client is told so by a "reset" event.
 */
#ifndef NOF0_SERVER_STREAM_HUB_H
#define NOF0_SERVER_STREAM_HUB_H

#include "cache/redis.h"
#include "server/http.h"
#include "server/settings.h"

#include <stdatomic.h>

struct stream_hub;

/* What the hubs of a process share; all zero at first. */
struct stream_shared {
    atomic_uint_least64_t clients;
};

struct stream_counts {
    uint64_t clients; /* now */
    uint64_t events;  /* sent, to each client */
    uint64_t resumes; /* clients that came with an id */
    uint64_t resets;
    uint64_t dropped_slow;
    uint64_t dropped_shutdown;
    uint64_t dropped_reconfigured;
    uint64_t dropped_switched_off;
};

struct stream_hub *stream_hub_new(struct event_base *base, struct stream_shared *shared);

/* From now on it goes by these settings, which must live until the next call, and reads what clients missed over
 * `commands` (NULL: no Redis is configured), which must live until the next call or stream_hub_free, but for what
 * redis_client_free calls. When other settings of Redis are in force, clients are dropped and come again. False with
 * *err when the URL is bad; the stream is then unavailable. */
bool stream_hub_apply(struct stream_hub *hub, const struct settings *settings, struct redis_client *commands,
                      struct err *err) MUST_CHECK;

/* Off: its clients are dropped, and whoever comes is told to come later. On at first. */
void stream_hub_switch(struct stream_hub *hub, bool on);

/* Answers a GET or HEAD of the stream. */
void stream_hub_answer(struct stream_hub *hub, struct http_request *request);

void stream_hub_counts(const struct stream_hub *hub, struct stream_counts *counts);

/* After the HTTP server with its requests is gone. NULL is fine. */
void stream_hub_free(struct stream_hub *hub);

#endif
