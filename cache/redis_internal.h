/* What the client's two files share: redis.c has commands and the public calls, redis_link.c the connection's life. */
#ifndef NOF0_CACHE_REDIS_INTERNAL_H
#define NOF0_CACHE_REDIS_INTERNAL_H

#include "cache/redis.h"
#include "cache/redis_resolve.h"
#include "cache/redis_url.h"

#include <hiredis/async.h>
#include <sys/queue.h>

struct redis_command {
    TAILQ_ENTRY(redis_command) next;
    struct redis_client *client;
    redis_done_fn *done;
    void *arg;
    int64_t ends_ms; /* clock_mono_ms */
    int64_t sent_us; /* clock_mono_us */
    bool counts;     /* for the breaker */
};

TAILQ_HEAD(redis_commands, redis_command);

struct redis_client {
    struct event_base *base;
    struct redis_url url;
    int64_t connect_timeout_ms;
    int64_t command_timeout_ms;
    int64_t ping_every_ms;

    enum redis_state state;
    int64_t since_ms;
    struct err last_error;
    uint64_t connects;
    uint64_t commands_taken;
    uint64_t failures;
    int64_t ping_us;

    redisAsyncContext *link; /* NULL while there is none; hiredis frees it */
    struct redis_lookup *lookup;
    struct redis_addresses addresses;
    unsigned attempts; /* since it was up */
    int64_t ping_sent_us;
    uint64_t random;

    struct breaker breaker;
    struct redis_commands sent;    /* in the connection, oldest first */
    struct redis_commands refused; /* to be told so from the loop */
    struct event *refuse_event;
    struct event *link_event;    /* the end of the wait while down, the deadline while connecting, PING while up */
    struct event *command_event; /* the oldest command's deadline */
};

/* redis.c */
/* Sends a command over the link whatever the state; done is called exactly once. */
void redis_send(struct redis_client *client, int argc, const char **argv, const size_t *argvlen, redis_done_fn *done,
                void *arg);

/* redis_link.c */
void redis_link_open(struct redis_client *client);
/* Gives the connection up because of `why` and arranges for the next. */
void redis_link_give_up(struct redis_client *client, const struct err *why);
/* hiredis says that this connection is gone and frees it by itself. */
void redis_link_lost(struct redis_client *client, const redisAsyncContext *link);
void redis_link_event(evutil_socket_t fd, short what, void *arg);
void redis_arm(struct event *event, int64_t wait_ms);

#endif
