/* Replies that are made piece by piece. */
#include "server/http_testing.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

enum { ROUNDS = 400, PIECE = 65536 };

struct owner {
    struct http_request *stream; /* the held one */
    struct http_stream callbacks;
    unsigned rounds;
    bool inside; /* a function of the layer */
    atomic_uint gone;
    atomic_uint room;
    atomic_uint drain;
};

static void on_room(void *arg, struct http_request *request)
{
    struct test_server *server = arg;
    struct owner *owner = server->more;
    assert_false(owner->inside);
    assert_int_equal(http_stream_pending(request), 0);
    atomic_fetch_add(&owner->room, 1);
    if (!slice_is(http_request_path(request), "/fill"))
        return;
    owner->inside = true;
    if (owner->rounds++ < ROUNDS) {
        atomic_fetch_add(&server->taken, 1);
        http_stream_shared(request, (struct slice){server->big, PIECE}, test_release, server);
    } else {
        http_stream_end(request);
    }
    owner->inside = false;
}

static void on_gone(void *arg, struct http_request *request)
{
    struct owner *owner = ((struct test_server *)arg)->more;
    assert_false(owner->inside);
    if (slice_is(http_request_path(request), "/keep")) {
        http_stream_copy(request, SLICE("nobody reads this"));
    } else {
        owner->stream = NULL;
        http_stream_end(request);
    }
    atomic_fetch_add(&owner->gone, 1);
}

static void on_drain(void *arg, struct http_request *request)
{
    struct owner *owner = ((struct test_server *)arg)->more;
    http_stream_copy(request, SLICE("bye"));
    http_stream_end(request);
    atomic_fetch_add(&owner->drain, 1);
}

static void share(struct test_server *server, struct http_request *request, struct slice bytes)
{
    struct owner *owner = server->more;
    atomic_fetch_add(&server->taken, 1);
    owner->inside = true;
    http_stream_shared(request, bytes, test_release, server);
    owner->inside = false;
}

/* Requests that speak of the held stream. */
static void command(struct test_server *server, struct http_request *request)
{
    struct owner *owner = server->more;
    struct slice path = http_request_path(request);
    if (slice_is(path, "/say")) {
        http_stream_copy(owner->stream, http_request_query(request));
        share(server, owner->stream, http_request_query(request).n ? SLICE("shared") : SLICE(""));
        http_stream_copy(owner->stream, SLICE(""));
    } else if (slice_is(path, "/flood")) {
        share(server, owner->stream, (struct slice){server->big, BIG});
        share(server, owner->stream, (struct slice){server->big, BIG});
        assert_true(http_stream_pending(owner->stream) > (size_t)BIG * 2);
    } else if (slice_is(path, "/end")) {
        http_stream_end(owner->stream);
        owner->stream = NULL;
    }
    http_reply_copy(request, SLICE("ok"));
    http_reply_send(request);
}

static void handle(void *arg, struct http_request *request)
{
    struct test_server *server = arg;
    struct owner *owner = server->more;
    struct slice path = http_request_path(request);
    atomic_fetch_add(&server->handled, 1);
    bool empty = slice_is(path, "/empty");
    bool fill = slice_is(path, "/fill");
    if (!empty && !fill && !slice_is(path, "/hold") && !slice_is(path, "/keep") && !slice_is(path, "/three")) {
        command(server, request);
        return;
    }
    if (slice_is(path, "/keep"))
        http_reply_head(request, 200, SLICE("HTTP/1.1 200 OK\r\nX-Ready: yes\r\n"));
    http_reply_header(request, "Content-Type", SLICE("text/plain"));
    owner->inside = true;
    http_reply_stream(request, &owner->callbacks);
    if (fill) {
        owner->rounds = 0;
        http_stream_copy(request, SLICE("first"));
    } else if (slice_is(path, "/three")) {
        http_stream_copy(request, SLICE("one"));
        http_stream_copy(request, SLICE("two and more, so that it is hexadecimal"));
        share(server, request, SLICE("three"));
        http_stream_end(request);
    } else if (empty) {
        http_stream_end(request);
    } else {
        owner->stream = request;
    }
    owner->inside = false;
}

static struct test_server *start(struct http_limits limits)
{
    struct owner *owner = calloc(1, sizeof *owner);
    assert_non_null(owner);
    struct test_server *server = test_server_new(limits, handle);
    owner->callbacks = (struct http_stream){on_room, on_gone, on_drain, server};
    server->more = owner;
    test_server_go(server);
    return server;
}

static void stop(struct test_server *server, struct http_counts *counts)
{
    test_server_join(server, counts);
    free(server->more);
    test_server_free(server);
}

static void tell(int control, const char *text)
{
    test_send_str(control, text);
    test_expect(control, 200, "ok");
}

/* Opens a stream and reads its head. */
static int open_stream(const struct test_server *server, const char *text)
{
    int fd = test_connect(server);
    test_send_str(fd, text);
    struct test_reply reply;
    char value[256];
    test_read_head(fd, &reply);
    assert_int_equal(reply.status, 200);
    assert_string_equal(test_header(&reply, "Content-Type", value), "text/plain");
    assert_null(strstr(reply.head, "Content-Length"));
    return fd;
}

static void pieces_arrive_as_they_are_made(void **state)
{
    (void)state;
    struct test_server *server = start(test_limits());
    int control = test_connect(server);
    int fd = open_stream(server, GET("/hold") GET("/behind"));
    tell(control, GET("/say?a"));
    test_expect_chunk(fd, "a");
    test_expect_chunk(fd, "shared");
    tell(control, GET("/say?and+more"));
    test_expect_chunk(fd, "and+more");
    test_expect_chunk(fd, "shared");
    tell(control, GET("/say"));
    tell(control, GET("/end"));
    test_expect_chunk(fd, "");
    test_expect(fd, 200, "ok"); /* what waited behind it */
    test_send_str(fd, GET("/three") GET("/empty") GET("/behind"));
    struct test_reply reply;
    char value[256];
    test_read_head(fd, &reply);
    assert_string_equal(test_header(&reply, "Transfer-Encoding", value), "chunked");
    assert_string_equal(test_header(&reply, "Connection", value), "keep-alive");
    test_expect_chunk(fd, "one");
    test_expect_chunk(fd, "two and more, so that it is hexadecimal");
    test_expect_chunk(fd, "three");
    test_expect_chunk(fd, "");
    test_read_head(fd, &reply);
    test_expect_chunk(fd, "");
    test_expect(fd, 200, "ok");
    (void)close(fd);
    (void)close(control);
    struct http_counts counts;
    stop(server, &counts);
    assert_int_equal(counts.streams_open, 0);
}

static void older_clients_and_head_get_no_chunks(void **state)
{
    (void)state;
    struct test_server *server = start(test_limits());
    int fd = open_stream(server, "GET /three HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    char body[100];
    assert_int_equal(recv(fd, body, 47, MSG_WAITALL), 47);
    assert_memory_equal(body, "onetwo and more, so that it is hexadecimalthree", 47);
    test_expect_end(fd);
    (void)close(fd);
    fd = open_stream(server, "GET /empty HTTP/1.0\r\n\r\n");
    test_expect_end(fd);
    (void)close(fd);

    fd = open_stream(server, "HEAD /three HTTP/1.1\r\nHost: a\r\n\r\n" GET("/behind"));
    test_expect(fd, 200, "ok");
    (void)close(fd);
    int control = test_connect(server);
    fd = open_stream(server, "HEAD /hold HTTP/1.1\r\nHost: a\r\n\r\n" GET("/behind"));
    tell(control, GET("/say?nothing"));
    tell(control, GET("/end"));
    test_expect(fd, 200, "ok");
    (void)close(fd);
    (void)close(control);
    stop(server, NULL);
}

static void a_ready_head_may_be_streamed_behind(void **state)
{
    (void)state;
    struct test_server *server = start(test_limits());
    int control = test_connect(server);
    int fd = open_stream(server, GET("/keep"));
    tell(control, GET("/say?a"));
    test_expect_chunk(fd, "a");
    test_expect_chunk(fd, "shared");
    tell(control, GET("/end"));
    test_expect_chunk(fd, "");
    (void)close(fd);
    (void)close(control);
    stop(server, NULL);
}

/* The owner makes as much as is read, and other connections have their turn meanwhile. */
static void room_is_told_of(void **state)
{
    (void)state;
    struct test_server *server = start(test_limits());
    int control = test_connect(server);
    int fd = open_stream(server, GET("/fill"));
    test_expect_chunk(fd, "first");
    char *bytes = malloc(PIECE);
    assert_non_null(bytes);
    for (int i = 0; i < ROUNDS; i++) {
        assert_int_equal(test_read_chunk(fd, bytes, PIECE), PIECE);
        assert_memory_equal(bytes, server->big, PIECE);
        if (i % 100 == 0)
            tell(control, GET("/other"));
    }
    test_expect_chunk(fd, "");
    free(bytes);
    (void)close(fd);
    (void)close(control);
    struct http_counts counts;
    stop(server, &counts);
    assert_int_equal(counts.streams_open, 0);
}

static void a_client_that_leaves_is_noticed_in_silence(void **state)
{
    (void)state;
    struct test_server *server = start(test_limits());
    struct owner *owner = server->more;
    struct buf many = BUF_INIT; /* more than are read behind a stream */
    buf_append_str(&many, GET("/hold"));
    for (int i = 0; i < 60; i++)
        buf_append_str(&many, GET("/behind"));
    buf_append(&many, "", 1);
    const char *const requests[] = {
        GET("/hold"),
        "GET /hold HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /hold HTTP/1.0\r\n\r\n",
        many.data,
    };
    unsigned gone = 0;
    for (unsigned i = 0; i < 4; i++)
        for (int way = 0; way < 3; way++) {
            int fd = open_stream(server, requests[i]);
            if (way == 0)
                (void)close(fd);
            else if (way == 1)
                test_close_with_reset(fd);
            else
                assert_int_equal(shutdown(fd, SHUT_WR), 0);
            test_wait(&owner->gone, ++gone);
            if (way == 2) {
                char rest[4096];
                while (recv(fd, rest, sizeof rest, 0) > 0)
                    ;
                (void)close(fd);
            }
        }
    buf_free(&many);
    struct http_counts counts;
    stop(server, &counts);
    assert_int_equal(counts.streams_open, 0);
}

static void an_owner_may_end_a_gone_stream_later(void **state)
{
    (void)state;
    struct test_server *server = start(test_limits());
    struct owner *owner = server->more;
    int control = test_connect(server);
    for (unsigned i = 0; i < 2; i++) {
        int fd = open_stream(server, GET("/keep"));
        if (i)
            test_close_with_reset(fd);
        else
            (void)close(fd);
        test_wait(&owner->gone, i + 1);
        tell(control, GET("/say?nobody"));
        tell(control, GET("/flood"));
        tell(control, GET("/end"));
        test_wait(&server->released, atomic_load(&server->taken));
    }
    (void)close(control);
    struct http_counts counts;
    stop(server, &counts);
    assert_int_equal(counts.streams_open, 0);
}

static void a_client_that_does_not_read_is_given_up(void **state)
{
    (void)state;
    struct http_limits limits = test_limits();
    limits.write_timeout_ms = 300;
    struct test_server *server = start(limits);
    struct owner *owner = server->more;
    int control = test_connect(server);
    int fd = open_stream(server, GET("/hold"));
    (void)usleep(400 * 1000); /* nothing is written: no limit */
    assert_int_equal(atomic_load(&owner->gone), 0);
    tell(control, GET("/flood"));
    test_wait(&owner->gone, 1);
    test_wait(&server->released, 2);
    (void)close(fd);
    (void)close(control);
    struct http_counts counts;
    stop(server, &counts);
    assert_int_equal(counts.timeouts, 1);
}

static void draining_tells_streams(void **state)
{
    (void)state;
    struct test_server *server = start(test_limits());
    struct owner *owner = server->more;
    int fd = open_stream(server, GET("/hold"));
    test_signal(server->drain_fd);
    test_expect_chunk(fd, "bye");
    test_expect_chunk(fd, "");
    test_expect_end(fd);
    (void)close(fd);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    assert_int_equal(atomic_load(&owner->drain), 1);
    free(server->more);
    test_server_free(server);
}

static void the_server_may_go_before_its_streams(void **state)
{
    (void)state;
    struct test_server *server = start(test_limits());
    int control = test_connect(server);
    int fd = open_stream(server, GET("/hold"));
    tell(control, GET("/flood"));
    struct http_counts counts;
    stop(server, &counts);
    assert_int_equal(counts.streams_open, 1);
    (void)close(fd);
    (void)close(control);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_arrive_as_they_are_made),
        cmocka_unit_test(older_clients_and_head_get_no_chunks),
        cmocka_unit_test(a_ready_head_may_be_streamed_behind),
        cmocka_unit_test(room_is_told_of),
        cmocka_unit_test(a_client_that_leaves_is_noticed_in_silence),
        cmocka_unit_test(an_owner_may_end_a_gone_stream_later),
        cmocka_unit_test(a_client_that_does_not_read_is_given_up),
        cmocka_unit_test(draining_tells_streams),
        cmocka_unit_test(the_server_may_go_before_its_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
