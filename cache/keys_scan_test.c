#include "base/buf.h"
#include "cache/keys_scan.h"
#include "cache/redis_rig_testing.h"

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    if (!rig)
        return -1;
    rig_make(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    rig_end(*state);
    free(*state);
    return 0;
}

static struct cache_space space_of(const char *prefix, int64_t long_s)
{
    const int64_t ttl_s[CACHE_TTL_CLASSES] = {0, 0, long_s};
    struct cache_space space;
    struct err err = ERR_INIT;
    if (!cache_space_init(&space, slice_of(prefix), ttl_s, &err))
        fail_msg("%s", err.text);
    return space;
}

static void collect(void *arg, enum cache_fault fault, struct slice key, const char *what)
{
    buf_printf(arg, "%s %.*s: %s\n", cache_fault_name(fault), SLICE_ARG(key), what);
}

static void assert_told(const struct buf *told, const char *line)
{
    if (!strstr(told->data, line))
        fail_msg("not told: %s\nbut: %s", line, told->data);
}

static void a_good_redis_has_no_faults(void **state)
{
    struct rig *rig = *state;
    rig_needs_server();
    rig_start(rig);
    struct redisContext *link = rig_link(rig);
    rig_do(link, "SET nof0:crypto_prices {} PX 10000");
    rig_do(link, "HSET nof0:positions:gpt-5 BTC {}");
    rig_do(link, "PEXPIRE nof0:positions:gpt-5 30000");
    rig_do(link, "XADD nof0:trades:stream * id 1");
    rig_do(link, "SET nof0:feed:{trades}:version 12");
    rig_do(link, "SET elsewhere 1");
    rig_do(link, "SET nof0 1");
    for (int i = 0; i < 3000; i++)
        rig_do(link, "SET nof0:ingest:trade:%d seen EX 86400", i);
    struct cache_space space = space_of("nof0", 0);
    struct buf told = BUF_INIT;
    struct cache_scan scan;
    struct err err = ERR_INIT;
    assert_true(cache_keys_scan(link, &space, collect, &told, &scan, &err));
    assert_string_equal(buf_cstr(&told), "");
    assert_int_equal(scan.faults, 0);
    assert_true(scan.keys >= 3004);
    buf_free(&told);
    redisFree(link);
}

static void each_fault_is_told(void **state)
{
    struct rig *rig = *state;
    rig_needs_server();
    rig_start(rig);
    struct redisContext *link = rig_link(rig);
    rig_do(link, "SET nof0:strange 1");
    rig_do(link, "SET nof0:positions:a 1 PX 30000");
    rig_do(link, "SET nof0:crypto_prices 1");
    rig_do(link, "SET nof0:leaderboard:cache 1 PX 61000");
    rig_do(link, "SET nof0:feed:{trades}:version 1 PX 100000");
    rig_do(link, "SET nof0:analytics:all 1 PX 1000");
    rig_do(link, "SET nof0:invalidations 1");
    struct cache_space space = space_of("nof0", -1);
    struct buf told = BUF_INIT;
    struct cache_scan scan;
    struct err err = ERR_INIT;
    assert_true(cache_keys_scan(link, &space, collect, &told, &scan, &err));
    (void)buf_cstr(&told);
    assert_told(&told, "unregistered nof0:strange: ");
    assert_told(&told, "type nof0:positions:a: is a string, positions should be a hash");
    assert_told(&told, "no-ttl nof0:crypto_prices: has no TTL, should have at most 10 s");
    assert_told(&told, "ttl nof0:leaderboard:cache: has a TTL of ");
    assert_told(&told, "ttl nof0:feed:{trades}:version: has a TTL of ");
    assert_told(&told, "disabled nof0:analytics:all: ");
    assert_told(&told, "type nof0:invalidations: is a string, invalidations should be a channel");
    assert_int_equal(scan.keys, 7);
    assert_int_equal(scan.faults, 7);
    buf_free(&told);
    redisFree(link);
}

static void a_redis_that_dies_is_an_error(void **state)
{
    struct rig *rig = *state;
    rig_needs_server();
    rig_start(rig);
    struct redisContext *link = rig_link(rig);
    rig_kill(rig);
    struct cache_space space = space_of("nof0", 0);
    struct buf told = BUF_INIT;
    struct cache_scan scan;
    struct err err = ERR_INIT;
    assert_false(cache_keys_scan(link, &space, collect, &told, &scan, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    redisFree(link);
    err = (struct err)ERR_INIT;
    assert_null(redis_blocking_connect(rig->url, 200, 200, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_null(redis_blocking_connect("http://x", 200, 200, &err));
    assert_int_equal(err.code, ERR_INVALID);
    buf_free(&told);
}

static void a_wrong_password_is_an_error_that_does_not_show_it(void **state)
{
    struct rig *rig = *state;
    rig_needs_server();
    rig_start(rig);
    char url[160];
    (void)snprintf(url, sizeof url, "unix://bob:hunter2@%s", rig->socket);
    struct err err = ERR_INIT;
    assert_null(redis_blocking_connect(url, 1000, 1000, &err));
    assert_null(strstr(err.text, "hunter2"));
    assert_non_null(strstr(err.text, "WRONGPASS"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_good_redis_has_no_faults, setup, teardown),
        cmocka_unit_test_setup_teardown(each_fault_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_redis_that_dies_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(a_wrong_password_is_an_error_that_does_not_show_it, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
