#include "base/testing.h"
#include "server/endpoints.h"
#include "server/params.h"

struct outcome {
    bool good;
    struct read_query query;
    struct param_fault fault;
};

static struct arena *arena;

static int make_arena(void **state)
{
    (void)state;
    arena = arena_new(0);
    return 0;
}

static int drop_arena(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct outcome read_params(enum read_kind kind, const char *query)
{
    struct outcome outcome = {.query = {.kind = kind, .limit = READ_NO_LIMIT}};
    outcome.good = params_read(endpoints[kind].params, slice_of(query), arena, &outcome.query, &outcome.fault);
    return outcome;
}

static void expect_fault(enum read_kind kind, const char *query, const char *param)
{
    struct outcome outcome = read_params(kind, query);
    if (outcome.good)
        fail_msg("\"%s\" was taken", query);
    if (param)
        assert_string_equal(outcome.fault.param, param);
    else
        assert_null(outcome.fault.param);
    assert_true(outcome.fault.message[0] != '\0');
}

static void test_last_hourly_marker(void **state)
{
    (void)state;
    struct outcome outcome = read_params(READ_ACCOUNT_TOTALS, "lastHourlyMarker=0");
    assert_true(outcome.good && outcome.query.has_min_marker);
    assert_int_equal(outcome.query.min_marker, 0);
    outcome = read_params(READ_ACCOUNT_TOTALS, "lastHourlyMarker=9223372036854775807");
    assert_true(outcome.good);
    assert_int_equal(outcome.query.min_marker, INT64_MAX);
    outcome = read_params(READ_ACCOUNT_TOTALS, "");
    assert_true(outcome.good && !outcome.query.has_min_marker);

    static const char *const bad[] = {"lastHourlyMarker=-1",  "lastHourlyMarker=",
                                      "lastHourlyMarker",     "lastHourlyMarker=1.5",
                                      "lastHourlyMarker=1e3", "lastHourlyMarker=%201",
                                      "lastHourlyMarker=+1",  "lastHourlyMarker=0x10",
                                      "lastHourlyMarker=abc", "lastHourlyMarker=9223372036854775808",
                                      "lastHourlyMarker=1%00"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_fault(READ_ACCOUNT_TOTALS, bad[i], "lastHourlyMarker");
}

static void test_limits_by_endpoint(void **state)
{
    (void)state;
    assert_int_equal(read_params(READ_TRADES, "limit=1000").query.limit, 1000);
    assert_int_equal(read_params(READ_TRADES, "limit=1").query.limit, 1);
    expect_fault(READ_TRADES, "limit=0", "limit");
    expect_fault(READ_TRADES, "limit=1001", "limit");
    expect_fault(READ_CONVERSATIONS, "limit=1001", "limit");
    expect_fault(READ_POSITIONS, "limit=0", "limit");
    assert_int_equal(read_params(READ_POSITIONS, "limit=5000").query.limit, 5000);
    assert_string_equal(read_params(READ_TRADES, "limit=x").fault.message, "limit must be an integer from 1 to 1000");
    assert_string_equal(read_params(READ_POSITIONS, "limit=x").fault.message, "limit must be an integer of at least 1");
}

static void test_twice_is_an_error_even_when_equal(void **state)
{
    (void)state;
    expect_fault(READ_TRADES, "limit=5&limit=5", "limit");
    expect_fault(READ_TRADES, "limit=5&model_id=a&l%69mit=5", "limit");
}

static void test_unknown_parameters_are_ignored(void **state)
{
    (void)state;
    struct outcome outcome = read_params(READ_TRADES, "_=1761452354&&limit=3&_=1&x&=&foo=%zz");
    assert_true(outcome.good);
    assert_int_equal(outcome.query.limit, 3);
    /* Names are exact: another endpoint's parameter, or another case, is an unknown one. */
    assert_true(read_params(READ_TRADES, "lastHourlyMarker=oops").good);
    assert_true(read_params(READ_TRADES, "LIMIT=oops").good);
    assert_true(read_params(READ_LEADERBOARD, "limit=oops").good);
}

static void test_broken_escapes(void **state)
{
    (void)state;
    expect_fault(READ_TRADES, "model_id=%", "model_id");
    expect_fault(READ_TRADES, "model_id=%4", "model_id");
    expect_fault(READ_TRADES, "model_id=%g0", "model_id");
    expect_fault(READ_TRADES, "%zz=1", NULL);
}

static void test_model_id(void **state)
{
    (void)state;
    struct outcome outcome = read_params(READ_TRADES, "model_id=deepseek-chat-v3.1");
    assert_true(slice_is(outcome.query.model_id, "deepseek-chat-v3.1"));
    outcome = read_params(READ_TRADES, "model_id=a%26b%3Dc+d%2Be");
    assert_true(slice_is(outcome.query.model_id, "a&b=c d+e"));
    outcome = read_params(READ_TRADES, "model_id=%E6%A8%A1%F0%9F%99%82");
    assert_true(slice_is(outcome.query.model_id, "\xE6\xA8\xA1\xF0\x9F\x99\x82"));

    char longest[9 + MODEL_ID_MAX + 2] = "model_id=";
    memset(longest + 9, 'a', MODEL_ID_MAX + 1);
    expect_fault(READ_TRADES, longest, "model_id");
    longest[9 + MODEL_ID_MAX] = '\0';
    assert_int_equal(read_params(READ_TRADES, longest).query.model_id.n, MODEL_ID_MAX);

    static const char *const bad[] = {"model_id=",
                                      "model_id=a%00b",
                                      "model_id=a%0Ab",
                                      "model_id=%7F",
                                      "model_id=%C2%85",
                                      "model_id=%FF",
                                      "model_id=%C0%80",
                                      "model_id=%E0%80%80",
                                      "model_id=%ED%A0%80",
                                      "model_id=%F0%80%80%80",
                                      "model_id=%F4%90%80%80",
                                      "model_id=%E6%A8",
                                      "model_id=%F5%80%80%80",
                                      "model_id=%80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_fault(READ_TRADES, bad[i], "model_id");
}

static void test_cursors(void **state)
{
    (void)state;
    struct outcome outcome = read_params(READ_TRADES, "before=1761452354.435&after=gpt-5_c1a99ee5");
    assert_true(outcome.good);
    assert_int_equal(outcome.query.before.kind, CURSOR_TIME);
    assert_true(outcome.query.before.exit_time_s == 1761452354.435);
    assert_int_equal(outcome.query.after.kind, CURSOR_ID);
    assert_true(slice_is(outcome.query.after.id, "gpt-5_c1a99ee5"));
    /* What JSON would not call a number is an id. */
    assert_int_equal(read_params(READ_TRADES, "before=1e999").query.before.kind, CURSOR_ID);
    assert_int_equal(read_params(READ_TRADES, "before=0x10").query.before.kind, CURSOR_ID);
    assert_int_equal(read_params(READ_TRADES, "before=-5e2").query.before.kind, CURSOR_TIME);
    expect_fault(READ_TRADES, "before=", "before");
    expect_fault(READ_TRADES, "after=%01", "after");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_hourly_marker),
        cmocka_unit_test(test_limits_by_endpoint),
        cmocka_unit_test(test_twice_is_an_error_even_when_equal),
        cmocka_unit_test(test_unknown_parameters_are_ignored),
        cmocka_unit_test(test_broken_escapes),
        cmocka_unit_test(test_model_id),
        cmocka_unit_test(test_cursors),
    };
    return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
