/* The command line of nof0ctl parity. */
#ifndef NOF0_CLI_PARITY_ARGUMENTS_H
#define NOF0_CLI_PARITY_ARGUMENTS_H

#include "cli/parity_check.h"

enum parity_format { PARITY_TABLE, PARITY_JSON, PARITY_JUNIT, PARITY_MARKDOWN };
enum parity_color { PARITY_COLOR_AUTO, PARITY_COLOR_ALWAYS, PARITY_COLOR_NEVER };

struct parity_arguments {
    struct parity_check_options check; /* without settings and stop_fd */
    enum parity_format format;
    enum parity_color color;
    size_t max_diffs;
    int64_t watch_ms; /* 0: once */
    bool no_store;
};

/* Reads the words behind "parity", argv[1] to argv[argc - 1]; texts are not copied. False with ERR_INVALID. */
bool parity_arguments_parse(int argc, char **argv, struct parity_arguments *arguments, struct err *err) MUST_CHECK;

/* Adds the endpoints that a word names: "account_totals", "account-totals", a file's or a path's name. False with *err,
 * which lists all, when there are none. */
bool parity_endpoints_take(const char *word, bool wanted[READ_KIND_COUNT], struct err *err) MUST_CHECK;

#endif
