/* The fast reader against a real Postgres and Redis. */
#include "base/json_read.h"
#include "ingest/outbox_testing.h"

static const char some_rows[] =
    "INSERT INTO models (id, display_name) VALUES ('a', 'a'), ('b', 'b');"
    "INSERT INTO trades (id, model_id, symbol, side, quantity, entry_price, entry_ts_ms, exit_price, exit_ts_ms,"
    " exit_time_s, realized_net_pnl) VALUES"
    " ('t1', 'a', 'BTC', 'long', 2, 10, 1, 11, 2, 0.0025, 1.5), ('t2', 'b', 'ETH', 'short', -1, 5, 1, NULL, NULL, NULL,"
    " NULL);"
    "INSERT INTO positions (id, model_id, symbol, side, status, entry_time_ms, entry_time_s, entry_price, quantity)"
    " VALUES ('p1', 'a', 'BTC', 'long', 'closed', 1, 1, 1, 1);"
    "INSERT INTO account_equity_snapshots (model_id, ts_ms, ts_s, source_id, dollar_equity) VALUES ('a', 7, 0.007,"
    " 'a_0', 9);"
    "INSERT INTO price_latest (provider, symbol, price, ts_ms) VALUES ('arena', 'BTC', 1.5, 5), ('arena', 'ETH', 2, 5),"
    " ('other', 'BTC', 3, 5);"
    "INSERT INTO decision_cycles (source_id, model_id, cycle_number) VALUES ('c1', 'a', 3);"
    "INSERT INTO conversations (id, source_key, model_id) VALUES (1, 'k1', 'b');"
    "INSERT INTO conversation_messages (conversation_id, seq, role, content) VALUES (1, 1, 'user', E'two\\nlines'),"
    " (1, 0, 'system', 'x');"
    "INSERT INTO outbox (feed, items) VALUES"
    " ('trades', '[[\"a\", \"t1\"], [\"b\", \"t2\"], [\"a\", \"gone\"]]'),"
    " ('positions', '[[\"a\", \"p0\"], [\"a\", \"p1\"]]'),"
    " ('account_totals', '[[\"a\", \"7\"]]'),"
    " ('crypto_prices', '[[\"other\", \"BTC\"], [\"arena\", \"ETH\"], [\"arena\", \"BTC\"], [\"arena\", \"ETH\"]]'),"
    " ('crypto_prices', '[[\"other\", \"BTC\"]]'),"
    " ('conversations', '[[\"a\", \"cycle\", \"c1\"], [\"b\", \"talk\", \"k1\"]]'),"
    " ('analytics', '[[\"a\"]]'), ('trader_state', '[[\"a\"]]'), ('market_assets', '[[\"x\", \"BTC\"]]'),"
    " ('leaderboard', '[[\"a\"], [\"b\"]]')";

static const char all_entries[] =
    "1-0 topic trades model a data {\"id\":\"t1\",\"model_id\":\"a\",\"symbol\":\"BTC\",\"side\":\"long\","
    "\"quantity\":2,\"entry_price\":10,\"exit_price\":11,\"exit_time\":0.0025,\"realized_net_pnl\":1.5} "
    "1-1 topic trades model b data {\"id\":\"t2\",\"model_id\":\"b\",\"symbol\":\"ETH\",\"side\":\"short\","
    "\"quantity\":-1,\"entry_price\":5} "
    "2-1 topic positions model a data {\"model_id\":\"a\",\"symbol\":\"BTC\",\"status\":\"closed\",\"position\":"
    "{\"symbol\":\"BTC\",\"entry_time\":1,\"entry_price\":1,\"quantity\":1}} "
    "3-0 topic account-totals model a data {\"id\":\"a_0\",\"model_id\":\"a\",\"timestamp\":0.007,"
    "\"dollar_equity\":9,\"total_unrealized_pnl\":0} "
    "4-0 topic prices model  data {\"prices\":{\"ETH\":{\"symbol\":\"ETH\",\"price\":2,\"timestamp\":5},"
    "\"BTC\":{\"symbol\":\"BTC\",\"price\":1.5,\"timestamp\":5}}} "
    "6-0 topic conversations model a data {\"id\":\"c1\",\"model_id\":\"a\",\"cycle_id\":3} "
    "6-1 topic conversations model b data {\"model_id\":\"b\",\"messages\":[{\"role\":\"system\",\"content\":\"x\"},"
    "{\"role\":\"user\",\"content\":\"two\\nlines\"}]} "
    "10-0 topic leaderboard model  data {\"leaderboard\":[]}";

static void everything_is_told(void **state)
{
    struct outbox_rig *rig = outbox_rig_of(state);
    outbox_rig_sql(rig, some_rows);
    outbox_rig_apply(rig, OUTBOX_LIVE);
    outbox_rig_expect(rig, "XRANGE nof0:live:events - +", all_entries);
    char *trades = outbox_rig_text(rig, "XRANGE nof0:trades:stream - +");
    assert_string_equal(strchr(trades, ' '), " id t1 model_id a symbol BTC side long quantity 2 entry_price 10"
                                             " exit_price 11 pnl 1.5 exit_time 0.0025");
    outbox_rig_expect(rig, "GET nof0:ingest:trade:t1", "seen");
    assert_int_equal(rig_integer(rig->link, "EXISTS nof0:ingest:trade:t2"), 0);
    static const char *const touched[] = {"trades",        "positions", "account_totals", "crypto_prices",
                                          "conversations", "analytics", "leaderboard"};
    for (size_t i = 0; i < sizeof touched / sizeof *touched; i++)
        assert_int_equal(rig_integer(rig->link, "EXISTS nof0:feed:{%s}:version", touched[i]), 1);
    assert_int_equal(rig_integer(rig->link, "EXISTS nof0:feed:{since_inception}:version"), 0);
    /* The same rows again: nothing comes twice. */
    outbox_rig_sql(rig,
                   "UPDATE outbox_consumers SET position = 0 WHERE name = 'live'; DELETE FROM trades WHERE id = 't1'");
    outbox_rig_apply(rig, OUTBOX_LIVE);
    outbox_rig_expect(rig, "XRANGE nof0:live:events - +", all_entries);
    char *again = outbox_rig_text(rig, "XRANGE nof0:trades:stream - +");
    assert_string_equal(again, trades);
    free(trades);
    free(again);
}

static void await_entries(struct outbox_rig *rig, long long count)
{
    for (int64_t end = clock_mono_ms() + 30000; clock_mono_ms() < end; (void)usleep(2000))
        if (rig_integer(rig->link, "XLEN nof0:live:events") == count)
            return;
    fail_msg("live:events has %lld entries, not %lld", rig_integer(rig->link, "XLEN nof0:live:events"), count);
}

static void a_lost_stream_is_made_again(void **state)
{
    struct outbox_rig *rig = outbox_rig_of(state);
    outbox_rig_sql(rig, some_rows);
    struct outbox_consumer *live = outbox_rig_reader(rig, OUTBOX_LIVE, -1);
    outbox_rig_await(rig, "SELECT coalesce(max(position), 0) FROM outbox_consumers WHERE name = 'live'", 10);
    rig_do(rig->link, "FLUSHALL");
    await_entries(rig, 8);
    outbox_rig_expect(rig, "XRANGE nof0:live:events - +", all_entries);
    /* Followers of this one would act twice. */
    assert_int_equal(rig_integer(rig->link, "XLEN nof0:trades:stream"), 0);
    /* A Redis that dies, and comes back empty. */
    redisFree(rig->link);
    rig_kill(&rig->redis);
    outbox_rig_sql(rig, "INSERT INTO outbox (feed, items) VALUES ('trades', '[[\"a\", \"t1\"]]'); NOTIFY nof0_outbox");
    rig_start(&rig->redis);
    rig->link = rig_link(&rig->redis);
    await_entries(rig, 9);
    outbox_rig_await(rig, "SELECT position FROM outbox_consumers WHERE name = 'live'", 11);
    assert_int_equal(rig_integer(rig->link, "XLEN nof0:trades:stream"), 1);
    outbox_consumer_stop(live);
    outbox_consumer_free(live);
}

/* What was put aside does not stand in the way of the rest. */
static void a_corrupt_row_stays_aside(void **state)
{
    struct outbox_rig *rig = outbox_rig_of(state);
    outbox_rig_sql(rig, some_rows);
    outbox_rig_sql(rig, "UPDATE positions SET wire_detail = '{\"put\": 1}'");
    outbox_rig_apply(rig, OUTBOX_LIVE);
    assert_int_equal(outbox_rig_number(rig, "SELECT outbox_id FROM outbox_dead"), 2);
    assert_int_equal(rig_integer(rig->link, "XLEN nof0:live:events"), 7);
    rig_do(rig->link, "FLUSHALL");
    outbox_rig_sql(rig, "INSERT INTO outbox (feed, items) VALUES ('analytics', '[[\"a\"]]')");
    outbox_rig_apply(rig, OUTBOX_LIVE);
    assert_int_equal(rig_integer(rig->link, "XLEN nof0:live:events"), 7);
}

static void a_gap_is_seen(void **state)
{
    struct outbox_rig *rig = outbox_rig_of(state);
    outbox_rig_sql(rig, some_rows);
    outbox_rig_apply(rig, OUTBOX_LIVE);
    rig_do(rig->link, "XTRIM nof0:live:events MAXLEN 0");
    rig_do(rig->link, "DEL nof0:live:events");
    rig_do(rig->link, "XADD nof0:live:events 1-0 topic x model y data z");
    /* Rows up to 3 are gone: readers that have 1-0 must not go on with 4-0. */
    outbox_rig_sql(rig, "DELETE FROM outbox WHERE id <= 3; INSERT INTO outbox_consumers (name, position) VALUES"
                        " ('pruned', 3); INSERT INTO outbox (feed, items) VALUES ('analytics', '[[\"a\"]]')");
    outbox_rig_apply(rig, OUTBOX_LIVE);
    char *entries = outbox_rig_text(rig, "XRANGE nof0:live:events - +");
    assert_string_equal(entries, strstr(all_entries, "4-0"));
    free(entries);
    /* A stream of another database, which counted further. */
    rig_do(rig->link, "XADD nof0:live:events 1000-0 topic x model y data z");
    outbox_rig_sql(rig, "INSERT INTO outbox (feed, items) VALUES ('trades', '[[\"b\", \"t2\"]]')");
    outbox_rig_apply(rig, OUTBOX_LIVE);
    entries = outbox_rig_text(rig, "XREVRANGE nof0:live:events + - COUNT 1");
    assert_memory_equal(entries, "12-0 ", 5);
    free(entries);
    /* Something else under the name. */
    rig_do(rig->link, "SET nof0:live:events text");
    outbox_rig_sql(rig, "INSERT INTO outbox (feed, items) VALUES ('trades', '[[\"b\", \"t2\"]]')");
    outbox_rig_apply(rig, OUTBOX_LIVE);
    entries = outbox_rig_text(rig, "XREVRANGE nof0:live:events + - COUNT 1");
    assert_memory_equal(entries, "13-0 ", 5);
    free(entries);
}

static void the_stream_is_capped(void **state)
{
    struct outbox_rig *rig = outbox_rig_of(state);
    outbox_rig_sql(rig, some_rows);
    outbox_rig_sql(rig, "INSERT INTO outbox (feed, items) SELECT 'trades', '[[\"b\", \"t2\"]]' FROM"
                        " generate_series(1, 3000)");
    rig->options.stream_length = 200;
    outbox_rig_apply(rig, OUTBOX_LIVE);
    rig->options.stream_length = 100000;
    assert_in_range(rig_integer(rig->link, "XLEN nof0:live:events"), 200, 600);
    outbox_rig_expect(rig, "XREVRANGE nof0:live:events (3010-0 - COUNT 0", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_is_told),        cmocka_unit_test(a_lost_stream_is_made_again),
        cmocka_unit_test(a_corrupt_row_stays_aside), cmocka_unit_test(a_gap_is_seen),
        cmocka_unit_test(the_stream_is_capped),
    };
    return cmocka_run_group_tests(tests, outbox_rig_start, outbox_rig_stop);
}
