/* What the files of the live stream share: stream_hub.c has clients and what they are sent, stream_resume.c how one
 * catches up. */
#ifndef NOF0_SERVER_STREAM_INTERNAL_H
#define NOF0_SERVER_STREAM_INTERNAL_H

#include "cache/live.h"
#include "server/stream_hub.h"
#include "server/stream_query.h"

#include <sys/queue.h>

enum { STREAM_RETRY_MS = 250 };

struct stream_fetch;

struct stream_client {
    LIST_ENTRY(stream_client) all;
    TAILQ_ENTRY(stream_client) quiet;
    struct stream_hub *hub;
    struct http_request *request;
    struct stream_query query; /* in the request's memory */
    int64_t quiet_ms;          /* clock_mono_ms when something was sent last */
    struct cache_live_id seen; /* this and what is before it is not sent any more */
    uint64_t delivery;         /* the hub's last that it had a part in */
    size_t unread;             /* bytes that waited then */
    bool greeted;              /* had its first words */
    bool live;                 /* gets what comes; else it is not greeted yet or catches up */
    bool waits;                /* for the next try to read what it missed */
    struct stream_fetch *fetch;
};

struct stream_hub {
    struct event_base *base;
    struct stream_shared *shared;
    const struct settings *settings;
    struct redis_client *commands;
    struct cache_space space;
    struct cache_live *live; /* NULL: no Redis is configured */
    /* That `live` was made with. */
    char *url;
    char *prefix;
    int64_t connect_timeout_ms;
    int64_t command_timeout_ms;

    LIST_HEAD(, stream_client) clients;
    TAILQ_HEAD(stream_quiet, stream_client) quiet; /* the one without a byte for longest first */
    uint64_t delivery;                             /* number of the current one */
    struct event *beat;
    struct event *retry;
    bool off;
    struct stream_counts counts;
};

/* stream_hub.c */
/* To clients that are live. */
void stream_deliver(void *arg, const struct cache_live_entry *entries, size_t count);
bool stream_wants(const struct stream_client *client, const struct cache_live_entry *entry);
void stream_send_entry(struct stream_client *client, const struct cache_live_entry *entry);
void stream_send_text(struct stream_client *client, struct slice text);

/* stream_resume.c */
/* The next step of a client that catches up, unless one is under way. */
void stream_resume(struct stream_client *client);
/* The client goes away. */
void stream_resume_end(struct stream_client *client);
void stream_on_retry(evutil_socket_t fd, short what, void *arg);

#endif
