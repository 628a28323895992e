#include "cli/cmd_flags.h"

#include "cli/flags_arguments.h"
#include "cli/flags_change.h"
#include "cli/flags_render.h"
#include "cli/flags_watch.h"
#include "cli/rollout_command.h"
#include "cli/terminal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
static const char usage[] =
    "usage: nof0ctl flags list [--format table|json]\n"
    "       nof0ctl flags get NAME [--format value|json]\n"
    "       nof0ctl flags set NAME VALUE --reason TEXT [--actor WHO] [--if-version N] [--force]\n"
    "       nof0ctl flags unset NAME --reason TEXT [--actor WHO] [--if-version N] [--force]\n"
    "       nof0ctl flags history [NAME] [--limit N] [--format table|json]\n"
    "       nof0ctl flags watch [--after ID] [--format table|json]\n"
    "       nof0ctl flags plan FILE ...   (nof0ctl flags plan --help)\n"
    "\n"
    "The flags of postgres.dsn, which every nof0d with that database goes by within a second (docs/flags.md). A value\n"
    "is the configuration's until it is stored; a variable like NOF0_FLAG_READ_TRADES wins over both, in the processes\n"
    "that have it.\n"
    "\n"
    "  list     every flag: its value by this configuration and environment, where it comes from, who changed it last,\n"
    "           and the comparisons of endpoints that rows do not answer yet\n"
    "  get      the value alone\n"
    "  set      stores a value: legacy, shadow, canary:N (percent) or repo for read.*, on or off for the others\n"
    "  unset    back to the configuration's value\n"
    "  history  changes, newest first\n"
    "  watch    each change as it happens, until SIGINT or SIGTERM\n"
    "\n"
    "  --reason TEXT    why, for the log\n"
    "  --actor WHO      who, for the log (default: user@host)\n"
    "  --if-version N   only if the flag's version is N; 0: if it was never changed\n"
    "  --force          without the comparisons that flags.guard_comparisons and flags.guard_age_s ask for before rows\n"
    "                   answer more clients; the log says so\n"
    "  --limit N        how many changes (20)\n"
    "  --after ID       first those that came after this change, then go on\n"
    "  --format FORMAT  json: one document, of watch an object a line\n"
    "\n"
    "Exit codes: 0 fine, 1 refused (too few comparisons, another version), 2 wrong arguments or could not run.\n";
/* clang-format on */

enum { PATIENCE_MS = 10000 };

static void write_out(const struct buf *page)
{
    (void)fwrite(page->data, 1, page->len, stdout);
}

/* list and get; without a store flags are configuration and environment. */
static int show(const struct settings *settings, struct session *session, const struct flags_arguments *arguments)
{
    struct flags_state state;
    struct err err = ERR_INIT;
    struct buf page = BUF_INIT;
    enum flag flag = arguments->flag;
    bool good = flags_state_load(settings, session, flag, &state, &err);
    if (good && flag == FLAG_COUNT) {
        (arguments->json ? flags_put_json : flags_put_table)(&page, &state);
    } else if (good && arguments->json) {
        flags_put_flag_json(&page, &state, flag);
    } else if (good) {
        flag_value_put(&page, flag, state.view.set.states[flag].value);
        buf_append_char(&page, '\n');
    }
    if (good)
        flags_warn_of_environment(&state.view.overrides, flag);
    write_out(&page);
    buf_free(&page);
    flags_state_free(&state);
    return good ? CLI_OK : cli_fail("flags", "%s", err.text);
}

static bool add_logged(void *arg, const struct flag_logged *logged)
{
    flags_log_add(arg, logged);
    return true;
}

static int show_history(struct session *session, const struct flags_arguments *arguments)
{
    struct err err = ERR_INIT;
    struct flags_log *log = flags_log_new(arguments->json);
    bool good = flag_store_history(session, arguments->flag, 0, arguments->limit, add_logged, log, &err);
    if (good) {
        struct buf page = BUF_INIT;
        flags_log_put(&page, log);
        write_out(&page);
        buf_free(&page);
    }
    flags_log_free(log);
    return good ? CLI_OK : cli_fail("flags", "%s", err.text);
}

static int watch(const struct settings *settings, const struct flags_arguments *arguments)
{
    const struct flags_watch_options options = {.settings = settings,
                                                .after = arguments->after,
                                                .json = arguments->json,
                                                .stop_fd = terminal_catch_stop(),
                                                .out = stdout};
    if (options.stop_fd < 0)
        return cli_fail("flags", "cannot wait for signals: %s", strerror(errno));
    return flags_watch(&options);
}

static int run(struct cli_context *context, const struct flags_arguments *arguments)
{
    struct err err = ERR_INIT;
    const struct settings *settings = cli_settings(context);
    bool shows = arguments->action == FLAGS_LIST || arguments->action == FLAGS_GET;
    if (!settings)
        return CLI_FAILED;
    if (shows && !*settings->postgres_dsn)
        return show(settings, NULL, arguments);
    const char *dsn = cli_postgres_dsn(context);
    if (!dsn)
        return CLI_FAILED;
    if (arguments->action == FLAGS_WATCH)
        return watch(settings, arguments);
    struct session *session = session_open_within(dsn, PATIENCE_MS, &err);
    if (!session)
        return cli_fail("flags", "Postgres: %s", err.text);
    int code = shows                                ? show(settings, session, arguments)
               : arguments->action == FLAGS_HISTORY ? show_history(session, arguments)
                                                    : flags_change(settings, session, arguments);
    session_close(session);
    return code;
}

int cmd_flags(struct cli_context *context, int argc, char **argv)
{
    struct flags_arguments arguments;
    struct err err = ERR_INIT;
    if (argc > 1 && strcmp(argv[1], "plan") == 0)
        return cmd_flags_plan(context, argc - 1, argv + 1);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            (void)fputs(usage, stdout);
            return CLI_OK;
        }
    }
    if (!flags_arguments_parse(argc, argv, &arguments, &err))
        return cli_fail("flags", "%s; nof0ctl flags --help", err.text);
    return run(context, &arguments);
}
