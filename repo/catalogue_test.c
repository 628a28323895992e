/* Holds every .def against the catalogue of a freshly migrated database, both ways. */
#include "base/buf.h"
#include "repo/decode.h"
#include "repo/session_testing.h"

static int set_up(void **state)
{
    return session_testing_start(state, "catalogue", true);
}

static PGresult *ask(void **state, const char *sql, const char *table)
{
    struct session_testing *fixture = *state;
    if (!fixture)
        skip();
    struct err err = ERR_INIT;
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    if (table)
        params_add_text(&params, slice_of(table));
    PGresult *result = session_query(fixture->session, sql, &params, &err);
    arena_free(arena);
    if (!result)
        fail_msg("%s", err.text);
    return result;
}

static void columns_are_those_of_the_database(void **state)
{
    for (size_t t = 0; t < repo_table_count; t++) {
        const struct table *table = repo_tables[t];
        PGresult *result = ask(state,
                               "SELECT column_name::text, data_type::text, is_nullable::text, "
                               "column_default IS NOT NULL FROM information_schema.columns "
                               "WHERE table_schema = current_schema() AND table_name = $1",
                               table->name);
        if ((size_t)PQntuples(result) != table->column_count)
            fail_msg("%s has %d columns, its .def %zu", table->name, PQntuples(result), table->column_count);
        for (size_t c = 0; c < table->column_count; c++) {
            const struct column *column = &table->columns[c];
            int row = 0;
            while (row < PQntuples(result) && strcmp(PQgetvalue(result, row, 0), column->name) != 0)
                row++;
            if (row == PQntuples(result))
                fail_msg("%s.%s is not in the database", table->name, column->name);
            if (strcmp(PQgetvalue(result, row, 1), col_kind_sql(column->kind)) != 0)
                fail_msg("%s.%s is %s in the database", table->name, column->name, PQgetvalue(result, row, 1));
            if ((strcmp(PQgetvalue(result, row, 2), "NO") == 0) != column->not_null)
                fail_msg("%s.%s: nullable is %s", table->name, column->name, PQgetvalue(result, row, 2));
            if (!column_is_written(column) && !*PQgetvalue(result, row, 3))
                fail_msg("%s.%s is not written and has no default", table->name, column->name);
        }
        PQclear(result);
    }
}

static void no_table_is_without_a_def(void **state)
{
    PGresult *result = ask(state,
                           "SELECT table_name::text FROM information_schema.tables WHERE table_schema = "
                           "current_schema() AND table_type = 'BASE TABLE' AND table_name <> 'schema_migrations'",
                           NULL);
    assert_int_equal(PQntuples(result), repo_table_count);
    for (int i = 0; i < PQntuples(result); i++)
        if (!repo_table_find(PQgetvalue(result, i, 0)))
            fail_msg("%s has no .def", PQgetvalue(result, i, 0));
    PQclear(result);
}

/* An upsert conflicts on the KEY columns: there must be a unique index on exactly those. */
static void keys_are_unique(void **state)
{
    for (size_t t = 0; t < repo_table_count; t++) {
        const struct table *table = repo_tables[t];
        struct buf keys = BUF_INIT;
        if (table_put_role_columns(&keys, table, COL_KEY, "") > 0) {
            PGresult *result = ask(state,
                                   "SELECT string_agg(a.attname, ', ' ORDER BY k.place) FROM pg_index i, "
                                   "unnest(i.indkey) WITH ORDINALITY AS k(attnum, place), pg_attribute a "
                                   "WHERE i.indrelid = $1::regclass AND i.indisunique AND i.indpred IS NULL "
                                   "AND a.attrelid = i.indrelid AND a.attnum = k.attnum GROUP BY i.indexrelid",
                                   table->name);
            bool found = false;
            for (int i = 0; i < PQntuples(result); i++)
                found = found || strcmp(PQgetvalue(result, i, 0), buf_cstr(&keys)) == 0;
            if (!found)
                fail_msg("%s has no unique index on (%s)", table->name, buf_cstr(&keys));
            PQclear(result);
        }
        buf_free(&keys);
    }
}

/* Reads sort texts; bytewise order must not depend on the server's locale. */
static void keys_compare_bytewise(void **state)
{
    PGresult *result = ask(state,
                           "SELECT c.relname || '.' || a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid "
                           "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY(i.indkey) "
                           "JOIN pg_collation l ON l.oid = a.attcollation WHERE c.relnamespace = "
                           "current_schema()::regnamespace AND l.collname <> 'C'",
                           NULL);
    if (PQntuples(result) > 0)
        fail_msg("%s is indexed in the server's locale", PQgetvalue(result, 0, 0));
    PQclear(result);
}

static void views_refresh_while_read_and_unpopulated(void **state)
{
    static const char *const views[] = {"v_crypto_prices_latest", "v_leaderboard", "v_since_inception"};
    struct session_testing *fixture = *state;
    struct err err = ERR_INIT;
    if (!fixture)
        skip();
    PQclear(ask(state,
                "INSERT INTO account_equity_snapshots (model_id, ts_ms, dollar_equity, cum_pnl_pct) "
                "VALUES ('a', 1, 10000, 0), ('a', 2, 12000, 20), ('zero', 1, 0, NULL)",
                NULL));
    PQclear(ask(state,
                "INSERT INTO trades (id, model_id, symbol, entry_ts_ms, realized_net_pnl) VALUES "
                "('1', 'a', 'BTC', 1, 5), ('2', 'a', 'BTC', 1, -3), ('3', 'a', 'BTC', 1, 0)",
                NULL));
    PQclear(ask(state, "INSERT INTO decision_cycles (model_id) VALUES ('a'), ('a')", NULL));
    PQclear(ask(state, "INSERT INTO price_latest (provider, symbol, price, ts_ms) VALUES ('p', 'BTC', 7, 9)", NULL));
    for (int round = 0; round < 2; round++) {
        PQclear(ask(state, "SELECT refresh_views_nof0()", NULL));
        PGresult *leader =
            ask(state,
                "SELECT format('%s %s %s %s %s %s %s %s', num_trades, num_wins, num_losses, win_dollars, "
                "lose_dollars, return_pct, equity, sharpe) FROM v_leaderboard ORDER BY model_id",
                NULL);
        assert_int_equal(PQntuples(leader), 2);
        assert_string_equal(PQgetvalue(leader, 0, 0), "3 1 2 5 3 20 12000 0");
        assert_string_equal(PQgetvalue(leader, 1, 0), "0 0 0 0 0 0 0 0");
        PQclear(leader);
        PGresult *inception = ask(state,
                                  "SELECT concat_ws(' ', model_id, timestamp_ms, nav_since_inception, inception_ts_ms, "
                                  "num_invocations) FROM v_since_inception ORDER BY model_id, timestamp_ms",
                                  NULL);
        assert_int_equal(PQntuples(inception), 3);
        assert_string_equal(PQgetvalue(inception, 1, 0), "a 2 1.2 1 2");
        assert_string_equal(PQgetvalue(inception, 2, 0), "zero 1 1 0");
        PQclear(inception);
        PGresult *price = ask(state, "SELECT format('%s %s', price, timestamp_ms) FROM v_crypto_prices_latest", NULL);
        assert_string_equal(PQgetvalue(price, 0, 0), "7 9");
        PQclear(price);
        for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
            char sql[128];
            snprintf(sql, sizeof sql, "REFRESH MATERIALIZED VIEW %s WITH NO DATA", views[i]);
            if (!session_exec(fixture->session, sql, &err))
                fail_msg("%s", err.text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_those_of_the_database),
        cmocka_unit_test(no_table_is_without_a_def),
        cmocka_unit_test(keys_are_unique),
        cmocka_unit_test(keys_compare_bytewise),
        cmocka_unit_test(views_refresh_while_read_and_unpopulated),
    };
    return cmocka_run_group_tests(tests, set_up, session_testing_stop);
}
