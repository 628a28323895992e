#include "cache/redis.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/redis_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { BREAKER_FAILURES = 5, BREAKER_FIRST_REST_MS = 200, BREAKER_LONGEST_REST_MS = 2000 };

const char *redis_state_name(enum redis_state state)
{
    switch (state) {
    case REDIS_IDLE:
        return "idle";
    case REDIS_CONNECTING:
        return "connecting";
    case REDIS_UP:
        return "up";
    case REDIS_DOWN:
        return "down";
    }
    return "unknown";
}

static void finish(struct redis_command *command, const struct redisReply *reply, const struct err *err)
{
    struct redis_client *client = command->client;
    if (err)
        client->failures++;
    /* A connection that is gone refuses by itself; the breaker is there for one that stands and does not help. */
    if (command->counts && (reply || err->code == ERR_TIMEOUT) &&
        breaker_ended(&client->breaker, clock_mono_ms(), reply != NULL, clock_mono_us() - command->sent_us))
        log_event(LOG_WARN, "redis.breaker_opened",
                  LOG_FIELDS(log_str("url", client->url.shown), log_int("rest_ms", client->breaker.rest_ms)));
    command->done(command->arg, reply, err);
    free(command);
}

/* The connection went before the reply came. */
static void fail(struct redis_command *command)
{
    struct err err = ERR_INIT;
    if (clock_mono_ms() >= command->ends_ms)
        err_set(&err, ERR_TIMEOUT, "redis did not answer in time");
    else
        err_set(&err, ERR_UNAVAILABLE, "redis: %.400s", command->client->last_error.text);
    finish(command, NULL, &err);
}

static void on_reply(redisAsyncContext *link, void *reply, void *arg)
{
    struct redis_command *command = arg;
    struct redis_client *client = command->client;
    /* Without a reply hiredis is taking the connection down; it says so to the commands first. */
    if (!reply && client->link == link)
        redis_link_lost(client, link);
    TAILQ_REMOVE(&client->sent, command, next);
    if (reply)
        finish(command, reply, NULL);
    else
        fail(command);
}

static void on_command_deadline(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct redis_client *client = arg;
    const struct redis_command *oldest = TAILQ_FIRST(&client->sent);
    if (!oldest)
        return;
    int64_t left_ms = oldest->ends_ms - clock_mono_ms();
    if (left_ms > 0) {
        redis_arm(client->command_event, left_ms);
        return;
    }
    struct err why = ERR_INIT;
    err_set(&why, ERR_TIMEOUT, "a command was not answered within %lld ms", (long long)client->command_timeout_ms);
    redis_link_give_up(client, &why);
}

static void refuse(struct redis_client *client, struct redis_command *command)
{
    if (TAILQ_EMPTY(&client->refused))
        event_active(client->refuse_event, EV_TIMEOUT, 0);
    TAILQ_INSERT_TAIL(&client->refused, command, next);
}

static void finish_refused(struct redis_client *client)
{
    struct redis_commands refused = TAILQ_HEAD_INITIALIZER(refused);
    TAILQ_CONCAT(&refused, &client->refused, next);
    struct err err = ERR_INIT;
    const char *why = client->last_error.text;
    if (client->state == REDIS_UP)
        err_set(&err, ERR_UNAVAILABLE, "redis is slow: not asked for a while");
    else
        err_set(&err, ERR_UNAVAILABLE, "redis is not up%s%.400s", why[0] ? ": " : "", why);
    struct redis_command *command;
    while ((command = TAILQ_FIRST(&refused))) {
        TAILQ_REMOVE(&refused, command, next);
        finish(command, NULL, &err);
    }
}

static void on_refuse(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    finish_refused(arg);
}

static struct redis_command *command_new(struct redis_client *client, redis_done_fn *done, void *arg)
{
    struct redis_command *command = mem_zalloc(sizeof *command);
    command->client = client;
    command->done = done;
    command->arg = arg;
    command->sent_us = clock_mono_us();
    command->ends_ms = clock_mono_ms() + client->command_timeout_ms;
    return command;
}

static void send_command(struct redis_client *client, struct redis_command *command, int argc, const char **argv,
                         const size_t *argvlen)
{
    if (!client->link || redisAsyncCommandArgv(client->link, on_reply, command, argc, argv, argvlen) != REDIS_OK) {
        refuse(client, command);
        return;
    }
    if (!event_pending(client->command_event, EV_TIMEOUT, NULL))
        redis_arm(client->command_event, client->command_timeout_ms);
    TAILQ_INSERT_TAIL(&client->sent, command, next);
}

void redis_send(struct redis_client *client, int argc, const char **argv, const size_t *argvlen, redis_done_fn *done,
                void *arg)
{
    send_command(client, command_new(client, done, arg), argc, argv, argvlen);
}

void redis_client_command(struct redis_client *client, int argc, const char **argv, const size_t *argvlen,
                          redis_done_fn *done, void *arg)
{
    client->commands_taken++;
    struct redis_command *command = command_new(client, done, arg);
    if (client->state == REDIS_UP && breaker_passes(&client->breaker, clock_mono_ms())) {
        command->counts = true;
        send_command(client, command, argc, argv, argvlen);
    } else {
        refuse(client, command);
    }
}

struct redis_client *redis_client_new(struct event_base *base, const struct redis_settings *settings, struct err *err)
{
    struct redis_client *client = mem_zalloc(sizeof *client);
    if (!redis_url_parse((struct slice){settings->url, strlen(settings->url)}, &client->url, err)) {
        free(client);
        return NULL;
    }
    client->base = base;
    client->connect_timeout_ms = settings->connect_timeout_ms;
    client->command_timeout_ms = settings->command_timeout_ms;
    client->ping_every_ms = settings->ping_every_ms ? settings->ping_every_ms : 1000;
    int64_t slow_ms = settings->slow_ms ? settings->slow_ms : client->command_timeout_ms / 2;
    breaker_init(&client->breaker, &(struct breaker_settings){.failures = BREAKER_FAILURES,
                                                              .slow_us = slow_ms * 1000,
                                                              .first_rest_ms = BREAKER_FIRST_REST_MS,
                                                              .longest_rest_ms = BREAKER_LONGEST_REST_MS});
    client->state = REDIS_IDLE;
    client->since_ms = clock_wall_ms();
    client->ping_us = -1;
    if (getrandom(&client->random, sizeof client->random, 0) != (ssize_t)sizeof client->random)
        client->random = (uint64_t)clock_mono_us();
    client->random |= 1; /* a xorshift generator must not be 0 */
    TAILQ_INIT(&client->sent);
    TAILQ_INIT(&client->refused);
    client->refuse_event = event_new(base, -1, 0, on_refuse, client);
    client->link_event = event_new(base, -1, 0, redis_link_event, client);
    client->command_event = event_new(base, -1, 0, on_command_deadline, client);
    return client;
}

void redis_client_start(struct redis_client *client)
{
    if (client->state == REDIS_IDLE)
        redis_link_open(client);
}

void redis_client_free(struct redis_client *client)
{
    if (!client)
        return;
    redisAsyncContext *link = client->link;
    client->link = NULL;
    client->state = REDIS_IDLE;
    err_set(&client->last_error, ERR_UNAVAILABLE, "the client is closing");
    if (link)
        redisAsyncFree(link); /* ends the commands in it */
    finish_refused(client);
    redis_lookup_free(client->lookup);
    event_free(client->refuse_event);
    event_free(client->link_event);
    event_free(client->command_event);
    explicit_bzero(&client->url, sizeof client->url);
    free(client);
}

void redis_client_state(const struct redis_client *client, struct redis_status *status)
{
    *status = (struct redis_status){
        .state = client->state,
        .since_ms = client->since_ms,
        .ping_us = client->ping_us,
        .connects = client->connects,
        .commands = client->commands_taken,
        .failures = client->failures,
        .breaker = client->breaker.state,
        .breaker_opened = client->breaker.opened,
        .breaker_held = client->breaker.held,
    };
    memcpy(status->url, client->url.shown, sizeof status->url);
    memcpy(status->last_error, client->last_error.text, sizeof status->last_error);
}
