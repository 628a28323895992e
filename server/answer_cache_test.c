/* Which answer who gets, and how often the rows are read. */
#include "server/answer_cache_testing.h"

static void test_fresh_for_its_ttl_then_stale_for_another(void **state)
{
    struct fixture *f = *state;
    struct asker asker;
    fill(f, 0, 1, 100);
    clock_ms += 59999;
    ask(f, &asker, 0);
    expect(&asker, 1);
    assert_true(asker.what.fresh_until_ms == clock_ms + 1 && asker.what.version == 100);
    assert_int_equal(f->fakes[0].count, 1);
    clock_ms += 1;
    for (int i = 0; i < 3; i++) { /* served at once, one rebuild behind */
        ask(f, &asker, 0);
        expect(&asker, 1);
        assert_true(asker.what.fresh_until_ms == 0 && !asker.what.despite_error);
        assert_int_equal(f->fakes[0].count, 2);
    }
    answer_next(&f->fakes[0], 2, 101, ERR_NONE);
    ask(f, &asker, 0);
    expect(&asker, 2);
    clock_ms += 120000; /* too old to be served at once */
    ask(f, &asker, 0);
    assert_int_equal(asker.told, 0);
    answer_next(&f->fakes[0], 3, 102, ERR_NONE);
    expect(&asker, 3);
}

static void test_an_announced_change_makes_it_old(void **state)
{
    struct fixture *f = *state;
    struct asker asker;
    fill(f, 0, 1, 100);
    (void)cache_floor_raise(&f->shared.floors, CACHE_FEED_trades, 500);
    ask(f, &asker, 0); /* another feed */
    expect(&asker, 1);
    (void)cache_floor_raise(&f->shared.floors, CACHE_FEED_leaderboard, 101);
    ask(f, &asker, 0);
    assert_int_equal(asker.told, 0);
    answer_next(&f->fakes[0], 2, 101, ERR_NONE);
    expect(&asker, 2);
}

static void test_a_read_that_began_before_the_change_does_not_answer_who_asked_after_it(void **state)
{
    struct fixture *f = *state;
    struct asker early;
    struct asker late;
    ask(f, &early, 0);
    (void)cache_floor_raise(&f->shared.floors, CACHE_FEED_leaderboard, 105);
    ask(f, &late, 0);
    assert_int_equal(f->fakes[0].count, 1);
    answer_next(&f->fakes[0], 1, 100, ERR_NONE);
    expect(&early, 1);
    assert_int_equal(late.told, 0);
    turn(f);
    assert_int_equal(f->fakes[0].count, 2);
    answer_next(&f->fakes[0], 2, 105, ERR_NONE);
    expect(&late, 2);
    struct asker after;
    ask(f, &after, 0);
    expect(&after, 2);
    assert_int_equal(f->fakes[0].count, 2);
}

static void test_newer_content_of_one_worker_makes_anothers_old(void **state)
{
    struct fixture *f = *state;
    struct asker asker;
    fill(f, 0, 1, 100);
    fill(f, 1, 1, 110); /* as good: nothing happens to worker 0's */
    ask(f, &asker, 0);
    expect(&asker, 1);
    assert_int_equal(f->fakes[0].count, 1);
    clock_ms += 59000;
    answer_cache_clear(f->caches[1]);
    fill(f, 1, 2, 120); /* changed, and not announced */
    ask(f, &asker, 0);
    assert_int_equal(asker.told, 0);
    answer_next(&f->fakes[0], 2, 121, ERR_NONE);
    expect(&asker, 2);
    ask(f, &asker, 1);
    expect(&asker, 2);
    assert_int_equal(f->fakes[1].count, 2);
}

static void test_old_answers_when_there_are_no_rows(void **state)
{
    struct fixture *f = *state;
    struct asker asker;
    fill(f, 0, 1, 100);
    int64_t made_ms = clock_ms;
    (void)cache_floor_raise(&f->shared.floors, CACHE_FEED_leaderboard, 101);
    clock_ms += 5000;
    ask(f, &asker, 0);
    assert_int_equal(asker.told, 0);
    answer_next(&f->fakes[0], 0, 0, ERR_UNAVAILABLE);
    expect(&asker, 1);
    assert_true(asker.what.despite_error && asker.what.age_s == 5 && asker.what.fresh_until_ms == 0);
    clock_ms = made_ms + 60000 + 300000 - 1;
    ask(f, &asker, 0);
    answer_next(&f->fakes[0], 0, 0, ERR_TIMEOUT);
    expect(&asker, 1);
    clock_ms += 1;
    ask(f, &asker, 0);
    answer_next(&f->fakes[0], 0, 0, ERR_TIMEOUT);
    assert_int_equal(asker.told, 1);
    assert_int_equal(asker.code, ERR_TIMEOUT);
    struct answer_counts counts = counts_of(f, 0);
    assert_int_equal(counts.stale_errors, 2);
    assert_int_equal(counts.failures, 3);
}

static void test_a_corrupt_row_is_no_outage(void **state)
{
    struct fixture *f = *state;
    struct asker asker;
    fill(f, 0, 1, 100);
    (void)cache_floor_raise(&f->shared.floors, CACHE_FEED_leaderboard, 101);
    ask(f, &asker, 0);
    answer_next(&f->fakes[0], 0, 0, ERR_INTERNAL);
    assert_int_equal(asker.told, 1);
    assert_int_equal(asker.code, ERR_INTERNAL);
}

static void test_a_failed_rebuild_behind_is_told_from_then_on(void **state)
{
    struct fixture *f = *state;
    struct asker asker;
    fill(f, 0, 1, 100);
    clock_ms += 61000;
    ask(f, &asker, 0);
    assert_false(asker.what.despite_error);
    answer_next(&f->fakes[0], 0, 0, ERR_UNAVAILABLE);
    ask(f, &asker, 0);
    expect(&asker, 1);
    assert_true(asker.what.despite_error);
    answer_next(&f->fakes[0], 2, 100, ERR_NONE);
    ask(f, &asker, 0);
    expect(&asker, 2);
    assert_false(asker.what.despite_error);
}

static void test_a_second_at_most_while_nobody_is_heard(void **state)
{
    struct fixture *f = *state;
    struct asker asker;
    fill(f, 0, 1, 100);
    cache_floors_lost(&f->shared.floors);
    ask(f, &asker, 0); /* what was kept is no longer current */
    assert_int_equal(asker.told, 0);
    answer_next(&f->fakes[0], 2, 101, ERR_NONE);
    clock_ms += 999;
    ask(f, &asker, 0);
    expect(&asker, 2);
    assert_true(asker.what.fresh_until_ms == clock_ms + 1);
    clock_ms += 1;
    ask(f, &asker, 0);
    assert_int_equal(asker.told, 0);
    answer_next(&f->fakes[0], 3, 102, ERR_NONE);
    expect(&asker, 3);
}

static void test_a_read_across_a_loss_is_not_kept_as_current(void **state)
{
    struct fixture *f = *state;
    struct asker asker;
    ask(f, &asker, 0);
    cache_floors_lost(&f->shared.floors);
    cache_floors_back(&f->shared.floors);
    answer_next(&f->fakes[0], 1, 100, ERR_NONE);
    expect(&asker, 1);
    ask(f, &asker, 0);
    assert_int_equal(asker.told, 0);
    answer_next(&f->fakes[0], 2, 101, ERR_NONE);
    expect(&asker, 2);
}

static void test_a_server_that_counts_anew_is_believed_in_the_end(void **state)
{
    struct fixture *f = *state;
    struct asker asker;
    (void)cache_floor_raise(&f->shared.floors, CACHE_FEED_leaderboard, 1000);
    ask(f, &asker, 0);
    answer_next(&f->fakes[0], 1, 10, ERR_NONE);
    turn(f);
    while (f->fakes[0].waiting) {
        answer_next(&f->fakes[0], 1, 10, ERR_NONE);
        turn(f);
    }
    expect(&asker, 1);
    unsigned reads = f->fakes[0].count;
    ask(f, &asker, 0);
    expect(&asker, 1);
    assert_int_equal(f->fakes[0].count, reads);
}

static void test_unknown_models_do_not_push_out_known_ones(void **state)
{
    struct fixture *f = *state;
    struct asker asker;
    struct read_query query = {.kind = READ_ANALYTICS_ONE, .limit = READ_NO_LIMIT, .model_id = SLICE("known")};
    f->settings->cache_local_bytes = 131072;
    for (int i = 0; i < 2; i++)
        answer_cache_apply(f->caches[i], f->settings, &f->fakes[i].reads, false);
    ask_for(f, &asker, 0, query);
    answer_next(&f->fakes[0], 1, 100, ERR_NONE);
    char id[32];
    for (int i = 0; i < 500; i++) {
        query.model_id = (struct slice){id, (size_t)snprintf(id, sizeof id, "nobody-%d", i)};
        for (int again = 0; again < 2; again++) {
            ask_for(f, &asker, 0, query);
            if (again == 0)
                answer_next(&f->fakes[0], 0, 100, ERR_NONE);
            assert_int_equal(asker.told, 1);
        }
    }
    struct answer_counts counts = counts_of(f, 0);
    assert_true(counts.evictions > 0 && counts.entries < 100 && counts.bytes <= 65536);
    unsigned reads = f->fakes[0].count;
    query.model_id = SLICE("known");
    ask_for(f, &asker, 0, query);
    assert_int_equal(asker.told, 1);
    assert_int_equal(f->fakes[0].count, reads);
}

static void test_without_memory_only_those_share_who_wait_together(void **state)
{
    struct fixture *f = *state;
    struct asker first;
    struct asker second;
    f->settings->cache_local_bytes = 0;
    answer_cache_apply(f->caches[0], f->settings, &f->fakes[0].reads, false);
    for (unsigned reads = 1; reads <= 2; reads++) {
        ask(f, &first, 0);
        ask(f, &second, 0);
        assert_int_equal(f->fakes[0].count, reads);
        answer_next(&f->fakes[0], 1, 100, ERR_NONE);
        expect(&first, 1);
        expect(&second, 1);
        assert_int_equal(first.what.fresh_until_ms, 0);
        assert_int_equal(second.what.fresh_until_ms, 0);
    }
    struct answer_counts counts = counts_of(f, 0);
    assert_true(counts.entries == 0 && counts.bytes == 0 && counts.hits == 0 && counts.joined == 2);
}

static void test_other_data_and_nothing_is_kept(void **state)
{
    struct fixture *f = *state;
    struct asker asker;
    struct asker under_way;
    fill(f, 0, 1, 100);
    (void)cache_floor_raise(&f->shared.floors, CACHE_FEED_leaderboard, 101);
    ask(f, &under_way, 0);
    answer_cache_apply(f->caches[0], f->settings, &f->fakes[0].reads, true);
    answer_next(&f->fakes[0], 2, 101, ERR_NONE);
    expect(&under_way, 2);
    ask(f, &asker, 0);
    assert_int_equal(asker.told, 0);
    answer_next(&f->fakes[0], 3, 102, ERR_NONE);
    expect(&asker, 3);
}

static void note_end(void *arg)
{
    ++*(int *)arg;
}

static void test_the_end_waits_for_what_is_under_way(void **state)
{
    struct fixture *f = *state;
    struct asker asker;
    int ended = 0;
    fill(f, 0, 1, 100);
    clock_ms += 61000;
    ask(f, &asker, 0);
    answer_cache_end(f->caches[0], note_end, &ended);
    assert_int_equal(ended, 0);
    answer_next(&f->fakes[0], 2, 101, ERR_NONE);
    assert_int_equal(ended, 1);
    clock_ms += 61000;
    ask(f, &asker, 0); /* no rebuild any more */
    expect(&asker, 2);
    assert_int_equal(f->fakes[0].waiting, 0);
    answer_cache_end(f->caches[1], note_end, &ended);
    assert_int_equal(ended, 2);
}

static void test_what_is_switched_off(void **state)
{
    struct fixture *f = *state;
    const struct endpoint *endpoint = &endpoints[READ_LEADERBOARD];
    assert_true(answer_cache_keeps(f->caches[0], endpoint));
    f->settings->ttl_medium_s = -1;
    answer_cache_apply(f->caches[0], f->settings, NULL, false);
    assert_false(answer_cache_keeps(f->caches[0], endpoint));
    assert_true(answer_cache_keeps(f->caches[0], &endpoints[READ_CRYPTO_PRICES]));
    f->settings->cache_enabled = false;
    answer_cache_apply(f->caches[0], f->settings, NULL, false);
    assert_false(answer_cache_keeps(f->caches[0], &endpoints[READ_CRYPTO_PRICES]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CACHES(test_fresh_for_its_ttl_then_stale_for_another),
        WITH_CACHES(test_an_announced_change_makes_it_old),
        WITH_CACHES(test_a_read_that_began_before_the_change_does_not_answer_who_asked_after_it),
        WITH_CACHES(test_newer_content_of_one_worker_makes_anothers_old),
        WITH_CACHES(test_old_answers_when_there_are_no_rows),
        WITH_CACHES(test_a_corrupt_row_is_no_outage),
        WITH_CACHES(test_a_failed_rebuild_behind_is_told_from_then_on),
        WITH_CACHES(test_a_second_at_most_while_nobody_is_heard),
        WITH_CACHES(test_a_read_across_a_loss_is_not_kept_as_current),
        WITH_CACHES(test_a_server_that_counts_anew_is_believed_in_the_end),
        WITH_CACHES(test_unknown_models_do_not_push_out_known_ones),
        WITH_CACHES(test_without_memory_only_those_share_who_wait_together),
        WITH_CACHES(test_other_data_and_nothing_is_kept),
        WITH_CACHES(test_the_end_waits_for_what_is_under_way),
        WITH_CACHES(test_what_is_switched_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
