#include "base/mem.h"
#include "cache/redis_rig_testing.h"
#include "repo/session_testing.h"
#include "server/flag_file.h"
#include "server/flag_keeper.h"

#include <pthread.h>
#include <sys/stat.h>

enum { PATIENCE_MS = 30000 };

/* A keeper with what it was told to hand on. */
struct kept {
    struct flag_keeper *keeper;
    struct snapshot *snapshot;
    struct event_base *base;
    struct mailbox *mailbox;
    pthread_mutex_t lock;
    struct flag_set *told; /* the last */
    unsigned times;
};

static struct snapshot *snapshot_of(const char *yaml)
{
    struct buf faults = BUF_INIT;
    struct settings *settings = settings_parse(slice_of(yaml), "test", config_environment, NULL, &faults);
    if (!settings)
        fail_msg("%s", buf_cstr(&faults));
    buf_free(&faults);
    return snapshot_new(settings, NULL);
}

static void on_set(void *arg, struct snapshot *snapshot, struct flag_set *set)
{
    struct kept *kept = arg;
    (void)snapshot;
    (void)pthread_mutex_lock(&kept->lock);
    flag_set_unref(kept->told);
    kept->told = flag_set_ref(set);
    kept->times++;
    (void)pthread_mutex_unlock(&kept->lock);
}

static const struct flag_overrides no_overrides;

static struct kept *keep(const char *yaml, const struct flag_overrides *overrides)
{
    struct err err = ERR_INIT;
    struct kept *kept = mem_zalloc(sizeof *kept);
    (void)pthread_mutex_init(&kept->lock, NULL);
    kept->base = event_base_new();
    kept->mailbox = mailbox_new(kept->base, &err);
    kept->snapshot = snapshot_of(yaml);
    const struct flag_keeper_config config = {
        .snapshot = kept->snapshot, .overrides = overrides, .on_set = on_set, .arg = kept};
    kept->keeper = flag_keeper_new(&config, &err);
    if (!kept->keeper || !flag_keeper_start(kept->keeper, &err))
        fail_msg("%s", err.text);
    return kept;
}

static void let_go(struct kept *kept)
{
    flag_keeper_stop(kept->keeper);
    mailbox_free(kept->mailbox);
    event_base_free(kept->base);
    flag_set_unref(kept->told);
    snapshot_unref(kept->snapshot);
    (void)pthread_mutex_destroy(&kept->lock);
    free(kept);
}

static struct flag_state state_of(struct kept *kept, enum flag flag)
{
    struct flag_set *set = flag_keeper_set(kept->keeper);
    struct flag_state state = set->states[flag];
    flag_set_unref(set);
    return state;
}

static void expect(struct kept *kept, enum flag flag, const char *value, enum flag_source source)
{
    struct flag_state state = state_of(kept, flag);
    struct buf text = BUF_INIT;
    flag_value_put(&text, flag, state.value);
    assert_string_equal(buf_cstr(&text), value);
    assert_int_equal(state.source, source);
    buf_free(&text);
}

/* Waits until it is so. */
static void await(struct kept *kept, enum flag flag, const char *value, enum flag_source source)
{
    struct flag_value wanted;
    assert_true(flag_value_parse(flag, slice_of(value), &wanted, NULL));
    for (int64_t end = clock_mono_ms() + PATIENCE_MS; clock_mono_ms() < end; (void)usleep(1000)) {
        struct flag_state state = state_of(kept, flag);
        if (flag_value_equal(state.value, wanted) && state.source == source)
            break;
    }
    expect(kept, flag, value, source);
}

static struct flag_change change_of(enum flag flag, const char *value)
{
    struct flag_change change = {.flag = flag,
                                 .set = value != NULL,
                                 .origin = FLAG_BY_OPERATOR,
                                 .actor = SLICE("test"),
                                 .reason = SLICE("to see"),
                                 .expected = FLAG_VERSION_ANY};
    if (value && !flag_value_parse(flag, slice_of(value), &change.value, NULL))
        fail_msg("%s", value);
    return change;
}

static void must_change(struct session *session, enum flag flag, const char *value)
{
    struct err err = ERR_INIT;
    int64_t version = 0;
    const struct flag_change change = change_of(flag, value);
    if (!flag_store_change(session, &change, &version, &err))
        fail_msg("%s", err.text);
}

static char *config_of(const char *dsn, const char *redis_url, const char *file)
{
    struct buf yaml = BUF_INIT;
    buf_printf(&yaml, "postgres: {dsn: \"%s\"}\nredis: {url: \"%s\"}\nflags: {keep_file: \"%s\"}\n", dsn, redis_url,
               file);
    return buf_take(&yaml, &(size_t){0});
}

static const char nowhere[] = "host=/nonexistent dbname=none";

static void without_a_store(void **state)
{
    (void)state;
    struct flag_overrides overrides = {0};
    overrides.present[FLAG_READ_TRADES] = true;
    overrides.values[FLAG_READ_TRADES] = (struct flag_value){.mode = FLAG_SHADOW};
    struct kept *kept = keep("endpoints: {positions: legacy}\ndual_write: {trades: true}\n", &overrides);
    expect(kept, FLAG_READ_TRADES, "shadow", FLAG_FROM_ENVIRONMENT);
    expect(kept, FLAG_READ_POSITIONS, "legacy", FLAG_FROM_CONFIG);
    expect(kept, FLAG_READ_LEADERBOARD, "repo", FLAG_FROM_CONFIG);
    expect(kept, FLAG_DUAL_WRITE_TRADES, "on", FLAG_FROM_CONFIG);
    expect(kept, FLAG_SWITCH_STREAM, "on", FLAG_FROM_CONFIG);
    assert_int_equal(kept->times, 0);

    /* What files answer already, or the environment says, is not taken back. */
    assert_false(flag_keeper_fall_back(kept->keeper, FLAG_READ_TRADES, "why"));
    assert_false(flag_keeper_fall_back(kept->keeper, FLAG_READ_POSITIONS, "why"));
    assert_false(flag_keeper_fall_back(kept->keeper, FLAG_SWITCH_STREAM, "why"));
    assert_int_equal(kept->times, 0);
    assert_true(flag_keeper_fall_back(kept->keeper, FLAG_READ_LEADERBOARD, "why"));
    assert_int_equal(kept->times, 1); /* before it returned */
    expect(kept, FLAG_READ_LEADERBOARD, "legacy", FLAG_FROM_FALLBACK);
    assert_false(flag_keeper_fall_back(kept->keeper, FLAG_READ_LEADERBOARD, "why"));

    /* Settings that leave the flag alone do not end it; those that change it do. */
    struct snapshot *other = snapshot_of("dual_write: {trades: false}\n");
    flag_keeper_reload(kept->keeper, other);
    snapshot_unref(other);
    assert_int_equal(kept->times, 2);
    expect(kept, FLAG_DUAL_WRITE_TRADES, "off", FLAG_FROM_CONFIG);
    expect(kept, FLAG_READ_POSITIONS, "repo", FLAG_FROM_CONFIG);
    expect(kept, FLAG_READ_LEADERBOARD, "legacy", FLAG_FROM_FALLBACK);
    for (int i = 0; i < 2; i++) {
        other = snapshot_of(i ? "" : "endpoints: {leaderboard: legacy}\n");
        flag_keeper_reload(kept->keeper, other);
        snapshot_unref(other);
        expect(kept, FLAG_READ_LEADERBOARD, i ? "repo" : "legacy", FLAG_FROM_CONFIG);
    }
    let_go(kept);
}

static bool never(void *arg, struct session *session, struct err *err)
{
    (void)arg, (void)session, (void)err;
    fail_msg("there is no session");
    return false;
}

static void count_done(void *arg)
{
    ++*(unsigned *)arg;
}

static void errands_without_a_store(void **state)
{
    (void)state;
    unsigned done = 0;
    struct kept *kept = keep("", &no_overrides);
    struct flag_errand errands[3];
    for (size_t i = 0; i < 3; i++) {
        errands[i] = (struct flag_errand){
            .run = never, .changes = i == 1, .mailbox = kept->mailbox, .done = count_done, .arg = &done};
        flag_keeper_run(kept->keeper, &errands[i]);
    }
    for (int64_t end = clock_mono_ms() + PATIENCE_MS; done < 3 && clock_mono_ms() < end;)
        (void)event_base_loop(kept->base, EVLOOP_ONCE);
    assert_int_equal(done, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(errands[i].err.code, ERR_UNAVAILABLE);
    let_go(kept);
}

struct errand_of_change {
    struct flag_change change;
    int64_t version;
    bool done;
    struct flag_errand errand;
};

static void note_done(void *arg)
{
    ((struct errand_of_change *)arg)->done = true;
}

static bool run_change(void *arg, struct session *session, struct err *err)
{
    struct errand_of_change *errand = arg;
    return flag_store_change(session, &errand->change, &errand->version, err);
}

static void flags_follow_the_store(void **state)
{
    struct session *session = session_testing_of(state);
    const char *dsn = ((struct session_testing *)*state)->testing.dsn;
    session_testing_must(session, "TRUNCATE feature_flags");
    must_change(session, FLAG_READ_TRADES, "canary:5");
    char *yaml = config_of(dsn, "", "");
    struct kept *kept = keep(yaml, &no_overrides);
    expect(kept, FLAG_READ_TRADES, "canary:5", FLAG_FROM_STORE);
    must_change(session, FLAG_READ_TRADES, "legacy");
    must_change(session, FLAG_SWITCH_STREAM, "off");
    await(kept, FLAG_SWITCH_STREAM, "off", FLAG_FROM_STORE);
    expect(kept, FLAG_READ_TRADES, "legacy", FLAG_FROM_STORE);
    must_change(session, FLAG_READ_TRADES, NULL);
    await(kept, FLAG_READ_TRADES, "repo", FLAG_FROM_CONFIG);

    /* A change that is made by the keeper is in force when it is done. */
    struct errand_of_change errand = {.change = change_of(FLAG_READ_TRADES, "shadow")};
    errand.errand = (struct flag_errand){
        .run = run_change, .changes = true, .mailbox = kept->mailbox, .done = note_done, .arg = &errand};
    flag_keeper_run(kept->keeper, &errand.errand);
    for (int64_t end = clock_mono_ms() + PATIENCE_MS; !errand.done && clock_mono_ms() < end;)
        (void)event_base_loop(kept->base, EVLOOP_ONCE);
    assert_true(errand.done);
    assert_int_equal(errand.errand.err.code, ERR_NONE);
    assert_int_equal(state_of(kept, FLAG_READ_TRADES).version, errand.version);
    expect(kept, FLAG_READ_TRADES, "shadow", FLAG_FROM_STORE);
    let_go(kept);
    free(yaml);
}

static void a_fallback_is_stored(void **state)
{
    struct session *session = session_testing_of(state);
    const char *dsn = ((struct session_testing *)*state)->testing.dsn;
    session_testing_must(session, "TRUNCATE feature_flags");
    must_change(session, FLAG_READ_TRADES, "canary:50");
    char *yaml = config_of(dsn, "", "");
    struct kept *kept = keep(yaml, &no_overrides);
    struct kept *other = keep(yaml, &no_overrides);
    assert_true(flag_keeper_fall_back(kept->keeper, FLAG_READ_TRADES, "too many errors"));
    assert_int_equal(state_of(kept, FLAG_READ_TRADES).value.mode, FLAG_LEGACY);
    await(kept, FLAG_READ_TRADES, "legacy", FLAG_FROM_STORE);
    await(other, FLAG_READ_TRADES, "legacy", FLAG_FROM_STORE);
    PGresult *result = session_query(session,
                                     "SELECT 1 FROM feature_flag_changes WHERE origin = 'system' AND actor LIKE"
                                     " 'nof0d@%' AND reason = 'too many errors' AND from_value = 'canary:50'",
                                     NULL, NULL);
    assert_int_equal(PQntuples(result), 1);
    PQclear(result);
    /* An operator may go back there; the next fallback is one of its own. */
    must_change(session, FLAG_READ_TRADES, "repo");
    await(kept, FLAG_READ_TRADES, "repo", FLAG_FROM_STORE);
    assert_true(flag_keeper_fall_back(kept->keeper, FLAG_READ_TRADES, "again"));
    await(other, FLAG_READ_TRADES, "legacy", FLAG_FROM_STORE);
    let_go(kept);
    let_go(other);
    free(yaml);
}

/* The process falls back while it does not know yet what an operator has set. */
static void an_operator_wins(void **state)
{
    struct session *session = session_testing_of(state);
    const char *dsn = ((struct session_testing *)*state)->testing.dsn;
    session_testing_must(session, "TRUNCATE feature_flags");
    must_change(session, FLAG_READ_TRADES, "canary:50");
    char file[] = "/tmp/nof0-keep-XXXXXX";
    assert_true(close(mkstemp(file)) == 0);
    struct flag_store_rows rows;
    assert_true(flag_store_load(session, &rows, NULL, NULL));
    assert_true(flag_file_write(file, &rows, NULL));
    char *yaml = config_of(nowhere, "", file);
    struct kept *kept = keep(yaml, &no_overrides);
    expect(kept, FLAG_READ_TRADES, "canary:50", FLAG_FROM_STORE);
    assert_true(flag_keeper_fall_back(kept->keeper, FLAG_READ_TRADES, "too many errors"));
    expect(kept, FLAG_READ_TRADES, "legacy", FLAG_FROM_FALLBACK);
    must_change(session, FLAG_READ_TRADES, "canary:70");
    free(yaml);
    yaml = config_of(dsn, "", file);
    struct snapshot *found = snapshot_of(yaml);
    flag_keeper_reload(kept->keeper, found);
    snapshot_unref(found);
    await(kept, FLAG_READ_TRADES, "canary:70", FLAG_FROM_STORE);
    PGresult *result = session_query(session,
                                     "SELECT 1 FROM feature_flag_changes WHERE reason = 'too many errors' AND id >"
                                     " (SELECT max(id) FROM feature_flag_changes WHERE to_value = 'canary:70')",
                                     NULL, NULL);
    assert_int_equal(PQntuples(result), 0);
    PQclear(result);
    let_go(kept);
    (void)unlink(file);
    free(yaml);
}

static void await_mirror(struct redisContext *link, const struct cache_space *space, int64_t version,
                         struct flag_store_rows *rows)
{
    for (int64_t end = clock_mono_ms() + PATIENCE_MS;
         !flag_mirror_read(link, space, rows, NULL) || rows->version != version; (void)usleep(1000))
        assert_true(clock_mono_ms() < end);
}

static void await_file(const char *file, int64_t version, struct flag_store_rows *rows)
{
    for (int64_t end = clock_mono_ms() + PATIENCE_MS; !flag_file_read(file, rows, NULL) || rows->version != version;
         (void)usleep(1000))
        assert_true(clock_mono_ms() < end);
}

static void the_mirror_and_the_file(void **state)
{
    struct session *session = session_testing_of(state);
    const char *dsn = ((struct session_testing *)*state)->testing.dsn;
    session_testing_must(session, "TRUNCATE feature_flags");
    rig_needs_server();
    struct rig redis;
    rig_make(&redis);
    rig_start(&redis);
    char folder[] = "/tmp/nof0-keep-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char file[64];
    (void)snprintf(file, sizeof file, "%s/flags.json", folder);
    must_change(session, FLAG_READ_TRADES, "canary:5");
    char *yaml = config_of(dsn, redis.url, file);
    struct kept *kept = keep(yaml, &no_overrides);
    must_change(session, FLAG_READ_TRADES, "canary:7");
    await(kept, FLAG_READ_TRADES, "canary:7", FLAG_FROM_STORE);
    /* It writes down what it knows, to both places. */
    struct flag_store_rows rows;
    struct cache_space space;
    assert_true(settings_cache_space(snapshot_settings(kept->snapshot), &space, NULL));
    struct redisContext *link = rig_link(&redis);
    await_mirror(link, &space, state_of(kept, FLAG_READ_TRADES).version, &rows);
    assert_int_equal(rows.flags[FLAG_READ_TRADES].value.share, 700);
    await_file(file, rows.version, &rows);
    assert_int_equal(rows.flags[FLAG_READ_TRADES].value.share, 700);
    let_go(kept);
    free(yaml);

    /* Without Postgres the mirror is looked at, and changes there are followed. */
    yaml = config_of(nowhere, redis.url, file);
    kept = keep(yaml, &no_overrides);
    expect(kept, FLAG_READ_TRADES, "canary:7", FLAG_FROM_STORE);
    struct flag_store_rows newer = rows;
    newer.version = newer.flags[FLAG_READ_TRADES].version = rows.version + 1;
    newer.flags[FLAG_READ_TRADES].value = (struct flag_value){.mode = FLAG_REPO};
    assert_true(flag_mirror_write(link, &space, &newer, NULL));
    await(kept, FLAG_READ_TRADES, "repo", FLAG_FROM_STORE);
    await_file(file, newer.version, &rows);
    redisFree(link);
    rig_end(&redis);
    let_go(kept);
    free(yaml);

    /* With both away the file is what is known at the start. */
    yaml = config_of(nowhere, "unix:///nonexistent", file);
    kept = keep(yaml, &no_overrides);
    expect(kept, FLAG_READ_TRADES, "repo", FLAG_FROM_STORE);
    let_go(kept);
    /* A file that is no good is as good as none. */
    FILE *bad = fopen(file, "w");
    assert_non_null(bad);
    assert_true(fputs("{\"version\":", bad) >= 0);
    assert_int_equal(fclose(bad), 0);
    kept = keep(yaml, &no_overrides);
    expect(kept, FLAG_READ_TRADES, "repo", FLAG_FROM_CONFIG);
    let_go(kept);
    free(yaml);
    (void)unlink(file);
    (void)rmdir(folder);
}

static int start_database(void **state)
{
    return session_testing_start(state, "keeper", true);
}

int main(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_store),        cmocka_unit_test(errands_without_a_store),
        cmocka_unit_test(flags_follow_the_store), cmocka_unit_test(a_fallback_is_stored),
        cmocka_unit_test(an_operator_wins),       cmocka_unit_test(the_mirror_and_the_file),
    };
    return cmocka_run_group_tests(tests, start_database, session_testing_stop);
}
