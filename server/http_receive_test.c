/* Bodies that are handed over piece by piece. */
#include "server/http_testing.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(path, headers) "POST " path " HTTP/1.1\r\nHost: a\r\n" headers "\r\n"

/* Of the one body that a test sends. */
struct seen {
    struct http_request *request; /* of "/later" and "/pause" */
    size_t pause_at;
    size_t bytes;
    atomic_uint pieces;
    atomic_uint ends;
    atomic_int how;
    atomic_uint status;
    bool in_data;
};

static bool is_streamed(void *arg, const struct http_request *request)
{
    (void)arg;
    struct slice path = http_request_path(request);
    return path.n > 2 && memcmp(path.p, "/s/", 3) == 0;
}

static void on_data(void *arg, struct http_request *request, struct slice bytes)
{
    struct test_server *server = arg;
    struct seen *seen = server->more;
    assert_true(bytes.n > 0 && http_request_is_streamed(request));
    assert_memory_equal(bytes.p, server->big + seen->bytes, bytes.n);
    seen->bytes += bytes.n;
    struct slice path = http_request_path(request);
    if (slice_is(path, "/s/pause"))
        http_request_pause(request);
    if (slice_is(path, "/s/blink")) {
        http_request_pause(request);
        seen->in_data = true;
        http_request_resume(request);
        seen->in_data = false;
    }
    assert_false(seen->in_data);
    atomic_fetch_add(&seen->pieces, 1);
    if (slice_is(path, "/s/enough")) {
        http_reply_copy(request, SLICE("enough"));
        http_reply_send(request);
    }
}

static void on_end(void *arg, struct http_request *request, struct http_body_end end)
{
    struct test_server *server = arg;
    struct seen *seen = server->more;
    char text[100];
    (void)snprintf(text, sizeof text, "%zu", seen->bytes);
    if (end.how == HTTP_BODY_MALFORMED)
        http_reply_status(request, end.status);
    http_reply_copy(request, end.reason ? slice_of(end.reason) : slice_of(text));
    http_reply_send(request);
    seen->bytes = 0;
    atomic_store(&seen->how, (int)end.how);
    atomic_store(&seen->status, end.status);
    atomic_fetch_add(&seen->ends, 1);
}

static void receive(struct test_server *server, struct http_request *request)
{
    const struct http_receiver receiver = {on_data, on_end, server};
    http_request_receive(request, &receiver);
}

static void handle(void *arg, struct http_request *request)
{
    struct test_server *server = arg;
    struct seen *seen = server->more;
    struct slice path = http_request_path(request);
    atomic_fetch_add(&server->handled, 1);
    if (slice_is(path, "/receive")) {
        receive(server, seen->request);
    } else if (slice_is(path, "/resume")) {
        unsigned before = atomic_load(&seen->pieces);
        http_request_resume(seen->request);
        assert_int_equal(atomic_load(&seen->pieces), before);
    } else if (slice_is(path, "/s/refuse")) {
        http_reply_status(request, 403);
    } else if (http_request_is_streamed(request)) {
        assert_int_equal(http_request_body(request).n, 0);
        seen->request = request;
        if (!slice_is(path, "/s/later"))
            receive(server, request);
        return;
    }
    http_reply_copy(request, SLICE("ok"));
    http_reply_send(request);
}

static struct test_server *start(struct http_limits limits)
{
    struct test_server *server = test_server_new(limits, handle);
    server->more = calloc(1, sizeof(struct seen));
    assert_non_null(server->more);
    http_server_stream_bodies(server->http, is_streamed, NULL);
    test_server_go(server);
    return server;
}

static void stop(struct test_server *server, struct http_counts *counts)
{
    test_server_join(server, counts);
    free(server->more);
    test_server_free(server);
}

static void command(const struct test_server *server, const char *text)
{
    int fd = test_connect(server);
    test_send_str(fd, text);
    test_expect(fd, 200, "ok");
    (void)close(fd);
}

static void send_length(int fd, const struct test_server *server, const char *path, size_t n)
{
    char head[200];
    (void)snprintf(head, sizeof head, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", path, n);
    test_send_str(fd, head);
    test_send(fd, (struct slice){server->big, n});
}

static void a_body_larger_than_the_limit_arrives(void **state)
{
    (void)state;
    struct test_server *server = start(test_limits());
    int fd = test_connect(server);
    static const size_t sizes[] = {1, 5000, 65536, 300001, BIG};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char text[30];
        (void)snprintf(text, sizeof text, "%zu", sizes[i]);
        send_length(fd, server, i % 2 ? "/s/" : "/s/blink", sizes[i]);
        test_send_str(fd, GET("/behind"));
        test_expect(fd, 200, text);
        test_expect(fd, 200, "ok");
    }
    (void)close(fd);
    stop(server, NULL);
}

static void chunks_are_decoded_at_every_cut(void **state)
{
    (void)state;
    struct test_server *server = start(test_limits());
    struct seen *seen = server->more;
    int fd = test_connect(server);
    struct buf text = BUF_INIT;
    buf_append_str(&text, POST("/s/chunks", "Transfer-Encoding: chunked\r\n"));
    buf_append_str(&text, "5;x=y\r\n");
    buf_append(&text, server->big, 5);
    buf_append_str(&text, "\r\n1\r\n");
    buf_append(&text, server->big + 5, 1);
    buf_append_str(&text, "\r\n0\r\nT: v\r\n\r\n" GET("/behind"));
    for (size_t cut = 0; cut < text.len; cut++) {
        unsigned ends = atomic_load(&seen->ends);
        test_send(fd, (struct slice){text.data, cut});
        if (cut % 3 == 0)
            (void)usleep(300); /* so that the pieces are read one by one */
        test_send(fd, (struct slice){text.data + cut, text.len - cut});
        test_expect(fd, 200, "6");
        test_expect(fd, 200, "ok");
        assert_int_equal(atomic_load(&seen->ends), ends + 1);
    }
    buf_free(&text);
    test_send_str(fd, POST("/s/", "Transfer-Encoding: chunked\r\n") "0\r\n\r\n" GET("/behind"));
    test_expect(fd, 200, "0");
    test_expect(fd, 200, "ok");
    (void)close(fd);
    stop(server, NULL);
}

static void a_malformed_body_is_the_handlers_to_refuse(void **state)
{
    (void)state;
    struct test_server *server = start(test_limits());
    struct seen *seen = server->more;
    int fd = test_connect(server);
    test_send_str(fd, POST("/s/", "Transfer-Encoding: chunked\r\n") "1\r\na\r\nx\r\n" GET("/never"));
    test_expect(fd, 400, "the chunked body is malformed");
    test_expect_end(fd);
    (void)close(fd);
    assert_int_equal(atomic_load(&seen->how), HTTP_BODY_MALFORMED);
    struct http_counts counts;
    stop(server, &counts);
    assert_int_equal(counts.protocol_errors, 1);
    assert_int_equal(counts.requests, 1);
}

static void a_reply_before_the_end_closes(void **state)
{
    (void)state;
    struct test_server *server = start(test_limits());
    for (int i = 0; i < 5; i++) {
        int fd = test_connect(server);
        send_length(fd, server, "/s/refuse", 400000);
        test_expect(fd, 403, "ok");
        test_expect_end(fd);
        (void)close(fd);
        fd = test_connect(server);
        send_length(fd, server, "/s/enough", 400000);
        test_expect(fd, 200, "enough");
        test_expect_end(fd);
        (void)close(fd);
        ((struct seen *)server->more)->bytes = 0;
    }
    assert_int_equal(atomic_load(&((struct seen *)server->more)->ends), 0);
    stop(server, NULL);
}

static void a_client_that_waits_is_told_to_go_on(void **state)
{
    (void)state;
    struct test_server *server = start(test_limits());
    int fd = test_connect(server);
    test_send_str(fd, GET("/before") POST("/s/", "Expect: 100-continue\r\nContent-Length: 1\r\n"));
    test_expect(fd, 200, "ok");
    test_expect(fd, 100, NULL);
    test_send_str(fd, "a");
    test_expect(fd, 200, "1");
    /* Not before the handler wants it. */
    test_send_str(fd, POST("/s/later", "Expect: 100-continue\r\nContent-Length: 1\r\n"));
    test_wait(&server->handled, 3);
    char byte;
    (void)usleep(20 * 1000);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    command(server, GET("/receive"));
    test_expect(fd, 100, NULL);
    test_send_str(fd, "a");
    test_expect(fd, 200, "1");
    /* Nor when it is refused. */
    test_send_str(fd, POST("/s/refuse", "Expect: 100-continue\r\nContent-Length: 1\r\n"));
    test_expect(fd, 403, "ok");
    test_expect_end(fd);
    (void)close(fd);
    stop(server, NULL);
}

static void *send_all(void *arg)
{
    const struct test_server *server = arg;
    int fd = test_connect(server);
    send_length(fd, server, "/s/pause", BIG);
    char text[30];
    (void)snprintf(text, sizeof text, "%d", BIG);
    test_expect(fd, 200, text);
    (void)close(fd);
    return NULL;
}

static void a_paused_body_holds_the_client_back(void **state)
{
    (void)state;
    struct http_limits limits = test_limits();
    limits.header_timeout_ms = 400;
    struct test_server *server = start(limits);
    struct seen *seen = server->more;
    pthread_t sender;
    assert_int_equal(pthread_create(&sender, NULL, send_all, server), 0);
    test_wait(&seen->pieces, 1);
    (void)usleep(600 * 1000); /* longer than the time limit, which does not run */
    assert_int_equal(atomic_load(&seen->pieces), 1);
    int fd = test_connect(server);
    while (atomic_load(&seen->ends) == 0) {
        unsigned before = atomic_load(&seen->pieces);
        test_send_str(fd, GET("/resume"));
        test_expect(fd, 200, "ok");
        for (int i = 0; i < 2000 && atomic_load(&seen->pieces) == before && !atomic_load(&seen->ends); i++)
            (void)usleep(100);
    }
    assert_true(atomic_load(&seen->pieces) > 10);
    assert_int_equal(pthread_join(sender, NULL), 0);
    (void)close(fd);
    struct http_counts counts;
    stop(server, &counts);
    assert_int_equal(counts.timeouts, 0);
}

static void a_client_that_goes_away_is_noticed(void **state)
{
    (void)state;
    static const char *const begun[] = {
        POST("/s/", "Content-Length: 10\r\n") "abc",
        POST("/s/", "Transfer-Encoding: chunked\r\n") "5\r\nabc",
        POST("/s/", "Content-Length: 10\r\n"),
    };
    struct test_server *server = start(test_limits());
    struct seen *seen = server->more;
    for (unsigned i = 0; i < 6; i++) {
        int fd = test_connect(server);
        test_send_str(fd, begun[i / 2]);
        test_wait(&server->handled, i + 1);
        if (i % 2)
            test_close_with_reset(fd);
        else
            (void)close(fd);
        test_wait(&seen->ends, i + 1);
        assert_int_equal(atomic_load(&seen->how), HTTP_BODY_GONE);
        assert_int_equal(atomic_load(&seen->status), 0);
    }
    /* One that went before the handler wanted the body. */
    int fd = test_connect(server);
    test_send_str(fd, POST("/s/later", "Content-Length: 10\r\n") "abc");
    test_wait(&server->handled, 7);
    test_close_with_reset(fd);
    command(server, GET("/receive"));
    test_wait(&seen->ends, 7);
    assert_int_equal(atomic_load(&seen->how), HTTP_BODY_GONE);
    /* One that shut only its sending side down hears what came of it. */
    fd = test_connect(server);
    test_send_str(fd, begun[0]);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    test_expect(fd, 200, "the client went away before the body's end");
    test_expect_end(fd);
    (void)close(fd);
    stop(server, NULL);
}

static void a_body_that_stops_coming_is_ended(void **state)
{
    (void)state;
    struct http_limits limits = test_limits();
    limits.header_timeout_ms = 300;
    struct test_server *server = start(limits);
    struct seen *seen = server->more;
    int fd = test_connect(server);
    /* Each byte wins time. */
    test_send_str(fd, POST("/s/", "Content-Length: 10\r\n"));
    int64_t start_ms = clock_mono_ms();
    for (int i = 0; i < 6; i++) {
        (void)usleep(100 * 1000);
        test_send(fd, (struct slice){server->big + i, 1});
    }
    test_expect_refusal(fd, 408);
    assert_true(clock_mono_ms() - start_ms > 600);
    test_wait(&seen->ends, 1);
    assert_int_equal(atomic_load(&seen->how), HTTP_BODY_GONE);
    assert_int_equal(atomic_load(&seen->status), 408);
    (void)close(fd);
    struct http_counts counts;
    stop(server, &counts);
    assert_int_equal(counts.timeouts, 1);
}

static void draining_waits_for_a_body(void **state)
{
    (void)state;
    struct test_server *server = start(test_limits());
    int fd = test_connect(server);
    test_send_str(fd, POST("/s/", "Content-Length: 10\r\n") "ab");
    test_wait(&((struct seen *)server->more)->pieces, 1);
    test_signal(server->drain_fd);
    (void)usleep(20 * 1000);
    test_send_str(fd, "cdefghij");
    struct test_reply reply;
    char value[256];
    test_read_reply(fd, &reply, false);
    assert_string_equal(reply.body, "10");
    assert_string_equal(test_header(&reply, "Connection", value), "close");
    test_reply_free(&reply);
    test_expect_end(fd);
    (void)close(fd);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    free(server->more);
    test_server_free(server);
}

static void the_server_may_go_before_a_body(void **state)
{
    (void)state;
    struct test_server *server = start(test_limits());
    int fd = test_connect(server);
    test_send_str(fd, POST("/s/", "Content-Length: 10\r\n") "ab");
    test_wait(&((struct seen *)server->more)->pieces, 1);
    stop(server, NULL);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_larger_than_the_limit_arrives),
        cmocka_unit_test(chunks_are_decoded_at_every_cut),
        cmocka_unit_test(a_malformed_body_is_the_handlers_to_refuse),
        cmocka_unit_test(a_reply_before_the_end_closes),
        cmocka_unit_test(a_client_that_waits_is_told_to_go_on),
        cmocka_unit_test(a_paused_body_holds_the_client_back),
        cmocka_unit_test(a_client_that_goes_away_is_noticed),
        cmocka_unit_test(a_body_that_stops_coming_is_ended),
        cmocka_unit_test(draining_waits_for_a_body),
        cmocka_unit_test(the_server_may_go_before_a_body),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
