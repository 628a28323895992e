/* A private Redis server for a test: its own folder under /tmp, a unix socket and no port. */
#ifndef NOF0_CACHE_REDIS_RIG_TESTING_H
#define NOF0_CACHE_REDIS_RIG_TESTING_H

#include "base/clock.h"
#include "base/testing.h"
#include "cache/redis_blocking.h"

#include <event2/event.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct rig {
    char folder[64];
    char socket[96];
    char url[128];
    pid_t server;
};

/* Called first by every test that needs the server: skips it where there is none. */
static inline void rig_needs_server(void)
{
    if (access("/usr/bin/redis-server", X_OK) != 0)
        skip();
}

static inline void rig_make(struct rig *rig)
{
    (void)snprintf(rig->folder, sizeof rig->folder, "/tmp/nof0-cache-XXXXXX");
    assert_non_null(mkdtemp(rig->folder));
    (void)snprintf(rig->socket, sizeof rig->socket, "%s/redis.sock", rig->folder);
    (void)snprintf(rig->url, sizeof rig->url, "unix://%s", rig->socket);
    rig->server = 0;
    (void)signal(SIGPIPE, SIG_IGN);
}

/* A connection that may wait; freed with redisFree. */
static inline struct redisContext *rig_link(const struct rig *rig)
{
    struct err err = ERR_INIT;
    for (int64_t end = clock_mono_ms() + 10000; clock_mono_ms() < end; (void)usleep(2000)) {
        struct redisContext *link = redis_blocking_connect(rig->url, 1000, 5000, &err);
        if (link)
            return link;
    }
    fail_msg("%s", err.text);
    return NULL;
}

/* Starts the server and waits until it answers. */
static inline void rig_start(struct rig *rig)
{
    rig->server = fork();
    assert_true(rig->server >= 0);
    if (rig->server == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        (void)dup2(null, 1);
        (void)dup2(null, 2);
        execl("/usr/bin/redis-server", "redis-server", "--save", "", "--appendonly", "no", "--port", "0",
              "--unixsocket", rig->socket, "--dir", rig->folder, (char *)NULL);
        _exit(127);
    }
    redisFree(rig_link(rig));
}

static inline void rig_kill(struct rig *rig)
{
    if (rig->server <= 0)
        return;
    (void)kill(rig->server, SIGKILL);
    (void)waitpid(rig->server, NULL, 0);
    rig->server = 0;
}

static inline void rig_end(struct rig *rig)
{
    rig_kill(rig);
    (void)unlink(rig->socket);
    (void)rmdir(rig->folder);
}

/* Runs a command that must succeed; the caller frees the reply. The format is hiredis' own, which has %b too. */
static inline struct redisReply *rig_ask(struct redisContext *link, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct redisReply *reply = redisvCommand(link, format, arguments);
    va_end(arguments);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, reply->str);
    return reply;
}

#define rig_do(link, ...) freeReplyObject(rig_ask(link, __VA_ARGS__))

/* The integer of a reply. */
#define rig_integer(link, ...) rig_take_integer(rig_ask(link, __VA_ARGS__))
static inline long long rig_take_integer(struct redisReply *reply)
{
    long long value = reply->integer;
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    freeReplyObject(reply);
    return value;
}

/* Turns the loop until *flag is true; fails after ten seconds. */
static inline void rig_run_until(struct event_base *base, const bool *flag)
{
    for (int64_t end = clock_mono_ms() + 10000; !*flag;) {
        (void)event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        (void)usleep(200);
        if (clock_mono_ms() > end)
            fail_msg("nothing came in ten seconds");
    }
}

static inline void rig_run_for(struct event_base *base, int64_t ms)
{
    for (int64_t end = clock_mono_ms() + ms; clock_mono_ms() < end; (void)usleep(200))
        (void)event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

#endif
