/* nof0ctl keys: the registry of names in Redis (cache/keys.h), and a running Redis held against it. */
#ifndef NOF0_CLI_CMD_KEYS_H
#define NOF0_CLI_CMD_KEYS_H

#include "cli/cli.h"

int cmd_keys(struct cli_context *context, int argc, char **argv);

#endif
