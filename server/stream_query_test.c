#include "base/testing.h"
#include "server/stream_query.h"

enum { ALL = (1U << STREAM_TOPICS) - 1 };

static void good_questions_are_understood(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        const char *header;
        const char *model;
        struct cache_live_id after;
        unsigned topics;
        bool resumes;
    } table[] = {
        {"", NULL, "", {0, 0}, ALL, false},
        {"_=1&topics=trades", NULL, "", {0, 0}, 1U << STREAM_TRADES, false},
        {"topics=account-totals%2Cprices,prices",
         NULL,
         "",
         {0, 0},
         1U << STREAM_ACCOUNT_TOTALS | 1U << STREAM_PRICES,
         false},
        {"topics=prices,trades,positions,account-totals,leaderboard,conversations", NULL, "", {0, 0}, ALL, false},
        {"model_id=a%20b&last_event_id=", NULL, "a b", {0, 0}, ALL, false},
        {"model_id=", "", "", {0, 0}, ALL, false},
        {"last_event_id=3-4", NULL, "", {3, 4}, ALL, true},
        {"last_event_id=3-4", "", "", {3, 4}, ALL, true},
        {"last_event_id=3-4", "5-6", "", {5, 6}, ALL, true},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct arena *arena = arena_new(0);
        struct stream_query query;
        struct param_fault fault;
        struct slice header = table[i].header ? slice_of(table[i].header) : (struct slice){NULL, 0};
        if (!stream_query_read(slice_of(table[i].raw), header, arena, &query, &fault))
            fail_msg("%s: %s", table[i].raw, fault.message);
        assert_int_equal(query.topics, table[i].topics);
        assert_true(slice_is(query.model_id, table[i].model));
        assert_int_equal(query.resumes, table[i].resumes);
        if (query.resumes)
            assert_int_equal(cache_live_id_compare(query.after, table[i].after), 0);
        arena_free(arena);
    }
}

static void faults_name_their_parameter(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        const char *header;
        const char *param;
        const char *words;
    } table[] = {
        {"topics=", "", "topics", "must be some of"},
        {"topics=prices,", "", "topics", "must be some of"},
        {"topics=Prices", "", "topics", "\"Prices\""},
        {"topics=trades,x", "", "topics", "\"x\""},
        {"topics=%C3%A9", "", "topics", "must be some of"},
        {"topics=trades&topics=trades", "", "topics", "more than once"},
        {"topics=%2", "", "topics", "percent"},
        {"model_id=%00", "", "model_id", "UTF-8"},
        {"last_event_id=1", "", "last_event_id", "integers"},
        {"", "1-", "last_event_id", "Last-Event-ID"},
        {"last_event_id=x", "1-1", "last_event_id", "integers"},
        {"%2=1", "", NULL, "percent"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct arena *arena = arena_new(0);
        struct stream_query query;
        struct param_fault fault;
        assert_false(stream_query_read(slice_of(table[i].raw), slice_of(table[i].header), arena, &query, &fault));
        if (table[i].param)
            assert_string_equal(fault.param, table[i].param);
        else
            assert_null(fault.param);
        if (!strstr(fault.message, table[i].words))
            fail_msg("%s: %s", table[i].raw, fault.message);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_questions_are_understood),
        cmocka_unit_test(faults_name_their_parameter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
