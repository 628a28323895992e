/* nof0ctl demo: a folder of legacy files from a simulated arena. */
#ifndef NOF0_CLI_CMD_DEMO_H
#define NOF0_CLI_CMD_DEMO_H

#include "cli/cli.h"

int cmd_demo(struct cli_context *context, int argc, char **argv);

#endif
