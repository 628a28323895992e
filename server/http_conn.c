#include "base/clock.h"
#include "base/mem.h"
#include "server/http_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

bool http_conn_may_take(const struct conn *conn)
{
    if (conn->receiving)
        return http_receive_may_take(conn);
    return conn->fd >= 0 && !conn->last && conn->queued < HTTP_PIPELINE && (conn->reading || !conn->server->draining);
}

void http_conn_ready(struct conn *conn)
{
    /* While it takes requests it will look at its queue by itself. */
    if (conn->at_work || conn->is_ready)
        return;
    struct http_server *server = conn->server;
    if (TAILQ_EMPTY(&server->ready))
        event_active(&server->ready_event, EV_TIMEOUT, 0);
    TAILQ_INSERT_TAIL(&server->ready, conn, ready);
    conn->is_ready = true;
}

void http_conn_insert(struct conn *conn, struct http_request *request, struct http_request *before)
{
    struct http_request *at = STAILQ_FIRST(&conn->queue);
    if (at == before) {
        STAILQ_INSERT_HEAD(&conn->queue, request, next);
    } else {
        while (STAILQ_NEXT(at, next) != before)
            at = STAILQ_NEXT(at, next);
        STAILQ_INSERT_AFTER(&conn->queue, at, request, next);
    }
    conn->queued++;
}

static void forget_reading(struct conn *conn)
{
    if (conn->reading)
        http_request_done(conn->reading);
    conn->reading = NULL;
}

void http_conn_drop(struct conn *conn)
{
    if (conn->fd < 0)
        return;
    event_del(&conn->read_event);
    event_del(&conn->write_event);
    (void)close(conn->fd);
    conn->fd = -1;
    conn->server->counts.connections_open--;
    http_timer_set(&conn->server->timers, &conn->read_timer, HTTP_TIMER_OFF);
    http_timer_set(&conn->server->timers, &conn->write_timer, HTTP_TIMER_OFF);
}

void http_conn_free(struct conn *conn)
{
    http_conn_drop(conn);
    forget_reading(conn);
    while (!STAILQ_EMPTY(&conn->queue)) {
        struct http_request *request = STAILQ_FIRST(&conn->queue);
        STAILQ_REMOVE_HEAD(&conn->queue, next);
        http_request_done(request);
    }
    buf_free(&conn->in);
    if (conn->is_ready)
        TAILQ_REMOVE(&conn->server->ready, conn, ready);
    LIST_REMOVE(conn, all);
    free(conn);
}

void http_conn_refuse(struct conn *conn, unsigned status, const char *reason)
{
    struct http_request *request = conn->reading;
    if (!request) {
        request = http_request_take(conn);
        request->started_us = conn->read_us;
    }
    conn->reading = NULL;
    if (!request->id[0])
        http_request_set_id(request, false);
    http_reply_error(request, status, reason);
    STAILQ_INSERT_TAIL(&conn->queue, request, next);
    conn->queued++;
    conn->last = true;
    conn->discarded = true;
    if (status != 408 && status != 503)
        conn->server->counts.protocol_errors++;
}

/* Closing a socket with unread bytes resets the connection, and the client may lose the last reply (RFC 9112 section
 * 9.6). So the sending side is shut, and what still comes is dropped for a while. */
static void begin_linger(struct conn *conn)
{
    if (shutdown(conn->fd, SHUT_WR) < 0) {
        http_conn_drop(conn);
        return;
    }
    conn->lingers = true;
}

static void end_when_over(struct conn *conn)
{
    if (conn->lingers) {
        if (conn->eof || conn->lingered > HTTP_LINGER_BYTES)
            http_conn_drop(conn);
        return;
    }
    if (conn->closes) {
        if (!conn->eof && (conn->discarded || conn->in.len))
            begin_linger(conn);
        else
            http_conn_drop(conn);
        return;
    }
    /* The rest of this request will never come. */
    if (conn->eof && http_conn_may_take(conn))
        forget_reading(conn);
    if (STAILQ_EMPTY(&conn->queue) && !conn->reading && (conn->eof || conn->last || conn->server->draining))
        http_conn_drop(conn);
}

static enum http_timer_kind read_timer_kind(const struct conn *conn)
{
    if (conn->lingers)
        return HTTP_TIMER_LINGER;
    /* A client is not to blame for what we do not read. */
    if (conn->reading || conn->receiving)
        return http_conn_may_take(conn) ? HTTP_TIMER_HEADER : HTTP_TIMER_OFF;
    return conn->queued ? HTTP_TIMER_OFF : HTTP_TIMER_IDLE;
}

static void set_timers(struct conn *conn)
{
    struct http_timers *timers = &conn->server->timers;
    enum http_timer_kind kind = read_timer_kind(conn);
    if (kind != conn->read_timer.kind || conn->restart)
        http_timer_set(timers, &conn->read_timer, kind);
    conn->restart = false;

    bool waits = conn->blocked && !conn->lingers;
    if (!waits && conn->write_timer.kind != HTTP_TIMER_OFF)
        http_timer_set(timers, &conn->write_timer, HTTP_TIMER_OFF);
    else if (waits && (conn->progressed || conn->write_timer.kind == HTTP_TIMER_OFF))
        http_timer_set(timers, &conn->write_timer, HTTP_TIMER_WRITE);
    conn->progressed = false;
}

static void set_events(struct conn *conn)
{
    bool takes = conn->lingers || http_conn_may_take(conn);
    bool reads = !conn->eof && (takes || conn->streams);
    if (reads != conn->reads)
        (void)(reads ? event_add(&conn->read_event, NULL) : event_del(&conn->read_event));
    else if (conn->watches && takes && reads) /* what came meanwhile had its edge */
        event_active(&conn->read_event, EV_READ, 0);
    conn->reads = reads;
    conn->watches = reads && !takes;
    bool writes = conn->blocked && !conn->lingers;
    if (writes != conn->writes)
        (void)(writes ? event_add(&conn->write_event, NULL) : event_del(&conn->write_event));
    conn->writes = writes;
    /* No edge will come for a socket that still takes bytes. */
    if (writes && conn->yields)
        event_active(&conn->write_event, EV_WRITE, 0);
    conn->yields = false;
}

/* After some work: what is the connection waiting for now? */
static void settle(struct conn *conn)
{
    if (conn->fd >= 0)
        end_when_over(conn);
    if (conn->fd >= 0) {
        set_events(conn);
        set_timers(conn);
        return;
    }
    forget_reading(conn);
    http_output_forget(conn);
    buf_free(&conn->in);
    if (STAILQ_EMPTY(&conn->queue)) {
        struct http_server *server = conn->server;
        http_conn_free(conn);
        http_server_conn_gone(server);
    }
}

/* Keeps what was not used for the next time; an idle connection keeps nothing. */
static void keep_unread(struct conn *conn)
{
    if (conn->unread.n == 0 || conn->fd < 0 || (conn->last && !conn->receiving)) {
        conn->discarded = conn->discarded || conn->unread.n;
        buf_free(&conn->in);
    } else if (conn->in.len == 0) {
        buf_append_slice(&conn->in, conn->unread);
    } else if (conn->unread.p != conn->in.data) {
        memmove(conn->in.data, conn->unread.p, conn->unread.n);
        conn->in.len = conn->unread.n;
    }
    conn->unread = (struct slice){NULL, 0};
}

void http_conn_work(struct conn *conn, struct slice fresh)
{
    conn->unread = fresh;
    if (conn->in.len) {
        buf_append_slice(&conn->in, fresh);
        conn->unread = buf_slice(&conn->in);
    }
    bool left;
    do {
        conn->at_work = true;
        http_input_take(conn);
        conn->at_work = false;
        left = http_output_write(conn);
    } while (left && conn->unread.n && http_conn_may_take(conn));
    keep_unread(conn);
    if (conn->receiving)
        http_receive_check(conn);
    if (conn->streams)
        http_stream_tell(conn);
    settle(conn);
}

/* Others get their turn before the connection is read on, as for a streamed body, which has no end in sight, also those
 * of which the loop does not know yet. */
static void read_again(struct conn *conn)
{
    if (conn->receiving) {
        event_del(&conn->read_event);
        event_add(&conn->read_event, NULL);
    } else {
        event_active(&conn->read_event, EV_READ, 0);
    }
}

/* Nothing may be read now, but the client may have left. */
static void watch(struct conn *conn)
{
    struct pollfd poll_fd = {.fd = conn->fd, .events = POLLRDHUP};
    if (poll(&poll_fd, 1, 0) <= 0)
        return;
    if (poll_fd.revents & (POLLERR | POLLHUP))
        http_conn_drop(conn);
    conn->peer_closed = true;
    http_conn_work(conn, (struct slice){NULL, 0});
}

/* Edge-triggered: the next event comes when something new has come. A read that did not fill the scratch has taken all
 * there was, but for the end of the stream, which may have come with the same event. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct conn *conn = arg;
    struct http_server *server = conn->server;
    if (conn->watches) {
        watch(conn);
        return;
    }
    ssize_t n = recv(fd, server->scratch, sizeof server->scratch, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    conn->peer_closed = conn->peer_closed || what & EV_CLOSED;
    if (n == (ssize_t)sizeof server->scratch || (n > 0 && conn->peer_closed) || (n < 0 && errno == EINTR))
        read_again(conn);
    if (n < 0 && errno == EINTR)
        return;
    struct slice fresh = {server->scratch, n > 0 ? (size_t)n : 0};
    if (n < 0)
        http_conn_drop(conn);
    else if (n == 0)
        conn->eof = true;
    server->counts.bytes_in += fresh.n;
    conn->read_us = clock_mono_us();
    if (conn->lingers) {
        conn->lingered += (uint32_t)fresh.n;
        fresh.n = 0;
    }
    http_conn_work(conn, fresh);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    http_conn_work(arg, (struct slice){NULL, 0});
}

/* Lets the kernel forget what the client did not read. */
static void reset(struct conn *conn)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    http_conn_drop(conn);
}

void http_conn_timer_ended(void *arg, struct http_timer *timer, enum http_timer_kind kind)
{
    struct http_server *server = arg;
    size_t place = kind == HTTP_TIMER_WRITE ? offsetof(struct conn, write_timer) : offsetof(struct conn, read_timer);
    struct conn *conn = (struct conn *)(void *)((char *)timer - place);
    switch (kind) {
    case HTTP_TIMER_HEADER:
        server->counts.timeouts++;
        if (conn->receiving)
            http_receive_timed_out(conn);
        else
            http_conn_refuse(conn, 408, "the request took too long to arrive");
        break;
    case HTTP_TIMER_WRITE:
        server->counts.timeouts++;
        reset(conn);
        break;
    case HTTP_TIMER_IDLE:
    case HTTP_TIMER_LINGER:
    case HTTP_TIMER_OFF:
        http_conn_drop(conn);
        break;
    }
    http_conn_work(conn, (struct slice){NULL, 0});
}

static void take_peer(struct conn *conn, const struct sockaddr_storage *peer)
{
    conn->peer_family = (uint8_t)peer->ss_family;
    if (peer->ss_family == AF_INET) {
        conn->peer.v4 = ((const struct sockaddr_in *)(const void *)peer)->sin_addr;
    } else if (peer->ss_family == AF_INET6) {
        conn->peer.v6 = ((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(&conn->peer.v6)) {
            struct in_addr v4;
            memcpy(&v4, conn->peer.v6.s6_addr + 12, sizeof v4);
            conn->peer.v4 = v4;
            conn->peer_family = AF_INET;
        }
    }
}

struct conn *http_conn_start(struct http_server *server, int fd, const struct sockaddr_storage *peer)
{
    struct conn *conn = mem_zalloc(sizeof *conn);
    conn->server = server;
    conn->fd = fd;
    STAILQ_INIT(&conn->queue);
    take_peer(conn, peer);
    http_timer_init(&conn->read_timer);
    http_timer_init(&conn->write_timer);
    (void)event_assign(&conn->read_event, server->base, fd, EV_READ | EV_CLOSED | EV_PERSIST | EV_ET, on_readable,
                       conn);
    (void)event_assign(&conn->write_event, server->base, fd, EV_WRITE | EV_PERSIST | EV_ET, on_writable, conn);
    LIST_INSERT_HEAD(&server->conns, conn, all);
    server->counts.connections_open++;
    conn->read_us = clock_mono_us();
    set_events(conn);
    set_timers(conn);
    return conn;
}
