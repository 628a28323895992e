#include "base/testing.h"
#include "server/answer_name.h"

/* Questions that differ in one thing each: no two may share a name. */
static const struct read_query questions[] = {
    {.kind = READ_ACCOUNT_TOTALS, .limit = READ_NO_LIMIT},
    {.kind = READ_ACCOUNT_TOTALS, .limit = READ_NO_LIMIT, .has_min_marker = true},
    {.kind = READ_ACCOUNT_TOTALS, .limit = READ_NO_LIMIT, .has_min_marker = true, .min_marker = 1},
    {.kind = READ_POSITIONS, .limit = 1000},
    {.kind = READ_POSITIONS, .limit = 1},
    {.kind = READ_TRADES, .limit = READ_NO_LIMIT},
    {.kind = READ_TRADES, .limit = 5},
    {.kind = READ_TRADES, .limit = 50},
    {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .model_id = {"", 0}},
    {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .model_id = {"a", 1}},
    {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .model_id = {"a before=1:b", 12}},
    {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .model_id = {"a", 1}, .before = {CURSOR_ID, 0, {"b", 1}}},
    {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .before = {CURSOR_ID, 0, {"1", 1}}},
    {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .before = {CURSOR_ID, 0, {"1 after=1:2", 11}}},
    {.kind = READ_TRADES,
     .limit = READ_NO_LIMIT,
     .before = {CURSOR_ID, 0, {"1", 1}},
     .after = {CURSOR_ID, 0, {"2", 1}}},
    {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .before = {CURSOR_TIME, 1, {0}}},
    {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .after = {CURSOR_TIME, 1, {0}}},
    {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .after = {CURSOR_TIME, 1.0000000000000002, {0}}},
    {.kind = READ_CRYPTO_PRICES, .limit = READ_NO_LIMIT},
    {.kind = READ_ANALYTICS_ALL, .limit = READ_NO_LIMIT},
    {.kind = READ_ANALYTICS_ONE, .limit = READ_NO_LIMIT, .model_id = {"a", 1}},
    {.kind = READ_ANALYTICS_ONE, .limit = READ_NO_LIMIT, .model_id = {"b", 1}},
    {.kind = READ_CONVERSATIONS, .limit = READ_NO_LIMIT},
    {.kind = READ_CONVERSATIONS, .limit = READ_NO_LIMIT, .model_id = {"a", 1}},
};

enum { QUESTIONS = sizeof questions / sizeof questions[0] };

static void test_other_questions_have_other_names(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    struct answer_name names[QUESTIONS];
    for (size_t i = 0; i < QUESTIONS; i++) {
        names[i] = answer_name_of(&questions[i], arena);
        assert_true(slice_equal(names[i].text, answer_name_of(&questions[i], arena).text));
        for (size_t j = 0; j < i; j++)
            if (slice_equal(names[i].text, names[j].text))
                fail_msg("%zu and %zu: %.*s", i, j, (int)names[i].text.n, names[i].text.p);
    }
    arena_free(arena);
}

static void test_only_questions_without_end_are_parts(void **state)
{
    (void)state;
    struct arena *arena = arena_new(0);
    for (size_t i = 0; i < QUESTIONS; i++) {
        const struct read_query *query = &questions[i];
        bool plain = !query->has_min_marker && (query->limit == READ_NO_LIMIT || query->limit == 1000) &&
                     query->before.kind == CURSOR_NONE && query->after.kind == CURSOR_NONE &&
                     (!query->model_id.p || query->kind == READ_ANALYTICS_ONE);
        assert_int_equal(answer_name_of(query, arena).room, plain ? ANSWER_WHOLE : ANSWER_PART);
    }
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_questions_have_other_names),
        cmocka_unit_test(test_only_questions_without_end_are_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
