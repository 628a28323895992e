/* The hub with an empty Redis, which says where the stream is; entries come from the test. What else Redis has a part
 * in is tests/blackbox/test_stream.py's. */
#include "cache/redis_rig_testing.h"
#include "server/http_testing.h"
#include "server/stream_internal.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

struct more {
    struct settings *settings;
    struct stream_shared shared;
    struct stream_hub *hub;
    uint64_t row;
    struct rig redis;
};

/* "/entry?topic" makes one that concerns model m, "/batch" many, large ones at once. */
static void handle(void *arg, struct http_request *request)
{
    struct test_server *server = arg;
    struct more *more = server->more;
    struct slice path = http_request_path(request);
    if (slice_is(path, "/api/stream")) {
        stream_hub_answer(more->hub, request);
        return;
    }
    struct cache_live_entry entries[20];
    size_t count = slice_is(path, "/batch") ? 20 : 1;
    for (size_t i = 0; i < count; i++)
        entries[i] = (struct cache_live_entry){.id = {++more->row, 0},
                                               .topic = http_request_query(request),
                                               .model = SLICE("m"),
                                               .data = {server->big, count == 1 ? 3 : 10000}};
    stream_deliver(more->hub, entries, count);
    struct stream_counts counts;
    stream_hub_counts(more->hub, &counts);
    http_reply_copy(request, slice_of(counts.clients == 0 ? "none" : counts.dropped_slow ? "dropped" : "ok"));
    http_reply_send(request);
}

static void set_text(char **field, const char *text)
{
    free(*field);
    *field = strdup(text);
    assert_non_null(*field);
}

static struct test_server *start_with(int64_t most_clients, bool redis)
{
    struct more *more = calloc(1, sizeof *more);
    assert_non_null(more);
    rig_make(&more->redis);
    if (redis)
        rig_start(&more->redis);
    more->settings = settings_default();
    set_text(&more->settings->redis_url, more->redis.url);
    more->settings->stream_max_clients = most_clients;
    more->settings->stream_max_pending_bytes = 100000;
    struct test_server *server = test_server_new(test_limits(), handle);
    server->more = more;
    more->hub = stream_hub_new(server->base, &more->shared);
    struct err err = ERR_INIT;
    assert_true(stream_hub_apply(more->hub, more->settings, NULL, &err));
    test_server_go(server);
    return server;
}

static struct test_server *start(int64_t most_clients)
{
    return start_with(most_clients, true);
}

static void stop(struct test_server *server)
{
    struct more *more = server->more;
    test_server_join(server, NULL);
    http_server_free(server->http);
    stream_hub_free(more->hub);
    assert_int_equal(atomic_load(&more->shared.clients), 0);
    settings_free(more->settings);
    rig_end(&more->redis);
    free(more);
    server->http = NULL;
    test_server_free(server);
}

static int ask(const struct test_server *server, const char *text)
{
    int fd = test_connect(server);
    struct test_reply reply;
    test_send_str(fd, text);
    test_read_head(fd, &reply);
    assert_int_equal(reply.status, 200);
    return fd;
}

static int listen_to(const struct test_server *server, const char *text)
{
    int fd = ask(server, text);
    test_expect_chunk(fd, ": connected\nretry: 2000\nid: 0-0\n\n");
    return fd;
}

static int come_again(const struct test_server *server, const char *text)
{
    int fd = ask(server, text);
    test_expect_chunk(fd, ": connected\nretry: 2000\n\n");
    return fd;
}

static void make(int control, const char *text, const char *answer)
{
    test_send_str(control, text);
    test_expect(control, 200, answer);
}

static void entries_go_to_those_who_want_them(void **state)
{
    (void)state;
    rig_needs_server();
    struct test_server *server = start(10);
    int control = test_connect(server);
    make(control, GET("/entry?trades"), "none");
    int all = listen_to(server, GET("/api/stream"));
    int trades = listen_to(server, GET("/api/stream?topics=trades&model_id=m"));
    int other = listen_to(server, GET("/api/stream?model_id=n"));
    int resumes = come_again(server, GET("/api/stream?last_event_id=1-0"));
    make(control, GET("/entry?prices"), "ok");
    make(control, GET("/entry?nonsense"), "ok");
    make(control, GET("/entry?trades"), "ok");
    test_expect_chunk(all, "id: 2-0\nevent: prices\ndata: abc\n\n");
    test_expect_chunk(all, "id: 4-0\nevent: trades\ndata: abc\n\n");
    test_expect_chunk(trades, "id: 4-0\nevent: trades\ndata: abc\n\n");
    /* One that could not yet read what it missed must not get what is behind it. */
    char byte;
    assert_int_equal(recv(resumes, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(recv(other, &byte, 1, MSG_DONTWAIT), -1);
    const int fds[] = {all, trades, other, resumes, control};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        (void)close(fds[i]);
    stop(server);
}

static void who_comes_before_the_place_is_known_waits_for_the_greeting(void **state)
{
    (void)state;
    rig_needs_server();
    struct test_server *server = start_with(10, false);
    int client = ask(server, GET("/api/stream"));
    int control = test_connect(server);
    make(control, GET("/entry?trades"), "ok");
    struct more *more = server->more;
    rig_start(&more->redis);
    /* The entry was before it. */
    test_expect_chunk(client, ": connected\nretry: 2000\nid: 0-0\n\n");
    make(control, GET("/entry?trades"), "ok");
    test_expect_chunk(client, "id: 2-0\nevent: trades\ndata: abc\n\n");
    (void)close(client);
    (void)close(control);
    stop(server);
}

static void draining_sends_clients_away(void **state)
{
    (void)state;
    rig_needs_server();
    struct test_server *server = start(10);
    int fd = listen_to(server, GET("/api/stream"));
    test_signal(server->drain_fd);
    test_expect_chunk(fd, "event: dropped\ndata: {\"reason\":\"shutdown\"}\n\n");
    test_expect_chunk(fd, "");
    test_expect_end(fd);
    (void)close(fd);
    stop(server);
}

static void a_client_that_does_not_read_is_dropped(void **state)
{
    (void)state;
    rig_needs_server();
    struct test_server *server = start(10);
    int control = test_connect(server);
    int quick = listen_to(server, GET("/api/stream?topics=prices"));
    /* Twice the limit at once is no fault of the client's. */
    make(control, GET("/batch?prices"), "ok");
    char bytes[11000];
    for (int i = 0; i < 20; i++)
        assert_true(test_read_chunk(quick, bytes, sizeof bytes) > 10000);
    int slow = listen_to(server, GET("/api/stream?topics=trades"));
    struct test_reply reply = {.body = NULL};
    do {
        test_reply_free(&reply);
        test_send_str(control, GET("/batch?trades"));
        test_read_reply(control, &reply, false);
    } while (strcmp(reply.body, "ok") == 0);
    assert_string_equal(reply.body, "dropped");
    test_reply_free(&reply);
    size_t n;
    do {
        n = test_read_chunk(slow, bytes, sizeof bytes);
    } while (n > 1000);
    assert_memory_equal(bytes, "event: dropped\ndata: {\"reason\":\"slow\"}\n\n", n);
    test_expect_chunk(slow, "");
    test_expect_end(slow);
    (void)close(slow);
    (void)close(quick);
    (void)close(control);
    stop(server);
}

static void no_more_clients_than_allowed(void **state)
{
    (void)state;
    rig_needs_server();
    struct test_server *server = start(1);
    int one = listen_to(server, GET("/api/stream"));
    int two = test_connect(server);
    char value[256];
    struct test_reply reply;
    test_send_str(two, GET("/api/stream"));
    test_read_reply(two, &reply, false);
    assert_int_equal(reply.status, 503);
    assert_string_equal(test_header(&reply, "Retry-After", value), "1");
    test_reply_free(&reply);
    (void)close(one);
    (void)close(two);
    stop(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_go_to_those_who_want_them),
        cmocka_unit_test(who_comes_before_the_place_is_known_waits_for_the_greeting),
        cmocka_unit_test(draining_sends_clients_away),
        cmocka_unit_test(a_client_that_does_not_read_is_dropped),
        cmocka_unit_test(no_more_clients_than_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
