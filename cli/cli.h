/* What the subcommands of nof0ctl share. A subcommand is a row of the table in cli/main.c and a file cli/cmd_NAME.c. */
#ifndef NOF0_CLI_CLI_H
#define NOF0_CLI_CLI_H

#include <stdbool.h>

struct settings;
struct cli_context;

/* Exit codes of every command. */
enum {
    CLI_OK = 0,
    CLI_FOUND = 1,  /* it found what it looks for: bad rows, differences, pending migrations */
    CLI_FAILED = 2, /* it could not run: wrong arguments, no database, ... */
};

/* Runs one command; argv[0] is its name, options follow. Returns an exit code. "--help" prints the command's usage on
 * stdout and is CLI_OK; that is also what `nof0ctl help NAME` calls. */
typedef int cli_command(struct cli_context *context, int argc, char **argv);

/* The settings of --config (default: NOF0_CONFIG, else etc/nof0.yaml, else the plain defaults), loaded at the
 * first call. On failure prints every fault on stderr and returns NULL: return CLI_FAILED then. Owned by the context.
 */
const struct settings *cli_settings(struct cli_context *context);

/* settings->postgres_dsn, or NULL after saying on stderr that none is set. */
const char *cli_postgres_dsn(struct cli_context *context);

/* Prints "nof0ctl NAME: message" on stderr and returns CLI_FAILED. */
int cli_fail(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
