/* The registry's promises: patterns as documented, no two tuples of parameters with one key, every key readable. */
#include "base/mem.h"
#include "base/testing.h"
#include "cache/keys.h"
#include "cache/keys_page.h"

#include <stdio.h>
#include <stdlib.h>

static const int64_t no_ttls[CACHE_TTL_CLASSES] = {0, 0, 0};

static struct cache_space space_of(const char *prefix)
{
    struct cache_space space;
    struct err err = ERR_INIT;
    if (!cache_space_init(&space, slice_of(prefix), no_ttls, &err))
        fail_msg("%s", err.text);
    return space;
}

static void assert_key(struct cache_key key, const char *text)
{
    assert_true(cache_key_is_good(&key));
    assert_string_equal(cache_key_text(&key).p, text);
    assert_int_equal(cache_key_text(&key).n, strlen(text));
}

static void keys_look_as_documented(void **state)
{
    (void)state;
    struct cache_space s = space_of("nof0");
    struct slice model = SLICE("gpt-5");
    struct slice provider = SLICE("hyperliquid");
    struct slice symbol = SLICE("BTC");
    assert_key(cache_key_price_latest(&s, provider, symbol), "nof0:price:latest:hyperliquid:BTC");
    assert_key(cache_key_price_latest_single(&s, symbol), "nof0:price:latest:BTC");
    assert_key(cache_key_crypto_prices(&s), "nof0:crypto_prices");
    assert_key(cache_key_positions(&s, model), "nof0:positions:gpt-5");
    assert_key(cache_key_positions_lock(&s, model), "nof0:lock:positions:gpt-5");
    assert_key(cache_key_trades_recent(&s, model), "nof0:trades:recent:gpt-5");
    assert_key(cache_key_trades_stream(&s), "nof0:trades:stream");
    assert_key(cache_key_ingest_trade(&s, SLICE("1.5_BTC_2.5_gpt-5")), "nof0:ingest:trade:1.5_BTC_2.5_gpt-5");
    assert_key(cache_key_leaderboard(&s), "nof0:leaderboard");
    assert_key(cache_key_leaderboard_cache(&s), "nof0:leaderboard:cache");
    assert_key(cache_key_since_inception(&s, model), "nof0:since_inception:gpt-5");
    assert_key(cache_key_analytics(&s, model), "nof0:analytics:gpt-5");
    assert_key(cache_key_analytics_all(&s), "nof0:analytics:all");
    assert_key(cache_key_conversations(&s, model), "nof0:conversations:gpt-5");
    assert_key(cache_key_decision_last(&s, model), "nof0:decision:last:gpt-5");
    assert_key(cache_key_trader_state(&s, model), "nof0:trader:gpt-5:state");
    assert_key(cache_key_market_asset(&s, provider, symbol), "nof0:market:asset:hyperliquid:BTC");
    assert_key(cache_key_market_ctx(&s, provider, symbol), "nof0:market:ctx:hyperliquid:BTC");
    assert_key(cache_key_sim_orders(&s, model), "nof0:sim:orders:gpt-5");
    assert_key(cache_key_sim_balances(&s, model), "nof0:sim:balances:gpt-5");
    assert_key(cache_key_document(&s, CACHE_FEED_trades, SLICE("trades")), "nof0:document:{trades}:trades");
    assert_key(cache_key_document_lock(&s, CACHE_FEED_trades, SLICE("a:b")), "nof0:lock:document:{trades}:a%3Ab");
    assert_key(cache_key_feed_version(&s, CACHE_FEED_positions), "nof0:feed:{positions}:version");
    assert_key(cache_key_feed_documents(&s, CACHE_FEED_positions), "nof0:feed:{positions}:documents");
    assert_key(cache_key_invalidations(&s), "nof0:invalidations");
}

static void prefixes_are_trimmed_and_checked(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"nof0", "nof0:leaderboard"},
                                          {"", "leaderboard"},
                                          {"  ", "leaderboard"},
                                          {" nof0 ", "nof0:leaderboard"},
                                          {" a : b ", "a:b:leaderboard"},
                                          {":a::b:", "a:b:leaderboard"},
                                          {"{nof0}", "{nof0}:leaderboard"},
                                          {" :\t: ", "leaderboard"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cache_space s = space_of(rows[i][0]);
        assert_key(cache_key_leaderboard(&s), rows[i][1]);
    }
    char longest[CACHE_PREFIX_MAX + 2];
    memset(longest, 'x', sizeof longest);
    struct cache_space space;
    struct err err = ERR_INIT;
    assert_true(cache_space_init(&space, (struct slice){longest, CACHE_PREFIX_MAX}, no_ttls, &err));
    assert_false(cache_space_init(&space, (struct slice){longest, CACHE_PREFIX_MAX + 1}, no_ttls, &err));
    static const struct slice bad[] = {SLICE("a b"),      SLICE("a*"),   SLICE("a\0b"), SLICE("a%"),
                                       SLICE("\xc3\xa9"), SLICE("a[b]"), SLICE("a\nb")};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err = (struct err)ERR_INIT;
        assert_false(cache_space_init(&space, bad[i], no_ttls, &err));
        assert_int_equal(err.code, ERR_INVALID);
    }
}

static void no_value_leaves_its_place(void **state)
{
    (void)state;
    struct cache_space s = space_of("nof0");
    assert_key(cache_key_positions(&s, SLICE("a:b")), "nof0:positions:a%3Ab");
    assert_key(cache_key_positions(&s, SLICE("")), "nof0:positions:%");
    assert_key(cache_key_positions(&s, SLICE("%")), "nof0:positions:%25");
    assert_key(cache_key_positions(&s, SLICE("%3A")), "nof0:positions:%253A");
    assert_key(cache_key_positions(&s, SLICE("{x}")), "nof0:positions:%7Bx%7D");
    assert_key(cache_key_positions(&s, SLICE(" a\r\n\0\xff")), "nof0:positions:%20a%0D%0A%00%FF");
    assert_key(cache_key_analytics(&s, SLICE("all")), "nof0:analytics:%61ll");
    assert_key(cache_key_analytics(&s, SLICE("all2")), "nof0:analytics:all2");
    assert_key(cache_key_price_latest(&s, SLICE("a:b"), SLICE("c")), "nof0:price:latest:a%3Ab:c");
    assert_key(cache_key_price_latest(&s, SLICE("a"), SLICE("b:c")), "nof0:price:latest:a:b%3Ac");
    char longest[CACHE_KEY_MAX];
    memset(longest, 'x', sizeof longest);
    struct cache_key key = cache_key_positions(&s, (struct slice){longest, sizeof longest});
    assert_false(cache_key_is_good(&key));
    assert_int_equal(cache_key_text(&key).n, 0);
    size_t fits = CACHE_KEY_MAX - strlen("nof0:positions:");
    key = cache_key_positions(&s, (struct slice){longest, fits});
    assert_true(cache_key_is_good(&key));
    key = cache_key_positions(&s, (struct slice){longest, fits + 1});
    assert_false(cache_key_is_good(&key));
}

/* ---- properties ---- */

/* xorshift64; the seed is printed with a failure through the values themselves. */
static uint64_t random_state = 88172645463325252U;

static unsigned random_below(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state % n);
}

/* Short and from few bytes, so that tuples come close to each other. */
static struct slice random_value(char *room)
{
    static const char bytes[] = "a:%{}l 3A\0*2Aall\xff";
    size_t n = random_below(5);
    if (random_below(8) == 0) {
        return SLICE("all");
    }
    for (size_t i = 0; i < n; i++)
        room[i] = bytes[random_below(sizeof bytes - 1)];
    return (struct slice){room, n};
}

static struct cache_key make(const struct cache_space *s, enum cache_key_id id, struct slice a, struct slice b,
                             enum cache_feed feed)
{
    switch (id) {
#define ARG_TEXT(value) value
#define ARG_FEED(value) feed
#define KEY0(name, ...)                                                                                                \
    case CACHE_KEY_##name:                                                                                             \
        return cache_key_##name(s);
#define KEY1(name, type, pattern, kind, param, ...)                                                                    \
    case CACHE_KEY_##name:                                                                                             \
        return cache_key_##name(s, ARG_##kind(a));
#define KEY2(name, type, pattern, kind1, param1, kind2, param2, ...)                                                   \
    case CACHE_KEY_##name:                                                                                             \
        return cache_key_##name(s, ARG_##kind1(a), ARG_##kind2(b));
#include "cache/keys.def"
#undef KEY0
#undef KEY1
#undef KEY2
    default:
        fail_msg("no such row");
    }
    return cache_key_invalidations(s);
}

struct made {
    struct cache_key key;
    char tuple[64]; /* row and parameters with their lengths */
    size_t tuple_length;
};

static int by_key(const void *a, const void *b)
{
    const struct made *left = a;
    const struct made *right = b;
    return slice_compare(cache_key_text(&left->key), cache_key_text(&right->key));
}

static void tuple_add(struct made *made, struct slice value)
{
    made->tuple[made->tuple_length++] = (char)value.n;
    memcpy(made->tuple + made->tuple_length, value.p, value.n);
    made->tuple_length += value.n;
}

static void make_random(const struct cache_space *space, struct made *made)
{
    enum cache_key_id id = (enum cache_key_id)random_below(CACHE_KEY_COUNT);
    const struct cache_key_row *row = &cache_key_rows[id];
    enum cache_feed feed = (enum cache_feed)random_below(CACHE_FEED_COUNT);
    char rooms[2][8];
    struct slice values[CACHE_MAX_PARAMS] = {random_value(rooms[0]), random_value(rooms[1])};
    made->key = make(space, id, values[0], values[1], feed);
    made->tuple_length = 0;
    tuple_add(made, slice_of(row->name));

    struct cache_key again;
    struct cache_key_parts parts;
    assert_true(cache_key_parse(space, cache_key_text(&made->key), &again, &parts));
    assert_int_equal(parts.id, id);
    assert_int_equal(cache_key_id(&again), id);
    assert_true(slice_equal(cache_key_text(&again), cache_key_text(&made->key)));
    assert_in_range(row->param_count, 0, CACHE_MAX_PARAMS);
    for (unsigned i = 0; i < row->param_count && i < CACHE_MAX_PARAMS; i++) {
        struct slice value = row->param_kinds[i] == CACHE_PARAM_FEED ? slice_of(cache_feed_name(feed)) : values[i];
        assert_true(slice_equal(parts.params[i], value));
        if (row->param_kinds[i] == CACHE_PARAM_FEED)
            assert_int_equal(cache_key_feed(&again), feed);
        tuple_add(made, value);
    }
}

static void different_parameters_give_different_keys(void **state)
{
    (void)state;
    enum { COUNT = 60000 };
    static const char *const prefixes[] = {"nof0", "", "{x}"};
    struct made *made = mem_calloc(COUNT, sizeof *made);
    unsigned same = 0;
    for (size_t p = 0; p < 3; p++) {
        struct cache_space space = space_of(prefixes[p]);
        for (size_t i = 0; i < COUNT; i++)
            make_random(&space, &made[i]);
        qsort(made, COUNT, sizeof *made, by_key);
        for (size_t i = 1; i < COUNT; i++) {
            if (by_key(&made[i - 1], &made[i]) != 0)
                continue;
            same++;
            assert_int_equal(made[i - 1].tuple_length, made[i].tuple_length);
            assert_memory_equal(made[i - 1].tuple, made[i].tuple, made[i].tuple_length);
        }
    }
    assert_true(same > 1000); /* the values were close enough to meet */
    free(made);
}

static void what_no_builder_makes_is_no_key(void **state)
{
    (void)state;
    struct cache_space s = space_of("nof0");
    struct cache_key key;
    static const struct slice bad[] = {
        SLICE(""),
        SLICE("nof0"),
        SLICE("nof0:"),
        SLICE("nof0:unknown"),
        SLICE("nof1:leaderboard"),
        SLICE("leaderboard"),
        SLICE("nof0:leaderboard:"),
        SLICE("nof0:leaderboard2"),
        SLICE("nof0:positions"),
        SLICE("nof0:positions:"),
        SLICE("nof0:positions:a:b"),
        SLICE("nof0:positions:%3a"),
        SLICE("nof0:positions:%41"),
        SLICE("nof0:positions:%%"),
        SLICE("nof0:positions:a%"),
        SLICE("nof0:positions:a b"),
        SLICE("nof0:positions:all"),
        SLICE("nof0:positions:a\0"),
        SLICE("nof0:analytics:%61LL"),
        SLICE("nof0:feed:{unknown}:version"),
        SLICE("nof0:feed:trades:version"),
        SLICE("nof0:feed:{trades:version"),
        SLICE("nof0:trader::state"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (cache_key_parse(&s, bad[i], &key, NULL))
            fail_msg("taken: %.*s", SLICE_ARG(bad[i]));
    char longest[CACHE_KEY_MAX + 1];
    memset(longest, 'x', sizeof longest);
    for (size_t i = 0; i < 15; i++)
        longest[i] = "nof0:positions:"[i];
    assert_true(cache_key_parse(&s, (struct slice){longest, CACHE_KEY_MAX}, &key, NULL));
    assert_false(cache_key_parse(&s, (struct slice){longest, CACHE_KEY_MAX + 1}, &key, NULL));
}

static void lifetimes_follow_the_classes(void **state)
{
    (void)state;
    struct cache_space s = space_of("nof0");
    struct cache_key price = cache_key_crypto_prices(&s);
    struct cache_key positions = cache_key_positions(&s, SLICE("m"));
    struct cache_key lock = cache_key_positions_lock(&s, SLICE("m"));
    struct cache_key guard = cache_key_ingest_trade(&s, SLICE("t"));
    struct cache_key stream = cache_key_trades_stream(&s);
    struct cache_key analytics = cache_key_analytics_all(&s);
    struct cache_key document = cache_key_document(&s, CACHE_FEED_analytics, SLICE("d"));
    assert_int_equal(cache_key_ttl_ms(&s, &price), 10000);
    assert_int_equal(cache_key_ttl_ms(&s, &positions), 30000);
    assert_int_equal(cache_key_ttl_ms(&s, &lock), 5000);
    assert_int_equal(cache_key_ttl_ms(&s, &guard), 86400000);
    assert_int_equal(cache_key_ttl_ms(&s, &stream), 0);
    assert_int_equal(cache_key_ttl_ms(&s, &analytics), 600000);
    assert_int_equal(cache_key_ttl_ms(&s, &document), 600000);
    assert_int_equal(cache_feed_ttl_ms(&s, CACHE_FEED_analytics), 300000);
    assert_int_equal(cache_feed_ttl_ms(&s, CACHE_FEED_crypto_prices), 10000);

    struct err err = ERR_INIT;
    const int64_t odd[CACHE_TTL_CLASSES] = {7, 1, -5};
    assert_true(cache_space_init(&s, SLICE("nof0"), odd, &err));
    assert_int_equal(cache_key_ttl_ms(&s, &positions), 1000); /* half a second, rounded up */
    assert_int_equal(cache_key_ttl_ms(&s, &lock), 4000);
    assert_int_equal(cache_key_ttl_ms(&s, &analytics), -1);
    assert_int_equal(cache_key_ttl_ms(&s, &document), -1);
    assert_int_equal(cache_feed_ttl_ms(&s, CACHE_FEED_analytics), -1);
    assert_int_equal(cache_key_ttl_ms(&s, &guard), 86400000);
    assert_int_equal(cache_key_ttl_ms(&s, &stream), 0);
    const int64_t huge[CACHE_TTL_CLASSES] = {INT64_MAX, INT64_MAX, INT64_MAX};
    assert_true(cache_space_init(&s, SLICE("nof0"), huge, &err));
    assert_true(cache_key_ttl_ms(&s, &analytics) > 0);
}

static void the_page_in_docs_is_fresh(void **state)
{
    (void)state;
    struct buf page = BUF_INIT;
    struct buf file = BUF_INIT;
    cache_keys_put_markdown(&page);
    FILE *in = fopen("docs/redis-keys.md", "re");
    assert_non_null(in);
    for (size_t n = 1; n;) {
        n = fread(buf_reserve(&file, 65536), 1, 65536, in);
        file.len += n;
    }
    assert_int_equal(fclose(in), 0);
    if (!slice_equal(buf_slice(&page), buf_slice(&file)))
        fail_msg("docs/redis-keys.md is stale: nof0ctl keys --markdown > docs/redis-keys.md");
    buf_free(&page);
    buf_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_look_as_documented),         cmocka_unit_test(prefixes_are_trimmed_and_checked),
        cmocka_unit_test(no_value_leaves_its_place),       cmocka_unit_test(different_parameters_give_different_keys),
        cmocka_unit_test(what_no_builder_makes_is_no_key), cmocka_unit_test(lifetimes_follow_the_classes),
        cmocka_unit_test(the_page_in_docs_is_fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
