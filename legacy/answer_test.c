#include "base/json_read.h"
#include "base/json_write.h"
#include "legacy/legacy.h"
#include "legacy/testing.h"

static void fill(const struct folder *folder)
{
    folder_put(folder, "account-totals.json",
               " { \"accountTotals\" : [\n"
               "{\"id\":\"a_0\",\"model_id\":\"a\",\"since_inception_hourly_marker\":0},"
               "{\"id\":\"a_2\",\"model_id\":\"a\",\"since_inception_hourly_marker\":2,\"x\":1.50},"
               "{\"id\":\"b\",\"model_id\":\"b\"},"
               "{\"id\":\"c_-1\",\"model_id\":\"c\",\"since_inception_hourly_marker\":-1},"
               "{\"id\":\"b_5\",\"model_id\":\"b\",\"since_inception_hourly_marker\":5}],"
               "\"lastHourlyMarkerRead\": 5, \"note\":null, \"serverTime\":1761452353140 }");
    folder_put(folder, "positions.json",
               "{\"accountTotals\":[{\"model_id\":\"a\",\"positions\":{}},{\"model_id\":\"b\",\"positions\":{}},"
               "{\"model_id\":\"c\",\"positions\":{}}]}");
    folder_put(folder, "trades.json",
               "{\"serverTime\":7,\"trades\":[{\"id\":\"a1\",\"model_id\":\"a\",\"exit_time\":30.5},"
               "{\"id\":\"a2\",\"model_id\":\"a\",\"exit_time\":20},"
               "{\"id\":\"a3\",\"model_id\":\"a\",\"exit_time\":null},"
               "{\"id\":\"b1\",\"model_id\":\"b\",\"exit_time\":40},"
               "{\"id\":\"b2\",\"model_id\":\"b\",\"exit_time\":20},"
               "{\"id\":\"B2\",\"model_id\":\"\\u0062\",\"exit_time\":20},"
               "{\"id\":\"c1\",\"model_id\":\"c\",\"exit_time\":10},"
               "{\"id\":\"c2\",\"model_id\":\"c\"}]}");
    folder_put(folder, "crypto-prices.json", "{\"prices\":{\"BTC\":{\"price\":1.0}},\"serverTime\":1}");
    folder_put(folder, "since-inception-values.json", "{\"sinceInceptionValues\":[]}");
    folder_put(folder, "leaderboard.json", "{\"leaderboard\":[{\"id\":\"a\"}]}");
    folder_put(folder, "analytics.json",
               "{\"analytics\":[{\"id\":\"a\",\"model_id\":\"a\",\"n\":-0.0},{\"id\":\"b\"}],\"serverTime\":9}");
    folder_put(folder, "analytics-a.json", "{\"analytics\":[{\"id\":\"a\",\"n\":2}]}");
    folder_put(folder, "analytics-c.json", "{\"analytics\":{\"id\":\"c\"},\"serverTime\":3}");
    folder_put(folder, "conversations.json",
               "{\"conversations\":[{\"model_id\":\"a\",\"n\":1},{\"model_id\":\"b\",\"n\":2},"
               "{\"model_id\":\"a\",\"n\":3},{\"model_id\":\"a\",\"n\":4}]}");
}

static struct folder folder;
static struct legacy_set *set;

static int set_up(void **state)
{
    (void)state;
    folder = folder_new();
    fill(&folder);
    set = legacy_set_load(folder.path, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    legacy_set_unref(set);
    folder_free(&folder);
    return 0;
}

static struct read_query query_of(enum read_kind kind)
{
    return (struct read_query){.kind = kind, .limit = READ_NO_LIMIT};
}

static struct legacy_answer assert_answer(const struct read_query *query, bool is_whole, const char *expected)
{
    struct buf scratch = BUF_INIT;
    buf_append_str(&scratch, "before");
    struct legacy_answer answer;
    struct err err = ERR_INIT;
    if (!legacy_set_answer(set, query, &scratch, &answer, &err))
        fail_msg("%s", err.text);
    if (!slice_is(answer.json, expected))
        fail_msg("got  %.*s\nwant %s", SLICE_ARG(answer.json), expected);
    assert_int_equal(answer.version != 0, is_whole);
    if (!is_whole)
        assert_true(scratch.len >= answer.json.n && answer.json.p == scratch.data + scratch.len - answer.json.n);
    assert_memory_equal(scratch.data, "before", 6);
    answer.json = (struct slice){NULL, 0};
    buf_free(&scratch);
    return answer;
}

static void whole_files_keep_their_order_and_lose_their_time(void **state)
{
    (void)state;
    struct read_query query = query_of(READ_ACCOUNT_TOTALS);
    struct legacy_answer answer =
        assert_answer(&query, true,
                      "{\"accountTotals\":[{\"id\":\"a_0\",\"model_id\":\"a\",\"since_inception_hourly_marker\":0},"
                      "{\"id\":\"a_2\",\"model_id\":\"a\",\"since_inception_hourly_marker\":2,\"x\":1.5},"
                      "{\"id\":\"b\",\"model_id\":\"b\"},"
                      "{\"id\":\"c_-1\",\"model_id\":\"c\",\"since_inception_hourly_marker\":-1},"
                      "{\"id\":\"b_5\",\"model_id\":\"b\",\"since_inception_hourly_marker\":5}],"
                      "\"lastHourlyMarkerRead\":5,\"note\":null");
    assert_true(answer.has_server_time);
    assert_int_equal(answer.server_time_ms, 1761452353140);

    query = query_of(READ_CRYPTO_PRICES);
    answer = assert_answer(&query, true, "{\"prices\":{\"BTC\":{\"price\":1}}");
    assert_int_equal(answer.server_time_ms, 1);
    query = query_of(READ_SINCE_INCEPTION);
    answer = assert_answer(&query, true, "{\"sinceInceptionValues\":[]");
    assert_false(answer.has_server_time);
    query = query_of(READ_LEADERBOARD);
    (void)assert_answer(&query, true, "{\"leaderboard\":[{\"id\":\"a\"}]");
    query = query_of(READ_ANALYTICS_ALL);
    (void)assert_answer(&query, true, "{\"analytics\":[{\"id\":\"a\",\"model_id\":\"a\",\"n\":-0},{\"id\":\"b\"}]");
}

static void a_marker_is_inclusive(void **state)
{
    (void)state;
    struct read_query query = query_of(READ_ACCOUNT_TOTALS);
    query.has_min_marker = true;
    query.min_marker = 2;
    struct legacy_answer answer =
        assert_answer(&query, false,
                      "{\"accountTotals\":[{\"id\":\"a_2\",\"model_id\":\"a\",\"since_inception_hourly_marker\":2,"
                      "\"x\":1.5},{\"id\":\"b_5\",\"model_id\":\"b\",\"since_inception_hourly_marker\":5}],"
                      "\"lastHourlyMarkerRead\":5,\"note\":null");
    assert_int_equal(answer.server_time_ms, 1761452353140);
    query.min_marker = 6;
    (void)assert_answer(&query, false, "{\"accountTotals\":[],\"lastHourlyMarkerRead\":6,\"note\":null");
    /* Rows without a marker are left out even for the lowest. */
    query.min_marker = 0;
    (void)assert_answer(&query, false,
                        "{\"accountTotals\":[{\"id\":\"a_0\",\"model_id\":\"a\",\"since_inception_hourly_marker\":0},"
                        "{\"id\":\"a_2\",\"model_id\":\"a\",\"since_inception_hourly_marker\":2,\"x\":1.5},"
                        "{\"id\":\"b_5\",\"model_id\":\"b\",\"since_inception_hourly_marker\":5}],"
                        "\"lastHourlyMarkerRead\":5,\"note\":null");
}

static void a_limit_caps_position_models(void **state)
{
    (void)state;
    struct read_query query = query_of(READ_POSITIONS);
    static const char whole[] = "{\"accountTotals\":[{\"model_id\":\"a\",\"positions\":{}},{\"model_id\":\"b\","
                                "\"positions\":{}},{\"model_id\":\"c\",\"positions\":{}}]";
    (void)assert_answer(&query, true, whole);
    query.limit = 3;
    (void)assert_answer(&query, true, whole);
    query.limit = 1;
    (void)assert_answer(&query, false, "{\"accountTotals\":[{\"model_id\":\"a\",\"positions\":{}}]");
    query.limit = 0;
    (void)assert_answer(&query, false, "{\"accountTotals\":[]");
}

/* The ids of the trades that answer, as "b1 a1 ". */
static void assert_trades(const struct read_query *query, const char *expected)
{
    struct buf scratch = BUF_INIT;
    struct legacy_answer answer;
    struct err err = ERR_INIT;
    assert_true(legacy_set_answer(set, query, &scratch, &answer, &err));
    struct buf closed = BUF_INIT;
    buf_append_slice(&closed, answer.json);
    buf_append_char(&closed, '}');
    cJSON *tree = json_parse(buf_slice(&closed), &err);
    assert_non_null(tree);
    struct buf ids = BUF_INIT;
    const cJSON *trade;
    cJSON_ArrayForEach(trade, cJSON_GetObjectItem(tree, "trades"))
        buf_printf(&ids, "%s ", cJSON_GetObjectItem(trade, "id")->valuestring);
    assert_string_equal(buf_cstr(&ids), expected);
    assert_int_equal(answer.server_time_ms, 7);
    cJSON_Delete(tree);
    buf_free(&ids);
    buf_free(&closed);
    buf_free(&scratch);
}

static void trades_are_the_feed_or_one_models_group(void **state)
{
    (void)state;
    struct read_query query = query_of(READ_TRADES);
    assert_trades(&query, "a1 a2 a3 b1 b2 B2 c1 c2 ");
    query.model_id = SLICE("b");
    assert_trades(&query, "b1 b2 B2 ");
    query.model_id = SLICE("nobody");
    assert_trades(&query, "");
}

static void trade_pages_go_by_exit_time_then_id(void **state)
{
    (void)state;
    struct read_query query = query_of(READ_TRADES);
    query.limit = 100;
    assert_trades(&query, "b1 a1 b2 a2 B2 c1 ");
    query.limit = 2;
    assert_trades(&query, "b1 a1 ");
    query.before = (struct trade_cursor){.kind = CURSOR_ID, .id = SLICE("a1")};
    assert_trades(&query, "b2 a2 ");
    query.before.id = SLICE("a2");
    assert_trades(&query, "B2 c1 ");
    query.before.id = SLICE("a3"); /* open: it has no place */
    assert_trades(&query, "");
    query.before.id = SLICE("no such");
    assert_trades(&query, "");

    query.before = (struct trade_cursor){.kind = CURSOR_TIME, .exit_time_s = 30.5};
    assert_trades(&query, "b2 a2 ");
    query.before.exit_time_s = 20;
    assert_trades(&query, "c1 ");
    query.before.exit_time_s = 30.500001;
    query.limit = READ_NO_LIMIT;
    assert_trades(&query, "a1 b2 a2 B2 c1 ");
}

static void trade_pages_go_forward_without_a_gap(void **state)
{
    (void)state;
    struct read_query query = query_of(READ_TRADES);
    query.limit = 2;
    query.after = (struct trade_cursor){.kind = CURSOR_ID, .id = SLICE("c1")};
    assert_trades(&query, "a2 B2 ");
    query.after.id = SLICE("a2");
    assert_trades(&query, "a1 b2 ");
    query.after.id = SLICE("b2");
    assert_trades(&query, "b1 a1 ");
    query.after.id = SLICE("b1");
    assert_trades(&query, "");
    query.after.id = SLICE("no such");
    assert_trades(&query, "");
    query.after = (struct trade_cursor){.kind = CURSOR_TIME, .exit_time_s = 20};
    query.limit = 1;
    assert_trades(&query, "a1 ");
    query.model_id = SLICE("b");
    assert_trades(&query, "b1 ");
    /* Both bounds: the newest rows between them. */
    query.model_id = (struct slice){NULL, 0};
    query.before = (struct trade_cursor){.kind = CURSOR_ID, .id = SLICE("b1")};
    query.after = (struct trade_cursor){.kind = CURSOR_TIME, .exit_time_s = 10};
    query.limit = 3;
    assert_trades(&query, "a1 b2 a2 ");
}

/* Walking pages of every size back and forth gives every closed trade once, in one order. */
static void pages_of_every_size_join_to_the_whole(void **state)
{
    (void)state;
    static const char *const order[] = {"b1", "a1", "b2", "a2", "B2", "c1"};
    const size_t count = sizeof order / sizeof order[0];
    for (size_t size = 1; size <= count; size++) {
        struct read_query query = query_of(READ_TRADES);
        query.limit = (int64_t)size;
        for (size_t start = 0; start < count; start += size) {
            char expected[64] = "";
            for (size_t i = start; i < count && i < start + size; i++)
                (void)snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "%s ", order[i]);
            if (start > 0)
                query.before = (struct trade_cursor){.kind = CURSOR_ID, .id = slice_of(order[start - 1])};
            assert_trades(&query, expected);
        }
    }
}

static void conversations_by_model_and_limit(void **state)
{
    (void)state;
    struct read_query query = query_of(READ_CONVERSATIONS);
    query.limit = 4;
    (void)assert_answer(&query, true,
                        "{\"conversations\":[{\"model_id\":\"a\",\"n\":1},{\"model_id\":\"b\",\"n\":2},"
                        "{\"model_id\":\"a\",\"n\":3},{\"model_id\":\"a\",\"n\":4}]");
    query.limit = 1;
    (void)assert_answer(&query, false, "{\"conversations\":[{\"model_id\":\"a\",\"n\":1}]");
    query.model_id = SLICE("a");
    query.limit = 2;
    (void)assert_answer(&query, false,
                        "{\"conversations\":[{\"model_id\":\"a\",\"n\":1},{\"model_id\":\"a\",\"n\":3}]");
    query.model_id = SLICE("b");
    query.limit = READ_NO_LIMIT;
    (void)assert_answer(&query, false, "{\"conversations\":[{\"model_id\":\"b\",\"n\":2}]");
}

static void analytics_of_one_model(void **state)
{
    (void)state;
    struct read_query query = query_of(READ_ANALYTICS_ONE);
    query.model_id = SLICE("a"); /* its own file goes before the list; the array of one becomes the object */
    struct legacy_answer answer = assert_answer(&query, true, "{\"analytics\":{\"id\":\"a\",\"n\":2}");
    assert_false(answer.has_server_time);
    query.model_id = SLICE("c");
    struct legacy_answer other = assert_answer(&query, true, "{\"analytics\":{\"id\":\"c\"}");
    assert_int_equal(other.server_time_ms, 3);
    assert_true(other.version != answer.version);
    query.model_id = SLICE("b"); /* only in the list, and only by id */
    answer = assert_answer(&query, false, "{\"analytics\":{\"id\":\"b\"}");
    assert_int_equal(answer.server_time_ms, 9);
    query.model_id = SLICE("../a\"");
    (void)assert_answer(&query, false,
                        "{\"analytics\":{\"id\":\"\",\"model_id\":\"../a\\\"\",\"updated_at\":0,"
                        "\"last_trade_exit_time\":0,\"last_trade_doc_id\":\"\",\"last_convo_doc_id\":\"\","
                        "\"last_convo_timestamp\":0,\"fee_pnl_moves_breakdown_table\":{},"
                        "\"winners_losers_breakdown_table\":{},\"longs_shorts_breakdown_table\":{},"
                        "\"signals_breakdown_table\":{},\"invocation_breakdown_table\":{},"
                        "\"overall_trades_overview_table\":{}}");
}

/* What is served is the file, but for serverTime. */
static void real_files_come_out_as_they_are(void **state)
{
    (void)state;
    const char *root = getenv("NOF0_TEST_DATA");
    char path[512];
    (void)snprintf(path, sizeof path, "%s/2025-10-26", root ? root : "../shared/data");
    if (access(path, R_OK) != 0) {
        skip();
        return;
    }
    struct legacy_set *real = legacy_set_load(path, NULL);
    static const char *const names[] = {[READ_ACCOUNT_TOTALS] = "account-totals",
                                        [READ_POSITIONS] = "positions",
                                        [READ_TRADES] = "trades",
                                        [READ_CRYPTO_PRICES] = "crypto-prices",
                                        [READ_SINCE_INCEPTION] = "since-inception-values",
                                        [READ_LEADERBOARD] = "leaderboard",
                                        [READ_ANALYTICS_ALL] = "analytics",
                                        [READ_ANALYTICS_ONE] = "analytics-gpt-5",
                                        [READ_CONVERSATIONS] = "conversations"};
    for (int kind = 0; kind < READ_KIND_COUNT; kind++) {
        struct read_query query = query_of((enum read_kind)kind);
        if (kind == READ_ANALYTICS_ONE)
            query.model_id = SLICE("gpt-5");
        struct buf scratch = BUF_INIT;
        struct legacy_answer answer;
        struct err err = ERR_INIT;
        if (!legacy_set_answer(real, &query, &scratch, &answer, &err))
            fail_msg("%s", err.text);
        char file[700];
        (void)snprintf(file, sizeof file, "%s/%s.json", path, names[kind]);
        struct buf text = file_text(file);
        cJSON *expected = json_parse(buf_slice(&text), &err);
        assert_non_null(expected);
        const cJSON *time = cJSON_GetObjectItem(expected, "serverTime");
        assert_int_equal(answer.has_server_time, time != NULL);
        if (time)
            assert_true((double)answer.server_time_ms == time->valuedouble);
        cJSON_DeleteItemFromObject(expected, "serverTime");
        if (kind == READ_ANALYTICS_ONE) {
            cJSON *object = cJSON_DetachItemFromArray(cJSON_GetObjectItem(expected, "analytics"), 0);
            assert_true(cJSON_ReplaceItemInObject(expected, "analytics", object));
        }
        struct buf compact = BUF_INIT;
        json_put_cjson(&compact, expected);
        assert_true(answer.json.n + 1 == compact.len && memcmp(answer.json.p, compact.data, answer.json.n) == 0);
        cJSON_Delete(expected);
        buf_free(&compact);
        buf_free(&text);
        buf_free(&scratch);
    }
    legacy_set_unref(real);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_files_keep_their_order_and_lose_their_time),
        cmocka_unit_test(a_marker_is_inclusive),
        cmocka_unit_test(a_limit_caps_position_models),
        cmocka_unit_test(trades_are_the_feed_or_one_models_group),
        cmocka_unit_test(trade_pages_go_by_exit_time_then_id),
        cmocka_unit_test(trade_pages_go_forward_without_a_gap),
        cmocka_unit_test(pages_of_every_size_join_to_the_whole),
        cmocka_unit_test(conversations_by_model_and_limit),
        cmocka_unit_test(analytics_of_one_model),
        cmocka_unit_test(real_files_come_out_as_they_are),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
