#include "base/testing.h"
#include "server/admin_request.h"

static void test_bodies(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        enum admin_fault fault;
        const char *param, *value, *reason;
    } cases[] = {
        {"{\"value\":\"repo\",\"reason\":\"w\\u0068y\",\"force\":true,\"actor\":\"ann\"}", ADMIN_GOOD, NULL, "repo",
         "why"},
        {"{}", ADMIN_GOOD, NULL, "", ""},
        {"", ADMIN_MALFORMED, NULL, "", ""},
        {"[]", ADMIN_MALFORMED, NULL, "", ""},
        {"null", ADMIN_MALFORMED, NULL, "", ""},
        {"{\"value\":\"a\",\"value\":\"b\"}", ADMIN_MALFORMED, NULL, "", ""},
        {"{\"value\":null}", ADMIN_INVALID, "value", "", ""},
        {"{\"force\":1}", ADMIN_INVALID, "force", "", ""},
        {"{\"reason\":\"x\",\"Force\":true}", ADMIN_INVALID, NULL, "", "x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena *arena = arena_new(0);
        struct admin_wish wish;
        const char *param = "?";
        struct err err = ERR_INIT;
        assert_int_equal(admin_wish_parse(slice_of(cases[i].body), arena, &wish, &param, &err), cases[i].fault);
        if (cases[i].param)
            assert_string_equal(param, cases[i].param);
        else
            assert_null(param);
        assert_true(slice_is(wish.value, cases[i].value) && slice_is(wish.reason, cases[i].reason));
        assert_int_equal(err.code == ERR_NONE, cases[i].fault == ADMIN_GOOD);
        assert_int_equal(wish.force, i == 0);
        arena_free(arena);
    }
}

static void test_queries(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct admin_wish wish;
    const char *param = NULL;
    struct err err = ERR_INIT;
    assert_int_equal(
        admin_wish_of_query(SLICE("a=b&reason=rows+%26%20more&force=false&actor="), arena, &wish, &param, &err),
        ADMIN_GOOD);
    assert_true(slice_is(wish.reason, "rows & more") && wish.actor.n == 0 && !wish.force);
    assert_int_equal(admin_wish_of_query(SLICE("force=1"), arena, &wish, &param, &err), ADMIN_INVALID);
    assert_string_equal(param, "force");
    assert_int_equal(admin_wish_of_query(SLICE("reason=%zz"), arena, &wish, &param, &err), ADMIN_INVALID);
    assert_string_equal(param, "reason");
    arena_free(arena);
}

static void test_preconditions(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        enum admin_match match;
        int64_t version;
    } cases[] = {
        {"*", ADMIN_MATCH_ANY, -1},
        {" * ", ADMIN_MATCH_ANY, -1},
        {"\"v12\"", ADMIN_MATCH_VERSION, 12},
        {"\"v0\"", ADMIN_MATCH_VERSION, 0},
        {"\"v3\", \"v7\" ,\"v9\"", ADMIN_MATCH_VERSION, 7}, /* the one that is known here */
        {"\"v3\", \"v9\"", ADMIN_MATCH_VERSION, 3},
        {"\"x\", \"v9\"", ADMIN_MATCH_VERSION, 9},
        {"W/\"v12\"", ADMIN_MATCH_NONE, -1}, /* weak ones never match */
        {"v12", ADMIN_MATCH_NONE, -1},
        {"\"v\"", ADMIN_MATCH_NONE, -1},
        {"\"v-1\"", ADMIN_MATCH_NONE, -1},
        {"\"v99999999999999999999\"", ADMIN_MATCH_NONE, -1},
        {"", ADMIN_MATCH_NONE, -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t version = -1;
        if (admin_if_match(slice_of(cases[i].header), 7, &version) != cases[i].match || version != cases[i].version)
            fail_msg("%s: %lld", cases[i].header, (long long)version);
    }
}

static void test_history_parameters(void **state)
{
    (void)state;
    int64_t limit = 0;
    int64_t after = 0;
    const char *param = NULL;
    assert_true(admin_history_query(SLICE(""), &limit, &after, &param));
    assert_true(limit == 100 && after == 0);
    assert_true(admin_history_query(SLICE("after=7&limit=1000&x"), &limit, &after, &param));
    assert_true(limit == 1000 && after == 7);
    assert_false(admin_history_query(SLICE("limit=1001"), &limit, &after, &param));
    assert_string_equal(param, "limit");
    assert_false(admin_history_query(SLICE("after=x"), &limit, &after, &param));
    assert_string_equal(param, "after");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_preconditions),
        cmocka_unit_test(test_history_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
