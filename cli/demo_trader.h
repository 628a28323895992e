/* One model of the demo: its habits, its account, what it holds and what it did. Money is in millionths of a dollar, so
 * that every sum is exact. */
#ifndef NOF0_CLI_DEMO_TRADER_H
#define NOF0_CLI_DEMO_TRADER_H

#include "cli/demo_market.h"
#include "cli/demo_random.h"
#include "cli/demo_stats.h"

#define DEMO_SEED_MONEY (10000 * DEMO_PRICE_ONE)

enum { DEMO_KEPT_TRADES = 100, DEMO_PLAN_SIZE = 120, DEMO_ID_SIZE = 48 };

struct demo_style {
    int64_t weight; /* share of all trades */
    int64_t long_ppm;
    int64_t follow_ppm; /* goes with the trend; else against it */
    int64_t leverage_least, leverage_most;
    int64_t horizon;                           /* slots that a position is meant to last */
    int64_t risk_ppm;                          /* of its equity, per position */
    int64_t confidence_least, confidence_most; /* hundredths */
    bool terse;                                /* its reasoning is the bare decisions */
};

struct demo_position {
    bool open;
    bool planned;     /* has an exit plan, with a target and a stop order at the exchange */
    int64_t quantity; /* in 1/DEMO_SIZE_ONE coins, negative when short */
    int64_t entry_price;
    int64_t target, stop, invalidation;
    char condition[DEMO_PLAN_SIZE];
    int64_t leverage;
    int64_t confidence; /* hundredths */
    int64_t entry_us;
    int64_t equity; /* of the account when it was opened */
    int64_t notional, margin, risk, commission, liquidation;
    int64_t entry_oid, target_oid, stop_oid, entry_tid; /* -1: none */
};

struct demo_trade {
    char uuid[DEMO_UUID_SIZE];
    size_t symbol;
    struct demo_position position; /* as it was */
    int64_t exit_us;
    int64_t exit_price;
    bool exit_crossed; /* took liquidity; false for a target that was hit */
    int64_t exit_oid, exit_tid;
    int64_t gross, exit_commission;
};

/* What a trade counts for, beside all others of its kind. */
struct demo_group {
    struct demo_moments net, notional, holding_ms;
};

enum demo_signal_kind { DEMO_LONG, DEMO_SHORT, DEMO_CLOSE, DEMO_HOLD, DEMO_SIGNAL_KINDS };

struct demo_signal {
    enum demo_signal_kind kind;
    size_t symbol;
    struct demo_position position; /* after an entry, before a close */
};

/* Everything that analytics need, of all trades and decisions since the start. */
struct demo_tally {
    struct demo_moments gross, commission, portfolio_ppm, target_ppm, stop_ppm;
    struct demo_group all, winners, losers, longs, shorts;
    struct demo_samples notionals, holdings_ms;
    struct demo_moments leverage, leverage_long, leverage_short, asked_leverage;
    struct demo_counts leverages, asked_leverages;
    struct demo_moments confidence, confidence_of[DEMO_SIGNAL_KINDS];
    struct demo_counts confidences;
    struct demo_moments breaks_us;
    int64_t long_us, short_us; /* of closed positions */
};

struct demo_trader {
    char id[DEMO_ID_SIZE];
    size_t index;
    struct demo_style style;
    struct demo_random random;
    int64_t inception_us;
    int64_t realized; /* of closed trades, and what the open positions cost so far */
    int64_t target_trades;
    int64_t closed_trades;
    int64_t appetite; /* positions that it keeps beyond that number */
    int64_t slots_left;
    struct demo_position positions[DEMO_SYMBOLS];
    struct demo_tally tally;
    struct demo_trade *kept; /* ring of the newest, DEMO_KEPT_TRADES; owned */
    int64_t invocations;
    int64_t invoked_us;                           /* the last time, 0 before */
    bool failed;                                  /* the last answer could not be read */
    struct demo_signal signals[2 * DEMO_SYMBOLS]; /* of the last invocation */
    size_t signal_count;
};

/* A trader that starts at inception_us (since 1970) and trades for `slots`; `target_trades` is about how many it will
 * close. Release with demo_trader_release. */
void demo_trader_start(struct demo_trader *trader, size_t index, const char *id, const struct demo_style *style,
                       uint64_t seed);
void demo_trader_plan(struct demo_trader *trader, int64_t inception_us, int64_t slots, int64_t target_trades);
void demo_trader_release(struct demo_trader *trader);

/* Fills id and style of the model at this place: the first six are the arena's. */
void demo_model(size_t index, struct demo_random *random, char id[DEMO_ID_SIZE], struct demo_style *style);

/* One decision, at offset_us into the slot that starts at slot_us: closes, holds, opens. */
void demo_trader_invoke(struct demo_trader *trader, const struct demo_market *market, int64_t slot_us,
                        int64_t offset_us);

/* When in this slot the position's stop or target is hit: the offset, or -1. */
int64_t demo_trader_exit_offset(const struct demo_trader *trader, const struct demo_market *market, size_t symbol);
/* Carries that exit out. */
void demo_trader_exit(struct demo_trader *trader, const struct demo_market *market, size_t symbol, int64_t slot_us,
                      int64_t offset_us);

/* Money at prices of this moment. */
int64_t demo_unrealized(const struct demo_position *position, int64_t price);
int64_t demo_trader_unrealized(const struct demo_trader *trader, const struct demo_market *market, int64_t offset_us);
int64_t demo_trader_equity(const struct demo_trader *trader, const struct demo_market *market, int64_t offset_us);
int64_t demo_trader_free_cash(const struct demo_trader *trader, int64_t equity);

/* The cut of a moment to milliseconds as trades have it: never a whole second, whose text would lose its point. */
int64_t demo_trade_ms(int64_t at_us);

/* entry_closed_pnl + exit_closed_pnl. */
int64_t demo_trade_net(const struct demo_trade *trade);

/* The kept trades, newest first: 0 <= place < demo_trader_kept. */
size_t demo_trader_kept(const struct demo_trader *trader);
const struct demo_trade *demo_trader_kept_at(const struct demo_trader *trader, size_t place);

#endif
