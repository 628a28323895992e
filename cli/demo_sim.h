/* The whole demo world, moved slot by slot: market, traders, benchmark. Equity rows are handed out as they come about,
 * in the order of their times; everything else stands in the traders at the end. Memory does not grow with the hours,
 * but for 16 bytes a closed trade (the medians). */
#ifndef NOF0_CLI_DEMO_SIM_H
#define NOF0_CLI_DEMO_SIM_H

#include "base/buf.h"
#include "base/err.h"
#include "cli/demo_trader.h"

enum {
    DEMO_MODELS_MAX = 1000,
    DEMO_HOURS_MAX = 100000,
    DEMO_TRADES_PER_MODEL_HOUR_MAX = 30, /* six coins, at best ten round trips in an hour each */
};

struct demo_options {
    int64_t models; /* 1 to DEMO_MODELS_MAX, beside the benchmark */
    int64_t hours;  /* 1 to DEMO_HOURS_MAX */
    int64_t trades; /* closed in all, about; 0 to models * hours * DEMO_TRADES_PER_MODEL_HOUR_MAX */
    uint64_t seed;
};

/* The 90 days of hourly returns that a Sharpe ratio looks back on. */
enum { DEMO_RETURNS = 90 * 24 };
struct demo_returns {
    int64_t *ppb; /* ring, owned */
    int64_t count;
    int64_t last_equity;
    struct demo_moments moments;
};

struct demo_model_state {
    struct demo_trader trader;
    struct demo_returns returns;
    int64_t hour; /* the next row's hourly marker */
    int64_t row_us;
    int64_t final_equity;
    double final_sharpe;
    int64_t final_offset; /* of the newest row, in the slot under way */
    char inception_id[DEMO_UUID_SIZE];
    char run_id[16];
    struct demo_random talk; /* words; apart, so that they do not steer trades */
};

struct demo_cycle {
    int64_t at_us;
    struct buf json; /* owned */
};

struct demo_sim {
    struct demo_options options;
    struct demo_market *market;
    struct demo_model_state *models; /* options.models of them */
    int64_t slots;
    int64_t slot_us;           /* start of the slot under way */
    int64_t end_us;            /* when it is over: the demo's now */
    int64_t end_offset;        /* of the last rows, in the last slot */
    struct demo_position hold; /* the benchmark's one position */
    int64_t hold_inception_us;
    int64_t hold_hour, hold_row_us;
    char hold_inception_id[DEMO_UUID_SIZE];
    struct demo_cycle *cycles; /* the newest decisions, oldest first */
    size_t cycle_count;
    int64_t cycles_per_model;
};

#define DEMO_BENCHMARK "buynhold_btc"

/* Takes one element of accountTotals; false stops the run. */
typedef bool demo_row_fn(void *arg, struct slice json);

struct demo_sim *demo_sim_new(const struct demo_options *options);
/* Once. False when take_row said so. */
bool demo_sim_run(struct demo_sim *sim, demo_row_fn *take_row, void *arg);
void demo_sim_free(struct demo_sim *sim);

/* Appends one row of an account as it stands offset_us into the slot. */
void demo_put_account_row(struct buf *out, struct demo_sim *sim, struct demo_model_state *model, int64_t offset_us);
void demo_put_benchmark_row(struct buf *out, struct demo_sim *sim, int64_t offset_us);

#endif
