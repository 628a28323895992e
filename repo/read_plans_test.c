/* Every query of repo/read_sql.c must find its rows by an index, on a database of a size that matters: 1,000,000 trades
 * and 1,000,000 equity rows of 1000 models, and the other tables in proportion. Read are the plans for the parameters
 * at hand and the generic ones, since a prepared statement may run with either. */
#include "base/clock.h"
#include "base/testing.h"
#include "repo/migrate.h"
#include "repo/pg_testing.h"
#include "repo/read_sql.h"
#include "repo/session.h"

static struct pg_testing db;
static bool have_db;

/* Model m is 'model-0001' and so on; ordinals are spaced as architecture.md says; a run is a model's stretch. */
#define MODEL(n) "'model-' || lpad((" n ")::text, 4, '0')"
#define ORDINAL(run, place) "(" run ")::bigint * 4294967296 + 2147483648 + (" place ")"

static const char *const fill[] = {
    /* Equity: hourly rows in order of time, all of them in the feed, as after an import of 1000 hours of 1000 models.
     */
    "INSERT INTO account_equity_snapshots (model_id, ts_ms, ts_s, source_id, dollar_equity, realized_pnl,"
    " total_unrealized_pnl, cum_pnl_pct, sharpe_ratio, since_inception_hourly_marker, since_inception_minute_marker,"
    " positions, feed_ordinal)"
    " SELECT " MODEL("m") ", 1700000000000 + h::bigint * 3600000, 1700000000 + h * 3600 + 0.25, m || '_' || h,"
                          " 10000 + (m * h) % 997, m, h, 0.5, 0.01, h, h * 60, '{}', " ORDINAL(
                              "h * 1000 + m", "0") " FROM generate_series(0, 999) AS h, generate_series(1, 1000) AS m",
    /* Trades: 1000 a model, the newest 100 of each in the feed, stored in order of time. */
    "INSERT INTO trades (id, model_id, symbol, side, trade_type, trade_id, quantity, leverage, confidence, entry_price,"
    " entry_ts_ms, entry_time_s, exit_price, exit_ts_ms, exit_time_s, exit_plan, realized_net_pnl, feed_ordinal)"
    " SELECT " MODEL("m") " || '_' || t, " MODEL(
        "m") ", 'BTC', 'long', 'long', t || '_BTC_' || m, 0.5, 10, 0.7, 100000,"
             " 1700000000000 + t * 60000, 1700000000 + t * 60 + 0.001, 100001, 1700000030000 + t * 60000,"
             " CASE WHEN m % 10 = 0 THEN NULL ELSE 1700000030 + t * 60 + m * 1e-4 END, '{}', m - 500,"
             " CASE WHEN t > 900 THEN " ORDINAL(
                 "m", "1000 - t") " END"
                                  " FROM generate_series(1, 1000) AS t, generate_series(1, 1000) AS m",
    "INSERT INTO positions (id, model_id, symbol, side, status, entry_time_ms, entry_price, quantity)"
    " SELECT m || ':' || p, " MODEL(
        "m") ", 'S' || p % 6, 'long', CASE WHEN p < 6 THEN 'open' ELSE 'closed' END,"
             " 1700000000000 + p, 1, 1 FROM generate_series(1, 1000) AS m, generate_series(0, 99) AS p",
    /* Many have been listed; a thousand still are. */
    "INSERT INTO position_feed_models (model_id, feed_ordinal)"
    " SELECT " MODEL("m") ", CASE WHEN m <= 1000 THEN " ORDINAL("m", "0") " END FROM generate_series(1, 9999) AS m",
    "INSERT INTO price_latest (provider, symbol, price, ts_ms, feed_ordinal)"
    " SELECT 'provider-' || p, 'S' || s, s, 1, CASE WHEN s <= 100 THEN " ORDINAL(
        "p", "s") " END"
                  " FROM generate_series(1, 20) AS p, generate_series(1, 500) AS s",
    "INSERT INTO since_inception_values (id, model_id, nav_since_inception, inception_date_s, inception_ts_ms,"
    " num_invocations, feed_ordinal)"
    " SELECT md5(n::text), " MODEL("n % 1000") ", 1, 1, 1000, 0, CASE WHEN n <= 1000 THEN " ORDINAL(
        "n", "0") " END"
                  " FROM generate_series(1, 20000) AS n",
    "INSERT INTO leaderboard_entries (id, num_trades, equity, feed_ordinal)"
    " SELECT " MODEL("m") ", 1, 1, CASE WHEN m <= 1000 THEN " ORDINAL("m",
                                                                      "0") " END FROM generate_series(1, 9999) AS m",
    "INSERT INTO model_analytics (model_id, payload, server_time_ms, feed_ordinal)"
    " SELECT " MODEL("m") ", jsonb_build_object('id', m, 'text', repeat(md5(m::text), 20)), 1,"
                          " CASE WHEN m <= 1000 THEN " ORDINAL("m", "0") " END FROM generate_series(1, 9999) AS m",
    "INSERT INTO conversations (source_key, model_id, feed_ordinal)"
    " SELECT n, " MODEL("n % 1000") ", CASE WHEN n > 19000 THEN " ORDINAL(
        "n", "0") " END"
                  " FROM generate_series(1, 20000) AS n ORDER BY n",
    "INSERT INTO conversation_messages (conversation_id, seq, role, content)"
    " SELECT id, s, 'user', repeat('word ', 20) FROM conversations, generate_series(0, 2) AS s ORDER BY id, s",
    "INSERT INTO decision_cycles (source_id, model_id, cycle_number, user_prompt, executed_at, feed_ordinal)"
    " SELECT n, " MODEL("n % 1000") ", n, repeat('word ', 20), now(), CASE WHEN n > 49000 THEN " ORDINAL(
        "n", "0") " END"
                  " FROM generate_series(1, 50000) AS n",
    /* Nine names by nature; a thousand here, so that reading one by its key is what must be planned. */
    "INSERT INTO feed_documents (name, server_time_ms) SELECT 'document-' || n, n FROM generate_series(1, 1000) AS n",
};

static const char *const big_tables[] = {"account_equity_snapshots", "trades"};

/* Rows first, indexes after: a quarter of the time. The definitions are those of the migrations. */
static void fill_without_indexes(void)
{
    for (size_t i = 0; i < 2; i++) {
        char sql[600];
        snprintf(sql, sizeof sql, "ALTER TABLE %s SET UNLOGGED", big_tables[i]);
        pg_testing_exec(db.conn, sql);
    }
    PGresult *indexes = PQexec(db.conn, "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
                                        " AND tablename IN ('account_equity_snapshots', 'trades')"
                                        " AND indexname NOT IN (SELECT conname FROM pg_constraint)");
    assert_int_equal(PQresultStatus(indexes), PGRES_TUPLES_OK);
    assert_true(PQntuples(indexes) >= 8);
    for (int i = 0; i < PQntuples(indexes); i++) {
        char sql[600];
        snprintf(sql, sizeof sql, "DROP INDEX %s", PQgetvalue(indexes, i, 0));
        pg_testing_exec(db.conn, sql);
    }
    for (size_t i = 0; i < sizeof fill / sizeof fill[0]; i++) {
        pg_testing_exec(db.conn, fill[i]);
    }
    for (int i = 0; i < PQntuples(indexes); i++) {
        pg_testing_exec(db.conn, PQgetvalue(indexes, i, 1));
    }
    PQclear(indexes);
}

static void migrate(void)
{
    struct err err = ERR_INIT;
    struct migration_set *set = migration_set_new(migrations_embedded, migrations_embedded_count, &err);
    struct session *session = session_open(db.dsn, &err);
    if (!set || !session || !migrate_up(session, set, MIGRATE_ALL, NULL, &err)) {
        fail_msg("%s", err.text);
    }
    session_close(session);
    migration_set_free(set);
}

static int start_db(void **state)
{
    (void)state;
    have_db = pg_testing_start(&db, "plans");
    if (have_db) {
        int64_t began = clock_mono_ms();
        migrate();
        fill_without_indexes();
        pg_testing_exec(db.conn, "REFRESH MATERIALIZED VIEW v_leaderboard");
        pg_testing_exec(db.conn, "SET client_min_messages = error");
        pg_testing_exec(db.conn, "VACUUM ANALYZE");
        print_message("database built in %lld ms\n", (long long)(clock_mono_ms() - began));
    }
    return 0;
}

static int stop_db(void **state)
{
    (void)state;
    if (have_db) {
        pg_testing_stop(&db);
    }
    return 0;
}

static const struct {
    const char *type;
    const char *value;
} samples[] = {
    [PARAM_DOCUMENT] = {"text", "'document-500'"},
    [PARAM_PROVIDER] = {"text", "'provider-7'"},
    [PARAM_MODEL] = {"text", "'model-0042'"},
    [PARAM_MARKER] = {"bigint", "998"},
    [PARAM_LIMIT] = {"bigint", "100"},
    [PARAM_BEFORE_TIME] = {"double precision", "1700050000.5"},
    [PARAM_BEFORE_ID] = {"text", "'model-0042_900'"},
    [PARAM_AFTER_TIME] = {"double precision", "1700040000.5"},
    [PARAM_AFTER_ID] = {"text", "'model-0042_800'"},
};

/* The plan's lines, with the parameters of `samples`; limits are `limit`. The caller frees. */
static char *read_plan(const struct read_sql *sql, const char *mode, const char *limit)
{
    struct buf text = BUF_INIT;
    struct buf values = BUF_INIT;
    buf_printf(&text, "PREPARE plan_of");
    for (const enum read_param *param = sql->params; *param; param++) {
        buf_printf(&text, "%s%s", param == sql->params ? "(" : ", ", samples[*param].type);
        buf_printf(&values, "%s%s", param == sql->params ? "(" : ", ",
                   *param == PARAM_LIMIT ? limit : samples[*param].value);
    }
    buf_printf(&text, "%s AS %s", values.len ? ")" : "", sql->statement.sql);
    buf_append_str(&values, values.len ? ")" : "");
    pg_testing_exec(db.conn, buf_cstr(&text));
    buf_clear(&text);
    buf_printf(&text, "SET plan_cache_mode = force_%s_plan", mode);
    pg_testing_exec(db.conn, buf_cstr(&text));
    buf_clear(&text);
    buf_printf(&text, "EXPLAIN EXECUTE plan_of%s", buf_cstr(&values));
    PGresult *result = PQexec(db.conn, buf_cstr(&text));
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", text.data, PQerrorMessage(db.conn));
    }
    buf_clear(&text);
    for (int i = 0; i < PQntuples(result); i++) {
        buf_printf(&text, "%s\n", PQgetvalue(result, i, 0));
    }
    PQclear(result);
    pg_testing_exec(db.conn, "DEALLOCATE plan_of");
    buf_free(&values);
    buf_cstr(&text);
    return buf_take(&text, NULL);
}

static bool has_param(const struct read_sql *sql, enum read_param wanted)
{
    for (const enum read_param *param = sql->params; *param; param++) {
        if (*param == wanted) {
            return true;
        }
    }
    return false;
}

/* Which plan of which query; returns how many are bad. */
static int check_plan(const struct read_sql *sql, bool is_page, const char *mode, const char *limit)
{
    char *plan = read_plan(sql, mode, limit);
    bool scans = strstr(plan, "Seq Scan");
    bool uses_index = strstr(plan, "Index Scan") || strstr(plan, "Index Only Scan");
    /* A page must stop after its rows: what sorts has read them all. */
    bool sorts = is_page && strstr(plan, "Sort");
    bool good = !scans && !sorts && uses_index;
    if (!good) {
        print_error("%s, %s plan, limit %s:\n%s\n%s\n", sql->statement.name, mode, limit, sql->statement.sql, plan);
    }
    free(plan);
    return !good;
}

static void test_no_query_reads_a_whole_table(void **state)
{
    (void)state;
    if (!have_db) {
        skip();
    }
    struct read_sql_set *set = read_sql_set_new();
    int bad = 0;
    for (unsigned id = 0; id < READ_SQL_COUNT; id++) {
        const struct read_sql *sql = read_sql_get(set, id);
        bool is_page = id >= SQL_TRADES_PAGE;
        bad += check_plan(sql, is_page, "custom", "100");
        bad += check_plan(sql, is_page, "generic", "100");
        if (has_param(sql, PARAM_LIMIT) && !is_page) {
            bad += check_plan(sql, is_page, "custom", "NULL");
            bad += check_plan(sql, is_page, "custom", "1000");
        }
    }
    read_sql_set_free(set);
    assert_int_equal(bad, 0);
}

/* The eye of the test: a query that must scan is seen to. */
static void test_a_scan_would_be_seen(void **state)
{
    (void)state;
    if (!have_db) {
        skip();
    }
    struct read_sql scan = {{"scan", "SELECT * FROM trades WHERE quantity < 0", 0}, &table_trades, {PARAM_NONE}};
    char *plan = read_plan(&scan, "custom", "100");
    assert_non_null(strstr(plan, "Seq Scan"));
    free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_query_reads_a_whole_table),
        cmocka_unit_test(test_a_scan_would_be_seen),
    };
    return cmocka_run_group_tests(tests, start_db, stop_db);
}
