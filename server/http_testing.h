/* For tests of the HTTP layer: a server on a thread of its own with a handler that does as the path says, and a plain
 * blocking client. */
#ifndef NOF0_SERVER_HTTP_TESTING_H
#define NOF0_SERVER_HTTP_TESTING_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/testing.h"
#include "server/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BIG = 5 * 1000 * 1000 };

struct test_server {
    pthread_t thread;
    struct event_base *base;
    struct http_server *http;
    unsigned port;
    int stop_fd;
    int drain_fd;
    char *big;
    struct http_request *held; /* by "/hold", until "/let-go" */
    atomic_uint taken;         /* shared parts given out */
    atomic_uint released;
    atomic_uint handled;
    atomic_bool drained;
    void *more; /* of the one test program */
};

static inline void test_release(void *arg)
{
    struct test_server *server = arg;
    atomic_fetch_add(&server->released, 1);
}

static inline void test_shared(struct test_server *server, struct http_request *request, struct slice bytes)
{
    atomic_fetch_add(&server->taken, 1);
    http_reply_shared(request, bytes, test_release, server);
}

static inline void test_reply_later(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    http_reply_copy(arg, http_request_query(arg));
    http_reply_send(arg);
}

static inline void test_handle_special(struct test_server *server, struct http_request *request)
{
    struct slice path = http_request_path(request);
    if (slice_is(path, "/later")) { /* "?5": replies "5" after 5 ms */
        struct timeval wait = {0, atol(http_request_query(request).p) * 1000};
        event_base_once(server->base, -1, EV_TIMEOUT, test_reply_later, request, &wait);
        return;
    }
    if (slice_is(path, "/hold")) {
        test_shared(server, request, SLICE("held"));
        server->held = request;
        return;
    }
    if (slice_is(path, "/let-go") && server->held) {
        http_reply_send(server->held);
        server->held = NULL;
    }
    if (slice_is(path, "/304"))
        http_reply_status(request, 304);
    else if (slice_is(path, "/204"))
        http_reply_status(request, 204);
    http_reply_copy(request, SLICE("x"));
    http_reply_send(request);
}

static inline void test_handle(void *arg, struct http_request *request)
{
    struct test_server *server = arg;
    struct slice path = http_request_path(request);
    atomic_fetch_add(&server->handled, 1);
    if (slice_is(path, "/big")) {
        test_shared(server, request, (struct slice){server->big, BIG});
    } else if (slice_is(path, "/echo")) {
        http_reply_header(request, "X-Method", http_request_method_name(request));
        http_reply_header(request, "X-Query", http_request_query(request));
        http_reply_header(request, "X-Seen", http_request_header(request, "x-test"));
        http_reply_header(request, "X-Peer", http_request_peer(request));
        http_reply_copy(request, http_request_body(request));
    } else if (slice_is(path, "/parts")) {
        test_shared(server, request, SLICE("one,"));
        http_reply_copy(request, SLICE("two,"));
        test_shared(server, request, SLICE(""));
        test_shared(server, request, SLICE("four"));
    } else if (slice_is(path, "/close")) {
        http_reply_copy(request, SLICE("bye"));
        http_reply_send_and_close(request);
        return;
    } else {
        test_handle_special(server, request);
        return;
    }
    http_reply_send(request);
}

static inline void test_on_stop(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    event_base_loopbreak(arg);
}

static inline void test_on_drained(void *arg)
{
    struct test_server *server = arg;
    atomic_store(&server->drained, true);
    event_base_loopbreak(server->base);
}

static inline void test_on_drain(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct test_server *server = arg;
    http_server_drain(server->http, test_on_drained, server);
}

static inline void *test_server_run(void *arg)
{
    struct test_server *server = arg;
    event_base_dispatch(server->base);
    return NULL;
}

static inline struct http_limits test_limits(void)
{
    return (struct http_limits){.max_uri = 1000,
                                .max_headers = 4000,
                                .max_body = 300000,
                                .max_connections = 12000,
                                .header_timeout_ms = 20000,
                                .idle_timeout_ms = 60000,
                                .write_timeout_ms = 20000};
}

/* A server that is still to go, so that it can be changed before its thread runs. */
static inline struct test_server *test_server_new(struct http_limits limits, http_handler *handler)
{
    struct test_server *server = calloc(1, sizeof *server);
    assert_non_null(server);
    server->big = malloc(BIG);
    assert_non_null(server->big);
    for (size_t i = 0; i < BIG; i++)
        server->big[i] = (char)('a' + i % 23);
    server->base = event_base_new();
    server->http = http_server_new(server->base, &limits, handler, server);
    struct err err = ERR_INIT;
    int fd = http_listen("127.0.0.1", 0, &server->port, &err);
    if (fd < 0 || !http_server_accept(server->http, fd, &err))
        fail_msg("%s", err.text);
    server->stop_fd = eventfd(0, EFD_NONBLOCK);
    server->drain_fd = eventfd(0, EFD_NONBLOCK);
    event_base_once(server->base, server->stop_fd, EV_READ, test_on_stop, server->base, NULL);
    event_base_once(server->base, server->drain_fd, EV_READ, test_on_drain, server, NULL);
    return server;
}

static inline void test_server_go(struct test_server *server)
{
    assert_int_equal(pthread_create(&server->thread, NULL, test_server_run, server), 0);
}

static inline struct test_server *test_server_start(struct http_limits limits)
{
    struct test_server *server = test_server_new(limits, test_handle);
    test_server_go(server);
    return server;
}

static inline void test_signal(int fd)
{
    uint64_t one = 1;
    assert_int_equal(write(fd, &one, sizeof one), sizeof one);
}

/* Ends the loop; the counts may be read after it. */
static inline void test_server_join(struct test_server *server, struct http_counts *counts)
{
    if (!atomic_load(&server->drained))
        test_signal(server->stop_fd);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    if (counts)
        http_server_counts(server->http, counts);
}

/* After test_server_join. Whatever was given out must have come back, exactly once. */
static inline void test_server_free(struct test_server *server)
{
    http_server_free(server->http);
    assert_int_equal(atomic_load(&server->released), atomic_load(&server->taken));
    event_base_free(server->base);
    (void)close(server->stop_fd);
    (void)close(server->drain_fd);
    free(server->big);
    free(server);
}

static inline void test_server_stop(struct test_server *server, struct http_counts *counts)
{
    test_server_join(server, counts);
    test_server_free(server);
}

/* Waits until a counter that the server's thread changes has come so far. */
static inline void test_wait(atomic_uint *counter, unsigned wanted)
{
    for (int64_t end = clock_mono_ms() + 20000; atomic_load(counter) < wanted && clock_mono_ms() < end;)
        (void)usleep(1000);
    assert_true(atomic_load(counter) >= wanted);
}

static inline int test_connect(const struct test_server *server)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct timeval patience = {20, 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static inline void test_send(int fd, struct slice bytes)
{
    while (bytes.n) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        assert_true(n > 0);
        bytes.p += n;
        bytes.n -= (size_t)n;
    }
}

static inline void test_send_str(int fd, const char *text)
{
    test_send(fd, slice_of(text));
}

/* A reply as the client sees it. */
struct test_reply {
    unsigned status;
    char head[4096];
    char *body;
    size_t body_size;
};

static inline void test_reply_free(struct test_reply *reply)
{
    free(reply->body);
    reply->body = NULL;
}

/* The value of a header line in reply->head; fails the test when there is none. */
static inline const char *test_header(const struct test_reply *reply, const char *name, char value[256])
{
    char start[100];
    (void)snprintf(start, sizeof start, "\r\n%s: ", name);
    const char *at = strstr(reply->head, start);
    if (!at)
        fail_msg("no %s in: %s", name, reply->head);
    at += strlen(start);
    (void)snprintf(value, 256, "%.*s", (int)strcspn(at, "\r"), at);
    return value;
}

/* Reads one reply's head, not a byte more. */
static inline void test_read_head(int fd, struct test_reply *reply)
{
    memset(reply, 0, sizeof *reply);
    size_t n = 0;
    while (n < 4 || memcmp(reply->head + n - 4, "\r\n\r\n", 4) != 0) {
        assert_true(n < sizeof reply->head - 1);
        if (recv(fd, reply->head + n, 1, 0) != 1)
            fail_msg("the connection ended in a head: \"%s\"", reply->head);
        n++;
    }
    assert_memory_equal(reply->head, "HTTP/1.1 ", 9);
    reply->status = (unsigned)atoi(reply->head + 9);
}

/* Reads one reply that has a Content-Length, not a byte more. `bodiless`: the request was HEAD. */
static inline void test_read_reply(int fd, struct test_reply *reply, bool bodiless)
{
    test_read_head(fd, reply);
    if (bodiless || reply->status == 204 || reply->status == 304 || reply->status == 100)
        return;
    char value[256];
    reply->body_size = (size_t)atoll(test_header(reply, "Content-Length", value));
    reply->body = malloc(reply->body_size + 1);
    assert_non_null(reply->body);
    for (size_t got = 0; got < reply->body_size;) {
        ssize_t more = recv(fd, reply->body + got, reply->body_size - got, 0);
        assert_true(more > 0);
        got += (size_t)more;
    }
    reply->body[reply->body_size] = '\0';
}

/* Reads one reply and checks its status and body. */
static inline void test_expect(int fd, unsigned status, const char *body)
{
    struct test_reply reply;
    test_read_reply(fd, &reply, false);
    if (reply.status != status)
        fail_msg("status %u instead of %u", reply.status, status);
    if (body)
        assert_string_equal(reply.body, body);
    test_reply_free(&reply);
}

/* One chunk of a chunked body; the last one has 0 bytes. */
static inline size_t test_read_chunk(int fd, char *bytes, size_t room)
{
    char line[20];
    size_t n = 0;
    while (n < 2 || line[n - 1] != '\n') {
        assert_true(n < sizeof line - 1);
        assert_int_equal(recv(fd, line + n, 1, 0), 1);
        n++;
    }
    size_t size = strtoull(line, NULL, 16);
    assert_true(size <= room);
    if (size)
        assert_int_equal(recv(fd, bytes, size, MSG_WAITALL), size);
    assert_int_equal(recv(fd, line, 2, MSG_WAITALL), 2);
    assert_memory_equal(line, "\r\n", 2);
    return size;
}

static inline void test_expect_chunk(int fd, const char *text)
{
    char bytes[1000];
    size_t n = test_read_chunk(fd, bytes, sizeof bytes - 1);
    bytes[n] = '\0';
    assert_string_equal(bytes, text);
}

/* A close that the other side sees as a reset. */
static inline void test_close_with_reset(int fd)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    (void)close(fd);
}

static inline void test_expect_end(int fd)
{
    char byte;
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

/* An error document of the layer, and the end of the connection behind it. */
static inline void test_expect_refusal(int fd, unsigned status)
{
    struct test_reply reply;
    char value[256];
    test_read_reply(fd, &reply, false);
    if (reply.status != status)
        fail_msg("status %u instead of %u: %s", reply.status, status, reply.body);
    assert_memory_equal(reply.body, "{\"error\":{\"code\":\"", 18);
    assert_string_equal(test_header(&reply, "Connection", value), "close");
    assert_int_equal(strlen(test_header(&reply, "X-Request-Id", value)), 16);
    test_reply_free(&reply);
    test_expect_end(fd);
}

#endif
