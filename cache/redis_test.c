/* The client against a private Redis server, which dies, hangs and refuses as the test says. */
#include "base/clock.h"
#include "base/testing.h"
#include "cache/redis.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    struct event_base *base;
    struct redis_client *client;
    char folder[64];
    char socket[96];
    char port[8]; /* "0" unless the test listens on TCP */
    const char *password;
    pid_t server;
};

static bool have_server(void)
{
    return access("/usr/bin/redis-server", X_OK) == 0;
}

static void server_start(struct fixture *f)
{
    f->server = fork();
    assert_true(f->server >= 0);
    if (f->server > 0)
        return;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)dup2(null, 1);
    (void)dup2(null, 2);
    execl("/usr/bin/redis-server", "redis-server", "--save", "", "--appendonly", "no", "--bind", "127.0.0.1", "--port",
          f->port, "--unixsocket", f->socket, "--dir", f->folder, "--requirepass", f->password, "--user", "alice", "on",
          ">wonder", "~*", "+@all", (char *)NULL);
    _exit(127);
}

static void server_kill(struct fixture *f)
{
    if (f->server <= 0)
        return;
    (void)kill(f->server, SIGKILL);
    (void)waitpid(f->server, NULL, 0);
    f->server = 0;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/nof0-redis-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    (void)snprintf(f->socket, sizeof f->socket, "%s/redis.sock", f->folder);
    (void)snprintf(f->port, sizeof f->port, "0");
    f->password = "";
    f->base = event_base_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    redis_client_free(f->client);
    event_base_free(f->base);
    server_kill(f);
    (void)unlink(f->socket);
    (void)rmdir(f->folder);
    free(f);
    return 0;
}

static void client_start_with(struct fixture *f, const char *url)
{
    struct redis_settings settings = {
        .url = url, .connect_timeout_ms = 1000, .command_timeout_ms = 300, .ping_every_ms = 100};
    struct err err = ERR_INIT;
    f->client = redis_client_new(f->base, &settings, &err);
    if (!f->client)
        fail_msg("%s", err.text);
    redis_client_start(f->client);
}

static void client_start(struct fixture *f, const char *credentials, unsigned db)
{
    char url[256];
    (void)snprintf(url, sizeof url, "unix://%s%s?db=%u", credentials, f->socket, db);
    client_start_with(f, url);
}

static struct redis_status status_of(const struct fixture *f)
{
    struct redis_status status;
    redis_client_state(f->client, &status);
    return status;
}

static void run_once(const struct fixture *f)
{
    (void)event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    (void)usleep(500);
}

static void run_for(const struct fixture *f, int64_t ms)
{
    for (int64_t end = clock_mono_ms() + ms; clock_mono_ms() < end;)
        run_once(f);
}

static void run_until_state(const struct fixture *f, enum redis_state state)
{
    int64_t end = clock_mono_ms() + 10000;
    while (status_of(f).state != state) {
        run_once(f);
        if (clock_mono_ms() > end)
            fail_msg("still %s: %s", redis_state_name(status_of(f).state), status_of(f).last_error);
    }
}

/* What became of a command. */
struct outcome {
    unsigned calls;
    enum err_code code;
    int type;
    long long integer;
    char text[200];
};

static void on_done(void *arg, const struct redisReply *reply, const struct err *err)
{
    struct outcome *outcome = arg;
    outcome->calls++;
    assert_true((reply == NULL) != (err == NULL));
    if (err) {
        outcome->code = err->code;
        (void)snprintf(outcome->text, sizeof outcome->text, "%.199s", err->text);
        return;
    }
    if (!reply)
        return;
    outcome->type = reply->type;
    outcome->integer = reply->integer;
    if (reply->str)
        (void)snprintf(outcome->text, sizeof outcome->text, "%.*s", (int)reply->len, reply->str);
}

static void give(struct fixture *f, struct outcome *outcome, int argc, const char *a, const char *b, const char *c)
{
    const char *argv[] = {a, b, c};
    size_t sizes[] = {strlen(a), b ? strlen(b) : 0, c ? strlen(c) : 0};
    unsigned before = outcome->calls;
    redis_client_command(f->client, argc, argv, sizes, on_done, outcome);
    assert_int_equal(outcome->calls, before); /* never from inside */
}

static void ask(struct fixture *f, struct outcome *outcome, int argc, const char *a, const char *b, const char *c)
{
    *outcome = (struct outcome){.calls = 0};
    give(f, outcome, argc, a, b, c);
    for (int64_t end = clock_mono_ms() + 10000; outcome->calls == 0 && clock_mono_ms() < end;)
        run_once(f);
    assert_int_equal(outcome->calls, 1);
}

static void commands_are_answered_in_order(void **state)
{
    struct fixture *f = *state;
    if (!have_server())
        skip();
    server_start(f);
    client_start(f, "", 0);
    run_until_state(f, REDIS_UP);
    struct outcome outcome;
    ask(f, &outcome, 3, "SET", "key", "a value \xe2\x82\xac");
    assert_string_equal(outcome.text, "OK");
    ask(f, &outcome, 2, "GET", "key", NULL);
    assert_string_equal(outcome.text, "a value \xe2\x82\xac");
    ask(f, &outcome, 1, "NONSENSE", NULL, NULL);
    assert_int_equal(outcome.type, REDIS_REPLY_ERROR);

    enum { MANY = 1000 };
    struct outcome *many = calloc(MANY, sizeof *many);
    for (int i = 0; i < MANY; i++)
        give(f, &many[i], 2, "INCR", "count", NULL);
    run_for(f, 200);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(many[i].calls, 1);
        assert_int_equal(many[i].integer, i + 1);
    }
    free(many);
    assert_true(status_of(f).ping_us >= 0);
    assert_int_equal(status_of(f).failures, 0);
    assert_int_equal(status_of(f).connects, 1);
}

static void a_server_that_comes_late_is_found(void **state)
{
    struct fixture *f = *state;
    if (!have_server())
        skip();
    client_start(f, "", 0);
    struct outcome outcome;
    ask(f, &outcome, 1, "PING", NULL, NULL);
    assert_int_equal(outcome.code, ERR_UNAVAILABLE);
    run_for(f, 300);
    assert_true(status_of(f).state != REDIS_UP);
    assert_true(status_of(f).last_error[0] != '\0');
    server_start(f);
    run_until_state(f, REDIS_UP);
}

static void a_killed_server_is_noticed_and_found_again(void **state)
{
    struct fixture *f = *state;
    if (!have_server())
        skip();
    server_start(f);
    client_start(f, "", 0);
    run_until_state(f, REDIS_UP);
    for (unsigned round = 1; round <= 3; round++) {
        struct outcome pending = {.calls = 0};
        (void)kill(f->server, SIGSTOP);
        give(f, &pending, 2, "BLPOP", "none", NULL);
        give(f, &pending, 1, "PING", NULL, NULL);
        server_kill(f);
        run_until_state(f, REDIS_DOWN);
        run_for(f, 20);
        assert_int_equal(pending.calls, 2);
        assert_int_equal(pending.code, ERR_UNAVAILABLE);
        int64_t start_ms = clock_mono_ms();
        server_start(f);
        run_until_state(f, REDIS_UP);
        assert_true(clock_mono_ms() - start_ms < 3000);
        assert_int_equal(status_of(f).connects, round + 1);
        struct outcome outcome;
        ask(f, &outcome, 1, "PING", NULL, NULL);
        assert_string_equal(outcome.text, "PONG");
    }
}

static void a_hanging_server_is_given_up_in_time(void **state)
{
    struct fixture *f = *state;
    if (!have_server())
        skip();
    server_start(f);
    client_start(f, "", 0);
    run_until_state(f, REDIS_UP);
    (void)kill(f->server, SIGSTOP);
    struct outcome outcome;
    int64_t start_ms = clock_mono_ms();
    ask(f, &outcome, 1, "PING", NULL, NULL);
    assert_int_equal(outcome.code, ERR_TIMEOUT);
    assert_in_range(clock_mono_ms() - start_ms, 290, 2000);
    assert_int_equal(status_of(f).state, REDIS_DOWN);
    ask(f, &outcome, 1, "PING", NULL, NULL);
    assert_int_equal(outcome.code, ERR_UNAVAILABLE);
    run_for(f, 700); /* attempts that get no answer */
    assert_true(status_of(f).state != REDIS_UP);
    (void)kill(f->server, SIGCONT);
    run_until_state(f, REDIS_UP);

    /* Without any command it is PING that notices. */
    (void)kill(f->server, SIGSTOP);
    run_until_state(f, REDIS_DOWN);
    (void)kill(f->server, SIGCONT);
    run_until_state(f, REDIS_UP);
    assert_int_equal(status_of(f).connects, 3);
}

static void logins_are_made_and_refused(void **state)
{
    struct fixture *f = *state;
    if (!have_server())
        skip();
    f->password = "open";
    server_start(f);
    static const struct {
        const char *credentials;
        unsigned db;
        const char *refusal; /* NULL: it comes up */
    } table[] = {
        {":open@", 0, NULL},
        {"alice:wonder@", 3, NULL},
        {":hidden@", 0, "AUTH was refused"},
        {"alice:hidden@", 0, "AUTH was refused"},
        {"", 0, "NOAUTH"},
        {":open@", 99, "SELECT was refused"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        client_start(f, table[i].credentials, table[i].db);
        if (!table[i].refusal) {
            run_until_state(f, REDIS_UP);
        } else {
            for (int64_t end = clock_mono_ms() + 5000; clock_mono_ms() < end;) {
                run_once(f);
                if (strstr(status_of(f).last_error, table[i].refusal))
                    break;
            }
            assert_non_null(strstr(status_of(f).last_error, table[i].refusal));
            assert_int_equal(status_of(f).connects, 0);
        }
        assert_null(strstr(status_of(f).last_error, "hidden"));
        assert_null(strstr(status_of(f).url, "hidden"));
        redis_client_free(f->client);
        f->client = NULL;
    }
}

static void the_database_is_selected_after_each_connect(void **state)
{
    struct fixture *f = *state;
    if (!have_server())
        skip();
    server_start(f);
    client_start(f, "", 7);
    for (int round = 0; round < 2; round++) {
        run_until_state(f, REDIS_UP);
        struct outcome outcome;
        ask(f, &outcome, 3, "SET", "key", "value");
        ask(f, &outcome, 2, "INFO", "keyspace", NULL);
        assert_non_null(strstr(outcome.text, "db7:keys=1"));
        server_kill(f);
        run_until_state(f, REDIS_DOWN);
        server_start(f);
    }
    run_until_state(f, REDIS_UP);
}

static void open_commands_end_with_the_client(void **state)
{
    struct fixture *f = *state;
    if (!have_server())
        skip();
    server_start(f);
    client_start(f, "", 0);
    struct outcome early = {.calls = 0};
    give(f, &early, 1, "PING", NULL, NULL);
    run_until_state(f, REDIS_UP);
    assert_int_equal(early.calls, 1);
    struct outcome pending = {.calls = 0};
    for (int i = 0; i < 10; i++)
        give(f, &pending, 1, "PING", NULL, NULL);
    redis_client_free(f->client);
    f->client = NULL;
    assert_int_equal(pending.calls, 10);
    assert_int_equal(pending.code, ERR_UNAVAILABLE);
}

static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

static void a_host_name_is_resolved(void **state)
{
    struct fixture *f = *state;
    if (!have_server())
        skip();
    (void)snprintf(f->port, sizeof f->port, "%u", free_port());
    server_start(f);
    char url[64];
    (void)snprintf(url, sizeof url, "redis://localhost:%s/1", f->port);
    client_start_with(f, url);
    run_until_state(f, REDIS_UP);
    server_kill(f);
    run_until_state(f, REDIS_DOWN);
    server_start(f);
    run_until_state(f, REDIS_UP);
}

static void a_name_without_address_does_not_block(void **state)
{
    struct fixture *f = *state;
    int64_t start_ms = clock_mono_ms();
    client_start_with(f, "redis://no-such-host.invalid/0");
    for (int i = 0; i < 20; i++)
        (void)event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    assert_true(clock_mono_ms() - start_ms < 500);
    run_until_state(f, REDIS_DOWN);
    assert_true(status_of(f).last_error[0] != '\0');
    run_for(f, 150); /* freed perhaps in the middle of a lookup */
}

static void bad_settings_are_refused(void **state)
{
    struct fixture *f = *state;
    struct redis_settings settings = {.url = "rediss://h", .connect_timeout_ms = 1, .command_timeout_ms = 1};
    struct err err = ERR_INIT;
    assert_null(redis_client_new(f->base, &settings, &err));
    assert_int_equal(err.code, ERR_INVALID);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(commands_are_answered_in_order),
        TEST(a_server_that_comes_late_is_found),
        TEST(a_killed_server_is_noticed_and_found_again),
        TEST(a_hanging_server_is_given_up_in_time),
        TEST(logins_are_made_and_refused),
        TEST(the_database_is_selected_after_each_connect),
        TEST(open_commands_end_with_the_client),
        TEST(a_host_name_is_resolved),
        TEST(a_name_without_address_does_not_block),
        TEST(bad_settings_are_refused),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
