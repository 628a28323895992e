/* What only cli/cli.c and cli/main.c see of the context. */
#ifndef NOF0_CLI_CLI_INTERNAL_H
#define NOF0_CLI_CLI_INTERNAL_H

#include "cli/cli.h"

struct cli_context {
    const char *config_path;   /* of --config; NULL: the default, if there is such a file */
    struct settings *settings; /* owned; NULL until asked for */
};

void cli_context_release(struct cli_context *context);

#endif
