/* nof0ctl capture --from URL DIR: a running API into a folder of legacy JSON files (ingest/capture.h). */
#ifndef NOF0_CLI_CMD_CAPTURE_H
#define NOF0_CLI_CMD_CAPTURE_H

#include "cli/cli.h"

int cmd_capture(struct cli_context *context, int argc, char **argv);

#endif
