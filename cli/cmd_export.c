#include "cli/cmd_export.h"

#include "ingest/export.h"
#include "server/settings.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: nof0ctl export DIR [--quiet]\n"
    "\n"
    "Writes every feed of the database of postgres.dsn into DIR as legacy JSON files, equal in content to those that\n"
    "were imported. All files show one moment of the database, and each is replaced whole. DIR is made if need be; it\n"
    "may hold nothing but files that this export replaces.\n"
    "\n"
    "  --quiet  say only what is wrong\n"
    "\n"
    "Exit codes: 0 done, 2 could not run.\n";

int cmd_export(struct cli_context *context, int argc, char **argv)
{
    struct export_options options = {.out = stdout, .problems = stderr};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            (void)fputs(usage, stdout);
            return CLI_OK;
        }
        if (strcmp(argv[i], "--quiet") == 0)
            options.quiet = true;
        else if (argv[i][0] == '-' || options.dir)
            return cli_fail("export", "\"%s\" is not understood; nof0ctl export --help", argv[i]);
        else
            options.dir = argv[i];
    }
    if (!options.dir)
        return cli_fail("export", "say which folder; nof0ctl export --help");
    const struct settings *settings = cli_settings(context);
    options.dsn = settings ? cli_postgres_dsn(context) : NULL;
    if (!options.dsn)
        return CLI_FAILED;
    options.prices_provider = settings->prices_provider;
    return export_folder(&options) ? CLI_OK : CLI_FAILED;
}
