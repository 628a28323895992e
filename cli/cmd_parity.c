#include "cli/cmd_parity.h"

#include "base/log.h"
#include "cli/parity_arguments.h"
#include "cli/parity_render.h"
#include "cli/parity_show.h"
#include "cli/parity_watch.h"
#include "cli/terminal.h"
#include "server/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* clang-format off */
static const char usage[] =
    "usage: nof0ctl parity [ENDPOINT...] [--left SOURCE] [--right SOURCE] [--model ID] [--sample N|P%]\n"
    "       [--max-diffs N] [--confirm N] [--pause MS] [--watch TIME] [--format table|json|junit|markdown]\n"
    "       [--color auto|always|never] [--no-store]\n"
    "       nof0ctl parity show [ENDPOINT...]\n"
    "\n"
    "Compares what two sources say of the endpoints (all, unless some are named), by meaning. A difference counts when\n"
    "it is still there, with the same values, when both sides are read again after a pause (docs/parity.md).\n"
    "\n"
    "  --left, --right SOURCE  what is expected (default: legacy), and what is held against it (default: repo):\n"
    "                            legacy  the files of legacy.dir\n"
    "                            repo    the database of postgres.dsn\n"
    "                            URL     a server of this API (http://127.0.0.1:8888, https://host/path/api)\n"
    "                            DIR     a folder of legacy files, of nof0ctl capture or export too\n"
    "  --model ID              only the rows of this model; crypto_prices has none\n"
    "  --sample N|P%           only N rows of each document, or P percent: always the same ones\n"
    "  --max-diffs N           how many differences of each endpoint are shown (20)\n"
    "  --confirm N             how often a difference must be seen again (2); 0: never. Two folders are read once\n"
    "  --pause MS              before each further look (legacy.write_delay_ms + legacy.poll_ms + 500)\n"
    "  --watch TIME            again and again (500ms, 10s, 1m), until SIGINT or SIGTERM\n"
    "  --format FORMAT         json, junit (XML) or markdown instead of a table\n"
    "  --color WHEN            auto (the default): on a terminal, unless NO_COLOR is set\n"
    "  --no-store              do not keep the result of legacy against repo in the table parity_runs\n"
    "\n"
    "nof0ctl parity show prints what nof0d itself found to differ (nof0ctl parity show --help).\n"
    "\n"
    "Exit codes: 0 equal, 1 different, 2 something could not be compared, whatever else was found.\n";
/* clang-format on */

/* The result is kept unless the user says no; that it could not be is told and changes nothing else. */
static void keep(void *arg, const struct parity_check *check)
{
    const struct parity_arguments *arguments = arg;
    struct err err = ERR_INIT;
    if (!arguments->no_store && !parity_check_store(check, &err))
        (void)cli_fail("parity", "the result is not in parity_runs: %s", err.text);
}

static int once(struct parity_check *check, struct parity_arguments *arguments, const struct parity_style *style)
{
    static void (*const put[])(struct buf * out, const struct parity_result *result,
                               const struct parity_style *style) = {
        [PARITY_TABLE] = parity_put_table,
        [PARITY_JSON] = parity_put_json,
        [PARITY_JUNIT] = parity_put_junit,
        [PARITY_MARKDOWN] = parity_put_markdown,
    };
    const struct parity_result *result = parity_check_run(check);
    if (!result)
        return CLI_FAILED;
    keep(arguments, check);
    struct buf page = BUF_INIT;
    put[arguments->format](&page, result, style);
    (void)fwrite(page.data, 1, page.len, stdout);
    buf_free(&page);
    return parity_result_code(result);
}

static int watch(struct parity_check *check, struct parity_arguments *arguments, const struct parity_style *style)
{
    const struct parity_watch_options options = {
        .every_ms = arguments->watch_ms,
        .stop_fd = arguments->check.stop_fd,
        .json = arguments->format == PARITY_JSON,
        .redraw = isatty(STDOUT_FILENO),
        .style = *style,
        .out = stdout,
        .checked = keep,
        .arg = arguments,
    };
    return parity_watch(check, &options);
}

static bool wants_color(enum parity_color color)
{
    return color == PARITY_COLOR_AUTO ? terminal_has_color() : color == PARITY_COLOR_ALWAYS;
}

int cmd_parity(struct cli_context *context, int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "show") == 0)
        return cmd_parity_show(context, argc - 1, argv + 1);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            (void)fputs(usage, stdout);
            return CLI_OK;
        }
    }
    struct parity_arguments arguments;
    struct err err = ERR_INIT;
    if (!parity_arguments_parse(argc, argv, &arguments, &err))
        return cli_fail("parity", "%s; nof0ctl parity --help", err.text);
    arguments.check.settings = cli_settings(context);
    if (!arguments.check.settings)
        return CLI_FAILED;
    /* What the log would say of a Postgres that is away stands in the result. */
    log_setup(STDERR_FILENO, LOG_ERROR, arguments.check.settings->log_format);
    /* A single check is simply ended by a signal; it changes nothing. */
    if (arguments.watch_ms && (arguments.check.stop_fd = terminal_catch_stop()) < 0)
        return cli_fail("parity", "cannot wait for signals: %s", strerror(errno));
    struct parity_check *check = parity_check_open(&arguments.check, &err);
    if (!check)
        return cli_fail("parity", "%s", err.text);
    const struct parity_style style = {
        .max_diffs = arguments.max_diffs, .width = terminal_width(), .color = wants_color(arguments.color)};
    int code = arguments.watch_ms ? watch(check, &arguments, &style) : once(check, &arguments, &style);
    parity_check_close(check);
    return code;
}
