/* nof0ctl parity: whether two sources say the same (cli/parity_check.h). */
#ifndef NOF0_CLI_CMD_PARITY_H
#define NOF0_CLI_CMD_PARITY_H

#include "cli/cli.h"

int cmd_parity(struct cli_context *context, int argc, char **argv);

#endif
