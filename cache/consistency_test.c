/* Two instances over one Redis, a made-up database that commits and announces, and a Redis that forgets and hangs up:
 * what one instance serves never goes back in time, and is never older than its TTL and its making allow. */
#include "cache/announce.h"
#include "cache/documents.h"
#include "cache/invalidation.h"
#include "cache/redis_rig_testing.h"

enum { NAMES = 3, INSTANCES = 2, FRESH_MS = 150, LONGEST_BUILD_MS = 20, MOST_VERSIONS = 20000, SLACK_MS = 400 };

struct world;

struct instance {
    struct world *world;
    struct cache_floors floors;
    struct cache_local *local;
    struct cache_documents *documents;
    struct cache_invalidation *invalidation;
    struct redis_client *client;
    int64_t served; /* newest version that a reader saw */
    uint64_t from_local;
    uint64_t from_redis;
    uint64_t built;
};

struct world {
    struct rig rig;
    struct event_base *base;
    struct cache_space space;
    struct instance instances[INSTANCES];
    struct redisContext *link;
    int64_t version;
    int64_t committed_ms[MOST_VERSIONS]; /* when the version came to be */
    int64_t worst_ms;
    unsigned reading;
};

/* One reader's request, until it is answered. */
struct request {
    struct instance *instance;
    char name[2];
    int64_t version; /* being built */
    uint64_t losses;
    struct event *timer;
};

static uint64_t random_state = 0x9E3779B97F4A7C15U;

static unsigned random_below(unsigned n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state % n);
}

/* Documents of this test need no memory of their own: the version says all. */
static void *keep(void *document)
{
    return document;
}

static void let_go(void *document)
{
    (void)document;
}

static void serve(struct instance *instance, int64_t version)
{
    struct world *world = instance->world;
    if (version < instance->served)
        fail_msg("served %lld after %lld", (long long)version, (long long)instance->served);
    instance->served = version;
    (void)cache_floor_raise(&instance->floors, CACHE_FEED_trades, version);
    if (version == world->version)
        return;
    int64_t behind = clock_mono_ms() - world->committed_ms[version + 1];
    if (behind > world->worst_ms)
        world->worst_ms = behind;
}

static void keep_local(struct instance *instance, const char *name, int64_t version, uint64_t losses, int64_t fresh_ms)
{
    int64_t now = clock_mono_ms();
    struct cache_entry entry = {.document = instance,
                                .bytes = 100,
                                .feed = CACHE_FEED_trades,
                                .version = version,
                                .losses = losses,
                                .fresh_until_ms = now + fresh_ms,
                                .stale_until_ms = now + fresh_ms,
                                .error_until_ms = now + fresh_ms};
    (void)cache_local_put(instance->local, slice_of(name), now, &entry);
}

static void request_end(struct request *request)
{
    request->instance->world->reading--;
    event_free(request->timer);
    free(request);
}

/* The rows are read at once; the answer is ready later. */
static void build(struct request *request)
{
    struct timeval takes = {0, (suseconds_t)random_below(LONGEST_BUILD_MS) * 1000};
    request->version = request->instance->world->version;
    request->losses = atomic_load(&request->instance->floors.losses);
    event_add(request->timer, &takes);
}

static void on_built(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct request *request = arg;
    struct instance *instance = request->instance;
    if (request->version < cache_floor(&instance->floors, CACHE_FEED_trades)) {
        build(request); /* overtaken */
        return;
    }
    struct document_value value = {.version = request->version, .body = SLICE("body")};
    instance->built++;
    serve(instance, request->version);
    keep_local(instance, request->name, request->version, request->losses, FRESH_MS);
    cache_documents_put(instance->documents, CACHE_FEED_trades, slice_of(request->name), FRESH_MS, &value, NULL, NULL,
                        NULL);
    request_end(request);
}

static void on_found(void *arg, const struct cache_found *found)
{
    struct request *request = arg;
    struct instance *instance = request->instance;
    if (found->judgement != CACHE_FRESH) {
        build(request);
        return;
    }
    instance->from_redis++;
    serve(instance, found->value.version);
    keep_local(instance, request->name, found->value.version, request->losses, found->fresh_left_ms);
    request_end(request);
}

static void read_one(struct instance *instance)
{
    struct cache_entry entry;
    char name[2] = {(char)('a' + random_below(NAMES)), '\0'};
    if (cache_local_get(instance->local, slice_of(name), clock_mono_ms(), &entry) == CACHE_FRESH) {
        instance->from_local++;
        serve(instance, entry.version);
        return;
    }
    struct request *request = calloc(1, sizeof *request);
    assert_non_null(request);
    request->instance = instance;
    request->name[0] = name[0];
    request->losses = atomic_load(&instance->floors.losses);
    request->timer = event_new(instance->world->base, -1, 0, on_built, request);
    instance->world->reading++;
    cache_documents_get(instance->documents, CACHE_FEED_trades, slice_of(request->name), on_found, request);
}

static void commit_one(struct world *world)
{
    if (world->version + 1 >= MOST_VERSIONS)
        return;
    world->version++;
    world->committed_ms[world->version] = clock_mono_ms();
    cache_announce(world->instances[random_below(INSTANCES)].client, &world->space, CACHE_FEED_trades, world->version,
                   NULL, NULL);
}

static void instance_open(struct world *world, struct instance *instance)
{
    struct err err = ERR_INIT;
    struct redis_settings redis = {.url = world->rig.url, .connect_timeout_ms = 1000, .command_timeout_ms = 1000};
    instance->world = world;
    cache_floors_init(&instance->floors);
    instance->local = cache_local_new(&(struct cache_local_settings){100000, keep, let_go, &instance->floors});
    instance->client = redis_client_new(world->base, &redis, &err);
    assert_non_null(instance->client);
    redis_client_start(instance->client);
    instance->documents = cache_documents_new(
        &(struct cache_documents_settings){world->base, instance->client, world->space, &instance->floors});
    instance->invalidation = cache_invalidation_new(&(struct cache_invalidation_settings){.base = world->base,
                                                                                          .url = world->rig.url,
                                                                                          .connect_timeout_ms = 1000,
                                                                                          .command_timeout_ms = 1000,
                                                                                          .space = world->space,
                                                                                          .floors = &instance->floors},
                                                    &err);
    assert_non_null(instance->invalidation);
    cache_invalidation_start(instance->invalidation);
}

static void instance_close(struct instance *instance)
{
    cache_invalidation_free(instance->invalidation);
    cache_documents_free(instance->documents);
    redis_client_free(instance->client);
    cache_local_free(instance->local);
}

static void trouble(struct world *world)
{
    switch (random_below(3)) {
    case 0:
        rig_do(world->link, "FLUSHALL");
        break;
    case 1:
        rig_do(world->link, "CLIENT KILL TYPE pubsub");
        break;
    default:
        rig_do(world->link, "SCRIPT FLUSH");
    }
}

static void run(struct world *world, int64_t ms, bool with_trouble)
{
    for (int64_t end = clock_mono_ms() + ms; clock_mono_ms() < end; (void)usleep(100)) {
        if (world->reading < 50)
            for (unsigned i = random_below(4); i > 0; i--)
                read_one(&world->instances[random_below(INSTANCES)]);
        if (random_below(40) == 0)
            commit_one(world);
        if (with_trouble && random_below(400) == 0)
            trouble(world);
        (void)event_base_loop(world->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
    }
    for (int64_t end = clock_mono_ms() + 10000; world->reading;) {
        rig_run_for(world->base, 1);
        assert_true(clock_mono_ms() < end);
    }
}

static void no_reader_sees_time_go_back(void **state)
{
    (void)state;
    rig_needs_server();
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    struct err err = ERR_INIT;
    const int64_t ttl_s[CACHE_TTL_CLASSES] = {10, 60, 300};
    rig_make(&world->rig);
    rig_start(&world->rig);
    world->base = event_base_new();
    world->link = rig_link(&world->rig);
    assert_true(cache_space_init(&world->space, SLICE("t"), ttl_s, &err));
    for (int i = 0; i < INSTANCES; i++)
        instance_open(world, &world->instances[i]);
    for (int64_t end = clock_mono_ms() + 10000;
         !atomic_load(&world->instances[0].floors.connected) || !atomic_load(&world->instances[1].floors.connected);) {
        rig_run_for(world->base, 1);
        assert_true(clock_mono_ms() < end);
    }
    run(world, 1500, false);
    print_message("undisturbed: %lld versions, at worst %lld ms behind\n", (long long)world->version,
                  (long long)world->worst_ms);
    assert_true(world->worst_ms <= FRESH_MS + LONGEST_BUILD_MS + SLACK_MS);
    run(world, 2500, true);
    print_message("in trouble: %lld versions, at worst %lld ms behind\n", (long long)world->version,
                  (long long)world->worst_ms);
    assert_true(world->worst_ms <= FRESH_MS + LONGEST_BUILD_MS + SLACK_MS);
    for (int i = 0; i < INSTANCES; i++) {
        const struct instance *instance = &world->instances[i];
        print_message("instance %d: %llu local, %llu redis, %llu built\n", i, (unsigned long long)instance->from_local,
                      (unsigned long long)instance->from_redis, (unsigned long long)instance->built);
        assert_true(instance->from_local > 100 && instance->from_redis > 10 && instance->built > 10);
        instance_close(&world->instances[i]);
    }
    redisFree(world->link);
    event_base_free(world->base);
    rig_end(&world->rig);
    free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_reader_sees_time_go_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
