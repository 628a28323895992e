#include "cli/parity_arguments.h"

#include "base/num.h"
#include "cli/parity_rows.h"
#include "ingest/capture_time.h"

enum { MAX_DIFFS = 20, MAX_DIFFS_MOST = 1000000 };

/* --- Endpoints --- */

/* Whether an endpoint is called so: by its name ("account_totals", "account-totals") or as its file and path are
 * ("since-inception-values"). */
static bool is_called(const struct endpoint *endpoint, const char *word)
{
    const char *name = endpoint->name;
    while (*name && (*name == *word || (*name == '_' && *word == '-'))) {
        name++;
        word++;
    }
    return !*name && !*word;
}

bool parity_endpoints_take(const char *word, bool wanted[READ_KIND_COUNT], struct err *err)
{
    bool found = false;
    for (size_t i = 0; i < READ_KIND_COUNT; i++) {
        const char *captured = capture_kinds[parity_rows_places[i].captured].name;
        bool analytics = strcmp(word, "analytics") == 0 && (i == READ_ANALYTICS_ALL || i == READ_ANALYTICS_ONE);
        if (!is_called(&endpoints[i], word) && !(captured && strcmp(captured, word) == 0) && !analytics)
            continue;
        wanted[i] = true;
        found = true;
    }
    if (found)
        return true;
    struct buf names = BUF_INIT;
    for (size_t i = 0; i < READ_KIND_COUNT; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", endpoints[i].name);
    err_set(err, ERR_INVALID, "there is no endpoint \"%s\"; there are %s", word, buf_cstr(&names));
    buf_free(&names);
    return false;
}

/* --- Options --- */

static bool set_text(const char **text, const char *value)
{
    *text = value;
    return *value != '\0';
}

static bool set_left(struct parity_arguments *arguments, const char *value)
{
    return set_text(&arguments->check.left, value);
}

static bool set_right(struct parity_arguments *arguments, const char *value)
{
    return set_text(&arguments->check.right, value);
}

static bool set_model(struct parity_arguments *arguments, const char *value)
{
    return set_text(&arguments->check.model, value);
}

/* "100" rows or "5%" of them. */
static bool set_sample(struct parity_arguments *arguments, const char *value)
{
    const double percent = 100;
    struct slice text = slice_of(value);
    struct parity_sample *sample = &arguments->check.sample;
    if (text.n && text.p[text.n - 1] == '%') {
        double share;
        if (!num_parse_double((struct slice){text.p, text.n - 1}, &share) || !(share > 0 && share < percent))
            return false;
        *sample = (struct parity_sample){.kind = PARITY_SAMPLE_SHARE, .share = share / percent};
        return true;
    }
    int64_t rows;
    if (!num_parse_i64(text, &rows) || rows < 1)
        return false;
    *sample = (struct parity_sample){.kind = PARITY_SAMPLE_ROWS, .rows = (uint64_t)rows};
    return true;
}

static bool set_max_diffs(struct parity_arguments *arguments, const char *value)
{
    int64_t count;
    if (!num_parse_i64(slice_of(value), &count) || count < 0 || count > MAX_DIFFS_MOST)
        return false;
    arguments->max_diffs = (size_t)count;
    return true;
}

static bool set_watch(struct parity_arguments *arguments, const char *value)
{
    return capture_duration_parse(slice_of(value), &arguments->watch_ms);
}

static bool set_confirm(struct parity_arguments *arguments, const char *value)
{
    int64_t *confirm = &arguments->check.confirm;
    return num_parse_i64(slice_of(value), confirm) && *confirm >= 0 && *confirm <= PARITY_CONFIRM_MAX;
}

/* Milliseconds, or a time with its unit. */
static bool set_pause(struct parity_arguments *arguments, const char *value)
{
    int64_t *pause = &arguments->check.pause_ms;
    if (num_parse_i64(slice_of(value), pause))
        return *pause >= 0 && *pause <= CAPTURE_DURATION_MAX_MS;
    return capture_duration_parse(slice_of(value), pause);
}

static bool choose(const char *value, const char *const *names, int *chosen)
{
    for (int i = 0; names[i]; i++) {
        *chosen = i;
        if (strcmp(names[i], value) == 0)
            return true;
    }
    return false;
}

static bool set_format(struct parity_arguments *arguments, const char *value)
{
    static const char *const names[] = {"table", "json", "junit", "markdown", NULL};
    int chosen;
    bool good = choose(value, names, &chosen);
    arguments->format = (enum parity_format)chosen;
    return good;
}

static bool set_color(struct parity_arguments *arguments, const char *value)
{
    static const char *const names[] = {"auto", "always", "never", NULL};
    int chosen;
    bool good = choose(value, names, &chosen);
    arguments->color = (enum parity_color)chosen;
    return good;
}

static const struct option {
    const char *name;
    bool (*set)(struct parity_arguments *arguments, const char *value);
} options[] = {
    {"--left", set_left},           {"--right", set_right}, {"--model", set_model},     {"--sample", set_sample},
    {"--max-diffs", set_max_diffs}, {"--watch", set_watch}, {"--confirm", set_confirm}, {"--pause", set_pause},
    {"--format", set_format},       {"--color", set_color},
};

/* Takes "--name VALUE" or "--name=VALUE" and moves *at to its last word. */
static bool take_option(int argc, char **argv, int *at, struct parity_arguments *arguments, struct err *err)
{
    const char *word = argv[*at];
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        size_t n = strlen(options[i].name);
        if (strncmp(word, options[i].name, n) != 0 || (word[n] != '=' && word[n] != '\0'))
            continue;
        const char *value = word[n] ? word + n + 1 : *at + 1 < argc ? argv[++*at] : NULL;
        if (!value)
            return err_set(err, ERR_INVALID, "%s needs a value", options[i].name);
        if (!options[i].set(arguments, value))
            return err_set(err, ERR_INVALID, "%s cannot be \"%s\"", options[i].name, value);
        return true;
    }
    return err_set(err, ERR_INVALID, "\"%s\" is not understood", word);
}

/* Without names all endpoints are meant; of one model those whose rows are of models. */
static bool finish(struct parity_arguments *arguments, bool named, struct err *err)
{
    for (size_t i = 0; i < READ_KIND_COUNT; i++) {
        bool possible = !arguments->check.model || parity_rows_have_models((enum read_kind)i);
        if (!named)
            arguments->check.endpoints[i] = possible;
        else if (arguments->check.endpoints[i] && !possible)
            return err_set(err, ERR_INVALID, "the rows of %s are of no model", endpoints[i].name);
    }
    if (arguments->watch_ms && arguments->format != PARITY_TABLE && arguments->format != PARITY_JSON)
        return err_set(err, ERR_INVALID, "--watch prints a table or JSON");
    return true;
}

bool parity_arguments_parse(int argc, char **argv, struct parity_arguments *arguments, struct err *err)
{
    *arguments = (struct parity_arguments){
        .check = {.left = "legacy",
                  .right = "repo",
                  .confirm = PARITY_CONFIRM_DEFAULT,
                  .pause_ms = PARITY_PAUSE_BY_SETTINGS,
                  .stop_fd = -1},
        .max_diffs = MAX_DIFFS,
    };
    bool named = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--no-store") == 0) {
            arguments->no_store = true;
        } else if (argv[i][0] == '-') {
            if (!take_option(argc, argv, &i, arguments, err))
                return false;
        } else {
            if (!parity_endpoints_take(argv[i], arguments->check.endpoints, err))
                return false;
            named = true;
        }
    }
    arguments->check.keep = arguments->max_diffs;
    return finish(arguments, named, err);
}
