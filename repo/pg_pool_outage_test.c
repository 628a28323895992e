/* What the pool does while its server dies, falls silent and comes back. */
#include "repo/pg_pool.h"
#include "repo/pg_proxy_testing.h"
#include "repo/pg_rig_testing.h"

enum { TIMEOUT_MS = 400, CONNECTIONS = 4 };

static const struct pg_pool_config config = {
    .connections = CONNECTIONS, .prepared_statements = true, .start_grace_ms = 3000};
static const struct pg_statement seven = {"seven", "SELECT 7::bigint", 0};

static struct pg_testing db;
static bool have_db;

struct scene {
    struct rig rig;
    struct proxy proxy;
    char dsn[2048];
};

static int start_db(void **state)
{
    (void)state;
    have_db = pg_testing_start(&db, "outage");
    return 0;
}

static int stop_db(void **state)
{
    (void)state;
    if (have_db) {
        pg_testing_stop(&db);
    }
    return 0;
}

/* The proxy lives on the rig's loop, so the loop must turn before anything connects. With a second host the real server
 * stands in the DSN behind the proxy. */
static void open_scene_of(struct scene *scene, bool second_host)
{
    if (!have_db) {
        skip();
    }
    struct event_base *base = event_base_new();
    struct err err = ERR_INIT;
    memset(scene, 0, sizeof *scene);
    proxy_start(&scene->proxy, base, db.conn);
    char hosts[512];
    char ports[64];
    snprintf(hosts, sizeof hosts, "%s%s%s", scene->proxy.dir, second_host ? "," : "",
             second_host ? PQhost(db.conn) : "");
    snprintf(ports, sizeof ports, "5432%s%s", second_host ? "," : "", second_host ? PQport(db.conn) : "");
    pg_testing_dsn(scene->dsn, sizeof scene->dsn, db.conn, hosts, ports, db.name);
    scene->proxy.silent = second_host;
    scene->rig.base = base;
    scene->rig.connector = pg_connector_start(scene->dsn, 1000, &err);
    assert_non_null(scene->rig.connector);
    scene->rig.pool = pg_pool_new(base, scene->rig.connector, &config, &err);
    assert_non_null(scene->rig.pool);
}

static void open_scene(struct scene *scene)
{
    open_scene_of(scene, false);
}

static void close_scene(struct scene *scene)
{
    pg_pool_free(scene->rig.pool);
    pg_connector_stop(scene->rig.connector);
    proxy_stop(&scene->proxy);
    event_base_free(scene->rig.base);
}

static struct outcome ask(struct scene *scene)
{
    struct outcome outcome = {0};
    rig_ask(&scene->rig, &outcome, &seven, TIMEOUT_MS);
    rig_wait(&scene->rig, &outcome);
    return outcome;
}

static void assert_answers(struct scene *scene)
{
    struct outcome outcome = ask(scene);
    assert_string_equal(outcome.err.text, "");
    assert_int_equal(outcome.values[0], 7);
}

static void assert_fails_at_once(struct scene *scene)
{
    struct outcome outcome = ask(scene);
    assert_int_equal(outcome.err.code, ERR_UNAVAILABLE);
    assert_in_range(outcome.took_ms, 0, TIMEOUT_MS / 2);
}

static void assert_full(struct scene *scene, int64_t within_ms)
{
    struct pg_pool_state state;
    int64_t until = clock_mono_ms() + within_ms;
    do {
        rig_turn(&scene->rig, 10);
        pg_pool_state(scene->rig.pool, &state);
    } while (state.connections < CONNECTIONS && clock_mono_ms() < until);
    assert_int_equal(state.connections, CONNECTIONS);
    assert_int_equal(state.status, PG_POOL_UP);
}

static void test_the_first_batches_wait_for_the_first_connection(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    assert_int_equal(rig_status(&scene.rig), PG_POOL_CONNECTING);
    assert_answers(&scene);
    close_scene(&scene);
}

static void test_a_dead_server_fails_all_at_once_and_is_found_again(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    assert_answers(&scene);
    assert_full(&scene, 2000);
    for (int round = 0; round < 3; round++) {
        struct outcome flying[20] = {0};
        for (size_t i = 0; i < 20; i++) {
            rig_ask(&scene.rig, &flying[i], &seven, TIMEOUT_MS);
        }
        proxy_die(&scene.proxy);
        for (size_t i = 0; i < 20; i++) {
            rig_wait(&scene.rig, &flying[i]);
            assert_int_equal(flying[i].err.code, ERR_UNAVAILABLE);
            assert_in_range(flying[i].took_ms, 0, TIMEOUT_MS - 50);
        }
        rig_wait_status(&scene.rig, PG_POOL_DOWN, 2000);
        for (int i = 0; i < 20; i++) {
            assert_fails_at_once(&scene);
            rig_turn(&scene.rig, 50);
        }
        struct pg_pool_state now;
        pg_pool_state(scene.rig.pool, &now);
        assert_int_equal(now.connections, 0);
        assert_true(now.last_error[0]);
        proxy_listen(&scene.proxy);
        assert_full(&scene, 2000);
        assert_answers(&scene);
    }
    close_scene(&scene);
}

static void test_a_silent_server_is_found_out_and_found_again(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    assert_answers(&scene);
    assert_full(&scene, 2000);
    for (int round = 0; round < 2; round++) {
        proxy_silence(&scene.proxy, true);
        struct outcome flying[12] = {0};
        for (size_t i = 0; i < 12; i++) {
            rig_ask(&scene.rig, &flying[i], &seven, TIMEOUT_MS);
        }
        for (size_t i = 0; i < 12; i++) {
            rig_wait(&scene.rig, &flying[i]);
            assert_true(flying[i].err.code == ERR_TIMEOUT || flying[i].err.code == ERR_UNAVAILABLE);
            assert_in_range(flying[i].took_ms, TIMEOUT_MS - 10, TIMEOUT_MS + 1000);
        }
        rig_wait_status(&scene.rig, PG_POOL_DOWN, 1000);
        /* Longer than an attempt to connect may take. */
        for (int i = 0; i < 30; i++) {
            assert_fails_at_once(&scene);
            rig_turn(&scene.rig, 50);
        }
        proxy_silence(&scene.proxy, false);
        assert_full(&scene, 2000);
        assert_answers(&scene);
    }
    close_scene(&scene);
}

static void test_idle_connections_to_a_silent_server_are_found_out(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    assert_answers(&scene);
    assert_full(&scene, 2000);
    rig_turn(&scene.rig, 300);
    proxy_silence(&scene.proxy, true);
    struct outcome first = ask(&scene);
    assert_int_equal(first.err.code, ERR_TIMEOUT);
    /* The other connections were idle; they are asked for a sign of life, which takes a moment, once. */
    struct outcome second = ask(&scene);
    assert_int_equal(second.err.code, ERR_UNAVAILABLE);
    assert_in_range(second.took_ms, 0, TIMEOUT_MS);
    assert_fails_at_once(&scene);
    proxy_silence(&scene.proxy, false);
    assert_full(&scene, 2000);
    close_scene(&scene);
}

static void test_a_server_that_is_not_there_from_the_start(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    proxy_die(&scene.proxy);
    struct outcome first = ask(&scene);
    assert_int_equal(first.err.code, ERR_UNAVAILABLE);
    assert_in_range(first.took_ms, 0, TIMEOUT_MS - 50);
    rig_wait_status(&scene.rig, PG_POOL_DOWN, 2000);
    rig_turn(&scene.rig, 1000);
    unsigned knocks_before = scene.proxy.accepted;
    proxy_listen(&scene.proxy);
    assert_full(&scene, 2000);
    /* One probe, then the rest: no stampede on a server that has just come back. */
    assert_in_range(scene.proxy.accepted - knocks_before, CONNECTIONS, CONNECTIONS + 1);
    assert_answers(&scene);
    close_scene(&scene);
}

static void ask_for_ever(struct outcome *outcome)
{
    if (rig_status(outcome->rig) != PG_POOL_UP || outcome->err.code) {
        outcome->err = (struct err)ERR_INIT;
        rig_ask(outcome->rig, outcome, &seven, TIMEOUT_MS);
    }
}

static void test_a_stubborn_caller_does_not_stop_the_loop(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene);
    proxy_die(&scene.proxy);
    rig_wait_status(&scene.rig, PG_POOL_DOWN, 2000);
    struct outcome stubborn = {.then = ask_for_ever};
    rig_ask(&scene.rig, &stubborn, &seven, TIMEOUT_MS);
    rig_turn(&scene.rig, 200);
    assert_true(stubborn.calls > 1);
    proxy_listen(&scene.proxy);
    assert_full(&scene, 2000);
    rig_turn(&scene.rig, 50);
    assert_int_equal(stubborn.err.code, ERR_NONE);
    assert_int_equal(stubborn.values[0], 7);
    close_scene(&scene);
}

static void test_a_silent_host_leads_to_the_next(void **state)
{
    (void)state;
    struct scene scene;
    open_scene_of(&scene, true);
    /* One attempt's timeout at the silent host, then the other one, and no detour afterwards. */
    rig_wait_status(&scene.rig, PG_POOL_UP, 4000);
    assert_full(&scene, 2000);
    assert_answers(&scene);
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_batches_wait_for_the_first_connection),
        cmocka_unit_test(test_a_dead_server_fails_all_at_once_and_is_found_again),
        cmocka_unit_test(test_a_silent_server_is_found_out_and_found_again),
        cmocka_unit_test(test_idle_connections_to_a_silent_server_are_found_out),
        cmocka_unit_test(test_a_server_that_is_not_there_from_the_start),
        cmocka_unit_test(test_a_stubborn_caller_does_not_stop_the_loop),
        cmocka_unit_test(test_a_silent_host_leads_to_the_next),
    };
    return cmocka_run_group_tests(tests, start_db, stop_db);
}
