/* A check's result in the table parity_runs, with the origin "check". */
#ifndef NOF0_CLI_PARITY_STORE_H
#define NOF0_CLI_PARITY_STORE_H

#include "cli/parity_check.h"

/* A row for each endpoint of which a side had anything, all or none of them. */
bool parity_result_store(const struct parity_result *result, const struct settings *settings,
                         struct err *err) MUST_CHECK;

#endif
