/* The 92 metrics against a second computation: from the single trades, with the textbook's formulas in long double.
 * Each metric that was compared is taken out of the document, and at the end nothing may be left. */
#include "base/json_read.h"
#include "base/testing.h"
#include "cli/demo_put.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 2 * DEMO_KEPT_TRADES };

struct list {
    size_t count;
    long double of[MOST];
};

static void add(struct list *list, long double value)
{
    assert_true(list->count < MOST);
    list->of[list->count++] = value;
}

static long double sum(const struct list *list)
{
    long double total = 0;
    for (size_t i = 0; i < list->count; i++)
        total += list->of[i];
    return total;
}

static long double mean(const struct list *list)
{
    return list->count ? sum(list) / (long double)list->count : 0;
}

static long double deviation(const struct list *list)
{
    long double squares = 0;
    if (list->count < 2)
        return 0;
    for (size_t i = 0; i < list->count; i++)
        squares += (list->of[i] - mean(list)) * (list->of[i] - mean(list));
    return sqrtl(squares / (long double)(list->count - 1));
}

static int ascending(const void *a, const void *b)
{
    const long double *left = a;
    const long double *right = b;
    return (*left > *right) - (*left < *right);
}

static long double median(struct list list)
{
    qsort(list.of, list.count, sizeof list.of[0], ascending);
    return list.count ? (list.of[(list.count - 1) / 2] + list.of[list.count / 2]) / 2 : 0;
}

static long double ratio(long double part, long double whole)
{
    return whole != 0 ? part / whole : 0;
}

/* Reads a metric and takes it away. */
static double take(cJSON *table, const char *key)
{
    cJSON *item = cJSON_DetachItemFromObjectCaseSensitive(table, key);
    if (!item || !cJSON_IsNumber(item))
        fail_msg("%s is missing", key);
    double value = item->valuedouble;
    cJSON_Delete(item);
    return value;
}

static void expect(cJSON *table, const char *key, long double expected)
{
    double value = take(table, key);
    long double tolerance = 1e-9L * (fabsl(expected) > 1 ? fabsl(expected) : 1);
    if (!(fabsl((long double)value - expected) <= tolerance))
        fail_msg("%s is %.17g, not %.17Lg", key, value, expected);
}

static void expect_pair(cJSON *table, const char *what, const struct list *list)
{
    char key[64];
    (void)snprintf(key, sizeof key, "avg_%s", what);
    expect(table, key, mean(list));
    (void)snprintf(key, sizeof key, "std_%s", what);
    expect(table, key, deviation(list));
}

struct group {
    struct list net, notional, holding;
};

static void expect_group(cJSON *table, const char *who, const struct group *group)
{
    char what[64];
    (void)snprintf(what, sizeof what, "%s_net_pnl", who);
    expect_pair(table, what, &group->net);
    (void)snprintf(what, sizeof what, "%s_notional", who);
    expect_pair(table, what, &group->notional);
    (void)snprintf(what, sizeof what, "%s_holding_period", who);
    expect_pair(table, what, &group->holding);
}

struct facts {
    struct group all, winners, losers, longs, shorts;
    struct list gross, fees, portfolio, target, stop, leverage, leverage_long, leverage_short;
    struct list asked_leverage, confidence_long, confidence_short;
    long double minutes_long, minutes_short;
};

static void add_entry(struct facts *facts, const struct demo_position *position)
{
    add(&facts->asked_leverage, (long double)position->leverage);
    add(position->quantity > 0 ? &facts->confidence_long : &facts->confidence_short,
        (long double)position->confidence / 100);
}

static void add_group(struct group *group, long double net, long double notional, long double holding)
{
    add(&group->net, net);
    add(&group->notional, notional);
    add(&group->holding, holding);
}

static void add_trade(struct facts *facts, const struct demo_trade *trade)
{
    const struct demo_position *position = &trade->position;
    long double entry = (long double)position->entry_price / 1e6L;
    long double quantity = (long double)position->quantity / 1e8L;
    long double holding = (long double)(demo_trade_ms(trade->exit_us) - demo_trade_ms(position->entry_us)) / 60000;
    long double gross = (long double)trade->gross / 1e6L;
    long double fees = (long double)(position->commission + trade->exit_commission) / 1e6L;
    long double notional = roundl(fabsl(quantity) * entry * 1e6L) / 1e6L;
    bool is_long = quantity > 0;
    assert_true(fabsl(gross - ((long double)trade->exit_price / 1e6L - entry) * quantity) < 1e-6L);
    add(&facts->gross, gross);
    add(&facts->fees, fees);
    add_group(&facts->all, gross - fees, notional, holding);
    add_group(gross - fees > 0 ? &facts->winners : &facts->losers, gross - fees, notional, holding);
    add_group(is_long ? &facts->longs : &facts->shorts, gross - fees, notional, holding);
    /* Percentages are kept to six places. */
    add(&facts->portfolio, roundl(notional / ((long double)position->equity / 1e6L) * 1e8L) / 1e6L);
    add(&facts->leverage, (long double)position->leverage);
    add(is_long ? &facts->leverage_long : &facts->leverage_short, (long double)position->leverage);
    if (position->planned) {
        add(&facts->target, roundl(fabsl((long double)position->target / 1e6L - entry) / entry * 1e8L) / 1e6L);
        add(&facts->stop, roundl(fabsl((long double)position->stop / 1e6L - entry) / entry * 1e8L) / 1e6L);
    }
    *(is_long ? &facts->minutes_long : &facts->minutes_short) +=
        (long double)(trade->exit_us - position->entry_us) / 6e7L;
    add_entry(facts, position);
}

static void gather(struct facts *facts, const struct demo_trader *trader, int64_t now_us)
{
    memset(facts, 0, sizeof *facts);
    for (size_t i = 0; i < demo_trader_kept(trader); i++)
        add_trade(facts, demo_trader_kept_at(trader, i));
    for (size_t i = 0; i < DEMO_SYMBOLS; i++) {
        const struct demo_position *position = &trader->positions[i];
        if (!position->open)
            continue;
        add_entry(facts, position);
        *(position->quantity > 0 ? &facts->minutes_long : &facts->minutes_short) +=
            (long double)(now_us - position->entry_us) / 6e7L;
    }
}

static void check_fees(cJSON *table, const struct facts *facts)
{
    long double net = sum(&facts->all.net);
    long double gain = 0;
    long double loss = 0;
    for (size_t i = 0; i < facts->all.net.count; i++) {
        gain = fmaxl(gain, facts->all.net.of[i]);
        loss = fminl(loss, facts->all.net.of[i]);
    }
    expect_pair(table, "net_pnl", &facts->all.net);
    expect_pair(table, "gross_pnl", &facts->gross);
    expect_pair(table, "taker_fee", &facts->fees);
    expect(table, "overall_pnl_with_fees", net);
    expect(table, "overall_pnl_without_fees", sum(&facts->gross));
    expect(table, "total_fees_paid", sum(&facts->fees));
    expect(table, "total_fees_as_pct_of_pnl", net > 0 ? sum(&facts->fees) / net * 100 : 0);
    expect(table, "biggest_net_gain", gain);
    expect(table, "biggest_net_loss", loss);
}

static void check_sides(cJSON *winners, cJSON *sides, const struct facts *facts)
{
    long double all = (long double)facts->all.net.count;
    expect(winners, "win_rate", ratio((long double)facts->winners.net.count, all) * 100);
    expect_group(winners, "winners", &facts->winners);
    expect_group(winners, "losers", &facts->losers);
    expect_group(sides, "longs", &facts->longs);
    expect_group(sides, "shorts", &facts->shorts);
    expect(sides, "num_long_trades", (long double)facts->longs.net.count);
    expect(sides, "num_short_trades", (long double)facts->shorts.net.count);
    expect(sides, "long_short_trades_ratio", ratio((long double)facts->longs.net.count, all));
}

static void check_overview(cJSON *table, const struct facts *facts)
{
    expect(table, "total_trades", (long double)facts->all.net.count);
    expect_pair(table, "size_of_trade_notional", &facts->all.notional);
    expect(table, "median_size_of_trade_notional", median(facts->all.notional));
    expect_pair(table, "size_of_trade_portfolio_pct", &facts->portfolio);
    expect_pair(table, "holding_period_mins", &facts->all.holding);
    expect(table, "median_holding_period_mins", median(facts->all.holding));
    expect(table, "avg_convo_leverage", mean(&facts->asked_leverage));
    expect(table, "median_convo_leverage", median(facts->asked_leverage));
    expect(table, "avg_take_profit_distance_pct", mean(&facts->target));
    expect(table, "avg_stop_loss_distance_pct", mean(&facts->stop));
}

/* Entries are known from the trades and the open positions; of closes and holds only how they hang together. */
static void check_signals(cJSON *table, const struct facts *facts)
{
    long double longs = (long double)facts->confidence_long.count;
    long double shorts = (long double)facts->confidence_short.count;
    long double closes = (long double)take(table, "num_close_signals");
    long double holds = (long double)take(table, "num_hold_signals");
    long double total = longs + shorts + closes + holds;
    long double close_mean = (long double)take(table, "avg_confidence_close");
    long double hold_mean = (long double)take(table, "avg_confidence_hold");
    assert_true(closes <= (long double)facts->all.net.count);
    assert_true(take(table, "std_confidence_close") <= 0.25 && take(table, "std_confidence_hold") <= 0.25);
    expect(table, "num_long_signals", longs);
    expect(table, "num_short_signals", shorts);
    expect(table, "total_signals", total);
    expect(table, "long_signal_pct", ratio(longs, total) * 100);
    expect(table, "short_signal_pct", ratio(shorts, total) * 100);
    expect(table, "close_signal_pct", ratio(closes, total) * 100);
    expect(table, "hold_signal_pct", ratio(holds, total) * 100);
    expect(table, "long_short_ratio", ratio(longs, shorts));
    expect_pair(table, "confidence_long", &facts->confidence_long);
    expect_pair(table, "confidence_short", &facts->confidence_short);
    expect(table, "avg_confidence",
           ratio(sum(&facts->confidence_long) + sum(&facts->confidence_short) + closes * close_mean + holds * hold_mean,
                 total));
    double middle = take(table, "median_confidence");
    assert_true(total == 0 ? middle == 0 : middle >= 0.5 && middle <= 0.92);
    assert_true(take(table, "std_confidence") <= 0.25);
    expect_pair(table, "leverage", &facts->leverage);
    expect(table, "median_leverage", median(facts->leverage));
    expect_pair(table, "leverage_long", &facts->leverage_long);
    expect_pair(table, "leverage_short", &facts->leverage_short);
}

static void check_minutes(cJSON *table, const struct facts *facts, const struct demo_trader *trader, int64_t now_us)
{
    long double all = 6 * (long double)(now_us - trader->inception_us) / 6e7L;
    long double flat = all - facts->minutes_long - facts->minutes_short;
    expect(table, "mins_long_combined", facts->minutes_long);
    expect(table, "mins_short_combined", facts->minutes_short);
    expect(table, "mins_flat_combined", flat);
    expect(table, "pct_mins_long_combined", facts->minutes_long / all * 100);
    expect(table, "pct_mins_short_combined", facts->minutes_short / all * 100);
    expect(table, "pct_mins_flat_combined", flat / all * 100);
}

static void check_invocations(cJSON *table, const struct demo_trader *trader)
{
    double least = take(table, "min_invocation_break_mins");
    double average = take(table, "avg_invocation_break_mins");
    double most = take(table, "max_invocation_break_mins");
    assert_true(least > 1.9 && least <= average && average <= most && average < 3.2);
    assert_true(take(table, "std_invocation_break_mins") < 1);
    expect(table, "num_invocations", (long double)trader->invocations);
}

static void check_model(struct demo_sim *sim, struct demo_model_state *model)
{
    static const char *const tables[] = {"fee_pnl_moves_breakdown_table", "winners_losers_breakdown_table",
                                         "longs_shorts_breakdown_table",  "signals_breakdown_table",
                                         "invocation_breakdown_table",    "overall_trades_overview_table"};
    enum { TABLES = sizeof tables / sizeof tables[0] };
    struct demo_trader *trader = &model->trader;
    struct buf json = BUF_INIT;
    struct json_writer w = json_writer_on(&json);
    struct err err = ERR_INIT;
    struct facts facts;
    cJSON *table[TABLES];
    int metrics = 0;
    int64_t now_us = sim->slot_us + model->final_offset;

    assert_true(trader->closed_trades <= DEMO_KEPT_TRADES);
    demo_put_analytics(&w, model, now_us);
    cJSON *document = json_parse(buf_slice(&json), &err);
    assert_non_null(document);
    for (size_t i = 0; i < TABLES; i++) {
        table[i] = cJSON_GetObjectItemCaseSensitive(document, tables[i]);
        assert_non_null(table[i]);
        metrics += cJSON_GetArraySize(table[i]);
    }
    assert_int_equal(metrics, 92);
    gather(&facts, trader, now_us);
    check_fees(table[0], &facts);
    check_sides(table[1], table[2], &facts);
    check_signals(table[3], &facts);
    check_minutes(table[3], &facts, trader, now_us);
    check_invocations(table[4], trader);
    check_overview(table[5], &facts);
    for (size_t i = 0; i < TABLES; i++)
        if (table[i]->child)
            fail_msg("%s was not checked", table[i]->child->string);
    cJSON_Delete(document);
    buf_free(&json);
}

static bool ignore_row(void *arg, struct slice json)
{
    (void)arg;
    return json.n > 0;
}

static void test_every_metric(void **state)
{
    (void)state;
    static const struct demo_options sets[] = {{6, 240, 200, 1}, {12, 100, 400, 8}, {3, 20, 0, 2}, {4, 400, 6, 3}};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        struct demo_sim *sim = demo_sim_new(&sets[i]);
        assert_true(demo_sim_run(sim, ignore_row, NULL));
        for (int64_t model = 0; model < sets[i].models; model++)
            check_model(sim, &sim->models[model]);
        demo_sim_free(sim);
    }
}

static bool refuse_row(void *arg, struct slice json)
{
    int *count = arg;
    ++*count;
    return json.n == 0;
}

static void test_a_refused_row_stops_the_run(void **state)
{
    (void)state;
    int count = 0;
    struct demo_sim *sim = demo_sim_new(&(struct demo_options){6, 100, 100, 1});
    assert_false(demo_sim_run(sim, refuse_row, &count));
    assert_int_equal(count, 1);
    demo_sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_metric),
        cmocka_unit_test(test_a_refused_row_stops_the_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
