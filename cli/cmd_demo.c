#include "cli/cmd_demo.h"

#include "base/num.h"
#include "cli/demo_files.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

static const char usage[] =
    "usage: nof0ctl demo [--models N] [--hours N] [--trades N] [--seed S] DIR\n"
    "\n"
    "Writes a folder of legacy JSON files from a simulated trading arena. The same arguments give the same bytes.\n"
    "\n"
    "  --models N   models beside the benchmark, 1 to 1000 (default 6)\n"
    "  --hours N    hours of trading, 1 to 100000 (default 240)\n"
    "  --trades N   trades closed in all, about; 0 to 30 per model and hour (default 200 for 6 models and 240 hours,\n"
    "               and as many more as models and hours are more)\n"
    "  --seed S     another seed, another market (default 1)\n"
    "\n"
    "DIR is made when it is not there; files of the same names are replaced.\n";

static bool parse_number(const char *option, const char *text, int64_t least, int64_t most, int64_t *value)
{
    if (num_parse_i64(slice_of(text), value) && *value >= least && *value <= most)
        return true;
    (void)cli_fail("demo", "--%s is \"%s\", not a whole number from %" PRId64 " to %" PRId64, option, text, least,
                   most);
    return false;
}

/* Returns an exit code, or -1 to go on. */
static int parse_options(int argc, char **argv, struct demo_options *options, const char **dir)
{
    static const struct option names[] = {
        {"models", required_argument, NULL, 'm'}, {"hours", required_argument, NULL, 'h'},
        {"trades", required_argument, NULL, 't'}, {"seed", required_argument, NULL, 's'},
        {"help", no_argument, NULL, '?' + 128},   {NULL, 0, NULL, 0},
    };
    int64_t seed = (int64_t)options->seed;
    bool good = true;
    opterr = 0;
    optind = 0; /* glibc: start over, since the program's own options were parsed before */
    for (int option; good && (option = getopt_long(argc, argv, ":", names, NULL)) != -1;) {
        switch (option) {
        case 'm':
            good = parse_number("models", optarg, 1, DEMO_MODELS_MAX, &options->models);
            break;
        case 'h':
            good = parse_number("hours", optarg, 1, DEMO_HOURS_MAX, &options->hours);
            break;
        case 't':
            good = parse_number("trades", optarg, 0, INT64_C(1000000000), &options->trades);
            break;
        case 's':
            good = parse_number("seed", optarg, 0, INT64_MAX, &seed);
            break;
        case '?' + 128:
            (void)fputs(usage, stdout);
            return CLI_OK;
        case ':':
            return cli_fail("demo", "%s needs a value", argv[optind - 1]);
        default:
            return cli_fail("demo", "%s is no option; see nof0ctl demo --help", argv[optind - 1]);
        }
    }
    if (!good)
        return CLI_FAILED;
    if (optind != argc - 1)
        return cli_fail("demo", optind == argc ? "which folder? see nof0ctl demo --help" : "only one folder, please");
    options->seed = (uint64_t)seed;
    *dir = argv[optind];
    if (options->trades < 0)
        options->trades = options->models * options->hours * 200 / (INT64_C(6) * 240);
    int64_t most = options->models * options->hours * DEMO_TRADES_PER_MODEL_HOUR_MAX;
    if (options->trades > most)
        return cli_fail("demo", "--trades is %" PRId64 "; so many models and hours have room for %" PRId64,
                        options->trades, most);
    return -1;
}

int cmd_demo(struct cli_context *context, int argc, char **argv)
{
    struct demo_options options = {.models = 6, .hours = 240, .trades = -1, .seed = 1};
    struct demo_written written;
    struct err err = ERR_INIT;
    const char *dir = NULL;
    (void)context;
    int code = parse_options(argc, argv, &options, &dir);
    if (code >= 0)
        return code;
    if (!demo_write_folder(dir, &options, &written, &err))
        return cli_fail("demo", "%s", err.text);
    printf("%s: %" PRId64 " files, %" PRIu64 " bytes: %" PRId64 " models and the benchmark, %" PRId64 " hours, %" PRId64
           " trades, %" PRId64 " account rows, seed %" PRIu64 "\n",
           dir, written.files, written.bytes, options.models, options.hours, written.trades, written.rows,
           options.seed);
    return CLI_OK;
}
