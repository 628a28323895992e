#include "base/testing.h"
#include "server/endpoints.h"

static struct read_query match(const char *path, struct arena *arena, const struct endpoint **endpoint)
{
    struct read_query query = {.kind = READ_KIND_COUNT};
    *endpoint = endpoints_match(slice_of(path), arena, &query);
    return query;
}

static void test_every_row_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < READ_KIND_COUNT; i++) {
        assert_int_equal(endpoints[i].kind, i);
        assert_non_null(endpoints[i].name);
        assert_non_null(endpoints[i].assemble);
        assert_non_null(endpoints[i].params);
        assert_memory_equal(endpoints[i].path, "/api/", 5);
        assert_int_equal(flag_kind(endpoints[i].flag), FLAG_KIND_READ);
        /* A flag's line names the path of each endpoint that goes by it. */
        assert_non_null(strstr(flag_about(endpoints[i].flag), endpoints[i].path));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(endpoints[i].path, endpoints[j].path);
    }
}

static void test_every_rule_for_comparing_can_be_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < READ_KIND_COUNT; i++) {
        struct parity_counts counts;
        struct err err = ERR_INIT;
        bool ignores_time = false;
        assert_non_null(endpoints[i].parity_rules);
        for (const struct parity_rule *rule = endpoints[i].parity_rules; rule->kind != PARITY_RULES_END; rule++)
            ignores_time = ignores_time || (rule->kind == PARITY_IGNORE && strcmp(rule->place, "$.serverTime") == 0);
        assert_int_equal(ignores_time, endpoints[i].time != ENDPOINT_TIME_NONE);
        if (!parity_compare(SLICE("{}"), SLICE("{\"serverTime\":1}"), endpoints[i].parity_rules, NULL, NULL, &counts,
                            &err))
            fail_msg("%s: %s", endpoints[i].name, err.text);
        assert_int_equal(parity_counts_sum(&counts), !ignores_time);
    }
}

static void test_paths_find_their_endpoint(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    const struct endpoint *endpoint;
    for (size_t i = 0; i < READ_KIND_COUNT; i++) {
        if (strchr(endpoints[i].path, '{'))
            continue;
        struct read_query query = match(endpoints[i].path, arena, &endpoint);
        assert_ptr_equal(endpoint, &endpoints[i]);
        assert_int_equal(query.kind, endpoints[i].kind);
        assert_null(query.model_id.p);
        assert_int_equal(query.limit, query.kind == READ_POSITIONS ? 1000 : READ_NO_LIMIT);
    }
    (void)match("/%61pi/tr%61des", arena, &endpoint);
    assert_ptr_equal(endpoint, &endpoints[READ_TRADES]);

    static const char *const nothing[] = {"",
                                          "/",
                                          "/api",
                                          "/api/",
                                          "/api/trades/",
                                          "//api/trades",
                                          "/api//trades",
                                          "/api/Trades",
                                          "/api/trade",
                                          "/api/tradesx",
                                          "api/trades",
                                          "/api/trades/x",
                                          "/api/analytics/",
                                          "/api/tr%des",
                                          "/api%2Ftrades",
                                          "*",
                                          "/api/trades%00",
                                          "/api/analytics/a/b",
                                          "/api/analytics/%FF",
                                          "/api/analytics/%0a"};
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        (void)match(nothing[i], arena, &endpoint);
        if (endpoint)
            fail_msg("\"%s\" is %s", nothing[i], endpoint->name);
    }
    arena_free(arena);
}

static void test_model_of_the_path(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    const struct endpoint *endpoint;
    struct read_query query = match("/api/analytics/gpt-5", arena, &endpoint);
    assert_ptr_equal(endpoint, &endpoints[READ_ANALYTICS_ONE]);
    assert_true(slice_is(query.model_id, "gpt-5"));
    query = match("/api/analytics/a%2Fb%20c+d", arena, &endpoint);
    assert_true(endpoint && slice_is(query.model_id, "a/b c+d"));
    query = match("/api/analytics/..%2F..%2Fetc", arena, &endpoint);
    assert_true(endpoint && slice_is(query.model_id, "../../etc"));
    arena_free(arena);
}

static void expect_cache_control(enum read_kind kind, const struct settings *settings, const char *wanted)
{
    char out[ENDPOINT_CACHE_CONTROL_SIZE];
    assert_string_equal(endpoint_cache_control(&endpoints[kind], settings, FLAG_REPO, out), wanted);
}

static void test_cache_control_follows_the_classes(void **state)
{
    (void)state;
    struct settings settings = {.ttl_short_s = 10, .ttl_medium_s = 60, .ttl_long_s = 300};
    const char *ten = "public, max-age=10, s-maxage=10, stale-while-revalidate=60";
    expect_cache_control(READ_ACCOUNT_TOTALS, &settings, ten);
    expect_cache_control(READ_TRADES, &settings, ten);
    expect_cache_control(READ_POSITIONS, &settings, ten);
    expect_cache_control(READ_CRYPTO_PRICES, &settings, "public, max-age=5, s-maxage=10, stale-while-revalidate=60");
    expect_cache_control(READ_CONVERSATIONS, &settings, "public, max-age=30, s-maxage=60, stale-while-revalidate=120");
    expect_cache_control(READ_LEADERBOARD, &settings, "public, max-age=60, s-maxage=120, stale-while-revalidate=240");
    const char *analytics = "public, max-age=300, s-maxage=600, stale-while-revalidate=1200";
    expect_cache_control(READ_ANALYTICS_ALL, &settings, analytics);
    expect_cache_control(READ_ANALYTICS_ONE, &settings, analytics);
    expect_cache_control(READ_SINCE_INCEPTION, &settings,
                         "public, max-age=600, s-maxage=1200, stale-while-revalidate=2400");

    settings.ttl_short_s = 3; /* 1.5 seconds are told as 2 */
    settings.ttl_medium_s = -1;
    expect_cache_control(READ_CRYPTO_PRICES, &settings, "public, max-age=2, s-maxage=3, stale-while-revalidate=18");
    expect_cache_control(READ_TRADES, &settings, "no-cache");
}

/* What depends on who asks is for his own cache alone. */
static void test_cache_control_of_a_canary(void **state)
{
    (void)state;
    struct settings settings = {.ttl_short_s = 10, .ttl_medium_s = -1};
    char out[ENDPOINT_CACHE_CONTROL_SIZE];
    const struct endpoint *prices = &endpoints[READ_CRYPTO_PRICES];
    assert_string_equal(endpoint_cache_control(prices, &settings, FLAG_CANARY, out),
                        "private, max-age=5, stale-while-revalidate=60");
    assert_string_equal(endpoint_cache_control(prices, &settings, FLAG_SHADOW, out),
                        "public, max-age=5, s-maxage=10, stale-while-revalidate=60");
    assert_string_equal(endpoint_cache_control(&endpoints[READ_TRADES], &settings, FLAG_CANARY, out), "no-cache");
}

static void test_sides_follow_the_flags(void **state)
{
    (void)state;
    static const struct {
        struct flag_value value;
        bool legacy, repo;
    } cases[] = {
        {{.mode = FLAG_LEGACY}, true, false},
        {{.mode = FLAG_SHADOW}, true, false},
        {{.mode = FLAG_CANARY, .share = 1}, true, true},
        {{.mode = FLAG_CANARY, .share = FLAG_SHARE_WHOLE}, false, true},
        {{.mode = FLAG_REPO}, false, true},
    };
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct flag_set set = {0}; /* all legacy */
        set.states[FLAG_READ_ANALYTICS].value = cases[c].value;
        for (size_t i = 0; i < READ_KIND_COUNT; i++) {
            bool analytics = i == READ_ANALYTICS_ALL || i == READ_ANALYTICS_ONE;
            assert_int_equal(endpoint_uses(&endpoints[i], &set, ENDPOINT_LEGACY), !analytics || cases[c].legacy);
            assert_int_equal(endpoint_uses(&endpoints[i], &set, ENDPOINT_REPO), analytics && cases[c].repo);
        }
        assert_true(endpoints_use(&set, ENDPOINT_LEGACY));
        assert_int_equal(endpoints_use(&set, ENDPOINT_REPO), cases[c].repo);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_whole),
        cmocka_unit_test(test_every_rule_for_comparing_can_be_read),
        cmocka_unit_test(test_paths_find_their_endpoint),
        cmocka_unit_test(test_model_of_the_path),
        cmocka_unit_test(test_cache_control_follows_the_classes),
        cmocka_unit_test(test_cache_control_of_a_canary),
        cmocka_unit_test(test_sides_follow_the_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
