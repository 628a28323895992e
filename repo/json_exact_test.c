#include "repo/encode.h"
#include "repo/json_exact.h"
#include "repo/pg_testing.h"
#include "repo/session.h"
#include "repo/testing_rows.h"

static struct slice wrapped(struct arena *arena, struct slice json)
{
    struct buf out = BUF_INIT;
    json_exact_wrap(&out, json);
    return rows_keep(arena, &out);
}

/* As jsonb prints it: a blank behind the colon. */
static struct slice stored(struct arena *arena, struct slice json)
{
    struct slice text = wrapped(arena, json);
    const size_t key = strlen("{\"$exact\":");
    return slice_of(arena_printf(arena, "%.*s %.*s", (int)key, text.p, (int)(text.n - key), text.p + key));
}

static void only_what_jsonb_changes_is_wrapped(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        bool needed;
    } cases[] = {
        {"0", false},
        {"-0", true},
        {"[1, -0.0]", true},
        {"{\"a\": {\"b\": [-0e5]}}", true},
        {"-0.000E-7", true},
        {"-0.5", false},
        {"-10", false},
        {"-1e-7", false},
        {"\"-0\"", false},
        {"{\"-0\": 1}", false},
        {"\"\\\"-0\"", false},
        {"\"\\\\\", -0", true}, /* no JSON, but safe */
        {"1e21", true},
        {"1.5e15", true},
        {"1.5e14", false},
        {"9007199254740993e0", true},
        {"9007199254740993E-0", true},
        {"9007199254740993.5", false},
        {"9007199254740992", false},
        {"12345678901234567e-1", false},
        {"1e-45", false},
        {"1e-50", true},
        {"1.7976931348623157e308", true},
        {"5e-324", true},
        {"1e99999999999999999999", true},
        {"1e-20000", true},
        {"{\"$exact\": \"x\"}", true},
        {" {\n\"$exact\"\t:\r\"\" } ", true},
        {"{\"\\u0024ex\\u0061ct\": \"x\"}", true},
        {"{\"$exact\": 1}", false},
        {"{\"$exact\": null}", false},
        {"{\"$exact\": \"x\", \"b\": 1}", false},
        {"{\"b\": 1, \"$exact\": \"x\"}", false},
        {"{\"$Exact\": \"x\"}", false},
        {"{\"$exact\\n\": \"x\"}", false},
        {"[{\"$exact\": \"x\"}]", false},
        {"", false},
        {"-", false},
        {"{", false},
        {"{\"", false},
        {"{\"$exact", false},
        {"{\"$exact\"", false},
        {"{\"$exact\":", false},
        {"{\"$exact\":\"", false},
        {"{\"\\u00", false},
        {"\"\\", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (json_exact_needed(slice_of(cases[i].json)) != cases[i].needed)
            fail_msg("%s", cases[i].json);
}

static void wrapping_and_back_gives_the_same_text(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (int i = 0; i < 2000; i++) {
        struct err err = ERR_INIT;
        struct arena *arena = arena_new(0);
        struct buf json = BUF_INIT;
        struct slice back;
        rows_put_json(&json, &random, 0);
        assert_true(json_exact_unwrap(stored(arena, buf_slice(&json)), arena, &back, &err));
        assert_true(slice_equal(buf_slice(&json), back));
        assert_true(json_exact_needed(wrapped(arena, buf_slice(&json))));
        buf_free(&json);
        arena_free(arena);
    }
}

static void other_values_pass_as_they_are(void **state)
{
    (void)state;
    static const char *const values[] = {"{\"$exact\": 1}",
                                         "{\"$exact\": \"a\", \"b\": \"c\"}",
                                         "{\"$exact\": \"a\", \"b\": 1}",
                                         "[{\"$exact\": \"-0\"}]",
                                         "{\"$exact\": \"",
                                         "{\"$exact\": \"}",
                                         "null",
                                         "\"\"",
                                         ""};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct err err = ERR_INIT;
        struct slice back;
        assert_true(json_exact_unwrap(slice_of(values[i]), NULL, &back, &err));
        assert_ptr_equal(back.p, values[i]);
    }
}

static void a_wrapped_text_that_is_no_json_is_refused(void **state)
{
    (void)state;
    static const char *const values[] = {"{\"$exact\": \"\"}", "{\"$exact\": \"-\"}", "{\"$exact\": \"\\u12\"}",
                                         "{\"$exact\": \"\\ud800\"}", "{\"$exact\": \"\\q\"}"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct err err = ERR_INIT;
        struct arena *arena = arena_new(0);
        struct slice back;
        assert_false(json_exact_unwrap(slice_of(values[i]), arena, &back, &err));
        assert_int_equal(err.code, ERR_INVALID);
        arena_free(arena);
    }
}

/* Sends a JSON text through a real jsonb. */
static struct slice through_postgres(struct session *session, struct slice json, struct arena *arena, PGresult **result)
{
    struct err err = ERR_INIT;
    struct buf bytes = BUF_INIT;
    struct params params = params_on(arena);
    struct slice back;
    buf_append_char(&bytes, 1);
    if (json_exact_needed(json))
        json_exact_wrap(&bytes, json);
    else
        buf_append_slice(&bytes, json);
    params_add_binary(&params, 3802, rows_keep(arena, &bytes));
    *result = session_query(session, "SELECT $1", &params, &err);
    if (!*result)
        fail_msg("%.*s: %s", SLICE_ARG(json), err.text);
    struct slice stored_value = {PQgetvalue(*result, 0, 0) + 1, (size_t)PQgetlength(*result, 0, 0) - 1};
    assert_true(json_exact_unwrap(stored_value, arena, &back, &err));
    return back;
}

static void values_survive_a_real_jsonb(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    const char *dsn = getenv("NOF0_TEST_POSTGRES_DSN");
    if (!dsn)
        skip();
    struct session *session = session_open(dsn, &err);
    assert_non_null(session);
    uint64_t random = 11;
    for (int i = 0; i < 3000; i++) {
        struct arena *arena = arena_new(0);
        struct buf json = BUF_INIT;
        PGresult *result = NULL;
        if (i % 2)
            rows_put_json(&json, &random, 0);
        else
            json_put_double(&json, rows_double(&random));
        if (!rows_same_json_text(buf_slice(&json), through_postgres(session, buf_slice(&json), arena, &result)))
            fail_msg("%.*s came back changed", SLICE_ARG(buf_slice(&json)));
        PQclear(result);
        buf_free(&json);
        arena_free(arena);
    }
    session_close(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_jsonb_changes_is_wrapped),
        cmocka_unit_test(wrapping_and_back_gives_the_same_text),
        cmocka_unit_test(other_values_pass_as_they_are),
        cmocka_unit_test(a_wrapped_text_that_is_no_json_is_refused),
        cmocka_unit_test(values_survive_a_real_jsonb),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
