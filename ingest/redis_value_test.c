/* Rows in, values out: the documented forms, and nothing but good JSON whatever the rows hold. */
#include "base/json_read.h"
#include "ingest/redis_json.h"
#include "ingest/redis_value.h"
#include "repo/testing_rows.h"

#include <float.h>

static struct cache_space space;

static int setup(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    const int64_t ttl_s[CACHE_TTL_CLASSES] = {0, 0, 0};
    return cache_space_init(&space, SLICE("nof0"), ttl_s, &err) ? 0 : -1;
}

static void must(bool good, const struct err *err)
{
    if (!good)
        fail_msg("%s", err->text);
}

/* Another document than `expected` fails; the order of keys counts too, since it is part of the form. */
static void assert_text(const struct redis_value *value, size_t i, const char *expected)
{
    struct slice text = redis_item_text(value, i);
    assert_in_range(i, 0, value->count - 1);
    if (!slice_is(text, expected))
        fail_msg("%.*s is not %s", SLICE_ARG(text), expected);
}

static void assert_field(const struct redis_value *value, size_t i, const char *field, const char *text)
{
    if (!slice_is(redis_item_field(value, i), field))
        fail_msg("field %zu is %.*s, not %s", i, SLICE_ARG(redis_item_field(value, i)), field);
    assert_text(value, i, text);
}

static const struct price_latest_row btc = {
    .provider = SLICE("arena"), .symbol = SLICE("BTC"), .price = {111000.5, true}, .ts_ms = {1761452352829, true}};

static void a_price_is_a_string(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct redis_value value = REDIS_VALUE_INIT;
    redis_value_begin(&value, cache_key_price_latest(&space, btc.provider, btc.symbol));
    must(redis_value_set_price(&value, &btc, &err), &err);
    assert_int_equal(value.count, 1);
    assert_text(&value, 0,
                "{\"provider\":\"arena\",\"symbol\":\"BTC\",\"price\":111000.5,\"timestamp\":1761452352829}");
    struct price_latest_row odd = btc;
    odd.price.v = HUGE_VAL;
    redis_value_begin(&value, cache_key_price_latest(&space, btc.provider, btc.symbol));
    assert_false(redis_value_set_price(&value, &odd, &err));
    assert_int_equal(err.code, ERR_INTERNAL);
    redis_value_free(&value);
}

static void the_price_map_has_a_member_a_row(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct redis_value value = REDIS_VALUE_INIT;
    struct price_latest_row quoted = btc;
    quoted.symbol = SLICE("a\"b");
    quoted.price.v = -0.0;
    redis_value_begin(&value, cache_key_crypto_prices(&space));
    redis_value_end_prices(&value);
    assert_int_equal(value.count, 0);
    must(redis_value_put_price(&value, &btc, &err) && redis_value_put_price(&value, &quoted, &err), &err);
    redis_value_end_prices(&value);
    assert_int_equal(value.count, 1);
    assert_text(&value, 0, "{\"BTC\":111000.5,\"a\\\"b\":-0}");
    redis_value_free(&value);
}

static void positions_are_fields(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct redis_value value = REDIS_VALUE_INIT;
    struct positions_row row = {.id = SLICE("m:BTC:1"),
                                .symbol = SLICE("BTC"),
                                .exchange_provider = SLICE("sim"),
                                .entry_time_s = {1.5, true},
                                .entry_price = {10, true},
                                .quantity = {-0.25, true}};
    redis_value_begin(&value, cache_key_positions(&space, SLICE("m")));
    must(redis_value_add_position(&value, &row, &err), &err);
    /* A second one of the symbol has no field of its own. */
    row.quantity.v = 7;
    must(redis_value_add_position(&value, &row, &err), &err);
    row.symbol = SLICE("ETH");
    row.exchange_provider.p = NULL;
    row.wire_detail = SLICE("{\"set\": {\"note\": null}, \"unset\": [\"symbol\"]}");
    must(redis_value_add_position(&value, &row, &err), &err);
    assert_int_equal(value.count, 2);
    assert_field(&value, 0, "BTC",
                 "{\"symbol\":\"BTC\",\"entry_time\":1.5,\"entry_price\":10,\"quantity\":-0.25,"
                 "\"exchange_provider\":\"sim\"}");
    assert_field(&value, 1, "ETH", "{\"entry_time\":1.5,\"entry_price\":10,\"quantity\":7,\"note\":null}");
    row.symbol = SLICE("SOL");
    row.wire_detail = SLICE("[]");
    assert_false(redis_value_add_position(&value, &row, &err));
    redis_value_free(&value);
}

static void a_hundred_trades_stay(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct redis_value value = REDIS_VALUE_INIT;
    redis_value_begin(&value, cache_key_trades_recent(&space, SLICE("m")));
    for (int i = 0; i < 103; i++) {
        char id[16];
        snprintf(id, sizeof id, "t%d", i);
        struct trades_row row = {.id = slice_of(id), .model_id = SLICE("m"), .symbol = SLICE("BTC")};
        row.side = SLICE("long");
        must(redis_value_add_trade(&value, &row, &err), &err);
    }
    assert_int_equal(value.count, REDIS_TRADES_KEPT);
    assert_text(&value, 99, "{\"id\":\"t99\",\"model_id\":\"m\",\"symbol\":\"BTC\",\"side\":\"long\"}");
    redis_value_free(&value);
}

static void the_leaderboard_ranks_and_lists(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct redis_value value = REDIS_VALUE_INIT;
    struct leaderboard_entries_row row = {.id = SLICE("m"), .return_pct = {-10.363999999999999, true}};
    struct leaderboard_entries_row without = {.id = SLICE("n"), .num_trades = {1, true}};
    redis_value_begin(&value, cache_key_leaderboard(&space));
    must(redis_value_add_leader(&value, &row, &err) && redis_value_add_leader(&value, &without, &err), &err);
    assert_int_equal(value.count, 1);
    assert_field(&value, 0, "m", "");
    assert_true(value.items[0].score == -10.363999999999999);
    row.return_pct.v = (double)NAN;
    assert_false(redis_value_add_leader(&value, &row, &err));
    row.return_pct.v = 2;
    redis_value_begin(&value, cache_key_leaderboard_cache(&space));
    must(redis_value_put_leader(&value, &row, &err) && redis_value_put_leader(&value, &without, &err), &err);
    redis_value_end_array(&value);
    assert_text(&value, 0, "[{\"id\":\"m\",\"return_pct\":2},{\"id\":\"n\",\"num_trades\":1}]");
    redis_value_free(&value);
}

static void navs_messages_and_analytics(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct redis_value value = REDIS_VALUE_INIT;
    struct redis_nav_row nav = {SLICE("m"), {1761452352829, true}, {1.0125, true}};
    redis_value_begin(&value, cache_key_since_inception(&space, SLICE("m")));
    must(redis_value_add_nav(&value, &nav, &err), &err);
    nav.nav_since_inception.set = false;
    must(redis_value_add_nav(&value, &nav, &err), &err);
    assert_text(&value, 0, "{\"timestamp\":1761452352829,\"value\":1.0125}");
    assert_text(&value, 1, "{\"timestamp\":1761452352829,\"value\":null}");
    nav.nav_since_inception = col_f64(HUGE_VAL);
    assert_false(redis_value_add_nav(&value, &nav, &err));

    struct conversation_messages_row message = {
        .role = SLICE("user"), .content = SLICE("a\nb"), .ts_raw = SLICE("1761452352")};
    redis_value_begin(&value, cache_key_conversations(&space, SLICE("m")));
    must(redis_value_add_message(&value, &message, &err), &err);
    assert_text(&value, 0, "{\"role\":\"user\",\"content\":\"a\\nb\",\"timestamp\":1761452352}");

    struct model_analytics_row own = {.model_id = SLICE("m"), .payload = SLICE("{\"x\": 1}")};
    struct model_analytics_row older = {
        .model_id = SLICE("n"), .payload = SLICE("{\"x\":2}"), .bulk_payload = SLICE("{\"x\":3}")};
    redis_value_begin(&value, cache_key_analytics(&space, SLICE("n")));
    redis_value_set_analytics(&value, &older);
    assert_text(&value, 0, "{\"x\":2}");
    redis_value_begin(&value, cache_key_analytics_all(&space));
    redis_value_put_analytics(&value, &own);
    redis_value_put_analytics(&value, &older);
    redis_value_end_array(&value);
    assert_text(&value, 0, "[{\"x\":1},{\"x\":3}]");
    redis_value_free(&value);
}

static void a_decision_leaves_prompt_and_trace_out(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct redis_value value = REDIS_VALUE_INIT;
    struct decision_cycles_row row = {.source_id = SLICE("m_1"),
                                      .model_id = SLICE("m"),
                                      .cycle_number = {3241, true},
                                      .user_prompt = SLICE("long"),
                                      .cot_trace = SLICE("longer"),
                                      .decisions = SLICE("{\"BTC\":{}}"),
                                      .success = {true, true},
                                      .executed_at = {1761452352829345, true},
                                      .timestamp_s = {1761452352.829345, true}};
    redis_value_begin(&value, cache_key_decision_last(&space, SLICE("m")));
    must(redis_value_set_decision(&value, &row, &err), &err);
    const char *expected = "{\"id\":\"m_1\",\"model_id\":\"m\",\"cycle_id\":3241,\"timestamp\":1761452352.829345,"
                           "\"success\":true,\"llm_response\":{\"BTC\":{}}}";
    assert_text(&value, 0, expected);
    row.timestamp_s.set = false; /* the instant then comes from executed_at */
    redis_value_begin(&value, cache_key_decision_last(&space, SLICE("m")));
    must(redis_value_set_decision(&value, &row, &err), &err);
    assert_text(&value, 0, expected);
    redis_value_free(&value);
}

static void instants_of_a_trader(void **state)
{
    (void)state;
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00.000000Z"},
                 {-1, "1969-12-31T23:59:59.999999Z"},
                 {1761452352829345, "2025-10-26T04:19:12.829345Z"},
                 {INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z"},
                 {INT64_C(253402300800000000), "253402300800000000"},
                 {INT64_C(-62167219200000000), "0000-01-01T00:00:00.000000Z"},
                 {INT64_C(-62167219200000001), "-62167219200000001"},
                 {INT64_MAX, "infinity"},
                 {INT64_MIN, "-infinity"}};
    struct err err = ERR_INIT;
    struct redis_value value = REDIS_VALUE_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trader_state_row row = {.trader_id = SLICE("m"), .pause_until = {cases[i].us, true}};
        redis_value_begin(&value, cache_key_trader_state(&space, SLICE("m")));
        must(redis_value_set_trader(&value, &row, &err), &err);
        assert_int_equal(value.count, 2); /* NULLs have no field */
        assert_field(&value, 0, "trader_id", "m");
        assert_field(&value, 1, "pause_until", cases[i].text);
    }
    struct trader_state_row row = {
        .trader_id = SLICE("m"), .allocation_pct = {DBL_MIN, true}, .cooldown = SLICE("{\"a\": 1}")};
    redis_value_begin(&value, cache_key_trader_state(&space, SLICE("m")));
    must(redis_value_set_trader(&value, &row, &err), &err);
    assert_field(&value, 1, "allocation_pct", "2.2250738585072014e-308");
    assert_field(&value, 2, "cooldown", "{\"a\":1}");
    redis_value_free(&value);
}

static void a_market_has_its_columns(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct redis_value value = REDIS_VALUE_INIT;
    struct market_assets_row asset = {.provider = SLICE("p"),
                                      .symbol = SLICE("BTC"),
                                      .sz_decimals = {5, true},
                                      .only_isolated = {false, true},
                                      .updated_at = {1, true}};
    redis_value_begin(&value, cache_key_market_asset(&space, asset.provider, asset.symbol));
    must(redis_value_set_market(&value, &table_market_assets, &asset, &err), &err);
    assert_text(&value, 0, "{\"provider\":\"p\",\"symbol\":\"BTC\",\"sz_decimals\":5,\"only_isolated\":false}");
    struct market_asset_ctx_row ctx = {
        .provider = SLICE("p"), .symbol = SLICE("BTC"), .funding = {-1.25e-7, true}, .impact_pxs = SLICE("[1, 2]")};
    redis_value_begin(&value, cache_key_market_ctx(&space, ctx.provider, ctx.symbol));
    must(redis_value_set_market(&value, &table_market_asset_ctx, &ctx, &err), &err);
    assert_text(&value, 0, "{\"provider\":\"p\",\"symbol\":\"BTC\",\"funding\":-1.25e-7,\"impact_pxs\":[1,2]}");
    ctx.mid_px = col_f64((double)NAN);
    assert_false(redis_value_set_market(&value, &table_market_asset_ctx, &ctx, &err));
    redis_value_free(&value);
}

/* JSON has no integers beyond 2^53, and no row that came through import has one. */
static void tame(const struct table *table, void *row)
{
    for (size_t i = 0; i < table->column_count; i++) {
        void *at = (char *)row + table->columns[i].offset;
        if (table->columns[i].kind == COL_I64)
            ((struct col_i64 *)at)->v %= INT64_C(1) << 53;
        if (strcmp(table->columns[i].name, "wire_detail") == 0)
            ((struct slice *)at)->p = NULL;
    }
}

static bool build(struct redis_value *value, const struct table *table, const void *row, struct err *err)
{
    struct slice any = SLICE("any");
    if (table == &table_positions) {
        redis_value_begin(value, cache_key_positions(&space, any));
        return redis_value_add_position(value, row, err);
    }
    if (table == &table_trades) {
        redis_value_begin(value, cache_key_trades_recent(&space, any));
        return redis_value_add_trade(value, row, err);
    }
    if (table == &table_decision_cycles) {
        redis_value_begin(value, cache_key_decision_last(&space, any));
        return redis_value_set_decision(value, row, err);
    }
    if (table == &table_leaderboard_entries) {
        redis_value_begin(value, cache_key_leaderboard_cache(&space));
        bool good = redis_value_put_leader(value, row, err);
        redis_value_end_array(value);
        return good;
    }
    redis_value_begin(value, cache_key_market_ctx(&space, any, any));
    return redis_value_set_market(value, table, row, err);
}

static void ugly_rows_give_good_json(void **state)
{
    (void)state;
    const struct table *const tables[] = {&table_positions,           &table_trades,        &table_decision_cycles,
                                          &table_leaderboard_entries, &table_market_assets, &table_market_asset_ctx};
    struct err err = ERR_INIT;
    struct redis_value value = REDIS_VALUE_INIT;
    struct arena *arena = arena_new(0);
    uint64_t random = 20251026;
    for (size_t round = 0; round < 1200; round++) {
        const struct table *table = tables[round % (sizeof tables / sizeof tables[0])];
        void *row = arena_zalloc(arena, table->row_size);
        rows_fill(table, row, round, arena, &random);
        tame(table, row);
        must(build(&value, table, row, &err), &err);
        assert_int_equal(value.count, 1);
        cJSON *document = json_parse(redis_item_text(&value, 0), &err);
        if (!document)
            fail_msg("%s: %s in %.*s", table->name, err.text, SLICE_ARG(redis_item_text(&value, 0)));
        cJSON_Delete(document);
        arena_reset(arena);
    }
    arena_free(arena);
    redis_value_free(&value);
}

static void json_is_compared_by_meaning(void **state)
{
    (void)state;
    static const struct {
        const char *expected;
        const char *held;
        const char *what; /* NULL: the same */
    } cases[] = {
        {"{\"a\":1,\"b\":[2,{}]}", " {\"b\": [2.0, {}], \"a\": 1e0}", NULL},
        {"\"\\u00e9\"", "\"\xc3\xa9\"", NULL},
        {"[1,2]", "[1,3]", "$[1]: is 3, should be 2"},
        {"[1,2]", "[1]", "$: has 1 elements, should have 2"},
        {"[1]", "[1,2]", "$: has 2 elements, should have 1"},
        {"{\"a\":{\"b\":0}}", "{\"a\":{\"b\":-0}}", "$.a.b: is -0, should be 0"},
        {"{\"a\":null}", "{}", "$.a: is missing"},
        {"{}", "{\"a\":null}", "$.a: should not be there"},
        {"{\"a\":1}", "{\"A\":1}", "$.a: is missing"},
        {"{\"a\":true}", "{\"a\":1}", "$.a: is 1, should be true"},
        {"1", "\"1\"", "$: is \"1\", should be 1"},
        {"0.1", "0.10000000000000001", NULL},
        {"0.1", "0.10000000000000002", "$: is 0.10000000000000002, should be 0.1"},
        {"{}", "{", "$: is no JSON"},
        {"{}", "", "$: is no JSON"},
        {"nan", "nan", NULL},
        {"nan", "1", "$: has other bytes than it should"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char what[200] = "";
        bool same = redis_json_same(slice_of(cases[i].expected), slice_of(cases[i].held), what, sizeof what);
        assert_int_equal(same, cases[i].what == NULL);
        if (cases[i].what)
            assert_string_equal(what, cases[i].what);
    }
    char small[8];
    assert_false(redis_json_same(SLICE("[1,2]"), SLICE("[1,3]"), small, sizeof small));
    assert_string_equal(small, "$[1]: i");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_price_is_a_string),
        cmocka_unit_test(the_price_map_has_a_member_a_row),
        cmocka_unit_test(positions_are_fields),
        cmocka_unit_test(a_hundred_trades_stay),
        cmocka_unit_test(the_leaderboard_ranks_and_lists),
        cmocka_unit_test(navs_messages_and_analytics),
        cmocka_unit_test(a_decision_leaves_prompt_and_trace_out),
        cmocka_unit_test(instants_of_a_trader),
        cmocka_unit_test(a_market_has_its_columns),
        cmocka_unit_test(ugly_rows_give_good_json),
        cmocka_unit_test(json_is_compared_by_meaning),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
