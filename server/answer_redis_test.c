/* What an answer's making takes from Redis and puts there. */
#include "cache/redis_rig_testing.h"
#include "server/answer_cache_inside.h"
#include "server/answer_cache_testing.h"

enum { BODY_LENGTH = 100000 };

struct scene {
    struct fixture *f;
    struct rig rig;
    struct redis_client *client;
    struct buf id; /* of the row: long, and as repetitive as rows are */
};

static int begin(void **state)
{
    struct scene *scene = mem_zalloc(sizeof *scene);
    rig_make(&scene->rig);
    void *fixture = NULL;
    (void)set_up(&fixture);
    scene->f = fixture;
    for (uint32_t random = 1; scene->id.len < BODY_LENGTH; random = random * 1664525 + 1013904223)
        buf_printf(&scene->id, "entry_price:%u,symbol:%c,", random >> 12, "ABCDEF"[random % 6]);
    scene->f->fakes[0].id = buf_slice(&scene->id);
    *state = scene;
    return 0;
}

static void connect_redis(struct scene *scene)
{
    struct err err = ERR_INIT;
    struct redis_status status = {.state = REDIS_IDLE};
    rig_needs_server();
    rig_start(&scene->rig);
    const struct redis_settings settings = {
        .url = scene->rig.url, .connect_timeout_ms = 10000, .command_timeout_ms = 10000};
    scene->client = redis_client_new(scene->f->base, &settings, &err);
    assert_non_null(scene->client);
    redis_client_start(scene->client);
    for (int64_t end = clock_mono_ms() + 10000; status.state != REDIS_UP; redis_client_state(scene->client, &status)) {
        rig_run_for(scene->f->base, 1);
        assert_true(clock_mono_ms() < end);
    }
    cache_documents_set_client(scene->f->documents, scene->client);
}

static int end(void **state)
{
    struct scene *scene = *state;
    void *fixture = scene->f;
    cache_documents_set_client(scene->f->documents, NULL);
    redis_client_free(scene->client);
    (void)tear_down(&fixture);
    rig_end(&scene->rig);
    buf_free(&scene->id);
    free(scene);
    return 0;
}

/* Asks worker 0 and waits until it is told. */
static void ask_and_wait(struct scene *scene, struct asker *asker)
{
    ask(scene->f, asker, 0);
    for (int64_t until = clock_mono_ms() + 10000; !asker->told;) {
        rig_run_for(scene->f->base, 1);
        if (scene->f->fakes[0].waiting)
            return;
        assert_true(clock_mono_ms() < until);
    }
}

/* Asks worker 0, which reads rows. */
static void ask_for_rows(struct scene *scene, struct asker *asker, double content, int64_t version)
{
    ask_and_wait(scene, asker);
    assert_int_equal(asker->told, 0);
    answer_next(&scene->f->fakes[0], content, version, ERR_NONE);
    for (int64_t until = clock_mono_ms() + 10000; !asker->told;) {
        rig_run_for(scene->f->base, 1);
        assert_true(clock_mono_ms() < until);
    }
    expect(asker, content);
}

struct in_redis {
    bool done;
    enum cache_judgement judgement;
    uint32_t flags;
    size_t gzip_bytes;
    int64_t version;
    int64_t left_ms;
};

static void on_value(void *arg, const struct cache_found *found)
{
    struct in_redis *value = arg;
    *value = (struct in_redis){.done = true, .judgement = found->judgement};
    if (found->judgement == CACHE_MISS)
        return;
    value->flags = found->value.flags;
    value->gzip_bytes = found->value.gzip.n;
    value->version = found->value.version;
    value->left_ms = found->fresh_left_ms;
}

static struct in_redis look(struct scene *scene)
{
    struct in_redis value = {.done = false};
    struct answer_name name = answer_name_of(&leaderboard, scene->f->arena);
    cache_documents_get(scene->f->documents, name.feed, name.text, on_value, &value);
    rig_run_until(scene->f->base, &value.done);
    return value;
}

static void on_stored(void *arg, enum cache_stored stored)
{
    assert_int_equal(stored, CACHE_STORED);
    *(bool *)arg = true;
}

/* Another process has put a hasty answer there, `age_ms` ago. */
static void put_hasty(struct scene *scene, double content, int64_t age_ms)
{
    bool done = false;
    struct buf body = BUF_INIT;
    struct answer_name name = answer_name_of(&leaderboard, scene->f->arena);
    buf_printf(&body, "{\"leaderboard\":[{\"id\":\"%.*s\",\"equity\":%.0f}]", SLICE_ARG(buf_slice(&scene->id)),
               content);
    struct document *document = document_new((struct document_body){.bytes = buf_slice(&body)},
                                             (struct document_tail){.kind = DOCUMENT_TAIL_END});
    document_compress_quickly(document);
    const struct document_value value = {.version = 7,
                                         .stale_ms = 60000,
                                         .built_ms = clock_ms - age_ms,
                                         .flags = ANSWER_VALUE_IS_QUICK,
                                         .etag = slice_of(document_etag(document)),
                                         .body = document_body(document),
                                         .gzip = document_gzip(document)};
    cache_documents_put(scene->f->documents, name.feed, name.text, 50000, &value, NULL, on_stored, &done);
    rig_run_until(scene->f->base, &done);
    document_unref(document);
    buf_free(&body);
}

static void test_a_hasty_one_that_was_left_is_compressed_well_by_who_finds_it(void **state)
{
    struct scene *scene = *state;
    connect_redis(scene);
    put_hasty(scene, 5, ANSWER_QUICK_LIFE_MS + 1);
    struct in_redis before = look(scene);
    assert_int_equal(before.flags, ANSWER_VALUE_IS_QUICK);
    struct asker asker;
    ask_and_wait(scene, &asker);
    expect(&asker, 5);
    struct in_redis after = before;
    for (int64_t until = clock_mono_ms() + 10000; after.flags; after = look(scene))
        assert_true(clock_mono_ms() < until);
    assert_int_equal(after.judgement, CACHE_FRESH);
    assert_int_equal(after.version, 7);
    assert_true(after.gzip_bytes < before.gzip_bytes);
    assert_true(after.left_ms <= before.left_ms); /* no longer than it had */
    ask_and_wait(scene, &asker);
    expect(&asker, 5);
    assert_true(document_gzip(asker.what.document).n == after.gzip_bytes);
    assert_true(asker.what.fresh_until_ms > clock_ms && asker.what.fresh_until_ms <= clock_ms + 50000);
    assert_int_equal(scene->f->fakes[0].count, 0);
}

static void test_a_hasty_one_that_somebody_is_at_is_left_to_him(void **state)
{
    struct scene *scene = *state;
    connect_redis(scene);
    put_hasty(scene, 5, ANSWER_QUICK_LIFE_MS);
    struct asker asker;
    ask_and_wait(scene, &asker);
    expect(&asker, 5);
    rig_run_for(scene->f->base, 200);
    assert_int_equal(look(scene).flags, ANSWER_VALUE_IS_QUICK);
    /* And not held on to: he may be done soon. */
    assert_int_equal(asker.what.fresh_until_ms, 0);
}

static void test_an_answer_of_redis_that_did_not_change_is_kept_as_it_is(void **state)
{
    struct scene *scene = *state;
    connect_redis(scene);
    struct asker asker;
    ask_for_rows(scene, &asker, 5, 7);
    /* Until it is compressed well, in memory and in Redis. */
    for (int64_t until = clock_mono_ms() + 10000; !asker.what.fresh_until_ms || look(scene).flags;) {
        ask_and_wait(scene, &asker);
        assert_true(clock_mono_ms() < until);
    }
    struct document *first = document_ref(asker.what.document);
    clock_ms += 120000; /* too old in memory; Redis has its own clock */
    ask_and_wait(scene, &asker);
    expect(&asker, 5);
    assert_ptr_equal(asker.what.document, first);
    assert_int_equal(counts_of(scene->f, 0).redis_hits, 1);
    assert_int_equal(scene->f->fakes[0].count, 1);
    document_unref(first);
}

#define WITH_REDIS(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REDIS(test_a_hasty_one_that_was_left_is_compressed_well_by_who_finds_it),
        WITH_REDIS(test_a_hasty_one_that_somebody_is_at_is_left_to_him),
        WITH_REDIS(test_an_answer_of_redis_that_did_not_change_is_kept_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
