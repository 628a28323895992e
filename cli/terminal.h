/* What commands ask of the terminal, and how signals end them. */
#ifndef NOF0_CLI_TERMINAL_H
#define NOF0_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Whether standard output is a terminal that shows colours and nobody asked for none (NO_COLOR). */
bool terminal_has_color(void);

/* Columns of the terminal on standard output; 0 when it is none. */
size_t terminal_width(void);

/* From now on SIGINT and SIGTERM make the returned descriptor readable instead of ending the process; -1 with errno
 * when the system does not let us. */
int terminal_catch_stop(void);

#endif
