#include "base/testing.h"
#include "cli/flags_arguments.h"

#include <stdio.h>

enum { WORDS = 16, WORD_SIZE = 64 };

/* Parses words that "|" separates, so that a word may be empty or hold blanks. */
static bool parse(const char *line, struct flags_arguments *arguments, struct err *err)
{
    static char words[WORDS][WORD_SIZE];
    static char *argv[WORDS + 1];
    int argc = 0;
    (void)snprintf(words[argc], WORD_SIZE, "flags");
    argv[argc] = words[argc];
    argc++;
    while (line) {
        size_t n = strcspn(line, "|");
        assert_true(argc < WORDS && n < WORD_SIZE);
        memcpy(words[argc], line, n);
        words[argc][n] = '\0';
        argv[argc] = words[argc];
        argc++;
        line = line[n] ? line + n + 1 : NULL;
    }
    argv[argc] = NULL;
    return flags_arguments_parse(argc, argv, arguments, err);
}

static struct flags_arguments must(const char *line)
{
    struct flags_arguments arguments;
    struct err err = ERR_INIT;
    if (!parse(line, &arguments, &err))
        fail_msg("%s: %s", line, err.text);
    return arguments;
}

static void what_is_understood(void **state)
{
    (void)state;
    struct flags_arguments got = must("list");
    assert_int_equal(got.action, FLAGS_LIST);
    assert_int_equal(got.flag, FLAG_COUNT);
    assert_false(got.json);
    assert_true(must("list|--format|json").json && must("watch|--format=json").json);
    assert_false(must("history|--format=table").json || must("get|read.trades|--format=value").json);

    got = must("get|read.trades");
    assert_int_equal(got.action, FLAGS_GET);
    assert_int_equal(got.flag, FLAG_READ_TRADES);

    got = must("set|--reason|first clients|read.trades|--force|canary:0.5|--if-version=7|--actor|ann");
    assert_int_equal(got.action, FLAGS_SET);
    assert_int_equal(got.flag, FLAG_READ_TRADES);
    assert_int_equal(got.value.mode, FLAG_CANARY);
    assert_int_equal(got.value.share, 50);
    assert_string_equal(got.reason, "first clients");
    assert_string_equal(got.actor, "ann");
    assert_int_equal(got.if_version, 7);
    assert_true(got.force);

    got = must("set|switch.stream|off|--reason=--force");
    assert_false(got.value.on || got.force);
    assert_string_equal(got.reason, "--force");
    assert_null(got.actor);
    assert_int_equal(got.if_version, FLAG_VERSION_ANY);
    assert_int_equal(must("unset|switch.stream|--reason|r|--if-version|0").if_version, 0);

    got = must("history");
    assert_int_equal(got.flag, FLAG_COUNT);
    assert_int_equal(got.limit, 20);
    got = must("history|dual_write.trades|--limit|100000");
    assert_int_equal(got.flag, FLAG_DUAL_WRITE_TRADES);
    assert_int_equal(got.limit, 100000);

    assert_int_equal(must("watch").after, FLAGS_AFTER_NOW);
    assert_int_equal(must("watch|--after|0").after, 0);
    assert_int_equal(must("watch|--after=9223372036854775807").after, INT64_MAX);
}

static void what_is_not(void **state)
{
    (void)state;
    static const struct {
        const char *line, *said;
    } cases[] = {
        {"", "list, get, set, unset, history or watch"},
        {"put", "list, get, set, unset, history or watch"},
        {"list|read.trades", "list does not understand \"read.trades\""},
        {"list|--reason|r", "list does not understand \"--reason\""},
        {"list|--format", "--format needs a value"},
        {"list|--format|xml", "--format cannot be \"xml\""},
        {"list|--format|value", "--format cannot be"},
        {"list|--formatjson", "does not understand"},
        {"list|--force", "does not understand"},
        {"get", "get needs a flag's name"},
        {"get|read.trade", "there is no flag \"read.trade\", only read.account_totals "},
        {"get|", "there is no flag \"\""},
        {"get|READ.TRADES", "there is no flag"},
        {"get|read.trades|read.positions", "does not understand \"read.positions\""},
        {"get|read.trades|--format|table", "--format cannot be"},
        {"set|read.trades|repo", "set needs a reason: --reason TEXT"},
        {"set|read.trades|repo|--reason|", "--reason cannot be \"\""},
        {"set|read.trades|--reason|r", "set needs a value"},
        {"set|--reason|r", "set needs a flag's name"},
        {"set|repo|read.trades|--reason|r", "there is no flag \"repo\""},
        {"set|read.trades|canary|--reason|r", "\"canary\" is no value: legacy, shadow, canary:N"},
        {"set|read.trades|canary:0|--reason|r", "is no value"},
        {"set|switch.stream|repo|--reason|r", "on or off"},
        {"set|read.trades|repo|shadow|--reason|r", "does not understand \"shadow\""},
        {"set|read.trades|repo|--reason|r|--if-version|-1", "--if-version cannot be \"-1\""},
        {"set|read.trades|repo|--reason|r|--if-version|v1", "--if-version cannot be"},
        {"set|read.trades|repo|--reason|r|--actor|", "--actor cannot be"},
        {"set|read.trades|repo|--reason|r|--limit|3", "set does not understand \"--limit\""},
        {"unset|read.trades|legacy|--reason|r", "unset does not understand \"legacy\""},
        {"unset|read.trades", "unset needs a reason"},
        {"history|--limit|0", "--limit cannot be \"0\""},
        {"history|--limit|100001", "--limit cannot be"},
        {"history|nothing", "there is no flag \"nothing\""},
        {"watch|read.trades", "does not understand"},
        {"watch|--after|-1", "--after cannot be"},
        {"watch|--after|now", "--after cannot be"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct flags_arguments arguments;
        struct err err = ERR_INIT;
        if (parse(cases[i].line, &arguments, &err))
            fail_msg("%s is understood", cases[i].line);
        assert_int_equal(err.code, ERR_INVALID);
        if (!strstr(err.text, cases[i].said))
            fail_msg("%s: %s", cases[i].line, err.text);
    }
}

static void every_name_is_named(void **state)
{
    (void)state;
    struct flags_arguments arguments;
    struct err err = ERR_INIT;
    assert_false(parse("get|a name that is much longer than any name of a flag", &arguments, &err));
    for (unsigned i = 0; i < FLAG_COUNT; i++)
        assert_non_null(strstr(err.text, flag_name((enum flag)i)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_understood),
        cmocka_unit_test(what_is_not),
        cmocka_unit_test(every_name_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
