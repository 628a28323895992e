#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "server/http_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ACCEPT_BATCH = 64,
    ACCEPT_PAUSE_MS = 100,
    REFUSED_AT_ONCE = 64, /* connections over the limit that are still told so */
};

static void set_accepting(struct http_server *server, bool on)
{
    if (on)
        event_add(&server->accept_event, NULL);
    else
        event_del(&server->accept_event);
}

/* Out of descriptors or memory: the backlog stays readable, so trying on would only burn the processor. */
static void pause_accepting(struct http_server *server, int number)
{
    set_accepting(server, false);
    struct timeval wait = {0, (suseconds_t)ACCEPT_PAUSE_MS * 1000};
    event_add(&server->accept_retry, &wait);
    if (server->accept_paused)
        return;
    server->accept_paused = true;
    struct err err = ERR_INIT;
    err_set_errno(&err, number, "cannot accept");
    log_event(LOG_WARN, "http.accept_paused",
              LOG_FIELDS(log_int("connections", (int64_t)server->counts.connections_open), log_error_text(&err)));
}

static void on_accept_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct http_server *server = arg;
    if (server->listen_fd >= 0)
        set_accepting(server, true);
}

static void take_connection(struct http_server *server, int fd, const struct sockaddr_storage *peer)
{
    server->counts.connections_accepted++;
    if (server->counts.connections_open < server->limits.max_connections) {
        (void)http_conn_start(server, fd, peer);
        return;
    }
    server->counts.connections_refused++;
    if (server->counts.connections_open >= (uint64_t)server->limits.max_connections + REFUSED_AT_ONCE) {
        (void)close(fd);
        return;
    }
    struct conn *conn = http_conn_start(server, fd, peer);
    http_conn_refuse(conn, 503, "too many connections are open");
    http_conn_work(conn, (struct slice){NULL, 0});
}

static void on_acceptable(evutil_socket_t listen_fd, short what, void *arg)
{
    (void)what;
    struct http_server *server = arg;
    for (int i = 0; i < ACCEPT_BATCH; i++) {
        struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
        socklen_t size = sizeof peer;
        int fd = accept4(listen_fd, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            server->accept_paused = false;
            take_connection(server, fd, &peer);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(server, errno);
            return;
        }
        /* Anything else is that one connection's trouble (accept(2), "Error handling"). */
    }
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct http_server *server = arg;
    /* Those that have work again right away have their turn in the loop's next round, behind timers and sockets: a
     * stream may be filled as quickly as it is read. */
    struct conn *last = TAILQ_LAST(&server->ready, http_ready);
    struct conn *conn = NULL;
    while (conn != last) {
        conn = TAILQ_FIRST(&server->ready);
        TAILQ_REMOVE(&server->ready, conn, ready);
        conn->is_ready = false;
        http_conn_work(conn, (struct slice){NULL, 0});
    }
    static const struct timeval at_once = {0, 0};
    if (!TAILQ_EMPTY(&server->ready))
        event_add(&server->ready_event, &at_once);
}

static void on_drained(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct http_server *server = arg;
    /* The last thing done with the server: done may free it. */
    server->drained(server->drained_arg);
}

void http_server_conn_gone(struct http_server *server)
{
    if (!server->draining || server->drain_told || !LIST_EMPTY(&server->conns))
        return;
    server->drain_told = true;
    event_active(&server->drained_event, EV_TIMEOUT, 0);
}

struct http_server *http_server_new(struct event_base *base, const struct http_limits *limits, http_handler *handler,
                                    void *arg)
{
    struct http_server *server = mem_zalloc(sizeof *server);
    server->base = base;
    server->limits = *limits;
    server->handler = handler;
    server->arg = arg;
    server->listen_fd = -1;
    server->date_s = -1;
    LIST_INIT(&server->conns);
    TAILQ_INIT(&server->ready);
    STAILQ_INIT(&server->pool);
    (void)event_assign(&server->ready_event, base, -1, 0, on_ready, server);
    (void)event_assign(&server->drained_event, base, -1, 0, on_drained, server);
    (void)event_assign(&server->accept_retry, base, -1, 0, on_accept_retry, server);
    const int64_t lasts_ms[HTTP_TIMER_KINDS] = {
        [HTTP_TIMER_HEADER] = limits->header_timeout_ms,
        [HTTP_TIMER_IDLE] = limits->idle_timeout_ms,
        [HTTP_TIMER_WRITE] = limits->write_timeout_ms,
        [HTTP_TIMER_LINGER] = HTTP_LINGER_MS,
    };
    http_timers_init(&server->timers, base, lasts_ms, http_conn_timer_ended, server);
    if (getrandom(&server->id_state, sizeof server->id_state, 0) != (ssize_t)sizeof server->id_state)
        server->id_state = (uint64_t)clock_wall_ms() << 20 ^ (uint64_t)clock_mono_us();
    return server;
}

void http_server_set_limits(struct http_server *server, const struct http_limits *limits)
{
    server->limits = *limits;
    server->timers.lasts_ms[HTTP_TIMER_HEADER] = limits->header_timeout_ms;
    server->timers.lasts_ms[HTTP_TIMER_IDLE] = limits->idle_timeout_ms;
    server->timers.lasts_ms[HTTP_TIMER_WRITE] = limits->write_timeout_ms;
}

void http_server_stream_bodies(struct http_server *server,
                               bool (*streams)(void *arg, const struct http_request *request), void *arg)
{
    server->streams = streams;
    server->streams_arg = arg;
}

bool http_server_accept(struct http_server *server, int listen_fd, struct err *err)
{
    if (server->listen_fd >= 0)
        return err_set(err, ERR_INTERNAL, "the server has a listening socket already");
    if (event_assign(&server->accept_event, server->base, listen_fd, EV_READ | EV_PERSIST, on_acceptable, server) < 0 ||
        event_add(&server->accept_event, NULL) < 0)
        return err_set(err, ERR_IO, "cannot watch the listening socket");
    server->listen_fd = listen_fd;
    return true;
}

static void stop_accepting(struct http_server *server)
{
    if (server->listen_fd < 0)
        return;
    event_del(&server->accept_event);
    event_del(&server->accept_retry);
    (void)close(server->listen_fd);
    server->listen_fd = -1;
}

void http_server_drain(struct http_server *server, void (*done)(void *arg), void *arg)
{
    stop_accepting(server);
    server->draining = true;
    server->drained = done;
    server->drained_arg = arg;
    struct conn *next;
    for (struct conn *conn = LIST_FIRST(&server->conns); conn; conn = next) {
        next = LIST_NEXT(conn, all);
        http_conn_ready(conn);
    }
    http_server_conn_gone(server);
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    stop_accepting(server);
    while (!LIST_EMPTY(&server->conns))
        http_conn_free(LIST_FIRST(&server->conns));
    http_timers_close(&server->timers);
    event_del(&server->ready_event);
    event_del(&server->drained_event);
    http_requests_free(&server->pool);
    free(server);
}

void http_server_counts(const struct http_server *server, struct http_counts *counts)
{
    *counts = server->counts;
}
