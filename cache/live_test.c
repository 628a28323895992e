#include "cache/live.h"
#include "cache/redis_rig_testing.h"

static void ids_are_read_strictly(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct cache_live_id id;
    } good[] = {
        {"0-0", {0, 0}},
        {"12-3", {12, 3}},
        {"18446744073709551615-18446744073709551615", {UINT64_MAX, UINT64_MAX}},
    };
    static const char *const bad[] = {"",
                                      "-",
                                      "1",
                                      "1-",
                                      "-1",
                                      "1-2-3",
                                      "1-2 ",
                                      " 1-2",
                                      "+1-2",
                                      "1--2",
                                      "0x1-2",
                                      "1.0-2",
                                      "18446744073709551616-0",
                                      "0-18446744073709551616",
                                      "99999999999999999999999-0"};
    struct cache_live_id id;
    char text[CACHE_LIVE_ID_SIZE];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(cache_live_id_parse(slice_of(good[i].text), &id));
        assert_int_equal(cache_live_id_compare(id, good[i].id), 0);
        assert_string_equal(cache_live_id_format(text, id), good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (cache_live_id_parse(slice_of(bad[i]), &id))
            fail_msg("\"%s\" was taken", bad[i]);
    assert_true(cache_live_id_compare((struct cache_live_id){1, 9}, (struct cache_live_id){2, 0}) < 0);
    assert_true(cache_live_id_compare((struct cache_live_id){2, 1}, (struct cache_live_id){2, 0}) > 0);
}

/* A reader with what it has handed over. */
struct scene {
    struct rig rig;
    struct event_base *base;
    struct cache_space space;
    struct cache_live *live;
    struct redis_client *client;
    uint64_t rows[100];
    size_t count;
    size_t wanted;
    bool done;
    struct cache_live_page page; /* without its entries */
    uint64_t first, last;        /* of its rows */
    bool answered;
};

static void on_entries(void *arg, const struct cache_live_entry *entries, size_t count)
{
    struct scene *scene = arg;
    for (size_t i = 0; i < count; i++) {
        assert_true(slice_is(entries[i].topic, "prices") && slice_is(entries[i].data, "{}"));
        scene->rows[scene->count++] = entries[i].id.row;
    }
    scene->done = scene->count >= scene->wanted;
}

static void expect_up_to(struct scene *scene, size_t wanted)
{
    scene->wanted = wanted;
    scene->done = scene->count >= wanted;
    rig_run_until(scene->base, &scene->done);
    assert_int_equal(scene->count, wanted);
}

static void wait_for_position(struct scene *scene, uint64_t row)
{
    struct cache_live_id id = {0, 0};
    for (int64_t end = clock_mono_ms() + 10000; clock_mono_ms() < end; (void)usleep(200)) {
        (void)event_base_loop(scene->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
        if (cache_live_position(scene->live, &id) && id.row == row)
            return;
    }
    fail_msg("the reader is at %llu", (unsigned long long)id.row);
}

static void add_rows(const struct scene *scene, uint64_t from, uint64_t to)
{
    struct redisContext *link = rig_link(&scene->rig);
    for (uint64_t row = from; row <= to; row++)
        rig_do(link, "XADD t:live:events %llu-0 topic prices model %s data {}", (unsigned long long)row, "m");
    redisFree(link);
}

static struct scene *scene_new(void)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    rig_make(&scene->rig);
    rig_start(&scene->rig);
    scene->base = event_base_new();
    struct err err = ERR_INIT;
    const int64_t defaults[CACHE_TTL_CLASSES] = {0};
    assert_true(cache_space_init(&scene->space, SLICE("t"), defaults, &err));
    const struct cache_live_settings settings = {.base = scene->base,
                                                 .url = scene->rig.url,
                                                 .connect_timeout_ms = 2000,
                                                 .command_timeout_ms = 2000,
                                                 .space = scene->space,
                                                 .on_entries = on_entries,
                                                 .arg = scene};
    scene->live = cache_live_new(&settings, &err);
    assert_non_null(scene->live);
    const struct redis_settings client = {
        .url = scene->rig.url, .connect_timeout_ms = 2000, .command_timeout_ms = 5000};
    scene->client = redis_client_new(scene->base, &client, &err);
    assert_non_null(scene->client);
    return scene;
}

static void scene_free(struct scene *scene)
{
    cache_live_free(scene->live);
    redis_client_free(scene->client);
    event_base_free(scene->base);
    rig_end(&scene->rig);
    free(scene);
}

static void a_reader_begins_at_now_and_hands_over_each_once(void **state)
{
    (void)state;
    rig_needs_server();
    struct scene *scene = scene_new();
    struct cache_live_id id;
    add_rows(scene, 1, 5);
    assert_false(cache_live_position(scene->live, &id));
    cache_live_start(scene->live);
    wait_for_position(scene, 5);
    struct redisContext *link = rig_link(&scene->rig);
    rig_do(link, "XADD t:live:events 6-0 topic prices");
    rig_do(link, "XADD t:live:events 7-0 topic prices model m data %s", "a\nb");
    redisFree(link);
    add_rows(scene, 8, 20);
    expect_up_to(scene, 13);
    for (size_t i = 0; i < 13; i++)
        assert_int_equal(scene->rows[i], 8 + i);
    assert_int_equal(cache_live_strange(scene->live), 2);
    scene_free(scene);
}

static void a_reader_goes_on_where_it_was_after_a_loss(void **state)
{
    (void)state;
    rig_needs_server();
    struct scene *scene = scene_new();
    cache_live_start(scene->live);
    wait_for_position(scene, 0);
    add_rows(scene, 1, 10);
    expect_up_to(scene, 10);
    rig_kill(&scene->rig);
    rig_run_for(scene->base, 50);
    rig_start(&scene->rig);
    add_rows(scene, 4, 12);
    expect_up_to(scene, 12);
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(scene->rows[i], 1 + i);
    scene_free(scene);
}

static void on_page(void *arg, const struct cache_live_page *page)
{
    struct scene *scene = arg;
    assert_non_null(page);
    scene->page = *page;
    scene->first = page->count ? page->entries[0].id.row : 0;
    scene->last = page->count ? page->entries[page->count - 1].id.row : 0;
    scene->answered = true;
}

static void read_page(struct scene *scene, uint64_t after, uint64_t upto)
{
    scene->answered = false;
    cache_live_read(scene->client, &scene->space, (struct cache_live_id){after, 0}, (struct cache_live_id){upto, 0}, 4,
                    on_page, scene);
    assert_false(scene->answered);
    rig_run_until(scene->base, &scene->answered);
}

static void a_page_says_what_it_can_be_relied_on_for(void **state)
{
    (void)state;
    rig_needs_server();
    struct scene *scene = scene_new();
    redis_client_start(scene->client);
    struct redis_status status;
    do {
        (void)event_base_loop(scene->base, EVLOOP_ONCE);
        redis_client_state(scene->client, &status);
    } while (status.state != REDIS_UP);
    read_page(scene, 0, 0);
    assert_false(scene->page.has_oldest || scene->page.whole || scene->page.newest.row);
    add_rows(scene, 1, 10);
    read_page(scene, 0, 9);
    assert_true(scene->page.whole && scene->page.has_oldest && !scene->page.ended);
    assert_int_equal(scene->page.oldest.row, 1);
    assert_int_equal(scene->page.newest.row, 10);
    assert_int_equal(scene->first, 1);
    assert_int_equal(scene->page.reached.row, 4);
    read_page(scene, 7, 9);
    assert_true(scene->page.ended);
    assert_int_equal(scene->first, 8);
    assert_int_equal(scene->last, 9);
    struct redisContext *link = rig_link(&scene->rig);
    rig_do(link, "XTRIM t:live:events MAXLEN 2");
    read_page(scene, 7, 10);
    assert_false(scene->page.whole);
    assert_int_equal(scene->page.oldest.row, 9);
    rig_do(link, "XTRIM t:live:events MAXLEN 0");
    read_page(scene, 7, 10);
    assert_false(scene->page.has_oldest);
    assert_int_equal(scene->page.newest.row, 10);
    redisFree(link);
    scene_free(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_read_strictly),
        cmocka_unit_test(a_reader_begins_at_now_and_hands_over_each_once),
        cmocka_unit_test(a_reader_goes_on_where_it_was_after_a_loss),
        cmocka_unit_test(a_page_says_what_it_can_be_relied_on_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
