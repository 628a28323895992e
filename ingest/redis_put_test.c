/* The commands of a value, as bytes and against a real Redis; and what a rebuild of one name gives. */
#include "cache/redis_rig_testing.h"
#include "ingest/redis_put.h"
#include "ingest/redis_rebuild.h"
#include "ingest/redis_verify.h"
#include "repo/migrate.h"
#include "repo/pg_testing.h"

static struct cache_space space_of(int64_t short_s)
{
    struct cache_space space;
    struct err err = ERR_INIT;
    const int64_t ttl_s[CACHE_TTL_CLASSES] = {short_s, 0, 0};
    if (!cache_space_init(&space, SLICE("nof0"), ttl_s, &err))
        fail_msg("%s", err.text);
    return space;
}

static void must(bool good, const struct err *err)
{
    if (!good)
        fail_msg("%s", err->text);
}

/* A list with `count` elements of about `size` bytes each. */
static void make_list(struct redis_value *value, const struct cache_space *space, size_t count, size_t size)
{
    struct err err = ERR_INIT;
    struct buf content = BUF_INIT;
    memset(buf_reserve(&content, size), 'x', size);
    content.len = size;
    redis_value_begin(value, cache_key_conversations(space, SLICE("m")));
    for (size_t i = 0; i < count; i++) {
        struct conversation_messages_row row = {.role = SLICE("user"), .content = buf_slice(&content)};
        row.ts_raw = SLICE("17");
        must(redis_value_add_message(value, &row, &err), &err);
    }
    buf_free(&content);
}

static void assert_commands(const struct redis_value *value, int64_t ttl_ms, size_t replies, const char *expected)
{
    struct buf out = BUF_INIT;
    assert_int_equal(redis_put_commands(&out, value, ttl_ms), replies);
    if (!slice_is(buf_slice(&out), expected))
        fail_msg("%.*s is not %s", SLICE_ARG(buf_slice(&out)), expected);
    buf_free(&out);
}

static void commands_are_whole(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct cache_space space = space_of(0);
    struct redis_value value = REDIS_VALUE_INIT;
    struct price_latest_row row = {.symbol = SLICE("BTC"), .price = {1.5, true}};
    redis_value_begin(&value, cache_key_crypto_prices(&space));
    must(redis_value_put_price(&value, &row, &err), &err);
    redis_value_end_prices(&value);
    assert_commands(
        &value, 10000, 1,
        "*5\r\n$3\r\nSET\r\n$18\r\nnof0:crypto_prices\r\n$11\r\n{\"BTC\":1.5}\r\n$2\r\nPX\r\n$5\r\n10000\r\n");
    assert_commands(&value, 0, 1, "*3\r\n$3\r\nSET\r\n$18\r\nnof0:crypto_prices\r\n$11\r\n{\"BTC\":1.5}\r\n");
    struct leaderboard_entries_row leader = {.id = SLICE("m"), .return_pct = {-0.5, true}};
    redis_value_begin(&value, cache_key_leaderboard(&space));
    must(redis_value_add_leader(&value, &leader, &err), &err);
    assert_commands(&value, 60000, 5,
                    "*1\r\n$5\r\nMULTI\r\n*2\r\n$6\r\nUNLINK\r\n$16\r\nnof0:leaderboard\r\n"
                    "*4\r\n$4\r\nZADD\r\n$16\r\nnof0:leaderboard\r\n$4\r\n-0.5\r\n$1\r\nm\r\n"
                    "*3\r\n$7\r\nPEXPIRE\r\n$16\r\nnof0:leaderboard\r\n$5\r\n60000\r\n*1\r\n$4\r\nEXEC\r\n");
    redis_value_begin(&value, cache_key_leaderboard(&space));
    assert_commands(&value, 60000, 1, "*2\r\n$6\r\nUNLINK\r\n$16\r\nnof0:leaderboard\r\n");
    redis_value_free(&value);
}

static void long_lists_take_several_commands(void **state)
{
    (void)state;
    static const struct {
        size_t count, size, commands;
    } cases[] = {{1, 10, 1}, {512, 10, 1}, {513, 10, 2}, {5000, 10, 10}, {6, 100000, 2}, {3, 300000, 3}};
    struct cache_space space = space_of(0);
    struct redis_value value = REDIS_VALUE_INIT;
    struct buf out = BUF_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_list(&value, &space, cases[i].count, cases[i].size);
        buf_clear(&out);
        assert_int_equal(redis_put_commands(&out, &value, 1), 4 + cases[i].commands);
    }
    buf_free(&out);
    redis_value_free(&value);
}

static void told(void *arg, const struct cache_key *key, struct slice where, const char *what)
{
    buf_printf(arg, "%s %.*s: %s\n", cache_key_text(key).p, SLICE_ARG(where), what);
}

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    if (!rig)
        return -1;
    rig_make(rig);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    rig_end(*state);
    free(*state);
    return 0;
}

static void what_is_put_is_there(void **state)
{
    struct rig *rig = *state;
    rig_needs_server();
    rig_start(rig);
    struct redisContext *link = rig_link(rig);
    struct err err = ERR_INIT;
    struct cache_space space = space_of(-1);
    struct redis_value value = REDIS_VALUE_INIT;
    struct redis_put put = {.link = link, .space = &space};
    struct buf differences = BUF_INIT;
    struct redis_verify *verify = redis_verify_new(link, &space, told, &differences);
    make_list(&value, &space, 3000, 1000);
    rig_do(link, "SET nof0:conversations:m wrong");
    must(redis_put_take(&put, &value, &err) && redis_put_flush(&put, &err), &err);
    assert_int_equal(rig_integer(link, "LLEN nof0:conversations:m"), 3000);
    assert_in_range(rig_integer(link, "PTTL nof0:conversations:m"), 200000, 300000);
    must(redis_verify_take(verify, &value, &err), &err);
    assert_int_equal(redis_verify_counts(verify).same, 1);
    rig_do(link, "LTRIM nof0:conversations:m 12 -1");
    for (int i = 0; i < 12; i++)
        rig_do(link, "LPUSH nof0:conversations:m 1");
    must(redis_verify_take(verify, &value, &err), &err);
    assert_int_equal(redis_verify_counts(verify).different, 1);
    assert_non_null(strstr(buf_cstr(&differences), "nof0:conversations:m [9]: $: is 1, should be {"));
    assert_non_null(strstr(differences.data, "nof0:conversations:m : and 2 differences more\n"));
    /* Nothing to hold: the name goes. */
    redis_value_begin(&value, value.key);
    must(redis_put_take(&put, &value, &err) && redis_put_flush(&put, &err), &err);
    assert_int_equal(rig_integer(link, "DBSIZE"), 0);
    /* The short class is disabled. */
    struct price_latest_row row = {.symbol = SLICE("BTC"), .price = {1.5, true}};
    redis_value_begin(&value, cache_key_crypto_prices(&space));
    must(redis_value_put_price(&value, &row, &err), &err);
    redis_value_end_prices(&value);
    must(redis_put_take(&put, &value, &err) && redis_put_flush(&put, &err), &err);
    assert_int_equal(put.disabled, 1);
    assert_int_equal(rig_integer(link, "DBSIZE"), 0);
    /* A Redis that is gone is an error, not a wait. */
    rig_kill(rig);
    make_list(&value, &space, 1, 10);
    assert_false(redis_put_take(&put, &value, &err) && redis_put_flush(&put, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    redis_verify_free(verify);
    redis_put_free(&put);
    redis_value_free(&value);
    buf_free(&differences);
    redisFree(link);
}

static bool note(void *arg, const struct redis_value *value, struct err *err)
{
    (void)err;
    buf_printf(arg, "%s=%zu ", cache_key_text(&value->key).p, value->count);
    return true;
}

static void rebuild_names(struct session *session, const struct cache_space *space, const char *model,
                          const char *symbol, const char *expected)
{
    struct err err = ERR_INIT;
    struct buf names = BUF_INIT;
    const struct slice models[] = {slice_of(model)};
    const struct slice symbols[] = {slice_of(symbol)};
    struct redis_rebuild rebuild = {.session = session,
                                    .space = space,
                                    .prices_provider = "arena",
                                    .models = model ? models : NULL,
                                    .model_count = 1,
                                    .symbols = symbol ? symbols : NULL,
                                    .symbol_count = 1,
                                    .take = note,
                                    .arg = &names};
    for (size_t i = 0; i < CACHE_KEY_COUNT; i++)
        rebuild.wanted[i] = (model && cache_key_rows[i].param_count == 1 && i != CACHE_KEY_price_latest_single &&
                             redis_rebuild_knows((enum cache_key_id)i)) ||
                            (symbol && (i == CACHE_KEY_price_latest || i == CACHE_KEY_price_latest_single ||
                                        i == CACHE_KEY_market_asset || i == CACHE_KEY_market_ctx));
    must(redis_rebuild_run(&rebuild, &err), &err);
    assert_string_equal(buf_cstr(&names), expected);
    buf_free(&names);
}

/* What a change of one model or symbol makes anew: that one's names and no others. */
static void one_name_alone(void **state)
{
    (void)state;
    struct pg_testing pg;
    if (!pg_testing_start(&pg, "redis_put"))
        skip();
    struct err err = ERR_INIT;
    struct cache_space space = space_of(0);
    struct session *session = session_open(pg.dsn, &err);
    struct migration_set *set = session ? migration_set_embedded(&err) : NULL;
    must(set && migrate_up(session, set, MIGRATE_ALL, NULL, &err), &err);
    migration_set_free(set);
    pg_testing_exec(pg.conn,
                    "INSERT INTO models (id, display_name) VALUES ('a', 'a'), ('b', 'b');"
                    "INSERT INTO trades (id, model_id, symbol, entry_ts_ms, exit_ts_ms) SELECT m || n, m, 'BTC', n,"
                    " nullif(n, 1) FROM generate_series(1, 150) AS n, unnest('{a,b}'::text[]) AS m;"
                    "INSERT INTO positions (id, model_id, symbol, side, status, entry_time_ms, entry_time_s,"
                    " entry_price, quantity) VALUES ('1', 'a', 'BTC', 'long', 'open', 1, 1, 1, 1),"
                    " ('2', 'a', 'ETH', 'long', 'closed', 1, 1, 1, 1), ('3', 'b', 'BTC', 'long', 'closed', 1, 1, 1, 1);"
                    "INSERT INTO account_equity_snapshots (model_id, ts_ms, dollar_equity) VALUES ('a', 1, 0),"
                    " ('a', 2, 5), ('b', 1, 10);"
                    "INSERT INTO price_latest (provider, symbol, price, ts_ms) VALUES ('arena', 'BTC', 1, 1),"
                    " ('other', 'BTC', 1, 1), ('arena', 'ETH', 1, 1);"
                    "INSERT INTO market_assets (provider, symbol) VALUES ('p', 'BTC'), ('p', 'ETH')");
    pg_testing_exec(pg.conn, "SELECT refresh_views_nof0()");
    must(session_begin_snapshot(session, &err), &err);
    rebuild_names(session, &space, "a", NULL,
                  "nof0:positions:a=1 nof0:trades:recent:a=100 nof0:since_inception:a=2 nof0:analytics:a=0 "
                  "nof0:conversations:a=0 nof0:decision:last:a=0 nof0:trader:a:state=0 ");
    rebuild_names(session, &space, "b", NULL,
                  "nof0:positions:b=0 nof0:trades:recent:b=100 nof0:since_inception:b=1 nof0:analytics:b=0 "
                  "nof0:conversations:b=0 nof0:decision:last:b=0 nof0:trader:b:state=0 ");
    rebuild_names(session, &space, NULL, "BTC",
                  "nof0:price:latest:arena:BTC=1 nof0:price:latest:BTC=1 nof0:price:latest:other:BTC=1 "
                  "nof0:market:asset:p:BTC=1 ");
    must(session_commit(session, &err), &err);
    session_close(session);
    pg_testing_stop(&pg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_whole),
        cmocka_unit_test(long_lists_take_several_commands),
        cmocka_unit_test_setup_teardown(what_is_put_is_there, setup, teardown),
        cmocka_unit_test(one_name_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
