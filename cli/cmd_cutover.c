#include "cli/cmd_cutover.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/num.h"
#include "cli/parity_render.h"
#include "cli/parity_text.h"
#include "cli/rollout_run.h"
#include "cli/rollout_stations.h"
#include "cli/rollout_time.h"
#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char command[] = "cutover";

/* clang-format off */
static const char usage[] =
    "usage: nof0ctl cutover ENDPOINT [--to shadow|canary:N|repo] [--soak TIME] [--comparisons N] [--interval TIME]\n"
    "       [--yes] [--resume --reason TEXT]\n"
    "       nof0ctl cutover ENDPOINT --to retire [--soak TIME]\n"
    "       nof0ctl cutover --status\n"
    "\n"
    "Walks one endpoint from legacy files to rows, and says at each station what it verified (docs/rollout.md): a parity\n"
    "check, shadow, canary:5, canary:25, repo. It may be killed and called again at any time; it goes on from where the\n"
    "endpoint stands. Retire changes nothing: it says what must hold before the endpoint's files may go.\n"
    "\n"
    "  --to VALUE       how far (repo)\n"
    "  --soak TIME      least time in each station (10m); of retire: in repo (24h)\n"
    "  --comparisons N  so many without a difference before the next station (flags.guard_comparisons)\n"
    "  --interval TIME  how often to look (1s)\n"
    "  --yes            do not ask before each change; without a terminal nobody can be asked\n"
    "  --resume         go on although the endpoint is stopped or somebody else changed it, one station back; needs a\n"
    "  --reason TEXT    for the log of flags\n"
    "  --status         where each endpoint stands, and what is missing for its next station\n"
    "\n"
    "Exit codes: 0 it is there (nothing is missing), 1 stopped, held or different (something is missing), 2 could not run,\n"
    "3 ended on the way.\n";
/* clang-format on */

enum { SOAK_MS = 600000, RETIRE_SOAK_MS = 24 * 3600 * 1000, PATIENCE_MS = 10000, US_PER_MS = 1000 };

struct arguments {
    enum flag flag; /* FLAG_COUNT: none is named */
    struct flag_value to;
    bool retire, status, yes, resume;
    int64_t soak_ms;     /* -1: not said */
    int64_t comparisons; /* -1: not said */
    int64_t interval_ms;
    const char *reason;
};

/* --- Arguments --- */

static bool take_to(struct arguments *arguments, const char *value)
{
    arguments->retire = strcmp(value, "retire") == 0;
    return arguments->retire || (flag_value_parse(FLAG_READ_TRADES, slice_of(value), &arguments->to, NULL) &&
                                 arguments->to.mode != FLAG_LEGACY);
}

static bool take_soak(struct arguments *arguments, const char *value)
{
    return rollout_time_parse(slice_of(value), &arguments->soak_ms);
}

static bool take_comparisons(struct arguments *arguments, const char *value)
{
    const int64_t most = 1000000000;
    int64_t *count = &arguments->comparisons;
    return num_parse_i64(slice_of(value), count) && *count >= 0 && *count <= most;
}

static bool take_interval(struct arguments *arguments, const char *value)
{
    const int64_t least_ms = 10;
    return rollout_time_parse(slice_of(value), &arguments->interval_ms) && arguments->interval_ms >= least_ms;
}

static bool take_reason(struct arguments *arguments, const char *value)
{
    arguments->reason = value;
    return *value != '\0';
}

static const struct option {
    const char *name;
    bool (*take)(struct arguments *arguments, const char *value);
} options[] = {{"--to", take_to},
               {"--soak", take_soak},
               {"--comparisons", take_comparisons},
               {"--interval", take_interval},
               {"--reason", take_reason}};

static const struct option *option_of(const char *word)
{
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        size_t n = strlen(options[i].name);
        if (strncmp(word, options[i].name, n) == 0 && (word[n] == '=' || word[n] == '\0'))
            return &options[i];
    }
    return NULL;
}

static bool take_word(struct arguments *arguments, const char *word)
{
    if (strcmp(word, "--yes") == 0)
        return arguments->yes = true;
    if (strcmp(word, "--resume") == 0)
        return arguments->resume = true;
    if (strcmp(word, "--status") == 0)
        return arguments->status = true;
    if (word[0] == '-' || arguments->flag != FLAG_COUNT)
        return false;
    arguments->flag = rollout_flag_find(slice_of(word));
    return arguments->flag != FLAG_COUNT;
}

/* What is wrong with the arguments as a whole, or NULL. */
static const char *contradiction(const struct arguments *arguments)
{
    bool walks = !arguments->status && !arguments->retire;
    if (arguments->status != (arguments->flag == FLAG_COUNT))
        return arguments->status ? "--status is of all endpoints" : "say which endpoint, or --status";
    if (arguments->resume != (arguments->reason != NULL))
        return "--resume and --reason belong together";
    if (arguments->resume && !walks)
        return "--resume is for the way to repo";
    if (walks && !arguments->yes && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
        return "there is no terminal on which to ask: say --yes";
    return NULL;
}

/* False when the arguments are wrong, which was said. */
static bool parse(int argc, char **argv, struct arguments *arguments)
{
    for (int i = 1; i < argc; i++) {
        const struct option *option = option_of(argv[i]);
        if (!option) {
            if (take_word(arguments, argv[i]))
                continue;
            cli_fail(command, "\"%s\" is not understood; nof0ctl cutover --help", argv[i]);
            return false;
        }
        const char *value = strchr(argv[i], '=');
        value = value ? value + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (!value || !option->take(arguments, value)) {
            cli_fail(command, "%s cannot be \"%s\"; nof0ctl cutover --help", option->name, value ? value : "");
            return false;
        }
    }
    const char *what = contradiction(arguments);
    if (what)
        cli_fail(command, "%s; nof0ctl cutover --help", what);
    return !what;
}

static void print(const struct buf *text)
{
    (void)fwrite(text->data, 1, text->len, stdout);
    (void)fflush(stdout);
}

/* --- What a walk sees before it begins --- */

struct place {
    struct session *session;
    const struct settings *settings;
    struct rollout_plan plan;
    struct rollout_look look;
    struct rollout_position positions[FLAG_COUNT];
};

static bool place_open(struct place *place, const struct settings *settings, const struct rollout_plan *plan,
                       struct err *err)
{
    struct flag_overrides overrides;
    place->settings = settings;
    place->plan = *plan;
    if (!flag_overrides_read(environ, &overrides, err))
        return false;
    place->session = session_open_within(settings->postgres_dsn, PATIENCE_MS, err);
    if (!place->session || !rollout_look(place->session, settings, &overrides, plan, &place->look, err))
        return false;
    rollout_judge(plan, place->look.sights, place->look.now_us, place->positions);
    return true;
}

/* "read.trades is canary:5 since 2025-10-26T04:19:12.829Z (10m 3s), by plan:x: step 2 of 4: ...". */
static void put_where_it_stands(struct buf *out, const struct place *place, size_t at)
{
    const struct rollout_sight *sight = &place->look.sights[at];
    char time[CLOCK_ISO_SIZE];
    buf_printf(out, "%s is ", flag_name(place->plan.tracks[at].flag));
    flag_value_put(out, place->plan.tracks[at].flag, sight->value);
    if (sight->since_us) {
        buf_printf(out, " since %s (", clock_format_iso(time, sight->since_us / US_PER_MS));
        rollout_time_put(out, place->look.now_us - sight->since_us);
        buf_append_str(out, "), by ");
        parity_text_put(out, slice_of(sight->by));
        buf_append_str(out, ": ");
        parity_text_put(out, slice_of(sight->why));
        buf_append_char(out, '\n');
    } else {
        buf_append_str(out, " by the configuration, and was never changed\n");
    }
}

/* --- --status and retire --- */

/* The value that a walk to repo would take next. */
static bool next_value(const struct place *place, size_t at, struct flag_value *next)
{
    const struct rollout_track *track = &place->plan.tracks[at];
    for (size_t i = 0; i < track->step_count; i++) {
        *next = track->steps[i].to;
        if (rollout_rank(*next) > rollout_rank(place->look.sights[at].value))
            return true;
    }
    return false;
}

static bool put_status_of(struct buf *out, struct place *place, size_t at, struct err *err)
{
    struct rollout_items items;
    struct flag_value next;
    put_where_it_stands(out, place, at);
    if (next_value(place, at, &next)) {
        if (!rollout_check_next(place->session, place->settings, &place->plan, &place->look, at, next, &items, err))
            return false;
        buf_append_str(out, "  next: ");
        flag_value_put(out, place->plan.tracks[at].flag, next);
        buf_append_char(out, '\n');
    } else {
        if (!rollout_check_retirement(place->session, place->settings, &place->plan, &place->look, at, RETIRE_SOAK_MS,
                                      &items, err))
            return false;
        buf_append_str(out, "  next: retire\n");
    }
    rollout_put_items(out, &items);
    return true;
}

static int status(struct place *place, struct err *err)
{
    struct buf out = BUF_INIT;
    int code = CLI_OK;
    for (size_t i = 0; code == CLI_OK && i < place->plan.track_count; i++) {
        if (!put_status_of(&out, place, i, err))
            code = CLI_FAILED;
    }
    if (code == CLI_OK)
        print(&out);
    buf_free(&out);
    return code;
}

/* Whether anything still needs the folder of legacy files. */
static bool put_end_of_the_folder(struct buf *out, struct place *place, int64_t age_ms, struct err *err)
{
    size_t open = 0;
    struct buf names = BUF_INIT;
    bool good = true;
    for (size_t i = 0; good && i < place->plan.track_count; i++) {
        struct rollout_items items;
        good = rollout_check_retirement(place->session, place->settings, &place->plan, &place->look, i, age_ms, &items,
                                        err);
        if (good && items.missing)
            buf_printf(&names, "%s%s", open++ ? ", " : "", rollout_flag_name(place->plan.tracks[i].flag));
    }
    if (good && open)
        buf_printf(out, "\nlegacy.dir is still needed: %s\n", buf_cstr(&names));
    else if (good)
        buf_append_str(out, "\nEvery endpoint is ready: nof0d runs without legacy.dir. To remove it:\n"
                            "  1. keep what there is: nof0ctl export DIR\n"
                            "  2. set legacy.dir to \"\" in each configuration, and reload each nof0d (SIGHUP)\n"
                            "  3. nof0ctl cutover --status, /readyz and the log (no flags.no_source) must be fine\n"
                            "  4. remove the folder\n");
    buf_free(&names);
    return good;
}

/* "trades.json", from "keep trades.json". */
static const char *files_of(enum flag read)
{
    const char *about = flag_about(rollout_dual_write(read));
    return strncmp(about, "keep ", 5) == 0 ? about + 5 : about;
}

static int retire(struct place *all, enum flag flag, int64_t age_ms, struct err *err)
{
    struct buf out = BUF_INIT;
    struct rollout_items items;
    size_t at = 0;
    while (all->plan.tracks[at].flag != flag)
        at++;
    put_where_it_stands(&out, all, at);
    bool good = rollout_check_retirement(all->session, all->settings, &all->plan, &all->look, at, age_ms, &items, err);
    if (good) {
        rollout_put_items(&out, &items);
        if (items.missing)
            buf_printf(&out, "%s must stay\n", files_of(flag));
        else
            buf_printf(&out, "%s may go\n", files_of(flag));
        good = put_end_of_the_folder(&out, all, age_ms, err);
    }
    if (good)
        print(&out);
    buf_free(&out);
    return !good ? CLI_FAILED : items.missing ? CLI_FOUND : CLI_OK;
}

/* --- The walk --- */

struct walk {
    bool yes;
    int stop_fd;
};

static const char *what_it_means(struct flag_value value)
{
    switch (value.mode) {
    case FLAG_SHADOW:
        return "files answer; rows are compared with them off the clients' way";
    case FLAG_CANARY:
        return "rows answer so many percent of the clients, files the others; both are compared";
    case FLAG_REPO:
        return "rows answer everybody";
    case FLAG_LEGACY:
        break;
    }
    return "files answer";
}

/* A yes on the terminal; a signal is a no. */
static bool asked(const struct walk *walk)
{
    char answer[16] = "";
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = walk->stop_fd, .events = POLLIN}};
    int n;
    do {
        n = poll(fds, sizeof fds / sizeof fds[0], -1);
    } while (n < 0 && errno == EINTR);
    if (fds[1].revents || !fgets(answer, sizeof answer, stdin))
        return false;
    return strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0;
}

static bool confirm(void *arg, const struct rollout_track *track, const struct rollout_sight *sight,
                    const struct rollout_position *position)
{
    struct walk *walk = arg;
    struct buf text = BUF_INIT;
    buf_printf(&text, "\n%s: ", rollout_flag_name(track->flag));
    flag_value_put(&text, track->flag, sight->value);
    buf_append_str(&text, " -> ");
    flag_value_put(&text, track->flag, position->to);
    buf_printf(&text, ": %s\n  verified: ", what_it_means(position->to));
    if (sight->value.mode == FLAG_LEGACY)
        buf_append_str(&text, "files and rows say the same in the check above");
    else
        rollout_put_reason(&text, track, sight, position);
    buf_append_char(&text, '\n');
    if (!walk->yes)
        buf_append_str(&text, "go on? [y/N] ");
    print(&text);
    buf_free(&text);
    return walk->yes || asked(walk);
}

/* The first station: the two must say the same now. CLI_OK when they do; else the code to end with. */
static int check(const struct settings *settings, enum flag flag, int stop_fd)
{
    struct parity_check_options check_options = {.settings = settings,
                                                 .left = "legacy",
                                                 .right = "repo",
                                                 .keep = 20,
                                                 .confirm = PARITY_CONFIRM_DEFAULT,
                                                 .pause_ms = PARITY_PAUSE_BY_SETTINGS,
                                                 .stop_fd = stop_fd};
    const struct parity_style style = {.max_diffs = 20, .width = terminal_width(), .color = terminal_has_color()};
    struct err err = ERR_INIT;
    struct buf out = BUF_INIT;
    for (size_t i = 0; i < READ_KIND_COUNT; i++)
        check_options.endpoints[i] = endpoints[i].flag == flag;
    struct parity_check *parity = parity_check_open(&check_options, &err);
    if (!parity)
        return cli_fail(command, "the check cannot begin: %s", err.text);
    const struct parity_result *result = parity_check_run(parity);
    int code = result ? parity_result_code(result) : ROLLOUT_UNDER_WAY;
    if (result) {
        parity_put_table(&out, result, &style);
        print(&out);
        if (!parity_check_store(parity, &err))
            (void)cli_fail(command, "the check is not in parity_runs: %s", err.text);
    }
    parity_check_close(parity);
    buf_free(&out);
    return code;
}

static int walk_on(const struct arguments *arguments, const struct settings *settings, const struct rollout_plan *plan,
                   int stop_fd, struct err *err)
{
    struct walk walk = {.yes = arguments->yes, .stop_fd = stop_fd};
    const struct rollout_view_options view_options = {
        .format = ROLLOUT_LINES, .color = terminal_has_color(), .width = terminal_width(), .out = stdout};
    struct rollout_run_options run = {.settings = settings,
                                      .plan = plan,
                                      .view = rollout_view_new(&view_options),
                                      .stop_fd = stop_fd,
                                      .interval_ms = arguments->interval_ms,
                                      .reason = arguments->reason,
                                      .confirm = confirm,
                                      .arg = &walk};
    run.resume[arguments->flag] = arguments->resume;
    int code = rollout_run(&run, err);
    rollout_view_free(run.view);
    return code;
}

static int walk(const struct arguments *arguments, struct place *place, struct err *err)
{
    const struct rollout_sight *sight = &place->look.sights[0];
    enum rollout_state state = place->positions[0].state;
    struct buf out = BUF_INIT;
    put_where_it_stands(&out, place, 0);
    print(&out);
    buf_free(&out);
    if (rollout_is_over(state) && state != ROLLOUT_ARRIVED && !arguments->resume) {
        (void)fputs(state == ROLLOUT_HELD ? "it is held: somebody else changed it on its way; --resume goes on\n"
                                          : "it is stopped by a difference; --resume goes on, one station back\n",
                    stdout);
        return CLI_FOUND;
    }
    int stop_fd = terminal_catch_stop();
    if (stop_fd < 0)
        return cli_fail(command, "cannot wait for signals: %s", strerror(errno));
    session_close(place->session); /* the walk may take days */
    place->session = NULL;
    int code = CLI_OK;
    /* Where clients read rows already the servers compare; before that a whole look at both sides is due. */
    if (sight->value.mode == FLAG_LEGACY || sight->value.mode == FLAG_SHADOW)
        code = check(place->settings, arguments->flag, stop_fd);
    if (code == CLI_OK)
        code = walk_on(arguments, place->settings, &place->plan, stop_fd, err);
    (void)close(stop_fd);
    return code;
}

int cmd_cutover(struct cli_context *context, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            (void)fputs(usage, stdout);
            return CLI_OK;
        }
    }
    struct arguments arguments = {.flag = FLAG_COUNT,
                                  .to = {.mode = FLAG_REPO},
                                  .soak_ms = -1,
                                  .comparisons = -1,
                                  .interval_ms = ROLLOUT_INTERVAL_MS};
    if (!parse(argc, argv, &arguments))
        return CLI_FAILED;
    const struct settings *settings = cli_settings(context);
    if (!settings || !cli_postgres_dsn(context))
        return CLI_FAILED;
    log_setup(STDERR_FILENO, LOG_ERROR, settings->log_format);
    bool all = arguments.status || arguments.retire;
    const struct rollout_plan plan = rollout_cutover_plan(
        all ? FLAG_COUNT : arguments.flag, arguments.to, arguments.soak_ms < 0 ? SOAK_MS : arguments.soak_ms,
        arguments.comparisons < 0 ? settings->flags_guard_comparisons : arguments.comparisons);
    struct place *place = mem_zalloc(sizeof *place);
    struct err err = ERR_INIT;
    int code = CLI_FAILED;
    if (place_open(place, settings, &plan, &err))
        code = arguments.status ? status(place, &err)
               : arguments.retire
                   ? retire(place, arguments.flag, arguments.soak_ms < 0 ? RETIRE_SOAK_MS : arguments.soak_ms, &err)
                   : walk(&arguments, place, &err);
    if (code == CLI_FAILED && err.code != ERR_NONE)
        (void)cli_fail(command, "%s", err.text);
    session_close(place->session);
    free(place);
    return code;
}
