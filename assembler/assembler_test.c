#include "assembler/assembler.h"
#include "repo/testing_rows.h"

static const struct read_query any = {.limit = READ_NO_LIMIT};

/* The document with its brace closed. */
static struct buf assemble(assemble_fn *fn, const struct read_query *query, const struct repo_answer *answer)
{
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT;
    struct buf again = BUF_INIT;
    if (!fn(query, answer, &out, &err) || !fn(query, answer, &again, &err))
        fail_msg("%s", err.text);
    assert_true(slice_equal(buf_slice(&out), buf_slice(&again)));
    buf_free(&again);
    buf_append_char(&out, '}');
    return out;
}

static void assert_document(assemble_fn *fn, const struct read_query *query, const struct repo_answer *answer,
                            const char *expected)
{
    struct buf out = assemble(fn, query, answer);
    if (!rows_same_json_text(buf_slice(&out), slice_of(expected)))
        fail_msg("%.*s is not %s", SLICE_ARG(buf_slice(&out)), expected);
    buf_free(&out);
}

static void nothing_stored_gives_empty_lists(void **unused)
{
    (void)unused;
    static const struct {
        assemble_fn *fn;
        const char *expected;
    } cases[] = {
        {assemble_account_totals, "{\"accountTotals\":[],\"lastHourlyMarkerRead\":0}"},
        {assemble_positions, "{\"accountTotals\":[]}"},
        {assemble_trades, "{\"trades\":[]}"},
        {assemble_crypto_prices, "{\"prices\":{}}"},
        {assemble_since_inception, "{\"sinceInceptionValues\":[]}"},
        {assemble_leaderboard, "{\"leaderboard\":[]}"},
        {assemble_analytics_all, "{\"analytics\":[]}"},
        {assemble_conversations, "{\"conversations\":[]}"},
    };
    struct repo_answer answer = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_document(cases[i].fn, &any, &answer, cases[i].expected);
}

static void the_file_s_own_members_come_along(void **unused)
{
    (void)unused;
    static assemble_fn *const fns[] = {assemble_account_totals, assemble_positions,       assemble_trades,
                                       assemble_crypto_prices,  assemble_since_inception, assemble_leaderboard,
                                       assemble_analytics_all,  assemble_conversations,   assemble_analytics_one};
    const struct feed_documents_row document = {
        .name = SLICE("x"), .wire_detail = SLICE("{\"set\": {\"note\": {\"\xc3\xa9\": [-0]}, \"serverTime\": null}}")};
    const struct read_query query = {.limit = READ_NO_LIMIT, .model_id = SLICE("m")};
    struct repo_answer answer = {.document = &document};
    for (size_t i = 0; i < sizeof fns / sizeof fns[0]; i++) {
        struct buf out = assemble(fns[i], &query, &answer);
        cJSON *tree = json_parse(buf_slice(&out), NULL);
        assert_non_null(tree);
        const cJSON *note = cJSON_GetObjectItemCaseSensitive(tree, "note");
        assert_true(signbit(cJSON_GetObjectItemCaseSensitive(note, "\xc3\xa9")->child->valuedouble));
        assert_null(cJSON_GetObjectItemCaseSensitive(tree, "serverTime"));
        cJSON_Delete(tree);
        buf_free(&out);
    }
}

static void a_corrupt_document_leaves_the_buffer(void **unused)
{
    (void)unused;
    static assemble_fn *const fns[] = {assemble_account_totals, assemble_positions,       assemble_trades,
                                       assemble_crypto_prices,  assemble_since_inception, assemble_leaderboard,
                                       assemble_analytics_all,  assemble_conversations,   assemble_analytics_one};
    const struct feed_documents_row document = {.name = SLICE("trades"), .wire_detail = SLICE("{\"put\":{}}")};
    struct repo_answer answer = {.document = &document};
    for (size_t i = 0; i < sizeof fns / sizeof fns[0]; i++) {
        struct err err = ERR_INIT;
        struct buf out = BUF_INIT;
        buf_append_str(&out, "before");
        assert_false(fns[i](&any, &answer, &out, &err));
        assert_int_equal(err.code, ERR_INTERNAL);
        assert_non_null(strstr(err.text, "\"trades\""));
        assert_true(slice_is(buf_slice(&out), "before"));
        buf_free(&out);
    }
}

static void markers(void **unused)
{
    (void)unused;
    const struct account_equity_snapshots_row rows[] = {
        {.source_id = SLICE("a_5"), .since_inception_hourly_marker = col_i64(5)},
        {.source_id = SLICE("b"), .positions = SLICE("{\"BTC\":{\"quantity\":-0}}")},
        {.source_id = SLICE("c_9"), .since_inception_hourly_marker = col_i64(9)},
    };
    const char list[] = "{\"accountTotals\":[{\"id\":\"a_5\",\"since_inception_hourly_marker\":5},{\"id\":\"b\","
                        "\"positions\":{\"BTC\":{\"quantity\":-0}}},{\"id\":\"c_9\",\"since_inception_hourly_marker\":"
                        "9}],\"x\":1";
    const struct feed_documents_row documents[] = {
        {.name = SLICE("account-totals"), .wire_detail = SLICE("{\"set\":{\"x\":1}}")},
        {.name = SLICE("account-totals"), .wire_detail = SLICE("{\"set\":{\"x\":1,\"lastHourlyMarkerRead\":198}}")},
        {.name = SLICE("account-totals"),
         .wire_detail = SLICE("{\"set\":{\"x\":1},\"unset\":[\"lastHourlyMarkerRead\"]}")},
    };
    static const char *const all[] = {",\"lastHourlyMarkerRead\":9}", ",\"lastHourlyMarkerRead\":198}", "}"};
    const struct read_query since = {.limit = READ_NO_LIMIT, .has_min_marker = true, .min_marker = 3};
    for (size_t i = 0; i < 3; i++) {
        struct repo_answer answer = {.document = &documents[i], .equity = rows, .equity_count = 3};
        char expected[500];
        (void)snprintf(expected, sizeof expected, "%s%s", list, all[i]);
        assert_document(assemble_account_totals, &any, &answer, expected);
        (void)snprintf(expected, sizeof expected, "%s,\"lastHourlyMarkerRead\":9}", list);
        assert_document(assemble_account_totals, &since, &answer, expected);
        answer.equity_count = 0;
        assert_document(assemble_account_totals, &since, &answer,
                        "{\"accountTotals\":[],\"x\":1,\"lastHourlyMarkerRead\":3}");
    }
}

static void models_without_positions_appear(void **unused)
{
    (void)unused;
    const struct position_feed_models_row models[] = {
        {.model_id = SLICE("b")},
        {.model_id = SLICE("empty")},
        {.model_id = SLICE("a"), .wire_detail = SLICE("{\"set\":{\"extra\":[1]}}")},
        {.model_id = SLICE("none"), .wire_detail = SLICE("{\"unset\":[\"positions\"]}")},
        {.model_id = SLICE("null"), .wire_detail = SLICE("{\"set\":{\"positions\":null}}")},
    };
    const struct positions_row positions[] = {
        {.model_id = SLICE("a"), .symbol = SLICE("BTC"), .exit_plan = SLICE("\"N/A\""), .index_col = SLICE("-1")},
        {.model_id = SLICE("a"), .symbol = SLICE("X\"\n"), .wire_detail = SLICE("{\"unset\":[\"symbol\"]}")},
        {.model_id = SLICE("b"), .symbol = SLICE("BTC"), .exit_plan = SLICE("null")},
        {.model_id = SLICE("stranger"), .symbol = SLICE("BTC")},
    };
    struct repo_answer answer = {
        .position_models = models, .position_model_count = 5, .positions = positions, .position_count = 4};
    assert_document(assemble_positions, &any, &answer,
                    "{\"accountTotals\":["
                    "{\"model_id\":\"b\",\"positions\":{\"BTC\":{\"symbol\":\"BTC\",\"exit_plan\":null}}},"
                    "{\"model_id\":\"empty\",\"positions\":{}},"
                    "{\"model_id\":\"a\",\"extra\":[1],\"positions\":{\"BTC\":{\"symbol\":\"BTC\",\"exit_plan\":"
                    "\"N/A\",\"index_col\":-1},\"X\\\"\\n\":{}}},"
                    "{\"model_id\":\"none\"},"
                    "{\"model_id\":\"null\",\"positions\":null}]}");
}

static void thousands_of_positions(void **unused)
{
    (void)unused;
    static const size_t models_count = 50;
    static const size_t each = 200;
    struct arena *arena = arena_new(0);
    struct position_feed_models_row *models = arena_zalloc(arena, models_count * sizeof *models);
    struct positions_row *positions = arena_zalloc(arena, models_count * each * sizeof *positions);
    for (size_t m = 0; m < models_count; m++) {
        models[m].model_id = slice_of(arena_printf(arena, "model-%zu", models_count - m));
        for (size_t p = 0; p < each; p++) {
            positions[m * each + p].model_id = models[m].model_id;
            positions[m * each + p].symbol = slice_of(arena_printf(arena, "S%zu", p));
            positions[m * each + p].quantity = col_f64((double)(m * each + p));
        }
    }
    struct repo_answer answer = {.position_models = models,
                                 .position_model_count = models_count,
                                 .positions = positions,
                                 .position_count = models_count * each};
    struct buf out = assemble(assemble_positions, &any, &answer);
    cJSON *tree = json_parse(buf_slice(&out), NULL);
    assert_non_null(tree);
    size_t m = 0;
    const cJSON *model;
    cJSON_ArrayForEach(model, cJSON_GetObjectItemCaseSensitive(tree, "accountTotals"))
    {
        size_t p = 0;
        const cJSON *position;
        cJSON_ArrayForEach(position, cJSON_GetObjectItemCaseSensitive(model, "positions"))
        {
            double quantity = cJSON_GetObjectItemCaseSensitive(position, "quantity")->valuedouble;
            assert_true(quantity == (double)(m * each + p++));
        }
        assert_int_equal(p, each);
        m++;
    }
    assert_int_equal(m, models_count);
    cJSON_Delete(tree);
    buf_free(&out);
    arena_free(arena);
}

static void trades_keep_their_numbers(void **unused)
{
    (void)unused;
    const struct trades_row rows[] = {
        {.id = SLICE("t1"),
         .quantity = col_f64(-0.0),
         .realized_net_pnl = col_f64(-10.363999999999999),
         .entry_price = col_f64(DBL_MAX),
         .exit_price = col_f64(5e-324),
         .entry_tid = col_i64(1122014183665846),
         .entry_crossed = col_bool(false),
         .entry_liquidation = SLICE("null"),
         .exit_plan = SLICE("{}")},
        {.id = SLICE("\xe2\x80\x91\"\\\x01")},
    };
    struct repo_answer answer = {.trades = rows, .trade_count = 2};
    assert_document(assemble_trades, &any, &answer,
                    "{\"trades\":[{\"id\":\"t1\",\"quantity\":-0,\"realized_net_pnl\":-10.363999999999999,"
                    "\"entry_price\":1.7976931348623157e308,\"exit_price\":5e-324,\"entry_tid\":1122014183665846,"
                    "\"entry_crossed\":false,\"entry_liquidation\":null,\"exit_plan\":{}},"
                    "{\"id\":\"\xe2\x80\x91\\\"\\\\\\u0001\"}]}");
}

static void the_smaller_lists(void **unused)
{
    (void)unused;
    const struct price_latest_row prices[] = {
        {.provider = SLICE("arena"), .symbol = SLICE("BTC"), .price = col_f64(111000.5), .ts_ms = col_i64(7)}};
    const struct since_inception_values_row inceptions[] = {
        {.id = SLICE("u"), .model_id = SLICE("m"), .inception_date_s = col_f64(1760738409.834185)}};
    const struct leaderboard_entries_row leaders[] = {{.id = SLICE("m"), .lose_dollars = col_f64(-90.55)}};
    struct repo_answer answer = {.prices = prices,
                                 .price_count = 1,
                                 .inceptions = inceptions,
                                 .inception_count = 1,
                                 .leaders = leaders,
                                 .leader_count = 1};
    assert_document(assemble_crypto_prices, &any, &answer,
                    "{\"prices\":{\"BTC\":{\"symbol\":\"BTC\",\"price\":111000.5,\"timestamp\":7}}}");
    assert_document(assemble_since_inception, &any, &answer,
                    "{\"sinceInceptionValues\":[{\"id\":\"u\",\"model_id\":\"m\",\"inception_date\":1760738409.834185}]"
                    "}");
    assert_document(assemble_leaderboard, &any, &answer, "{\"leaderboard\":[{\"id\":\"m\",\"lose_dollars\":-90.55}]}");
}

static void analytics(void **unused)
{
    (void)unused;
    const struct model_analytics_row rows[] = {{.model_id = SLICE("a"), .payload = SLICE("{\"id\": \"a\", \"x\": -0}")},
                                               {.model_id = SLICE("b"), .payload = SLICE("{}")}};
    struct repo_answer answer = {.analytics = rows, .analytics_count = 2};
    assert_document(assemble_analytics_all, &any, &answer, "{\"analytics\":[{\"id\":\"a\",\"x\":-0},{}]}");
    answer.analytics_count = 1;
    const struct read_query query = {.limit = READ_NO_LIMIT, .model_id = SLICE("m\"")};
    assert_document(assemble_analytics_one, &query, &answer, "{\"analytics\":{\"id\":\"a\",\"x\":-0}}");
    answer.analytics_count = 0;
    assert_document(assemble_analytics_one, &query, &answer,
                    "{\"analytics\":{\"id\":\"\",\"model_id\":\"m\\\"\",\"updated_at\":0,\"last_trade_exit_time\":0,"
                    "\"last_trade_doc_id\":\"\",\"last_convo_doc_id\":\"\",\"last_convo_timestamp\":0,"
                    "\"fee_pnl_moves_breakdown_table\":{},\"winners_losers_breakdown_table\":{},"
                    "\"longs_shorts_breakdown_table\":{},\"signals_breakdown_table\":{},"
                    "\"invocation_breakdown_table\":{},\"overall_trades_overview_table\":{}}}");
}

static void both_shapes_of_conversations_in_their_order(void **unused)
{
    (void)unused;
    const struct conversations_row conversations[] = {
        {.id = col_i64(7), .model_id = SLICE("a"), .feed_ordinal = col_i64(10)},
        {.id = col_i64(3), .model_id = SLICE("silent"), .feed_ordinal = col_i64(30)},
        {.id = col_i64(5),
         .model_id = SLICE("b"),
         .feed_ordinal = col_i64(40),
         .wire_detail = SLICE("{\"set\":{\"k\":1}}")}};
    const struct conversation_messages_row messages[] = {
        {.conversation_id = col_i64(7), .role = SLICE("system"), .content = SLICE(""), .ts_raw = SLICE("1760738000")},
        {.conversation_id = col_i64(7), .role = SLICE("user"), .content = SLICE("\xf0\x9f\x98\x80")},
        {.conversation_id = col_i64(5), .role = SLICE("user"), .content = SLICE("?"), .ts_raw = SLICE("\"soon\"")}};
    const struct decision_cycles_row cycles[] = {
        {.source_id = SLICE("c1"), .cot_trace = SLICE("t"), .feed_ordinal = col_i64(20)},
        {.source_id = SLICE("c2"), .cot_trace_doc = SLICE("{}"), .feed_ordinal = col_i64(50)},
        {.source_id = SLICE("c3")}};
    struct repo_answer answer = {.conversations = conversations,
                                 .conversation_count = 3,
                                 .messages = messages,
                                 .message_count = 3,
                                 .cycles = cycles,
                                 .cycle_count = 3};
    assert_document(assemble_conversations, &any, &answer,
                    "{\"conversations\":[{\"model_id\":\"a\",\"messages\":[{\"role\":\"system\",\"content\":\"\","
                    "\"timestamp\":1760738000},{\"role\":\"user\",\"content\":\"\xf0\x9f\x98\x80\"}]},"
                    "{\"id\":\"c1\",\"cot_trace\":\"t\"},"
                    "{\"model_id\":\"silent\",\"messages\":[]},"
                    "{\"model_id\":\"b\",\"k\":1,\"messages\":[{\"role\":\"user\",\"content\":\"?\",\"timestamp\":"
                    "\"soon\"}]},"
                    "{\"id\":\"c2\",\"cot_trace\":{}},{\"id\":\"c3\"}]}");
    const struct read_query two = {.limit = 2};
    assert_document(assemble_conversations, &two, &answer,
                    "{\"conversations\":[{\"model_id\":\"a\",\"messages\":[{\"role\":\"system\",\"content\":\"\","
                    "\"timestamp\":1760738000},{\"role\":\"user\",\"content\":\"\xf0\x9f\x98\x80\"}]},"
                    "{\"id\":\"c1\",\"cot_trace\":\"t\"}]}");
    const struct read_query none = {.limit = 0};
    assert_document(assemble_conversations, &none, &answer, "{\"conversations\":[]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_stored_gives_empty_lists),
        cmocka_unit_test(the_file_s_own_members_come_along),
        cmocka_unit_test(a_corrupt_document_leaves_the_buffer),
        cmocka_unit_test(markers),
        cmocka_unit_test(models_without_positions_appear),
        cmocka_unit_test(thousands_of_positions),
        cmocka_unit_test(trades_keep_their_numbers),
        cmocka_unit_test(the_smaller_lists),
        cmocka_unit_test(analytics),
        cmocka_unit_test(both_shapes_of_conversations_in_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
