#include "base/clock.h"
#include "base/log.h"
#include "cache/redis_internal.h"

#include <hiredis/adapters/libevent.h>
#include <stdio.h>
#include <string.h>

enum { MIN_WAIT_MS = 50, MAX_WAIT_MS = 500 };

void redis_arm(struct event *event, int64_t wait_ms)
{
    struct timeval wait = {wait_ms / 1000, (wait_ms % 1000) * 1000};
    event_add(event, &wait);
}

static void set_state(struct redis_client *client, enum redis_state state)
{
    if ((state == REDIS_UP) != (client->state == REDIS_UP) || client->state == REDIS_IDLE)
        client->since_ms = clock_wall_ms();
    client->state = state;
}

/* xorshift64 (Marsaglia 2003): clients that lost the same server must not come back in step. */
static uint64_t next_random(struct redis_client *client)
{
    client->random ^= client->random << 13;
    client->random ^= client->random >> 7;
    client->random ^= client->random << 17;
    return client->random;
}

/* The connection is gone: wait, longer after each failure, then try again. */
static void go_down(struct redis_client *client)
{
    bool was_up = client->state == REDIS_UP;
    /* Of a row of failures only the first is news. */
    if (was_up || client->attempts == 0)
        log_event(LOG_WARN, "redis.down",
                  LOG_FIELDS(log_str("url", client->url.shown), log_error_text(&client->last_error)));
    set_state(client, REDIS_DOWN);
    int64_t most = client->attempts < 4 ? (int64_t)MIN_WAIT_MS << client->attempts : MAX_WAIT_MS;
    client->attempts++;
    event_del(client->command_event);
    redis_arm(client->link_event, MIN_WAIT_MS + (int64_t)(next_random(client) % (uint64_t)(most - MIN_WAIT_MS + 1)));
}

void redis_link_give_up(struct redis_client *client, const struct err *why)
{
    client->last_error = *why;
    redisAsyncContext *link = client->link;
    client->link = NULL;
    go_down(client);
    /* Ends every command in it; inside a callback of hiredis, when that has returned. */
    if (link)
        redisAsyncFree(link);
}

void redis_link_lost(struct redis_client *client, const redisAsyncContext *link)
{
    client->link = NULL;
    const char *why = link->c.errstr[0] ? link->c.errstr : "the connection was closed";
    err_set(&client->last_error, ERR_UNAVAILABLE, "%s", why);
    go_down(client);
}

static void on_disconnected(const redisAsyncContext *link, int status)
{
    (void)status;
    struct redis_client *client = link->data;
    if (client && client->link == link)
        redis_link_lost(client, link);
}

/* A reply of the login that is no error; else the connection is given up. */
static bool check_login(struct redis_client *client, const char *step, const struct redisReply *reply)
{
    /* Without a reply the link is down already and has said why. */
    if (!reply || client->state == REDIS_DOWN)
        return false;
    if (reply->type != REDIS_REPLY_ERROR)
        return true;
    struct err why = ERR_INIT;
    err_set(&why, ERR_UNAVAILABLE, "%s was refused: %.*s", step, (int)reply->len, reply->str);
    redis_link_give_up(client, &why);
    return false;
}

static void on_auth(void *arg, const struct redisReply *reply, const struct err *err)
{
    (void)err;
    (void)check_login(arg, "AUTH", reply);
}

static void on_select(void *arg, const struct redisReply *reply, const struct err *err)
{
    (void)err;
    (void)check_login(arg, "SELECT", reply);
}

static void on_ping(void *arg, const struct redisReply *reply, const struct err *err)
{
    (void)err;
    struct redis_client *client = arg;
    if (!check_login(client, "PING", reply))
        return;
    client->ping_us = clock_mono_us() - client->ping_sent_us;
    if (client->state == REDIS_CONNECTING) {
        set_state(client, REDIS_UP);
        client->attempts = 0;
        client->connects++;
        log_event(LOG_INFO, "redis.up", LOG_FIELDS(log_str("url", client->url.shown)));
    }
    redis_arm(client->link_event, client->ping_every_ms);
}

static void send_words(struct redis_client *client, redis_done_fn *done, int argc, const char *first,
                       const char *second, const char *third)
{
    const char *argv[] = {first, second, third};
    size_t sizes[3];
    for (int i = 0; i < argc; i++)
        sizes[i] = strlen(argv[i]);
    redis_send(client, argc, argv, sizes, done, client);
}

static void send_ping(struct redis_client *client)
{
    client->ping_sent_us = clock_mono_us();
    send_words(client, on_ping, 1, "PING", NULL, NULL);
}

static void log_in(struct redis_client *client)
{
    const struct redis_url *url = &client->url;
    if (url->has_password && url->user[0])
        send_words(client, on_auth, 3, "AUTH", url->user, url->password);
    else if (url->has_password)
        send_words(client, on_auth, 2, "AUTH", url->password, NULL);
    if (url->db) {
        char db[16];
        (void)snprintf(db, sizeof db, "%u", url->db);
        send_words(client, on_select, 2, "SELECT", db, NULL);
    }
    send_ping(client);
}

static void on_connected(const redisAsyncContext *link, int status)
{
    struct redis_client *client = link->data;
    if (!client || client->link != link)
        return;
    if (status == REDIS_OK)
        log_in(client);
    else
        redis_link_lost(client, link);
}

/* `address` is numeric, so hiredis looks nothing up. */
static bool connect_to(struct redis_client *client, const char *address, struct err *err)
{
    redisAsyncContext *link = client->url.is_unix ? redisAsyncConnectUnix(client->url.path)
                                                  : redisAsyncConnect(address, (int)client->url.port);
    if (!link)
        return err_set(err, ERR_UNAVAILABLE, "cannot connect: out of memory");
    client->link = link;
    link->data = client;
    if (link->err)
        return err_set(err, ERR_UNAVAILABLE, "cannot connect: %s", link->errstr);
    if (redisLibeventAttach(link, client->base) != REDIS_OK ||
        redisAsyncSetConnectCallback(link, on_connected) != REDIS_OK ||
        redisAsyncSetDisconnectCallback(link, on_disconnected) != REDIS_OK)
        return err_set(err, ERR_INTERNAL, "cannot watch the connection");
    return true;
}

static void on_looked_up(void *arg, const struct redis_addresses *addresses)
{
    struct redis_client *client = arg;
    client->addresses = *addresses;
    redis_lookup_free(client->lookup);
    client->lookup = NULL;
    if (client->state != REDIS_CONNECTING)
        return; /* too late for this attempt; the next asks again */
    struct err err = client->addresses.err;
    if (client->addresses.count == 0 ||
        !connect_to(client, client->addresses.text[client->attempts % client->addresses.count], &err))
        redis_link_give_up(client, &err);
}

void redis_link_open(struct redis_client *client)
{
    set_state(client, REDIS_CONNECTING);
    redis_arm(client->link_event, client->connect_timeout_ms);
    struct err err = ERR_INIT;
    bool begun = true;
    if (client->url.is_unix || redis_is_address(client->url.host)) {
        begun = connect_to(client, client->url.host, &err);
    } else if (!client->lookup) { /* else the one of the attempt before still runs */
        client->lookup = redis_lookup_start(client->base, client->url.host, on_looked_up, client, &err);
        begun = client->lookup != NULL;
    }
    if (!begun)
        redis_link_give_up(client, &err);
}

void redis_link_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct redis_client *client = arg;
    struct err late = ERR_INIT;
    switch (client->state) {
    case REDIS_DOWN:
        redis_link_open(client);
        break;
    case REDIS_CONNECTING:
        err_set(&late, ERR_TIMEOUT, "no connection within %lld ms", (long long)client->connect_timeout_ms);
        redis_link_give_up(client, &late);
        break;
    case REDIS_UP:
        send_ping(client);
        break;
    case REDIS_IDLE:
        break;
    }
}
