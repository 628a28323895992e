/* nof0ctl outbox: how far the readers of the outbox are, what they gave up, and applying the rest by hand. */
#ifndef NOF0_CLI_CMD_OUTBOX_H
#define NOF0_CLI_CMD_OUTBOX_H

#include "cli/cli.h"

cli_command cmd_outbox;

#endif
