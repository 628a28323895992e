/* What the written files say, read back: every identity that ties them together. Money is compared in millionths of a
 * dollar, in which the identities hold exactly. */
#include "base/json_read.h"
#include "base/testing.h"
#include "cli/demo_files.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 512 };

struct folder {
    char path[64];
    struct demo_written written;
    cJSON *totals, *trades, *positions, *prices, *inceptions, *leaderboard, *analytics, *conversations;
};

static char *read_text(const char *dir, const char *name, size_t *length)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "re");
    if (!file)
        fail_msg("%s is missing", path);
    struct buf text = BUF_INIT;
    size_t n;
    while ((n = fread(buf_reserve(&text, 65536), 1, 65536, file)) > 0)
        text.len += n;
    assert_int_equal(fclose(file), 0);
    return buf_take(&text, length);
}

/* json_parse is strict: no doubled key, no integer beyond 2^53, UTF-8 throughout. */
static cJSON *parse_file(const char *dir, const char *name)
{
    struct err err = ERR_INIT;
    size_t length;
    char *text = read_text(dir, name, &length);
    cJSON *tree = json_parse((struct slice){text, length}, &err);
    if (!tree)
        fail_msg("%s: %s", name, err.text);
    free(text);
    return tree;
}

static void remove_folder(const char *dir)
{
    DIR *folder = opendir(dir);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[PATH_SIZE];
        (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (entry->d_name[0] != '.')
            assert_int_equal(unlink(path), 0);
    }
    assert_int_equal(closedir(folder), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void write_folder(struct folder *folder, const struct demo_options *options)
{
    struct err err = ERR_INIT;
    (void)strcpy(folder->path, "/tmp/nof0-demo-test-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    if (!demo_write_folder(folder->path, options, &folder->written, &err))
        fail_msg("%s", err.text);
}

static void load_folder(struct folder *folder, const struct demo_options *options)
{
    write_folder(folder, options);
    folder->totals = parse_file(folder->path, "account-totals.json");
    folder->trades = parse_file(folder->path, "trades.json");
    folder->positions = parse_file(folder->path, "positions.json");
    folder->prices = parse_file(folder->path, "crypto-prices.json");
    folder->inceptions = parse_file(folder->path, "since-inception-values.json");
    folder->leaderboard = parse_file(folder->path, "leaderboard.json");
    folder->analytics = parse_file(folder->path, "analytics.json");
    folder->conversations = parse_file(folder->path, "conversations.json");
}

static void drop_folder(struct folder *folder)
{
    cJSON_Delete(folder->totals);
    cJSON_Delete(folder->trades);
    cJSON_Delete(folder->positions);
    cJSON_Delete(folder->prices);
    cJSON_Delete(folder->inceptions);
    cJSON_Delete(folder->leaderboard);
    cJSON_Delete(folder->analytics);
    cJSON_Delete(folder->conversations);
    remove_folder(folder->path);
}

static const cJSON *member(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!item)
        fail_msg("\"%s\" is missing", key);
    return item;
}

static double number(const cJSON *object, const char *key)
{
    assert_true(cJSON_IsNumber(member(object, key)));
    return member(object, key)->valuedouble;
}

static const char *text(const cJSON *object, const char *key)
{
    assert_true(cJSON_IsString(member(object, key)));
    return member(object, key)->valuestring;
}

static long long micros(const cJSON *object, const char *key)
{
    return llround(number(object, key) * 1e6);
}

/* The element of an array whose `key` is `value`. */
static const cJSON *element(const cJSON *array, const char *key, const char *value)
{
    const cJSON *item;
    cJSON_ArrayForEach(item, array)
    {
        if (strcmp(text(item, key), value) == 0)
            return item;
    }
    fail_msg("no element has %s \"%s\"", key, value);
    return NULL;
}

static const cJSON *newest_row(const struct folder *folder, const char *model_id)
{
    const cJSON *newest = NULL;
    const cJSON *row;
    cJSON_ArrayForEach(row, member(folder->totals, "accountTotals"))
    {
        if (strcmp(text(row, "model_id"), model_id) == 0)
            newest = row;
    }
    assert_non_null(newest);
    return newest;
}

static void check_row(const cJSON *row, const struct folder *folder)
{
    const cJSON *inception =
        element(member(folder->inceptions, "sinceInceptionValues"), "model_id", text(row, "model_id"));
    long long unrealized = 0;
    const cJSON *position;
    cJSON_ArrayForEach(position, member(row, "positions"))
    {
        assert_string_equal(position->string, text(position, "symbol"));
        double expected =
            (number(position, "current_price") - number(position, "entry_price")) * number(position, "quantity");
        assert_true(fabs(expected - number(position, "unrealized_pnl")) < 1e-5);
        assert_true(micros(position, "closed_pnl") == -micros(position, "commission"));
        unrealized += micros(position, "unrealized_pnl");
    }
    assert_true(micros(row, "total_unrealized_pnl") == unrealized);
    assert_true(micros(row, "dollar_equity") == 10000000000 + micros(row, "realized_pnl") + unrealized);
    assert_true(fabs(number(row, "cum_pnl_pct") - (number(row, "dollar_equity") - 10000) / 100) <= 0.0005001);

    double age = number(row, "timestamp") - number(inception, "inception_date");
    assert_true(number(row, "since_inception_hourly_marker") == floor(age / 3600));
    assert_true(number(row, "since_inception_minute_marker") == floor(age / 60));
    char id[100];
    (void)snprintf(id, sizeof id, "%s_%d", text(row, "model_id"),
                   member(row, "since_inception_hourly_marker")->valueint);
    assert_string_equal(text(row, "id"), id);
}

/* Markers 0 to hours once for each model and the benchmark, in the order of time. */
static void check_rows(const struct folder *folder, const struct demo_options *options)
{
    const cJSON *rows = member(folder->totals, "accountTotals");
    double before = 0;
    const cJSON *row;
    assert_int_equal(cJSON_GetArraySize(rows), (options->models + 1) * (options->hours + 1));
    cJSON_ArrayForEach(row, rows)
    {
        check_row(row, folder);
        assert_true(number(row, "timestamp") >= before);
        before = number(row, "timestamp");
    }
    assert_true(number(folder->totals, "lastHourlyMarkerRead") == (double)options->hours);
    const cJSON *inception;
    cJSON_ArrayForEach(inception, member(folder->inceptions, "sinceInceptionValues"))
    {
        int next = 0;
        cJSON_ArrayForEach(row, rows)
        {
            if (strcmp(text(row, "model_id"), text(inception, "model_id")) == 0)
                assert_int_equal(member(row, "since_inception_hourly_marker")->valueint, next++);
        }
        assert_int_equal(next, options->hours + 1);
    }
}

/* {} or a target and a stop on either side of the entry. Returns whether there is one. */
static bool check_plan(const cJSON *position)
{
    const cJSON *plan = member(position, "exit_plan");
    double direction = number(position, "quantity") > 0 ? 1 : -1;
    double entry = number(position, "entry_price");
    if (!plan->child)
        return false;
    assert_true(direction * (number(plan, "profit_target") - entry) > 0);
    assert_true(direction * (entry - number(plan, "stop_loss")) > 0);
    assert_true(strlen(text(plan, "invalidation_condition")) > 10);
    return true;
}

static void check_positions(const struct folder *folder, const struct demo_options *options)
{
    const cJSON *accounts = member(folder->positions, "accountTotals");
    const cJSON *account;
    int planned = 0;
    int count = 0;
    assert_int_equal(cJSON_GetArraySize(accounts), options->models);
    cJSON_ArrayForEach(account, accounts)
    {
        const cJSON *held = member(account, "positions");
        assert_true(cJSON_Compare(held, member(newest_row(folder, text(account, "model_id")), "positions"), true));
        const cJSON *position;
        cJSON_ArrayForEach(position, held)
        {
            planned += check_plan(position);
            count++;
            assert_int_equal(cJSON_GetArraySize(position), 21);
            assert_true(number(position, "entry_oid") > 0 && number(position, "leverage") >= 1);
            assert_true(number(position, "confidence") > 0 && number(position, "confidence") <= 1);
            double notional = fabs(number(position, "quantity")) * number(position, "entry_price");
            assert_true(fabs(number(position, "margin") - notional / number(position, "leverage")) < 1e-5);
        }
    }
    assert_true(planned >= count / 2);
}

static void check_trade(const cJSON *trade)
{
    bool is_long = number(trade, "quantity") > 0;
    double gross = (number(trade, "exit_price") - number(trade, "entry_price")) * number(trade, "quantity");
    assert_int_equal(cJSON_GetArraySize(trade), 33);
    assert_string_equal(text(trade, "side"), is_long ? "long" : "short");
    assert_string_equal(text(trade, "trade_type"), text(trade, "side"));
    assert_true(number(trade, "entry_sz") == fabs(number(trade, "quantity")));
    assert_true(number(trade, "exit_sz") == fabs(number(trade, "quantity")));
    assert_true(fabs(gross - number(trade, "realized_gross_pnl")) < 1e-5);
    assert_true(micros(trade, "total_commission_dollars") ==
                micros(trade, "entry_commission_dollars") + micros(trade, "exit_commission_dollars"));
    assert_true(micros(trade, "realized_net_pnl") ==
                micros(trade, "entry_closed_pnl") + micros(trade, "exit_closed_pnl"));
    assert_true(micros(trade, "realized_net_pnl") ==
                micros(trade, "realized_gross_pnl") - micros(trade, "total_commission_dollars"));
    assert_true(number(trade, "entry_time") < number(trade, "exit_time"));
    assert_int_equal(strlen(text(trade, "entry_human_time")), 26);
    assert_int_equal(strlen(text(trade, "exit_human_time")), 26);
    char *rest;
    char middle[64];
    assert_true(strtod(text(trade, "trade_id"), &rest) == number(trade, "entry_time"));
    (void)snprintf(middle, sizeof middle, "_%s_", text(trade, "symbol"));
    assert_memory_equal(rest, middle, strlen(middle));
    assert_true(strtod(rest + strlen(middle), &rest) == number(trade, "exit_time"));
    assert_int_equal(*rest, '_');
    assert_string_equal(rest + 1, text(trade, "model_id"));
    bool planned = check_plan(trade);
    /* A target order rests in the book, so its fill does not cross. */
    if (cJSON_IsFalse(member(trade, "exit_crossed")))
        assert_true(planned && number(member(trade, "exit_plan"), "profit_target") == number(trade, "exit_price"));
}

/* Grouped by model, newest exit first inside; at most 100 a model, and all of them when there were no more. Then
 * realized_pnl = sum over trades (entry_closed_pnl + exit_closed_pnl) + sum over open positions (closed_pnl). */
static void check_trades(const struct folder *folder)
{
    const cJSON *rows = member(folder->trades, "trades");
    const cJSON *account;
    const cJSON *trade = rows->child;
    long long total = 0;
    cJSON_ArrayForEach(account, member(folder->positions, "accountTotals"))
    {
        const char *model_id = text(account, "model_id");
        const cJSON *analytics = element(member(folder->analytics, "analytics"), "id", model_id);
        int all = member(member(analytics, "overall_trades_overview_table"), "total_trades")->valueint;
        long long booked = 0;
        int count = 0;
        double before = INFINITY;
        for (; trade && strcmp(text(trade, "model_id"), model_id) == 0; trade = trade->next, count++) {
            check_trade(trade);
            assert_true(number(trade, "exit_time") <= before);
            before = number(trade, "exit_time");
            booked += micros(trade, "entry_closed_pnl") + micros(trade, "exit_closed_pnl");
        }
        assert_int_equal(count, all < 100 ? all : 100);
        const cJSON *position;
        cJSON_ArrayForEach(position, member(account, "positions")) booked += micros(position, "closed_pnl");
        if (all <= 100)
            assert_true(booked == micros(newest_row(folder, model_id), "realized_pnl"));
        total += all;
    }
    assert_null(trade);
    assert_int_equal(total, folder->written.trades);
}

static void check_leaderboard(const struct folder *folder, const struct demo_options *options)
{
    const cJSON *rows = member(folder->leaderboard, "leaderboard");
    const cJSON *leader;
    const char *before = "";
    assert_int_equal(cJSON_GetArraySize(rows), options->models);
    assert_null(cJSON_GetObjectItemCaseSensitive(folder->leaderboard, "serverTime"));
    cJSON_ArrayForEach(leader, rows)
    {
        const cJSON *row = newest_row(folder, text(leader, "id"));
        assert_true(strcmp(before, text(leader, "id")) < 0);
        before = text(leader, "id");
        assert_true(fabs(number(leader, "equity") - number(row, "dollar_equity")) <= 0.005001);
        assert_true(number(leader, "sharpe") == number(row, "sharpe_ratio"));
        assert_true(number(leader, "num_wins") + number(leader, "num_losses") == number(leader, "num_trades"));
        assert_true(number(leader, "win_dollars") >= 0 && number(leader, "lose_dollars") <= 0);
    }
}

static void check_benchmark(const struct folder *folder)
{
    const cJSON *row = newest_row(folder, DEMO_BENCHMARK);
    const cJSON *position = member(member(row, "positions"), "BTC");
    assert_null(cJSON_GetObjectItemCaseSensitive(row, "sharpe_ratio"));
    assert_true(number(position, "entry_oid") == -1 && number(position, "oid") == -1);
    assert_true(number(position, "tp_oid") == -1 && number(position, "sl_oid") == -1);
    assert_true(number(position, "index_col") == -1 && number(position, "liquidation_price") == 0);
    assert_string_equal(text(position, "exit_plan"), "N/A");
}

static void check_prices(const struct folder *folder)
{
    const cJSON *price;
    int count = 0;
    cJSON_ArrayForEach(price, member(folder->prices, "prices"))
    {
        assert_string_equal(price->string, text(price, "symbol"));
        assert_true(number(price, "price") > 0);
        assert_true(number(price, "timestamp") == number(folder->prices, "serverTime"));
        count++;
    }
    assert_int_equal(count, 6);
}

static void check_conversations(const struct folder *folder)
{
    const cJSON *talk;
    double before = INFINITY;
    int cycles = 0;
    int messages = 0;
    int bare = 0;
    cJSON_ArrayForEach(talk, member(folder->conversations, "conversations"))
    {
        if (cJSON_GetObjectItemCaseSensitive(talk, "messages")) {
            const cJSON *first = member(talk, "messages")->child;
            assert_string_equal(text(first, "role"), "system");
            messages++;
            continue;
        }
        assert_int_equal(cJSON_GetArraySize(talk), 11);
        assert_int_equal(messages, 0); /* cycles come first */
        assert_true(number(talk, "timestamp") <= before);
        before = number(talk, "timestamp");
        assert_true(number(talk, "inserted_at") > before);
        assert_true(cJSON_IsObject(member(talk, "llm_response")));
        assert_non_null(strstr(text(talk, "user_prompt"), "‑"));
        bare += cJSON_IsObject(member(talk, "cot_trace"));
        cycles++;
    }
    assert_true(cycles > 0 && messages > 0 && bare < cycles);
}

static void check_whole(const struct demo_options *options)
{
    struct folder folder;
    load_folder(&folder, options);
    check_rows(&folder, options);
    check_positions(&folder, options);
    check_trades(&folder);
    check_leaderboard(&folder, options);
    check_benchmark(&folder);
    check_prices(&folder);
    check_conversations(&folder);
    drop_folder(&folder);
}

static void test_the_default_set(void **state)
{
    (void)state;
    check_whole(&(struct demo_options){.models = 6, .hours = 240, .trades = 200, .seed = 1});
}

static void test_other_sets(void **state)
{
    (void)state;
    check_whole(&(struct demo_options){.models = 1, .hours = 1, .trades = 0, .seed = 3});
    check_whole(&(struct demo_options){.models = 35, .hours = 5, .trades = 900, .seed = 99});
    check_whole(&(struct demo_options){.models = 2, .hours = 120, .trades = 1200, .seed = UINT64_MAX});
}

/* Closed trades come close to what was asked for. */
static void test_the_number_of_trades(void **state)
{
    (void)state;
    static const struct demo_options sets[] = {{6, 240, 200, 1}, {6, 240, 200, 2}, {20, 400, 3000, 1}, {3, 50, 0, 1}};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        struct folder folder;
        write_folder(&folder, &sets[i]);
        long long off = llabs((long long)(folder.written.trades - sets[i].trades));
        assert_true(off <= sets[i].trades / 50 + 2 * sets[i].models);
        assert_true(sets[i].trades > 0 || folder.written.trades == 0);
        remove_folder(folder.path);
    }
}

static bool same_bytes(const struct folder *a, const struct folder *b)
{
    bool same = true;
    DIR *dir = opendir(a->path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        size_t a_length;
        size_t b_length;
        char *a_text = read_text(a->path, entry->d_name, &a_length);
        char *b_text = read_text(b->path, entry->d_name, &b_length);
        same = same && a_length == b_length && memcmp(a_text, b_text, a_length) == 0;
        free(a_text);
        free(b_text);
    }
    assert_int_equal(closedir(dir), 0);
    return same;
}

static void test_a_seed_decides_every_byte(void **state)
{
    (void)state;
    struct demo_options options = {.models = 4, .hours = 30, .trades = 80, .seed = 5};
    struct folder once;
    struct folder twice;
    struct folder other;
    write_folder(&once, &options);
    write_folder(&twice, &options);
    options.seed = 6;
    write_folder(&other, &options);
    assert_true(same_bytes(&once, &twice));
    assert_false(same_bytes(&once, &other));
    remove_folder(once.path);
    remove_folder(twice.path);
    remove_folder(other.path);
}

static void test_a_full_disk_and_a_foreign_folder(void **state)
{
    (void)state;
    struct demo_options options = {.models = 2, .hours = 2, .trades = 4, .seed = 1};
    struct demo_written written;
    struct err err = ERR_INIT;
    struct folder folder;
    assert_false(demo_write_folder("/dev/null/x", &options, &written, &err));
    assert_int_equal(err.code, ERR_IO);
    assert_non_null(strstr(err.text, "/dev/null/x"));

    write_folder(&folder, &options);
    assert_true(demo_write_folder(folder.path, &options, &written, &err)); /* over itself */
    options.models = 1;
    assert_false(demo_write_folder(folder.path, &options, &written, &err));
    assert_int_equal(err.code, ERR_CONFLICT);
    remove_folder(folder.path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_default_set),
        cmocka_unit_test(test_other_sets),
        cmocka_unit_test(test_the_number_of_trades),
        cmocka_unit_test(test_a_seed_decides_every_byte),
        cmocka_unit_test(test_a_full_disk_and_a_foreign_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
