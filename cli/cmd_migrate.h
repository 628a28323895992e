/* nof0ctl migrate up|down|status|resolve: the schema of the database (repo/migrate.h). */
#ifndef NOF0_CLI_CMD_MIGRATE_H
#define NOF0_CLI_CMD_MIGRATE_H

#include "cli/cli.h"

int cmd_migrate(struct cli_context *context, int argc, char **argv);

#endif
