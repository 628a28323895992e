/* nof0ctl parity show: the pairs of answers that nof0d found to differ and kept in Redis (server/shadow_pair.h). */
#ifndef NOF0_CLI_PARITY_SHOW_H
#define NOF0_CLI_PARITY_SHOW_H

#include "cli/cli.h"

cli_command cmd_parity_show;

#endif
