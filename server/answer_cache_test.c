/* The answer cache with a clock and rows of its own, and without Redis: which answer who gets, and how often the rows
 * are read. */
#include "base/mem.h"
#include "base/testing.h"
#include "server/answer_cache.h"

#include <stdlib.h>

static int64_t clock_ms;

static int64_t fake_clock(void)
{
    return clock_ms;
}

/* Rows by hand: a read waits until the test answers it. */
struct fake_reads {
    struct repo_reads reads; /* first */
    unsigned count;          /* reads begun */
    unsigned waiting;
    struct slice id; /* of the row */
    struct {
        repo_read_done *done;
        void *arg;
        enum read_kind kind;
    } asked[8];
};

struct fake_answer {
    struct repo_answer answer; /* first */
    struct leaderboard_entries_row row;
    struct model_analytics_row analytics;
};

static void fake_read(struct repo_reads *reads, const struct read_query *query, repo_read_done *done, void *arg)
{
    struct fake_reads *fake = (struct fake_reads *)reads;
    assert_true(fake->waiting < 8);
    fake->asked[fake->waiting].done = done;
    fake->asked[fake->waiting].arg = arg;
    fake->asked[fake->waiting++].kind = query->kind;
    fake->count++;
}

static void release(struct repo_answer *answer)
{
    free(answer);
}

struct fixture {
    struct event_base *base;
    struct cache_documents *documents;
    struct answer_shared shared;
    struct answer_cache *caches[2]; /* two workers of one process */
    struct fake_reads fakes[2];
    struct settings *settings;
    struct offload *offload;
    struct mailbox *mailbox;
    struct arena *arena;
};

/* Ends the oldest read: with a document whose equity is `content`, or with an error. */
static void answer_next(struct fake_reads *fake, double content, int64_t version, enum err_code code)
{
    assert_true(fake->waiting > 0);
    repo_read_done *done = fake->asked[0].done;
    void *arg = fake->asked[0].arg;
    enum read_kind kind = fake->asked[0].kind;
    fake->waiting--;
    memmove(&fake->asked[0], &fake->asked[1], fake->waiting * sizeof fake->asked[0]);
    if (code) {
        struct err err = ERR_INIT;
        (void)err_set(&err, code, "the fake was told to fail");
        done(arg, NULL, &err);
        return;
    }
    struct fake_answer *answer = mem_zalloc(sizeof *answer);
    answer->row.id = fake->id.p ? fake->id : SLICE("m");
    answer->row.equity = col_f64(content);
    answer->analytics.model_id = SLICE("known");
    answer->analytics.payload = SLICE("{}");
    answer->answer = (struct repo_answer){.kind = kind,
                                          .version = version,
                                          .leaders = &answer->row,
                                          .leader_count = kind == READ_LEADERBOARD,
                                          .analytics = &answer->analytics,
                                          .analytics_count = kind == READ_ANALYTICS_ONE && content > 0,
                                          .bytes = 100 + fake->id.n,
                                          .release = release};
    done(arg, &answer->answer, NULL);
}

static int set_up(void **state)
{
    struct err err = ERR_INIT;
    struct fixture *f = mem_zalloc(sizeof *f);
    clock_ms = 1000000;
    f->base = event_base_new();
    f->settings = settings_default();
    f->offload = offload_start(1, &err);
    f->mailbox = mailbox_new(f->base, &err);
    f->arena = arena_new(0);
    answer_shared_init(&f->shared);
    cache_floors_back(&f->shared.floors);
    struct cache_documents_settings documents = {.base = f->base, .floors = &f->shared.floors};
    assert_true(settings_cache_space(f->settings, &documents.space, &err));
    f->documents = cache_documents_new(&documents);
    for (int i = 0; i < 2; i++) {
        f->fakes[i].reads.read = fake_read;
        f->caches[i] = answer_cache_new(&(struct answer_cache_config){.shared = &f->shared,
                                                                      .documents = f->documents,
                                                                      .offload = f->offload,
                                                                      .mailbox = f->mailbox,
                                                                      .workers = 2,
                                                                      .mono_ms = fake_clock,
                                                                      .wall_ms = fake_clock});
        answer_cache_apply(f->caches[i], f->settings, &f->fakes[i].reads, false);
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(f->fakes[i].waiting, 0);
        answer_cache_free(f->caches[i]);
    }
    cache_documents_free(f->documents);
    answer_shared_destroy(&f->shared);
    offload_stop(f->offload);
    mailbox_free(f->mailbox);
    arena_free(f->arena);
    event_base_free(f->base);
    settings_free(f->settings);
    free(f);
    return 0;
}

struct asker {
    double content; /* -1: none */
    struct answer_told what;
    struct read_query query;
    struct answer_ask ask;
    unsigned told;
    enum err_code code;
};

static void on_told(void *arg, const struct answer_told *told)
{
    struct asker *asker = arg;
    asker->told++;
    asker->what = *told;
    asker->content = -1;
    asker->code = told->err ? told->err->code : ERR_NONE;
    assert_true((told->document == NULL) == (told->err != NULL));
    if (!told->document)
        return;
    struct slice body = document_body(told->document);
    char *text = mem_strndup(body.p, body.n);
    const char *equity = strstr(text, "\"equity\":");
    if (equity)
        asker->content = strtod(equity + strlen("\"equity\":"), NULL);
    free(text);
}

/* Turns the loop until what Redis would have said (that it is away) is told. */
static void turn(struct fixture *f)
{
    for (int i = 0; i < 3; i++)
        (void)event_base_loop(f->base, EVLOOP_NONBLOCK);
}

static void ask_for(struct fixture *f, struct asker *asker, int worker, struct read_query query)
{
    *asker = (struct asker){.query = query, .ask = {.told = on_told, .arg = asker}};
    answer_cache_ask(f->caches[worker], &asker->ask, &endpoints[query.kind], &asker->query, f->arena);
    turn(f);
}

static const struct read_query leaderboard = {.kind = READ_LEADERBOARD, .limit = READ_NO_LIMIT};

static void ask(struct fixture *f, struct asker *asker, int worker)
{
    ask_for(f, asker, worker, leaderboard);
}

static void expect(const struct asker *asker, double content)
{
    assert_int_equal(asker->told, 1);
    assert_true(asker->content == content);
}

/* Worker 0 gets an answer with this content and version. */
static void fill(struct fixture *f, int worker, double content, int64_t version)
{
    struct asker asker;
    ask(f, &asker, worker);
    assert_int_equal(asker.told, 0);
    answer_next(&f->fakes[worker], content, version, ERR_NONE);
    expect(&asker, content);
}

static struct answer_counts counts_of(const struct fixture *f, int worker)
{
    struct answer_counts counts;
    answer_cache_counts(f->caches[worker], &counts);
    return counts;
}

static void test_one_read_for_all_who_ask(void **state)
{
    struct fixture *f = *state;
    struct asker askers[20];
    for (int i = 0; i < 20; i++)
        ask(f, &askers[i], 0);
    assert_int_equal(f->fakes[0].count, 1);
    answer_next(&f->fakes[0], 7, 100, ERR_NONE);
    for (int i = 0; i < 20; i++)
        expect(&askers[i], 7);
    struct asker later;
    ask(f, &later, 0);
    expect(&later, 7);
    assert_int_equal(f->fakes[0].count, 1);
    struct answer_counts counts = counts_of(f, 0);
    assert_int_equal(counts.misses, 20);
    assert_int_equal(counts.joined, 19);
    assert_int_equal(counts.hits, 1);
    assert_int_equal(counts.rebuilds, 1);
}

/* The gzip size of a document that is held for nobody. */
static size_t gzip_size(const struct asker *asker)
{
    return document_gzip(asker->what.document).n;
}

static void test_who_waits_gets_it_compressed_in_haste_and_others_well(void **state)
{
    enum { LENGTH = 200000 };
    struct fixture *f = *state;
    struct buf id = BUF_INIT; /* as repetitive as rows are */
    for (uint32_t random = 1; id.len < LENGTH; random = random * 1664525 + 1013904223)
        buf_printf(&id, "entry_price:%u,symbol:%c,", random >> 12, "ABCDEF"[random % 6]);
    f->fakes[0].id = buf_slice(&id);
    struct asker first;
    ask(f, &first, 0);
    answer_next(&f->fakes[0], 7, 100, ERR_NONE);
    size_t in_haste = 0;
    while (!first.told)
        (void)event_base_loop(f->base, EVLOOP_ONCE);
    expect(&first, 7);
    assert_true(first.what.fresh_until_ms == 0); /* another will take its place */
    struct asker again;
    do {
        ask(f, &again, 0);
        expect(&again, 7);
        if (!again.what.fresh_until_ms) {
            in_haste = gzip_size(&again);
            (void)event_base_loop(f->base, EVLOOP_ONCE);
        }
    } while (!again.what.fresh_until_ms);
    assert_true(again.what.fresh_until_ms == clock_ms + 60000);
    assert_true(document_is_compressed(again.what.document));
    if (in_haste)
        assert_true(gzip_size(&again) < in_haste);
    assert_int_equal(f->fakes[0].count, 1);
    buf_free(&id);
}

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

#define WITH_CACHES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_CACHES(test_one_read_for_all_who_ask),
        WITH_CACHES(test_who_waits_gets_it_compressed_in_haste_and_others_well),
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
