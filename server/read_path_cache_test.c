/* The read path with its cache: what a client sees of kept, announced and old answers. */
#include "server/read_path_testing.h"

/* Puts a cache between the endpoints and the fake; on the loop. */
static void on_cache(void *arg)
{
    struct fixture *f = arg;
    struct cache_documents_settings documents = {.base = f->base, .floors = &f->shared.floors};
    answer_shared_init(&f->shared);
    cache_floors_back(&f->shared.floors);
    assert_true(settings_cache_space(f->settings, &documents.space, NULL));
    f->documents = cache_documents_new(&documents);
    f->path.answers = answer_cache_new(&(struct answer_cache_config){.shared = &f->shared,
                                                                     .documents = f->documents,
                                                                     .offload = f->path.offload,
                                                                     .mailbox = f->path.mailbox,
                                                                     .workers = 1,
                                                                     .mono_ms = clock_mono_ms,
                                                                     .wall_ms = clock_wall_ms});
    answer_cache_apply(f->path.answers, f->settings, &f->fake.reads, false);
}

static void expect_leaders(struct fixture *f, const char *target, const char *body, const char *warning)
{
    struct reply reply = get(f, target, "");
    assert_int_equal(reply.status, 200);
    assert_true(slice_is(reply.body, body));
    expect_header(&reply, "Warning", warning);
    expect_header(&reply, "Age", warning ? "0" : NULL);
    buf_free(&reply.all);
}

static void test_an_answer_is_kept_until_it_is_announced_old(void **state)
{
    struct fixture *f = *state;
    mailbox_post(f->path.mailbox, on_cache, f);
    for (int i = 0; i < 3; i++) { /* made, from the cache, from the table of targets */
        expect_leaders(f, "/api/leaderboard", three_leaders, NULL);
        f->fake.leader_count = 0;
    }
    expect_leaders(f, "/api/leaderboard?_=1", three_leaders, NULL);
    assert_int_equal(hot_hits(f->path.hot), 1);
    assert_int_equal(f->fake.released, 1);

    (void)cache_floor_raise(&f->shared.floors, CACHE_FEED_leaderboard, 1);
    f->fake.fails = ERR_UNAVAILABLE;
    expect_leaders(f, "/api/leaderboard", three_leaders, "110 - \"Response is Stale\"");
    struct reply none = get(f, "/api/trades", "");
    assert_int_equal(none.status, 503);
    buf_free(&none.all);
    f->fake.fails = ERR_NONE;
    f->fake.version = 1;
    expect_leaders(f, "/api/leaderboard", "{\"leaderboard\":[]}", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_an_answer_is_kept_until_it_is_announced_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
