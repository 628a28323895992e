#include "cli/cmd_ingest.h"

#include "ingest/event_file.h"
#include "ingest/event_schema.h"
#include "server/settings.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: nof0ctl ingest KIND FILE [--atomic] [--restart] [--quiet]\n"
    "       nof0ctl ingest --schema KIND\n"
    "\n"
    "Stores the events of FILE (-: standard input) in the database of postgres.dsn, as POST /api/ingest/KIND does:\n"
    "a JSON array of items, one item, or an item a line (docs/ingest.md). Storing an item again changes nothing.\n"
    "\n"
    "How far a file was taken in is stored with its items. The same command again goes on from there, after being\n"
    "stopped at any moment, and also when the file has grown. What it takes for the same file is one of the same kind\n"
    "that begins with the same 64 KiB. Standard input is taken in from its beginning.\n"
    "\n"
    "  --atomic   all of it in one transaction, or nothing; 64 MiB at most\n"
    "  --restart  from the beginning, whatever was taken in before\n"
    "  --quiet    say only what is wrong\n"
    "  --schema   print the JSON Schema of the kind's items\n"
    "\n"
    "KIND is one of";

static const char usage_end[] =
    "\n\n"
    "Exit codes: 0 every item is stored, 1 some were rejected (the first 100 are listed), 2 could not run, or was\n"
    "stopped.\n";

struct request {
    struct event_file_options options;
    const char *kind;
    bool schema;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* Between two batches; also out of a read that waits. A second one ends it at once. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static void print_usage(void)
{
    (void)fputs(usage, stdout);
    for (enum event_kind kind = 0; kind < EVENT_KIND_COUNT; kind++)
        (void)printf("%s%s", kind == 0 ? ": " : kind % 6 == 0 ? ",\n" : ", ", event_kind_name(kind));
    (void)fputs(usage_end, stdout);
}

/* False when the arguments are wrong, which was said. */
static bool parse(int argc, char **argv, struct request *request)
{
    struct event_file_options *options = &request->options;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--atomic") == 0) {
            options->atomic = true;
        } else if (strcmp(argv[i], "--restart") == 0) {
            options->restart = true;
        } else if (strcmp(argv[i], "--quiet") == 0) {
            options->quiet = true;
        } else if (strcmp(argv[i], "--schema") == 0) {
            request->schema = true;
        } else if ((argv[i][0] == '-' && argv[i][1]) || options->path) {
            (void)cli_fail("ingest", "\"%s\" is not understood; nof0ctl ingest --help", argv[i]);
            return false;
        } else if (!request->kind) {
            request->kind = argv[i];
        } else {
            options->path = argv[i];
        }
    }
    if (!request->kind || !options->path != request->schema) {
        (void)cli_fail("ingest", "say which kind of events%s; nof0ctl ingest --help",
                       request->schema ? ", and no file" : " and which file");
        return false;
    }
    options->kind = event_kind_find(slice_of(request->kind));
    if (options->kind == EVENT_KIND_COUNT)
        (void)cli_fail("ingest", "there is no kind of events \"%s\"; nof0ctl ingest --help lists them", request->kind);
    return options->kind != EVENT_KIND_COUNT;
}

static int print_schema(enum event_kind kind)
{
    struct buf schema = BUF_INIT;
    event_schema_put(&schema, kind);
    (void)fwrite(schema.data, 1, schema.len, stdout);
    buf_free(&schema);
    return CLI_OK;
}

int cmd_ingest(struct cli_context *context, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            print_usage();
            return CLI_OK;
        }
    }
    struct request request = {
        .options = {.out = stdout, .problems = stderr, .bar = isatty(STDERR_FILENO), .stop = &stopped}};
    if (!parse(argc, argv, &request))
        return CLI_FAILED;
    if (request.schema)
        return print_schema(request.options.kind);
    const struct settings *settings = cli_settings(context);
    request.options.dsn = settings ? cli_postgres_dsn(context) : NULL;
    if (!request.options.dsn)
        return CLI_FAILED;
    request.options.prices_provider = settings->prices_provider;
    request.options.most_item_bytes = (size_t)settings->ingest_max_body_bytes;
    catch_signals();
    switch (event_file_store(&request.options)) {
    case EVENT_FILE_DONE:
        return CLI_OK;
    case EVENT_FILE_REJECTED:
        return CLI_FOUND;
    case EVENT_FILE_FAILED:
        break;
    }
    return CLI_FAILED;
}
