#include "cli/cmd_import.h"

#include "cli/import_news.h"
#include "ingest/import.h"
#include "server/settings.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: nof0ctl import DIR [--only ENDPOINT] [--quiet]\n"
    "\n"
    "Brings the legacy JSON files of DIR into the database of postgres.dsn. Each file is checked whole first and then\n"
    "loaded in one transaction. Importing again changes only what differs; an import that was interrupted is simply\n"
    "started again. A file that is missing leaves its rows as they are.\n"
    "\n"
    "Where redis.url is set, running servers hear of each file as soon as it is loaded. Without Redis they go by "
    "their\n"
    "TTLs, and the import is as good.\n"
    "\n"
    "  --only ENDPOINT  only this one's files: account-totals, positions, trades, crypto-prices, leaderboard,\n"
    "                   since-inception-values, conversations or analytics\n"
    "  --quiet          say only what is wrong\n"
    "\n"
    "Exit codes: 0 done, 1 some file has faults and was left out (each fault is listed), 2 could not run.\n";

/* Fills dir, only and quiet. False when the arguments are wrong, which was said. */
static bool parse(int argc, char **argv, struct import_options *options)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quiet") == 0) {
            options->quiet = true;
        } else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            options->only = argv[++i];
        } else if (strncmp(argv[i], "--only=", strlen("--only=")) == 0) {
            options->only = argv[i] + strlen("--only=");
        } else if (argv[i][0] == '-' || options->dir) {
            cli_fail("import", "\"%s\" is not understood; nof0ctl import --help", argv[i]);
            return false;
        } else {
            options->dir = argv[i];
        }
    }
    if (!options->dir)
        cli_fail("import", "say which folder; nof0ctl import --help");
    return options->dir != NULL;
}

int cmd_import(struct cli_context *context, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            (void)fputs(usage, stdout);
            return CLI_OK;
        }
    }
    struct import_options options = {.out = stdout, .problems = stderr, .bar = isatty(STDERR_FILENO)};
    if (!parse(argc, argv, &options))
        return CLI_FAILED;
    const struct settings *settings = cli_settings(context);
    options.dsn = settings ? cli_postgres_dsn(context) : NULL;
    if (!options.dsn)
        return CLI_FAILED;
    options.prices_provider = settings->prices_provider;
    struct import_news news = {.settings = settings};
    options.committed = import_news_committed;
    options.committed_arg = &news;
    enum import_result result = import_folder(&options);
    import_news_end(&news);
    switch (result) {
    case IMPORT_DONE:
        return CLI_OK;
    case IMPORT_FAULTS:
        return CLI_FOUND;
    case IMPORT_FAILED:
        break;
    }
    return CLI_FAILED;
}
