/* Announcements from one side, floors on the other, and a Redis that dies, hangs and forgets in between. */
#include "cache/announce.h"
#include "cache/document_value.h"
#include "cache/invalidation.h"
#include "cache/redis_rig_testing.h"

struct fixture {
    struct rig rig;
    struct event_base *base;
    struct cache_floors floors;
    struct cache_space space;
    struct cache_invalidation *invalidation;
    struct redisContext *link;
    bool back; /* as told */
    unsigned losses;
    unsigned backs;
    unsigned changes;
    enum cache_feed feed;
    int64_t version;
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
    cache_invalidation_free(f->invalidation);
    event_base_free(f->base);
    if (f->link)
        redisFree(f->link);
    rig_end(&f->rig);
    free(f);
    return 0;
}

static void on_changed(void *arg, enum cache_feed feed, int64_t version)
{
    struct fixture *f = arg;
    f->changes++;
    f->feed = feed;
    f->version = version;
    assert_true(cache_floor(&f->floors, feed) >= version);
}

static void on_lost(void *arg, const struct err *why)
{
    struct fixture *f = arg;
    assert_true(f->back);
    assert_true(why->text[0] != '\0');
    assert_false(atomic_load(&f->floors.connected));
    f->back = false;
    f->losses++;
}

static void on_back(void *arg)
{
    struct fixture *f = arg;
    assert_false(f->back);
    assert_true(atomic_load(&f->floors.connected));
    f->back = true;
    f->backs++;
}

static void listen_to(struct fixture *f)
{
    struct err err = ERR_INIT;
    f->invalidation = cache_invalidation_new(&(struct cache_invalidation_settings){.base = f->base,
                                                                                   .url = f->rig.url,
                                                                                   .connect_timeout_ms = 300,
                                                                                   .command_timeout_ms = 300,
                                                                                   .ask_every_ms = 50,
                                                                                   .space = f->space,
                                                                                   .floors = &f->floors,
                                                                                   .on_changed = on_changed,
                                                                                   .on_lost = on_lost,
                                                                                   .on_back = on_back,
                                                                                   .arg = f},
                                             &err);
    assert_non_null(f->invalidation);
    cache_invalidation_start(f->invalidation);
}

static void begin(struct fixture *f)
{
    rig_needs_server();
    rig_start(&f->rig);
    f->link = rig_link(&f->rig);
}

static void announce(struct fixture *f, enum cache_feed feed, int64_t version)
{
    struct err err = ERR_INIT;
    if (!cache_announce_blocking(f->link, &f->space, feed, version, &err))
        fail_msg("%s", err.text);
}

static void wait_lost(struct fixture *f)
{
    for (int64_t end = clock_mono_ms() + 10000; f->back;) {
        rig_run_for(f->base, 1);
        assert_true(clock_mono_ms() < end);
    }
}

static void wait_floor(struct fixture *f, enum cache_feed feed, int64_t version)
{
    for (int64_t end = clock_mono_ms() + 10000; cache_floor(&f->floors, feed) < version;) {
        rig_run_for(f->base, 1);
        assert_true(clock_mono_ms() < end);
    }
}

static void an_announcement_raises_the_floor(void **state)
{
    struct fixture *f = *state;
    begin(f);
    announce(f, CACHE_FEED_analytics, 40); /* before anybody listens */
    listen_to(f);
    assert_false(atomic_load(&f->floors.connected));
    rig_run_until(f->base, &f->back);
    assert_int_equal(cache_floor(&f->floors, CACHE_FEED_analytics), 40);
    assert_int_equal(cache_floor(&f->floors, CACHE_FEED_trades), 0);

    announce(f, CACHE_FEED_trades, 9007199254740993);
    wait_floor(f, CACHE_FEED_trades, 9007199254740993);
    assert_int_equal(f->feed, CACHE_FEED_trades);
    announce(f, CACHE_FEED_trades, 7); /* late: Redis keeps the higher one */
    announce(f, CACHE_FEED_positions, 8);
    wait_floor(f, CACHE_FEED_positions, 8);
    assert_true(cache_floor(&f->floors, CACHE_FEED_trades) == 9007199254740993);
    assert_int_equal(f->changes, 3);
    struct redisReply *reply = rig_ask(f->link, "GET t:feed:{trades}:version");
    assert_string_equal(reply->str, "9007199254740993");
    freeReplyObject(reply);
    for (unsigned i = 0; i < CACHE_FEED_COUNT; i++) {
        announce(f, (enum cache_feed)i, INT64_MAX - i);
        wait_floor(f, (enum cache_feed)i, INT64_MAX - i);
    }
}

static void strange_messages_are_ignored(void **state)
{
    struct fixture *f = *state;
    begin(f);
    rig_do(f->link, "HSET t:feed:{trades}:version a b");
    rig_do(f->link, "SET t:feed:{positions}:version many");
    listen_to(f);
    rig_run_until(f->base, &f->back);
    static const char *const texts[] = {
        "", " ", "trades", "trades ", "trades x", "trades 1 ", "nothing 1", "trades  1", "trades 99999999999999999999"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        rig_do(f->link, "PUBLISH t:invalidations %s", texts[i]);
    rig_do(f->link, "PUBLISH t:invalidations %b", "trades 1\0", (size_t)9);
    rig_do(f->link, "PUBLISH other:invalidations %s", "trades 5");
    announce(f, CACHE_FEED_trades, 2); /* over the foreign value */
    wait_floor(f, CACHE_FEED_trades, 2);
    struct cache_invalidation_counts counts;
    cache_invalidation_counts(f->invalidation, &counts);
    assert_int_equal(counts.strange, sizeof texts / sizeof texts[0] + 1);
    assert_int_equal(counts.messages, 1);
    assert_true(counts.back);
    assert_int_equal(cache_floor(&f->floors, CACHE_FEED_trades), 2);
}

static void a_killed_redis_is_noticed_and_found_again(void **state)
{
    struct fixture *f = *state;
    begin(f);
    listen_to(f);
    rig_run_until(f->base, &f->back);
    for (unsigned round = 1; round <= 3; round++) {
        rig_kill(&f->rig);
        wait_lost(f);
        assert_int_equal(f->losses, round);
        assert_int_equal(atomic_load(&f->floors.losses), round);
        rig_run_for(f->base, 150);
        assert_false(f->back);
        redisFree(f->link);
        rig_start(&f->rig);
        f->link = rig_link(&f->rig);
        /* Announced while nobody heard it: read on return, before announcements count as back. */
        announce(f, CACHE_FEED_trades, (int64_t)round * 100);
        rig_run_until(f->base, &f->back);
        assert_int_equal(cache_floor(&f->floors, CACHE_FEED_trades), (int64_t)round * 100);
    }
    assert_int_equal(f->backs, 4);
}

static void a_hanging_redis_is_noticed(void **state)
{
    struct fixture *f = *state;
    begin(f);
    listen_to(f);
    rig_run_until(f->base, &f->back);
    rig_run_for(f->base, 300); /* questions are asked and answered */
    assert_int_equal(f->losses, 0);
    (void)kill(f->rig.server, SIGSTOP);
    int64_t from = clock_mono_ms();
    wait_lost(f);
    assert_true(clock_mono_ms() - from < 1000);
    rig_run_for(f->base, 500);
    assert_false(f->back);
    (void)kill(f->rig.server, SIGCONT);
    rig_run_until(f->base, &f->back);
    announce(f, CACHE_FEED_trades, 5);
    wait_floor(f, CACHE_FEED_trades, 5);
}

static void a_cut_connection_is_noticed(void **state)
{
    struct fixture *f = *state;
    begin(f);
    listen_to(f);
    rig_run_until(f->base, &f->back);
    rig_do(f->link, "CLIENT KILL TYPE pubsub");
    wait_lost(f);
    rig_run_until(f->base, &f->back);
    announce(f, CACHE_FEED_trades, 5);
    wait_floor(f, CACHE_FEED_trades, 5);
    assert_int_equal(f->losses, 1);
}

static void a_redis_that_comes_late_is_found(void **state)
{
    struct fixture *f = *state;
    rig_needs_server();
    listen_to(f);
    rig_run_for(f->base, 200);
    assert_false(f->back);
    begin(f);
    rig_run_until(f->base, &f->back);
    assert_int_equal(f->losses, 0);
}

static void store(struct fixture *f, const char *name, int64_t version)
{
    struct document_value value = {.version = version, .body = SLICE("body")};
    struct buf bytes = BUF_INIT;
    document_value_encode(&value, &bytes);
    struct cache_key key = cache_key_document(&f->space, CACHE_FEED_trades, slice_of(name));
    rig_do(f->link, "SET %s %b PX 10000", cache_key_text(&key).p, bytes.data, bytes.len);
    rig_do(f->link, "ZADD t:feed:{trades}:documents 9999999999999 %s", cache_key_text(&key).p);
    buf_free(&bytes);
}

static void an_announcement_deletes_what_is_older(void **state)
{
    struct fixture *f = *state;
    begin(f);
    store(f, "old", 9);
    store(f, "same", 10);
    store(f, "newer", 11);
    rig_do(f->link, "SET t:document:{trades}:foreign x");
    rig_do(f->link, "ZADD t:feed:{trades}:documents 9999999999999 t:document:{trades}:foreign");
    rig_do(f->link, "SET t:document:{positions}:other x");
    announce(f, CACHE_FEED_trades, 10);
    assert_int_equal(rig_integer(f->link, "EXISTS t:document:{trades}:old t:document:{trades}:foreign"), 0);
    assert_int_equal(rig_integer(f->link, "EXISTS t:document:{trades}:same t:document:{trades}:newer "
                                          "t:document:{positions}:other"),
                     3);
    assert_int_equal(rig_integer(f->link, "ZCARD t:feed:{trades}:documents"), 2);
    announce(f, CACHE_FEED_trades, 3); /* late; what is announced stays announced */
    assert_int_equal(rig_integer(f->link, "ZCARD t:feed:{trades}:documents"), 2);
    rig_do(f->link, "DEL t:feed:{trades}:documents");
    rig_do(f->link, "SET t:feed:{trades}:documents foreign");
    announce(f, CACHE_FEED_trades, 12);
    assert_int_equal(rig_integer(f->link, "EXISTS t:feed:{trades}:documents"), 0);
}

static void a_full_redis_still_lets_everybody_know(void **state)
{
    struct fixture *f = *state;
    begin(f);
    listen_to(f);
    rig_run_until(f->base, &f->back);
    store(f, "old", 9);
    rig_do(f->link, "CONFIG SET maxmemory 1");
    struct redisReply *reply = redisCommand(f->link, "SET full 1");
    assert_int_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
    announce(f, CACHE_FEED_trades, 10);
    wait_floor(f, CACHE_FEED_trades, 10);
    announce(f, CACHE_FEED_trades, 11); /* also with nothing to delete */
    wait_floor(f, CACHE_FEED_trades, 11);
    assert_int_equal(rig_integer(f->link, "EXISTS t:document:{trades}:old"), 0);
    reply = rig_ask(f->link, "GET t:feed:{trades}:version");
    assert_string_equal(reply->str, "11");
    freeReplyObject(reply);
}

struct announced {
    bool done;
    enum err_code code;
};

static void on_announced(void *arg, const struct err *err)
{
    struct announced *announced = arg;
    assert_false(announced->done);
    announced->done = true;
    announced->code = err ? err->code : ERR_NONE;
}

static void a_loop_announces_too(void **state)
{
    struct fixture *f = *state;
    begin(f);
    listen_to(f);
    struct err err = ERR_INIT;
    struct redis_settings settings = {.url = f->rig.url, .connect_timeout_ms = 500, .command_timeout_ms = 500};
    struct redis_client *client = redis_client_new(f->base, &settings, &err);
    assert_non_null(client);
    struct announced announced = {.done = false};
    cache_announce(client, &f->space, CACHE_FEED_trades, 4, on_announced, &announced);
    assert_false(announced.done);
    rig_run_until(f->base, &announced.done);
    assert_int_equal(announced.code, ERR_UNAVAILABLE); /* not started yet */
    redis_client_start(client);
    rig_run_until(f->base, &f->back);
    rig_run_for(f->base, 50);
    announced.done = false;
    cache_announce(client, &f->space, CACHE_FEED_trades, 4, on_announced, &announced);
    cache_announce(client, &f->space, CACHE_FEED_positions, 5, NULL, NULL);
    rig_run_until(f->base, &announced.done);
    assert_int_equal(announced.code, ERR_NONE);
    wait_floor(f, CACHE_FEED_trades, 4);
    wait_floor(f, CACHE_FEED_positions, 5);
    redis_client_free(client);
}

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

static void news_travel_fast(void **state)
{
    struct fixture *f = *state;
    begin(f);
    listen_to(f);
    rig_run_until(f->base, &f->back);
    enum { COUNT = 300 };
    int64_t took_us[COUNT];
    for (int i = 0; i < COUNT; i++) {
        int64_t from = clock_mono_us();
        announce(f, CACHE_FEED_trades, i + 1);
        while (cache_floor(&f->floors, CACHE_FEED_trades) < i + 1)
            (void)event_base_loop(f->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        took_us[i] = clock_mono_us() - from;
    }
    qsort(took_us, COUNT, sizeof took_us[0], by_value);
    print_message("announcement to floor: median %lld us, p99 %lld us\n", (long long)took_us[COUNT / 2],
                  (long long)took_us[COUNT * 99 / 100]);
    assert_true(took_us[COUNT / 2] < 50000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_announcement_raises_the_floor),
        TEST(strange_messages_are_ignored),
        TEST(a_killed_redis_is_noticed_and_found_again),
        TEST(a_hanging_redis_is_noticed),
        TEST(a_cut_connection_is_noticed),
        TEST(a_redis_that_comes_late_is_found),
        TEST(an_announcement_deletes_what_is_older),
        TEST(a_full_redis_still_lets_everybody_know),
        TEST(a_loop_announces_too),
        TEST(news_travel_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
