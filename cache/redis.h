/* One Redis connection of one event loop that keeps itself alive: it connects, logs in, selects its database, asks PING
 * now and then, notices a server that died or hangs, and reconnects after a short random wait (50 to 500 ms). Commands
 * go out pipelined in the order of the calls. Everything happens on the loop's thread; nothing blocks it.
 *
 * A command that is late means that the whole connection is late, for replies come in order: the connection is given
 * up, and every command in it ends with an error. Nothing is sent twice: whether a failed command was carried out is
 * not known.
 *
 * A server that answers PING but is late with commands, or slow, meets a circuit breaker (cache/breaker.h): after five
 * such commands in a row the next ones are refused at once, but for one that tries now and then.
 *
 * The process must ignore SIGPIPE, since hiredis writes without MSG_NOSIGNAL. */
#ifndef NOF0_CACHE_REDIS_H
#define NOF0_CACHE_REDIS_H

#include "base/err.h"
#include "cache/breaker.h"

#include <event2/event.h>
#include <stddef.h>
#include <stdint.h>

struct redisReply; /* hiredis/hiredis.h */
struct redis_client;

struct redis_settings {
    const char *url;            /* cache/redis_url.h; rediss:// is refused */
    int64_t connect_timeout_ms; /* to resolve, connect and log in, all together */
    int64_t command_timeout_ms; /* from redis_client_command to the reply */
    int64_t ping_every_ms;      /* between two questions for the server's health; 0: 1000 */
    int64_t slow_ms;            /* an answer that takes longer is as bad as none; 0: half of command_timeout_ms */
};

enum redis_state {
    REDIS_IDLE,       /* not started */
    REDIS_CONNECTING, /* resolving, connecting or logging in */
    REDIS_UP,         /* takes commands */
    REDIS_DOWN,       /* waits to connect again */
};

struct redis_status {
    enum redis_state state;
    int64_t since_ms;  /* clock_wall_ms of the last change between up and not up */
    int64_t ping_us;   /* what the last answered PING took; -1 before the first */
    uint64_t connects; /* times it came up */
    uint64_t commands; /* taken by redis_client_command */
    uint64_t failures; /* of these, ended with an error */
    enum breaker_state breaker;
    uint64_t breaker_opened; /* times */
    uint64_t breaker_held;   /* commands that it refused */
    char url[640];           /* the password masked */
    char last_error[500];    /* why it is, or last was, not up; empty when there was no trouble */
};

/* "idle", "connecting", "up", "down". */
const char *redis_state_name(enum redis_state state);

/* Parses the settings; nothing happens before redis_client_start. NULL and ERR_INVALID for a bad URL. */
struct redis_client *redis_client_new(struct event_base *base, const struct redis_settings *settings, struct err *err);
void redis_client_start(struct redis_client *client);

/* Closes the connection and frees the client; not from inside a done callback. Commands still open end first, inside
 * this call, with ERR_UNAVAILABLE; their callbacks must not give further commands. */
void redis_client_free(struct redis_client *client);

/* Exactly one of reply and err is NULL. A reply that Redis itself calls an error has type REDIS_REPLY_ERROR. The reply
 * lives until the callback returns. err->code is ERR_TIMEOUT (late) or ERR_UNAVAILABLE (not up, or lost). */
typedef void redis_done_fn(void *arg, const struct redisReply *reply, const struct err *err);

/* Sends one command; the arguments may hold any bytes and are copied. done is called exactly once, never from inside
 * this call: at once from the loop with ERR_UNAVAILABLE when the state is not REDIS_UP or the
 * breaker holds it. Not for commands that change
 * the connection's mode (SUBSCRIBE, MONITOR, CLIENT REPLY). */
void redis_client_command(struct redis_client *client, int argc, const char **argv, const size_t *argvlen,
                          redis_done_fn *done, void *arg);

void redis_client_state(const struct redis_client *client, struct redis_status *status);

#endif
