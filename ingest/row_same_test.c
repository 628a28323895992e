#include "base/mem.h"
#include "ingest/row_same.h"
#include "repo/testing_rows.h"

/* Every column that is written counts, unless it is left out. */
static void every_column_counts(void **state)
{
    (void)state;
    uint64_t random = 20251026;
    for (size_t t = 0; t < repo_table_count; t++) {
        const struct table *table = repo_tables[t];
        struct arena *arena = arena_new(0);
        char *a = arena_alloc(arena, table->row_size);
        char *b = arena_alloc(arena, table->row_size);
        rows_fill(table, a, 1, arena, &random);
        assert_true(row_same(table, a, a, NULL, NULL));
        for (size_t c = 0; c < table->column_count; c++) {
            const struct column *column = &table->columns[c];
            const char *const except[] = {column->name, NULL};
            const char *differs = NULL;
            size_t end = c + 1 < table->column_count ? column[1].offset : table->row_size;
            if (!column_is_written(column))
                continue;
            memcpy(b, a, table->row_size);
            memset(b + column->offset, 0, end - column->offset); /* NULL */
            bool was_null = memcmp(a, b, table->row_size) == 0;
            assert_int_equal(row_same(table, a, b, NULL, &differs), was_null);
            if (!was_null)
                assert_string_equal(differs, column->name);
            assert_true(row_same(table, a, b, except, NULL));
        }
        arena_free(arena);
    }
}

static void documents_are_compared_as_such(void **state)
{
    (void)state;
    struct trades_row a = {.id = SLICE("a"), .exit_plan = SLICE("{\"x\":1,\"y\":[2.50]}"), .quantity = col_f64(0.0)};
    struct trades_row b = {.id = SLICE("a"), .exit_plan = SLICE("{\"y\": [2.5], \"x\": 1}"), .quantity = col_f64(0.0)};
    assert_true(row_same(&table_trades, &a, &b, NULL, NULL));
    b.exit_plan = SLICE("{\"x\":1,\"y\":[-2.5]}");
    assert_false(row_same(&table_trades, &a, &b, NULL, NULL));
    b.exit_plan = a.exit_plan;
    b.quantity = col_f64(-0.0);
    assert_false(row_same(&table_trades, &a, &b, NULL, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_column_counts),
        cmocka_unit_test(documents_are_compared_as_such),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
