#include "cli/demo_market.h"

#include "base/mem.h"
#include "cli/demo_random.h"

#include <stdlib.h>
#include <string.h>

/* Inside, prices are in billionths of a dollar, so that a walk of many small steps does not stick to its ticks. */
#define FINE INT64_C(1000)
#define PPB INT64_C(1000000000)

/* What is traded in an average slot, and the unit of volumes: millionths of a coin. */
#define VOLUME_DOLLARS (9000000 * DEMO_PRICE_ONE)
#define SIZE_UNIT INT64_C(1000000)

enum { SLOW_SLOTS = 80, WARM_UP_SLOTS = 60 * SLOW_SLOTS, REGIMES = 4 };

const struct demo_symbol demo_symbols[DEMO_SYMBOLS] = {
    {"BTC", 107180000000, 1000000, 1000000, 40, 620000, 900}, {"ETH", 3861000000, 100000, 1000000, 25, 900000, 1250},
    {"SOL", 184500000, 10000, 1000000, 20, 1150000, 1400},    {"BNB", 1078500000, 100000, 1000000, 10, 1000000, 950},
    {"DOGE", 187400, 10, 100000000, 10, 1300000, 1450},       {"XRP", 2335000, 100, 100000000, 20, 1200000, 1200},
};

/* The mood of the whole market: a drift and a factor on the common shock. A mood lasts some hours. */
static const struct {
    int64_t drift_ppb;
    int64_t sigma_ppb;
} regimes[REGIMES] = {{3000, 500000}, {60000, 800000}, {-70000, 1000000}, {0, 1700000}};

struct coin {
    int64_t from; /* at the slot's start */
    int64_t to;   /* at its end */
    int64_t anchor;
    struct demo_frame fast;
    struct demo_frame slow;
    int64_t bar_high, bar_low;
    int64_t open_interest, open_interest_mean;
    int64_t funding;
    int64_t volume, volume_mean;
};

struct demo_market {
    struct demo_random random;
    size_t regime;
    int64_t slots;
    struct coin coins[DEMO_SYMBOLS];
};

int64_t demo_mul_div(int64_t a, int64_t b, int64_t c)
{
    __int128 product = (__int128)a * b;
    __int128 half = c / 2;
    return (int64_t)((product < 0 ? product - half : product + half) / c);
}

static void push(int64_t series[DEMO_SERIES], int64_t value)
{
    memmove(series, series + 1, (DEMO_SERIES - 1) * sizeof *series);
    series[DEMO_SERIES - 1] = value;
}

static void ema(int64_t *mean, int64_t value, int64_t periods)
{
    *mean += demo_mul_div(value - *mean, 2, periods + 1);
}

/* Wilder's smoothing, as in his RSI and ATR. */
static void smooth(int64_t *mean, int64_t value, int64_t periods)
{
    *mean += demo_mul_div(value - *mean, 1, periods);
}

static int64_t rsi(int64_t gain, int64_t loss)
{
    return gain + loss > 0 ? demo_mul_div(100000, gain, gain + loss) : 50000;
}

static void frame_add(struct demo_frame *f, int64_t close, int64_t high, int64_t low)
{
    int64_t change = close - f->fine_close;
    int64_t gain = change > 0 ? change : 0;
    int64_t loss = change < 0 ? -change : 0;
    int64_t top = high > f->fine_close ? high : f->fine_close;
    int64_t bottom = low < f->fine_close ? low : f->fine_close;
    ema(&f->fine_ema12, close, 12);
    ema(&f->fine_ema20, close, 20);
    ema(&f->fine_ema26, close, 26);
    ema(&f->fine_ema50, close, 50);
    smooth(&f->gain7, gain, 7);
    smooth(&f->loss7, loss, 7);
    smooth(&f->gain14, gain, 14);
    smooth(&f->loss14, loss, 14);
    smooth(&f->atr3, (top - bottom) / FINE, 3);
    smooth(&f->atr14, (top - bottom) / FINE, 14);
    f->fine_close = close;
    f->ema50 = f->fine_ema50 / FINE;
    push(f->close, close / FINE);
    push(f->ema20, f->fine_ema20 / FINE);
    push(f->macd, (f->fine_ema12 - f->fine_ema26) / FINE);
    push(f->rsi7_milli, rsi(f->gain7, f->loss7));
    push(f->rsi14_milli, rsi(f->gain14, f->loss14));
}

static void frame_start(struct demo_frame *f, int64_t close)
{
    f->fine_ema12 = f->fine_ema20 = f->fine_ema26 = f->fine_ema50 = f->fine_close = close;
}

static void move_coin(struct demo_market *market, struct coin *coin, const struct demo_symbol *symbol,
                      int64_t common_ppb)
{
    struct demo_random *random = &market->random;
    int64_t own = demo_mul_div(symbol->sigma_ppb, demo_random_normal(random), DEMO_SIGMA);
    int64_t jump = demo_random_chance(random, 400) ? 6 * own : 0;
    /* A weak pull back to where it started keeps a walk of years believable. */
    int64_t pull =
        demo_mul_div(coin->anchor - coin->from, PPB / 6000, coin->from > coin->anchor ? coin->from : coin->anchor);
    int64_t change = own + jump + pull + demo_mul_div(common_ppb, symbol->beta_milli, 1000);
    coin->to = coin->from + demo_mul_div(coin->from, change, PPB);

    int64_t stir = change < 0 ? -change : change;
    coin->volume = demo_mul_div(coin->volume_mean, 200000 + stir / 2 + demo_random_between(random, 0, 900000), 1000000);
    coin->open_interest +=
        demo_mul_div(coin->open_interest_mean - coin->open_interest, 1, 300) +
        demo_mul_div(coin->open_interest_mean, demo_random_normal(random), 700 * (int64_t)DEMO_SIGMA);
    coin->funding += (125000 - coin->funding) / 60 + demo_mul_div(9000, demo_random_normal(random), DEMO_SIGMA);
}

static void close_slot(struct coin *coin, int64_t slots)
{
    int64_t high = coin->to > coin->from ? coin->to : coin->from;
    int64_t low = coin->to < coin->from ? coin->to : coin->from;
    coin->bar_high = high > coin->bar_high ? high : coin->bar_high;
    coin->bar_low = low < coin->bar_low ? low : coin->bar_low;
    frame_add(&coin->fast, coin->to, high, low);
    if (slots % SLOW_SLOTS == 0) {
        frame_add(&coin->slow, coin->to, coin->bar_high, coin->bar_low);
        coin->bar_high = coin->bar_low = coin->to;
    }
    coin->from = coin->to;
}

static void move_all(struct demo_market *market)
{
    struct demo_random *random = &market->random;
    if (demo_random_chance(random, 9000))
        market->regime = (size_t)demo_random_between(random, 0, REGIMES - 1);
    int64_t common = regimes[market->regime].drift_ppb +
                     demo_mul_div(regimes[market->regime].sigma_ppb, demo_random_normal(random), DEMO_SIGMA);
    for (size_t i = 0; i < DEMO_SYMBOLS; i++)
        move_coin(market, &market->coins[i], &demo_symbols[i], common);
}

void demo_market_step(struct demo_market *market)
{
    market->slots++;
    for (size_t i = 0; i < DEMO_SYMBOLS; i++)
        close_slot(&market->coins[i], market->slots);
    move_all(market);
}

struct demo_market *demo_market_new(uint64_t seed)
{
    struct demo_market *market = mem_zalloc(sizeof *market);
    demo_random_seed(&market->random, seed, 0);
    for (size_t i = 0; i < DEMO_SYMBOLS; i++) {
        struct coin *coin = &market->coins[i];
        coin->from = coin->anchor = demo_symbols[i].start_price * FINE;
        coin->bar_high = coin->bar_low = coin->from;
        coin->volume_mean = demo_mul_div(VOLUME_DOLLARS, SIZE_UNIT, demo_symbols[i].start_price);
        coin->open_interest = coin->open_interest_mean = 300 * coin->volume_mean;
        coin->funding = 125000;
        frame_start(&coin->fast, coin->from);
        frame_start(&coin->slow, coin->from);
    }
    move_all(market);
    for (int i = 0; i < WARM_UP_SLOTS; i++)
        demo_market_step(market);
    return market;
}

void demo_market_free(struct demo_market *market)
{
    free(market);
}

int64_t demo_market_price(const struct demo_market *market, size_t symbol, int64_t offset_us)
{
    const struct coin *coin = &market->coins[symbol];
    int64_t fine = coin->from + demo_mul_div(coin->to - coin->from, offset_us, DEMO_SLOT_US);
    int64_t half_tick = demo_symbols[symbol].tick / 2;
    return demo_mul_div(fine, 1, half_tick * FINE) * half_tick;
}

int64_t demo_market_reach(const struct demo_market *market, size_t symbol, int64_t level, bool rising)
{
    const struct coin *coin = &market->coins[symbol];
    int64_t there = level * FINE;
    int64_t missing = rising ? there - coin->from : coin->from - there;
    int64_t way = rising ? coin->to - coin->from : coin->from - coin->to;
    if (missing <= 0)
        return 0;
    return way >= missing ? demo_mul_div(DEMO_SLOT_US - 1, missing, way) : -1;
}

const struct demo_frame *demo_market_fast(const struct demo_market *market, size_t symbol)
{
    return &market->coins[symbol].fast;
}

const struct demo_frame *demo_market_slow(const struct demo_market *market, size_t symbol)
{
    return &market->coins[symbol].slow;
}

int64_t demo_market_open_interest(const struct demo_market *market, size_t symbol, bool average)
{
    return average ? market->coins[symbol].open_interest_mean : market->coins[symbol].open_interest;
}

int64_t demo_market_funding(const struct demo_market *market, size_t symbol)
{
    return market->coins[symbol].funding;
}

int64_t demo_market_volume(const struct demo_market *market, size_t symbol, bool average)
{
    return average ? market->coins[symbol].volume_mean : market->coins[symbol].volume;
}
