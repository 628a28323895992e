#include "base/testing.h"
#include "server/recent.h"

#include <stdio.h>
#include <stdlib.h>

static struct document *document_of(const char *text)
{
    return document_new((struct document_body){slice_of(text), NULL, NULL},
                        (struct document_tail){DOCUMENT_TAIL_END, 0});
}

static void keep(struct recent *recent, const struct read_query *query, const char *text)
{
    struct document *document = document_of(text);
    recent_keep(recent, query, document);
    document_unref(document);
}

/* Every pair differs in one thing only. */
static void test_questions_are_told_apart(void **state)
{
    (void)state;
    const struct read_query queries[] = {
        {.kind = READ_TRADES, .limit = READ_NO_LIMIT},
        {.kind = READ_CONVERSATIONS, .limit = READ_NO_LIMIT},
        {.kind = READ_TRADES, .limit = 1},
        {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .model_id = SLICE("a")},
        {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .model_id = SLICE("")},
        {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .model_id = SLICE("ab")},
        {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .has_min_marker = true, .min_marker = 0},
        {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .has_min_marker = true, .min_marker = 1},
        {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .before = {.kind = CURSOR_TIME, .exit_time_s = 1}},
        {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .after = {.kind = CURSOR_TIME, .exit_time_s = 1}},
        {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .before = {.kind = CURSOR_TIME, .exit_time_s = 1.5}},
        {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .before = {.kind = CURSOR_ID, .id = SLICE("a")}},
        {.kind = READ_TRADES, .limit = READ_NO_LIMIT, .after = {.kind = CURSOR_ID, .id = SLICE("a")}},
    };
    enum { COUNT = sizeof queries / sizeof queries[0] };
    for (size_t i = 0; i < COUNT; i++) {
        struct recent *recent = recent_new();
        assert_null(recent_find(recent, &queries[i]));
        keep(recent, &queries[i], "{\"a\":1");
        for (size_t j = 0; j < COUNT; j++)
            assert_int_equal(recent_find(recent, &queries[j]) != NULL, i == j);
        recent_free(recent);
    }
}

static void test_a_question_is_its_text_not_its_address(void **state)
{
    (void)state;
    struct recent *recent = recent_new();
    char first[] = "grok-4";
    char second[] = "grok-4";
    keep(recent, &(struct read_query){.kind = READ_TRADES, .model_id = slice_of(first)}, "{\"a\":1");
    first[0] = 'X';
    struct document *found =
        recent_find(recent, &(struct read_query){.kind = READ_TRADES, .model_id = slice_of(second)});
    assert_non_null(found);
    assert_true(slice_is(document_body(found), "{\"a\":1"));
    recent_free(recent);
}

static void count_release(void *arg)
{
    (*(unsigned *)arg)++;
}

static void test_it_stays_small(void **state)
{
    (void)state;
    enum { MANY = 20 * RECENT_SLOTS };
    struct recent *recent = recent_new();
    unsigned released = 0;
    for (int64_t i = 0; i < MANY; i++) {
        struct document *document = document_new((struct document_body){SLICE("{\"a\":1"), count_release, &released},
                                                 (struct document_tail){DOCUMENT_TAIL_END, 0});
        struct read_query query = {.kind = READ_TRADES, .limit = i};
        recent_keep(recent, &query, document);
        document_unref(document);
        assert_ptr_equal(recent_find(recent, &query), document);
        assert_true(i + 1 - released <= RECENT_SLOTS);
    }
    recent_clear(recent);
    assert_int_equal(released, MANY);
    assert_null(recent_find(recent, &(struct read_query){.kind = READ_TRADES, .limit = MANY - 1}));

    char *large = calloc(1, RECENT_BODY_MAX + 1);
    struct document *document = document_new((struct document_body){{large, RECENT_BODY_MAX + 1}, free, large},
                                             (struct document_tail){DOCUMENT_TAIL_END, 0});
    recent_keep(recent, &(struct read_query){.limit = 1}, document);
    assert_null(recent_find(recent, &(struct read_query){.limit = 1}));
    document_unref(document);
    recent_free(recent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions_are_told_apart),
        cmocka_unit_test(test_a_question_is_its_text_not_its_address),
        cmocka_unit_test(test_it_stays_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
