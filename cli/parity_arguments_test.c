#include "base/testing.h"
#include "cli/parity_arguments.h"

#include <stdio.h>

enum { WORDS = 12, WORD_SIZE = 64 };

/* Parses words that blanks separate. */
static bool parse(const char *line, struct parity_arguments *arguments, struct err *err)
{
    static char words[WORDS][WORD_SIZE];
    static char *argv[WORDS + 1];
    int argc = 0;
    (void)snprintf(words[argc], WORD_SIZE, "parity");
    argv[argc] = words[argc];
    argc++;
    while (*line) {
        size_t n = strcspn(line, " ");
        assert_true(argc < WORDS && n < WORD_SIZE);
        memcpy(words[argc], line, n);
        words[argc][n] = '\0';
        argv[argc] = words[argc];
        argc++;
        line += n + (line[n] == ' ');
    }
    argv[argc] = NULL;
    return parity_arguments_parse(argc, argv, arguments, err);
}

static void must(const char *line, struct parity_arguments *arguments)
{
    struct err err = ERR_INIT;
    if (!parse(line, arguments, &err))
        fail_msg("%s: %s", line, err.text);
}

static unsigned endpoints_of(const struct parity_arguments *arguments)
{
    unsigned set = 0;
    for (unsigned i = 0; i < READ_KIND_COUNT; i++)
        set |= arguments->check.endpoints[i] ? 1U << i : 0;
    return set;
}

static void defaults(void **state)
{
    (void)state;
    struct parity_arguments arguments;
    must("", &arguments);
    assert_string_equal(arguments.check.left, "legacy");
    assert_string_equal(arguments.check.right, "repo");
    assert_int_equal(endpoints_of(&arguments), (1U << READ_KIND_COUNT) - 1);
    assert_null(arguments.check.model);
    assert_int_equal(arguments.check.sample.kind, PARITY_SAMPLE_ALL);
    assert_int_equal(arguments.check.confirm, PARITY_CONFIRM_DEFAULT);
    assert_int_equal(arguments.check.pause_ms, PARITY_PAUSE_BY_SETTINGS);
    assert_int_equal(arguments.check.stop_fd, -1);
    assert_int_equal(arguments.max_diffs, 20);
    assert_int_equal(arguments.format, PARITY_TABLE);
    assert_int_equal(arguments.color, PARITY_COLOR_AUTO);
    assert_int_equal(arguments.watch_ms, 0);
    assert_false(arguments.no_store);
}

static void endpoints_by_any_of_their_names(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        unsigned set;
    } cases[] = {
        {"trades", 1U << READ_TRADES},
        {"account_totals", 1U << READ_ACCOUNT_TOTALS},
        {"account-totals", 1U << READ_ACCOUNT_TOTALS},
        {"since_inception", 1U << READ_SINCE_INCEPTION},
        {"since-inception-values", 1U << READ_SINCE_INCEPTION},
        {"analytics_all", 1U << READ_ANALYTICS_ALL},
        {"analytics-one", 1U << READ_ANALYTICS_ONE},
        {"analytics", 1U << READ_ANALYTICS_ALL | 1U << READ_ANALYTICS_ONE},
        {"trades trades leaderboard", 1U << READ_TRADES | 1U << READ_LEADERBOARD},
        {"--model grok-4", ((1U << READ_KIND_COUNT) - 1) & ~(1U << READ_CRYPTO_PRICES)},
        {"trades --model grok-4", 1U << READ_TRADES},
        {"crypto-prices --sample 3", 1U << READ_CRYPTO_PRICES},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct parity_arguments arguments;
        must(cases[i].line, &arguments);
        if (endpoints_of(&arguments) != cases[i].set)
            fail_msg("%s: %x", cases[i].line, endpoints_of(&arguments));
    }
}

static void options(void **state)
{
    (void)state;
    struct parity_arguments arguments;
    must("--left http://a:1 --right=/tmp/x --model=m --sample 12 --max-diffs=0 --no-store", &arguments);
    assert_string_equal(arguments.check.left, "http://a:1");
    assert_string_equal(arguments.check.right, "/tmp/x");
    assert_string_equal(arguments.check.model, "m");
    assert_int_equal(arguments.check.sample.kind, PARITY_SAMPLE_ROWS);
    assert_int_equal(arguments.check.sample.rows, 12);
    assert_int_equal(arguments.max_diffs, 0);
    assert_true(arguments.no_store);
    must("--confirm 0 --pause 250 --watch 10s --format json --color always", &arguments);
    assert_int_equal(arguments.check.confirm, 0);
    assert_int_equal(arguments.check.pause_ms, 250);
    assert_int_equal(arguments.watch_ms, 10000);
    assert_int_equal(arguments.format, PARITY_JSON);
    assert_int_equal(arguments.color, PARITY_COLOR_ALWAYS);
    must("--pause 2s --sample 2.5% --format markdown --color never", &arguments);
    assert_int_equal(arguments.check.pause_ms, 2000);
    assert_int_equal(arguments.check.sample.kind, PARITY_SAMPLE_SHARE);
    assert_true(arguments.check.sample.share > 0.0249 && arguments.check.sample.share < 0.0251);
    assert_int_equal(arguments.format, PARITY_MARKDOWN);
    assert_int_equal(arguments.color, PARITY_COLOR_NEVER);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *said;
    } cases[] = {
        {"trade", "there is no endpoint \"trade\"; there are account_totals, "},
        {"tradesx", "\"tradesx\""},
        {"trades/", "\"trades/\""},
        {"--nonsense", "\"--nonsense\" is not understood"},
        {"--leftx a", "\"--leftx\" is not understood"},
        {"-", "\"-\" is not understood"},
        {"--left", "--left needs a value"},
        {"--left=", "--left cannot be \"\""},
        {"--model=", "--model cannot be \"\""},
        {"--sample 0", "--sample cannot be \"0\""},
        {"--sample -1", "--sample cannot be \"-1\""},
        {"--sample 0%", "\"0%\""},
        {"--sample 100%", "\"100%\""},
        {"--sample %", "\"%\""},
        {"--sample nan%", "\"nan%\""},
        {"--sample 1.5", "\"1.5\""},
        {"--max-diffs -1", "\"-1\""},
        {"--max-diffs 1000001", "\"1000001\""},
        {"--confirm 101", "\"101\""},
        {"--confirm x", "\"x\""},
        {"--pause -1", "\"-1\""},
        {"--pause 1d", "\"1d\""},
        {"--watch 10", "\"10\""},
        {"--watch 0s", "\"0s\""},
        {"--format xml", "\"xml\""},
        {"--color yes", "\"yes\""},
        {"--watch 1s --format junit", "--watch prints a table or JSON"},
        {"--format markdown --watch 1s", "--watch prints a table or JSON"},
        {"crypto_prices --model m", "the rows of crypto_prices are of no model"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct parity_arguments arguments;
        struct err err = ERR_INIT;
        if (parse(cases[i].line, &arguments, &err))
            fail_msg("%s was taken", cases[i].line);
        assert_int_equal(err.code, ERR_INVALID);
        if (!strstr(err.text, cases[i].said))
            fail_msg("%s: %s", cases[i].line, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(endpoints_by_any_of_their_names),
        cmocka_unit_test(options),
        cmocka_unit_test(what_makes_no_sense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
