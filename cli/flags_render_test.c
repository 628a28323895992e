/* What nof0ctl flags prints: of states made up here, and of one that a database gives. */
#include "base/testing.h"
#include "cli/flags_render.h"
#include "repo/session_testing.h"

#include <cJSON.h>
#include <inttypes.h>
#include <stdlib.h>

static int set_up(void **state)
{
    return session_testing_start(state, "flagsview", true);
}

/* The line of the table that begins with the flag's name, or "head". */
static struct slice line_of(struct slice table, const char *begin)
{
    size_t n = strlen(begin);
    for (size_t at = 0; at < table.n;) {
        const char *end = memchr(table.p + at, '\n', table.n - at);
        assert_non_null(end);
        struct slice line = {table.p + at, (size_t)(end - table.p) - at};
        if (line.n > n && memcmp(line.p, begin, n) == 0 && line.p[n] == ' ')
            return line;
        at += line.n + 1;
    }
    fail_msg("no line of %s", begin);
    return (struct slice){NULL, 0};
}

static void line_is(struct slice table, const char *begin, const char *expected)
{
    struct slice line = line_of(table, begin);
    if (!slice_is(line, expected))
        fail_msg("\"%.*s\"", SLICE_ARG(line));
}

static struct flags_state *fresh(void)
{
    static struct flags_state state;
    state = (struct flags_state){.needed = 1000};
    for (unsigned i = 0; i < FLAG_COUNT; i++)
        state.view.defaults[i] = (struct flag_value){.mode = FLAG_LEGACY, .on = false};
    flag_resolve(state.view.defaults, NULL, NULL, &state.view.set);
    return &state;
}

static void columns_that_say_nothing_are_left_out(void **state)
{
    (void)state;
    struct flags_state *shown = fresh();
    struct buf out = BUF_INIT;
    flags_put_table(&out, shown);
    line_is(buf_slice(&out), "flag", "flag                        value   from    default");
    line_is(buf_slice(&out), "read.trades", "read.trades                 legacy  config  legacy");
    line_is(buf_slice(&out), "switch.stream", "switch.stream               off     config  off");
    buf_free(&out);
}

static void everything_that_is_known_stands_there(void **state)
{
    (void)state;
    struct flags_state *shown = fresh();
    struct buf out = BUF_INIT;
    struct flag_store_rows *rows = &shown->view.rows;
    rows->version = 12;
    rows->flags[FLAG_READ_TRADES] =
        (struct flag_stored){.set = true, .value = {.mode = FLAG_CANARY, .share = 25}, .version = 12};
    rows->flags[FLAG_READ_POSITIONS] = (struct flag_stored){.set = false, .version = 7};
    shown->view.overrides.present[FLAG_READ_TRADES] = true;
    shown->view.overrides.values[FLAG_READ_TRADES] = (struct flag_value){.mode = FLAG_SHADOW};
    flag_resolve(shown->view.defaults, rows, &shown->view.overrides, &shown->view.set);
    shown->changed[FLAG_READ_TRADES] = (struct flag_logged){.id = 12,
                                                            .flag = FLAG_READ_TRADES,
                                                            .to = SLICE("canary:0.25"),
                                                            .origin = SLICE("operator"),
                                                            .actor = SLICE("ann \xe2\x80\xae@h"),
                                                            .reason = SLICE("r"),
                                                            .at_us = INT64_C(1761452352829123)};
    shown->parity[FLAG_READ_TRADES] = (struct flags_parity){
        .count = 1, .endpoints = {"trades"}, .green = {{.comparisons = 1204, .since_us = INT64_C(1761452000000000)}}};
    shown->parity[FLAG_READ_ANALYTICS] =
        (struct flags_parity){.count = 2,
                              .endpoints = {"analytics_all", "analytics_one"},
                              .green = {{.comparisons = 2000},
                                        {.comparisons = 9, .mismatches = 1, .mismatch_us = INT64_C(1761452352829000)}}};
    flags_put_table(&out, shown);
    line_is(
        buf_slice(&out), "flag",
        "flag                        value   from         default  stored       environment  version  changed        "
        "           by            parity");
    line_is(buf_slice(&out), "read.trades",
            "read.trades                 shadow  environment  legacy   canary:0.25  shadow       12       "
            "2025-10-26T04:19:12.829Z  ann \\u202e@h  1204 green since 2025-10-26T04:13:20.000Z");
    line_is(buf_slice(&out), "read.positions",
            "read.positions              legacy  config       legacy                             7");
    assert_non_null(
        strstr(buf_cstr(&out), "analytics_one: 9 of 1000 green, last difference 2025-10-26T04:19:12.829Z\n"));
    buf_clear(&out);

    flags_put_json(&out, shown);
    cJSON *tree = cJSON_Parse(buf_cstr(&out));
    assert_int_equal(cJSON_GetObjectItem(tree, "version")->valueint, 12);
    const cJSON *flags = cJSON_GetObjectItem(tree, "flags");
    assert_int_equal(cJSON_GetArraySize(flags), FLAG_COUNT);
    const cJSON *trades = cJSON_GetArrayItem(flags, FLAG_READ_TRADES);
    assert_string_equal(cJSON_GetObjectItem(trades, "name")->valuestring, "read.trades");
    assert_string_equal(cJSON_GetObjectItem(trades, "value")->valuestring, "shadow");
    assert_string_equal(cJSON_GetObjectItem(trades, "source")->valuestring, "environment");
    assert_string_equal(cJSON_GetObjectItem(trades, "stored")->valuestring, "canary:0.25");
    const cJSON *changed = cJSON_GetObjectItem(trades, "changed");
    assert_string_equal(cJSON_GetObjectItem(changed, "at")->valuestring, "2025-10-26T04:19:12.829Z");
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(changed, "from")));
    const cJSON *parity = cJSON_GetArrayItem(cJSON_GetObjectItem(trades, "parity"), 0);
    assert_string_equal(cJSON_GetObjectItem(parity, "endpoint")->valuestring, "trades");
    assert_int_equal(cJSON_GetObjectItem(parity, "comparisons")->valueint, 1204);
    assert_int_equal(cJSON_GetObjectItem(parity, "needed")->valueint, 1000);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(parity, "last_mismatch")));
    const cJSON *positions = cJSON_GetArrayItem(flags, FLAG_READ_POSITIONS);
    assert_true(cJSON_IsNull(cJSON_GetObjectItem(positions, "changed")));
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(positions, "parity")), 0);
    cJSON_Delete(tree);
    buf_free(&out);
}

static void the_log_as_table_and_lines(void **state)
{
    (void)state;
    static const struct flag_logged logged[] = {
        {.id = 12,
         .flag = FLAG_READ_TRADES,
         .from = {"legacy", 6},
         .to = {NULL, 0},
         .origin = {"operator", 8},
         .actor = {"ann", 3},
         .reason = {"why not", 7},
         .at_us = INT64_C(1761452352829123)},
        {.id = 9,
         .flag = FLAG_SWITCH_STREAM,
         .to = {"off", 3},
         .origin = {"plan", 4},
         .actor = {"\x1b]0;x\x07", 6},
         .reason = {"\xf0\x9f\x8e\xb2 \"quoted\"", 13},
         .forced = true,
         .at_us = 0},
    };
    struct buf out = BUF_INIT;
    for (size_t as_json = 0; as_json < 2; as_json++) {
        struct flags_log *log = flags_log_new(as_json != 0);
        for (size_t i = 0; i < 2; i++)
            flags_log_add(log, &logged[i]);
        flags_log_put(&out, log);
        flags_log_free(log);
    }
    for (size_t i = 0; i < 2; i++)
        flags_put_change(&out, &logged[i], false);
    flags_put_change(&out, &logged[1], true);
    assert_string_equal(
        buf_cstr(&out),
        "id  at                        flag           from      to        by                origin    forced  reason\n"
        "12  2025-10-26T04:19:12.829Z  read.trades    legacy    (config)  ann               operator          why not\n"
        "9   1970-01-01T00:00:00.000Z  switch.stream  (config)  off       \\u001b]0;x\\u0007  plan      forced  "
        "\xf0\x9f\x8e\xb2 \"quoted\"\n"
        "{\"changes\":[{\"id\":12,\"flag\":\"read.trades\",\"from\":\"legacy\",\"to\":null,\"origin\":\"operator\","
        "\"actor\":\"ann\",\"reason\":\"why not\",\"forced\":false,\"at\":\"2025-10-26T04:19:12.829Z\"},"
        "{\"id\":9,\"flag\":\"switch.stream\",\"from\":null,\"to\":\"off\",\"origin\":\"plan\","
        "\"actor\":\"\\u001b]0;x\\u0007\",\"reason\":\"\xf0\x9f\x8e\xb2 \\\"quoted\\\"\",\"forced\":true,"
        "\"at\":\"1970-01-01T00:00:00.000Z\"}]}\n"
        "2025-10-26T04:19:12.829Z  read.trades  legacy -> (config), by ann: why not\n"
        "1970-01-01T00:00:00.000Z  switch.stream  (config) -> off, forced, by \\u001b]0;x\\u0007 (plan): "
        "\xf0\x9f\x8e\xb2 \"quoted\"\n"
        "{\"id\":9,\"flag\":\"switch.stream\",\"from\":null,\"to\":\"off\",\"origin\":\"plan\","
        "\"actor\":\"\\u001b]0;x\\u0007\",\"reason\":\"\xf0\x9f\x8e\xb2 \\\"quoted\\\"\",\"forced\":true,"
        "\"at\":\"1970-01-01T00:00:00.000Z\"}\n");
    buf_free(&out);
}

static void a_state_is_read_whole(void **state)
{
    struct session *session = session_testing_of(state);
    struct settings *settings = settings_default();
    struct flags_state shown;
    struct err err = ERR_INIT;
    session_testing_must(
        session,
        "INSERT INTO feature_flag_changes (name, from_value, to_value, origin, actor, reason, forced) VALUES"
        " ('read.trades', NULL, 'shadow', 'operator', 'old', 'r', false),"
        " ('read.trades', 'shadow', 'canary:5', 'plan', 'new', 'because', true);"
        "INSERT INTO feature_flags (name, value, version) VALUES ('read.trades', 'canary:5', 2);"
        "INSERT INTO parity_runs (endpoint, origin, instance, left_source, right_source, started_at, ended_at,"
        " comparisons, mismatches, unsettled, failures, shed) VALUES ('trades', 'shadow', 't', 'legacy', 'repo',"
        " now() - interval '9 s', now(), 31, 0, 0, 0, 0)");
    for (unsigned i = 0; i < 2; i++) {
        if (!flags_state_load(settings, session, i ? FLAG_READ_TRADES : FLAG_COUNT, &shown, &err))
            fail_msg("%s", err.text);
        assert_int_equal(shown.view.set.states[FLAG_READ_TRADES].value.share, 500);
        const struct flag_logged *changed = &shown.changed[FLAG_READ_TRADES];
        assert_int_equal(changed->id, 2);
        assert_true(slice_is(changed->from, "shadow") && slice_is(changed->to, "canary:5") &&
                    slice_is(changed->actor, "new") && slice_is(changed->reason, "because") && changed->forced);
        assert_int_equal(shown.changed[FLAG_READ_POSITIONS].id, 0);
        assert_int_equal(shown.parity[FLAG_READ_TRADES].count, 1);
        assert_int_equal(shown.parity[FLAG_READ_TRADES].green[0].comparisons, 31);
        assert_int_equal(shown.parity[FLAG_READ_POSITIONS].count, 0); /* rows answer by the default */
        flags_state_free(&shown);
    }
    settings_free(settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_that_say_nothing_are_left_out),
        cmocka_unit_test(everything_that_is_known_stands_there),
        cmocka_unit_test(the_log_as_table_and_lines),
        cmocka_unit_test(a_state_is_read_whole),
    };
    return cmocka_run_group_tests(tests, set_up, session_testing_stop);
}
