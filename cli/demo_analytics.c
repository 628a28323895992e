/* The analytics document of a model: six tables, 92 metrics. Counts are integers, the rest are floats; a deviation is
 * that of a sample; percentages run from 0 to 100; money is dollars, times are minutes. A trade wins when its net PnL
 * is over 0 and loses otherwise. leverage is that of closed trades, convo_leverage that of all entries asked for. The
 * minutes long, short and flat add up those of every coin. */
#include "cli/demo_put.h"
#include "cli/demo_talk.h"

#include <stdio.h>

#define DOLLARS DEMO_PRICE_ONE
#define MS_PER_MINUTE INT64_C(60000)
#define US_PER_MINUTE INT64_C(60000000)
#define PERCENT_PPM INT64_C(1000000)
#define HUNDREDTHS INT64_C(100)

static void put_mean(struct json_writer *w, const char *what, const struct demo_moments *moments, int64_t scale)
{
    char key[64];
    (void)snprintf(key, sizeof key, "avg_%s", what);
    demo_put_number(w, key, demo_moments_mean(moments, scale));
}

static void put_mean_and_deviation(struct json_writer *w, const char *what, const struct demo_moments *moments,
                                   int64_t scale)
{
    char key[64];
    put_mean(w, what, moments, scale);
    (void)snprintf(key, sizeof key, "std_%s", what);
    demo_put_number(w, key, demo_moments_deviation(moments, scale));
}

static void put_group(struct json_writer *w, const char *who, const struct demo_group *group)
{
    char what[48];
    (void)snprintf(what, sizeof what, "%s_net_pnl", who);
    put_mean_and_deviation(w, what, &group->net, DOLLARS);
    (void)snprintf(what, sizeof what, "%s_notional", who);
    put_mean_and_deviation(w, what, &group->notional, DOLLARS);
    (void)snprintf(what, sizeof what, "%s_holding_period", who);
    put_mean_and_deviation(w, what, &group->holding_ms, MS_PER_MINUTE);
}

static void open_table(struct json_writer *w, const char *name)
{
    json_key(w, slice_of(name));
    json_begin_object(w);
}

/* part / whole * factor; 0 when there is no whole. */
static double share(double part, double whole, double factor)
{
    return whole > 0 ? part / whole * factor : 0;
}

static void put_fees(struct json_writer *w, const struct demo_tally *tally)
{
    double net = demo_moments_sum(&tally->all.net, DOLLARS);
    double fees = demo_moments_sum(&tally->commission, DOLLARS);
    double gain = demo_moments_most(&tally->all.net, DOLLARS);
    double loss = demo_moments_least(&tally->all.net, DOLLARS);
    open_table(w, "fee_pnl_moves_breakdown_table");
    put_mean_and_deviation(w, "net_pnl", &tally->all.net, DOLLARS);
    put_mean_and_deviation(w, "gross_pnl", &tally->gross, DOLLARS);
    put_mean_and_deviation(w, "taker_fee", &tally->commission, DOLLARS);
    demo_put_number(w, "overall_pnl_with_fees", net);
    demo_put_number(w, "overall_pnl_without_fees", demo_moments_sum(&tally->gross, DOLLARS));
    demo_put_number(w, "total_fees_paid", fees);
    demo_put_number(w, "total_fees_as_pct_of_pnl", share(fees, net, 100));
    demo_put_number(w, "biggest_net_gain", gain > 0 ? gain : 0);
    demo_put_number(w, "biggest_net_loss", loss < 0 ? loss : 0);
    json_end_object(w);
}

static void put_winners(struct json_writer *w, const struct demo_tally *tally)
{
    open_table(w, "winners_losers_breakdown_table");
    demo_put_number(w, "win_rate", share((double)tally->winners.net.count, (double)tally->all.net.count, 100));
    put_group(w, "winners", &tally->winners);
    put_group(w, "losers", &tally->losers);
    json_end_object(w);
}

static void put_sides(struct json_writer *w, const struct demo_tally *tally)
{
    open_table(w, "longs_shorts_breakdown_table");
    put_group(w, "longs", &tally->longs);
    put_group(w, "shorts", &tally->shorts);
    demo_put_int(w, "num_long_trades", tally->longs.net.count);
    demo_put_int(w, "num_short_trades", tally->shorts.net.count);
    demo_put_number(w, "long_short_trades_ratio",
                    share((double)tally->longs.net.count, (double)tally->all.net.count, 1));
    json_end_object(w);
}

static void put_minutes(struct json_writer *w, const struct demo_trader *trader, int64_t now_us)
{
    int64_t long_us = trader->tally.long_us;
    int64_t short_us = trader->tally.short_us;
    for (size_t i = 0; i < DEMO_SYMBOLS; i++) {
        const struct demo_position *position = &trader->positions[i];
        if (position->open)
            *(position->quantity > 0 ? &long_us : &short_us) += now_us - position->entry_us;
    }
    int64_t all_us = DEMO_SYMBOLS * (now_us - trader->inception_us);
    int64_t flat_us = all_us - long_us - short_us;
    demo_put_number(w, "mins_long_combined", (double)long_us / (double)US_PER_MINUTE);
    demo_put_number(w, "mins_short_combined", (double)short_us / (double)US_PER_MINUTE);
    demo_put_number(w, "mins_flat_combined", (double)flat_us / (double)US_PER_MINUTE);
    demo_put_number(w, "pct_mins_long_combined", share((double)long_us, (double)all_us, 100));
    demo_put_number(w, "pct_mins_short_combined", share((double)short_us, (double)all_us, 100));
    demo_put_number(w, "pct_mins_flat_combined", share((double)flat_us, (double)all_us, 100));
}

static void put_signals(struct json_writer *w, const struct demo_trader *trader, int64_t now_us)
{
    static const char *const names[DEMO_SIGNAL_KINDS] = {"long", "short", "close", "hold"};
    const struct demo_tally *tally = &trader->tally;
    const struct demo_moments *of = tally->confidence_of;
    double total = (double)tally->confidence.count;
    open_table(w, "signals_breakdown_table");
    demo_put_int(w, "total_signals", tally->confidence.count);
    for (size_t i = 0; i < DEMO_SIGNAL_KINDS; i++) {
        char key[48];
        (void)snprintf(key, sizeof key, "num_%s_signals", names[i]);
        demo_put_int(w, key, of[i].count);
        (void)snprintf(key, sizeof key, "%s_signal_pct", names[i]);
        demo_put_number(w, key, share((double)of[i].count, total, 100));
        (void)snprintf(key, sizeof key, "confidence_%s", names[i]);
        put_mean_and_deviation(w, key, &of[i], HUNDREDTHS);
    }
    demo_put_number(w, "long_short_ratio", share((double)of[DEMO_LONG].count, (double)of[DEMO_SHORT].count, 1));
    put_mean_and_deviation(w, "confidence", &tally->confidence, HUNDREDTHS);
    demo_put_number(w, "median_confidence", demo_counts_median(&tally->confidences, HUNDREDTHS));
    put_mean_and_deviation(w, "leverage", &tally->leverage, 1);
    demo_put_number(w, "median_leverage", demo_counts_median(&tally->leverages, 1));
    put_mean_and_deviation(w, "leverage_long", &tally->leverage_long, 1);
    put_mean_and_deviation(w, "leverage_short", &tally->leverage_short, 1);
    put_minutes(w, trader, now_us);
    json_end_object(w);
}

static void put_invocations(struct json_writer *w, const struct demo_trader *trader)
{
    const struct demo_moments *breaks = &trader->tally.breaks_us;
    open_table(w, "invocation_breakdown_table");
    demo_put_int(w, "num_invocations", trader->invocations);
    put_mean_and_deviation(w, "invocation_break_mins", breaks, US_PER_MINUTE);
    demo_put_number(w, "min_invocation_break_mins", demo_moments_least(breaks, US_PER_MINUTE));
    demo_put_number(w, "max_invocation_break_mins", demo_moments_most(breaks, US_PER_MINUTE));
    json_end_object(w);
}

static void put_overview(struct json_writer *w, struct demo_tally *tally)
{
    open_table(w, "overall_trades_overview_table");
    demo_put_int(w, "total_trades", tally->all.net.count);
    put_mean_and_deviation(w, "size_of_trade_notional", &tally->all.notional, DOLLARS);
    demo_put_number(w, "median_size_of_trade_notional", demo_samples_median(&tally->notionals, DOLLARS));
    put_mean_and_deviation(w, "size_of_trade_portfolio_pct", &tally->portfolio_ppm, PERCENT_PPM);
    put_mean_and_deviation(w, "holding_period_mins", &tally->all.holding_ms, MS_PER_MINUTE);
    demo_put_number(w, "median_holding_period_mins", demo_samples_median(&tally->holdings_ms, MS_PER_MINUTE));
    put_mean(w, "convo_leverage", &tally->asked_leverage, 1);
    demo_put_number(w, "median_convo_leverage", demo_counts_median(&tally->asked_leverages, 1));
    put_mean(w, "take_profit_distance_pct", &tally->target_ppm, PERCENT_PPM);
    put_mean(w, "stop_loss_distance_pct", &tally->stop_ppm, PERCENT_PPM);
    json_end_object(w);
}

void demo_put_analytics(struct json_writer *w, struct demo_model_state *model, int64_t now_us)
{
    struct demo_trader *trader = &model->trader;
    struct buf text = BUF_INIT;
    const struct demo_trade *last = trader->closed_trades ? demo_trader_kept_at(trader, 0) : NULL;
    json_begin_object(w);
    demo_put_text(w, "id", trader->id);
    demo_put_text(w, "model_id", trader->id);
    demo_put_seconds(w, "updated_at", now_us);
    put_fees(w, &trader->tally);
    put_winners(w, &trader->tally);
    put_signals(w, trader, now_us);
    if (last)
        demo_put_millis(w, "last_trade_exit_time", last->exit_us);
    else
        demo_put_int(w, "last_trade_exit_time", 0);
    put_invocations(w, trader);
    put_sides(w, &trader->tally);
    demo_cycle_id(&text, trader);
    demo_put_text(w, "last_convo_doc_id", buf_cstr(&text));
    demo_put_seconds(w, "last_convo_timestamp", trader->invoked_us);
    put_overview(w, &trader->tally);
    buf_clear(&text);
    if (last)
        buf_printf(&text, "%s_%s", trader->id, last->uuid);
    demo_put_text(w, "last_trade_doc_id", buf_cstr(&text));
    json_end_object(w);
    buf_free(&text);
}
