/* nof0ctl export DIR: what was imported, as legacy JSON files again (ingest/export.h). */
#ifndef NOF0_CLI_CMD_EXPORT_H
#define NOF0_CLI_CMD_EXPORT_H

#include "cli/cli.h"

int cmd_export(struct cli_context *context, int argc, char **argv);

#endif
