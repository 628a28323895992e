#include "cli/demo_trader.h"

#include "base/mem.h"
#include "cli/demo_text.h"

#include <stdlib.h>
#include <string.h>

#define PPM INT64_C(1000000)
#define TAKER_PPM 400
#define MAKER_PPM 150

enum { PLANLESS_PPM = 20000, FAILED_PPM = 9000 };

/* Order numbers grow with time, as at an exchange that serves everybody. */
#define FIRST_OID INT64_C(204600000000)
#define OIDS_PER_SECOND 11436
#define FIRST_OID_S INT64_C(1760738400)
#define MOST_TID INT64_C(1125899906842623)

static int64_t absolute(int64_t value)
{
    return value < 0 ? -value : value;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t root(int64_t value)
{
    int64_t guess = value > 0 ? value : 0;
    for (int64_t next = (guess + 1) / 2; next < guess; next = (guess + value / guess) / 2)
        guess = next;
    return guess;
}

static int64_t to_tick(int64_t price, size_t symbol)
{
    return demo_mul_div(price, 1, demo_symbols[symbol].tick) * demo_symbols[symbol].tick;
}

static int64_t order_id(struct demo_random *random, int64_t at_us)
{
    int64_t since_us = at_us - FIRST_OID_S * 1000000;
    return FIRST_OID + demo_mul_div(since_us, OIDS_PER_SECOND, 1000000) + demo_random_between(random, 0, 9999);
}

void demo_trader_start(struct demo_trader *trader, size_t index, const char *id, const struct demo_style *style,
                       uint64_t seed)
{
    *trader = (struct demo_trader){.index = index, .style = *style};
    memcpy(trader->id, id, strlen(id) + 1);
    demo_random_seed(&trader->random, seed, 1000 + index);
    trader->kept = mem_calloc(DEMO_KEPT_TRADES, sizeof *trader->kept);
}

void demo_trader_plan(struct demo_trader *trader, int64_t inception_us, int64_t slots, int64_t target_trades)
{
    trader->inception_us = inception_us;
    trader->slots_left = slots;
    trader->target_trades = target_trades;
    if (target_trades == 0)
        return;
    /* A model that must trade often cannot hold for long. */
    trader->style.horizon = smaller(trader->style.horizon, 3 * slots / target_trades + 1);
    /* So many are likely to be open at the end, and do not count as closed then. Most do not last the whole horizon. */
    trader->appetite = smaller(demo_mul_div(2 * target_trades, trader->style.horizon, 3 * slots), 4);
}

void demo_trader_release(struct demo_trader *trader)
{
    free(trader->kept);
    demo_samples_free(&trader->tally.notionals);
    demo_samples_free(&trader->tally.holdings_ms);
}

int64_t demo_unrealized(const struct demo_position *position, int64_t price)
{
    return demo_mul_div(price - position->entry_price, position->quantity, DEMO_SIZE_ONE);
}

int64_t demo_trader_unrealized(const struct demo_trader *trader, const struct demo_market *market, int64_t offset_us)
{
    int64_t sum = 0;
    for (size_t i = 0; i < DEMO_SYMBOLS; i++)
        if (trader->positions[i].open)
            sum += demo_unrealized(&trader->positions[i], demo_market_price(market, i, offset_us));
    return sum;
}

int64_t demo_trader_equity(const struct demo_trader *trader, const struct demo_market *market, int64_t offset_us)
{
    return DEMO_SEED_MONEY + trader->realized + demo_trader_unrealized(trader, market, offset_us);
}

int64_t demo_trader_free_cash(const struct demo_trader *trader, int64_t equity)
{
    for (size_t i = 0; i < DEMO_SYMBOLS; i++)
        if (trader->positions[i].open)
            equity -= trader->positions[i].margin;
    return equity;
}

int64_t demo_trade_ms(int64_t at_us)
{
    int64_t ms = at_us / 1000;
    return ms % 1000 ? ms : ms + 1;
}

int64_t demo_trade_net(const struct demo_trade *trade)
{
    return trade->gross - trade->position.commission - trade->exit_commission;
}

static void group_add(struct demo_group *group, int64_t net, int64_t notional, int64_t holding_ms)
{
    demo_moments_add(&group->net, net);
    demo_moments_add(&group->notional, notional);
    demo_moments_add(&group->holding_ms, holding_ms);
}

static void count_trade(struct demo_trader *trader, const struct demo_trade *trade)
{
    struct demo_tally *tally = &trader->tally;
    const struct demo_position *position = &trade->position;
    bool is_long = position->quantity > 0;
    int64_t net = demo_trade_net(trade);
    int64_t holding_ms = demo_trade_ms(trade->exit_us) - demo_trade_ms(position->entry_us);
    demo_moments_add(&tally->gross, trade->gross);
    demo_moments_add(&tally->commission, position->commission + trade->exit_commission);
    group_add(&tally->all, net, position->notional, holding_ms);
    group_add(net > 0 ? &tally->winners : &tally->losers, net, position->notional, holding_ms);
    group_add(is_long ? &tally->longs : &tally->shorts, net, position->notional, holding_ms);
    demo_samples_add(&tally->notionals, position->notional);
    demo_samples_add(&tally->holdings_ms, holding_ms);
    demo_moments_add(&tally->portfolio_ppm, demo_mul_div(position->notional, 100 * PPM, position->equity));
    demo_moments_add(&tally->leverage, position->leverage);
    demo_moments_add(is_long ? &tally->leverage_long : &tally->leverage_short, position->leverage);
    tally->leverages.of[position->leverage]++;
    if (position->planned) {
        int64_t entry = position->entry_price;
        demo_moments_add(&tally->target_ppm, demo_mul_div(absolute(position->target - entry), 100 * PPM, entry));
        demo_moments_add(&tally->stop_ppm, demo_mul_div(absolute(position->stop - entry), 100 * PPM, entry));
    }
    *(is_long ? &tally->long_us : &tally->short_us) += trade->exit_us - position->entry_us;
}

size_t demo_trader_kept(const struct demo_trader *trader)
{
    return (size_t)smaller(trader->closed_trades, DEMO_KEPT_TRADES);
}

const struct demo_trade *demo_trader_kept_at(const struct demo_trader *trader, size_t place)
{
    return &trader->kept[(size_t)(trader->closed_trades - 1 - (int64_t)place) % DEMO_KEPT_TRADES];
}

static void close_position(struct demo_trader *trader, size_t symbol, int64_t at_us, int64_t price, bool crossed)
{
    struct demo_position *position = &trader->positions[symbol];
    struct demo_trade *trade = &trader->kept[trader->closed_trades % DEMO_KEPT_TRADES];
    int64_t notional = demo_mul_div(price, absolute(position->quantity), DEMO_SIZE_ONE);
    *trade = (struct demo_trade){.symbol = symbol,
                                 .position = *position,
                                 .exit_us = at_us,
                                 .exit_price = price,
                                 .exit_crossed = crossed,
                                 .gross = demo_unrealized(position, price),
                                 .exit_commission = demo_mul_div(notional, crossed ? TAKER_PPM : MAKER_PPM, PPM)};
    demo_random_uuid(&trader->random, trade->uuid);
    trade->exit_oid = order_id(&trader->random, at_us);
    trade->exit_tid = demo_random_between(&trader->random, 1, MOST_TID);
    /* The entry's commission was booked when the position was opened. */
    trader->realized += trade->gross - trade->exit_commission;
    trader->closed_trades++;
    position->open = false;
    count_trade(trader, trade);
}

int64_t demo_trader_exit_offset(const struct demo_trader *trader, const struct demo_market *market, size_t symbol)
{
    const struct demo_position *position = &trader->positions[symbol];
    if (!position->open || !position->planned)
        return -1;
    bool is_long = position->quantity > 0;
    int64_t stop = demo_market_reach(market, symbol, position->stop, !is_long);
    int64_t target = demo_market_reach(market, symbol, position->target, is_long);
    if (stop < 0 || target < 0)
        return stop < 0 ? target : stop;
    return smaller(stop, target);
}

/* A stop and a target never both lie behind the price of one moment, so whichever the price is beyond was hit. */
void demo_trader_exit(struct demo_trader *trader, const struct demo_market *market, size_t symbol, int64_t slot_us,
                      int64_t offset_us)
{
    const struct demo_position *position = &trader->positions[symbol];
    int64_t direction = position->quantity > 0 ? 1 : -1;
    int64_t price = demo_market_price(market, symbol, offset_us);
    int64_t to_target = absolute(position->target - price);
    int64_t to_stop = absolute(position->stop - price);
    if (to_target < to_stop) {
        close_position(trader, symbol, slot_us + offset_us, position->target, false);
        return;
    }
    int64_t worse = direction > 0 ? smaller(price, position->stop) : -smaller(-price, -position->stop);
    int64_t slip = demo_random_between(&trader->random, 0, 3) * demo_symbols[symbol].tick;
    close_position(trader, symbol, slot_us + offset_us, to_tick(worse - direction * slip, symbol), true);
}

static int64_t taker_price(struct demo_trader *trader, const struct demo_market *market, size_t symbol,
                           int64_t offset_us, int64_t direction)
{
    int64_t slip = demo_random_between(&trader->random, 0, 2) * demo_symbols[symbol].tick;
    int64_t mid = demo_market_price(market, symbol, offset_us);
    return to_tick(mid + direction * (demo_symbols[symbol].tick / 2 + slip), symbol);
}

static void put_signal(struct demo_trader *trader, enum demo_signal_kind kind, size_t symbol)
{
    const struct demo_position *position = &trader->positions[symbol];
    struct demo_tally *tally = &trader->tally;
    trader->signals[trader->signal_count++] = (struct demo_signal){kind, symbol, *position};
    demo_moments_add(&tally->confidence, position->confidence);
    demo_moments_add(&tally->confidence_of[kind], position->confidence);
    tally->confidences.of[position->confidence]++;
    if (kind == DEMO_LONG || kind == DEMO_SHORT) {
        demo_moments_add(&tally->asked_leverage, position->leverage);
        tally->asked_leverages.of[position->leverage]++;
    }
}

static void review(struct demo_trader *trader, const struct demo_market *market, size_t symbol, int64_t slot_us,
                   int64_t offset_us)
{
    const struct demo_position *position = &trader->positions[symbol];
    int64_t direction = position->quantity > 0 ? 1 : -1;
    int64_t price = demo_market_price(market, symbol, offset_us);
    bool invalid = position->planned && direction * (price - position->invalidation) < 0;
    bool abandoned = demo_random_chance(&trader->random, PPM / (3 * trader->style.horizon / 2 + 1));
    if (!invalid && !abandoned) {
        put_signal(trader, DEMO_HOLD, symbol);
        return;
    }
    put_signal(trader, DEMO_CLOSE, symbol);
    close_position(trader, symbol, slot_us + offset_us, taker_price(trader, market, symbol, offset_us, -direction),
                   true);
}

/* With the trend of the four-hour bars or against it, bent to the model's taste for the long side. */
static int64_t choose_direction(struct demo_trader *trader, const struct demo_market *market, size_t symbol)
{
    const struct demo_frame *slow = demo_market_slow(market, symbol);
    bool rising = slow->ema20[DEMO_SERIES - 1] > slow->ema50;
    bool follows = demo_random_chance(&trader->random, trader->style.follow_ppm);
    bool up = rising == follows;
    return up || demo_random_chance(&trader->random, trader->style.long_ppm - 250000) ? 1 : -1;
}

/* How far the price is likely to go within the model's horizon, in millionths of it. */
static int64_t likely_move(const struct demo_trader *trader, size_t symbol)
{
    const struct demo_symbol *s = &demo_symbols[symbol];
    int64_t sigma_ppb = s->sigma_ppb + s->beta_milli * 600;
    int64_t ppm = sigma_ppb / 1000 * root(trader->style.horizon * 10000) / 100;
    return ppm < 2500 ? 2500 : smaller(ppm, 90000);
}

/* Levels around the entry. The stop lies well before the liquidation that the leverage brings with it. */
static void set_plan(struct demo_trader *trader, struct demo_position *position, size_t symbol, int64_t direction)
{
    struct demo_random *random = &trader->random;
    int64_t move = likely_move(trader, symbol);
    int64_t stop_ppm = demo_mul_div(move, demo_random_between(random, 70, 130), 100);
    int64_t target_ppm = demo_mul_div(stop_ppm, demo_random_between(random, 120, 260), 100);
    int64_t most = 700000 / stop_ppm;
    int64_t entry = position->entry_price;
    position->leverage = demo_random_between(random, trader->style.leverage_least, trader->style.leverage_most);
    position->leverage = smaller(position->leverage, demo_symbols[symbol].max_leverage);
    position->leverage = smaller(position->leverage, most > 1 ? most : 1);
    position->stop = to_tick(entry - direction * demo_mul_div(entry, stop_ppm, PPM), symbol);
    position->target = to_tick(entry + direction * demo_mul_div(entry, target_ppm, PPM), symbol);
    position->invalidation = to_tick(entry - direction * demo_mul_div(entry, stop_ppm * 3 / 4, PPM), symbol);
    int64_t liquidation_ppm = PPM / position->leverage - PPM / (2 * demo_symbols[symbol].max_leverage) / 2;
    position->liquidation = entry - direction * demo_mul_div(entry, liquidation_ppm, PPM);
    position->planned = !demo_random_chance(random, PLANLESS_PPM);
}

/* False when the account is too small for it. */
static bool set_size(struct demo_trader *trader, struct demo_position *position, size_t symbol, int64_t direction,
                     int64_t equity)
{
    int64_t entry = position->entry_price;
    int64_t distance = absolute(entry - position->stop);
    int64_t wanted = demo_mul_div(demo_mul_div(equity, trader->style.risk_ppm, PPM), entry, distance);
    int64_t affordable = demo_trader_free_cash(trader, equity) / 10 * 4 * position->leverage;
    int64_t size = demo_mul_div(smaller(wanted, affordable), DEMO_SIZE_ONE, entry);
    size -= size % demo_symbols[symbol].size_step;
    position->notional = demo_mul_div(entry, size, DEMO_SIZE_ONE);
    if (size <= 0 || position->notional < 10 * DEMO_PRICE_ONE)
        return false;
    position->quantity = direction * size;
    position->margin = demo_mul_div(position->notional, 1, position->leverage);
    position->risk = demo_mul_div(distance, size, DEMO_SIZE_ONE);
    position->commission = demo_mul_div(position->notional, TAKER_PPM, PPM);
    position->equity = equity;
    return true;
}

static bool open_position(struct demo_trader *trader, const struct demo_market *market, size_t symbol, int64_t slot_us,
                          int64_t offset_us)
{
    struct demo_random *random = &trader->random;
    int64_t direction = choose_direction(trader, market, symbol);
    int64_t at_us = slot_us + offset_us;
    struct demo_position position = {.open = true,
                                     .entry_us = at_us,
                                     .entry_price = taker_price(trader, market, symbol, offset_us, direction),
                                     .target_oid = -1,
                                     .stop_oid = -1};
    set_plan(trader, &position, symbol, direction);
    int64_t equity = demo_trader_equity(trader, market, offset_us);
    if (equity <= 0 || !set_size(trader, &position, symbol, direction, equity))
        return false;
    position.confidence = demo_random_between(random, trader->style.confidence_least, trader->style.confidence_most);
    position.entry_oid = order_id(random, at_us);
    position.entry_tid = demo_random_between(random, 1, MOST_TID);
    if (position.planned) {
        position.target_oid = position.entry_oid + demo_random_between(random, 8000, 20000);
        position.stop_oid = position.target_oid + demo_random_between(random, 2000, 15000);
        demo_condition(random, symbol, direction, position.invalidation, position.condition);
    }
    trader->realized -= position.commission;
    trader->positions[symbol] = position;
    put_signal(trader, direction > 0 ? DEMO_LONG : DEMO_SHORT, symbol);
    return true;
}

/* How many positions to open now, so that the trades that are still to come spread over the time that is left. */
static int64_t wanted_entries(struct demo_trader *trader)
{
    int64_t open = 0;
    for (size_t i = 0; i < DEMO_SYMBOLS; i++)
        open += trader->positions[i].open;
    int64_t missing = trader->target_trades + trader->appetite - trader->closed_trades - open;
    if (trader->target_trades == 0 || missing <= 0)
        return 0;
    int64_t slots = trader->slots_left > 0 ? trader->slots_left : 1;
    int64_t rate_ppm = demo_mul_div(missing, PPM, slots);
    return rate_ppm / PPM + demo_random_chance(&trader->random, rate_ppm % PPM);
}

void demo_trader_invoke(struct demo_trader *trader, const struct demo_market *market, int64_t slot_us,
                        int64_t offset_us)
{
    int64_t at_us = slot_us + offset_us;
    if (trader->invocations > 0)
        demo_moments_add(&trader->tally.breaks_us, at_us - trader->invoked_us);
    trader->invocations++;
    trader->invoked_us = at_us;
    trader->signal_count = 0;
    trader->failed = demo_random_chance(&trader->random, FAILED_PPM);
    if (trader->failed)
        return;
    for (size_t i = 0; i < DEMO_SYMBOLS; i++)
        if (trader->positions[i].open)
            review(trader, market, i, slot_us, offset_us);
    size_t first = (size_t)demo_random_between(&trader->random, 0, DEMO_SYMBOLS - 1);
    int64_t wanted = wanted_entries(trader);
    for (size_t n = 0; n < DEMO_SYMBOLS && wanted > 0; n++) {
        size_t symbol = (first + n) % DEMO_SYMBOLS;
        if (!trader->positions[symbol].open && open_position(trader, market, symbol, slot_us, offset_us))
            wanted--;
    }
}
