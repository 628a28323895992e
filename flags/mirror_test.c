#include "cache/redis_rig_testing.h"
#include "flags/store.h"

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

static struct cache_space space_of(const char *prefix)
{
    const int64_t ttl_s[CACHE_TTL_CLASSES] = {0};
    struct cache_space space;
    struct err err = ERR_INIT;
    if (!cache_space_init(&space, slice_of(prefix), ttl_s, &err))
        fail_msg("%s", err.text);
    return space;
}

static struct flag_store_rows rows_at(int64_t version, uint32_t share)
{
    struct flag_store_rows rows = {.version = version};
    rows.flags[FLAG_READ_TRADES] =
        (struct flag_stored){.set = true, .value = {.mode = FLAG_CANARY, .share = share}, .version = version};
    rows.flags[FLAG_SWITCH_INGEST] = (struct flag_stored){.set = true, .value = {.on = false}, .version = 2};
    rows.flags[FLAG_READ_POSITIONS] = (struct flag_stored){.set = false, .version = 1};
    return rows;
}

static void assert_rows(const struct flag_store_rows *a, const struct flag_store_rows *b)
{
    assert_int_equal(a->version, b->version);
    for (size_t i = 0; i < FLAG_COUNT; i++) {
        assert_int_equal(a->flags[i].set, b->flags[i].set);
        assert_int_equal(a->flags[i].version, b->flags[i].version);
        assert_true(flag_value_equal(a->flags[i].value, b->flags[i].value));
    }
}

static void texts_read_back(void **state)
{
    (void)state;
    struct flag_store_rows rows = rows_at(7, 25);
    struct flag_store_rows back;
    struct buf text = BUF_INIT;
    struct err err = ERR_INIT;
    flag_mirror_put(&text, &rows);
    assert_string_equal(buf_cstr(&text), "{\"version\":7,\"flags\":{\"read.positions\":{\"value\":null,\"version\":1},"
                                         "\"read.trades\":{\"value\":\"canary:0.25\",\"version\":7},"
                                         "\"switch.ingest\":{\"value\":\"off\",\"version\":2}}}");
    assert_true(flag_mirror_parse(buf_slice(&text), &back, &err));
    assert_rows(&back, &rows);
    /* What a newer program wrote. */
    assert_true(flag_mirror_parse(SLICE("{\"version\":8,\"more\":[1],\"flags\":{\"read.tomorrow\":{\"value\":\"repo\","
                                        "\"version\":8},\"read.trades\":{\"value\":\"mirror\",\"version\":3},"
                                        "\"switch.stream\":{\"value\":\"off\",\"version\":1,\"by\":null}}}"),
                                  &back, &err));
    assert_int_equal(back.version, 8);
    assert_false(back.flags[FLAG_READ_TRADES].set);
    assert_true(back.flags[FLAG_SWITCH_STREAM].set);
    static const char *const bad[] = {
        "",
        "[]",
        "null",
        "{}",
        "{\"version\":1}",
        "{\"version\":1,\"flags\":[]}",
        "{\"version\":\"1\",\"flags\":{}}",
        "{\"version\":-1,\"flags\":{}}",
        "{\"version\":1.5,\"flags\":{}}",
        "{\"version\":1e300,\"flags\":{}}",
        "{\"version\":1,\"flags\":{\"read.trades\":\"repo\"}}",
        "{\"version\":1,\"flags\":{\"read.trades\":{\"value\":1,\"version\":1}}}",
        "{\"version\":1,\"flags\":{\"read.trades\":{\"version\":1}}}",
        "{\"version\":1,\"flags\":{\"read.trades\":{\"value\":\"repo\"}}}",
        "{\"version\":1,\"flags\":{\"read.trades\":{\"value\":\"repo\",\"version\":1}}",
        "{\"version\":1,\"version\":1,\"flags\":{}}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (flag_mirror_parse(slice_of(bad[i]), &back, &err))
            fail_msg("%s was taken", bad[i]);
        assert_int_equal(err.code, ERR_INVALID);
        assert_int_equal(back.version, 0);
    }
    buf_free(&text);
}

static void older_never_overwrites_newer(void **state)
{
    struct rig *rig = *state;
    rig_needs_server();
    rig_start(rig);
    struct redisContext *link = rig_link(rig);
    struct cache_space space = space_of("nof0");
    struct flag_store_rows back;
    struct err err = ERR_INIT;
    assert_false(flag_mirror_read(link, &space, &back, &err));
    assert_int_equal(err.code, ERR_NOT_FOUND);
    /* Each write, and the version that is there afterwards; the share tells which write it was. */
    static const struct {
        int64_t version;
        uint32_t share;
        int64_t wanted_version;
        uint32_t wanted_share;
    } writes[] = {{5, 1, 5, 1},
                  {4, 2, 5, 1},
                  {0, 3, 5, 1},
                  {6, 4, 6, 4},
                  {6, 5, 6, 5},
                  {99, 6, 99, 6},
                  {100, 7, 100, 7},
                  {99, 8, 100, 7},
                  {9, 9, 100, 7},
                  {1000000000000, 10, 1000000000000, 10},
                  {999999999999, 11, 1000000000000, 10}};
    for (size_t i = 0; i < sizeof writes / sizeof writes[0]; i++) {
        struct flag_store_rows rows = rows_at(writes[i].version, writes[i].share);
        if (!flag_mirror_write(link, &space, &rows, &err) || !flag_mirror_read(link, &space, &back, &err))
            fail_msg("%s", err.text);
        struct flag_store_rows wanted = rows_at(writes[i].wanted_version, writes[i].wanted_share);
        assert_rows(&back, &wanted);
    }
    assert_int_equal(rig_integer(link, "TTL nof0:flags"), -1);
    /* Another prefix has its own; something that is no mirror gives way. */
    struct cache_space other = space_of("other");
    assert_false(flag_mirror_read(link, &other, &back, &err));
    rig_do(link, "SET other:flags nonsense");
    assert_false(flag_mirror_read(link, &other, &back, &err));
    assert_int_equal(err.code, ERR_INVALID);
    struct flag_store_rows rows = rows_at(1, 1);
    assert_true(flag_mirror_write(link, &other, &rows, &err));
    rig_do(link, "DEL other:flags");
    rig_do(link, "LPUSH other:flags x");
    assert_false(flag_mirror_read(link, &other, &back, &err));
    assert_true(flag_mirror_write(link, &other, &rows, &err));
    assert_true(flag_mirror_read(link, &other, &back, &err));
    assert_rows(&back, &rows);
    redisFree(link);
}

static void a_dead_redis_is_told(void **state)
{
    struct rig *rig = *state;
    rig_needs_server();
    rig_start(rig);
    struct redisContext *link = rig_link(rig);
    struct cache_space space = space_of("nof0");
    struct flag_store_rows rows = rows_at(1, 1);
    struct err err = ERR_INIT;
    rig_kill(rig);
    assert_false(flag_mirror_write(link, &space, &rows, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_false(flag_mirror_read(link, &space, &rows, &err));
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    redisFree(link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_read_back),
        cmocka_unit_test_setup_teardown(older_never_overwrites_newer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_redis_is_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
