#include "server/http_testing.h"

static struct test_server *start(void)
{
    return test_server_start(test_limits());
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void a_connection_serves_many_requests(void **state)
{
    (void)state;
    struct test_server *server = start();
    int fd = test_connect(server);
    for (int i = 0; i < 100; i++) {
        test_send_str(fd, GET("/parts"));
        test_expect(fd, 200, "one,two,four");
    }
    (void)close(fd);
    struct http_counts counts;
    test_server_stop(server, &counts);
    assert_int_equal(counts.requests, 100);
    assert_int_equal(counts.connections_accepted, 1);
    assert_int_equal(counts.bytes_in, 100 * strlen(GET("/parts")));
    assert_int_equal(counts.protocol_errors, 0);
}

static void replies_carry_the_headers_they_must(void **state)
{
    (void)state;
    struct test_server *server = start();
    int fd = test_connect(server);
    struct test_reply reply;
    char value[256];
    test_send_str(fd, "POST /echo?q=1 HTTP/1.1\r\nHost: a\r\nX-Request-Id: Az0._-\r\nX-Test: one\r\nx-TEST:  two \r\n"
                      "Content-Length: 4\r\n\r\nbody");
    test_read_reply(fd, &reply, false);
    assert_string_equal(reply.body, "body");
    assert_string_equal(test_header(&reply, "X-Request-Id", value), "Az0._-");
    assert_string_equal(test_header(&reply, "X-Method", value), "POST");
    assert_string_equal(test_header(&reply, "X-Query", value), "q=1");
    assert_string_equal(test_header(&reply, "X-Seen", value), "one, two");
    assert_string_equal(test_header(&reply, "X-Peer", value), "127.0.0.1");
    assert_string_equal(test_header(&reply, "Connection", value), "keep-alive");
    assert_int_equal(strlen(test_header(&reply, "Date", value)), CLOCK_HTTP_DATE_SIZE - 1);
    test_reply_free(&reply);

    /* An id that is none is replaced, and two made ones differ. */
    char first[256];
    test_send_str(fd, "GET /echo HTTP/1.1\r\nHost: a\r\nX-Request-Id: a b\r\n\r\n");
    test_read_reply(fd, &reply, false);
    assert_int_equal(strlen(test_header(&reply, "X-Request-Id", first)), 16);
    assert_string_equal(test_header(&reply, "X-Seen", value), "");
    test_reply_free(&reply);
    test_send_str(fd, GET("/echo"));
    test_read_reply(fd, &reply, false);
    assert_string_not_equal(test_header(&reply, "X-Request-Id", value), first);
    test_reply_free(&reply);
    (void)close(fd);
    test_server_stop(server, NULL);
}

static void pipelined_replies_keep_their_order(void **state)
{
    (void)state;
    struct test_server *server = start();
    int fd = test_connect(server);
    /* The slowest first; the second needs no time at all. */
    test_send_str(fd, GET("/later?60") GET("/parts") GET("/later?1") GET("/later?30") GET("/304") GET("/parts"));
    test_expect(fd, 200, "60");
    test_expect(fd, 200, "one,two,four");
    test_expect(fd, 200, "1");
    test_expect(fd, 200, "30");
    test_expect(fd, 304, NULL);
    test_expect(fd, 200, "one,two,four");
    (void)close(fd);
    test_server_stop(server, NULL);
}

static void requests_may_come_in_any_pieces(void **state)
{
    (void)state;
    struct test_server *server = start();
    int fd = test_connect(server);
    const char *text = GET("/parts") "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                     "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
                                     "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz" GET("/parts");
    for (size_t piece = 1; piece < 40; piece += 6) {
        for (size_t at = 0; at < strlen(text); at += piece) {
            size_t n = strlen(text) - at < piece ? strlen(text) - at : piece;
            test_send(fd, (struct slice){text + at, n});
            if (piece < 8)
                (void)usleep(100); /* so that the pieces are read one by one */
        }
        test_expect(fd, 200, "one,two,four");
        test_expect(fd, 200, "abcde");
        test_expect(fd, 200, "xyz");
        test_expect(fd, 200, "one,two,four");
    }
    (void)close(fd);
    test_server_stop(server, NULL);
}

static void *send_in_background(void *arg)
{
    int fd = *(int *)arg;
    struct buf text = BUF_INIT;
    for (int i = 0; i < 3000; i++)
        buf_append_str(&text, i % 100 ? GET("/parts") : GET("/later?1"));
    test_send(fd, buf_slice(&text));
    buf_free(&text);
    return NULL;
}

static void a_flood_of_pipelined_requests_is_answered_in_full(void **state)
{
    (void)state;
    struct test_server *server = start();
    int fd = test_connect(server);
    pthread_t sender;
    assert_int_equal(pthread_create(&sender, NULL, send_in_background, &fd), 0);
    for (int i = 0; i < 3000; i++)
        test_expect(fd, 200, i % 100 ? "one,two,four" : "1");
    assert_int_equal(pthread_join(sender, NULL), 0);
    (void)close(fd);
    test_server_stop(server, NULL);
}

static void reading_stops_while_too_many_wait(void **state)
{
    (void)state;
    struct test_server *server = start();
    int fd = test_connect(server);
    test_send_str(fd, GET("/hold"));
    for (int i = 0; i < 200; i++)
        test_send_str(fd, GET("/parts"));
    test_wait(&server->handled, 2);
    (void)usleep(100 * 1000);
    unsigned handled = atomic_load(&server->handled);
    assert_in_range(handled, 2, 100);
    int other = test_connect(server);
    test_send_str(other, GET("/let-go"));
    test_expect(other, 200, "x");
    test_expect(fd, 200, "held");
    for (int i = 0; i < 200; i++)
        test_expect(fd, 200, "one,two,four");
    (void)close(other);
    (void)close(fd);
    test_server_stop(server, NULL);
}

static void bodies_are_left_out_where_they_must(void **state)
{
    (void)state;
    struct test_server *server = start();
    int fd = test_connect(server);
    struct test_reply reply;
    char value[256];
    test_send_str(fd, "HEAD /big HTTP/1.1\r\nHost: a\r\n\r\n" GET("/204") GET("/304") GET("/parts"));
    test_read_reply(fd, &reply, true);
    assert_int_equal(atoi(test_header(&reply, "Content-Length", value)), BIG);
    for (unsigned status = 204; status <= 304; status += 100) {
        test_read_reply(fd, &reply, true);
        assert_int_equal(reply.status, status);
        assert_null(strstr(reply.head, "Content-Length"));
    }
    test_expect(fd, 200, "one,two,four");
    (void)close(fd);
    test_server_stop(server, NULL);
}

static void close_is_said_and_done(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        bool closes;
    } table[] = {
        {"GET /parts HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", true},
        {"GET /parts HTTP/1.0\r\n\r\n", true},
        {"GET /parts HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false},
        {"GET /close HTTP/1.1\r\nHost: a\r\n\r\n", true},
        /* What stands behind the last request is not answered. */
        {"GET /parts HTTP/1.0\r\n\r\n" GET("/parts"), true},
        {"GET /close HTTP/1.1\r\nHost: a\r\n\r\n" GET("/parts") GET("/later?1"), true},
    };
    struct test_server *server = start();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int fd = test_connect(server);
        struct test_reply reply;
        char value[256];
        test_send_str(fd, table[i].request);
        test_read_reply(fd, &reply, false);
        assert_int_equal(reply.status, 200);
        assert_string_equal(test_header(&reply, "Connection", value), table[i].closes ? "close" : "keep-alive");
        test_reply_free(&reply);
        if (table[i].closes) {
            test_expect_end(fd);
        } else {
            test_send_str(fd, GET("/parts"));
            test_expect(fd, 200, "one,two,four");
        }
        (void)close(fd);
    }
    test_server_stop(server, NULL);
}

static void a_large_reply_reaches_a_slow_reader(void **state)
{
    (void)state;
    struct test_server *server = start();
    int fd = test_connect(server);
    test_send_str(fd, GET("/big") GET("/parts"));
    struct test_reply reply;
    memset(&reply, 0, sizeof reply);
    (void)usleep(50 * 1000); /* the socket is full by now */
    assert_int_equal(atomic_load(&server->released), 0);
    test_read_reply(fd, &reply, false);
    assert_int_equal(reply.body_size, BIG);
    assert_memory_equal(reply.body, server->big, BIG);
    test_reply_free(&reply);
    test_expect(fd, 200, "one,two,four");
    (void)close(fd);
    test_server_stop(server, NULL);
}

static void a_client_may_close_its_sending_side(void **state)
{
    (void)state;
    struct test_server *server = start();
    int fd = test_connect(server);
    for (int i = 0; i < 50; i++)
        test_send_str(fd, GET("/later?1"));
    test_send_str(fd, "GET /never-complete HT");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    for (int i = 0; i < 50; i++)
        test_expect(fd, 200, "1");
    test_expect_end(fd);
    (void)close(fd);
    test_server_stop(server, NULL);
}

/* The end of the stream comes with the last bytes, before them, and behind more than one read takes. */
static void an_end_that_comes_with_bytes_is_seen(void **state)
{
    (void)state;
    struct test_server *server = start();
    for (int i = 0; i < 300; i++) {
        int fd = test_connect(server);
        test_send_str(fd, GET("/parts"));
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        test_expect(fd, 200, "one,two,four");
        test_expect_end(fd);
        (void)close(fd);
    }
    static const size_t sizes[] = {1000, 65536, 131072, 299999};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int fd = test_connect(server);
        struct buf out = BUF_INIT;
        buf_printf(&out, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", sizes[i]);
        buf_append(&out, server->big, sizes[i]);
        test_send(fd, buf_slice(&out));
        buf_free(&out);
        assert_int_equal(shutdown(fd, SHUT_WR), 0);
        struct test_reply reply;
        test_read_reply(fd, &reply, false);
        assert_int_equal(reply.body_size, sizes[i]);
        assert_memory_equal(reply.body, server->big, sizes[i]);
        test_reply_free(&reply);
        test_expect_end(fd);
        (void)close(fd);
    }
    test_server_stop(server, NULL);
}

static void a_client_that_goes_away_harms_nobody(void **state)
{
    (void)state;
    struct test_server *server = start();
    for (int i = 0; i < 40; i++) {
        int fd = test_connect(server);
        test_send_str(fd, i % 2 ? GET("/later?20") GET("/big") : GET("/big") GET("/later?5") "GET /part");
        if (i % 3)
            (void)usleep(1000);
        test_close_with_reset(fd);
    }
    /* A held request whose client is gone may still be replied to. */
    int fd = test_connect(server);
    (void)usleep(50 * 1000);
    unsigned handled = atomic_load(&server->handled);
    test_send_str(fd, GET("/hold"));
    test_wait(&server->handled, handled + 1);
    test_close_with_reset(fd);
    fd = test_connect(server);
    (void)usleep(20 * 1000);
    test_send_str(fd, GET("/let-go"));
    test_expect(fd, 200, "x");
    test_wait(&server->released, atomic_load(&server->taken));
    (void)usleep(200 * 1000);
    (void)close(fd);
    struct http_counts counts;
    test_server_join(server, &counts);
    assert_in_range(counts.connections_open, 0, 1);
    /* Everything came back before the server went. */
    assert_int_equal(atomic_load(&server->released), atomic_load(&server->taken));
    test_server_free(server);
}

static void the_server_may_go_before_its_requests(void **state)
{
    (void)state;
    struct test_server *server = start();
    int fds[4];
    static const char *const requests[] = {GET("/hold") GET("/big"), GET("/big"), "GET / HT", GET("/parts")};
    for (int i = 0; i < 4; i++) {
        fds[i] = test_connect(server);
        test_send_str(fds[i], requests[i]);
    }
    test_expect(fds[3], 200, "one,two,four");
    (void)usleep(20 * 1000);
    test_server_stop(server, NULL);
    for (int i = 0; i < 4; i++)
        (void)close(fds[i]);
}

static void a_body_is_asked_for(void **state)
{
    (void)state;
    struct test_server *server = start();
    int fd = test_connect(server);
    test_send_str(fd, GET("/later?5") "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: "
                                      "2\r\n\r\n");
    test_expect(fd, 200, "5");
    test_expect(fd, 100, NULL);
    test_send_str(fd, "ok");
    test_expect(fd, 200, "ok");
    /* Not when the body is there already, and not when it is refused. */
    test_send_str(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok");
    test_expect(fd, 200, "ok");
    test_send_str(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 300001\r\n\r\n");
    test_expect_refusal(fd, 413);
    (void)close(fd);
    test_server_stop(server, NULL);
}

static void a_body_of_any_size_comes_whole(void **state)
{
    (void)state;
    struct test_server *server = start();
    int fd = test_connect(server);
    char head[200];
    for (size_t size = 1; size <= 300000; size = size * 7 + 299) {
        (void)snprintf(head, sizeof head, "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", size);
        test_send_str(fd, head);
        test_send(fd, (struct slice){server->big, size});
        struct test_reply reply;
        test_read_reply(fd, &reply, false);
        assert_int_equal(reply.body_size, size);
        assert_memory_equal(reply.body, server->big, size);
        test_reply_free(&reply);
    }
    (void)close(fd);
    test_server_stop(server, NULL);
}

static void bad_requests_are_refused_behind_good_ones(void **state)
{
    (void)state;
    char uri[2000];
    memset(uri, 'u', sizeof uri);
    char text[2600];
    char fields[5000];
    (void)snprintf(text, sizeof text, "GET /%.*s HTTP/1.1\r\n\r\n", 1500, uri);
    (void)snprintf(fields, sizeof fields, "GET / HTTP/1.1\r\nHost: a\r\nX: %.*s%.*s%.*s\r\n\r\n", 1500, uri, 1500, uri,
                   1500, uri);
    const struct {
        unsigned status;
        const char *request;
    } table[] = {
        {400, "GET\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {400, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz"},
        {413, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n"},
        {413, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 300001\r\n\r\n"},
        {414, text},
        {431, fields},
        {501, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"},
        {505, "GET / HTTP/3.0\r\n\r\n"},
    };
    struct test_server *server = start();
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int fd = test_connect(server);
        test_send_str(fd, GET("/later?5") GET("/parts"));
        test_send_str(fd, table[i].request);
        test_expect(fd, 200, "5");
        test_expect(fd, 200, "one,two,four");
        test_expect_refusal(fd, table[i].status);
        (void)close(fd);
    }
    struct http_counts counts;
    test_server_stop(server, &counts);
    assert_int_equal(counts.protocol_errors, sizeof table / sizeof table[0]);
}

/* The client sends a large body that is refused at its head: it must be able to read why. */
static void a_refusal_survives_what_is_still_sent(void **state)
{
    (void)state;
    struct test_server *server = start();
    for (int i = 0; i < 5; i++) {
        int fd = test_connect(server);
        test_send_str(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n");
        test_send(fd, (struct slice){server->big, 400000});
        test_expect_refusal(fd, 413);
        (void)close(fd);
    }
    test_server_stop(server, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_serves_many_requests),
        cmocka_unit_test(replies_carry_the_headers_they_must),
        cmocka_unit_test(pipelined_replies_keep_their_order),
        cmocka_unit_test(requests_may_come_in_any_pieces),
        cmocka_unit_test(a_flood_of_pipelined_requests_is_answered_in_full),
        cmocka_unit_test(reading_stops_while_too_many_wait),
        cmocka_unit_test(bodies_are_left_out_where_they_must),
        cmocka_unit_test(close_is_said_and_done),
        cmocka_unit_test(a_large_reply_reaches_a_slow_reader),
        cmocka_unit_test(a_client_may_close_its_sending_side),
        cmocka_unit_test(an_end_that_comes_with_bytes_is_seen),
        cmocka_unit_test(a_client_that_goes_away_harms_nobody),
        cmocka_unit_test(the_server_may_go_before_its_requests),
        cmocka_unit_test(a_body_is_asked_for),
        cmocka_unit_test(a_body_of_any_size_comes_whole),
        cmocka_unit_test(bad_requests_are_refused_behind_good_ones),
        cmocka_unit_test(a_refusal_survives_what_is_still_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
