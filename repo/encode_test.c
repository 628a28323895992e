#include "repo/decode.h"
#include "repo/encode.h"
#include "repo/session_testing.h"
#include "repo/testing_rows.h"

enum { ROWS = 60 };

static int set_up(void **state)
{
    return session_testing_start(state, "encode", true);
}

/* Upserts one row; returns how many rows changed. */
static int64_t upsert(struct session *session, const struct table *table, const void *row)
{
    struct err err = ERR_INIT;
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    struct buf sql = BUF_INIT;
    int64_t affected = -1;
    table_put_upsert(&sql, table);
    if (!table_put_params(&params, table, row, &err) || !session_run(session, buf_cstr(&sql), &params, &affected, &err))
        fail_msg("%s: %s", table->name, err.text);
    buf_free(&sql);
    arena_free(arena);
    return affected;
}

/* The table's only row. */
static PGresult *read_back(struct session *session, const struct table *table)
{
    struct err err = ERR_INIT;
    struct buf sql = BUF_INIT;
    buf_append_str(&sql, "SELECT ");
    table_put_columns(&sql, table, "t.");
    buf_printf(&sql, " FROM %s AS t", table->name);
    PGresult *result = session_query(session, buf_cstr(&sql), NULL, &err);
    if (!result)
        fail_msg("%s", err.text);
    assert_int_equal(PQntuples(result), 1);
    buf_free(&sql);
    return result;
}

static bool has_key(const struct table *table)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].role == COL_KEY)
            return true;
    return false;
}

static void round_trip(struct session *session, const struct table *table, size_t number, uint64_t *random)
{
    struct err err = ERR_INIT;
    struct arena *arena = arena_new(0);
    void *row = arena_alloc(arena, table->row_size);
    void *again = arena_alloc(arena, table->row_size);
    rows_fill(table, row, number, arena, random);
    assert_int_equal(upsert(session, table, row), 1);
    if (has_key(table))
        assert_int_equal(upsert(session, table, row), 0);
    PGresult *result = read_back(session, table);
    if (!table_decode(table, result, 0, 0, again, arena, &err))
        fail_msg("%s", err.text);
    rows_assert_same(table, row, again);
    PQclear(result);
    struct buf sql = BUF_INIT;
    buf_printf(&sql, "DELETE FROM %s", table->name);
    session_testing_must(session, buf_cstr(&sql));
    buf_free(&sql);
    arena_free(arena);
}

static void every_table_gives_back_what_went_in(void **state)
{
    struct session_testing *fixture = *state;
    if (!fixture)
        skip();
    uint64_t random = 20251026;
    /* Each row is deleted again, also from a log. */
    session_testing_must(fixture->session, "ALTER TABLE feature_flag_changes DISABLE TRIGGER USER");
    for (size_t t = 0; t < repo_table_count; t++) {
        const struct table *table = repo_tables[t];
        bool messages = table == &table_conversation_messages;
        if (messages)
            session_testing_must(fixture->session,
                                 "INSERT INTO conversations (id, source_key, model_id) VALUES (1, 'k', 'm')");
        session_testing_must(fixture->session, "BEGIN");
        for (size_t i = 0; i < ROWS; i++)
            round_trip(fixture->session, table, i, &random);
        session_testing_must(fixture->session, "COMMIT");
    }
}

static void a_changed_sign_of_zero_is_a_change(void **state)
{
    struct session_testing *fixture = *state;
    if (!fixture)
        skip();
    struct price_latest_row row = {
        .provider = SLICE("p"), .symbol = SLICE("S"), .price = col_f64(0.0), .ts_ms = col_i64(1), .raw = SLICE("[0]")};
    assert_int_equal(upsert(fixture->session, &table_price_latest, &row), 1);
    assert_int_equal(upsert(fixture->session, &table_price_latest, &row), 0);
    row.price = col_f64(-0.0);
    assert_int_equal(upsert(fixture->session, &table_price_latest, &row), 1);
    row.raw = SLICE("[-0]");
    assert_int_equal(upsert(fixture->session, &table_price_latest, &row), 1);
    assert_int_equal(upsert(fixture->session, &table_price_latest, &row), 0);
}

static void the_decoder_refuses_what_does_not_fit(void **state)
{
    struct session_testing *fixture = *state;
    if (!fixture)
        skip();
    static const char *const wrong[] = {
        /* too few fields, another type, a NULL, an instant out of range */
        "SELECT 'a'::text",
        "SELECT 'a'::text, NULL::float8, NULL::jsonb, now(), now()",
        "SELECT NULL::text, NULL::bigint, NULL::jsonb, now(), now()",
        "SELECT 'a'::text, NULL::bigint, NULL::jsonb, now(), '294276-12-31'::timestamptz",
        "SELECT 'a'::text, NULL::bigint, '{\"$exact\":\"[-0\"}'::jsonb, now(), now()",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err err = ERR_INIT;
        struct arena *arena = arena_new(0);
        struct position_feed_models_row row;
        PGresult *result = session_query(fixture->session, wrong[i], NULL, &err);
        assert_non_null(result);
        assert_false(table_decode(&table_position_feed_models, result, 0, 0, &row, arena, &err));
        assert_non_null(strstr(err.text, "position_feed_models"));
        PQclear(result);
        arena_free(arena);
    }
    struct err err = ERR_INIT;
    PGresult *text =
        PQexec(session_connection(fixture->session), "SELECT model_id, feed_ordinal, wire_detail, "
                                                     "now(), now() FROM (VALUES ('a', 1::bigint, "
                                                     "NULL::jsonb)) AS v (model_id, feed_ordinal, wire_detail)");
    struct position_feed_models_row row;
    assert_int_equal(PQntuples(text), 1);
    assert_false(table_decode(&table_position_feed_models, text, 0, 0, &row, NULL, &err));
    assert_non_null(strstr(err.text, "binary"));
    PQclear(text);
}

static void refused(const struct table *table, const void *row, const char *column)
{
    struct err err = ERR_INIT;
    struct arena *arena = arena_new(0);
    struct params params = params_on(arena);
    struct buf copy = BUF_INIT;
    assert_false(table_put_params(&params, table, row, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.text, column));
    buf_append_str(&copy, "kept");
    assert_false(table_put_copy_row(&copy, table, row, &err));
    assert_string_equal(buf_cstr(&copy), "kept");
    buf_free(&copy);
    arena_free(arena);
}

static void a_row_is_checked_before_it_is_sent(void **state)
{
    (void)state;
    struct account_equity_snapshots_row good = {
        .model_id = SLICE("m"), .ts_ms = col_i64(1), .dollar_equity = col_f64(1), .metadata = SLICE("{}")};
    struct err err = ERR_INIT;
    struct buf copy = BUF_INIT;
    assert_true(table_put_copy_row(&copy, &table_account_equity_snapshots, &good, &err));
    buf_free(&copy);

    struct account_equity_snapshots_row row = good;
    row.metadata = (struct slice){NULL, 0};
    refused(&table_account_equity_snapshots, &row, "account_equity_snapshots.metadata");
    row = good;
    row.dollar_equity = col_f64((double)NAN);
    refused(&table_account_equity_snapshots, &row, "account_equity_snapshots.dollar_equity");
    row.dollar_equity = col_f64((double)-INFINITY);
    refused(&table_account_equity_snapshots, &row, "account_equity_snapshots.dollar_equity");
    row = good;
    row.model_id = SLICE("a\0b");
    refused(&table_account_equity_snapshots, &row, "account_equity_snapshots.model_id");
    row = good;
    row.since_inception_hourly_marker = col_i64(INT64_C(2147483648));
    refused(&table_account_equity_snapshots, &row, "account_equity_snapshots.since_inception_hourly_marker");
    static const char *const uuids[] = {"", "00000000-0000-0000-0000-00000000000",
                                        "00000000-0000-0000-0000-00000000000g", "00000000x0000-0000-0000-000000000000"};
    for (size_t i = 0; i < sizeof uuids / sizeof uuids[0]; i++) {
        row = good;
        row.run_id = slice_of(uuids[i]);
        refused(&table_account_equity_snapshots, &row, "account_equity_snapshots.run_id");
    }
    struct trader_state_row trader = {.trader_id = SLICE("t"), .pause_until = col_i64(INT64_MIN + 1)};
    refused(&table_trader_state, &trader, "trader_state.pause_until");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_gives_back_what_went_in),
        cmocka_unit_test(a_changed_sign_of_zero_is_a_change),
        cmocka_unit_test(the_decoder_refuses_what_does_not_fit),
        cmocka_unit_test(a_row_is_checked_before_it_is_sent),
    };
    return cmocka_run_group_tests(tests, set_up, session_testing_stop);
}
