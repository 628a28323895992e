#include "assembler/wire.h"
#include "repo/testing_rows.h"

static const struct {
    const struct wire_shape *shape;
    const struct table *table;
} shapes[] = {
    {&wire_account_total, &table_account_equity_snapshots},
    {&wire_position, &table_positions},
    {&wire_position_model, &table_position_feed_models},
    {&wire_trade, &table_trades},
    {&wire_price, &table_price_latest},
    {&wire_inception, &table_since_inception_values},
    {&wire_leader, &table_leaderboard_entries},
    {&wire_conversation, &table_conversations},
    {&wire_message, &table_conversation_messages},
    {&wire_cycle, &table_decision_cycles},
};

enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static const size_t rounds = 300;

static void *column_of(const struct wire_field *field, void *row)
{
    return (char *)row + field->offset;
}

static struct slice *detail_of(const struct wire_shape *shape, void *row)
{
    return (struct slice *)((char *)row + shape->detail_offset);
}

/* A row of ugly values whose wire columns can stand on the wire, without a wire_detail. */
static void fill(size_t which, void *row, struct arena *arena, uint64_t *state)
{
    const struct wire_shape *shape = shapes[which].shape;
    rows_fill(shapes[which].table, row, 1, arena, state);
    *detail_of(shape, row) = (struct slice){NULL, 0};
    for (size_t i = 0; i < shape->field_count; i++) {
        const struct wire_field *field = &shape->fields[i];
        void *column = column_of(field, row);
        if (field->kind == WIRE_I64)
            ((struct col_i64 *)column)->v >>= 11; /* to 2^53 */
        if (i > 0 && strcmp(field[-1].key, field->key) == 0 && ((const struct slice *)column_of(field - 1, row))->p)
            *(struct slice *)column = (struct slice){NULL, 0};
    }
}

/* The member says what the column holds. */
static void check_member(const struct wire_field *field, const void *column, const cJSON *member)
{
    switch (field->kind) {
    case WIRE_TEXT: {
        const struct slice *text = column;
        assert_int_equal(member != NULL, text->p != NULL);
        if (member)
            assert_true(slice_is(*text, member->valuestring));
        return;
    }
    case WIRE_JSON:
    case WIRE_JSONB: {
        const struct slice *text = column;
        assert_int_equal(member != NULL, text->p != NULL);
        if (member) {
            struct buf out = BUF_INIT;
            json_put_cjson(&out, member);
            assert_true(rows_same_json_text(*text, buf_slice(&out)));
            buf_free(&out);
        }
        return;
    }
    case WIRE_F64: {
        const struct col_f64 *number = column;
        assert_int_equal(member != NULL, number->set);
        if (member)
            assert_memory_equal(&number->v, &member->valuedouble, sizeof number->v);
        return;
    }
    case WIRE_I64:
    case WIRE_I32: {
        const struct col_i64 *number = column;
        assert_int_equal(member != NULL, number->set);
        if (member)
            assert_true((double)number->v == member->valuedouble);
        return;
    }
    case WIRE_BOOL: {
        const struct col_bool *flag = column;
        assert_int_equal(member != NULL, flag->set);
        if (member)
            assert_int_equal(cJSON_IsTrue(member), flag->v);
        return;
    }
    }
}

static cJSON *put_and_parse(const struct wire_shape *shape, const void *row)
{
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT;
    if (!wire_put_object(&out, shape, row, &err))
        fail_msg("%s", err.text);
    cJSON *tree = json_parse(buf_slice(&out), &err);
    if (!tree)
        fail_msg("%s in %.*s", err.text, SLICE_ARG(buf_slice(&out)));
    buf_free(&out);
    return tree;
}

/* The next field has the same key and is the one that is set. */
static bool speaks_second(const struct wire_shape *shape, size_t i, void *row)
{
    if (i + 1 == shape->field_count || strcmp(shape->fields[i + 1].key, shape->fields[i].key) != 0)
        return false;
    return ((const struct slice *)column_of(&shape->fields[i + 1], row))->p != NULL;
}

static bool speaks_first(const struct wire_shape *shape, size_t i, void *row)
{
    return i > 0 && strcmp(shape->fields[i - 1].key, shape->fields[i].key) == 0 &&
           ((const struct slice *)column_of(&shape->fields[i - 1], row))->p != NULL;
}

static void columns_stand_on_the_wire(void **unused)
{
    (void)unused;
    uint64_t state = 1;
    struct arena *arena = arena_new(0);
    for (size_t round = 0; round < SHAPES * rounds; round++) {
        const struct wire_shape *shape = shapes[round % SHAPES].shape;
        void *row = arena_zalloc(arena, shapes[round % SHAPES].table->row_size);
        fill(round % SHAPES, row, arena, &state);
        cJSON *tree = put_and_parse(shape, row);
        int expected = 0;
        for (size_t i = 0; i < shape->field_count; i++) {
            const cJSON *member = cJSON_GetObjectItemCaseSensitive(tree, shape->fields[i].key);
            if (speaks_second(shape, i, row) || speaks_first(shape, i, row))
                continue;
            check_member(&shape->fields[i], column_of(&shape->fields[i], row), member);
            expected += member != NULL;
        }
        assert_true(cJSON_GetArraySize(tree) >= expected);
        cJSON_Delete(tree);
        arena_reset(arena);
    }
    arena_free(arena);
}

static void a_row_of_nulls_is_an_empty_object(void **unused)
{
    (void)unused;
    struct arena *arena = arena_new(0);
    for (size_t i = 0; i < SHAPES; i++) {
        struct buf out = BUF_INIT;
        struct err err = ERR_INIT;
        assert_true(wire_put_object(&out, shapes[i].shape, arena_zalloc(arena, shapes[i].table->row_size), &err));
        assert_true(slice_is(buf_slice(&out), "{}"));
        buf_free(&out);
    }
    arena_free(arena);
}

static void assert_put(const struct wire_shape *shape, const void *row, const char *expected)
{
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT;
    if (!wire_put_object(&out, shape, row, &err))
        fail_msg("%s", err.text);
    if (!rows_same_json_text(buf_slice(&out), slice_of(expected)))
        fail_msg("%.*s is not %s", SLICE_ARG(buf_slice(&out)), expected);
    buf_free(&out);
}

static void detail_overrides_adds_and_removes(void **unused)
{
    (void)unused;
    struct price_latest_row row = {.symbol = SLICE("BTC"), .price = col_f64(-0.0), .ts_ms = col_i64(1761452335744)};
    assert_put(&wire_price, &row, "{\"symbol\":\"BTC\",\"price\":-0,\"timestamp\":1761452335744}");
    row.wire_detail = SLICE("{\"unset\": [\"symbol\"]}");
    assert_put(&wire_price, &row, "{\"price\":-0,\"timestamp\":1761452335744}");
    row.wire_detail = SLICE("{\"set\": {\"symbol\": null, \"timestamp\": -0, \"set\": {\"a\": [\"\\u2011\"]}}}");
    assert_put(&wire_price, &row, "{\"price\":-0,\"symbol\":null,\"timestamp\":-0,\"set\":{\"a\":[\"\xe2\x80\x91\"]}}");
    row.wire_detail = SLICE("{\"set\": {\"x\": 1}, \"unset\": [\"price\", \"timestamp\", \"never\"]}");
    assert_put(&wire_price, &row, "{\"symbol\":\"BTC\",\"x\":1}");
    row.wire_detail = SLICE("{}");
    assert_put(&wire_price, &row, "{\"symbol\":\"BTC\",\"price\":-0,\"timestamp\":1761452335744}");
}

static void a_trace_is_a_text_or_anything(void **unused)
{
    (void)unused;
    struct decision_cycles_row row = {.source_id = SLICE("a"), .cot_trace = SLICE("why \xe2\x86\x92")};
    assert_put(&wire_cycle, &row, "{\"id\":\"a\",\"cot_trace\":\"why \xe2\x86\x92\"}");
    row.cot_trace = (struct slice){NULL, 0};
    row.cot_trace_doc = SLICE("{\"BTC\": [1.5, null]}");
    assert_put(&wire_cycle, &row, "{\"id\":\"a\",\"cot_trace\":{\"BTC\":[1.5,null]}}");
}

static void corrupt_rows_are_named(void **unused)
{
    (void)unused;
    static const char *const details[] = {"[]",
                                          "{\"set\": []}",
                                          "{\"unset\": {}}",
                                          "{\"unset\": [1]}",
                                          "{\"other\": 1}",
                                          "{\"set\": {}, \"sets\": {}}",
                                          "{",
                                          "",
                                          "null"};
    struct leaderboard_entries_row row = {.id = SLICE("gpt-5"), .num_trades = col_i64(3)};
    for (size_t i = 0; i < sizeof details / sizeof details[0]; i++) {
        struct err err = ERR_INIT;
        struct buf out = BUF_INIT;
        row.wire_detail = slice_of(details[i]);
        assert_false(wire_put_object(&out, &wire_leader, &row, &err));
        assert_int_equal(err.code, ERR_INTERNAL);
        assert_non_null(strstr(err.text, "\"gpt-5\""));
        buf_free(&out);
    }
    static const double no_numbers[] = {(double)INFINITY, (double)-INFINITY, (double)NAN};
    row.wire_detail = (struct slice){NULL, 0};
    for (size_t i = 0; i < 3; i++) {
        struct err err = ERR_INIT;
        struct buf out = BUF_INIT;
        row.equity = col_f64(no_numbers[i]);
        assert_false(wire_put_object(&out, &wire_leader, &row, &err));
        assert_int_equal(err.code, ERR_INTERNAL);
        assert_non_null(strstr(err.text, "\"gpt-5\": equity"));
        buf_free(&out);
    }
}

/* A key stands twice only as a text and, right behind it, as any value; every key goes out as it is named. */
static void the_lists_keep_their_rules(void **unused)
{
    (void)unused;
    for (size_t s = 0; s < SHAPES; s++) {
        const struct wire_shape *shape = shapes[s].shape;
        assert_in_range(shape->field_count, 1, 63);
        for (size_t i = 0; i < shape->field_count; i++) {
            const struct wire_field *field = &shape->fields[i];
            char lead[80];
            (void)snprintf(lead, sizeof lead, "\"%s\":", field->key);
            assert_true(slice_is(field->lead, lead));
            for (size_t k = 0; k < i; k++) {
                if (strcmp(shape->fields[k].key, field->key) == 0) {
                    assert_int_equal(k + 1, i);
                    assert_int_equal(shape->fields[k].kind, WIRE_TEXT);
                    assert_int_equal(field->kind, WIRE_JSONB);
                }
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_stand_on_the_wire),
        cmocka_unit_test(a_row_of_nulls_is_an_empty_object),
        cmocka_unit_test(detail_overrides_adds_and_removes),
        cmocka_unit_test(a_trace_is_a_text_or_anything),
        cmocka_unit_test(corrupt_rows_are_named),
        cmocka_unit_test(the_lists_keep_their_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
