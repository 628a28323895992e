#include "base/testing.h"
#include "repo/table.h"

static void assert_text(struct buf *buf, const char *want)
{
    assert_string_equal(buf_cstr(buf), want);
    buf_free(buf);
}

static void column_lists_follow_the_def(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    table_put_columns(&out, &table_models, "t.");
    assert_text(&out, "t.id, t.display_name, t.description, t.metadata, t.created_at, t.updated_at");
    table_put_written_columns(&out, &table_models);
    assert_text(&out, "id, display_name, description, metadata");
    assert_int_equal(table_put_role_columns(&out, &table_market_assets, COL_KEY, "s."), 2);
    assert_text(&out, "s.provider, s.symbol");
}

static void the_upsert_leaves_equal_rows_alone(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    table_put_upsert(&out, &table_models);
    assert_text(&out, "INSERT INTO models (id, display_name, description, metadata) VALUES ($1, $2, $3, $4)"
                      " ON CONFLICT (id) DO UPDATE SET display_name = EXCLUDED.display_name, description ="
                      " EXCLUDED.description, metadata = EXCLUDED.metadata, updated_at = now() WHERE"
                      " ROW(models.display_name, models.description, models.metadata)::record *<>"
                      " ROW(EXCLUDED.display_name, EXCLUDED.description, EXCLUDED.metadata)::record");
}

static void a_table_without_a_key_only_inserts(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    table_put_upsert(&out, &table_price_ticks);
    assert_text(&out, "INSERT INTO price_ticks (provider, symbol, price, ts_ms, volume, raw) VALUES"
                      " ($1, $2, $3, $4, $5, $6)");
}

static void every_column_has_its_own_place_in_the_row(void **state)
{
    (void)state;
    for (size_t t = 0; t < repo_table_count; t++) {
        const struct table *table = repo_tables[t];
        assert_ptr_equal(repo_table_find(table->name), table);
        for (size_t i = 0; i < table->column_count; i++) {
            assert_true(table->columns[i].offset < table->row_size);
            assert_true(i == 0 || table->columns[i].offset > table->columns[i - 1].offset);
        }
    }
    assert_null(repo_table_find("bananas"));
    assert_int_equal(table_trades.columns[0].offset, offsetof(struct trades_row, id));
    assert_int_equal(table_trades.row_size, sizeof(struct trades_row));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(column_lists_follow_the_def),
        cmocka_unit_test(the_upsert_leaves_equal_rows_alone),
        cmocka_unit_test(a_table_without_a_key_only_inserts),
        cmocka_unit_test(every_column_has_its_own_place_in_the_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
