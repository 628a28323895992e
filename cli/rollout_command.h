/* nof0ctl flags plan FILE: carries a rollout plan out (docs/rollout.md). */
#ifndef NOF0_CLI_ROLLOUT_COMMAND_H
#define NOF0_CLI_ROLLOUT_COMMAND_H

#include "cli/cli.h"

/* argv[0] is "plan". */
cli_command cmd_flags_plan;

#endif
