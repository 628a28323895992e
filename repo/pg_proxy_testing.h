/* For tests: a stand-in for a Postgres server that can fall silent or die. A relay on a unix socket of its own, on the
 * loop of the test, in front of a real server. */
#ifndef NOF0_REPO_PG_PROXY_TESTING_H
#define NOF0_REPO_PG_PROXY_TESTING_H

#include "base/mem.h"
#include "repo/pg_testing.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <signal.h>
#include <stddef.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>

struct proxy_pair {
    LIST_ENTRY(proxy_pair) entry;
    struct bufferevent *client;
    struct bufferevent *server;
};

struct proxy {
    struct event_base *base;
    struct evconnlistener *listener;
    LIST_HEAD(, proxy_pair) pairs;
    char dir[64];
    char path[108];
    struct sockaddr_storage server;
    socklen_t server_size;
    bool silent; /* accepts, and passes nothing on */
    unsigned accepted;
};

static inline void proxy_drop(struct proxy_pair *pair)
{
    LIST_REMOVE(pair, entry);
    bufferevent_free(pair->client);
    bufferevent_free(pair->server);
    free(pair);
}

static inline void proxy_relay(struct bufferevent *from, void *arg)
{
    struct proxy_pair *pair = arg;
    bufferevent_write_buffer(from == pair->client ? pair->server : pair->client, bufferevent_get_input(from));
}

static inline void proxy_event(struct bufferevent *side, short what, void *arg)
{
    (void)side;
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) {
        proxy_drop(arg);
    }
}

static inline void proxy_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer, int size,
                                void *arg)
{
    (void)listener;
    (void)peer;
    (void)size;
    struct proxy *proxy = arg;
    struct proxy_pair *pair = mem_zalloc(sizeof *pair);
    proxy->accepted++;
    pair->client = bufferevent_socket_new(proxy->base, fd, BEV_OPT_CLOSE_ON_FREE);
    pair->server = bufferevent_socket_new(proxy->base, -1, BEV_OPT_CLOSE_ON_FREE);
    LIST_INSERT_HEAD(&proxy->pairs, pair, entry);
    bufferevent_setcb(pair->client, proxy_relay, NULL, proxy_event, pair);
    bufferevent_setcb(pair->server, proxy_relay, NULL, proxy_event, pair);
    if (!proxy->silent) {
        bufferevent_enable(pair->client, EV_READ | EV_WRITE);
        bufferevent_enable(pair->server, EV_READ | EV_WRITE);
    }
    bufferevent_socket_connect(pair->server, (struct sockaddr *)&proxy->server, (int)proxy->server_size);
}

static inline void proxy_listen(struct proxy *proxy)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, proxy->path, sizeof address.sun_path);
    unlink(proxy->path);
    proxy->listener = evconnlistener_new_bind(proxy->base, proxy_accept, proxy, LEV_OPT_CLOSE_ON_FREE, 16,
                                              (struct sockaddr *)&address, sizeof address);
    assert_non_null(proxy->listener);
}

/* The server is gone: what was open closes, what knocks is refused. */
static inline void proxy_die(struct proxy *proxy)
{
    evconnlistener_free(proxy->listener);
    proxy->listener = NULL;
    unlink(proxy->path);
    for (struct proxy_pair *pair = LIST_FIRST(&proxy->pairs), *next; pair; pair = next) {
        next = LIST_NEXT(pair, entry);
        proxy_drop(pair);
    }
}

/* Like a stopped process: the kernel still accepts, nobody answers. */
static inline void proxy_silence(struct proxy *proxy, bool silent)
{
    proxy->silent = silent;
    struct proxy_pair *pair;
    LIST_FOREACH(pair, &proxy->pairs, entry)
    {
        if (silent) {
            bufferevent_disable(pair->client, EV_READ | EV_WRITE);
            bufferevent_disable(pair->server, EV_READ | EV_WRITE);
        } else {
            bufferevent_enable(pair->client, EV_READ | EV_WRITE);
            bufferevent_enable(pair->server, EV_READ | EV_WRITE);
        }
    }
}

static inline void proxy_start(struct proxy *proxy, struct event_base *base, PGconn *conn)
{
    memset(proxy, 0, sizeof *proxy);
    proxy->base = base;
    LIST_INIT(&proxy->pairs);
    /* Either side of the relay may be gone when it writes. */
    signal(SIGPIPE, SIG_IGN);
    const char *host = PQhost(conn);
    int port = atoi(PQport(conn));
    if (host[0] == '/') {
        struct sockaddr_un *address = (struct sockaddr_un *)&proxy->server;
        address->sun_family = AF_UNIX;
        snprintf(address->sun_path, sizeof address->sun_path, "%s/.s.PGSQL.%d", host, port);
        proxy->server_size = sizeof *address;
    } else {
        struct sockaddr_in *address = (struct sockaddr_in *)&proxy->server;
        address->sin_family = AF_INET;
        address->sin_port = htons((uint16_t)port);
        assert_int_equal(inet_pton(AF_INET, PQhostaddr(conn), &address->sin_addr), 1);
        proxy->server_size = sizeof *address;
    }
    strcpy(proxy->dir, "/tmp/nof0-proxy-XXXXXX");
    assert_non_null(mkdtemp(proxy->dir));
    snprintf(proxy->path, sizeof proxy->path, "%s/.s.PGSQL.5432", proxy->dir);
    proxy_listen(proxy);
}

static inline void proxy_stop(struct proxy *proxy)
{
    if (proxy->listener) {
        proxy_die(proxy);
    }
    rmdir(proxy->dir);
}

#endif
