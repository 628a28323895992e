#include "ingest/testing_folder.h"

#include <signal.h>
#include <sys/wait.h>

static struct bench *bench_of(void **state)
{
    if (!*state)
        skip();
    bench_reset(*state);
    return *state;
}

static int set_up(void **state)
{
    static struct bench bench;
    *state = bench_start(&bench, "import") ? &bench : NULL;
    return 0;
}

static int tear_down(void **state)
{
    if (*state)
        bench_stop(*state);
    return 0;
}

static const char trade_a[] = "{\"id\":\"a_1\",\"model_id\":\"a\",\"symbol\":\"BTC\",\"entry_time\":1761314029.249,"
                              "\"exit_time\":1761418991.842,\"quantity\":-0,\"entry_tid\":236046654097081,"
                              "\"side\":\"long\",\"exit_plan\":{},\"entry_liquidation\":null,\"leverage\":null}";
static const char trade_b[] = "{\"id\":\"b_1\",\"model_id\":\"b\",\"symbol\":\"XRP\",\"entry_time\":1.5}";

static void put_text(struct bench *bench, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void put_text(struct bench *bench, const char *name, const char *format, ...)
{
    struct buf content = BUF_INIT;
    va_list arguments;
    va_start(arguments, format);
    buf_vprintf(&content, format, arguments);
    va_end(arguments);
    bench_put(bench, name, buf_slice(&content));
    buf_free(&content);
}

/* A small folder with every file and many of the turns that files take. */
static void put_folder(struct bench *bench)
{
    put_text(bench, "trades.json", "{\"serverTime\":1761452354435,\"note\":[-0,\"\xe2\x80\x91\"],\"trades\":[%s,%s]}",
             trade_a, trade_b);
    put_text(bench, "crypto-prices.json",
             "{\"prices\":{\"BTC\":{\"symbol\":\"BTC\",\"price\":111000.5,\"timestamp\":1761452335744},"
             "\"E\\u0054H\":{\"price\":3e-7,\"timestamp\":1},\"X\":{\"symbol\":null,\"price\":0,\"timestamp\":-0},"
             "\"Y\":{\"symbol\":\"other\",\"price\":1,\"timestamp\":2}},\"serverTime\":5}");
    put_text(bench, "leaderboard.json",
             "{\"leaderboard\":[{\"id\":\"a\",\"num_trades\":9007199254740992,\"equity\":-10.363999999999999},"
             "{\"id\":\"b\",\"num_trades\":1,\"num_wins\":1,\"num_losses\":1}]}");
    put_text(bench, "since-inception-values.json",
             "{\"sinceInceptionValues\":[{\"id\":\"117506d4\",\"model_id\":\"a\",\"nav_since_inception\":10000,"
             "\"inception_date\":1760738409.834185,\"num_invocations\":0}],\"serverTime\":null}");
    put_text(bench, "positions.json",
             "{\"accountTotals\":[{\"model_id\":\"a\",\"positions\":{\"BTC\":{\"entry_oid\":204614807391,"
             "\"entry_time\":1760740073,\"entry_price\":107067.9,\"quantity\":-0.13,\"symbol\":\"BTC\",\"exit_plan\":"
             "\"N/A\",\"index_col\":-1}}},{\"model_id\":\"b\",\"positions\":{}},{\"model_id\":\"c\",\"x\":1}]}");
    put_text(bench, "account-totals.json",
             "{\"accountTotals\":[{\"id\":\"a_0\",\"model_id\":\"a\",\"timestamp\":1760741902.239835,\"dollar_equity\":"
             "9999.5,\"realized_pnl\":-32.9,\"total_unrealized_pnl\":3,\"since_inception_hourly_marker\":0,"
             "\"positions\":{\"BTC\":{\"quantity\":-0,\"exit_plan\":null,\"extra\":1e300}}},{\"id\":\"b_198\","
             "\"model_id\":\"b\",\"timestamp\":1760741902.239835,\"dollar_equity\":1,\"sharpe_ratio\":null,"
             "\"since_inception_hourly_marker\":198}],\"lastHourlyMarkerRead\":198,\"serverTime\":1761452353140}");
    put_text(
        bench, "conversations.json",
        "{\"conversations\":[{\"model_id\":\"a\",\"messages\":[{\"role\":\"system\",\"content\":\"\",\"timestamp\":"
        "1760738000},{\"role\":\"user\",\"content\":\"\xf0\x9f\x98\x80\",\"timestamp\":\"2025-10-26T04:19:12Z\"},"
        "{\"role\":\"assistant\",\"content\":\"yes\"}]},{\"id\":\"a_17\",\"model_id\":\"a\",\"cycle_id\":5,"
        "\"timestamp\":1761634244.599231,\"user_prompt\":\"abc\",\"cot_trace\":{\"BTC\":[-0]},\"llm_response\":"
        "{\"failed_json_response_raw_text\":\"\"}},{\"model_id\":\"a\",\"messages\":[]},{\"id\":\"b_17\","
        "\"model_id\":\"b\",\"cot_trace\":\"text\",\"run_id\":7,\"timestamp\":\"odd\",\"llm_response\":{}}]}");
    put_text(bench, "analytics.json",
             "{\"analytics\":[{\"id\":\"a\",\"model_id\":\"a\",\"updated_at\":100.5,\"z\":-0},{\"id\":\"b\","
             "\"model_id\":\"b\",\"updated_at\":100}],\"serverTime\":1761452350000}");
    put_text(bench, "analytics-a.json",
             "{\"analytics\":[{\"id\":\"a\",\"model_id\":\"a\",\"updated_at\":148.25,\"z\":1}],\"k\":null}");
    put_text(bench, "analytics-own.json", "{\"analytics\":{\"id\":\"own\",\"model_id\":\"own\"}}");
}

static void a_folder_comes_back_and_twice_is_once(void **state)
{
    struct bench *bench = bench_of(state);
    put_folder(bench);
    bench_import(bench, IMPORT_DONE);
    bench_assert_exported(bench, bench->in);
    char *once = bench_digest(bench);
    char *written = bench_ask(bench, "SELECT string_agg(imported_at::text || updated_at, ',') FROM feed_documents");
    bench_import(bench, IMPORT_DONE);
    bench_assert_said(bench, "trades.json: 2 rows: 0 new, 0 changed, 2 unchanged\n");
    bench_assert_said(bench, "conversations.json: 7 rows: 0 new, 0 changed, 7 unchanged\n");
    char *twice = bench_digest(bench);
    assert_string_equal(once, twice);
    bench_assert_row(bench, "SELECT string_agg(imported_at::text || updated_at, ',') FROM feed_documents", written);
    bench_assert_exported(bench, bench->in);
    free(once);
    free(twice);
    free(written);
}

static void columns_are_derived(void **state)
{
    struct bench *bench = bench_of(state);
    put_folder(bench);
    bench_import(bench, IMPORT_DONE);
    bench_assert_row(bench, "SELECT entry_ts_ms || ' ' || exit_ts_ms FROM trades WHERE id = 'a_1'",
                     "1761314029249 1761418991842");
    bench_assert_row(bench, "SELECT id || ' ' || side || ' ' || status FROM positions",
                     "a:BTC:1760740073000 short open");
    bench_assert_row(bench,
                     "SELECT ts_ms || ' ' || ts_s || ' ' || source_id FROM account_equity_snapshots WHERE "
                     "model_id = 'a'",
                     "1760741902239 1760741902.239835 a_0");
    bench_assert_row(bench, "SELECT string_agg(id, ',' ORDER BY id) FROM models", "a,b,c,own");
    bench_assert_row(bench, "SELECT string_agg(symbol, ',' ORDER BY symbol) FROM symbols", "BTC,ETH,X,XRP,Y");
    bench_assert_row(bench,
                     "SELECT string_agg(coalesce(ts_ms::text, '-'), ',' ORDER BY seq) FROM conversation_messages",
                     "1760738000000,1761452352000,-");
    bench_assert_row(bench,
                     "SELECT prompt_digest || ' ' || success || ' ' || extract(epoch FROM executed_at) FROM "
                     "decision_cycles WHERE source_id = 'a_17'",
                     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad false 1761634244.599231");
    bench_assert_row(bench,
                     "SELECT success || ' ' || (executed_at IS NULL) FROM decision_cycles WHERE source_id = 'b_17'",
                     "true true");
    bench_assert_row(bench,
                     "SELECT (bulk_payload IS NOT NULL)::text || ' ' || (payload->>'updated_at') || ' ' || "
                     "server_time_ms FROM model_analytics WHERE model_id = 'a'",
                     "true 148.25 1761452350000");
    bench_assert_row(bench,
                     "SELECT string_agg(name || ':' || shape, ',' ORDER BY name) FROM feed_documents WHERE name "
                     "LIKE 'analytics%'",
                     "analytics:object,analytics-a:array,analytics-own:object");
    bench_assert_row(bench,
                     "SELECT feed_ordinal / 4294967296 || ' ' || feed_ordinal % 4294967296 FROM trades WHERE id "
                     "= 'b_1'",
                     "1 2147483648");
    bench_assert_row(bench, "SELECT count(*) FROM v_leaderboard", "2");
}

static void contradictions_are_said_and_stored(void **state)
{
    struct bench *bench = bench_of(state);
    put_folder(bench);
    bench_import(bench, IMPORT_DONE);
    bench_assert_said(bench, "leaderboard.json: rows that contradict themselves");
    bench_assert_said(bench, "account-totals.json: rows that contradict themselves");
    bench_assert_said(bench, "analytics: models whose own file is newer than analytics.json: 1");
    bench_assert_said(
        bench, "positions.json: models that hold other positions than in the newest row of account-totals.json: 1");
}

static void bad_files_are_listed_and_left_out(void **state)
{
    struct bench *bench = bench_of(state);
    put_text(bench, "trades.json",
             "{\"trades\":[%s,{\"id\":5,\"symbol\":\"X\",\"entry_time\":1,\"entry_tid\":1.5},"
             "{\"id\":\"\",\"model_id\":\"m\",\"symbol\":\"X\",\"entry_time\":1e300}]}",
             trade_a);
    put_text(bench, "leaderboard.json", "{\"leaderboard\":[{\"id\":\"a\",\n\"num_trades\":9007199254740993},{}]}");
    put_text(bench, "since-inception-values.json", "{\"sinceInceptionValues\":[{\"id\":\"\xff\",}]}");
    put_text(bench, "conversations.json",
             "{\"conversations\":[{},{\"model_id\":\"a\",\"messages\":[{\"role\":\"robot\",\"content\":1}]},"
             "{\"model_id\":\"a\",\"messages\":{}},3,{\"id\":\"c\"}]}");
    put_text(bench, "account-totals.json",
             "{\"accountTotals\":[{\"id\":\"a\",\"model_id\":\"a\",\"timestamp\":1,\"dollar_equity\":1,\"positions\":"
             "{\"BTC\":{\"oid\":\"x\"},\"E\":1}}]}");
    put_text(bench, "crypto-prices.json", "{\"prices\":[]}");
    put_text(bench, "analytics.json", "{\"analytics\":[{\"model_id\":\"a\"}]}");
    put_text(bench, "analytics-b.json", "{\"analytics\":[]}");
    put_text(bench, "positions.json", "{\"accountTotals\":[{\"model_id\":\"good\",\"positions\":{}}]}");
    bench_import(bench, IMPORT_FAULTS);
    static const char *const said[] = {
        "trades.json: $.trades[1].id: must be a text, is a number\n",
        "trades.json: $.trades[1].model_id: is missing\n",
        "trades.json: $.trades[1].entry_tid: must be an integer, is 1.5\n",
        "trades.json: $.trades[2].id: must not be empty\n",
        "trades.json: $.trades[2].entry_time: is out of range",
        "trades.json: 5 faults, nothing of it was imported\n",
        "leaderboard.json: line 2, column 14: $.leaderboard[0].num_trades: ",
        "since-inception-values.json: line 1, column ",
        "conversations.json: $.conversations[0]: is neither a conversation",
        "conversations.json: $.conversations[1].messages[0].content: must be a text, is a number\n",
        "conversations.json: $.conversations[1].messages[0].role: must be system, user or assistant\n",
        "conversations.json: $.conversations[2].messages: must be an array, is an object\n",
        "conversations.json: $.conversations[3]: must be an object",
        "conversations.json: $.conversations[4].model_id: is missing\n",
        "account-totals.json: $.accountTotals[0].positions.BTC.oid: must be an integer, is a text\n",
        "account-totals.json: $.accountTotals[0].positions.E: must be an object (a position), is a number\n",
        "crypto-prices.json: $.prices: must be an object\n",
        "analytics.json: $.analytics[0].id: is missing\n",
        "analytics-b.json: $.analytics: must hold exactly one object\n",
        "positions.json: 1 row: 1 new",
    };
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        bench_assert_said(bench, said[i]);
    bench_assert_row(bench, "SELECT count(*) || ' ' || (SELECT count(*) FROM trades) FROM feed_documents", "1 0");
    bench_assert_row(bench, "SELECT string_agg(id, ',') FROM models", "good");
}

static void files_that_cannot_be_read_are_faults(void **state)
{
    struct bench *bench = bench_of(state);
    char path[200];
    (void)snprintf(path, sizeof path, "%s/trades.json", bench->in);
    assert_int_equal(mkdir(path, 0700), 0);
    put_text(bench, "leaderboard.json", "%s", "");
    put_text(bench, "positions.json", "[]");
    put_text(bench, "conversations.json", "{\"conversations\":[],\"serverTime\":\"now\"}");
    put_text(bench, "since-inception-values.json", "{}");
    put_text(bench, "account-totals.json", "{\"accountTotals\":[],\"lastHourlyMarkerRead\":0}");
    bench_import(bench, IMPORT_FAULTS);
    assert_int_equal(rmdir(path), 0);
    bench_assert_said(bench, "trades.json: is no regular file\n");
    bench_assert_said(bench, "leaderboard.json: line 1, column 1: ");
    bench_assert_said(bench, "positions.json: $: must be an object\n");
    bench_assert_said(bench, "conversations.json: $.serverTime: must be integer milliseconds\n");
    bench_assert_said(bench, "since-inception-values.json: $.sinceInceptionValues: is missing\n");
    bench_assert_said(bench, "account-totals.json: 0 rows: 0 new, 0 changed, 0 unchanged\n");
    bench_assert_row(bench, "SELECT string_agg(name, ',') FROM feed_documents", "account-totals");
}

static void doubles(void **state)
{
    struct bench *bench = bench_of(state);
    put_text(bench, "trades.json", "{\"trades\":[%s,%s,%s]}", trade_a, trade_b, trade_a);
    bench_import(bench, IMPORT_DONE);
    bench_assert_said(bench, "trades.json: 1 row came twice, stored once\n");
    bench_assert_row(bench, "SELECT count(*) FROM trades", "2");
    put_text(bench, "trades.json",
             "{\"trades\":[%s,{\"symbol\":\"BTC\",\"id\":\"a_1\",\"model_id\":\"a\",\"entry_time\":7}]}", trade_a);
    put_text(bench, "account-totals.json",
             "{\"accountTotals\":[{\"id\":\"a1\",\"model_id\":\"a\",\"timestamp\":1.5001,\"dollar_equity\":1},"
             "{\"id\":\"a2\",\"model_id\":\"a\",\"timestamp\":1.5002,\"dollar_equity\":1},"
             "{\"id\":\"a1\",\"model_id\":\"a\",\"timestamp\":9,\"dollar_equity\":1}]}");
    put_text(bench, "analytics.json",
             "{\"analytics\":[{\"id\":\"a\",\"model_id\":\"a\"},{\"model_id\":\"a\",\"id\":\"a\"},"
             "{\"id\":\"a\",\"model_id\":\"a\",\"x\":1}]}");
    put_text(bench, "positions.json",
             "{\"accountTotals\":[{\"model_id\":\"m:x\",\"positions\":{\"y\":{\"entry_time\":1,\"entry_price\":1,"
             "\"quantity\":1}}},{\"model_id\":\"m\",\"positions\":{\"x:y\":{\"entry_time\":1,\"entry_price\":2,"
             "\"quantity\":1}}}]}");
    bench_import(bench, IMPORT_FAULTS);
    bench_assert_said(bench, "trades.json: $.trades[1].id: \"a_1\" was there before (line 1, column 12) with other ");
    bench_assert_said(bench, "account-totals.json: $.accountTotals[1].timestamp: a second snapshot of a in the same ");
    bench_assert_said(bench, "account-totals.json: $.accountTotals[2].id: \"a1\" was there before");
    bench_assert_said(bench, "analytics.json: $.analytics: the model \"a\" comes twice with different content\n");
    bench_assert_said(bench,
                      "positions.json: $.accountTotals[1].positions[\"x:y\"]: its id \"m:x:y:1000\" is that of ");
}

static void a_newer_capture_takes_rows_from_the_feed(void **state)
{
    struct bench *bench = bench_of(state);
    put_folder(bench);
    bench_import(bench, IMPORT_DONE);
    put_text(bench, "trades.json", "{\"trades\":[%s]}", trade_b);
    put_text(bench, "crypto-prices.json", "{\"prices\":{\"Y\":{\"symbol\":\"Y\",\"price\":1,\"timestamp\":2}}}");
    put_text(bench, "positions.json",
             "{\"accountTotals\":[{\"model_id\":\"c\",\"positions\":{\"BTC\":{\"entry_time\":5,\"entry_price\":1,"
             "\"quantity\":2}}},{\"model_id\":\"a\",\"positions\":{}}]}");
    bench_import(bench, IMPORT_DONE);
    bench_assert_said(bench, "trades.json: 1 row: 0 new, 1 changed, 0 unchanged, 1 no longer there\n");
    bench_assert_row(bench, "SELECT (feed_ordinal IS NULL)::text FROM trades WHERE id = 'a_1'", "true");
    bench_assert_row(bench, "SELECT string_agg(id || '=' || status, ',' ORDER BY id) FROM positions",
                     "a:BTC:1760740073000=closed,c:BTC:5000=open");
    bench_assert_row(bench, "SELECT count(*) || ' ' || count(feed_ordinal) FROM price_latest", "4 1");
    bench_assert_exported(bench, bench->in);
}

static void conversations_grow_and_shrink_in_place(void **state)
{
    struct bench *bench = bench_of(state);
    static const char *const captures[] = {
        "{\"conversations\":[{\"model_id\":\"a\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
        "{\"role\":\"user\",\"content\":\"1\"}]}]}",
        "{\"conversations\":[{\"model_id\":\"a\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"},"
        "{\"role\":\"user\",\"content\":\"1\"},{\"role\":\"assistant\",\"content\":\"2\",\"x\":null}]}]}",
        "{\"conversations\":[{\"model_id\":\"a\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"}]}]}",
        "{\"conversations\":[{\"model_id\":\"a\",\"messages\":[{\"role\":\"system\",\"content\":\"s\"}]},"
        "{\"model_id\":\"a\",\"messages\":[{\"content\":\"s\",\"role\":\"system\"}]}]}",
    };
    char *id = NULL;
    for (size_t i = 0; i < sizeof captures / sizeof captures[0]; i++) {
        put_text(bench, "conversations.json", "%s", captures[i]);
        bench_import(bench, IMPORT_DONE);
        bench_assert_exported(bench, bench->in);
        char *now = bench_ask(bench, "SELECT min(id)::text FROM conversations");
        if (id)
            assert_string_equal(id, now);
        free(id);
        id = now;
    }
    free(id);
    bench_assert_row(bench, "SELECT count(*) FROM conversations", "2");
    bench_assert_row(bench, "SELECT count(*) FROM conversation_messages", "2");
}

static void remove_file(struct bench *bench, const char *name)
{
    char path[200];
    (void)snprintf(path, sizeof path, "%s/%s", bench->in, name);
    assert_int_equal(unlink(path), 0);
    bench_empty(bench->out);
}

static void analytics_files_come_and_go(void **state)
{
    struct bench *bench = bench_of(state);
    static const char bulk[] =
        "{\"analytics\":[{\"id\":\"a\",\"model_id\":\"a\",\"v\":1},{\"id\":\"b\",\"model_id\":\"b\"}]}";
    put_text(bench, "analytics-a.json", "{\"analytics\":[{\"id\":\"a\",\"model_id\":\"a\",\"v\":2}]}");
    bench_import(bench, IMPORT_DONE);
    bench_assert_exported(bench, bench->in);
    put_text(bench, "analytics.json", "%s", bulk);
    bench_import(bench, IMPORT_DONE);
    bench_assert_exported(bench, bench->in);
    bench_assert_row(bench, "SELECT payload->>'v' FROM model_analytics WHERE model_id = 'a'", "2");

    /* Without the list its rows stay, and so does it in the export. */
    remove_file(bench, "analytics.json");
    put_text(bench, "analytics-a.json", "{\"analytics\":{\"id\":\"a\",\"model_id\":\"a\",\"v\":3}}");
    put_text(bench, "analytics-c.json", "{\"analytics\":{\"id\":\"c\",\"model_id\":\"c\"}}");
    bench_import(bench, IMPORT_DONE);
    put_text(bench, "analytics.json", "%s", bulk);
    bench_assert_exported(bench, bench->in);

    /* While a model's own file is bad, what is stored stays. */
    remove_file(bench, "analytics.json");
    put_text(bench, "analytics-a.json", "{\"analytics\":7}");
    bench_import(bench, IMPORT_FAULTS);
    bench_assert_row(bench, "SELECT payload->>'v' FROM model_analytics WHERE model_id = 'a'", "3");

    remove_file(bench, "analytics-a.json");
    remove_file(bench, "analytics-c.json");
    put_text(bench, "analytics.json", "%s", bulk);
    bench_import(bench, IMPORT_DONE);
    bench_assert_exported(bench, bench->in);
    bench_assert_row(bench, "SELECT payload->>'v' FROM model_analytics WHERE model_id = 'a'", "1");
    bench_assert_row(bench, "SELECT count(*) FROM model_analytics", "2");
    put_text(bench, "analytics.json", "{\"analytics\":[]}");
    bench_import(bench, IMPORT_DONE);
    bench_assert_exported(bench, bench->in);
    bench_assert_row(bench, "SELECT count(*) FROM model_analytics", "0");
}

static void what_cannot_run_says_so(void **state)
{
    struct bench *bench = bench_of(state);
    assert_int_equal(bench_import_from(bench, bench->in, NULL), IMPORT_FAILED);
    bench_assert_said(bench, "has none of the files to import");
    assert_int_equal(bench_import_from(bench, "/nowhere/at all", NULL), IMPORT_FAILED);
    bench_assert_said(bench, "import: /nowhere/at all: No such file or directory\n");
    assert_int_equal(bench_import_from(bench, bench->in, "trade"), IMPORT_FAILED);
    bench_assert_said(bench, "import: there is no endpoint \"trade\"\n");
    put_folder(bench);
    assert_int_equal(bench_import_from(bench, bench->in, "trades"), IMPORT_DONE);
    bench_assert_row(bench, "SELECT string_agg(name, ',') FROM feed_documents", "trades");
    bench_exec(bench, "ALTER TABLE models RENAME TO models_away");
    assert_int_equal(bench_import_from(bench, bench->in, "trades"), IMPORT_FAILED);
    bench_assert_said(bench, "; bring the schema up to date with nof0ctl migrate up\n");
    bench_exec(bench, "ALTER TABLE models_away RENAME TO models");
    struct bench elsewhere = {.said = NULL};
    (void)snprintf(elsewhere.testing.dsn, sizeof elsewhere.testing.dsn, "host=/nowhere port=1");
    assert_int_equal(bench_import_from(&elsewhere, bench->in, NULL), IMPORT_FAILED);
    bench_assert_said(&elsewhere, "import: Postgres: ");
    assert_ptr_equal(strchr(elsewhere.said, '\n'), elsewhere.said + strlen(elsewhere.said) - 1);
    free(elsewhere.said);
}

static void export_takes_only_its_own_folder(void **state)
{
    struct bench *bench = bench_of(state);
    assert_false(bench_export(bench));
    bench_assert_said(bench, "nothing was imported into this database yet");
    put_folder(bench);
    bench_import(bench, IMPORT_DONE);
    bench_assert_exported(bench, bench->in);
    char path[200];
    (void)snprintf(path, sizeof path, "%s/analytics-gone.json", bench->out);
    FILE *stray = fopen(path, "w");
    assert_non_null(stray);
    (void)fclose(stray);
    assert_false(bench_export(bench));
    bench_assert_said(bench, "holds \"analytics-gone.json\", which export does not write");
}

static pid_t start_import(struct bench *bench)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        FILE *nowhere = fopen("/dev/null", "w");
        const struct import_options options = {.dsn = bench->testing.dsn,
                                               .dir = bench->in,
                                               .prices_provider = "arena",
                                               .quiet = true,
                                               .out = nowhere,
                                               .problems = nowhere};
        _exit((int)import_folder(&options));
    }
    return child;
}

static void imports_at_once_take_turns(void **state)
{
    enum { IMPORTS = 4 };
    struct bench *bench = bench_of(state);
    put_folder(bench);
    bench_import(bench, IMPORT_DONE);
    char *expected = bench_digest(bench);
    bench_reset(bench);
    put_folder(bench);
    pid_t children[IMPORTS];
    for (int i = 0; i < IMPORTS; i++)
        children[i] = start_import(bench);
    for (int i = 0; i < IMPORTS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    char *digest = bench_digest(bench);
    assert_string_equal(digest, expected);
    free(digest);
    free(expected);
}

/* A child is killed at some instant of its import, again and again; then one import goes through. */
static void killed_imports_leave_no_trace(void **state)
{
    struct bench *bench = bench_of(state);
    put_folder(bench);
    bench_import(bench, IMPORT_DONE);
    char *expected = bench_digest(bench);
    bench_reset(bench);
    put_folder(bench);
    for (useconds_t delay = 2000; delay <= 150000; delay += delay / 2) {
        pid_t child = start_import(bench);
        usleep(delay);
        (void)kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    bench_import(bench, IMPORT_DONE);
    char *digest = bench_digest(bench);
    assert_string_equal(digest, expected);
    bench_assert_exported(bench, bench->in);
    free(digest);
    free(expected);
}

/* Real captures, where they are at hand. */
static void captures_come_back(void **state)
{
    struct bench *bench = bench_of(state);
    const char *data = getenv("NOF0_TEST_DATA");
    char dir[500];
    char cycles[500];
    (void)snprintf(dir, sizeof dir, "%s/2025-10-26", data ? data : "../shared/data");
    (void)snprintf(cycles, sizeof cycles, "%s", data ? data : "../shared/data");
    struct stat status;
    if (stat(dir, &status) != 0)
        skip();
    assert_int_equal(bench_import_from(bench, dir, NULL), IMPORT_DONE);
    bench_assert_exported(bench, dir);
    char *once = bench_digest(bench);
    assert_int_equal(bench_import_from(bench, dir, NULL), IMPORT_DONE);
    char *twice = bench_digest(bench);
    assert_string_equal(once, twice);
    free(once);
    free(twice);

    bench_reset(bench);
    struct buf content = BUF_INIT;
    bench_put(bench, "conversations.json", bench_read(cycles, "conversations-cycle-shape.json", &content));
    buf_free(&content);
    bench_import(bench, IMPORT_DONE);
    bench_assert_exported(bench, bench->in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_comes_back_and_twice_is_once),
        cmocka_unit_test(columns_are_derived),
        cmocka_unit_test(contradictions_are_said_and_stored),
        cmocka_unit_test(bad_files_are_listed_and_left_out),
        cmocka_unit_test(files_that_cannot_be_read_are_faults),
        cmocka_unit_test(doubles),
        cmocka_unit_test(a_newer_capture_takes_rows_from_the_feed),
        cmocka_unit_test(conversations_grow_and_shrink_in_place),
        cmocka_unit_test(analytics_files_come_and_go),
        cmocka_unit_test(what_cannot_run_says_so),
        cmocka_unit_test(export_takes_only_its_own_folder),
        cmocka_unit_test(imports_at_once_take_turns),
        cmocka_unit_test(killed_imports_leave_no_trace),
        cmocka_unit_test(captures_come_back),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
