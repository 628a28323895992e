#include "base/mem.h"
#include "repo/many.h"
#include "repo/session_testing.h"
#include "repo/testing_rows.h"

enum { ROWS = 40 };

static int set_up(void **state)
{
    return session_testing_start(state, "many", true);
}

static bool has_key(const struct table *table)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (table->columns[i].role == COL_KEY)
            return true;
    return false;
}

/* Arrays of the rows' KEY columns. */
static struct params keys_of(const struct table *table, void **rows, size_t count, struct arena *arena)
{
    struct params keys = params_on(arena);
    for (size_t c = 0; c < table->column_count; c++) {
        const struct column *column = &table->columns[c];
        if (column->role != COL_KEY)
            continue;
        if (column->kind == COL_TEXT) {
            struct slice *texts = arena_alloc(arena, count * sizeof *texts);
            for (size_t i = 0; i < count; i++)
                texts[i] = *(const struct slice *)((const char *)rows[i] + column->offset);
            params_add_text_array(&keys, texts, count);
        } else if (column->kind == COL_I64) {
            int64_t *values = arena_alloc(arena, count * sizeof *values);
            for (size_t i = 0; i < count; i++)
                values[i] = ((const struct col_i64 *)(const void *)((const char *)rows[i] + column->offset))->v;
            params_add_i64_array(&keys, values, count);
        } else {
            return (struct params){.count = 0};
        }
    }
    return keys;
}

static void upsert(struct session *session, const struct many *many, void **rows, size_t count, struct arena *arena)
{
    struct pipeline pipeline;
    struct err err = ERR_INIT;
    pipeline_begin(&pipeline, session);
    if (!many_add_upsert(&pipeline, many, (const void *const *)rows, count, arena, &err) ||
        !pipeline_run_only(&pipeline, &err))
        fail_msg("%s", err.text);
}

static const struct table *current;

/* By key, as C sees it: only used to compare what went in with what came out. */
static void assert_found(void *row, void **rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool same = true;
        for (size_t c = 0; same && c < current->column_count; c++) {
            const struct column *column = &current->columns[c];
            if (column->role != COL_KEY)
                continue;
            const char *a = (const char *)row + column->offset;
            const char *b = (const char *)rows[i] + column->offset;
            same = column->kind == COL_TEXT
                       ? slice_equal(*(const struct slice *)(const void *)a, *(const struct slice *)(const void *)b)
                       : ((const struct col_i64 *)(const void *)a)->v == ((const struct col_i64 *)(const void *)b)->v;
        }
        if (same) {
            rows_assert_same(current, row, rows[i]);
            return;
        }
    }
    fail_msg("a row of %s did not come back", current->name);
}

static void check_table(struct session *session, const struct table *table, uint64_t *random)
{
    struct arena *arena = arena_new(0);
    struct many *many = many_new(table);
    void *rows[ROWS];
    struct err err = ERR_INIT;
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = arena_alloc(arena, table->row_size);
        rows_fill(table, rows[i], i, arena, random);
    }
    struct params keys = keys_of(table, rows, ROWS, arena);
    if (keys.count > 0) {
        upsert(session, many, rows, ROWS, arena);
        upsert(session, many, rows, ROWS / 2, arena);
        struct pipeline pipeline;
        PGresult *results[PIPELINE_MAX];
        size_t count = 0;
        pipeline_begin(&pipeline, session);
        many_add_load(&pipeline, many, &keys);
        if (!pipeline_run(&pipeline, results, &err))
            fail_msg("%s: %s", table->name, err.text);
        void **back = many_decode(table, results[0], &count, arena, &err);
        assert_non_null(back);
        assert_int_equal(count, ROWS);
        current = table;
        for (size_t i = 0; i < ROWS; i++)
            assert_found(rows[i], back, count);
        PQclear(results[0]);
    }
    many_free(many);
    arena_free(arena);
}

static void every_table_with_a_key_gives_back_what_went_in(void **state)
{
    struct session *session = session_testing_of(state);
    uint64_t random = 20251026;
    for (size_t t = 0; t < repo_table_count; t++) {
        /* Filled rows of a serial key repeat each other's numbers where the key is no text. */
        if (has_key(repo_tables[t]) && repo_tables[t] != &table_conversation_messages)
            check_table(session, repo_tables[t], &random);
    }
}

static void arrays_may_be_empty(void **state)
{
    struct session *session = session_testing_of(state);
    struct arena *arena = arena_new(0);
    struct many *many = many_new(&table_models);
    upsert(session, many, NULL, 0, arena);
    struct pipeline pipeline;
    PGresult *results[PIPELINE_MAX];
    struct err err = ERR_INIT;
    struct params keys = params_on(arena);
    params_add_text_array(&keys, NULL, 0);
    struct params numbers = params_on(arena);
    const struct col_i64 mixed[] = {col_i64(-1), {0, false}, col_i64(INT64_MAX)};
    params_add_nullable_i64_array(&numbers, mixed, 3);
    params_add_f64_array(&numbers, (const double[]){-0.0, 1e300}, 2);
    pipeline_begin(&pipeline, session);
    many_add_load(&pipeline, many, &keys);
    pipeline_add(&pipeline, NULL, "SELECT $1::bigint[]::text || $2::float8[]::text", &numbers);
    if (!pipeline_run(&pipeline, results, &err))
        fail_msg("%s", err.text);
    assert_int_equal(PQntuples(results[0]), 0);
    assert_string_equal(PQgetvalue(results[1], 0, 0), "{-1,NULL,9223372036854775807}{-0,1e+300}");
    PQclear(results[0]);
    PQclear(results[1]);
    many_free(many);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_with_a_key_gives_back_what_went_in),
        cmocka_unit_test(arrays_may_be_empty),
    };
    return cmocka_run_group_tests(tests, set_up, session_testing_stop);
}
