/* A Redis that stands and does not help: the first few commands wait, the rest do not. */
#include "cache/redis.h"
#include "cache/redis_rig_testing.h"

struct fixture {
    struct rig rig;
    struct event_base *base;
    struct redis_client *client;
    struct redisContext *link;
};

struct outcome {
    bool done;
    enum err_code code;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    rig_make(&f->rig);
    f->base = event_base_new();
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    redis_client_free(f->client);
    event_base_free(f->base);
    if (f->link)
        redisFree(f->link);
    rig_end(&f->rig);
    free(f);
    return 0;
}

static struct redis_status status_of(const struct fixture *f)
{
    struct redis_status status;
    redis_client_state(f->client, &status);
    return status;
}

static void wait_up(struct fixture *f)
{
    for (int64_t end = clock_mono_ms() + 10000; status_of(f).state != REDIS_UP;) {
        rig_run_for(f->base, 1);
        assert_true(clock_mono_ms() < end);
    }
}

static void on_done(void *arg, const struct redisReply *reply, const struct err *err)
{
    struct outcome *outcome = arg;
    (void)reply;
    outcome->done = true;
    outcome->code = err ? err->code : ERR_NONE;
}

/* How long it took, in milliseconds. */
static int64_t ask(struct fixture *f, enum err_code *code)
{
    const char *words[] = {"GET", "key"};
    const size_t sizes[] = {3, 3};
    struct outcome outcome = {.done = false};
    int64_t from = clock_mono_ms();
    redis_client_command(f->client, 2, words, sizes, on_done, &outcome);
    rig_run_until(f->base, &outcome.done);
    *code = outcome.code;
    return clock_mono_ms() - from;
}

static void begin(struct fixture *f, int64_t command_timeout_ms, int64_t slow_ms)
{
    rig_needs_server();
    rig_start(&f->rig);
    f->link = rig_link(&f->rig);
    struct err err = ERR_INIT;
    struct redis_settings settings = {.url = f->rig.url,
                                      .connect_timeout_ms = 2000,
                                      .command_timeout_ms = command_timeout_ms,
                                      .ping_every_ms = 100000,
                                      .slow_ms = slow_ms};
    f->client = redis_client_new(f->base, &settings, &err);
    assert_non_null(f->client);
    redis_client_start(f->client);
    wait_up(f);
}

/* CLIENT PAUSE makes every answer late but keeps the connections. */
static void a_slow_redis_costs_nothing_after_the_first_few(void **state)
{
    struct fixture *f = *state;
    enum err_code code;
    begin(f, 5000, 20);
    (void)ask(f, &code);
    assert_int_equal(code, ERR_NONE);
    unsigned waited = 0;
    unsigned refused = 0;
    for (int i = 0; i < 30; i++) {
        rig_do(f->link, "CLIENT PAUSE 40 ALL");
        int64_t took = ask(f, &code);
        if (code == ERR_NONE) {
            assert_true(took >= 20);
            waited++;
        } else {
            assert_int_equal(code, ERR_UNAVAILABLE);
            refused++;
        }
    }
    assert_true(waited >= 5 && refused >= 10);
    assert_true(status_of(f).breaker_opened >= 1);
    assert_int_equal(status_of(f).breaker_held, refused);
    assert_int_equal(status_of(f).state, REDIS_UP);

    /* Fast again: found out by itself. */
    rig_do(f->link, "CLIENT UNPAUSE");
    int64_t end = clock_mono_ms() + 15000;
    do {
        rig_run_for(f->base, 5);
        (void)ask(f, &code);
        assert_true(clock_mono_ms() < end);
    } while (code != ERR_NONE);
    for (int i = 0; i < 20; i++) {
        (void)ask(f, &code);
        assert_int_equal(code, ERR_NONE);
    }
    assert_int_equal(status_of(f).breaker, BREAKER_CLOSED);
}

static void a_stopped_redis_costs_one_timeout(void **state)
{
    struct fixture *f = *state;
    enum err_code code;
    begin(f, 100, 0);
    (void)kill(f->rig.server, SIGSTOP);
    int64_t total = 0;
    for (int i = 0; i < 1000; i++)
        total += ask(f, &code);
    assert_int_not_equal(code, ERR_NONE);
    if (total > 1500)
        fail_msg("1000 commands took %lld ms", (long long)total);
    (void)kill(f->rig.server, SIGCONT);
    wait_up(f);
    int64_t end = clock_mono_ms() + 10000;
    do {
        rig_run_for(f->base, 5);
        (void)ask(f, &code);
        assert_true(clock_mono_ms() < end);
    } while (code != ERR_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_slow_redis_costs_nothing_after_the_first_few, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stopped_redis_costs_one_timeout, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
