/* The demo as a folder of legacy files.
 *
 * What holds in them, exactly to the millionth of a dollar in which all money is kept and written:
 *   - in every account row: dollar_equity = 10000 + realized_pnl + total_unrealized_pnl, and total_unrealized_pnl is
 * the sum of its positions' unrealized_pnl;
 *   - for a model with up to 100 closed trades: realized_pnl of its newest row = the sum over its trades of
 *     entry_closed_pnl + exit_closed_pnl, plus the sum over its open positions of closed_pnl (the entry's commission,
 *     negative). trades.json keeps the newest 100 of a model; analytics count all;
 *   - in every trade: realized_net_pnl = realized_gross_pnl - total_commission_dollars = entry_closed_pnl +
 *     exit_closed_pnl;
 *   - positions.json equals the positions of each model's newest account row. */
#ifndef NOF0_CLI_DEMO_FILES_H
#define NOF0_CLI_DEMO_FILES_H

#include "base/err.h"
#include "cli/demo_sim.h"

#include <stdint.h>

struct demo_written {
    int64_t files;
    int64_t rows;   /* of account-totals.json */
    int64_t trades; /* closed in all */
    uint64_t bytes;
};

/* Runs the simulation and writes every file into dir, which is made when it is not there. account-totals.json is
 * written while the simulation runs; each file is replaced whole. ERR_CONFLICT when dir holds an analytics file of a
 * model that is not of this set, ERR_IO when the disk refuses. */
bool demo_write_folder(const char *dir, const struct demo_options *options, struct demo_written *written,
                       struct err *err) MUST_CHECK;

#endif
