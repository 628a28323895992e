#include "cli/cmd_capture.h"

#include "base/num.h"
#include "cli/cli_flags.h"
#include "cli/import_news.h"
#include "ingest/capture.h"
#include "ingest/capture_time.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const char usage[] =
    "usage: nof0ctl capture --from URL DIR [--every TIME] [--timeout TIME] [--retries N] [--max-bytes N] [--ingest]\n"
    "       [--verbose]\n"
    "\n"
    "Downloads every endpoint of the API at URL into DIR as legacy JSON files, which nof0ctl import and nof0d read. A\n"
    "file is replaced whole, and only when a good answer says something else than it; a bad one is told and leaves "
    "it.\n"
    "What DIR has already is asked for conditionally (DIR/.capture.json remembers the validators).\n"
    "\n"
    "  --from URL      the server (http://127.0.0.1:8888) or its API (https://host/path/api), perhaps with "
    "user:password@\n"
    "  --every TIME    again and again, at multiples of TIME, until SIGINT or SIGTERM\n"
    "  --timeout TIME  for connecting, and for each wait for more of an answer (default 10s); the whole of an answer "
    "may\n"
    "                  take six times as long\n"
    "  --retries N     how often a request that failed is tried again (default 4): what will not pass, as 404, never "
    "is\n"
    "  --max-bytes N   the largest answer that is taken, unpacked (default 1073741824)\n"
    "  --ingest        bring what is new into the database of postgres.dsn as well, as events (docs/ingest.md); what "
    "it\n"
    "                  lacks or events cannot say is imported as nof0ctl import does\n"
    "  --verbose       say each request\n"
    "\n"
    "TIME is a whole number and ms, s, m or h: 500ms, 10s.\n"
    "Exit codes: 0 done or stopped, 1 some endpoint could not be got or some event was rejected, 2 could not\n"
    "run, or switch.capture is off (docs/flags.md), which also ends one that runs.\n";

struct arguments {
    const char *from;
    bool ingest;
    struct capture_options options;
};

static const char *const valued[] = {"--from", "--every", "--timeout", "--retries", "--max-bytes", NULL};

/* An option with a value, "--name=value" or "--name value": its name, with *value set and *at moved to its last word.
 * NULL when the word is none, or the value is missing. */
static const char *take_valued(int argc, char **argv, int *at, const char **value)
{
    for (size_t i = 0; valued[i]; i++) {
        size_t n = strlen(valued[i]);
        if (strncmp(argv[*at], valued[i], n) != 0)
            continue;
        if (argv[*at][n] == '=') {
            *value = argv[*at] + n + 1;
            return valued[i];
        }
        if (!argv[*at][n] && *at + 1 < argc) {
            *value = argv[++*at];
            return valued[i];
        }
    }
    return NULL;
}

static bool set_valued(struct arguments *arguments, const char *name, const char *value)
{
    const int64_t most_retries = 100;
    struct capture_options *options = &arguments->options;
    struct slice text = slice_of(value);
    if (strcmp(name, "--from") == 0) {
        arguments->from = value;
        return true;
    }
    if (strcmp(name, "--every") == 0)
        return capture_duration_parse(text, &options->every_ms);
    if (strcmp(name, "--timeout") == 0)
        return capture_duration_parse(text, &options->timeout_ms);
    if (strcmp(name, "--retries") == 0)
        return num_parse_i64(text, &options->retries) && options->retries >= 0 && options->retries <= most_retries;
    return num_parse_i64(text, &options->max_bytes) && options->max_bytes > 0;
}

/* False when the arguments are wrong, which was said. */
static bool parse(int argc, char **argv, struct arguments *arguments)
{
    struct capture_options *options = &arguments->options;
    for (int i = 1; i < argc; i++) {
        const char *value = NULL;
        const char *name = take_valued(argc, argv, &i, &value);
        if (name) {
            if (!set_valued(arguments, name, value)) {
                cli_fail("capture", "%s cannot be \"%s\"; nof0ctl capture --help", name, value);
                return false;
            }
        } else if (strcmp(argv[i], "--verbose") == 0) {
            options->verbose = true;
        } else if (strcmp(argv[i], "--ingest") == 0) {
            arguments->ingest = true;
        } else if (argv[i][0] == '-' || options->dir) {
            cli_fail("capture", "\"%s\" is not understood; nof0ctl capture --help", argv[i]);
            return false;
        } else {
            options->dir = argv[i];
        }
    }
    if (!arguments->from || !options->dir)
        cli_fail("capture", "say from where and into which folder; nof0ctl capture --help");
    return arguments->from && options->dir;
}

/* From now on SIGINT and SIGTERM make the returned descriptor readable instead of ending the process; -1 when the
 * system does not let us. *old receives the mask before. */
static int catch_stop(sigset_t *old)
{
    sigset_t stop;
    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGINT);
    (void)sigaddset(&stop, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &stop, old);
    return signalfd(-1, &stop, SFD_CLOEXEC);
}

static int switched_off(void)
{
    return cli_fail("capture", "switch.capture is off; nof0ctl flags says who did that and why");
}

static int run(struct switch_watch *watch, struct capture_options *options)
{
    sigset_t old;
    struct err err = ERR_INIT;
    if (!switch_watch_look(watch))
        return switched_off();
    /* A single capture is simply ended by a signal: nothing in the folder is ever half written. */
    if (options->every_ms) {
        options->stop_fd = catch_stop(&old);
        if (options->stop_fd < 0)
            return cli_fail("capture", "cannot wait for signals: %s", strerror(errno));
        (void)setvbuf(options->out, NULL, _IOLBF, 0);
        if (!switch_watch_start(watch, &err))
            return cli_fail("capture", "%s", err.text);
    }
    enum capture_result result = capture_run(options);
    if (options->every_ms) {
        struct signalfd_siginfo taken;
        (void)!read(options->stop_fd, &taken, result == CAPTURE_FAILED ? 0 : sizeof taken);
        (void)close(options->stop_fd);
        (void)sigprocmask(SIG_SETMASK, &old, NULL);
    }
    if (!switch_watch_is_on(watch))
        return switched_off();
    switch (result) {
    case CAPTURE_DONE:
        return CLI_OK;
    case CAPTURE_TROUBLE:
        return CLI_FOUND;
    case CAPTURE_FAILED:
        break;
    }
    return CLI_FAILED;
}

/* A capture may run for months and imports seldom: each time with a connection of its own. */
static void committed(void *arg, const char *endpoint, int64_t version)
{
    struct import_news *news = arg;
    news->failed = false;
    import_news_committed(news, endpoint, version);
    import_news_end(news);
}

/* The same with the database of the settings. */
static int run_fed(struct cli_context *context, struct switch_watch *watch, struct capture_options *options)
{
    const struct settings *settings = cli_settings(context);
    const char *dsn = cli_postgres_dsn(context);
    if (!dsn)
        return CLI_FAILED;
    struct import_news news = {.settings = settings};
    const struct capture_feed_options feed_options = {
        .dsn = dsn,
        .dir = options->dir,
        .prices_provider = settings->prices_provider,
        .problems = options->problems,
        .committed = committed,
        .committed_arg = &news,
    };
    struct err err = ERR_INIT;
    options->feed = capture_feed_open(&feed_options, &err);
    int code = options->feed ? run(watch, options) : cli_fail("capture", "%s", err.text);
    capture_feed_close(options->feed);
    return code;
}

int cmd_capture(struct cli_context *context, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            (void)fputs(usage, stdout);
            return CLI_OK;
        }
    }
    struct arguments arguments = {.options = {
                                      .timeout_ms = 10000,
                                      .max_bytes = INT64_C(1) << 30,
                                      .retries = 4,
                                      .stop_fd = -1,
                                      .out = stdout,
                                      .problems = stderr,
                                  }};
    struct capture_site site;
    struct err err = ERR_INIT;
    if (!parse(argc, argv, &arguments))
        return CLI_FAILED;
    const struct settings *settings = cli_settings(context);
    if (!settings)
        return CLI_FAILED;
    if (!capture_site_parse(&site, arguments.from, &err))
        return cli_fail("capture", "%s", err.text);
    arguments.options.site = &site;
    struct switch_watch *watch = switch_watch_new(settings, FLAG_SWITCH_CAPTURE, &err);
    int code = !watch             ? cli_fail("capture", "%s", err.text)
               : arguments.ingest ? run_fed(context, watch, &arguments.options)
                                  : run(watch, &arguments.options);
    switch_watch_free(watch);
    capture_site_free(&site);
    return code;
}
