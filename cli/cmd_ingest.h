/* nof0ctl ingest: events from a file into Postgres. */
#ifndef NOF0_CLI_CMD_INGEST_H
#define NOF0_CLI_CMD_INGEST_H

#include "cli/cli.h"

cli_command cmd_ingest;

#endif
