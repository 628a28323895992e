/* nof0ctl cutover: an endpoint's way from legacy files to rows, station by station (docs/rollout.md). */
#ifndef NOF0_CLI_CMD_CUTOVER_H
#define NOF0_CLI_CMD_CUTOVER_H

#include "cli/cli.h"

cli_command cmd_cutover;

#endif
