#include "base/mem.h"
#include "repo/bulk.h"
#include "repo/session_testing.h"
#include "repo/testing_rows.h"

enum { ROWS = 200 };

static int set_up(void **state)
{
    return session_testing_start(state, "bulk", true);
}

/* Loads `count` rows of row_size bytes in a transaction of its own. */
static struct bulk_counts load(struct session *session, const struct table *table, const void *rows, size_t count,
                               enum bulk_merge_kind kind)
{
    struct err err = ERR_INIT;
    struct bulk_counts counts;
    session_testing_must(session, "BEGIN");
    struct bulk *bulk = bulk_begin(session, table, &err);
    assert_non_null(bulk);
    for (size_t i = 0; i < count; i++)
        if (!bulk_add(bulk, (const char *)rows + i * table->row_size, &err))
            fail_msg("%s", err.text);
    if (!bulk_merge(bulk, kind, &counts, &err))
        fail_msg("%s", err.text);
    bulk_free(bulk);
    session_testing_must(session, "COMMIT");
    return counts;
}

static void assert_counts(struct bulk_counts counts, int64_t inserted, int64_t updated, int64_t unchanged, int64_t left)
{
    assert_int_equal(counts.inserted, inserted);
    assert_int_equal(counts.updated, updated);
    assert_int_equal(counts.unchanged, unchanged);
    assert_int_equal(counts.left, left);
}

struct comparison {
    const struct table *table;
    const char *rows;
    size_t count;
    bool serial; /* rows come in the order of a serial id, which must be the order in which they were added */
};

/* The number that rows_fill has put behind the '#' of a text key. */
static size_t number_in_key(const struct table *table, const void *row)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const struct column *column = &table->columns[i];
        if (column->role != COL_KEY || column->kind != COL_TEXT)
            continue;
        const struct slice *key = (const void *)((const char *)row + column->offset);
        const char *sign = memrchr(key->p, '#', key->n);
        assert_non_null(sign);
        return strtoul(sign + 1, NULL, 10);
    }
    fail_msg("%s has no text key", table->name);
    return 0;
}

static bool compare(void *arg, const void *row, struct err *err)
{
    struct comparison *comparison = arg;
    (void)err;
    size_t number = comparison->serial ? comparison->count : number_in_key(comparison->table, row);
    assert_true(number < ROWS);
    rows_assert_same(comparison->table, comparison->rows + number * comparison->table->row_size, row);
    comparison->count++;
    return true;
}

static void assert_table_holds(struct session *session, const struct table *table, const void *rows, size_t count)
{
    struct err err = ERR_INIT;
    struct buf sql = BUF_INIT;
    struct comparison comparison = {table, rows, 0, table->columns[0].role == COL_AUTO};
    buf_append_str(&sql, "SELECT ");
    table_put_columns(&sql, table, "");
    buf_printf(&sql, " FROM %s%s", table->name, comparison.serial ? " ORDER BY id" : "");
    if (!session_each_row(session, buf_cstr(&sql), NULL, table, compare, &comparison, &err))
        fail_msg("%s", err.text);
    assert_int_equal(comparison.count, count);
    buf_free(&sql);
}

static bool has_key(const struct table *table)
{
    struct buf keys = BUF_INIT;
    size_t count = table_put_role_columns(&keys, table, COL_KEY, "");
    buf_free(&keys);
    return count > 0;
}

static void every_table_loads_and_loads_again_as_nothing(void **state)
{
    struct session *session = session_testing_of(state);
    uint64_t random = 42;
    session_testing_must(session, "INSERT INTO conversations (id, source_key, model_id) VALUES (1, 'k', 'm')");
    for (size_t t = 0; t < repo_table_count; t++) {
        const struct table *table = repo_tables[t];
        if (table == &table_conversations)
            session_testing_must(session, "DELETE FROM conversations");
        struct arena *arena = arena_new(0);
        char *rows = arena_alloc(arena, ROWS * table->row_size);
        for (size_t i = 0; i < ROWS; i++)
            rows_fill(table, rows + i * table->row_size, i, arena, &random);
        assert_counts(load(session, table, rows, ROWS, BULK_KEEP_FEED), ROWS, 0, 0, 0);
        assert_table_holds(session, table, rows, ROWS);
        if (has_key(table))
            assert_counts(load(session, table, rows, ROWS, BULK_KEEP_FEED), 0, 0, ROWS, 0);
        if (table == &table_conversations) {
            session_testing_must(session, "DELETE FROM conversations");
            session_testing_must(session, "INSERT INTO conversations (id, source_key, model_id) VALUES (1, 'k', 'm')");
        }
        arena_free(arena);
    }
}

static struct since_inception_values_row inception(const char *id, double nav, int64_t ordinal)
{
    return (struct since_inception_values_row){.id = slice_of(id),
                                               .model_id = SLICE("m"),
                                               .nav_since_inception = col_f64(nav),
                                               .feed_ordinal = col_i64(ordinal)};
}

static void rows_change_and_leave_the_feed(void **state)
{
    struct session *session = session_testing_of(state);
    const struct table *table = &table_since_inception_values;
    session_testing_must(session, "TRUNCATE since_inception_values");
    struct since_inception_values_row first[] = {inception("a", 1, 1), inception("b", 2, 2), inception("c", 0.0, 3)};
    assert_counts(load(session, table, first, 3, BULK_LEAVE_FEED), 3, 0, 0, 0);
    struct since_inception_values_row second[] = {inception("b", 2, 2), inception("c", -0.0, 3), inception("d", 1, 4)};
    assert_counts(load(session, table, second, 3, BULK_LEAVE_FEED), 1, 1, 1, 1);
    assert_counts(load(session, table, second, 3, BULK_LEAVE_FEED), 0, 0, 3, 0);
    assert_counts(load(session, table, first, 1, BULK_KEEP_FEED), 0, 1, 0, 0);
    assert_counts(load(session, table, NULL, 0, BULK_LEAVE_FEED), 0, 0, 0, 4);
    struct err err = ERR_INIT;
    int64_t in_history = 0;
    assert_true(
        session_run(session, "SELECT FROM since_inception_values WHERE feed_ordinal IS NULL", NULL, &in_history, &err));
    assert_int_equal(in_history, 4);
}

static void two_loads_go_side_by_side(void **state)
{
    struct session *session = session_testing_of(state);
    struct err err = ERR_INIT;
    session_testing_must(session, "TRUNCATE since_inception_values, position_feed_models");
    session_testing_must(session, "BEGIN");
    struct bulk *a = bulk_begin(session, &table_since_inception_values, &err);
    struct bulk *b = bulk_begin(session, &table_position_feed_models, &err);
    assert_non_null(a);
    assert_non_null(b);
    char *long_text = mem_alloc(100000);
    memset(long_text, 'x', 100000);
    for (int i = 0; i < 50; i++) { /* several chunks each */
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        struct since_inception_values_row x = inception(id, i, i);
        struct position_feed_models_row y = {.model_id = slice_of(id), .feed_ordinal = col_i64(i)};
        struct buf detail = BUF_INIT;
        json_put_string(&detail, (struct slice){long_text, 100000});
        x.wire_detail = buf_slice(&detail);
        y.wire_detail = buf_slice(&detail);
        assert_true(bulk_add(a, &x, &err));
        assert_true(bulk_add(b, &y, &err));
        buf_free(&detail);
    }
    free(long_text);
    struct bulk_counts counts;
    assert_true(bulk_merge(b, BULK_LEAVE_FEED, &counts, &err));
    assert_counts(counts, 50, 0, 0, 0);
    assert_true(bulk_flush(a, &err));
    int64_t staged = 0;
    struct buf sql = BUF_INIT;
    buf_printf(&sql, "SELECT FROM %s", bulk_staging(a));
    assert_true(session_run(session, buf_cstr(&sql), NULL, &staged, &err));
    assert_int_equal(staged, 50);
    buf_free(&sql);
    assert_true(bulk_merge(a, BULK_KEEP_FEED, &counts, &err));
    assert_counts(counts, 50, 0, 0, 0);
    bulk_free(a);
    bulk_free(b);
    session_testing_must(session, "COMMIT");
}

static void the_same_key_twice_is_a_conflict(void **state)
{
    struct session *session = session_testing_of(state);
    struct err err = ERR_INIT;
    struct bulk_counts counts;
    session_testing_must(session, "BEGIN");
    struct bulk *bulk = bulk_begin(session, &table_since_inception_values, &err);
    struct since_inception_values_row row = inception("twice", 1, 1);
    assert_true(bulk_add(bulk, &row, &err));
    assert_true(bulk_add(bulk, &row, &err));
    assert_false(bulk_merge(bulk, BULK_KEEP_FEED, &counts, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_non_null(strstr(err.text, "twice"));
    bulk_free(bulk);
    session_rollback(session);
}

static void what_the_schema_refuses_is_invalid(void **state)
{
    struct session *session = session_testing_of(state);
    struct err err = ERR_INIT;
    struct bulk_counts counts;
    struct positions_row row = {.id = SLICE("p"),
                                .model_id = SLICE("m"),
                                .symbol = SLICE("BTC"),
                                .side = SLICE("sideways"),
                                .status = SLICE("open"),
                                .entry_time_ms = col_i64(1),
                                .entry_price = col_f64(1),
                                .quantity = col_f64(1),
                                .metadata = SLICE("{}")};
    session_testing_must(session, "BEGIN");
    struct bulk *bulk = bulk_begin(session, &table_positions, &err);
    assert_true(bulk_add(bulk, &row, &err));
    assert_false(bulk_merge(bulk, BULK_KEEP_FEED, &counts, &err));
    assert_int_equal(err.code, ERR_INVALID);
    bulk_free(bulk);
    session_rollback(session);

    session_testing_must(session, "BEGIN");
    bulk = bulk_begin(session, &table_positions, &err);
    row.side = SLICE("long");
    row.exit_plan = SLICE("{no json");
    assert_true(bulk_add(bulk, &row, &err));
    assert_false(bulk_flush(bulk, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.text, "positions"));
    bulk_free(bulk);
    session_rollback(session);

    session_testing_must(session, "BEGIN");
    bulk = bulk_begin(session, &table_positions, &err);
    row.exit_plan = (struct slice){NULL, 0};
    row.symbol = (struct slice){NULL, 0};
    assert_false(bulk_add(bulk, &row, &err)); /* a bad row alone does not spoil the load */
    row.symbol = SLICE("BTC");
    assert_true(bulk_add(bulk, &row, &err));
    assert_true(bulk_merge(bulk, BULK_KEEP_FEED, &counts, &err));
    assert_counts(counts, 1, 0, 0, 0);
    bulk_free(bulk);
    session_testing_must(session, "ROLLBACK");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_loads_and_loads_again_as_nothing),
        cmocka_unit_test(rows_change_and_leave_the_feed),
        cmocka_unit_test(two_loads_go_side_by_side),
        cmocka_unit_test(the_same_key_twice_is_a_conflict),
        cmocka_unit_test(what_the_schema_refuses_is_invalid),
    };
    return cmocka_run_group_tests(tests, set_up, session_testing_stop);
}
