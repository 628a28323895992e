#include "cli/rollout_command.h"

#include "base/log.h"
#include "cli/rollout_run.h"
#include "cli/rollout_time.h"
#include "cli/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char command[] = "flags plan";

/* clang-format off */
static const char usage[] =
    "usage: nof0ctl flags plan FILE [--once | --dry-run] [--interval TIME] [--format text|json]\n"
    "       [--resume ENDPOINT|all ... --reason TEXT]\n"
    "\n"
    "Takes endpoints from legacy files to rows over the steps of a rollout plan (docs/rollout.md, etc/rollout.yaml): each\n"
    "step waits until the one before soaked and was compared without a difference. Where it stands follows from the flags\n"
    "and their log: the same command goes on after a kill, on another machine too, and may run twice. SIGINT and SIGTERM\n"
    "end it at once; flags stay as they are. The flag switch.rollout pauses all plans.\n"
    "\n"
    "  --once           make the steps that are due, print how things stand, end\n"
    "  --dry-run        only say what would be done\n"
    "  --interval TIME  how often to look (1s)\n"
    "  --resume WHICH   go on with an endpoint that is stopped or held, one step before where it stands; all: with all\n"
    "  --reason TEXT    why, for the log of flags\n"
    "  --format FORMAT  text: a live table on a terminal, else a line for each event; json: an object for each event\n"
    "\n"
    "Exit codes: 0 all endpoints arrived, 1 some are stopped or held, 2 could not run, 3 (--once, --dry-run, a signal)\n"
    "some are on their way.\n";
/* clang-format on */

struct arguments {
    const char *file;
    struct rollout_run_options run;
    bool json;
};

static bool take_format(struct arguments *arguments, const char *value)
{
    arguments->json = strcmp(value, "json") == 0;
    return arguments->json || strcmp(value, "text") == 0;
}

static bool take_interval(struct arguments *arguments, const char *value)
{
    enum { LEAST_MS = 10, MOST_MS = 3600000 };
    int64_t *ms = &arguments->run.interval_ms;
    return rollout_time_parse(slice_of(value), ms) && *ms >= LEAST_MS && *ms <= MOST_MS;
}

static bool take_resume(struct arguments *arguments, const char *value)
{
    enum flag flag = rollout_flag_find(slice_of(value));
    bool all = strcmp(value, "all") == 0;
    for (enum flag i = 0; i < FLAG_COUNT; i++)
        arguments->run.resume[i] = arguments->run.resume[i] || (all && flag_kind(i) == FLAG_KIND_READ) || i == flag;
    return all || flag != FLAG_COUNT;
}

static bool take_reason(struct arguments *arguments, const char *value)
{
    arguments->run.reason = value;
    return *value != '\0';
}

static const struct option {
    const char *name;
    bool (*take)(struct arguments *arguments, const char *value);
} options[] = {
    {"--format", take_format}, {"--interval", take_interval}, {"--resume", take_resume}, {"--reason", take_reason}};

/* False when the argument at *at is no option with a value, or is wrong, which was said in *wrong. */
static bool take_option(int argc, char **argv, int *at, struct arguments *arguments, bool *wrong)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        size_t n = strlen(options[i].name);
        if (strncmp(argv[*at], options[i].name, n) != 0 || (argv[*at][n] != '=' && argv[*at][n] != '\0'))
            continue;
        const char *value = argv[*at][n] == '=' ? argv[*at] + n + 1 : *at + 1 < argc ? argv[++*at] : NULL;
        *wrong = !value || !options[i].take(arguments, value);
        if (*wrong)
            cli_fail(command, "%s cannot be \"%s\"; nof0ctl flags plan --help", options[i].name, value ? value : "");
        return !*wrong;
    }
    return false;
}

/* False when the arguments are wrong, which was said. */
static bool parse(int argc, char **argv, struct arguments *arguments)
{
    for (int i = 1; i < argc; i++) {
        bool wrong = false;
        if (take_option(argc, argv, &i, arguments, &wrong))
            continue;
        if (wrong)
            return false;
        if (strcmp(argv[i], "--once") == 0) {
            arguments->run.once = true;
        } else if (strcmp(argv[i], "--dry-run") == 0) {
            arguments->run.dry = true;
        } else if (argv[i][0] == '-' || arguments->file) {
            cli_fail(command, "\"%s\" is not understood; nof0ctl flags plan --help", argv[i]);
            return false;
        } else {
            arguments->file = argv[i];
        }
    }
    bool resumes = false;
    for (size_t i = 0; i < FLAG_COUNT; i++)
        resumes = resumes || arguments->run.resume[i];
    const char *what = !arguments->file                            ? "say which plan"
                       : arguments->run.once && arguments->run.dry ? "--once and --dry-run exclude each other"
                       : resumes && arguments->run.dry             ? "--resume and --dry-run exclude each other"
                       : resumes && !arguments->run.reason         ? "--resume needs a --reason"
                       : !resumes && arguments->run.reason != NULL ? "--reason belongs to --resume"
                                                                   : NULL;
    if (what)
        cli_fail(command, "%s; nof0ctl flags plan --help", what);
    return !what;
}

/* False when there are faults, which were printed. */
static bool load_plan(const struct settings *settings, const char *path, struct rollout_plan *plan)
{
    struct buf faults = BUF_INIT;
    bool good = rollout_plan_load(path, plan, &faults) &&
                rollout_plan_fits_guard(plan, path, settings->flags_guard_comparisons, &faults);
    (void)fwrite(faults.data, 1, faults.len, stderr);
    buf_free(&faults);
    return good;
}

static int run(struct arguments *arguments)
{
    bool terminal = isatty(STDOUT_FILENO) && !arguments->run.once && !arguments->run.dry;
    const struct rollout_view_options view_options = {
        .format = arguments->json ? ROLLOUT_JSON
                  : terminal      ? ROLLOUT_TABLE
                                  : ROLLOUT_LINES,
        .color = terminal_has_color(),
        .width = terminal_width(),
        .out = stdout,
    };
    struct err err = ERR_INIT;
    arguments->run.view = rollout_view_new(&view_options);
    int code = rollout_run(&arguments->run, &err);
    rollout_view_free(arguments->run.view);
    return code == CLI_FAILED ? cli_fail(command, "%s", err.text) : code;
}

int cmd_flags_plan(struct cli_context *context, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            (void)fputs(usage, stdout);
            return CLI_OK;
        }
    }
    struct arguments arguments = {.run = {.interval_ms = ROLLOUT_INTERVAL_MS}};
    struct rollout_plan plan;
    if (!parse(argc, argv, &arguments))
        return CLI_FAILED;
    arguments.run.settings = cli_settings(context);
    if (!arguments.run.settings || !load_plan(arguments.run.settings, arguments.file, &plan) ||
        !cli_postgres_dsn(context))
        return CLI_FAILED;
    log_setup(STDERR_FILENO, LOG_ERROR, arguments.run.settings->log_format);
    arguments.run.plan = &plan;
    arguments.run.stop_fd = terminal_catch_stop();
    if (arguments.run.stop_fd < 0)
        return cli_fail(command, "cannot wait for signals: %s", strerror(errno));
    int code = run(&arguments);
    (void)close(arguments.run.stop_fd);
    return code;
}
