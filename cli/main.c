/* nof0ctl, the operator's tool: finds the subcommand in the table below and runs it. */
#include "cli/cli_internal.h"
#include "cli/cmd_cache.h"
#include "cli/cmd_capture.h"
#include "cli/cmd_cutover.h"
#include "cli/cmd_demo.h"
#include "cli/cmd_export.h"
#include "cli/cmd_flags.h"
#include "cli/cmd_import.h"
#include "cli/cmd_ingest.h"
#include "cli/cmd_keys.h"
#include "cli/cmd_migrate.h"
#include "cli/cmd_outbox.h"
#include "cli/cmd_parity.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    cli_command *run;
    const char *summary;
};

/* In the order in which --help lists them. */
static const struct command commands[] = {
    {"migrate", cmd_migrate, "bring the database's schema to another version"},
    {"import", cmd_import, "bring a folder of legacy JSON files into the database"},
    {"export", cmd_export, "write what was imported as legacy JSON files again"},
    {"ingest", cmd_ingest, "store events from a file, as POST /api/ingest does"},
    {"capture", cmd_capture, "download a running API into a folder of legacy JSON files"},
    {"cache", cmd_cache, "fill Redis from Postgres, compare the two, count or drop what is there"},
    {"keys", cmd_keys, "list the names in Redis, or look for ones that do not belong there"},
    {"outbox", cmd_outbox, "see what follows changes: how far it is, what failed; or have it all done now"},
    {"flags", cmd_flags, "see and change the feature flags; carry out a rollout plan"},
    {"parity", cmd_parity, "compare what two sources say: legacy files, Postgres, servers, folders"},
    {"cutover", cmd_cutover, "walk an endpoint from legacy files to rows; see where all stand"},
    {"demo", cmd_demo, "make a folder of legacy JSON files from a simulated market"},
};

enum { COMMAND_COUNT = sizeof commands / sizeof commands[0] };

static void print_usage(FILE *out)
{
    fputs("usage: nof0ctl [--config FILE] COMMAND [ARGUMENT...]\n"
          "       nof0ctl help COMMAND\n"
          "       nof0ctl --help | --version\n"
          "\n",
          out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fputs("\n"
          "FILE is nof0d's configuration (default: $NOF0_CONFIG, else etc/nof0.yaml, else plain defaults).\n"
          "Exit codes: 0 fine, 1 found what it looks for (bad rows, pending migrations, ...), 2 could not run.\n",
          out);
}

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    fprintf(stderr, "nof0ctl: there is no command \"%s\"; nof0ctl --help lists them\n", name);
    return NULL;
}

static int help(struct cli_context *context, int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stdout);
        return CLI_OK;
    }
    const struct command *command = find(argv[1]);
    char option[] = "--help";
    char *arguments[] = {argv[1], option, NULL};
    return command ? command->run(context, 2, arguments) : CLI_FAILED;
}

/* Takes the options before the command. Returns how many words they are, or -1 when they are wrong. */
static int global_options(struct cli_context *context, int argc, char **argv)
{
    int at = 1;
    while (at < argc && argv[at][0] == '-') {
        if (strncmp(argv[at], "--config=", 9) == 0) {
            context->config_path = argv[at] + 9;
            at++;
        } else if (strcmp(argv[at], "--config") == 0 && at + 1 < argc) {
            context->config_path = argv[at + 1];
            at += 2;
        } else if (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0 ||
                   strcmp(argv[at], "--version") == 0) {
            break;
        } else {
            fprintf(stderr, "nof0ctl: %s is no option, or lacks its value; nof0ctl --help says more\n", argv[at]);
            return -1;
        }
    }
    return at;
}

static int dispatch(struct cli_context *context, int argc, char **argv)
{
    int at = global_options(context, argc, argv);
    if (at < 0)
        return CLI_FAILED;
    if (at == argc) {
        print_usage(stderr);
        return CLI_FAILED;
    }
    if (strcmp(argv[at], "--version") == 0) {
        puts("nof0ctl " NOF0_VERSION);
        return CLI_OK;
    }
    if (argv[at][0] == '-') {
        print_usage(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[at], "help") == 0)
        return help(context, argc - at, argv + at);
    const struct command *command = find(argv[at]);
    return command ? command->run(context, argc - at, argv + at) : CLI_FAILED;
}

int main(int argc, char **argv)
{
    /* A reader that goes away is told of by write(), not by a signal. */
    signal(SIGPIPE, SIG_IGN);
    struct cli_context context = {0};
    int code = dispatch(&context, argc, argv);
    cli_context_release(&context);
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == CLI_OK) {
        fputs("nof0ctl: could not write all of it to standard output\n", stderr);
        code = CLI_FAILED;
    }
    return code;
}
