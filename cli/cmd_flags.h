/* nof0ctl flags: see and change the feature flags, and what became of them. */
#ifndef NOF0_CLI_CMD_FLAGS_H
#define NOF0_CLI_CMD_FLAGS_H

#include "cli/cli.h"

cli_command cmd_flags;

#endif
