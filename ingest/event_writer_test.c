/* What single items of each kind do to the database. That their order does not matter stands in event_order_test.c. */
#include "ingest/event_testing.h"

static struct event_bench shared;

static int set_up(void **state)
{
    *state = event_bench_start(&shared, "events") ? &shared : NULL;
    return 0;
}

static int tear_down(void **state)
{
    if (*state)
        event_bench_stop(*state);
    return 0;
}

static struct event_bench *fresh(void **state)
{
    struct event_bench *bench = *state;
    if (!bench)
        skip();
    bench_reset(&bench->bench);
    return bench;
}

static void expect_row(struct event_bench *bench, const char *sql, const char *expected)
{
    bench_assert_row(&bench->bench, sql, expected);
}

#define TRADE(id, model, exit, quantity)                                                                               \
    "{\"id\":\"" id "\",\"model_id\":\"" model "\",\"symbol\":\"BTC\",\"side\":\"long\",\"quantity\":" quantity        \
    ",\"entry_price\":100.5,\"entry_time\":1000.25,\"exit_price\":110,\"exit_time\":" exit                             \
    ",\"realized_net_pnl\":1e-7,\"new_key\":[1]}"

static void a_trade_is_stored_once(void **state)
{
    struct event_bench *bench = fresh(state);
    event_expect(bench, EVENT_TRADES, TRADE("a_1", "a", "2000.123", "2"), "accepted");
    event_expect(bench, EVENT_TRADES, TRADE("a_1", "a", "2000.123", "2"), "duplicate");
    event_expect(bench, EVENT_TRADES, TRADE("a_1", "a", "2000.123", "3"),
                 "conflict $: a trade of this id is stored with other content (quantity)");
    expect_row(bench, "SELECT count(*) || ' ' || min(exit_ts_ms) || ' ' || min(wire_detail::text) FROM trades",
               "1 2000123 {\"set\": {\"new_key\": [1]}}");
    expect_row(bench, "SELECT string_agg(id, ' ') FROM models", "a");
    expect_row(bench, "SELECT string_agg(symbol, ' ') FROM symbols", "BTC");
    expect_row(bench, "SELECT string_agg(feed || items::text, ' ' ORDER BY id) FROM outbox",
               "trades[[\"a\", \"a_1\"]] positions[[\"a\", \"a:BTC:1000250\"]]");
    expect_row(bench, "SELECT string_agg(name, ' ' ORDER BY name) FROM feed_documents", "positions trades");
}

static void a_batch_keeps_good_items_apart_from_bad_ones(void **state)
{
    struct event_bench *bench = fresh(state);
    const char *const items[] = {
        TRADE("a_1", "a", "2000", "1"),
        "{\"id\":\"a_2\"",
        TRADE("a_1", "a", "2000", "1"),
        TRADE("a_1", "a", "2000", "7"),
        "[1]",
        TRADE("a_3", "a", "\"x\"", "1"),
        TRADE("a_4", "a", "2001", "1"),
    };
    static const char *const expected[] = {"accepted",
                                           "invalid",
                                           "duplicate",
                                           "conflict",
                                           "invalid $: must be an object, is an array",
                                           "invalid $.exit_time: must be a number, is a text",
                                           "accepted"};
    struct event_batch *batch = event_batch_of(EVENT_TRADES, items, 7);
    event_bench_store(bench, batch);
    for (size_t i = 0; i < 7; i++) {
        struct buf said = BUF_INIT;
        event_put_outcome(&said, event_batch_outcome(batch, i));
        if (strncmp(buf_cstr(&said), expected[i], strlen(expected[i])) != 0)
            fail_msg("item %zu: %s, not %s", i, said.data, expected[i]);
        buf_free(&said);
    }
    struct event_counts counts = event_batch_counts(batch);
    assert_int_equal(counts.accepted, 2);
    assert_int_equal(counts.duplicate, 1);
    assert_int_equal(counts.rejected, 4);
    event_batch_free(batch);
    expect_row(bench, "SELECT string_agg(id, ' ' ORDER BY feed_ordinal) FROM trades", "a_4 a_1");
}

static void an_atomic_batch_is_stored_whole_or_not(void **state)
{
    struct event_bench *bench = fresh(state);
    event_expect(bench, EVENT_TRADES, TRADE("a_1", "a", "2000", "1"), "accepted");
    for (int conflict = 0; conflict < 2; conflict++) {
        const char *const items[] = {TRADE("a_2", "a", "2001", "1"),
                                     conflict ? TRADE("a_1", "a", "2000", "5") : "{\"id\":1}"};
        struct event_batch *batch = event_batch_of(EVENT_TRADES, items, 2);
        event_batch_set_atomic(batch);
        event_bench_store(bench, batch);
        assert_int_equal(event_batch_outcome(batch, 0)->status, EVENT_REJECTED);
        assert_string_equal(event_batch_outcome(batch, 0)->code, "atomic");
        assert_string_equal(event_batch_outcome(batch, 1)->code, conflict ? "conflict" : "invalid");
        event_batch_free(batch);
    }
    expect_row(bench, "SELECT count(*)::text FROM trades", "1");
    expect_row(bench, "SELECT count(*)::text FROM outbox", "2");
    const char *const good[] = {TRADE("a_2", "a", "2001", "1"), TRADE("a_3", "a", "2002", "1")};
    struct event_batch *batch = event_batch_of(EVENT_TRADES, good, 2);
    event_batch_set_atomic(batch);
    event_bench_store(bench, batch);
    assert_int_equal(event_batch_counts(batch).accepted, 2);
    event_batch_free(batch);
}

#define POSITION(model, symbol, entry, quantity, time, more)                                                           \
    "{\"model_id\":\"" model "\",\"symbol\":\"" symbol "\",\"entry_time\":" entry                                      \
    ",\"entry_price\":100.5,\"quantity\":" quantity ",\"timestamp\":" time more "}"

static const char position_states[] = "SELECT string_agg(model_id || ' ' || symbol || ' ' || status || ' ' || quantity "
                                      "|| ' ' || coalesce(exit_price, -1),"
                                      " ', ' ORDER BY id) FROM positions";

static void positions_follow_statements_and_trades(void **state)
{
    struct event_bench *bench = fresh(state);
    event_expect(bench, EVENT_POSITIONS, POSITION("a", "BTC", "1000.25", "5", "1001", ""), "accepted");
    event_expect(bench, EVENT_POSITIONS, POSITION("a", "BTC", "1000.25", "5", "1001", ""), "duplicate");
    event_expect(bench, EVENT_POSITIONS, POSITION("a", "BTC", "1000.25", "6", "1001", ""),
                 "conflict $: a statement of this instant about the position is stored with other content"
                 " (stated_quantity)");
    event_expect(bench, EVENT_POSITIONS, POSITION("a", "BTC", "1000.25", "6", "1000.5", ""), "accepted superseded");
    expect_row(bench, position_states, "a BTC open 5 -1");
    /* A part of it is closed, then the rest. */
    event_expect(bench, EVENT_TRADES, TRADE("a_1", "a", "2000", "2"), "accepted");
    expect_row(bench, position_states, "a BTC open 3 -1");
    event_expect(bench, EVENT_POSITIONS, POSITION("a", "BTC", "1000.25", "5", "1001", ""), "duplicate");
    event_expect(bench, EVENT_TRADES, TRADE("a_2", "a", "2001", "3"), "accepted");
    expect_row(bench, position_states, "a BTC closed 5 110");
    expect_row(bench, "SELECT string_agg(model_id, ' ') FROM position_feed_models", "a");
    /* A position with a newer entry is the only one that can be open. */
    event_expect(bench, EVENT_POSITIONS, POSITION("a", "ETH", "3000", "-1", "3001", ""), "accepted");
    event_expect(bench, EVENT_POSITIONS, POSITION("a", "ETH", "4000", "-2", "4001", ""), "accepted");
    expect_row(bench, position_states, "a BTC closed 5 110, a ETH closed -1 -1, a ETH open -2 -1");
    event_expect(bench, EVENT_POSITIONS,
                 POSITION("a", "ETH", "4000", "-2", "4005", ",\"status\":\"closed\",\"exit_price\":7"), "accepted");
    expect_row(bench, position_states, "a BTC closed 5 110, a ETH closed -1 -1, a ETH closed -2 7");
}

static void an_imported_position_is_closed_by_a_trade(void **state)
{
    struct event_bench *bench = fresh(state);
    bench_put(&bench->bench, "positions.json",
              SLICE("{\"accountTotals\":[{\"model_id\":\"a\",\"positions\":{\"BTC\":{\"entry_oid\":1,\"entry_time\":"
                    "1000.25,\"entry_price\":100.5,\"quantity\":5},\"ETH\":{\"entry_time\":900,\"entry_price\":1,"
                    "\"quantity\":1}}}]}"));
    bench_import(&bench->bench, IMPORT_DONE);
    event_expect(bench, EVENT_TRADES, TRADE("a_1", "a", "2000", "2"), "accepted");
    expect_row(bench, position_states, "a BTC open 3 -1, a ETH open 1 -1");
    event_expect(bench, EVENT_TRADES, TRADE("a_2", "a", "2001", "3"), "accepted");
    expect_row(bench, position_states, "a BTC closed 5 110, a ETH open 1 -1");
    event_expect(bench, EVENT_POSITIONS, POSITION("a", "ETH", "950", "2", "951", ""), "accepted");
    expect_row(bench, position_states, "a BTC closed 5 110, a ETH closed 1 -1, a ETH open 2 -1");
}

/* A clock elsewhere runs ahead: what comes after the import counts all the same. */
static void an_imported_position_with_a_future_entry_is_changed(void **state)
{
    static const char closing[] =
        "{\"id\":\"a_1\",\"model_id\":\"a\",\"symbol\":\"BTC\",\"side\":\"long\",\"entry_time\":"
        "99000000000,\"exit_time\":97000000000,\"exit_price\":110,\"quantity\":2}";
    struct event_bench *bench = fresh(state);
    bench_put(&bench->bench, "positions.json",
              SLICE("{\"accountTotals\":[{\"model_id\":\"a\",\"positions\":{\"BTC\":{\"entry_time\":99000000000,"
                    "\"entry_price\":100.5,\"quantity\":5},\"ETH\":{\"entry_time\":99000000000,\"entry_price\":1,"
                    "\"quantity\":1}}}]}"));
    bench_import(&bench->bench, IMPORT_DONE);
    event_expect(bench, EVENT_TRADES, closing, "accepted");
    expect_row(bench, position_states, "a BTC open 3 -1, a ETH open 1 -1");
    event_expect(bench, EVENT_POSITIONS, POSITION("a", "BTC", "99000000000", "4", "98000000000", ""), "accepted");
    event_expect(bench, EVENT_POSITIONS, POSITION("a", "ETH", "99000000000", "2", "98000000000", ""), "accepted");
    expect_row(bench, position_states, "a BTC open 4 -1, a ETH open 2 -1");
}

#define TOTAL(id, model, time, equity)                                                                                 \
    "{\"id\":\"" id "\",\"model_id\":\"" model "\",\"timestamp\":" time ",\"dollar_equity\":" equity                   \
    ",\"since_inception_hourly_marker\":1,\"positions\":{}}"

static const char totals_feed[] =
    "SELECT string_agg(source_id || '@' || ts_ms, ' ' ORDER BY feed_ordinal) FROM account_equity_snapshots"
    " WHERE feed_ordinal IS NOT NULL";

static void of_each_total_the_newest_is_shown(void **state)
{
    struct event_bench *bench = fresh(state);
    event_expect(bench, EVENT_ACCOUNT_TOTALS, TOTAL("a_1", "a", "1000", "10000"), "accepted");
    event_expect(bench, EVENT_ACCOUNT_TOTALS, TOTAL("b_1", "b", "1001", "10000"), "accepted");
    event_expect(bench, EVENT_ACCOUNT_TOTALS, TOTAL("a_1", "a", "1010.5", "10001"), "accepted");
    expect_row(bench, totals_feed, "b_1@1001000 a_1@1010500");
    event_expect(bench, EVENT_ACCOUNT_TOTALS, TOTAL("a_1", "a", "1005", "9999"), "accepted superseded");
    event_expect(bench, EVENT_ACCOUNT_TOTALS, TOTAL("a_0", "a", "500", "9999"), "accepted");
    event_expect(bench, EVENT_ACCOUNT_TOTALS, TOTAL("a_1", "a", "1010.5", "10001"), "duplicate");
    event_expect(bench, EVENT_ACCOUNT_TOTALS, TOTAL("a_1", "a", "1010.5", "1"),
                 "conflict $: the account total of this model and millisecond is stored with other content"
                 " (dollar_equity)");
    expect_row(bench, totals_feed, "a_0@500000 b_1@1001000 a_1@1010500");
    expect_row(bench, "SELECT count(*)::text FROM account_equity_snapshots", "5");
}

static void a_fill_brings_its_account_total(void **state)
{
    struct event_bench *bench = fresh(state);
    static const char fill[] = "{\"id\":\"a_1\",\"model_id\":\"a\",\"symbol\":\"BTC\",\"entry_time\":1,\"exit_time\":2,"
                               "\"account_total\":" TOTAL("a_9", "a", "2", "10005") "}";
    event_expect(bench, EVENT_TRADES, fill, "accepted");
    event_expect(bench, EVENT_TRADES, fill, "duplicate");
    expect_row(bench, totals_feed, "a_9@2000");
    expect_row(bench, "SELECT string_agg(feed, ' ' ORDER BY id) FROM outbox", "trades positions account_totals");
    event_expect(bench, EVENT_TRADES,
                 "{\"id\":\"a_2\",\"model_id\":\"a\",\"symbol\":\"BTC\",\"entry_time\":1,\"exit_time\":2,"
                 "\"account_total\":" TOTAL("a_9", "a", "2", "10006") "}",
                 "conflict $: the account total of this model and millisecond is stored with other content"
                 " (dollar_equity)");
    event_expect(bench, EVENT_TRADES,
                 "{\"id\":\"a_3\",\"model_id\":\"a\",\"symbol\":\"BTC\",\"entry_time\":1,\"exit_time\":2,"
                 "\"account_total\":" TOTAL("b_9", "b", "3", "10006") "}",
                 "invalid $.account_total.model_id: is of another model than the trade");
    expect_row(bench, "SELECT count(*)::text FROM trades", "1");
}

static const char latest_prices[] =
    "SELECT string_agg(provider || ' ' || symbol || ' ' || price || ' ' || ts_ms, ', ' ORDER BY provider, feed_ordinal)"
    " FROM price_latest";

static void the_newest_tick_is_the_price(void **state)
{
    struct event_bench *bench = fresh(state);
    event_expect(bench, EVENT_PRICES, "{\"symbol\":\"ETH\",\"price\":5.25,\"timestamp\":1000}", "accepted");
    event_expect(bench, EVENT_PRICES, "{\"symbol\":\"BTC\",\"price\":7,\"timestamp\":1000,\"volume\":2}", "accepted");
    event_expect(bench, EVENT_PRICES, "{\"symbol\":\"BTC\",\"price\":8,\"timestamp\":1500}", "accepted");
    event_expect(bench, EVENT_PRICES, "{\"symbol\":\"BTC\",\"price\":6,\"timestamp\":1200}", "accepted superseded");
    event_expect(bench, EVENT_PRICES, "{\"symbol\":\"BTC\",\"price\":6,\"timestamp\":1200}", "duplicate");
    event_expect(bench, EVENT_PRICES, "{\"symbol\":\"BTC\",\"price\":8,\"timestamp\":1500}", "duplicate");
    event_expect(bench, EVENT_PRICES, "{\"symbol\":\"BTC\",\"price\":9,\"timestamp\":1500}",
                 "conflict $: a price of this symbol and millisecond is stored with other content (price or volume)");
    event_expect(bench, EVENT_PRICES, "{\"provider\":\"x\",\"symbol\":\"BTC\",\"price\":9,\"timestamp\":1500}",
                 "accepted");
    expect_row(bench, latest_prices, "arena BTC 8 1500, arena ETH 5.25 1000, x BTC 9 1500");
    expect_row(bench, "SELECT count(*)::text FROM price_ticks", "5");
    const char *const items[] = {
        "{\"symbol\":\"SOL\",\"price\":1,\"timestamp\":3}", "{\"symbol\":\"SOL\",\"price\":1,\"timestamp\":3}",
        "{\"symbol\":\"SOL\",\"price\":2,\"timestamp\":3}", "{\"symbol\":\"SOL\",\"price\":4,\"timestamp\":5}"};
    struct event_batch *batch = event_batch_of(EVENT_PRICES, items, 4);
    event_bench_store(bench, batch);
    assert_int_equal(event_batch_counts(batch).accepted, 2);
    assert_int_equal(event_batch_counts(batch).duplicate, 1);
    assert_int_equal(event_batch_counts(batch).rejected, 1);
    event_batch_free(batch);
    expect_row(bench, "SELECT count(*)::text FROM price_ticks", "7");
    expect_row(
        bench,
        "SELECT string_agg(items::text, ' ' ORDER BY id) FROM (SELECT * FROM outbox ORDER BY id DESC LIMIT 1) AS t",
        "[[\"arena\", \"SOL\"]]");
}

#define CYCLE(id, time)                                                                                                \
    "{\"id\":\"" id "\",\"model_id\":\"a\",\"cycle_id\":1,\"timestamp\":" time ",\"llm_response\":{}}"

static void conversations_come_in_two_shapes(void **state)
{
    struct event_bench *bench = fresh(state);
    event_expect(bench, EVENT_CONVERSATIONS, CYCLE("c1", "100.5"), "accepted");
    event_expect(bench, EVENT_CONVERSATIONS, CYCLE("c3", "300.5"), "accepted");
    event_expect(bench, EVENT_CONVERSATIONS, CYCLE("c2", "200.5"), "accepted");
    event_expect(bench, EVENT_CONVERSATIONS, CYCLE("c2", "200.5"), "duplicate");
    event_expect(bench, EVENT_CONVERSATIONS, CYCLE("c2", "201.5"),
                 "conflict $: a cycle of this id is stored with other content (executed_at)");
    expect_row(bench, "SELECT string_agg(source_id, ' ' ORDER BY feed_ordinal) FROM decision_cycles", "c3 c2 c1");

#define SAY(role, content, time) "{\"role\":\"" role "\",\"content\":\"" content "\",\"timestamp\":" time "}"
#define TALK(messages) "{\"model_id\":\"a\",\"messages\":[" messages "]}"
    event_expect(bench, EVENT_CONVERSATIONS, TALK(SAY("system", "s", "100") "," SAY("user", "u", "101")), "accepted");
    event_expect(bench, EVENT_CONVERSATIONS, TALK(SAY("system", "s", "100") "," SAY("user", "u", "101")), "duplicate");
    event_expect(bench, EVENT_CONVERSATIONS, TALK(SAY("system", "s", "100")), "duplicate");
    event_expect(bench, EVENT_CONVERSATIONS,
                 TALK(SAY("system", "s", "100") "," SAY("user", "u", "101") "," SAY("assistant", "x", "102")),
                 "accepted");
    event_expect(bench, EVENT_CONVERSATIONS, TALK(SAY("system", "s", "100") "," SAY("user", "other", "103")),
                 "accepted");
    expect_row(bench,
               "SELECT string_agg(n::text, ' ' ORDER BY o) FROM (SELECT c.feed_ordinal AS o, count(*) AS n FROM"
               " conversations c JOIN conversation_messages m ON m.conversation_id = c.id GROUP BY c.id) AS t",
               "2 3");
    static const char named[] =
        "{\"model_id\":\"a\",\"conversation_id\":\"k\",\"topic\":\"t\",\"messages\":[" SAY("user", "hello", "1") "]}";
    event_expect(bench, EVENT_CONVERSATIONS, named, "accepted");
    event_expect(bench, EVENT_CONVERSATIONS, named, "duplicate");
    event_expect(
        bench, EVENT_CONVERSATIONS,
        "{\"model_id\":\"a\",\"conversation_id\":\"k\",\"topic\":\"t\",\"messages\":[" SAY("user", "bye", "1") "]}",
        "conflict $: this conversation is stored with other content (content)");
    event_expect(bench, EVENT_CONVERSATIONS, "{\"model_id\":\"a\"}",
                 "invalid $: is neither a conversation (no messages) nor a decision cycle (no id)");
}

static void the_newest_statement_wins(void **state)
{
    struct event_bench *bench = fresh(state);
#define STATS(model, time, more) "{\"id\":\"" model "\",\"model_id\":\"" model "\",\"updated_at\":" time more "}"
    event_expect(bench, EVENT_ANALYTICS, STATS("b", "10.5", ""), "accepted");
    event_expect(bench, EVENT_ANALYTICS, STATS("a", "10.5", ""), "accepted");
    event_expect(bench, EVENT_ANALYTICS, STATS("a", "9.5", ""), "accepted superseded");
    event_expect(bench, EVENT_ANALYTICS, STATS("a", "10.5", ""), "duplicate");
    event_expect(bench, EVENT_ANALYTICS, STATS("a", "10.5", ",\"x\":1"),
                 "conflict $: the analytics of this model and updated_at is stored with other content (payload)");
    event_expect(bench, EVENT_ANALYTICS, STATS("a", "11.5", ",\"x\":1"), "accepted");
    expect_row(
        bench, "SELECT string_agg(payload::text, ' ' ORDER BY feed_ordinal) FROM model_analytics",
        "{\"x\": 1, \"id\": \"a\", \"model_id\": \"a\", \"updated_at\": 11.5} {\"id\": \"b\", \"model_id\": \"b\","
        " \"updated_at\": 10.5}");
    event_expect(bench, EVENT_LEADERBOARD, "{\"id\":\"b\",\"num_trades\":3,\"timestamp\":5}", "accepted");
    event_expect(bench, EVENT_LEADERBOARD, "{\"id\":\"b\",\"num_trades\":4,\"timestamp\":4}", "accepted superseded");
    event_expect(bench, EVENT_LEADERBOARD, "{\"id\":\"a\",\"num_trades\":4,\"timestamp\":4}", "accepted");
    event_expect(bench, EVENT_LEADERBOARD, "{\"id\":\"a\",\"num_trades\":4}", "invalid $.timestamp: is missing");
    expect_row(bench, "SELECT string_agg(id || num_trades, ' ' ORDER BY feed_ordinal) FROM leaderboard_entries",
               "a4 b3");
    event_expect(
        bench, EVENT_SINCE_INCEPTION,
        "{\"id\":\"u\",\"model_id\":\"a\",\"nav_since_inception\":10000,\"inception_date\":5.5,\"timestamp\":5}",
        "accepted");
    event_expect(bench, EVENT_TRADER_STATE,
                 "{\"trader_id\":\"a\",\"timestamp\":5,\"pause_until\":7.5,\"cooldown\":{\"x\":1}}", "accepted");
    expect_row(bench, "SELECT (extract(epoch FROM pause_until) * 10)::int::text FROM trader_state", "75");
    event_expect(bench, EVENT_TRADER_STATE, "{\"trader_id\":\"a\",\"timestamp\":6,\"colour\":1}",
                 "invalid $.colour: is not known");
    event_expect(bench, EVENT_MARKET_ASSETS,
                 "{\"provider\":\"p\",\"symbol\":\"BTC\",\"timestamp\":6,\"sz_decimals\":3,\"name\":null}", "accepted");
    event_expect(bench, EVENT_MARKET_CONTEXTS,
                 "{\"provider\":\"p\",\"symbol\":\"BTC\",\"timestamp\":6,\"mark_px\":3.5}", "accepted");
    event_expect(bench, EVENT_MARKET_CONTEXTS,
                 "{\"provider\":\"p\",\"symbol\":\"BTC\",\"timestamp\":6,\"mark_px\":3.5}", "duplicate");
    expect_row(bench, "SELECT count(*)::text FROM outbox", "9");
}

/* What Postgres alone finds wrong (jsonb takes no number of that size) costs nobody else his item. */
static void what_only_postgres_refuses_is_one_item(void **state)
{
    struct event_bench *bench = fresh(state);
    char huge[3000] = "{\"id\":\"a\",\"model_id\":\"a\",\"updated_at\":1,\"x\":";
    size_t at = strlen(huge);
    for (int i = 0; i < 1000; i++)
        huge[at++] = '[';
    huge[at] = '\0';
    const char *const items[] = {STATS("a", "1", ""), huge, STATS("b", "1", "")};
    struct event_batch *batch = event_batch_of(EVENT_ANALYTICS, items, 3);
    event_bench_store(bench, batch);
    assert_int_equal(event_batch_counts(batch).accepted, 2);
    event_batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trade_is_stored_once),
        cmocka_unit_test(a_batch_keeps_good_items_apart_from_bad_ones),
        cmocka_unit_test(an_atomic_batch_is_stored_whole_or_not),
        cmocka_unit_test(positions_follow_statements_and_trades),
        cmocka_unit_test(an_imported_position_is_closed_by_a_trade),
        cmocka_unit_test(an_imported_position_with_a_future_entry_is_changed),
        cmocka_unit_test(of_each_total_the_newest_is_shown),
        cmocka_unit_test(a_fill_brings_its_account_total),
        cmocka_unit_test(the_newest_tick_is_the_price),
        cmocka_unit_test(conversations_come_in_two_shapes),
        cmocka_unit_test(the_newest_statement_wins),
        cmocka_unit_test(what_only_postgres_refuses_is_one_item),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
