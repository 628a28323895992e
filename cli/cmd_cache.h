/* nof0ctl cache: fill the names of Redis from Postgres, hold them against it, count them, drop them. */
#ifndef NOF0_CLI_CMD_CACHE_H
#define NOF0_CLI_CMD_CACHE_H

#include "cli/cli.h"

int cmd_cache(struct cli_context *context, int argc, char **argv);

#endif
