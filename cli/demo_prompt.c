/* The text that a model gets with every call: market, indicators, account. */
#include "cli/demo_talk.h"
#include "cli/demo_text.h"

#include <inttypes.h>
#include <math.h>

static void put_series(struct buf *out, const char *name, const int64_t series[DEMO_SERIES], int scale, int digits)
{
    buf_printf(out, "%s: [", name);
    for (size_t i = 0; i < DEMO_SERIES; i++) {
        buf_append_str(out, i ? ", " : "");
        demo_put_decimal(out, series[i], scale, digits);
    }
    buf_append_str(out, "]\n\n");
}

/* Enough places for a coin of cents, few for one of thousands. */
static int places(size_t symbol)
{
    return demo_symbols[symbol].start_price > 10 * DEMO_PRICE_ONE ? 3 : 5;
}

static void put_fast(struct buf *out, const struct demo_frame *fast, size_t symbol)
{
    int digits = places(symbol);
    put_series(out, "Mid prices", fast->close, 6, demo_price_places(symbol));
    put_series(out, "EMA (20)", fast->ema20, 6, digits);
    put_series(out, "MACD", fast->macd, 6, digits);
    put_series(out, "RSI (7)", fast->rsi7_milli, 3, 3);
    put_series(out, "RSI (14)", fast->rsi14_milli, 3, 3);
}

static void put_slow(struct buf *out, const struct demo_market *market, size_t symbol)
{
    const struct demo_frame *slow = demo_market_slow(market, symbol);
    int digits = places(symbol);
    buf_append_str(out, "**The larger picture (bars of 4 hours):**\n\nEMA (20): ");
    demo_put_decimal(out, slow->ema20[DEMO_SERIES - 1], 6, digits);
    buf_append_str(out, " against EMA (50): ");
    demo_put_decimal(out, slow->ema50, 6, digits);
    buf_append_str(out, "\n\nATR (3): ");
    demo_put_decimal(out, slow->atr3, 6, digits);
    buf_append_str(out, " against ATR (14): ");
    demo_put_decimal(out, slow->atr14, 6, digits);
    buf_append_str(out, "\n\nVolume: ");
    demo_put_decimal(out, demo_market_volume(market, symbol, false), 6, 3);
    buf_append_str(out, " against a mean of ");
    demo_put_decimal(out, demo_market_volume(market, symbol, true), 6, 3);
    buf_append_str(out, "\n\n");
    put_series(out, "MACD", slow->macd, 6, digits);
    put_series(out, "RSI (14)", slow->rsi14_milli, 3, 3);
}

static void put_coin(struct buf *out, const struct demo_market *market, size_t symbol, int64_t offset_us)
{
    const struct demo_frame *fast = demo_market_fast(market, symbol);
    buf_printf(out, "### %s\n\nprice = ", demo_symbols[symbol].name);
    demo_put_price(out, symbol, demo_market_price(market, symbol, offset_us));
    buf_append_str(out, ", ema20 = ");
    demo_put_decimal(out, fast->ema20[DEMO_SERIES - 1], 6, places(symbol));
    buf_append_str(out, ", macd = ");
    demo_put_decimal(out, fast->macd[DEMO_SERIES - 1], 6, places(symbol));
    buf_append_str(out, ", rsi7 = ");
    demo_put_decimal(out, fast->rsi7_milli[DEMO_SERIES - 1], 3, 3);
    buf_append_str(out, "\n\nOpen interest of the perpetual: ");
    demo_put_decimal(out, demo_market_open_interest(market, symbol, false), 6, 2);
    buf_append_str(out, " (mean ");
    demo_put_decimal(out, demo_market_open_interest(market, symbol, true), 6, 2);
    buf_append_str(out, "); funding rate: ");
    demo_put_decimal(out, demo_market_funding(market, symbol), 8, 6);
    buf_append_str(out, "%\n\n**The last half hour (every 3 minutes, oldest → newest):**\n\n");
    put_fast(out, fast, symbol);
    put_slow(out, market, symbol);
    buf_append_str(out, "---\n\n");
}

static void put_holding(struct buf *out, const struct demo_position *position, size_t symbol, int64_t price)
{
    buf_printf(out, "- %s %s ", demo_symbols[symbol].name, position->quantity > 0 ? "long" : "short");
    demo_put_decimal(out, position->quantity < 0 ? -position->quantity : position->quantity, 8, 8);
    buf_append_str(out, " @ ");
    demo_put_price(out, symbol, position->entry_price);
    buf_append_str(out, ", now ");
    demo_put_price(out, symbol, price);
    buf_append_str(out, ", PnL ");
    demo_put_decimal(out, demo_unrealized(position, price), 6, 2);
    buf_printf(out, " USD, %" PRId64 "x, liquidation ≈ ", position->leverage);
    demo_put_price(out, symbol, position->liquidation);
    if (position->planned) {
        buf_append_str(out, "; target ");
        demo_put_price(out, symbol, position->target);
        buf_append_str(out, ", stop ");
        demo_put_price(out, symbol, position->stop);
        buf_printf(out, ", void when: “%s”", position->condition);
    } else {
        buf_append_str(out, "; no exit plan on file");
    }
    buf_append_char(out, '\n');
}

static void put_account(struct buf *out, const struct demo_sim *sim, const struct demo_model_state *model,
                        int64_t offset_us)
{
    const struct demo_trader *trader = &model->trader;
    int64_t equity = demo_trader_equity(trader, sim->market, offset_us);
    size_t open = 0;
    buf_append_str(out, "### YOUR ACCOUNT\n\nTotal return: ");
    demo_put_decimal(out, equity - DEMO_SEED_MONEY, 8, 2);
    buf_append_str(out, "%\n\nAccount value: ");
    demo_put_decimal(out, equity, 6, 2);
    buf_append_str(out, " USD\n\nFree cash: ");
    demo_put_decimal(out, demo_trader_free_cash(trader, equity), 6, 2);
    buf_append_str(out, " USD\n\nSharpe ratio: ");
    demo_put_decimal(out, llround(model->final_sharpe * 1000), 3, 3);
    buf_append_str(out, "\n\nOpen positions:\n");
    for (size_t i = 0; i < DEMO_SYMBOLS; i++) {
        if (!trader->positions[i].open)
            continue;
        put_holding(out, &trader->positions[i], i, demo_market_price(sim->market, i, offset_us));
        open++;
    }
    if (open == 0)
        buf_append_str(out, "none — all cash\n");
}

void demo_put_prompt(struct buf *out, const struct demo_sim *sim, const struct demo_model_state *model,
                     int64_t offset_us)
{
    const struct demo_trader *trader = &model->trader;
    char now[DEMO_HUMAN_TIME_SIZE];
    int64_t at_us = sim->slot_us + offset_us;
    buf_printf(
        out,
        "You have been trading for %" PRId64 " minutes. It is %s UTC, and this is call number %" PRId64
        ". What follows is the state of the market, then that of your account.\n\n"
        "**Series run from the oldest to the newest value.** Unless a heading says otherwise, they are sampled at "
        "3‑minute intervals.\n\n---\n\n",
        (at_us - trader->inception_us) / 60000000, demo_human_time(now, at_us), trader->invocations);
    for (size_t i = 0; i < DEMO_SYMBOLS; i++)
        put_coin(out, sim->market, i, offset_us);
    put_account(out, sim, model, offset_us);
    buf_append_str(out, "\nDecide for every coin that you hold whether to keep or to close it, and whether to open "
                        "something new. Answer with JSON only.\n");
}
