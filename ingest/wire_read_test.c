#include "ingest/canonical.h"
#include "ingest/wire_read.h"
#include "repo/testing_rows.h"

static const size_t rounds = 2000;

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

struct faults {
    struct buf text; /* "path: what\n" each */
    size_t count;
};

static void on_fault(void *arg, const char *path, const char *what)
{
    struct faults *faults = arg;
    buf_printf(&faults->text, "%s: %s\n", path, what);
    faults->count++;
}

static void put_fitting(struct buf *out, enum wire_kind kind, uint64_t *state)
{
    struct buf text = BUF_INIT;
    switch (kind) {
    case WIRE_TEXT:
        rows_put_text(&text, state);
        json_put_string(out, buf_slice(&text));
        break;
    case WIRE_F64:
        json_put_double(out, rows_double(state));
        break;
    case WIRE_I64:
    case WIRE_I32:
        if (rows_below(state, 6) == 0)
            buf_append_str(out, rows_below(state, 2) ? "-0" : "-0.0e1");
        else if (kind == WIRE_I32)
            json_put_i64(out, rows_integer(state, INT32_MIN, INT32_MAX));
        else
            json_put_i64(out, rows_integer(state, -(INT64_C(1) << 53), INT64_C(1) << 53));
        break;
    case WIRE_BOOL:
        json_put_bool(out, rows_below(state, 2));
        break;
    case WIRE_JSON:
    case WIRE_JSONB:
        rows_put_json(out, state, 0);
        break;
    }
    buf_free(&text);
}

/* Any object that the shape takes: members missing and null where they may be, unknown ones among them. */
static void put_object(struct buf *out, const struct wire_shape *shape, uint64_t *state)
{
    static const char *const strange[] = {"extra", "set", "unset", "wire_detail", "", "a b", "\xe2\x82\xac"};
    struct json_writer w = json_writer_on(out);
    json_begin_object(&w);
    size_t first = rows_below(state, shape->field_count);
    for (size_t n = 0; n < shape->field_count; n++) {
        size_t i = (first + n) % shape->field_count;
        const struct wire_field *field = &shape->fields[i];
        bool second = i > 0 && strcmp(field[-1].key, field->key) == 0;
        if (second || (!field->required && rows_below(state, 3) == 0))
            continue;
        json_key(&w, slice_of(field->key));
        json_raw(&w, SLICE(""));
        if (!field->required && rows_below(state, 4) == 0)
            json_put_null(out);
        else if (!field->required && shape->lenient && rows_below(state, 3) == 0)
            rows_put_json(out, state, 0);
        else
            put_fitting(out, field->kind, state);
    }
    for (size_t n = rows_below(state, 3); n > 0; n--) {
        json_key(&w, slice_of(strange[(n - 1) * 3 + rows_below(state, 3)]));
        json_raw(&w, SLICE(""));
        rows_put_json(out, state, 0);
    }
    json_end_object(&w);
}

static void what_is_read_is_written(void **unused)
{
    (void)unused;
    uint64_t state = 7;
    struct arena *arena = arena_new(0);
    struct faults faults = {BUF_INIT, 0};
    const struct wire_reader reader = {.arena = arena, .on_fault = on_fault, .arg = &faults};
    for (size_t round = 0; round < rounds * SHAPES; round++) {
        const struct wire_shape *shape = shapes[round % SHAPES].shape;
        struct err err = ERR_INIT;
        struct buf in = BUF_INIT;
        struct buf out = BUF_INIT;
        put_object(&in, shape, &state);
        cJSON *tree = json_parse(buf_slice(&in), &err);
        if (!tree)
            fail_msg("%s", err.text);
        void *row = arena_zalloc(arena, shapes[round % SHAPES].table->row_size);
        if (!wire_read_object(&reader, shape, tree, "$", row))
            fail_msg("%s in %.*s", buf_cstr(&faults.text), SLICE_ARG(buf_slice(&in)));
        if (!wire_put_object(&out, shape, row, &err))
            fail_msg("%s", err.text);
        if (!rows_same_json_text(buf_slice(&in), buf_slice(&out)))
            fail_msg("%.*s came back as %.*s", SLICE_ARG(buf_slice(&in)), SLICE_ARG(buf_slice(&out)));
        cJSON_Delete(tree);
        buf_free(&in);
        buf_free(&out);
        arena_reset(arena);
    }
    assert_int_equal(faults.count, 0);
    buf_free(&faults.text);
    arena_free(arena);
}

static void assert_faults(const struct wire_shape *shape, bool partial, const char *json, const char *expected)
{
    struct arena *arena = arena_new(0);
    struct faults faults = {BUF_INIT, 0};
    const struct wire_reader reader = {.arena = arena, .on_fault = on_fault, .arg = &faults, .partial = partial};
    cJSON *tree = json_parse(slice_of(json), NULL);
    assert_non_null(tree);
    char row[2000] __attribute__((aligned(16))) = {0};
    assert_int_equal(wire_read_object(&reader, shape, tree, "$.x[3]", row), *expected == '\0');
    assert_string_equal(buf_cstr(&faults.text), expected);
    cJSON_Delete(tree);
    buf_free(&faults.text);
    arena_free(arena);
}

static void all_faults_are_told(void **unused)
{
    (void)unused;
    assert_faults(&wire_trade, false, "[]", "$.x[3]: must be an object (a trade), is an array\n");
    assert_faults(&wire_trade, false,
                  "{\"id\":null,\"side\":3,\"entry_tid\":1.5,\"exit_tid\":1e300,\"entry_crossed\":\"yes\","
                  "\"entry_time\":{},\"quantity\":[]}",
                  "$.x[3].id: must be a text, is null\n"
                  "$.x[3].side: must be a text, is a number\n"
                  "$.x[3].entry_tid: must be an integer, is 1.5\n"
                  "$.x[3].exit_tid: 1e+300 is out of range for an exact integer\n"
                  "$.x[3].entry_crossed: must be a boolean, is a text\n"
                  "$.x[3].entry_time: must be a number, is an object\n"
                  "$.x[3].quantity: must be a number, is an array\n"
                  "$.x[3].model_id: is missing\n"
                  "$.x[3].symbol: is missing\n");
    assert_faults(&wire_account_total, true, "{\"since_inception_hourly_marker\":2147483648}",
                  "$.x[3].since_inception_hourly_marker: 2147483648 is out of range for an integer of 32 bits\n");
    assert_faults(&wire_account_total, true, "{\"since_inception_hourly_marker\":-2147483648}", "");
    assert_faults(&wire_position, true, "{\"entry_time\":null}", "");
    assert_faults(&wire_position, true, "{\"entry_time\":\"x\"}", "$.x[3].entry_time: must be a number, is a text\n");
    assert_faults(&wire_cycle, false, "{\"id\":\"c\",\"model_id\":5,\"run_id\":7,\"cycle_id\":1e99}",
                  "$.x[3].model_id: must be a text, is a number\n");
}

static void integers_keep_every_digit(void **unused)
{
    (void)unused;
    struct arena *arena = arena_new(0);
    const struct wire_reader reader = {.arena = arena, .on_fault = on_fault};
    cJSON *tree = json_parse(SLICE("{\"id\":\"a\",\"num_trades\":9007199254740992,\"num_wins\":-9007199254740992,"
                                   "\"num_losses\":1e3}"),
                             NULL);
    struct leaderboard_entries_row row = {0};
    assert_true(wire_read_object(&reader, &wire_leader, tree, "$", &row));
    assert_true(row.num_trades.v == INT64_C(9007199254740992));
    assert_true(row.num_wins.v == INT64_C(-9007199254740992));
    assert_true(row.num_losses.v == 1000);
    assert_null(row.wire_detail.p);
    cJSON_Delete(tree);
    arena_free(arena);
}

static void paths_quote_strange_keys(void **unused)
{
    (void)unused;
    struct arena *arena = arena_new(0);
    assert_string_equal(wire_path_key(arena, "$.a", "gpt-5_x"), "$.a.gpt-5_x");
    assert_string_equal(wire_path_key(arena, "$", ""), "$[\"\"]");
    assert_string_equal(wire_path_key(arena, "$", "a.b\n"), "$[\"a.b\\n\"]");
    assert_string_equal(wire_path_index(arena, "$.a", 12), "$.a[12]");
    arena_free(arena);
}

static void canonical(const char *a, const char *b, bool same)
{
    cJSON *left = json_parse(slice_of(a), NULL);
    cJSON *right = json_parse(slice_of(b), NULL);
    assert_non_null(left);
    assert_non_null(right);
    assert_int_equal(json_same_content(left, right), same);
    cJSON_Delete(left);
    cJSON_Delete(right);
}

static void content_is_what_counts(void **unused)
{
    (void)unused;
    canonical("{\"a\":1,\"b\":[1.0,{\"x\":null,\"y\":\"\\u00e9\"}]}",
              "{ \"b\" : [ 1e0, {\"y\":\"\xc3\xa9\",\"x\":null} ], \"a\" : 10e-1 }", true);
    canonical("{\"a\":0}", "{\"a\":-0}", false);
    canonical("[1,2]", "[2,1]", false);
    canonical("{\"a\":1}", "{\"a\":1,\"b\":null}", false);
    canonical("0.1", "0.10000000000000002", false);
    canonical("\"1\"", "1", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read_is_written),   cmocka_unit_test(all_faults_are_told),
        cmocka_unit_test(integers_keep_every_digit), cmocka_unit_test(paths_quote_strange_keys),
        cmocka_unit_test(content_is_what_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
