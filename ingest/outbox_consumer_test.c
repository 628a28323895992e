/* What all readers of the outbox have in common: positions, idempotence, dead letters, takeover; and the readers of
 * Redis' structures, of views and of legacy files. */
#include "base/mem.h"
#include "ingest/outbox_testing.h"

#include <sys/stat.h>

static const char some_rows[] =
    "INSERT INTO models (id, display_name) VALUES ('a', 'a'), ('b', 'b');"
    "INSERT INTO trades (id, model_id, symbol, entry_ts_ms, exit_ts_ms, realized_net_pnl, feed_ordinal) SELECT 't' || "
    "n,"
    " CASE WHEN n % 2 = 0 THEN 'a' ELSE 'b' END, 'BTC', n, n + 1, n, n FROM generate_series(1, 300) AS n;"
    "INSERT INTO positions (id, model_id, symbol, side, status, entry_time_ms, entry_time_s, entry_price, quantity)"
    " VALUES ('p1', 'a', 'BTC', 'long', 'open', 1, 1, 1, 1), ('p2', 'b', 'ETH', 'long', 'closed', 1, 1, 1, 1);"
    "INSERT INTO account_equity_snapshots (model_id, ts_ms, dollar_equity, cum_pnl_pct) VALUES ('a', 1, 10, 1),"
    " ('a', 2, 12, 20), ('b', 1, 10, -2);"
    "INSERT INTO price_latest (provider, symbol, price, ts_ms) VALUES ('arena', 'BTC', 1.5, 5), ('arena', 'ETH', 2, 5);"
    "INSERT INTO decision_cycles (source_id, model_id, executed_at) VALUES ('c1', 'a', now());"
    "INSERT INTO conversations (id, source_key, model_id) VALUES (1, 'k1', 'b');"
    "INSERT INTO conversation_messages (conversation_id, seq, role, content) VALUES (1, 0, 'user', 'x');"
    "INSERT INTO model_analytics (model_id, payload, server_time_ms, feed_ordinal) VALUES ('a', '{\"id\":\"a\"}', 1, "
    "1);"
    "INSERT INTO outbox (feed, items) SELECT 'trades', jsonb_build_array(jsonb_build_array(model_id, id)) FROM trades"
    " ORDER BY entry_ts_ms;"
    "INSERT INTO outbox (feed, items) VALUES"
    " ('positions', '[[\"a\", \"p1\"], [\"b\", \"p2\"]]'), ('account_totals', '[[\"a\", \"2\"], [\"b\", \"1\"]]'),"
    " ('crypto_prices', '[[\"arena\", \"ETH\"], [\"arena\", \"BTC\"]]'),"
    " ('conversations', '[[\"a\", \"cycle\", \"c1\"], [\"b\", \"talk\", \"k1\"]]'), ('analytics', '[[\"a\"]]')";

static const enum outbox_reader on_redis[] = {OUTBOX_LIVE, OUTBOX_REDIS_0, OUTBOX_REDIS_1, OUTBOX_VIEWS};

static void apply_all(struct outbox_rig *rig)
{
    for (size_t i = 0; i < sizeof on_redis / sizeof *on_redis; i++)
        outbox_rig_apply(rig, on_redis[i]);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every name with its value's bytes, in order, but for the versions of feeds, which rise with every commit. */
static char *dump(struct outbox_rig *rig)
{
    struct redisReply *names = rig_ask(rig->link, "KEYS *");
    char **lines = mem_calloc(names->elements + 1, sizeof *lines);
    struct buf all = BUF_INIT;
    for (size_t i = 0; i < names->elements; i++) {
        struct buf line = BUF_INIT;
        const char *name = names->element[i]->str;
        struct redisReply *value = rig_ask(rig->link, "DUMP %s", name);
        buf_append_str(&line, name);
        for (size_t n = 0; !strstr(name, ":version") && n < value->len; n++)
            buf_printf(&line, "%02x", (unsigned char)value->str[n]);
        buf_cstr(&line);
        lines[i] = buf_take(&line, NULL);
        freeReplyObject(value);
    }
    qsort(lines, names->elements, sizeof *lines, by_text);
    for (size_t i = 0; i < names->elements; i++) {
        buf_printf(&all, "%s\n", lines[i]);
        free(lines[i]);
    }
    free(lines);
    freeReplyObject(names);
    buf_cstr(&all);
    return buf_take(&all, NULL);
}

static void applying_twice_changes_nothing(void **state)
{
    struct outbox_rig *rig = outbox_rig_of(state);
    outbox_rig_sql(rig, some_rows);
    apply_all(rig);
    /* The views gave the leaderboard a row of its own; that one makes no more. */
    apply_all(rig);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(*) FROM outbox WHERE feed = 'leaderboard'"), 1);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(DISTINCT position) FROM outbox_consumers"), 1);
    assert_int_equal(rig_integer(rig->link, "LLEN nof0:trades:recent:a"), 100);
    assert_int_equal(rig_integer(rig->link, "HLEN nof0:positions:a"), 1);
    assert_int_equal(rig_integer(rig->link, "LLEN nof0:since_inception:a"), 2);
    assert_int_equal(rig_integer(rig->link, "XLEN nof0:trades:stream"), 300);
    assert_int_equal(rig_integer(rig->link, "EXISTS nof0:conversations:b nof0:decision:last:a nof0:analytics:a"
                                            " nof0:analytics:all nof0:crypto_prices nof0:price:latest:arena:BTC"
                                            " nof0:price:latest:ETH nof0:leaderboard:cache nof0:positions:b"),
                     8);
    char *score = outbox_rig_text(rig, "ZSCORE nof0:leaderboard a");
    assert_string_equal(score, "20");
    free(score);
    char *once = dump(rig);
    outbox_rig_sql(rig, "UPDATE outbox_consumers SET position = 0");
    apply_all(rig);
    char *twice = dump(rig);
    assert_string_equal(once, twice);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(*) FROM outbox WHERE feed = 'leaderboard'"), 1);
    free(once);
    free(twice);
}

static void a_closed_position_leaves_its_name(void **state)
{
    struct outbox_rig *rig = outbox_rig_of(state);
    outbox_rig_sql(rig, some_rows);
    apply_all(rig);
    outbox_rig_sql(rig, "UPDATE positions SET status = 'closed'; INSERT INTO outbox (feed, items) VALUES ('positions',"
                        " '[[\"a\", \"p1\"]]')");
    outbox_rig_apply(rig, OUTBOX_REDIS_0);
    outbox_rig_apply(rig, OUTBOX_REDIS_1);
    assert_int_equal(rig_integer(rig->link, "EXISTS nof0:positions:a"), 0);
}

/* Rows that were deleted before a reader saw them; among what is made anew is a row that cannot be. */
static void missed_rows_are_made_up_for(void **state)
{
    struct outbox_rig *rig = outbox_rig_of(state);
    outbox_rig_sql(rig, some_rows);
    apply_all(rig);
    rig_do(rig->link, "FLUSHALL");
    outbox_rig_sql(rig,
                   "UPDATE outbox_consumers SET position = 0; DELETE FROM outbox WHERE id < 304;"
                   " INSERT INTO outbox_consumers (name, position) VALUES ('pruned', 303);"
                   " UPDATE conversation_messages SET wire_detail = '{\"put\": 1}'; DELETE FROM outbox WHERE feed ="
                   " 'conversations'");
    apply_all(rig);
    assert_int_equal(rig_integer(rig->link, "EXISTS nof0:conversations:b"), 0);
    assert_int_equal(rig_integer(rig->link, "LLEN nof0:trades:recent:a"), 100);
    assert_int_equal(rig_integer(rig->link, "LLEN nof0:trades:recent:b"), 100);
    assert_int_equal(rig_integer(rig->link, "HLEN nof0:positions:a"), 1);
    assert_int_equal(rig_integer(rig->link, "LLEN nof0:since_inception:a"), 2);
    assert_int_equal(rig_integer(rig->link, "EXISTS nof0:feed:{since_inception}:version"), 1);
}

static void a_row_that_cannot_be_applied_is_put_aside(void **state)
{
    struct outbox_rig *rig = outbox_rig_of(state);
    outbox_rig_sql(rig, some_rows);
    outbox_rig_sql(rig, "DELETE FROM outbox WHERE id > 3; INSERT INTO outbox (feed, items) VALUES"
                        " ('crypto_prices', '[[\"arena\", \"ETH\"]]'), ('sunspots', '[[\"a\"]]'),"
                        " ('trades', '[[\"a\"]]'), ('crypto_prices', '[[\"arena\", \"BTC\"]]')");
    rig_do(rig->link, "SET nof0:trades:stream text");
    outbox_rig_apply(rig, OUTBOX_LIVE);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(*) FROM outbox_dead WHERE consumer = 'live'"), 5);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(*) FROM outbox_dead WHERE attempts = 5 AND outbox_id <= 3"
                                            " AND error LIKE '%WRONGTYPE%'"),
                     3);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(*) FROM outbox_dead WHERE error LIKE '%not known%'"), 1);
    /* What stood around them came through. */
    char *topics = outbox_rig_text(rig, "XRANGE nof0:live:events - +");
    assert_non_null(strstr(topics, "ETH"));
    assert_non_null(strstr(topics, "BTC"));
    free(topics);
    struct outbox_lag lag;
    struct err err = ERR_INIT;
    if (!outbox_lag(rig->postgres->session, OUTBOX_LIVE, &lag, &err))
        fail_msg("%s", err.text);
    assert_int_equal(lag.rows, 0);
    assert_int_equal(lag.dead, 5);
    /* Mended, they are tried again, by their reader alone and behind all others. */
    rig_do(rig->link, "DEL nof0:trades:stream");
    outbox_rig_sql(rig, "DELETE FROM outbox_dead WHERE outbox_id > 3");
    int64_t count = 0;
    if (!outbox_revive(rig->postgres->session, OUTBOX_VIEWS, &count, &err) || count != 0 ||
        !outbox_revive(rig->postgres->session, OUTBOX_LIVE, &count, &err))
        fail_msg("%s", err.text);
    assert_int_equal(count, 3);
    outbox_rig_apply(rig, OUTBOX_LIVE);
    outbox_rig_apply(rig, OUTBOX_VIEWS);
    assert_int_equal(rig_integer(rig->link, "XLEN nof0:trades:stream"), 3);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(*) FROM outbox_dead WHERE consumer = 'live'"), 0);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(*) FROM outbox WHERE target = 'live'"), 3);
}

#define LEADER                                                                                                         \
    "FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND objid = 1 AND database ="              \
    " (SELECT oid FROM pg_database WHERE datname = current_database())"

static void another_takes_over(void **state)
{
    struct outbox_rig *rig = outbox_rig_of(state);
    outbox_rig_sql(rig, some_rows);
    struct outbox_consumer *readers[2];
    for (size_t i = 0; i < 2; i++)
        readers[i] = outbox_rig_reader(rig, OUTBOX_LIVE, -1);
    outbox_rig_await(rig, "SELECT coalesce(max(position), 0) FROM outbox_consumers WHERE name = 'live'", 305);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(*) " LEADER), 1);
    for (int i = 1; i <= 3; i++) {
        char sql[200];
        outbox_rig_number(rig, "SELECT pg_terminate_backend(pid)::int " LEADER);
        outbox_rig_sql(rig,
                       "INSERT INTO outbox (feed, items) VALUES ('trades', '[[\"b\", \"t1\"]]'); NOTIFY nof0_outbox");
        (void)snprintf(sql, sizeof sql, "SELECT position - %d FROM outbox_consumers WHERE name = 'live'", i);
        outbox_rig_await(rig, sql, 305);
    }
    for (size_t i = 0; i < 2; i++)
        outbox_consumer_stop(readers[i]);
    for (size_t i = 0; i < 2; i++)
        outbox_consumer_free(readers[i]);
    assert_int_equal(rig_integer(rig->link, "XLEN nof0:trades:stream"), 300);
    assert_int_equal(atomic_load(&rig->numbers[OUTBOX_LIVE].leading), 0);
    assert_int_equal(atomic_load(&rig->numbers[OUTBOX_LIVE].running), 0);
}

static void prune(struct outbox_rig *rig, int64_t keep_s)
{
    struct err err = ERR_INIT;
    bool more = true;
    while (more)
        if (!outbox_prune(rig->postgres->session, keep_s, &more, &err))
            fail_msg("%s", err.text);
}

static void rows_stay_as_long_as_they_are_needed(void **state)
{
    struct outbox_rig *rig = outbox_rig_of(state);
    struct err err = ERR_INIT;
    outbox_rig_sql(rig, "INSERT INTO outbox (feed, items, created_at) SELECT 'analytics', '[[\"a\"]]', now() - n *"
                        " interval '1 s' FROM generate_series(12000, 1, -1) AS n;"
                        "INSERT INTO outbox_consumers (name, position) VALUES ('live', 12000), ('legacy', 100)");
    prune(rig, 3600);
    assert_int_equal(outbox_rig_number(rig, "SELECT min(id) FROM outbox"), 101);
    assert_int_equal(outbox_rig_number(rig, "SELECT position FROM outbox_consumers WHERE name = 'pruned'"), 100);
    /* Somebody runs the reader: it is not forgotten. */
    struct session *other = session_open(rig->postgres->testing.dsn, &err);
    bool got = false;
    if (!other || !outbox_try_lead(other, OUTBOX_LEGACY, &got, &err) || !got ||
        !outbox_retire(rig->postgres->session, OUTBOX_LEGACY, &err))
        fail_msg("%s", err.text);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(*) FROM outbox_consumers WHERE name = 'legacy'"), 1);
    session_close(other);
    for (int64_t end = clock_mono_ms() + 10000; clock_mono_ms() < end; (void)usleep(2000)) {
        if (!outbox_retire(rig->postgres->session, OUTBOX_LEGACY, &err))
            fail_msg("%s", err.text);
        if (outbox_rig_number(rig, "SELECT count(*) FROM outbox_consumers WHERE name = 'legacy'") == 0)
            break;
    }
    prune(rig, 3600);
    assert_int_equal(outbox_rig_number(rig, "SELECT min(id) FROM outbox") > 8390, 1);
    assert_int_equal(outbox_rig_number(rig, "SELECT min(id) FROM outbox") <= 8410, 1);
    /* A week is the most. */
    outbox_rig_sql(rig, "UPDATE outbox SET created_at = created_at - interval '7 days';"
                        " UPDATE outbox_consumers SET position = 0");
    prune(rig, 604800);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(*) FROM outbox"), 0);
    assert_int_equal(outbox_rig_number(rig, "SELECT position FROM outbox_consumers WHERE name = 'pruned'"), 12000);
}

static char *read_text(const char *folder, const char *name)
{
    char path[200];
    char text[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (!file)
        return NULL;
    size_t length = fread(text, 1, sizeof text - 1, file);
    (void)fclose(file);
    return mem_strndup(text, length);
}

static void expect_file(const char *folder, const char *name, const char *expected)
{
    char *text = read_text(folder, name);
    if (!text)
        fail_msg("there is no %s", name);
    assert_string_equal(text, expected);
    free(text);
}

static void files_follow(void **state)
{
    struct outbox_rig *rig = outbox_rig_of(state);
    char folder[] = "/tmp/nof0-legacy-XXXXXX";
    assert_non_null(mkdtemp(folder));
    rig->options.legacy_dir = folder;
    atomic_store(&rig->dual_write[CACHE_FEED_analytics], 1);
    atomic_store(&rig->dual_write[CACHE_FEED_trades], 1);
    rig->options.legacy_write_delay_ms = 600000;
    outbox_rig_sql(rig, "INSERT INTO feed_documents (name, shape, imported_at, server_time_ms) SELECT name, 'object',"
                        " now(), 7 FROM unnest('{analytics,analytics-a,analytics-b,conversations,trades}'::text[]) AS n"
                        " (name); INSERT INTO trades (id, model_id, symbol, entry_ts_ms, feed_ordinal) VALUES ('t1',"
                        " 'a', 'BTC', 1, 1); INSERT INTO model_analytics (model_id, payload, server_time_ms,"
                        " feed_ordinal) VALUES ('a', '{\"id\":\"a\"}', 1, 1), ('b', '{\"id\":\"b\"}', 1, 2)");
    /* Who begins writes all files of the feeds that are kept, and only those. */
    struct outbox_consumer *legacy = outbox_rig_reader(rig, OUTBOX_LEGACY, -1);
    outbox_rig_await(rig, "SELECT count(*) FROM outbox_consumers WHERE name = 'legacy'", 1);
    expect_file(folder, "trades.json",
                "{\"trades\":[{\"id\":\"t1\",\"model_id\":\"a\",\"symbol\":\"BTC\"}],\"serverTime\":7}\n");
    expect_file(folder, "analytics-b.json", "{\"analytics\":{\"id\": \"b\"},\"serverTime\":7}\n");
    assert_null(read_text(folder, "conversations.json"));
    /* Changes wait for their time, or for the end. */
    outbox_rig_sql(
        rig, "UPDATE model_analytics SET payload = '{\"id\":2}'; INSERT INTO outbox (feed, items) VALUES"
             " ('analytics', '[[\"a\"]]'), ('conversations', '[[\"a\", \"cycle\", \"c1\"]]'); NOTIFY nof0_outbox");
    for (int64_t end = clock_mono_ms() + 30000; atomic_load(&rig->numbers[OUTBOX_LEGACY].applied) < 2;
         (void)usleep(1000))
        assert_true(clock_mono_ms() < end);
    expect_file(folder, "analytics-a.json", "{\"analytics\":{\"id\": \"a\"},\"serverTime\":7}\n");
    assert_int_equal(outbox_rig_number(rig, "SELECT position FROM outbox_consumers WHERE name = 'legacy'"), 0);
    outbox_consumer_stop(legacy);
    outbox_consumer_free(legacy);
    expect_file(folder, "analytics-a.json", "{\"analytics\":{\"id\": 2},\"serverTime\":7}\n");
    expect_file(folder, "analytics.json", "{\"analytics\":[{\"id\": 2},{\"id\": 2}],\"serverTime\":7}\n");
    /* Nobody said that b changed. */
    expect_file(folder, "analytics-b.json", "{\"analytics\":{\"id\": \"b\"},\"serverTime\":7}\n");
    assert_int_equal(outbox_rig_number(rig, "SELECT position FROM outbox_consumers WHERE name = 'legacy'"), 2);
    rig->options.legacy_dir = "";
    char command[100];
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

static void await_file(const char *folder, const char *name, const char *expected)
{
    char *text = NULL;
    for (int64_t end = clock_mono_ms() + 30000; clock_mono_ms() < end; (void)usleep(1000)) {
        free(text);
        text = read_text(folder, name);
        if (text && strcmp(text, expected) == 0)
            break;
    }
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

/* Feeds that are switched on and off while the reader leads. */
static void files_are_switched(void **state)
{
    struct outbox_rig *rig = outbox_rig_of(state);
    char folder[] = "/tmp/nof0-legacy-XXXXXX";
    static const char *const one = "{\"trades\":[{\"id\":\"t1\",\"model_id\":\"a\",\"symbol\":\"BTC\"}]}\n";
    static const char *const other = "{\"trades\":[{\"id\":\"t1\",\"model_id\":\"a\",\"symbol\":\"ETH\"}]}\n";
    assert_non_null(mkdtemp(folder));
    rig->options.legacy_dir = folder;
    for (unsigned i = 0; i < CACHE_FEED_COUNT; i++)
        atomic_store(&rig->dual_write[i], 0);
    rig->options.legacy_write_delay_ms = 1;
    outbox_rig_sql(rig, "INSERT INTO feed_documents (name, shape, imported_at) VALUES ('trades', 'object', now()),"
                        " ('conversations', 'object', now()); INSERT INTO trades (id, model_id, symbol, entry_ts_ms,"
                        " feed_ordinal) VALUES ('t1', 'a', 'BTC', 1, 1); INSERT INTO outbox (feed, items) VALUES"
                        " ('trades', '[[\"a\", \"t1\"]]')");
    struct outbox_consumer *legacy = outbox_rig_reader(rig, OUTBOX_LEGACY, -1);
    /* While all are off it passes what comes. */
    outbox_rig_await(rig, "SELECT count(*) FROM outbox_consumers WHERE name = 'legacy' AND position = 1", 1);
    assert_null(read_text(folder, "trades.json"));
    atomic_fetch_add(&rig->dual_write[CACHE_FEED_trades], 1);
    outbox_consumer_wake(legacy);
    await_file(folder, "trades.json", one);
    /* What changed while it was off is in the file as soon as it is on again. */
    atomic_fetch_add(&rig->dual_write[CACHE_FEED_trades], 1);
    outbox_rig_sql(rig, "UPDATE trades SET symbol = 'ETH'; INSERT INTO outbox (feed, items) VALUES ('trades',"
                        " '[[\"a\", \"t1\"]]'); NOTIFY nof0_outbox");
    outbox_rig_await(rig, "SELECT position FROM outbox_consumers WHERE name = 'legacy'", 2);
    expect_file(folder, "trades.json", one);
    atomic_fetch_add(&rig->dual_write[CACHE_FEED_trades], 1);
    outbox_consumer_wake(legacy);
    await_file(folder, "trades.json", other);
    /* Off and on in one go: the file is written anew all the same. */
    char gone[64];
    (void)snprintf(gone, sizeof gone, "%s/trades.json", folder);
    assert_int_equal(unlink(gone), 0);
    atomic_fetch_add(&rig->dual_write[CACHE_FEED_trades], 2);
    outbox_consumer_wake(legacy);
    await_file(folder, "trades.json", other);
    /* And follows from there. */
    outbox_rig_sql(rig, "UPDATE trades SET symbol = 'BTC'; INSERT INTO outbox (feed, items) VALUES ('trades',"
                        " '[[\"a\", \"t1\"]]'); NOTIFY nof0_outbox");
    await_file(folder, "trades.json", one);
    assert_null(read_text(folder, "conversations.json"));
    outbox_consumer_stop(legacy);
    outbox_consumer_free(legacy);
    rig->options.legacy_dir = "";
    char command[100];
    (void)snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

/* A view that cannot be computed is told once, and does not stop what else follows. */
static void views_that_are_refused(void **state)
{
    struct outbox_rig *rig = outbox_rig_of(state);
    outbox_rig_sql(rig, some_rows);
    outbox_rig_sql(rig, "UPDATE trades SET realized_net_pnl = 1.7e308");
    outbox_rig_apply(rig, OUTBOX_VIEWS);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(*) FROM outbox_dead"), 0);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(*) FROM v_leaderboard"), 0);
    outbox_rig_sql(rig, "UPDATE trades SET realized_net_pnl = 1; INSERT INTO outbox (feed, items) VALUES ('trades',"
                        " '[[\"b\", \"t1\"]]')");
    outbox_rig_apply(rig, OUTBOX_VIEWS);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(*) FROM v_leaderboard"), 2);
}

/* A stored leaderboard that cannot be said keeps neither the views nor the curves from being made. */
static void a_corrupt_leaderboard(void **state)
{
    struct outbox_rig *rig = outbox_rig_of(state);
    outbox_rig_sql(rig, some_rows);
    outbox_rig_sql(rig, "INSERT INTO leaderboard_entries (id, feed_ordinal, wire_detail) VALUES ('a', 1,"
                        " '{\"put\": 1}')");
    outbox_rig_apply(rig, OUTBOX_VIEWS);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(*) FROM v_leaderboard"), 2);
    assert_int_equal(rig_integer(rig->link, "LLEN nof0:since_inception:a"), 2);
    assert_int_equal(outbox_rig_number(rig, "SELECT count(*) FROM outbox_dead"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(applying_twice_changes_nothing),
        cmocka_unit_test(a_closed_position_leaves_its_name),
        cmocka_unit_test(missed_rows_are_made_up_for),
        cmocka_unit_test(a_row_that_cannot_be_applied_is_put_aside),
        cmocka_unit_test(another_takes_over),
        cmocka_unit_test(rows_stay_as_long_as_they_are_needed),
        cmocka_unit_test(files_follow),
        cmocka_unit_test(files_are_switched),
        cmocka_unit_test(views_that_are_refused),
        cmocka_unit_test(a_corrupt_leaderboard),
    };
    return cmocka_run_group_tests(tests, outbox_rig_start, outbox_rig_stop);
}
