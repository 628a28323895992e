/* The demo's market: six coins that walk at random, pulled along by one common factor and by regimes, in steps of three
 * minutes ("slots"), with the indicators that a trader looks at. Integers only. Prices are in millionths of a dollar.
 */
#ifndef NOF0_CLI_DEMO_MARKET_H
#define NOF0_CLI_DEMO_MARKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DEMO_SYMBOLS = 6, DEMO_SERIES = 10 };

#define DEMO_SLOT_US INT64_C(180000000)
#define DEMO_SLOTS_PER_HOUR INT64_C(20)
#define DEMO_PRICE_ONE INT64_C(1000000)  /* a dollar in prices and money */
#define DEMO_SIZE_ONE INT64_C(100000000) /* a coin in quantities */

struct demo_symbol {
    const char *name;
    int64_t start_price;
    int64_t tick;      /* of fills; the mid price moves in halves of it */
    int64_t size_step; /* in 1/DEMO_SIZE_ONE coins */
    int64_t max_leverage;
    int64_t sigma_ppb;  /* standard deviation of a slot's own return, in billionths */
    int64_t beta_milli; /* how much of the common factor it takes, in thousandths */
};
extern const struct demo_symbol demo_symbols[DEMO_SYMBOLS];

/* Indicators over bars of one length. Series run from the oldest to the newest. */
struct demo_frame {
    int64_t close[DEMO_SERIES];
    int64_t ema20[DEMO_SERIES];
    int64_t macd[DEMO_SERIES];       /* EMA 12 less EMA 26 */
    int64_t rsi7_milli[DEMO_SERIES]; /* 0 to 100000 */
    int64_t rsi14_milli[DEMO_SERIES];
    int64_t ema50;
    int64_t atr3;
    int64_t atr14;
    /* Inside the market only: sums in billionths of a dollar. */
    int64_t fine_ema12, fine_ema20, fine_ema26, fine_ema50;
    int64_t gain7, loss7, gain14, loss14;
    int64_t fine_close;
};

struct demo_market;

/* A market in which indicators have settled already, standing in its first slot. Free with demo_market_free. */
struct demo_market *demo_market_new(uint64_t seed);
void demo_market_free(struct demo_market *market);

/* Goes to the next slot. */
void demo_market_step(struct demo_market *market);

/* The mid price `offset_us` into the slot, 0 to DEMO_SLOT_US. */
int64_t demo_market_price(const struct demo_market *market, size_t symbol, int64_t offset_us);

/* When in this slot the price is first at `level` or beyond it (above when `rising`, else below); -1 when it is not. */
int64_t demo_market_reach(const struct demo_market *market, size_t symbol, int64_t level, bool rising);

/* Indicators as of the slot's start: over slots, and over bars of four hours. */
const struct demo_frame *demo_market_fast(const struct demo_market *market, size_t symbol);
const struct demo_frame *demo_market_slow(const struct demo_market *market, size_t symbol);

/* Open interest and the last slot's volume, or their means, in millionths of a coin; the funding rate of an interval in
 * ten-billionths. */
int64_t demo_market_open_interest(const struct demo_market *market, size_t symbol, bool average);
int64_t demo_market_funding(const struct demo_market *market, size_t symbol);
int64_t demo_market_volume(const struct demo_market *market, size_t symbol, bool average);

/* a * b / c rounded to the nearest, halves away from zero; c > 0. */
int64_t demo_mul_div(int64_t a, int64_t b, int64_t c);

#endif
