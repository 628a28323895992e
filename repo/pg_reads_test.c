#include "repo/migrate.h"
#include "repo/pg_reads.h"
#include "repo/pg_rig_testing.h"

#include <math.h>

static struct pg_testing db;
static bool have_db;
static struct rig rig;
static struct repo_reads *reads;

/* Trades that crowd: many exits in one millisecond, some in one instant, some without exact seconds, some still open.
 */
static const char *const rows[] = {
    "INSERT INTO trades (id, model_id, symbol, entry_ts_ms, exit_ts_ms, exit_time_s, feed_ordinal)"
    " SELECT CASE n % 3 WHEN 0 THEN 'z' WHEN 1 THEN 'B' ELSE U&'\\00e9' END || n, 'm' || n % 2, 'BTC', 1,"
    " CASE WHEN n % 17 = 0 THEN NULL ELSE 1700000000000 + n / 20 END,"
    " CASE WHEN n % 17 = 0 OR n % 5 = 0 THEN NULL ELSE 1700000000 + (n / 20) / 1000.0 + n % 4 * 0.0002 END,"
    " CASE WHEN n <= 40 THEN 1000 - n END FROM generate_series(1, 300) AS n",
    "INSERT INTO account_equity_snapshots (model_id, ts_ms, dollar_equity, since_inception_hourly_marker, positions,"
    " feed_ordinal, cum_pnl_pct) SELECT 'm' || n % 2, n, n, CASE WHEN n % 10 = 0 THEN NULL ELSE n END,"
    " '{ \"BTC\" :1.0}', CASE WHEN n > 20 THEN 500 - n END, 10 * (n % 2) FROM generate_series(1, 60) AS n",
    "INSERT INTO feed_documents (name, server_time_ms, wire_detail) VALUES ('trades', 77, '{\"$exact\": \"[-0]\"}'),"
    " ('conversations', NULL, NULL)",
    "INSERT INTO position_feed_models (model_id, feed_ordinal) VALUES ('m1', 1), ('m0', 2), ('gone', NULL), ('empty', "
    "3)",
    "INSERT INTO positions (id, model_id, symbol, side, status, entry_time_ms, entry_price, quantity) VALUES"
    " ('a', 'm0', 'ETH', 'long', 'open', 1, 1, 1), ('b', 'm0', 'BTC', 'long', 'open', 1, 1, 1),"
    " ('c', 'm1', 'BTC', 'short', 'open', 1, 1, -1), ('d', 'm1', 'ETH', 'long', 'closed', 1, 1, 1),"
    " ('e', 'gone', 'BTC', 'long', 'open', 1, 1, 1)",
    "INSERT INTO price_latest (provider, symbol, price, ts_ms, feed_ordinal) VALUES ('p', 'ETH', 2, 1, 1),"
    " ('p', 'BTC', 1, 1, 2), ('p', 'OLD', 3, 1, NULL), ('q', 'SOL', 4, 1, 3)",
    "INSERT INTO since_inception_values (id, model_id, feed_ordinal) VALUES ('x', 'm0', 2), ('y', 'm1', 1), ('z', "
    "'m2', NULL)",
    "INSERT INTO model_analytics (model_id, payload, bulk_payload, server_time_ms, feed_ordinal) VALUES"
    " ('m0', '{\"v\": 2}', '{\"v\": 1}', 5, 2), ('m1', '{\"v\": 3}', NULL, 5, 1), ('m2', '{\"v\": 4}', NULL, 5, NULL)",
    "INSERT INTO conversations (id, source_key, model_id, feed_ordinal) VALUES (1, 'a', 'm0', 10), (2, 'b', 'm1', 30),"
    " (3, 'c', 'm0', 50), (4, 'd', 'm0', NULL)",
    "INSERT INTO conversation_messages (conversation_id, seq, role, content) SELECT c, s, 'user', c || '/' || s"
    " FROM generate_series(1, 4) AS c, generate_series(0, 2) AS s ORDER BY s, c",
    "INSERT INTO decision_cycles (source_id, model_id, feed_ordinal) VALUES ('k', 'm0', 20), ('l', 'm1', 40),"
    " ('m', 'm0', 60), ('n', 'm0', NULL)",
    "UPDATE trades SET realized_net_pnl = -2.5 WHERE id = (SELECT min(id) FROM trades WHERE model_id = 'm1')",
    "REFRESH MATERIALIZED VIEW v_leaderboard",
};

static int start(void **state)
{
    (void)state;
    have_db = pg_testing_start(&db, "reads");
    if (!have_db) {
        return 0;
    }
    struct err err = ERR_INIT;
    struct migration_set *set = migration_set_new(migrations_embedded, migrations_embedded_count, &err);
    struct session *session = session_open(db.dsn, &err);
    if (!set || !session || !migrate_up(session, set, MIGRATE_ALL, NULL, &err)) {
        fail_msg("%s", err.text);
    }
    session_close(session);
    migration_set_free(set);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pg_testing_exec(db.conn, rows[i]);
    }
    static const struct pg_pool_config pool = {.connections = 2, .prepared_statements = true, .start_grace_ms = 5000};
    static const struct pg_reads_config config = {.query_timeout_ms = 5000, .price_provider = "p"};
    rig_start(&rig, db.dsn, &pool);
    reads = pg_reads_new(rig.pool, &config);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    if (have_db) {
        rig_stop(&rig);
        pg_reads_free(reads);
        pg_testing_stop(&db);
    }
    return 0;
}

struct reply {
    bool called;
    struct repo_answer *answer;
    struct err err;
};

static void take_reply(void *arg, struct repo_answer *answer, const struct err *err)
{
    struct reply *reply = arg;
    assert_false(reply->called);
    reply->called = true;
    reply->answer = answer;
    if (err) {
        reply->err = *err;
    }
}

static struct repo_answer *ask(const struct read_query *query)
{
    if (!have_db) {
        skip();
    }
    struct reply reply = {0};
    reads->read(reads, query, take_reply, &reply);
    assert_false(reply.called);
    while (!reply.called) {
        event_base_loop(rig.base, EVLOOP_ONCE);
    }
    if (!reply.answer) {
        fail_msg("%s", reply.err.text);
    }
    assert_int_equal(reply.answer->kind, query->kind);
    return reply.answer;
}

static struct read_query query_of(enum read_kind kind)
{
    return (struct read_query){.kind = kind, .limit = READ_NO_LIMIT};
}

/* --- Pages of trades against a sort by hand --- */

struct trade {
    char id[32];
    char model[8];
    double exit_s;
};

static int newer_first(const void *a, const void *b)
{
    const struct trade *x = a;
    const struct trade *y = b;
    if (x->exit_s != y->exit_s) {
        return x->exit_s > y->exit_s ? -1 : 1;
    }
    return -strcmp(x->id, y->id);
}

static size_t load_trades(struct trade *trades, size_t room)
{
    PGresult *result = PQexec(db.conn, "SELECT id, model_id, exit_ts_ms, exit_time_s FROM trades"
                                       " WHERE exit_ts_ms IS NOT NULL");
    size_t count = (size_t)PQntuples(result);
    assert_true(count > 200 && count <= room);
    for (size_t i = 0; i < count; i++) {
        int row = (int)i;
        snprintf(trades[i].id, sizeof trades[i].id, "%s", PQgetvalue(result, row, 0));
        snprintf(trades[i].model, sizeof trades[i].model, "%s", PQgetvalue(result, row, 1));
        trades[i].exit_s = PQgetisnull(result, row, 3) ? strtod(PQgetvalue(result, row, 2), NULL) / 1000.0
                                                       : strtod(PQgetvalue(result, row, 3), NULL);
    }
    PQclear(result);
    qsort(trades, count, sizeof *trades, newer_first);
    return count;
}

/* Whether the trade is strictly older (sign 1) or newer (-1) than the cursor. */
static bool beyond(const struct trade *trade, const struct trade_cursor *cursor, const struct trade *at, int sign)
{
    switch (cursor->kind) {
    case CURSOR_NONE:
        return true;
    case CURSOR_TIME:
        return sign > 0 ? trade->exit_s < cursor->exit_time_s : trade->exit_s > cursor->exit_time_s;
    case CURSOR_ID:
        return newer_first(trade, at) * sign > 0;
    }
    return false;
}

static struct trade_cursor cursor_at(const struct trade *trade, unsigned kind)
{
    struct trade_cursor cursor = {CURSOR_NONE, 0, {NULL, 0}};
    if (kind == 1) {
        cursor.kind = CURSOR_TIME;
        cursor.exit_time_s = trade->exit_s;
    } else if (kind == 2) {
        cursor.kind = CURSOR_ID;
        cursor.id = slice_of(trade->id);
    }
    return cursor;
}

static void check_page(const struct trade *trades, size_t count, const struct read_query *query,
                       const struct trade *before, const struct trade *after)
{
    const struct trade *expected[300];
    size_t matches = 0;
    for (size_t i = 0; i < count; i++) {
        if ((!query->model_id.p || slice_is(query->model_id, trades[i].model)) &&
            beyond(&trades[i], &query->before, before, 1) && beyond(&trades[i], &query->after, after, -1)) {
            expected[matches++] = &trades[i];
        }
    }
    size_t limit = query->limit == READ_NO_LIMIT ? TRADES_PAGE_DEFAULT : (size_t)query->limit;
    size_t wanted = matches < limit ? matches : limit;
    bool nearest = query->after.kind != CURSOR_NONE && query->before.kind == CURSOR_NONE;
    size_t skipped = nearest ? matches - wanted : 0;
    struct repo_answer *answer = ask(query);
    assert_int_equal(answer->trade_count, wanted);
    for (size_t i = 0; i < wanted; i++) {
        assert_true(slice_is(answer->trades[i].id, expected[skipped + i]->id));
    }
    answer->release(answer);
}

static void test_pages_of_trades_agree_with_a_sort_by_hand(void **state)
{
    (void)state;
    if (!have_db) {
        skip();
    }
    static struct trade trades[300];
    size_t count = load_trades(trades, 300);
    unsigned seed = 1;
    for (unsigned round = 0; round < 360; round++) {
        const struct trade *newest = &trades[(size_t)rand_r(&seed) % count];
        const struct trade *oldest = &trades[(size_t)rand_r(&seed) % count];
        static const int64_t limits[] = {READ_NO_LIMIT, 1, 7, 100, 1000};
        struct read_query query = query_of(READ_TRADES);
        query.limit = limits[round % 5];
        query.before = cursor_at(newest, round % 3);
        query.after = cursor_at(oldest, round / 3 % 3);
        if (round % 2) {
            query.model_id = SLICE("m1");
        }
        if (read_query_is_page(&query)) {
            check_page(trades, count, &query, newest, oldest);
        }
    }
}

static void test_paging_by_id_leaves_no_gap_and_repeats_nothing(void **state)
{
    (void)state;
    if (!have_db) {
        skip();
    }
    static struct trade trades[300];
    size_t count = load_trades(trades, 300);
    char id[32] = "";
    size_t seen = 0;
    for (;;) {
        struct read_query query = query_of(READ_TRADES);
        query.limit = 13;
        if (seen) {
            query.before.kind = CURSOR_ID;
            query.before.id = slice_of(id);
        }
        struct repo_answer *answer = ask(&query);
        for (size_t i = 0; i < answer->trade_count; i++, seen++) {
            assert_true(seen < count && slice_is(answer->trades[i].id, trades[seen].id));
            snprintf(id, sizeof id, "%.*s", SLICE_ARG(answer->trades[i].id));
        }
        size_t got = answer->trade_count;
        answer->release(answer);
        if (!got) {
            break;
        }
    }
    assert_int_equal(seen, count);
}

static void test_an_unknown_or_open_trade_as_cursor_gives_nothing(void **state)
{
    (void)state;
    static const char *const ids[] = {"nobody", "", "z51"};
    for (size_t i = 0; i < 3; i++) {
        for (int side = 0; side < 2; side++) {
            struct read_query query = query_of(READ_TRADES);
            struct trade_cursor *cursor = side ? &query.before : &query.after;
            cursor->kind = CURSOR_ID;
            cursor->id = slice_of(ids[i]);
            struct repo_answer *answer = ask(&query);
            assert_int_equal(answer->trade_count, 0);
            answer->release(answer);
        }
    }
}

/* --- Feeds --- */

static void test_the_trades_feed_keeps_its_order_and_its_document(void **state)
{
    (void)state;
    struct read_query query = query_of(READ_TRADES);
    struct repo_answer *answer = ask(&query);
    assert_int_equal(answer->trade_count, 40);
    for (size_t i = 1; i < 40; i++) {
        assert_true(answer->trades[i - 1].feed_ordinal.v < answer->trades[i].feed_ordinal.v);
    }
    assert_non_null(answer->document);
    assert_int_equal(answer->document->server_time_ms.v, 77);
    assert_true(slice_is(answer->document->wire_detail, "[-0]"));
    assert_true(answer->bytes > 40 * sizeof(struct trades_row));
    answer->release(answer);

    query.model_id = SLICE("m1");
    answer = ask(&query);
    assert_int_equal(answer->trade_count, 20);
    for (size_t i = 0; i < 20; i++) {
        assert_true(slice_is(answer->trades[i].model_id, "m1"));
    }
    answer->release(answer);
}

static void test_account_totals_from_a_marker_on(void **state)
{
    (void)state;
    struct read_query query = query_of(READ_ACCOUNT_TOTALS);
    struct repo_answer *answer = ask(&query);
    assert_int_equal(answer->equity_count, 40);
    assert_null(answer->document);
    assert_true(answer->equity[0].ts_ms.v == 60);
    assert_true(slice_is(answer->equity[0].positions, "{ \"BTC\" :1.0}"));
    answer->release(answer);

    query.has_min_marker = true;
    query.min_marker = 55;
    answer = ask(&query);
    assert_int_equal(answer->equity_count, 5); /* 55 to 59; 60 has none */
    assert_true(answer->equity[0].ts_ms.v == 59 && answer->equity[4].ts_ms.v == 55);
    answer->release(answer);

    query.min_marker = INT64_MAX;
    answer = ask(&query);
    assert_int_equal(answer->equity_count, 0);
    answer->release(answer);
}

static void test_positions_of_the_first_models(void **state)
{
    (void)state;
    struct read_query query = query_of(READ_POSITIONS);
    query.limit = 1000;
    struct repo_answer *answer = ask(&query);
    assert_int_equal(answer->position_model_count, 3);
    assert_true(slice_is(answer->position_models[0].model_id, "m1"));
    assert_true(slice_is(answer->position_models[2].model_id, "empty"));
    assert_int_equal(answer->position_count, 3);
    assert_true(slice_is(answer->positions[0].id, "b"));
    assert_true(slice_is(answer->positions[1].id, "a"));
    assert_true(slice_is(answer->positions[2].id, "c"));
    answer->release(answer);

    query.limit = 1;
    answer = ask(&query);
    assert_int_equal(answer->position_model_count, 1);
    assert_int_equal(answer->position_count, 1);
    assert_true(slice_is(answer->positions[0].id, "c"));
    answer->release(answer);
}

static void test_prices_and_inceptions(void **state)
{
    (void)state;
    struct read_query query = query_of(READ_CRYPTO_PRICES);
    struct repo_answer *answer = ask(&query);
    assert_int_equal(answer->price_count, 2);
    assert_true(slice_is(answer->prices[0].symbol, "ETH") && slice_is(answer->prices[1].symbol, "BTC"));
    answer->release(answer);

    query = query_of(READ_SINCE_INCEPTION);
    answer = ask(&query);
    assert_int_equal(answer->inception_count, 2);
    assert_true(slice_is(answer->inceptions[0].id, "y") && slice_is(answer->inceptions[1].id, "x"));
    answer->release(answer);
}

static void test_the_leaderboard_is_computed_only_when_none_is_stored(void **state)
{
    (void)state;
    struct read_query query = query_of(READ_LEADERBOARD);
    struct repo_answer *answer = ask(&query);
    assert_int_equal(answer->leader_count, 2);
    assert_true(slice_is(answer->leaders[0].id, "m0") && slice_is(answer->leaders[1].id, "m1"));
    assert_true(answer->leaders[1].equity.v == 59 && answer->leaders[1].return_pct.v == 10);
    assert_int_equal(answer->leaders[0].num_trades.v, 150);
    assert_true(answer->leaders[1].lose_dollars.v == -2.5);
    assert_true(answer->leaders[0].lose_dollars.v == 0 && !signbit(answer->leaders[0].lose_dollars.v));
    answer->release(answer);

    pg_testing_exec(db.conn, "INSERT INTO leaderboard_entries (id, equity, feed_ordinal) VALUES ('old', 1, NULL)");
    answer = ask(&query);
    assert_int_equal(answer->leader_count, 2);
    answer->release(answer);

    pg_testing_exec(db.conn, "INSERT INTO leaderboard_entries (id, equity, feed_ordinal) VALUES ('stored', 1, 1)");
    answer = ask(&query);
    assert_int_equal(answer->leader_count, 1);
    assert_true(slice_is(answer->leaders[0].id, "stored"));
    answer->release(answer);
    pg_testing_exec(db.conn, "DELETE FROM leaderboard_entries");
}

static void test_analytics(void **state)
{
    (void)state;
    struct read_query query = query_of(READ_ANALYTICS_ALL);
    struct repo_answer *answer = ask(&query);
    assert_int_equal(answer->analytics_count, 2);
    assert_true(slice_is(answer->analytics[0].payload, "{\"v\": 3}"));
    assert_true(slice_is(answer->analytics[1].payload, "{\"v\": 1}"));
    answer->release(answer);

    query = query_of(READ_ANALYTICS_ONE);
    query.model_id = SLICE("m0");
    answer = ask(&query);
    assert_int_equal(answer->analytics_count, 1);
    assert_true(slice_is(answer->analytics[0].payload, "{\"v\": 2}"));
    answer->release(answer);

    query.model_id = SLICE("m2"); /* not in the list, but known */
    answer = ask(&query);
    assert_int_equal(answer->analytics_count, 1);
    answer->release(answer);

    query.model_id = SLICE("nobody");
    answer = ask(&query);
    assert_int_equal(answer->analytics_count, 0);
    answer->release(answer);
}

static void test_a_limit_counts_both_shapes_of_conversations(void **state)
{
    (void)state;
    /* In feed order: conversation 1, cycle k, conversation 2, cycle l, conversation 3, cycle m. */
    for (int64_t limit = READ_NO_LIMIT; limit <= 7; limit++) {
        struct read_query query = query_of(READ_CONVERSATIONS);
        query.limit = limit;
        struct repo_answer *answer = ask(&query);
        size_t all = limit == READ_NO_LIMIT || limit > 6 ? 6 : (size_t)limit;
        assert_int_equal(answer->conversation_count, (all + 1) / 2);
        assert_int_equal(answer->cycle_count, all / 2);
        assert_int_equal(answer->message_count, answer->conversation_count * 3);
        for (size_t i = 0; i < answer->message_count; i++) {
            assert_int_equal(answer->messages[i].conversation_id.v, answer->conversations[i / 3].id.v);
            assert_int_equal(answer->messages[i].seq.v, i % 3);
        }
        answer->release(answer);
    }
    struct read_query query = query_of(READ_CONVERSATIONS);
    query.model_id = SLICE("m0");
    query.limit = 3;
    struct repo_answer *answer = ask(&query);
    assert_int_equal(answer->conversation_count, 2);
    assert_int_equal(answer->cycle_count, 1);
    assert_int_equal(answer->message_count, 6);
    answer->release(answer);
}

static void test_every_answer_has_the_version_of_its_snapshot(void **state)
{
    (void)state;
    int64_t last = 0;
    for (unsigned kind = 0; kind < READ_KIND_COUNT; kind++) {
        struct read_query query = query_of(kind);
        query.model_id = kind == READ_ANALYTICS_ONE ? SLICE("m0") : (struct slice){NULL, 0};
        struct repo_answer *answer = ask(&query);
        assert_true(answer->version > last);
        last = answer->version;
        answer->release(answer);
        pg_testing_exec(db.conn, "UPDATE feed_documents SET server_time_ms = 77 WHERE name = 'trades'");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_answer_has_the_version_of_its_snapshot),
        cmocka_unit_test(test_pages_of_trades_agree_with_a_sort_by_hand),
        cmocka_unit_test(test_paging_by_id_leaves_no_gap_and_repeats_nothing),
        cmocka_unit_test(test_an_unknown_or_open_trade_as_cursor_gives_nothing),
        cmocka_unit_test(test_the_trades_feed_keeps_its_order_and_its_document),
        cmocka_unit_test(test_account_totals_from_a_marker_on),
        cmocka_unit_test(test_positions_of_the_first_models),
        cmocka_unit_test(test_prices_and_inceptions),
        cmocka_unit_test(test_the_leaderboard_is_computed_only_when_none_is_stored),
        cmocka_unit_test(test_analytics),
        cmocka_unit_test(test_a_limit_counts_both_shapes_of_conversations),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
