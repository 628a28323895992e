/* Documents against a private Redis: what comes back, what is refused, who may rebuild, and Redis' bad days. */
#include "cache/documents.h"
#include "cache/redis_rig_testing.h"

struct fixture {
    struct rig rig;
    struct event_base *base;
    struct redis_client *client;
    struct cache_documents *documents;
    struct cache_floors floors;
    struct cache_space space;
    struct redisContext *link;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    rig_make(&f->rig);
    f->base = event_base_new();
    cache_floors_init(&f->floors);
    const int64_t ttl_s[CACHE_TTL_CLASSES] = {10, 60, 300};
    struct err err = ERR_INIT;
    if (!cache_space_init(&f->space, SLICE("t"), ttl_s, &err))
        return -1;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    cache_documents_free(f->documents);
    redis_client_free(f->client);
    event_base_free(f->base);
    if (f->link)
        redisFree(f->link);
    rig_end(&f->rig);
    free(f);
    return 0;
}

static void open_client(struct fixture *f)
{
    struct err err = ERR_INIT;
    struct redis_settings settings = {.url = f->rig.url, .connect_timeout_ms = 1000, .command_timeout_ms = 500};
    f->client = redis_client_new(f->base, &settings, &err);
    assert_non_null(f->client);
    redis_client_start(f->client);
}

static bool is_up(const struct fixture *f)
{
    struct redis_status status;
    redis_client_state(f->client, &status);
    return status.state == REDIS_UP;
}

static void wait_up(struct fixture *f)
{
    for (int64_t end = clock_mono_ms() + 10000; !is_up(f);) {
        rig_run_for(f->base, 1);
        assert_true(clock_mono_ms() < end);
    }
}

static void begin(struct fixture *f)
{
    rig_needs_server();
    rig_start(&f->rig);
    open_client(f);
    f->documents = cache_documents_new(&(struct cache_documents_settings){f->base, f->client, f->space, &f->floors});
    wait_up(f);
    f->link = rig_link(&f->rig);
}

struct answer {
    int64_t version;
    int64_t fresh_left_ms;
    int64_t stale_left_ms;
    char body[64];
    struct cache_token token;
    bool done;
    bool reached;
    unsigned calls;
    enum cache_judgement judgement;
    enum cache_claim claim;
    enum cache_stored stored;
};

static void on_found(void *arg, const struct cache_found *found)
{
    struct answer *answer = arg;
    answer->calls++;
    answer->done = true;
    answer->judgement = found->judgement;
    answer->reached = found->reached;
    answer->fresh_left_ms = found->fresh_left_ms;
    answer->stale_left_ms = found->stale_left_ms;
    if (found->judgement == CACHE_MISS)
        return;
    answer->version = found->value.version;
    (void)snprintf(answer->body, sizeof answer->body, "%.*s", SLICE_ARG(found->value.body));
}

static void on_claimed(void *arg, enum cache_claim claim, const struct cache_found *found,
                       const struct cache_token *token)
{
    struct answer *answer = arg;
    on_found(answer, found);
    answer->claim = claim;
    answer->token = *token;
}

static void on_stored(void *arg, enum cache_stored stored)
{
    struct answer *answer = arg;
    answer->calls++;
    answer->done = true;
    answer->stored = stored;
}

static struct answer get(struct fixture *f, const char *name)
{
    struct answer answer = {.done = false};
    cache_documents_get(f->documents, CACHE_FEED_trades, slice_of(name), on_found, &answer);
    assert_false(answer.done);
    rig_run_until(f->base, &answer.done);
    assert_int_equal(answer.calls, 1);
    return answer;
}

static struct answer claim(struct fixture *f, const char *name, int64_t wait_ms)
{
    struct answer answer = {.done = false};
    cache_documents_claim(f->documents, CACHE_FEED_trades, slice_of(name), wait_ms, on_claimed, &answer);
    assert_false(answer.done);
    rig_run_until(f->base, &answer.done);
    assert_int_equal(answer.calls, 1);
    return answer;
}

static enum cache_stored put(struct fixture *f, const char *name, int64_t version, const char *body, int64_t fresh_ms,
                             int64_t stale_ms)
{
    struct answer answer = {.done = false};
    struct document_value value = {.version = version, .stale_ms = stale_ms, .body = slice_of(body)};
    cache_documents_put(f->documents, CACHE_FEED_trades, slice_of(name), fresh_ms, &value, NULL, on_stored, &answer);
    rig_run_until(f->base, &answer.done);
    assert_int_equal(answer.calls, 1);
    return answer.stored;
}

static void a_stored_document_comes_back(void **state)
{
    struct fixture *f = *state;
    begin(f);
    assert_int_equal(get(f, "trades").judgement, CACHE_MISS);
    assert_int_equal(put(f, "trades", 7, "{\"trades\":[]", 30000, 20000), CACHE_STORED);
    struct answer answer = get(f, "trades");
    assert_int_equal(answer.judgement, CACHE_FRESH);
    assert_int_equal(answer.version, 7);
    assert_string_equal(answer.body, "{\"trades\":[]");
    assert_true(answer.fresh_left_ms > 25000 && answer.fresh_left_ms <= 30000);
    assert_true(answer.stale_left_ms > 45000 && answer.stale_left_ms <= 50000);
    assert_int_equal(get(f, "trades?x").judgement, CACHE_MISS);
    long long ttl = rig_integer(f->link, "PTTL t:document:{trades}:trades");
    assert_true(ttl > 45000 && ttl <= 50000);
    ttl = rig_integer(f->link, "PTTL t:feed:{trades}:documents");
    assert_true(ttl > 45000 && ttl <= 50000);
    /* No longer than the registry allows: twice 60 s. */
    assert_int_equal(put(f, "trades", 8, "b", 100000, 100000), CACHE_STORED);
    answer = get(f, "trades");
    assert_true(answer.stale_left_ms > 115000 && answer.stale_left_ms <= 120000);
    assert_true(answer.fresh_left_ms > 95000 && answer.fresh_left_ms <= 100000);
}

static void time_and_floor_decide(void **state)
{
    struct fixture *f = *state;
    begin(f);
    assert_int_equal(put(f, "a", 7, "b", 40, 10000), CACHE_STORED);
    rig_run_for(f->base, 60);
    assert_int_equal(get(f, "a").judgement, CACHE_STALE);
    assert_int_equal(put(f, "a", 7, "b", 10000, 0), CACHE_STORED);
    assert_int_equal(get(f, "a").judgement, CACHE_FRESH);
    (void)cache_floor_raise(&f->floors, CACHE_FEED_trades, 8);
    assert_int_equal(get(f, "a").judgement, CACHE_DOUBTED);
    /* What Redis knows of the feed becomes the floor. */
    rig_do(f->link, "SET t:feed:{trades}:version 9007199254740993");
    assert_int_equal(get(f, "a").judgement, CACHE_DOUBTED);
    assert_true(cache_floor(&f->floors, CACHE_FEED_trades) == 9007199254740993);
    assert_int_equal(cache_floor(&f->floors, CACHE_FEED_positions), 0);
}

static void an_older_one_never_overwrites(void **state)
{
    struct fixture *f = *state;
    begin(f);
    assert_int_equal(put(f, "a", 9, "nine", 10000, 0), CACHE_STORED);
    assert_int_equal(put(f, "a", 10, "ten", 10000, 0), CACHE_STORED);
    assert_int_equal(put(f, "a", 9, "nine", 10000, 0), CACHE_STORED_NEWER);
    assert_int_equal(put(f, "a", 10, "ten again", 10000, 0), CACHE_STORED);
    assert_string_equal(get(f, "a").body, "ten again");
    rig_do(f->link, "SET t:feed:{trades}:version 99");
    assert_int_equal(put(f, "b", 98, "b", 10000, 0), CACHE_STORED_NEWER);
    assert_int_equal(put(f, "b", 99, "b", 10000, 0), CACHE_STORED);
    assert_int_equal(put(f, "b", 100, "b", 10000, 0), CACHE_STORED);
    /* Beyond what a double can tell apart. */
    rig_do(f->link, "SET t:feed:{trades}:version 9007199254740993");
    assert_int_equal(put(f, "b", 9007199254740992, "b", 10000, 0), CACHE_STORED_NEWER);
    assert_int_equal(put(f, "b", 9007199254740993, "b", 10000, 0), CACHE_STORED);
    struct cache_documents_counts counts;
    cache_documents_counts(f->documents, &counts);
    assert_int_equal(counts.stored, 6);
    assert_int_equal(counts.refused, 3);
}

static void foreign_and_damaged_values_are_thrown_away(void **state)
{
    struct fixture *f = *state;
    begin(f);
    rig_do(f->link, "SET t:document:{trades}:a hello");
    rig_do(f->link, "HSET t:document:{trades}:b x 1");
    rig_do(f->link, "SET t:document:{trades}:d nof0d1xyz");
    rig_do(f->link, "SET t:feed:{trades}:version nonsense");
    rig_do(f->link, "LPUSH t:feed:{trades}:documents x");
    assert_int_equal(get(f, "a").judgement, CACHE_MISS);
    assert_int_equal(get(f, "b").judgement, CACHE_MISS);
    assert_int_equal(get(f, "d").judgement, CACHE_MISS);
    assert_int_equal(put(f, "c", 5, "body", 10000, 0), CACHE_STORED);
    rig_do(f->link, "SETRANGE t:document:{trades}:c 80 Q");
    assert_int_equal(get(f, "c").judgement, CACHE_MISS);
    rig_run_for(f->base, 20);
    assert_int_equal(rig_integer(f->link, "EXISTS t:document:{trades}:a t:document:{trades}:b t:document:{trades}:c "
                                          "t:document:{trades}:d"),
                     0);
    struct cache_documents_counts counts;
    cache_documents_counts(f->documents, &counts);
    assert_int_equal(counts.damaged, 3);
    /* A foreign value is no obstacle to a store either. */
    rig_do(f->link, "HSET t:document:{trades}:b x 1");
    assert_int_equal(put(f, "b", 5, "body", 10000, 0), CACHE_STORED);
    assert_int_equal(get(f, "b").judgement, CACHE_FRESH);
}

static void one_rebuilds_and_the_others_wait(void **state)
{
    struct fixture *f = *state;
    begin(f);
    struct answer first = claim(f, "a", 1000);
    assert_int_equal(first.claim, CACHE_CLAIM_BUILD);
    assert_int_equal(strlen(first.token.text), 32);
    long long ttl = rig_integer(f->link, "PTTL t:lock:document:{trades}:a");
    assert_true(ttl > 5000 && ttl <= 10000);
    struct answer busy = claim(f, "a", 0);
    assert_int_equal(busy.claim, CACHE_CLAIM_BUSY);
    assert_string_equal(busy.token.text, "");

    enum { OTHERS = 20 };
    struct answer others[OTHERS] = {{.done = false}};
    for (int i = 0; i < OTHERS; i++)
        cache_documents_claim(f->documents, CACHE_FEED_trades, SLICE("a"), 5000, on_claimed, &others[i]);
    rig_run_for(f->base, 50);
    for (int i = 0; i < OTHERS; i++)
        assert_false(others[i].done);
    struct document_value value = {.version = 5, .body = SLICE("built")};
    cache_documents_put(f->documents, CACHE_FEED_trades, SLICE("a"), 10000, &value, &first.token, NULL, NULL);
    for (int i = 0; i < OTHERS; i++) {
        rig_run_until(f->base, &others[i].done);
        assert_int_equal(others[i].claim, CACHE_CLAIM_FOUND);
        assert_string_equal(others[i].body, "built");
    }
    rig_run_for(f->base, 20);
    assert_int_equal(rig_integer(f->link, "EXISTS t:lock:document:{trades}:a"), 0);
    struct cache_documents_counts counts;
    cache_documents_counts(f->documents, &counts);
    assert_int_equal(counts.claims, 1);
    assert_int_equal(counts.waits, OTHERS);
    assert_int_equal(counts.overtimes, 0);
    /* A document that is there needs no rebuild, and no lock stays. */
    assert_int_equal(claim(f, "a", 1000).claim, CACHE_CLAIM_FOUND);
    rig_run_for(f->base, 20);
    assert_int_equal(rig_integer(f->link, "EXISTS t:lock:document:{trades}:a"), 0);
}

static void waiting_has_an_end(void **state)
{
    struct fixture *f = *state;
    begin(f);
    struct answer first = claim(f, "a", 1000);
    assert_int_equal(first.claim, CACHE_CLAIM_BUILD);
    int64_t from = clock_mono_ms();
    struct answer second = claim(f, "a", 100);
    assert_int_equal(second.claim, CACHE_CLAIM_BUILD);
    assert_string_equal(second.token.text, "");
    assert_true(clock_mono_ms() - from >= 100);
    /* Who has no token, or another's, releases nothing. */
    struct cache_token wrong = {.text = "0123"};
    cache_documents_release(f->documents, CACHE_FEED_trades, SLICE("a"), &second.token);
    cache_documents_release(f->documents, CACHE_FEED_trades, SLICE("a"), &wrong);
    rig_run_for(f->base, 20);
    assert_int_equal(rig_integer(f->link, "EXISTS t:lock:document:{trades}:a"), 1);
    /* Who gives up lets the next one build at once. */
    struct answer third = {.done = false};
    cache_documents_claim(f->documents, CACHE_FEED_trades, SLICE("a"), 5000, on_claimed, &third);
    rig_run_for(f->base, 20);
    assert_false(third.done);
    cache_documents_release(f->documents, CACHE_FEED_trades, SLICE("a"), &first.token);
    rig_run_until(f->base, &third.done);
    assert_int_equal(third.claim, CACHE_CLAIM_BUILD);
    assert_int_equal(strlen(third.token.text), 32);
}

static void forgotten_scripts_are_sent_again(void **state)
{
    struct fixture *f = *state;
    begin(f);
    for (int i = 0; i < 3; i++) {
        rig_do(f->link, "SCRIPT FLUSH");
        assert_int_equal(put(f, "a", 5 + i, "b", 10000, 0), CACHE_STORED);
        rig_do(f->link, "SCRIPT FLUSH");
        assert_int_equal(get(f, "a").version, 5 + i);
    }
    rig_do(f->link, "FLUSHALL");
    assert_int_equal(get(f, "a").judgement, CACHE_MISS);
}

static void without_redis_everything_is_a_miss(void **state)
{
    struct fixture *f = *state;
    begin(f);
    assert_int_equal(put(f, "a", 5, "b", 10000, 0), CACHE_STORED);
    struct answer waits = {.done = false};
    assert_int_equal(claim(f, "b", 10).claim, CACHE_CLAIM_BUILD);
    cache_documents_claim(f->documents, CACHE_FEED_trades, SLICE("b"), 60000, on_claimed, &waits);
    rig_run_for(f->base, 30);
    rig_kill(&f->rig);
    rig_run_until(f->base, &waits.done);
    assert_int_equal(waits.claim, CACHE_CLAIM_BUILD);
    struct answer answer = get(f, "a");
    assert_int_equal(answer.judgement, CACHE_MISS);
    assert_false(answer.reached);
    answer = claim(f, "a", 1000);
    assert_int_equal(answer.claim, CACHE_CLAIM_BUILD);
    assert_string_equal(answer.token.text, "");
    assert_int_equal(put(f, "a", 5, "b", 10000, 0), CACHE_STORED_NOT);
    cache_documents_set_client(f->documents, NULL);
    assert_int_equal(get(f, "a").judgement, CACHE_MISS);
    assert_int_equal(claim(f, "a", 1000).claim, CACHE_CLAIM_BUILD);
    assert_int_equal(put(f, "a", 5, "b", 10000, 0), CACHE_STORED_NOT);
    cache_documents_set_client(f->documents, f->client);
    rig_start(&f->rig);
    wait_up(f);
    assert_int_equal(get(f, "a").judgement, CACHE_MISS);
    assert_int_equal(put(f, "a", 5, "b", 10000, 0), CACHE_STORED);
}

static void the_end_tells_everybody(void **state)
{
    struct fixture *f = *state;
    begin(f);
    assert_int_equal(claim(f, "a", 10).claim, CACHE_CLAIM_BUILD);
    struct answer waits = {.done = false};
    struct answer asks = {.done = false};
    struct answer puts = {.done = false};
    struct document_value value = {.version = 5};
    cache_documents_claim(f->documents, CACHE_FEED_trades, SLICE("a"), 60000, on_claimed, &waits);
    rig_run_for(f->base, 30);
    cache_documents_get(f->documents, CACHE_FEED_trades, SLICE("a"), on_found, &asks);
    cache_documents_put(f->documents, CACHE_FEED_trades, SLICE("c"), 1000, &value, NULL, on_stored, &puts);
    cache_documents_free(f->documents);
    f->documents = NULL;
    assert_int_equal(waits.calls, 1);
    assert_int_equal(asks.calls, 1);
    assert_int_equal(puts.calls, 1);
    rig_run_for(f->base, 30); /* their replies come now */
    assert_int_equal(waits.calls + asks.calls + puts.calls, 3);
}

static void names_too_long_and_disabled_classes_are_harmless(void **state)
{
    struct fixture *f = *state;
    begin(f);
    char name[1000];
    memset(name, ':', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(get(f, name).judgement, CACHE_MISS);
    assert_int_equal(claim(f, name, 100).claim, CACHE_CLAIM_BUILD);
    assert_int_equal(put(f, name, 5, "b", 1000, 0), CACHE_STORED_NOT);
    const int64_t ttl_s[CACHE_TTL_CLASSES] = {-1, -1, -1};
    struct cache_space none;
    struct err err = ERR_INIT;
    assert_true(cache_space_init(&none, SLICE("t"), ttl_s, &err));
    cache_documents_set_space(f->documents, &none);
    assert_int_equal(put(f, "a", 5, "b", 1000, 0), CACHE_STORED_NOT);
    assert_int_equal(get(f, "a").judgement, CACHE_MISS);
}

static void a_feed_has_a_bounded_number_of_documents(void **state)
{
    struct fixture *f = *state;
    begin(f);
    assert_int_equal(put(f, "first", 5, "b", 10000, 0), CACHE_STORED);
    for (int i = 0; i < CACHE_FEED_DOCUMENTS_MAX - 1; i++)
        rig_do(f->link, "ZADD t:feed:{trades}:documents 9999999999999 x%d", i);
    assert_int_equal(put(f, "second", 5, "b", 10000, 0), CACHE_STORED_FULL);
    assert_int_equal(put(f, "first", 6, "b", 10000, 0), CACHE_STORED);
    rig_do(f->link, "ZADD t:feed:{trades}:documents 1 x7"); /* its time is over */
    assert_int_equal(put(f, "second", 5, "b", 10000, 0), CACHE_STORED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_stored_document_comes_back),
        TEST(time_and_floor_decide),
        TEST(an_older_one_never_overwrites),
        TEST(foreign_and_damaged_values_are_thrown_away),
        TEST(one_rebuilds_and_the_others_wait),
        TEST(waiting_has_an_end),
        TEST(forgotten_scripts_are_sent_again),
        TEST(without_redis_everything_is_a_miss),
        TEST(the_end_tells_everybody),
        TEST(names_too_long_and_disabled_classes_are_harmless),
        TEST(a_feed_has_a_bounded_number_of_documents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
