/* nof0ctl import DIR: a folder of legacy JSON files into Postgres (ingest/import.h). */
#ifndef NOF0_CLI_CMD_IMPORT_H
#define NOF0_CLI_CMD_IMPORT_H

#include "cli/cli.h"

int cmd_import(struct cli_context *context, int argc, char **argv);

#endif
