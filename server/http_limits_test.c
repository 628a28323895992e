/* Time, numbers and the end: what happens to clients that are slow or too many, and when the server is to stop. */
#include "server/http_testing.h"

#include <netinet/tcp.h>
#include <sys/resource.h>

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void a_request_that_trickles_in_is_ended(void **state)
{
    (void)state;
    static const char *const begun[] = {
        "G",
        "GET / HTTP/1.1\r\nHost: a\r\nX: ",
        "GET /parts HTTP/1.1\r\nHost: a\r\n\r\nGET /parts HT",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12",
    };
    enum { KINDS = sizeof begun / sizeof begun[0] };
    struct http_limits limits = test_limits();
    limits.header_timeout_ms = 150;
    struct test_server *server = test_server_start(limits);
    int fds[KINDS];
    int64_t start_ms = clock_mono_ms();
    for (int i = 0; i < KINDS; i++) {
        fds[i] = test_connect(server);
        test_send_str(fds[i], begun[i]);
    }
    /* A byte now and then wins no time. */
    for (int i = 0; i < 5; i++) {
        (void)usleep(20 * 1000);
        test_send_str(fds[1], "y");
    }
    test_expect(fds[2], 200, "one,two,four");
    for (int i = 0; i < KINDS; i++) {
        test_expect_refusal(fds[i], 408);
        (void)close(fds[i]);
    }
    assert_in_range(clock_mono_ms() - start_ms, 140, 20000);
    struct http_counts counts;
    test_server_stop(server, &counts);
    assert_int_equal(counts.timeouts, KINDS);
}

static void an_idle_connection_is_closed(void **state)
{
    (void)state;
    struct http_limits limits = test_limits();
    limits.idle_timeout_ms = 400;
    struct test_server *server = test_server_start(limits);
    int fresh = test_connect(server);
    int used = test_connect(server);
    /* Requests keep it open, also one that takes longer than the idle time. */
    int64_t start_ms = clock_mono_ms();
    for (int i = 0; i < 4; i++) {
        test_send_str(used, i == 2 ? GET("/later?600") : GET("/parts"));
        test_expect(used, 200, NULL);
        (void)usleep(50 * 1000);
    }
    test_expect_end(fresh);
    test_expect_end(used);
    assert_in_range(clock_mono_ms() - start_ms, 1100, 20000);
    (void)close(fresh);
    (void)close(used);
    struct http_counts counts;
    test_server_stop(server, &counts);
    assert_int_equal(counts.timeouts, 0);
    assert_int_equal(counts.connections_open, 0);
}

static void a_reply_that_nobody_reads_is_given_up(void **state)
{
    (void)state;
    struct http_limits limits = test_limits();
    limits.write_timeout_ms = 500;
    struct test_server *server = test_server_start(limits);
    int deaf = test_connect(server);
    int slow = test_connect(server);
    test_send_str(deaf, GET("/big") GET("/big"));
    test_send_str(slow, GET("/big"));
    /* The slow one makes progress all the time, for longer than the limit. */
    char *bytes = malloc(BIG);
    size_t got = 0;
    int64_t start_ms = clock_mono_ms();
    while (got < BIG) {
        ssize_t n = recv(slow, bytes, BIG / 40, 0);
        assert_true(n > 0);
        got += (size_t)n;
        (void)usleep(25 * 1000);
    }
    assert_true(clock_mono_ms() - start_ms > 600);
    free(bytes);
    test_wait(&server->released, 3);
    (void)close(slow);
    (void)close(deaf);
    struct http_counts counts;
    test_server_stop(server, &counts);
    assert_int_equal(counts.timeouts, 1);
}

static void too_many_connections_are_told_so(void **state)
{
    (void)state;
    struct http_limits limits = test_limits();
    limits.max_connections = 3;
    struct test_server *server = test_server_start(limits);
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = test_connect(server);
        test_send_str(fds[i], GET("/parts"));
        test_expect(fds[i], 200, NULL);
    }
    for (int i = 0; i < 5; i++) {
        int over = test_connect(server);
        test_send_str(over, GET("/parts"));
        test_expect_refusal(over, 503);
        (void)close(over);
    }
    (void)close(fds[0]);
    (void)usleep(200 * 1000);
    fds[0] = test_connect(server);
    test_send_str(fds[0], GET("/parts"));
    test_expect(fds[0], 200, NULL);
    for (int i = 0; i < 3; i++)
        (void)close(fds[i]);
    struct http_counts counts;
    test_server_stop(server, &counts);
    assert_int_equal(counts.connections_refused, 5);
    assert_int_equal(counts.requests, 4);
}

static void draining_finishes_what_began(void **state)
{
    (void)state;
    struct test_server *server = test_server_start(test_limits());
    int idle = test_connect(server);
    int busy = test_connect(server);
    int half = test_connect(server);
    int many = test_connect(server);
    test_send_str(idle, GET("/parts"));
    test_expect(idle, 200, NULL);
    test_send_str(busy, GET("/later?800"));
    test_send_str(half, "GET /parts HTTP/1.1\r\n");
    test_send_str(many, GET("/later?700") GET("/parts"));
    test_wait(&server->handled, 4);
    (void)usleep(20 * 1000);
    test_signal(server->drain_fd);

    test_expect_end(idle);
    assert_false(atomic_load(&server->drained));
    test_send_str(half, "Host: a\r\n\r\n");
    test_expect(many, 200, "700");
    const int last[] = {half, many, busy};
    for (size_t i = 0; i < 3; i++) {
        struct test_reply reply;
        char value[256];
        test_read_reply(last[i], &reply, false);
        assert_int_equal(reply.status, 200);
        assert_string_equal(test_header(&reply, "Connection", value), "close");
        test_reply_free(&reply);
        test_expect_end(last[i]);
        (void)close(last[i]);
    }
    (void)close(idle);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    assert_true(atomic_load(&server->drained));
    test_server_free(server);
}

static void draining_waits_for_requests_without_a_client(void **state)
{
    (void)state;
    struct test_server *server = test_server_start(test_limits());
    int fd = test_connect(server);
    test_send_str(fd, GET("/later?600"));
    test_wait(&server->handled, 1);
    (void)close(fd);
    (void)usleep(30 * 1000);
    test_signal(server->drain_fd);
    int64_t start_ms = clock_mono_ms();
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    assert_true(atomic_load(&server->drained));
    assert_in_range(clock_mono_ms() - start_ms, 60, 20000);
    test_server_free(server);
}

static void draining_an_idle_server_ends_at_once(void **state)
{
    (void)state;
    struct test_server *server = test_server_start(test_limits());
    test_signal(server->drain_fd);
    assert_int_equal(pthread_join(server->thread, NULL), 0);
    assert_true(atomic_load(&server->drained));
    test_server_free(server);
}

static double thread_seconds(pthread_t thread)
{
    clockid_t clock;
    struct timespec used = {0, 0};
    assert_int_equal(pthread_getcpuclockid(thread, &clock), 0);
    assert_int_equal(clock_gettime(clock, &used), 0);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static void running_out_of_descriptors_does_not_spin(void **state)
{
    (void)state;
    struct test_server *server = test_server_start(test_limits());
    int fd = test_connect(server);
    test_send_str(fd, GET("/parts"));
    test_expect(fd, 200, NULL);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);

    int waiting = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct rlimit none = {.rlim_cur = (rlim_t)waiting + 1, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)server->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(waiting, (struct sockaddr *)&address, sizeof address), 0);
    double start = thread_seconds(server->thread);
    (void)usleep(400 * 1000);
    assert_true(thread_seconds(server->thread) - start < 0.1);
    test_send_str(fd, GET("/parts"));
    test_expect(fd, 200, NULL); /* the open connection lives on */

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    test_send_str(waiting, GET("/parts"));
    test_expect(waiting, 200, NULL);
    (void)close(waiting);
    (void)close(fd);
    test_server_stop(server, NULL);
}

static long resident_kb(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*s %ld", &pages), 1);
    (void)fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void ten_thousand_idle_connections_cost_little(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    /* Both ends live in this process. */
    size_t count = limit.rlim_cur >= 20200 ? 10000 : (size_t)(limit.rlim_cur - 200) / 2;
    struct test_server *server = test_server_start(test_limits());
    int *fds = malloc(count * sizeof *fds);
    assert_non_null(fds);
    long before_kb = resident_kb();
    for (size_t i = 0; i < count; i++) {
        fds[i] = test_connect(server);
        test_send_str(fds[i], GET("/parts"));
        test_expect(fds[i], 200, "one,two,four");
    }
    long each = (resident_kb() - before_kb) * 1024 / (long)count;
    print_message("%zu connections, %ld bytes each\n", count, each);
/* Sanitizers pad every allocation; clang does not say by a macro of its own that they are on. */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
    assert_in_range(each, 0, 1500);
#endif
    for (size_t i = 0; i < count; i += 97) {
        test_send_str(fds[i], GET("/parts"));
        test_expect(fds[i], 200, "one,two,four");
    }
    for (size_t i = 0; i < count; i++)
        (void)close(fds[i]);
    free(fds);
    struct http_counts counts;
    test_server_stop(server, &counts);
    assert_int_equal(counts.connections_accepted, count);
    assert_int_equal(counts.connections_refused, 0);
    limit.rlim_cur = soft;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void congestion_control_of(const char *host, char name[16])
{
    struct err err = ERR_INIT;
    unsigned port = 0;
    int fd = http_listen(host, 0, &port, &err);
    assert_true(fd >= 0);
    socklen_t size = 16;
    memset(name, 0, size);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size), 0);
    assert_int_equal(close(fd), 0);
}

static void loopback_is_not_paced(void **state)
{
    (void)state;
    char everywhere[16];
    char loopback[16];
    int plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char own[16] = "";
    socklen_t size = sizeof own;
    assert_int_equal(getsockopt(plain, IPPROTO_TCP, TCP_CONGESTION, own, &size), 0);
    assert_int_equal(close(plain), 0);
    congestion_control_of("0.0.0.0", everywhere);
    assert_string_equal(everywhere, own);
    congestion_control_of("127.0.0.1", loopback);
    assert_string_equal(loopback, "reno");
    congestion_control_of("127.8.0.1", loopback);
    assert_string_equal(loopback, "reno");
    struct err err = ERR_INIT;
    unsigned port = 0;
    int v6 = http_listen("::1", 0, &port, &err);
    if (v6 < 0)
        return; /* no IPv6 here */
    assert_int_equal(close(v6), 0);
    congestion_control_of("::1", loopback);
    assert_string_equal(loopback, "reno");
    congestion_control_of("::", everywhere);
    assert_string_equal(everywhere, own);
}

static void only_addresses_are_listened_on(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    unsigned port = 0;
    assert_int_equal(http_listen("localhost", 0, &port, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(http_listen("127.0.0.1", 65536, &port, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(http_listen("192.0.2.1", 0, &port, &err), -1);
    assert_int_equal(err.code, ERR_IO);
    int first = http_listen("127.0.0.1", 0, &port, &err);
    assert_true(first >= 0);
    assert_in_range(port, 1, 65535);
    unsigned same = 0;
    int second = http_listen("127.0.0.1", port, &same, &err);
    assert_true(second >= 0);
    assert_int_equal(same, port);
    (void)close(first);
    (void)close(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_trickles_in_is_ended),
        cmocka_unit_test(an_idle_connection_is_closed),
        cmocka_unit_test(a_reply_that_nobody_reads_is_given_up),
        cmocka_unit_test(too_many_connections_are_told_so),
        cmocka_unit_test(draining_finishes_what_began),
        cmocka_unit_test(draining_waits_for_requests_without_a_client),
        cmocka_unit_test(draining_an_idle_server_ends_at_once),
        cmocka_unit_test(running_out_of_descriptors_does_not_spin),
        cmocka_unit_test(ten_thousand_idle_connections_cost_little),
        cmocka_unit_test(loopback_is_not_paced),
        cmocka_unit_test(only_addresses_are_listened_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
