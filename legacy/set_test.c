#include "base/clock.h"
#include "legacy/legacy.h"
#include "legacy/testing.h"
#include "legacy/writer.h"

static const struct legacy_file_state *state_of(const struct legacy_set *set, const char *name)
{
    size_t count;
    const struct legacy_file_state *files = legacy_set_files(set, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(files[i].name, name) == 0)
            return &files[i];
    }
    return NULL;
}

/* The leaderboard's answer from a set of one file; version 0 when there is none. */
static struct legacy_answer leaderboard(const struct legacy_set *set, struct err *err)
{
    struct read_query query = {.kind = READ_LEADERBOARD, .limit = READ_NO_LIMIT};
    struct legacy_answer answer = {.version = 0};
    struct buf scratch = BUF_INIT;
    (void)legacy_set_answer(set, &query, &scratch, &answer, err);
    buf_free(&scratch);
    return answer;
}

/* The next set, in the place of the previous one. */
static void reload(const struct folder *folder, struct legacy_set **set)
{
    struct legacy_set *next = legacy_set_load(folder->path, *set);
    legacy_set_unref(*set);
    *set = next;
}

static void an_empty_folder_has_all_files_missing(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    struct legacy_set *set = legacy_set_load(folder.path, NULL);
    size_t count;
    const struct legacy_file_state *files = legacy_set_files(set, &count);
    assert_int_equal(count, 8);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(files[i].state, LEGACY_MISSING);
        assert_true(i == 0 || strcmp(files[i - 1].name, files[i].name) < 0);
    }
    struct err err = ERR_INIT;
    assert_int_equal(leaderboard(set, &err).version, 0);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_string_equal(err.text, "leaderboard.json: the file is missing");
    legacy_set_unref(set);
    folder_free(&folder);

    set = legacy_set_load("/nonexistent/folder", NULL);
    assert_int_equal(state_of(set, "trades.json")->state, LEGACY_MISSING);
    legacy_set_unref(set);
}

static void faults_say_file_line_column_and_path(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *content;
        const char *fault;
    } cases[] = {
        {"trades.json", "", "line 1, column 1: $: the text ends too early"},
        {"trades.json", "[]", "line 1, column 1: $: expected an object"},
        {"trades.json", "{}", "line 1, column 1: $.trades: missing"},
        {"trades.json", "{\"trades\":null}", "line 1, column 11: $.trades: expected an array"},
        {"trades.json", "{\"trades\":{}}", "line 1, column 11: $.trades: expected an array"},
        {"trades.json", "{\n\"trades\":[{},\n 3]}", "line 3, column 2: $.trades[1]: expected an object"},
        {"trades.json", "{\"trades\":[{\"id\":1,\n  \"id\":2}]}",
         "line 2, column 3: $.trades[0].id: key twice in one object"},
        {"trades.json", "{\"trades\":[{\"t\":9007199254740993}]}",
         "line 1, column 17: $.trades[0].t: integer beyond 2^53"},
        {"trades.json", "{\"trades\":[{\"t\":\"\xFF\"}]}", "line 1, column 18: $.trades[0].t: invalid UTF-8"},
        {"crypto-prices.json", "{\"prices\":[]}", "line 1, column 11: $.prices: expected an object"},
        {"crypto-prices.json", "{\"prices\":{\"BTC\":{},\"ETH\":1}}",
         "line 1, column 27: $.prices.ETH: expected an object"},
        {"analytics-m.json", "{\"analytics\":[]}",
         "line 1, column 14: $.analytics: expected an object or an array of one"},
        {"analytics-m.json", "{\"analytics\":[{},{}]}",
         "line 1, column 14: $.analytics: expected an object or an array of one"},
        {"analytics-m.json", "{\"analytics\":[1]}",
         "line 1, column 15: $.analytics: expected an object or an array of one"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct folder folder = folder_new();
        folder_put(&folder, cases[i].name, cases[i].content);
        struct legacy_set *set = legacy_set_load(folder.path, NULL);
        const struct legacy_file_state *file = state_of(set, cases[i].name);
        assert_non_null(file);
        assert_int_equal(file->state, LEGACY_BAD);
        char expected[256];
        (void)snprintf(expected, sizeof expected, "%s: %s", cases[i].name, cases[i].fault);
        assert_string_equal(file->fault, expected);
        assert_int_equal(file->size, strlen(cases[i].content));
        legacy_set_unref(set);
        folder_free(&folder);
    }
}

static void what_is_no_regular_file_is_bad_and_does_not_block(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    char path[256];
    folder_path(&folder, "trades.json", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    struct legacy_set *set = legacy_set_load(folder.path, NULL);
    assert_int_equal(state_of(set, "trades.json")->state, LEGACY_BAD);
    assert_string_equal(state_of(set, "trades.json")->fault, "trades.json: is no regular file");
    legacy_set_unref(set);
    folder_free(&folder);
}

static void the_last_good_version_stays_in_service(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    folder_put(&folder, "leaderboard.json", "{\"leaderboard\":[{\"id\":\"a\"}]}");
    struct legacy_set *set = legacy_set_load(folder.path, NULL);
    struct err err = ERR_INIT;
    struct legacy_answer first = leaderboard(set, &err);
    assert_true(first.version != 0);
    assert_int_equal(state_of(set, "leaderboard.json")->state, LEGACY_GOOD);
    assert_string_equal(state_of(set, "leaderboard.json")->fault, "");

    folder_put(&folder, "leaderboard.json", "{\"leaderboard\":[{\"id\":");
    reload(&folder, &set);
    assert_int_equal(state_of(set, "leaderboard.json")->state, LEGACY_STALE);
    assert_non_null(strstr(state_of(set, "leaderboard.json")->fault, "line 1, column 23"));
    struct legacy_answer stale = leaderboard(set, &err);
    assert_int_equal(stale.version, first.version);
    assert_true(slice_is(stale.json, "{\"leaderboard\":[{\"id\":\"a\"}]"));

    folder_drop(&folder, "leaderboard.json");
    reload(&folder, &set);
    assert_int_equal(state_of(set, "leaderboard.json")->state, LEGACY_STALE);
    assert_int_equal(leaderboard(set, &err).version, first.version);

    /* Back with the same content, spelled otherwise: the same bytes go out, so the version stays. */
    folder_put(&folder, "leaderboard.json", "{ \"leaderboard\" : [ {\"id\":\"\\u0061\"} ] , \"serverTime\":5}");
    reload(&folder, &set);
    assert_int_equal(state_of(set, "leaderboard.json")->state, LEGACY_GOOD);
    assert_int_equal(leaderboard(set, &err).version, first.version);
    assert_int_equal(leaderboard(set, &err).server_time_ms, 5);

    folder_put(&folder, "leaderboard.json", "{\"leaderboard\":[]}");
    reload(&folder, &set);
    assert_true(leaderboard(set, &err).version > first.version);
    legacy_set_unref(set);
    folder_free(&folder);
}

static void a_bad_model_file_falls_back_to_the_list(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    folder_put(&folder, "analytics.json", "{\"analytics\":[{\"model_id\":\"m\",\"n\":1}]}");
    folder_put(&folder, "analytics-m.json", "{\"analytics\":3}");
    struct legacy_set *set = legacy_set_load(folder.path, NULL);
    struct read_query query = {.kind = READ_ANALYTICS_ONE, .model_id = SLICE("m")};
    struct buf scratch = BUF_INIT;
    struct legacy_answer answer;
    struct err err = ERR_INIT;
    assert_true(legacy_set_answer(set, &query, &scratch, &answer, &err));
    assert_true(slice_is(answer.json, "{\"analytics\":{\"model_id\":\"m\",\"n\":1}"));

    folder_drop(&folder, "analytics-m.json");
    reload(&folder, &set);
    assert_null(state_of(set, "analytics-m.json"));

    folder_put(&folder, "analytics-m.json", "{\"analytics\":{\"n\":2}}");
    reload(&folder, &set);
    folder_drop(&folder, "analytics-m.json");
    reload(&folder, &set);
    assert_int_equal(state_of(set, "analytics-m.json")->state, LEGACY_STALE);
    assert_true(legacy_set_answer(set, &query, &scratch, &answer, &err));
    assert_true(slice_is(answer.json, "{\"analytics\":{\"n\":2}"));
    buf_free(&scratch);
    legacy_set_unref(set);
    folder_free(&folder);
}

/* Under an unchanged inode, size and time a settled file is not read again; anything else is seen. */
static void only_changed_files_are_read_again(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    struct err err = ERR_INIT;
    folder_put(&folder, "leaderboard.json", "{\"leaderboard\":[{\"id\":1}]}");
    folder_age(&folder, "leaderboard.json", 1);
    struct legacy_set *set = legacy_set_load(folder.path, NULL);
    struct legacy_answer first = leaderboard(set, &err);

    folder_put(&folder, "leaderboard.json", "{\"leaderboard\":[{\"id\":2}]}");
    folder_age(&folder, "leaderboard.json", 1);
    reload(&folder, &set);
    assert_true(leaderboard(set, &err).json.p == first.json.p);

    folder_age(&folder, "leaderboard.json", 2); /* one nanosecond later */
    reload(&folder, &set);
    struct legacy_answer second = leaderboard(set, &err);
    assert_true(second.version > first.version);
    assert_true(slice_is(second.json, "{\"leaderboard\":[{\"id\":2}]"));

    assert_true(legacy_write_file(folder.path, "leaderboard.json", SLICE("{\"leaderboard\":[{\"id\":3}]}"), &err));
    folder_age(&folder, "leaderboard.json", 2); /* another inode */
    reload(&folder, &set);
    assert_true(slice_is(leaderboard(set, &err).json, "{\"leaderboard\":[{\"id\":3}]"));

    folder_put(&folder, "leaderboard.json", "{\"leaderboard\":[{\"id\":45}]}");
    folder_age(&folder, "leaderboard.json", 2); /* another size */
    reload(&folder, &set);
    assert_true(slice_is(leaderboard(set, &err).json, "{\"leaderboard\":[{\"id\":45}]"));
    legacy_set_unref(set);
    folder_free(&folder);
}

/* Two writes may bear the same time when they are close; the later one must not be missed. */
static void a_file_read_right_after_its_write_is_looked_at_again(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    struct err err = ERR_INIT;
    char path[256];
    folder_path(&folder, "leaderboard.json", path);
    folder_put(&folder, "leaderboard.json", "{\"leaderboard\":[{\"id\":1}]}");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    /* Times a moment ahead, so that a slow machine reads within the moment too. */
    int64_t ahead_ms = clock_wall_ms() + 50;
    struct timespec times[2] = {{ahead_ms / 1000, ahead_ms % 1000 * 1000000},
                                {ahead_ms / 1000, ahead_ms % 1000 * 1000000}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    struct legacy_set *set = legacy_set_load(folder.path, NULL);
    bool read_in_time = clock_wall_ms() < ahead_ms + 100;
    folder_put(&folder, "leaderboard.json", "{\"leaderboard\":[{\"id\":2}]}");
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    reload(&folder, &set);
    if (read_in_time)
        assert_true(slice_is(leaderboard(set, &err).json, "{\"leaderboard\":[{\"id\":2}]"));
    legacy_set_unref(set);
    folder_free(&folder);
}

static void a_file_too_large_is_refused_unread(void **state)
{
    (void)state;
    struct folder folder = folder_new();
    folder_put(&folder, "trades.json", "{\"trades\":[]}");
    char path[256];
    folder_path(&folder, "trades.json", path);
    assert_int_equal(truncate(path, ((off_t)1 << 30) + 1), 0);
    struct legacy_set *set = legacy_set_load(folder.path, NULL);
    assert_string_equal(state_of(set, "trades.json")->fault, "trades.json: is larger than 1 GiB");
    legacy_set_unref(set);
    folder_free(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_folder_has_all_files_missing),
        cmocka_unit_test(faults_say_file_line_column_and_path),
        cmocka_unit_test(what_is_no_regular_file_is_bad_and_does_not_block),
        cmocka_unit_test(the_last_good_version_stays_in_service),
        cmocka_unit_test(a_bad_model_file_falls_back_to_the_list),
        cmocka_unit_test(only_changed_files_are_read_again),
        cmocka_unit_test(a_file_read_right_after_its_write_is_looked_at_again),
        cmocka_unit_test(a_file_too_large_is_refused_unread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
