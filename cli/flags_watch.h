/* `nof0ctl flags watch`: each change of a flag once, as it happens. */
#ifndef NOF0_CLI_FLAGS_WATCH_H
#define NOF0_CLI_FLAGS_WATCH_H

#include "server/settings.h"

#include <stdio.h>

struct flags_watch_options {
    const struct settings *settings; /* with a postgres.dsn */
    int64_t after;                   /* the last id that is known; FLAGS_AFTER_NOW: all that there are */
    bool json;                       /* an object a line */
    int stop_fd;                     /* readable: end it */
    FILE *out;
};

/* Runs until stop_fd ends it (CLI_OK) or `out` takes no more (CLI_FAILED). Goes on where it was when Postgres comes
 * back; one that is away from the beginning is CLI_FAILED. */
int flags_watch(const struct flags_watch_options *options);

#endif
