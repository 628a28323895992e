#include "cli/demo_put.h"

#include <math.h>
#include <stdio.h>

#define RATIO_ONE INT64_C(1000000000)

static void key_of(struct json_writer *w, const char *key)
{
    json_key(w, slice_of(key));
}

void demo_put_text(struct json_writer *w, const char *key, const char *text)
{
    key_of(w, key);
    json_string(w, slice_of(text));
}

void demo_put_int(struct json_writer *w, const char *key, int64_t value)
{
    key_of(w, key);
    json_i64(w, value);
}

void demo_put_number(struct json_writer *w, const char *key, double value)
{
    key_of(w, key);
    json_double(w, value);
}

void demo_put_flag(struct json_writer *w, const char *key, bool value)
{
    key_of(w, key);
    json_bool(w, value);
}

void demo_put_null(struct json_writer *w, const char *key)
{
    key_of(w, key);
    json_null(w);
}

/* One division of two exact numbers is the double nearest to the decimal, so the shortest text shows that decimal. */
void demo_put_money(struct json_writer *w, const char *key, int64_t micros)
{
    demo_put_number(w, key, (double)micros / 1e6);
}

void demo_put_coins(struct json_writer *w, const char *key, int64_t size)
{
    demo_put_number(w, key, (double)size / 1e8);
}

void demo_put_hundredths(struct json_writer *w, const char *key, int64_t value)
{
    demo_put_number(w, key, (double)value / 1e2);
}

void demo_put_seconds(struct json_writer *w, const char *key, int64_t micros)
{
    demo_put_number(w, key, (double)micros / 1e6);
}

void demo_put_millis(struct json_writer *w, const char *key, int64_t micros)
{
    demo_put_number(w, key, (double)demo_trade_ms(micros) / 1e3);
}

void demo_put_exit_plan(struct json_writer *w, const struct demo_position *position)
{
    key_of(w, "exit_plan");
    json_begin_object(w);
    if (position->planned) {
        demo_put_money(w, "profit_target", position->target);
        demo_put_money(w, "stop_loss", position->stop);
        demo_put_text(w, "invalidation_condition", position->condition);
    }
    json_end_object(w);
}

static void put_position(struct json_writer *w, const struct demo_position *position, size_t symbol, int64_t price,
                         bool benchmark)
{
    key_of(w, demo_symbols[symbol].name);
    json_begin_object(w);
    demo_put_int(w, "entry_oid", position->entry_oid);
    demo_put_money(w, "risk_usd", position->risk);
    demo_put_hundredths(w, "confidence", position->confidence);
    if (benchmark) {
        demo_put_int(w, "index_col", -1);
        demo_put_text(w, "exit_plan", "N/A");
    } else {
        demo_put_null(w, "index_col");
        demo_put_exit_plan(w, position);
    }
    demo_put_seconds(w, "entry_time", position->entry_us);
    demo_put_text(w, "symbol", demo_symbols[symbol].name);
    demo_put_money(w, "entry_price", position->entry_price);
    demo_put_int(w, "tp_oid", position->target_oid);
    demo_put_money(w, "margin", position->margin);
    demo_put_flag(w, "wait_for_fill", false);
    demo_put_int(w, "sl_oid", position->stop_oid);
    demo_put_int(w, "oid", position->entry_oid);
    demo_put_money(w, "current_price", price);
    demo_put_money(w, "closed_pnl", -position->commission);
    demo_put_money(w, "liquidation_price", position->liquidation);
    demo_put_money(w, "commission", position->commission);
    demo_put_int(w, "leverage", position->leverage);
    demo_put_int(w, "slippage", 0);
    demo_put_coins(w, "quantity", position->quantity);
    demo_put_money(w, "unrealized_pnl", demo_unrealized(position, price));
    json_end_object(w);
}

void demo_put_positions(struct json_writer *w, const struct demo_trader *trader, const struct demo_market *market,
                        int64_t offset_us)
{
    key_of(w, "positions");
    json_begin_object(w);
    for (size_t i = 0; i < DEMO_SYMBOLS; i++)
        if (trader->positions[i].open)
            put_position(w, &trader->positions[i], i, demo_market_price(market, i, offset_us), false);
    json_end_object(w);
}

/* The return on the seed money, rounded to five places as a ratio and only then made a percentage, which leaves the
 * residue that the arena's numbers have (-10.363999999999999). */
static double percent(int64_t profit)
{
    int64_t hundred_thousandths = demo_mul_div(profit, 100000, DEMO_SEED_MONEY);
    return (double)hundred_thousandths / 1e5 * 100.0;
}

static void put_row_head(struct json_writer *w, const char *model_id, int64_t at_us, int64_t inception_us)
{
    int64_t age_us = at_us - inception_us;
    char id[DEMO_ID_SIZE + 24];
    (void)snprintf(id, sizeof id, "%s_%lld", model_id, (long long)(age_us / INT64_C(3600000000)));
    demo_put_text(w, "id", id);
    demo_put_text(w, "model_id", model_id);
    demo_put_seconds(w, "timestamp", at_us);
    demo_put_int(w, "since_inception_hourly_marker", age_us / INT64_C(3600000000));
    demo_put_int(w, "since_inception_minute_marker", age_us / INT64_C(60000000));
}

static void put_row_money(struct json_writer *w, int64_t realized, int64_t unrealized)
{
    demo_put_money(w, "dollar_equity", DEMO_SEED_MONEY + realized + unrealized);
    demo_put_money(w, "realized_pnl", realized);
    demo_put_money(w, "total_unrealized_pnl", unrealized);
    demo_put_number(w, "cum_pnl_pct", percent(realized + unrealized));
}

/* Takes the hour's return into the window and gives mean / deviation * sqrt(24), in thousandths. */
static double next_sharpe(struct demo_returns *returns, int64_t equity)
{
    if (returns->last_equity > 0) {
        int64_t ppb = demo_mul_div(equity - returns->last_equity, RATIO_ONE, returns->last_equity);
        int64_t *slot = &returns->ppb[returns->count % DEMO_RETURNS];
        if (returns->count >= DEMO_RETURNS)
            demo_moments_remove(&returns->moments, *slot);
        *slot = ppb;
        demo_moments_add(&returns->moments, ppb);
        returns->count++;
    }
    returns->last_equity = equity;
    double deviation = demo_moments_deviation(&returns->moments, RATIO_ONE);
    if (deviation <= 0)
        return 0;
    double ratio = demo_moments_mean(&returns->moments, RATIO_ONE) / deviation * 4.898979485566356; /* sqrt(24) */
    return (double)llround(ratio * 1000) / 1000;
}

void demo_put_account_row(struct buf *out, struct demo_sim *sim, struct demo_model_state *model, int64_t offset_us)
{
    struct demo_trader *trader = &model->trader;
    struct json_writer w = json_writer_on(out);
    int64_t unrealized = demo_trader_unrealized(trader, sim->market, offset_us);
    model->final_equity = DEMO_SEED_MONEY + trader->realized + unrealized;
    model->final_sharpe = next_sharpe(&model->returns, model->final_equity);
    model->final_offset = offset_us;
    json_begin_object(&w);
    put_row_head(&w, trader->id, sim->slot_us + offset_us, trader->inception_us);
    put_row_money(&w, trader->realized, unrealized);
    demo_put_number(&w, "sharpe_ratio", model->final_sharpe);
    demo_put_positions(&w, trader, sim->market, offset_us);
    json_end_object(&w);
}

void demo_put_benchmark_row(struct buf *out, struct demo_sim *sim, int64_t offset_us)
{
    struct json_writer w = json_writer_on(out);
    int64_t price = demo_market_price(sim->market, 0, offset_us);
    json_begin_object(&w);
    put_row_head(&w, DEMO_BENCHMARK, sim->slot_us + offset_us, sim->hold_inception_us);
    put_row_money(&w, 0, demo_unrealized(&sim->hold, price));
    key_of(&w, "positions");
    json_begin_object(&w);
    put_position(&w, &sim->hold, 0, price, true);
    json_end_object(&w);
    json_end_object(&w);
}
