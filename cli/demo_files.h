/* The demo as a folder of legacy files. */
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
